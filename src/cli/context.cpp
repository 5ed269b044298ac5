// Finding files and the running init, and what is said when there is none. Tested by tests/unit/cli.
#include "cli/context.hpp"

#include "base/strings.hpp"
#include "base/time_text.hpp"
#include "config/config.hpp"
#include "sys/clock.hpp"
#include "sys/local_zone.hpp"
#include "sys/proc.hpp"
#include "sys/real_files.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <sys/utsname.h>
#include <unistd.h>

namespace monoinit::cli {

using base::Errc;
using base::Result;

namespace {

void write_all(int fd, std::string& text) {
    std::string_view rest = text;
    while (!rest.empty()) {
        const ssize_t count = ::write(fd, rest.data(), rest.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        rest.remove_prefix(static_cast<std::size_t>(count));
    }
    text.clear();
}

/// What runs as PID 1, and what that usually means.
std::string about_pid_one() {
    const std::string name = sys::command_name(1);
    if (name == "monoinit" || name.starts_with("monoinit:"))
        return "PID 1 is monoinit, but its socket is elsewhere; set MONOINIT_SOCKET or use --socket=";
    std::string line = base::join(sys::command_line(1), " ");
    if (line.empty())
        line = name.empty() ? "unknown" : name;
    std::string hint;
    if (line.find("Container started") != std::string::npos)
        hint = " (the devcontainers wrapper). Set \"overrideCommand\": false";
    else if (name == "docker-init" || name == "tini" || name == "catatonit" || name == "dumb-init")
        hint = ", an init of the container engine. monoinit may run below it, but it does not: make it the ENTRYPOINT";
    else if (name == "systemd")
        hint = ". Use systemctl";
    else
        hint = ". Make monoinit the ENTRYPOINT of the image";
    return "PID 1 is \"" + base::printable(line, 120) + "\"" + hint;
}

std::string first_line(const base::FileSource& files, const std::string& path) {
    const auto text = files.read(path, 4096);
    return text ? std::string(base::trim(base::split(*text, '\n').front())) : std::string();
}

std::string os_release_text(const base::FileSource& files) {
    auto text = files.read("/etc/os-release", 1 << 16);
    if (!text)
        text = files.read("/usr/lib/os-release", 1 << 16);
    return std::move(text).value_or("");
}

/// The value of KEY= in the text of os-release.
std::string os_release(const std::string& text, std::string_view key) {
    for (std::string_view line : base::split(text, '\n')) {
        if (!line.starts_with(key) || !line.substr(key.size()).starts_with('='))
            continue;
        std::string_view value = base::trim(line.substr(key.size() + 1));
        if (value.size() >= 2 && (value.front() == '"' || value.front() == '\''))
            value = value.substr(1, value.size() - 2);
        return std::string(value);
    }
    return "";
}

std::string formatted(const base::Moment& moment, std::string_view form) { return base::time_text(sys::local_zone(), moment.wall, form); }

} // namespace

void Context::flush() {
    if (buffered)
        return;
    write_all(1, out);
    write_all(2, err);
}

Result<control::Client*> Context::init() {
    if (!client_)
        client_ = control::Client::connect(control::find_options(options.socket));
    if (!*client_)
        return client_->error();
    return &**client_;
}

bool Context::has_init() { return options.root.empty() && init().has_value(); }

int Context::complain_no_init(const base::Error& error) {
    if (error.code != Errc::NotFound) {
        complain("{}: {}", program, base::to_string(error));
        return 1;
    }
    if (systemctl())
        complain("System has not been booted with systemd as init system (PID 1). Can't operate.");
    else if (!options.socket.empty())
        complain("no monoinit here: nobody answers at {} (--socket=); without that option the usual places are tried.", base::printable(options.socket));
    else
        complain("no monoinit here: {}.", about_pid_one());
    return 1;
}

base::FileTree& Context::files() {
    if (!files_)
        files_ = std::make_unique<sys::RealFiles>(options.root == "/" ? "" : options.root);
    return *files_;
}

const unit::Loader& Context::loader() {
    if (loader_)
        return *loader_;
    Names path;
    if (has_init()) // it may have been started with --unit-path
        if (const auto info = init().value()->ask<control::ManagerInfo>(control::InfoRequest{}))
            path = info->unit_path;
    unit::Environment environment = offline_environment(options.root, path);
    const auto settings = config::load(files(), config::CommandLine{}, {});
    environment.masked_patterns = unit::machine_masks(settings.config.masked_units);
    loader_ = std::make_unique<unit::Loader>(files(), std::move(environment));
    return *loader_;
}

unit::InstallOptions Context::install_options() const {
    unit::InstallOptions install;
    install.root = options.root == "/" ? "" : options.root;
    install.runtime = options.runtime;
    install.force = options.force > 0;
    return install;
}

std::string own_binary() {
    char path[4096];
    const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
    return length <= 0 ? "monoinit" : std::string(path, static_cast<std::size_t>(length));
}

bool changed_on_disk(Context& context, const std::string& unit, const Names& files, base::Duration loaded) {
    if (files.empty() || files.front().empty())
        return false;
    const auto is_newer = [&](const std::string& path) {
        const auto changed = context.files().changed_at(path);
        return changed && *changed > loaded;
    };
    for (const std::string& path : files)
        if (!context.files().changed_at(path) || is_newer(path))
            return true;
    // Others that may have come: the same name in another place, and drop-ins. A directory changes as its entries do.
    std::set<std::string> places{files.front().substr(0, files.front().rfind('/'))};
    const char* path = ::getenv("SYSTEMD_UNIT_PATH");
    for (std::string& place : unit::default_unit_path(path == nullptr ? "" : path, ""))
        places.insert(std::move(place));
    std::vector<std::string> names{unit, unit.substr(unit.rfind('.') + 1)};
    if (unit::is_instance(unit))
        names.push_back(unit::template_of(unit));
    const std::string suffix = unit.substr(unit.rfind('.'));
    const std::string prefix(unit::prefix_of(unit));
    for (std::size_t dash = prefix.rfind('-'); dash != std::string::npos && dash > 0; dash = prefix.rfind('-', dash - 1))
        names.push_back(prefix.substr(0, dash + 1) + suffix);
    return std::ranges::any_of(places, [&](const std::string& place) {
        return is_newer(place + "/" + unit) || std::ranges::any_of(names, [&](const std::string& name) { return is_newer(place + "/" + name + ".d"); });
    });
}

unit::Environment offline_environment(const std::string& root, const Names& unit_path) {
    unit::Environment environment;
    const sys::RealFiles files(root == "/" ? "" : root);
    const char* path = ::getenv("SYSTEMD_UNIT_PATH");
    environment.unit_path = unit_path.empty() ? unit::default_unit_path(path == nullptr ? "" : path, "") : unit_path;
    const char* zone = ::getenv("TZ");
    environment.time_zone = zone == nullptr ? "" : zone;
    environment.user_defaults = root.empty() || root == "/";
    struct utsname names {};
    if (::uname(&names) == 0) {
        environment.host_name = names.nodename;
        environment.kernel_release = names.release;
        environment.architecture = std::string(names.machine) == "x86_64" ? "x86-64" : std::string(names.machine) == "aarch64" ? "arm64" : names.machine;
    }
    environment.machine_id = first_line(files, "/etc/machine-id");
    environment.boot_id = first_line(sys::RealFiles(), "/proc/sys/kernel/random/boot_id");
    std::erase(environment.boot_id, '-');
    const std::string release = os_release_text(files);
    environment.os_id = os_release(release, "ID");
    environment.os_version_id = os_release(release, "VERSION_ID");
    environment.os_build_id = os_release(release, "BUILD_ID");
    environment.os_variant_id = os_release(release, "VARIANT_ID");
    environment.os_image_id = os_release(release, "IMAGE_ID");
    environment.os_image_version = os_release(release, "IMAGE_VERSION");
    return environment;
}

std::string full_name(Context& context, const std::string& word, std::string_view suffix) {
    std::string name = unit::with_suffix(word, suffix);
    const bool as_written = name == word || name == word + std::string(suffix) || word.starts_with('/');
    if (context.systemctl() && !as_written && word.find_first_of("*?[") == std::string::npos)
        context.remark("Invalid unit name \"{}\" escaped as \"{}\" (maybe you should use systemd-escape?).", base::printable(word, 200), name);
    return name;
}

Names mangled(const Names& words) {
    Names names;
    for (const std::string& word : words)
        names.push_back(word.find_first_of("*?[") == std::string::npos ? unit::with_suffix(word) : word);
    return names;
}

Names mangled(Context& context, const Names& words) {
    Names names;
    for (const std::string& word : words)
        names.push_back(word.find_first_of("*?[") == std::string::npos ? full_name(context, word) : word);
    return names;
}

Result<Names> expand(Context& context, const Names& words, bool* expanded) {
    Names names;
    std::vector<control::UnitSummary> loaded;
    for (const std::string& word : words) {
        if (word.find_first_of("*?[") == std::string::npos) {
            names.push_back(full_name(context, word));
            continue;
        }
        if (expanded != nullptr)
            *expanded = true;
        if (loaded.empty())
            loaded = TRY(ask<control::ListReply>(context, control::ListRequest{})).units;
        const std::string with_type = word + ".service";
        for (const control::UnitSummary& unit : loaded)
            if (unit.load_state == "loaded" && (base::glob_match(word, unit.name) || base::glob_match(with_type, unit.name)))
                names.push_back(unit.name);
    }
    return names;
}

std::string suggest_unit(Context& context, std::string_view name) {
    Names known = context.loader().all_names();
    if (context.has_init())
        if (const auto units = ask<control::ListReply>(context, control::ListRequest{.all = false}))
            for (const auto& unit : units->units)
                known.push_back(unit.name);
    std::vector<std::string> shorter;
    for (const std::string& unit : known)
        if (unit::short_name(unit) != unit::short_name(name)) // as others know it: the name itself is no help
            shorter.emplace_back(unit::short_name(unit));
    const std::string_view best =
        base::closest(unit::short_name(name), {shorter.begin(), shorter.end()});
    return std::string(best);
}

std::string systemd_timestamp(const base::Moment& moment, base::TimestampStyle style) {
    return moment ? base::format_timestamp(moment.wall, sys::local_zone(), style) : "";
}

std::string clock_time(const base::Moment& moment) {
    const bool recent = sys::wall_now() - moment.wall < std::chrono::hours(20);
    return formatted(moment, recent ? "%H:%M:%S %Z" : "%b %e %H:%M %Z");
}

std::string systemd_relative(base::Duration span) {
    // Two units at most, the way format_timestamp_relative() of systemd does it.
    struct Unit { std::int64_t seconds; const char* one; const char* many; };
    const std::int64_t micros = span.count();
    const std::int64_t s = micros / 1'000'000;
    const auto plural = [](std::int64_t n, const char* one, const char* many) { return fmt::format("{} {}", n, n == 1 ? one : many); };
    if (s >= 365 * 86400 + 6 * 3600)
        return plural(s / 31557600, "year", "years") + " " + plural(s % 31557600 / 2629800, "month", "months");
    if (s >= 2629800)
        return plural(s / 2629800, "month", "months") + " " + plural(s % 2629800 / 86400, "day", "days");
    if (s >= 7 * 86400)
        return plural(s / (7 * 86400), "week", "weeks") + " " + plural(s % (7 * 86400) / 86400, "day", "days");
    if (s >= 2 * 86400)
        return plural(s / 86400, "day", "days");
    if (s >= 25 * 3600)
        return fmt::format("{} day {}h", s / 86400, s % 86400 / 3600);
    if (s >= 6 * 3600)
        return fmt::format("{}h", s / 3600);
    if (s >= 3600)
        return fmt::format("{}h {}min", s / 3600, s % 3600 / 60);
    if (s >= 5 * 60)
        return fmt::format("{}min", s / 60);
    if (s >= 60)
        return fmt::format("{}min {}s", s / 60, s % 60);
    if (s > 0)
        return fmt::format("{}s", s);
    if (micros >= 1000)
        return fmt::format("{}ms", micros / 1000);
    return micros > 0 ? fmt::format("{}us", micros) : "now";
}

} // namespace monoinit::cli
