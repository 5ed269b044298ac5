// status in our form and in systemctl 252's (recorded output).
#include "cli/status.hpp"

#include "cli/context.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <ctime>

using namespace monoinit;
using namespace monoinit::cli;
using control::UnitDetail;

namespace {

// Sun 2026-11-22 08:34:46 UTC
constexpr base::Duration then = std::chrono::seconds(1795336486), now = then + std::chrono::milliseconds(3219);

base::Moment at(base::Duration wall) { return {base::Instant{wall}, wall}; }

struct Utc {
    Utc() {
        ::setenv("TZ", "UTC0", 1);
        ::tzset();
    }
} utc;

UnitDetail plain() {
    UnitDetail unit;
    unit.summary = {.name = "plain.service", .description = "Plain", .load_state = "loaded", .active_state = "active", .sub_state = "running", .result = "success"};
    unit.fragment_path = "/etc/systemd/system/plain.service";
    unit.active_enter = unit.inactive_exit = unit.summary.state_changed = at(then);
    return unit;
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("systemctl's block of a service that runs") {
    const UnitDetail unit = plain();
    const StatusView view{.unit = unit, .processes = {{.pid = 427, .command = "/bin/sleep 1000", .memory = 249856}}, .file_state = "static", .now = now};
    CHECK(render_status_block(view) == "● plain.service - Plain\n"
                                       "     Loaded: loaded (/etc/systemd/system/plain.service; static)\n"
                                       "     Active: active (running) since Sun 2026-11-22 08:34:46 UTC; 3s ago\n"
                                       "      Tasks: 1\n"
                                       "     Memory: 244.0K\n"
                                       "     CGroup: /system.slice/plain.service\n"
                                       "             └─427 /bin/sleep 1000\n");
    CHECK(status_exit(unit) == 0);
}

TEST_CASE("systemctl's block of one that failed, and of a masked one") {
    UnitDetail unit = plain();
    unit.summary = {.name = "failing.service", .description = "failing.service", .load_state = "loaded", .active_state = "failed", .sub_state = "failed", .result = "exit-code"};
    unit.fragment_path = "/etc/systemd/system/failing.service";
    unit.active_enter = {};
    unit.inactive_enter = at(then + std::chrono::milliseconds(3197));
    unit.history = {{.directive = "ExecStart", .command = "/bin/false", .pid = 492, .code = "exited", .status = 1}};
    const StatusView view{.unit = unit, .file_state = "static", .now = now};
    CHECK(render_status_block(view) == "× failing.service\n"
                                       "     Loaded: loaded (/etc/systemd/system/failing.service; static)\n"
                                       "     Active: failed (Result: exit-code) since Sun 2026-11-22 08:34:49 UTC; 22ms ago\n"
                                       "    Process: 492 ExecStart=/bin/false (code=exited, status=1/FAILURE)\n"
                                       "   Main PID: 492 (code=exited, status=1/FAILURE)\n");
    CHECK(status_exit(unit) == 3);
    unit.history[0].code = "killed";
    unit.history[0].status = 9;
    CHECK(has(render_status_block(view), "(code=killed, signal=KILL)"));

    UnitDetail masked;
    masked.summary = {.name = "gone.service", .description = "gone.service", .load_state = "masked", .active_state = "inactive", .sub_state = "dead"};
    CHECK(render_status_block({.unit = masked, .now = now}) == "○ gone.service\n"
                                                               "     Loaded: masked (Reason: Unit gone.service is masked.)\n"
                                                               "     Active: inactive (dead)\n");
}

TEST_CASE("our form of a service that runs") {
    UnitDetail unit = plain();
    unit.summary.restarts = 1;
    unit.last_failure = "08:34:40: killed by SIGKILL, 10 s wait";
    unit.user = "dev";
    unit.group = "staff";
    unit.memory = 131'000'000;
    unit.dependencies = {{"Requires", "docker-entrypoint.service", "active", "exited", "loaded"},
                         {"Requires", "sysinit.target", "active", "active", "loaded"},
                         {"WantedBy", "multi-user.target", "active", "active", "loaded"}};
    const StatusView view{.unit = unit, .processes = {{.pid = 41, .command = "node code-server"}, {.pid = 63, .command = "node out"}},
                          .file_state = "enabled", .lines = {"08:34:47 listening"}, .now = now};
    const std::string text = render_status(view);
    CAPTURE(text);
    CHECK(text.starts_with("● plain.service - Plain\n"
                           "     Loaded: /etc/systemd/system/plain.service (enabled)\n"
                           "     Active: running since "));
    CHECK(has(text, "; 1 restart (08:34:40: killed by SIGKILL, 10 s wait)\n"));
    CHECK(has(text, "       User: dev:staff     Memory: 131 MB\n"
                    "      Needs: docker-entrypoint (done)     Needed by: multi-user.target\n"
                    "    Notices: none\n"
                    "  Processes: ├─41 node code-server\n"
                    "             └─63 node out\n"
                    "  08:34:47 listening\n"));
}

TEST_CASE("why it does not run, and what to do") {
    UnitDetail unit;
    unit.summary = {.name = "code-server.service", .load_state = "loaded", .active_state = "inactive", .sub_state = "dead"};
    unit.why = {"docker-entrypoint.service failed (exit 3) <- Requires= (code-server.service:5)"};
    CHECK(has(render_status({.unit = unit, .now = now}),
              "     Active: not started\n"
              "        Why: docker-entrypoint.service failed (exit 3) <- Requires= (code-server.service:5)\n"
              "       Next: initctl logs docker-entrypoint; then: initctl restart docker-entrypoint code-server\n"));
    unit.why.clear();
    unit.summary.active_state = "failed";
    unit.summary.result = "start-limit-hit";
    CHECK(has(render_status({.unit = unit, .now = now}), "Next: stays failed; initctl restart code-server tries again\n"));
    unit.summary.active_state = "activating";
    unit.summary.next_attempt = std::chrono::seconds(14);
    CHECK(has(render_status({.unit = unit, .now = now}), "Next: starts again in 14 s\n"));
}

TEST_CASE("times the way systemd tells them") {
    using namespace std::chrono;
    CHECK(systemd_relative(milliseconds(219)) == "219ms");
    CHECK(systemd_relative(seconds(3)) == "3s");
    CHECK(systemd_relative(seconds(71)) == "1min 11s");
    CHECK(systemd_relative(seconds(249)) == "4min 9s");
    CHECK(systemd_relative(minutes(13)) == "13min");
    CHECK(systemd_relative(minutes(90)) == "1h 30min");
    CHECK(systemd_relative(hours(15)) == "15h");
    CHECK(systemd_relative(hours(144)) == "6 days");
    CHECK(systemd_timestamp(at(then)) == "Sun 2026-11-22 08:34:46 UTC");
}

TEST_CASE("our status shows each check, and what a failed one printed") {
    UnitDetail unit = plain();
    unit.summary.health = "unhealthy";
    unit.checks = {{.kind = "health", .state = "unhealthy", .streak = 4, .retries = 3, .last_run = at(now - std::chrono::seconds(2)),
                    .text = "HTTP 500 from http://127.0.0.1/", .output = "HTTP/1.1 500 Oops\n\ndatabase is gone\n"},
                   {.kind = "live", .state = "healthy", .retries = 3, .last_run = at(now - std::chrono::seconds(2)), .ok = true, .output = "fine"},
                   {.kind = "startup", .state = "starting", .retries = 3}};
    const std::string text = render_status({.unit = unit, .file_state = "enabled", .now = now});
    INFO(text);
    CHECK(has(text, "running, unhealthy"));
    CHECK(has(text, "Health: unhealthy: HTTP 500 from http://127.0.0.1/ (4 of 3), checked 2 s ago"));
    CHECK(has(text, "database is gone"));
    CHECK(has(text, "Live: healthy, checked 2 s ago"));
    CHECK_FALSE(has(text, "fine"));
    CHECK(has(text, "Startup: starting, not checked yet"));
}
