// Tested by tests/unit/log/store_directory_test.cpp.

#include "log/store_map.hpp"

#include "sys/unique_fd.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <utility>

namespace monoinit::log {

base::Result<StoreMap> StoreMap::map(int directory, const std::string& name) {
    const sys::UniqueFd file(::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat info {};
    if (!file || ::fstat(file.get(), &info) != 0)
        return base::fail_errno(errno, name);
    if (!S_ISREG(info.st_mode) || info.st_size == 0)
        return base::fail(base::Errc::Invalid, name + " is no log file");
    const auto size = static_cast<std::size_t>(info.st_size);
    void* const address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
    if (address == MAP_FAILED)
        return base::fail_errno(errno, name);
    return StoreMap(address, size);
}

StoreMap::StoreMap(StoreMap&& other) noexcept : address_(std::exchange(other.address_, nullptr)), size_(std::exchange(other.size_, 0)) {}

StoreMap& StoreMap::operator=(StoreMap&& other) noexcept {
    std::swap(address_, other.address_);
    std::swap(size_, other.size_);
    return *this;
}

void StoreMap::forget(std::uint64_t offset) const {
    constexpr std::uint64_t page = 4096; // where they are larger, nothing is forgotten
    (void)::madvise(address_, static_cast<std::size_t>(offset / page * page), MADV_DONTNEED);
}

StoreMap::~StoreMap() {
    if (address_ != nullptr)
        ::munmap(address_, size_);
}

} // namespace monoinit::log
