// Starting, restarting and feeding the logger. See log_process.hpp.
#include "runtime/log_process.hpp"

#include "base/fmt.hpp"
#include "log/logger.hpp"
#include "sys/clock.hpp"
#include "sys/patience.hpp"
#include "sys/signals.hpp"
#include "sys/socket.hpp"
#include "sys/syscalls.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace monoinit::runtime {

namespace {

constexpr base::Duration retry_after = std::chrono::milliseconds(50);
constexpr base::Duration quick = std::chrono::seconds(1); ///< a logger that lived shorter than this died at once
constexpr base::Duration restart_pause = std::chrono::seconds(1);
constexpr std::size_t most_connections = 256; ///< each costs a descriptor here and one in the logger
constexpr int last_turns = 64; ///< a dead logger's packets end; this holds also if somebody else had its end of the link

/// What every logger inherits: where it is kept here, in the checkpoint, and in the logger's options.
struct Shared {
    FdKind kind;
    sys::UniqueFd& (*held)(log::LoggerFds&);
    int log::LoggerOptions::*option;
};
constexpr Shared shared_fds[] = {
    {FdKind::LoggerBuffers, [](log::LoggerFds& fds) -> sys::UniqueFd& { return fds.buffers; }, &log::LoggerOptions::buffers},
    {FdKind::LoggerSpoolRead, [](log::LoggerFds& fds) -> sys::UniqueFd& { return fds.spool_read; }, &log::LoggerOptions::spool_read},
    {FdKind::LoggerSpoolWrite, [](log::LoggerFds& fds) -> sys::UniqueFd& { return fds.spool_write; }, &log::LoggerOptions::spool_write},
    {FdKind::LogSocket, [](log::LoggerFds& fds) -> sys::UniqueFd& { return fds.listener; }, &log::LoggerOptions::listener},
    {FdKind::SyslogSocket, [](log::LoggerFds& fds) -> sys::UniqueFd& { return fds.collector.syslog; }, &log::LoggerOptions::syslog},
    {FdKind::JournalSocket, [](log::LoggerFds& fds) -> sys::UniqueFd& { return fds.collector.journal; }, &log::LoggerOptions::journal},
    {FdKind::JournalStream, [](log::LoggerFds& fds) -> sys::UniqueFd& { return fds.collector.stream; }, &log::LoggerOptions::stream},
};

std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> result;
    for (std::string& text : strings)
        result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

} // namespace

LogProcess::LogProcess(sys::EpollLoop& loop, Checkpoint& checkpoint, int exe_fd)
    : loop_(loop), checkpoint_(checkpoint), exe_fd_(exe_fd), link_(events()) {}

LogProcess::~LogProcess() { unwatch(); }

log::LoggerLink::Events LogProcess::events() {
    log::LoggerLink::Events events;
    events.drained = [this](std::uint64_t) {
        leaving_ = true;
        if (drained_)
            drained_();
    };
    events.stream_closed = [this](log::StreamId stream, const std::string&) {
        const auto found = stream_fds_.find(stream.value);
        if (found == stream_fds_.end())
            return;
        checkpoint_.forget(found->second);
        checkpoint_.erase(log_stream_record + static_cast<std::uint32_t>(found->second));
        stream_fds_.erase(found);
        connections_.erase(stream.value);
    };
    events.connected = [this](log::StreamInfo info, sys::UniqueFd fd) { adopt(std::move(info), std::move(fd)); };
    events.configured = [this] {
        if (configured_)
            std::exchange(configured_, nullptr)();
    };
    return events;
}

void LogProcess::start(const std::string& logs_socket, bool syslog_sockets, log::Config config) {
    (void)sys::insist([&]() -> base::Result<void> { // else what could be made is used, and the rest is missing for ever
        fds_ = TRY(log::make_logger_fds(logs_socket));
        const auto passing = std::ranges::find_if(fds_.problems, [](const base::Error& error) { return base::is_shortage(error.errnum); });
        return passing == fds_.problems.end() ? base::Result<void>() : *passing;
    });
    if (syslog_sockets)
        fds_.collector = log::make_collector_fds();
    link_.configure(std::move(config));
    save_settings();
    for (const Shared& shared : shared_fds)
        if (const int fd = shared.held(fds_).get(); fd >= 0)
            checkpoint_.keep({shared.kind, fd, 0, 0, 0});
    launch();
    for (const base::Error& problem : fds_.problems)
        say(3, {}, "of logging something is missing: " + base::to_string(problem));
}

void LogProcess::launch() {
    auto pair = sys::make_socket_pair(SOCK_SEQPACKET, true, false);
    if (!pair) {
        retry_at_ = sys::now() + restart_pause;
        return;
    }
    log::LoggerOptions options;
    options.link = pair->second.get();
    for (const Shared& shared : shared_fds)
        options.*shared.option = shared.held(fds_).get();
    std::vector<std::string> arguments = log::logger_argv(options);
    std::vector<char*> argv = pointers(arguments);
    const sys::SignalsBlocked blocked;
    const pid_t pid = sys::fork_process();
    if (pid == 0) {
        ::fcntl(options.link, F_SETFD, 0);
        for (const Shared& shared : shared_fds)
            if (const int fd = options.*shared.option; fd >= 0)
                ::fcntl(fd, F_SETFD, 0);
        ::setsid(); // a terminal's Ctrl-C is for services and CMD, not for the logger
        sys::reset_signal_handlers();
        sys::unblock_all_signals();
        ::syscall(SYS_execveat, exe_fd_, "", argv.data(), environ, AT_EMPTY_PATH);
        ::_exit(127);
    }
    if (pid < 0) {
        retry_at_ = sys::now() + restart_pause;
        return;
    }
    pid_ = pid;
    started_at_ = sys::now();
    checkpoint_.keep({FdKind::LoggerLink, pair->first.get(), 0, 0, pid});
    link_.attach(std::move(pair->first));
    watch();
    pump();
}

void LogProcess::watch() {
    watching_ = loop_.add(link_.fd(), EPOLLIN, [this](std::uint32_t events) { on_ready(events); }).has_value();
    watching_output_ = false;
}

void LogProcess::unwatch() {
    if (watching_)
        loop_.remove(link_.fd());
    watching_ = false;
}

void LogProcess::pump() {
    if (watching_ && link_.wants_write() != watching_output_) {
        watching_output_ = link_.wants_write();
        (void)loop_.modify(link_.fd(), watching_output_ ? EPOLLIN | EPOLLOUT : EPOLLIN); // asked again at the next message
    }
    if (link_.wants_retry() && retry_at_ == base::never)
        retry_at_ = sys::now() + retry_after;
}

void LogProcess::on_ready(std::uint32_t events) {
    if ((events & EPOLLOUT) != 0)
        link_.on_writable();
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0 && !link_.on_readable()) {
        unwatch();
        checkpoint_.forget(link_.fd());
        link_.detach(); // its SIGCHLD starts the next one
        return;
    }
    pump();
}

void LogProcess::died() {
    // Its SIGCHLD may be seen before its last packets: "drained" among them, after which no other is to be started.
    for (int turn = 0; turn < last_turns && link_.on_readable(); turn++) {
    }
    unwatch();
    if (link_.attached()) {
        checkpoint_.forget(link_.fd());
        link_.detach();
    }
    pid_ = 0;
    if (leaving_)
        return;
    // A logger that dies at once, again and again, must not become a fork loop.
    if (sys::now() - started_at_ < quick && ++quick_deaths_ > 3) {
        retry_at_ = sys::now() + restart_pause;
        return;
    }
    if (sys::now() - started_at_ >= quick)
        quick_deaths_ = 0;
    launch();
    say(4, {}, "the logger was restarted; what it was writing is written again, at most one line a stream twice");
}

void LogProcess::retry(base::Instant now) {
    if (retry_at_ > now)
        return;
    retry_at_ = base::never;
    if (pid_ == 0 && !leaving_)
        launch();
    else
        link_.retry();
    pump();
}

void LogProcess::say(int priority, std::string_view unit, std::string_view text) {
    if (priority > level_)
        return;
    link_.message(priority, unit, text);
    pump();
}

base::Result<sys::UniqueFd> LogProcess::add_stream(const unit::UnitConfig& config, log::StreamKind kind, const exec::AccountLookup& accounts) {
    sys::Pipe pipe = TRY(sys::make_pipe_pair());
    const unit::ExecSection& exec = *config.exec;
    if (!exec.user.empty())
        if (const auto account = accounts.user(exec.user))
            // So that the service may open /dev/stderr again under its own uid. Not root: it is ours anyway.
            (void)!::fchown(pipe.write.get(), account->uid, account->gid);
    hold(describe(config, kind), std::move(pipe.read));
    return std::move(pipe.write);
}

/// What the unit says of its lines, and of what it does not say, what the configuration does.
log::StreamInfo LogProcess::describe(const unit::UnitConfig& config, log::StreamKind kind) const {
    const unit::ExecSection& exec = *config.exec;
    const unit::LogSection& lines = *exec.log;
    const log::Config& defaults = link_.config();
    log::StreamInfo info;
    info.unit = config.name;
    info.identifier = exec.syslog_identifier;
    info.default_priority = static_cast<std::uint8_t>(exec.syslog_level);
    info.level_prefix = exec.syslog_level_prefix;
    info.level_max = static_cast<std::uint8_t>(lines.level_max);
    info.facility = static_cast<std::uint8_t>(exec.syslog_facility >> 3);
    info.kind = kind;
    info.to_console = lines.stdout_level ? *lines.stdout_level != unit::LogSection::no_level : defaults.to_stdout;
    info.stdout_level = lines.stdout_level && info.to_console ? static_cast<std::uint8_t>(*lines.stdout_level) : defaults.stdout_level;
    info.waits = lines.when_full ? *lines.when_full == unit::LogWhenFull::Wait : defaults.waits;
    info.rate_burst = defaults.rate_burst;
    info.rate_interval_us = defaults.rate_interval_us;
    if (lines.rate_limit_burst || lines.rate_limit_interval) { // what is not set is journald's
        info.rate_burst = lines.rate_limit_burst.value_or(10000);
        info.rate_interval_us = static_cast<std::uint64_t>(lines.rate_limit_interval.value_or(std::chrono::seconds(30)).count());
    }
    for (const std::string& field : lines.extra_fields)
        if (info.extra_fields.size() + field.size() < log::max_extra_fields)
            (info.extra_fields += field) += '\0';
    for (const std::string& pattern : lines.filter_patterns)
        if (info.filter_patterns.size() + pattern.size() < log::max_filter_patterns)
            (info.filter_patterns += pattern) += '\0';
    return info;
}

log::StreamId LogProcess::hold(log::StreamInfo info, sys::UniqueFd read_end) {
    const int fd = read_end.get();
    const std::string described = log::encode_stream_info(info);
    const log::StreamId stream = link_.add_stream(std::move(info), std::move(read_end));
    stream_fds_[stream.value] = fd;
    checkpoint_.keep({FdKind::LogStream, fd, stream.value, 0, 0});
    checkpoint_.write(log_stream_record + static_cast<std::uint32_t>(fd), described);
    checkpoint_.write(log_counter_record, fmt::format("{}", stream.value + 1));
    pump();
    return stream;
}

/// A connection of the journal's stream protocol: held like a pipe, so that it outlives its logger.
void LogProcess::adopt(log::StreamInfo info, sys::UniqueFd connection) {
    if (connections_.size() >= most_connections) {
        std::vector<sys::UniqueFd> refused;
        refused.push_back(std::move(connection));
        (void)sys::close_elsewhere(std::move(refused));
        return;
    }
    info.kind = log::StreamKind::Connection;
    connections_.insert(hold(std::move(info), std::move(connection)).value);
}

base::Result<LogProcess::Streams> LogProcess::open_streams(const unit::UnitConfig& config, exec::OutputNeeds needs,
                                                           const exec::AccountLookup& accounts) {
    Streams streams;
    if (link_.config().errors_apart && needs.shared)
        needs = {.output = true, .error = true, .shared = false};
    if (needs.output || needs.shared)
        streams.output = TRY(add_stream(config, needs.shared ? log::StreamKind::Both : log::StreamKind::Output, accounts));
    if (needs.error && !needs.shared)
        streams.error = TRY(add_stream(config, log::StreamKind::Error, accounts));
    struct stat st{};
    const int fd = streams.error ? streams.error.get() : streams.output.get();
    if (fd >= 0 && ::fstat(fd, &st) == 0)
        streams.journal_stream = fmt::format("{}:{}", st.st_dev, st.st_ino);
    return streams;
}

void LogProcess::save_settings() {
    log::LinkState state = link_.export_state();
    state.streams.clear(); // they have records of their own, so that a new stream costs one record, not all
    checkpoint_.write(log_record, log::encode_state(state));
}

void LogProcess::mute(std::string_view unit, bool muted) {
    link_.mute(unit, muted);
    save_settings();
    pump();
}

void LogProcess::begin_shutdown() {
    link_.begin_shutdown();
    save_settings();
    pump();
}

void LogProcess::command_has_terminal(bool yes, std::function<void()> then) {
    log::Config config = link_.config();
    config.command_has_terminal = yes;
    configured_ = std::move(then);
    link_.configure(std::move(config));
    save_settings();
    pump();
    if (pid_ == 0 && configured_)
        std::exchange(configured_, nullptr)(); // no logger, nothing to mix with
}

void LogProcess::begin_drain(base::Instant deadline, std::function<void()> drained) {
    drained_ = std::move(drained);
    link_.begin_drain(deadline);
    pump();
    if (pid_ == 0)
        drained_();
}

void LogProcess::resume(const std::vector<FdEntry>& kept, const std::vector<std::pair<std::uint32_t, std::string>>& records) {
    std::unordered_map<std::uint32_t, std::string> by_key(records.begin(), records.end());
    log::LinkState state;
    if (auto decoded = log::decode_state(by_key[log_record]))
        state = std::move(*decoded);
    state.socket = -1;
    // One more: the image before may have told the logger of a stream and not recorded it, and two may not have one number.
    state.next_stream = std::strtoull(by_key[log_counter_record].c_str(), nullptr, 10) + 1;
    std::vector<sys::UniqueFd> unknown;
    for (const FdEntry& entry : kept) {
        for (const Shared& shared : shared_fds)
            if (entry.kind == shared.kind)
                shared.held(fds_).reset(entry.fd);
        if (entry.kind == FdKind::LoggerLink) {
            pid_ = entry.pid;
            state.socket = entry.fd;
        } else if (entry.kind == FdKind::LogStream) {
            if (auto info = log::decode_stream_info(by_key[log_stream_record + static_cast<std::uint32_t>(entry.fd)])) {
                state.streams.push_back({log::StreamId{entry.id}, std::move(*info), entry.fd, false});
                state.next_stream = std::max(state.next_stream, entry.id + 1);
                stream_fds_[entry.id] = entry.fd;
                if (state.streams.back().info.kind == log::StreamKind::Connection)
                    connections_.insert(entry.id);
            } else { // the fault came before it was noted whose it is, so nobody has been given the other end
                checkpoint_.forget(entry.fd);
                unknown.emplace_back(entry.fd);
            }
        }
    }
    checkpoint_.write(log_counter_record, fmt::format("{}", state.next_stream)); // the next image skips one of its own
    if (!unknown.empty())
        (void)sys::close_elsewhere(std::move(unknown));
    started_at_ = sys::now();
    link_ = log::LoggerLink::import_state(std::move(state), events());
    if (link_.attached())
        watch();
    else
        launch();
    pump();
}

} // namespace monoinit::runtime
