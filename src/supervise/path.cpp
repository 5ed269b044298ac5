// See path.hpp. Tested by tests/unit/supervise/path_test.cpp.
#include "supervise/path.hpp"

#include "base/enum_names.hpp"
#include "base/fmt.hpp"
#include "supervise/start_limit.hpp"

#include <algorithm>

namespace monoinit::supervise {

using enum PathState;

namespace {

// clang-format off
constexpr auto state_names = base::enum_names<PathState>({
    {Dead, "dead"}, {Starting, "starting"}, {Waiting, "waiting"}, {Running, "running"}, {Failed, "failed"}});
constexpr auto result_names = base::enum_names<PathResult>({
    {PathResult::Success, "success"}, {PathResult::Resources, "resources"}, {PathResult::StartLimitHit, "start-limit-hit"},
    {PathResult::UnitStartLimitHit, "unit-start-limit-hit"}, {PathResult::TriggerLimitHit, "trigger-limit-hit"}});

struct Edge { PathState from, to; };
constexpr Edge edges[] = {
    {Dead, Starting}, {Dead, Failed}, {Failed, Starting}, {Failed, Failed}, {Failed, Dead},
    {Starting, Waiting}, {Starting, Running}, {Starting, Dead}, {Starting, Failed},
    {Waiting, Running}, {Waiting, Dead}, {Waiting, Failed},
    {Running, Waiting}, {Running, Dead}, {Running, Failed},
};
// clang-format on

/// How long after a look that came to nothing the next one is tried.
constexpr base::Duration blind_pause = std::chrono::seconds(5);

bool is_up(PathState state) { return state == Waiting || state == Running; }

} // namespace

std::string_view name(PathState state) { return base::name_of(state_names, state); }
std::string_view name(PathResult result) { return base::name_of(result_names, result); }

ActiveState active_state(PathState state) {
    switch (state) {
    case Dead: return ActiveState::Inactive;
    case Starting: return ActiveState::Activating;
    case Waiting:
    case Running: return ActiveState::Active;
    case Failed: return ActiveState::Failed;
    }
    return ActiveState::Inactive;
}

bool is_legal(PathState from, PathState to) {
    return std::ranges::any_of(edges, [&](const Edge& edge) { return edge.from == from && edge.to == to; });
}

void Path::enter(PathState next, Step& step) {
    const PathState before = data_.state;
    if (!is_legal(before, next)) {
        step.out.emplace_back(Say{Severity::Error, fmt::format("internal error: {} -> {} is no way of a path unit", name(before), name(next))});
        next = Failed;
    }
    data_.state = next;
    if (next != Starting && next != Waiting) {
        data_.look = PathLook::None;
        data_.look_again = base::never;
        step.out.emplace_back(DropPaths{});
    }
    step.out.emplace_back(StateChanged{active_state(before), active_state(next), false, false, name(next)});
}

void Path::look(PathLook how, std::vector<Action>& out) {
    data_.look = how;
    data_.look_again = base::never;
    out.emplace_back(LookAtPaths{how == PathLook::First});
}

void Path::note(PathResult result, std::string why, Step& step) {
    if (data_.result != PathResult::Success)
        return; // the first failure counts
    data_.result = result;
    data_.last_failure = why;
    step.out.emplace_back(Say{Severity::Error, is_up(data_.state) ? "failed: " + std::move(why) : std::move(why)});
}

// ---- what is asked of it --------------------------------------------------------------------------------------------

void Path::replace_config(std::shared_ptr<const unit::UnitConfig> config) {
    if (config->path->paths != section().paths) { // what was seen is of others
        data_.files.clear();
        data_.contents.clear();
        outdated_ = true;
    }
    config_ = std::move(config);
}

void Path::start(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (data_.state != Dead && data_.state != Failed)
        return;
    Data fresh;
    fresh.state = data_.state;
    fresh.recent_starts = std::move(data_.recent_starts);
    data_ = std::move(fresh);
    const unit::StartLimit& limit = config_->unit.start_limit;
    if (!count_start(limit, data_.recent_starts, now.mono)) {
        note(PathResult::StartLimitHit, fmt::format("not started: started too often: {} times in {}", limit.burst, base::human_time_span(limit.interval)), step);
        return enter(Failed, step);
    }
    enter(Starting, step);
    look(PathLook::First, out);
}

void Path::refuse_start(std::string why, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    data_.result = PathResult::Success;
    note(PathResult::Resources, std::move(why), step);
    enter(Failed, step);
}

void Path::stop(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (data_.state == Starting || is_up(data_.state))
        enter(Dead, step);
}

void Path::reset_failed(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    data_.result = PathResult::Success;
    data_.last_failure.clear();
    data_.recent_starts.clear();
    if (data_.state == Failed)
        enter(Dead, step);
}

void Path::fail(PathResult result, std::string why, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (data_.state != Starting && !is_up(data_.state))
        return;
    note(result, std::move(why), step);
    enter(Failed, step);
}

// ---- what becomes of its paths --------------------------------------------------------------------------------------

std::string Path::looked(const PathsSeen& seen, bool unit_up, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    const PathLook how = std::exchange(data_.look, PathLook::None);
    if (how == PathLook::None)
        return {}; // nobody asks any more
    if (!seen.error.empty()) {
        if (data_.state == Starting && !seen.shortage) {
            note(PathResult::Resources, seen.error, step);
            enter(Failed, step);
        } else {
            if (data_.state == Starting)
                enter(Waiting, step);
            if (!std::exchange(data_.said_blind, true))
                out.emplace_back(Say{Severity::Warning, seen.error + "; tried again every " + base::human_time_span(blind_pause)});
            data_.look = how; // it is still to be found out
            data_.look_again = now.mono + blind_pause;
        }
        return {};
    }
    data_.said_blind = false;
    const auto& paths = section().paths;
    std::string differs;
    if (how == PathLook::Event || how == PathLook::Missed)
        for (std::size_t i = 0; i < paths.size() && i < seen.files.size() && i < data_.files.size() && differs.empty(); i++)
            if (!paths[i].is_state() && (seen.files[i] != data_.files[i] || (how == PathLook::Missed && i < data_.contents.size() &&
                                                                             i < seen.contents.size() && seen.contents[i] != data_.contents[i])))
                differs = paths[i].path;
    data_.files = seen.files;
    data_.contents = seen.contents;
    if (unit_up) {
        enter(Running, step);
        return {};
    }
    if (!seen.good.empty())
        return trigger(seen.good, step);
    if (!differs.empty())
        return trigger(std::move(differs), step);
    if (data_.state == Starting)
        enter(Waiting, step);
    return {};
}

std::string Path::changed(std::size_t which, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (data_.state != Starting && data_.state != Waiting)
        return {};
    if (which < section().paths.size() && !section().paths[which].is_state() && data_.state == Waiting)
        return trigger(section().paths[which].path, step);
    look(data_.look == PathLook::None ? PathLook::Event : data_.look, out);
    return {};
}

std::string Path::trigger(std::string path, Step& step) {
    const unit::PathSection& limits = section();
    if (limits.trigger_burst != 0 && limits.trigger_interval.count() != 0) {
        if (data_.triggers == 0 || step.now.mono - data_.trigger_window >= limits.trigger_interval) {
            data_.trigger_window = step.now.mono;
            data_.triggers = 0;
        }
        if (data_.triggers++ >= limits.trigger_burst) {
            note(PathResult::TriggerLimitHit,
                 fmt::format("triggered too often: more than {} times in {} (TriggerLimitBurst=)", limits.trigger_burst,
                             base::human_time_span(limits.trigger_interval)),
                 step);
            enter(Failed, step);
            return {};
        }
    }
    return path;
}

void Path::not_now(base::Duration span, Moment now) {
    data_.look = PathLook::Missed;
    data_.look_again = now.mono + span;
}

void Path::unit_queued(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (data_.state == Starting || data_.state == Waiting)
        enter(Running, step);
}

void Path::unit_running(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (data_.state == Waiting)
        enter(Running, step);
}

void Path::unit_down(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (data_.state != Running)
        return;
    enter(Waiting, step);
    look(PathLook::Quiet, out);
}

void Path::on_deadline(Moment now, std::vector<Action>& out) {
    if (data_.look_again <= now.mono)
        look(data_.look, out);
}

void Path::resume(std::vector<Action>& out) {
    outdated_ = false;
    if (data_.state != Starting && data_.state != Waiting)
        return out.emplace_back(DropPaths{}), void();
    if (data_.look == PathLook::None)
        data_.look = data_.files.empty() ? PathLook::Quiet : PathLook::Missed;
    look(data_.look, out);
}

} // namespace monoinit::supervise
