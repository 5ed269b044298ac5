// The checkpoint as releases before checksums wrote it: read once, when such an image hands over to this one.
// Tested by tests/unit/runtime/checkpoint_test.cpp with what such a release left.
#include "runtime/checkpoint.hpp"

#include <algorithm>
#include <cstring>

namespace monoinit::runtime {

namespace {

struct HeaderOne {
    std::uint64_t magic;
    std::uint32_t version, fd_capacity;
    std::uint64_t used;
    std::uint32_t fd_high, unused;
    std::uint32_t count, signal;
    std::uint64_t last_usec;
    std::uint32_t restoring, generation;
};

struct ExtentOne {
    std::uint32_t key, live, capacity, sequence, length[2];
};

template <class T> T at(std::string_view bytes, std::size_t offset) {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

} // namespace

base::Result<OldCheckpoint> read_format_1(std::string_view bytes) {
    const auto impossible = [] { return base::fail(base::Errc::Invalid, "the crash checkpoint of the release before is damaged"); };
    if (bytes.size() < sizeof(HeaderOne))
        return impossible();
    const auto head = at<HeaderOne>(bytes, 0);
    const std::uint64_t first = (sizeof(HeaderOne) + std::uint64_t{head.fd_capacity} * sizeof(FdEntry) + 63) / 64 * 64;
    if (head.used > bytes.size() || first > head.used || head.fd_high > head.fd_capacity)
        return impossible();
    OldCheckpoint old;
    old.fd_capacity = head.fd_capacity;
    old.crash.count = head.count;
    old.crash.signal = head.signal;
    old.crash.last_usec = head.last_usec;
    old.crash.restoring = head.restoring;
    old.crash.generation = head.generation;
    for (std::uint32_t i = 0; i < head.fd_high; i++)
        if (const auto entry = at<FdEntry>(bytes, sizeof(HeaderOne) + i * sizeof(FdEntry)); entry.fd == static_cast<std::int32_t>(i))
            old.kept.push_back(entry);
    std::map<std::uint32_t, std::string> records; // a later extent of a key replaces one that was about to move
    for (std::uint64_t offset = first; offset + sizeof(ExtentOne) <= head.used;) {
        const auto extent = at<ExtentOne>(bytes, offset);
        const std::uint64_t end = offset + sizeof(ExtentOne) + 2 * std::uint64_t{extent.capacity};
        if (extent.capacity == 0 || end > head.used)
            break;
        const std::uint32_t which = extent.sequence & 1, length = extent.length[which];
        if (extent.live != 0 && length <= extent.capacity)
            records[extent.key] = bytes.substr(offset + sizeof(ExtentOne) + std::size_t{which} * extent.capacity, length);
        offset = (end + 7) / 8 * 8;
    }
    old.records.assign(records.begin(), records.end());
    return old;
}

} // namespace monoinit::runtime
