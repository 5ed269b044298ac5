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
