// /dev/log and the journal's sockets, below a directory of the test's own.
#include "log/collector_sockets.hpp"
#include "sys/socket.hpp"
#include "../temporary_directory.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <sys/stat.h>

using namespace monoinit;
namespace fs = std::filesystem;

TEST_CASE("the sockets are made, and everybody may write to them") {
    const TemporaryDirectory root;
    fs::create_directories(root.path() + "/run");
    fs::create_directories(root.path() + "/dev");
    const log::CollectorFds fds = log::make_collector_fds(root.path());
    CHECK(fds.syslog);
    CHECK(fds.journal);
    CHECK(fds.stream);
    CHECK(fs::is_symlink(root.path() + "/dev/log"));
    const auto sender = sys::connect_unix(root.path() + "/dev/log", SOCK_DGRAM);
    REQUIRE(sender);
    REQUIRE(sys::send_message(sender->get(), "<13>a: b"));
    char buffer[64];
    const auto received = sys::receive_message(fds.syslog.get(), buffer);
    REQUIRE(received);
    CHECK(received->bytes == "<13>a: b");
    REQUIRE(received->sender);
    CHECK(received->sender->pid == ::getpid());
    struct stat info {};
    REQUIRE(::stat((root.path() + "/dev/log").c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0666);
}

TEST_CASE("stale sockets are replaced, living ones are left alone") {
    const TemporaryDirectory root;
    fs::create_directories(root.path() + "/run");
    fs::create_directories(root.path() + "/dev");
    { const log::CollectorFds gone = log::make_collector_fds(root.path()); }
    const log::CollectorFds first = log::make_collector_fds(root.path());
    CHECK(first.syslog);
    CHECK(first.journal);
    CHECK(first.stream);
    const log::CollectorFds second = log::make_collector_fds(root.path());
    CHECK_FALSE(second.syslog);
    CHECK_FALSE(second.journal);
    CHECK_FALSE(second.stream);
}

TEST_CASE("without /run the socket itself stands at /dev/log") {
    const TemporaryDirectory root;
    fs::create_directories(root.path() + "/dev");
    const log::CollectorFds fds = log::make_collector_fds(root.path());
    CHECK(fds.syslog);
    CHECK_FALSE(fds.journal);
    CHECK(fs::is_socket(root.path() + "/dev/log"));
}

TEST_CASE("nowhere to write costs nothing else") {
    const log::CollectorFds fds = log::make_collector_fds("/proc");
    CHECK_FALSE(fds.syslog);
    CHECK_FALSE(fds.journal);
    CHECK_FALSE(fds.stream);
}
