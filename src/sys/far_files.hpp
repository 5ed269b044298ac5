#pragma once
// RealFiles for a process that may not block: what lies on a file system that can hang (FUSE, network) is looked at by a
// forked child with a deadline; everything else directly. Whether a path leads there, through links too, is found by a walk
// that may not cross a mount point (openat2), so that asking does not hang either.
// A root on FUSE (rootless containers) is not taken for one: nothing runs when that hangs.
// Tested by tests/unit/sys/far_files_test.cpp, tests/system/bad_paths.py.

#include "base/files.hpp"
#include "sys/mounts.hpp"
#include "sys/real_files.hpp"

#include <functional>
#include <string>
#include <vector>

namespace monoinit::sys {

class FarFiles : public base::FileSource {
  public:
    /// Without a mount table every file is near; look_around() reads it.
    FarFiles() = default;
    explicit FarFiles(std::vector<Mount> mounts) { know(std::move(mounts)); }

    /// Reads the mount table anew; what did not answer gets another chance.
    void look_around();
    /// What has not answered since then: mount points, and links that lead to one.
    const std::vector<std::string>& silent() const { return silent_; }

    base::Result<std::vector<base::DirEntry>> list(const std::string& directory) const override;
    base::Result<std::string> read(const std::string& path, std::size_t limit) const override;
    base::Result<std::string> read_link(const std::string& path) const override;
    base::Result<base::DirEntry::Kind> kind(const std::string& path) const override;
    std::uint64_t stamp(const std::string& directory) const override;

  private:
    void know(std::vector<Mount> mounts);
    const Mount& home_of(const std::string& path) const;
    bool is_far(const std::string& path, bool follow_last) const;
    bool is_given_up(const std::string& path) const;
    base::Result<std::string> ask(const std::string& path, const std::function<base::Result<std::string>()>& work) const;

    RealFiles real_;
    std::vector<Mount> mounts_; ///< empty when none of them can hang
    mutable std::vector<std::string> silent_;
};

} // namespace monoinit::sys
