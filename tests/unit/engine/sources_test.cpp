// X-Watch= in the engine: what a change does to a service in which state, and how long its sources are watched.
#include "fake_shell.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::test;

namespace {

engine::ConfigPtr watched(const std::string& name, unit::WatchAction action = unit::WatchAction::Restart) {
    auto config = std::make_shared<unit::UnitConfig>(*engine::ConfigPtr(service(name)));
    config->watch.edit().patterns = {"/src"};
    config->watch.edit().action = action;
    config->watch.edit().signal = 12;
    config->exec.edit().working_directory = "/src";
    return config;
}

std::optional<bool> watching(const FakeShell& shell) {
    std::optional<bool> last;
    for (const auto& action : shell.all<engine::UnitAction>())
        if (const auto* watch = std::get_if<supervise::WatchSources>(&action.action))
            last = watch->on;
    return last;
}

} // namespace

TEST_CASE("X-Watch: a change restarts what runs, starts what has failed, and leaves alone what was stopped") {
    FakeShell shell;
    shell.load({watched("web")});
    shell.start("web");
    CHECK(watching(shell) == true);
    const auto pid = shell.engine.status(shell.id("web")).service->main_pid;
    shell.feed(engine::SourcesChanged{shell.id("web"), "/src/app.py", 2});
    CHECK(shell.said("web: app.py and 2 more have changed; restarting"));
    CHECK(shell.sub("web") == "running");
    CHECK(shell.engine.status(shell.id("web")).service->main_pid != pid);
    CHECK(watching(shell) == true);
    for (int i = 0; i < 20; i++) { // an edit is a person's doing: no start limit
        shell.exit("web", 1);
        CHECK(shell.active("web") == ActiveState::Failed);
        shell.feed(engine::SourcesChanged{shell.id("web"), "/src/app.py"});
        REQUIRE(shell.sub("web") == "running");
    }
    CHECK(shell.said("app.py has changed; starting"));
    CHECK(shell.said("belongs in X-WatchIgnore="));
    CHECK(watching(shell) == true);
    FakeShell next;
    crash(shell, next, {watched("web")});
    CHECK(watching(next) == true);
    shell.stop("web");
    CHECK(watching(shell) == false);
    shell.feed(engine::SourcesChanged{shell.id("web"), "/src/app.py"});
    CHECK(shell.sub("web") == "dead");
    shell.start("web");
    CHECK(watching(shell) == true);
    shell.exit("web", 1);
    shell.stop("web"); // it has failed: nothing to stop, but the watch
    CHECK(watching(shell) == false);
}

TEST_CASE("X-WatchAction: a signal, a reload, and a restart where it cannot be reloaded") {
    FakeShell shell;
    shell.load({watched("signalled", unit::WatchAction::Signal), watched("reloaded", unit::WatchAction::Reload)});
    shell.start("signalled");
    const auto pid = shell.engine.status(shell.id("signalled")).service->main_pid;
    shell.feed(engine::SourcesChanged{shell.id("signalled"), "/src/a"});
    CHECK(shell.engine.status(shell.id("signalled")).service->main_pid == pid);
    int sent = 0;
    for (const auto& action : shell.all<engine::UnitAction>())
        if (const auto* signal = std::get_if<supervise::Signal>(&action.action))
            sent = signal->signal;
    CHECK(sent == 12);
    shell.start("reloaded");
    shell.feed(engine::SourcesChanged{shell.id("reloaded"), "/src/a"});
    CHECK(shell.said("reloaded: a has changed; restarting"));
}

TEST_CASE("X-Watch: settings that come, change and go with a reload") {
    FakeShell shell;
    shell.load({service("web")});
    shell.start("web");
    CHECK_FALSE(watching(shell));
    shell.load({watched("web")}, true);
    shell.feed(engine::Tick{});
    CHECK(watching(shell) == true);
    shell.load({service("web")}, true);
    shell.feed(engine::Tick{});
    CHECK(watching(shell) == false);
}
