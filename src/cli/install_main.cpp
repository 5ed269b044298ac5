// `monoinit install [--systemctl] [--remove]`: links the tools beside the binary; with --systemctl also systemd's names,
// /sbin/init, diversions and policy-rc.d, so that packages installed later start their services. Everything done is printed, and
// doing it again changes nothing. Tested by tests/unit/cli/install_main_test.cpp and tests/container/install.
#include "base/fmt.hpp"
#include "cli/cli.hpp"
#include "cli/install_main.hpp"
#include "cli/programs.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace monoinit::cli {

namespace {

constexpr std::string_view aside = ".before-monoinit", divert_tool = "/usr/bin/dpkg-divert";
constexpr const char* policy = "/usr/sbin/policy-rc.d";
constexpr const char* bus_policy = "/etc/dbus-1/system.d/monoinit.conf";

/// Debian's images ship one that always refuses. This one refuses while nobody answers: when an image is built.
constexpr std::string_view policy_text = "#!/bin/sh\n"
                                         "# Written by monoinit install --systemctl: services start when monoinit runs, not while an image is built.\n"
                                         "case $(systemctl is-system-running 2>/dev/null) in\n"
                                         "offline | '') exit 101 ;;\n"
                                         "esac\n"
                                         "exit 0\n";

/// dbus-daemon asks this name to start services, and lets everybody who talks to one of them wait for it.
constexpr std::string_view bus_policy_text =
    "<!-- Written by monoinit install --systemctl: it starts the services that the bus asks for. -->\n"
    "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN\"\n"
    " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
    "<busconfig><policy user=\"root\"><allow own=\"org.freedesktop.systemd1\"/></policy></busconfig>\n";

} // namespace

/// Every link that is made.
std::vector<std::string> Installer::linked(const std::string& binary, bool systemctl) const {
    std::vector<std::string> paths;
    const std::string beside = binary.substr(0, binary.rfind('/'));
    for (const Program& program : programs)
        if (program.place == Place::Beside)
            paths.push_back(beside + "/" + std::string(program.name));
        else if (systemctl)
            paths.push_back(std::string(directory_of(program.place)) + "/" + std::string(program.name));
    if (systemctl) {
        if (!is_merged())
            paths.emplace_back("/bin/systemctl"); // update-rc.d and deb-systemd-helper look there
        paths.emplace_back("/sbin/init");
    }
    return paths;
}

/// What a package `systemd` or `systemd-sysv` would bring and overwrite (it comes as a dependency of php-fpm, for one). dpkg goes by
/// the name as the package has it, and whether that is in /usr depends on the release.
std::vector<std::string> Installer::diverted() const {
    std::vector<std::string> paths;
    const auto both = [&](std::string_view directory, std::string_view name) {
        for (const std::string_view usr : {"", "/usr"})
            if (usr.empty() || is_merged())
                paths.push_back(std::string(usr) + std::string(directory) + "/" + std::string(name));
    };
    for (const Program& program : programs)
        if (program.place == Place::Bin && !is_merged())
            paths.push_back("/usr/bin/" + std::string(program.name));
        else if (program.place != Place::Beside)
            both(program.place == Place::Bin ? "/bin" : "/sbin", program.name);
    if (!is_merged())
        paths.emplace_back("/bin/systemctl");
    both("/sbin", "init");
    paths.emplace_back(policy);
    return paths;
}

int Installer::run(const std::string& binary, bool systemctl) {
    if (systemctl)
        for (const std::string& path : diverted())
            divert(path);
    for (const std::string& path : linked(binary, systemctl))
        link(binary, path);
    if (systemctl) {
        write(policy, policy_text, 0755);
        make_directory_of(bus_policy);
        write(bus_policy, bus_policy_text, 0644);
    }
    const auto is_there = [&](const char* name) { return exists(std::string("/usr/bin/") + name) || exists(std::string("/bin/") + name); };
    if (systemctl && !is_there("systemd-tmpfiles"))
        say("hint:     packages expect systemd-tmpfiles (/run/mysqld, /run/haproxy …): apt-get install systemd-standalone-tmpfiles systemd-standalone-sysusers");
    return status_;
}

int Installer::remove(const std::string& binary) {
    for (const std::string& path : linked(binary, true))
        unlink(path);
    unlink(policy);
    unlink(bus_policy);
    for (const std::string& path : diverted())
        restore(path);
    return status_;
}

void Installer::say(const std::string& text) { std::printf("%s\n", text.c_str()); }

void Installer::fail(const std::string& what, const std::string& path) {
    std::fprintf(stderr, "monoinit install: cannot %s %s: %s\n", what.c_str(), path.c_str(), std::strerror(errno));
    status_ = 1;
}

bool Installer::exists(const std::string& path) const {
    struct stat info {};
    return ::lstat((root_ + path).c_str(), &info) == 0;
}

/// /bin and /sbin are links into /usr.
bool Installer::is_merged() const {
    struct stat info {};
    return ::lstat((root_ + "/bin").c_str(), &info) == 0 && S_ISLNK(info.st_mode);
}

/// A symlink at `path` to the binary; replaces a link or what an earlier version wrote, never a file of somebody else's.
void Installer::link(const std::string& binary, const std::string& path) {
    const std::string real = root_ + path;
    char target[4096];
    const ssize_t length = ::readlink(real.c_str(), target, sizeof target);
    if (length >= 0 && std::string_view(target, static_cast<std::size_t>(length)) == binary)
        return say("is there: " + path);
    if (length < 0 && exists(path) && !is_ours(path)) {
        std::fprintf(stderr, "monoinit install: %s exists and is no link; left alone\n", path.c_str());
        status_ = 1;
        return;
    }
    if (exists(path) && ::unlink(real.c_str()) != 0)
        return fail("replace", path);
    if (::symlink(binary.c_str(), real.c_str()) != 0)
        return fail("make", path);
    say("link:     " + path + " -> " + binary);
}

void Installer::unlink(const std::string& path) {
    if (!exists(path) || !is_ours(path))
        return;
    if (::unlink((root_ + path).c_str()) != 0)
        return fail("remove", path);
    say("removed:  " + path);
}

bool Installer::has_dpkg() const { return root_.empty() && ::access(std::string(divert_tool).c_str(), X_OK) == 0; }

/// What is ours already is not moved: the diversion is only for what comes.
bool Installer::ask_dpkg(const std::string& path, Way way) {
    const std::string tool(divert_tool), away = path + std::string(aside);
    const char* rename = way == Way::Add && is_ours(path) ? "--no-rename" : "--rename";
    const pid_t child = ::fork();
    if (child == 0) {
        ::execl(tool.c_str(), tool.c_str(), "--local", "--quiet", rename, "--divert", away.c_str(), way == Way::Add ? "--add" : "--remove", path.c_str(),
                static_cast<char*>(nullptr));
        ::_exit(127);
    }
    int outcome = -1;
    errno = 0;
    if (child >= 0 && ::waitpid(child, &outcome, 0) >= 0 && outcome == 0)
        return true;
    std::fprintf(stderr, "monoinit install: dpkg-divert does not %s %s\n", way == Way::Add ? "divert" : "restore", path.c_str());
    status_ = 1;
    return false;
}

/// Moves a file aside so that dpkg keeps its hands off the name, also of packages installed later.
void Installer::divert(const std::string& path) {
    if (has_dpkg()) {
        if (ask_dpkg(path, Way::Add))
            say("diverted: " + path + " (to " + path + std::string(aside) + ")");
        return;
    }
    if (!exists(path) || is_ours(path))
        return; // nothing to keep
    if (::rename((root_ + path).c_str(), (root_ + path + std::string(aside)).c_str()) != 0)
        return fail("move aside", path);
    say("moved:    " + path + " -> " + path + std::string(aside));
}

void Installer::restore(const std::string& path) {
    if (has_dpkg()) {
        if (ask_dpkg(path, Way::Remove))
            say("restored: " + path);
        return;
    }
    const std::string away = path + std::string(aside);
    if (!exists(away) || exists(path))
        return;
    if (::rename((root_ + away).c_str(), (root_ + path).c_str()) != 0)
        return fail("move back", path);
    say("restored: " + path);
}

/// A link to this binary, or a script it wrote.
bool Installer::is_ours(const std::string& path) const {
    char target[4096];
    const ssize_t length = ::readlink((root_ + path).c_str(), target, sizeof target);
    if (length >= 0)
        return std::string_view(target, static_cast<std::size_t>(length)).ends_with("/monoinit");
    std::FILE* file = std::fopen((root_ + path).c_str(), "re");
    if (file == nullptr)
        return false;
    char text[256];
    const std::size_t count = std::fread(text, 1, sizeof text, file);
    (void)std::fclose(file); // it was only read
    return std::string_view(text, count).find("Written by monoinit") != std::string_view::npos;
}

/// dbus may be installed later.
void Installer::make_directory_of(const std::string& path) {
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
        ::mkdir((root_ + path.substr(0, slash)).c_str(), 0755);
}

void Installer::write(const std::string& path, std::string_view text, unsigned mode) {
    const std::string real = root_ + path;
    struct stat info {};
    if (::lstat(real.c_str(), &info) == 0 && !is_ours(path)) {
        std::fprintf(stderr, "monoinit install: %s exists; left alone\n", path.c_str());
        status_ = 1;
        return;
    }
    std::FILE* file = std::fopen(real.c_str(), "we");
    if (file == nullptr)
        return fail("write", path);
    const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    const bool closed = std::fclose(file) == 0;
    if (!written || !closed || ::chmod(real.c_str(), mode) != 0)
        return fail("write", path);
    say("written:  " + path);
}

int install_main(int argc, char** argv) {
    bool systemctl = false, remove = false;
    std::string root;
    for (int i = 1; i < argc; i++) {
        const std::string_view word = argv[i];
        if (word == "install")
            continue;
        if (word == "--systemctl") {
            systemctl = true;
        } else if (word == "--remove") {
            remove = true;
        } else if (word.starts_with("--root=")) {
            root = word.substr(7) == "/" ? "" : word.substr(7);
        } else {
            std::fprintf(stderr, "usage: monoinit install [--systemctl] [--remove] [--root=DIR]\n");
            return 2;
        }
    }
    char path[4096];
    const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
    if (length <= 0) {
        std::fprintf(stderr, "monoinit install: /proc is needed to find this binary\n");
        return 1;
    }
    std::string binary(path, static_cast<std::size_t>(length));
    if (!root.empty() && binary.starts_with(root + "/"))
        binary = binary.substr(root.size());
    return remove ? Installer(root).remove(binary) : Installer(root).run(binary, systemctl);
}

} // namespace monoinit::cli
