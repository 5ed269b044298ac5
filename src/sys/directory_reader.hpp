#pragma once
// Names in a directory without opendir(3), which allocates: usable where there is no malloc() (sys/heap.hpp).
// Tested by tests/unit/exec.

#include "sys/unique_fd.hpp"

#include <cstddef>
#include <cstdint>

namespace monoinit::sys {

class DirectoryReader {
  public:
    /// Takes the descriptor over; an invalid one yields nothing.
    explicit DirectoryReader(UniqueFd directory) : directory_(std::move(directory)) {}
    /// The next name, without "." and ".."; null at the end. Holds until the next call.
    const char* next();
    void rewind();
    int fd() const { return directory_.get(); }

  private:
    UniqueFd directory_;
    alignas(8) char buffer_[2048];
    std::size_t size_ = 0, at_ = 0;
};

} // namespace monoinit::sys
