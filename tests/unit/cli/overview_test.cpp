// The first screen, and the words of states.
#include "cli/overview.hpp"
#include "cli/words.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::cli;
using control::UnitSummary;

namespace {

constexpr base::Duration now = std::chrono::hours(500000);

base::Moment ago(base::Duration span) { return {base::Instant{base::Duration(1)}, now - span}; }

UnitSummary unit(std::string name, std::string active, std::string sub) {
    UnitSummary summary{.name = std::move(name), .load_state = "loaded", .active_state = std::move(active), .sub_state = std::move(sub)};
    summary.state_changed = ago(std::chrono::minutes(3));
    return summary;
}

} // namespace

TEST_CASE("the overview") {
    std::vector<UnitSummary> units{unit("code-server.service", "active", "running"), unit("difit.service", "activating", "auto-restart"),
                                   unit("docker-entrypoint.service", "inactive", "dead"), unit("api.service", "failed", "failed"),
                                   unit("multi-user.target", "active", "active"), unit("fstrim.service", "inactive", "dead")};
    units[0].health = "healthy";
    units[0].main_pid = 41;
    units[1].next_attempt = std::chrono::seconds(14);
    units[1].restarts = 3;
    units[1].note = "exit 0 after 12 s (Restart=always)";
    units[2].finished = true;
    units[2].note = "0.31 s";
    units[3].note = "203/EXEC: /opt/api/run not found";
    units[5].machine_masked = true;
    control::ManagerInfo info{.version = "1.0", .system_state = "degraded", .uptime = std::chrono::minutes(3),
                              .ready_after = std::chrono::milliseconds(360), .place = "root in docker, no cgroup write", .masked = 4};
    const std::string text = render_overview(info, units, now, false);
    CHECK(text == "monoinit 1.0   up 3 min   ready after " + base::human_time_span(std::chrono::milliseconds(360)) +
                      "   root in docker, no cgroup write\n\n"
                      "  UNIT               STATE               FOR    PID  RESTARTS  MEMORY  NOTE\n"
                      "● code-server        running, healthy    3 min   41         0       –\n"
                      "↻ difit              restarting in 14 s  –        –         3       –  exit 0 after 12 s (Restart=always)\n"
                      "✓ docker-entrypoint  done                3 min    –         0       –  0.31 s\n"
                      "× api                failed              3 min    –         0       –  203/EXEC: /opt/api/run not found\n"
                      "\n1 failed: initctl status api      4 machine units masked: initctl list --masked\n");
}

TEST_CASE("nothing enabled, nothing started") {
    control::ManagerInfo info{.version = "1.0", .ready_after = base::Duration(1000),
                              .unit_path = {"/etc/systemd/system", "/lib/systemd/system"}, .not_enabled = {"a.service", "b.service"}};
    const std::string text = render_overview(info, {}, now, false);
    CHECK(text.find("no unit has been started; unit files are looked for in /etc/systemd/system, /lib/systemd/system") != std::string::npos);
    CHECK(text.find("2 units have [Install] but are not enabled. Run: initctl enable a b") != std::string::npos);
}

TEST_CASE("words of states") {
    CHECK(state_words(unit("a.service", "reloading", "reload")).text == "reloading");
    CHECK(state_words(unit("a.service", "deactivating", "stop-sigterm")).text == "stopping");
    CHECK(state_words(unit("a.service", "activating", "start-pre")).text == "starting");
    CHECK(state_words(unit("a.service", "inactive", "dead")).text == "stopped");
    CHECK(state_words(UnitSummary{.name = "a.service", .load_state = "loaded", .active_state = "inactive"}).text == "not started");
    CHECK(state_words(UnitSummary{.name = "a.service", .load_state = "masked", .active_state = "inactive"}).text == "masked");
    CHECK(state_words(UnitSummary{.name = "a.service", .load_state = "not-found", .active_state = "inactive"}).text == "not found");
    CHECK(state_words(UnitSummary{.name = "a.service", .load_state = "bad-setting", .active_state = "inactive"}).symbol == "×");
}
