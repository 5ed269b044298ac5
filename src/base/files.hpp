#pragma once
// Reading and changing a file tree, as a seam: the unit loader and `enable` are pure and reach files only through it.
// sys/real_files.hpp is the real one (regular files only, O_NONBLOCK|O_NOCTTY, size-checked); tests use MemoryFiles.

#include "base/result.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::base {

struct DirEntry {
    enum class Kind : unsigned char { Regular, Directory, Symlink, Other };
    std::string name;
    Kind kind = Kind::Regular;
};

class FileSource {
  public:
    virtual ~FileSource() = default;
    /// Entries of a directory, sorted by name, without "." and ".."; NotFound when there is none.
    virtual Result<std::vector<DirEntry>> list(const std::string& directory) const = 0;
    /// Contents of a regular file, following symlinks; TooLarge over `limit` bytes; Invalid when not a regular file.
    virtual Result<std::string> read(const std::string& path, std::size_t limit) const = 0;
    /// The target of a symlink as written; Invalid when it is none.
    virtual Result<std::string> read_link(const std::string& path) const = 0;
    /// What stands at a path, not following a final symlink; NotFound when nothing.
    virtual Result<DirEntry::Kind> kind(const std::string& path) const = 0;
    /// Another number when entries of a directory have come or gone since, as well as this can be told; 0 when there is none.
    virtual std::uint64_t stamp(const std::string& directory) const {
        (void)directory;
        return 0;
    }
};

/// What `install` needs beyond reading.
class FileTree : public FileSource {
  public:
    virtual Result<void> make_directory(const std::string& path) = 0; ///< with parents, 0755; fine if it exists
    virtual Result<void> symlink(const std::string& target, const std::string& path) = 0;
    virtual Result<void> remove(const std::string& path) = 0; ///< file or symlink
    /// An empty directory; Exists when something is in it.
    virtual Result<void> remove_directory(const std::string& path) = 0;
    /// A regular file, 0644, in the place of whatever file or link was there, never half of it; its directory is made.
    virtual Result<void> write(const std::string& path, std::string_view text) = 0;
    /// When a file, or the link that leads to it, was last changed: µs since 1970; NotFound when there is none.
    virtual Result<Duration> changed_at(const std::string& path) const = 0;
};

} // namespace monoinit::base
