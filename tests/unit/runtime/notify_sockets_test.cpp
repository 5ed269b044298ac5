// Notify sockets with a judge of our own: what is held back, in which order messages count.
#include "runtime/notify_sockets.hpp"

#include "../temporary_directory.hpp"

#include "sys/socket.hpp"
#include "sys/syscalls.hpp"

#include <catch2/catch.hpp>

#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace monoinit;
using runtime::NotifySockets;
using Sender = supervise::Notified::Sender;

namespace {

/// Everybody is the command of one guard, which may not have reported yet.
struct Judge : runtime::SenderJudge {
    bool started = true;
    base::GuardId guard_above(base::UnitId, int) const override { return base::GuardId{7}; }
    bool has_started(base::GuardId) override { return started; }
    Sender role_of(base::UnitId, int, base::GuardId) const override { return started ? Sender::Main : Sender::Tree; }
    bool is_unit_user(base::UnitId, unsigned) const override { return true; }
};

struct World {
    TemporaryDirectory directory;
    sys::EpollLoop loop = std::move(*sys::EpollLoop::create());
    runtime::Checkpoint checkpoint = std::move(*runtime::Checkpoint::create(64));
    Judge judge;
    std::vector<supervise::Notified> got;
    NotifySockets sockets{loop, checkpoint, judge, [this](base::UnitId, supervise::Notified what, std::vector<sys::UniqueFd>&) { got.push_back(std::move(what)); }};
    base::UnitId unit{3};
    std::string path;

    World() {
        sockets.set_directory(directory.path());
        path = *sockets.path_for(unit);
    }
    void send(std::string_view text) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        const sys::UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        REQUIRE(::sendto(fd.get(), text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&address), sizeof address) > 0);
    }
    void turn() { REQUIRE(loop.run_once(base::Duration{})); }
    std::vector<std::string> texts() const {
        std::vector<std::string> all;
        for (const auto& each : got)
            all.push_back(each.text);
        return all;
    }
};

} // namespace

TEST_CASE("a command faster than its guard's report is heard as what it is") {
    World world;
    world.judge.started = false;
    world.send("READY=1");
    world.send("STATUS=up");
    world.turn();
    world.turn();
    CHECK(world.got.empty());
    CHECK(*world.loop.run_once(base::Duration{}) == 0); // not read meanwhile, and no busy loop
    world.judge.started = true;
    world.sockets.resume(world.unit);
    world.turn();
    CHECK(world.texts() == std::vector<std::string>{"READY=1", "STATUS=up"});
    CHECK(world.got[0].sender == Sender::Main);
    CHECK(world.got[0].pid == ::getpid());
    world.sockets.resume(world.unit); // nothing is held
    CHECK(world.got.size() == 2);
}

TEST_CASE("what was said before the end can be taken before the end") {
    World world;
    world.send("READY=1");
    world.send("STOPPING=1");
    world.sockets.take_pending(world.unit);
    CHECK(world.texts() == std::vector<std::string>{"READY=1", "STOPPING=1"});
    world.sockets.take_pending(base::UnitId{99}); // has no socket
}
