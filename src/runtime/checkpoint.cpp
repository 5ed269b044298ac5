// The crash checkpoint: layout, extents, descriptor table. See checkpoint.hpp for why it is shaped so.
#include "runtime/checkpoint.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::runtime {

namespace {

constexpr std::uint64_t magic = 0x31746e696f6e6f6dULL; // "monoint1"
constexpr std::uint32_t version = 1;
constexpr std::size_t extent_unit = 512;
constexpr std::size_t grow_step = 64 * 1024;
constexpr std::size_t size_limit = 256 * 1024 * 1024;

struct Header {
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t fd_capacity;
    std::uint64_t used;     ///< bytes in use; extents are appended here
    std::uint32_t fd_high;  ///< one more than the highest descriptor ever kept: reading a hole would allocate it
    std::uint32_t unused;
    Checkpoint::Crash crash;
};

struct Extent {
    std::uint32_t key;
    std::uint32_t live;     ///< 0: replaced by a larger extent, or erased
    std::uint32_t capacity; ///< of each copy
    std::uint32_t sequence; ///< copy (sequence & 1) is current; 0 = none yet
    std::uint32_t length[2];
};

Header* header(void* base) { return static_cast<Header*>(base); }
FdEntry* fd_table(void* base) { return reinterpret_cast<FdEntry*>(static_cast<char*>(base) + sizeof(Header)); }
Extent* extent_at(void* base, std::uint64_t offset) {
    return reinterpret_cast<Extent*>(static_cast<char*>(base) + offset);
}
char* copy_of(Extent* extent, std::uint32_t which) {
    return reinterpret_cast<char*>(extent + 1) + static_cast<std::size_t>(which) * extent->capacity;
}
std::size_t extent_size(std::uint32_t capacity) { return sizeof(Extent) + 2 * static_cast<std::size_t>(capacity); }
std::uint64_t first_extent(std::uint32_t fd_capacity) {
    return (sizeof(Header) + fd_capacity * sizeof(FdEntry) + 63) / 64 * 64;
}
std::size_t round_up(std::size_t value, std::size_t unit) { return (value + unit - 1) / unit * unit; }

} // namespace

Checkpoint::Checkpoint(Checkpoint&& other) noexcept
    : memfd_(std::move(other.memfd_)), base_(std::exchange(other.base_, nullptr)),
      size_(std::exchange(other.size_, 0)), extents_(std::move(other.extents_)), free_(std::move(other.free_)) {}

Checkpoint::~Checkpoint() {
    if (base_ != nullptr)
        ::munmap(base_, size_);
}

base::Result<void> Checkpoint::map(std::size_t size) {
    void* fresh = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd_.get(), 0);
    if (fresh == MAP_FAILED)
        return base::fail_errno(errno, "cannot map the crash checkpoint");
    // A guard must never be able to write into PID 1's state.
    ::madvise(fresh, size, MADV_DONTFORK);
    if (base_ != nullptr)
        ::munmap(base_, size_);
    base_ = fresh;
    size_ = size;
    return {};
}

bool Checkpoint::grow(std::size_t size) {
    size = round_up(size, grow_step);
    if (size > size_limit || ::ftruncate(memfd_.get(), static_cast<off_t>(size)) != 0)
        return false;
    return map(size).has_value();
}

base::Result<Checkpoint> Checkpoint::create(std::uint32_t fd_capacity) {
    Checkpoint made;
    made.memfd_ = sys::UniqueFd(::memfd_create("monoinit-checkpoint", MFD_CLOEXEC));
    if (made.memfd_.get() < 0)
        return base::fail_errno(errno, "cannot make the crash checkpoint");
    if (!made.grow(first_extent(fd_capacity)))
        return base::fail_errno(ENOMEM, "cannot size the crash checkpoint");
    *header(made.base_) = Header{magic, version, fd_capacity, first_extent(fd_capacity), 0, 0, {}};
    return made;
}

base::Result<Checkpoint> Checkpoint::adopt(sys::UniqueFd memfd) {
    struct stat st{};
    if (::fstat(memfd.get(), &st) != 0)
        return base::fail_errno(errno, "cannot look at the crash checkpoint");
    Checkpoint found;
    found.memfd_ = std::move(memfd);
    const auto size = static_cast<std::size_t>(st.st_size);
    if (size < sizeof(Header) || size > size_limit)
        return base::fail(base::Errc::Invalid, "the crash checkpoint has an impossible size");
    TRY(found.map(size));
    const Header* head = header(found.base_);
    if (head->magic != magic || head->version != version || head->used > size ||
        first_extent(head->fd_capacity) > head->used || head->fd_high > head->fd_capacity)
        return base::fail(base::Errc::Invalid, "the crash checkpoint is not one of this program");
    for (std::uint64_t at = first_extent(head->fd_capacity); at + sizeof(Extent) <= head->used;) {
        const Extent* extent = extent_at(found.base_, at);
        if (extent->capacity == 0 || at + extent_size(extent->capacity) > head->used)
            break; // a fault while appending: the rest was never in use
        if (extent->live == 0) {
            found.free_.emplace(extent->capacity, at);
        } else {
            if (const auto twice = found.extents_.find(extent->key); twice != found.extents_.end()) // a fault while it moved
                found.retire(twice->second);
            found.extents_[extent->key] = at;
        }
        at += round_up(extent_size(extent->capacity), 8);
    }
    return found;
}

bool Checkpoint::write(std::uint32_t key, std::string_view bytes) {
    auto known = extents_.find(key);
    if (known == extents_.end() || extent_at(base_, known->second)->capacity < bytes.size()) {
        if (const std::uint64_t at = take_free(bytes.size())) {
            Extent* reused = extent_at(base_, at);
            *reused = Extent{key, 0, reused->capacity, 2, {static_cast<std::uint32_t>(bytes.size()), 0}};
            std::memcpy(copy_of(reused, 0), bytes.data(), bytes.size());
            std::atomic_signal_fence(std::memory_order_seq_cst);
            reused->live = 1; // for a moment there are two of the key; the later in the file counts, and both are whole
            std::atomic_signal_fence(std::memory_order_seq_cst);
            if (known != extents_.end())
                retire(known->second);
            extents_[key] = at;
            return true;
        }
        // Some slack, so that a growing record does not move with every byte.
        const auto capacity = static_cast<std::uint32_t>(round_up(bytes.size() + bytes.size() / 4, extent_unit));
        const std::uint64_t at = header(base_)->used;
        const std::size_t end = at + round_up(extent_size(capacity), 8);
        if (end > size_ && !grow(end))
            return false;
        Extent* fresh = extent_at(base_, at);
        *fresh = Extent{key, 1, capacity, 2, {static_cast<std::uint32_t>(bytes.size()), 0}};
        std::memcpy(copy_of(fresh, 0), bytes.data(), bytes.size());
        std::atomic_signal_fence(std::memory_order_seq_cst);
        header(base_)->used = end;
        std::atomic_signal_fence(std::memory_order_seq_cst);
        if (known != extents_.end())
            retire(known->second);
        extents_[key] = at;
        return true;
    }
    Extent* extent = extent_at(base_, known->second);
    const std::uint32_t next = extent->sequence + 1;
    std::memcpy(copy_of(extent, next & 1), bytes.data(), bytes.size());
    extent->length[next & 1] = static_cast<std::uint32_t>(bytes.size());
    std::atomic_signal_fence(std::memory_order_seq_cst);
    extent->sequence = next;
    return true;
}

void Checkpoint::erase(std::uint32_t key) {
    auto known = extents_.find(key);
    if (known == extents_.end())
        return;
    retire(known->second);
    extents_.erase(known);
}

void Checkpoint::retire(std::uint64_t at) {
    extent_at(base_, at)->live = 0;
    free_.emplace(extent_at(base_, at)->capacity, at);
}

/// Units come and go (one a connection, with Accept=yes), and the file may not grow with each of them.
std::uint64_t Checkpoint::take_free(std::size_t size) {
    const auto found = free_.lower_bound(static_cast<std::uint32_t>(size));
    if (found == free_.end())
        return 0;
    const std::uint64_t at = found->second;
    free_.erase(found);
    return at;
}

std::vector<std::pair<std::uint32_t, std::string>> Checkpoint::read_all() const {
    std::vector<std::pair<std::uint32_t, std::string>> records;
    for (const auto& [key, offset] : extents_) {
        Extent* extent = extent_at(base_, offset);
        const std::uint32_t which = extent->sequence & 1;
        if (extent->length[which] <= extent->capacity)
            records.emplace_back(key, std::string(copy_of(extent, which), extent->length[which]));
    }
    std::ranges::sort(records, {}, &std::pair<std::uint32_t, std::string>::first);
    return records;
}

bool Checkpoint::keep(const FdEntry& entry) {
    FdEntry* table = fd_table(base_);
    // A descriptor number stands for one thing at a time, so it is its own index.
    if (entry.fd < 0 || static_cast<std::uint32_t>(entry.fd) >= header(base_)->fd_capacity)
        return false;
    table[entry.fd] = entry;
    header(base_)->fd_high = std::max(header(base_)->fd_high, static_cast<std::uint32_t>(entry.fd) + 1);
    return true;
}

void Checkpoint::set_pid(int fd, int pid) {
    if (fd >= 0 && static_cast<std::uint32_t>(fd) < header(base_)->fd_capacity)
        fd_table(base_)[fd].pid = pid;
}

void Checkpoint::forget(int fd) {
    if (fd >= 0 && static_cast<std::uint32_t>(fd) < header(base_)->fd_capacity)
        fd_table(base_)[fd] = FdEntry{};
}

std::vector<FdEntry> Checkpoint::kept() const {
    std::vector<FdEntry> entries;
    for (std::uint32_t i = 0; i < header(base_)->fd_high; i++)
        if (fd_table(base_)[i].kind != FdKind::None)
            entries.push_back(fd_table(base_)[i]);
    return entries;
}

void Checkpoint::for_each_fd(void (*visit)(int fd)) const {
    for (std::uint32_t i = 0; i < header(base_)->fd_high; i++)
        if (fd_table(base_)[i].kind != FdKind::None)
            visit(static_cast<int>(i));
}

Checkpoint::Crash& Checkpoint::crash() { return header(base_)->crash; }

} // namespace monoinit::runtime
