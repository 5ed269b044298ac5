// See install.hpp. Each verb collects what it changed; what it could not do for one of several names is told beside it.
// Messages are systemctl's, so that scripts and people recognise them. Tested by tests/unit/unit/install_test.cpp
// (expected values: systemctl 252 --root).

#include "unit/install.hpp"

#include "base/strings.hpp"
#include "unit/index.hpp"
#include "unit/install_links.hpp"
#include "unit/name.hpp"
#include "unit/specifier.hpp"

#include <algorithm>
#include <unordered_set>

namespace monoinit::unit {

namespace {

using base::Errc;
using Kind = InstallChange::Kind;
using UnitPtr = std::shared_ptr<const UnitConfig>;
using NameSet = std::unordered_set<std::string>;

/// Whether a unit called `name` can have `alias` as another name.
bool may_alias(const std::string& name, const std::string& alias) {
    if (type_of(alias) != type_of(name))
        return false;
    if (is_template(name))
        return is_template(alias) || is_instance(alias);
    if (is_instance(name))
        return is_instance(alias) && instance_of(alias) == instance_of(name);
    return !is_template(alias) && !is_instance(alias);
}

/// One run of one verb.
class Installer {
  public:
    Installer(FileTree& tree, const Loader& loader, const InstallOptions& options)
        : tree_(tree), loader_(loader), options_(options) {}

    bool exists(const std::string& name);
    bool can_enable(const Names& names);
    void revert(const std::string& name);
    void add_dependency(const std::string& target, std::string_view side, const Names& names);
    void enable(const Names& names);
    /// Reenable keeps a linked unit's own link; a preset does not follow Also=.
    enum class Scope : unsigned char { All, KeepLinked, NamesOnly };
    void disable(const Names& names, Scope scope);
    void mask(const std::string& name);
    void unmask(const std::string& name);
    void preset(const std::string& name, const Presets& presets, PresetMode mode);
    bool can_link(const std::string& path);
    void link(const std::string& path);
    void set_default(const std::string& target);
    InstallResult result() { return std::move(changes_); }

  private:
    const std::string& directory() const {
        return options_.runtime ? options_.runtime_directory : options_.config_directory;
    }
    std::string shown(const std::string& path) const { return options_.root + path; }
    const Loader& loader() const { return fresh_ ? *fresh_ : loader_; }
    void fail(Refusal refusal, std::string subject, std::string other = {});
    void fail(const std::string& what, const base::Error& error);
    void note(std::string text) { changes_.push_back({Kind::Note, std::move(text), {}}); }
    bool failed() const { return first_failure(changes_) != nullptr; }

    UnitPtr find(const std::string& name, bool auxiliary);
    void refuse_masked(const UnitConfig& unit) { fail(Refusal::Masked, shown(unit.files.front())); }
    bool is_alias_link(const std::string& name, const UnitConfig& unit) const;
    void enable_one(const std::string& name, bool auxiliary, Names& queue);
    Names expand(const Names& list, const std::string& name, const std::string& file);
    void make_aliases(const std::string& name, const std::string& file, const Names& aliases);
    void make_dependency_links(const std::string& name, const std::string& file, std::string_view side, const Names& others);
    void make_link(const std::string& path, const std::string& target);
    void remove_path(const std::string& path);
    void add_also(const std::string& name, NameSet& names);
    bool same_file(const std::string& a, const std::string& b) const;

    FileTree& tree_;
    const Loader& loader_;
    std::optional<Loader> fresh_; ///< knows what was linked meanwhile
    const InstallOptions& options_;
    std::vector<InstallChange> changes_;
    NameSet done_;
    bool carries_install_ = false;
};

std::string text_of(Refusal refusal, const std::string& subject, const std::string& other) {
    switch (refusal) {
    case Refusal::None:
    case Refusal::System:
        return subject + (other.empty() ? "" : ": ") + other;
    case Refusal::Exists:
        return "File '" + subject + "' already exists" + (other.empty() ? "." : " and is a symlink to " + other + ".");
    case Refusal::Masked:
        return "Unit file " + subject + " is masked.";
    case Refusal::Generated:
        return "Unit " + subject + " is transient or generated.";
    case Refusal::AliasName:
        return "Refusing to operate on alias name or linked unit file: " + subject;
    case Refusal::CannotAlias:
        return "Cannot alias " + subject + " as " + other + ".";
    case Refusal::NotFound:
        return "Unit file " + subject + " does not exist.";
    case Refusal::InvalidName:
        return "\"" + subject + "\" is not a valid unit name.";
    case Refusal::NotTemplate:
        return "Failed to enable " + subject + ", destination unit " + other + " is a non-template unit.";
    case Refusal::NotAbsolute:
        return "\"" + subject + "\" is not the absolute path of a unit file.";
    }
    return subject;
}

void Installer::fail(Refusal refusal, std::string subject, std::string other) {
    std::string text = text_of(refusal, subject, other);
    changes_.push_back({Kind::Failed, std::move(text), {}, refusal, std::move(subject), std::move(other)});
}

void Installer::fail(const std::string& what, const base::Error& error) {
    changes_.push_back({Kind::Failed, error.what, {}, Refusal::System, what, error.what, error.errnum});
}

/// /lib and /usr/lib are one on a merged-/usr system.
bool Installer::same_file(const std::string& a, const std::string& b) const {
    if (a == b)
        return true;
    const auto lib = tree_.kind("/lib");
    if (!lib || *lib != DirEntry::Kind::Symlink)
        return false;
    return "/usr" + a == b || a == "/usr" + b;
}

void Installer::make_link(const std::string& path, const std::string& target) {
    const auto present = tree_.kind(path);
    if (present) {
        std::string old_target;
        if (*present == DirEntry::Kind::Symlink)
            if (const auto link = tree_.read_link(path))
                old_target = normalize_path(std::string_view(path).substr(0, path.rfind('/')), *link);
        if (same_file(old_target, target))
            return;
        if (!options_.force || *present != DirEntry::Kind::Symlink)
            return fail(Refusal::Exists, shown(path), old_target);
        if (const auto removed = tree_.remove(path); !removed)
            return fail(shown(path), removed.error());
        changes_.push_back({Kind::Removed, shown(path), {}});
    }
    if (const auto made = tree_.make_directory(path.substr(0, path.rfind('/'))); !made)
        return fail(shown(path), made.error());
    if (const auto made = tree_.symlink(target, path); !made)
        return fail(shown(path), made.error());
    changes_.push_back({Kind::Symlink, shown(path), target});
}

void Installer::remove_path(const std::string& path) {
    const auto removed = tree_.remove(path);
    if (!removed)
        return fail(shown(path), removed.error());
    changes_.push_back({Kind::Removed, shown(path), {}});
}

bool Installer::is_alias_link(const std::string& name, const UnitConfig& unit) const {
    const auto kind = tree_.kind(directory() + "/" + name);
    return kind && *kind == DirEntry::Kind::Symlink && unit.name != name;
}

/// A unit file that may be enabled; says what is against it.
UnitPtr Installer::find(const std::string& name, bool auxiliary) {
    UnitPtr unit = loader().load_as_written(name);
    switch (unit->load_state) {
    case LoadState::NotFound:
        if (auxiliary)
            note("Failed to enable auxiliary unit " + name + ", ignoring.");
        else
            fail(Refusal::NotFound, name);
        return nullptr;
    case LoadState::Masked:
        if (auxiliary)
            note("Unit " + shown(unit->files.front()) + " is masked, ignoring.");
        else
            refuse_masked(*unit);
        return nullptr;
    case LoadState::Error:
        fail(Refusal::System, unit->files.empty() ? name : shown(unit->files.front()), unit->load_error + ".");
        return nullptr;
    case LoadState::Loaded:
    case LoadState::BadSetting: // may be enabled all the same, as systemctl does
    case LoadState::Stub:
        break;
    }
    if (is_alias_link(name, *unit)) {
        fail(Refusal::AliasName, name);
        return nullptr;
    }
    return unit;
}

/// [Install] settings speak of the name that is enabled, so their specifiers are expanded only now.
Names Installer::expand(const Names& list, const std::string& name, const std::string& file) {
    Names names;
    for (const std::string& text : list) {
        auto expanded = expand_specifiers(loader().environment(), name, file, text);
        if (expanded && is_valid_name(*expanded))
            names.push_back(*std::move(expanded));
        else
            fail(Refusal::InvalidName, base::printable(text, name_limit));
    }
    return names;
}

void Installer::make_aliases(const std::string& name, const std::string& file, const Names& aliases) {
    for (std::string alias : aliases) {
        if (is_instance(name) && is_template(alias))
            alias = with_instance(alias, instance_of(name));
        if (!may_alias(name, alias))
            fail(Refusal::CannotAlias, name, alias);
        else if (alias != name)
            make_link(directory() + "/" + alias, file);
    }
}

void Installer::make_dependency_links(const std::string& name, const std::string& file, std::string_view side, const Names& others) {
    for (const std::string& other : others) {
        if (is_template(name) && !is_template(other) && !is_instance(other)) {
            fail(Refusal::NotTemplate, name, other);
            continue;
        }
        make_link(directory() + "/" + other + std::string(side) + "/" + name, file);
        if (loader().load_as_written(other)->load_state == LoadState::NotFound)
            note("Unit " + shown(file) + " is added as a dependency to a non-existent unit " + other + ".");
    }
}

void Installer::enable_one(const std::string& name, bool auxiliary, Names& queue) {
    const UnitPtr unit = find(name, auxiliary);
    if (!unit || unit->builtin)
        return;
    const std::string& default_instance = unit->install->default_instance;
    carries_install_ = carries_install_ || !unit->install->empty() || !default_instance.empty();
    const std::string main_name = unit->name;
    const bool by_default = is_template(main_name) && !default_instance.empty();
    const std::string linked_name = by_default ? with_instance(main_name, default_instance) : main_name;
    const std::string& file = unit->files.front();
    const auto expanded = [&](const std::vector<std::string>& list) { return expand(list, linked_name, file); };
    make_aliases(main_name, file, expanded(unit->install->alias));
    make_dependency_links(linked_name, file, ".wants", expanded(unit->install->wanted_by));
    make_dependency_links(linked_name, file, ".requires", expanded(unit->install->required_by));
    make_dependency_links(linked_name, file, ".upholds", expanded(unit->install->upheld_by));
    for (std::string& also : expanded(unit->install->also))
        queue.push_back(std::move(also));
}

bool Installer::exists(const std::string& name) {
    const UnitPtr unit = loader().load_as_written(name);
    if (unit->load_state == LoadState::NotFound)
        fail(Refusal::NotFound, name);
    return unit->load_state != LoadState::NotFound;
}

/// All or nothing, as systemctl has it: a misspelt name changes nothing.
bool Installer::can_enable(const Names& names) {
    for (const std::string& name : names)
        if (!name.starts_with('/') && !find(name, false))
            return false;
    return true;
}

void Installer::enable(const Names& names) {
    Names queue;
    for (const std::string& name : names) {
        if (!name.starts_with('/')) {
            queue.push_back(name);
            continue;
        }
        link(name);
        if (failed())
            return;
        fresh_.emplace(tree_, loader_.environment());
        queue.push_back(name.substr(name.rfind('/') + 1));
    }
    const std::size_t asked = queue.size();
    if (!can_enable(queue))
        return;
    for (std::size_t i = 0; i < queue.size(); i++)
        if (done_.insert(queue[i]).second) {
            const std::string name = queue[i];
            enable_one(name, i >= asked, queue);
        }
    if (!carries_install_ && changes_.empty() && asked != 0)
        note("The unit files have no installation config (WantedBy=, RequiredBy=, UpheldBy=, Also= or Alias= in [Install], "
             "or DefaultInstance= for templates). They are not meant to be enabled: other units, or people, start them.");
}

void Installer::add_also(const std::string& name, NameSet& names) {
    if (!names.insert(name).second)
        return;
    const UnitPtr unit = loader().load_as_written(name);
    if (unit->load_state == LoadState::NotFound || is_alias_link(name, *unit))
        return;
    if (unit->load_state == LoadState::Masked)
        return note("Unit " + shown(unit->files.front()) + " is masked, ignoring.");
    names.insert(unit->name);
    for (const std::string& also : unit->install->also)
        if (const auto expanded = expand_specifiers(loader().environment(), unit->name, unit->files.front(), also))
            add_also(*expanded, names);
}

/// Removes every link by one of these names, or to one of them; instances with their template.
void Installer::disable(const Names& names, Scope scope) {
    const std::vector<InstalledLink> links = installed_links(tree_, directory());
    NameSet gone;
    for (const std::string& name : names) {
        const std::string key = name.substr(name.rfind('/') + 1);
        const UnitPtr unit = loader().load_as_written(key);
        // The links of a unit whose file is gone can still be taken away.
        if (unit->load_state == LoadState::Masked)
            note("Unit " + shown(unit->files.front()) + " is masked, ignoring.");
        else if (unit->load_state == LoadState::NotFound &&
            std::ranges::none_of(links, [&](const InstalledLink& link) { return link.name == key || link.target_name() == key; }))
            fail(Refusal::NotFound, key);
        else if (scope == Scope::NamesOnly)
            gone.insert(key);
        else
            add_also(key, gone);
    }
    const auto is_gone = [&](std::string_view name) {
        return gone.contains(std::string(name)) || gone.contains(template_of(name));
    };
    std::vector<bool> removed(links.size());
    NameSet touched;
    for (bool again = true; again;) {
        again = false;
        for (std::size_t i = 0; i < links.size(); i++) {
            const InstalledLink& link = links[i];
            const bool beside = link.directory.empty();
            if (removed[i] || !(is_gone(link.name) || (!link.is_mask() && gone.contains(std::string(link.target_name())))))
                continue;
            if (beside && link.is_mask())
                continue;
            if (beside && scope == Scope::KeepLinked && link.target_name() == link.name)
                continue;
            removed[i] = again = true;
            remove_path(link.path);
            if (beside)
                gone.insert(link.name); // links by this alias go, too
            else
                touched.insert(link.directory);
        }
    }
    for (const std::string& side : touched)
        (void)tree_.remove_directory(side); // stays when something is left in it
}

void Installer::mask(const std::string& name) {
    if (!is_valid_name(name))
        return fail(Refusal::InvalidName, name);
    if (loader().load_as_written(name)->load_state == LoadState::NotFound)
        changes_.push_back({Kind::Note, "Unit " + name + " does not exist, proceeding anyway.", {}, Refusal::NotFound, name});
    const std::string path = directory() + "/" + name;
    // What unmask() put there to overrule the list of machine units may go without force.
    if (const auto target = tree_.read_link(path); target && is_vendor_directory(*target)) {
        const std::string target_name = target->substr(target->rfind('/') + 1);
        if (target_name == name || target_name == template_of(name))
            remove_path(path);
    }
    make_link(path, "/dev/null");
}

void Installer::unmask(const std::string& name) {
    if (!is_valid_name(name))
        return fail(Refusal::InvalidName, name);
    const std::string path = directory() + "/" + name;
    const auto kind = tree_.kind(path);
    const auto target = tree_.read_link(path);
    const bool null_link = target && normalize_path(directory(), *target) == "/dev/null";
    const auto text = kind && *kind == DirEntry::Kind::Regular ? tree_.read(path, 1 << 20) : base::Result<std::string>("x");
    if (null_link || (text && text->empty()))
        return remove_path(path);
    const UnitPtr unit = loader().load(name);
    if (unit->machine_masked)
        make_link(directory() + "/" + unit->name, unit->files.front());
}

void Installer::preset(const std::string& name, const Presets& presets, PresetMode mode) {
    const UnitPtr unit = loader().load_as_written(name);
    if (unit->name != name)
        return; // an alias follows its unit
    Names instances;
    const auto verdict = presets.verdict(name, &instances);
    if (verdict == Presets::Verdict::Disable && mode != PresetMode::EnableOnly)
        return disable({name}, Scope::NamesOnly);
    if (verdict != Presets::Verdict::Enable || mode == PresetMode::DisableOnly || (unit->install->empty() && unit->load_state != LoadState::Masked))
        return;
    const bool lacks_instance = is_template(name) && instances.empty() && unit->install->default_instance.empty();
    if (lacks_instance)
        return;
    if (instances.empty())
        return enable({name});
    for (std::string& instance : instances)
        instance = with_instance(name, instance);
    enable(instances);
}

/// What a person put over or beside the unit: in all four directories that belong to people and to requests.
void Installer::revert(const std::string& name) {
    if (!is_valid_name(name))
        return fail(Refusal::InvalidName, name);
    const auto is_vendors = [&](const std::string& directory) { return is_vendor_directory(directory + "/" + name); };
    bool has_vendor = false;
    for (const std::string& directory : loader().environment().unit_path)
        has_vendor = has_vendor || (is_vendors(directory) && tree_.kind(directory + "/" + name).has_value());
    const std::string places[] = {options_.config_directory + ".control", options_.runtime_directory + ".control", "/run/systemd/transient",
                                  options_.config_directory, options_.runtime_directory};
    NameSet gone;
    for (const std::string& place : places) {
        const std::string drop_ins = place + "/" + name + ".d";
        if (const auto entries = tree_.list(drop_ins)) {
            for (const DirEntry& entry : *entries)
                if (entry.kind != DirEntry::Kind::Directory)
                    remove_path(drop_ins + "/" + entry.name);
            if (const auto removed = tree_.remove_directory(drop_ins))
                changes_.push_back({Kind::Removed, shown(drop_ins), {}});
        }
        const std::string path = place + "/" + name;
        if (!has_vendor || !tree_.kind(path))
            continue;
        remove_path(path);
        gone.insert(path);
    }
    for (const std::string* place : {&options_.runtime_directory, &options_.config_directory}) // links to what is gone
        for (const InstalledLink& link : installed_links(tree_, *place))
            if (gone.contains(link.target))
                remove_path(link.path);
}

void Installer::add_dependency(const std::string& target, std::string_view side, const Names& names) {
    if (!find(target, false))
        return;
    for (const std::string& name : names)
        if (!find(name, false))
            return;
    for (const std::string& name : names) {
        const UnitPtr unit = loader().load_as_written(name);
        if (!unit->files.empty() && !unit->files.front().empty())
            make_dependency_links(name, unit->files.front(), side, {target});
    }
}

bool Installer::can_link(const std::string& path) {
    const std::string name = path.substr(path.rfind('/') + 1);
    const auto kind = tree_.kind(path);
    if (!path.starts_with('/') || !is_valid_name(name) || normalize_path("/", path) != path)
        fail(Refusal::NotAbsolute, path);
    else if (!kind)
        fail(Refusal::NotFound, path);
    else if (*kind != DirEntry::Kind::Regular)
        fail(Refusal::System, path, "not a regular file");
    else
        return true;
    return false;
}

void Installer::link(const std::string& path) {
    if (can_link(path))
        make_link(directory() + "/" + path.substr(path.rfind('/') + 1), path);
}

void Installer::set_default(const std::string& target) {
    const std::string name = with_suffix(target, ".target");
    if (!is_valid_name(name) || type_of(name) != UnitType::Target || name == "default.target" || is_template(name))
        return fail(Refusal::System, "\"" + target + "\" is not the name of a target.");
    const UnitPtr unit = find(name, false);
    if (!unit)
        return;
    const std::string path = options_.config_directory + "/default.target";
    if (const auto kind = tree_.kind(path); kind && *kind == DirEntry::Kind::Symlink) {
        const auto old_target = tree_.read_link(path);
        // A built-in target has no file; the name is what counts, and systemd would find its own there.
        if (old_target && old_target->ends_with("/" + unit->name))
            return;
        remove_path(path);
    }
    const bool has_file = !unit->files.empty() && !unit->files.front().empty();
    make_link(path, has_file ? unit->files.front() : "/usr/lib/systemd/system/" + unit->name);
}

} // namespace

const InstallChange* first_failure(const InstallResult& changes) {
    const auto found = std::ranges::find(changes, Kind::Failed, &InstallChange::kind);
    return found == changes.end() ? nullptr : &*found;
}

InstallResult enable(FileTree& tree, const Loader& loader, const Names& names, const InstallOptions& options) {
    Installer run(tree, loader, options);
    run.enable(names);
    return run.result();
}

InstallResult disable(FileTree& tree, const Loader& loader, const Names& names, const InstallOptions& options) {
    Installer run(tree, loader, options);
    run.disable(names, Installer::Scope::All);
    return run.result();
}

InstallResult reenable(FileTree& tree, const Loader& loader, const Names& names, const InstallOptions& options) {
    Installer run(tree, loader, options);
    if (run.can_enable(names)) {
        run.disable(names, Installer::Scope::KeepLinked);
        run.enable(names);
    }
    return run.result();
}

InstallResult mask(FileTree& tree, const Loader& loader, const Names& names, const InstallOptions& options) {
    Installer run(tree, loader, options);
    for (const std::string& name : names)
        run.mask(name);
    return run.result();
}

InstallResult unmask(FileTree& tree, const Loader& loader, const Names& names, const InstallOptions& options) {
    Installer run(tree, loader, options);
    for (const std::string& name : names)
        run.unmask(name);
    return run.result();
}

InstallResult preset(FileTree& tree, const Loader& loader, const Names& names, const InstallOptions& options, PresetMode mode) {
    Installer run(tree, loader, options);
    const Presets presets(tree);
    for (const std::string& name : names)
        if (!run.exists(name))
            return run.result();
    for (const std::string& name : names)
        run.preset(name, presets, mode);
    return run.result();
}

InstallResult preset_all(FileTree& tree, const Loader& loader, const InstallOptions& options, PresetMode mode) {
    const Presets presets(tree);
    InstallResult all;
    for (const std::string& name : loader.all_names()) {
        Installer run(tree, loader, options); // for each its own: what one lacks holds up no other
        const auto unit = loader.load_as_written(name);
        if (unit->load_state == LoadState::Masked)
            all.push_back({Kind::Note, "Unit " + options.root + unit->files.front() + " is masked, ignoring."});
        else if (!unit->builtin)
            run.preset(name, presets, mode);
        for (InstallChange& change : run.result())
            all.push_back(std::move(change));
    }
    return all;
}

InstallResult revert(FileTree& tree, const Loader& loader, const Names& names, const InstallOptions& options) {
    Installer run(tree, loader, options);
    for (const std::string& name : names)
        run.revert(name);
    return run.result();
}

InstallResult add_dependency(FileTree& tree, const Loader& loader, const std::string& target, std::string_view side, const Names& names,
                             const InstallOptions& options) {
    Installer run(tree, loader, options);
    run.add_dependency(target, side, names);
    return run.result();
}

InstallResult link(FileTree& tree, const Loader& loader, const Names& paths, const InstallOptions& options) {
    Installer run(tree, loader, options);
    for (const std::string& path : paths)
        if (!run.can_link(path))
            return run.result();
    for (const std::string& path : paths)
        run.link(path);
    return run.result();
}

InstallResult set_default(FileTree& tree, const Loader& loader, const std::string& target, const InstallOptions& options) {
    Installer run(tree, loader, options);
    run.set_default(target);
    return run.result();
}

} // namespace monoinit::unit
