#pragma once
// Codecs of the directive table: each reads a value into a field and prints the field as a unit file would say it.
// A codec has `type` (for the reference page), parse() and show(); parse() returns an error where systemd ignores the
// whole setting, note()s where it ignores a part. Only the table files include this.
// Tested by tests/unit/unit/directives_test.cpp, which runs every row.

#include "base/enum_names.hpp"
#include "base/strings.hpp"
#include "unit/codec_tools.hpp"
#include "unit/command_line.hpp"
#include "unit/directives.hpp"
#include "unit/enums.hpp"
#include "unit/values.hpp"

#include <array>
#include <limits>

namespace monoinit::unit::codec {

using base::Result;
using Value = std::string_view;

// ---- one value ------------------------------------------------------------------------------------------------------

struct Bool {
    static constexpr base::Literal type = "yes or no";
    static Result<void> parse(ParseContext&, Value value, bool& field) {
        field = TRY(parse_bool(value));
        return {};
    }
    static std::string show(bool field) { return field ? "yes" : "no"; }
};

/// Text with specifiers; empty resets.
struct Text {
    static constexpr base::Literal type = "text";
    static Result<void> parse(ParseContext& context, Value value, std::string& field);
    static std::string show(const std::string& field) { return field; }
};

/// A well-known name on a bus, "org.example.App"; empty resets.
struct BusName : Text {
    static constexpr base::Literal type = "bus name";
    static Result<void> parse(ParseContext& context, Value value, std::string& field);
};

/// Absolute path; empty resets.
struct Path {
    static constexpr base::Literal type = "path";
    static Result<void> parse(ParseContext& context, Value value, std::string& field);
    static std::string show(const std::string& field) { return field; }
};

/// RootDirectory=: a wrong one makes the unit unusable, as running outside it would be worse.
struct RequiredPath : Path {
    static Result<void> parse(ParseContext& context, Value value, std::string& field);
};

/// PIDFile=: a relative one is below the runtime directory.
struct PidPath : Path {
    static Result<void> parse(ParseContext& context, Value value, std::string& field);
};

struct TimeSpan {
    static constexpr base::Literal type = "time span";
    static Result<void> parse(ParseContext&, Value value, Duration& field) {
        field = TRY(base::parse_time_span(value));
        return {};
    }
    static std::string show(Duration field) { return base::format_time_span(field); }
};

/// A time limit: 0 means none, as infinity does.
struct Timeout : TimeSpan {
    static Result<void> parse(ParseContext&, Value value, Duration& field) {
        const Duration span = TRY(base::parse_time_span(value));
        field = span.count() == 0 ? infinity : span;
        return {};
    }
};

struct NanoSpan {
    static constexpr base::Literal type = "time span";
    static Result<void> parse(ParseContext&, Value value, std::optional<std::uint64_t>& field);
    static std::string show(const std::optional<std::uint64_t>& field);
};

struct Mode {
    static constexpr base::Literal type = "mode";
    static Result<void> parse(ParseContext&, Value value, std::uint32_t& field) {
        field = TRY(parse_mode(value, 07777));
        return {};
    }
    static std::string show(std::uint32_t field) { return format_mode(field); }
};

struct SignalNumber {
    static constexpr base::Literal type = "signal";
    static Result<void> parse(ParseContext&, Value value, int& field);
    static std::string show(int field) { return field == 0 ? std::string() : base::signal_name(field); }
};

template <std::int64_t Least, std::int64_t Most> struct Number {
    static constexpr base::Literal type = "number";
    template <class T> static Result<void> parse(ParseContext&, Value value, T& field) {
        field = static_cast<T>(TRY(parse_integer(value, Least, Most)));
        return {};
    }
    template <class T> static std::string show(T field) { return std::to_string(field); }
};
using Unsigned = Number<0, std::numeric_limits<std::uint32_t>::max()>;

/// Unset until given; an empty value unsets.
template <class Codec> struct Optional {
    static constexpr base::Literal type = Codec::type;
    template <class T> static Result<void> parse(ParseContext& context, Value value, std::optional<T>& field) {
        if (value.empty()) {
            field.reset();
            return {};
        }
        T parsed{};
        TRY(Codec::parse(context, value, parsed));
        field = parsed;
        return {};
    }
    template <class T> static std::string show(const std::optional<T>& field) {
        return field ? Codec::show(*field) : std::string();
    }
};

template <class E, std::size_t N> std::vector<std::string_view> words_of(const base::EnumNames<E, N>& names) {
    std::vector<std::string_view> words;
    for (const auto& row : names)
        words.push_back(row.second);
    return words;
}

/// "a, b or c", for the reference page.
template <const auto& Names> struct JoinedWords {
    static constexpr std::size_t size = [] {
        std::size_t sum = 0;
        for (const auto& row : Names)
            sum += row.second.size() + 2;
        return sum - 2;
    }();
    static constexpr auto text = [] {
        std::array<char, size + 1> joined{};
        std::size_t at = 0;
        for (const auto& row : Names) {
            if (at != 0) {
                joined[at++] = ',';
                joined[at++] = ' ';
            }
            for (const char c : row.second)
                joined[at++] = c;
        }
        return joined;
    }();
    static constexpr base::Literal words{text.data()};
};

template <const auto& Names> struct Enum {
    static constexpr base::Literal type = JoinedWords<Names>::words;
    template <class E> static Result<void> parse(ParseContext& context, Value value, E& field) {
        const auto found = base::value_of(Names, value);
        if (!found)
            return not_one_of(context, value, words_of(Names));
        field = *found;
        return {};
    }
    template <class E> static std::string show(E field) { return std::string(base::name_of(Names, field)); }
};

/// An enum whose numbers are accepted too (syslog levels, CPU policies).
template <const auto& Names, int Most, int Step = 1> struct NumberedEnum : Enum<Names> {
    static Result<void> parse(ParseContext& context, Value value, int& field) {
        if (const auto number = parse_integer(value, 0, Most)) {
            field = static_cast<int>(*number) * Step;
            return {};
        }
        return Enum<Names>::parse(context, value, field);
    }
};

/// X-LogStdout=: yes, no or a syslog level, whose numbers are accepted too.
struct StdoutLevel {
    static constexpr base::Literal type = "yes, no or a level";
    static Result<void> parse(ParseContext& context, Value value, int& field);
    static std::string show(int field);
};

/// Booleans or words: RuntimeDirectoryPreserve=.
struct PreserveMode {
    static constexpr base::Literal type = "yes, no or restart";
    static Result<void> parse(ParseContext& context, Value value, Preserve& field);
    static std::string show(Preserve field) { return std::string(base::name_of(preserve_names, field)); }
};

struct FailureJobModeFlag { ///< OnFailureIsolate=
    static constexpr base::Literal type = "yes or no";
    static Result<void> parse(ParseContext&, Value value, JobMode& field) {
        field = TRY(parse_bool(value)) ? JobMode::Isolate : JobMode::Replace;
        return {};
    }
    static std::string show(JobMode field) { return Bool::show(field == JobMode::Isolate); }
};

// ---- lists ------------------------------------------------------------------------------------------------------------

/// Words, specifiers expanded; empty resets.
struct Words {
    static constexpr base::Literal type = "words";
    static Result<void> parse(ParseContext& context, Value value, std::vector<std::string>& field);
    static std::string show(const std::vector<std::string>& field);
};

/// Words as written: [Install] is expanded when a unit is enabled.
struct InstallNames {
    static constexpr base::Literal type = "unit names";
    static Result<void> parse(ParseContext&, Value value, std::vector<std::string>& field);
    static std::string show(const std::vector<std::string>& field);
};

/// X-Ports=: they add up, an empty value resets.
struct Ports {
    static constexpr base::Literal type = "port numbers";
    static Result<void> parse(ParseContext&, Value value, std::vector<std::uint16_t>& field);
    static std::string show(const std::vector<std::uint16_t>& field);
};

struct RawText {
    static constexpr base::Literal type = "text";
    static Result<void> parse(ParseContext&, Value value, std::string& field) {
        field = value;
        return {};
    }
    static std::string show(const std::string& field) { return field; }
};

struct Urls : Words {
    static constexpr base::Literal type = "addresses";
    static Result<void> parse(ParseContext& context, Value value, std::vector<std::string>& field);
};

struct Assignments : Words {
    static constexpr base::Literal type = "NAME=value …";
    static Result<void> parse(ParseContext& context, Value value, std::vector<std::string>& field);
};

struct JournalFields : Words {
    static constexpr base::Literal type = "FIELD=value …";
    static Result<void> parse(ParseContext& context, Value value, std::vector<std::string>& field);
};

/// A whole line each; with "~" in front: of what is left out.
struct FilterPatterns : Words {
    static constexpr base::Literal type = "[~]regular expression";
    static Result<void> parse(ParseContext& context, Value value, std::vector<std::string>& field);
    static std::string show(const std::vector<std::string>& field);
};

struct VariableNames : Words {
    static constexpr base::Literal type = "variables";
    static Result<void> parse(ParseContext& context, Value value, std::vector<std::string>& field);
};

struct VariablesToUnset : Words {
    static constexpr base::Literal type = "NAME or NAME=value …";
    static Result<void> parse(ParseContext& context, Value value, std::vector<std::string>& field);
};

struct EnvironmentFiles {
    static constexpr base::Literal type = "path, \"-\" in front if it may be missing";
    static Result<void> parse(ParseContext& context, Value value, std::vector<EnvironmentFile>& field);
    static std::string show(const std::vector<EnvironmentFile>& field);
};

Result<void> add_dependencies(ParseContext& context, Value value, DependencyKind kind, std::vector<Dependency>& field);
std::string show_dependencies(const std::vector<Dependency>& field, DependencyKind kind);

template <DependencyKind Kind> struct Dependencies {
    static constexpr base::Literal type =
        Kind == DependencyKind::RequiresMountsFor || Kind == DependencyKind::WantsMountsFor ? "paths" : "unit names";
    static Result<void> parse(ParseContext& context, Value value, std::vector<Dependency>& field) {
        return add_dependencies(context, value, Kind, field);
    }
    static std::string show(const std::vector<Dependency>& field) { return show_dependencies(field, Kind); }
};

Result<void> add_condition(ParseContext& context, Value value, Condition condition, std::vector<Condition>& field);
std::string show_conditions(const std::vector<Condition>& field, ConditionKind kind, bool assertion);

template <ConditionKind Kind, bool Assertion> struct ConditionOf {
    static constexpr base::Literal type = "condition";
    static Result<void> parse(ParseContext& context, Value value, std::vector<Condition>& field) {
        return add_condition(context, value, Condition{Kind, Assertion}, field);
    }
    static std::string show(const std::vector<Condition>& field) { return show_conditions(field, Kind, Assertion); }
};

// ---- execution --------------------------------------------------------------------------------------------------------

Result<void> add_commands(ParseContext& context, Value value, std::vector<Command>& commands);
std::string show_commands(const std::vector<Command>& commands);

template <ExecList List> struct Commands {
    static constexpr base::Literal type = "command line";
    static Result<void> parse(ParseContext& context, Value value, ServiceSection& section) {
        return add_commands(context, value, section.commands[static_cast<std::size_t>(List)]);
    }
    static std::string show(const ServiceSection& section) { return show_commands(section.list(List)); }
};

Result<void> set_limit(Value value, int resource, std::vector<ResourceLimit>& limits);
std::string show_limit(const std::vector<ResourceLimit>& limits, int resource);

template <int Resource> struct Limit {
    static constexpr base::Literal type = "limit";
    static Result<void> parse(ParseContext&, Value value, std::vector<ResourceLimit>& field) {
        return set_limit(value, Resource, field);
    }
    static std::string show(const std::vector<ResourceLimit>& field) { return show_limit(field, Resource); }
};

struct DirectoryNames : Words {
    static constexpr base::Literal type = "relative paths";
    static Result<void> parse(ParseContext& context, Value value, std::vector<std::string>& field);
};

template <DirectoryKind Kind> struct DirectoriesOf {
    static constexpr base::Literal type = DirectoryNames::type;
    static constexpr auto index = static_cast<std::size_t>(Kind);
    static Result<void> parse(ParseContext& context, Value value, ExecSection& section) {
        return DirectoryNames::parse(context, value, section.directories[index].paths);
    }
    static std::string show(const ExecSection& section) { return Words::show(section.directories[index].paths); }
};

template <DirectoryKind Kind> struct DirectoryModeOf {
    static constexpr base::Literal type = Mode::type;
    static constexpr auto index = static_cast<std::size_t>(Kind);
    static Result<void> parse(ParseContext& context, Value value, ExecSection& section) {
        return Mode::parse(context, value, section.directories[index].mode);
    }
    static std::string show(const ExecSection& section) { return Mode::show(section.directories[index].mode); }
};

/// User=, Group=: a wrong one makes the unit unusable, as running as root instead would be worse.
struct Account {
    static constexpr base::Literal type = "name or number";
    static Result<void> parse(ParseContext& context, Value value, std::string& field);
    static std::string show(const std::string& field) { return field; }
};

struct Accounts : Words {
    static constexpr base::Literal type = "names or numbers";
    static Result<void> parse(ParseContext& context, Value value, std::vector<std::string>& field);
};

struct WorkingDirectory {
    static constexpr base::Literal type = "path or ~, \"-\" in front if it may be missing";
    static Result<void> parse(ParseContext& context, Value value, ExecSection& section);
    static std::string show(const ExecSection& section);
};

struct Umask {
    static constexpr base::Literal type = "mode";
    static Result<void> parse(ParseContext&, Value value, std::uint32_t& field) {
        field = TRY(parse_mode(value, 07777)) & 0777;
        return {};
    }
    static std::string show(std::uint32_t field) { return format_mode(field); }
};

struct Input {
    static constexpr base::Literal type = "null, tty, tty-force, tty-fail, data, file:PATH, socket, fd:NAME";
    static Result<void> parse(ParseContext& context, Value value, ExecSection& section);
    static std::string show(const ExecSection& section);
};

struct InputText { ///< StandardInputText=: each line ends in a newline
    static constexpr base::Literal type = "text";
    static Result<void> parse(ParseContext& context, Value value, std::string& field);
    static std::string show(const std::string& field);
};

struct InputData {
    static constexpr base::Literal type = "Base64";
    static Result<void> parse(ParseContext& context, Value value, std::string& field);
    static std::string show(const std::string& field) { return encode_base64(field); }
};

struct OutputStream {
    static constexpr base::Literal type =
        "inherit, null, tty, journal, kmsg, journal+console, kmsg+console, file:, append:, truncate:PATH, socket, fd:NAME";
    static Result<void> parse(ParseContext& context, Value value, Output& field);
    static std::string show(const Output& field);
};

struct BoundingSet {
    static constexpr base::Literal type = "capabilities, \"~\" in front to take away";
    static Result<void> parse(ParseContext& context, Value value, std::optional<std::uint64_t>& field);
    static std::string show(const std::optional<std::uint64_t>& field);
};

struct AmbientSet {
    static constexpr base::Literal type = BoundingSet::type;
    static Result<void> parse(ParseContext& context, Value value, std::uint64_t& field);
    static std::string show(std::uint64_t field) { return format_capabilities(field); }
};

struct SecureBitSet {
    static constexpr base::Literal type = "words";
    static Result<void> parse(ParseContext& context, Value value, std::optional<int>& field);
    static std::string show(const std::optional<int>& field);
};

struct LoadedCredentials { ///< LoadCredential=
    static constexpr base::Literal type = "name[:path]";
    static Result<void> parse(ParseContext& context, Value value, std::vector<Credential>& field);
    static std::string show(const std::vector<Credential>& field);
};

struct SetCredentials { ///< SetCredential=; what is shown never holds the data
    static constexpr base::Literal type = "name:data";
    static Result<void> parse(ParseContext& context, Value value, std::vector<Credential>& field);
    static std::string show(const std::vector<Credential>& field);
};

struct ImportedCredentials { ///< ImportCredential=
    static constexpr base::Literal type = "name or pattern, [:new name]";
    static Result<void> parse(ParseContext& context, Value value, std::vector<std::string>& field);
    static std::string show(const std::vector<std::string>& field) { return base::join(field, " "); }
};

struct CpuList {
    static constexpr base::Literal type = "numbers and ranges";
    static Result<void> parse(ParseContext&, Value value, std::vector<std::uint16_t>& field);
    static std::string show(const std::vector<std::uint16_t>& field) { return format_cpu_list(field); }
};

// ---- [Unit], [Service] ------------------------------------------------------------------------------------------------

struct ExitStatuses {
    static constexpr base::Literal type = "statuses and signals";
    static Result<void> parse(ParseContext& context, Value value, ExitStatusSet& field);
    static std::string show(const ExitStatusSet& field) { return format_exit_statuses(field); }
};

struct Type {
    static constexpr base::Literal type = Enum<service_type_names>::type;
    static Result<void> parse(ParseContext& context, Value value, ServiceSection& section);
    static std::string show(const ServiceSection& section);
};

/// Settings that end the default backoff of restarts.
template <class Codec, auto Member> struct RestartTiming {
    static constexpr base::Literal type = Codec::type;
    static Result<void> parse(ParseContext& context, Value value, ServiceSection& section) {
        TRY(Codec::parse(context, value, section.*Member));
        section.restart_timing_set = true;
        return {};
    }
    static std::string show(const ServiceSection& section) { return Codec::show(section.*Member); }
};

template <class Codec, auto Member> struct StartLimitPart {
    static constexpr base::Literal type = Codec::type;
    static Result<void> parse(ParseContext& context, Value value, StartLimit& limit) {
        TRY(Codec::parse(context, value, limit.*Member));
        limit.set = true;
        return {};
    }
    static std::string show(const StartLimit& limit) { return Codec::show(limit.*Member); }
};

struct JobTimeout { ///< JobTimeoutSec=: also the running timeout, unless that was set
    static constexpr base::Literal type = TimeSpan::type;
    static Result<void> parse(ParseContext& context, Value value, UnitSection& section);
    static std::string show(const UnitSection& section) { return TimeSpan::show(section.job_timeout); }
};

struct JobRunningTimeout {
    static constexpr base::Literal type = TimeSpan::type;
    static Result<void> parse(ParseContext& context, Value value, UnitSection& section);
    static std::string show(const UnitSection& section) { return TimeSpan::show(section.job_running_timeout); }
};

struct BothTimeouts { ///< TimeoutSec=
    static constexpr base::Literal type = TimeSpan::type;
    static Result<void> parse(ParseContext& context, Value value, ServiceSection& section);
    static std::string show(const ServiceSection& section) { return TimeSpan::show(section.timeout_stop); }
};

} // namespace monoinit::unit::codec
