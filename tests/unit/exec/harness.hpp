#pragma once
// A real guard under the test process, which plays PID 1: an ordinary subreaper, no privilege needed. Every wait is for an
// event, with a generous limit that only a broken guard reaches.

#include "exec/guard_link.hpp"
#include "exec/spawn.hpp"
#include "sys/proc.hpp"
#include "sys/socket.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace monoinit::exec::test {

constexpr auto patience = std::chrono::seconds(60);

/// Waits until the descriptor is readable (end of file included).
inline void wait_readable(int fd) {
    const auto end = std::chrono::steady_clock::now() + patience;
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        pollfd polled{fd, POLLIN, 0};
        const int ready = ::poll(&polled, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
        if (ready > 0)
            return;
        if (ready == 0)
            throw std::runtime_error("nothing came");
        if (errno != EINTR)
            throw std::runtime_error("poll failed");
    }
}

inline std::string read_to_end(int fd) {
    std::string text;
    char buffer[4096];
    for (;;) {
        wait_readable(fd);
        const ssize_t size = ::read(fd, buffer, sizeof buffer);
        if (size <= 0)
            return text;
        text.append(buffer, static_cast<std::size_t>(size));
    }
}

/// Up to and without the next newline.
inline std::string read_line(int fd) {
    std::string line;
    for (char c;;) {
        wait_readable(fd);
        if (::read(fd, &c, 1) != 1 || c == '\n')
            return line;
        line += c;
    }
}

class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        std::string name = (std::filesystem::temp_directory_path() / "monoinit-test-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr)
            throw std::runtime_error("mkdtemp failed");
        path_ = name;
        std::filesystem::permissions(path_, std::filesystem::perms(0755));
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::string path(const std::string& name = "") const { return name.empty() ? path_ : path_ + "/" + name; }
    std::string write(const std::string& name, const std::string& text, mode_t mode = 0644) const {
        std::ofstream(path(name)) << text;
        ::chmod(path(name).c_str(), mode);
        return path(name);
    }

  private:
    std::string path_;
};

/// A plan that runs `argv` with its output in a pipe, nothing else set.
inline Plan plan_for(std::vector<std::string> argv) {
    static std::uint32_t next = 0;
    Plan plan;
    plan.guard = GuardId{++next};
    plan.unit = "test.service";
    plan.command.path = argv.at(0);
    plan.command.argv = std::move(argv);
    plan.environment = {"PATH=/usr/local/bin:/usr/bin:/bin"};
    return plan;
}

inline Plan shell(const std::string& script) {
    Plan plan = plan_for({"/bin/sh", "-c", script});
    plan.command.no_environment = true; // the shell's own $ signs
    return plan;
}

class Guard {
  public:
    explicit Guard(Plan plan) {
        ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        prepare_heap(); // as the runtime does
        sys::Pipe pipe = *sys::make_pipe_pair();
        if (plan.output.kind == StreamPlan::Kind::Null && plan.output.path.empty()) {
            plan.output.kind = StreamPlan::Kind::Fd;
            plan.output.fd = pipe.write.get();
        }
        if (plan.error.kind == StreamPlan::Kind::Null)
            plan.error.kind = StreamPlan::Kind::SameAsStdout;
        GuardChannel channel = *make_guard_channel();
        pid_ = spawn_guard(plan, channel).value();
        output_ = std::move(pipe.read);
        link_.emplace(plan.guard, std::move(channel.ours));
    }
    ~Guard() {
        link_.reset(); // end of file: the guard ends its tree
        if (pid_ > 0) {
            for (const pid_t each : sys::descendants_of(pid_))
                ::kill(each, SIGKILL);
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        // What fell to us may take a moment to die; the next test must not find it.
        do
            for (const pid_t each : sys::children_of(::getpid()))
                ::kill(each, SIGKILL);
        while (::waitpid(-1, nullptr, 0) > 0);
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

    GuardLink& link() { return *link_; }
    pid_t pid() const { return pid_; }
    int output() const { return output_.get(); }

    /// The next report of this type; others before it are kept for later calls.
    template <class Report>
    Report wait() {
        for (auto at = kept_.begin(); at != kept_.end(); ++at)
            if (auto* const report = std::get_if<Report>(&*at)) {
                Report found = std::move(*report);
                kept_.erase(at);
                return found;
            }
        for (;;) {
            while (std::optional<GuardReport> report = link_->receive()) {
                if (auto* const wanted = std::get_if<Report>(&*report))
                    return std::move(*wanted);
                if (std::holds_alternative<GuardGone>(*report))
                    throw std::runtime_error("the guard is gone");
                kept_.push_back(std::move(*report));
            }
            wait_readable(link_->fd());
        }
    }
    /// After GuardEmpty: lets it go and returns its wait status.
    int finish() {
        link_->leave();
        wait<GuardGone>();
        return reap();
    }
    int reap() {
        int status = -1;
        ::waitpid(pid_, &status, 0);
        pid_ = 0;
        return status;
    }
    std::string all_output() { return read_to_end(output_.get()); }

  private:
    pid_t pid_ = 0;
    sys::UniqueFd output_;
    std::optional<GuardLink> link_;
    std::vector<GuardReport> kept_;
};

/// Runs a plan to its end and returns what it wrote.
struct Finished {
    GuardStarted started;
    base::ExitInfo exit;
    std::string output;
};
inline Finished run(Plan plan) {
    Guard guard(std::move(plan));
    Finished result;
    result.started = guard.wait<GuardStarted>();
    if (result.started.ok)
        result.exit = guard.wait<GuardExit>().exit;
    result.output = guard.all_output();
    guard.wait<GuardEmpty>();
    if (guard.finish() != 0)
        throw std::runtime_error("the guard did not exit cleanly");
    return result;
}

} // namespace monoinit::exec::test
