// The logger's main thread: one epoll loop over the link with PID 1, the streams, the writer thread's events and the
// readers. It never waits for stdout; the link and the readers are served whatever stdout does.
// Tested by tests/unit/log/logger_test.cpp.

#include "log/logger.hpp"

#include "base/fmt.hpp"
#include "log/collector.hpp"
#include "log/log_server.hpp"
#include "log/multiplexer.hpp"
#include "log/recent_store.hpp"
#include "log/stdout_writer.hpp"
#include "log/streams.hpp"
#include "sys/clock.hpp"
#include "sys/epoll_loop.hpp"
#include "sys/process_title.hpp"
#include "sys/signals.hpp"
#include "sys/socket.hpp"
#include "sys/syscalls.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstring>
#include <deque>
#include <optional>
#include <poll.h>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::log {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr base::Duration stall_after = seconds(1);           ///< said to PID 1
constexpr base::Duration shutdown_patience = milliseconds(250); ///< with a stdout that does not move
constexpr base::Duration configured_within = seconds(1);
constexpr base::Duration orphaned_limit = seconds(30);       ///< PID 1 is gone, streams are still open
constexpr base::Duration writer_retry = milliseconds(100);   ///< when no thread could be made
constexpr base::Duration forward_patience = milliseconds(500); ///< at the end, with targets that take nothing
constexpr int last_turns = 64;
constexpr std::string_view terminal_notice =
    "the command has the terminal; service lines go to the log (--logs=stdout mixes): initctl logs -f";

/// A duration that has to have passed without something happening.
class Deadline {
  public:
    void set(base::Duration when) { when_ = when; }
    void clear() { when_.reset(); }
    bool is_set() const { return when_.has_value(); }
    bool passed(base::Duration now) const { return when_ && now >= *when_; }
    base::Duration left(base::Duration now) const {
        return when_ ? std::max(*when_ - now, base::Duration(0)) : base::infinity;
    }

  private:
    std::optional<base::Duration> when_;
};

/// One way out: a ring, its writer, and whether that gets on.
struct Outlet {
    Outlet(char* memory, OutletWords& words, StdoutWriter::Fds fds) : ring(memory, ring_size, words.head, words.tail), writer(words, ring, fds) {}

    /// Whether nothing has to wait for it.
    bool moves(base::Duration now) {
        if (ring.tail() != seen_tail || ring.empty()) {
            seen_tail = ring.tail();
            since.clear();
            stalled = false;
            return true;
        }
        if (!since.is_set())
            since.set(now + stall_after);
        else if (since.passed(now) && !std::exchange(stalled, true))
            writer.tell_me();
        return false;
    }
    base::Duration left(base::Duration now) const { return stalled ? base::infinity : since.left(now); }

    OutRing ring;
    StdoutWriter writer;
    bool running = false;
    std::uint64_t seen_tail = 0;
    Deadline since; ///< it has stood still
    bool stalled = false;
};

bool same_file(int a, int b) {
    struct stat first {}, second {};
    return ::fstat(a, &first) != 0 || ::fstat(b, &second) != 0 || (first.st_dev == second.st_dev && first.st_ino == second.st_ino);
}

class Logger {
  public:
    Logger(const LoggerOptions& options, SharedMemory& memory, sys::EpollLoop& loop)
        : options_(options), loop_(loop), store_(memory), files_(memory),
          output_(memory.ring(), memory.header().output, {options.output, options.spool_read, options.spool_write}),
          errors_(memory.error_ring(), memory.header().errors, {options.errors}),
          multiplexer_(store_, output_.ring, isatty(options.output) == 1, &files_, &forwarder_), policies_(multiplexer_),
          streams_(memory, 0, Urgency::MayWait, multiplexer_, policies_, [this](StreamId stream) { stream_ended(stream); }),
          free_streams_(memory, 1, Urgency::MustNotWait, multiplexer_, policies_, [this](StreamId stream) { stream_ended(stream); }),
          collector_(loop, multiplexer_, policies_, {options.syslog, options.journal, options.stream}, {::getppid(), ::getuid(), look_at_process},
                     [this](StreamInfo info, sys::UniqueFd fd) { say(from_logger::Adopt{std::move(info)}, std::move(fd)); },
                     [this](std::uint32_t uid) { return streams_.connections(uid); }),
          server_(loop, store_, files_, options.listener), reported_lost_(lines_lost()), told_lost_(reported_lost_) {}

    /// An error: it would work by half, so another has to be started.
    base::Result<void> start() {
        if (streams_.fd() < 0 || free_streams_.fd() < 0 || !files_.is_usable() || !output_.writer.is_usable() || !errors_.writer.is_usable())
            return base::fail(base::Errc::System, "descriptors are short");
        start_writers(sys::monotonic_now());
        TRY(loop_.add(options_.link, EPOLLIN, [this](std::uint32_t events) { on_link(events); }));
        for (Outlet* outlet : {&output_, &errors_})
            TRY(loop_.add(outlet->writer.event_fd(), EPOLLIN, [outlet](std::uint32_t) { outlet->writer.drain_event(); }));
        TRY(loop_.add(free_streams_.fd(), EPOLLIN, [](std::uint32_t) {})); // turn() reads them
        TRY(loop_.add(files_.event_fd(), EPOLLIN, [this](std::uint32_t) { files_.drain_event(); }));
        say(from_logger::Ready{static_cast<std::uint32_t>(getpid())});
        return {};
    }

    int run() {
        while (!leaving_) {
            (void)loop_.run_once(patience());
            turn();
        }
        return 0;
    }

  private:
    /// What one wake-up is followed by, whatever it was for.
    void turn() {
        const base::Duration now = sys::monotonic_now();
        watch_output(now);
        watch_files(now);
        read_streams(now);
        if (writer_due_.passed(now))
            start_writers(now);
        output_.writer.wake();
        errors_.writer.wake();
        files_.wake();
        forwarder_.wake();
        server_.pump();
        tending_ = server_.tend(now);
        confirm_configuration(now);
        if (drain_)
            try_to_leave();
        else if (orphaned_.is_set() && (streams_.open() + free_streams_.open() == 0 || orphaned_.passed(now)))
            drain_ = sys::now() + seconds(1);
    }

    /// Where no thread can be made (a process limit), lines are read and kept, and stdout waits for one.
    void start_writers(base::Duration now) {
        writer_due_.clear();
        const bool needs_errors = errors_apart_ || !errors_.ring.empty(); // what a former logger left
        for (Outlet* outlet : {&output_, &errors_}) {
            if (outlet->running || (outlet == &errors_ && !needs_errors))
                continue;
            outlet->running = outlet->writer.start();
            if (!outlet->running)
                writer_due_.set(now + writer_retry);
        }
        if (!files_.configure(config_.store))
            writer_due_.set(now + writer_retry);
    }

    base::Duration patience() const {
        const base::Duration now = sys::monotonic_now();
        base::Duration wait = std::min({output_.left(now), errors_.left(now), held_up_.left(now), confirm_by_.left(now),
                                        orphaned_.left(now), writer_due_.left(now), files_stalled_since_.left(now), tending_ ? seconds(1) : base::infinity});
        if (drain_)
            wait = std::min(wait, std::clamp<base::Duration>(*drain_ - sys::now(), base::Duration(0), milliseconds(forwarder_.idle() ? 20 : 1))); // nothing tells when it is
        return reading_soon_ ? base::Duration(0) : wait;
    }

    // ---- stdout

    std::uint64_t lines_lost() const { return output_.writer.lines_lost() + errors_.writer.lines_lost() + multiplexer_.skipped(); }
    bool idle() const { return output_.writer.idle() && (!errors_.running || errors_.writer.idle()); }
    int last_error() const { return output_.writer.last_error() != 0 ? output_.writer.last_error() : errors_.writer.last_error(); }

    void watch_output(base::Duration now) {
        const bool moves = output_.moves(now), errors_move = errors_.moves(now);
        if (moves && errors_move) {
            multiplexer_.never_wait(false);
            held_up_.clear();
        }
        if ((output_.stalled || errors_.stalled) != stalled_ || lines_lost() != reported_lost_)
            report_output();
        // Said where they are missing, once something can be written again.
        if (reported_lost_ > told_lost_ && output_.ring.empty() && last_error() == 0 && !drain_) {
            own_line(4, {}, fmt::format("{} lines did not go to stdout; they are kept: initctl logs", reported_lost_ - told_lost_));
            told_lost_ = reported_lost_;
        } else if (reported_lost_ > told_lost_ && !output_.ring.empty()) {
            output_.writer.tell_me(); // nothing else may wake us then
        }
    }

    void report_output() {
        stalled_ = output_.stalled || errors_.stalled;
        reported_lost_ = lines_lost();
        say(from_logger::Output{stalled_, reported_lost_, last_error()});
    }

    // ---- the store

    /// Services wait for a disk as for stdout, but not for one that stands still or is full.
    void watch_files(base::Duration now) {
        if (files_.idle() || files_.tail() != files_seen_) {
            files_seen_ = files_.tail();
            files_.never_wait(false);
            files_stalled_since_.clear();
        } else if (!files_stalled_since_.is_set()) {
            files_stalled_since_.set(now + stall_after);
        } else if (files_stalled_since_.passed(now)) {
            files_stalled_since_.clear();
            files_.never_wait(true);
        }
        const int error = files_.last_error();
        if (error != std::exchange(files_error_, error) && error != 0)
            own_line(3, {}, fmt::format("log store: cannot write to {}: {}; lines are kept in memory and go to stdout", config_.store.directory, std::strerror(error)));
        forwarder_.tell_lost(now, [this](const std::string& target, std::uint64_t lines) {
            own_line(4, {}, fmt::format("log_forward: {} lines did not reach {}", lines, target));
        });
        if (error == 0 && files_.idle() && files_.lines_lost() > told_not_stored_ && !drain_) {
            own_line(4, {}, fmt::format("log store: {} lines are not in it", files_.lines_lost() - told_not_stored_));
            told_not_stored_ = files_.lines_lost();
        }
    }

    void own_line(std::uint8_t priority, std::string_view unit, std::string_view text) {
        multiplexer_.own_line_now(priority, unit, text);
    }

    // ---- streams

    void read_streams(base::Duration now) {
        reading_soon_ = false;
        if (!configured_)
            return;
        if (shutdown_ && held_up_.passed(now))
            multiplexer_.never_wait(true); // it stands still: what it cannot take is counted
        (void)free_streams_.run();
        bool room = streams_.run();
        if (!room) {
            for (Outlet* outlet : {&output_, &errors_}) {
                outlet->writer.wake();
                outlet->writer.tell_me();
            }
            files_.wake();
            files_.tell_me();
            room = streams_.resume(); // it may have been emptied just before we asked to be told
        }
        if (!room && shutdown_ && !held_up_.is_set())
            held_up_.set(now + shutdown_patience);
        watch_streams(room);
    }

    /// At the end, what a service wrote comes out before what is said of its end, and "all stopped" is the last word.
    void catch_up() {
        for (int turns = 0; turns < last_turns && configured_ && !streams_.stuck() && streams_readable(); turns++)
            read_streams(sys::monotonic_now());
    }

    /// While they cannot be read they must not wake us.
    void watch_streams(bool on) {
        if (on == watching_streams_)
            return;
        watching_streams_ = on;
        if (on) {
            (void)loop_.add(streams_.fd(), EPOLLIN, [](std::uint32_t) {}); // turn() reads them
            reading_soon_ = true;
        } else {
            loop_.remove(streams_.fd());
        }
    }

    void stream_ended(StreamId stream) {
        eof_unacknowledged_.insert(stream);
        say(from_logger::StreamEof{stream});
    }

    // ---- PID 1

    void on_link(std::uint32_t events) {
        if ((events & EPOLLOUT) != 0)
            flush_link();
        constexpr int packets_a_turn = 64;
        std::array<char, max_packet> buffer;
        for (int i = 0; i < packets_a_turn; i++) {
            auto received = sys::receive_message(options_.link, buffer);
            if (!received && received.error().code == base::Errc::Busy)
                return;
            if (!received || received->bytes.empty())
                return orphan();
            auto message = decode_to_logger(received->bytes);
            if (!message)
                continue; // of a later version
            sys::UniqueFd fd;
            if (!received->descriptors.empty())
                fd = std::move(received->descriptors.front());
            std::visit([&](auto& m) { handle(m, std::move(fd)); }, *message);
        }
    }

    /// PID 1 is gone (we are no longer in a container's first process tree): what is still coming is written.
    void orphan() {
        loop_.remove(options_.link);
        orphaned_.set(sys::monotonic_now() + orphaned_limit);
        shutdown_ = true;
    }

    void handle(const to_logger::Configure& m, sys::UniqueFd) {
        if (m.config.command_has_terminal && !config_.command_has_terminal && configured_)
            own_line(6, {}, terminal_notice);
        config_ = m.config;
        errors_apart_ = config_.errors_apart && !same_file(options_.output, options_.errors);
        multiplexer_.set_errors(errors_apart_ ? &errors_.ring : nullptr);
        start_writers(sys::monotonic_now());
        server_.set_directory(config_.store.directory);
        forwarder_.configure(config_.forward);
        for (const std::string& problem : forwarder_.problems())
            own_line(4, {}, "log_forward: " + problem);
        multiplexer_.configure(config_);
        policies_.configure(config_);
        for (Streams* streams : {&streams_, &free_streams_}) {
            streams->set_line_max(config_.line_max);
            streams->refresh();
        }
        confirm_by_.set(sys::monotonic_now() + configured_within);
        if (!std::exchange(configured_, true) && !streams_.stuck())
            watch_streams(true);
        collector_.start();
    }
    void handle(const to_logger::AddStream& m, sys::UniqueFd fd) {
        if (eof_unacknowledged_.contains(m.stream)) {
            say(from_logger::Ack{m.stream});
            say(from_logger::StreamEof{m.stream});
            return;
        }
        Streams& streams = m.info.waits ? streams_ : free_streams_;
        if (!fd && !streams.knows(m.stream)) {
            say(from_logger::Refused{m.stream, EMFILE});
            return;
        }
        if (const auto added = streams.add(m.stream, m.info, std::move(fd)))
            say(from_logger::Ack{m.stream});
        else
            say(from_logger::Refused{m.stream, added.error().errnum});
    }
    void handle(const to_logger::EofAck& m, sys::UniqueFd) { eof_unacknowledged_.erase(m.stream); }
    void handle(const to_logger::Message& m, sys::UniqueFd) {
        if (shutdown_)
            catch_up();
        if (m.dropped > 0)
            own_line(4, {}, fmt::format("{} messages of monoinit were lost before this one", m.dropped));
        own_line(m.priority, m.unit, m.text);
    }
    void handle(const to_logger::Mute& m, sys::UniqueFd) {
        multiplexer_.mute(m.unit, m.muted);
        streams_.refresh();
        free_streams_.refresh();
    }
    void handle(const to_logger::Shutdown&, sys::UniqueFd) { shutdown_ = true; }
    void handle(const to_logger::Drain& m, sys::UniqueFd) {
        shutdown_ = true;
        drain_ = m.deadline;
        forwarding_ends_.set(sys::monotonic_now() + forward_patience);
    }
    void handle(const to_logger::Sync&, sys::UniqueFd) {
        for (const StreamId stream : eof_unacknowledged_)
            say(from_logger::StreamEof{stream});
    }

    void say(const FromLogger& message, sys::UniqueFd fd = {}) {
        if (orphaned_.is_set())
            return;
        outbox_.emplace_back(encode(message), std::move(fd));
        flush_link();
    }

    void flush_link() {
        for (; !outbox_.empty(); outbox_.pop_front()) {
            const auto& [packet, fd] = outbox_.front();
            const auto sent = fd ? sys::send_message(options_.link, packet, std::array{fd.get()}) : sys::send_message(options_.link, packet);
            if (!sent && sent.error().code == base::Errc::Busy)
                break;
        }
        if (writing_link_ != !outbox_.empty()) {
            writing_link_ = !outbox_.empty();
            (void)loop_.modify(options_.link, writing_link_ ? EPOLLIN | EPOLLOUT : EPOLLIN);
        }
    }

    void confirm_configuration(base::Duration now) {
        if (!confirm_by_.is_set())
            return;
        if (!idle() && !confirm_by_.passed(now)) {
            output_.writer.tell_me();
            errors_.writer.tell_me();
            if (!idle())
                return;
        }
        confirm_by_.clear();
        say(from_logger::Configured{config_.sequence});
    }

    // ---- the end

    void try_to_leave() {
        const bool late = sys::now() >= *drain_;
        if (late) { // one more pass: at least the store gets what is there
            multiplexer_.never_wait(true);
            for (int turns = 0; turns < last_turns && streams_readable(); turns++) {
                (void)free_streams_.run();
                (void)streams_.run();
            }
        }
        const bool quiet = streams_.stuck() ? false : !streams_readable();
        if (!quiet && !late) {
            reading_soon_ = !streams_.stuck();
            return;
        }
        if (!streams_.finish_all() || !free_streams_.finish_all())
            return;
        collector_.drain();
        output_.writer.wake();
        errors_.writer.wake();
        (void)files_.flush();
        forwarder_.wake();
        const bool forwarded = forwarder_.idle() || forwarding_ends_.passed(sys::monotonic_now());
        if ((!idle() || !forwarded || (!files_.idle() && files_.last_error() == 0)) && !late)
            return;
        say(from_logger::Drained{output_.writer.lines_waiting() + (errors_.running ? errors_.writer.lines_waiting() : 0) + lines_lost()});
        for (int tries = 0; !outbox_.empty() && tries < 10; tries++) {
            pollfd waiting{options_.link, POLLOUT, 0};
            (void)poll(&waiting, 1, 10);
            flush_link();
        }
        leaving_ = true;
    }

    bool streams_readable() const {
        pollfd waiting[] = {{streams_.fd(), POLLIN, 0}, {free_streams_.fd(), POLLIN, 0}};
        return poll(waiting, 2, 0) > 0;
    }

    const LoggerOptions& options_;
    sys::EpollLoop& loop_;
    RecentStore store_;
    StoreWriter files_;
    Forwarder forwarder_;
    Outlet output_, errors_;
    Multiplexer multiplexer_;
    UnitPolicies policies_;
    Streams streams_;      ///< those that wait for stdout
    Streams free_streams_; ///< those that do not
    Collector collector_;
    LogServer server_;

    Config config_;
    bool configured_ = false;
    bool watching_streams_ = false;
    bool reading_soon_ = false;
    std::set<StreamId> eof_unacknowledged_;
    std::deque<std::pair<std::string, sys::UniqueFd>> outbox_;
    bool writing_link_ = false;

    bool errors_apart_ = false, stalled_ = false;
    std::uint64_t reported_lost_, told_lost_;
    std::uint64_t files_seen_ = 0, told_not_stored_ = 0;
    int files_error_ = 0;
    Deadline files_stalled_since_;
    Deadline forwarding_ends_, held_up_, confirm_by_, orphaned_, writer_due_;
    bool tending_ = false;
    bool shutdown_ = false;
    std::optional<base::Instant> drain_;
    bool leaving_ = false;
};

constexpr struct {
    std::string_view name;
    int LoggerOptions::*member;
} option_table[] = {
    {"link", &LoggerOptions::link},
    {"buffers", &LoggerOptions::buffers},
    {"spool-read", &LoggerOptions::spool_read},
    {"spool-write", &LoggerOptions::spool_write},
    {"listener", &LoggerOptions::listener},
    {"syslog", &LoggerOptions::syslog},
    {"journal", &LoggerOptions::journal},
    {"stream", &LoggerOptions::stream},
    {"output", &LoggerOptions::output},
    {"errors", &LoggerOptions::errors},
};

} // namespace

std::vector<std::string> logger_argv(const LoggerOptions& options) {
    std::vector<std::string> argv{"monoinit: log", std::string(logger_verb)};
    for (const auto& [name, member] : option_table)
        argv.push_back(fmt::format("{}={}", name, options.*member));
    return argv;
}

base::Result<LoggerOptions> parse_logger_argv(int argc, char** argv) {
    LoggerOptions options;
    for (int i = 2; i < argc; i++) {
        const std::string_view argument = argv[i];
        for (const auto& [name, member] : option_table) {
            if (!argument.starts_with(name) || argument.size() <= name.size() || argument[name.size()] != '=')
                continue;
            const std::string_view value = argument.substr(name.size() + 1);
            if (std::from_chars(value.data(), value.data() + value.size(), options.*member).ec != std::errc())
                return base::fail(base::Errc::Invalid, "not a descriptor number: " + std::string(argument));
        }
    }
    if (options.link < 0)
        return base::fail(base::Errc::Invalid, "the logger needs its link");
    return options;
}

/// Nobody prints our lines but ourselves. In a process that may stand still; another is started within a second.
int end_unfit(const base::Error& error) {
    const std::string line = "[monoinit] the logger cannot work: " + base::to_string(error) + '\n';
    (void)sys::write_bytes(STDERR_FILENO, line.data(), line.size());
    return 1;
}

int logger_main(const LoggerOptions& options) {
    sys::block_all_signals(); // the link's end is what ends us; SIGPIPE is an errno
    ::signal(SIGCHLD, SIG_IGN); // nobody here waits for the children that close strangers' descriptors
    sys::set_title("monoinit: log");
    auto memory = SharedMemory::map(options.buffers);
    if (memory && memory->header().next_cursor <= 1) // counts up over all starts of the container, as long as clocks do
        memory->header().next_cursor = static_cast<std::uint64_t>(sys::wall_now().count());
    auto loop = sys::EpollLoop::create();
    if (!memory || !loop)
        return end_unfit(memory ? loop.error() : memory.error());
    Logger logger(options, *memory, *loop);
    if (const auto started = logger.start(); !started)
        return end_unfit(started.error());
    const int status = logger.run();
    _exit(status); // the writer thread may be in the middle of a write: nothing may be destroyed
}

int logger_main(int argc, char** argv) {
    const auto options = parse_logger_argv(argc, argv);
    return options ? logger_main(*options) : 2;
}

} // namespace monoinit::log
