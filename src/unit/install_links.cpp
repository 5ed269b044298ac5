// See install_links.hpp. Tested by tests/unit/unit/install_test.cpp.

#include "unit/install_links.hpp"

#include "base/strings.hpp"
#include "unit/index.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <map>

namespace monoinit::unit {

namespace {

constexpr std::size_t preset_size_limit = 1 << 20;
constexpr std::string_view preset_directories[] = {"/etc/systemd/system-preset", "/run/systemd/system-preset",
                                                   "/usr/local/lib/systemd/system-preset", "/usr/lib/systemd/system-preset",
                                                   "/lib/systemd/system-preset"};

void add_links(const FileSource& tree, const std::string& directory, bool dependencies, std::vector<InstalledLink>& links) {
    const auto entries = tree.list(directory);
    if (!entries)
        return;
    for (const DirEntry& entry : *entries) {
        const std::string path = directory + "/" + entry.name;
        if (entry.kind == DirEntry::Kind::Symlink && is_valid_name(entry.name)) {
            if (const auto target = tree.read_link(path))
                links.push_back({path, entry.name, normalize_path(directory, *target), dependencies ? directory : ""});
        } else if (!dependencies && entry.kind == DirEntry::Kind::Directory &&
                   (entry.name.ends_with(".wants") || entry.name.ends_with(".requires") || entry.name.ends_with(".upholds"))) {
            add_links(tree, path, true, links);
        }
    }
}

std::vector<std::string> words(std::string_view line) {
    std::vector<std::string> out;
    std::string flat(line);
    std::ranges::replace(flat, '\t', ' ');
    for (const std::string_view word : base::split(flat, ' '))
        if (!word.empty())
            out.emplace_back(word);
    return out;
}

} // namespace

std::string_view InstalledLink::target_name() const {
    return std::string_view(target).substr(target.rfind('/') + 1);
}

std::vector<InstalledLink> installed_links(const FileSource& tree, const std::string& directory) {
    std::vector<InstalledLink> links;
    add_links(tree, directory, false, links);
    return links;
}

Presets::Presets(const FileSource& tree) {
    std::map<std::string, std::string> files; // by name; the first directory that has one decides
    for (const std::string_view directory : preset_directories)
        if (const auto entries = tree.list(std::string(directory)))
            for (const DirEntry& entry : *entries)
                if (entry.name.ends_with(".preset"))
                    files.try_emplace(entry.name, std::string(directory) + "/" + entry.name);
    for (const auto& [name, path] : files)
        read(tree, path);
}

void Presets::read(const FileSource& tree, const std::string& path) {
    const auto text = tree.read(path, preset_size_limit);
    if (!text)
        return; // masked by a link to /dev/null, or unreadable
    for (const std::string_view line : base::split(*text, '\n')) {
        std::vector<std::string> fields = words(base::trim(line));
        if (fields.size() < 2 || fields[0].front() == '#' || fields[0].front() == ';')
            continue;
        Rule rule{Verdict::Ignore, fields[1], {fields.begin() + 2, fields.end()}};
        if (fields[0] == "enable")
            rule.verdict = Verdict::Enable;
        else if (fields[0] == "disable")
            rule.verdict = Verdict::Disable;
        else if (fields[0] != "ignore")
            continue;
        rules_.push_back(std::move(rule));
    }
}

Presets::Verdict Presets::verdict(std::string_view name, std::vector<std::string>* instances) const {
    for (const Rule& rule : rules_) {
        if (rule.instances.empty()) {
            if (base::glob_match(rule.pattern, name))
                return rule.verdict;
            continue;
        }
        // A rule with instances speaks of its template, and of these instances only.
        const std::string of_template = is_template(name) ? std::string(name) : template_of(name);
        if (of_template.empty() || !base::glob_match(rule.pattern, of_template))
            continue;
        if (is_template(name)) {
            if (instances)
                *instances = rule.instances;
            return rule.verdict;
        }
        if (std::ranges::find(rule.instances, instance_of(name)) != rule.instances.end())
            return rule.verdict;
    }
    return Verdict::Enable;
}

} // namespace monoinit::unit
