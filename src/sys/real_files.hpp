#pragma once
// base::FileTree over the real file system. Safe against what may lie in a unit directory: only regular files are
// opened for reading, without blocking (a FIFO, a device or a hung terminal costs nothing), sizes are checked first.
// With a root (`--root=DIR`) every path, also the target of an absolute link, is taken below it.
// Tested by tests/unit/sys/real_files_test.cpp.

#include "base/files.hpp"

#include <string>

namespace monoinit::sys {

class RealFiles : public base::FileTree {
  public:
    explicit RealFiles(std::string root = {});

    base::Result<std::vector<base::DirEntry>> list(const std::string& directory) const override;
    base::Result<std::string> read(const std::string& path, std::size_t limit) const override;
    base::Result<std::string> read_link(const std::string& path) const override;
    base::Result<base::DirEntry::Kind> kind(const std::string& path) const override;
    std::uint64_t stamp(const std::string& directory) const override;
    base::Result<void> make_directory(const std::string& path) override;
    base::Result<void> symlink(const std::string& target, const std::string& path) override;
    base::Result<void> remove(const std::string& path) override;
    base::Result<void> remove_directory(const std::string& path) override;
    base::Result<void> write(const std::string& path, std::string_view text) override;
    base::Result<base::Duration> changed_at(const std::string& path) const override;

  private:
    base::Result<std::string> real_path(const std::string& path, bool follow_last) const;

    std::string root_; ///< without a trailing slash; empty = /
};

} // namespace monoinit::sys
