// The codecs of values, lists and [Unit] that are more than a line. Error texts never hold the value (they go to the log).
// Tested by tests/unit/unit/directives_test.cpp and parse_test.cpp.
#include "unit/codecs.hpp"

#include "base/strings.hpp"
#include "unit/name.hpp"
#include "unit/specifier.hpp"
#include "unit/words.hpp"

#include <algorithm>

namespace monoinit::unit {

using base::Errc;
using base::fail;
using base::Result;

Result<std::string> expand(const ParseContext& context, std::string text) {
    if (text.find('%') == std::string::npos)
        return text;
    const auto& files = context.unit.files;
    return expand_specifiers(context.environment, context.unit.name, files.empty() ? std::string_view{} : files.front(), text);
}

void note(ParseContext& context, std::string text) {
    Problem problem{Problem::Kind::BadValue};
    problem.line = context.line;
    problem.text = std::move(text);
    context.unit.problems.push_back(std::move(problem));
}

base::Error not_one_of(ParseContext& context, std::string_view value, const std::vector<std::string_view>& words) {
    std::string text = "not one of ";
    for (const auto word : words) {
        if (word != words.front())
            text += ", ";
        text += word;
    }
    context.suggestion = base::closest(value, words);
    return fail(Errc::Invalid, std::move(text));
}

Result<std::string> absolute_path(const ParseContext& context, std::string_view value) {
    const std::string path = TRY(expand(context, std::string(value)));
    if (!path.starts_with('/'))
        return fail(Errc::Invalid, "not an absolute path");
    if (has_parent_part(path))
        return fail(Errc::Invalid, "a path with \"..\" in it");
    return simplify_path(path);
}

Result<void> add_words(ParseContext& context, std::string_view value, unsigned flags, std::vector<std::string>& field,
                       bool (*fits)(std::string_view), std::string_view complaint) {
    if (value.empty()) {
        field.clear();
        return {};
    }
    for (auto& word : TRY(split_words(value, flags))) {
        auto expanded = expand(context, std::move(word));
        if (!expanded)
            note(context, expanded.error().what);
        else if (!fits(*expanded))
            note(context, std::string(complaint));
        else
            field.push_back(std::move(*expanded));
    }
    return {};
}

namespace codec {

using Strings = std::vector<std::string>;

namespace {

std::string joined(const Strings& words) {
    std::string text;
    for (const auto& word : words)
        (text += text.empty() ? "" : " ") += quote_word(word);
    return text;
}

/// The name a dependency means: of a template the instance that fits this unit.
std::string dependency_name(const UnitConfig& unit, std::string name) {
    if (!is_template(name))
        return name;
    const auto instance = instance_of(unit.name);
    return with_instance(name, instance.empty() ? prefix_of(unit.name) : instance);
}

bool takes_path(ConditionKind kind) {
    return kind <= ConditionKind::FileIsExecutable || kind == ConditionKind::NeedsUpdate;
}

} // namespace

// ---- one value ------------------------------------------------------------------------------------------------------

Result<void> Text::parse(ParseContext& context, Value value, std::string& field) {
    field = TRY(expand(context, std::string(value)));
    return {};
}

Result<void> BusName::parse(ParseContext& context, Value value, std::string& field) {
    constexpr std::size_t longest = 255;
    std::string name;
    TRY(Text::parse(context, value, name));
    const std::vector<std::string_view> parts = base::split(std::string_view(name), '.');
    const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
    const bool valid = name.size() <= longest && parts.size() > 1 && std::ranges::all_of(parts, [&](std::string_view part) {
        return !part.empty() && !(part[0] >= '0' && part[0] <= '9') && std::ranges::all_of(part, good);
    });
    if (!name.empty() && !valid)
        return fail(Errc::Invalid, "not a name on a bus, as org.example.App is");
    field = std::move(name);
    return {};
}

Result<void> Path::parse(ParseContext& context, Value value, std::string& field) {
    field = value.empty() ? std::string() : TRY(absolute_path(context, value));
    return {};
}

Result<void> RequiredPath::parse(ParseContext& context, Value value, std::string& field) {
    auto parsed = Path::parse(context, value, field);
    context.refuse = !parsed;
    return parsed;
}

Result<void> PidPath::parse(ParseContext& context, Value value, std::string& field) {
    const auto expanded = expand(context, std::string(value));
    if (value.empty() || !expanded || expanded->starts_with('/'))
        return Path::parse(context, value, field);
    return Path::parse(context, context.environment.runtime_directory_root + "/" + std::string(value), field);
}

Result<void> NanoSpan::parse(ParseContext& context, Value value, std::optional<std::uint64_t>& field) {
    // Spans are kept in microseconds; this one alone counts in nanoseconds, and a bare number means those.
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    if (const auto plain = parse_integer(value, 0, std::numeric_limits<std::int64_t>::max())) {
        field = static_cast<std::uint64_t>(*plain);
        return {};
    }
    for (const std::string_view suffix : {"nsec", "ns"})
        if (value.ends_with(suffix))
            return parse(context, base::trim(value.substr(0, value.size() - suffix.size())), field);
    const Duration span = TRY(base::parse_time_span(value, Duration(1)));
    const auto usec = static_cast<std::uint64_t>(span.count());
    field = span == infinity || usec > most / 1000 ? most : usec * 1000;
    return {};
}

std::string NanoSpan::show(const std::optional<std::uint64_t>& field) {
    return field ? std::to_string(*field) : std::string();
}

Result<void> SignalNumber::parse(ParseContext&, Value value, int& field) {
    const auto signal = base::signal_from_name(value);
    if (!signal)
        return fail(Errc::Invalid, "no such signal");
    field = *signal;
    return {};
}

Result<void> PreserveMode::parse(ParseContext& context, Value value, Preserve& field) {
    if (const auto yes = parse_bool(value)) {
        field = *yes ? Preserve::Yes : Preserve::No;
        return {};
    }
    return Enum<preserve_names>::parse(context, value, field);
}

Result<void> StdoutLevel::parse(ParseContext& context, Value value, int& field) {
    constexpr int least = 7;
    if (const auto number = parse_integer(value, 0, least)) {
        field = static_cast<int>(*number);
        return {};
    }
    if (const auto yes = parse_bool(value)) {
        field = *yes ? least : LogSection::no_level;
        return {};
    }
    return Enum<syslog_level_names>::parse(context, value, field);
}

std::string StdoutLevel::show(int field) {
    return field == LogSection::no_level ? Bool::show(false) : Enum<syslog_level_names>::show(field);
}

// ---- lists ------------------------------------------------------------------------------------------------------------

Result<void> Words::parse(ParseContext& context, Value value, Strings& field) {
    return add_words(context, value, Unquote | CUnescape, field, [](std::string_view) { return true; }, "");
}

std::string Words::show(const Strings& field) { return joined(field); }

Result<void> InstallNames::parse(ParseContext& context, Value value, Strings& field) {
    if (value.empty())
        field.clear();
    for (auto& word : TRY(split_words(value, Unquote | RetainEscape))) {
        if (word.find('%') == std::string::npos && !is_valid_name(word))
            note(context, "a word that is no unit name (with suffix, such as .target), left out");
        else
            field.push_back(std::move(word));
    }
    return {};
}

std::string InstallNames::show(const Strings& field) { return base::join(field, " "); }

Result<void> Ports::parse(ParseContext& context, Value value, std::vector<std::uint16_t>& field) {
    if (value.empty())
        field.clear();
    for (const auto& word : TRY(split_words(value, Unquote))) {
        const auto port = parse_integer(word, 1, 65535);
        if (!port)
            note(context, "a word that is no port (1 to 65535), left out");
        else if (std::find(field.begin(), field.end(), *port) == field.end())
            field.push_back(static_cast<std::uint16_t>(*port));
    }
    return {};
}

std::string Ports::show(const std::vector<std::uint16_t>& field) {
    std::string text;
    for (const std::uint16_t port : field)
        text += (text.empty() ? "" : " ") + std::to_string(port);
    return text;
}

Result<void> Urls::parse(ParseContext& context, Value value, Strings& field) {
    const auto fits = [](std::string_view word) {
        constexpr auto schemes = std::to_array<std::string_view>({"http://", "https://", "file:/", "info:", "man:"});
        return std::any_of(schemes.begin(), schemes.end(), [&](auto scheme) { return word.starts_with(scheme); });
    };
    return add_words(context, value, 0, field, fits, "not an address (http://, https://, file:, info:, man:), left out");
}

Result<void> Assignments::parse(ParseContext& context, Value value, Strings& field) {
    Strings added;
    if (value.empty())
        field.clear();
    TRY(add_words(context, value, Unquote | CUnescape, added, is_assignment, "a word that is not NAME=value, left out"));
    for (auto& one : added) { // the later of two with the same name wins, and stands where the first stood
        const auto name = one.substr(0, one.find('=') + 1);
        const auto same = std::find_if(field.begin(), field.end(), [&](const auto& old) { return old.starts_with(name); });
        if (same != field.end())
            *same = std::move(one);
        else
            field.push_back(std::move(one));
    }
    return {};
}

Result<void> JournalFields::parse(ParseContext& context, Value value, Strings& field) {
    const auto fits = [](std::string_view word) { // journald takes upper case only; a leading "_" is its own
        const auto name = word.substr(0, word.find('='));
        return name.size() < word.size() && name.size() <= 64 && is_variable_name(name) && name.front() != '_' &&
               std::none_of(name.begin(), name.end(), [](char c) { return c >= 'a' && c <= 'z'; });
    };
    return add_words(context, value, Unquote | CUnescape, field, fits, "a word that is not FIELD=value in capitals, left out");
}

Result<void> FilterPatterns::parse(ParseContext&, Value value, Strings& field) {
    if (value.empty())
        field.clear();
    else
        field.emplace_back(value);
    return {};
}

std::string FilterPatterns::show(const Strings& field) { return base::join(field, "\n"); }

Result<void> VariableNames::parse(ParseContext& context, Value value, Strings& field) {
    return add_words(context, value, Unquote, field, is_variable_name, "a word that is no variable's name, left out");
}

Result<void> VariablesToUnset::parse(ParseContext& context, Value value, Strings& field) {
    const auto fits = [](std::string_view word) { return is_variable_name(word) || is_assignment(word); };
    return add_words(context, value, Unquote | CUnescape, field, fits, "a word that is neither NAME nor NAME=value, left out");
}

Result<void> EnvironmentFiles::parse(ParseContext& context, Value value, std::vector<EnvironmentFile>& field) {
    if (value.empty()) {
        field.clear();
        return {};
    }
    EnvironmentFile file;
    file.optional = value.starts_with('-');
    file.path = TRY(absolute_path(context, file.optional ? value.substr(1) : value));
    file.file = context.file;
    file.line = context.line;
    field.push_back(std::move(file));
    return {};
}

std::string EnvironmentFiles::show(const std::vector<EnvironmentFile>& field) {
    std::string text;
    for (const auto& file : field)
        text += std::string(text.empty() ? "" : "\n") + (file.optional ? "-" : "") + file.path;
    return text;
}

Result<void> add_dependencies(ParseContext& context, Value value, DependencyKind kind, std::vector<Dependency>& field) {
    const bool paths = kind == DependencyKind::RequiresMountsFor || kind == DependencyKind::WantsMountsFor;
    for (auto& word : TRY(split_words(value, paths ? Unquote : RetainEscape))) {
        auto name = paths ? absolute_path(context, word) : expand(context, std::move(word));
        if (name && !paths) {
            name = dependency_name(context.unit, std::move(*name));
            if (!is_valid_name(*name) || is_template(*name))
                name = fail(Errc::Invalid, "a word that is no unit name (with suffix, such as .service), left out");
        }
        if (!name) {
            note(context, name.error().what);
            continue;
        }
        field.push_back({kind, Origin::File, context.file, context.line, std::move(*name)});
    }
    return {};
}

std::string show_dependencies(const std::vector<Dependency>& field, DependencyKind kind) {
    std::string text;
    for (const auto& dependency : field)
        if (dependency.kind == kind)
            (text += text.empty() ? "" : " ") += dependency.name;
    return text;
}

Result<void> add_condition(ParseContext& context, Value value, Condition condition, std::vector<Condition>& field) {
    if (value.empty()) { // resets conditions of all kinds, or assertions
        std::erase_if(field, [&](const Condition& old) { return old.assertion == condition.assertion; });
        return {};
    }
    const auto take = [&](char sign) {
        const bool there = value.starts_with(sign);
        if (there)
            value.remove_prefix(1);
        return there;
    };
    condition.trigger = take('|');
    condition.negate = take('!');
    condition.parameter = takes_path(condition.kind) ? TRY(absolute_path(context, value)) : TRY(expand(context, std::string(value)));
    condition.file = context.file;
    condition.line = context.line;
    field.push_back(std::move(condition));
    return {};
}

std::string show_conditions(const std::vector<Condition>& field, ConditionKind kind, bool assertion) {
    std::string text;
    for (const auto& one : field)
        if (one.kind == kind && one.assertion == assertion)
            text += std::string(text.empty() ? "" : "\n") + (one.trigger ? "|" : "") + (one.negate ? "!" : "") + one.parameter;
    return text;
}

// ---- [Unit], [Service] ------------------------------------------------------------------------------------------------

Result<void> ExitStatuses::parse(ParseContext& context, Value value, ExitStatusSet& field) {
    if (value.empty())
        field = {};
    for (const auto& word : TRY(split_words(value, Unquote)))
        if (const auto added = add_exit_status(field, word); !added)
            note(context, added.error().what + ", left out");
    return {};
}

Result<void> Type::parse(ParseContext& context, Value value, ServiceSection& section) {
    TRY(Enum<service_type_names>::parse(context, value, section.type));
    section.type_set = true;
    return {};
}

std::string Type::show(const ServiceSection& section) { return std::string(base::name_of(service_type_names, section.type)); }

Result<void> JobTimeout::parse(ParseContext& context, Value value, UnitSection& section) {
    TRY(Timeout::parse(context, value, section.job_timeout));
    if (!section.job_running_timeout_set)
        section.job_running_timeout = section.job_timeout;
    return {};
}

Result<void> JobRunningTimeout::parse(ParseContext& context, Value value, UnitSection& section) {
    TRY(Timeout::parse(context, value, section.job_running_timeout));
    section.job_running_timeout_set = true;
    return {};
}

Result<void> BothTimeouts::parse(ParseContext& context, Value value, ServiceSection& section) {
    TRY(Timeout::parse(context, value, section.timeout_stop));
    section.timeout_start = section.timeout_stop;
    return {};
}

} // namespace codec

} // namespace monoinit::unit
