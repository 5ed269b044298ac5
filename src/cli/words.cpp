// How a unit is, in words. Tested by tests/unit/cli.
#include "cli/words.hpp"

#include "base/time.hpp"

namespace monoinit::cli {

using control::UnitSummary;

namespace {

StateWords inactive_words(const UnitSummary& unit) {
    if (unit.finished)
        return {"✓", Color::Green, "done"};
    if (unit.load_state == "masked")
        return {"○", Color::Dim, "masked"};
    if (unit.load_state == "not-found")
        return {"○", Color::Dim, "not found"};
    if (unit.load_state != "loaded" && unit.load_state != "stub")
        return {"×", Color::Red, unit.load_state == "bad-setting" ? "not usable" : "not loaded"};
    if (unit.job == "start" || unit.job == "restart")
        return {"○", Color::Yellow, "waiting to start"};
    return {"○", Color::None, unit.state_changed ? "stopped" : "not started"};
}

} // namespace

StateWords state_words(const UnitSummary& unit) {
    const std::string& state = unit.active_state;
    if (state == "active" || state == "reloading") {
        if (state == "reloading")
            return {"↻", Color::Yellow, "reloading"};
        if (unit.finished || unit.sub_state == "exited")
            return {"✓", Color::Green, "done"};
        const bool bad = unit.health == "unhealthy";
        return {"●", bad ? Color::Yellow : Color::Green,
                (unit.sub_state == "running" ? "running" : unit.sub_state == "active" ? "reached" : unit.sub_state) +
                    (unit.health.empty() ? "" : ", " + unit.health)};
    }
    if (state == "activating") {
        if (unit.next_attempt)
            return {"↻", Color::Yellow, "restarting in " + base::human_time_span(*unit.next_attempt)};
        return {"↻", Color::Yellow, unit.sub_state == "auto-restart" ? "restarting" : "starting"};
    }
    if (state == "deactivating")
        return {"↻", Color::Yellow, "stopping"};
    if (state == "failed")
        return {"×", Color::Red, "failed"};
    return inactive_words(unit);
}

bool is_notable(const UnitSummary& unit) {
    if (unit.machine_masked)
        return false;
    if (unit.active_state == "failed")
        return true;
    const bool quiet_kind = !unit.name.ends_with(".service");
    if (unit.builtin || quiet_kind)
        return !unit.job.empty() || (!unit.note.empty() && !unit.builtin);
    if (unit.load_state == "not-found" || unit.load_state == "masked")
        return false;
    return unit.active_state != "inactive" || unit.finished || static_cast<bool>(unit.state_changed) || !unit.note.empty() || !unit.job.empty();
}

} // namespace monoinit::cli
