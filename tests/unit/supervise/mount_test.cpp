// The machine of mounts: stories of what hangs and what others do, and a walk over event sequences.
#include "supervise/mount.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace monoinit;
using namespace monoinit::supervise;
using namespace std::chrono_literals;

namespace {

std::shared_ptr<const unit::UnitConfig> config(std::uint32_t burst) {
    auto made = std::make_shared<unit::UnitConfig>();
    made->name = "srv.mount";
    made->type = unit::UnitType::Mount;
    made->mount.edit().where = "/srv";
    made->mount.edit().timeout = 10s;
    made->unit.start_limit.burst = burst;
    return made;
}

struct World {
    std::uint32_t burst = 0; ///< StartLimitBurst=, 0 = no limit
    std::uint32_t guards = 0;
    Moment now{Instant{1000s}, 1'700'000'000s};
    std::vector<Action> out;
    Mount mount{config(burst), [this] { return base::GuardId{++guards}; }};

    MountState state() const { return mount.data().state; }
    base::GuardId guard() const { return mount.data().control_guard; }
    void start() { mount.start(now, out); }
    void table(bool there, bool given = false) { mount.table(there, given, now, out); }
    void spawned() { mount.on(SpawnResult{.guard = guard(), .ok = true, .pid = 7}, now, out); }
    void exited(int status) { mount.on(CommandExited{guard(), 7, {base::ExitInfo::Code::Exited, status}}, now, out); }
    void late() {
        now.mono = std::max(now.mono, mount.deadline());
        mount.on_deadline(now, out);
    }
    std::vector<int> signals() const {
        std::vector<int> sent;
        for (const Action& each : out)
            if (const auto* signal = std::get_if<Signal>(&each))
                sent.push_back(signal->signal);
        return sent;
    }
    void mount_it() {
        start();
        spawned();
        exited(0);
        table(true);
    }
};

} // namespace

TEST_CASE("mount: up as soon as the table has it, done when the command is") {
    World world;
    world.start();
    world.spawned();
    CHECK(world.state() == MountState::Mounting);
    world.table(true);
    CHECK(world.state() == MountState::MountingDone);
    CHECK(active_state(world.state()) == ActiveState::Active);
    world.exited(0);
    CHECK(world.state() == MountState::MountingDone);
    world.table(true);
    CHECK(world.state() == MountState::Mounted);
    CHECK(world.mount.data().ours);
    CHECK(world.mount.has_to_stop());
    CHECK(world.mount.deadline() == base::never);
}

TEST_CASE("mount: what hangs is told to end, then killed, then left") {
    World world;
    world.start();
    world.spawned();
    world.late();
    CHECK(world.state() == MountState::UnmountingSigterm);
    world.late();
    CHECK(world.state() == MountState::UnmountingSigkill);
    CHECK(world.signals() == std::vector<int>{15, 9});
    world.late();
    world.table(false);
    CHECK(world.state() == MountState::Failed);
    CHECK(world.mount.data().result == MountResult::Timeout);
}

TEST_CASE("mount: stopped while it is being mounted, it is unmounted if it came off even so") {
    World world;
    world.start();
    world.spawned();
    CHECK(world.mount.stop(world.now, world.out));
    CHECK(world.state() == MountState::UnmountingSigterm);
    world.exited(0);
    world.table(true);
    CHECK(world.state() == MountState::Unmounting);
    world.spawned();
    world.exited(0);
    world.table(false);
    CHECK(world.state() == MountState::Dead);
}

TEST_CASE("mount: umount is repeated while one lies below; a busy one stays, and can be stopped later") {
    World world;
    world.mount_it();
    world.mount.stop(world.now, world.out);
    world.spawned();
    world.exited(0);
    world.table(true);
    CHECK(world.state() == MountState::Unmounting);
    CHECK(world.guards == 3);
    world.spawned();
    world.exited(32);
    world.table(true);
    CHECK(world.state() == MountState::Mounted);
    CHECK(world.mount.data().last_failure == "umount: exit 32");
    world.mount.stop(world.now, world.out);
    world.spawned();
    world.exited(0);
    world.table(false);
    CHECK(world.state() == MountState::Dead);
    CHECK(world.mount.data().result == MountResult::Success);
}

TEST_CASE("mount: reloading remounts; its failure is the reload's, not the mount's") {
    World world;
    world.mount_it();
    world.mount.reload(world.now, world.out);
    CHECK(world.state() == MountState::Remounting);
    world.spawned();
    world.out.clear();
    world.exited(32);
    world.table(true);
    CHECK(world.state() == MountState::Mounted);
    CHECK(world.mount.data().result == MountResult::Success);
    CHECK(world.mount.data().reload_result == MountResult::ExitCode);
    const auto* changed = std::get_if<StateChanged>(&world.out.back());
    REQUIRE(changed != nullptr);
    CHECK(changed->reload_failed);
}

TEST_CASE("mount: one that was there before us is never stopped") {
    World world;
    world.table(true, true);
    CHECK(world.state() == MountState::Mounted);
    CHECK_FALSE(world.mount.stop(world.now, world.out));
    CHECK_FALSE(world.mount.has_to_stop());
    world.table(false);
    CHECK(world.state() == MountState::Dead);
    world.mount_it();
    CHECK(world.mount.stop(world.now, world.out));
}

TEST_CASE("mount: every sequence of events takes legal ways only, and all of those occur") {
    std::set<std::pair<std::string_view, std::string_view>> seen;
    const auto play = [&](std::uint32_t code, int length, std::uint32_t burst) {
        World world{burst};
        for (int step = 0; step < length; step++, code /= 9) {
            std::string_view at = name(world.state());
            world.out.clear();
            switch (code % 9) {
            case 0: world.start(); break;
            case 1: world.mount.stop(world.now, world.out); break;
            case 2: world.mount.reload(world.now, world.out); break;
            case 3: world.table(true); break;
            case 4: world.table(false); break;
            case 5: world.spawned(); world.exited(0); break;
            case 6: world.spawned(); world.exited(1); break;
            case 7: world.late(); break;
            case 8: world.mount.reset_failed(world.now, world.out); break;
            }
            for (const Action& each : world.out) {
                if (const auto* say = std::get_if<Say>(&each); say != nullptr && say->text.find("internal error") != std::string::npos)
                    FAIL(say->text);
                if (const auto* changed = std::get_if<StateChanged>(&each))
                    seen.insert({std::exchange(at, changed->sub), changed->sub});
            }
            if (active_state(world.state()) == ActiveState::Inactive && world.mount.deadline() != base::never)
                FAIL("a dead one waits for something");
        }
    };
    for (std::uint32_t code = 0; code < 531441; code++) // 9^6
        play(code, 6, 0);
    for (std::uint32_t code = 0; code < 59049; code++)
        play(code, 5, 1);
    std::size_t legal = 0;
    for (int from = 0; from <= static_cast<int>(MountState::Failed); from++)
        for (int to = 0; to <= static_cast<int>(MountState::Failed); to++)
            if (is_legal(static_cast<MountState>(from), static_cast<MountState>(to))) {
                legal++;
                INFO(name(static_cast<MountState>(from)) << " -> " << name(static_cast<MountState>(to)));
                CHECK(seen.contains({name(static_cast<MountState>(from)), name(static_cast<MountState>(to))}));
            }
    CHECK(seen.size() == legal);
}
