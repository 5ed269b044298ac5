#pragma once
// Where unit files come from: the loader is pure and reads through this seam. sys/real_files.hpp is the real one
// (regular files only, O_NONBLOCK|O_NOCTTY, size-checked); tests use MemoryFiles.

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace monoinit::unit {

struct DirEntry {
    enum class Kind : unsigned char { Regular, Directory, Symlink, Other };
    std::string name;
    Kind kind = Kind::Regular;
};

class FileSource {
  public:
    virtual ~FileSource() = default;
    /// Entries of a directory, sorted by name, without "." and ".."; NotFound when there is none.
    virtual base::Result<std::vector<DirEntry>> list(const std::string& directory) const = 0;
    /// Contents of a regular file, following symlinks; TooLarge over `limit` bytes; Invalid when not a regular file.
    virtual base::Result<std::string> read(const std::string& path, std::size_t limit) const = 0;
    /// The target of a symlink as written; Invalid when it is none.
    virtual base::Result<std::string> read_link(const std::string& path) const = 0;
    /// What stands at a path, not following a final symlink; NotFound when nothing.
    virtual base::Result<DirEntry::Kind> kind(const std::string& path) const = 0;
};

/// What `install` needs beyond reading.
class FileTree : public FileSource {
  public:
    virtual base::Result<void> make_directory(const std::string& path) = 0; ///< with parents, 0755; fine if it exists
    virtual base::Result<void> symlink(const std::string& target, const std::string& path) = 0;
    virtual base::Result<void> remove(const std::string& path) = 0; ///< file or symlink
};

} // namespace monoinit::unit
