// See transient.hpp. What a value may not hold is what would make more than its own line of it: line ends, and a backslash
// at the end. Tested by tests/unit/unit/transient_test.cpp.
#include "unit/transient.hpp"

#include "base/strings.hpp"
#include "unit/directives.hpp"
#include "unit/implicit.hpp"
#include "unit/name.hpp"
#include "unit/parse.hpp"
#include "unit/words.hpp"

#include <algorithm>

namespace monoinit::unit {

using base::Errc;
using base::fail;
using base::Result;

namespace {

constexpr std::size_t words_at_most = 1000, text_at_most = 96 << 10, description_at_most = 160;

std::string without_specifiers(std::string_view text) {
    std::string out;
    for (const char c : text)
        out += c == '%' ? std::string("%%") : std::string(1, c);
    return out;
}

/// The value as it will stand behind "Name=".
Result<std::string> line_value(std::string_view what, std::string_view value) {
    if (!base::is_valid_utf8(value))
        return fail(Errc::Invalid, std::string(what) + " is not UTF-8");
    const bool controls = std::any_of(value.begin(), value.end(), [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7f; });
    if (controls)
        return fail(Errc::Invalid, std::string(what) + " holds a line end or another control character");
    if (value.ends_with('\\'))
        return fail(Errc::Invalid, std::string(what) + " ends in a backslash, which would take in the next line");
    return std::string(value);
}

std::string quoted(const std::string& word) {
    const std::string escaped = without_specifiers(word);
    return escaped == "#" ? "\"#\"" : quote_word(escaped); // alone it would look like a remark
}

/// Without `expand` no variables: they are the shell's that asked, or meant for one that is run.
Result<std::string> exec_start(const std::vector<std::string>& command, bool expand) {
    if (command.empty() || command.front().empty())
        return fail(Errc::Invalid, "no command");
    if (command.front().front() != '/')
        return fail(Errc::Invalid, "the command is not an absolute path: " + base::printable(command.front(), 80));
    if (command.size() > words_at_most)
        return fail(Errc::TooLarge, "more than " + std::to_string(words_at_most) + " arguments");
    std::string line;
    for (const std::string& word : command) {
        if (!base::is_valid_utf8(word) || word.find('\0') != std::string::npos)
            return fail(Errc::Invalid, "an argument is not UTF-8, or holds a NUL");
        line += line.empty() ? quoted((expand ? "" : ":") + word) : " " + quoted(word);
    }
    return line;
}

Result<std::string> health_line(std::string_view spec) {
    TRY(line_value("--health", spec));
    constexpr std::pair<std::string_view, std::string_view> kinds[] = {
        {"unix:", "UnixConnect"}, {"file:", "FileExists"}, {"log:", "LogLine"}, {"exec:", "Exec"}, {"tcp:", "TcpConnect"}};
    if (spec.starts_with("http://"))
        return "HttpGet=" + without_specifiers(spec);
    for (const auto& [prefix, key] : kinds)
        if (spec.starts_with(prefix))
            return std::string(key) + "=" + without_specifiers(spec.substr(prefix.size()));
    return "TcpConnect=" + without_specifiers(spec);
}

/// Of the sections of a unit; `own`: [Service], [Timer] …
struct Lines {
    UnitType type = UnitType::Service;
    bool literal = false;
    std::string unit, own, install;
};

/// What the bus calls TimeoutStopUSec= is TimeoutStopSec= in a file.
std::string file_name_of(UnitType type, const std::string& name) {
    if (!name.ends_with("USec"))
        return name;
    std::string seconds = name.substr(0, name.size() - 4) + "Sec";
    for (const std::string_view section : sections_of(type))
        if (find_directive(type, section, name) == nullptr && find_directive(type, section, seconds) != nullptr)
            return seconds;
    return name;
}

Result<void> add_property(Lines& lines, const std::string& property) {
    const std::size_t equals = property.find('=');
    if (equals == std::string::npos || equals == 0)
        return fail(Errc::Invalid, "-p " + base::printable(property, 80) + ": not of the form NAME=VALUE");
    const std::string name = file_name_of(lines.type, property.substr(0, equals));
    std::string value = TRY(line_value(base::printable(name, 80) + "=", std::string_view(property).substr(equals + 1)));
    if (lines.literal)
        value = without_specifiers(value);
    std::vector<std::string_view> known;
    for (const std::string_view section : sections_of(lines.type)) {
        if (find_directive(lines.type, section, name) != nullptr) {
            std::string& text = section == "Unit" ? lines.unit : section == "Install" ? lines.install : lines.own;
            text += name + "=" + value + "\n";
            return {};
        }
        const auto names = names_in_section(lines.type, section);
        known.insert(known.end(), names.begin(), names.end());
    }
    const std::string_view best = base::closest(name, known);
    return fail(Errc::Invalid, "-p: there is no directive " + base::printable(name, 80) + "=" +
                                   (best.empty() ? std::string() : "; did you mean " + std::string(best) + "=?"));
}

Result<void> add_plain(Lines& lines, std::string_view directive, const std::string& value) {
    if (value.empty())
        return {};
    const std::string line = TRY(line_value(std::string(directive) + "=", value));
    if (base::trim(line) != line)
        return fail(Errc::Invalid, std::string(directive) + "= begins or ends with a blank");
    lines.own += std::string(directive) + "=" + without_specifiers(line) + "\n";
    return {};
}

Result<std::string> make_text(const TransientSpec& spec) {
    Lines lines{.type = UnitType::Service, .literal = spec.literal};
    std::string description = spec.description;
    if (description.empty()) // a bracket at the end, lest a backslash stands there
        description = base::printable(base::join(spec.command, " "), description_at_most) + " (" + spec.maker + ")";
    lines.unit = "Description=" + without_specifiers(TRY(line_value("the description", description))) + "\n";
    lines.own = "Type=exec\nExecStart=" + TRY(exec_start(spec.command, spec.expand_variables)) + "\n";
    TRY(add_plain(lines, "WorkingDirectory", spec.working_directory));
    TRY(add_plain(lines, "User", spec.user));
    TRY(add_plain(lines, "Restart", spec.restart));
    for (const std::string& assignment : spec.environment) {
        if (!base::is_valid_utf8(assignment))
            return fail(Errc::Invalid, "--env: not UTF-8");
        lines.own += "Environment=" + quoted(assignment) + "\n";
    }
    for (const std::string& property : spec.properties)
        TRY(add_property(lines, property));
    std::string text = "# Made by " + spec.maker + ".\n[Unit]\n" + lines.unit + "\n[Service]\n" + lines.own;
    if (!spec.health.empty())
        text += "\n[X-Health]\n" + TRY(health_line(spec.health)) + "\n";
    if (!lines.install.empty())
        text += "\n[Install]\n" + lines.install;
    return text;
}

/// What the parser and the loader would have against it.
Result<void> check_text(const Environment& environment, const std::string& name, const std::string& text) {
    if (text.size() > text_at_most)
        return fail(Errc::TooLarge, "all together more than " + std::to_string(text_at_most >> 10) + " kB");
    UnitConfig unit;
    unit.name = name;
    unit.names = {name};
    unit.type = *type_of(name);
    unit.files = {name};
    parse_unit_text(environment, unit, text);
    if (!unit.problems.empty()) {
        const Problem& first = unit.problems.front();
        return fail(Errc::Invalid, first.text + (first.suggestion.empty() ? "" : "; did you mean " + first.suggestion + "?"));
    }
    fill_defaults(environment, unit);
    check_settings(unit);
    if (unit.load_state == LoadState::BadSetting)
        return fail(Errc::Invalid, unit.load_error);
    return {};
}

} // namespace

Result<std::string> transient_unit(const Environment& environment, const TransientSpec& spec) {
    if (!is_valid_name(spec.name) || is_template(spec.name) || type_of(spec.name) != UnitType::Service)
        return fail(Errc::Invalid, base::printable(spec.name, 80) + " is not a valid name of a service");
    std::string text = TRY(make_text(spec));
    TRY(check_text(environment, spec.name, text));
    return text;
}

Result<std::string> transient_trigger(const Environment& environment, const TriggerSpec& spec) {
    const auto type = is_valid_name(spec.name) && !is_template(spec.name) ? type_of(spec.name) : std::nullopt;
    if (type != UnitType::Timer && type != UnitType::Socket && type != UnitType::Path && type != UnitType::Scope)
        return fail(Errc::Invalid, base::printable(spec.name, 80) + " is not a valid name of a timer, socket, path or scope");
    Lines lines{.type = *type, .literal = spec.literal};
    lines.unit = "Description=" + without_specifiers(TRY(line_value("the description", spec.description))) + "\n";
    for (const std::string& property : spec.properties)
        TRY(add_property(lines, property));
    const std::string_view own = *type == UnitType::Timer ? "Timer" : *type == UnitType::Socket ? "Socket" : *type == UnitType::Path ? "Path" : "Scope";
    std::string text = "# Made by " + spec.maker + ".\n[Unit]\n" + lines.unit + "\n[" + std::string(own) + "]\n" + lines.own;
    if (!lines.install.empty())
        text += "\n[Install]\n" + lines.install;
    TRY(check_text(environment, spec.name, text));
    return text;
}

std::optional<std::string> beyond_own_rights(std::string_view text) {
    constexpr std::string_view unit_keys[] = {"Description", "Documentation", "After", "StartLimitIntervalSec", "StartLimitBurst"};
    constexpr std::string_view service_keys[] = {"Type", "ExecStart", "WorkingDirectory", "User", "Restart", "RestartSec", "RestartSteps",
                                                 "RestartMaxDelaySec", "Environment", "TimeoutStartSec", "TimeoutStopSec", "KillSignal",
                                                 "SuccessExitStatus", "RemainAfterExit", "UMask", "X-Ports"};
    constexpr std::string_view scope_keys[] = {"RuntimeMaxSec", "TimeoutStopSec", "KillSignal", "SendSIGHUP"};
    const auto holds = [](auto& keys, std::string_view key) { return std::find(std::begin(keys), std::end(keys), key) != std::end(keys); };
    std::string_view section;
    for (std::string_view line : base::split(text, '\n')) {
        line = base::trim(line);
        if (line.empty() || line.front() == '#' || line.front() == ';')
            continue;
        if (line.ends_with('\\'))
            return "a line that goes on in the next";
        if (line.front() == '[') {
            section = line.substr(1, line.size() - 1 - (line.ends_with(']') ? 1 : 0));
            if (section != "Unit" && section != "Service" && section != "Scope" && !section.starts_with("X-Health"))
                return "section [" + base::printable(section, 80) + "]";
            continue;
        }
        const std::string_view key = base::trim(line.substr(0, line.find('=')));
        const bool stream = section == "Service" && key.starts_with("Standard") && base::trim(line.substr(std::min(line.find('=') + 1, line.size()))).starts_with("fd:");
        const bool own = section == "Unit" ? holds(unit_keys, key) : section == "Service" ? stream || holds(service_keys, key) : section == "Scope" ? holds(scope_keys, key) : section.starts_with("X-Health");
        if (!own)
            return base::printable(key, 80) + "=";
    }
    return std::nullopt;
}

bool is_transient_path(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    return slash != std::string_view::npos && path.substr(0, slash).ends_with("/transient");
}

} // namespace monoinit::unit
