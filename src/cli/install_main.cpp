// `monoinit install [--systemctl]`: links the tools beside the binary; with --systemctl also systemd's names, /sbin/init,
// diversions and policy-rc.d, so that packages installed later start their services. Everything done is printed, and
// doing it again changes nothing. Tested by tests/unit/cli/install_main_test.cpp.
#include "base/fmt.hpp"
#include "cli/cli.hpp"
#include "cli/install_main.hpp"
#include "cli/programs.hpp"

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

/// What a package `systemd` or `systemd-sysv` would bring and overwrite (it comes as a dependency of php-fpm, for one).
constexpr const char* diverted[] = {"/bin/systemctl", "/bin/journalctl", "/bin/systemd-analyze", "/sbin/init", "/sbin/halt", "/sbin/poweroff", "/sbin/reboot",
                                    "/sbin/shutdown", "/sbin/runlevel", "/sbin/telinit"};

/// Debian's images ship one that always refuses. This one refuses only while monoinit does not run: during image build.
constexpr std::string_view policy_text = "#!/bin/sh\n"
                                         "# Written by monoinit install --systemctl: services start when monoinit runs, not while an image is built.\n"
                                         "[ -d /run/systemd/system ] && exit 0\n"
                                         "exit 101\n";

} // namespace

int Installer::run(const std::string& binary, bool systemctl) {
    const std::string directory = binary.substr(0, binary.rfind('/'));
    for (const Program& program : programs)
        if (program.place == Place::Beside)
            link(binary, directory + "/" + std::string(program.name));
    if (!systemctl)
        return status_;
    for (const char* path : diverted)
        divert(path);
    divert("/usr/sbin/policy-rc.d");
    for (const Program& program : programs)
        if (program.place != Place::Beside)
            link(binary, std::string(directory_of(program.place)) + "/" + std::string(program.name));
    if (!is_merged("/bin"))
        link(binary, "/bin/systemctl"); // update-rc.d and deb-systemd-helper look here
    link(binary, "/sbin/init");
    write("/usr/sbin/policy-rc.d", policy_text);
    return status_;
}

void Installer::say(const std::string& text) { std::printf("%s\n", text.c_str()); }

void Installer::fail(const std::string& what, const std::string& path) {
    std::fprintf(stderr, "monoinit install: cannot %s %s: %s\n", what.c_str(), path.c_str(), std::strerror(errno));
    status_ = 1;
}

bool Installer::is_merged(const std::string& directory) const {
    struct stat info {};
    return ::lstat((root_ + directory).c_str(), &info) == 0 && S_ISLNK(info.st_mode);
}

/// A symlink at `path` to the binary; replaces a link, never a file of somebody else's.
void Installer::link(const std::string& binary, const std::string& path) {
    const std::string real = root_ + path;
    char target[4096];
    const ssize_t length = ::readlink(real.c_str(), target, sizeof target);
    if (length >= 0 && std::string_view(target, static_cast<std::size_t>(length)) == binary)
        return say("is there: " + path);
    struct stat info {};
    if (length < 0 && ::lstat(real.c_str(), &info) == 0) {
        std::fprintf(stderr, "monoinit install: %s exists and is no link; left alone\n", path.c_str());
        status_ = 1;
        return;
    }
    if (length >= 0 && ::unlink(real.c_str()) != 0)
        return fail("replace", path);
    if (::symlink(binary.c_str(), real.c_str()) != 0)
        return fail("make", path);
    say("link:     " + path + " -> " + binary);
}

/// Moves a file aside so that dpkg keeps its hands off the name, also of packages installed later.
void Installer::divert(const std::string& path) {
    const std::string tool = "/usr/bin/dpkg-divert";
    if (::access((root_ + tool).c_str(), X_OK) == 0 && root_.empty()) {
        const pid_t child = ::fork();
        if (child == 0) {
            const std::string aside = path + ".before-monoinit";
            ::execl(tool.c_str(), tool.c_str(), "--local", "--quiet", "--rename", "--divert", aside.c_str(), "--add", path.c_str(),
                    static_cast<char*>(nullptr));
            ::_exit(127);
        }
        int outcome = -1;
        if (child < 0 || ::waitpid(child, &outcome, 0) < 0 || outcome != 0)
            return fail("divert", path);
        return say("diverted: " + path + " (to " + path + ".before-monoinit)");
    }
    struct stat info {};
    if (::lstat((root_ + path).c_str(), &info) != 0 || is_ours(path))
        return; // nothing to keep
    if (::rename((root_ + path).c_str(), (root_ + path + ".before-monoinit").c_str()) != 0)
        return fail("move aside", path);
    say("moved:    " + path + " -> " + path + ".before-monoinit");
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
    std::fclose(file);
    return std::string_view(text, count).find("Written by monoinit") != std::string_view::npos;
}

void Installer::write(const std::string& path, std::string_view text) {
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
    if (!written || !closed || ::chmod(real.c_str(), 0755) != 0)
        return fail("write", path);
    say("written:  " + path);
}

int install_main(int argc, char** argv) {
    bool systemctl = false;
    std::string root;
    for (int i = 1; i < argc; i++) {
        const std::string_view word = argv[i];
        if (word == "install")
            continue;
        if (word == "--systemctl") {
            systemctl = true;
        } else if (word.starts_with("--root=")) {
            root = word.substr(7) == "/" ? "" : word.substr(7);
        } else {
            std::fprintf(stderr, "usage: monoinit install [--systemctl] [--root=DIR]\n");
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
    return Installer(root).run(binary, systemctl);
}

} // namespace monoinit::cli
