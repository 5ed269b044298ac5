// The table of options and its parser. Tested by tests/unit/cli/options_test.cpp.
#include "cli/options.hpp"

#include "base/strings.hpp"

#include <algorithm>
#include <array>

namespace monoinit::cli {

namespace {

constexpr unsigned I = 1U << static_cast<unsigned>(Face::Initctl), S = 1U << static_cast<unsigned>(Face::Systemctl),
                   J = 1U << static_cast<unsigned>(Face::Journalctl);

template <bool Options::*Member, bool Value = true> void flag(Options& options, std::string_view) { options.*Member = Value; }

template <std::string Options::*Member> void text(Options& options, std::string_view value) { options.*Member = value; }

template <std::optional<std::string> Options::*Member> void maybe(Options& options, std::string_view value) {
    options.*Member = std::string(value);
}

/// "A,B" and repetition add up; an empty value starts anew.
template <std::vector<std::string> Options::*Member> void list(Options& options, std::string_view value) {
    if (value.empty())
        (options.*Member).clear();
    for (const std::string_view item : base::split(value, ','))
        if (!item.empty())
            (options.*Member).emplace_back(item);
}

// The same for journalctl's.
template <bool JournalOptions::*Member> void mark(Options& options, std::string_view) { options.journal.*Member = true; }
template <std::string JournalOptions::*Member> void word(Options& options, std::string_view value) { options.journal.*Member = value; }
template <std::optional<std::string> JournalOptions::*Member> void perhaps(Options& options, std::string_view value) {
    options.journal.*Member = std::string(value);
}
template <std::vector<std::string> JournalOptions::*Member> void each(Options& options, std::string_view value) {
    for (const std::string_view item : base::split(value, ','))
        if (!item.empty())
            (options.journal.*Member).emplace_back(item);
}

/// "10", "+3", "-1", "all" or the id of a boot: what may follow an option whose argument is optional.
bool may_be_argument(std::string_view text) {
    const std::string_view digits = text.starts_with('-') || text.starts_with('+') ? text.substr(1) : text;
    const auto all_of = [&](std::string_view set) { return !digits.empty() && digits.find_first_not_of(set) == std::string_view::npos; };
    return text == "all" || all_of("0123456789") || (digits.size() >= 32 && all_of("0123456789abcdef-"));
}

/// As they are: a setting may hold commas.
template <std::vector<std::string> Options::*Member> void add(Options& options, std::string_view value) { (options.*Member).emplace_back(value); }

void property(Options& options, std::string_view value) {
    list<&Options::properties>(options, value);
    add<&Options::assignments>(options, value);
}

void output(Options& options, std::string_view value) {
    options.output = value;
    options.json = value == "json" || value == "json-pretty";
}

// clang-format off
constexpr auto rows = std::to_array<OptionRow>({
    {"help",         'h', Argument::None,     I | S | J, flag<&Options::help>,          "this text"},
    {"version",       0,  Argument::None,     I | S | J, flag<&Options::version>,       "the version"},
    {"socket",        0,  Argument::Required, I | S | J, text<&Options::socket>,        "PATH of the control socket (also MONOINIT_SOCKET)"},
    {"json",          0,  Argument::None,     I,         flag<&Options::json>,          "print JSON"},
    {"quiet",        'q', Argument::None,     I | S | J, flag<&Options::quiet>,         "print errors only"},
    {"no-block",      0,  Argument::None,     I | S,     flag<&Options::no_block>,      "do not wait for the job"},
    {"all",          'a', Argument::None,     I | S | J, flag<&Options::all>,           "also what is usually left out"},
    {"now",           0,  Argument::None,     I | S,     flag<&Options::now>,           "enable and start, disable and stop"},
    {"force",        'f', Argument::None,     S,         [](Options& o, std::string_view) { o.force++; }, ""},
    {"force",         0,  Argument::None,     I,         [](Options& o, std::string_view) { o.force++; }, "replace links that are in the way; exit: at once"},
    {"runtime",       0,  Argument::None,     I | S,     flag<&Options::runtime>,       "change /run, until the container ends"},
    {"root",          0,  Argument::Required, I | S,     text<&Options::root>,          "work on the file tree below DIR"},
    {"property",     'p', Argument::Required, I | S,     property,                      "NAME[,NAME…] to show; run: NAME=VALUE, a line of its unit file"},
    {"value",         0,  Argument::None,     I | S,     flag<&Options::value>,         "show values without names"},
    {"",             'P', Argument::Required, I | S,     [](Options& o, std::string_view v) { property(o, v); o.value = true; }, ""},
    {"signal",       's', Argument::Required, I | S,     text<&Options::signal>,        "SIGNAL for kill"},
    {"kill-whom",     0,  Argument::Required, I | S,     text<&Options::whom>,          "main, control or all processes"},
    {"kill-who",      0,  Argument::Required, S,         text<&Options::whom>,          ""},
    {"job-mode",      0,  Argument::Required, I | S,     text<&Options::job_mode>,      "replace, fail, isolate, flush, ignore-dependencies …"},
    {"lines",        'n', Argument::Required, I | S,     maybe<&Options::lines>,        "how many lines of the log"},
    {"lines",        'n', Argument::Optional, J,         maybe<&Options::lines>,        "the last N lines (10), or all; +N: the first"},
    {"follow",       'f', Argument::None,     I | J,     flag<&Options::follow>,        "keep printing the log"},
    {"unit",         'u', Argument::Required, J,         list<&Options::units>,         "UNIT whose log to print"},
    {"output",       'o', Argument::Required, I | S | J, output,                        "form of the lines: short, short-iso, with-unit, cat, json, export, verbose …"},
    {"type",         't', Argument::Required, I | S,     list<&Options::types>,         "units of this type only"},
    {"state",         0,  Argument::Required, I | S,     list<&Options::states>,        "units in this state only"},
    {"failed",        0,  Argument::None,     I | S,     flag<&Options::failed>,        "failed units only"},
    {"masked",        0,  Argument::None,     I,         flag<&Options::masked>,        "list: machine units that are masked, and why"},
    {"reverse",      'r', Argument::None,     I | S,     flag<&Options::reverse>,       "list-dependencies: who needs it"},
    {"reverse",      'r', Argument::None,     J,         flag<&Options::reverse>,       "newest first"},
    {"identifier",   't', Argument::Required, J,         each<&JournalOptions::identifiers>, "lines of this SYSLOG_IDENTIFIER"},
    {"exclude-identifier", 'T', Argument::Required, J,   each<&JournalOptions::not_identifiers>, "but not of this one"},
    {"priority",     'p', Argument::Required, J,         word<&JournalOptions::priority>, "LEVEL or FROM..TO: err, warning, 3 …"},
    {"priority",      0,  Argument::Required, I,         word<&JournalOptions::priority>, "logs: LEVEL or FROM..TO: err, warning, 3 …"},
    {"facility",      0,  Argument::Required, J,         each<&JournalOptions::facilities>, "syslog facilities, by name or number"},
    {"grep",         'g', Argument::Required, I | J,     word<&JournalOptions::grep>,   "logs: lines that match a regular expression"},
    {"case-sensitive", 0, Argument::Optional, J,         [](Options& o, std::string_view v) { o.journal.case_sensitive = v.empty() ? "yes" : v; }, "of --grep; otherwise a pattern without capitals ignores case"},
    {"since",        'S', Argument::Required, I | J,     word<&JournalOptions::since>,  "logs: from this time on: \"10:30\", yesterday, -2h …"},
    {"until",        'U', Argument::Required, I | J,     word<&JournalOptions::until>,  "logs: up to this time"},
    {"boot",         'b', Argument::Optional, I | J,     perhaps<&JournalOptions::boot>, "logs: this start of the container, -1 the one before, or an ID"},
    {"this-run",      0,  Argument::None,     I,         mark<&JournalOptions::this_run>, "logs: since the unit was last started"},
    {"around",        0,  Argument::Required, I,         word<&JournalOptions::around>, "logs: what everybody said around the last failure of the units, or around a time"},
    {"list-boots",    0,  Argument::None,     J,         mark<&JournalOptions::list_boots>, "starts of the container"},
    {"dmesg",        'k', Argument::None,     J,         mark<&JournalOptions::kernel>, "lines of the kernel: none in a container"},
    {"output-fields", 0,  Argument::Required, J,         each<&JournalOptions::output_fields>, "fields that verbose, export and json print"},
    {"field",        'F', Argument::Required, J,         word<&JournalOptions::field>,  "all values that a field has"},
    {"fields",       'N', Argument::None,     J,         mark<&JournalOptions::list_fields>, "names of all fields"},
    {"cursor",       'c', Argument::Required, J,         word<&JournalOptions::cursor>, "begin with this line"},
    {"after-cursor",  0,  Argument::Required, J,         word<&JournalOptions::after_cursor>, "begin after this line"},
    {"cursor-file",   0,  Argument::Required, J,         word<&JournalOptions::cursor_file>, "begin after the line this file names, and note there the last one"},
    {"show-cursor",   0,  Argument::None,     J,         mark<&JournalOptions::show_cursor>, "print the last line's cursor"},
    {"utc",           0,  Argument::None,     J,         mark<&JournalOptions::utc>,    "times in UTC"},
    {"directory",    'D', Argument::Required, I | J,     word<&JournalOptions::directory>, "logs: read the log store in DIR"},
    {"disk-usage",    0,  Argument::None,     J,         mark<&JournalOptions::disk_usage>, "what the log store takes"},
    {"vacuum-size",   0,  Argument::Required, J,         perhaps<&JournalOptions::vacuum_size>, "remove old files down to SIZE"},
    {"vacuum-time",   0,  Argument::Required, J,         perhaps<&JournalOptions::vacuum_time>, "remove files older than SPAN"},
    {"vacuum-files",  0,  Argument::Required, J,         perhaps<&JournalOptions::vacuum_files>, "remove old files down to a number"},
    {"rotate",        0,  Argument::None,     J,         mark<&JournalOptions::rotate>, "begin a new file"},
    {"sync",          0,  Argument::None,     J,         mark<&JournalOptions::sync>,   "wait until all lines are in the store"},
    {"flush",         0,  Argument::None,     J,         mark<&JournalOptions::sync>,   ""},
    {"relinquish-var", 0, Argument::None,     J,         mark<&JournalOptions::sync>,   ""},
    {"smart-relinquish-var", 0, Argument::None, J,       mark<&JournalOptions::sync>,   ""},
    {"update-catalog", 0, Argument::None,     J,         mark<&JournalOptions::update_catalog>, ""},
    {"header",        0,  Argument::None,     J,         mark<&JournalOptions::header>, "facts about the files of the store"},
    {"verify",        0,  Argument::None,     J,         mark<&JournalOptions::verify>, "check the files of the store"},
    {"user-unit",     0,  Argument::Required, J,         mark<&JournalOptions::user_unit>, ""},
    {"after",         0,  Argument::None,     I | S,     flag<&Options::after>,         "list-dependencies: what it is ordered after"},
    {"before",        0,  Argument::None,     I | S,     flag<&Options::before>,        "list-dependencies: what is ordered after it"},
    {"preset-mode",   0,  Argument::Required, I | S,     text<&Options::preset_mode>,   "full, enable-only or disable-only"},
    {"no-reload",     0,  Argument::None,     I | S,     flag<&Options::reload, false>, "enable & co: no daemon-reload afterwards"},
    {"portable",      0,  Argument::None,     I,         flag<&Options::portable>,      "verify: what would differ under systemd"},
    {"for",           0,  Argument::Required, I,         text<&Options::wait_for>,      "wait: ready, healthy, active, inactive or failed"},
    {"any",           0,  Argument::None,     I,         flag<&Options::any>,           "wait: one unit is enough"},
    {"startup",       0,  Argument::None,     I,         [](Options& o, std::string_view) { o.health_kind = "startup"; }, "health: whether everything has started"},
    {"ready",         0,  Argument::None,     I,         [](Options& o, std::string_view) { o.health_kind = "ready"; }, "health: whether it may get work (the default)"},
    {"live",          0,  Argument::None,     I,         [](Options& o, std::string_view) { o.health_kind = "live"; }, "health: whether nothing has to be ended"},
    {"timeout",       0,  Argument::Required, I | S,     maybe<&Options::timeout>,      "wait: SPAN (60 s)"},
    {"name",          0,  Argument::Required, I,         text<&Options::name>,          "run: NAME of the service"},
    {"description",   0,  Argument::Required, I,         text<&Options::description>,   "run: what it is"},
    {"restart",       0,  Argument::Required, I,         text<&Options::restart>,       "run: Restart=, such as on-failure"},
    {"user",          0,  Argument::Required, I,         text<&Options::run_as>,        "run: USER it runs as"},
    {"workdir",       0,  Argument::Required, I,         text<&Options::directory>,     "run: DIR it starts in (where you are)"},
    {"env",           0,  Argument::Required, I,         add<&Options::environment>,    "run: NAME=VALUE, or NAME for your own value"},
    {"health",        0,  Argument::Required, I,         text<&Options::health>,        "run: a check: http://…, [HOST:]PORT, unix:PATH, file:PATH, log:TEXT, exec:COMMAND"},
    {"save",          0,  Argument::None,     I,         flag<&Options::save>,          "run: keep its unit file in /etc/systemd/system"},
    {"every",         0,  Argument::Required, I,         text<&Options::every>,         "run: again and again: SPAN (5min: now, and then so often) or CALENDAR (daily, \"Mon 9:00\")"},
    {"pty",           0,  Argument::None,     I,         flag<&Options::pty>,           "run: on a terminal that is connected to yours, until it has ended"},
    {"pipe",          0,  Argument::None,     I,         flag<&Options::pipe>,          "run: with your standard input, output and error, until it has ended"},
    {"wait",          0,  Argument::None,     I,         flag<&Options::wait_for_end>,  "run: until it has ended; exit with its status"},
    {"plan",          0,  Argument::None,     I,         flag<&Options::plan>,          "shutdown: show the order and the time, do nothing"},
    {"devcontainer",  0,  Argument::None,     I,         flag<&Options::devcontainer>,  "ports: as devcontainer.json wants them"},
    {"iterations",    0,  Argument::Required, I,         text<&Options::iterations>,    "calendar: how many moments"},
    {"base-time",     0,  Argument::Required, I,         text<&Options::base_time>,     "calendar: after this moment, not now"},
    {"format",        0,  Argument::Required, I,         text<&Options::format>,        "help: text, md, json or dot"},
    {"no-legend",     0,  Argument::None,     I | S,     flag<&Options::legend, false>, "no heading, no hints"},
    {"legend",        0,  Argument::Required, S,         [](Options& o, std::string_view v) { o.legend = v != "no" && v != "false" && v != "0"; }, ""},
    {"plain",         0,  Argument::None,     I | S,     flag<&Options::plain>,         "no dots, no trees"},
    {"full",         'l', Argument::None,     I | S | J, flag<&Options::full>,          ""},
    {"no-pager",      0,  Argument::None,     I | S | J, flag<&Options::pager, false>,  ""},
    {"exit-code",     0,  Argument::Required, S,         maybe<&Options::exit_code>,    ""},
    {"machine",      'M', Argument::Required, S | J,     text<&Options::machine>,       ""},
    {"host",         'H', Argument::Required, S,         text<&Options::host>,          ""},
    {"user",          0,  Argument::None,     S | J,     [](Options& o, std::string_view) { o.user_manager = "user"; }, ""},
    {"global",        0,  Argument::None,     S,         flag<&Options::global>,        ""},
    // understood; what they ask for is so anyway, or has no meaning in a container
    {"system",        0,  Argument::None,     I | S | J, nullptr, ""},
    {"wait",          0,  Argument::None,     S,         flag<&Options::until_over>, ""},
    {"what",          0,  Argument::Required, I | S,     list<&Options::what>,          "clean: configuration, state, cache, logs, runtime, fdstore or all"},
    {"stdin",         0,  Argument::None,     I | S,     flag<&Options::from_stdin>,    "edit: the new text comes from standard input"},
    {"drop-in",       0,  Argument::Required, I | S,     text<&Options::drop_in>,       "edit: NAME of the drop-in (override)"},
    {"when",          0,  Argument::Required, S,         text<&Options::when>,          ""},
    {"show-transaction", 'T', Argument::None, S,         flag<&Options::show_transaction>, ""},
    {"marked",        0,  Argument::None,     S,         flag<&Options::marked>, ""},
    {"image",         0,  Argument::Required, S,         text<&Options::host>,          ""},
    {"kill-value",    0,  Argument::Required, S,         text<&Options::kill_value>, ""},
    {"boot-loader-menu", 0, Argument::Required, S,       nullptr, ""},
    {"boot-loader-entry", 0, Argument::Required, S,      nullptr, ""},
    {"reboot-argument", 0, Argument::Required, S,        nullptr, ""},
    {"no-wall",       0,  Argument::None,     S,         nullptr, ""},
    {"no-ask-password", 0, Argument::None,    S,         nullptr, ""},
    {"ignore-inhibitors", 'i', Argument::None, S,        nullptr, ""},
    {"check-inhibitors", 0, Argument::Required, S,       nullptr, ""},
    {"show-types",    0,  Argument::None,     S,         flag<&Options::show_types>, ""},
    {"with-dependencies", 0, Argument::None,  S,         flag<&Options::with_dependencies>, ""},
    {"no-warn",       0,  Argument::None,     S,         flag<&Options::no_warn>, ""},
    {"mkdir",         0,  Argument::None,     S,         nullptr, ""},
    {"read-only",     0,  Argument::None,     S,         nullptr, ""},
    {"firmware-setup", 0, Argument::None,     S,         nullptr, ""},
    {"message",       0,  Argument::Required, S,         nullptr, ""},
    {"timestamp",     0,  Argument::Required, S,         text<&Options::timestamp_word>, ""},
    {"dry-run",       0,  Argument::None,     S,         flag<&Options::dry_run>, ""},
    {"pager-end",    'e', Argument::None,     J,         nullptr, ""},
    {"catalog",      'x', Argument::None,     J,         nullptr, ""},
    {"no-hostname",   0,  Argument::None,     J,         mark<&JournalOptions::no_hostname>, ""},
    {"no-tail",       0,  Argument::None,     J,         mark<&JournalOptions::no_tail>, ""},
    {"merge",        'm', Argument::None,     J,         nullptr, ""},
    {"no-full",       0,  Argument::None,     J,         nullptr, ""},
    {"truncate-newline", 0, Argument::None,   J,         nullptr, ""},
});
// clang-format on

bool serves(const OptionRow& row, Face face) { return (row.faces & (1U << static_cast<unsigned>(face))) != 0; }

base::Error usage(std::string_view program, const std::string& text) {
    return base::fail(base::Errc::Invalid, std::string(program) + ": " + text);
}

/// The row for "--name", also for an unambiguous beginning of it.
const OptionRow* find_long(Face face, std::string_view name, bool& ambiguous) {
    const OptionRow* found = nullptr;
    ambiguous = false;
    for (const OptionRow& row : rows) {
        if (!serves(row, face) || !row.name.starts_with(name))
            continue;
        if (row.name == name) {
            ambiguous = false;
            return &row;
        }
        ambiguous = ambiguous || found != nullptr;
        found = &row;
    }
    return found;
}

class Parser {
  public:
    Parser(Face face, std::string_view program, const std::vector<std::string>& arguments)
        : face_(face), program_(program), arguments_(arguments) {}

    base::Result<ParsedLine> run() {
        for (; at_ < arguments_.size(); at_++) {
            const std::string& word = arguments_[at_];
            if (word == "--") {
                line_.words.insert(line_.words.end(), arguments_.begin() + static_cast<std::ptrdiff_t>(at_) + 1, arguments_.end());
                break;
            }
            if (word.starts_with("--"))
                TRY(long_option(word));
            else if (word.size() > 1 && word.front() == '-')
                TRY(letters(word));
            else if (line_.words.push_back(word); begins_command()) {
                line_.words.insert(line_.words.end(), arguments_.begin() + static_cast<std::ptrdiff_t>(at_) + 1, arguments_.end());
                break;
            }
        }
        return std::move(line_);
    }

  private:
    /// `initctl run npm run dev --port 1`: options after the command are the command's.
    bool begins_command() const { return face_ == Face::Initctl && line_.words.size() == 2 && line_.words.front() == "run"; }
    base::Result<void> long_option(const std::string& word) {
        const std::size_t equals = word.find('=');
        const std::string_view name = std::string_view(word).substr(2, equals == std::string::npos ? equals : equals - 2);
        bool ambiguous = false;
        const OptionRow* row = find_long(face_, name, ambiguous);
        if (ambiguous)
            return usage(program_, "option '--" + std::string(name) + "' is ambiguous");
        if (row == nullptr)
            return usage(program_, "unrecognized option '--" + std::string(name) + "'" + suggestion(name));
        if (row->argument == Argument::None && equals != std::string::npos)
            return usage(program_, "option '--" + std::string(row->name) + "' doesn't allow an argument");
        return set(*row, equals == std::string::npos ? std::nullopt : std::optional(std::string_view(word).substr(equals + 1)));
    }
    base::Result<void> letters(const std::string& word) {
        for (std::size_t i = 1; i < word.size(); i++) {
            const auto row = std::find_if(rows.begin(), rows.end(), [&](const OptionRow& r) {
                return serves(r, face_) && r.letter == word[i];
            });
            if (row == rows.end())
                return usage(program_, "invalid option -- '" + std::string(1, word[i]) + "'");
            if (row->argument == Argument::None) {
                TRY(set(*row, std::nullopt));
                continue;
            }
            const std::string_view rest = std::string_view(word).substr(i + 1);
            return set(*row, rest.empty() ? std::nullopt : std::optional(rest));
        }
        return {};
    }
    base::Result<void> set(const OptionRow& row, std::optional<std::string_view> value) {
        if (row.argument == Argument::Required && !value) {
            if (at_ + 1 >= arguments_.size())
                return usage(program_, "option '--" + std::string(row.name) + "' requires an argument");
            value = arguments_[++at_];
        }
        if (row.argument == Argument::Optional && !value && at_ + 1 < arguments_.size() && may_be_argument(arguments_[at_ + 1]))
            value = arguments_[++at_];
        if (row.set != nullptr)
            row.set(line_.options, value.value_or(std::string_view()));
        return {};
    }
    std::string suggestion(std::string_view name) const {
        if (face_ != Face::Initctl)
            return "";
        std::vector<std::string_view> names;
        for (const OptionRow& row : rows)
            if (serves(row, face_))
                names.push_back(row.name);
        const std::string_view best = base::closest(name, names);
        return best.empty() ? "" : "; did you mean --" + std::string(best) + "?";
    }

    Face face_;
    std::string_view program_;
    const std::vector<std::string>& arguments_;
    std::size_t at_ = 0;
    ParsedLine line_;
};

} // namespace

std::span<const OptionRow> option_rows() { return rows; }

base::Result<ParsedLine> parse_options(Face face, std::string_view program, const std::vector<std::string>& arguments) {
    return Parser(face, program, arguments).run();
}

} // namespace monoinit::cli
