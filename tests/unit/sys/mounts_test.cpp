#include "sys/mounts.hpp"

#include <catch2/catch.hpp>

using monoinit::sys::is_mount_point;
using monoinit::sys::lists_mount_point;

TEST_CASE("mount points by mountinfo, escapes undone") {
    constexpr auto text = "22 28 0:20 / /sys rw - sysfs sysfs rw\n36 35 98:0 /m /mnt/a\\040b rw master:1 - ext3 /dev/root rw\n";
    CHECK(lists_mount_point(text, "/sys"));
    CHECK(lists_mount_point(text, "/sys/"));
    CHECK(lists_mount_point(text, "/mnt/a b"));
    CHECK_FALSE(lists_mount_point(text, "/mnt"));
    CHECK_FALSE(lists_mount_point("", "/"));
    CHECK(is_mount_point("/proc"));
    CHECK_FALSE(is_mount_point("/nonexistent"));
}

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
    CHECK_FALSE(monoinit::sys::mounts().empty());
}
