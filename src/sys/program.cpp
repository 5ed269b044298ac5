// See program.hpp. Tested by tests/system/systemctl_files.py.
#include "sys/program.hpp"

#include <cerrno>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace monoinit::sys {

base::Result<int> run_program(const std::vector<std::string>& argv) {
    std::vector<char*> words;
    for (const std::string& word : argv)
        words.push_back(const_cast<char*>(word.c_str())); // posix_spawn(3) does not write to them
    words.push_back(nullptr);
    pid_t pid = 0;
    if (const int error = ::posix_spawnp(&pid, words[0], nullptr, nullptr, words.data(), environ); error != 0)
        return base::fail_errno(error, argv.front());
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return base::fail_errno(errno, argv.front());
    constexpr int signal_base = 128;
    return WIFEXITED(status) ? WEXITSTATUS(status) : signal_base + WTERMSIG(status);
}

} // namespace monoinit::sys
