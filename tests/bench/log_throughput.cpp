// How many lines a second go through the logger to stdout, beside a minimal prefixing multiplexer (64 kB reads, memchr,
// one writev a read; no store, no crash safety) and, with --peers, what else collects lines, in the same run: s6-log, svlogd, supervisord,
// systemd-journald (found by PATH; as root). Prints one row a case: lines/s, CPU s a million lines of the reading process, peak and idle PSS.
// The store's figures are with compression, of lines that differ as those of a web server do.
//
//   log_throughput [--peers] [lines] [streams]...

#include "log/link.hpp"
#include "log/logger.hpp"
#include "log/store_reader.hpp"
#include "sys/clock.hpp"
#include "sys/socket.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace monoinit;
using namespace monoinit::log;

namespace {

constexpr std::size_t line_size = 100;

/// 64 kB of lines that differ.
std::string some_lines() {
    std::string block;
    for (unsigned seed = 1; block.size() + line_size <= 65536; seed = seed * 1664525U + 1013904223U) {
        char line[2 * line_size];
        const int size = std::snprintf(line, sizeof line, "2026-11-26T10:%02u:%02u.%03u INFO GET /api/items/%u 200 %u.%ums trace=%08x%08x user=%u", seed >> 26,
                                       seed >> 20 & 63, seed >> 10 & 1023, seed >> 15, seed >> 29, seed & 7, seed, seed * 2654435761U, seed >> 22);
        block.append(line, std::min<std::size_t>(static_cast<std::size_t>(size), line_size - 1));
        block.append(line_size - 1 - std::min<std::size_t>(static_cast<std::size_t>(size), line_size - 1), '.').push_back('\n');
    }
    return block;
}

pid_t start_writer(int fd, std::size_t lines) {
    const pid_t pid = fork();
    if (pid != 0)
        return pid;
    const std::string block = some_lines();
    for (std::size_t left = lines * line_size; left > 0;) {
        const ssize_t size = write(fd, block.data(), std::min(left, block.size()));
        if (size <= 0)
            _exit(1);
        left -= static_cast<std::size_t>(size);
    }
    _exit(0);
}

std::size_t count_lines(int fd) {
    static std::array<char, 1 << 18> buffer;
    const ssize_t size = read(fd, buffer.data(), buffer.size());
    return size <= 0 ? 0 : static_cast<std::size_t>(std::count(buffer.data(), buffer.data() + size, '\n'));
}

long pss_kb(pid_t pid) {
    std::ifstream rollup("/proc/" + std::to_string(pid) + "/smaps_rollup");
    for (std::string line; std::getline(rollup, line);)
        if (line.starts_with("Pss:"))
            return std::atol(line.c_str() + 4);
    return -1;
}

struct Sample {
    double lines_per_second = 0, cpu_per_million = 0;
    long pss_idle = 0, pss = 0;
};

enum class Until { LinesAreOut, ItEnds }; ///< what only keeps lines ends with its input

double cpu_seconds(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    unsigned long user = 0, system = 0;
    const std::size_t end = text.rfind(')');
    if (end == std::string::npos || std::sscanf(text.c_str() + end + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return 0;
    return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// Runs writers against the reading process `start(read ends, out)` makes, until all lines are out.
Sample measure(std::size_t lines, std::size_t streams,
               const std::function<pid_t(std::vector<sys::UniqueFd>, int out)>& start, const std::function<void()>& tend, Until until = Until::LinesAreOut) {
    sys::Pipe out = sys::make_pipe_pair().value();
    std::vector<sys::UniqueFd> reads;
    std::vector<sys::UniqueFd> writes;
    for (std::size_t i = 0; i < streams; i++) {
        sys::Pipe pipe = sys::make_pipe_pair().value();
        reads.push_back(std::move(pipe.read));
        writes.push_back(std::move(pipe.write));
    }
    const pid_t pid = start(std::move(reads), out.write.get());
    out.write.reset();
    Sample sample;
    for (int i = 0; i < 10; i++) {
        tend();
        poll(nullptr, 0, 10);
    }
    sample.pss_idle = pss_kb(pid);
    const auto begin = sys::monotonic_now();
    std::vector<pid_t> writers;
    for (sys::UniqueFd& fd : writes) {
        writers.push_back(start_writer(fd.get(), lines / streams));
        fd.reset();
    }
    for (std::size_t seen = 0; until == Until::LinesAreOut && seen < lines / streams * streams;) {
        seen += count_lines(out.read.get());
        tend();
    }
    auto took = sys::monotonic_now() - begin;
    sample.pss = pss_kb(pid);
    for (const pid_t writer : writers)
        waitpid(writer, nullptr, 0);
    if (until == Until::LinesAreOut)
        kill(pid, SIGKILL);
    rusage usage{};
    wait4(pid, nullptr, 0, &usage);
    if (until == Until::ItEnds)
        took = sys::monotonic_now() - begin;
    const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
    sample.lines_per_second = static_cast<double>(lines) * 1e6 / static_cast<double>(took.count());
    sample.cpu_per_million = (seconds(usage.ru_utime) + seconds(usage.ru_stime)) * 1e6 / static_cast<double>(lines);
    return sample;
}

[[noreturn]] void minimal_multiplexer(const std::vector<sys::UniqueFd>& fds, int out) {
    constexpr std::string_view prefix = "[writer] ";
    static std::array<char, 65536> buffer;
    std::vector<pollfd> waiting;
    for (const sys::UniqueFd& fd : fds)
        waiting.push_back({fd.get(), POLLIN, 0});
    std::vector<std::string> carried(fds.size());
    std::vector<iovec> parts;
    const auto flush = [&] {
        for (std::size_t at = 0; at < parts.size(); at += 1024)
            for (std::size_t n = std::min<std::size_t>(1024, parts.size() - at), done = 0; done < n;) {
                ssize_t size = writev(out, parts.data() + at + done, static_cast<int>(n - done));
                if (size < 0)
                    _exit(1);
                for (; done < n && size >= static_cast<ssize_t>(parts[at + done].iov_len); done++)
                    size -= static_cast<ssize_t>(parts[at + done].iov_len);
                if (done < n) {
                    parts[at + done].iov_base = static_cast<char*>(parts[at + done].iov_base) + size;
                    parts[at + done].iov_len -= static_cast<std::size_t>(size);
                }
            }
        parts.clear();
    };
    const auto add = [&](const char* data, std::size_t size) { parts.push_back({const_cast<char*>(data), size}); };
    for (;;) {
        poll(waiting.data(), waiting.size(), -1);
        for (std::size_t i = 0; i < waiting.size(); i++) {
            if (waiting[i].revents == 0)
                continue;
            const ssize_t size = read(waiting[i].fd, buffer.data(), buffer.size());
            if (size <= 0) {
                waiting[i].fd = -1;
                continue;
            }
            const char *at = buffer.data(), *end = at + size;
            while (const void* newline = std::memchr(at, '\n', static_cast<std::size_t>(end - at))) {
                const char* next = static_cast<const char*>(newline) + 1;
                add(prefix.data(), prefix.size());
                if (!carried[i].empty())
                    add(carried[i].data(), carried[i].size());
                add(at, static_cast<std::size_t>(next - at));
                if (!carried[i].empty()) {
                    flush();
                    carried[i].clear();
                }
                at = next;
            }
            flush();
            carried[i].append(at, static_cast<std::size_t>(end - at));
        }
    }
}

Sample measure_minimal(std::size_t lines, std::size_t streams) {
    const auto start = [](std::vector<sys::UniqueFd> reads, int out) {
        const pid_t pid = fork();
        if (pid == 0)
            minimal_multiplexer(reads, out);
        return pid;
    };
    return measure(lines, streams, start, [] {});
}

Sample measure_logger(std::size_t lines, std::size_t streams, StreamInfo info, const std::string& directory) {
    LoggerLink link;
    Config config;
    config.store.directory = directory;
    config.store.limits.max_use = 8ULL << 30;
    config.store.limits.max_files = 0;
    link.configure(config);
    const auto start = [&](std::vector<sys::UniqueFd> reads, int out) {
        auto pair = sys::make_socket_pair(SOCK_SEQPACKET).value();
        const LoggerFds fds = make_logger_fds({}).value();
        const pid_t pid = fork();
        if (pid == 0) {
            reads.clear();
            for (int fd = 3; fd < 256; fd++) // what PID 1 does: nothing but what it is given
                if (fd != pair.second.get() && fd != fds.buffers.get() && fd != fds.spool_read.get() &&
                    fd != fds.spool_write.get() && fd != out)
                    ::close(fd);
            logger_main({pair.second.get(), fds.buffers.get(), fds.spool_read.get(), fds.spool_write.get(), -1, out});
        }
        link.attach(std::move(pair.first));
        for (sys::UniqueFd& fd : reads)
            link.add_stream(info, std::move(fd));
        return pid;
    };
    return measure(lines, streams, start, [&] {
        if (link.attached() && !link.on_readable())
            link.detach();
    });
}

void print(const char* name, std::size_t streams, const Sample& sample, const Sample& reference) {
    std::printf("%-22s %3zu streams  %6.2f M lines/s  (%.2f x)  %.2f CPU s/M lines  PSS %ld kB idle, %ld kB under load\n",
                name, streams, sample.lines_per_second / 1e6, sample.lines_per_second / reference.lines_per_second,
                sample.cpu_per_million, sample.pss_idle, sample.pss);
}

// ---- peers ---------------------------------------------------------------------------------------------------------------

bool is_there(const char* program) { return std::system((std::string("command -v ") + program + " >/dev/null 2>&1").c_str()) == 0; }

/// `command` for each stream, which it finds on standard input; what it says of them goes to `out`.
Sample measure_shell(std::size_t lines, std::size_t streams, const std::string& command, Until until) {
    const auto start = [&](std::vector<sys::UniqueFd> reads, int out) {
        const pid_t pid = fork();
        if (pid != 0)
            return pid;
        dup2(out, 1);
        std::vector<pid_t> children;
        for (std::size_t i = 0; i < reads.size(); i++) {
            if (fork() != 0)
                continue;
            dup2(reads[i].get(), 0);
            reads.clear();
            close_range(3, ~0U, 0);
            setenv("N", std::to_string(i).c_str(), 1);
            execlp("sh", "sh", "-c", ("exec " + command).c_str(), nullptr);
            _exit(127);
        }
        reads.clear();
        close_range(1, ~0U, 0);
        while (wait(nullptr) > 0) {
        }
        _exit(0);
    };
    // Its children's time is counted when it has waited for them: so it must end by itself.
    return measure(lines, streams, start, [] {}, until);
}

/// It makes the processes itself: so they are the writers.
Sample measure_supervisord(std::size_t lines, std::size_t streams, const std::string& directory) {
    const std::string self = std::filesystem::read_symlink("/proc/self/exe"), go = directory + "/go";
    std::ofstream conf(directory + "/supervisord.conf");
    conf << "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=" << directory << "/pid\nuser=root\n";
    for (std::size_t i = 0; i < streams; i++)
        conf << "[program:w" << i << "]\ncommand=sh -c 'until test -e " << go << "; do sleep 0.01; done; exec " << self << " --write " << lines / streams
             << "'\nautorestart=false\nstartsecs=0\nstdout_logfile=/dev/stdout\nstdout_logfile_maxbytes=0\n";
    conf.close();
    sys::Pipe out = sys::make_pipe_pair().value();
    const pid_t pid = fork();
    if (pid == 0) {
        dup2(out.write.get(), 1);
        dup2(open("/dev/null", O_WRONLY), 2);
        close_range(3, ~0U, 0);
        execlp("supervisord", "supervisord", "-c", (directory + "/supervisord.conf").c_str(), nullptr);
        _exit(127);
    }
    out.write.reset();
    poll(nullptr, 0, 3000); // until it has started them all
    Sample sample;
    sample.pss_idle = pss_kb(pid);
    const double cpu = cpu_seconds(pid);
    const auto begin = sys::monotonic_now();
    std::ofstream(go) << "go";
    for (std::size_t seen = 0; seen < lines / streams * streams;) {
        const std::size_t more = count_lines(out.read.get());
        if (more == 0)
            break;
        seen += more;
    }
    sample.lines_per_second = static_cast<double>(lines) * 1e6 / static_cast<double>((sys::monotonic_now() - begin).count());
    sample.cpu_per_million = (cpu_seconds(pid) - cpu) * 1e6 / static_cast<double>(lines);
    sample.pss = pss_kb(pid);
    kill(pid, SIGTERM);
    waitpid(pid, nullptr, 0);
    return sample;
}

/// systemd-journald alone in a mount namespace of its own, with a volatile journal; lines by its stream protocol.
Sample measure_journald(std::size_t lines, std::size_t streams) {
    constexpr const char* script = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd /run/log/journal && echo 0123456789abcdef0123456789abcdef > /run/id && "
                                   "mount --bind /run/id /etc/machine-id; exec systemd-journald";
    const pid_t outer = fork();
    if (outer == 0) {
        dup2(open("/dev/null", O_WRONLY), 2);
        execlp("unshare", "unshare", "--mount", "sh", "-c", script, nullptr);
        _exit(127);
    }
    const std::string socket_path = "/proc/" + std::to_string(outer) + "/root/run/systemd/journal/stdout";
    std::vector<sys::UniqueFd> sockets;
    for (int tries = 0; tries < 500 && sockets.size() < streams; tries++) {
        if (auto made = sys::connect_unix(socket_path, SOCK_STREAM))
            sockets.push_back(std::move(*made));
        else
            poll(nullptr, 0, 10);
    }
    poll(nullptr, 0, 1000); // it reads the kernel's messages first
    Sample sample;
    sample.pss_idle = pss_kb(outer);
    const double cpu = cpu_seconds(outer);
    const auto begin = sys::monotonic_now();
    std::vector<pid_t> writers;
    for (const sys::UniqueFd& fd : sockets) {
        constexpr std::string_view header = "writer\n\n6\n0\n0\n0\n0\n";
        (void)!write(fd.get(), header.data(), header.size());
        writers.push_back(start_writer(fd.get(), lines / streams));
    }
    for (const pid_t writer : writers)
        waitpid(writer, nullptr, 0);
    for (const sys::UniqueFd& fd : sockets)
        for (int unread = 1; unread > 0; poll(nullptr, 0, 1))
            if (ioctl(fd.get(), SIOCOUTQ, &unread) != 0)
                break;
    sample.lines_per_second = static_cast<double>(lines) * 1e6 / static_cast<double>((sys::monotonic_now() - begin).count());
    sample.cpu_per_million = (cpu_seconds(outer) - cpu) * 1e6 / static_cast<double>(lines);
    sample.pss = pss_kb(outer);
    kill(outer, SIGKILL);
    waitpid(outer, nullptr, 0);
    return sample;
}

void measure_peers(std::size_t lines, std::size_t streams, const std::string& directory, const Sample& reference) {
    const auto there = [&](const char* program, const char* name, const std::function<Sample()>& take) {
        if (is_there(program))
            print(name, streams, take(), reference);
        else
            std::printf("%-22s not here: %s\n", name, program);
    };
    const std::string place = directory + "/$N";
    there("s6-log", "s6-log, prefix", [&] { return measure_shell(lines, streams, "s6-log 'p[writer] ' 1", Until::LinesAreOut); });
    there("s6-log", "s6-log, stores", [&] { return measure_shell(lines, streams, "s6-log n20 s8000000 " + directory + "/s6-$N", Until::ItEnds); });
    there("svlogd", "svlogd, stores", [&] { return measure_shell(lines, streams, "sh -c 'mkdir -p " + place + "; echo s8000000 > " + place + "/config; exec svlogd " + place + " 2>/dev/null'", Until::ItEnds); });
    there("supervisord", "supervisord, no prefix", [&] { return measure_supervisord(lines, streams, directory); });
    there("systemd-journald", "journald, stores", [&] { return measure_journald(lines, streams); });
}

double milliseconds(const std::function<void(StoreReader&)>& ask, const std::string& directory) {
    const auto begin = sys::monotonic_now();
    auto reader = StoreReader::open(directory);
    if (reader)
        ask(*reader);
    return static_cast<double>((sys::monotonic_now() - begin).count()) / 1000;
}

/// What journalctl asks of a store, opening it included.
void query(const std::string& directory) {
    std::uint64_t bytes = 0, lines = 0, first = 0, last = 0;
    (void)milliseconds([&](StoreReader& reader) {
        for (const auto& file : reader.files()) {
            bytes += file.raw_bytes;
            lines += file.lines;
            first = first == 0 ? file.first_us : first;
            last = file.last_us;
        }
    }, directory);
    Selection unit, since, grep;
    unit.units = {"writer.service"};
    since.since_us = first + (last - first) / 2;
    grep.grep = Pattern::compile("no such text", false).value();
    const double ten = milliseconds([&](StoreReader& reader) {
        int left = 10;
        reader.backward(unit, [&](const Record&, const BootId&) { return --left > 0; });
    }, directory);
    const double seek = milliseconds([&](StoreReader& reader) { reader.forward(since, [](const Record&, const BootId&) { return false; }); }, directory);
    const double scan = milliseconds([&](StoreReader& reader) { reader.forward(grep, [](const Record&, const BootId&) { return true; }); }, directory);
    std::printf("%-22s %.2f M lines, %.0f MB: last ten of a unit %.1f ms, --since %.1f ms, --grep %.0f MB/s\n", "queries", static_cast<double>(lines) / 1e6,
                static_cast<double>(bytes) / 1e6, ten, seek, static_cast<double>(bytes) / 1e3 / scan);
}

} // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::string_view(argv[1]) == "--write") {
        waitpid(start_writer(1, std::strtoul(argv[2], nullptr, 10)), nullptr, 0);
        return 0;
    }
    const bool peers = argc > 1 && std::string_view(argv[1]) == "--peers";
    if (peers) {
        argv++;
        argc--;
    }
    const std::size_t lines = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1000000;
    std::vector<std::size_t> cases;
    for (int i = 2; i < argc; i++)
        cases.push_back(std::strtoul(argv[i], nullptr, 10));
    if (cases.empty())
        cases = {1, 10};
    StreamInfo both, console;
    both.unit = console.unit = "writer.service";
    console.to_store = false;
    for (const std::size_t streams : cases) {
        const Sample reference = measure_minimal(lines, streams);
        print("minimal multiplexer", streams, reference, reference);
        print("logger, keeps nothing", streams, measure_logger(lines, streams, console, ""), reference);
        print("logger, store off", streams, measure_logger(lines, streams, both, ""), reference);
        char directory[] = "/tmp/log-throughput-XXXXXX";
        if (mkdtemp(directory) == nullptr)
            return 1;
        print("logger, store on", streams, measure_logger(lines, streams, both, directory), reference);
        query(directory);
        if (peers)
            measure_peers(lines, streams, directory, reference);
        std::filesystem::remove_all(directory);
    }
}
