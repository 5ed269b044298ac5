// Stories of one socket's machine, and a walk over every short sequence of events: no undeclared edge, nothing that waits
// without a limit, descriptors let go of exactly when they are not held any more.
#include "supervise/socket.hpp"

#include <catch2/catch.hpp>
#include <algorithm>
#include <set>

using namespace monoinit;
using namespace monoinit::supervise;
using namespace std::chrono_literals;
using unit::ExecList;

namespace {

std::shared_ptr<unit::UnitConfig> socket(std::initializer_list<ExecList> commands = {}) {
    auto config = std::make_shared<unit::UnitConfig>();
    config->name = "x.socket";
    config->type = unit::UnitType::Socket;
    for (const ExecList list : commands)
        config->service.edit().commands[static_cast<std::size_t>(list)].push_back({"/bin/x", {"/bin/x"}});
    config->socket.edit().timeout = 10s;
    return config;
}

struct World {
    explicit World(std::shared_ptr<const unit::UnitConfig> config) : machine(std::move(config), [this] { return GuardId{++*last_guard}; }) {}
    template <class Do> void act(Do&& what) {
        std::vector<Action> out;
        what(machine, out);
        for (const Action& action : out) {
            if (std::holds_alternative<OpenSockets>(action))
                opening = true;
            else if (std::holds_alternative<CloseSockets>(action))
                held = watched = false;
            else if (const auto* watch = std::get_if<WatchSockets>(&action))
                watched = watch->on;
            else if (const auto* spawn = std::get_if<Spawn>(&action))
                running.push_back(spawn->guard);
            else if (const auto* sent = std::get_if<Signal>(&action))
                signals.push_back(sent->signal);
            else if (const auto* said = std::get_if<Say>(&action))
                lines.push_back(said->text);
            else if (const auto* changed = std::get_if<StateChanged>(&action))
                subs.emplace_back(changed->sub);
            else if (std::holds_alternative<FlushSockets>(action))
                flushed++;
        }
    }
    void start() { act([&](Socket& s, auto& out) { s.start(now, out); }); }
    void stop() { act([&](Socket& s, auto& out) { s.stop(now, out); }); }
    void opened(const std::string& error = {}) {
        opening = false;
        held = error.empty();
        act([&](Socket& s, auto& out) { s.opened(error, now, out); });
    }
    Incoming incoming() {
        Incoming what{};
        act([&](Socket& s, auto& out) { what = s.incoming(now, out); });
        return what;
    }
    void queued() { act([&](Socket& s, auto& out) { s.service_queued(now, out); }); }
    void down() { act([&](Socket& s, auto& out) { s.service_down(now, out); }); }
    void ends(base::ExitInfo how) {
        const GuardId guard = running.back();
        leaves(how);
        act([&](Socket& s, auto& out) { s.on(TreeEmpty{guard}, now, out); });
    }
    /// The command ends, and something that it has started does not.
    void leaves(base::ExitInfo how) {
        const GuardId guard = running.back();
        running.pop_back();
        act([&](Socket& s, auto& out) { s.on(SpawnResult{guard, true, 5}, now, out); });
        act([&](Socket& s, auto& out) { s.on(CommandExited{guard, 5, how}, now, out); });
    }
    void spawn_fails() {
        const GuardId guard = running.back();
        running.pop_back();
        act([&](Socket& s, auto& out) { s.on(SpawnResult{guard, false, 0, 203, 2, "not found"}, now, out); });
    }
    void advance(base::Duration span) {
        now.mono = now.mono + span;
        act([&](Socket& s, auto& out) { s.on_deadline(now, out); });
    }
    std::string_view sub() const { return name(machine.data().state); }

    std::shared_ptr<std::uint32_t> last_guard = std::make_shared<std::uint32_t>(0);
    Socket machine;
    Moment now{{1000s}, 1'700'000'000s};
    bool opening = false, held = false, watched = false;
    int flushed = 0;
    std::vector<GuardId> running;
    std::vector<int> signals;
    std::vector<std::string> lines, subs;
};

constexpr base::ExitInfo good{base::ExitInfo::Code::Exited, 0}, bad{base::ExitInfo::Code::Exited, 1}, killed{base::ExitInfo::Code::Killed, 15};
using Lines = std::vector<std::string>;

} // namespace

TEST_CASE("it listens until something comes, and again when the service is down") {
    World world(socket());
    world.start();
    CHECK(world.sub() == "start-open");
    CHECK(world.opening);
    world.opened();
    CHECK(world.sub() == "listening");
    CHECK(world.watched);
    CHECK(world.incoming() == Incoming::Start);
    world.queued();
    CHECK(world.sub() == "running");
    CHECK_FALSE(world.watched);
    CHECK(world.held);
    CHECK(world.incoming() == Incoming::Refuse);
    world.down();
    CHECK(world.sub() == "listening");
    CHECK(world.watched);
    CHECK(world.flushed == 0);
    world.stop();
    CHECK(world.sub() == "dead");
    CHECK_FALSE(world.held);
}

TEST_CASE("an address that cannot be had fails it") {
    World world(socket());
    world.start();
    world.opened("cannot listen on 0.0.0.0:80: Address already in use");
    CHECK(world.sub() == "failed");
    CHECK(world.machine.data().result == SocketResult::Resources);
    CHECK(world.lines == Lines{"cannot listen on 0.0.0.0:80: Address already in use"});
    world.start();
    world.opened();
    CHECK(world.sub() == "listening");
    CHECK(world.machine.data().result == SocketResult::Success);
}

TEST_CASE("stopped while they are being made, they are let go of when they come") {
    World world(socket());
    world.start();
    world.stop();
    CHECK(world.sub() == "dead");
    world.opened();
    CHECK_FALSE(world.held);
    CHECK(world.sub() == "dead");
}

TEST_CASE("too many starts in a short time fail it; fewer do not") {
    auto config = socket();
    config->socket.edit().trigger_burst = 3;
    config->socket.edit().poll_burst = 0;
    World world(config);
    world.start();
    world.opened();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++) {
            CHECK(world.incoming() == Incoming::Start);
            world.queued();
            world.down();
        }
        world.advance(2s);
    }
    for (int i = 0; i < 3; i++)
        CHECK(world.incoming() == Incoming::Start);
    CHECK(world.incoming() == Incoming::Refuse);
    CHECK(world.sub() == "failed");
    CHECK(world.machine.data().result == SocketResult::TriggerLimitHit);
    CHECK_FALSE(world.held);
}

TEST_CASE("PollLimitBurst= makes it look away until the time is over") {
    auto config = socket();
    config->socket.edit().poll_burst = 2;
    World world(config);
    world.start();
    world.opened();
    CHECK(world.incoming() == Incoming::Start);
    CHECK(world.watched);
    CHECK(world.incoming() == Incoming::Start);
    CHECK_FALSE(world.watched);
    world.queued();
    world.advance(500ms);
    world.down();
    CHECK_FALSE(world.watched);
    world.advance(1499ms);
    CHECK_FALSE(world.watched);
    world.advance(1ms);
    CHECK(world.watched);
}

TEST_CASE("FlushPending= throws away what waits when the service has ended") {
    auto config = socket();
    config->socket.edit().flush_pending = true;
    World world(config);
    world.start();
    world.opened();
    (void)world.incoming();
    world.queued();
    world.down();
    CHECK(world.flushed == 1);
}

TEST_CASE("its commands run around it, in order") {
    World world(socket({ExecList::StartPre, ExecList::StartPost, ExecList::Stop, ExecList::StopPost}));
    world.start();
    world.ends(good);
    world.opened();
    world.ends(good);
    CHECK(world.sub() == "listening");
    world.stop();
    CHECK(world.held);
    world.ends(good);
    CHECK_FALSE(world.held);
    world.ends(good);
    CHECK(world.subs == Lines{"start-pre", "start-open", "start-post", "listening", "stop-pre", "stop-post", "final-sigterm", "dead"});
}

TEST_CASE("a command that fails, or takes too long, fails it") {
    World first(socket({ExecList::StartPre}));
    first.start();
    first.ends(bad);
    CHECK(first.sub() == "failed");
    CHECK(first.machine.data().result == SocketResult::ExitCode);

    World second(socket({ExecList::StartPost}));
    second.start();
    second.opened();
    second.advance(10s);
    CHECK(second.sub() == "stop-pre-sigterm");
    CHECK(second.signals == std::vector{15});
    second.advance(10s);
    CHECK(second.signals == std::vector{15, 9});
    second.ends(killed);
    CHECK(second.sub() == "failed");
    CHECK(second.machine.data().result == SocketResult::Timeout);
    CHECK_FALSE(second.held);
}

TEST_CASE("every short sequence of events takes declared edges only, and none is declared in vain") {
    std::set<std::pair<std::string, std::string>> taken;
    const std::vector<std::function<bool(World&)>> moves = {
        [](World& w) { w.start(); return true; },
        [](World& w) { w.stop(); return true; },
        [](World& w) { if (!w.opening) return false; w.opened(); return true; },
        [](World& w) { if (!w.opening) return false; w.opened("no"); return true; },
        [](World& w) { (void)w.incoming(); w.queued(); return true; },
        [](World& w) { w.down(); return true; },
        [](World& w) { if (w.running.empty()) return false; w.ends(good); return true; },
        [](World& w) { if (w.running.empty()) return false; w.ends(bad); return true; },
        [](World& w) { if (w.running.empty()) return false; w.leaves(good); return true; },
        [](World& w) { if (w.running.empty()) return false; w.spawn_fails(); return true; },
        [](World& w) { w.advance(10s); return true; },
        [](World& w) { w.act([&](Socket& s, auto& out) { s.fail(SocketResult::ServiceStartLimitHit, "x", w.now, out); }); return true; },
        [](World& w) { w.act([&](Socket& s, auto& out) { s.reset_failed(w.now, out); }); return true; },
        [](World& w) { if (w.machine.data().state != SocketState::Dead && w.machine.data().state != SocketState::Failed) return false;
                       w.act([&](Socket& s, auto& out) { s.refuse_start("x", w.now, out); }); return true; },
    };
    const std::vector<std::vector<ExecList>> sets = {{}, {ExecList::StartPre}, {ExecList::StartPost}, {ExecList::Stop}, {ExecList::StopPost},
                                                     {ExecList::StartPre, ExecList::StopPost}, {ExecList::StartPost, ExecList::Stop}, {ExecList::StartPost, ExecList::StopPost},
                                                     {ExecList::StartPre, ExecList::StartPost, ExecList::Stop, ExecList::StopPost}};
    constexpr int depth = 6;
    for (std::size_t number = 0; number < 2 * sets.size(); number++) {
        auto config = socket();
        for (const ExecList list : sets[number / 2]) {
            auto& commands = config->service.edit().commands[static_cast<std::size_t>(list)];
            commands.push_back({"/bin/x", {"/bin/x"}});
            commands.back().ignore_failure = number % 2 == 1;
        }
        std::vector<std::vector<std::size_t>> paths{{}};
        std::set<std::string> known;
        for (std::size_t at = 0; at < paths.size(); at++) {
            if (paths[at].size() >= depth)
                continue;
            for (std::size_t move = 0; move < moves.size(); move++) {
                World world(config);
                for (const std::size_t earlier : paths[at])
                    moves[earlier](world);
                const std::size_t before = world.subs.size();
                if (!moves[move](world))
                    continue;
                for (std::size_t i = before; i < world.subs.size(); i++)
                    taken.insert({i == 0 ? "dead" : world.subs[i - 1], world.subs[i]});
                const Socket::Data& data = world.machine.data();
                for (const std::string& line : world.lines)
                    REQUIRE(line.find("internal error") == std::string::npos);
                REQUIRE((!world.watched || data.state == SocketState::Listening));
                REQUIRE((world.held || !holds_descriptors(data.state)));
                REQUIRE((!world.held || holds_descriptors(data.state)));
                const ActiveState active = active_state(data.state);
                const bool passing = active == ActiveState::Activating || active == ActiveState::Deactivating;
                REQUIRE((!passing || data.state == SocketState::StartOpen || data.state_deadline != base::never));
                std::string key = std::string(world.sub()) + std::string(name(data.result)) + (world.opening ? "o" : "") + (world.held ? "h" : "") +
                                  (world.watched ? "w" : "") + std::to_string(world.running.size()) + std::to_string(data.guards.size());
                if (!known.insert(key).second)
                    continue;
                std::vector<std::size_t> longer = paths[at];
                longer.push_back(move);
                paths.push_back(std::move(longer));
            }
        }
    }
    for (int from = 0; from <= static_cast<int>(SocketState::Failed); from++)
        for (int to = 0; to <= static_cast<int>(SocketState::Failed); to++) {
            const auto a = static_cast<SocketState>(from), b = static_cast<SocketState>(to);
            INFO(name(a) << " -> " << name(b));
            CHECK(is_legal(a, b) == taken.contains({std::string(name(a)), std::string(name(b))}));
        }
}
