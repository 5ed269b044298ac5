#include "sys/real_files.hpp"

#include "../temporary_directory.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

using namespace monoinit;
using base::DirEntry;
using base::Errc;
using sys::RealFiles;

TEST_CASE("reading regular files only") {
    const TemporaryDirectory dir;
    const RealFiles files;
    const std::string plain = dir.write("plain", "hello");
    CHECK(*files.read(plain, 100) == "hello");
    CHECK(*files.read(plain, 5) == "hello");
    CHECK(files.read(plain, 4).error().code == Errc::TooLarge);
    CHECK(files.read(dir / "none", 4).error().code == Errc::NotFound);
    CHECK(files.read(plain + "/below", 4).error().code == Errc::NotFound);
    REQUIRE(::mkfifo((dir / "fifo").c_str(), 0644) == 0);
    CHECK(files.read(dir / "fifo", 100).error().code == Errc::Invalid); // and does not hang
    CHECK(files.read(dir.path(), 100).error().code == Errc::Invalid);
    CHECK(files.read("/dev/null", 100).error().code == Errc::Invalid);
    CHECK(files.read("/dev/zero", 100).error().code == Errc::Invalid);
    CHECK_FALSE(files.read("/proc/self/cmdline", 1 << 16)->empty()); // a size of 0 means nothing there
    REQUIRE(::symlink("loop", (dir / "loop").c_str()) == 0);
    CHECK(files.read(dir / "loop", 100).error().errnum == ELOOP);
    CHECK_FALSE(files.read(dir / std::string("pl\0ain", 6), 100));
}

TEST_CASE("a file that may not be read") {
    if (::geteuid() == 0)
        return; // root reads everything
    const TemporaryDirectory dir;
    const std::string path = dir.write("secret", "x");
    REQUIRE(::chmod(path.c_str(), 0) == 0);
    CHECK(RealFiles().read(path, 100).error().code == Errc::Denied);
}

TEST_CASE("listing is sorted and knows kinds") {
    const TemporaryDirectory dir;
    const RealFiles files;
    dir.write("b", "");
    dir.write("sub/x", "");
    REQUIRE(::symlink("nowhere", (dir / "a").c_str()) == 0);
    REQUIRE(::mkfifo((dir / "f").c_str(), 0644) == 0);
    const auto entries = *files.list(dir.path());
    REQUIRE(entries.size() == 4);
    CHECK(entries[0].name == "a");
    CHECK(entries[0].kind == DirEntry::Kind::Symlink);
    CHECK(entries[1].kind == DirEntry::Kind::Regular);
    CHECK(entries[2].kind == DirEntry::Kind::Other);
    CHECK(entries[3].kind == DirEntry::Kind::Directory);
    CHECK(files.list(dir / "none").error().code == Errc::NotFound);
    CHECK(files.list(dir / "b").error().code == Errc::NotFound); // no directory
    CHECK(*files.kind(dir / "a") == DirEntry::Kind::Symlink);
    CHECK(*files.read_link(dir / "a") == "nowhere");
    CHECK(files.read_link(dir / "b").error().code == Errc::Invalid);
    CHECK(files.read_link(dir / "none").error().code == Errc::NotFound);
}

TEST_CASE("changing the tree") {
    const TemporaryDirectory dir;
    RealFiles files;
    CHECK(files.make_directory(dir / "x/y/z"));
    CHECK(files.make_directory(dir / "x/y/z"));
    CHECK(files.symlink("/dev/null", dir / "x/y/z/l"));
    CHECK(files.symlink("/dev/null", dir / "x/y/z/l").error().code == Errc::Exists);
    CHECK(files.remove_directory(dir / "x/y/z").error().code == Errc::Exists);
    CHECK(files.remove(dir / "x/y/z/l"));
    CHECK(files.remove(dir / "x/y/z/l").error().code == Errc::NotFound);
    CHECK(files.remove_directory(dir / "x/y/z"));
}

TEST_CASE("below a root, absolute links and .. stay inside") {
    const TemporaryDirectory dir;
    RealFiles files(dir.path() + "/");
    dir.write("usr/lib/a", "inside");
    dir.write("etc/passwd", "ours");
    REQUIRE(::symlink("/usr/lib", (dir / "lib").c_str()) == 0);
    REQUIRE(::symlink("/lib/a", (dir / "etc/a").c_str()) == 0);
    REQUIRE(::symlink("../../../../etc/passwd", (dir / "etc/up").c_str()) == 0);
    REQUIRE(::symlink("/etc/loop", (dir / "etc/loop").c_str()) == 0);
    CHECK(*files.read("/etc/a", 100) == "inside");
    CHECK(*files.read("/etc/up", 100) == "ours");
    CHECK(files.read("/lib/../etc/passwd", 100).error().code == Errc::NotFound); // .. of where the link led
    CHECK(files.read("/etc/loop", 100).error().errnum == ELOOP);
    CHECK(*files.read_link("/etc/a") == "/lib/a");
    CHECK(files.list("/lib")->size() == 1);
    CHECK(files.make_directory("/etc/systemd/system"));
    CHECK(files.symlink("/x", "/etc/systemd/system/l"));
    CHECK(*RealFiles().read_link(dir / "etc/systemd/system/l") == "/x");
}
