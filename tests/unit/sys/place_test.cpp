#include "sys/place.hpp"

#include "../temporary_directory.hpp"

#include <catch2/catch.hpp>

#include <unistd.h>

using namespace monoinit;
using namespace monoinit::sys;

TEST_CASE("values of os-release and its kin") {
    const std::string text = "# remark\nID=debian\nVERSION_ID=\"12\"\nNAME='a b'\nODD=\"x\\\"y\" \nEMPTY=\nID_LIKE=no\nID=last\n";
    CHECK(value_in(text, "ID") == "last");
    CHECK(value_in(text, "VERSION_ID") == "12");
    CHECK(value_in(text, "NAME") == "a b");
    CHECK(value_in(text, "ODD") == "x\"y");
    CHECK(value_in(text, "EMPTY").empty());
    CHECK(value_in(text, "NONE").empty());
}

TEST_CASE("the facts of a place") {
    const TemporaryDirectory root;
    root.write("etc/os-release", "ID=alpine\nVERSION_ID=3.19\nIMAGE_ID=x\n");
    root.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    root.write("etc/default/locale", "LANG=de_DE.UTF-8\n");
    root.write("etc/passwd", "me:x:" + std::to_string(::getuid()) + ":7::/home/me:/bin/fish\n");
    root.write("etc/group", "mine:x:" + std::to_string(::getgid()) + ":\n");
    const Place place = look_around(root.path());
    CHECK(place.os_id == "alpine");
    CHECK(place.os_version_id == "3.19");
    CHECK(place.os_image_id == "x");
    CHECK(place.machine_id == "0123456789abcdef0123456789abcdef");
    CHECK(place.locale == "de_DE.UTF-8");
    CHECK(place.user_name == "me");
    CHECK(place.home == "/home/me");
    CHECK(place.shell == "/bin/fish");
    CHECK(place.group_name == "mine");
    CHECK(place.boot_id.size() == 32);
    CHECK_FALSE(place.kernel_release.empty());
    CHECK_FALSE(place.host_name.empty());
#if defined(__x86_64__)
    CHECK(place.architecture == "x86-64");
#elif defined(__aarch64__)
    CHECK(place.architecture == "arm64");
#endif
    CHECK_FALSE(place.is_pid1);
}

TEST_CASE("an empty place has defaults") {
    const TemporaryDirectory root;
    const Place place = look_around(root.path());
    CHECK(place.os_id == "linux");
    CHECK(place.machine_id.size() == 32); // made up, but the same each time
    CHECK(place.machine_id == look_around(root.path()).machine_id);
    CHECK_FALSE(place.user_name.empty());
    CHECK(place.shell == "/bin/sh");
}
