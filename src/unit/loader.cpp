// From a name to a UnitConfig: find the file (index.cpp), parse it and its drop-ins (parse.cpp), add what links and
// defaults say (implicit.cpp). Whatever is wrong with a file becomes the load state of that one unit.
// Tested by tests/unit/unit/loader_test.cpp.

#include "unit/loader.hpp"

#include "base/strings.hpp"
#include "unit/implicit.hpp"
#include "unit/index.hpp"
#include "unit/name.hpp"
#include "unit/parse.hpp"

#include <algorithm>
#include <optional>
#include <unordered_set>

namespace monoinit::unit {

namespace {

using UnitPtr = std::shared_ptr<UnitConfig>;

void give_up(UnitConfig& unit, LoadState state, std::string why, std::string file = {}) {
    unit.load_state = state;
    unit.load_error = why;
    if (state == LoadState::Error)
        unit.problems.push_back({Problem::Kind::File, std::move(file), 0, std::move(why), {}, {}, "Only this unit is lost."});
}

std::string describe_read_error(const base::Error& error) {
    if (error.code == base::Errc::TooLarge)
        return "larger than " + std::to_string(file_size_limit >> 20) + " MB";
    if (error.code == base::Errc::NotFound)
        return "a link to something that does not exist";
    return error.what.empty() ? "cannot be read" : error.what;
}

} // namespace

struct Loader::Impl {
    Impl(const FileSource& source, Environment place)
        : files(source), environment(std::move(place)), index(std::in_place, files, environment.unit_path) {
        if (!environment.zones)
            environment.zones = std::make_shared<base::TimeZones>(&files, environment.time_zone);
    }

    const FileSource& files;
    Environment environment;
    std::optional<UnitIndex> index;
    MountTable mounted;

    void make_index() {
        index.emplace(files, environment.unit_path);
        index->set_mounted(&mounted);
    }
    /// For others than shortages the unit itself tells of it.
    void note_unread(const std::string& path, const base::Error& error) const {
        if (base::is_shortage(error.errnum))
            index->note_unread(base::Error{error.code, error.errnum, path + ": " + error.what, {}});
    }
    UnitPtr load_one(std::string_view name, const Located& located) const;
    UnitPtr begin(std::string_view name, const Located& located) const;
    void load_fragment(UnitConfig& unit, const Located& located) const;
    bool load_without_file(UnitConfig& unit) const;
    void load_file(UnitConfig& unit, const Located& located) const;
    void load_drop_ins(UnitConfig& unit) const;
    void add_links(UnitConfig& unit) const;
    void resolve_names(UnitConfig& unit) const;
    void finish(UnitConfig& unit) const;
    std::optional<std::string> machine_reason(const Located& located) const;
    UnitPtr load_with(std::string_view name, UnitsByName& loaded) const;
    bool is_installable(const std::string& name) const;
};

/// Why a unit of the machine is left alone; nothing if it is not on the list, or the administrator wants it.
std::optional<std::string> Loader::Impl::machine_reason(const Located& located) const {
    if (located.kind != Located::Kind::File || located.by_admin)
        return std::nullopt;
    return machine_mask(environment.masked_patterns, located.name);
}

void Loader::Impl::load_file(UnitConfig& unit, const Located& located) const {
    unit.load_state = LoadState::Stub;
    if (unit.type == UnitType::Service && environment.default_timeout_stop != ServiceSection{}.timeout_stop)
        unit.service.edit().timeout_stop = environment.default_timeout_stop;
    if (located.kind == Located::Kind::Embedded) {
        unit.builtin = true;
        unit.files.emplace_back();
        parse_unit_text(environment, unit, located.embedded->text);
        unit.builtin = unit.type != UnitType::Socket || unit.socket->listen.empty(); // one that listens is like any other
        return;
    }
    unit.files.push_back(located.path);
    auto text = files.read(located.path, file_size_limit);
    if (!text) {
        note_unread(located.path, text.error());
        const bool dangling = text.error().code == base::Errc::NotFound && !located.link.empty();
        return give_up(unit, LoadState::Error,
                       dangling ? "a link to " + base::printable(located.path, name_limit) + ", which does not exist" : describe_read_error(text.error()),
                       dangling ? located.link : located.path);
    }
    if (text->empty())
        return give_up(unit, LoadState::Masked, "masked by the empty file " + located.path);
    parse_unit_text(environment, unit, *text);
}

void Loader::Impl::load_drop_ins(UnitConfig& unit) const {
    for (std::string& path : index->drop_ins(unit.names)) {
        auto text = files.read(path, file_size_limit);
        if (!text) {
            note_unread(path, text.error());
            unit.problems.push_back({Problem::Kind::File, path, 0, describe_read_error(text.error()), {}, {}, "This drop-in is left out."});
            continue;
        }
        unit.files.push_back(std::move(path));
        parse_unit_text(environment, unit, *text);
    }
}

void Loader::Impl::add_links(UnitConfig& unit) const {
    for (DependencyLink& link : index->links(unit.names))
        unit.unit.dependencies.push_back({link.kind, Origin::Link, 0, 0, std::move(link.name)});
}

/// A template named as a dependency means its instance for this unit; nothing depends on itself.
void Loader::Impl::resolve_names(UnitConfig& unit) const {
    for (Dependency& dependency : unit.unit.dependencies)
        if (is_template(dependency.name)) {
            const bool instance = is_instance(unit.name);
            dependency.name = with_instance(dependency.name, instance ? instance_of(unit.name) : prefix_of(unit.name));
        }
    std::erase_if(unit.unit.dependencies, [&](const Dependency& dependency) {
        return std::ranges::find(unit.names, dependency.name) != unit.names.end();
    });
}

void Loader::Impl::finish(UnitConfig& unit) const {
    if (unit.load_state == LoadState::Stub)
        unit.load_state = LoadState::Loaded;
    if (is_template(unit.name))
        return; // nothing runs under this name; `enable` and `cat` look at it
    if (index->has_sides(unit.names))
        add_links(unit);
    resolve_names(unit);
    fill_defaults(environment, unit);
    check_settings(unit);
    add_dependencies(*index, unit);
}

/// A unit that has its names and nothing else.
UnitPtr Loader::Impl::begin(std::string_view name, const Located& located) const {
    auto unit = std::make_shared<UnitConfig>();
    unit->name = located.name;
    unit->type = type_of(name).value_or(UnitType::Service);
    unit->names = {located.name};
    if (!is_valid_name(name)) {
        give_up(*unit, LoadState::Error, "not a valid unit name");
        return unit;
    }
    for (std::string& alias : index->aliases_of(located.name))
        unit->names.push_back(std::move(alias));
    if (std::ranges::find(unit->names, name) == unit->names.end())
        unit->names.emplace_back(name);
    return unit;
}

/// Any slice and any device is there when asked for, and so is the mount unit of what is mounted.
bool Loader::Impl::load_without_file(UnitConfig& unit) const {
    const MountPoint* const mounted_here = unit.type == UnitType::Mount ? mounted.find(unit.name) : nullptr;
    if (mounted_here != nullptr) {
        describe_mounted(unit, *mounted_here);
        return true;
    }
    if (unit.type != UnitType::Slice && (unit.type != UnitType::Device || device_path(unit.name).empty()))
        return false;
    unit.builtin = true;
    unit.files.emplace_back();
    return true;
}

/// The file and its drop-ins; load_state stays Stub when there is nothing against them.
void Loader::Impl::load_fragment(UnitConfig& unit, const Located& located) const {
    switch (located.kind) {
    case Located::Kind::Nothing:
        if (!load_without_file(unit))
            return give_up(unit, LoadState::NotFound, "there is no unit file of this name");
        break;
    case Located::Kind::Masked:
        unit.files = {located.path};
        return give_up(unit, LoadState::Masked, "masked by " + located.why);
    case Located::Kind::Broken:
        unit.files = {located.path};
        return give_up(unit, LoadState::Error, located.why, located.path);
    case Located::Kind::File:
        load_file(unit, located);
        break;
    case Located::Kind::Embedded:
        load_file(unit, located);
        // Ours that run programs of the image belong to its own units; who gives a path by hand has not asked for those.
        if (unit.type == UnitType::Service && !unit.service->list(ExecList::Start).empty() && !index->searches_vendor())
            return give_up(unit, LoadState::NotFound, "the unit path leaves the image's own units out");
        break;
    }
    // A stand-in is not the unit that a package's drop-ins were written for.
    const bool stand_in = unit.builtin && unit.type != UnitType::Target && unit.type != UnitType::Slice;
    if (!stand_in && unit.load_state != LoadState::Error && unit.load_state != LoadState::Masked && index->has_sides(unit.names))
        load_drop_ins(unit);
}

UnitPtr Loader::Impl::load_one(std::string_view name, const Located& located) const {
    UnitPtr unit = begin(name, located);
    if (unit->load_state != LoadState::Stub)
        return unit;
    if (const auto reason = machine_reason(located)) {
        unit->builtin = unit->machine_masked = true;
        unit->files = {located.path};
        give_up(*unit, LoadState::Masked, *reason);
        return unit;
    }
    load_fragment(*unit, located);
    if (unit->load_state == LoadState::Stub || unit->load_state == LoadState::BadSetting)
        finish(*unit);
    return unit;
}

/// Loads into `loaded`, which has every unit under its main name and those asked for.
UnitPtr Loader::Impl::load_with(std::string_view name, UnitsByName& loaded) const {
    if (const auto known = loaded.find(name); known != loaded.end())
        return known->second;
    const std::string key(name);
    const Located located = index->locate(name);
    UnitPtr unit;
    if (const auto known = loaded.find(located.name); known != loaded.end()) {
        unit = known->second;
        if (std::ranges::find(unit->names, key) == unit->names.end())
            unit->names.push_back(key);
    } else {
        unit = load_one(name, located);
        loaded.emplace(unit->name, unit);
    }
    loaded.emplace(key, unit);
    return unit;
}

Loader::Loader(const FileSource& files, Environment environment)
    : impl_(std::make_unique<Impl>(files, std::move(environment))) {}
Loader::~Loader() = default;
Loader::Loader(Loader&&) noexcept = default;

void Loader::rescan() {
    impl_->make_index();
}

const std::vector<base::Error>& Loader::unread() const {
    return impl_->index->unread();
}

std::vector<base::Error> Loader::take_unread() {
    return impl_->index->take_unread();
}

const std::vector<std::string>& Loader::misnamed() const {
    return impl_->index->misnamed();
}

std::string misnamed_line(const std::string& path) {
    return base::printable(path, 2 * name_limit) + " is ignored: a unit's name is of letters, digits and :-_.\\@, 255 characters at most, and ends in .service or another type";
}

void Loader::set_mounted(MountTable mounted) {
    impl_->mounted = std::move(mounted);
    impl_->index->set_mounted(&impl_->mounted);
}

const MountTable& Loader::mounted() const {
    return impl_->mounted;
}

bool Loader::rescan_if_outdated() {
    const bool outdated = impl_->index->is_outdated();
    if (outdated)
        rescan();
    return outdated;
}

std::shared_ptr<const UnitConfig> Loader::load(std::string_view name) const {
    UnitsByName loaded;
    const UnitPtr unit = impl_->load_with(name, loaded);
    if (unit->type == UnitType::Target && unit->load_state == LoadState::Loaded) {
        for (const Dependency& dependency : unit->unit.dependencies)
            if (orders_target(dependency.kind))
                impl_->load_with(dependency.name, loaded);
        order_target(*unit, loaded);
    }
    impl_->index->forget_listings();
    return unit;
}

std::shared_ptr<const UnitConfig> Loader::load_as_written(std::string_view name) const {
    const Located located = impl_->index->locate(name);
    const UnitPtr unit = impl_->begin(name, located);
    if (unit->load_state == LoadState::Stub)
        impl_->load_fragment(*unit, located);
    if (unit->load_state == LoadState::Stub)
        unit->load_state = LoadState::Loaded;
    return unit;
}

std::vector<std::shared_ptr<const UnitConfig>> Loader::load_closure(const std::vector<std::string>& roots) const {
    UnitsByName loaded;
    std::vector<UnitPtr> units;
    std::unordered_set<const UnitConfig*> seen;
    const auto visit = [&](const std::string& name) {
        UnitPtr unit = impl_->load_with(name, loaded);
        if (seen.insert(unit.get()).second)
            units.push_back(std::move(unit));
    };
    for (const std::string& root : roots)
        visit(root);
    for (std::size_t next = 0; next < units.size(); next++) {
        const UnitPtr unit = units[next];
        for (const Dependency& dependency : unit->unit.dependencies)
            visit(dependency.name);
    }
    for (const UnitPtr& unit : units)
        order_target(*unit, loaded);
    impl_->index->forget_listings();
    return {units.begin(), units.end()};
}

std::vector<std::string> Loader::all_names() const {
    return impl_->index->all_names();
}

bool Loader::knows(std::string_view name) const {
    return impl_->index->locate(name).kind != Located::Kind::Nothing;
}

std::string Loader::fragment_path(std::string_view name) const {
    const Located located = impl_->index->locate(name);
    return located.kind == Located::Kind::Nothing || located.kind == Located::Kind::Embedded ? std::string{} : located.path;
}

bool Loader::Impl::is_installable(const std::string& name) const {
    // A target or slice of systemd's starts nothing when enabled; timers and sockets are enabled on purpose only.
    if (type_of(name) != UnitType::Service)
        return false;
    const Located located = index->locate(name);
    if (located.kind != Located::Kind::File || located.name != name || machine_reason(located))
        return false;
    const auto text = files.read(located.path, file_size_limit);
    return text && text->find("[Install]") != std::string::npos && !load_one(name, located)->install->empty();
}

std::vector<std::string> Loader::not_enabled() const {
    std::unordered_set<std::string> pulled;
    for (const DependencyLink& link : impl_->index->all_links()) {
        pulled.insert(link.name);
        pulled.insert(impl_->index->locate(link.name).name);
    }
    std::vector<std::string> names;
    for (const std::string& name : impl_->index->all_names())
        if (!pulled.contains(name) && !is_template(name) && impl_->index->aliases_of(name).empty() && impl_->is_installable(name))
            names.push_back(name);
    return names;
}

const Environment& Loader::environment() const {
    return impl_->environment;
}

} // namespace monoinit::unit
