// See place.hpp. Tested by tests/unit/sys/place_test.cpp.

#include "sys/place.hpp"

#include "base/strings.hpp"
#include "sys/cgroup.hpp"
#include "sys/real_files.hpp"
#include "sys/unique_fd.hpp"
#include "sys/users.hpp"

#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace monoinit::sys {

namespace {

constexpr std::size_t size_limit = 64 << 10;

/// Files of /proc and /sys have no size; those of /etc may be anything.
std::string slurp(const std::string& path) {
    auto text = RealFiles().read(path, size_limit);
    return text ? *std::move(text) : std::string{};
}

std::string first_line(const std::string& path) {
    const std::string text = slurp(path);
    return std::string(base::trim(std::string_view(text).substr(0, text.find('\n'))));
}

/// uname's machine -> the word of ConditionArchitecture=.
std::string architecture_word(std::string_view machine) {
    struct Row {
        std::string_view machine, word;
    };
    constexpr Row rows[] = {{"x86_64", "x86-64"},   {"aarch64", "arm64"},     {"aarch64_be", "arm64-be"}, {"armv7l", "arm"},
                            {"armv6l", "arm"},      {"armv8l", "arm"},        {"i686", "x86"},            {"i586", "x86"},
                            {"i386", "x86"},        {"riscv64", "riscv64"},   {"riscv32", "riscv32"},     {"ppc64le", "ppc64-le"},
                            {"ppc64", "ppc64"},     {"s390x", "s390x"},       {"loongarch64", "loongarch64"}, {"mips64", "mips64"}};
    for (const Row& row : rows)
        if (row.machine == machine)
            return std::string(row.word);
    return std::string(machine);
}

std::string container_word(const std::string& root) {
    if (const char* given = ::getenv("container"); given && *given)
        return base::printable(given, 64);
    const std::string said = first_line(root + "/run/systemd/container");
    if (!said.empty())
        return base::printable(said, 64);
    if (::getenv("KUBERNETES_SERVICE_HOST"))
        return "kubernetes";
    if (RealFiles().kind(root + "/run/.containerenv"))
        return "podman";
    if (RealFiles().kind(root + "/.dockerenv"))
        return "docker";
    // A process tree of its own without any of these marks: unshare(1), bubblewrap, a runtime we do not know.
    return ::getpid() == 1 ? "a container" : "no container";
}

bool is_id128(std::string_view text) {
    return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Images ship without a machine ID. systemd would make one; ours holds as long as this container on this boot.
std::string transient_id(std::string_view seed) {
    std::string id;
    for (const std::uint64_t basis : {0xcbf29ce484222325U, 0x84222325cbf29ce4U}) {
        std::uint64_t hash = basis;
        for (const char c : seed)
            hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U; // FNV-1a
        for (int shift = 60; shift >= 0; shift -= 4)
            id += "0123456789abcdef"[(hash >> shift) & 15];
    }
    return id;
}

void read_os_release(const std::string& root, Place& place) {
    std::string text = slurp(root + "/etc/os-release");
    if (text.empty())
        text = slurp(root + "/usr/lib/os-release");
    place.os_id = value_in(text, "ID");
    if (place.os_id.empty())
        place.os_id = "linux";
    place.os_version_id = value_in(text, "VERSION_ID");
    place.os_build_id = value_in(text, "BUILD_ID");
    place.os_variant_id = value_in(text, "VARIANT_ID");
    place.os_image_id = value_in(text, "IMAGE_ID");
    place.os_image_version = value_in(text, "IMAGE_VERSION");
}

void read_user(const std::string& root, Place& place) {
    const UserFiles files{root + "/etc/passwd", root + "/etc/group"};
    place.uid = ::getuid();
    place.gid = ::getgid();
    const auto user = find_user_by_id(place.uid, files);
    place.user_name = user ? user->name : place.uid == 0 ? "root" : std::to_string(place.uid);
    place.home = user && !user->home.empty() ? user->home : place.uid == 0 ? "/root" : "/";
    place.shell = user && !user->shell.empty() ? user->shell : "/bin/sh";
    place.group_name = group_name(place.gid, files);
    if (place.group_name.empty())
        place.group_name = place.gid == 0 ? "root" : std::to_string(place.gid);
}

} // namespace

std::string value_in(std::string_view text, std::string_view key) {
    std::string found;
    for (std::string_view line : base::split(text, '\n')) {
        line = base::trim(line);
        if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != '=')
            continue;
        const std::string_view raw = line.substr(key.size() + 1);
        found.clear(); // the last assignment counts
        char quote = '\0';
        for (std::size_t i = 0; i < raw.size(); i++) {
            if (raw[i] == '\\' && quote != '\'' && i + 1 < raw.size())
                found += raw[++i];
            else if (quote ? raw[i] == quote : raw[i] == '"' || raw[i] == '\'')
                quote = quote ? '\0' : raw[i];
            else
                found += raw[i];
        }
    }
    return found;
}

Place look_around(const std::string& root) {
    Place place;
    read_user(root, place);
    read_os_release(root, place);
    utsname system{};
    if (::uname(&system) == 0) {
        place.host_name = system.nodename;
        place.kernel_release = system.release;
        place.architecture = architecture_word(system.machine);
    }
    place.pretty_host_name = value_in(slurp(root + "/etc/machine-info"), "PRETTY_HOSTNAME");
    for (const char c : first_line("/proc/sys/kernel/random/boot_id"))
        if (c != '-')
            place.boot_id += c;
    for (const char* path : {"/etc/machine-id", "/var/lib/dbus/machine-id"})
        if (!is_id128(place.machine_id))
            place.machine_id = first_line(root + path);
    if (!is_id128(place.machine_id))
        place.machine_id = transient_id(place.boot_id + place.host_name);
    for (const char* path : {"/etc/locale.conf", "/etc/default/locale"})
        if (place.locale.empty())
            place.locale = value_in(slurp(root + path), "LANG");
    place.container = container_word(root);
    place.is_pid1 = ::getpid() == 1;
    const Cgroup group = find_cgroup();
    place.cgroup_writable = group.writable;
    place.cgroup_controllers = group.available;
    return place;
}

} // namespace monoinit::sys
