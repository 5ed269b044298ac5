// Stories of one path unit's machine, and a walk over every short sequence of events: no undeclared edge, and the paths are
// looked at exactly while it waits.
#include "supervise/path.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace monoinit;
using namespace monoinit::supervise;
using namespace std::chrono_literals;
using unit::PathKind;

namespace {

std::shared_ptr<unit::UnitConfig> watching(std::vector<unit::WatchedPath> paths) {
    auto config = std::make_shared<unit::UnitConfig>();
    config->name = "x.path";
    config->type = unit::UnitType::Path;
    config->path.edit().paths = std::move(paths);
    return config;
}

struct World {
    explicit World(std::shared_ptr<const unit::UnitConfig> config) : machine(std::move(config)) {}
    template <class Do> auto act(Do&& what) {
        std::vector<Action> out;
        auto answer = what(machine, out);
        for (const Action& action : out) {
            if (const auto* look = std::get_if<LookAtPaths>(&action)) {
                looks++;
                watched = true;
                directories = directories || look->make_directories;
            } else if (std::holds_alternative<DropPaths>(action)) {
                watched = false;
            } else if (const auto* said = std::get_if<Say>(&action)) {
                lines.push_back(said->text);
            }
        }
        return answer;
    }
    template <class Do> void call(Do&& what) {
        act([&](Path& path, auto& out) {
            what(path, out);
            return 0;
        });
    }
    void start() { call([&](Path& p, auto& out) { p.start(now, out); }); }
    void stop() { call([&](Path& p, auto& out) { p.stop(now, out); }); }
    void queued() { call([&](Path& p, auto& out) { p.unit_queued(now, out); }); }
    void down() { call([&](Path& p, auto& out) { p.unit_down(now, out); }); }
    std::string looked(PathsSeen seen, bool up = false) { return act([&](Path& p, auto& out) { return p.looked(seen, up, now, out); }); }
    std::string changed(std::size_t which) { return act([&](Path& p, auto& out) { return p.changed(which, now, out); }); }
    void advance(base::Duration span) {
        now.mono = now.mono + span;
        if (machine.deadline() <= now.mono)
            call([&](Path& p, auto& out) { p.on_deadline(now, out); });
    }
    PathState state() const { return machine.data().state; }

    Moment now{{1000s}, 1'700'000'000s};
    Path machine;
    int looks = 0;
    bool watched = false, directories = false;
    std::vector<std::string> lines;
};

PathsSeen seen(std::vector<std::uint64_t> files, std::string good = {}) { return {{}, files, files, std::move(good)}; }

constexpr std::size_t around = SIZE_MAX;

} // namespace

TEST_CASE("what is there starts the unit: at once, when it comes, and again when the unit is down") {
    World world(watching({{PathKind::Exists, "/x"}}));
    world.start();
    CHECK(world.state() == PathState::Starting);
    CHECK(world.directories);
    CHECK(world.looked(seen({7}, "/x")) == "/x");
    world.queued();
    CHECK(world.state() == PathState::Running);
    CHECK_FALSE(world.watched);
    world.down();
    CHECK(world.state() == PathState::Waiting);
    CHECK(world.looked(seen({0})).empty());
    CHECK(world.watched);
    CHECK(world.changed(around).empty());
    CHECK(world.looked(seen({8}, "/x")) == "/x");
}

TEST_CASE("a change starts the unit, what was there before does not") {
    World world(watching({{PathKind::Exists, "/x"}, {PathKind::Changed, "/y"}}));
    world.start();
    CHECK(world.looked(seen({0, 5})).empty());
    CHECK(world.state() == PathState::Waiting);
    CHECK(world.changed(1) == "/y");
    world.queued();
    world.down();
    CHECK(world.looked(seen({0, 6})).empty()); // while the unit ran: does not count
    CHECK(world.changed(around).empty());
    CHECK(world.looked(seen({0, 0})) == "/y"); // gone
    world.queued();
    world.down();
    CHECK(world.looked(seen({0, 0})).empty());
    CHECK(world.changed(around).empty());
    CHECK(world.looked(seen({0, 6})) == "/y"); // back
}

TEST_CASE("what runs already is followed") {
    World world(watching({{PathKind::Exists, "/x"}}));
    world.start();
    CHECK(world.looked(seen({7}, "/x"), true).empty());
    CHECK(world.state() == PathState::Running);
    world.down();
    CHECK(world.looked(seen({0})).empty());
    world.call([&](Path& p, auto& out) { p.unit_running(world.now, out); });
    CHECK(world.state() == PathState::Running);
    CHECK(world.looked(seen({7}, "/x")).empty()); // an answer that comes late
}

TEST_CASE("the trigger limit") {
    auto config = watching({{PathKind::Exists, "/x"}});
    config->path.edit().trigger_burst = 3;
    World world(config);
    world.start();
    for (int i = 0; i < 3; i++) {
        REQUIRE(world.looked(seen({7}, "/x")) == "/x");
        world.queued();
        world.down();
    }
    CHECK(world.looked(seen({7}, "/x")).empty());
    CHECK(world.state() == PathState::Failed);
    CHECK(world.machine.data().result == PathResult::TriggerLimitHit);
    CHECK(world.lines.back().find("more than 3 times in 2 s") != std::string::npos);
    config->path.edit().trigger_interval = 0s; // no limit
    World endless(config);
    endless.start();
    for (int i = 0; i < 100; i++) {
        REQUIRE(endless.looked(seen({7}, "/x")) == "/x");
        endless.queued();
        endless.down();
    }
}

TEST_CASE("a look in vain fails a start, and is tried again later") {
    World world(watching({{PathKind::Changed, "/x"}}));
    world.start();
    world.looked({"hung", {}, {}, {}});
    CHECK(world.state() == PathState::Failed);
    CHECK(world.machine.data().result == PathResult::Resources);
    world.start();
    world.looked(seen({1}));
    world.changed(around);
    world.looked({"hung", {}, {}, {}});
    CHECK(world.state() == PathState::Waiting);
    CHECK(world.lines.back() == "hung; tried again every 5 s");
    const auto said = world.lines.size();
    const int looks = world.looks;
    world.advance(30s);
    CHECK(world.looks == looks + 1);
    world.looked({"hung", {}, {}, {}});
    CHECK(world.lines.size() == said);
    world.advance(30s);
    CHECK(world.looked(seen({2})) == "/x"); // found out at last
}

TEST_CASE("a shortage at the start fails nothing: it waits, and looks until it sees") {
    World world(watching({{PathKind::Exists, "/x"}}));
    world.start();
    world.looked({"no watch is left", {}, {}, {}, true});
    CHECK(world.state() == PathState::Waiting);
    CHECK(world.lines.back() == "no watch is left; tried again every 5 s");
    CHECK(world.machine.data().result == PathResult::Success);
    world.directories = false;
    world.advance(5s);
    CHECK(world.directories); // it is the first look still
    CHECK(world.looked(seen({7}, "/x")) == "/x");
}

TEST_CASE("a crash loses no change; other paths are looked at anew") {
    World world(watching({{PathKind::Changed, "/x"}}));
    world.start();
    world.looked({{}, {1}, {10}, {}});
    Path::Data data = world.machine.data();
    World next(watching({{PathKind::Changed, "/x"}}));
    next.machine.restore(data);
    next.call([](Path& p, auto& out) { p.resume(out); });
    CHECK(next.watched);
    CHECK(next.looked({{}, {1}, {11}, {}}) == "/x"); // the same file, with something else in it
    next.machine.restore(data);
    next.machine.replace_config(watching({{PathKind::Changed, "/other"}}));
    next.call([](Path& p, auto& out) { p.resume(out); });
    CHECK(next.looked({{}, {2}, {20}, {}}).empty());
    CHECK(next.state() == PathState::Waiting);
}

TEST_CASE("StartLimitBurst= holds for path units too, reset-failed forgets") {
    auto config = watching({{PathKind::Changed, "/x"}});
    config->unit.start_limit.burst = 2;
    World world(config);
    for (int i = 0; i < 3; i++) {
        world.start();
        world.looked(seen({1}));
        world.stop();
    }
    CHECK(world.state() == PathState::Failed);
    CHECK(world.machine.data().result == PathResult::StartLimitHit);
    world.call([&](Path& p, auto& out) { p.reset_failed(world.now, out); });
    CHECK(world.state() == PathState::Dead);
    world.start();
    CHECK(world.state() == PathState::Starting);
}

TEST_CASE("every short sequence of events keeps to the edges") {
    constexpr int events = 12, length = 5;
    auto config = watching({{PathKind::Exists, "/x"}, {PathKind::Changed, "/y"}});
    config->path.edit().trigger_burst = 1;
    config->unit.start_limit.set = true;
    config->unit.start_limit.burst = 100;
    std::set<std::pair<PathState, PathState>> taken;
    const auto play = [&](World& world, int event) {
        const PathState before = world.state();
        const auto fail = [&](PathResult result) { world.call([&](Path& p, auto& out) { p.fail(result, "why", world.now, out); }); };
        switch (event) {
        case 0: world.start(); break;
        case 1: world.stop(); break;
        case 2: world.looked(seen({0, 1})); break;
        case 3: world.looked(seen({1, 1}, "/x")); break;
        case 4: world.looked({"hung", {}, {}, {}}); break;
        case 5: world.looked(seen({0, 2}), true); break;
        case 6: world.changed(1); break;
        case 7: world.queued(); break;
        case 8: world.down(); break;
        case 9: fail(PathResult::UnitStartLimitHit); break;
        case 10: world.call([&](Path& p, auto& out) { p.reset_failed(world.now, out); }); break;
        default: world.advance(40s); break;
        }
        if (before != world.state())
            taken.insert({before, world.state()});
        for (const std::string& line : world.lines)
            REQUIRE(line.find("internal error") == std::string::npos);
        const bool looks = world.state() == PathState::Starting || world.state() == PathState::Waiting;
        REQUIRE(world.watched == looks);
        REQUIRE(((world.state() == PathState::Failed) == (world.machine.data().result != PathResult::Success) || looks));
    };
    int all = 1;
    for (int i = 0; i < length; i++)
        all *= events;
    for (int number = 0; number < all; number++) {
        World world(config);
        for (int i = 0, rest = number; i < length; i++, rest /= events)
            play(world, rest % events);
    }
    for (const auto& [from, to] : taken)
        CHECK(is_legal(from, to));
    CHECK(taken.size() == 13);
}
