// What happens: requests, deaths, messages, time, daemon-reload, crashes, and the end. Tested by being wrong: each rule in
// invariants.cpp and rest.cpp was seen to fail on an engine with a fault put into it.

#include "world.hpp"

#include "base/fmt.hpp"

#include <algorithm>
#include <csignal>

namespace monoinit::sim {

using namespace std::chrono_literals;
using base::ExitInfo;
using engine::Shutdown;
using graph::JobType;
using supervise::ServiceState;
using unit::JobMode;

namespace {

constexpr auto budget = 8s;

} // namespace

World::World(std::uint64_t seed, Coverage& coverage, std::size_t lines_kept)
    : random_(seed), seed_(seed), lines_kept_(lines_kept), coverage_(coverage), now_{Instant{1000s}, 1'700'000'000s} {
    manners_ = {random_.chance(40), random_.chance(40), random_.chance(50)};
    configs_ = random_units(random_, 2 + random_.below(14));
    options_.policy.default_backoff = random_.chance(50);
    engine_ = std::make_unique<engine::Engine>(options_);
    engine_->sync(configs_, true, now_);
    look();
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
    else if (dice < 480)
        touch_paths();
    else if (dice < 600)
        make_request();
    else if (dice < 760)
        happen_to_guard();
    else if (dice < 830)
        send_notify();
    else if (dice < 850)
        connect();
    else if (dice < 970)
        pass_time();
    else if (dice < 980) {
        const UnitId unit = random_.chance(80) ? random_unit() : UnitId{};
        if (unit)
            cleared_.insert(unit);
        else
            starts_.clear();
        feed(engine::ResetFailed{unit});
    } else if (dice < 988 && manners_.reloads)
        reload();
    else if (dice < 990)
        set_clock();
    else if (dice < 994)
        mount_by_hand();
    else if (dice < 998)
        crash();
    else if (random_.chance(20))
        feed(Shutdown{random_.chance(50) ? Shutdown::Kind::Signal : Shutdown::Kind::Exit, random_.chance(50) ? budget : base::infinity, 0, "SIGTERM"});
}

UnitId World::random_unit() {
    return engine_->find(unit_name(random_.below(configs_.size())));
}

/// Something changes that is watched; now and then an event comes late.
void World::touch_paths() {
    const UnitId unit = random_unit();
    const auto config = engine_->status(unit).config;
    if (!config)
        return;
    const unit::UnitType type = config->type;
    if (type == unit::UnitType::Path && (path_watches_.contains(unit) || random_.chance(10)))
        feed(engine::PathsChanged{unit, random_.below(4)});
    if (type == unit::UnitType::Service && (sources_.contains(unit) || random_.chance(10))) {
        cleared_.insert(unit);
        feed(engine::SourcesChanged{unit, "/src/x", 0});
    }
}

void World::make_request() {
    if (random_.chance(5) && !jobs_.empty() && manners_.cancels) {
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
    const bool odd = request.mode == JobMode::IgnoreDependencies || request.mode == JobMode::IgnoreRequirements;
    if (odd && !manners_.odd_modes)
        request.mode = JobMode::Replace;
    if (request.mode == JobMode::IgnoreDependencies)
        order_known_ = false;
    asked_ = request.request;
    asked_mode_ = request.mode;
    open_requests_.insert(request.request);
    if (request.by_person)
        cleared_.insert(request.unit);
    feed(request);
    if (asked_ != 0 && !left_)
        fail(fmt::format("request {} got no reply", asked_));
}

void World::happen_to_guard() {
    if (guards_.empty())
        return;
    auto at = guards_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_.below(guards_.size())));
    auto& [id, guard] = *at;
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
    UnitId unit = random_unit();
    if (random_.chance(40)) // what happens during a reload is rare enough
        for (const auto& [id, seen] : units_)
            unit = seen.status.active == ActiveState::Reloading ? id : unit;
    const engine::UnitStatus status = engine_->status(unit);
    if (status.service == nullptr)
        return;
    static const auto texts = std::to_array<std::string>(
        {"READY=1", "READY=1", "READY=1", "RELOADING=1\nMONOTONIC_USEC=1000", "STOPPING=1", "WATCHDOG=1", "WATCHDOG=1", "STATUS=x\nERRNO=2",
         "WATCHDOG=trigger", "EXTEND_TIMEOUT_USEC=2000000", "WATCHDOG_USEC=500000", "MAINPID=7", "=\n\n=x", "BARRIER=1", "FDSTORE=1"});
    supervise::Notified notified;
    notified.sender = static_cast<supervise::Notified::Sender>(random_.chance(70) ? 0 : random_.below(5));
    notified.pid = status.service->main_pid;
    const bool reloads = status.active == ActiveState::Reloading && random_.chance(40);
    notified.text = texts[reloads ? 3 : random_.below(texts.size())];
    if (notified.text.starts_with("RELOADING=1") && random_.chance(70)) // the answer to the signal, not one that crossed it
        notified.text = fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now_.mono.since_boot.count());
    if (notified.text.starts_with("EXTEND_"))
        extended_.insert(unit);
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
    for (int i = 0; engine_->next_deadline() <= now_.mono && !left_; i++) {
        if (i == 20)
            fail("a deadline that has passed does not go away");
        feed(engine::Tick{});
    }
}

/// Somebody sets the wall clock, or moves to another zone.
void World::set_clock() {
    coverage_.marks["clock set"]++;
    if (random_.chance(30)) {
        auto zone = base::TimeZone::from_rule(random_.chance(50) ? "JST-9" : "UTC0");
        return feed(engine::ZoneChanged{std::make_shared<const base::TimeZone>(std::move(*zone))});
    }
    now_.wall += std::chrono::seconds(random_.below(200)) - 100s;
    feed(engine::ClockChanged{});
}

/// Somebody else mounts something, or unmounts it.
void World::mount_by_hand() {
    for (int tries = 0; tries < 10; tries++) {
        const std::string name = unit_name(random_.below(configs_.size()));
        if (!name.ends_with(".mount"))
            continue;
        if (mounted_.erase(name) == 0)
            mounted_.insert(name);
        coverage_.marks["mounted by hand"]++;
        return feed(engine::MountsRead{mounted_});
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
    coverage_.marks["daemon-reload"]++;
    engine_->sync(listed, true, now_);
    save_dirty();
    for (auto state = states_.begin(); state != states_.end();) // forgotten units come back under new numbers
        state = engine_->status(state->first).id ? std::next(state) : states_.erase(state);
    std::erase_if(saved_, [&](const auto& each) { return !engine_->status(each.first).id; });
    starts_.clear(); // under limits of their own
    order_known_ = false; // jobs are under way whose order was another
    look();
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
    watched_.clear(); // the new image's loop knows none of them; what was being made went with the old one
    std::erase_if(pending_, [](const Pending& p) { return std::holds_alternative<engine::SocketsOpened>(p.event); });
    path_watches_.clear(); // inotify instances have gone with the image
    coverage_.marks["crash"]++;
    check_restored(before);
    // Units that never did anything were not saved, so their numbers may differ.
    std::map<UnitId, ActiveState> states;
    for (const UnitId unit : engine_->units())
        states[unit] = engine_->status(unit).active;
    states_ = std::move(states);
    std::map<UnitId, std::vector<Instant>> starts;
    for (const auto& [unit, times] : starts_)
        if (saved_.contains(unit))
            starts[unit] = times;
    starts_ = std::move(starts);
    look();
    std::erase_if(pending_, [&](const Pending& p) { return !p.guard && random_.chance(70); }); // probes are gone
    feed(engine::Tick{});
    if (!left_)
        feed(engine::MountsRead{mounted_});
}

/// Somebody comes to a socket that is looked at; or none could be accepted, for want of descriptors.
void World::connect() {
    if (watched_.empty())
        return;
    auto at = watched_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_.below(watched_.size())));
    coverage_.marks["connection"]++;
    feed(engine::SocketReady{*at, random_.chance(5)});
}

/// Type=notify daemons get ready and answer to reloads. True if that moved one.
bool World::tell_what_is_awaited() {
    bool told = false;
    for (const UnitId unit : engine_->units()) {
        const auto* service = engine_->status(unit).service;
        if (left_ || service == nullptr || service->main_pid == 0)
            continue;
        const ServiceState state = service->state;
        const bool awaited = service->state == ServiceState::Start || service->state == ServiceState::ReloadNotify;
        const auto type = engine_->status(unit).config->service->type;
        const bool reloads = service->state == ServiceState::ReloadSignal;
        const auto say = [&](std::string text) { feed(engine::NotifyEvent{unit, {supervise::Notified::Sender::Main, service->main_pid, std::move(text), 0, {}, {}}}); };
        if (reloads)
            say(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now_.mono.since_boot.count()));
        else if (awaited && (service->state == ServiceState::ReloadNotify || type == unit::ServiceType::Notify || type == unit::ServiceType::NotifyReload))
            say("READY=1");
        told = told || (!left_ && units_.at(unit).state != state);
    }
    return told;
}

void World::to_next_deadline() {
    const Instant next = engine_->next_deadline();
    if (next == base::never)
        return;
    now_.wall += std::max(next, now_.mono) - now_.mono;
    now_.mono = std::max(next, now_.mono);
    feed(engine::Tick{});
}

/// Everything is answered and nothing new is asked: every job there is must come to an end. (A unit that ends and is
/// restarted for ever makes new ones for ever, which is right.)
void World::make_quiet() {
    well_behaved_ = true;
    const JobId last = jobs_.empty() ? JobId{} : jobs_.rbegin()->first;
    const auto old_jobs_left = [&] { return !jobs_.empty() && jobs_.begin()->first <= last; };
    const Instant began = now_.mono;
    bool rested = false;
    for (int i = 0; i < 3000 && !left_; i++) {
        for (int n = 0; !pending_.empty() && !left_; n++) {
            deliver_one();
            if (n > 5000)
                fail("it never comes to rest, in no time");
        }
        if (tell_what_is_awaited())
            continue;
        if (left_)
            return;
        if (at_rest()) { // what was given up for being tried too often is tried again within 10 s
            rested = true;
            if (now_.mono - began > 60s || engine_->next_deadline() == base::never)
                break;
        }
        if (!old_jobs_left() && open_requests_.empty() && now_.mono - began > 600s)
            break;
        if (engine_->next_deadline() == base::never)
            break;
        to_next_deadline();
    }
    if (left_ || stopping_) // a FailureAction=
        return;
    check_old_jobs(last);
    coverage_.marks[rested ? "came to rest" : "never at rest"]++;
    if (at_rest())
        check_rest();
}

void World::shut_down() {
    if (left_)
        return;
    feed(Shutdown{Shutdown::Kind::Signal, budget, 0, "SIGTERM"});
    if (random_.chance(10))
        feed(engine::ShutdownNow{});
    for (int i = 0; i < 5000 && !left_; i++) {
        if (!pending_.empty() && random_.chance(90)) {
            deliver_one();
        } else if (random_.chance(5)) {
            crash();
        } else if (engine_->next_deadline() == base::never) {
            fail("shutdown waits for nothing");
        } else {
            to_next_deadline();
        }
    }
    if (!left_)
        fail("shutdown does not end");
    check_end();
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
    if (recent_.size() > lines_kept_)
        recent_.erase(recent_.begin(), recent_.begin() + static_cast<std::ptrdiff_t>(lines_kept_ / 2));
    if (const auto* opened = std::get_if<engine::SocketsOpened>(&event); opened != nullptr && opened->error.empty())
        open_.insert(opened->unit);
    recent_.push_back(fmt::format("{} event {}", now_.mono.since_boot.count() % 1'000'000'000, event.index()));
    if (const auto* request = std::get_if<engine::JobRequest>(&event))
        recent_.back() += fmt::format(" {} {} mode {}", graph::name(request->type), name_of(request->unit), static_cast<int>(request->mode));
    if (const auto* shutdown = std::get_if<Shutdown>(&event))
        leave_by_ = std::min(leave_by_, now_.mono + shutdown->budget);
    if (std::holds_alternative<engine::ShutdownNow>(event))
        leave_by_ = std::min(leave_by_, now_.mono + 2s);
    passed_.clear();
    ended_.clear();
    const std::vector<Effect> effects = engine_->handle(event, now_);
    save_dirty();
    for (const Effect& effect : effects)
        perform(effect);
    check();
    cleared_.clear();
}

void World::save_dirty() {
    for (const UnitId unit : engine_->take_dirty())
        saved_[unit] = engine_->save(unit);
    saved_globals_ = engine_->save_globals();
}

} // namespace monoinit::sim
