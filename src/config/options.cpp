// The table of settings and what is printed from it. Tested by tests/unit/config/options_test.cpp.
#include "config/options.hpp"

#include "base/enum_names.hpp"
#include "base/fmt.hpp"
#include "base/strings.hpp"

#include <algorithm>
#include <charconv>

namespace monoinit::config {

using base::Errc;
using base::fail;
using base::Result;

namespace {

// ---- codecs: text <-> value of one kind -----------------------------------------------------------------------------

struct Text {
    using Type = std::string;
    static constexpr Kind kind = Kind::Text;
    static Result<Type> parse(std::string_view text) { return std::string(text); }
    static std::string show(const Type& value) { return value; }
};

struct Bool {
    using Type = bool;
    static constexpr Kind kind = Kind::Bool;
    static Result<Type> parse(std::string_view text) {
        for (std::string_view yes : {"yes", "true", "on", "1", "y", "t"})
            if (text == yes)
                return true;
        for (std::string_view no : {"no", "false", "off", "0", "n", "f"})
            if (text == no)
                return false;
        return fail(Errc::Invalid, "not yes or no");
    }
    static std::string show(const Type& value) { return value ? "yes" : "no"; }
};

struct Span {
    using Type = base::Duration;
    static constexpr Kind kind = Kind::Span;
    static Result<Type> parse(std::string_view text) { return base::parse_time_span(text); }
    static std::string show(const Type& value) { return base::format_time_span(value); }
};

struct Size {
    using Type = std::optional<std::uint64_t>;
    static constexpr Kind kind = Kind::Size;
    static Result<Type> parse(std::string_view text) {
        std::uint64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc{})
            return fail(Errc::Invalid, "not a size such as 16M");
        std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
        if (unit.ends_with("B"))
            unit.remove_suffix(1);
        if (unit.empty())
            return Type(number);
        const std::size_t power = std::string_view("KMGT").find(unit.front());
        if (unit.size() != 1 || power == std::string_view::npos)
            return fail(Errc::Invalid, "not a size such as 16M");
        const unsigned shift = 10U * static_cast<unsigned>(power + 1);
        if (number > (~std::uint64_t{0} >> shift))
            return fail(Errc::Invalid, "too large");
        return Type(number << shift);
    }
    static std::string show(const Type& value) { return value ? std::to_string(*value) : ""; }
};

/// A size within bounds that is always set.
template <std::uint64_t Least, std::uint64_t Most> struct BoundedSize {
    using Type = std::uint64_t;
    static constexpr Kind kind = Kind::Size;
    static Result<Type> parse(std::string_view text) {
        const auto size = TRY(Size::parse(text)).value_or(0);
        if (size < Least || size > Most)
            return fail(Errc::Invalid, fmt::format("not from {} to {} bytes", Least, Most));
        return size;
    }
    static std::string show(Type value) { return value % 1024 == 0 ? fmt::format("{}K", value / 1024) : std::to_string(value); }
};

/// A level of syslog(3), by name or number; yes is all of them, no none.
struct Level {
    using Type = int;
    static constexpr Kind kind = Kind::Choice;
    static constexpr std::string_view names[] = {"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};
    static Result<Type> parse(std::string_view text) {
        for (int i = 0; i < static_cast<int>(std::size(names)); i++)
            if (text == names[i] || (text.size() == 1 && text[0] == '0' + i))
                return i;
        return TRY(Bool::parse(text)) ? 7 : -1;
    }
    static std::string show(Type value) { return value < 0 ? "no" : std::string(names[value]); }
};

struct Count {
    using Type = std::uint32_t;
    static constexpr Kind kind = Kind::Size;
    static Result<Type> parse(std::string_view text) {
        Type number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc{} || end != text.data() + text.size())
            return fail(Errc::Invalid, "not a number");
        return number;
    }
    static std::string show(const Type& value) { return std::to_string(value); }
};

struct List {
    using Type = std::vector<std::string>;
    static constexpr Kind kind = Kind::List;
    static Result<Type> parse(std::string_view text) {
        Type list;
        while (!text.empty()) {
            const std::size_t end = std::min(text.find_first_of(" ,\n"), text.size());
            if (end != 0)
                list.emplace_back(text.substr(0, end));
            text.remove_prefix(std::min(end + 1, text.size()));
        }
        return list;
    }
    static std::string show(const Type& value) { return base::join(value, " "); }
};

template <class E> struct EnumTable;
template <> struct EnumTable<LogFormat> {
    static constexpr auto names = base::enum_names<LogFormat>({{LogFormat::Text, "text"}, {LogFormat::Json, "json"}, {LogFormat::Plain, "plain"}, {LogFormat::Export, "journal-export"}});
};
template <> struct EnumTable<Storage> {
    static constexpr auto names = base::enum_names<Storage>(
        {{Storage::Auto, "auto"}, {Storage::Persistent, "persistent"}, {Storage::Volatile, "volatile"}, {Storage::None, "none"}});
};
template <> struct EnumTable<LogsTo> {
    static constexpr auto names = base::enum_names<LogsTo>(
        {{LogsTo::Auto, "auto"}, {LogsTo::Stdout, "stdout"}, {LogsTo::Store, "store"}});
};
template <> struct EnumTable<LogTime> {
    static constexpr auto names = base::enum_names<LogTime>({{LogTime::None, "none"}, {LogTime::Clock, "clock"}, {LogTime::Short, "short"},
                                                             {LogTime::Iso, "iso"}, {LogTime::Unix, "unix"}, {LogTime::Monotonic, "monotonic"}});
};
template <> struct EnumTable<LogWhenFull> {
    static constexpr auto names = base::enum_names<LogWhenFull>({{LogWhenFull::Wait, "wait"}, {LogWhenFull::Drop, "drop"}});
};
template <> struct EnumTable<LogErrors> {
    static constexpr auto names = base::enum_names<LogErrors>({{LogErrors::Stdout, "stdout"}, {LogErrors::Stderr, "stderr"}});
};
template <> struct EnumTable<Cgroups> {
    static constexpr auto names = base::enum_names<Cgroups>({{Cgroups::Auto, "auto"}, {Cgroups::No, "no"}});
};
template <> struct EnumTable<Color> {
    static constexpr auto names = base::enum_names<Color>(
        {{Color::Auto, "auto"}, {Color::Always, "always"}, {Color::Never, "never"}});
};

template <class E> struct Choice {
    using Type = E;
    static constexpr Kind kind = Kind::Choice;
    static Result<Type> parse(std::string_view text) {
        if (const auto found = base::value_of(EnumTable<E>::names, text))
            return *found;
        std::string known;
        for (const auto& row : EnumTable<E>::names)
            known += (known.empty() ? "" : ", ") + std::string(row.second);
        return fail(Errc::Invalid, "not one of " + known);
    }
    static std::string show(const Type& value) { return std::string(base::name_of(EnumTable<E>::names, value)); }
};

template <class Codec, auto Member>
constexpr Option row(std::string_view key, std::string_view value, std::string_view doc, bool in_file = true) {
    return Option{key, value, Codec::kind, in_file, doc,
                  [](InitConfig& config, std::string_view text) -> Result<void> {
                      config.*Member = TRY(Codec::parse(text));
                      return {};
                  },
                  [](const InitConfig& config) { return Codec::show(config.*Member); }};
}

// clang-format off
constexpr auto table = std::to_array<Option>({
    row<Text, &InitConfig::unit>("unit", "TARGET", "Unit to start at boot instead of default.target."),
    row<Text, &InitConfig::unit_path>("unit_path", "DIR[:DIR…]", "Where unit files are looked for; a trailing ':' adds systemd's places. SYSTEMD_UNIT_PATH is honoured too."),
    row<Text, &InitConfig::config>("config", "FILE", "The configuration file; it may be missing.", false),
    row<Text, &InitConfig::log_dir>("log_dir", "DIR", "Where the log store is; a volume keeps logs over restarts of the container. Unset: /var/log/monoinit where that is there, else the runtime directory."),
    row<Choice<Storage>, &InitConfig::log_storage>("log_storage", "auto|persistent|volatile|none", "journald's Storage=: whether lines are stored, and where. none: the recent ones, in memory."),
    row<Size, &InitConfig::log_max>("log_max", "SIZE", "SystemMaxUse=: most that the log store may take. Unset: 16M in the runtime directory, else 256M, at most a tenth of the file system."),
    row<Size, &InitConfig::log_keep_free>("log_keep_free", "SIZE", "SystemKeepFree=: what the log store leaves free of its file system. Unset: 256M, at most a twentieth."),
    row<Size, &InitConfig::log_max_file>("log_max_file", "SIZE", "SystemMaxFileSize=: where a file of the log store ends. Unset: 8M, at most an eighth of log_max."),
    row<Count, &InitConfig::log_max_files>("log_max_files", "NUMBER", "SystemMaxFiles=: how many files the log store may have; 0: any number."),
    row<Span, &InitConfig::log_max_age>("log_max_age", "SPAN", "MaxRetentionSec=: older files of the log store are removed; 0: only for space."),
    row<Span, &InitConfig::log_max_file_age>("log_max_file_age", "SPAN", "MaxFileSec=: a file of the log store ends after this time; 0: only by size."),
    row<Bool, &InitConfig::log_compress>("log_compress", "yes|no", "Compress=: finished files of the log store are compressed."),
    row<Bool, &InitConfig::forward_to_syslog>("forward_to_syslog", "yes|no", "ForwardToSyslog=: a syslog daemon at /run/systemd/journal/syslog, where Debian's rsyslog listens, gets every line."),
    row<List, &InitConfig::log_forward>("log_forward", "TARGET,…", "Where else lines go: file:PATH (JSON lines), syslog:PATH, unix:PATH, udp:HOST:PORT, tcp:HOST:PORT (RFC 5424); UNIT=TARGET for one unit's only."),
    row<Text, &InitConfig::socket>("socket", "PATH", "The control socket, instead of `control` in the runtime directory."),
    row<Choice<LogFormat>, &InitConfig::log_format>("log_format", "text|json|plain|journal-export", "Form of the lines on stdout."),
    row<Choice<LogTime>, &InitConfig::log_time>("log_time", "none|clock|short|iso|unix|monotonic", "A time in front of each line on stdout, where log_format is text or plain."),
    row<Level, &InitConfig::log_stdout>("log_stdout", "yes|no|LEVEL", "MaxLevelConsole=: which lines of services go to stdout: all, none, or those of a level and what is more important. X-LogStdout= says otherwise for one unit."),
    row<Choice<LogErrors>, &InitConfig::log_stderr>("log_stderr", "stdout|stderr", "Where the lines go that services write to stderr; stderr: to the container's, where that is another file than its stdout."),
    row<Choice<LogWhenFull>, &InitConfig::log_when_full>("log_when_full", "wait|drop", "When stdout stands still, services wait as they would on a pipe, or go on and the lines that it has no room for are counted and kept in the store. X-LogWhenFull= says otherwise for one unit."),
    row<BoundedSize<79, 112 << 10>, &InitConfig::log_line_max>("log_line_max", "SIZE", "LineMax=: longer lines are split, and marked."),
    row<Span, &InitConfig::log_rate_limit_interval>("log_rate_limit_interval", "SPAN", "RateLimitIntervalSec=: of units that set no LogRateLimitIntervalSec=."),
    row<Count, &InitConfig::log_rate_limit_burst>("log_rate_limit_burst", "NUMBER", "RateLimitBurst=: so many lines a unit may say in that time, where it sets no LogRateLimitBurst=; 0: any number."),
    row<Choice<LogsTo>, &InitConfig::logs>("logs", "auto|stdout|store", "Where services' lines go; auto: to the store only while CMD has the terminal."),
    row<Choice<Color>, &InitConfig::log_color>("log_color", "auto|always|never", "Colours in the lines on stdout; auto: on a terminal, unless NO_COLOR or TERM=dumb."),
    row<Bool, &InitConfig::syslog_sockets>("syslog_sockets", "yes|no", "Make /dev/log and the journal's sockets, where they may be made and nobody answers there yet."),
    row<Bool, &InitConfig::default_backoff>("default_backoff", "yes|no", "Services with Restart= and no timing of their own wait 100 ms, doubling to 30 s; no: systemd's rule."),
    row<Bool, &InitConfig::inherit_environment>("inherit_environment", "yes|no", "Services get the container's environment; no: systemd's rule."),
    row<Bool, &InitConfig::strict_credentials>("strict_credentials", "yes|no", "Without root, a Group= that cannot be had fails with 216/GROUP instead of being degraded."),
    row<Bool, &InitConfig::exit_when_done>("exit_when_done", "yes|no", "The container ends when no service runs or waits to be restarted any more: with 0, or with the status of the first that failed. With CMD its end counts."),
    row<Bool, &InitConfig::orchestrated>("orchestrated", "yes|no", "For containers that something outside restarts: Restart= is not carried out, the first service that fails ends the container with its exit status, and so does the end of all."),
    row<Span, &InitConfig::shutdown_timeout>("shutdown_timeout", "SPAN", "Time in all for an ordered stop after SIGTERM; keep it below the container's own stop timeout."),
    row<Span, &InitConfig::default_timeout_start>("default_timeout_start", "SPAN", "TimeoutStartSec= of units that do not set it."),
    row<Span, &InitConfig::default_timeout_stop>("default_timeout_stop", "SPAN", "TimeoutStopSec= of units that do not set it."),
    row<Choice<Cgroups>, &InitConfig::cgroups>("cgroups", "auto|no", "auto: where cgroup v2 is writable, units get groups of their own, so that MemoryMax=, CPUQuota=, TasksMax= and kin act."),
    row<Text, &InitConfig::comm>("comm", "NAME", "Name of PID 1 in /proc/1/comm (Ansible's service_facts looks for `systemd`)."),
    row<List, &InitConfig::masked_units>("masked_units", "GLOB,…", "Units masked besides those of the machine; !NAME takes one off that list."),
});
// clang-format on

constexpr bool well_formed() {
    for (std::size_t i = 0; i < table.size(); i++) {
        if (!table[i].doc.ends_with(".") || table[i].value.empty())
            return false;
        for (std::size_t j = 0; j < i; j++)
            if (table[i].key == table[j].key)
                return false;
    }
    return true;
}
static_assert(well_formed(), "each setting has a unique key, a value name and a sentence");

} // namespace

std::span<const Option> options() { return table; }

namespace {

/// Names of journald.conf(5) that the configuration file may use.
constexpr std::pair<std::string_view, std::string_view> journald_names[] = {
    {"Storage", "log_storage"}, {"SystemMaxUse", "log_max"}, {"SystemKeepFree", "log_keep_free"},
    {"SystemMaxFileSize", "log_max_file"}, {"SystemMaxFiles", "log_max_files"}, {"MaxRetentionSec", "log_max_age"},
    {"MaxFileSec", "log_max_file_age"}, {"Compress", "log_compress"}, {"ForwardToSyslog", "forward_to_syslog"},
    {"MaxLevelConsole", "log_stdout"}, {"LineMax", "log_line_max"}, {"RateLimitIntervalSec", "log_rate_limit_interval"},
    {"RateLimitBurst", "log_rate_limit_burst"},
};

} // namespace

const Option* find_option(std::string_view key) {
    constexpr std::string_view section = "Journal.";
    if (key.starts_with(section))
        key.remove_prefix(section.size());
    for (const auto& [theirs, ours] : journald_names)
        if (key == theirs)
            key = ours;
    const auto* found = std::find_if(table.begin(), table.end(), [&](const Option& o) { return o.key == key; });
    return found == table.end() ? nullptr : found;
}

std::string flag_of(const Option& option) {
    std::string flag = "--" + std::string(option.key);
    std::replace(flag.begin(), flag.end(), '_', '-');
    return flag;
}

std::string environment_of(const Option& option) {
    std::string name(option.key);
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return "MONOINIT_" + name;
}

std::vector<std::string_view> option_keys() {
    std::vector<std::string_view> keys;
    for (const Option& option : table)
        if (option.in_file)
            keys.push_back(option.key);
    return keys;
}

std::string help_text() {
    std::string text = "monoinit [OPTIONS] [[--] CMD ARGS…]   the init of a container (PID 1)\n"
                       "monoinit install [--systemctl]        link the tools beside the binary (--remove takes it back)\n"
                       "monoinit --help | --version\n\n"
                       "Starts default.target, then CMD, if given, in the foreground: its exit status becomes the\n"
                       "container's. The first argument that is no option begins CMD. See also: initctl help\n\n"
                       "Options (each also as MONOINIT_NAME=… in the environment and as name = … in the file):\n";
    for (const Option& option : table) {
        const std::string dflt = option.show(InitConfig{});
        text += fmt::format("  {}={}\n      {}{}\n", flag_of(option), option.value, option.doc,
                            dflt.empty() ? "" : " [" + dflt + "]");
    }
    return text;
}

std::string reference_text() {
    std::string text = "| key | flag | environment | default | what it does |\n|---|---|---|---|---|\n";
    for (const Option& option : table) {
        const std::string dflt = option.show(InitConfig{});
        std::string value(option.value);
        for (std::size_t at = value.find('|'); at != std::string::npos; at = value.find('|', at + 2))
            value.insert(at, "\\");
        text += fmt::format("| {} | `{}={}` | `{}` | {} | {} |\n",
                            option.in_file ? fmt::format("`{}`", option.key) : "–",
                            flag_of(option),
                            value,
                            environment_of(option),
                            dflt.empty() ? "–" : "`" + dflt + "`",
                            option.doc);
    }
    return text;
}

} // namespace monoinit::config
