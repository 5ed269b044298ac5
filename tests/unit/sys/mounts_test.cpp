#include "sys/mounts.hpp"

#include <catch2/catch.hpp>

TEST_CASE("file systems that may hang are known by their type") {
    const auto mounts = monoinit::sys::parse_mounts("28 1 0:20 / / rw shared:1 - overlay overlay rw\n"
                                                    "30 28 0:44 / /home/a\\040b rw master:1 shared:2 - fuse.sshfs host: rw\n"
                                                    "31 28 0:45 / /mnt rw - nfs4 host:/x rw\nnonsense\n");
    REQUIRE(mounts.size() == 3);
    CHECK(mounts[0].point == "/");
    CHECK_FALSE(mounts[0].may_hang);
    CHECK(mounts[1].point == "/home/a b");
    CHECK(mounts[1].may_hang);
    CHECK(mounts[2].may_hang);
    CHECK_FALSE(monoinit::sys::mounts()->empty());
}

TEST_CASE("the mount table says what is mounted, of which type, and how; escapes are undone") {
    const auto mounts = monoinit::sys::parse_mounts("36 35 98:0 /m /mnt/a\\040b rw,noatime master:1 - ext3 /dev/my\\040disk rw,errors=continue\n"
                                                    "37 35 0:20 / /sys ro - sysfs sysfs rw\n38 35 0:21 / /short rw - tmpfs\n");
    REQUIRE(mounts.size() == 3);
    CHECK(mounts[0].point == "/mnt/a b");
    CHECK(mounts[0].source == "/dev/my disk");
    CHECK(mounts[0].type == "ext3");
    CHECK(mounts[0].options == "rw,noatime,errors=continue");
    CHECK(mounts[1].options == "ro");
    CHECK(mounts[2].source.empty());
}

TEST_CASE("devices are looked for without leaving /dev and /sys") {
    using monoinit::sys::device_exists;
    const auto null = device_exists("/dev/null");
    if (!null)
        return; // no openat2(2) here
    CHECK(*null);
    CHECK(device_exists("/dev/no/such") == false);
    CHECK(device_exists("/sys/kernel") == true);
    CHECK_FALSE(device_exists("/etc/passwd"));
    CHECK_FALSE(device_exists("/dev/../etc/passwd"));
}
