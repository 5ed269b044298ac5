// What jobs a request means: pulling in, merging, dropping, refusing, job modes, cycles.

#include "../engine/build.hpp"
#include "graph/transaction.hpp"

#include <catch2/catch.hpp>

#include <map>

using namespace monoinit::graph;
using namespace monoinit::test;
using monoinit::unit::JobMode;
using monoinit::unit::LoadState;

namespace {

class FakeWorld final : public World {
  public:
    explicit FakeWorld(std::vector<std::shared_ptr<const monoinit::unit::UnitConfig>> configs) : configs_(std::move(configs)) {
        std::vector<const monoinit::unit::UnitConfig*> by_id;
        for (const auto& config : configs_) {
            by_id.push_back(config.get());
            ids[config->name] = UnitId{static_cast<std::uint32_t>(by_id.size())};
            UnitFacts& facts = states[config->name];
            facts.name = config->name;
            facts.load = config->load_state;
            facts.can_reload = !config->service->list(monoinit::unit::ExecList::Reload).empty();
            facts.allow_isolate = config->unit.allow_isolate;
            facts.ignore_on_isolate = config->unit.ignore_on_isolate;
        }
        graph_.build(by_id, [this](std::string_view name) {
            const auto at = ids.find(name);
            return at == ids.end() ? UnitId{} : at->second;
        });
    }
    const Graph& graph() const override { return graph_; }
    UnitFacts facts(UnitId unit) const override { return states.at(configs_[unit.value - 1]->name); }
    std::vector<UnitId> occupied() const override {
        std::vector<UnitId> found;
        for (const auto& [name, id] : ids)
            if (!is_down(states.at(name).activity) || states.at(name).job)
                found.push_back(id);
        return found;
    }
    FakeWorld& up(const std::string& name) {
        states.at(Build::with_suffix(name)).activity = Activity::Active;
        return *this;
    }
    FakeWorld& job(const std::string& name, JobType type, bool irreversible = false) {
        states.at(Build::with_suffix(name)).job = type;
        states.at(Build::with_suffix(name)).job_irreversible = irreversible;
        return *this;
    }
    Plan plan(JobType type, const std::string& name, JobMode mode = JobMode::Replace) const {
        return monoinit::graph::plan(*this, {type, ids.find(Build::with_suffix(name))->second, mode});
    }
    /// "start a, stop b"
    std::string jobs(const Plan& plan) const {
        std::string text;
        for (const PlannedJob& job : plan.jobs) {
            const std::string& unit = configs_[job.unit.value - 1]->name;
            text += (text.empty() ? "" : ", ") + std::string(name(job.type)) + " " + unit.substr(0, unit.find('.'));
        }
        return text;
    }
    std::string jobs(JobType type, const std::string& name, JobMode mode = JobMode::Replace) const { return jobs(plan(type, name, mode)); }

    std::map<std::string, UnitFacts> states;
    std::map<std::string, UnitId, std::less<>> ids;

  private:
    std::vector<std::shared_ptr<const monoinit::unit::UnitConfig>> configs_;
    Graph graph_;
};

using K = DependencyKind;

} // namespace

TEST_CASE("a start pulls in what it needs and wants, recursively") {
    FakeWorld world({service("a").needs("b").wants("c"), service("b").needs("d"), service("c"), service("d"), service("e")});
    CHECK(world.jobs(JobType::Start, "a") == "start a, start b, start c, start d");
}

TEST_CASE("what is up already is left alone, and so is what only it would have pulled in") {
    FakeWorld world({service("a").needs("b"), service("b").needs("c"), service("c")});
    world.up("b");
    CHECK(world.jobs(JobType::Start, "a") == "start a");
}

TEST_CASE("a missing wish is dropped, a missing need refuses") {
    FakeWorld world({service("a").wants("x").needs("b"), service("b"), service("x").state(LoadState::NotFound)});
    CHECK(world.jobs(JobType::Start, "a") == "start a, start b");

    FakeWorld strict({service("a").needs("b"), service("b").needs("x"), service("x").state(LoadState::NotFound)});
    const Plan plan = strict.plan(JobType::Start, "a");
    CHECK(plan.refusal == RefusalReason::NotFound);
    CHECK(plan.text == "x.service not found <- Requires= (b.service:2) <- Requires= (a.service:2)");
}

TEST_CASE("a unit that cannot be had costs those that need it, not those that want them") {
    FakeWorld world({target("t").wants("a").wants("b"), service("a").needs("x"), service("b").wants("a"),
                     service("x").state(LoadState::Masked)});
    const Plan plan = world.plan(JobType::Start, "t.target");
    REQUIRE(plan);
    CHECK(world.jobs(plan) == "start t, start b");
    REQUIRE(plan.dropped.size() >= 1);
    CHECK(plan.dropped[0].kind == Dropped::Kind::Needs);
    CHECK(plan.dropped[0].text == "Requires= (a.service:2)");
}

TEST_CASE("masked, missing and broken units are refused by name") {
    FakeWorld world({service("a").state(LoadState::Masked), service("b").state(LoadState::NotFound), service("c").state(LoadState::BadSetting)});
    CHECK(world.plan(JobType::Start, "a").refusal == RefusalReason::Masked);
    CHECK(world.plan(JobType::Start, "b").text == "b.service not found");
    CHECK(world.plan(JobType::Restart, "c").refusal == RefusalReason::BadSetting);
    CHECK(world.plan(JobType::Stop, "a").refusal == RefusalReason::None);
}

TEST_CASE("stop and restart reach what depends on the unit") {
    FakeWorld world({service("db"), service("api").needs("db"), service("worker").dep(K::PartOf, "db"), service("bound").dep(K::BindsTo, "db"),
                     service("fan").wants("db"), service("idle").needs("db"), service("told").dep(K::StopPropagatedFrom, "db")});
    for (const char* name : {"db", "api", "worker", "bound", "fan", "told"})
        world.up(name);
    CHECK(world.jobs(JobType::Stop, "db") == "stop db, stop api, stop bound, stop worker, stop told");
    CHECK(world.jobs(JobType::Restart, "db") == "restart db, restart api, restart bound, restart worker");
    CHECK(world.jobs(JobType::Start, "db", JobMode::RestartDependencies) == "start db, restart api, restart bound, restart worker");
}

TEST_CASE("reload is passed on as asked, and refused where there is none") {
    FakeWorld world({service("a").reloadable().dep(K::PropagatesReloadTo, "b").dep(K::PropagatesReloadTo, "c"),
                     service("b").reloadable(), service("c")});
    world.up("a").up("b").up("c");
    CHECK(world.jobs(JobType::Reload, "a") == "reload a, reload b");
    CHECK(world.plan(JobType::Reload, "c").refusal == RefusalReason::NotApplicable);
    CHECK(world.jobs(JobType::ReloadOrRestart, "c") == "restart c");
    CHECK(world.jobs(JobType::TryRestart, "b") == "restart b");
}

TEST_CASE("try-restart of what is down is nothing at all") {
    FakeWorld world({service("a")});
    const Plan plan = world.plan(JobType::TryRestart, "a");
    CHECK(plan);
    CHECK(plan.jobs.empty());
}

TEST_CASE("conflicts stop the other side") {
    FakeWorld world({service("a").conflicts("b"), service("b"), service("c").needs("b")});
    world.up("b").up("c");
    CHECK(world.jobs(JobType::Start, "a") == "start a, stop b, stop c");
    FakeWorld mirror({service("a"), service("b").conflicts("a")});
    mirror.up("b");
    CHECK(mirror.jobs(JobType::Start, "a") == "start a, stop b");
}

TEST_CASE("a contradiction costs the job that matters less, or the request") {
    FakeWorld world({target("t").wants("a").wants("b"), service("a").conflicts("b"), service("b")});
    const Plan reduced = world.plan(JobType::Start, "t.target");
    CHECK(world.jobs(reduced) == "start t, start a"); // the conflict wins over the wish
    const auto lost = std::ranges::find(reduced.dropped, JobType::Start, &Dropped::type);
    REQUIRE(lost != reduced.dropped.end());
    CHECK(lost->text.starts_with("a.service, which is started, conflicts with it: Conflicts="));
    FakeWorld stuck({service("t").needs("a").needs("b"), service("a").conflicts("b"), service("b")});
    const Plan plan = stuck.plan(JobType::Start, "t");
    CHECK(plan.refusal == RefusalReason::Conflict);
}

TEST_CASE("Requisite= verifies, and merges into a start") {
    FakeWorld world({service("a").dep(K::Requisite, "b"), service("b"), service("c").needs("a").needs("b")});
    CHECK(world.jobs(JobType::Start, "a") == "start a, verify-active b");
    CHECK(world.jobs(JobType::Start, "c") == "start c, start a, start b");
    world.up("b");
    CHECK(world.jobs(JobType::Start, "a") == "start a");
}

TEST_CASE("job mode fail gives way to what is there") {
    FakeWorld world({service("a").dep(K::Conflicts, "b").wants("c"), service("b"), service("c").conflicts("d"), service("d")});
    world.up("d");
    // c is only wanted; having it would stop d
    CHECK(world.jobs(JobType::Start, "a", JobMode::Fail) == "start a");
    world.job("a", JobType::Stop);
    CHECK(world.plan(JobType::Start, "a", JobMode::Fail).refusal == RefusalReason::Destructive);
    CHECK(world.plan(JobType::Start, "a", JobMode::Replace));
    world.job("a", JobType::Stop, true);
    CHECK(world.plan(JobType::Start, "a", JobMode::Replace).refusal == RefusalReason::Destructive);
}

TEST_CASE("replace-irreversibly marks its jobs") {
    FakeWorld world({service("a")});
    CHECK(world.plan(JobType::Start, "a", JobMode::ReplaceIrreversibly).jobs.front().irreversible);
}

TEST_CASE("isolate stops everything else") {
    const auto isolatable = [](auto& config) { config.unit.allow_isolate = true; };
    FakeWorld world({target("t").wants("a").with(isolatable), service("a"), service("b"), service("c"),
                     service("kept").with([](auto& config) { config.unit.ignore_on_isolate = true; })});
    world.up("b").up("a").up("kept");
    const Plan plan = world.plan(JobType::Start, "t.target", JobMode::Isolate);
    CHECK(world.jobs(plan) == "start t, stop b");
    CHECK(plan.cancels_others);
    CHECK(world.plan(JobType::Start, "a", JobMode::Isolate).refusal == RefusalReason::Isolate);
    CHECK(world.plan(JobType::Stop, "t.target", JobMode::Isolate).refusal == RefusalReason::Isolate);
}

TEST_CASE("ignore-dependencies and ignore-requirements pull in nothing") {
    FakeWorld world({service("a").needs("b").after("b"), service("b")});
    CHECK(world.jobs(JobType::Start, "a", JobMode::IgnoreRequirements) == "start a");
    const Plan plan = world.plan(JobType::Start, "a", JobMode::IgnoreDependencies);
    CHECK(world.jobs(plan) == "start a");
    CHECK(plan.jobs.front().ignore_order);
}

TEST_CASE("triggering stops what would start the unit again") {
    FakeWorld world({service("a"), service("b").dep(K::Triggers, "a")});
    world.up("a").up("b");
    CHECK(world.jobs(JobType::Stop, "a", JobMode::Triggering) == "stop a, stop b");
    CHECK(world.plan(JobType::Start, "a", JobMode::Triggering).refusal == RefusalReason::NotApplicable);
}

// ---- ordering cycles ----------------------------------------------------------------------------------------------

TEST_CASE("a cycle costs the job that is least needed, and is named whole") {
    FakeWorld world({target("t").wants("a").wants("b"), service("a").after("b"), service("b").after("a")});
    const Plan plan = world.plan(JobType::Start, "t.target");
    REQUIRE(plan);
    CHECK(world.jobs(plan) == "start t, start a");
    REQUIRE(plan.dropped.size() == 1);
    CHECK(plan.dropped[0].kind == Dropped::Kind::Cycle);
    CHECK(plan.dropped[0].text == "ordering cycle: a.service -> b.service -> a.service [After= (b.service:2), After= (a.service:2)]; "
                                  "dropped start job of b.service");
}

TEST_CASE("what the request needs is not sacrificed") {
    FakeWorld world({service("t").needs("b").wants("a"), service("a").after("b"), service("b").after("a")});
    CHECK(world.jobs(JobType::Start, "t") == "start t, start b");
    FakeWorld stuck({service("t").needs("a").needs("b"), service("a").after("b"), service("b").after("a")});
    const Plan plan = stuck.plan(JobType::Start, "t");
    CHECK(plan.refusal == RefusalReason::Cycle);
    CHECK(plan.text.find("a.service -> b.service -> a.service") != std::string::npos);
}

TEST_CASE("those who need the sacrificed unit go with it") {
    FakeWorld world({target("t").wants("a").wants("b").wants("c"), service("a").after("b"), service("b").after("a"), service("c").needs("b")});
    CHECK(world.jobs(JobType::Start, "t.target") == "start t, start a");
}

TEST_CASE("queued jobs count for cycles, and a restart is looked at as the start it becomes") {
    FakeWorld world({target("t").wants("a"), service("a").after("b"), service("b").after("a")});
    world.job("b", JobType::Start);
    CHECK(world.jobs(JobType::Start, "t.target") == "start t");
    FakeWorld both({target("t").wants("u"), service("u").after("t.target").before("t.target")});
    const Plan plan = both.plan(JobType::Restart, "t.target");
    REQUIRE(plan);
    CHECK(both.jobs(plan) == "restart t");
}

TEST_CASE("a long chain costs no stack, and many cycles are all broken") {
    std::vector<std::shared_ptr<const monoinit::unit::UnitConfig>> chain, rings;
    for (int i = 0; i < 10'000; i++) {
        const std::string next = "u" + std::to_string(i + 1);
        Build unit = service("u" + std::to_string(i));
        chain.push_back(i < 9'999 ? unit.needs(next).after(next) : unit);
    }
    FakeWorld world(chain);
    CHECK(world.plan(JobType::Start, "u0").jobs.size() == 10'000);

    Build all = target("t");
    for (int i = 0; i < 1'000; i++) {
        const std::string a = "a" + std::to_string(i), b = "b" + std::to_string(i);
        all.wants(a).wants(b);
        rings.push_back(service(a).after(b));
        rings.push_back(service(b).after(a));
    }
    rings.push_back(all);
    FakeWorld ringed(rings);
    CHECK(ringed.plan(JobType::Start, "t.target").jobs.size() == 1'001);
}

TEST_CASE("what a merged job needs is not dropped from under it") {
    // x needs k to be there already; y, which x only wants, has k started, and k needs z. Of the ring z, v it is v that goes.
    const auto world = [](bool z_first) {
        return FakeWorld({service("x").dep(DependencyKind::Requisite, "k").wants("y").wants("v"), service("k").needs("z"), service("y").needs("k"),
                          z_first ? service("z").after("v") : service("v").after("z"), z_first ? service("v").after("z") : service("z").after("v")});
    };
    for (const bool z_first : {false, true}) {
        FakeWorld each = world(z_first);
        const Plan plan = each.plan(JobType::Start, "x");
        REQUIRE(plan.dropped.size() == 1);
        CHECK(plan.dropped[0].unit == each.ids.find("v.service")->second);
        CHECK(each.jobs(plan) == "start x, start y, start k, start z");
    }
}
