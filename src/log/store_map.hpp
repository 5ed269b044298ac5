#pragma once
// A file of the store, mapped for reading. Store files only ever grow or are removed as a whole, so what is mapped stays
// readable. Tested by tests/unit/log/store_directory_test.cpp.

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace monoinit::log {

class StoreMap {
  public:
    /// Maps what is there now; no link is followed.
    static base::Result<StoreMap> map(int directory, const std::string& name);
    StoreMap(StoreMap&& other) noexcept;
    StoreMap& operator=(StoreMap&& other) noexcept;
    ~StoreMap();

    /// What is before `offset` has been read and need not be in memory any more; it is read again where it is looked at.
    void forget(std::uint64_t offset) const;
    std::string_view bytes() const { return {static_cast<const char*>(address_), size_}; }

  private:
    StoreMap(void* address, std::size_t size) : address_(address), size_(size) {}

    void* address_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace monoinit::log
