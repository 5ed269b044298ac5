// See users.hpp. Tested by tests/unit/sys/users_test.cpp.

#include "sys/users.hpp"

#include "base/strings.hpp"
#include "sys/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <sys/stat.h>

namespace monoinit::sys {

namespace {

constexpr std::size_t line_limit = 1 << 20; ///< a group may list many members
using Fields = std::vector<std::string_view>;

/// Calls visit(fields) for every line until it returns true. Memory use: one line.
void visit_lines(const std::string& path, const std::function<bool(const Fields&)>& visit) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat info {};
    if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode))
        return;
    std::array<char, 16 << 10> buffer;
    std::string line;
    bool too_long = false;
    const auto end_line = [&] {
        const bool usable = !too_long && !line.empty() && line.front() != '#' && line.find('\0') == std::string::npos;
        const bool stop = usable && visit(base::split(line, ':'));
        line.clear();
        too_long = false;
        return stop;
    };
    for (;;) {
        const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        std::string_view chunk(buffer.data(), static_cast<std::size_t>(got));
        while (!chunk.empty()) {
            const std::size_t newline = chunk.find('\n');
            const std::string_view part = chunk.substr(0, newline);
            too_long = too_long || line.size() + part.size() > line_limit;
            if (!too_long)
                line.append(part);
            if (newline == std::string_view::npos)
                break;
            if (end_line())
                return;
            chunk.remove_prefix(newline + 1);
        }
    }
    (void)end_line(); // a last line without newline counts
}

std::optional<User> user_of(const Fields& fields) {
    if (fields.size() < 7 || fields[0].empty())
        return std::nullopt;
    const auto uid = parse_id(fields[2]), gid = parse_id(fields[3]);
    if (!uid || !gid)
        return std::nullopt;
    return User{std::string(fields[0]), *uid, *gid, std::string(fields[5]), std::string(fields[6])};
}

template <class Match> std::optional<User> first_user(const UserFiles& files, Match match) {
    std::optional<User> found;
    visit_lines(files.passwd, [&](const Fields& fields) {
        if (auto user = user_of(fields); user && match(*user))
            found = std::move(user);
        return found.has_value();
    });
    return found;
}

/// Calls visit(name, gid, members) for every group until it returns true.
void visit_groups(const UserFiles& files, const std::function<bool(std::string_view, gid_t, std::string_view)>& visit) {
    visit_lines(files.group, [&](const Fields& fields) {
        if (fields.size() < 4 || fields[0].empty())
            return false;
        const auto gid = parse_id(fields[2]);
        return gid && visit(fields[0], *gid, fields[3]);
    });
}

bool lists(std::string_view members, std::string_view user) {
    while (!members.empty()) {
        const std::size_t comma = members.find(',');
        if (members.substr(0, comma) == user)
            return true;
        members.remove_prefix(comma == std::string_view::npos ? members.size() : comma + 1);
    }
    return false;
}

} // namespace

std::optional<std::uint32_t> parse_id(std::string_view text) {
    std::uint32_t id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size() || id == 0xffff || id == 0xffffffff)
        return std::nullopt;
    return id;
}

std::optional<User> find_user(std::string_view name_or_id, const UserFiles& files) {
    if (name_or_id.empty())
        return std::nullopt;
    if (auto user = first_user(files, [&](const User& candidate) { return candidate.name == name_or_id; }))
        return user;
    const auto uid = parse_id(name_or_id);
    return uid ? find_user_by_id(*uid, files) : std::nullopt;
}

std::optional<User> find_user_by_id(uid_t uid, const UserFiles& files) {
    return first_user(files, [&](const User& candidate) { return candidate.uid == uid; });
}

std::optional<gid_t> find_group(std::string_view name_or_id, const UserFiles& files) {
    std::optional<gid_t> found;
    visit_groups(files, [&](std::string_view name, gid_t gid, std::string_view) {
        if (name == name_or_id)
            found = gid;
        return found.has_value();
    });
    return found ? found : parse_id(name_or_id);
}

std::string group_name(gid_t gid, const UserFiles& files) {
    std::string found;
    visit_groups(files, [&](std::string_view name, gid_t id, std::string_view) {
        if (id == gid)
            found = name;
        return !found.empty();
    });
    return found;
}

std::vector<gid_t> supplementary_groups(std::string_view user, gid_t primary, const UserFiles& files) {
    std::vector<gid_t> groups{primary};
    visit_groups(files, [&](std::string_view, gid_t gid, std::string_view members) {
        if (lists(members, user))
            groups.push_back(gid);
        return false;
    });
    std::ranges::sort(groups);
    groups.erase(std::ranges::unique(groups).begin(), groups.end());
    return groups;
}

bool is_member(std::string_view user, gid_t primary, std::string_view group, const UserFiles& files) {
    bool member = false;
    visit_groups(files, [&](std::string_view name, gid_t gid, std::string_view members) {
        member = member || (name == group && (gid == primary || lists(members, user)));
        return member;
    });
    return member;
}

} // namespace monoinit::sys
