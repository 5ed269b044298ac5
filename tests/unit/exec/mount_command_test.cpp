// What a guard does for a mount unit beside running mount(8).
#include "exec/mount_command.hpp"

#include "../temporary_directory.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace monoinit;
using exec::make_mount_point;
using exec::mount_flags;

namespace {

bool is_directory(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

} // namespace

TEST_CASE("options of mount(8) as those of mount(2)") {
    const auto flags = mount_flags({.options = "ro,nosuid,defaults,x-a=b,size=1m,mode=700,rshared,_netdev,nofail"});
    CHECK(flags.flags == (MS_RDONLY | MS_NOSUID));
    CHECK(flags.propagation == (MS_SHARED | MS_REC));
    CHECK(flags.data == "size=1m,mode=700");
    CHECK(flags.needs_program.empty());
    CHECK(mount_flags({.options = "ro,rw,noexec,exec"}).flags == 0);
    CHECK(mount_flags({.options = "loop,ro"}).needs_program == "loop");
    CHECK(mount_flags({.options = "rbind"}).flags == (MS_BIND | MS_REC));
}

TEST_CASE("the mount point is made, for a bound file a file; links on the way are refused") {
    const TemporaryDirectory place;
    const std::string root = place.path();
    CHECK(make_mount_point({.what = "tmpfs", .where = root + "/a/b", .type = "tmpfs"}));
    CHECK(is_directory(root + "/a/b"));
    CHECK(make_mount_point({.what = root + "/from/there", .where = root + "/to", .options = "bind"}));
    CHECK(is_directory(root + "/from/there"));
    ::close(::open((root + "/file").c_str(), O_WRONLY | O_CREAT, 0600));
    CHECK(make_mount_point({.what = root + "/file", .where = root + "/c/file", .options = "bind"}));
    CHECK_FALSE(is_directory(root + "/c/file"));
    CHECK(::access((root + "/c/file").c_str(), F_OK) == 0);
    REQUIRE(::symlink("a", (root + "/link").c_str()) == 0);
    const auto refused = make_mount_point({.what = "tmpfs", .where = root + "/link/b"});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().what == "Where=" + root + "/link/b leads to " + root + "/a/b by a symbolic link: the unit must be named for that");
}

TEST_CASE("where mounting is not allowed, the run command's option is named") {
    CHECK(exec::mount_outside({.where = "/x", .type = "tmpfs"}).ends_with("(--tmpfs /x)"));
    CHECK(exec::mount_outside({.what = "/h", .where = "/x", .options = "bind"}).ends_with("(-v /h:/x)"));
}
