// initctl logs, and as much of journalctl as the logger can answer. Tested by tests/unit/cli.
#include "cli/logs.hpp"

#include "base/strings.hpp"
#include "base/time_text.hpp"
#include "base/timestamp.hpp"
#include "cli/journal_output.hpp"
#include "cli/journal_query.hpp"
#include "cli/verbs.hpp"
#include "config/config.hpp"
#include "log/reader.hpp"
#include "log/stored_record.hpp"
#include "sys/clock.hpp"
#include "sys/local_zone.hpp"
#include "sys/real_files.hpp"
#include "unit/name.hpp"
#include "unit/values.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <csignal>
#include <deque>
#include <poll.h>
#include <set>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::cli {

namespace {

/// Where the logger answers: beside the control socket. Looking there needs nothing of PID 1.
base::Result<std::string> log_socket(Context& context) {
    for (const control::Candidate& candidate : control::candidates(control::find_options(context.options.socket))) {
        std::string beside = candidate.path.substr(0, candidate.path.rfind('/')) + "/logs";
        struct stat info {};
        const bool there = ::stat(beside.c_str(), &info) == 0;
        if (there && (candidate.owners.empty() || std::ranges::find(candidate.owners, info.st_uid) != candidate.owners.end()))
            return beside;
    }
    control::Client* client = TRY(context.init());
    const auto info = TRY(client->ask<control::ManagerInfo>(control::InfoRequest{}));
    if (info.log_source.empty())
        return base::fail(base::Errc::NotFound, "monoinit keeps no log");
    return info.log_source;
}

std::string host_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

std::string machine_id() {
    const auto text = sys::RealFiles().read("/etc/machine-id", 64);
    return text ? std::string(base::trim(*text)) : "";
}

std::string local_time(std::uint64_t wall_us, std::string_view form) {
    return base::time_text(sys::local_zone(), base::Duration(static_cast<std::int64_t>(wall_us)), form);
}

/// "web[57]" as journalctl has it; the number is left out where it is not known.
std::string sender(const log::Record& record) {
    const std::string_view name = record.identifier.empty() ? unit::short_name(record.unit) : record.identifier;
    return record.pid == 0 ? std::string(name) : fmt::format("{}[{}]", name, record.pid);
}

/// Lines come from services: no control bytes but tab and colour reach a terminal.
std::string safe(std::string_view text) { return base::printable(text, log::largest_line * 4); }

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

log::ReadOptions trust(const std::string& socket, Context* gap_to = nullptr) {
    log::ReadOptions options;
    const control::FindOptions who = control::find_options("");
    options.trusted_uid = who.init_uid;
    struct stat info {};
    if (::stat(socket.c_str(), &info) == 0 && info.st_uid == who.own_uid)
        options.trusted_uid = who.own_uid; // a child of another init, run by us
    if (gap_to != nullptr)
        options.on_gap = [gap_to] { gap_to->complain("… lines that were overwritten before they could be read are missing here"); };
    return options;
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
    const std::string host = journal ? host_name() : "";
    const auto done = log::read_logs(*socket, query, [&](const log::Record& record) {
        if (journal)
            lines.push_back(fmt::format("{} {} {}: {}", local_time(record.wall_us, "%b %d %H:%M:%S"), host, sender(record), safe(record.text)));
        else
            lines.push_back(local_time(record.wall_us, "%H:%M:%S") + " " + safe(record.text));
        return true;
    }, trust(*socket));
    if (!done)
        lines.push_back("(the log does not answer: " + done.error().what + ")");
    return lines;
}

namespace {

/// One call of journalctl or `initctl logs`.
class Journal {
  public:
    Journal(Context& context, Words words) : context_(context), options_(context.options), journal_(context.options.journal), words_(words) {}

    int run() {
        if (journal_.update_catalog) // packages that bring message catalogs call it; we keep none
            return 0;
        const auto form = options_.output.empty() ? std::optional(context_.face == Face::Initctl ? JournalForm::Own : JournalForm::Short) : journal_form(options_.output);
        if (!form)
            return usage_error(context_, "unknown output form " + base::printable(options_.output, 60) + ": " + journal_form_names());
        style_.form = options_.json && options_.output.empty() ? JournalForm::Json : *form;
        const sys::RealFiles files;
        const char* tz = ::getenv("TZ");
        base::TimeZones zones(&files, journal_.utc ? "UTC" : tz == nullptr ? "" : tz);
        now_us_ = static_cast<std::uint64_t>(sys::wall_now().count());
        auto query = journal_query(options_, context_.face, {words_.begin(), words_.end()}, now_us_, zones);
        if (!query)
            return usage_error(context_, query.error().what);
        query_ = std::move(*query);
        if (const auto cursor = read_cursor_file(); !cursor)
            return usage_error(context_, cursor.error().what);
        static const base::TimeZone utc;
        style_.zone = journal_.utc ? &utc : &sys::local_zone();
        style_.color = context_.color && options_.output != "cat";
        style_.host = !journal_.no_hostname;
        style_.fields = journal_.output_fields;
        style_.now_us = now_us_;
        style_.host_name = host_name();
        style_.machine_id = machine_id();
        std::signal(SIGPIPE, SIG_DFL); // `initctl logs | head` ends quietly
        return answer();
    }

  private:
    int fail(const std::string& text) {
        context_.flush();
        context_.complain("{}: {}", context_.program, text);
        return 1;
    }

    /// --cursor-file=: goes on after the line that it names; a file that is not there yet is begun.
    base::Result<void> read_cursor_file() {
        if (journal_.cursor_file.empty())
            return {};
        const auto text = sys::RealFiles().read(journal_.cursor_file, 1024);
        if (!text)
            return text.error().code == base::Errc::NotFound ? base::Result<void>{} : base::Result<void>(text.error());
        query_.selection.after = log::parse_cursor(base::trim(*text));
        if (!query_.selection.after)
            return base::fail(base::Errc::Invalid, journal_.cursor_file + " holds no cursor");
        return {};
    }

    base::Result<void> write_cursor_file(const std::string& cursor) const {
        std::FILE* const file = std::fopen(journal_.cursor_file.c_str(), "we");
        if (file == nullptr)
            return base::fail_errno(errno, journal_.cursor_file);
        std::fprintf(file, "%s\n", cursor.c_str());
        return std::fclose(file) == 0 ? base::Result<void>{} : base::fail_errno(errno, journal_.cursor_file);
    }

    int answer() {
        if (!journal_.directory.empty())
            return read_store(journal_.directory);
        const auto socket = log_socket(context_);
        if (!socket) { // nothing runs: what is on disk can be read all the same
            const std::string disk(config::default_log_dir);
            if (::access(disk.c_str(), R_OK) == 0)
                return read_store(disk);
            if (const auto init = context_.init(); !init)
                return context_.complain_no_init(init.error());
            return fail(socket.error().what);
        }
        if (context_.face == Face::Initctl)
            if (const int status = check_units(context_, query_.selection.units); status != 0)
                return status;
        log::Query order;
        order.order = log::StoreOrder::Sync;
        if (journal_.rotate)
            order.order = log::StoreOrder::Rotate;
        if (journal_.vacuum_size || journal_.vacuum_time || journal_.vacuum_files) {
            order.order = log::StoreOrder::Vacuum;
            if (const auto limits = vacuum_limits(); limits)
                order.vacuum = *limits;
            else
                return usage_error(context_, limits.error().what);
        }
        const auto done = log::order_store(*socket, order, trust(*socket));
        if (!done)
            return fail(done.error().what);
        if (!done->failure.empty() && (order.order != log::StoreOrder::Sync || journal_.sync))
            return fail(done->failure);
        if (order.order != log::StoreOrder::Sync || journal_.sync)
            return 0;
        if (!done->failure.empty()) // what came last is in memory only
            context_.remark("{}: the log store cannot be written ({}): recent lines, from memory", context_.program, done->failure);
        if (done->directory.empty() || !done->failure.empty() || ::access(done->directory.c_str(), R_OK) != 0)
            return read_recent(*socket);
        return read_store(done->directory);
    }

    base::Result<log::StoreLimits> vacuum_limits() const {
        log::StoreLimits limits;
        limits.max_files = 0;
        if (journal_.vacuum_size)
            limits.max_use = TRY(unit::parse_size(*journal_.vacuum_size));
        if (journal_.vacuum_time)
            limits.max_age = TRY(base::parse_time_span(*journal_.vacuum_time));
        if (journal_.vacuum_files) {
            const std::string& text = *journal_.vacuum_files;
            if (std::from_chars(text.data(), text.data() + text.size(), limits.max_files).ptr != text.data() + text.size())
                return base::fail(base::Errc::Invalid, "--vacuum-files= takes a number");
        }
        return limits;
    }

    /// From the logger's memory: there is no store, or we may not read it.
    int read_recent(const std::string& socket) {
        const std::pair<bool, std::string_view> of_store[] = {
            {journal_.list_boots, "--list-boots"},        {journal_.boot && *journal_.boot != "" && *journal_.boot != "0", "an earlier boot"},
            {journal_.disk_usage, "--disk-usage"},        {journal_.header, "--header"},
            {journal_.verify, "--verify"},                {!journal_.field.empty() || journal_.list_fields, "a list of fields"},
            {options_.reverse, "--reverse"},              {!journal_.around.empty(), "--around"},
            {query_.selection.after.has_value() || journal_.show_cursor || !journal_.cursor_file.empty(), "a cursor"},
            {query_.from_start, "-n +NUMBER"},
        };
        for (const auto& [asked, what] : of_store)
            if (asked)
                return fail(fmt::format("{} needs the log store, and there is none that can be read", what));
        if (journal_.this_run) {
            const auto began = start_of_run();
            if (!began)
                return fail(began.error().what);
            query_.selection.since_us = *began;
        }
        log::Query query;
        query.filter.units = query_.selection.units;
        query.follow = options_.follow;
        log::Selection of_units; // what the logger itself can select by
        of_units.units = query_.selection.units;
        const bool simple = log::same_lines(query_.selection, of_units);
        query.last = simple && !query_.from_start ? query_.count : std::nullopt;
        JournalPrinter printer(style_);
        std::deque<Kept> last;
        const bool only_last = query_.count && !simple && !options_.follow;
        const auto done = log::read_logs(socket, query, [&](const log::Record& record) {
            if (!log::selects(query_.selection, record, {}))
                return true;
            if (only_last) {
                last.push_back(keep(record, {}));
                if (last.size() > *query_.count)
                    last.pop_front();
                return true;
            }
            printer.print(context_.out, record, {});
            if (options_.follow || context_.out.size() > flush_at)
                context_.flush();
            return true;
        }, trust(socket, &context_));
        for (const Kept& kept : last)
            print(printer, kept);
        return done ? 0 : fail(done.error().what);
    }

    int read_store(const std::string& directory) {
        auto reader = log::StoreReader::open(directory);
        if (!reader)
            return fail(reader.error().what);
        if (journal_.list_boots)
            return list_boots(*reader);
        if (journal_.disk_usage || journal_.header || journal_.verify)
            return describe(*reader);
        if (journal_.boot) {
            const auto boot = chosen_boot(reader->boots(), *journal_.boot);
            if (!boot)
                return fail(boot.error().what);
            query_.selection.boot = *boot;
        }
        if (!journal_.field.empty() || journal_.list_fields)
            return list_values(*reader);
        if (journal_.this_run) {
            const auto began = start_of_run();
            if (!began)
                return fail(began.error().what);
            query_.selection.since_us = *began;
        }
        if (!journal_.around.empty())
            return print_around(*reader);
        return print_lines(*reader);
    }

    void print(JournalPrinter& printer, const log::Record& record, const log::BootId& boot) {
        printer.print(context_.out, record, boot);
        last_cursor_ = {record.cursor, record.wall_us, record.mono_us, boot};
        if (context_.out.size() > flush_at)
            context_.flush();
    }

    struct Kept {
        std::string bytes;
        log::BootId boot;
    };
    static Kept keep(const log::Record& record, const log::BootId& boot) {
        Kept kept{std::string(log::stored_size(record), '\0'), boot};
        log::store_record(kept.bytes.data(), record);
        return kept;
    }
    void print(JournalPrinter& printer, const Kept& kept) {
        std::string_view bytes = kept.bytes;
        if (const auto record = log::take_stored(bytes))
            print(printer, *record, kept.boot);
    }

    int print_lines(log::StoreReader& reader) {
        JournalPrinter printer(style_);
        auto end = reader.end();
        std::uint32_t left = query_.count.value_or(std::numeric_limits<std::uint32_t>::max());
        const auto direct = [&](const log::Record& record, const log::BootId& boot) {
            print(printer, record, boot);
            return --left > 0;
        };
        bool any = false;
        if (left == 0) {
        } else if (options_.reverse && !query_.from_start) {
            reader.backward(query_.selection, direct);
        } else if (query_.count && !query_.from_start) {
            std::vector<Kept> last;
            reader.backward(query_.selection, [&](const log::Record& record, const log::BootId& boot) {
                last.push_back(keep(record, boot));
                return --left > 0;
            });
            for (auto kept = last.rbegin(); kept != last.rend(); kept++)
                print(printer, *kept);
        } else if (options_.reverse) { // the first ones, newest of them first
            std::vector<Kept> first;
            reader.forward(query_.selection, [&](const log::Record& record, const log::BootId& boot) {
                first.push_back(keep(record, boot));
                return --left > 0;
            });
            for (auto kept = first.rbegin(); kept != first.rend(); kept++)
                print(printer, *kept);
        } else {
            reader.forward(query_.selection, direct);
        }
        any = last_cursor_.has_value() || query_.count == 0U;
        if (options_.follow)
            return follow(reader, printer, end);
        if (!any && style_.form <= JournalForm::WithUnit && !options_.quiet)
            context_.out += "-- No entries --\n";
        return finish(any);
    }

    int finish(bool any) {
        std::string cursor;
        if (last_cursor_) {
            log::Record record;
            record.cursor = last_cursor_->cursor;
            record.wall_us = last_cursor_->wall_us;
            record.mono_us = last_cursor_->mono_us;
            cursor = log::cursor_text(record, last_cursor_->boot);
        }
        if (journal_.show_cursor && !cursor.empty())
            context_.print("-- cursor: {}\n", cursor);
        if (!journal_.cursor_file.empty() && !cursor.empty())
            if (const auto written = write_cursor_file(cursor); !written)
                return fail(written.error().what);
        return !any && !journal_.grep.empty() ? 1 : 0; // as grep(1)
    }

    /// Lines that come from now on, across rotation. Woken by changes in the directory.
    int follow(log::StoreReader& reader, JournalPrinter& printer, std::optional<log::Position> end) {
        const sys::UniqueFd changes(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
        const bool watched = changes && ::inotify_add_watch(changes.get(), reader.directory().c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO) >= 0;
        constexpr int unwatched_ms = 200, watched_ms = 5000;
        log::Selection selection = query_.selection;
        for (;;) {
            context_.flush();
            reader.refresh();
            selection.after = end;
            const auto seen = reader.end();
            reader.forward(selection, [&](const log::Record& record, const log::BootId& boot) {
                print(printer, record, boot);
                return true;
            });
            context_.flush();
            end = seen ? seen : end;
            pollfd waiting[] = {{changes.get(), POLLIN, 0}, {STDOUT_FILENO, 0, 0}};
            (void)::poll(waiting, 2, watched ? watched_ms : unwatched_ms);
            if ((waiting[1].revents & (POLLERR | POLLHUP)) != 0)
                return 0; // nobody reads any more
            char events[4096];
            while (watched && ::read(changes.get(), events, sizeof events) > 0) {
            }
        }
    }

    /// When the units were last started, as PID 1 says.
    base::Result<std::uint64_t> start_of_run() {
        std::uint64_t began = std::numeric_limits<std::uint64_t>::max();
        for (const std::string& unit : query_.selection.units) {
            const auto reply = TRY(ask<control::StatusReply>(context_, control::StatusRequest{.unit = unit}));
            if (const base::Duration at = reply.unit.inactive_exit.wall; at.count() > 0)
                began = std::min(began, static_cast<std::uint64_t>(at.count()));
        }
        if (began == std::numeric_limits<std::uint64_t>::max())
            return base::fail(base::Errc::Invalid, "--this-run needs a unit that has been started");
        return began;
    }

    /// What everybody said shortly before and after the last failure of the units, or a time.
    int print_around(log::StoreReader& reader) {
        constexpr std::uint64_t before_us = 10'000'000, after_us = 2'000'000;
        std::uint64_t at = 0;
        if (journal_.around == "failure" || journal_.around == "FAILURE") {
            log::Selection failures = query_.selection;
            failures.min_priority = 0;
            failures.max_priority = 3;
            reader.backward(failures, [&](const log::Record& record, const log::BootId&) {
                at = record.own && record.unit != log::own_unit ? record.wall_us : 0;
                return at == 0;
            });
            if (at == 0)
                return fail("no failure is in the log");
        } else {
            const sys::RealFiles files;
            const char* tz = ::getenv("TZ");
            base::TimeZones zones(&files, tz == nullptr ? "" : tz);
            const auto moment = base::parse_timestamp(journal_.around, base::Duration(static_cast<std::int64_t>(now_us_)), zones);
            if (!moment)
                return usage_error(context_, "--around takes failure, or a time: " + moment.error().what);
            at = static_cast<std::uint64_t>(moment->count());
        }
        query_.selection.units.clear();
        query_.selection.since_us = at - std::min(at, before_us);
        query_.selection.until_us = at + after_us;
        query_.count.reset();
        return print_lines(reader);
    }

    int list_boots(log::StoreReader& reader) {
        const auto boots = reader.boots();
        Table table;
        table.add({"IDX", "BOOT ID", "FIRST ENTRY", "LAST ENTRY"});
        const auto time = [&](std::uint64_t us) { return base::time_text(*style_.zone, base::Duration(static_cast<std::int64_t>(us)), "%a %Y-%m-%d %H:%M:%S %Z"); };
        for (std::size_t i = 0; i < boots.size(); i++)
            table.add({fmt::format("{:3}", static_cast<std::int64_t>(i + 1) - static_cast<std::int64_t>(boots.size())), log::boot_text(boots[i].id), time(boots[i].first_us),
                       time(boots[i].last_us)});
        context_.out += table.render(false, 1);
        return 0;
    }

    /// --disk-usage, --header, --verify.
    int describe(log::StoreReader& reader) {
        std::uint64_t bytes = 0;
        bool damaged = false;
        for (const log::StoreReader::FileFacts& file : reader.files()) {
            bytes += file.bytes;
            if (journal_.verify) {
                const bool good = reader.verify(file.name);
                damaged = damaged || !good;
                context_.print("{}: {}/{}\n", good ? "PASS" : "FAIL", reader.directory(), file.name);
            } else if (journal_.header) {
                const auto time = [&](std::uint64_t us) { return base::time_text(*style_.zone, base::Duration(static_cast<std::int64_t>(us)), "%a %Y-%m-%d %H:%M:%S %Z"); };
                context_.print("File path: {}/{}\nState: {}\nBoot ID: {}\nLines: {}\nBlocks: {}\nBytes: {}\nBytes of lines: {}\nFirst entry: {}\nLast entry: {}\n\n",
                               reader.directory(), file.name, file.open ? "open" : "finished", log::boot_text(file.boot), file.lines, file.blocks, file.bytes, file.raw_bytes,
                               time(file.first_us), time(file.last_us));
            }
        }
        if (journal_.disk_usage)
            context_.print("Archived and active journals take up {} in the file system.\n", human_size(bytes));
        return damaged ? 1 : 0;
    }

    int list_values(log::StoreReader& reader) {
        std::set<std::string> found;
        reader.forward(query_.selection, [&](const log::Record& record, const log::BootId& boot) {
            for_each_journal_field(record, boot, style_, [&](std::string_view name, std::string_view value) {
                if (journal_.list_fields)
                    found.emplace(name);
                else if (name == journal_.field)
                    found.emplace(value);
            });
            return true;
        });
        for (const std::string& each : found)
            context_.out += safe(each) + "\n";
        return 0;
    }

    struct Last {
        std::uint64_t cursor, wall_us, mono_us;
        log::BootId boot;
    };
    static constexpr std::size_t flush_at = 65536;

    Context& context_;
    const Options& options_;
    const JournalOptions& journal_;
    Words words_;
    JournalQuery query_;
    JournalStyle style_;
    std::uint64_t now_us_ = 0;
    std::optional<Last> last_cursor_;
};

} // namespace

int logs(Context& context, Words words) { return Journal(context, words).run(); }

} // namespace monoinit::cli
