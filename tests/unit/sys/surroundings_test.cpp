// The texts of /proc that say what a place allows.
#include "sys/surroundings.hpp"

#include <catch2/catch.hpp>

#include <unistd.h>

using namespace monoinit::sys;

TEST_CASE("rights of a process") {
    const ProcessRights rights = parse_rights("Name:\tmonoinit\nUid:\t1000\t1001\t1000\t1000\nGid:\t5\t6\t5\t5\nCapInh:\t0000000000000000\n"
                                              "CapEff:\t00000000a80425fb\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n");
    CHECK(rights.known);
    CHECK(rights.uid == 1001);
    CHECK(rights.gid == 6);
    CHECK(rights.effective == 0xa80425fb);
    CHECK(rights.no_new_privileges);
    CHECK(rights.seccomp == 2);
    CHECK_FALSE(parse_rights("").known); // hidepid, or gone
    CHECK_FALSE(parse_rights("Uid:\t1\nGid:").known);
    CHECK(parse_rights("Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n").seccomp == -1); // a kernel without
}

TEST_CASE("limits of a process") {
    constexpr std::string_view text = "Limit                     Soft Limit           Hard Limit           Units     \n"
                                      "Max core file size        0                    unlimited            bytes     \n"
                                      "Max processes             96365                96365                processes \n"
                                      "Max open files            1024                 524288               files     \n";
    const auto files = parse_limit_row(text, "Max open files");
    REQUIRE(files);
    CHECK((files->soft == 1024 && files->hard == 524288));
    CHECK(parse_limit_row(text, "Max core file size")->hard == ~std::uint64_t{0});
    CHECK_FALSE(parse_limit_row(text, "Max stack size"));
    CHECK_FALSE(parse_limit_row("Max processes", "Max processes"));
}

TEST_CASE("a user namespace, and /proc that hides processes") {
    CHECK(maps_all_users("         0          0 4294967295\n"));
    CHECK_FALSE(maps_all_users("         0       1000          1\n         1     100000      65536\n"));
    CHECK_FALSE(maps_all_users(""));
    constexpr std::string_view mounts = "proc /proc proc rw,nosuid 0 0\ntmpfs /run tmpfs rw 0 0\nproc /proc proc rw,hidepid=invisible 0 0\n";
    CHECK(mount_options(mounts, "/proc") == "rw,hidepid=invisible");
    CHECK(mount_options(mounts, "/sys").empty());
    CHECK(hides_processes("rw,hidepid=invisible"));
    CHECK(hides_processes("rw,hidepid=2,gid=5"));
    CHECK_FALSE(hides_processes("rw,hidepid=0"));
    CHECK_FALSE(hides_processes("rw,nosuid"));
}

TEST_CASE("this process in this place") {
    const Surroundings around = look_closely(0, "/proc");
    CHECK(around.subject == ::getpid());
    CHECK(around.rights.known);
    CHECK(around.rights.uid == ::geteuid());
    CHECK(around.nofile);
    CHECK_FALSE(around.pid1_line.empty());
    CHECK(around.state_on_disk); // as far as one can tell: no tmpfs
}

TEST_CASE("entries of fstab that nobody has mounted") {
    const auto entries = monoinit::sys::unmounted_entries("# a comment\n/dev/sda1 / ext4 defaults 0 1\n\n/dev/sda2\t/srv/data  ext4 noauto\n"
                                                          "/swap none swap sw\ntmpfs /tmp\n",
                                                          "overlay / overlay rw 0 0\n");
    CHECK(entries == std::vector<std::string>{"/srv/data"});
}
