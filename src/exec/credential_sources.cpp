// Where credentials come from: files, directories, AF_UNIX sockets, the container's secrets, the unit itself. Runs in a guard,
// so it may hang on any of them. Tested by tests/unit/exec/credential_files_test.cpp.
#include "exec/credential_files.hpp"

#include "exec/environment.hpp"
#include "sys/directory_reader.hpp"
#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"
#include "unit/values.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

using sys::UniqueFd;

constexpr std::size_t total_limit = 1 << 20; ///< names and data of a unit, as systemd has it
constexpr int depth_limit = 16;

base::Error too_large() {
    return base::Error{base::Errc::TooLarge, E2BIG, "more than 1 MB of credentials", {}};
}

bool is_missing(const base::Error& error) {
    return error.errnum == ENOENT || error.errnum == ENOTDIR;
}

/// The address we connect from tells the server who asks: NUL random "/unit/" UNIT "/" ID. One that is too long says nothing.
void introduce(int socket, const std::string& unit, const std::string& id) {
    std::uint64_t random = 0;
    if (::getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        return;
    char digits[16];
    const char* const end = std::to_chars(digits, digits + sizeof digits, random, 16).ptr;
    const std::string name = std::string(1, '\0') + std::string(static_cast<const char*>(digits), end) + "/unit/" + unit + "/" + id;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (name.size() > sizeof address.sun_path)
        return;
    std::memcpy(address.sun_path, name.data(), name.size());
    (void)::bind(socket, reinterpret_cast<const sockaddr*>(&address),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())); // it can do without
}

base::Result<UniqueFd> connect_to(const std::string& path, const std::string& unit, const std::string& id) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return base::fail_errno(ENAMETOOLONG, path);
    std::memcpy(address.sun_path, path.data(), path.size());
    UniqueFd fd(sys::open_socket(AF_UNIX, SOCK_STREAM));
    if (!fd)
        return base::fail_errno(errno, path);
    introduce(fd.get(), unit, id);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return base::fail_errno(errno, path);
    return fd;
}

std::vector<std::string> sorted_names(int directory) {
    std::vector<std::string> names;
    sys::DirectoryReader reader(UniqueFd(sys::open_file_at(directory, ".", O_RDONLY | O_DIRECTORY)));
    while (const char* const name = reader.next())
        if (name[0] != '.')
            names.emplace_back(name);
    std::sort(names.begin(), names.end());
    return names;
}

mode_t kind_of(int fd) {
    struct stat status;
    return ::fstat(fd, &status) == 0 ? status.st_mode & S_IFMT : 0;
}

class Gatherer {
  public:
    Gatherer(const SecretsPlan& plan, const std::string& unit) : plan_(plan), wanted_(*plan.wanted), unit_(unit) {}

    base::Result<std::vector<LoadedCredential>> gather() {
        for (const unit::Credential& one : wanted_.load)
            TRY(named("LoadCredential=" + one.id, load(one)));
        for (const std::string& pattern : wanted_.import)
            TRY(named("ImportCredential=" + pattern, import(pattern)));
        for (const unit::Credential& one : wanted_.set)
            if (!has(one.id))
                TRY(named("SetCredential=" + one.id, add(one.id, one.source, "SetCredential=")));
        return std::move(found_);
    }

  private:
    static base::Result<void> named(const std::string& directive, base::Result<void> result) {
        if (!result)
            result.error().what = directive + ": " + result.error().what;
        return result;
    }
    bool has(const std::string& id) const {
        return std::any_of(found_.begin(), found_.end(), [&](const auto& one) { return one.id == id; });
    }
    bool is_set(const std::string& id) const {
        return std::any_of(wanted_.set.begin(), wanted_.set.end(), [&](const auto& one) { return one.id == id; });
    }

    base::Result<void> add(const std::string& id, std::string data, std::string from) {
        if (id.size() + data.size() > left_)
            return too_large();
        left_ -= id.size() + data.size();
        found_.push_back({id, std::move(data), std::move(from)});
        return {};
    }

    base::Result<void> read(const std::string& id, int fd, const std::string& from) {
        std::string data;
        char buffer[8192];
        ssize_t size;
        while ((size = ::read(fd, buffer, sizeof buffer)) > 0) {
            if (data.size() + static_cast<std::size_t>(size) > left_)
                return too_large();
            data.append(buffer, static_cast<std::size_t>(size));
        }
        if (size < 0)
            return base::fail_errno(errno, from);
        return add(id, std::move(data), from);
    }

    base::Result<void> load(const unit::Credential& one) {
        if (has(one.id)) // a directory brought it
            return {};
        if (one.source.starts_with('/')) {
            base::Result<void> loaded = from_path(one.id, one.source);
            if (!loaded && is_missing(loaded.error()) && is_set(one.id))
                return {};
            return loaded;
        }
        for (const std::string& place : plan_.places)
            if (base::Result<void> loaded = from_path(one.id, place + "/" + one.source); loaded || !is_missing(loaded.error()))
                return loaded;
        return {}; // systemd's own units rely on it: the service sees for itself that the file is not there
    }

    base::Result<void> from_path(const std::string& id, const std::string& path) {
        UniqueFd fd(sys::open_file(path.c_str(), O_RDONLY));
        if (!fd && errno == ENXIO)
            fd = TRY(connect_to(path, unit_, id));
        if (!fd)
            return base::fail_errno(errno, path);
        return kind_of(fd.get()) == S_IFDIR ? from_directory(id, fd.get(), fd.get(), path, 0) : read(id, fd.get(), path);
    }

    /// Every file below, as PREFIX_NAME. Symlinks count only if they stay below (`top`): so Kubernetes mounts secrets, and
    /// so nobody who may write there can have another's file read.
    base::Result<void> from_directory(const std::string& prefix, int top, int directory, const std::string& path, int depth) {
        if (depth > depth_limit)
            return base::fail(base::Errc::TooLarge, path + ": nested too deeply");
        for (const std::string& name : sorted_names(directory)) {
            const std::string id = prefix + "_" + name, from = path + "/" + name;
            UniqueFd fd(sys::open_file_at(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
            const bool link = !fd && errno == ELOOP;
            if (link && directory == top)
                fd.reset(sys::open_at2(top, name.c_str(), O_RDONLY | O_NONBLOCK, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS));
            if (!fd && !link && errno != ENOENT && errno != ENXIO)
                return base::fail_errno(errno, from);
            const mode_t kind = fd ? kind_of(fd.get()) : 0;
            if (kind == S_IFDIR && !link)
                TRY(from_directory(id, top, fd.get(), from, depth + 1));
            if (kind != S_IFREG || has(id))
                continue;
            if (!unit::is_credential_name(id))
                return base::fail(base::Errc::Invalid, from + " would get a name that no credential can have");
            TRY(read(id, fd.get(), from));
        }
        return {};
    }

    base::Result<void> import(const std::string& text) {
        const auto colon = text.find(':');
        const std::string pattern = text.substr(0, colon);
        const bool any = pattern.ends_with('*');
        const std::string prefix = any ? pattern.substr(0, pattern.size() - 1) : pattern;
        for (const std::string& place : plan_.places) {
            const UniqueFd directory(sys::open_file(place.c_str(), O_RDONLY | O_DIRECTORY));
            if (!directory)
                continue;
            for (const std::string& name : sorted_names(directory.get())) {
                if (any ? !name.starts_with(prefix) : name != prefix)
                    continue;
                const std::string id = colon == text.npos ? name : text.substr(colon + 1) + name.substr(prefix.size());
                if (has(id) || !unit::is_credential_name(id))
                    continue;
                const UniqueFd fd(sys::open_file_at(directory.get(), name.c_str(), O_RDONLY | O_NONBLOCK));
                if (fd && kind_of(fd.get()) == S_IFREG)
                    TRY(read(id, fd.get(), place + "/" + name));
            }
        }
        return {};
    }

    const SecretsPlan& plan_;
    const unit::CredentialSection& wanted_;
    const std::string& unit_;
    std::size_t left_ = total_limit;
    std::vector<LoadedCredential> found_;
};

} // namespace

std::vector<std::string> credential_places(const std::vector<std::string>& environment) {
    std::vector<std::string> places;
    if (const auto given = find_variable(environment, "CREDENTIALS_DIRECTORY"); given && given->starts_with('/'))
        places.emplace_back(*given);
    for (const std::string_view place : {container_secrets, std::string_view("/etc/credstore"), std::string_view("/run/credstore"),
                                         std::string_view("/usr/lib/credstore")})
        places.emplace_back(place);
    return places;
}

base::Result<std::vector<LoadedCredential>> gather_credentials(const SecretsPlan& plan, const std::string& unit) {
    return Gatherer(plan, unit).gather();
}

} // namespace monoinit::exec
