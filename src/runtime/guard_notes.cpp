// What does not act of what units ask for, said once and kept for status; and what killed guards leave behind. See guards.hpp.
#include "runtime/guards.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "sys/cgroup.hpp"
#include "unit/cgroup_settings.hpp"
#include "unit/name.hpp"

namespace monoinit::runtime {

/// Said once, not at each restart.
void Guards::note_degraded(base::UnitId unit, const std::string& name, std::vector<std::string> notices) {
    std::vector<std::string>& known = notices_[unit];
    if (known == notices)
        return;
    known = std::move(notices);
    for (const std::string& text : known)
        links_.log.say(4, {}, fmt::format("{}: {}", unit::short_name(name), text));
}

/// Which limit does not act on what has just started; empty: all do.
void Guards::note_limits(base::UnitId unit, const std::string& text) {
    std::string& known = limits_[unit];
    if (known == text)
        return;
    known = text;
    if (!text.empty())
        links_.log.say(4, {}, fmt::format("{}: {}", unit::short_name(links_.status(unit).config->name), text));
}

/// A killed guard leaves its command's cgroup behind. Nothing is in it any more, so that nothing has to be waited for.
void Guards::remove_group(base::GuardId guard, base::UnitId unit) const {
    const auto config = links_.status(unit).config;
    const std::string& root = links_.manager.group_root;
    if (root.empty() || config == nullptr)
        return;
    std::string path = fmt::format("{}/{}/{}", root, base::join(unit::cgroup_path(*config), "/"), guard.value);
    sys::remove_cgroup(path.data(), root.size());
}

std::vector<std::string> Guards::notices_of(base::UnitId unit) const {
    const auto found = notices_.find(unit);
    std::vector<std::string> all = found == notices_.end() ? std::vector<std::string>{} : found->second;
    if (const auto limit = limits_.find(unit); limit != limits_.end() && !limit->second.empty())
        all.push_back(limit->second);
    return all;
}

} // namespace monoinit::runtime
