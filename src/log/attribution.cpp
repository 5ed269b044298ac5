// From a process to its unit. Tested by tests/unit/log/attribution_test.cpp.

#include "log/attribution.hpp"

#include "sys/proc.hpp"
#include "sys/process_title.hpp"

namespace monoinit::log {
namespace {

constexpr int highest_tree = 64;
constexpr std::size_t most_known = 256;
constexpr base::Duration kept_for = std::chrono::milliseconds(200); ///< shorter than a pid takes to come round

} // namespace

std::string Attribution::find(pid_t pid) const {
    for (int height = 0; height < highest_tree && pid > 1 && pid != init_; height++) {
        const Facts facts = look_(pid);
        // A name without its end did not fit the room that argv and environment leave for titles.
        if (facts.parent == init_)
            return facts.uid == init_uid_ && facts.title.starts_with(sys::guard_title) && facts.title.ends_with(".service")
                       ? facts.title.substr(sys::guard_title.size())
                       : "";
        pid = facts.parent;
    }
    return "";
}

std::string Attribution::unit_of(pid_t pid, base::Duration now) {
    if (const auto found = known_.find(pid); found != known_.end() && found->second.until > now)
        return found->second.unit;
    if (known_.size() >= most_known)
        known_.clear();
    return (known_[pid] = Known{find(pid), now + kept_for}).unit;
}

Attribution::Facts look_at_process(pid_t pid) {
    sys::ProcessStat stat;
    if (!sys::read_stat(pid, stat))
        return {};
    const auto words = sys::command_line(pid);
    return {stat.parent, sys::user_of(pid).value_or(static_cast<uid_t>(-1)), words.empty() ? std::string() : words.front()};
}

} // namespace monoinit::log
