// Minimal mode: see minimal.hpp. It uses the table of descriptors and the guards, which do the work; what they report stays with
// them while nothing ends, so that the next whole image hears all of it.
#include "runtime/minimal.hpp"

#include "base/fmt.hpp"
#include "base/signals.hpp"
#include "exec/guard_link.hpp"
#include "runtime/foreground.hpp"
#include "sys/clock.hpp"
#include "sys/proc.hpp"
#include "sys/signals.hpp"
#include "sys/socket.hpp"
#include "sys/syscalls.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace monoinit::runtime {

namespace {

constexpr base::Duration default_budget = std::chrono::seconds(8), bare_rest = std::chrono::seconds(30), after_kill = std::chrono::milliseconds(500);
constexpr std::size_t most_clients = 16;

struct Kept {
    std::unique_ptr<exec::GuardLink> link;
    int pid = 0;
    bool over = false; ///< nothing is left below it
};

class Minimal {
  public:
    Minimal(const Resume& resume, int argc, char** argv, char** environment);
    /// The exit status; nothing when the rest is over.
    std::optional<int> run();

  private:
    void take_up(const Records& records);
    void say(const std::string& text) const;
    void on_signal(int signal);
    void begin_stop();
    void stop_next(base::Instant now);
    void kill_all();
    void hear(Kept& guard);
    void hear_command(const exec::GuardReport& report);
    void reap();
    void answer(const pollfd& listener);
    void drop(int client);
    void wait_for_events(base::Instant until);
    bool is_kept(int pid) const;
    int executable() const;
    bool logger_gone() const { return logger_pid_ == 0 || !sys::stat_of(logger_pid_); }
    static bool nobody_below_children();

    std::optional<Checkpoint> checkpoint_;
    std::optional<sys::SignalFd> signals_;
    std::vector<Kept> guards_;          ///< CMD's first, then the latest before those it may depend on
    std::vector<int> clients_;
    int control_ = -1, logger_link_ = -1, logger_pid_ = 0;
    base::Duration budget_ = default_budget, rest_{};
    bool stopping_ = false, has_command_ = false;
    std::size_t next_ = 0;              ///< of guards_, when stopping
    base::Instant deadline_ = base::never, next_deadline_ = base::never, resume_at_ = base::never;
    int exit_status_ = 0;
    std::string words_;
};

Minimal::Minimal(const Resume& resume, int argc, char** argv, char** environment) : rest_(bare_rest) {
    ::signal(SIGPIPE, SIG_IGN);
    for (const int signal : {SIGHUP, SIGUSR1, SIGUSR2})
        ::signal(signal, SIG_IGN);
    std::string why = "PID 1 crashed while it took up the state";
    if (!resume.bare) {
        const auto note = Checkpoint::peek(resume.checkpoint);
        rest_ = note ? rest_after(*note) : bare_rest;
        why = note ? fmt::format("{} crashes in short time, the last one {}", note->quick, base::signal_name(static_cast<int>(note->signal))) : why;
        if (auto found = Checkpoint::adopt(sys::UniqueFd(::fcntl(resume.checkpoint, F_DUPFD_CLOEXEC, 3)))) {
            ::fcntl(resume.checkpoint, F_SETFD, FD_CLOEXEC);
            checkpoint_.emplace(std::move(*found));
            arm_crash_survival(*checkpoint_, executable(), -1, argc, argv, environment);
            budget_ = std::chrono::milliseconds(checkpoint_->crash().shutdown_ms);
            checkpoint_->crash().rests++;
        }
    }
    words_ = fmt::format("minimal mode: {}. Services run on and are stopped in order at the end; nothing else is done for {} s", why,
                         std::chrono::duration_cast<std::chrono::seconds>(rest_).count());
    resume_at_ = sys::now() + rest_;
    take_up(checkpoint_ ? checkpoint_->read_all() : Records{});
    say(words_);
    auto made = sys::SignalFd::create({SIGCHLD, SIGTERM, SIGINT, SIGPWR, SIGRTMIN + 3, SIGRTMIN + 4});
    if (made)
        signals_.emplace(std::move(*made));
}

/// Writing may wait for whoever reads: a child does it.
void Minimal::say(const std::string& text) const {
    const sys::SignalsBlocked blocked;
    if (sys::fork_process() != 0)
        return;
    sys::reset_signal_handlers();
    const std::string line = "[monoinit] " + text + "\n";
    (void)!::write(STDOUT_FILENO, line.data(), line.size());
    ::_exit(0);
}

void Minimal::take_up(const Records& records) {
    std::vector<FdEntry> kept = checkpoint_ ? checkpoint_->kept() : std::vector<FdEntry>{};
    std::ranges::sort(kept, std::ranges::greater{}, &FdEntry::id);
    for (const FdEntry& entry : kept) {
        if (entry.kind == FdKind::Guard) {
            has_command_ = has_command_ || entry.id == Foreground::guard_number;
            guards_.push_back({std::make_unique<exec::GuardLink>(base::GuardId{static_cast<std::uint32_t>(entry.id)}, sys::UniqueFd(entry.fd)), entry.pid, false});
        } else if (entry.kind == FdKind::Control) {
            control_ = entry.fd;
        } else if (entry.kind == FdKind::LoggerLink) {
            logger_link_ = entry.fd;
            logger_pid_ = entry.pid;
        }
    }
    for (const auto& [key, bytes] : records) // the end had begun: it goes on
        if (const std::size_t at = key == runtime_record ? bytes.find("\nstopping ") : std::string::npos; at != std::string::npos) {
            begin_stop();
            char* behind = nullptr;
            deadline_ = base::Instant{base::Duration(std::strtoll(bytes.c_str() + at + sizeof "\nstopping " - 1, &behind, 10))};
            exit_status_ = std::atoi(behind);
        }
}

int Minimal::executable() const {
    for (const FdEntry& entry : checkpoint_->kept())
        if (entry.kind == FdKind::Executable)
            return entry.fd;
    return -1; // by its name in /proc, then
}

bool Minimal::is_kept(int pid) const {
    return pid == logger_pid_ || std::ranges::any_of(guards_, [pid](const Kept& guard) { return guard.pid == pid; });
}

/// Guards and the logger stay as they end: the next whole image is to find out by itself.
void Minimal::reap() {
    for (const pid_t child : sys::children_of(::getpid()))
        if (stopping_ || !is_kept(child))
            ::waitpid(child, nullptr, WNOHANG);
}

void Minimal::on_signal(int signal) {
    if (signal == SIGCHLD)
        return reap();
    if (stopping_)
        return kill_all();
    begin_stop();
}

void Minimal::begin_stop() {
    stopping_ = true;
    deadline_ = sys::now() + budget_;
    resume_at_ = base::never;
    next_deadline_ = {};
    if (checkpoint_)
        return;
    for (const pid_t child : sys::children_of(::getpid())) // no table: guards stay, and so does the logger
        for (const pid_t process : sys::descendants_of(child))
            sys::send_signal(process, SIGTERM);
}

bool Minimal::nobody_below_children() {
    return std::ranges::all_of(sys::children_of(::getpid()), [](pid_t child) { return sys::children_of(child).empty(); });
}

/// One after the other, each with its share of what is left.
void Minimal::stop_next(base::Instant now) {
    while (next_ < guards_.size()) {
        Kept& guard = guards_[next_];
        const bool asked = next_deadline_ != base::Instant{};
        if (!guard.over && !asked) {
            const auto left = static_cast<std::int64_t>(guards_.size() - next_);
            next_deadline_ = now + std::max((deadline_ - now) / left, base::Duration(1));
            guard.link->signal(exec::SignalScope::Tree, SIGTERM, true, next_ == 0 && has_command_);
            return;
        }
        if (!guard.over && now < next_deadline_)
            return;
        if (!guard.over)
            guard.link->signal(exec::SignalScope::Tree, SIGKILL, false, false);
        next_deadline_ = {};
        next_++;
    }
}

void Minimal::kill_all() {
    for (Kept& guard : guards_)
        guard.link->signal(exec::SignalScope::Tree, SIGKILL, false, false);
    next_ = guards_.size();
    deadline_ = std::min(deadline_, sys::now() + after_kill);
}

void Minimal::hear_command(const exec::GuardReport& report) {
    const auto* exit = std::get_if<exec::GuardExit>(&report);
    if (exit == nullptr || !exit->is_command)
        return;
    exit_status_ = exit->exit.is_signal() ? base::signal_exit_base + exit->exit.status : exit->exit.status;
    if (!stopping_)
        begin_stop(); // as ever: with CMD the container ends
}

void Minimal::hear(Kept& guard) {
    while (const auto report = guard.link->receive()) {
        if (guard.link->guard() == base::GuardId{Foreground::guard_number})
            hear_command(*report);
        const auto* exit = std::get_if<exec::GuardExit>(&*report);
        if (std::holds_alternative<exec::GuardEmpty>(*report) || std::holds_alternative<exec::GuardGone>(*report) || (exit != nullptr && exit->tree_empty)) {
            guard.over = true;
            if (stopping_)
                guard.link->leave();
        }
    }
    guard.link->flush();
}

void Minimal::drop(int client) {
    std::erase(clients_, client);
    std::vector<sys::UniqueFd> closed;
    closed.emplace_back(client);
    sys::close_elsewhere(std::move(closed));
}

/// The same answer to whatever is asked, and nothing of it is read.
void Minimal::answer(const pollfd& client) {
    if (client.fd == control_) {
        if (auto fresh = sys::accept_connection(control_)) {
            clients_.push_back(fresh->release());
            if (clients_.size() > most_clients)
                drop(clients_.front());
        }
        return;
    }
    const std::string text = R"({"error":"io.monoinit.Manager.Busy","parameters":{"text":")" + words_ + R"("}})";
    (void)sys::send_bytes(client.fd, text.c_str(), text.size() + 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    drop(client.fd);
}

void Minimal::wait_for_events(base::Instant until) {
    std::vector<pollfd> polled;
    if (signals_)
        polled.push_back({signals_->fd(), POLLIN, 0});
    if (control_ >= 0)
        polled.push_back({control_, POLLIN, 0});
    for (const int client : clients_)
        polled.push_back({client, POLLIN, 0});
    const std::size_t first_guard = polled.size();
    for (const Kept& guard : guards_)
        // What guards say is left in their sockets as long as all goes on; CMD's end is the container's.
        polled.push_back({!guard.over && (stopping_ || guard.link->guard() == base::GuardId{Foreground::guard_number}) ? guard.link->fd() : -1, POLLIN, 0});
    const base::Duration left = std::clamp<base::Duration>(until - sys::now(), base::Duration{}, std::chrono::seconds(60));
    if (::poll(polled.data(), polled.size(), static_cast<int>(left.count() / 1000) + 1) <= 0)
        return;
    for (std::size_t i = first_guard; i < polled.size(); i++)
        if (polled[i].revents != 0)
            hear(guards_[i - first_guard]);
    for (std::size_t i = 1; i < first_guard; i++)
        if (polled[i].revents != 0)
            answer(polled[i]);
    if (signals_ && polled.front().revents != 0)
        signals_->drain([this](const signalfd_siginfo& info) { on_signal(static_cast<int>(info.ssi_signo)); });
}

std::optional<int> Minimal::run() {
    settled();
    reap();
    for (Kept& guard : guards_) // what CMD said before may have been heard by the image that crashed
        if (guard.link->guard() == base::GuardId{Foreground::guard_number})
            guard.link->query(1, true);
    for (;;) {
        const base::Instant now = sys::now();
        if (resume_at_ <= now) {
            resume_at_ = now + rest_;
            return std::nullopt;
        }
        if (stopping_) {
            stop_next(now);
            const bool over = checkpoint_ ? std::ranges::all_of(guards_, &Kept::over) : nobody_below_children();
            if (over && logger_link_ >= 0) { // it writes what it has and leaves
                ::close(logger_link_);
                logger_link_ = -1;
                deadline_ = std::max(deadline_, now + after_kill);
            }
            if ((over && logger_gone()) || now >= deadline_ + after_kill)
                return exit_status_;
        }
        // Between shares and at the end the clock counts, else only the rest.
        const base::Instant next = stopping_ ? std::min(next_deadline_ == base::Instant{} ? deadline_ + after_kill : next_deadline_, deadline_ + after_kill) : resume_at_;
        wait_for_events(next);
    }
}

} // namespace

bool wants_minimal_mode(const Resume& resume) {
    if (resume.bare || resume.checkpoint < 0)
        return resume.bare;
    const auto note = Checkpoint::peek(resume.checkpoint);
    return note && rest_after(*note) > base::Duration{};
}

int minimal_mode(const Resume& resume, int argc, char** argv, char** environment) {
    Minimal minimal(resume, argc, argv, environment);
    for (;;) {
        if (const std::optional<int> status = minimal.run())
            return *status;
        end_rest(); // returns only when nothing can be executed: another rest, then
    }
}

} // namespace monoinit::runtime
