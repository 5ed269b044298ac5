// Opening the three streams. Files are opened as root before the user is changed, as systemd does. A stream that is the
// same as another shares its open file description, so that "append" and file positions behave as in a shell's 2>&1.
// Tested by tests/unit/exec.
#include "exec/streams.hpp"

#include "sys/socket.hpp"
#include "sys/syscalls.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

using sys::UniqueFd;

constexpr std::array<Stage, 3> stages{Stage::Stdin, Stage::Stdout, Stage::Stderr};
constexpr mode_t file_mode = 0666; // less the unit's umask, which is set by then

base::Error failed(const std::string& what) {
    return base::fail_errno(errno, what);
}

/// A memfd, or a pipe where there is none and the text fits into its buffer.
base::Result<UniqueFd> open_data(const std::string& text) {
    UniqueFd fd(sys::memory_file("stdin-data"));
    if (fd) {
        for (std::size_t done = 0; done < text.size();) {
            const ssize_t size = ::write(fd.get(), text.data() + done, text.size() - done);
            if (size < 0)
                return failed("standard input data");
            done += static_cast<std::size_t>(size);
        }
        if (::lseek(fd.get(), 0, SEEK_SET) != 0)
            return failed("standard input data");
        return fd;
    }
    constexpr std::size_t pipe_buffer = 65536;
    if (text.size() > pipe_buffer)
        return failed("standard input data");
    sys::Pipe pipe = TRY(sys::make_pipe_pair());
    if (::write(pipe.write.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        return failed("standard input data");
    return std::move(pipe.read);
}

base::Result<UniqueFd> open_path(const StreamPlan& plan) {
    UniqueFd fd(sys::open_file(plan.path.c_str(), plan.flags, file_mode));
    if (!fd && errno == ENXIO) // a Unix socket: systemd connects to it
        return sys::connect_unix(plan.path, SOCK_STREAM);
    if (!fd)
        return failed(plan.path);
    return fd;
}

void reset_terminal(int fd) {
    termios settings;
    if (::tcgetattr(fd, &settings) != 0)
        return;
    settings.c_iflag &= static_cast<tcflag_t>(~(IGNBRK | BRKINT | ISTRIP | INLCR | IGNCR | IUCLC));
    settings.c_iflag |= ICRNL | IMAXBEL | IUTF8;
    settings.c_oflag |= ONLCR | OPOST;
    settings.c_cflag |= CREAD;
    settings.c_lflag = ISIG | ICANON | IEXTEN | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE;
    (void)::tcsetattr(fd, TCSANOW, &settings); // best effort, as systemd's
}

base::Result<UniqueFd> open_terminal(const StreamPlan& plan, const Plan& whole) {
    UniqueFd fd(sys::open_file(plan.path.c_str(), O_RDWR));
    if (!fd)
        return failed(plan.path);
    if (::isatty(fd.get()) == 0)
        return failed(plan.path);
    if (whole.tty_reset)
        reset_terminal(fd.get());
    if (whole.tty_vhangup)
        (void)::ioctl(fd.get(), TIOCVHANGUP); // needs CAP_SYS_TTY_CONFIG: nothing is lost without it
    return fd;
}

base::Result<UniqueFd> open_stream(const StreamPlan& plan, const Plan& whole, int index) {
    switch (plan.kind) {
    case StreamPlan::Kind::Null: {
        UniqueFd fd(sys::open_file("/dev/null", index == 0 ? O_RDONLY : O_WRONLY));
        if (!fd)
            return failed("/dev/null");
        return fd;
    }
    case StreamPlan::Kind::Terminal:
        return open_terminal(plan, whole);
    case StreamPlan::Kind::Data:
        return open_data(plan.text);
    case StreamPlan::Kind::File:
        return open_path(plan);
    case StreamPlan::Kind::Fd:
    case StreamPlan::Kind::SameAsStdin:
    case StreamPlan::Kind::SameAsStdout:
        break;
    }
    return UniqueFd();
}

/// The descriptor of a stream that shares another's; -1 when it is to be opened.
int shared_descriptor(const StreamPlan& plan, int given, const Streams& streams) {
    switch (plan.kind) {
    case StreamPlan::Kind::Fd:
        return given;
    case StreamPlan::Kind::SameAsStdin:
        return streams.fds[0];
    case StreamPlan::Kind::SameAsStdout:
        return streams.fds[1];
    case StreamPlan::Kind::Null:
    case StreamPlan::Kind::Terminal:
    case StreamPlan::Kind::Data:
    case StreamPlan::Kind::File:
        break;
    }
    return -1;
}

} // namespace

std::optional<StreamFailure> open_streams(const Plan& plan, const std::array<int, 3>& given, int above,
                                          Streams& streams) {
    const std::array<const StreamPlan*, 3> plans{&plan.input, &plan.output, &plan.error};
    for (std::size_t i = 0; i < plans.size(); i++) {
        int fd = shared_descriptor(*plans[i], given[i], streams);
        if (fd < 0) {
            base::Result<UniqueFd> opened = open_stream(*plans[i], plan, static_cast<int>(i));
            if (!opened)
                return StreamFailure{stages[i], std::move(opened).error()};
            streams.owned[i] = std::move(*opened);
            fd = streams.owned[i].get();
        }
        if (fd >= 0 && fd < above) {
            streams.owned[i].reset(sys::duplicate(fd, above));
            if (!streams.owned[i])
                return StreamFailure{stages[i], failed("cannot duplicate a descriptor")};
            fd = streams.owned[i].get();
        }
        streams.fds[i] = fd;
    }
    return std::nullopt;
}

} // namespace monoinit::exec
