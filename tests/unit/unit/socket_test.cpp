// [Socket]: addresses, what adds up, what makes a socket unusable, what follows for its dependencies.
#include "../memory_files.hpp"
#include "unit/loader.hpp"

#include <catch2/catch.hpp>
#include <algorithm>

using namespace monoinit;
using namespace monoinit::unit;
using namespace std::chrono_literals;

namespace {

std::shared_ptr<const UnitConfig> loaded(const std::string& text) {
    static MemoryFiles files;
    files = {};
    files.file("/etc/systemd/system/x.socket", text).file("/etc/systemd/system/x.service", "[Service]\nExecStart=/bin/x\n");
    Environment environment;
    environment.unit_path = {"/etc/systemd/system"};
    return Loader(files, environment).load("x.socket");
}

bool has(const UnitConfig& unit, DependencyKind kind, const std::string& name) {
    return std::ranges::any_of(unit.unit.dependencies, [&](const Dependency& each) { return each.kind == kind && each.name == name; });
}

std::vector<std::string> texts(const UnitConfig& unit) {
    std::vector<std::string> all;
    for (const ListenAddress& address : unit.socket->listen)
        all.push_back(address.text());
    return all;
}

} // namespace

TEST_CASE("every form of an address") {
    const auto socket = loaded("[Socket]\nListenStream=/run//x.sock\nListenStream=@abstract\nListenStream=80\nListenStream=127.0.0.1:81\nListenStream=[::1]:82\n"
                               "ListenStream=vsock:3:83\nListenDatagram=vsock::84\nListenSequentialPacket=/run/%p.seq\nListenFIFO=/run/f\nListenSpecial=/dev/rtc\n"
                               "ListenNetlink=kobject-uevent 1\nListenMessageQueue=/queue\n");
    REQUIRE(socket->load_state == LoadState::Loaded);
    CHECK(socket->problems.empty());
    CHECK(texts(*socket) == std::vector<std::string>{"/run/x.sock", "@abstract", "[::]:80", "127.0.0.1:81", "[::1]:82", "vsock:3:83", "vsock::84",
                                                     "/run/x.seq", "/run/f", "/dev/rtc", "kobject-uevent 1", "/queue"});
    CHECK(socket->socket->listen[2].family == AddressFamily::Port);
    CHECK(socket->socket->listen[2].port == 80);
}

TEST_CASE("what is no address costs itself only") {
    const auto bad = {"0", "65536", "localhost:80", "1.2.3:80", "1.2.3.256:80", "01.2.3.4:80", "[::1]", "[1.2.3.4:80", "::1:80", "@", "relative", "1.2.3.4:", "vsock:x:1", "vsock:1"};
    for (const char* const text : bad) {
        INFO(text);
        const auto socket = loaded(std::string("[Socket]\nListenStream=") + text + "\nListenStream=/run/good\n");
        CHECK(socket->load_state == LoadState::Loaded);
        CHECK(texts(*socket) == std::vector<std::string>{"/run/good"});
        CHECK(socket->problems.size() == 1);
    }
    CHECK(loaded("[Socket]\nListenSequentialPacket=80\n")->load_state == LoadState::BadSetting);
    CHECK(loaded("[Socket]\nListenStream=/" + std::string(107, 'x') + "\n")->load_state == LoadState::BadSetting);
    CHECK(loaded("[Socket]\nListenNetlink=nonsense 1\n")->load_state == LoadState::BadSetting);
    std::string many = "[Socket]\n";
    for (int i = 1; i <= 200; i++)
        many += "ListenStream=" + std::to_string(i) + "\n";
    CHECK(loaded(many)->socket->listen.size() == 128);
}

TEST_CASE("an empty Listen takes all of them back, of whatever kind") {
    const auto socket = loaded("[Socket]\nListenStream=80\nListenFIFO=/run/f\nListenDatagram=\nListenStream=81\n");
    CHECK(texts(*socket) == std::vector<std::string>{"[::]:81"});
}

TEST_CASE("what does not go together makes a socket unusable") {
    for (const char* const lines : {"", "Accept=yes\nListenDatagram=80\n", "Accept=yes\nListenStream=80\nMaxConnections=0\n",
                                    "Accept=yes\nListenStream=80\nService=y.service\n", "ListenStream=/a\nListenStream=/b\nSymlinks=/c\n"}) {
        INFO(lines);
        CHECK(loaded(std::string("[Socket]\n") + lines)->load_state == LoadState::BadSetting);
    }
    CHECK(loaded("[Socket]\nListenStream=/a\nListenStream=80\nSymlinks=/c\n")->load_state == LoadState::Loaded);
}

TEST_CASE("settings of a socket, and defaults that depend on Accept=") {
    const auto plain = loaded("[Socket]\nListenStream=80\n");
    CHECK(plain->socket->effective_trigger_burst() == 20);
    CHECK(plain->socket->effective_poll_burst() == 15);
    CHECK(plain->socket->effective_trigger_interval() == 2s);
    const auto set = loaded("[Socket]\nListenStream=80\nAccept=yes\nSocketMode=0600\nReceiveBuffer=1M\nIPTOS=low-delay\nTriggerLimitBurst=7\nTimeoutSec=0\n"
                            "ExecStopPre=/bin/x\nFileDescriptorName=http\n");
    CHECK(set->problems.empty());
    CHECK(set->socket->effective_trigger_burst() == 7);
    CHECK(set->socket->effective_poll_burst() == 150);
    CHECK(set->socket->mode == 0600);
    CHECK(set->socket->receive_buffer == 1 << 20);
    CHECK(set->socket->ip_tos == 0x10);
    CHECK(set->socket->timeout == infinity);
    CHECK(set->service->list(ExecList::Stop).size() == 1);
    CHECK(loaded("[Socket]\nListenStream=80\nFileDescriptorName=a:b\n")->socket->descriptor_name.empty());
}

TEST_CASE("what a socket starts, and its order") {
    const auto socket = loaded("[Socket]\nListenStream=80\n");
    for (const DependencyKind kind : {DependencyKind::Triggers, DependencyKind::Before})
        CHECK(has(*socket, kind, "x.service"));
    CHECK(has(*socket, DependencyKind::Before, "sockets.target"));
    CHECK(has(*socket, DependencyKind::Requires, "sysinit.target"));
    const auto other = loaded("[Socket]\nListenStream=80\nService=y.service\n");
    CHECK(has(*other, DependencyKind::Triggers, "y.service"));
    CHECK_FALSE(has(*other, DependencyKind::Triggers, "x.service"));
    CHECK(loaded("[Socket]\nListenStream=80\nService=y@.service\n")->socket->service.empty());
    const auto accepting = loaded("[Socket]\nListenStream=80\nAccept=yes\n");
    CHECK_FALSE(has(*accepting, DependencyKind::Triggers, "x.service"));
}
