// The codecs that are more than a line. Error texts never hold the value (they go to the log).
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

namespace codec {

namespace {

using Strings = std::vector<std::string>;

std::string joined(const Strings& words) {
    std::string text;
    for (const auto& word : words)
        (text += text.empty() ? "" : " ") += quote_word(word);
    return text;
}

/// Words with specifiers expanded; those that `fits` refuses are left out with a note.
template <class Fits>
Result<void> add_words(ParseContext& context, Value value, unsigned flags, Strings& field, Fits fits, const char* complaint) {
    if (value.empty()) {
        field.clear();
        return {};
    }
    for (auto& word : TRY(split_words(value, flags))) {
        auto expanded = expand(context, std::move(word));
        if (!expanded)
            note(context, expanded.error().what);
        else if (!fits(*expanded))
            note(context, complaint);
        else
            field.push_back(std::move(*expanded));
    }
    return {};
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

/// "CAP_A ~…": mask and whether it is inverted. Unknown names are noted.
struct CapabilityWords {
    std::uint64_t mask = 0;
    bool invert = false;
};

Result<CapabilityWords> capability_words(ParseContext& context, Value value) {
    CapabilityWords words;
    if (value.starts_with('~')) {
        words.invert = true;
        value.remove_prefix(1);
    }
    for (const auto& word : TRY(split_words(value, Unquote))) {
        if (const auto number = capability_from_name(word))
            words.mask |= std::uint64_t{1} << *number;
        else
            note(context, "no such capability, left out");
    }
    return words;
}

/// The first setting and an empty one replace; later ones add, or take away with "~".
std::uint64_t merged(std::uint64_t old, std::uint64_t initial, CapabilityWords words) {
    if (words.mask == 0 || old == initial)
        return words.invert ? ~words.mask : words.mask;
    return words.invert ? old & ~words.mask : old | words.mask;
}

/// "name:rest" or "name"; the rest of "fd:" and kin.
struct Tagged {
    std::string_view tag, rest;
    bool colon = false;
};

Tagged tagged(Value value) {
    const auto colon = value.find(':');
    if (colon == Value::npos)
        return {value, {}, false};
    return {value.substr(0, colon), value.substr(colon + 1), true};
}

} // namespace

// ---- one value ------------------------------------------------------------------------------------------------------

Result<void> Text::parse(ParseContext& context, Value value, std::string& field) {
    field = TRY(expand(context, std::string(value)));
    return {};
}

Result<void> Path::parse(ParseContext& context, Value value, std::string& field) {
    field = value.empty() ? std::string() : TRY(absolute_path(context, value));
    return {};
}

Result<void> PidPath::parse(ParseContext& context, Value value, std::string& field) {
    if (value.empty() || value.starts_with('/') || value.starts_with('%'))
        return Path::parse(context, value, field);
    return Path::parse(context, context.environment.runtime_directory_root + "/" + std::string(value), field);
}

Result<void> NanoSpan::parse(ParseContext& context, Value value, std::optional<std::uint64_t>& field) {
    // Spans are kept in microseconds; this one alone counts in nanoseconds, and a bare number means those.
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max() / 1000;
    if (const auto plain = parse_integer(value, 0, std::numeric_limits<std::int64_t>::max())) {
        field = static_cast<std::uint64_t>(*plain);
        return {};
    }
    for (const std::string_view suffix : {"nsec", "ns"})
        if (value.ends_with(suffix))
            return parse(context, base::trim(value.substr(0, value.size() - suffix.size())), field);
    const Duration span = TRY(base::parse_time_span(value, Duration(1)));
    if (span == infinity || static_cast<std::uint64_t>(span.count()) > most)
        return fail(Errc::Invalid, "time span too large");
    field = static_cast<std::uint64_t>(span.count()) * 1000;
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

// ---- lists ------------------------------------------------------------------------------------------------------------

Result<void> Words::parse(ParseContext& context, Value value, Strings& field) {
    return add_words(context, value, Unquote | CUnescape, field, [](const auto&) { return true; }, "");
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
    for (auto& word : TRY(split_words(value, paths ? unsigned{Unquote} : Unquote | RetainEscape))) {
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
            value = base::trim(value.substr(1));
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

// ---- execution --------------------------------------------------------------------------------------------------------

Result<void> add_commands(ParseContext& context, Value value, std::vector<Command>& commands) {
    if (value.empty()) {
        commands.clear();
        return {};
    }
    return parse_command_line(context, value, commands);
}

std::string show_commands(const std::vector<Command>& commands) {
    std::string text;
    for (const auto& command : commands)
        (text += text.empty() ? "" : " ; ") += format_command(command);
    return text;
}

Result<void> set_limit(Value value, int resource, std::vector<ResourceLimit>& limits) {
    const auto is_it = [&](const ResourceLimit& limit) { return limit.resource == resource; };
    if (value.empty()) {
        std::erase_if(limits, is_it);
        return {};
    }
    const auto limit = TRY(parse_limit(resource, value));
    std::erase_if(limits, is_it);
    limits.push_back(limit);
    return {};
}

std::string show_limit(const std::vector<ResourceLimit>& limits, int resource) {
    for (const auto& limit : limits)
        if (limit.resource == resource)
            return format_limit(limit);
    return {};
}

Result<void> DirectoryNames::parse(ParseContext& context, Value value, Strings& field) {
    const auto fits = [](std::string_view word) {
        const auto path = word.substr(0, word.find(':'));
        return !path.empty() && path.front() != '/' && !has_parent_part(path) && path != "private" && !path.starts_with("private/");
    };
    return add_words(context, value, Unquote | CUnescape, field, fits, "a path that is not relative, or has \"..\", left out");
}

Result<void> Account::parse(ParseContext& context, Value value, std::string& field) {
    if (value.empty()) {
        field.clear();
        return {};
    }
    auto name = expand(context, std::string(value));
    if (name && is_account_name(*name)) {
        field = std::move(*name);
        return {};
    }
    context.refuse = true;
    return name ? fail(Errc::Invalid, "not a valid user or group") : std::move(name).error();
}

Result<void> Accounts::parse(ParseContext& context, Value value, Strings& field) {
    if (value.empty())
        field.clear();
    for (const auto& word : TRY(split_words(value, Unquote))) {
        std::string name;
        TRY(Account::parse(context, word, name));
        field.push_back(std::move(name));
    }
    return {};
}

Result<void> WorkingDirectory::parse(ParseContext& context, Value value, ExecSection& section) {
    const bool optional = value.starts_with('-');
    if (optional)
        value.remove_prefix(1);
    if (value.empty() || value == "~") {
        section.working_directory = value;
    } else {
        auto path = absolute_path(context, value);
        if (!path) {
            context.refuse = !optional;
            return std::move(path).error();
        }
        section.working_directory = std::move(*path);
    }
    section.working_directory_optional = optional;
    return {};
}

std::string WorkingDirectory::show(const ExecSection& section) {
    return (section.working_directory_optional ? "-" : "") + section.working_directory;
}

Result<void> Input::parse(ParseContext& context, Value value, ExecSection& section) {
    const auto [tag, rest, colon] = tagged(value);
    const auto kind = base::value_of(stdin_names, tag);
    const bool takes_rest = kind == StdinKind::File || kind == StdinKind::Fd;
    if (!kind || (colon && !takes_rest) || (kind == StdinKind::File && !colon))
        return not_one_of(context, value, words_of(stdin_names));
    std::string target;
    if (*kind == StdinKind::File)
        target = TRY(absolute_path(context, rest));
    else if (*kind == StdinKind::Fd)
        target = rest.empty() ? "stdin" : TRY(expand(context, std::string(rest)));
    section.standard_input = *kind;
    section.standard_input_target = std::move(target);
    return {};
}

std::string Input::show(const ExecSection& section) {
    const auto& target = section.standard_input_target;
    return std::string(base::name_of(stdin_names, section.standard_input)) + (target.empty() ? "" : ":" + target);
}

Result<void> InputText::parse(ParseContext& context, Value value, std::string& field) {
    if (value.empty()) {
        field.clear();
        return {};
    }
    std::string text = TRY(c_unescape(value));
    field += TRY(expand(context, std::move(text))) + "\n";
    return {};
}

std::string InputText::show(const std::string& field) {
    std::string text;
    for (const char c : std::string_view(field).substr(0, field.ends_with('\n') ? field.size() - 1 : field.size()))
        if (c == '\n')
            text += "\\n";
        else
            (text += c == '\\' ? "\\" : "") += c;
    return text;
}

Result<void> InputData::parse(ParseContext&, Value value, std::string& field) {
    if (value.empty()) {
        field.clear();
        return {};
    }
    field += TRY(decode_base64(value));
    return {};
}

Result<void> OutputStream::parse(ParseContext& context, Value value, Output& field) {
    const auto [tag, rest, colon] = tagged(value);
    const auto kind = base::value_of(stdout_names, tag);
    const bool path = kind == StdoutKind::File || kind == StdoutKind::Append || kind == StdoutKind::Truncate;
    if (!kind || (colon && !path && kind != StdoutKind::Fd) || (path && !colon))
        return not_one_of(context, value, words_of(stdout_names));
    std::string target;
    if (path)
        target = TRY(absolute_path(context, rest));
    else if (*kind == StdoutKind::Fd)
        target = TRY(expand(context, std::string(rest)));
    field = {*kind, std::move(target)};
    return {};
}

std::string OutputStream::show(const Output& field) {
    return std::string(base::name_of(stdout_names, field.kind)) + (field.target.empty() ? "" : ":" + field.target);
}

Result<void> BoundingSet::parse(ParseContext& context, Value value, std::optional<std::uint64_t>& field) {
    field = merged(field.value_or(all_capabilities), all_capabilities, TRY(capability_words(context, value)));
    return {};
}

std::string BoundingSet::show(const std::optional<std::uint64_t>& field) {
    return field ? format_capabilities(*field) : std::string();
}

Result<void> AmbientSet::parse(ParseContext& context, Value value, std::uint64_t& field) {
    field = merged(field, 0, TRY(capability_words(context, value)));
    return {};
}

// clang-format off
static constexpr auto secure_bit_names = base::enum_names<int>({
    {1 << 4, "keep-caps"}, {1 << 5, "keep-caps-locked"}, {1 << 2, "no-setuid-fixup"}, {1 << 3, "no-setuid-fixup-locked"},
    {1 << 0, "noroot"}, {1 << 1, "noroot-locked"}});
// clang-format on

Result<void> SecureBitSet::parse(ParseContext& context, Value value, std::optional<int>& field) {
    int bits = value.empty() ? 0 : field.value_or(0);
    for (const auto& word : TRY(split_words(value, Unquote))) {
        if (const auto bit = base::value_of(secure_bit_names, word))
            bits |= *bit;
        else
            note(context, not_one_of(context, word, words_of(secure_bit_names)).what);
    }
    field = bits;
    return {};
}

std::string SecureBitSet::show(const std::optional<int>& field) {
    Strings words;
    for (const auto& [bit, word] : secure_bit_names)
        if ((field.value_or(0) & bit) != 0)
            words.emplace_back(word);
    return base::join(words, " ");
}

Result<void> CpuList::parse(ParseContext&, Value value, std::vector<std::uint16_t>& field) {
    if (value.empty()) {
        field.clear();
        return {};
    }
    for (const auto cpu : TRY(parse_cpu_list(value)))
        field.push_back(cpu);
    std::sort(field.begin(), field.end());
    field.erase(std::unique(field.begin(), field.end()), field.end());
    return {};
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
