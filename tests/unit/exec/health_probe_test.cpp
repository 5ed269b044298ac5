// Probes against real sockets and files; and through a guard, as PID 1 makes them.
#include "exec/health_probe.hpp"

#include "harness.hpp"

#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <thread>

using namespace monoinit;
using namespace monoinit::exec;
using namespace std::chrono_literals;
using unit::HealthStepKind;

namespace {

/// Listens on a port of 127.0.0.1 that the kernel chooses.
struct Listener {
    Listener() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(::listen(fd.get(), 8) == 0);
        REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port = std::to_string(ntohs(address.sin_port));
    }
    sys::UniqueFd fd;
    std::string port;
};

/// Answers one request with this text; what was asked is in `request` afterwards.
struct Server : Listener {
    explicit Server(std::string answer) : thread([this, answer = std::move(answer)] {
        const int client = ::accept(fd.get(), nullptr, nullptr);
        char buffer[4096];
        while (request.find("\r\n\r\n") == std::string::npos) {
            const ssize_t size = ::read(client, buffer, sizeof buffer);
            if (size <= 0)
                break;
            request.append(buffer, static_cast<std::size_t>(size));
        }
        for (std::size_t done = 0; done < answer.size();) {
            const ssize_t size = ::send(client, answer.data() + done, answer.size() - done, MSG_NOSIGNAL);
            if (size <= 0)
                break;
            done += static_cast<std::size_t>(size);
        }
        ::close(client);
    }) {}
    ~Server() { thread.join(); }
    std::string request;
    std::thread thread;
};

ProbeOutcome probe(HealthStepKind kind, std::string target, base::Duration timeout = 60s) {
    return run_probe({kind, std::move(target), timeout});
}

std::string closed_port() { return Listener().port; }

} // namespace

TEST_CASE("HTTP answers by their status") {
    struct Row {
        const char* answer;
        bool ok;
        const char* text;
    };
    for (const auto& [answer, ok, text] : {Row{"HTTP/1.1 200 OK\r\n\r\n", true, ""},
                                           Row{"HTTP/1.0 204 No Content\r\nX: y\r\n\r\n", true, ""},
                                           Row{"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n", true, ""},
                                           Row{"HTTP/1.1 404 Not Found\r\n\r\nno such page", false, "HTTP 404 from URL"},
                                           Row{"HTTP/1.1 500 Oops\r\n\r\n", false, "HTTP 500 from URL"},
                                           Row{"HTTP/1.1 100 Continue\r\n\r\n", false, "HTTP 100 from URL"},
                                           Row{"SSH-2.0-OpenSSH_9\r\n", false, "no HTTP answer from URL"},
                                           Row{"HTTP/1.1 abc\r\n", false, "no HTTP answer from URL"},
                                           Row{"", false, "empty answer from URL"}}) {
        INFO(answer);
        Server server(answer);
        const std::string url = "http://127.0.0.1:" + server.port + "/healthz?a=b";
        const ProbeOutcome outcome = probe(HealthStepKind::HttpGet, url);
        CHECK(outcome.ok == ok);
        std::string wanted = text;
        if (const auto at = wanted.find("URL"); at != std::string::npos)
            wanted.replace(at, 3, url);
        CHECK(outcome.text == wanted);
        if (!ok)
            CHECK(outcome.answer == answer);
    }
}

TEST_CASE("the request is HTTP/1.1 as servers want it") {
    std::string request, port;
    {
        Server server("HTTP/1.1 200 OK\r\n\r\n");
        port = server.port;
        CHECK(probe(HealthStepKind::HttpGet, "http://localhost:" + port).ok);
        server.thread.join();
        request = server.request;
        server.thread = std::thread([] {});
    }
    CHECK(request.starts_with("GET / HTTP/1.1\r\nHost: localhost:" + port + "\r\n"));
    CHECK(request.find("\r\nConnection: close\r\n") != std::string::npos);
}

TEST_CASE("an answer without end is cut short") {
    Server server("HTTP/1.1 503 Busy\r\n\r\n" + std::string(1 << 20, 'x'));
    const ProbeOutcome outcome = probe(HealthStepKind::HttpGet, "http://127.0.0.1:" + server.port + "/");
    CHECK_FALSE(outcome.ok);
    CHECK(outcome.answer.size() == 4096);
}

TEST_CASE("who is silent has failed at the deadline") {
    const Listener listener; // the kernel takes the connection, nobody answers: a stopped server
    const std::string url = "http://127.0.0.1:" + listener.port + "/";
    const ProbeOutcome outcome = probe(HealthStepKind::HttpGet, url, 50ms);
    CHECK_FALSE(outcome.ok);
    CHECK(outcome.text == "no answer from " + url);
}

TEST_CASE("ports") {
    const Listener listener;
    CHECK(probe(HealthStepKind::TcpConnect, listener.port).ok);
    CHECK(probe(HealthStepKind::TcpConnect, "127.0.0.1:" + listener.port).ok);
    const std::string closed = closed_port();
    const ProbeOutcome outcome = probe(HealthStepKind::TcpConnect, "127.0.0.1:" + closed);
    CHECK_FALSE(outcome.ok);
    CHECK(outcome.text == "connection refused by 127.0.0.1:" + closed);
    const ProbeOutcome unknown = probe(HealthStepKind::TcpConnect, "no-such-host.invalid:80");
    CHECK_FALSE(unknown.ok);
    CHECK(unknown.text.find("not in /etc/hosts") != std::string::npos);
}

TEST_CASE("sockets and files") {
    const test::TemporaryDirectory directory;
    const std::string socket = directory.path("s"), file = directory.path("a.ready"), pattern = directory.path("*.ready");
    CHECK_FALSE(probe(HealthStepKind::UnixConnect, socket).ok);
    for (const int type : {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM}) {
        const auto bound = sys::bind_unix(socket, type, 0600);
        REQUIRE(bound);
        CHECK(probe(HealthStepKind::UnixConnect, socket).ok);
    }
    CHECK(probe(HealthStepKind::UnixConnect, socket).text == "connection refused by " + socket);
    CHECK(probe(HealthStepKind::FileExists, file).text == file + ": No such file or directory");
    CHECK(probe(HealthStepKind::FileExists, pattern).text == "nothing matches " + pattern);
    std::ofstream(file) << "x";
    CHECK(probe(HealthStepKind::FileExists, file).ok);
    CHECK(probe(HealthStepKind::FileExists, pattern).ok);
}

TEST_CASE("a probe in a command's place, below a guard", "[guard]") {
    const Listener listener;
    Plan plan = test::plan_for({"-"});
    plan.probe = HealthProbe{HealthStepKind::TcpConnect, listener.port, 60s};
    CHECK(test::run(plan).exit == base::ExitInfo{base::ExitInfo::Code::Exited, 0});
    plan = test::plan_for({"-"});
    plan.probe = HealthProbe{HealthStepKind::FileExists, "/no/such/file", 60s};
    const test::Finished failed = test::run(plan);
    CHECK(failed.exit == base::ExitInfo{base::ExitInfo::Code::Exited, 1});
    CHECK(failed.output == "/no/such/file: No such file or directory\n");
}

TEST_CASE("a probe that hangs ends with its guard's tree", "[guard]") {
    const Listener listener;
    Plan plan = test::plan_for({"-"});
    plan.probe = HealthProbe{HealthStepKind::HttpGet, "http://127.0.0.1:" + listener.port + "/", 600s};
    test::Guard guard(plan);
    CHECK(guard.wait<GuardStarted>().ok);
    const sys::UniqueFd connected(::accept(listener.fd.get(), nullptr, nullptr)); // now it waits for an answer
    guard.link().signal(SignalScope::Tree, SIGKILL, false, false);
    CHECK(guard.wait<GuardExit>().exit == base::ExitInfo{base::ExitInfo::Code::Killed, SIGKILL});
    guard.wait<GuardEmpty>();
    CHECK(guard.finish() == 0);
}
