#include "sys/users.hpp"

#include "../temporary_directory.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::sys;

namespace {

struct Database {
    TemporaryDirectory dir;
    UserFiles files;

    Database(const std::string& passwd, const std::string& group) {
        files = {dir.write("passwd", passwd), dir.write("group", group)};
    }
};

} // namespace

TEST_CASE("users by name and number") {
    const Database db("root:x:0:0:root:/root:/bin/bash\n"
                      "\n# remark\nbroken:x\nnouid:x:abc:1::/:/bin/sh\nneg:x:-1:0::/:/bin/sh\n"
                      "dev:x:1000:50:Dev,,,:/home/dev:/bin/zsh\n"
                      "1000:x:77:77::/odd:/bin/sh\n"
                      "last:x:1001:1001::/home/last:",
                      "");
    CHECK(find_user("root", db.files)->uid == 0);
    const auto dev = find_user("dev", db.files);
    REQUIRE(dev);
    CHECK(dev->gid == 50);
    CHECK(dev->home == "/home/dev");
    CHECK(dev->shell == "/bin/zsh");
    CHECK(find_user("1000", db.files)->uid == 77); // a name goes before a number
    CHECK(find_user("1001", db.files)->name == "last");
    CHECK(find_user_by_id(1000, db.files)->name == "dev");
    for (const char* missing : {"", "nobody", "4711", "broken", "nouid", "neg", "de", "dev:x", "-1"})
        CHECK_FALSE(find_user(missing, db.files));
}

TEST_CASE("groups") {
    const Database db("", "root:x:0:\nstaff:x:50:dev,other\nsudo:x:27:other,dev\ndev:x:1000:\nmonoinit:x:900:developer,dev\nbad:x:::\n");
    CHECK(find_group("staff", db.files) == gid_t{50});
    CHECK(find_group("1234", db.files) == gid_t{1234});
    CHECK_FALSE(find_group("nogroup", db.files));
    CHECK_FALSE(find_group("", db.files));
    CHECK(group_name(27, db.files) == "sudo");
    CHECK(group_name(28, db.files).empty());
    CHECK(supplementary_groups("dev", 1000, db.files) == std::vector<gid_t>{27, 50, 900, 1000});
    CHECK(supplementary_groups("de", 7, db.files) == std::vector<gid_t>{7});
    CHECK(is_member("dev", 1, "monoinit", db.files));
    CHECK(is_member("nobody", 900, "monoinit", db.files));
    CHECK_FALSE(is_member("develop", 1, "monoinit", db.files));
}

TEST_CASE("ids") {
    CHECK(parse_id("0") == 0U);
    CHECK(parse_id("4294967294") == 4294967294U);
    for (const char* bad : {"", "-1", "+1", " 1", "1 ", "65535", "4294967295", "4294967296", "0x10", "1a"})
        CHECK_FALSE(parse_id(bad));
}

TEST_CASE("no files, hostile files") {
    const TemporaryDirectory dir;
    CHECK_FALSE(find_user("root", {dir / "none", dir / "none"}));
    CHECK_FALSE(find_user("root", {dir.path(), dir.path()}));
    std::string huge(3 << 20, 'x');
    huge += "\nlate:x:5:5::/:/bin/sh\n";
    huge += std::string("nul\0:x:6:6::/:/bin/sh\n", 23);
    for (int i = 0; i < 20000; i++)
        huge += "u" + std::to_string(i) + ":x:" + std::to_string(100000 + i) + ":5::/:/bin/sh\n";
    const UserFiles files{dir.write("huge", huge), dir / "none"};
    CHECK(find_user("late", files)->uid == 5);
    CHECK(find_user("u19999", files)->uid == 119999);
    CHECK_FALSE(find_user(std::string_view("nul\0", 4), files));
}
