// Sockets in the engine: they start their service, follow it, count connections, survive a crash, and say what is wrong.
#include "fake_shell.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace monoinit;
using namespace monoinit::test;

namespace {

engine::ConfigPtr socket(const std::string& name, bool accept = false, unit::SocketSection section = {}) {
    auto config = std::make_shared<unit::UnitConfig>();
    config->name = name + ".socket";
    config->names = {config->name};
    config->type = unit::UnitType::Socket;
    config->load_state = unit::LoadState::Loaded;
    section.accept = accept;
    config->socket.edit() = std::move(section);
    if (!accept)
        for (const auto kind : {unit::DependencyKind::Triggers, unit::DependencyKind::Before})
            config->unit.dependencies.push_back({kind, unit::Origin::Implicit, 0, 0, name + ".service"});
    return config;
}

void listen(FakeShell& shell, const std::string& name) {
    shell.start(name);
    shell.feed(engine::SocketsOpened{shell.id(name), {}});
}

std::size_t closed(const FakeShell& shell, const std::string& service) {
    std::size_t count = 0;
    for (const auto& each : shell.all<engine::CloseConnection>())
        count += each.service == shell.id(service) ? 1U : 0U;
    return count;
}

} // namespace

TEST_CASE("what comes in starts the service, and the socket follows it") {
    FakeShell shell;
    shell.load({service("web"), socket("web")});
    const auto request = shell.start("web.socket");
    CHECK(shell.sub("web.socket") == "start-open");
    CHECK_FALSE(shell.result(request));
    shell.feed(engine::SocketsOpened{shell.id("web.socket"), {}});
    CHECK(shell.result(request) == JobResult::Done);
    CHECK(shell.sub("web.socket") == "listening");
    shell.feed(engine::SocketReady{shell.id("web.socket")});
    CHECK(shell.sub("web") == "running");
    CHECK(shell.sub("web.socket") == "running");
    shell.restart("web");
    CHECK(shell.sub("web.socket") == "running");
    shell.stop("web");
    CHECK(shell.sub("web.socket") == "listening");
    shell.start("web");
    CHECK(shell.sub("web.socket") == "running");
    shell.exit("web", 0);
    CHECK(shell.sub("web.socket") == "listening");
    shell.stop("web.socket");
    CHECK(shell.sub("web.socket") == "dead");
}

TEST_CASE("a service that comes up while its socket is being made has it running from the beginning") {
    FakeShell shell;
    shell.load({service("web"), socket("web")});
    shell.start("web.socket");
    shell.start("web");
    shell.feed(engine::SocketsOpened{shell.id("web.socket"), {}});
    CHECK(shell.sub("web") == "running");
    CHECK(shell.sub("web.socket") == "running");
}

TEST_CASE("a taken address, a missing service and one that runs already are said, and fail the start") {
    FakeShell shell;
    shell.load({service("web"), socket("web"), socket("alone")});
    auto request = shell.start("web.socket");
    shell.feed(engine::SocketsOpened{shell.id("web.socket"), "cannot listen on [::]:80: Address already in use"});
    CHECK(shell.result(request) == JobResult::Failed);
    CHECK(shell.sub("web.socket") == "failed");
    CHECK(shell.said("web.socket: cannot listen on [::]:80: Address already in use"));
    request = shell.start("alone.socket");
    CHECK(shell.result(request) == JobResult::Failed);
    CHECK(shell.said("alone.socket: not started: its service is not there"));
    shell.start("web");
    request = shell.start("web.socket");
    CHECK(shell.result(request) == JobResult::Failed);
    CHECK(shell.said("web.service runs already, without it"));
}

TEST_CASE("a service that ends at once takes its socket with it when it hits its start limit") {
    FakeShell shell;
    shell.load({service("web"), socket("web")});
    shell.programs["web"].exits = 1;
    listen(shell, "web.socket");
    for (int i = 0; i < 10 && shell.sub("web.socket") == "listening"; i++)
        shell.feed(engine::SocketReady{shell.id("web.socket")});
    CHECK(shell.sub("web.socket") == "failed");
    CHECK(shell.engine.status(shell.id("web.socket")).socket->result == supervise::SocketResult::ServiceStartLimitHit);
}

TEST_CASE("connections are counted, refused beyond the limit, and closed when their service is down") {
    FakeShell shell;
    unit::SocketSection limits;
    limits.max_connections = 3;
    limits.max_connections_per_source = 2;
    shell.load({socket("echo", true, limits), service("echo@1"), service("echo@2"), service("echo@3"), service("echo@4"), service("echo@5")});
    listen(shell, "echo.socket");
    const auto connect = [&](const char* name, const char* peer) {
        shell.feed(engine::ConnectionAccepted{shell.id("echo.socket"), shell.id(name), peer});
    };
    connect("echo@1", "192.0.2.1");
    connect("echo@2", "192.0.2.1");
    CHECK(shell.sub("echo@2") == "running");
    CHECK(shell.sub("echo.socket") == "listening");
    connect("echo@3", "192.0.2.1");
    CHECK(closed(shell, "echo@3") == 1);
    CHECK(shell.said("too many connections from 192.0.2.1 (2)"));
    connect("echo@4", "192.0.2.2");
    CHECK(shell.sub("echo@4") == "running");
    connect("echo@5", "192.0.2.3");
    CHECK(closed(shell, "echo@5") == 1);
    CHECK(shell.said("too many connections (3)"));
    CHECK(closed(shell, "echo@1") == 0);
    shell.exit("echo@1", 3);
    CHECK(closed(shell, "echo@1") == 1);
    CHECK(shell.active("echo@1") == ActiveState::Inactive); // a failed one does not stay
    CHECK_FALSE(shell.engine.status(shell.id("echo@1")).accepted_by);
    connect("echo@5", "192.0.2.3");
    CHECK(shell.sub("echo@5") == "running");
    CHECK(shell.engine.status(shell.id("echo.socket")).socket->refused == 2);
    CHECK(shell.engine.status(shell.id("echo.socket")).socket->accepted == 6);
}

TEST_CASE("while it is to stop, what comes in waits") {
    FakeShell shell;
    shell.load({service("web"), socket("web")});
    shell.programs["web"].ignores_term = true;
    listen(shell, "web.socket");
    shell.feed(engine::Shutdown{});
    shell.feed(engine::SocketReady{shell.id("web.socket")});
    CHECK(shell.sub("web") == "dead");
}

TEST_CASE("socket states survive a crash: what is listened on is watched again, what was being made is made again") {
    FakeShell before;
    const std::vector<engine::ConfigPtr> configs = {service("web"), socket("web"), service("new"), socket("new")};
    before.load(configs);
    listen(before, "web.socket");
    before.start("new.socket");
    CHECK(before.sub("new.socket") == "start-open");

    FakeShell after;
    after.load(configs);
    for (const char* const name : {"web.socket", "new.socket", "web", "new"})
        REQUIRE(after.engine.restore(before.engine.save(before.id(name)), after.clock));
    REQUIRE(after.engine.restore_globals(before.engine.save_globals(), after.clock));
    after.feed(engine::Tick{});
    bool watched = false, opened = false;
    for (const auto& action : after.all<engine::UnitAction>()) {
        const auto* watch = std::get_if<supervise::WatchSockets>(&action.action);
        watched = watched || (action.unit == after.id("web.socket") && watch != nullptr && watch->on);
        opened = opened || (action.unit == after.id("new.socket") && std::holds_alternative<supervise::OpenSockets>(action.action));
    }
    CHECK(watched);
    CHECK(opened);
    CHECK(after.sub("web.socket") == "listening");
    after.feed(engine::SocketsOpened{after.id("new.socket"), {}});
    CHECK(after.sub("new.socket") == "listening");
}

TEST_CASE("exit_when_done: a socket that listens keeps the container") {
    engine::EngineOptions options;
    options.exit_when_done = true;
    FakeShell shell(options);
    shell.load({target("multi-user").wants("web.socket").wants("job"), service("web"), socket("web"), service("job").oneshot(false)});
    shell.programs["job"].exits = 0;
    shell.boot("multi-user.target");
    shell.feed(engine::SocketsOpened{shell.id("web.socket"), {}});
    shell.advance(1min);
    CHECK_FALSE(shell.left);
    shell.stop("web.socket");
    CHECK(shell.left == 0);
}

TEST_CASE("the number of a unit is not another's soon") {
    FakeShell shell;
    std::set<std::uint32_t> seen;
    for (int i = 0; i < 6000; i++) {
        const std::string name = "echo@" + std::to_string(i);
        shell.load({service(name)});
        const auto id = shell.id(name);
        if (i < 4096)
            CHECK(seen.insert(id.value).second);
        shell.engine.unlist(id);
        CHECK_FALSE(shell.id(name));
    }
    shell.load({service("last")});
    CHECK(shell.id("last").value <= 4098);
}
