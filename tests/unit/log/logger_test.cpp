// The real logger in a child, over a socket pair, with this process as PID 1, services, stdout's reader and `logs`.

#include "log/link.hpp"
#include "log/logger.hpp"
#include "log/reader.hpp"
#include "sys/clock.hpp"
#include "sys/socket.hpp"
#include "sys/syscalls.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <functional>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace monoinit;
using namespace monoinit::log;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// PID 1 in small: a link, a logger, the container's stdout.
struct Bench {
    std::string directory;
    LoggerFds fds;
    sys::Pipe out = sys::make_pipe_pair().value();
    std::string text; ///< what came out on stdout
    bool reading = true;
    std::optional<std::uint64_t> drained;
    int configured = 0;
    LoggerLink link;
    pid_t logger = 0;

    Bench()
        : link({.drained = [this](std::uint64_t lines) { drained = lines; }, .configured = [this] { configured++; }}) {
        char name[] = "/tmp/monoinit-log-XXXXXX";
        directory = mkdtemp(name);
        fds = std::move(make_logger_fds(directory + "/logs").value());
        REQUIRE(sys::set_nonblocking(out.read.get(), true));
        link.configure({.color = ColorMode::Never});
    }
    ~Bench() {
        stop();
        unlink((directory + "/logs").c_str());
        rmdir(directory.c_str());
    }

    void start() {
        auto pair = sys::make_socket_pair(SOCK_SEQPACKET).value();
        logger = fork();
        if (logger == 0) {
            pair.first.reset();
            out.read.reset();
            link.detach();
            logger_main({pair.second.get(), fds.buffers.get(), fds.spool_read.get(), fds.spool_write.get(),
                         fds.listener.get(), out.write.get()});
            _exit(1);
        }
        link.attach(std::move(pair.first));
    }
    void stop() {
        if (logger > 0) {
            kill(logger, SIGKILL);
            waitpid(logger, nullptr, 0);
        }
        logger = 0;
        link.detach();
    }
    void restart() {
        stop();
        start();
    }

    /// The end of a service's stdout that the service writes to.
    sys::UniqueFd stream(std::string unit, StreamInfo info = {}) {
        sys::Pipe pipe = sys::make_pipe_pair().value();
        info.unit = std::move(unit);
        link.add_stream(info, std::move(pipe.read));
        return std::move(pipe.write);
    }

    void turn(int timeout_ms = 20) {
        std::array<pollfd, 2> fd{{{link.fd(), static_cast<short>(link.wants_write() ? POLLIN | POLLOUT : POLLIN), 0},
                                  {reading ? out.read.get() : -1, POLLIN, 0}}};
        poll(fd.data(), fd.size(), timeout_ms);
        if (link.attached() && (fd[0].revents & (POLLIN | POLLHUP)) != 0)
            (void)link.on_readable();
        if (link.wants_write())
            link.on_writable();
        if (link.wants_retry())
            link.retry();
        char buffer[65536];
        while (reading) {
            const ssize_t size = read(out.read.get(), buffer, sizeof buffer);
            if (size <= 0)
                break;
            text.append(buffer, static_cast<std::size_t>(size));
        }
    }
    bool until(const std::function<bool()>& condition, base::Duration limit = seconds(20)) {
        const auto end = sys::monotonic_now() + limit;
        bool met = false;
        while (!(met = condition()) && sys::monotonic_now() < end)
            turn();
        return met;
    }
    bool shows(const std::string& wanted) {
        return until([&] { return text.find(wanted) != std::string::npos; });
    }

    std::vector<std::string> recent(const Query& query = {}) const {
        std::vector<std::string> lines;
        const auto read = read_logs(directory + "/logs", query, [&](const Record& record) {
            lines.emplace_back(record.text);
            return true;
        });
        CHECK(read);
        return lines;
    }
};

void put(const sys::UniqueFd& fd, std::string_view text) {
    REQUIRE(write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

using Texts = std::vector<std::string>;

} // namespace

TEST_CASE("lines of units and of monoinit reach stdout and readers") {
    Bench bench;
    bench.start();
    sys::UniqueFd web = bench.stream("web.service"), db = bench.stream("db.service");
    put(web, "hello\npart");
    put(db, "<3>bad\nx\r[web] forged\n");
    bench.link.message(6, "web.service", "web: started");
    REQUIRE(bench.shows("[web] hello\n"));
    REQUIRE(bench.shows("[db] bad\n[db] x\n[db] [web] forged\n"));
    REQUIRE(bench.shows("[monoinit] web: started\n"));
    CHECK(bench.text.find("part") == std::string::npos);
    web.reset();
    REQUIRE(bench.shows("[web] part\n"));
    REQUIRE(bench.until([&] { return bench.link.streams_open("web.service") == 0; }));
    CHECK(bench.link.streams_open("db.service") == 1);

    auto lines = bench.recent({{{"web.service"}, 7, false}});
    CHECK(lines == Texts{"hello", "part"});
    CHECK(bench.recent({{{}, 3}}) == Texts{"bad"});
    CHECK(bench.recent({{{"db.service"}}, 1}) == Texts{"[web] forged"});
    CHECK(bench.recent({{{"web.service"}}}).size() == 3);

    bench.link.begin_drain(sys::now() + seconds(5));
    REQUIRE(bench.until([&] { return bench.drained.has_value(); }));
    CHECK(bench.drained == 0);
    int status = -1;
    CHECK(waitpid(bench.logger, &status, 0) == bench.logger);
    CHECK(status == 0);
    bench.logger = 0;
}

TEST_CASE("readers follow, and a reader that does not read harms nobody") {
    Bench bench;
    bench.start();
    const sys::UniqueFd web = bench.stream("web.service");
    put(web, "one\ntwo\n");
    REQUIRE(bench.shows("two"));
    sys::Pipe following = sys::make_pipe_pair().value();
    const pid_t follower = fork();
    if (follower == 0) {
        Query query;
        query.follow = true;
        query.last = 1;
        Texts seen;
        (void)read_logs(bench.directory + "/logs", query, [&](const Record& record) {
            seen.emplace_back(record.text);
            put(following.write, ".");
            return seen.size() < 3;
        });
        _exit(seen == Texts{"two", "three", "four"} ? 0 : 1);
    }
    auto lazy = sys::connect_unix(bench.directory + "/logs", SOCK_STREAM);
    REQUIRE(lazy);
    std::string ask;
    append_query(ask, {});
    put(*lazy, ask.substr(0, 7)); // and never the rest
    int status = -1;
    char dot = 0;
    REQUIRE(read(following.read.get(), &dot, 1) == 1);
    put(web, "three\n");
    REQUIRE(bench.shows("three"));
    put(web, "four\n");
    REQUIRE(bench.until([&] { return waitpid(follower, &status, WNOHANG) == follower; }));
    CHECK(status == 0);
}

TEST_CASE("a stalled stdout: back-pressure on pipes, PID 1 and readers go on, nothing lost") {
    Bench bench;
    bench.start();
    bench.reading = false;
    const sys::UniqueFd web = bench.stream("web.service");
    REQUIRE(sys::set_nonblocking(web.get(), true));
    std::string sent;
    std::size_t count = 0;
    const auto give = [&] {
        for (;;) {
            const std::string line = "line " + std::to_string(count) + std::string(80, '.') + "\n";
            if (write(web.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
                return;
            count++;
            sent += "[web] " + line;
        }
    };
    REQUIRE(bench.until([&] {
        give();
        return bench.link.output().stalled;
    }));
    CHECK(sent.size() > 256 * 1024);
    CHECK(sent.size() < 2 * 1024 * 1024); // the pipe was not read any more
    const auto before = sys::monotonic_now();
    for (int i = 0; i < 100; i++)
        bench.link.message(6, {}, "PID 1 says " + std::to_string(i));
    CHECK(bench.recent({{{"web.service"}}, 1}).size() == 1);
    CHECK(sys::monotonic_now() - before < seconds(1));
    CHECK(bench.link.messages_dropped() == 0);
    bench.reading = true;
    REQUIRE(bench.shows("line " + std::to_string(count - 1) + "."));
    REQUIRE(bench.shows("PID 1 says 99"));
    REQUIRE(bench.until([&] { return !bench.link.output().stalled; }));
    std::string mine;
    for (std::size_t at = 0; at < bench.text.size();) {
        const std::size_t end = bench.text.find('\n', at) + 1;
        if (bench.text.compare(at, 5, "[web]") == 0)
            mine.append(bench.text, at, end - at);
        at = end;
    }
    CHECK(mine == sent);
}

TEST_CASE("at shutdown a service's last line comes before what is said of its end") {
    Bench bench;
    bench.start();
    const sys::UniqueFd web = bench.stream("web.service");
    put(web, "serving\n");
    REQUIRE(bench.shows("[web] serving\n"));
    bench.link.begin_shutdown();
    bench.turn(0);
    kill(bench.logger, SIGSTOP); // it finds both at once
    put(web, "closing\n");
    bench.link.message(6, "web.service", "web: stopped");
    bench.turn(0);
    kill(bench.logger, SIGCONT);
    REQUIRE(bench.shows("[monoinit] web: stopped\n"));
    CHECK(bench.text.find("[web] closing\n") < bench.text.find("[monoinit] web: stopped\n"));
}

TEST_CASE("a stalled stdout at shutdown: pipes are read, what did not go out is counted") {
    Bench bench;
    bench.start();
    bench.reading = false;
    sys::UniqueFd web = bench.stream("web.service");
    bench.link.begin_shutdown();
    const std::string line = std::string(99, 'x') + "\n";
    for (int i = 0; i < 20000; i++) { // blocks for ever if it is not read
        put(web, line);
        if (i % 100 == 0)
            bench.turn(0);
    }
    web.reset();
    REQUIRE(bench.until([&] { return bench.link.streams_open() == 0; }));
    bench.link.begin_drain(sys::now() + milliseconds(100));
    REQUIRE(bench.until([&] { return bench.drained.has_value(); }));
    const std::uint64_t not_written = *bench.drained;
    waitpid(std::exchange(bench.logger, 0), nullptr, 0); // or it would go on as soon as we read
    bench.reading = true;
    bench.turn();
    const auto written = static_cast<std::uint64_t>(std::count(bench.text.begin(), bench.text.end(), '\n'));
    CHECK(written + not_written == 20000);
    CHECK(written > 100);
    CHECK(bench.text.ends_with('\n')); // no write ended inside a line
}

TEST_CASE("stdout closed: services, readers and drain go on") {
    Bench bench;
    bench.out.read.reset();
    bench.reading = false;
    bench.start();
    const sys::UniqueFd web = bench.stream("web.service");
    for (int i = 0; i < 10000; i++) {
        put(web, "line " + std::to_string(i) + "\n");
        if (i % 100 == 0)
            bench.turn(0);
    }
    REQUIRE(bench.until([&] { return bench.link.output().lines_lost >= 9000; }));
    CHECK(bench.recent({{}, 1}) == Texts{"line 9999"});
    bench.link.begin_drain(sys::now() + seconds(5));
    REQUIRE(bench.until([&] { return bench.drained.has_value(); }));
    CHECK(bench.drained == 10000);
}

TEST_CASE("the command has the terminal: one line says so, the rest goes to the store") {
    Bench bench;
    bench.start();
    const sys::UniqueFd web = bench.stream("web.service");
    put(web, "before\n");
    REQUIRE(bench.shows("[web] before\n"));
    int configured = bench.configured;
    bench.link.configure({.color = ColorMode::Never, .command_has_terminal = true});
    REQUIRE(bench.until([&] { return bench.configured > configured; }));
    CHECK(bench.text.find("[monoinit] the command has the terminal") != std::string::npos);
    const std::string text = bench.text;
    put(web, "meanwhile\n");
    REQUIRE(bench.until([&] { return bench.recent({{{"web.service"}}, 1}) == Texts{"meanwhile"}; }));
    CHECK(bench.text == text);
    configured = bench.configured;
    bench.link.configure({.color = ColorMode::Never});
    REQUIRE(bench.until([&] { return bench.configured > configured; }));
    bench.link.mute("db.service", true);
    const sys::UniqueFd db = bench.stream("db.service");
    put(db, "quiet\n");
    put(web, "after\n");
    REQUIRE(bench.shows("[web] after\n"));
    REQUIRE(bench.until([&] { return bench.recent({{{"db.service"}}, 1}) == Texts{"quiet"}; }));
    CHECK(bench.text.find("quiet") == std::string::npos);
}

TEST_CASE("killed again and again under load: nothing lost, a line a stream and kill twice at most") {
    Bench bench;
    bench.start();
    constexpr int streams = 4, lines = 30000;
    std::vector<pid_t> writers;
    for (int s = 0; s < streams; s++) {
        const sys::UniqueFd fd = bench.stream("w" + std::to_string(s) + ".service");
        writers.push_back(fork());
        if (writers.back() != 0)
            continue;
        for (int i = 0; i < lines; i++) {
            // Now and then without the newline: unfinished lines must survive too.
            const std::string line = std::to_string(i) + ":" + std::string(static_cast<std::size_t>(i % 150), 'x') + "\n";
            const std::size_t half = i % 7 == 0 ? line.size() / 2 : 0;
            if (half > 0 && write(fd.get(), line.data(), half) != static_cast<ssize_t>(half))
                _exit(1);
            if (write(fd.get(), line.data() + half, line.size() - half) != static_cast<ssize_t>(line.size() - half))
                _exit(1);
        }
        _exit(0);
    }
    int kills = 0;
    while (bench.link.streams_open() > 0) {
        const auto until = sys::monotonic_now() + milliseconds(1 + kills % 9);
        while (sys::monotonic_now() < until && bench.link.streams_open() > 0)
            bench.turn(1);
        if (kills < 150) {
            kills++;
            bench.restart();
        } else {
            REQUIRE(bench.until([&] { return bench.link.streams_open() == 0; }));
        }
    }
    CHECK(kills > 20);
    for (const pid_t pid : writers)
        waitpid(pid, nullptr, 0);
    bench.link.begin_drain(sys::now() + seconds(10));
    REQUIRE(bench.until([&] { return bench.drained.has_value(); }));
    CHECK(bench.drained == 0);
    bench.turn();

    std::array<int, streams> next{};
    int twice = 0, wrong = 0;
    for (std::size_t at = 0; at < bench.text.size();) {
        const std::size_t end = std::min(bench.text.find('\n', at), bench.text.size());
        const std::string line = bench.text.substr(at, end - at);
        at = end + 1;
        const auto s = line.size() > 2 && line[1] == 'w' ? static_cast<std::size_t>(line[2] - '0') : streams;
        if (s >= streams) {
            wrong++;
            continue;
        }
        const auto shown = [&](int i) {
            return "[w" + std::to_string(s) + "] " + std::to_string(i) + ":" +
                   std::string(static_cast<std::size_t>(i % 150), 'x');
        };
        if (line == shown(next[s]))
            next[s]++;
        else if (line == shown(next[s] - 1))
            twice++;
        else if (wrong++ < 3)
            UNSCOPED_INFO("wrong: " << line.substr(0, 60) << " expected " << next[s]);
    }
    CHECK(wrong == 0);
    for (const int n : next)
        CHECK(n == lines);
    CHECK(twice <= kills);
}

TEST_CASE("PID 1 goes away: what is still coming is written, then the logger leaves") {
    Bench bench;
    bench.start();
    sys::UniqueFd web = bench.stream("web.service");
    put(web, "first\n");
    REQUIRE(bench.shows("first"));
    bench.link.detach();
    put(web, "last");
    web.reset();
    // The link's duplicate of the read end is not what keeps a logger alive.
    int status = -1;
    REQUIRE(bench.until([&] { return waitpid(bench.logger, &status, WNOHANG) == bench.logger; }));
    bench.logger = 0;
    CHECK(status == 0);
    CHECK(bench.shows("[web] last\n"));
}

TEST_CASE("stdout is a terminal: colour, escapes, whole lines") {
    Bench bench;
    sys::UniqueFd master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
    REQUIRE(master);
    REQUIRE(grantpt(master.get()) == 0);
    REQUIRE(unlockpt(master.get()) == 0);
    bench.out.write.reset(open(ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    bench.out.read = std::move(master);
    unsetenv("NO_COLOR");
    setenv("TERM", "xterm", 1);
    bench.link.configure({});
    bench.start();
    const sys::UniqueFd web = bench.stream("web.service");
    put(web, "\x1b[2Jcleared\x1b[31mred\n");
    REQUIRE(bench.shows("web]\x1b[0m \\x1b[2Jcleared\x1b[31mred\x1b[0m\r\n"));
    for (int i = 0; i < 3000; i++) {
        put(web, std::to_string(i) + std::string(60, 'x') + "\n");
        if (i % 50 == 0)
            bench.turn(0);
        if (i % 1000 == 500)
            bench.restart();
    }
    REQUIRE(bench.shows("2999x"));
    for (int i = 0; i < 3000; i++)
        CHECK(bench.text.find(" " + std::to_string(i) + std::string(60, 'x') + "\r\n") != std::string::npos);
}

TEST_CASE("without memfd, spool and listener it still works") {
    Bench bench;
    bench.fds = {};
    bench.start();
    const sys::UniqueFd web = bench.stream("web.service");
    put(web, "hello\n");
    CHECK(bench.shows("[web] hello\n"));
}

TEST_CASE("the logger's argument list") {
    const LoggerOptions options{3, 4, 5, 6, 7, 1};
    std::vector<std::string> strings = logger_argv(options);
    std::vector<char*> argv;
    for (std::string& argument : strings)
        argv.push_back(argument.data());
    CHECK(strings[1] == logger_verb);
    const auto parsed = parse_logger_argv(static_cast<int>(argv.size()), argv.data());
    REQUIRE(parsed);
    CHECK((parsed->link == 3 && parsed->buffers == 4 && parsed->spool_read == 5 && parsed->spool_write == 6 &&
           parsed->listener == 7 && parsed->output == 1));
    CHECK_FALSE(parse_logger_argv(2, argv.data()));
}
