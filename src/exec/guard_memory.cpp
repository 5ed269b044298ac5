// Giving back the memory a guard inherited, so that idle it owns four pages or five. The heap: glibc puts everything of a single-threaded program into one brk area when told
// not to use mmap(), so that one brk() call returns it all. A static binary has its thread-local storage (errno, the stack
// protector's canary) at the start of that area: those pages stay. Static data
// that PID 1 had written would be copies of our own as soon as PID 1 writes them again: the loop needs none of them but its
// state. The stack: the loop has a small one beside its state. Tested by tests/unit/exec/guard_test.cpp.
#include "exec/guard.hpp"
#include "exec/spawn.hpp"

#include "sys/proc.hpp"
#include "sys/process_title.hpp"
#include "sys/syscalls.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

extern "C" char __data_start, __bss_start, _end; // the linker's

namespace monoinit::exec {

namespace {

std::uintptr_t heap_start = 0;
constexpr std::uintptr_t page = 4096;
constexpr std::uintptr_t thread_block = 4096; ///< more than glibc's struct pthread behind the thread pointer

/// Field 47 of /proc/self/stat.
std::uintptr_t read_heap_start() {
    char text[1024];
    const ssize_t size = sys::read_proc_file(::getpid(), "stat", text, sizeof text - 1);
    if (size <= 0)
        return 0;
    text[size] = 0;
    const char* at = std::strrchr(text, ')');
    for (int field = 2; at != nullptr && field < 47; field++)
        at = std::strchr(at + 1, ' ');
    return at == nullptr ? 0 : std::strtoull(at + 1, nullptr, 10);
}

} // namespace

void remember_heap_start() {
    if (heap_start == 0)
        heap_start = read_heap_start();
}

void prepare_heap() {
    ::mallopt(M_MMAP_MAX, 0);
    remember_heap_start();
}

void drop_heap() {
#if !defined(__SANITIZE_ADDRESS__)
    if (heap_start == 0)
        return;
    std::uintptr_t keep = heap_start;
    const auto current = static_cast<std::uintptr_t>(::syscall(SYS_brk, 0));
    const auto thread = reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
    if (thread >= heap_start && thread < current)
        keep = (thread + thread_block + page - 1) & ~(page - 1);
    if (keep < current)
        ::syscall(SYS_brk, keep);
#endif
}

void drop_statics(const void* kept, std::size_t kept_size) {
#if !defined(__SANITIZE_ADDRESS__)
    if (sys::faults_active())
        return; // a test wants them to act here too
    const auto address = [](const void* at) { return reinterpret_cast<std::uintptr_t>(at); };
    const auto drop = [](std::uintptr_t from, std::uintptr_t to) {
        from = (from + page - 1) & ~(page - 1);
        to &= ~(page - 1);
        if (from < to)
            ::madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
    };
    // Not the page where initialised data end and zeroed data begin: read anew from the file, its second half would not be
    // zero.
    drop(address(&__data_start), address(&__bss_start));
    drop((address(&__bss_start) + page) & ~(page - 1), address(kept));
    drop(address(kept) + kept_size, address(&_end));
#endif
}

namespace {

void (*stack_entry)();
std::uintptr_t old_frame;

/// Everything around the frame we came from: the frames of PID 1 above it, what the start needed below it. The page of the
/// title is the kernel's window on our command line and stays.
void drop_old_stack() {
    constexpr std::uintptr_t used_below = 256 << 10;
    const std::uintptr_t here = old_frame & ~(page - 1);
    const std::uintptr_t top = reinterpret_cast<std::uintptr_t>(sys::title_area()) & ~(page - 1);
    ::madvise(reinterpret_cast<void*>(here - used_below), used_below, MADV_DONTNEED);
    ::madvise(reinterpret_cast<void*>(here), here < top ? top - here : page, MADV_DONTNEED);
}

void enter_new_stack() {
    drop_old_stack();
    stack_entry();
}

} // namespace

void move_to_stack(char* memory, std::size_t size, void (*entry)()) {
#if !defined(__SANITIZE_ADDRESS__)
    stack_entry = entry;
    old_frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    ucontext_t context;
    ::getcontext(&context); // keeps the signal mask: all blocked
    context.uc_stack.ss_sp = memory;
    context.uc_stack.ss_size = size;
    context.uc_link = nullptr;
    ::makecontext(&context, enter_new_stack, 0);
    ::setcontext(&context);
#else
    (void)memory;
    (void)size;
#endif
    entry();
    ::_exit(0);
}

} // namespace monoinit::exec
