// The machine of scopes: stories, and a walk over event sequences.
#include "supervise/scope.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <set>

using namespace monoinit;
using namespace monoinit::supervise;
using namespace std::chrono_literals;

namespace {

struct World {
    explicit World(base::Duration runtime_max = base::infinity) {
        auto made = std::make_shared<unit::UnitConfig>();
        made->name = "x.scope";
        made->type = unit::UnitType::Scope;
        made->service.edit().timeout_stop = 5s;
        made->service.edit().runtime_max = runtime_max;
        scope = std::make_unique<Scope>(std::move(made));
    }
    Moment now{Instant{1000s}, 1'700'000'000s};
    std::vector<Action> out;
    std::unique_ptr<Scope> scope;

    ScopeState state() const { return scope->data().state; }
    void adopted() { scope->adopted(now, out); }
    void emptied() { scope->emptied(now, out); }
    void stop() { scope->stop(now, out); }
    void late() {
        now.mono = std::max(now.mono, scope->deadline());
        scope->on_deadline(now, out);
    }
    std::vector<int> signals() const {
        std::vector<int> sent;
        for (const Action& each : out)
            if (const auto* signal = std::get_if<SignalProcesses>(&each))
                sent.push_back(signal->signal);
        return sent;
    }
    bool released() const {
        return std::ranges::any_of(out, [](const Action& each) { return std::holds_alternative<ReleaseProcesses>(each); });
    }
};

} // namespace

TEST_CASE("scope: up with its processes, down with the last of them") {
    World world;
    world.adopted();
    CHECK(world.state() == ScopeState::Running);
    CHECK(world.scope->deadline() == base::never);
    world.emptied();
    CHECK(world.state() == ScopeState::Dead);
    CHECK(world.released());
}

TEST_CASE("scope: a stop is polite, then not, then given up") {
    World world;
    world.adopted();
    world.stop();
    CHECK(world.state() == ScopeState::StopSigterm);
    world.late();
    CHECK(world.state() == ScopeState::StopSigkill);
    CHECK(world.signals() == std::vector<int>{SIGTERM, SIGKILL});
    world.late();
    CHECK(world.state() == ScopeState::Failed);
    CHECK(world.scope->data().result == ScopeResult::Timeout);
    CHECK(world.released());
    world.scope->reset_failed(world.now, world.out);
    CHECK(world.state() == ScopeState::Dead);
}

TEST_CASE("scope: RuntimeMaxSec= ends it, and is a failure") {
    World world(3s);
    world.adopted();
    CHECK(world.scope->deadline() == world.now.mono + 3s);
    world.late();
    CHECK(world.state() == ScopeState::StopSigterm);
    world.emptied();
    CHECK(world.state() == ScopeState::Failed);
}

TEST_CASE("scope: whatever happens, nothing dead waits or keeps processes") {
    for (std::uint32_t code = 0; code < 46656; code++) { // 6^6
        World world(code % 2 == 0 ? base::infinity : base::Duration(3s));
        bool held = false;
        for (std::uint32_t rest = code, step = 0; step < 6; step++, rest /= 6) {
            world.out.clear();
            switch (rest % 6) {
            case 0: world.adopted(); held = true; break;
            case 1: world.emptied(); break;
            case 2: world.stop(); break;
            case 3: world.late(); break;
            case 4: world.scope->reset_failed(world.now, world.out); break;
            case 5: world.scope->kill(SIGHUP, world.out); break;
            }
            held = held && !world.released();
            const bool down = world.state() == ScopeState::Dead || world.state() == ScopeState::Failed;
            if (down && (world.scope->deadline() != base::never || held))
                FAIL("after " << code);
        }
    }
}
