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

/// What is against a change. Subject and other, where they say something, in the comment.
enum class Refusal : unsigned char {
    None,
    Exists,      ///< path; what it leads to
    Masked,      ///< path
    Generated,   ///< name
    AliasName,   ///< name
    CannotAlias, ///< name; the alias
    NotFound,    ///< name or path
    InvalidName, ///< name
    NotTemplate, ///< template that has no instance; the unit that wants it
    NotAbsolute, ///< path
    System,      ///< what failed; the reason
};

struct InstallChange {
    /// Failed: one of several things could not be done (exit status 1), the others may have been.
    enum class Kind : unsigned char { Symlink, Removed, Note, Failed } kind;
    std::string path;   ///< the link made or removed; for Note and Failed the text
    std::string target; ///< of the link made
    Refusal refusal = Refusal::None; ///< of Failed, and of a Note that tells of one that was passed over
    std::string subject, other;      ///< see Refusal
    int errnum = 0;                  ///< of System
};

struct InstallOptions {
    std::string root;     ///< for messages: what to put before paths; empty = /
    bool runtime = false; ///< in /run/systemd/system instead of /etc/systemd/system
    bool force = false;   ///< replace conflicting links
    std::string config_directory = "/etc/systemd/system", runtime_directory = "/run/systemd/system";
};

/// What was done and what could not be, in order.
using InstallResult = std::vector<InstallChange>;
/// The first thing that could not be done; null if all was.
const InstallChange* first_failure(const InstallResult& changes);
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
enum class PresetMode : unsigned char { Full, EnableOnly, DisableOnly };
InstallResult preset(FileTree& tree, const Loader& loader, const Names& names, const InstallOptions& options, PresetMode mode);
/// The same for every unit file there is; those that are masked are told, and passed over.
InstallResult preset_all(FileTree& tree, const Loader& loader, const InstallOptions& options, PresetMode mode);
/// systemctl revert: takes away drop-ins, masks and files that stand before those of a package.
InstallResult revert(FileTree& tree, const Loader& loader, const Names& names, const InstallOptions& options);
/// add-wants, add-requires: `side` is ".wants" or ".requires".
InstallResult add_dependency(FileTree& tree, const Loader& loader, const std::string& target, std::string_view side, const Names& names,
                             const InstallOptions& options);
InstallResult link(FileTree& tree, const Loader& loader, const Names& paths, const InstallOptions& options);
InstallResult set_default(FileTree& tree, const Loader& loader, const std::string& target, const InstallOptions& options);
FileState file_state(const FileSource& tree, const Loader& loader, std::string_view name, const InstallOptions& options);
/// Everything the two directories of links hold, for many questions.
EnablingLinks enabling_links(const FileSource& tree, const InstallOptions& options);
/// The same of a loaded unit, without reading its file; nothing where only the files can tell (masked, broken).
std::optional<FileState> file_state(const FileSource& tree, const UnitConfig& loaded, const EnablingLinks& links, const InstallOptions& options);
std::string_view file_state_name(FileState state); ///< "enabled", "enabled-runtime", … as systemctl is-enabled prints

} // namespace monoinit::unit
