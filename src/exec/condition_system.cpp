// Conditions on the machine: read from /proc, /sys and os-release, which do not block. What a container cannot have
// (firmware, most security modules) is false. Tested by tests/unit/exec.
#include "base/strings.hpp"
#include "base/version.hpp"
#include "exec/condition_tests.hpp"
#include "exec/credential_files.hpp"
#include "exec/environment.hpp"
#include "sys/place.hpp"
#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"
#include "sys/users.hpp"
#include "unit/values.hpp"
#include "unit/words.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

std::string read_file(const char* path) {
    const sys::UniqueFd fd(sys::open_file(path, O_RDONLY | O_NONBLOCK));
    std::string text;
    char buffer[4096];
    for (ssize_t size; fd && text.size() < 65536 && (size = ::read(fd.get(), buffer, sizeof buffer)) > 0;)
        text.append(buffer, static_cast<std::size_t>(size));
    return text;
}

bool exists(const char* path) {
    return ::access(path, F_OK) == 0;
}

bool equals_bool(const std::string& parameter, bool value) {
    const auto wanted = unit::parse_bool(parameter);
    return wanted && *wanted == value;
}

std::vector<std::string> words_of(const std::string& text) {
    auto words = unit::split_words(text, unit::Unquote | unit::Relax);
    return words ? std::move(*words) : std::vector<std::string>();
}

bool has_word(const std::string& text, std::string_view word) {
    const auto words = words_of(text);
    return std::find(words.begin(), words.end(), word) != words.end();
}

enum class Comparison : unsigned char { None, Less, LessEqual, Equal, NotEqual, GreaterEqual, Greater, Glob, NotGlob };

struct Operator {
    std::string_view text;
    Comparison comparison;
};
// The longer ones first: "<=" is not "<" and "=".
constexpr auto operators = std::to_array<Operator>({{"$=", Comparison::Glob},
                                                    {"!$=", Comparison::NotGlob},
                                                    {"<=", Comparison::LessEqual},
                                                    {">=", Comparison::GreaterEqual},
                                                    {"!=", Comparison::NotEqual},
                                                    {"<>", Comparison::NotEqual},
                                                    {"<", Comparison::Less},
                                                    {">", Comparison::Greater},
                                                    {"==", Comparison::Equal},
                                                    {"=", Comparison::Equal}});

/// Takes an operator and the blanks behind it off the front.
Comparison take_operator(std::string_view& text) {
    for (const Operator& each : operators)
        if (text.starts_with(each.text)) {
            text = base::trim(text.substr(each.text.size()));
            return each.comparison;
        }
    return Comparison::None;
}

bool holds(int order, Comparison comparison) {
    switch (comparison) {
    case Comparison::Less:
        return order < 0;
    case Comparison::LessEqual:
        return order <= 0;
    case Comparison::None:
    case Comparison::Equal:
        return order == 0;
    case Comparison::NotEqual:
        return order != 0;
    case Comparison::GreaterEqual:
        return order >= 0;
    case Comparison::Greater:
        return order > 0;
    case Comparison::Glob:
    case Comparison::NotGlob:
        return false; // not an order
    }
    return false;
}

bool version_matches(std::string_view expression, const std::string& actual) {
    expression = base::trim(expression);
    const Comparison comparison = take_operator(expression);
    if (comparison == Comparison::Glob || comparison == Comparison::NotGlob || comparison == Comparison::None)
        return base::glob_match(expression, actual) != (comparison == Comparison::NotGlob);
    return holds(base::compare_versions(actual, expression), comparison);
}

/// ">=5.4 <6": all must hold. An operator may stand apart from its version.
bool versions_match(const std::string& parameter, const std::string& actual) {
    std::string pending;
    for (const std::string& word : words_of(parameter)) {
        std::string_view rest = word;
        if (pending.empty() && take_operator(rest) != Comparison::None && rest.empty()) {
            pending = word;
            continue;
        }
        if (!version_matches(pending + word, actual))
            return false;
        pending.clear();
    }
    return pending.empty();
}

std::string kernel_release() {
    utsname names;
    return ::uname(&names) == 0 ? names.release : "";
}

/// A number with an operator, ">=" where there is none.
bool number_matches(std::string_view parameter, std::uint64_t actual, bool size) {
    std::string_view rest = base::trim(parameter);
    Comparison comparison = take_operator(rest);
    if (comparison == Comparison::None)
        comparison = Comparison::GreaterEqual;
    std::uint64_t wanted = 0;
    if (size) {
        const auto parsed = unit::parse_size(rest);
        if (!parsed)
            return false;
        wanted = *parsed;
    } else {
        if (std::from_chars(rest.data(), rest.data() + rest.size(), wanted).ptr != rest.data() + rest.size() || rest.empty())
            return false;
    }
    return holds(actual < wanted ? -1 : actual > wanted ? 1 : 0, comparison);
}

/// "10%" or "10%/1min": true while the pressure (PSI, "some" for CPU, else "full") is at most that.
bool pressure_at_most(const std::string& parameter, const char* file, const char* line) {
    const std::string text = read_file(file);
    if (text.empty())
        return true; // no PSI: systemd counts it as no pressure
    const std::vector<std::string_view> parts = base::split(parameter, '/');
    std::string_view limit = base::trim(parts[0]);
    if (limit.ends_with('%'))
        limit.remove_suffix(1);
    const std::string_view span = parts.size() > 1 ? base::trim(parts[1]) : "5min";
    const char* const average = span == "10s" || span == "10sec" ? "avg10=" : span == "1min" ? "avg60=" : "avg300=";
    const std::size_t row = text.find(line);
    const std::size_t at = row == text.npos ? text.npos : text.find(average, row);
    if (at == text.npos)
        return true;
    const std::size_t number = text.find('=', at) + 1;
    const std::string actual(text.substr(number, text.find_first_of(" \n", number) - number)), wanted(limit);
    char* end = nullptr; // both are looked at in the C locale, which we never leave
    const double most = std::strtod(wanted.c_str(), &end);
    return end != wanted.c_str() && std::strtod(actual.c_str(), nullptr) <= most;
}

bool is_container_kind(const std::string& kind) {
    return kind != "no container";
}

} // namespace

bool architecture(const std::string& parameter, const ConditionContext&) {
    return parameter == "native" || parameter == sys::look_around().architecture;
}

bool firmware(const std::string& parameter, const ConditionContext&) {
    return parameter == "uefi" && exists("/sys/firmware/efi");
}

bool virtualization(const std::string& parameter, const ConditionContext&) {
    const std::string kind = sys::look_around().container;
    const bool contained = is_container_kind(kind);
    if (const auto wanted = unit::parse_bool(parameter))
        return *wanted == contained;
    if (parameter == "container")
        return contained;
    if (parameter == "vm")
        return false; // whatever is below the container
    if (parameter == "private-users") {
        const std::string map = read_file("/proc/self/uid_map");
        return !map.empty() && words_of(map) != std::vector<std::string>{"0", "0", "4294967295"};
    }
    return contained && parameter == kind;
}

bool host(const std::string& parameter, const ConditionContext& context) {
    if (!context.machine_id.empty() && parameter == context.machine_id)
        return true;
    utsname names;
    const std::string name = !context.host_name.empty() ? context.host_name : ::uname(&names) == 0 ? names.nodename : "";
    return base::glob_match(parameter, name);
}

bool kernel_command_line(const std::string& parameter, const ConditionContext&) {
    // The machine's command line is no business of a container: PID 1's arguments stand for it, as under systemd.
    std::string line = read_file("/proc/1/cmdline");
    std::ranges::replace(line, '\0', ' ');
    const bool with_value = parameter.find('=') != parameter.npos;
    for (const std::string& word : words_of(line))
        if (word == parameter || (!with_value && word.starts_with(parameter + "=")))
            return true;
    return false;
}

bool kernel_version(const std::string& parameter, const ConditionContext&) {
    return versions_match(parameter, kernel_release());
}

bool version(const std::string& parameter, const ConditionContext&) {
    constexpr const char* as_systemd = "257"; // whose directives we follow
    const std::size_t blank = parameter.find_first_of(" \t<>=!$");
    const std::string subject = parameter.substr(0, blank);
    const std::string rest = blank == parameter.npos ? "" : parameter.substr(blank);
    if (subject == "systemd")
        return versions_match(rest, as_systemd);
    if (subject == "glibc")
        return versions_match(rest, ::gnu_get_libc_version());
    return versions_match(subject == "kernel" ? rest : parameter, kernel_release());
}

/// Only those passed to the container: credstores of the image do not count, as under systemd.
bool credential(const std::string& parameter, const ConditionContext& context) {
    if (!unit::is_credential_name(parameter))
        return false;
    const auto given = find_variable(context.environment, "CREDENTIALS_DIRECTORY");
    return (given && given->starts_with('/') && exists((std::string(*given) + "/" + parameter).c_str())) ||
           exists((std::string(container_secrets) + "/" + parameter).c_str());
}

bool environment(const std::string& parameter, const ConditionContext& context) {
    if (parameter.find('=') == parameter.npos)
        return find_variable(context.environment, parameter).has_value();
    return std::find(context.environment.begin(), context.environment.end(), parameter) != context.environment.end();
}

bool security(const std::string& parameter, const ConditionContext&) {
    if (parameter == "selinux")
        return exists("/sys/fs/selinux/enforce");
    if (parameter == "apparmor")
        return read_file("/sys/module/apparmor/parameters/enabled").starts_with("Y");
    if (parameter == "smack")
        return exists("/sys/fs/smackfs/version");
    if (parameter == "ima")
        return exists("/sys/kernel/security/ima/");
    if (parameter == "tomoyo")
        return exists("/sys/kernel/security/tomoyo/version");
    return false; // audit, secure boot, TPM: the machine's
}

bool capability(const std::string& parameter, const ConditionContext&) {
    const auto number = unit::capability_from_name(parameter);
    return number && ::prctl(PR_CAPBSET_READ, *number, 0, 0, 0) == 1;
}

bool ac_power(const std::string& parameter, const ConditionContext&) {
    return equals_bool(parameter, true);
}

bool needs_update(const std::string& parameter, const ConditionContext&) {
    struct statvfs mount;
    if (::statvfs(parameter.c_str(), &mount) != 0 || (mount.f_flag & ST_RDONLY) != 0)
        return false;
    struct stat stamp, usr;
    if (::stat((parameter + "/.updated").c_str(), &stamp) != 0 || ::stat("/usr", &usr) != 0)
        return true;
    return stamp.st_mtim.tv_sec < usr.st_mtim.tv_sec;
}

bool first_boot(const std::string& parameter, const ConditionContext& context) {
    return equals_bool(parameter, context.first_boot);
}

bool user(const std::string& parameter, const ConditionContext&) {
    constexpr uid_t system_max = 999;
    if (parameter == "@system")
        return ::getuid() <= system_max;
    if (const auto uid = sys::parse_id(parameter))
        return *uid == ::getuid() || *uid == ::geteuid();
    const auto found = sys::find_user(parameter);
    return found && (found->uid == ::getuid() || found->uid == ::geteuid());
}

bool group(const std::string& parameter, const ConditionContext&) {
    const auto gid = sys::find_group(parameter);
    if (!gid)
        return false;
    std::array<gid_t, 1024> groups;
    const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
    return *gid == ::getgid() || *gid == ::getegid() ||
           (count > 0 && std::find(groups.begin(), groups.begin() + count, *gid) != groups.begin() + count);
}

bool control_group_controller(const std::string& parameter, const ConditionContext&) {
    const bool unified = exists("/sys/fs/cgroup/cgroup.controllers");
    if (parameter == "v1" || parameter == "v2")
        return unified == (parameter == "v2");
    const std::string controllers = read_file("/sys/fs/cgroup/cgroup.controllers");
    for (const std::string& wanted : words_of(parameter))
        if (unified ? !has_word(controllers, wanted) : !exists(("/sys/fs/cgroup/" + wanted).c_str()))
            return false;
    return true;
}

bool memory(const std::string& parameter, const ConditionContext&) {
    const auto pages = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES));
    std::uint64_t bytes = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    const std::string limit = read_file("/sys/fs/cgroup/memory.max");
    std::uint64_t limited = 0;
    if (std::from_chars(limit.data(), limit.data() + limit.size(), limited).ec == std::errc{} && limited > 0)
        bytes = std::min(bytes, limited);
    return number_matches(parameter, bytes, true);
}

bool cpus(const std::string& parameter, const ConditionContext&) {
    cpu_set_t set;
    CPU_ZERO(&set);
    const int count = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return number_matches(parameter, static_cast<std::uint64_t>(count), false);
}

bool cpu_feature(const std::string& parameter, const ConditionContext&) {
    const std::string text = read_file("/proc/cpuinfo");
    for (const char* row : {"flags", "Features"}) { // x86, arm
        const std::size_t at = text.find(row);
        if (at != text.npos)
            return has_word(text.substr(at, text.find('\n', at) - at), parameter);
    }
    return false;
}

bool os_release(const std::string& parameter, const ConditionContext&) {
    std::string text = read_file("/etc/os-release");
    if (text.empty())
        text = read_file("/usr/lib/os-release");
    for (const std::string& word : words_of(parameter)) {
        const std::size_t end = word.find_first_of("<>=!$");
        if (end == word.npos)
            return false;
        const std::string actual = sys::value_in(text, word.substr(0, end));
        std::string_view rest = std::string_view(word).substr(end);
        std::string_view operand = rest;
        const Comparison comparison = take_operator(operand);
        const bool plain = comparison == Comparison::Equal && !rest.starts_with("==");
        if (plain ? actual != operand : !version_matches(rest, actual))
            return false;
    }
    return true;
}

bool memory_pressure(const std::string& parameter, const ConditionContext&) {
    return pressure_at_most(parameter, "/proc/pressure/memory", "full");
}

bool cpu_pressure(const std::string& parameter, const ConditionContext&) {
    return pressure_at_most(parameter, "/proc/pressure/cpu", "some");
}

bool io_pressure(const std::string& parameter, const ConditionContext&) {
    return pressure_at_most(parameter, "/proc/pressure/io", "full");
}

} // namespace monoinit::exec
