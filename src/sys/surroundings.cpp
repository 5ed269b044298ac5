// See surroundings.hpp. Tested by tests/unit/sys/surroundings_test.cpp.
#include "sys/surroundings.hpp"

#include "base/strings.hpp"
#include "sys/proc.hpp"
#include "sys/real_files.hpp"
#include "sys/users.hpp"

#include <charconv>
#include <cstdlib>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace monoinit::sys {

namespace {

constexpr std::size_t size_limit = 1 << 20;
constexpr long tmpfs_magic = 0x01021994, ramfs_magic = static_cast<long>(0x858458f6);

std::string slurp(const std::string& path) {
    auto text = RealFiles().read(path, size_limit);
    return text ? *std::move(text) : std::string{};
}

template <class T>
std::optional<T> number(std::string_view text, int base = 10) {
    T value{};
    text = base::trim(text);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return error == std::errc{} && end != text.data() ? std::optional(value) : std::nullopt;
}

/// Words between blanks of any number.
std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    while (!(line = base::trim(line)).empty()) {
        words.push_back(line.substr(0, line.find_first_of(" \t")));
        line.remove_prefix(words.back().size());
    }
    return words;
}

/// The value behind "Name:" in the text of a status file.
std::string_view field_of(std::string_view status, std::string_view name) {
    for (const std::string_view line : base::split(status, '\n'))
        if (line.starts_with(name) && line.substr(name.size()).starts_with(':'))
            return base::trim(line.substr(name.size() + 1));
    return {};
}

std::string variable(const char* name) {
    const char* const value = ::getenv(name);
    return value == nullptr ? "" : value;
}

/// By another user than we are, perhaps: so the mode counts, not access(2).
bool may_write(const std::string& path, const ProcessRights& who) {
    struct statvfs system;
    struct stat status;
    if (::statvfs(path.c_str(), &system) != 0 || (system.f_flag & ST_RDONLY) != 0 || ::stat(path.c_str(), &status) != 0)
        return false;
    const mode_t bit = status.st_uid == who.uid ? 0200 : status.st_gid == who.gid ? 0020 : 0002;
    return who.uid == 0 || (status.st_mode & bit) != 0;
}

bool is_on_disk(const std::string& path) {
    struct statfs system;
    return !path.empty() && ::statfs(path.c_str(), &system) == 0 && system.f_type != tmpfs_magic && system.f_type != ramfs_magic;
}

std::string line_of(pid_t pid) {
    const std::string line = base::join(command_line(pid), " ");
    return base::printable(line.empty() ? command_name(pid) : line, 120);
}

std::string terminal_of(pid_t pid) {
    char target[256];
    const std::string link = "/proc/" + std::to_string(pid) + "/fd/0";
    const ssize_t size = ::readlink(link.c_str(), target, sizeof target);
    const std::string_view name(target, size > 0 ? static_cast<std::size_t>(size) : 0);
    return name.starts_with("/dev/pts/") || name.starts_with("/dev/tty") || name == "/dev/console" ? std::string(name) : "";
}

void look_at_time_and_words(Surroundings& around) {
    around.zone = variable("TZ");
    around.has_localtime = RealFiles().kind("/etc/localtime").has_value();
    const std::string zone = around.zone.starts_with(':') ? around.zone.substr(1) : around.zone;
    if (zone.find('/') != zone.npos) // "JST-9" says everything itself
        around.zone_known = RealFiles().kind(zone.starts_with('/') ? zone : "/usr/share/zoneinfo/" + zone).has_value();
    around.locale = variable("LC_ALL").empty() ? variable("LANG") : variable("LC_ALL");
    if (around.locale.empty())
        around.locale = around.place.locale;
}

} // namespace

ProcessRights parse_rights(std::string_view status) {
    ProcessRights rights;
    const auto uids = words_of(field_of(status, "Uid")), gids = words_of(field_of(status, "Gid"));
    if (uids.size() != 4 || gids.size() != 4)
        return rights;
    rights.known = true;
    rights.uid = number<uid_t>(uids[1]).value_or(0);
    rights.gid = number<gid_t>(gids[1]).value_or(0);
    rights.effective = number<std::uint64_t>(field_of(status, "CapEff"), 16).value_or(0);
    rights.no_new_privileges = field_of(status, "NoNewPrivs") == "1";
    rights.seccomp = number<int>(field_of(status, "Seccomp")).value_or(-1);
    return rights;
}

std::optional<LimitPair> parse_limit_row(std::string_view limits, std::string_view name) {
    for (const std::string_view line : base::split(limits, '\n')) {
        if (!line.starts_with(name))
            continue;
        const auto words = words_of(line.substr(name.size()));
        if (words.size() < 2)
            return std::nullopt;
        constexpr std::uint64_t unlimited = ~std::uint64_t{0};
        return LimitPair{number<std::uint64_t>(words[0]).value_or(unlimited), number<std::uint64_t>(words[1]).value_or(unlimited)};
    }
    return std::nullopt;
}

bool maps_all_users(std::string_view uid_map) {
    const auto words = words_of(uid_map.substr(0, uid_map.find('\n')));
    return words.size() == 3 && words[0] == "0" && words[1] == "0" && words[2] == "4294967295";
}

std::vector<std::string> unmounted_entries(std::string_view fstab, std::string_view mounts) {
    std::vector<std::string> points;
    for (const std::string_view line : base::split(fstab, '\n')) {
        std::vector<std::string> fields;
        for (std::string_view rest = base::trim(line); !rest.empty() && fields.size() < 4; rest = base::trim(rest)) {
            const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
            fields.emplace_back(rest.substr(0, end));
            rest.remove_prefix(end);
        }
        const bool real = fields.size() >= 3 && !fields[0].starts_with('#') && fields[1].starts_with('/') && fields[2] != "swap";
        if (real && mount_options(mounts, fields[1]).empty())
            points.push_back(fields[1]);
    }
    return points;
}

std::string mount_options(std::string_view mounts, std::string_view point) {
    std::string options;
    for (const std::string_view line : base::split(mounts, '\n'))
        if (const auto words = words_of(line); words.size() >= 4 && words[1] == point)
            options = words[3];
    return options;
}

bool hides_processes(std::string_view proc_options) {
    for (const std::string_view option : base::split(proc_options, ','))
        if (option.starts_with("hidepid="))
            return option != "hidepid=0" && option != "hidepid=off";
    return false;
}

Surroundings look_closely(pid_t subject, const std::string& state_directory) {
    Surroundings around;
    around.place = look_around();
    around.engine_version = value_in(slurp("/run/.containerenv"), "engine");
    around.subject = subject != 0 ? subject : ::getpid();
    const std::string self = "/proc/" + std::to_string(around.subject);
    const std::string uid_map = slurp(self + "/uid_map");
    around.user_namespace = !uid_map.empty() && !maps_all_users(uid_map);
    if (const auto stat = stat_of(around.subject)) {
        around.subject_parent = stat->parent;
        around.subject_session = stat->session;
    }
    around.pid1_name = command_name(1);
    around.pid1_line = line_of(1);
    around.parent_line = around.subject_parent > 0 ? line_of(around.subject_parent) : "";
    around.rights = parse_rights(slurp(self + "/status"));
    around.has_passwd_entry = find_user_by_id(around.rights.uid).has_value();
    around.run_writable = may_write("/run", around.rights);
    around.tmp_writable = may_write("/tmp", around.rights);
    around.shm_writable = may_write("/dev/shm", around.rights);
    around.root_writable = may_write("/", {.uid = 0}); // nobody but root should; it is the mount that is asked about
    if (struct statvfs shm; ::statvfs("/dev/shm", &shm) == 0)
        around.shm_size = static_cast<std::uint64_t>(shm.f_blocks) * shm.f_frsize;
    around.state_on_disk = is_on_disk(state_directory);
    around.fstab = unmounted_entries(slurp("/etc/fstab"), slurp("/proc/self/mounts"));
    around.hidden_processes = hides_processes(mount_options(slurp("/proc/self/mounts"), "/proc"));
    around.dev_log = RealFiles().kind("/dev/log").has_value();
    const std::string limits = slurp(self + "/limits");
    around.nofile = parse_limit_row(limits, "Max open files");
    around.nproc = parse_limit_row(limits, "Max processes");
    around.core = parse_limit_row(limits, "Max core file size");
    around.terminal = terminal_of(around.subject);
    look_at_time_and_words(around);
    return around;
}

} // namespace monoinit::sys
