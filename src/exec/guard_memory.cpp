// Giving back the memory a guard inherited, so that idle it owns four pages or five. The heap is sys/heap.hpp's matter.
// Static data that PID 1 had written would be copies of our own as soon as PID 1 writes them again: the loop needs none of
// them but its state. The stack: the loop has a small one beside its state. Tested by tests/unit/exec/guard_test.cpp.
#include "exec/guard.hpp"

#include "sys/process_title.hpp"
#include "sys/syscalls.hpp"

#include <cstdint>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

extern "C" char __data_start, __bss_start, _end; // the linker's

namespace monoinit::exec {

namespace {

constexpr std::uintptr_t page = 4096;

} // namespace

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
