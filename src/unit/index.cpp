// See index.hpp. The order of things is systemd's: the first directory that has a name decides; links are followed by
// name, so that an alias gets the overrides of the unit it stands for. Tested by tests/unit/unit/loader_test.cpp.

#include "unit/index.hpp"

#include "base/strings.hpp"
#include "unit/generators.hpp"
#include "unit/mounts.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_set>

namespace monoinit::unit {

namespace {

constexpr std::size_t notes_at_most = 100; ///< of what is wrong with directories
constexpr int most_hops = 8; ///< links from alias to alias; more is a loop

std::string_view base_name(std::string_view path) {
    return path.substr(path.rfind('/') + 1);
}

std::string_view directory_of(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

/// The names under which a unit's drop-in directories may stand, most specific first: itself, its template, and both
/// with the prefix cut after each dash. A template's name loses its "@" when cut: for "a-b@c.service" this gives
/// a-b@c, a-b@, a-, a-@c, a-@ (".service" each), as systemd 252 has it.
void add_levels(const std::string& name, std::vector<std::string>& levels) {
    if (std::ranges::find(levels, name) != levels.end())
        return;
    levels.push_back(name);
    if (is_instance(name))
        add_levels(template_of(name), levels);
    const std::string_view prefix = prefix_of(name);
    std::string_view cut = prefix;
    if (cut.ends_with('-'))
        cut.remove_suffix(1);
    const std::size_t dash = cut.rfind('-');
    if (dash == std::string_view::npos)
        return;
    const std::size_t rest = is_template(name) ? name.rfind('.') : prefix.size();
    add_levels(std::string(cut.substr(0, dash + 1)).append(name, rest), levels);
}

/// "web.servic", which is meant to be a unit; not a backup, nor what an editor leaves.
bool nearly_a_unit(std::string_view name) {
    static const std::vector<std::string_view> suffixes = [] {
        std::vector<std::string_view> all;
        for (auto type = UnitType::Service; type <= UnitType::Scope; type = static_cast<UnitType>(static_cast<int>(type) + 1))
            all.push_back(suffix(type));
        return all;
    }();
    const std::size_t dot = name.rfind('.');
    return dot != std::string_view::npos && dot != 0 && name.front() != '.' && name.back() != '~' && !base::closest(name.substr(dot + 1), suffixes).empty();
}

/// What generators make is a package's, too.
bool is_admins(std::string_view directory) { return !is_vendor_directory(directory) && !is_generated_path(directory); }

/// What `link` pointing at a unit called `target` makes of `name` (which is `link`, or an instance of it). A link may
/// lead from plain name to plain name, from template to template, from instance to the same instance or a template.
std::optional<std::string> renamed(std::string_view name, std::string_view link, std::string_view target) {
    if (!is_valid_name(target) || type_of(target) != type_of(link))
        return std::nullopt;
    if (is_template(target)) {
        if (!is_template(link) && !is_instance(link))
            return std::nullopt;
        return is_template(name) ? std::string(target) : with_instance(target, instance_of(name));
    }
    if (is_template(link) || is_instance(link) != is_instance(target) || instance_of(link) != instance_of(target))
        return std::nullopt;
    return std::string(target);
}

} // namespace

bool is_vendor_directory(std::string_view path) {
    return path.starts_with("/usr/lib/") || path.starts_with("/lib/");
}

std::string normalize_path(std::string_view directory, std::string_view path) {
    std::string joined;
    if (!path.starts_with('/'))
        joined.append(directory).append("/");
    joined.append(path);
    std::vector<std::string_view> parts;
    for (const std::string_view part : base::split(joined, '/')) {
        if (part == ".." && !parts.empty())
            parts.pop_back();
        else if (!part.empty() && part != "." && part != "..")
            parts.push_back(part);
    }
    std::string out;
    for (const std::string_view part : parts)
        out.append("/").append(part);
    return out.empty() ? "/" : out;
}

UnitIndex::UnitIndex(const FileSource& files, const std::vector<std::string>& unit_path) : files_(files) {
    for (const EmbeddedUnit& unit : embedded_units())
        embedded_.emplace(unit.name, &unit);
    const auto lib = files.kind("/lib");
    const bool merged_usr = lib && *lib == DirEntry::Kind::Symlink;
    std::unordered_set<std::string> seen;
    for (const std::string& path : unit_path) {
        const std::string directory = normalize_path("/", path);
        if (!seen.insert(merged_usr && directory.starts_with("/lib/") ? "/usr" + directory : directory).second)
            continue;
        directories_.push_back(directory);
    }
    for (const std::string& directory : directories_)
        stamps_.push_back(files.stamp(directory));
    for (std::size_t i = 0; i < directories_.size(); i++)
        scan(static_cast<std::uint16_t>(i));
    add_aliases();
}

void UnitIndex::set_mounted(const MountTable* mounted) {
    mounted_ = mounted != nullptr && !mounted->all().empty() ? mounted : nullptr;
}

std::string UnitIndex::mount_unit_at(std::string_view path) const {
    if (mounted_ != nullptr && mounted_->at(path) != nullptr)
        return mount_unit_name(path);
    std::string name = has_mount_files_ ? mount_unit_name(path) : std::string();
    return !name.empty() && locate(name).kind == Located::Kind::File ? name : std::string();
}

bool UnitIndex::is_outdated() const {
    for (std::size_t i = 0; i < directories_.size(); i++)
        if (files_.stamp(directories_[i]) != stamps_[i])
            return true;
    return false;
}

void UnitIndex::scan(std::uint16_t directory) {
    constexpr std::pair<std::string_view, Side> side_suffixes[] = {
        {".d", Side::DropIn}, {".wants", Side::Wants}, {".requires", Side::Requires}, {".upholds", Side::Upholds}};
    auto listed = files_.list(directories_[directory]);
    if (!listed)
        return note_unread(listed.error());
    for (DirEntry& item : *listed) {
        if (is_valid_name(item.name)) {
            if (item.kind == DirEntry::Kind::Directory)
                continue;
            has_mount_files_ = has_mount_files_ || item.name.ends_with(".mount");
            Entry entry{directory, item.kind, false, {}};
            if (item.kind == DirEntry::Kind::Symlink)
                read_target(item.name, entry);
            const auto [place, added] = entries_.try_emplace(std::move(item.name), std::move(entry));
            if (!added && place->second.rejected)
                place->second = std::move(entry); // try_emplace has not moved it
            continue;
        }
        if (item.kind == DirEntry::Kind::Regular) {
            if ((type_of(item.name) || nearly_a_unit(item.name)) && misnamed_.size() < notes_at_most)
                misnamed_.push_back(directories_[directory] + "/" + item.name);
            continue;
        }
        for (const auto& [suffix, side] : side_suffixes)
            if (item.name.ends_with(suffix)) {
                item.name.resize(item.name.size() - suffix.size());
                sides_[item.name].push_back({side, directory});
                break;
            }
    }
}

void UnitIndex::read_target(const std::string& name, Entry& entry) const {
    const auto target = files_.read_link(directories_[entry.directory] + "/" + name);
    if (!target)
        return;
    entry.target = normalize_path(directories_[entry.directory], *target);
    const std::string_view other = base_name(entry.target), directory = directory_of(entry.target);
    const bool to_itself = other == name && directory == directories_[entry.directory];
    entry.rejected = to_itself || (other != name && is_searched(directory) && !renamed(name, name, other));
}

void UnitIndex::add_aliases() {
    for (const auto& [name, entry] : entries_)
        if (entry.kind == DirEntry::Kind::Symlink && !entry.rejected && is_searched(directory_of(entry.target)) &&
            base_name(entry.target) != name)
            aliases_[std::string(base_name(entry.target))].push_back(name);
    for (const auto& [name, unit] : embedded_)
        if (!unit->alias_of.empty() && !find(name))
            aliases_[std::string(unit->alias_of)].emplace_back(name);
    for (auto& [target, links] : aliases_)
        std::ranges::sort(links);
}

bool UnitIndex::is_searched(std::string_view directory) const {
    const auto is_listed = [&](std::string_view path) { return std::ranges::find(directories_, path) != directories_.end(); };
    if (is_listed(directory))
        return true;
    if (directory.starts_with("/usr/lib/"))
        return is_listed(directory.substr(4));
    return directory.starts_with("/lib/") && is_listed("/usr" + std::string(directory));
}

bool UnitIndex::searches_vendor() const { return std::ranges::any_of(directories_, is_vendor_directory); }

const UnitIndex::Entry* UnitIndex::find(std::string_view name) const {
    const auto found = entries_.find(name);
    return found == entries_.end() ? nullptr : &found->second;
}

std::string UnitIndex::path_of(std::string_view name, const Entry& entry) const {
    return directories_[entry.directory] + "/" + std::string(name);
}

/// One symlink: where it ends, or in `next` the name it leads to.
Located UnitIndex::follow(std::string_view name, const Entry& entry, std::string_view link, std::string& next) const {
    const std::string path = path_of(link, entry);
    Located located{Located::Kind::File, std::string(name), entry.target, {}, true, nullptr, path};
    if (entry.target == "/dev/null")
        return {Located::Kind::Masked, std::string(name), path, path, true, nullptr};
    if (entry.target.empty())
        return {Located::Kind::Broken, std::string(name), path, "the link cannot be read", true, nullptr};
    if (!is_searched(directory_of(entry.target)))
        return located;
    const std::string_view target = base_name(entry.target);
    if (target == link || (is_instance(link) && target == template_of(link)))
        return located; // the same unit in another directory
    if (auto renaming = renamed(name, link, target)) {
        next = std::move(*renaming);
        return located;
    }
    return {Located::Kind::Broken, std::string(name), path,
            "a link to " + base::printable(target, name_limit) + ", which cannot be another name of this unit", true, nullptr};
}

Located UnitIndex::locate(std::string_view name) const {
    std::string current(name);
    std::string last_link;
    for (int hop = 0; hop <= most_hops; hop++) {
        std::string link = current;
        const Entry* entry = find(link);
        if ((!entry || entry->rejected) && is_instance(current)) {
            if (const Entry* of_template = find(template_of(current))) {
                link = template_of(current);
                entry = of_template;
            }
        }
        const auto built_in = embedded_.find(current);
        const bool stand_in = built_in != embedded_.end() && built_in->second->alias_of.empty() &&
                              type_of(current) != UnitType::Target;
        if (built_in != embedded_.end() &&
            (!entry || entry->rejected || (stand_in && is_vendor_directory(directories_[entry->directory])))) {
            if (built_in->second->alias_of.empty())
                return {Located::Kind::Embedded, current, {}, {}, false, built_in->second};
            current = built_in->second->alias_of;
            continue;
        }
        if (!entry) {
            if (last_link.empty())
                return {Located::Kind::Nothing, current, {}, {}, false, nullptr};
            return {Located::Kind::Broken, std::string(name), last_link, "a link to " + current + ", which does not exist", true, nullptr};
        }
        if (entry->kind != DirEntry::Kind::Symlink)
            return {Located::Kind::File, current, path_of(link, *entry), {},
                    is_admins(directories_[entry->directory]), nullptr};
        std::string next;
        Located located = follow(current, *entry, link, next);
        if (next.empty()) {
            located.by_admin = is_admins(directories_[entry->directory]);
            return located;
        }
        last_link = path_of(link, *entry);
        current = std::move(next);
    }
    return {Located::Kind::Broken, std::string(name), last_link, "links that lead in a circle", true, nullptr};
}

std::vector<std::string> UnitIndex::aliases_of(const std::string& main_name) const {
    std::vector<std::string> found;
    if (!aliases_.contains(main_name) && !is_instance(main_name))
        return found;
    std::vector<std::string> open{main_name};
    while (!open.empty() && found.size() < 64) {
        const std::string current = std::move(open.back());
        open.pop_back();
        const auto add = [&](const std::string& key, bool instantiate) {
            const auto links = aliases_.find(key);
            if (links == aliases_.end())
                return;
            for (const std::string& link : links->second) {
                if (instantiate && !is_template(link) && instance_of(link) != instance_of(current))
                    continue;
                std::string alias = is_template(link) && instantiate ? with_instance(link, instance_of(current)) : link;
                if (alias == main_name || std::ranges::find(found, alias) != found.end())
                    continue;
                found.push_back(alias);
                open.push_back(std::move(alias));
            }
        };
        add(current, false);
        if (is_instance(current))
            add(template_of(current), true);
    }
    return found;
}

const std::vector<DirEntry>& UnitIndex::entries_of(const std::string& directory) const {
    const auto [place, added] = listed_.try_emplace(directory);
    if (added) {
        if (auto listed = files_.list(directory))
            place->second = std::move(*listed);
        else
            note_unread(listed.error());
    }
    return place->second;
}

void UnitIndex::note_unread(const base::Error& error) const {
    if (error.code != base::Errc::NotFound && error.code != base::Errc::Busy && // a hung mount is told of by who waited for it
         unread_.size() < notes_at_most)
        unread_.push_back(error);
}

bool UnitIndex::has_sides(const std::vector<std::string>& names) const {
    if (sides_.empty())
        return false;
    const auto type = type_of(names.front());
    if (type && sides_.contains(suffix(*type)))
        return true;
    std::vector<std::string> levels;
    for (const std::string& name : names)
        add_levels(name, levels);
    return std::ranges::any_of(levels, [&](const std::string& level) { return sides_.contains(level); });
}

/// Paths, the one that decides first.
std::vector<std::string> UnitIndex::side_directories(const std::vector<std::string>& names, Side side) const {
    constexpr std::string_view suffixes[] = {".d", ".wants", ".requires", ".upholds"};
    struct Found {
        std::uint16_t directory;
        const std::string* stem;
    };
    std::vector<std::string> paths;
    const auto add = [&](const std::vector<std::string>& levels) {
        std::vector<Found> found;
        for (const std::string& level : levels) {
            const auto sides = sides_.find(level);
            if (sides == sides_.end())
                continue;
            for (const SideDirectory& item : sides->second)
                if (item.side == side)
                    found.push_back({item.directory, &sides->first});
        }
        std::ranges::stable_sort(found, {}, &Found::directory);
        for (const Found& item : found) {
            std::string path = directories_[item.directory] + "/" + *item.stem;
            path += suffixes[static_cast<std::size_t>(side)];
            paths.push_back(std::move(path));
        }
    };
    if (sides_.empty())
        return paths;
    for (const std::string& name : names) {
        std::vector<std::string> levels;
        add_levels(name, levels);
        add(levels);
    }
    if (const auto type = type_of(names.front()))
        add({std::string(suffix(*type))});
    return paths;
}

/// The files of these directories by name; of two with one name the first directory's, and none where that is masked.
std::vector<UnitIndex::SideFile> UnitIndex::side_files(const std::vector<std::string>& directories,
                                                       std::string_view suffix) const {
    std::map<std::string, std::string> chosen;
    for (const std::string& directory : directories)
        for (const DirEntry& item : entries_of(directory)) {
            if (!item.name.ends_with(suffix) || item.kind == DirEntry::Kind::Directory || chosen.contains(item.name))
                continue;
            std::string path = directory + "/" + item.name;
            if (item.kind == DirEntry::Kind::Symlink) {
                const auto target = files_.read_link(path);
                if (target && normalize_path(directory, *target) == "/dev/null")
                    path.clear();
            }
            chosen.emplace(item.name, std::move(path));
        }
    std::vector<SideFile> files;
    for (auto& [name, path] : chosen)
        if (!path.empty())
            files.push_back({name, std::move(path)});
    return files;
}

std::vector<std::string> UnitIndex::drop_ins(const std::vector<std::string>& names) const {
    std::vector<std::string> paths;
    for (SideFile& file : side_files(side_directories(names, Side::DropIn), ".conf"))
        paths.push_back(std::move(file.path));
    return paths;
}

/// Requiring a unit by a link to its mask would keep the other from ever starting; such a link does not count.
bool UnitIndex::leads_to_mask(const std::string& path) const {
    const auto text = files_.read(path, 0);
    return text ? text->empty() : text.error().code == base::Errc::Invalid;
}

std::vector<DependencyLink> UnitIndex::links(const std::vector<std::string>& names) const {
    constexpr std::pair<Side, DependencyKind> kinds[] = {{Side::Wants, DependencyKind::Wants},
                                                         {Side::Requires, DependencyKind::Requires},
                                                         {Side::Upholds, DependencyKind::Upholds}};
    std::vector<DependencyLink> links;
    for (const auto& [side, kind] : kinds)
        for (SideFile& file : side_files(side_directories(names, side), ""))
            if (is_valid_name(file.name) && !(kind == DependencyKind::Requires && leads_to_mask(file.path)))
                links.push_back({kind, std::move(file.name), std::move(file.path)});
    return links;
}

std::vector<DependencyLink> UnitIndex::all_links() const {
    std::vector<DependencyLink> all;
    for (const auto& [name, sides] : sides_)
        for (DependencyLink& link : links({name}))
            all.push_back(std::move(link));
    return all;
}

std::vector<std::string> UnitIndex::all_names() const {
    std::vector<std::string> names;
    names.reserve(entries_.size() + embedded_.size());
    for (const auto& [name, entry] : entries_)
        names.push_back(name);
    for (const auto& [name, unit] : embedded_)
        if (!find(name))
            names.emplace_back(name);
    std::ranges::sort(names);
    return names;
}

} // namespace monoinit::unit
