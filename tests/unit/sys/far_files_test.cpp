#include "sys/far_files.hpp"
#include "sys/real_files.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using monoinit::base::DirEntry;
using monoinit::base::Errc;
using monoinit::sys::FarFiles;
using monoinit::sys::Mount;

namespace {

std::string make_tree() {
    char name[] = "/tmp/far-files-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    std::string root = name;
    ::mkdir((root + "/far").c_str(), 0755);
    std::ofstream(root + "/far/file") << "text\nwith lines\n";
    std::ofstream(root + "/far/large") << std::string(300000, 'x');
    CHECK(::symlink("file", (root + "/far/link").c_str()) == 0);
    return root;
}

void expect_all(const FarFiles& files, const std::string& root) {
    CHECK(files.read(root + "/far/file", 1000).value() == "text\nwith lines\n");
    CHECK(files.read(root + "/far/link", 1000).value() == "text\nwith lines\n");
    CHECK(files.read(root + "/far/large", 400000).value().size() == 300000);
    CHECK(files.read(root + "/far/large", 4000).error().code == Errc::TooLarge);
    CHECK(files.read(root + "/far/none", 4000).error().code == Errc::NotFound);
    CHECK(files.read_link(root + "/far/link").value() == "file");
    CHECK(files.kind(root + "/far/link").value() == DirEntry::Kind::Symlink);
    const auto listed = files.list(root + "/far").value();
    REQUIRE(listed.size() == 3);
    CHECK(listed[0].name == "file");
    CHECK(listed[2].kind == DirEntry::Kind::Symlink);
    CHECK(files.list(root + "/none").error().code == Errc::NotFound);
    CHECK(files.stamp(root + "/far") != 0);
    CHECK(files.stamp(root + "/far") == monoinit::sys::RealFiles().stamp(root + "/far"));
    CHECK(files.stamp(root + "/none") == 0);
}

} // namespace

TEST_CASE("near and far files read the same") {
    const std::string root = make_tree();
    expect_all(FarFiles(), root);
    const FarFiles far({{"/", false}, {root + "/far", true}});
    expect_all(far, root);
    CHECK(far.silent().empty());
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
    CHECK(std::system(("rm -r " + root).c_str()) == 0);
}

TEST_CASE("a root that may hang is not far") {
    const FarFiles files({{"/", true}});
    CHECK(files.kind("/proc").value() == DirEntry::Kind::Directory);
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1); // no child was made
}
