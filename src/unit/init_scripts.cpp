// See init_scripts.hpp. Two passes: every script's header becomes a list of dependencies, then the priorities of the links
// order those scripts that say nothing about it themselves. Tested by tests/unit/unit/init_scripts_test.cpp.
#include "unit/init_scripts.hpp"

#include "base/strings.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace monoinit::unit {

namespace {

constexpr std::size_t script_limit = 1 << 20, most_scripts = 1000, most_words = 4096;

/// What insserv's facilities are in the world of units; empty: always there.
struct Facility {
    std::string_view name, unit;
};
constexpr Facility facilities[] = {
    {"$local_fs", ""},           {"$network", "network-online.target"}, {"$named", "nss-lookup.target"},
    {"$portmap", "rpcbind.target"}, {"$remote_fs", "remote-fs.target"},    {"$syslog", ""},
    {"$time", "time-sync.target"},
};

struct Runlevel {
    std::string_view directory, target;
};
constexpr Runlevel runlevels[] = {
    {"rc1.d", "rescue.target"},     {"rc2.d", "multi-user.target"}, {"rc3.d", "multi-user.target"},
    {"rc4.d", "multi-user.target"}, {"rc5.d", "graphical.target"},
};

struct Script {
    std::string unit, path;
    std::string short_description, long_description, pid_file;
    bool has_lsb = false, can_reload = false;
    int priority = -1; ///< the highest of its S links
    std::vector<std::string> before, after, wants, wanted_by, aliases;
};

void add(std::vector<std::string>& list, std::string name) {
    if (list.size() < most_words && std::ranges::find(list, name) == list.end())
        list.push_back(std::move(name));
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool contains_any_case(std::string_view text, std::string_view word) {
    return std::ranges::search(text, word, {}, lower, lower).begin() != text.end();
}

/// What stands behind a keyword at the begin of a line, whatever its case.
std::optional<std::string_view> behind(std::string_view line, std::string_view keyword) {
    if (line.size() < keyword.size() || !std::ranges::equal(line.substr(0, keyword.size()), keyword, {}, lower, lower))
        return std::nullopt;
    return base::trim(line.substr(keyword.size()));
}

std::vector<std::string_view> words(std::string_view text) {
    std::vector<std::string_view> found;
    for (std::size_t at = text.find_first_not_of(" \t"); at != text.npos && found.size() < most_words;) {
        const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
        found.push_back(text.substr(at, end - at));
        at = text.find_first_not_of(" \t", end);
    }
    return found;
}

/// The unit that a word of the header names: a facility's, or a service's. Empty: none that anything could wait for.
std::string unit_of_word(std::string_view word) {
    for (const Facility& facility : facilities)
        if (facility.name == word)
            return std::string(facility.unit);
    if (!word.starts_with('$'))
        return init_script_unit(word);
    const std::string name = std::string(word.substr(1)) + ".target";
    return is_valid_name(name) ? name : std::string();
}

/// One script's header, line by line.
class HeaderReader {
  public:
    explicit HeaderReader(Script& script) : script_(script) {}
    void read(std::string_view text);

  private:
    enum class At : unsigned char { Code, Usage, Description, Lsb, LsbDescription };
    void read_line(std::string_view line);
    void read_comment(std::string_view text);
    void read_lsb(std::string_view raw, std::string_view text);
    void provide(std::string_view names);
    void note_usage(std::string_view line);
    static void append(std::string& to, std::string_view text);

    Script& script_;
    At at_ = At::Code;
    std::string chkconfig_description_;
};

void HeaderReader::append(std::string& to, std::string_view text) {
    if (!to.empty() && !text.empty())
        to += ' ';
    to += text;
}

void HeaderReader::read(std::string_view text) {
    for (std::string_view line : base::split(text, '\n'))
        read_line(base::trim(line));
    if (!script_.has_lsb)
        script_.long_description = chkconfig_description_;
}

/// A line that says how to call the script tells whether it can reload.
void HeaderReader::note_usage(std::string_view line) {
    if (at_ != At::Usage && !(at_ == At::Code && contains_any_case(line, "usage")))
        return;
    constexpr std::string_view forms[] = {"{reload|", "{reload}", "{reload\"", "|reload|", "|reload}", "|reload\""};
    const bool found = std::ranges::any_of(forms, [&](std::string_view form) { return contains_any_case(line, form); });
    script_.can_reload = script_.can_reload || found;
    at_ = !found && line.ends_with('\\') ? At::Usage : At::Code;
}

void HeaderReader::read_line(std::string_view line) {
    note_usage(line);
    if (!line.starts_with('#'))
        return;
    if (at_ == At::Code && line == "### BEGIN INIT INFO") {
        at_ = At::Lsb;
        script_.has_lsb = true;
        return;
    }
    const bool in_lsb = at_ == At::Lsb || at_ == At::LsbDescription;
    if (in_lsb && line == "### END INIT INFO") {
        at_ = At::Code;
        return;
    }
    const std::string_view raw = line.substr(1);
    return in_lsb ? read_lsb(raw, base::trim(raw)) : read_comment(base::trim(raw));
}

void HeaderReader::read_comment(std::string_view text) {
    std::optional<std::string_view> description;
    if (at_ == At::Description)
        description = text;
    else if (at_ == At::Code)
        description = behind(text, "description:");
    if (description) {
        const bool goes_on = description->ends_with('\\');
        append(chkconfig_description_, base::trim(description->substr(0, description->size() - (goes_on ? 1 : 0))));
        at_ = goes_on ? At::Description : At::Code;
    } else if (const auto path = behind(text, "pidfile:"); path && at_ == At::Code) {
        if (path->starts_with('/') && path->find_first_of(" \t%") == path->npos)
            script_.pid_file = *path;
    }
}

/// Services of other names become aliases; who provides a facility comes before its target and brings it along.
void HeaderReader::provide(std::string_view names) {
    for (const std::string_view word : words(names)) {
        const std::string name = unit_of_word(word);
        if (name.empty() || name == script_.unit)
            continue;
        if (name.ends_with(".service")) {
            add(script_.aliases, name);
            continue;
        }
        for (const std::string& target : {name, std::string(name == "network-online.target" ? "network.target" : "")}) {
            if (target.empty())
                continue;
            add(script_.before, target);
            add(script_.wants, target);
        }
    }
}

void HeaderReader::read_lsb(std::string_view raw, std::string_view text) {
    const bool goes_on = raw.starts_with('\t') || raw.starts_with("  ");
    if (at_ == At::LsbDescription && goes_on)
        return append(script_.long_description, text);
    at_ = At::Lsb;
    if (const auto provides = behind(text, "provides:"))
        return provide(*provides);
    for (const std::string_view keyword : {"required-start:", "should-start:", "x-start-after:", "x-start-before:"}) {
        const auto names = behind(text, keyword);
        if (!names)
            continue;
        for (const std::string_view word : words(*names)) {
            const std::string name = unit_of_word(word);
            if (name.empty() || name == script_.unit)
                continue;
            add(keyword == "x-start-before:" ? script_.before : script_.after, name);
            if (name == "network-online.target" && keyword != "x-start-before:")
                add(script_.wants, name); // nobody else brings it up
        }
        return;
    }
    if (const auto description = behind(text, "description:")) {
        script_.long_description = *description;
        at_ = At::LsbDescription;
    } else if (const auto shorter = behind(text, "short-description:")) {
        script_.short_description = *shorter;
    }
}

/// "S20foo" -> 20.
std::optional<int> start_priority(std::string_view link) {
    const auto digit = [&](std::size_t at) { return link[at] >= '0' && link[at] <= '9'; };
    if (link.size() < 4 || link[0] != 'S' || !digit(1) || !digit(2))
        return std::nullopt;
    return (link[1] - '0') * 10 + (link[2] - '0');
}

std::string unit_text(const Script& script) {
    std::string text = "# Automatically generated by monoinit from " + script.path + "\n\n[Unit]\nDocumentation=man:systemd-sysv-generator(8)\nSourcePath=" + script.path + "\n";
    const std::string& description = script.short_description.empty() ? script.long_description : script.short_description;
    if (!description.empty()) {
        text += script.has_lsb ? "Description=LSB: " : "Description=SYSV: ";
        for (const char c : description)
            text += c == '%' ? std::string("%%") : std::string(1, c);
        text += '\n';
    }
    for (const auto& [key, names] : {std::pair{"Before=", &script.before}, {"After=", &script.after}, {"Wants=", &script.wants}})
        for (const std::string& name : *names)
            text += key + name + "\n";
    text += "\n[Service]\nType=forking\nRestart=no\nTimeoutSec=5min\nIgnoreSIGPIPE=no\nKillMode=process\nGuessMainPID=no\n";
    text += script.pid_file.empty() ? "RemainAfterExit=yes\n" : "RemainAfterExit=no\nPIDFile=" + script.pid_file + "\n";
    if (script.has_lsb)
        text += "SuccessExitStatus=5 6\n"; // "not installed" and "not configured": neither is a failure
    for (const std::string_view word : {"Start", "Stop", "Reload"})
        if (word != "Reload" || script.can_reload)
            text += "Exec" + std::string(word) + "=" + script.path + " " + lower(word[0]) + std::string(word.substr(1)) + "\n";
    return text;
}

/// Where priorities of links are all there is to go by.
void order_by_priority(std::vector<Script>& scripts) {
    for (Script& script : scripts)
        for (const Script& other : scripts) {
            if (&script == &other || script.priority < 0 || other.priority < 0 || (script.has_lsb && other.has_lsb))
                continue;
            if (other.priority < script.priority)
                add(script.after, other.unit);
            else if (other.priority > script.priority)
                add(script.before, other.unit);
        }
}

void read_links(const FileSource& files, const InitScriptPlaces& places, std::vector<Script>& scripts) {
    std::map<std::string, Script*, std::less<>> by_unit;
    for (Script& script : scripts)
        by_unit.emplace(script.unit, &script);
    for (const std::string& place : places.runlevels)
        for (const Runlevel& level : runlevels) {
            const auto links = files.list(place + "/" + std::string(level.directory));
            for (const DirEntry& link : links ? *links : std::vector<DirEntry>{}) {
                const auto priority = start_priority(link.name);
                const auto found = priority ? by_unit.find(init_script_unit(std::string_view(link.name).substr(3))) : by_unit.end();
                if (found == by_unit.end())
                    continue;
                Script& script = *found->second;
                script.priority = std::max(script.priority, *priority);
                add(script.before, std::string(level.target));
                add(script.wanted_by, std::string(level.target));
            }
        }
}

/// Calls visit(unit, path) for the scripts that would become units; of two for one unit the first counts.
template <class Visit>
void visit_scripts(const FileSource& files, const InitScriptPlaces& places, const std::function<bool(const std::string&)>& is_taken, Visit visit) {
    std::set<std::string> seen;
    for (const std::string& place : places.scripts) {
        const auto entries = files.list(place);
        for (const DirEntry& entry : entries ? *entries : std::vector<DirEntry>{}) {
            const bool file = entry.kind == DirEntry::Kind::Regular || entry.kind == DirEntry::Kind::Symlink;
            const std::string unit = file ? init_script_unit(entry.name) : std::string();
            if (unit.empty() || seen.size() == most_scripts || is_taken(unit) || !seen.insert(unit).second)
                continue;
            if (!visit(unit, place + "/" + entry.name))
                return;
        }
    }
}

} // namespace

bool is_backup_file(std::string_view name) {
    constexpr std::string_view ends[] = {"~",         ".dpkg-old", ".dpkg-new",    ".dpkg-tmp",    ".dpkg-dist", ".dpkg-bak",  ".dpkg-backup", ".dpkg-remove",
                                         ".ucf-new",  ".ucf-old",  ".ucf-dist",    ".rpmnew",      ".rpmsave",   ".rpmorig",   ".swp",         ".bak",
                                         ".old",      ".new"};
    return name.starts_with('.') || std::ranges::any_of(ends, [&](std::string_view end) { return name.ends_with(end); });
}

std::string init_script_unit(std::string_view script) {
    if (script.ends_with(".sh"))
        script.remove_suffix(3);
    // A backslash would be taken for an escape where the unit names the script.
    if (script.empty() || is_backup_file(script) || script.find('\\') != script.npos)
        return {};
    std::string name = std::string(script) + ".service";
    return is_valid_name(name) ? name : std::string();
}

std::vector<GeneratedFile> units_of_init_scripts(const FileSource& files, const InitScriptPlaces& places,
                                                 const std::function<bool(const std::string&)>& is_taken,
                                                 const std::function<bool(const std::string&)>& is_executable) {
    std::vector<Script> scripts;
    visit_scripts(files, places, is_taken, [&](const std::string& unit, const std::string& path) {
        if (!is_executable(path))
            return true;
        const auto text = files.read(path, script_limit);
        if (!text)
            return true;
        Script& script = scripts.emplace_back();
        script.unit = unit;
        script.path = path;
        HeaderReader(script).read(*text);
        return true;
    });
    read_links(files, places, scripts);
    order_by_priority(scripts);

    std::vector<GeneratedFile> made;
    std::set<std::string> names;
    for (const Script& script : scripts)
        names.insert(script.unit);
    for (const Script& script : scripts) {
        made.push_back({script.unit, unit_text(script), {}});
        for (const std::string& target : script.wanted_by)
            made.push_back({target + ".wants/" + script.unit, {}, "../" + script.unit});
        for (const std::string& alias : script.aliases)
            if (!is_taken(alias) && names.insert(alias).second) // a script of that name is the real one
                made.push_back({alias, {}, script.unit});
    }
    return made;
}

bool has_init_scripts(const FileSource& files, const InitScriptPlaces& places, const std::function<bool(const std::string&)>& is_taken) {
    bool found = false;
    visit_scripts(files, places, is_taken, [&](const std::string&, const std::string&) {
        found = true;
        return false;
    });
    return found;
}

} // namespace monoinit::unit
