// Giving back the heap a guard inherited. glibc puts everything of a single-threaded program into one brk area when told
// not to use mmap(), so that one brk() call returns it all. A static binary has its thread-local storage (errno, the stack
// protector's canary) at the start of that area: those pages stay. Tested by tests/unit/exec/guard_test.cpp.
#include "exec/guard.hpp"
#include "exec/spawn.hpp"

#include "sys/proc.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <sys/syscall.h>
#include <unistd.h>

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

} // namespace monoinit::exec
