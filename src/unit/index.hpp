#pragma once
// What stands in the unit path, by name: each directory is listed once, and every later question is a hash look-up.
// Knows precedence, aliases by symlink, templates, masks by link, drop-in and .wants/.requires/.upholds directories
// (systemd.unit(5)); reads no unit file. Tested by tests/unit/unit/loader_test.cpp.

#include "base/string_map.hpp"
#include "unit/config.hpp"
#include "unit/embedded.hpp"
#include "unit/source.hpp"

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace monoinit::unit {

/// Where a name leads.
struct Located {
    enum class Kind : unsigned char { Nothing, File, Embedded, Masked, Broken } kind = Kind::Nothing;
    std::string name;      ///< the main name, aliases resolved
    std::string path;      ///< the file; where a link left the unit path, what it points to
    std::string why;       ///< Masked: the link; Broken: what is wrong
    bool by_admin = false; ///< the file belongs to the administrator, not to a package
    const EmbeddedUnit* embedded = nullptr;
    std::string link{}; ///< File: the link that left the unit path
};

/// One entry of a .wants, .requires or .upholds directory.
struct DependencyLink {
    DependencyKind kind;
    std::string name;
    std::string path;
};

class MountTable;

class UnitIndex {
  public:
    UnitIndex(const FileSource& files, const std::vector<std::string>& unit_path);

    Located locate(std::string_view name) const;
    /// Other names of the unit whose main name this is.
    std::vector<std::string> aliases_of(const std::string& main_name) const;
    /// Whether there are drop-in or .wants directories for any of these names: most units have none.
    bool has_sides(const std::vector<std::string>& names) const;
    /// Paths of the drop-ins of a unit with these names (main name first), in the order they apply.
    std::vector<std::string> drop_ins(const std::vector<std::string>& names) const;
    std::vector<DependencyLink> links(const std::vector<std::string>& names) const;
    /// Every link in every .wants, .requires and .upholds directory.
    std::vector<DependencyLink> all_links() const;
    std::vector<std::string> all_names() const; ///< sorted
    /// What could not be listed so far though it is there.
    const std::vector<base::Error>& unread() const { return unread_; }
    std::vector<base::Error> take_unread() const { return std::exchange(unread_, {}); }
    void note_unread(const base::Error& error) const;
    /// Files that are named as unit files are but for a character that no unit's name has: paths.
    const std::vector<std::string>& misnamed() const { return misnamed_; }
    /// Whether a directory of the path has other entries than when it was listed.
    bool is_outdated() const;
    void forget_listings() const { listed_ = {}; } ///< the contents of side directories; they are read again when needed
    /// What is mounted, for the units of mounts that have no file; null = nothing is. Outlives this.
    void set_mounted(const MountTable* mounted);
    bool has_mounts() const { return has_mount_files_ || mounted_ != nullptr; }
    /// The name of the mount unit of a path, if there is one: by a file, or because something is mounted there.
    std::string mount_unit_at(std::string_view path) const;
    /// `directory` is one of the unit path, whichever way it is written on a merged-/usr system.
    bool is_searched(std::string_view directory) const;
    bool searches_vendor() const; ///< a package's directory is one of them

  private:
    enum class Side : unsigned char { DropIn, Wants, Requires, Upholds };
    struct Entry {
        std::uint16_t directory = 0;
        DirEntry::Kind kind = DirEntry::Kind::Regular;
        bool rejected = false; ///< a link to a unit it cannot be another name of: counts only where nothing else does
        std::string target;    ///< of a symlink: absolute and normalized
    };
    struct SideDirectory {
        Side side;
        std::uint16_t directory; ///< the one of the unit path it stands in
        bool operator<(const SideDirectory& other) const { return directory < other.directory; }
    };
    struct SideFile {
        std::string name, path;
    };

    void scan(std::uint16_t directory);
    void read_target(const std::string& name, Entry& entry) const;
    void add_aliases();
    bool leads_to_mask(const std::string& path) const;
    const Entry* find(std::string_view name) const;
    std::string path_of(std::string_view name, const Entry& entry) const;
    Located follow(std::string_view name, const Entry& entry, std::string_view link, std::string& next) const;
    std::vector<std::string> side_directories(const std::vector<std::string>& names, Side side) const;
    std::vector<SideFile> side_files(const std::vector<std::string>& directories, std::string_view suffix) const;
    const std::vector<DirEntry>& entries_of(const std::string& directory) const;

    const FileSource& files_;
    std::vector<std::string> directories_;
    std::vector<std::uint64_t> stamps_; ///< of the directories, taken before they were listed
    base::StringMap<Entry> entries_;
    base::StringMap<std::vector<SideDirectory>> sides_; ///< by name without ".d", ".wants" …
    base::StringMap<std::vector<std::string>> aliases_; ///< target -> links to it
    std::unordered_map<std::string_view, const EmbeddedUnit*> embedded_;
    mutable base::StringMap<std::vector<DirEntry>> listed_;
    const MountTable* mounted_ = nullptr;
    bool has_mount_files_ = false;
    mutable std::vector<base::Error> unread_;
    std::vector<std::string> misnamed_;
};

/// A package's directory, which the list of machine units and built-in stand-ins override.
bool is_vendor_directory(std::string_view path);
/// `path` without ".", ".." and doubled slashes, taken relative to `directory`.
std::string normalize_path(std::string_view directory, std::string_view path);

} // namespace monoinit::unit
