// systemd-notify: the other half of sd_notify(3) for shell scripts. The message is sent in the name of the process that called us
// where the kernel lets us; ours needs no such right to be heard. Tested by tests/system/tools.py.
#include "base/strings.hpp"
#include "cli/programs.hpp"
#include "cli/tool.hpp"
#include "sys/clock.hpp"
#include "sys/proc.hpp"
#include "sys/socket.hpp"
#include "sys/users.hpp"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace monoinit::cli {

namespace {

constexpr ToolOption options[] = {
    {"ready", 0, Argument::None, "", "it has started"},
    {"reloading", 0, Argument::None, "", "it reads its configuration again; --ready follows"},
    {"stopping", 0, Argument::None, "", "it is about to end"},
    {"pid", 0, Argument::Optional, "PID", "its main process: a number, auto, self or parent"},
    {"uid", 0, Argument::Required, "USER", "send as this user"},
    {"status", 0, Argument::Required, "TEXT", "what it is doing, in words"},
    {"booted", 0, Argument::None, "", "exit 0 if an init answers to systemd's name, and send nothing"},
    {"no-block", 0, Argument::None, "", "do not wait until the message has been read"},
    {"exec", 0, Argument::None, "", "then execute the words behind a \";\""},
    {"fd", 0, Argument::Required, "FD", "have this descriptor kept; may be repeated"},
    {"fdname", 0, Argument::Required, "NAME", "and call it so"},
};
constexpr Tool tool{"systemd-notify", "[OPTIONS…] [VARIABLE=VALUE…] [; COMMAND…]", "Tells the init how the service is that calls it.", options};

constexpr int barrier_milliseconds = 5000;

struct Sender {
    sockaddr_un address{};
    socklen_t length = 0;
    sys::UniqueFd fd;
};

base::Result<Sender> sender_to(std::string_view path) {
    Sender sender;
    sender.address.sun_family = AF_UNIX;
    if (path.size() < 2 || (path.front() != '/' && path.front() != '@'))
        return base::fail_errno(path.starts_with("vsock:") ? EAFNOSUPPORT : EINVAL, "");
    if (path.size() >= sizeof sender.address.sun_path)
        return base::fail_errno(ENAMETOOLONG, "");
    std::memcpy(sender.address.sun_path, path.data(), path.size());
    if (path.front() == '@')
        sender.address.sun_path[0] = '\0';
    sender.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (path.front() == '/' ? 1 : 0));
    sender.fd.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!sender.fd)
        return base::fail_errno(errno, "");
    return sender;
}

/// One datagram. `as`: the process to appear as; without the right to, it is sent as what we are.
base::Result<void> send_as(Sender& to, std::string_view text, std::span<const int> descriptors, const ucred* as) {
    iovec part{const_cast<char*>(text.data()), text.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * sys::max_descriptors)] = {};
    msghdr message{};
    message.msg_name = &to.address;
    message.msg_namelen = to.length;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    std::size_t used = 0;
    const auto add = [&](int type, const void* data, std::size_t size) {
        auto* header = reinterpret_cast<cmsghdr*>(control + used);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = type;
        header->cmsg_len = CMSG_LEN(size);
        std::memcpy(CMSG_DATA(header), data, size);
        used += CMSG_SPACE(size);
    };
    if (!descriptors.empty())
        add(SCM_RIGHTS, descriptors.data(), descriptors.size_bytes());
    if (as != nullptr)
        add(SCM_CREDENTIALS, as, sizeof *as);
    message.msg_controllen = used;
    if (used == 0)
        message.msg_control = nullptr;
    if (::sendmsg(to.fd.get(), &message, MSG_NOSIGNAL) >= 0)
        return {};
    if (as != nullptr && (errno == EPERM || errno == EACCES || errno == ESRCH))
        return send_as(to, text, descriptors, nullptr);
    return base::fail_errno(errno, "");
}

std::string_view reason(const base::Error& error) { return std::string_view(error.what).substr(error.what.starts_with(": ") ? 2 : 0); }

/// Waits until the init has read what was sent before: it then closes the descriptor it is sent.
base::Result<void> barrier(Sender& to) {
    auto pipe = TRY(sys::make_pipe_pair());
    const int write_end = pipe.write.get();
    TRY(send_as(to, "BARRIER=1", {&write_end, 1}, nullptr));
    pipe.write.reset();
    pollfd wait{pipe.read.get(), 0, 0};
    const int ready = ::poll(&wait, 1, barrier_milliseconds);
    if (ready < 0)
        return base::fail_errno(errno, "");
    if (ready == 0)
        return base::fail_errno(ETIMEDOUT, "");
    return {};
}

struct Message {
    std::string text;
    pid_t source = 0;
    std::vector<int> descriptors;
    std::vector<std::string> command;
};

bool add_pid(const ToolLine& line, Message& message) {
    const auto given = line.last("pid");
    const pid_t parent = ::getppid();
    const bool below_init = parent == 1 || sys::command_name(parent).starts_with("guard:");
    message.source = below_init ? ::getpid() : parent;
    if (!given)
        return true;
    pid_t pid = 0;
    if (given->empty() || *given == "auto")
        pid = message.source;
    else if (*given == "self")
        pid = ::getpid();
    else if (*given == "parent")
        pid = parent;
    else if (const auto [end, error] = std::from_chars(given->data(), given->data() + given->size(), pid); error != std::errc{} || *end != '\0' || pid <= 0)
        return false;
    message.source = pid;
    message.text += fmt::format("MAINPID={}\n", pid);
    return true;
}

bool add_descriptors(const ToolLine& line, Message& message) {
    for (const std::string& word : line.all("fd")) {
        int fd = -1;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), fd);
        if (error != std::errc{} || *end != '\0' || fd < 0 || ::fcntl(fd, F_GETFD) < 0 || message.descriptors.size() == sys::max_descriptors) {
            complain("Failed to parse file descriptor: {}", word);
            return false;
        }
        message.descriptors.push_back(fd);
    }
    if (!message.descriptors.empty())
        message.text += "FDSTORE=1\n";
    if (const auto name = line.last("fdname"))
        message.text += "FDNAME=" + *name + "\n";
    return true;
}

/// Where the ";" stands that a command follows, with --exec before it; else the end. What is behind it is the command's.
int end_of_options(int argc, char** argv) {
    bool executes = false;
    for (int i = 1; i < argc; i++) {
        const std::string_view word = argv[i];
        executes = executes || word == "--exec";
        if (executes && word == ";")
            return i;
    }
    return argc;
}

bool fill(const ToolLine& line, Message& message) {
    if (line.has("reloading"))
        message.text += fmt::format("RELOADING=1\nMONOTONIC_USEC={}\n", sys::monotonic_now().count());
    if (line.has("ready"))
        message.text += "READY=1\n";
    if (line.has("stopping"))
        message.text += "STOPPING=1\n";
    if (const auto status = line.last("status"))
        message.text += "STATUS=" + *status + "\n";
    if (!add_pid(line, message)) {
        complain("Failed to parse PID {}.", *line.last("pid"));
        return false;
    }
    if (!add_descriptors(line, message))
        return false;
    for (const std::string& word : line.words)
        message.text += word + "\n";
    return true;
}

/// --uid=: the rest of this process is that user's.
bool become(const std::string& name) {
    const auto user = sys::find_user(name);
    if (!user) {
        complain("Can't resolve user {}: Invalid argument", name);
        return false;
    }
    if (::setresgid(user->gid, user->gid, user->gid) != 0 || ::setresuid(user->uid, user->uid, user->uid) != 0) {
        complain("Failed to change to user {}: {}", name, std::strerror(errno));
        return false;
    }
    return true;
}

int execute(std::vector<std::string>& command) {
    std::vector<char*> words;
    for (std::string& word : command)
        words.push_back(word.data());
    words.push_back(nullptr);
    ::execvp(words.front(), words.data());
    return complain("Failed to execute command: {}", std::strerror(errno));
}

} // namespace

int notify_main(int argc, char** argv, const Hooks&) {
    const int semicolon = end_of_options(argc, argv);
    const ToolLine line = read_tool_line(tool, semicolon, argv);
    if (line.status)
        return *line.status;
    if (line.has("booted"))
        return ::access("/run/systemd/system", F_OK) == 0 ? 0 : 1;
    Message message;
    message.command.assign(argv + semicolon + (semicolon < argc ? 1 : 0), argv + argc);
    if (line.has("exec") && message.command.empty())
        return complain("{}", semicolon < argc ? "Empty command line specified after \";\", refusing."
                                               : "If --exec is used, the command line must contain a lone \";\" argument, refusing.");
    if (!fill(line, message))
        return 1;
    if (line.given.empty() && line.words.empty()) {
        (void)put_out(tool_help(tool));
        return 1;
    }
    const char* const socket = ::getenv("NOTIFY_SOCKET");
    if (socket == nullptr || *socket == '\0')
        return complain("No status data could be sent: $NOTIFY_SOCKET was not set");
    if (const auto user = line.last("uid"); user && !become(*user))
        return 1;
    auto to = sender_to(socket);
    const ucred as{message.source, ::getuid(), ::getgid()};
    if (!message.text.empty())
        message.text.pop_back();
    const auto sent = to ? send_as(*to, message.text, message.descriptors, message.source != ::getpid() ? &as : nullptr) : base::Result<void>(to.error());
    if (!sent)
        return complain("Failed to notify init system: {}", reason(sent.error()));
    if (!line.has("no-block"))
        if (const auto read = barrier(*to); !read)
            return complain("Failed to invoke barrier: {}", reason(read.error()));
    return message.command.empty() ? 0 : execute(message.command);
}

} // namespace monoinit::cli
