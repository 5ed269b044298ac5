// The heap and forks. glibc keeps everything of a single-threaded program in one brk area when told not to use mmap();
// MADV_DONTFORK on that area excludes it, except its first pages, where a static binary has its thread-local storage
// (errno, the stack protector's canary). operator new is replaced so that it can be led elsewhere for a while; ordinarily
// it is malloc(). Tested by tests/unit/sys.
#include "sys/heap.hpp"

#include "sys/proc.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <new>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace monoinit::sys::heap {

namespace {

constexpr std::uintptr_t page = 4096;
constexpr std::uintptr_t thread_block = 4096; ///< more than glibc's struct pthread behind the thread pointer

std::uintptr_t heap_start = 0;    ///< of the brk area; 0 = not known
std::uintptr_t excluded_end = 0;  ///< up to here the area is excluded from forks; 0 = it is included
bool prepared = false;

/// Memory that is only ever extended, and forgotten as a whole.
struct Arena {
    char* memory = nullptr;
    std::size_t size = 0, used = 0, live = 0;
    bool overflowed = false;

    bool holds(const void* at) const { return memory != nullptr && at >= memory && at < memory + size; }
    void* take(std::size_t bytes) {
        constexpr std::size_t alignment = alignof(std::max_align_t);
        bytes = (bytes + alignment - 1) / alignment * alignment;
        if (memory == nullptr || bytes > size - used)
            return nullptr;
        void* const at = memory + used;
        used += bytes;
        live++;
        return at;
    }
    void give() {
        if (--live == 0)
            used = 0;
    }
};

constexpr std::size_t plan_size = 4 << 20;
constexpr std::size_t child_size = 256 << 20; ///< address space only: what is touched counts
Arena plan_arena, child_arena;

enum class Mode : unsigned char { Ordinary, Scope, Child };
Mode mode = Mode::Ordinary;

char* map(std::size_t size) {
    void* const at =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? nullptr : static_cast<char*>(at);
}

std::uintptr_t current_end() {
    return static_cast<std::uintptr_t>(::syscall(SYS_brk, 0)) & ~(page - 1);
}

/// Field 47 of /proc/self/stat.
std::uintptr_t read_heap_start() {
    char text[1024];
    const ssize_t size = read_proc_file(::getpid(), "stat", text, sizeof text - 1);
    if (size <= 0)
        return 0;
    text[size] = 0;
    const char* at = std::strrchr(text, ')');
    for (int field = 2; at != nullptr && field < 47; field++)
        at = std::strchr(at + 1, ' ');
    return at == nullptr ? 0 : std::strtoull(at + 1, nullptr, 10);
}

/// Where the part begins that nobody but PID 1 needs.
std::uintptr_t own_start() {
    const auto thread = reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
    const bool inside = thread >= heap_start && thread < current_end();
    return ((inside ? thread + thread_block : heap_start) + page - 1) & ~(page - 1);
}

constexpr std::size_t reserve_size = 256 << 10; ///< for what one event may need
void* reserve = nullptr;

void* allocate_ordinarily(std::size_t bytes) {
    bytes = bytes == 0 ? 1 : bytes;
    void* at = std::malloc(bytes);
    if (at == nullptr && reserve != nullptr) [[unlikely]] {
        std::free(std::exchange(reserve, nullptr));
        at = std::malloc(bytes);
    }
    return at;
}

void* allocate(std::size_t bytes) {
    if (mode == Mode::Ordinary) [[likely]]
        return allocate_ordinarily(bytes);
    if (mode == Mode::Child)
        return child_arena.take(bytes);
    if (void* const at = plan_arena.take(bytes))
        return at;
    plan_arena.overflowed = true;
    return allocate_ordinarily(bytes);
}

void release(void* at) {
    if (mode == Mode::Child)
        return;
    if (plan_arena.holds(at)) [[unlikely]]
        return plan_arena.give();
    std::free(at);
}

} // namespace

void prepare() {
#if !defined(__SANITIZE_ADDRESS__)
    if (prepared)
        return;
    ::mallopt(M_MMAP_MAX, 0);
    heap_start = read_heap_start();
    plan_arena.memory = map(plan_size);
    plan_arena.size = plan_arena.memory != nullptr ? plan_size : 0;
    // Whoever calls fork() itself gets the heap as well.
    prepared = heap_start != 0 && plan_arena.memory != nullptr && ::pthread_atfork(include_in_fork, nullptr, nullptr) == 0;
#endif
}

bool hold_reserve() {
    if (reserve == nullptr)
        reserve = std::malloc(reserve_size);
    return reserve != nullptr;
}

bool holds_reserve() {
    return reserve != nullptr;
}

bool can_exclude() {
    return prepared;
}

bool exclude_from_fork() {
    if (!prepared)
        return false;
    const std::uintptr_t from = excluded_end != 0 ? excluded_end : own_start();
    const std::uintptr_t end = current_end();
    if (from < end && ::madvise(reinterpret_cast<void*>(from), end - from, MADV_DONTFORK) != 0) {
        include_in_fork();
        return false;
    }
    excluded_end = end;
    return true;
}

void include_in_fork() {
    if (excluded_end == 0)
        return;
    const std::uintptr_t from = own_start();
    ::madvise(reinterpret_cast<void*>(from), std::min(excluded_end, current_end()) - from, MADV_DOFORK);
    excluded_end = 0;
}

Scope::Scope() {
    if (prepared && mode == Mode::Ordinary) {
        plan_arena.overflowed = false;
        mode = Mode::Scope;
    }
}

Scope::~Scope() {
    if (mode == Mode::Scope)
        mode = Mode::Ordinary;
}

bool Scope::complete() const {
    return mode == Mode::Scope && !plan_arena.overflowed;
}

void enter_child() {
    child_arena.memory = map(child_size);
    child_arena.size = child_size;
    if (child_arena.memory == nullptr) // no room for more: what the plan has left of its memory
        child_arena = {plan_arena.memory + plan_arena.used, plan_arena.size - plan_arena.used};
    mode = Mode::Child;
}

void drop() {
#if !defined(__SANITIZE_ADDRESS__)
    if (heap_start == 0)
        heap_start = read_heap_start();
    const std::uintptr_t keep = own_start();
    if (mode != Mode::Child && heap_start != 0 && keep < current_end())
        ::syscall(SYS_brk, keep);
    for (const Arena& arena : {plan_arena, child_arena})
        if (arena.memory != nullptr)
            ::munmap(arena.memory, arena.size);
#endif
}

} // namespace monoinit::sys::heap

#if !defined(__SANITIZE_ADDRESS__)

void* operator new(std::size_t size) {
    if (void* const at = monoinit::sys::heap::allocate(size))
        return at;
    throw std::bad_alloc();
}

void* operator new[](std::size_t size) {
    return operator new(size);
}

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return monoinit::sys::heap::allocate(size);
}

void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    return monoinit::sys::heap::allocate(size);
}

void operator delete(void* at) noexcept {
    monoinit::sys::heap::release(at);
}

void operator delete[](void* at) noexcept {
    monoinit::sys::heap::release(at);
}

void operator delete(void* at, std::size_t) noexcept {
    monoinit::sys::heap::release(at);
}

void operator delete[](void* at, std::size_t) noexcept {
    monoinit::sys::heap::release(at);
}

void operator delete(void* at, const std::nothrow_t&) noexcept {
    monoinit::sys::heap::release(at);
}

void operator delete[](void* at, const std::nothrow_t&) noexcept {
    monoinit::sys::heap::release(at);
}

#endif
