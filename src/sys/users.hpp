#pragma once
// Users and groups from /etc/passwd and /etc/group, read by us: getpwnam(3) of a static glibc needs NSS modules at run
// time and may block on the network. Files are streamed; a line that is too long or broken is skipped, whatever its size.
// Tested by tests/unit/sys/users_test.cpp.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace monoinit::sys {

struct User {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    std::string home, shell;
};

/// Where the files are; another directory in tests and with --root.
struct UserFiles {
    std::string passwd = "/etc/passwd", group = "/etc/group";
};

/// "1000" -> 1000; nothing for names, signs, blanks and the two ids that mean "none" (65535 and 2^32-1).
std::optional<std::uint32_t> parse_id(std::string_view text);

/// By name, else by number. A number without an entry is no user (systemd: 217/USER).
std::optional<User> find_user(std::string_view name_or_id, const UserFiles& files = {});
std::optional<User> find_user_by_id(uid_t uid, const UserFiles& files = {});
/// By name, else by number; a number needs no entry.
std::optional<gid_t> find_group(std::string_view name_or_id, const UserFiles& files = {});
/// The name of a group; empty if it has none.
std::string group_name(gid_t gid, const UserFiles& files = {});
/// The groups that list `user` as a member, and `primary`, sorted, once each.
std::vector<gid_t> supplementary_groups(std::string_view user, gid_t primary, const UserFiles& files = {});
/// Whether `user` is in the group called `group` (as member, or as its primary group).
bool is_member(std::string_view user, gid_t primary, std::string_view group, const UserFiles& files = {});

} // namespace monoinit::sys
