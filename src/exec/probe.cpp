// Probes: work on paths that units name, in a child that may hang. Tested by tests/unit/exec.
#include "exec/probe.hpp"

#include "exec/credential_files.hpp"
#include "exec/directories.hpp"
#include "sys/process_title.hpp"
#include "sys/signals.hpp"
#include "sys/socket.hpp"
#include "sys/syscalls.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

constexpr std::size_t answer_limit = 256 << 10;

constexpr char whole_mark = '\4'; ///< behind what is written: without it the child has not come to its end

[[noreturn]] void run_probe(const std::function<std::string()>& work, int answer, int needed) {
    sys::reset_signal_handlers();
    std::array<int, 2> kept{answer, needed < 0 ? answer : needed};
    sys::close_all_but(kept); // a hung probe must not hold pipes and sockets of ours open
    sys::set_title("monoinit: probe");
    sys::unblock_all_signals();
    const std::string bytes = work() + whole_mark;
    for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t size = ::write(answer, bytes.data() + done, bytes.size() - done);
        if (size <= 0)
            ::_exit(1);
        done += static_cast<std::size_t>(size);
    }
    ::_exit(0);
}

/// Every answer ends with this: one that was cut short is none.
constexpr char end_mark = '\n';

PidFileAnswer no_pid(std::string error) {
    return PidFileAnswer{0, std::move(error), true};
}

/// "pid trusted" or "error text".
std::string read_pid_file(const std::string& path) {
    const sys::UniqueFd fd(sys::open_file(path.c_str(), O_RDONLY | O_NONBLOCK));
    if (!fd)
        return "!" + base::fail_errno(errno, "PIDFile=" + path).what + end_mark;
    struct stat status;
    if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode))
        return "!PIDFile=" + path + ": not a regular file" + end_mark;
    char text[64];
    const ssize_t size = ::read(fd.get(), text, sizeof text);
    const char* at = text;
    const char* const end = text + (size > 0 ? size : 0);
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    int pid = 0;
    const char* const behind = std::from_chars(at, end, pid).ptr;
    const bool ends_well = behind == end || *behind == '\n' || *behind == ' ' || *behind == '\t' || *behind == '\r';
    if (pid <= 0 || !ends_well)
        return "!PIDFile=" + path + ": holds no process number" + end_mark;
    const bool trusted = status.st_uid == 0 || status.st_uid == ::geteuid();
    return std::to_string(pid) + (trusted ? " 1" : " 0") + end_mark;
}

std::string text_of(const base::Result<void>& result) {
    return (result ? std::string() : result.error().what) + end_mark;
}

} // namespace

base::Result<Probe> Probe::start(const std::function<std::string()>& work, int kept) {
    sys::Pipe pipe = TRY(sys::make_pipe_pair());
    TRY(sys::set_nonblocking(pipe.read.get(), true));
    const sys::SignalsBlocked blocked;
    const pid_t pid = sys::fork_process();
    if (pid == 0)
        run_probe(work, pipe.write.get(), kept);
    if (pid < 0)
        return base::fail_errno(errno, "cannot fork");
    return Probe(pid, sys::UniqueFd(sys::pidfd_open(pid)), std::move(pipe.read));
}

std::optional<std::string> Probe::answer() const {
    return answered_ ? std::optional(bytes_.substr(0, bytes_.size() - 1)) : std::nullopt;
}

bool Probe::take_answer() {
    char buffer[4096];
    while (answer_) {
        const ssize_t size = ::read(answer_.get(), buffer, sizeof buffer);
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return false;
        if (size <= 0 || bytes_.size() > answer_limit) {
            answered_ = size == 0 && !bytes_.empty() && bytes_.back() == whole_mark;
            break;
        }
        bytes_.append(buffer, static_cast<std::size_t>(size));
    }
    return true; // still open: who watches it has to let go of it first, since children made meanwhile may share it
}

void Probe::abandon() {
    if (pidfd_)
        sys::pidfd_send_signal(pidfd_.get(), SIGKILL);
    else if (answer_) // an old kernel: as long as it has not answered it is not reaped either
        sys::send_signal(pid_, SIGKILL);
    answer_.reset();
    pidfd_.reset();
}

base::Result<Probe> probe_conditions(const std::vector<unit::Condition>& conditions, const std::vector<std::string>& files,
                                     const ConditionContext& context) {
    return Probe::start([&] {
        const ConditionsAnswer answer = evaluate_all(conditions, files, context);
        return std::string(answer.ok ? "1" : "0") + (answer.assertion_failed ? "1" : "0") + answer.failed + end_mark;
    });
}

base::Result<ConditionsAnswer> conditions_answer(const std::string& bytes) {
    if (bytes.size() < 3 || bytes.back() != end_mark)
        return base::fail(base::Errc::Protocol, "the conditions could not be evaluated");
    return ConditionsAnswer{bytes[0] == '1', bytes[1] == '1', bytes.substr(2, bytes.size() - 3)};
}

base::Result<Probe> probe_pid_file(const std::string& path) {
    return Probe::start([&] { return read_pid_file(path); });
}

PidFileAnswer pid_file_answer(const std::string& bytes) {
    if (bytes.size() < 2 || bytes.back() != end_mark)
        return no_pid("the PID file could not be read in time");
    if (bytes[0] == '!')
        return no_pid(bytes.substr(1, bytes.size() - 2));
    PidFileAnswer answer;
    const char* const end = bytes.data() + bytes.size();
    const char* const behind = std::from_chars(bytes.data(), end, answer.pid).ptr;
    answer.trusted = end - behind >= 2 && behind[1] == '1';
    return answer;
}

base::Result<Probe> probe_remove_trees(const std::vector<std::string>& paths) {
    return Probe::start([&] {
        base::Result<void> result;
        for (const std::string& path : paths)
            if (base::Result<void> removed = remove_tree(path); !removed && result)
                result = std::move(removed);
        return text_of(result);
    });
}

base::Result<Probe> probe_remove_credentials(const std::string& root, const std::string& unit,
                                             const std::array<std::uint8_t, 16>& invocation) {
    return Probe::start([&] { return text_of(remove_credentials(root, unit, invocation)); });
}

base::Result<Probe> probe_remove_file(const std::string& path) {
    return Probe::start([&] {
        if (::unlink(path.c_str()) != 0 && errno != ENOENT)
            return base::fail_errno(errno, path).what + end_mark;
        return std::string(1, end_mark);
    });
}

namespace {

/// Where the directory cannot be written (a read-only root) there is no stamp, and nothing is made up for.
std::string stamp(const std::string& path, base::Duration wall) {
    constexpr std::int64_t million = 1'000'000;
    for (std::size_t slash = path.find('/', 1); wall.count() != 0 && slash != std::string::npos; slash = path.find('/', slash + 1))
        ::mkdir(path.substr(0, slash).c_str(), 0755);
    const sys::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC | (wall.count() != 0 ? O_CREAT : 0), 0644));
    struct stat status;
    if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode))
        return std::string("0") + end_mark;
    if (wall.count() != 0) {
        const timespec when{wall.count() / million, wall.count() % million * 1000};
        const timespec both[2] = {when, when};
        ::futimens(fd.get(), both);
        return std::to_string(wall.count()) + end_mark;
    }
    return std::to_string(status.st_mtim.tv_sec * million + status.st_mtim.tv_nsec / 1000) + end_mark;
}

} // namespace

base::Result<Probe> probe_stamp(const std::string& path, base::Duration wall) {
    return Probe::start([&] { return stamp(path, wall); });
}

base::Duration stamp_answer(const std::string& bytes) {
    std::int64_t wall = 0;
    if (bytes.empty() || bytes.back() != end_mark)
        return {};
    std::from_chars(bytes.data(), bytes.data() + bytes.size(), wall);
    return base::Duration(std::max<std::int64_t>(wall, 0));
}

} // namespace monoinit::exec
