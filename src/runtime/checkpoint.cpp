// The crash checkpoint: layout, extents, descriptor table. See checkpoint.hpp for why it is shaped so.
#include "runtime/checkpoint.hpp"

#include "sys/crash_point.hpp"
#include "sys/patience.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::runtime {

namespace {

constexpr std::uint64_t magic = 0x31746e696f6e6f6dULL; // "monoint1"
constexpr std::size_t extent_unit = 512;
constexpr std::size_t grow_step = 64 * 1024;
constexpr std::size_t size_limit = 256 * 1024 * 1024;
constexpr std::uint32_t capacity_limit = 1U << 20; ///< of the descriptor table
constexpr std::uint32_t live_mark = 0x6576696c;    // "live"

/// A multiplication a word: a record of 500 bytes costs a twentieth of a microsecond.
std::uint64_t mix(std::uint64_t sum, std::uint64_t word) {
    sum = (sum ^ word) * 0x9fb21c651e98df25ULL;
    return sum ^ (sum >> 32);
}

std::uint64_t mix_bytes(std::uint64_t sum, const char* bytes, std::size_t size) {
    sum = mix(sum, size);
    for (; size >= sizeof(std::uint64_t); size -= sizeof(std::uint64_t), bytes += sizeof(std::uint64_t)) {
        std::uint64_t word;
        std::memcpy(&word, bytes, sizeof word);
        sum = mix(sum, word);
    }
    std::uint64_t rest = 0;
    if (size > 0)
        std::memcpy(&rest, bytes, size);
    return mix(sum, rest);
}

std::uint32_t folded(std::uint64_t sum) { return static_cast<std::uint32_t>(mix(sum, 0) >> 16) | 1; } // never 0, which empty memory has

struct Header {
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t fd_capacity;
    std::uint64_t seed;   ///< of every checksum: what a unit says can look like an extent, but not like one of this boot
    std::uint32_t check;  ///< of the fields above
    std::uint32_t bounds; ///< of the two below
    std::uint64_t used;     ///< bytes in use; extents are appended here
    std::uint32_t fd_high;  ///< one more than the highest descriptor ever kept: reading a hole would allocate it
    std::uint32_t unused;
    CrashNote crash;
};

struct Slot {
    FdEntry entry;
    std::uint32_t check;
    std::uint32_t unused;
};

struct Copy {
    std::uint32_t sequence; ///< 0 = never written; the higher of two counts
    std::uint32_t length;
    std::uint32_t check;    ///< of key, sequence and bytes
};

struct Extent {
    std::uint32_t identity; ///< of its place and capacity, which it keeps: found again behind damage
    std::uint32_t capacity; ///< of each copy
    std::uint32_t key;
    std::uint32_t live;     ///< live_mark; else replaced by a larger extent, or erased
    Copy copies[2];
};

// Whoever changes one of these raises newest_format, and reads the format before.
static_assert(sizeof(CrashNote) == 416 && sizeof(Header) == 464 && sizeof(Slot) == 32 && sizeof(Extent) == 40);

Header* header(void* base) { return static_cast<Header*>(base); }
Slot* fd_table(void* base) { return reinterpret_cast<Slot*>(static_cast<char*>(base) + sizeof(Header)); }
Extent* extent_at(void* base, std::uint64_t offset) { return reinterpret_cast<Extent*>(static_cast<char*>(base) + offset); }
char* copy_of(Extent* extent, std::uint32_t which) { return reinterpret_cast<char*>(extent + 1) + static_cast<std::size_t>(which) * extent->capacity; }
std::size_t extent_size(std::uint32_t capacity) { return sizeof(Extent) + 2 * static_cast<std::size_t>(capacity); }
std::size_t round_up(std::size_t value, std::size_t unit) { return (value + unit - 1) / unit * unit; }
std::uint64_t first_extent(std::uint32_t fd_capacity) { return round_up(sizeof(Header) + std::uint64_t{fd_capacity} * sizeof(Slot), 64); }

std::uint32_t header_check(const Header& head) { return folded(mix(mix(mix(head.magic, head.version), head.fd_capacity), head.seed)); }
std::uint32_t bounds_check(const Header& head) { return folded(mix(mix(head.seed, head.used), head.fd_high)); }
std::uint32_t slot_check(const Header& head, const FdEntry& entry) {
    const auto kind = static_cast<std::uint64_t>(entry.kind);
    return folded(mix(mix(mix(head.seed, kind << 32 | static_cast<std::uint32_t>(entry.fd)), entry.id), std::uint64_t{entry.unit} << 32 | static_cast<std::uint32_t>(entry.pid)));
}
std::uint32_t identity_of(const Header& head, std::uint64_t at, std::uint32_t capacity) { return folded(mix(mix(head.seed, at), capacity)); }
std::uint32_t copy_check(const Header& head, std::uint32_t key, std::uint32_t sequence, const char* bytes, std::size_t size) {
    return folded(mix_bytes(mix(head.seed, std::uint64_t{key} << 32 | sequence), bytes, size));
}

bool is_whole(const Header& head, Extent* extent, std::uint32_t which) {
    const Copy& copy = extent->copies[which];
    return copy.sequence != 0 && copy.length <= extent->capacity &&
           copy.check == copy_check(head, extent->key, copy.sequence, copy_of(extent, which), copy.length);
}

/// The copy that was written last, whole or not.
std::uint32_t newer(const Extent* extent) {
    return static_cast<std::int32_t>(extent->copies[1].sequence - extent->copies[0].sequence) > 0 ? 1 : 0;
}

/// The copy that counts; 2 = none.
std::uint32_t current(const Header& head, Extent* extent) {
    const std::uint32_t first = newer(extent);
    return is_whole(head, extent, first) ? first : is_whole(head, extent, 1 - first) ? 1 - first : 2;
}

/// What was there before the bytes are whole no longer is; what is written last makes it count.
void fill(const Header& head, Extent* extent, std::uint32_t which, std::uint32_t sequence, std::string_view bytes) {
    bytes.copy(copy_of(extent, which), bytes.size()); // they may be none, at no address
    sys::crash_point();
    const auto length = static_cast<std::uint32_t>(bytes.size());
    const std::uint32_t check = copy_check(head, extent->key, sequence, bytes.data(), bytes.size());
    std::atomic_signal_fence(std::memory_order_seq_cst);
    extent->copies[which].length = length;
    extent->copies[which].check = check;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    extent->copies[which].sequence = sequence;
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

} // namespace

Checkpoint::Checkpoint(Checkpoint&& other) noexcept
    : memfd_(std::move(other.memfd_)), base_(std::exchange(other.base_, nullptr)), size_(std::exchange(other.size_, 0)),
      kept_(std::move(other.kept_)), fd_high_(other.fd_high_), damage_(other.damage_), extents_(std::move(other.extents_)),
      free_(std::move(other.free_)) {}

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

void Checkpoint::set_used(std::uint64_t used) {
    header(base_)->used = used;
    header(base_)->bounds = bounds_check(*header(base_));
}

void Checkpoint::set_fd_high(std::uint32_t high) {
    fd_high_ = high;
    header(base_)->fd_high = high;
    header(base_)->bounds = bounds_check(*header(base_));
}

base::Result<Checkpoint> Checkpoint::create(std::uint32_t fd_capacity) {
    Checkpoint made;
    made.memfd_ = sys::UniqueFd(::memfd_create("monoinit-checkpoint", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (made.memfd_.get() < 0)
        return base::fail_errno(errno, "cannot make the crash checkpoint (memfd_create)");
    // Nobody who may write to it can take it from under the handler's feet.
    ::fcntl(made.memfd_.get(), F_ADD_SEALS, F_SEAL_SHRINK);
    if (!made.grow(first_extent(fd_capacity)))
        return base::fail_errno(ENOMEM, "cannot size the crash checkpoint");
    made.kept_.resize((fd_capacity + 63) / 64);
    Header* head = header(made.base_);
    *head = Header{magic, newest_format, fd_capacity, 0, 0, 0, first_extent(fd_capacity), 0, 0, {}};
    (void)!::getrandom(&head->seed, sizeof head->seed, GRND_NONBLOCK); // 0 is as good against accidents
    head->check = header_check(*head);
    head->bounds = bounds_check(*head);
    return made;
}

base::Result<Checkpoint> Checkpoint::adopt(sys::UniqueFd memfd) {
    const auto foreign = [] { return base::fail(base::Errc::Invalid, "the crash checkpoint is not one of this program"); };
    struct stat st{};
    if (::fstat(memfd.get(), &st) != 0)
        return base::fail_errno(errno, "cannot look at the crash checkpoint");
    Checkpoint found;
    found.memfd_ = std::move(memfd);
    const auto size = static_cast<std::size_t>(st.st_size);
    if (size < sizeof(Header) || size > size_limit)
        return base::fail(base::Errc::Invalid, "the crash checkpoint has an impossible size");
    TRY(sys::insist([&] { return found.map(size); }));
    const Header& head = *header(found.base_);
    if (head.magic != magic || head.fd_capacity > capacity_limit || head.fd_capacity == 0)
        return foreign();
    if (head.version == oldest_format) {
        const OldCheckpoint old = TRY(read_format_1({static_cast<const char*>(found.base_), size}));
        Checkpoint made = TRY(create(old.fd_capacity));
        made.crash() = old.crash;
        for (const auto& [key, bytes] : old.records)
            made.write(key, bytes);
        for (const FdEntry& entry : old.kept)
            if (entry.kind <= last_fd_kind && ::fcntl(entry.fd, F_GETFD) >= 0)
                made.keep(entry);
        return made;
    }
    if (head.version != newest_format || head.check != header_check(head) || first_extent(head.fd_capacity) > size)
        return foreign();
    found.kept_.resize((head.fd_capacity + 63) / 64);
    const bool bounded = head.bounds == bounds_check(head) && head.used <= size && head.fd_high <= head.fd_capacity;
    found.scan_table(bounded ? head.fd_high : head.fd_capacity);
    found.scan_extents(bounded ? head.used : size);
    return found;
}

std::optional<CrashNote> Checkpoint::peek(int memfd) {
    Header head;
    if (::pread(memfd, &head, sizeof head, 0) != static_cast<ssize_t>(sizeof head) || head.magic != magic || head.version != newest_format ||
        head.check != header_check(head))
        return std::nullopt;
    return head.crash;
}

/// Lists the extents up to `end`. What is no extent is passed over, up to the next that is one.
void Checkpoint::scan_extents(std::uint64_t end) {
    const Header& head = *header(base_);
    bool in_gap = false;
    std::uint64_t used = first_extent(head.fd_capacity);
    for (std::uint64_t at = used; at + sizeof(Extent) <= end;) {
        Extent* extent = extent_at(base_, at);
        const bool is_extent = extent->identity == identity_of(head, at, extent->capacity) && extent->capacity != 0 &&
                               at + extent_size(extent->capacity) <= end;
        if (!is_extent) {
            in_gap = in_gap || extent->identity != 0 || extent->capacity != 0;
            at += 8;
            continue;
        }
        damage_.lost += std::exchange(in_gap, false) ? 1 : 0;
        if (extent->live != live_mark) {
            free_.emplace(extent->capacity, at);
        } else if (const std::uint32_t which = current(head, extent); which == 2) {
            damage_.lost++;
            retire(at);
        } else {
            damage_.older += which == newer(extent) ? 0 : 1;
            if (const auto twice = extents_.find(extent->key); twice != extents_.end()) // a fault while it moved
                retire(twice->second);
            extents_[extent->key] = at;
        }
        at += round_up(extent_size(extent->capacity), 8);
        used = at;
    }
    damage_.lost += in_gap ? 1 : 0;
    set_used(used);
}

void Checkpoint::scan_table(std::uint32_t end) {
    std::uint32_t high = 0;
    for (std::uint32_t i = 0; i < end; i++) {
        Slot& slot = fd_table(base_)[i];
        if (slot.entry.kind == FdKind::None && slot.check == 0)
            continue;
        const bool ours = slot.check == slot_check(*header(base_), slot.entry) && slot.entry.kind != FdKind::None &&
                          slot.entry.kind <= last_fd_kind && slot.entry.fd == static_cast<std::int32_t>(i);
        damage_.foreign += ours ? 0 : 1;
        if (ours && ::fcntl(slot.entry.fd, F_GETFD) >= 0) {
            note_kept(i, true);
            high = i + 1;
        } else {
            slot = Slot{};
            damage_.descriptors++;
        }
    }
    set_fd_high(high);
}

bool Checkpoint::write(std::uint32_t key, std::string_view bytes) {
    sys::crash_point();
    const Header& head = *header(base_);
    const auto known = extents_.find(key);
    if (known != extents_.end() && extent_at(base_, known->second)->capacity >= bytes.size()) {
        Extent* extent = extent_at(base_, known->second);
        const std::uint32_t last = newer(extent);
        const std::uint32_t sequence = extent->copies[last].sequence + 1;
        fill(head, extent, 1 - last, sequence == 0 ? 1 : sequence, bytes);
        return true;
    }
    std::uint64_t at = take_free(bytes.size());
    if (at == 0) {
        // Some slack, so that a growing record does not move with every byte.
        const auto capacity = static_cast<std::uint32_t>(round_up(std::max<std::size_t>(bytes.size() + bytes.size() / 4, 1), extent_unit));
        at = head.used;
        const std::size_t end = at + round_up(extent_size(capacity), 8);
        if (end > size_ && !grow(end))
            return false;
        *extent_at(base_, at) = Extent{identity_of(*header(base_), at, capacity), capacity, key, 0, {}};
        std::atomic_signal_fence(std::memory_order_seq_cst);
        set_used(end);
    }
    Extent* extent = extent_at(base_, at);
    extent->key = key;
    extent->copies[0] = extent->copies[1] = Copy{};
    fill(*header(base_), extent, 0, 1, bytes);
    extent->live = live_mark; // for a moment there are two of the key; the later in the file counts, and both are whole
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (known != extents_.end())
        retire(known->second);
    extents_[key] = at;
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

Records Checkpoint::read_all() const {
    Records records;
    for (const auto& [key, offset] : extents_) {
        Extent* extent = extent_at(base_, offset);
        if (const std::uint32_t which = current(*header(base_), extent); which != 2)
            records.emplace_back(key, std::string(copy_of(extent, which), extent->copies[which].length));
    }
    std::ranges::sort(records, {}, &std::pair<std::uint32_t, std::string>::first);
    return records;
}

void Checkpoint::note_kept(std::uint32_t fd, bool kept) {
    const std::uint64_t bit = std::uint64_t{1} << fd % 64;
    kept_[fd / 64] = kept ? kept_[fd / 64] | bit : kept_[fd / 64] & ~bit;
}

bool Checkpoint::keep(const FdEntry& entry) {
    sys::crash_point();
    // A descriptor number stands for one thing at a time, so it is its own index.
    if (entry.fd < 0 || static_cast<std::uint32_t>(entry.fd) >= header(base_)->fd_capacity)
        return false;
    const auto fd = static_cast<std::uint32_t>(entry.fd);
    if (fd >= fd_high_)
        set_fd_high(fd + 1);
    note_kept(fd, true);
    fd_table(base_)[fd] = Slot{entry, slot_check(*header(base_), entry), 0};
    return true;
}

void Checkpoint::set_pid(int fd, int pid) {
    if (fd < 0 || static_cast<std::uint32_t>(fd) >= fd_high_)
        return;
    FdEntry entry = fd_table(base_)[fd].entry;
    entry.pid = pid;
    keep(entry);
}

void Checkpoint::forget(int fd) {
    if (fd < 0 || static_cast<std::uint32_t>(fd) >= fd_high_)
        return;
    note_kept(static_cast<std::uint32_t>(fd), false);
    fd_table(base_)[fd] = Slot{};
}

std::vector<FdEntry> Checkpoint::kept() const {
    std::vector<FdEntry> entries;
    for (std::uint32_t i = 0; i < fd_high_; i++)
        if (fd_table(base_)[i].entry.kind != FdKind::None)
            entries.push_back(fd_table(base_)[i].entry);
    return entries;
}

void Checkpoint::for_each_fd(void (*visit)(int fd)) const {
    for (std::uint32_t i = 0; i < fd_high_; i++)
        if ((kept_[i / 64] >> i % 64 & 1) != 0)
            visit(static_cast<int>(i));
}

CrashNote& Checkpoint::crash() const { return header(base_)->crash; }

} // namespace monoinit::runtime
