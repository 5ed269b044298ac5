// initctl logs, and as much of journalctl as the logger can answer. Tested by tests/unit/cli.
#include "cli/logs.hpp"

#include "base/strings.hpp"
#include "base/time_text.hpp"
#include "cli/verbs.hpp"
#include "log/reader.hpp"
#include "sys/clock.hpp"
#include "sys/local_zone.hpp"
#include "unit/name.hpp"

#include <charconv>
#include <csignal>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::cli {

namespace {

constexpr std::uint32_t default_lines = 100;

/// Where the logger answers: beside the control socket, where that is in one of the usual places; else as the init says.
base::Result<std::string> log_socket(Context& context) {
    control::Client* client = TRY(context.init());
    std::string beside = client->path().substr(0, client->path().rfind('/')) + "/logs";
    if (control::find_options(context.options.socket).socket.empty() && ::access(beside.c_str(), F_OK) == 0)
        return beside;
    const auto info = TRY(client->ask<control::ManagerInfo>(control::InfoRequest{}));
    if (info.log_source.empty())
        return base::fail(base::Errc::NotFound, "monoinit keeps no log");
    return info.log_source;
}

std::string local_time(std::uint64_t wall_us, std::string_view form) {
    return base::time_text(sys::local_zone(), base::Duration(static_cast<std::int64_t>(wall_us)), form);
}

std::string json_string(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            (out += '\\') += c;
        else if (byte < 0x20 || byte == 0x7f)
            out += fmt::format("\\u{:04x}", byte);
        else
            out += c;
    }
    return out + "\"";
}

/// journalctl's names of fields.
std::string json_line(const log::Record& record, const std::string& host) {
    std::string valid = base::is_valid_utf8(record.text) ? std::string(record.text) : base::printable(record.text, record.text.size() * 4);
    return fmt::format("{{\"__REALTIME_TIMESTAMP\":\"{}\",\"__MONOTONIC_TIMESTAMP\":\"{}\",\"_SYSTEMD_UNIT\":{},\"SYSLOG_IDENTIFIER\":{},\"PRIORITY\":\"{}\","
                       "\"_HOSTNAME\":{},\"_PID\":\"{}\",\"MESSAGE\":{}}}\n",
                       record.wall_us, record.mono_us, json_string(record.unit), json_string(record.identifier), record.priority, json_string(host),
                       record.pid, json_string(valid));
}

/// "web[57]" as journalctl has it; the number is left out where it is not known.
std::string sender(const log::Record& record) {
    const std::string_view name = record.identifier.empty() ? unit::short_name(record.unit) : record.identifier;
    return record.pid == 0 ? std::string(name) : fmt::format("{}[{}]", name, record.pid);
}

/// Lines come from services: no control bytes but tab and colour reach a terminal.
std::string safe(std::string_view text) { return base::printable(text, log::max_line * 4); }

Color color_of(const log::Record& record) {
    if (record.own)
        return Color::Dim;
    return record.priority <= 3 ? Color::Red : record.priority == 4 ? Color::Yellow : Color::None;
}

class Printer {
  public:
    explicit Printer(Context& context) : context_(context), host_(context.loader().environment().host_name) {}

    void print(const log::Record& record) {
        const std::string& form = context_.options.output;
        if (form == "cat") {
            context_.out += safe(record.text) + "\n";
        } else if (context_.options.json) {
            context_.out += json_line(record, host_);
        } else if (context_.face == Face::Journalctl) {
            context_.out += fmt::format("{} {} {}: {}\n", local_time(record.wall_us, "%b %d %H:%M:%S"), host_, sender(record),
                                        paint(safe(record.text), color_of(record), context_.color));
        } else {
            const std::string_view name = record.own && record.unit != log::own_unit ? std::string_view("monoinit") : unit::short_name(record.unit);
            context_.out += fmt::format("{} {} {}\n", local_time(record.wall_us, "%H:%M:%S"), paint(fmt::format("[{}]", name), Color::Cyan, context_.color),
                                        paint(safe(record.text), color_of(record), context_.color));
        }
    }

  private:
    Context& context_;
    std::string host_;
};

int usage_error(Context& context, const std::string& text) {
    context.complain("{}: {}", context.program, text);
    return context.face == Face::Initctl ? 2 : 1;
}

/// Names that no unit has are said before anything is printed.
int check_units(Context& context, const Names& units) {
    for (const std::string& unit : units) {
        if (unit.find_first_of("*?[") != std::string::npos || unit == log::own_unit || unit == log::stray_unit)
            continue;
        const auto status = ask<control::StatusReply>(context, control::StatusRequest{.unit = unit});
        if (status || status.error().code != base::Errc::NotFound)
            continue;
        const std::string best = suggest_unit(context, unit);
        context.complain("{}: there is no such unit{}", unit::short_name(unit), best.empty() ? "" : "; did you mean " + best + "?");
        return 4;
    }
    return 0;
}

base::Result<void> read(const std::string& socket, const log::Query& query, const std::function<bool(const log::Record&)>& take,
                        Context* gap_to = nullptr) {
    log::ReadOptions options;
    const control::FindOptions who = control::find_options("");
    options.trusted_uid = who.init_uid;
    struct stat info {};
    if (::stat(socket.c_str(), &info) == 0 && info.st_uid == who.own_uid)
        options.trusted_uid = who.own_uid; // a child of another init, run by us
    if (gap_to != nullptr)
        options.on_gap = [gap_to] { gap_to->complain("… lines that were overwritten before they could be read are missing here"); };
    return log::read_logs(socket, query, take, options);
}

} // namespace

std::optional<std::uint32_t> line_count(const Options& options, std::uint32_t fallback) {
    if (!options.lines)
        return fallback;
    std::uint32_t count = 0;
    const auto [end, error] = std::from_chars(options.lines->data(), options.lines->data() + options.lines->size(), count);
    if (error != std::errc{} || end != options.lines->data() + options.lines->size())
        return std::nullopt;
    return count;
}

std::vector<std::string> last_lines(Context& context, const std::string& unit, std::uint32_t count) {
    const auto socket = log_socket(context);
    if (!socket)
        return {};
    log::Query query;
    query.filter.units = {unit};
    query.last = count;
    std::vector<std::string> lines;
    const bool journal = context.systemctl();
    const std::string host = journal ? context.loader().environment().host_name : "";
    const auto done = read(*socket, query, [&](const log::Record& record) {
        if (journal)
            lines.push_back(fmt::format("{} {} {}: {}", local_time(record.wall_us, "%b %d %H:%M:%S"), host, sender(record), safe(record.text)));
        else
            lines.push_back(local_time(record.wall_us, "%H:%M:%S") + " " + safe(record.text));
        return true;
    });
    if (!done)
        lines.push_back("(the log does not answer: " + done.error().what + ")");
    return lines;
}

int logs(Context& context, Words words) {
    const Options& options = context.options;
    const std::string& form = options.output;
    if (!form.empty() && form != "cat" && form != "short" && form != "json")
        return usage_error(context, "-o " + base::printable(form) + " comes with the log store; cat, short and json are there");
    if (context.face == Face::Journalctl && !words.empty())
        return usage_error(context, "matches such as " + base::printable(words.front()) + " come with the log store; use -u UNIT");
    log::Query query;
    for (const std::string& word : context.face == Face::Journalctl ? options.units : words)
        query.filter.units.push_back(word == log::stray_unit ? word : mangled({word}).front());
    query.follow = options.follow;
    if (options.lines && *options.lines != "all" && !line_count(options, 0))
        return usage_error(context, "-n takes a number, or all");
    const bool everything = context.face == Face::Journalctl && !options.lines && !options.follow;
    query.last = everything ? std::nullopt : line_count(options, options.follow ? 10 : default_lines);
    if (options.lines && *options.lines == "all")
        query.last = std::nullopt;

    const auto socket = log_socket(context);
    if (!socket) {
        if (const auto init = context.init(); !init)
            return context.complain_no_init(init.error());
        context.complain("{}: {}", context.program, socket.error().what);
        return 1;
    }
    if (context.face == Face::Initctl)
        if (const int status = check_units(context, query.filter.units); status != 0)
            return status;
    std::signal(SIGPIPE, SIG_DFL); // `initctl logs | head` ends quietly
    Printer printer(context);
    const auto done = read(*socket, query, [&](const log::Record& record) {
        printer.print(record);
        if (options.follow || context.out.size() > 65536)
            context.flush();
        return true;
    }, &context);
    if (done)
        return 0;
    context.flush();
    context.complain("{}: {}", context.program, done.error().what);
    return 1;
}

} // namespace monoinit::cli
