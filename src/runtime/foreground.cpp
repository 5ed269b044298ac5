// The foreground command. See foreground.hpp.
#include "runtime/foreground.hpp"

#include "base/fmt.hpp"
#include "base/signals.hpp"
#include "exec/spawn.hpp"

#include <csignal>
#include <sys/ioctl.h>
#include <unistd.h>

namespace monoinit::runtime {

Foreground::Foreground(sys::EpollLoop& loop, Checkpoint& checkpoint, std::function<void(int, std::string)> ended,
                       std::function<void()> empty)
    : loop_(loop), checkpoint_(checkpoint), ended_(std::move(ended)), empty_(std::move(empty)) {}

Foreground::~Foreground() {
    if (link_)
        loop_.remove(link_->fd());
}

bool Foreground::has_terminal() { return ::isatty(STDIN_FILENO) == 1; }

void Foreground::start(const std::vector<std::string>& argv, const exec::ManagerContext& manager) {
    const bool terminal = has_terminal();
    if (terminal) {
        // We may hold it as controlling terminal; giving it up sends SIGHUP to our session, which we block and ignore.
        ::signal(SIGHUP, SIG_IGN);
        ::ioctl(STDIN_FILENO, TIOCNOTTY);
        ::signal(SIGHUP, SIG_DFL);
    }
    const base::GuardId id{guard_number};
    const exec::Plan plan = exec::command_plan(id, argv, manager, terminal);
    auto channel = exec::make_guard_channel();
    if (!channel)
        return ended_(125, base::to_string(channel.error()));
    checkpoint_.keep({FdKind::Guard, channel->ours.get(), guard_number, 0, 0});
    auto pid = exec::spawn_guard(plan, *channel);
    if (!pid) {
        checkpoint_.forget(channel->ours.get());
        return ended_(125, base::to_string(pid.error()));
    }
    checkpoint_.set_pid(channel->ours.get(), *pid);
    guard_pid_ = *pid;
    link_ = std::make_unique<exec::GuardLink>(id, std::move(channel->ours));
    watch();
}

void Foreground::adopt(const FdEntry& entry, sys::UniqueFd fd) {
    guard_pid_ = entry.pid;
    link_ = std::make_unique<exec::GuardLink>(base::GuardId{guard_number}, std::move(fd));
    watch();
    link_->query(1, true);
    link_->flush();
}

void Foreground::watch() {
    (void)loop_.add(link_->fd(), EPOLLIN, [this](std::uint32_t) { drain(); }); // ENOMEM at boot: nothing runs anyway
}

void Foreground::drain() {
    while (link_) {
        auto report = link_->receive();
        if (!report)
            return;
        if (const auto* started = std::get_if<exec::GuardStarted>(&*report); started != nullptr && !started->ok) {
            told_ = true;
            // As shells and docker have it: 127 not found, 126 not executable.
            ended_(started->error == ENOENT ? 127 : 126, started->text);
        } else if (const auto* exit = std::get_if<exec::GuardExit>(&*report)) {
            if (exit->is_command && !told_) {
                told_ = true;
                ended_(exit->exit.is_signal() ? base::signal_exit_base + exit->exit.status : exit->exit.status, base::describe(exit->exit));
            }
            link_->acknowledge(exit->sequence); // recorded now
            link_->flush();
        } else if (std::holds_alternative<exec::GuardEmpty>(*report)) {
            link_->leave();
            link_->flush();
        } else if (std::holds_alternative<exec::GuardGone>(*report)) {
            loop_.remove(link_->fd());
            const auto link = std::move(link_);
            if (!told_) {
                told_ = true;
                ended_(137, "its guard was killed");
            }
            checkpoint_.forget(link->fd());
            empty_();
        }
    }
}

void Foreground::signal(int number) {
    if (link_) {
        link_->signal(exec::SignalScope::Main, number, number != SIGKILL, false);
        link_->flush();
    }
}

void Foreground::stop(int number) {
    if (link_) {
        link_->signal(exec::SignalScope::Tree, number, number != SIGKILL, number == SIGTERM);
        link_->flush();
    }
}

} // namespace monoinit::runtime
