// See generators.hpp. Runs in a child of PID 1 that nobody waits for: it may block. Tested by tests/system/generators.py.
#include "exec/generators.hpp"

#include "base/fmt.hpp"
#include "base/signals.hpp"
#include "base/strings.hpp"
#include "exec/directories.hpp"
#include "sys/clock.hpp"
#include "sys/proc.hpp"
#include "sys/process_title.hpp"
#include "sys/real_files.hpp"
#include "sys/signals.hpp"
#include "sys/socket.hpp"
#include "sys/syscalls.hpp"
#include "unit/loader.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

constexpr std::size_t most_output = 16 << 10, most_line = 512; ///< of one generator, in bytes
constexpr int not_executed = 127, not_executable = 126;
constexpr char end_mark = '\n';
constexpr std::string_view new_suffix = ".new", old_suffix = ".old";

struct Running {
    const unit::Generator* program = nullptr;
    pid_t pid = 0;
    sys::UniqueFd output;
    std::string text;
    std::optional<int> status;
};

[[noreturn]] void execute(const GeneratorsPlan& plan, const unit::Generator& program, int output) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::setsid();
    const int null = ::open("/dev/null", O_RDWR | O_NOCTTY | O_CLOEXEC);
    ::dup2(null >= 0 ? null : output, 0);
    ::dup2(output, 1);
    ::dup2(output, 2);
    sys::close_from(3);
    ::umask(0022);
    if (::chdir("/") != 0)
        ::_exit(not_executed);
    std::vector<std::string> arguments{program.path};
    for (const std::string* directory : plan.directories.all())
        arguments.push_back(*directory + std::string(new_suffix));
    std::vector<char*> argv, environment;
    for (std::string& argument : arguments)
        argv.push_back(argument.data());
    argv.push_back(nullptr);
    for (const std::string& variable : plan.environment)
        environment.push_back(const_cast<char*>(variable.c_str()));
    environment.push_back(nullptr);
    ::execve(program.path.c_str(), argv.data(), environment.data());
    ::_exit(errno == EACCES ? not_executable : not_executed);
}

class Run {
  public:
    explicit Run(const GeneratorsPlan& plan) : plan_(plan) {}
    std::vector<GeneratorLine> whole();

  private:
    void say(int severity, std::string text) { lines_.push_back({severity, std::move(text)}); }
    bool make_directories();
    void start(const unit::Generator& program);
    void attend();
    void read_output(Running& running) const;
    bool reap();
    void end_what_is_left();
    void report(const Running& running);
    void make_units_of_scripts();
    void write(const unit::GeneratedFile& file, const std::string& directory);
    void put_in_place();

    const GeneratorsPlan& plan_;
    std::vector<Running> running_;
    std::vector<GeneratorLine> lines_;
};

bool Run::make_directories() {
    for (const std::string* directory : plan_.directories.all()) {
        const std::string fresh = *directory + std::string(new_suffix);
        for (const std::string& stale : {fresh, *directory + std::string(old_suffix)})
            (void)remove_tree(stale); // what is in the way shows when the new one is made
        if (auto made = sys::RealFiles().make_directory(fresh); !made) {
            say(4, "no units are generated: " + base::to_string(made.error()));
            return false;
        }
    }
    return true;
}

void Run::start(const unit::Generator& program) {
    auto pipe = sys::make_pipe_pair();
    const sys::SignalsBlocked blocked;
    const pid_t pid = pipe ? sys::fork_process() : -1;
    if (pid == 0) {
        sys::reset_signal_handlers();
        sys::unblock_all_signals();
        execute(plan_, program, pipe->write.get());
    }
    if (pid < 0)
        return say(3, fmt::format("generator {}: no process could be made: {}", program.name, base::fail_errno(errno, "fork").what));
    if (!sys::set_nonblocking(pipe->read.get(), true))
        return;
    running_.push_back({&program, pid, std::move(pipe->read), {}, std::nullopt});
}

/// More than is kept is read all the same: nobody hangs in a write.
void Run::read_output(Running& running) const {
    char buffer[4096];
    while (running.output) {
        const ssize_t size = ::read(running.output.get(), buffer, sizeof buffer);
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (size <= 0)
            return running.output.reset();
        running.text.append(buffer, std::min(static_cast<std::size_t>(size), most_output - std::min(most_output, running.text.size())));
    }
}

/// True while generators themselves run; what they left behind does not count.
bool Run::reap() {
    int status = 0;
    for (pid_t pid; (pid = sys::wait_for(-1, &status, WNOHANG, nullptr)) > 0;)
        for (Running& running : running_)
            if (running.pid == pid && !running.status)
                running.status = status;
    return std::ranges::any_of(running_, [](const Running& running) { return !running.status; });
}

/// Until all have ended or the time is up.
void Run::attend() {
    const base::Instant deadline = sys::now() + plan_.limit;
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    auto signals = sys::SignalFd::create(child);
    while (reap()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - sys::now()).count();
        if (left <= 0)
            return;
        std::vector<pollfd> polled;
        if (signals)
            polled.push_back({signals->fd(), POLLIN, 0});
        for (const Running& running : running_)
            if (running.output)
                polled.push_back({running.output.get(), POLLIN, 0});
        ::poll(polled.data(), polled.size(), static_cast<int>(signals ? left : std::min<std::int64_t>(left, 10)));
        if (signals)
            signals->drain([](const signalfd_siginfo&) {});
        for (Running& running : running_)
            read_output(running);
    }
}

/// Processes that generators left: they would be nobody's, at a time when no service runs.
void Run::end_what_is_left() {
    std::size_t ended = 0;
    for (int round = 0; round < 50; round++) {
        (void)reap();
        const std::vector<pid_t> left = sys::descendants_of(::getpid());
        if (left.empty())
            break;
        for (const pid_t pid : left)
            ended += sys::send_signal(pid, SIGKILL) == 0 && std::ranges::none_of(running_, [&](const Running& each) { return each.pid == pid; }) ? 1U : 0U;
        ::poll(nullptr, 0, round == 0 ? 0 : 10); // they go when the kernel lets them
    }
    if (ended > 0)
        say(4, fmt::format("generators left {} process{} behind: ended", ended, ended == 1 ? "" : "es"));
}

void Run::report(const Running& running) {
    const std::string& name = running.program->name;
    for (const std::string_view line : base::split(std::string_view(running.text), '\n'))
        if (const std::string_view text = base::trim(line); !text.empty())
            say(5, fmt::format("generator {}: {}", name, base::printable(text, most_line)));
    if (running.text.size() >= most_output)
        say(4, fmt::format("generator {}: what it says beyond {} kB is left out", name, most_output >> 10));
    if (!running.status)
        return say(3, fmt::format("generator {}: not done within {} s; ended, its units may be incomplete", name,
                                  std::chrono::duration_cast<std::chrono::seconds>(plan_.limit).count()));
    const int status = *running.status;
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == not_executable))
        return; // what is not executable is none
    if (WIFEXITED(status) && WEXITSTATUS(status) == not_executed)
        return say(3, fmt::format("generator {}: {} could not be executed (the interpreter of its #! line?)", name, running.program->path));
    say(3, WIFEXITED(status) ? fmt::format("generator {}: exit {}", name, WEXITSTATUS(status))
                             : fmt::format("generator {}: killed ({})", name, base::signal_name(WTERMSIG(status))));
}

void Run::write(const unit::GeneratedFile& file, const std::string& directory) {
    const std::string path = directory + "/" + file.path;
    if (const std::size_t slash = file.path.find('/'); slash != file.path.npos)
        ::mkdir((directory + "/" + file.path.substr(0, slash)).c_str(), 0755);
    if (!file.target.empty()) {
        (void)!::symlink(file.target.c_str(), path.c_str()); // a generator's own file of that name stays
        return;
    }
    const sys::UniqueFd fd(sys::open_file(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
    if (!fd || ::write(fd.get(), file.text.data(), file.text.size()) != static_cast<ssize_t>(file.text.size()))
        say(3, base::fail_errno(errno, path).what);
}

/// After the generators, whose units count as unit files here.
void Run::make_units_of_scripts() {
    const sys::RealFiles files;
    unit::Environment place = plan_.place;
    for (std::string& path : place.unit_path)
        for (const std::string* directory : plan_.directories.all())
            if (path == *directory) {
                path += new_suffix;
                break;
            }
    const unit::Loader loader(files, place);
    const auto is_taken = [&](const std::string& unit) { return unit::needs_no_init_script(loader, unit); };
    const auto is_executable = [](const std::string& path) { return ::access(path.c_str(), X_OK) == 0; };
    for (const unit::GeneratedFile& file : unit::units_of_init_scripts(files, plan_.scripts, is_taken, is_executable))
        write(file, plan_.directories.late + std::string(new_suffix));
}

void Run::put_in_place() {
    for (const std::string* directory : plan_.directories.all()) {
        const std::string old = *directory + std::string(old_suffix), fresh = *directory + std::string(new_suffix);
        (void)::rename(directory->c_str(), old.c_str()); // the first time there is none; one that stays makes the next call fail
        if (::rename(fresh.c_str(), directory->c_str()) != 0)
            say(3, base::fail_errno(errno, "generated units cannot be put in place: " + *directory).what);
        (void)remove_tree(old);
    }
}

std::vector<GeneratorLine> Run::whole() {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!make_directories())
        return std::move(lines_);
    for (const unit::Generator& program : plan_.programs)
        start(program);
    attend();
    end_what_is_left();
    for (Running& running : running_) {
        read_output(running);
        report(running);
    }
    make_units_of_scripts();
    put_in_place();
    return std::move(lines_);
}

} // namespace

std::vector<GeneratorLine> run_generators(const GeneratorsPlan& plan) { return Run(plan).whole(); }

base::Result<Probe> probe_generators(const GeneratorsPlan& plan) {
    return Probe::start([&] {
        sys::set_title("monoinit: generators");
        std::string bytes;
        constexpr std::size_t most_bytes = 128 << 10; // an answer has a limit
        for (const GeneratorLine& line : run_generators(plan))
            if (bytes.size() < most_bytes)
                bytes += std::to_string(line.severity) + line.text + '\0';
        return bytes + end_mark;
    });
}

std::vector<GeneratorLine> generators_answer(const std::string& bytes) {
    std::vector<GeneratorLine> lines;
    if (bytes.empty() || bytes.back() != end_mark)
        return {{3, "generators were given up: the process that runs them ended or hung"}};
    for (const std::string_view part : base::split(std::string_view(bytes).substr(0, bytes.size() - 1), '\0'))
        if (part.size() > 1)
            lines.push_back({part[0] - '0', std::string(part.substr(1))});
    return lines;
}

} // namespace monoinit::exec
