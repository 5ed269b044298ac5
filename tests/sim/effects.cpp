// What the engine wants done, and what comes of it: commands that run, ignore signals, cannot be executed or made at all.

#include "world.hpp"

#include "base/fmt.hpp"

#include <algorithm>
#include <csignal>

namespace monoinit::sim {

using base::ExitInfo;

void World::perform(const Effect& effect) {
    if (const auto* action = std::get_if<engine::UnitAction>(&effect)) {
        perform(action->unit, action->action);
    } else if (const auto* check = std::get_if<engine::CheckConditions>(&effect)) {
        const bool ok = random_.chance(75);
        const auto& conditions = engine_->status(check->unit).config->unit.conditions;
        const bool assertion = !conditions.empty() && conditions.front().assertion;
        pending_.push_back({{}, engine::ConditionsChecked{check->unit, ok, !ok && assertion, ok ? "" : "ConditionPathExists=/x"}});
    } else if (const auto* mount = std::get_if<engine::CheckMount>(&effect)) {
        pending_.push_back({{}, engine::MountState{mount->unit, random_.chance(60), {}}});
    } else if (const auto* stamp = std::get_if<engine::ReadStamp>(&effect)) {
        const base::Duration ago = std::chrono::seconds(random_.below(20));
        pending_.push_back({{}, engine::StampRead{stamp->unit, random_.chance(50) ? base::Duration{} : now_.wall - ago}});
    } else if (const auto* log = std::get_if<engine::Log>(&effect)) {
        said(*log);
    } else if (const auto* changed = std::get_if<engine::UnitChanged>(&effect)) {
        recent_.push_back(fmt::format("  {} {} -> {}", name_of(changed->unit), supervise::name(changed->before), supervise::name(changed->after)));
        const ActiveState known = states_.contains(changed->unit) ? states_[changed->unit] : ActiveState::Inactive;
        if (changed->before == changed->after || changed->before != known)
            fail(fmt::format("{} was {}, not {}", name_of(changed->unit), supervise::name(known), supervise::name(changed->before)));
        states_[changed->unit] = changed->after;
        passed_[changed->unit].insert(changed->after);
    } else if (const auto* reply = std::get_if<engine::RequestReply>(&effect)) {
        replied(*reply);
    } else if (const auto* finished = std::get_if<engine::JobFinished>(&effect)) {
        job_finished(*finished);
    } else if (const auto* exit = std::get_if<engine::Exit>(&effect)) {
        if (left_)
            fail("left twice");
        left_ = true;
        coverage_.marks[fmt::format("exit {}", exit->status != 0)]++;
    }
}

void World::said(const engine::Log& log) {
    recent_.push_back("  says: " + log.text);
    coverage_.said(log.text);
    if (log.text.find("internal error") != std::string::npos)
        fail(log.text);
    if (!log.unit && log.text.find("stopping ") != std::string::npos && !stopping_) {
        stopping_ = true;
        stopping_since_ = now_.mono;
    }
    all_stopped_ = all_stopped_ || log.text.starts_with("all stopped");
    if (log.text.find("left alone for a while") != std::string::npos)
        limited_[log.unit] = now_.mono;
    if (log.text.find(": no ") != std::string::npos)
        refused_.insert(log.unit);
    // Units that are up may be ordered in a ring, which no plan has broken: the shutdown does.
    order_known_ = order_known_ && log.text.find("stopped out of order") == std::string::npos;
    if (log.text.find("does not wait") != std::string::npos) {
        if (order_known_)
            fail("jobs wait for each other in a ring: " + log.text);
    }
}

void World::replied(const engine::RequestReply& reply) {
    if (reply.request != asked_)
        fail(fmt::format("a reply to request {}, which was not asked", reply.request));
    asked_ = 0;
    if (!reply.job)
        open_requests_.erase(reply.request);
    else
        coverage_.modes[static_cast<std::size_t>(asked_mode_)]++;
    coverage_.refusals[static_cast<std::size_t>(reply.refusal)]++;
    if ((reply.refusal != graph::RefusalReason::None) != !reply.text.empty())
        fail("a refusal without a reason, or the reverse");
    recent_.push_back("  reply: " + reply.text);
}

void World::job_finished(const engine::JobFinished& finished) {
    recent_.push_back(fmt::format("  job {} {} of {}: {} {}", finished.job.value, graph::name(finished.type), name_of(finished.unit), graph::name(finished.result), finished.reason));
    if (finished.request != 0 && open_requests_.erase(finished.request) == 0)
        fail(fmt::format("request {} was answered twice", finished.request));
    coverage_.job_ended(finished);
    ended_.insert(finished.job);
    if (finished.type == graph::JobType::Start)
        tried_[finished.unit] = now_.mono;
    if (finished.type == graph::JobType::Stop && finished.result == graph::JobResult::Done)
        check_stopped(finished.unit);
}

void World::perform(UnitId unit, const supervise::Action& action) {
    if (const auto* each = std::get_if<supervise::Spawn>(&action)) {
        spawn(unit, *each);
    } else if (const auto* sent = std::get_if<supervise::Signal>(&action)) {
        signal(*sent);
    } else if (const auto* query = std::get_if<supervise::QueryTree>(&action)) {
        const auto at = guards_.find(query->guard);
        supervise::TreeListed listed{query->guard, {}, 0};
        if (at != guards_.end() && at->second.others > 0)
            listed = {query->guard, {at->second.pid + 1}, 1};
        pending_.push_back({query->guard, engine::GuardEvent{unit, listed}});
    } else if (std::holds_alternative<supervise::ReadPidFile>(action)) {
        supervise::PidFileRead read;
        for (const auto& [id, guard] : guards_)
            if (guard.unit == unit && guard.others > 0 && (well_behaved_ || random_.chance(70)))
                read = {guard.pid + 1, id, {}};
        if (read.pid == 0)
            read.error = "not there";
        pending_.push_back({{}, engine::PidFileEvent{unit, read}});
    } else if (const auto* name = std::get_if<supervise::WatchBusName>(&action)) {
        if (name->on && (well_behaved_ || random_.chance(80)))
            pending_.push_back({{}, engine::BusNameEvent{unit, {true}}});
    } else {
        perform_for_socket(unit, action);
    }
}

bool World::perform_for_socket(UnitId unit, const supervise::Action& action) {
    const auto forget_answer = [&] {
        std::erase_if(pending_, [&](const Pending& p) {
            const auto* opened = std::get_if<engine::SocketsOpened>(&p.event);
            return opened != nullptr && opened->unit == unit;
        });
    };
    if (std::holds_alternative<supervise::OpenSockets>(action)) {
        forget_answer(); // of the attempt before
        open_.erase(unit);
        watched_.erase(unit);
        pending_.push_back({{}, engine::SocketsOpened{unit, well_behaved_ || random_.chance(85) ? "" : "cannot bind :80: address already in use"}});
    } else if (std::holds_alternative<supervise::CloseSockets>(action)) {
        open_.erase(unit);
        watched_.erase(unit);
    } else if (const auto* watch = std::get_if<supervise::WatchSockets>(&action)) {
        if (!watch->on)
            watched_.erase(unit);
        else if (open_.contains(unit))
            watched_.insert(unit);
        else
            fail(name_of(unit) + " is to be watched, and is not open");
    } else {
        return false;
    }
    return true;
}

void World::spawn(UnitId unit, const supervise::Spawn& spawn) {
    recent_.push_back(fmt::format("  spawn {} guard {} list {}", name_of(unit), spawn.guard.value, static_cast<int>(spawn.list)));
    if (spawn.guard.value <= last_guard_)
        fail("a guard's number was used twice");
    last_guard_ = spawn.guard.value;
    if (stopping_ && spawn.list != unit::ExecList::Stop && spawn.list != unit::ExecList::StopPost)
        fail("a late start during shutdown");
    if (!well_behaved_ && random_.chance(5)) {
        supervise::SpawnResult failed{spawn.guard, false, 0, 203, 2, "/bin/x not found", random_.chance(30)};
        pending_.push_back({spawn.guard, engine::GuardEvent{unit, failed}});
        return;
    }
    Guard guard{unit, last_pid_ += 10, true};
    guard.stubborn = random_.chance(15);
    guards_[spawn.guard] = guard;
    pending_.push_back({spawn.guard, engine::GuardEvent{unit, supervise::SpawnResult{spawn.guard, true, guard.pid}}});
    if (random_.chance(20))
        guards_[spawn.guard].others = 1;
    if (well_behaved_) {
        const auto type = engine_->status(unit).config->service->type;
        guards_[spawn.guard].others = type == unit::ServiceType::Forking && spawn.list == unit::ExecList::Start ? 1 : 0;
        if (!spawn.is_main || type == unit::ServiceType::Oneshot)
            end_command(spawn.guard, guards_[spawn.guard], {ExitInfo::Code::Exited, 0});
        return;
    }
    if (!spawn.is_main && random_.chance(70))
        end_command(spawn.guard, guards_[spawn.guard], {ExitInfo::Code::Exited, random_.chance(85) ? 0 : 1});
}

void World::signal(const supervise::Signal& sent) {
    const auto at = guards_.find(sent.guard);
    if (at == guards_.end())
        return;
    Guard& guard = at->second;
    if (sent.signal != SIGKILL && (guard.stubborn || (sent.signal != SIGTERM && sent.signal != SIGABRT)))
        return;
    const bool command = sent.scope == supervise::KillScope::Main || sent.scope == supervise::KillScope::Tree ||
                         (sent.scope == supervise::KillScope::Pid && sent.pid == guard.pid);
    const bool others = sent.scope == supervise::KillScope::Tree || sent.scope == supervise::KillScope::TreeExceptMain ||
                        (sent.scope == supervise::KillScope::Pid && sent.pid != guard.pid);
    const GuardId id = sent.guard;
    const bool was_running = guard.command, had_others = guard.others > 0;
    if (others && had_others && was_running && command)
        guard.others = 0;
    if (command && was_running)
        end_command(id, guard, {ExitInfo::Code::Killed, sent.signal});
    else if (others && had_others)
        end_others(id, guard);
}

void World::end_command(GuardId id, Guard& guard, ExitInfo how) {
    if (!guard.command)
        return;
    guard.command = false;
    pending_.push_back({id, engine::GuardEvent{guard.unit, supervise::CommandExited{id, guard.pid, how}}});
    if (guard.others > 0)
        return;
    pending_.push_back({id, engine::GuardEvent{guard.unit, supervise::TreeEmpty{id}}});
    guards_.erase(id);
}

void World::end_others(GuardId id, Guard& guard) {
    pending_.push_back({id, engine::GuardEvent{guard.unit, supervise::CommandExited{id, guard.pid + 1, {ExitInfo::Code::Exited, 0}}}});
    guard.others = 0;
    if (guard.command)
        return;
    pending_.push_back({id, engine::GuardEvent{guard.unit, supervise::TreeEmpty{id}}});
    guards_.erase(id);
}

void World::lose_guard(GuardId id) {
    const Guard guard = guards_.at(id);
    pending_.push_back({id, engine::GuardEvent{guard.unit, supervise::GuardLost{id}}});
    pending_.push_back({id, engine::GuardEvent{guard.unit, supervise::TreeEmpty{id}}});
    guards_.erase(id);
}

} // namespace monoinit::sim
