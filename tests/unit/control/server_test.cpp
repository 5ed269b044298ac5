// Both ends of the socket: a server with a fake manager, driven by hand, and clients that behave and misbehave.
#include "control/client.hpp"
#include "control/codec.hpp"
#include "control/server.hpp"
#include "sys/socket.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <poll.h>
#include <thread>

using namespace monoinit;
using namespace monoinit::control;
using base::Instant;

namespace {

struct FakeManager : Manager {
    Server* server = nullptr;
    std::vector<Ticket> open, gone;
    std::vector<std::string> log;
    std::size_t note_size = 0;

    UnitFacts facts(const std::string& unit) override { return {.name = unit, .exists = unit != "nope"}; }
    ManagerInfo info() override { return {.version = "1.0", .pid = 1}; }
    std::vector<UnitSummary> list(const ListRequest&) override {
        return {UnitSummary{.name = "a.service", .note = std::string(note_size, 'x')}};
    }
    base::Result<UnitDetail> status(const StatusRequest& request) override {
        if (request.unit == "nope")
            return base::fail(base::Errc::NotFound, "no unit nope");
        UnitDetail unit;
        unit.summary.name = request.unit;
        return unit;
    }
    base::Result<PropertyList> properties(const PropertiesRequest&, bool with_environment) override {
        return PropertyList{{"Environment", with_environment ? "A=b" : ""}};
    }
    base::Result<std::vector<Dependency>> dependencies(const DependenciesRequest&) override {
        return std::vector<Dependency>{};
    }
    std::vector<JobInfo> jobs() override { return {}; }
    base::Result<HealthReply> health(const HealthRequest&) override { return HealthReply{.verdict = "healthy", .units = {}, .text = {}}; }
    void later(Ticket ticket, const std::string& what) {
        open.push_back(ticket);
        log.push_back(what);
    }
    void environment(Ticket t, const EnvironmentRequest&) override { later(t, "environment"); }
    void operate(Ticket t, const Peer& peer, const OperateRequest& r) override {
        later(t, std::string(verb_name(r.verb)) + " " + r.units.at(0) + " by " + std::to_string(peer.pid));
    }
    void kill(Ticket t, const KillRequest&) override { later(t, "kill"); }
    void reset_failed(Ticket t, const ResetFailedRequest&) override { later(t, "reset-failed"); }
    void cancel_jobs(Ticket t, const CancelRequest&) override { later(t, "cancel"); }
    void daemon_reload(Ticket t) override { later(t, "daemon-reload"); }
    void daemon_reexec(Ticket t) override { later(t, "daemon-reexec"); }
    void exit(Ticket t, const ExitRequest&) override { later(t, "exit"); }
    ShutdownPlanReply shutdown_plan() override { return {.budget = std::chrono::seconds(8), .stops = {{.unit = "web.service"}}}; }
    void adopt(Ticket t, const Peer&, const AdoptRequest&) override { later(t, "adopt"); }
    void put_unit(Ticket t, const Peer&, const PutUnitRequest&, std::vector<sys::UniqueFd>& descriptors) override {
        given = descriptors.size();
        later(t, "run");
    }
    std::size_t given = 0;
    void wait(Ticket t, const WaitRequest&) override { later(t, "wait"); }
    void mute(Ticket t, const MuteRequest&) override { later(t, "mute"); }
    void set_environment(Ticket t, const SetEnvironmentRequest&) override { later(t, "set-environment"); }
    base::Result<Empty> set_properties(const SetPropertiesRequest& r) override {
        log.push_back("set-properties of " + r.unit);
        return Empty{};
    }
    void subscribe(Ticket t, const SubscribeRequest&) override { later(t, "subscribe"); }
    void abandoned(Ticket t) override { gone.push_back(t); }
};

/// A listening server in a directory of its own. Time stands still unless a test moves it, and lies in the future, so
/// that timers of the server do not fire by themselves.
struct Fixture {
    std::string directory, path;
    FakeManager manager;
    std::unique_ptr<Server> server;
    Instant now{std::chrono::hours(24 * 365 * 50)};
    std::size_t closed = 0;

    explicit Fixture(ServerOptions options = {}) {
        char name[] = "/tmp/control-test-XXXXXX";
        directory = ::mkdtemp(name);
        path = directory + "/control";
        options.domain.own_uid = ::getuid();
        options.closer = [this](std::vector<sys::UniqueFd> fds) { closed += fds.size(); };
        auto made = Server::create(std::move(*listen_at(path)), manager, std::move(options));
        REQUIRE(made.has_value());
        server = std::move(*made);
        manager.server = server.get();
    }
    ~Fixture() {
        server.reset();
        ::unlink(path.c_str());
        ::rmdir(directory.c_str());
    }
    sys::UniqueFd connect() {
        auto fd = sys::connect_unix(path, SOCK_STREAM | SOCK_NONBLOCK);
        REQUIRE(fd.has_value());
        turn();
        return std::move(*fd);
    }
    void turn(int times = 4) {
        for (int i = 0; i < times; i++)
            server->dispatch(now);
    }
    void pass(base::Duration span) {
        now = now + span;
        turn();
    }
};

void put(const sys::UniqueFd& fd, const std::string& message) {
    REQUIRE(::send(fd.get(), message.c_str(), message.size() + 1, MSG_NOSIGNAL) == static_cast<ssize_t>(message.size() + 1));
}

/// What has arrived, NULs as '|'; "EOF" at the end of a closed connection.
std::string got(const sys::UniqueFd& fd) {
    std::string text;
    char buffer[65536];
    for (;;) {
        const ssize_t count = ::recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
        if (count < 0)
            break;
        if (count == 0) {
            text += "EOF";
            break;
        }
        text.append(buffer, static_cast<std::size_t>(count));
    }
    std::replace(text.begin(), text.end(), '\0', '|');
    return text;
}

const std::string stop_a = encode_call(OperateRequest{.verb = Verb::Stop, .units = {"a.service"}}, false);

} // namespace

TEST_CASE("a query is answered at once") {
    Fixture f;
    const auto fd = f.connect();
    put(fd, encode_call(InfoRequest{}, false));
    f.turn();
    CHECK(got(fd) == R"({"parameters":{"version":"1.0"}}|)");
}

TEST_CASE("introspection as varlink.org has it") {
    Fixture f;
    const auto fd = f.connect();
    put(fd, R"({"method":"org.varlink.service.GetInfo"})");
    put(fd, R"({"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"io.monoinit.Manager"}})");
    f.turn();
    const std::string answer = got(fd);
    CHECK(answer.find(R"("interfaces":["org.varlink.service","io.monoinit.Manager"])") != std::string::npos);
    CHECK(answer.find("interface io.monoinit.Manager\\n") != std::string::npos);
}

TEST_CASE("an operation is answered when it is done; later calls of the client wait their turn") {
    Fixture f;
    const auto fd = f.connect();
    put(fd, stop_a);
    put(fd, encode_call(StatusRequest{.unit = "nope"}, false));
    f.turn();
    CHECK(got(fd).empty());
    REQUIRE(f.manager.open.size() == 1);
    CHECK(f.manager.log.at(0) == "stop a.service by " + std::to_string(::getpid()));
    CHECK_FALSE(f.server->wants_progress(f.manager.open[0]));
    f.server->progress(f.manager.open[0], OperateReply{});
    f.server->reply(f.manager.open[0], OperateReply{{JobOutcome{.unit = "a.service", .result = "done"}}});
    f.turn();
    CHECK(got(fd) == R"({"parameters":{"outcomes":[{"unit":"a.service","result":"done"}]}}|)"
                     R"({"error":"io.monoinit.Manager.NoSuchUnit","parameters":{"text":"no unit nope"}}|)");
    f.server->reply(f.manager.open[0], OperateReply{}); // a second answer goes nowhere
    f.turn();
    CHECK(got(fd).empty());
}

TEST_CASE("with more, progress streams") {
    Fixture f;
    const auto fd = f.connect();
    put(fd, encode_call(SubscribeRequest{}, false));
    f.turn();
    CHECK(got(fd) == R"({"error":"org.varlink.service.ExpectedMore","parameters":{}}|)");
    put(fd, encode_call(SubscribeRequest{}, true));
    f.turn();
    REQUIRE(f.manager.open.size() == 1);
    f.server->progress(f.manager.open[0], UnitEvent{.unit = "a.service"});
    f.server->progress(f.manager.open[0], UnitEvent{.unit = "b.service"});
    CHECK(got(fd) == R"({"parameters":{"unit":"a.service"},"continues":true}|{"parameters":{"unit":"b.service"},"continues":true}|)");
}

TEST_CASE("a client that goes is told of, and its job goes on") {
    Fixture f;
    {
        const auto fd = f.connect();
        put(fd, stop_a);
    } // gone before the server read a byte
    f.turn();
    REQUIRE(f.manager.log.size() == 1);
    CHECK(f.manager.gone == f.manager.open);
    f.server->reply(f.manager.open[0], OperateReply{});
    CHECK(f.server->clients() == 0);
    CHECK(f.closed == 1);
}

TEST_CASE("one that only closes its sending side still gets its answer") {
    Fixture f;
    const auto fd = f.connect();
    put(fd, stop_a);
    ::shutdown(fd.get(), SHUT_WR);
    f.turn();
    REQUIRE(f.manager.open.size() == 1);
    CHECK(f.manager.gone.empty());
    f.server->reply(f.manager.open[0], OperateReply{});
    f.turn();
    CHECK(got(fd).starts_with(R"({"parameters":{}}|)"));
    CHECK(f.server->clients() == 0);
}

TEST_CASE("oneway calls get no answer") {
    Fixture f;
    const auto fd = f.connect();
    put(fd, R"({"method":"io.monoinit.Manager.Info","oneway":true})");
    f.turn();
    CHECK(got(fd).empty());
}

TEST_CASE("half a message has five seconds") {
    Fixture f;
    const auto fd = f.connect();
    REQUIRE(::send(fd.get(), "{\"method\"", 9, 0) == 9);
    f.turn();
    f.pass(std::chrono::milliseconds(4900));
    CHECK(f.server->clients() == 1);
    f.pass(std::chrono::milliseconds(200));
    CHECK(f.server->clients() == 0);
}

TEST_CASE("an idle connection may stay") {
    Fixture f;
    const auto fd = f.connect();
    f.pass(std::chrono::hours(1));
    put(fd, encode_call(InfoRequest{}, false));
    f.turn();
    CHECK(got(fd).starts_with("{"));
}

TEST_CASE("a message without end drops the client, and so does one that is none") {
    Fixture f(ServerOptions{.max_request = 100000});
    const auto endless = f.connect();
    const std::string junk(60000, 'x');
    REQUIRE(::send(endless.get(), junk.data(), junk.size(), 0) > 0);
    f.turn();
    REQUIRE(::send(endless.get(), junk.data(), junk.size(), 0) > 0);
    f.turn();
    CHECK(f.server->clients() == 0);
    const auto wrong = f.connect();
    put(wrong, "hello");
    f.turn();
    CHECK(f.server->clients() == 0);
}

TEST_CASE("a client that does not read is dropped, others are served meanwhile") {
    Fixture f;
    f.manager.note_size = 1 << 20;
    const auto lazy = f.connect();
    const auto keen = f.connect();
    for (int i = 0; i < 40; i++)
        put(lazy, encode_call(ListRequest{}, false));
    f.turn(50);
    put(keen, encode_call(InfoRequest{}, false));
    f.turn();
    CHECK(got(keen).starts_with("{"));
    CHECK(f.server->clients() == 2);
    f.pass(std::chrono::seconds(11));
    CHECK(f.server->clients() == 1);
}

TEST_CASE("one that reads slowly gets everything") {
    Fixture f;
    f.manager.note_size = 300000;
    const auto fd = f.connect();
    for (int i = 0; i < 20; i++)
        put(fd, encode_call(ListRequest{}, false));
    std::string all;
    for (int i = 0; i < 400; i++) {
        f.pass(std::chrono::milliseconds(100));
        all += got(fd);
    }
    CHECK(std::count(all.begin(), all.end(), '|') == 20);
}

TEST_CASE("descriptors that strangers send are taken and handed on") {
    Fixture f;
    const auto fd = f.connect();
    const int sent[] = {0, 1, 2, 0, 1};
    REQUIRE(sys::send_message(fd.get(), "x", sent).has_value());
    f.turn();
    CHECK(f.closed == 2); // three might belong to the call that is not whole yet
    REQUIRE(sys::send_message(fd.get(), std::string_view("\0", 1), {}).has_value());
    f.turn();
    CHECK(f.closed >= 5);
}

TEST_CASE("descriptors go with the call they came with") {
    Fixture f;
    const auto fd = f.connect();
    const int sent[] = {0, 1, 2};
    const std::string call = encode_call(PutUnitRequest{"a.service", "[Service]\n"}, false), info = encode_call(InfoRequest{}, false);
    REQUIRE(sys::send_message(fd.get(), std::string_view(call.c_str(), call.size() + 1), sent).has_value());
    f.turn();
    CHECK(f.manager.given == 3);
    CHECK(f.closed == 3); // this manager has no use for them
    const auto other = f.connect();
    REQUIRE(sys::send_message(other.get(), std::string_view(info.c_str(), info.size() + 1), sent).has_value());
    f.turn();
    CHECK(f.closed == 6);
}

TEST_CASE("places are limited, and kept for the privileged") {
    Fixture f(ServerOptions{.max_clients = 8, .kept_for_privileged = 2});
    std::vector<sys::UniqueFd> many;
    for (int i = 0; i < 12; i++)
        many.push_back(f.connect());
    CHECK(f.server->clients() == 8);
    CHECK(got(many.back()) == "EOF");
}

TEST_CASE("strangers look, but neither act nor see environments") {
    Fixture f;
    f.server->set_domain(Domain{.own_uid = 0});
    if (::getuid() == 0) {
        SUCCEED("as root everything is allowed; authorize_test covers the rule");
        return;
    }
    const auto fd = f.connect();
    put(fd, stop_a);
    put(fd, encode_call(PropertiesRequest{.unit = "a.service"}, false));
    f.turn();
    const std::string answer = got(fd);
    CHECK(answer.find("NotAllowed") != std::string::npos);
    CHECK(answer.find("A=b") == std::string::npos);
    CHECK(f.manager.log.empty());
}

TEST_CASE("the client finds, checks and asks") {
    Fixture f;
    std::atomic<bool> stop{false};
    std::thread loop([&] {
        while (!stop) {
            pollfd wait{f.server->fd(), POLLIN, 0};
            ::poll(&wait, 1, 5);
            f.server->dispatch(f.now);
            for (const Ticket ticket : std::exchange(f.manager.open, {})) {
                f.server->progress(ticket, WaitReply{.result = "waiting"});
                f.server->reply(ticket, WaitReply{.result = "reached"});
            }
        }
    });
    auto client = Client::connect_to({f.path, {static_cast<unsigned>(::getuid())}});
    CHECK(client.has_value());
    if (client) {
        const auto info = client->ask<ManagerInfo>(InfoRequest{});
        CHECK((info.has_value() && info->version == "1.0"));
        const auto none = client->ask<StatusReply>(StatusRequest{.unit = "nope"});
        CHECK((!none && none.error().code == base::Errc::NotFound));
        std::vector<std::string> seen;
        const auto waited = client->call_more(WaitRequest{}, [&](const Reply& reply, bool continues) {
            seen.push_back(std::get<WaitReply>(reply).result + (continues ? "+" : "."));
            return true;
        });
        CHECK(waited.has_value());
        CHECK(seen == std::vector<std::string>{"waiting+", "reached."});
    }
    stop = true;
    loop.join();
    CHECK(Client::connect_to({f.path, {12345}}).error().code == base::Errc::Denied);
    CHECK(Client::connect(FindOptions{.root = f.directory}).error().code == base::Errc::NotFound);
    CHECK(listen_at(f.path).error().code == base::Errc::Exists);
}

TEST_CASE("where the socket is looked for") {
    const auto list = candidates({.xdg_runtime_dir = "/run/user/1000", .own_uid = 1000, .init_uid = 0});
    std::vector<std::string> paths;
    for (const auto& candidate : list)
        paths.push_back(candidate.path);
    CHECK(paths == std::vector<std::string>{"/run/monoinit/control", "/run/user/1000/monoinit/control", "/tmp/monoinit-0/control",
                                            "/dev/shm/monoinit-0/control", "/tmp/monoinit-1000/control",
                                            "/dev/shm/monoinit-1000/control"});
    CHECK(list[2].owners == std::vector<unsigned>{0});
    CHECK(candidates({.socket = "/x"}).size() == 1);
}
