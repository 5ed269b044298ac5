// Is a unit file enabled? What `systemctl is-enabled` answers, from the links in the unit directories alone.
// Tested by tests/unit/unit/install_test.cpp (expected values: systemctl 252 --root).

#include "base/enum_names.hpp"
#include "unit/generators.hpp"
#include "unit/index.hpp"
#include "unit/install.hpp"
#include "unit/install_links.hpp"
#include "unit/name.hpp"
#include "unit/transient.hpp"

#include <algorithm>
#include <iterator>

namespace monoinit::unit {

namespace {

constexpr auto state_names = base::enum_names<FileState>({
    {FileState::Enabled, "enabled"},
    {FileState::EnabledRuntime, "enabled-runtime"},
    {FileState::Linked, "linked"},
    {FileState::LinkedRuntime, "linked-runtime"},
    {FileState::Alias, "alias"},
    {FileState::Masked, "masked"},
    {FileState::MaskedRuntime, "masked-runtime"},
    {FileState::Static, "static"},
    {FileState::Indirect, "indirect"},
    {FileState::Disabled, "disabled"},
    {FileState::Generated, "generated"},
    {FileState::Transient, "transient"},
    {FileState::Bad, "bad"},
    {FileState::NotFound, "not-found"},
});

/// How far links in one directory enable a unit.
enum class Enabled : unsigned char { No, ByInstance, Yes };

Enabled enabled_by(const std::vector<InstalledLink>& links, const std::string& name, const std::string& default_name) {
    Enabled found = Enabled::No;
    for (const InstalledLink& link : links) {
        if (link.is_mask())
            continue;
        const bool beside = link.directory.empty();
        const bool by_name = !beside && (link.name == name || link.name == default_name);
        const bool as_alias = beside && link.name != name && link.target_name() == name && !is_instance(link.name);
        const bool instance_alias = beside && is_instance(name) && link.target_name() == template_of(name) &&
                                    link.name != name && instance_of(link.name) == instance_of(name);
        if (by_name || as_alias || instance_alias)
            return Enabled::Yes;
        if (!beside && is_template(name) && template_of(link.name) == name)
            found = Enabled::ByInstance;
    }
    return found;
}

/// What is known without looking at links.
std::optional<FileState> state_of_file(const UnitConfig& unit, std::string_view name) {
    const std::string path = unit.files.empty() ? std::string{} : unit.files.front();
    switch (unit.load_state) {
    case LoadState::NotFound:
        return FileState::NotFound;
    case LoadState::Masked:
        return path.starts_with("/run/") ? FileState::MaskedRuntime : FileState::Masked;
    case LoadState::Error:
        return FileState::Bad;
    case LoadState::Loaded:
    case LoadState::BadSetting:
    case LoadState::Stub:
        break;
    }
    if (unit.name != name)
        return FileState::Alias;
    if (unit.builtin)
        return FileState::Static;
    if (is_generated_path(path))
        return FileState::Generated;
    if (is_transient_path(path))
        return FileState::Transient;
    return std::nullopt;
}

FileState state_by_links(const FileSource& tree, const UnitConfig& unit, const EnablingLinks& links, const InstallOptions& options) {
    const std::string path = unit.files.empty() ? std::string{} : unit.files.front();
    const std::string& key = unit.name;
    const InstallSection& install = *unit.install;
    const std::string& instance = install.default_instance;
    const std::string default_name = is_template(key) && !instance.empty() ? with_instance(key, instance) : key;
    const Enabled in_config = enabled_by(links.config, key, default_name);
    if (in_config == Enabled::Yes)
        return FileState::Enabled;
    const Enabled in_runtime = enabled_by(links.runtime, key, default_name);
    if (in_runtime == Enabled::Yes)
        return FileState::EnabledRuntime;
    if (in_config == Enabled::ByInstance || in_runtime == Enabled::ByInstance)
        return FileState::Indirect;
    if (const auto target = tree.read_link(options.config_directory + "/" + key); target && *target == path && !is_vendor_directory(path))
        return FileState::Linked;
    if (const auto target = tree.read_link(options.runtime_directory + "/" + key); target && *target == path && !is_vendor_directory(path))
        return FileState::LinkedRuntime;
    if (!install.wanted_by.empty() || !install.required_by.empty() || !install.upheld_by.empty() || !install.alias.empty())
        return FileState::Disabled;
    return install.also.empty() ? FileState::Static : FileState::Indirect;
}

} // namespace

EnablingLinks enabling_links(const FileSource& tree, const InstallOptions& options) {
    EnablingLinks links{installed_links(tree, options.config_directory), installed_links(tree, options.runtime_directory)};
    // What a generator wants (postgresql's instances) is enabled until the next reload.
    const GeneratorDirectories generated = default_generator_directories();
    for (const std::string* directory : generated.all()) {
        std::vector<InstalledLink> more = installed_links(tree, *directory);
        std::ranges::move(more, std::back_inserter(links.runtime));
    }
    return links;
}

FileState file_state(const FileSource& tree, const Loader& loader, std::string_view name, const InstallOptions& options) {
    const auto unit = loader.load_as_written(name);
    const auto known = state_of_file(*unit, name);
    return known ? *known : state_by_links(tree, *unit, enabling_links(tree, options), options);
}

std::optional<FileState> file_state(const FileSource& tree, const UnitConfig& loaded, const EnablingLinks& links, const InstallOptions& options) {
    if (loaded.load_state != LoadState::Loaded)
        return std::nullopt;
    const auto known = state_of_file(loaded, loaded.name);
    return known ? *known : state_by_links(tree, loaded, links, options);
}

std::string_view file_state_name(FileState state) {
    return base::name_of(state_names, state);
}

} // namespace monoinit::unit
