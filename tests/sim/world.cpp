#include "world.hpp"

#include "base/fmt.hpp"

#include <algorithm>
#include <csignal>

namespace monoinit::sim {

using namespace std::chrono_literals;
using base::ExitInfo;
using base::Instant;
using graph::JobType;
using unit::JobMode;

World::World(std::uint64_t seed) : random_(seed), seed_(seed), now_{Instant{1000s}, 1'700'000'000s} {
    configs_ = random_units(random_, 2 + random_.below(14));
    options_.policy.default_backoff = random_.chance(50);
    engine_ = std::make_unique<engine::Engine>(options_);
    engine_->sync(configs_, true, now_);
    const UnitId boot = engine_->find(unit_name(0));
    engine_->set_boot_target(boot);
    feed(engine::JobRequest{0, JobType::Start, boot, JobMode::Replace, false});
}

void World::play() {
    for (std::size_t left = 100 + random_.below(500); left > 0 && !left_; left--)
        step();
    if (!stopping_)
        make_quiet();
    shut_down();
}

void World::step() {
    const std::size_t dice = random_.below(1000);
    if (dice < 450 && !pending_.empty())
        deliver_one();
    else if (dice < 600)
        make_request();
    else if (dice < 760)
        happen_to_guard();
    else if (dice < 850)
        send_notify();
    else if (dice < 970)
        pass_time();
    else if (dice < 980)
        feed(engine::ResetFailed{random_.chance(80) ? random_unit() : UnitId{}});
    else if (dice < 988)
        reload();
    else if (dice < 998)
        crash();
    else if (random_.chance(20)) {
        stopping_ = true;
        feed(engine::Shutdown{engine::Shutdown::Kind::Signal, 8s, 0, "SIGTERM"});
    }
}

UnitId World::random_unit() {
    return engine_->find(unit_name(random_.below(configs_.size())));
}

void World::make_request() {
    if (random_.chance(5) && !jobs_.empty()) {
        auto job = jobs_.begin();
        std::advance(job, static_cast<std::ptrdiff_t>(random_.below(jobs_.size())));
        return feed(engine::CancelJob{job->first});
    }
    if (random_.chance(8))
        return feed(engine::KillUnit{random_unit(), static_cast<int>(random_.below(3)), random_.chance(50) ? SIGKILL : SIGTERM});
    constexpr auto types = std::to_array<JobType>(
        {JobType::Start, JobType::Start, JobType::Start, JobType::Stop, JobType::Stop, JobType::Restart, JobType::Restart,
         JobType::Reload, JobType::ReloadOrStart, JobType::TryRestart, JobType::TryReload, JobType::ReloadOrRestart,
         JobType::TryReloadOrRestart, JobType::VerifyActive});
    engine::JobRequest request;
    request.request = ++last_request_;
    request.type = types[random_.below(types.size())];
    request.unit = random_unit();
    request.by_person = random_.chance(50);
    if (random_.chance(30))
        request.mode = static_cast<JobMode>(random_.below(9));
    order_ignored_ = order_ignored_ || request.mode == JobMode::IgnoreDependencies;
    open_requests_.insert(request.request);
    if (request.by_person)
        starts_.clear();
    feed(request);
}

void World::happen_to_guard() {
    if (guards_.empty())
        return;
    auto at = guards_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_.below(guards_.size())));
    auto& [id, guard] = *at;
    if (guard.pid == 0)
        return; // its SpawnResult is on the way
    if (random_.chance(4))
        return lose_guard(id);
    if (guard.command && random_.chance(60)) {
        constexpr int signals[] = {SIGTERM, SIGSEGV, SIGKILL, SIGPIPE};
        if (random_.chance(60))
            end_command(id, guard, {ExitInfo::Code::Exited, random_.chance(50) ? 0 : static_cast<int>(random_.below(256))});
        else
            end_command(id, guard, {random_.chance(20) ? ExitInfo::Code::Dumped : ExitInfo::Code::Killed, signals[random_.below(4)]});
    } else if (guard.others > 0) {
        end_others(id, guard);
    } else if (guard.command) {
        guard.others++;
    }
}

void World::send_notify() {
    const UnitId unit = random_unit();
    const engine::UnitStatus status = engine_->status(unit);
    if (status.service == nullptr)
        return;
    static const auto texts = std::to_array<std::string>(
        {"READY=1", "READY=1", "READY=1", "RELOADING=1\nMONOTONIC_USEC=1000", "STOPPING=1", "WATCHDOG=1", "WATCHDOG=1", "STATUS=x\nERRNO=2",
         "WATCHDOG=trigger", "EXTEND_TIMEOUT_USEC=2000000", "WATCHDOG_USEC=500000", "MAINPID=7", "=\n\n=x", "BARRIER=1", "FDSTORE=1"});
    supervise::Notified notified;
    notified.sender = static_cast<supervise::Notified::Sender>(random_.chance(70) ? 0 : random_.below(5));
    notified.pid = status.service->main_pid;
    notified.text = texts[random_.below(texts.size())];
    if (!status.service->guards.empty() && random_.chance(50))
        notified.mainpid_guard = status.service->guards.front();
    feed(engine::NotifyEvent{unit, notified});
}

void World::pass_time() {
    const Instant next = engine_->next_deadline();
    Instant to = now_.mono + std::chrono::milliseconds(random_.below(3000));
    if (random_.chance(60) && next != base::never)
        to = std::max(next, now_.mono); // a tick comes in time, or late, but does come
    else if (next < to)
        to = std::max(next, now_.mono) + std::chrono::milliseconds(random_.below(300));
    now_.wall += to - now_.mono;
    now_.mono = to;
    feed(engine::Tick{});
    for (int i = 0; engine_->next_deadline() <= now_.mono; i++) {
        if (i == 20)
            fail("a deadline that has passed does not go away");
        feed(engine::Tick{});
    }
}

/// Another version of some units; some are gone.
void World::reload() {
    std::vector<Config> fresh = random_units(random_, configs_.size());
    for (std::size_t i = 0; i < configs_.size(); i++)
        if (random_.chance(60))
            fresh[i] = configs_[i];
    configs_ = fresh;
    std::vector<Config> listed = configs_;
    if (random_.chance(50))
        listed.erase(listed.begin() + static_cast<std::ptrdiff_t>(random_.below(listed.size())));
    recent_.push_back("daemon-reload");
    engine_->sync(listed, true, now_);
    save_dirty();
    for (auto state = states_.begin(); state != states_.end();) // forgotten units come back under new numbers
        state = engine_->status(state->first).id ? std::next(state) : states_.erase(state);
    std::erase_if(saved_, [&](const auto& each) { return !engine_->status(each.first).id; });
    order_ignored_ = true; // jobs are under way whose order was another
}

/// PID 1 faults and comes back: everything that was not saved is lost, units come in another order.
void World::crash() {
    const auto before = snapshot();
    std::vector<Config> again;
    for (const UnitId unit : engine_->units())
        again.push_back(engine_->status(unit).config);
    for (std::size_t i = again.size(); i > 1; i--)
        std::swap(again[i - 1], again[random_.below(i)]);
    engine_ = std::make_unique<engine::Engine>(options_);
    engine_->sync(again, true, now_);
    if (const auto done = engine_->restore_globals(saved_globals_, now_); !done)
        fail(done.error().what);
    for (const auto& [unit, bytes] : saved_)
        if (const auto done = engine_->restore(bytes, now_); !done)
            fail(done.error().what);
    recent_.push_back("crash");
    for (const auto& [name, text] : snapshot())
        if (before.at(name).substr(before.at(name).find(' ')) != text.substr(text.find(' ')))
            fail("lost in a crash: " + name + ": " + before.at(name) + " is now " + text);
    // Units that never did anything were not saved, so their numbers may differ.
    std::map<UnitId, ActiveState> states;
    for (const UnitId unit : engine_->units())
        states[unit] = engine_->status(unit).active;
    states_ = std::move(states);
    std::erase_if(pending_, [&](const Pending& p) { return !p.guard && random_.chance(70); }); // probes are gone
    feed(engine::Tick{});
}

/// Everything is answered and nothing new is asked: every job there is must come to an end. (A unit that fails and is
/// restarted for ever makes new ones for ever, which is right.)
void World::make_quiet() {
    well_behaved_ = true;
    const auto restarts = [&] {
        std::uint64_t sum = 0;
        for (const UnitId unit : engine_->units())
            if (const auto status = engine_->status(unit); status.service != nullptr)
                sum += status.service->restarts;
        return sum;
    };
    const std::uint64_t restarts_before = restarts();
    const JobId last = jobs_.empty() ? JobId{} : jobs_.rbegin()->first;
    const auto old_jobs_left = [&] { return !jobs_.empty() && jobs_.begin()->first <= last; };
    for (int i = 0; i < 3000 && !left_; i++) {
        for (int n = 0; !pending_.empty() && !left_; n++) {
            deliver_one();
            if (n > 5000)
                fail("it never comes to rest, in no time");
        }
        if ((!old_jobs_left() && open_requests_.empty()) || left_)
            break;
        for (const UnitId unit : engine_->units())
            if (const auto status = engine_->status(unit); status.service != nullptr && status.service->state == supervise::ServiceState::Start)
                feed(engine::NotifyEvent{unit, {supervise::Notified::Sender::Main, status.service->main_pid, "READY=1", 0, {}, {}}});
        if (!pending_.empty())
            continue;
        const Instant next = engine_->next_deadline();
        if (next == base::never)
            break;
        now_.wall += std::max(next, now_.mono) - now_.mono;
        now_.mono = std::max(next, now_.mono);
        feed(engine::Tick{});
    }
    // What waits for a unit that is restarted for ever waits for ever, too.
    const bool restless = restarts() > restarts_before + 100;
    if (!left_ && !stopping_ && !restless)
        check_quiet(last);
}

void World::shut_down() {
    const Instant began = now_.mono;
    if (!stopping_)
        feed(engine::Shutdown{engine::Shutdown::Kind::Signal, 8s, 0, "SIGTERM"});
    stopping_ = true;
    if (random_.chance(10))
        feed(engine::ShutdownNow{});
    for (int i = 0; i < 5000 && !left_; i++) {
        if (!pending_.empty() && random_.chance(90)) {
            deliver_one();
            continue;
        }
        if (random_.chance(5)) {
            crash();
            continue;
        }
        const Instant next = engine_->next_deadline();
        if (next == base::never)
            fail("shutdown waits for nothing");
        now_.wall += std::max(next, now_.mono) - now_.mono;
        now_.mono = std::max(next, now_.mono);
        feed(engine::Tick{});
    }
    if (!left_)
        fail("shutdown does not end");
    if (now_.mono - began > 9s)
        fail("shutdown took longer than its budget");
    if (all_stopped_ && !open_requests_.empty())
        fail(fmt::format("request {} was never answered", *open_requests_.begin()));
}

void World::deliver_one() {
    const std::size_t pick = random_.below(pending_.size());
    const GuardId guard = pending_[pick].guard;
    auto at = pending_.begin() + static_cast<std::ptrdiff_t>(pick);
    if (guard) // a guard's messages keep their order
        at = std::find_if(pending_.begin(), pending_.end(), [&](const Pending& p) { return p.guard == guard; });
    const Event event = std::move(at->event);
    pending_.erase(at);
    feed(event);
}

void World::feed(const Event& event) {
    if (left_)
        return;
    events_++;
    recent_.push_back(fmt::format("{} event {}", now_.mono.since_boot.count() % 1'000'000'000, event.index()));
    if (const auto* request = std::get_if<engine::JobRequest>(&event))
        recent_.back() += fmt::format(" {} {} mode {}", graph::name(request->type), engine_->status(request->unit).id ? engine_->status(request->unit).config->name : "?", static_cast<int>(request->mode));
    if (recent_.size() > 60)
        recent_.erase(recent_.begin(), recent_.begin() + 20);
    const std::vector<Effect> effects = engine_->handle(event, now_);
    save_dirty();
    for (const Effect& effect : effects)
        perform(effect);
    check();
}

void World::save_dirty() {
    for (const UnitId unit : engine_->take_dirty())
        saved_[unit] = engine_->save(unit);
    saved_globals_ = engine_->save_globals();
}

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
    } else if (const auto* log = std::get_if<engine::Log>(&effect)) {
        recent_.push_back("  says: " + log->text);
        if (log->text.find("internal error") != std::string::npos)
            fail(log->text);
        if (!stopping_ && log->text.find(": stopping ") != std::string::npos) { // FailureAction= began it
            stopping_ = true;
            stop_event_ = events_;
        }
        all_stopped_ = all_stopped_ || log->text.starts_with("all stopped");
        stopping_ = stopping_ || log->text.find(": stopping ") != std::string::npos; // FailureAction=
        if (log->text.find("does not wait") != std::string::npos || log->text.find("stopped out of order") != std::string::npos)
            order_ignored_ = true;
    } else if (const auto* changed = std::get_if<engine::UnitChanged>(&effect)) {
        recent_.push_back(fmt::format("  unit {} {} -> {}", changed->unit.value, supervise::name(changed->before), supervise::name(changed->after)));
        const ActiveState known = states_.contains(changed->unit) ? states_[changed->unit] : ActiveState::Inactive;
        if (changed->before == changed->after || changed->before != known)
            fail(fmt::format("unit {} was {}, not {}", changed->unit.value, supervise::name(known), supervise::name(changed->before)));
        states_[changed->unit] = changed->after;
    } else if (const auto* reply = std::get_if<engine::RequestReply>(&effect)) {
        if (!reply->job)
            open_requests_.erase(reply->request);
        if ((reply->refusal != graph::RefusalReason::None) != !reply->text.empty())
            fail("a refusal without a reason, or the reverse");
    } else if (const auto* finished = std::get_if<engine::JobFinished>(&effect)) {
        recent_.push_back(fmt::format("  job {} {} of {}: {} {}", finished->job.value, graph::name(finished->type), finished->unit.value, graph::name(finished->result), finished->reason));
        if (finished->request != 0 && open_requests_.erase(finished->request) == 0)
            fail(fmt::format("request {} was answered twice", finished->request));
    } else if (std::holds_alternative<engine::Exit>(effect)) {
        left_ = true;
    }
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
    }
}

void World::spawn(UnitId unit, const supervise::Spawn& spawn) {
    recent_.push_back(fmt::format("  spawn {} guard {} list {}", unit.value, spawn.guard.value, static_cast<int>(spawn.list)));
    if (spawn.guard.value <= last_guard_)
        fail("a guard's number was used twice");
    last_guard_ = spawn.guard.value;
    const bool starts = spawn.list != unit::ExecList::Stop && spawn.list != unit::ExecList::StopPost;
    // A start that was under way when the shutdown began may still reach its next command before its stop job runs (an
    // open point, noted with the issue); nothing that was down may start.
    const auto before = states_.find(unit);
    const bool under_way = before != states_.end() && before->second == ActiveState::Activating;
    if (stopping_ && starts && events_ != stop_event_ && !under_way)
        fail("a late start during shutdown");
    if (!well_behaved_ && random_.chance(5)) {
        supervise::SpawnResult failed{spawn.guard, false, 0, 203, 2, "/bin/x not found", random_.chance(30)};
        pending_.push_back({spawn.guard, engine::GuardEvent{unit, failed}});
        return;
    }
    Guard guard{unit, last_pid_ += 10, true};
    guard.stubborn = random_.chance(15);
    guard.main = spawn.is_main;
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
