// Mapping of the memory that outlives a logger. Tested by tests/unit/log/logger_test.cpp.

#include "log/shared_memory.hpp"

#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

namespace monoinit::log {
namespace {

constexpr std::uint64_t layout_magic = 0x6d6f6e6f696c6f67U; // "monoilog"
constexpr std::uint32_t layout_version = 3; // changes with every structure in shared_memory.hpp, flight.cpp, recent_store.cpp

constexpr std::size_t rounded(std::size_t size) { return (size + page_size - 1) / page_size * page_size; }

constexpr std::size_t chunks_at = header_size;
constexpr std::size_t ring_at = chunks_at + flight_parts * chunk_size;
constexpr std::size_t error_ring_at = ring_at + ring_size;
constexpr std::size_t slots_at = error_ring_at + ring_size;
constexpr std::size_t blocks_at = slots_at + rounded(sizeof(CarrySlot) * (carry_slots[0] + carry_slots[1]));
constexpr std::size_t store_ring_at = blocks_at + sizeof(Block) * block_count;
constexpr std::size_t file_size = store_ring_at + store_ring_size;
// In memory the double views of the rings stand where nothing of the file does: after everything else.
constexpr std::size_t ring_view_at = file_size;
constexpr std::size_t error_ring_view_at = ring_view_at + 2 * ring_size;
constexpr std::size_t store_ring_view_at = error_ring_view_at + 2 * ring_size;
constexpr std::size_t mapped_size = store_ring_view_at + 2 * store_ring_size;

/// A memfd of the right size and content, or one made here.
base::Result<sys::UniqueFd> usable_file(int fd) {
    struct stat info{};
    if (fd >= 0 && fstat(fd, &info) == 0 &&
        (static_cast<std::size_t>(info.st_size) == file_size ||
         ftruncate(fd, static_cast<off_t>(file_size)) == 0)) {
        const int copy = sys::duplicate(fd, 3);
        if (copy >= 0)
            return sys::UniqueFd(copy);
    }
    sys::UniqueFd own(sys::memory_file("monoinit-log"));
    if (!own || ftruncate(own.get(), static_cast<off_t>(file_size)) != 0)
        return base::fail_errno(errno, "memory for log lines");
    return own;
}

bool map_at(char* where, std::size_t size, int fd, std::size_t offset) {
    return mmap(where, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, static_cast<off_t>(offset)) !=
           MAP_FAILED;
}

bool map_twice(char* where, std::size_t size, int fd, std::size_t offset) {
    return map_at(where, size, fd, offset) && map_at(where + size, size, fd, offset);
}

} // namespace

base::Result<SharedMemory> SharedMemory::map(int fd) {
    const sys::UniqueFd file = TRY(usable_file(fd));
    void* base = mmap(nullptr, mapped_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return base::fail_errno(errno, "address space for log lines");
    SharedMemory memory;
    memory.base_ = base;
    char* start = static_cast<char*>(base);
    if (!map_at(start, file_size, file.get(), 0) || !map_twice(start + ring_view_at, ring_size, file.get(), ring_at) ||
        !map_twice(start + error_ring_view_at, ring_size, file.get(), error_ring_at) ||
        !map_twice(start + store_ring_view_at, store_ring_size, file.get(), store_ring_at))
        return base::fail_errno(errno, "mapping memory for log lines");
    memory.header_ = reinterpret_cast<SharedHeader*>(start);
    memory.chunks_ = start + chunks_at;
    memory.ring_ = start + ring_view_at;
    memory.error_ring_ = start + error_ring_view_at;
    memory.store_ring_ = start + store_ring_view_at;
    memory.slots_ = reinterpret_cast<CarrySlot*>(start + slots_at);
    memory.blocks_ = reinterpret_cast<Block*>(start + blocks_at);

    SharedHeader& header = *memory.header_;
    if (header.magic != layout_magic || header.version != layout_version) {
        // New, or of a binary with another layout: its lines in flight cannot be read.
        (void)madvise(start, file_size, MADV_REMOVE);
        header.magic = layout_magic;
        header.version = layout_version;
        header.next_cursor = 1;
    }
    return memory;
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)), header_(other.header_), chunks_(other.chunks_), ring_(other.ring_), error_ring_(other.error_ring_),
      store_ring_(other.store_ring_), slots_(other.slots_), blocks_(other.blocks_) {}

SharedMemory::~SharedMemory() {
    if (base_ != nullptr)
        munmap(base_, mapped_size);
}

} // namespace monoinit::log
