// getdents64(2). Tested by tests/unit/exec.
#include "sys/directory_reader.hpp"

#include <cstring>
#include <sys/syscall.h>

namespace monoinit::sys {

namespace {

struct LinuxDirent {
    std::uint64_t inode;
    std::int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

} // namespace

const char* DirectoryReader::next() {
    for (;;) {
        if (at_ >= size_) {
            const long size = directory_ ? ::syscall(SYS_getdents64, directory_.get(), buffer_, sizeof buffer_) : 0;
            if (size <= 0)
                return nullptr;
            size_ = static_cast<std::size_t>(size);
            at_ = 0;
        }
        const auto* const entry = reinterpret_cast<const LinuxDirent*>(buffer_ + at_);
        at_ += entry->length;
        if (std::strcmp(entry->name, ".") != 0 && std::strcmp(entry->name, "..") != 0)
            return entry->name;
    }
}

void DirectoryReader::rewind() {
    ::lseek(directory_.get(), 0, SEEK_SET);
    size_ = at_ = 0;
}

} // namespace monoinit::sys
