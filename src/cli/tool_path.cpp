// systemd-path: where things lie, file-hierarchy(7). Judged by the real one in tests/system/tools.py.
#include "base/strings.hpp"
#include "cli/programs.hpp"
#include "cli/tool.hpp"
#include "sys/real_files.hpp"
#include "sys/users.hpp"
#include "unit/loader.hpp"

#include <array>
#include <cstdlib>
#include <unistd.h>

namespace monoinit::cli {

namespace {

constexpr ToolOption options[] = {{"suffix", 0, Argument::Required, "SUFFIX", "behind each path"}};
constexpr Tool tool{"systemd-path", "[OPTIONS…] [NAME…]", "Prints where things lie; without names, all of them.", options};

#if defined(__x86_64__)
#define MONOINIT_TRIPLET "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MONOINIT_TRIPLET "aarch64-linux-gnu"
#else
#define MONOINIT_TRIPLET "."
#endif

/// How a row's text becomes a path.
enum class Kind : unsigned char {
    Plain,   ///< as it is
    Home,    ///< below the home directory
    Xdg,     ///< $VARIABLE, else below the home directory
    Runtime, ///< $VARIABLE, else nothing
    Temp,    ///< $TMPDIR and its kin, else as it is
    UserDir, ///< a line of user-dirs.dirs, else the home directory
    Search,  ///< $VARIABLE:$VARIABLES, see search()
    Units,   ///< the unit path
};

struct Row {
    std::string_view name;
    Kind kind = Kind::Plain;
    std::string_view text;          ///< path, or what comes in a search after the user's own
    const char* variable = nullptr; ///< of the user's own
    std::string_view own;           ///< where it is, below the home directory, without the variable
    const char* list = nullptr;     ///< the variable instead of `text`
};

// clang-format off
constexpr auto rows = std::to_array<Row>({
    {"temporary", Kind::Temp, "/tmp"},
    {"temporary-large", Kind::Temp, "/var/tmp"},
    {"system-binaries", Kind::Plain, "/usr/bin"},
    {"system-include", Kind::Plain, "/usr/include"},
    {"system-library-private", Kind::Plain, "/usr/lib"},
    {"system-library-arch", Kind::Plain, "/usr/lib/" MONOINIT_TRIPLET},
    {"system-shared", Kind::Plain, "/usr/share"},
    {"system-configuration-factory", Kind::Plain, "/usr/share/factory/etc"},
    {"system-state-factory", Kind::Plain, "/usr/share/factory/var"},
    {"system-configuration", Kind::Plain, "/etc"},
    {"system-runtime", Kind::Plain, "/run"},
    {"system-runtime-logs", Kind::Plain, "/run/log"},
    {"system-state-private", Kind::Plain, "/var/lib"},
    {"system-state-logs", Kind::Plain, "/var/log"},
    {"system-state-cache", Kind::Plain, "/var/cache"},
    {"system-state-spool", Kind::Plain, "/var/spool"},
    {"user-binaries", Kind::Home, ".local/bin"},
    {"user-library-private", Kind::Home, ".local/lib"},
    {"user-library-arch", Kind::Home, ".local/lib/" MONOINIT_TRIPLET},
    {"user-shared", Kind::Xdg, "", "XDG_DATA_HOME", ".local/share"},
    {"user-configuration", Kind::Xdg, "", "XDG_CONFIG_HOME", ".config"},
    {"user-runtime", Kind::Runtime, "", "XDG_RUNTIME_DIR"},
    {"user-state-cache", Kind::Xdg, "", "XDG_CACHE_HOME", ".cache"},
    {"user", Kind::Home, ""},
    {"user-documents", Kind::UserDir, "XDG_DOCUMENTS_DIR"},
    {"user-music", Kind::UserDir, "XDG_MUSIC_DIR"},
    {"user-pictures", Kind::UserDir, "XDG_PICTURES_DIR"},
    {"user-videos", Kind::UserDir, "XDG_VIDEOS_DIR"},
    {"user-download", Kind::UserDir, "XDG_DOWNLOAD_DIR"},
    {"user-public", Kind::UserDir, "XDG_PUBLICSHARE_DIR"},
    {"user-templates", Kind::UserDir, "XDG_TEMPLATES_DIR"},
    {"user-desktop", Kind::UserDir, "XDG_DESKTOP_DIR"},
    {"search-binaries", Kind::Search, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", nullptr, "", "PATH"},
    {"search-binaries-default", Kind::Plain, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
    {"search-library-private", Kind::Search, "/usr/local/lib:/usr/lib:/lib", nullptr, ".local/lib"},
    {"search-library-arch", Kind::Search, "/usr/lib/" MONOINIT_TRIPLET, nullptr, ".local/lib/" MONOINIT_TRIPLET, "LD_LIBRARY_PATH"},
    {"search-shared", Kind::Search, "/usr/local/share:/usr/share", "XDG_DATA_HOME", ".local/share", "XDG_DATA_DIRS"},
    {"search-configuration-factory", Kind::Plain, "/usr/local/share/factory/etc:/usr/share/factory/etc"},
    {"search-state-factory", Kind::Plain, "/usr/local/share/factory/var:/usr/share/factory/var"},
    {"search-configuration", Kind::Search, "/etc", "XDG_CONFIG_HOME", ".config", "XDG_CONFIG_DIRS"},
    {"systemd-util", Kind::Plain, "/usr/lib/systemd"},
    {"systemd-system-unit", Kind::Plain, "/usr/lib/systemd/system"},
    {"systemd-system-preset", Kind::Plain, "/usr/lib/systemd/system-preset"},
    {"systemd-system-conf", Kind::Plain, "/etc/systemd/system"},
    {"systemd-user-unit", Kind::Plain, "/usr/lib/systemd/user"},
    {"systemd-user-preset", Kind::Plain, "/usr/lib/systemd/user-preset"},
    {"systemd-user-conf", Kind::Plain, "/etc/systemd/user"},
    {"systemd-search-system-unit", Kind::Units, ""},
    {"systemd-system-generator", Kind::Plain, "/usr/lib/systemd/system-generators"},
    {"systemd-user-generator", Kind::Plain, "/usr/lib/systemd/user-generators"},
    {"systemd-search-system-generator", Kind::Plain, "/run/systemd/system-generators:/etc/systemd/system-generators:/usr/local/lib/systemd/system-generators:/usr/lib/systemd/system-generators"},
    {"systemd-search-user-generator", Kind::Plain, "/run/systemd/user-generators:/etc/systemd/user-generators:/usr/local/lib/systemd/user-generators:/usr/lib/systemd/user-generators"},
    {"systemd-sleep", Kind::Plain, "/usr/lib/systemd/system-sleep"},
    {"systemd-shutdown", Kind::Plain, "/usr/lib/systemd/system-shutdown"},
    {"tmpfiles", Kind::Plain, "/usr/lib/tmpfiles.d"},
    {"sysusers", Kind::Plain, "/usr/lib/sysusers.d"},
    {"sysctl", Kind::Plain, "/usr/lib/sysctl.d"},
    {"binfmt", Kind::Plain, "/usr/lib/binfmt.d"},
    {"modules-load", Kind::Plain, "/usr/lib/modules-load.d"},
    {"catalog", Kind::Plain, "/usr/lib/systemd/catalog"},
    {"systemd-search-network", Kind::Plain, "/etc/systemd/network:/run/systemd/network:/usr/local/lib/systemd/network:/usr/lib/systemd/network"},
});
// clang-format on

std::optional<std::string> variable(const char* name) {
    const char* const value = name == nullptr ? nullptr : ::getenv(name);
    return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

/// With `strict` only where $HOME says it.
std::optional<std::string> home(bool strict) {
    if (const auto said = variable("HOME"); said && said->front() == '/')
        return said;
    if (strict)
        return std::nullopt;
    const auto user = sys::find_user_by_id(::getuid());
    return user ? user->home : ::getuid() == 0 ? "/root" : "/";
}

std::string below(const std::string& directory, std::string_view name) { return name.empty() ? directory : directory + "/" + std::string(name); }

std::optional<std::string> own_place(const Row& row, bool strict) {
    if (const auto said = variable(row.variable); said && said->front() == '/')
        return said;
    const auto directory = home(strict);
    return directory ? std::optional(below(*directory, row.own)) : std::nullopt;
}

/// NAME="$HOME/Music" in ~/.config/user-dirs.dirs.
std::string user_directory(std::string_view name) {
    const std::string directory = *home(false);
    const auto config = variable("XDG_CONFIG_HOME").value_or(directory + "/.config");
    if (const auto text = sys::RealFiles().read(config + "/user-dirs.dirs", 64 << 10))
        for (std::string_view line : base::split(*text, '\n')) {
            line = base::trim(line);
            if (!line.starts_with(name) || !line.substr(name.size()).starts_with("=\"") || !line.ends_with('"'))
                continue;
            const std::string_view value = line.substr(name.size() + 2, line.size() - name.size() - 3);
            if (value.starts_with("$HOME"))
                return directory + std::string(value.substr(5));
            if (value.starts_with('/'))
                return std::string(value);
        }
    return name == "XDG_DESKTOP_DIR" ? directory + "/Desktop" : directory;
}

std::string search(const Row& row) {
    const auto listed = variable(row.list);
    if (listed && row.variable == nullptr)
        return *listed;
    std::string out;
    if (!row.own.empty())
        if (const auto own = own_place(row, true))
            out = *own + ":";
    return out + listed.value_or(std::string(row.text));
}

std::optional<std::string> path_of(const Row& row) {
    switch (row.kind) {
    case Kind::Plain: return std::string(row.text);
    case Kind::Home: return below(*home(false), row.text);
    case Kind::Xdg: return own_place(row, false);
    case Kind::Runtime: return variable(row.variable);
    case Kind::UserDir: return user_directory(row.text);
    case Kind::Search: return search(row);
    case Kind::Units: return base::join(unit::default_unit_path(variable("SYSTEMD_UNIT_PATH").value_or(""), ""), ":");
    case Kind::Temp:
        for (const char* name : {"TMPDIR", "TEMP", "TMP"})
            if (const auto said = variable(name); said && said->front() == '/' && sys::RealFiles().kind(*said))
                return said;
        return std::string(row.text);
    }
    return std::nullopt;
}

/// Behind every part of a search path.
std::string with_suffix(const std::string& paths, const std::string& suffix) {
    if (suffix.empty())
        return paths;
    std::string out;
    for (const std::string_view path : base::split(std::string_view(paths), ':'))
        out += (out.empty() ? "" : ":") + std::string(path) + "/" + suffix;
    return out;
}

} // namespace

int path_main(int argc, char** argv, const Hooks&) {
    const ToolLine line = read_tool_line(tool, argc, argv);
    if (line.status)
        return *line.status;
    const std::string suffix = line.last("suffix").value_or("");
    if (line.words.empty()) {
        for (const Row& row : rows)
            if (const auto path = path_of(row); path && !put_out(fmt::format("{}: {}\n", row.name, with_suffix(*path, suffix))))
                return 1;
        return 0;
    }
    int status = 0;
    for (const std::string& word : line.words) {
        const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& each) { return each.name == word; });
        const auto path = row == rows.end() ? std::nullopt : path_of(*row);
        if (row == rows.end())
            status = complain("Path {} not known.", word);
        else if (!path)
            status = complain("Failed to query {}: No such device or address", word);
        else if (!put_out(with_suffix(*path, suffix) + "\n"))
            return 1;
    }
    return status;
}

} // namespace monoinit::cli
