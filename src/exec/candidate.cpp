// The question to a binary whether it can take over. See candidate.hpp.
#include "exec/candidate.hpp"

#include "base/strings.hpp"
#include "sys/signals.hpp"
#include "sys/socket.hpp"
#include "sys/syscalls.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

constexpr int answer_within_ms = 5000;
constexpr std::size_t most_words = 400;

/// A copy, so that whatever is at the path cannot touch the real one.
base::Result<sys::UniqueFd> copy_of(int checkpoint) {
    sys::UniqueFd copy(sys::memory_file("checkpoint"));
    if (!copy)
        return base::fail_errno(errno, "a copy of the checkpoint");
    std::array<char, 64 * 1024> block;
    ssize_t size = 0;
    for (off_t at = 0; (size = ::pread(checkpoint, block.data(), block.size(), at)) > 0; at += size)
        if (::pwrite(copy.get(), block.data(), static_cast<std::size_t>(size), at) != size)
            return base::fail_errno(errno, "a copy of the checkpoint");
    if (size < 0)
        return base::fail_errno(errno, "the checkpoint");
    return copy;
}

[[noreturn]] void run_candidate(int binary, int checkpoint, int output) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    ::fcntl(checkpoint, F_SETFD, 0);
    std::string name = "monoinit", question = std::string(take_over_question) + std::to_string(checkpoint);
    char* const argv[] = {name.data(), question.data(), nullptr};
    char* const environment[] = {nullptr};
    ::syscall(SYS_execveat, binary, "", argv, environment, AT_EMPTY_PATH);
    const char* const why = errno == ENOEXEC ? "not a program for this machine" : ::strerrordesc_np(errno);
    (void)!::write(output, why, std::strlen(why));
    ::_exit(127);
}

/// What it says within its time, and how it ends; nothing when it takes longer.
std::optional<std::string> hear(int output) {
    std::string said;
    std::array<char, 256> part;
    pollfd ready{output, POLLIN, 0};
    for (int failed = 0;;) {
        const int there = ::poll(&ready, 1, answer_within_ms);
        if (there < 0 && ++failed < 10) // EINTR, or a shortage
            continue;
        if (there <= 0)
            break;
        const ssize_t size = ::read(output, part.data(), part.size());
        if (size <= 0)
            return said;
        if (said.size() < most_words)
            said.append(part.data(), static_cast<std::size_t>(size));
    }
    return std::nullopt;
}

std::string ask(const std::string& path, int channel) {
    std::array<char, 16> word;
    auto given = sys::receive_message(channel, word, 0);
    if (!given)
        return "!no checkpoint to ask about: " + base::to_string(given.error());
    if (given->descriptors.empty())
        return "!no checkpoint to ask about";
    const sys::UniqueFd binary(sys::open_file(path.c_str(), O_RDONLY | O_NONBLOCK));
    struct stat status;
    if (!binary || ::fstat(binary.get(), &status) != 0)
        return "!" + base::fail_errno(errno, path).what;
    if (!S_ISREG(status.st_mode) || (status.st_mode & 0111) == 0)
        return "!" + path + ": not an executable file";
    const auto copy = copy_of(given->descriptors.front().get());
    if (!copy)
        return "!cannot ask " + path + ": " + base::to_string(copy.error());
    auto pipe = sys::make_pipe_pair();
    if (!pipe)
        return "!cannot ask " + path + ": " + base::to_string(pipe.error());
    const pid_t pid = sys::fork_process();
    if (pid == 0)
        run_candidate(binary.get(), copy->get(), pipe->write.get());
    pipe->write.reset();
    auto said = hear(pipe->read.get());
    if (!said)
        sys::send_signal(pid, SIGKILL);
    int ended = 0;
    ::waitpid(pid, &ended, 0);
    if (!said)
        return "!" + path + " does not answer within 5 s";
    for (char& c : *said)
        c = c == '\n' ? ' ' : c;
    if (WIFEXITED(ended) && WEXITSTATUS(ended) == 0 && said->starts_with(take_over_answer)) {
        if (auto sent = sys::send_message(channel, "binary", std::array{binary.get()}, 0); !sent)
            return "!" + sent.error().what;
        return std::string(base::trim(said->substr(take_over_answer.size())));
    }
    if (WIFSIGNALED(ended))
        return "!" + path + " crashes when it is asked";
    return "!" + path + " cannot take over" + (said->empty() ? " (it is no monoinit, or an older one)" : ": " + base::printable(base::trim(*said)));
}

} // namespace

base::Result<Probe> probe_candidate(const std::string& path, int channel) {
    return Probe::start([&] { return ask(path, channel) + "\n"; }, channel);
}

CandidateAnswer candidate_answer(const std::string& bytes) {
    if (bytes.empty() || bytes.back() != '\n')
        return {"nobody could be asked whether the new binary can take over", {}};
    if (bytes.front() == '!')
        return {bytes.substr(1, bytes.size() - 2), {}};
    return {{}, bytes.substr(0, bytes.size() - 1)};
}

} // namespace monoinit::exec
