#pragma once
// enable, disable, reenable, mask, unmask, preset, is-enabled, link, set-default: changes to the links in the unit
// directories; works without an init (docker build). systemctl(1), [Install] of systemd.unit(5). With --root the tree and
// the loader already see the world below the root; InstallOptions::root only stands before the paths that are told.
// Tested by tests/unit/unit/install_test.cpp.

#include "unit/install_links.hpp"
#include "unit/loader.hpp"
#include "unit/source.hpp"

#include <optional>
#include <string>
#include <vector>

namespace monoinit::unit {

struct InstallChange {
    /// Failed: one of several things could not be done (exit status 1), the others were.
    enum class Kind : unsigned char { Symlink, Removed, Note, Failed } kind;
    std::string path;   ///< the link made or removed; for Note and Failed the text
    std::string target; ///< of the link made
};

struct InstallOptions {
    std::string root;     ///< for messages: what to put before paths; empty = /
    bool runtime = false; ///< in /run/systemd/system instead of /etc/systemd/system
    bool force = false;   ///< replace conflicting links
    std::string config_directory = "/etc/systemd/system", runtime_directory = "/run/systemd/system";
};

using InstallResult = base::Result<std::vector<InstallChange>>;
using Names = std::vector<std::string>;

enum class FileState : unsigned char {
    Enabled, EnabledRuntime, Linked, LinkedRuntime, Alias, Masked, MaskedRuntime, Static, Indirect, Disabled, Generated,
    Transient, Bad, NotFound,
};

InstallResult enable(FileTree& tree, const Loader& loader, const Names& names, const InstallOptions& options);
InstallResult disable(FileTree& tree, const Loader& loader, const Names& names, const InstallOptions& options);
InstallResult reenable(FileTree& tree, const Loader& loader, const Names& names, const InstallOptions& options);
InstallResult mask(FileTree& tree, const Loader& loader, const Names& names, const InstallOptions& options);
InstallResult unmask(FileTree& tree, const Loader& loader, const Names& names, const InstallOptions& options);
InstallResult preset(FileTree& tree, const Loader& loader, const Names& names, const InstallOptions& options, bool enable_only);
InstallResult link(FileTree& tree, const Loader& loader, const Names& paths, const InstallOptions& options);
InstallResult set_default(FileTree& tree, const Loader& loader, const std::string& target, const InstallOptions& options);
FileState file_state(const FileSource& tree, const Loader& loader, std::string_view name, const InstallOptions& options);
/// Everything the two directories of links hold, for many questions.
EnablingLinks enabling_links(const FileSource& tree, const InstallOptions& options);
/// The same of a loaded unit, without reading its file; nothing where only the files can tell (masked, broken).
std::optional<FileState> file_state(const FileSource& tree, const UnitConfig& loaded, const EnablingLinks& links, const InstallOptions& options);
std::string_view file_state_name(FileState state); ///< "enabled", "enabled-runtime", … as systemctl is-enabled prints

} // namespace monoinit::unit
