// `monoinit install` on a temporary root: what is linked, what is left alone, doing it twice.
#include "cli/install_main.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

using monoinit::cli::Installer;
namespace fs = std::filesystem;

namespace {

struct Root {
    fs::path path;
    Root() {
        char name[] = "/tmp/install-test-XXXXXX";
        path = ::mkdtemp(name);
        for (const char* directory : {"usr/local/sbin", "usr/bin", "usr/sbin", "sbin", "bin", "etc"})
            fs::create_directories(path / directory);
    }
    ~Root() { fs::remove_all(path); }
    std::string link(const std::string& name) const {
        return fs::is_symlink(path / name) ? fs::read_symlink(path / name).string() : "";
    }
};

const std::string binary = "/usr/local/sbin/monoinit";

} // namespace

TEST_CASE("without --systemctl only our own names are made") {
    const Root root;
    CHECK(Installer(root.path).run(binary, false) == 0);
    CHECK(root.link("usr/local/sbin/initctl") == binary);
    CHECK(root.link("usr/local/sbin/monoctl") == binary);
    CHECK_FALSE(fs::exists(fs::symlink_status(root.path / "usr/bin/systemctl")));
    CHECK_FALSE(fs::exists(fs::symlink_status(root.path / "sbin/init")));
}

TEST_CASE("with it systemd's names, /sbin/init and policy-rc.d, and twice is once") {
    const Root root;
    std::ofstream(root.path / "usr/sbin/policy-rc.d") << "#!/bin/sh\nexit 101\n";
    for (int i = 0; i < 2; i++) {
        CHECK(Installer(root.path).run(binary, true) == 0);
        CHECK(root.link("usr/bin/systemctl") == binary);
        CHECK(root.link("bin/systemctl") == binary);
        CHECK(root.link("sbin/init") == binary);
        CHECK(fs::exists(root.path / "usr/sbin/policy-rc.d.before-monoinit"));
        std::ifstream policy(root.path / "usr/sbin/policy-rc.d");
        const std::string text((std::istreambuf_iterator<char>(policy)), {});
        CHECK(text.find("Written by monoinit") != std::string::npos);
        CHECK((fs::status(root.path / "usr/sbin/policy-rc.d").permissions() & fs::perms::owner_exec) != fs::perms::none);
    }
}

TEST_CASE("--remove takes it all back, and leaves what others put there") {
    const Root root;
    std::ofstream(root.path / "usr/sbin/policy-rc.d") << "#!/bin/sh\nexit 101\n";
    std::ofstream(root.path / "sbin/halt") << "somebody's";
    CHECK(Installer(root.path).run(binary, true) == 0);
    CHECK(root.link("sbin/halt") == binary);
    fs::remove(root.path / "usr/bin/journalctl");
    std::ofstream(root.path / "usr/bin/journalctl") << "put there later";
    for (int i = 0; i < 2; i++) {
        CHECK(Installer(root.path).remove(binary) == 0);
        for (const char* name : {"usr/bin/systemctl", "bin/systemctl", "sbin/init", "usr/local/sbin/initctl"})
            CHECK_FALSE(fs::exists(fs::symlink_status(root.path / name)));
        std::string text;
        std::ifstream(root.path / "sbin/halt") >> text;
        CHECK(text == "somebody's");
        std::ifstream policy(root.path / "usr/sbin/policy-rc.d");
        std::getline(policy, text);
        std::getline(policy, text);
        CHECK(text == "exit 101");
        CHECK(fs::exists(root.path / "usr/bin/journalctl"));
    }
}

TEST_CASE("files of others are left alone, and said") {
    const Root root;
    std::ofstream(root.path / "usr/local/sbin/initctl") << "mine";
    CHECK(Installer(root.path).run(binary, false) == 1);
    CHECK(root.link("usr/local/sbin/initctl").empty());
}
