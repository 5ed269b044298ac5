// What is said about outcomes. systemctl's texts are those recorded from systemctl 252.
#include "cli/operate.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::cli;
using control::JobOutcome;
using control::Verb;

TEST_CASE("in our words") {
    const JobOutcome restarted{.unit = "web.service", .result = "done", .took = std::chrono::milliseconds(12), .pid = 57, .active_state = "active", .sub_state = "running"};
    CHECK(outcome_line(Verb::Restart, restarted) == "web: restarted in 12 ms (pid 57)");
    CHECK(outcome_line(Verb::Stop, {.unit = "web.service", .result = "done", .took = std::chrono::milliseconds(31)}) == "web: stopped in 31 ms");
    CHECK(outcome_line(Verb::Start, {.unit = "web.service", .result = "done", .pid = 57, .sub_state = "running", .changed = false}) ==
          "web: already running (pid 57)");
    CHECK(outcome_line(Verb::TryRestart, {.unit = "web.service", .result = "done", .changed = false}) == "web: not running, so left");
    CHECK(outcome_line(Verb::Start, {.unit = "init.service", .result = "done", .took = std::chrono::milliseconds(31), .sub_state = "exited"}) ==
          "init: done in 31 ms");
    CHECK(outcome_line(Verb::Start, {.unit = "code-server.service", .result = "dependency",
                                     .text = "docker-entrypoint failed (exit 3); it is in Requires="}) ==
          "code-server: not started: docker-entrypoint failed (exit 3); it is in Requires=");
    CHECK(outcome_line(Verb::Start, {.unit = "web.service", .result = "queued", .job_id = 7}) == "web: queued (job 7)");
}

TEST_CASE("initctl's exit status") {
    CHECK(initctl_status({.unit = "a", .result = "done"}) == 0);
    CHECK(initctl_status({.unit = "a", .result = "skipped"}) == 0);
    CHECK(initctl_status({.unit = "a", .result = "failed"}) == 1);
    CHECK(initctl_status({.unit = "a", .result = "refused", .refusal = "not-found"}) == 4);
    CHECK(initctl_status({.unit = "a", .result = "refused", .refusal = "masked"}) == 1);
}

TEST_CASE("in systemctl's words, with its exit status") {
    struct Case {
        std::string_view verb;
        JobOutcome outcome;
        std::string_view service_result, text;
        int status;
    };
    const auto refused = [](std::string unit, std::string refusal, std::string text = "") {
        return JobOutcome{.unit = std::move(unit), .result = "refused", .refusal = std::move(refusal), .text = std::move(text)};
    };
    const Case cases[] = {
        {"start", {.unit = "failing.service", .result = "failed"}, "exit-code",
         "Job for failing.service failed because the control process exited with error code.\n"
         "See \"systemctl status failing.service\" and \"journalctl -xeu failing.service\" for details.", 1},
        {"start", refused("nope.service", "not-found"), "", "Failed to start nope.service: Unit nope.service not found.", 5},
        {"stop", refused("nope.service", "not-found"), "", "Failed to stop nope.service: Unit nope.service not loaded.", 5},
        {"start", refused("needs.service", "not-found", "needs nope.service, which does not exist"), "",
         "Failed to start needs.service: Unit nope.service not found.", 5},
        {"try-restart", refused("nope.service", "not-found"), "", "Failed to try-restart nope.service: Unit nope.service not found.", 5},
        {"restart", refused("gone.service", "masked"), "", "Failed to restart gone.service: Unit gone.service is masked.", 1},
        {"start", refused("bad.service", "bad-setting"), "",
         "Failed to start bad.service: Unit bad.service has a bad unit file setting.\n"
         "See system logs and 'systemctl status bad.service' for details.", 1},
        {"reload", refused("plain.service", "not-applicable"), "",
         "Failed to reload plain.service: Job type reload is not applicable for unit plain.service.", 3},
        {"isolate", refused("nope.target", "isolate"), "",
         "Failed to start nope.target: Operation refused, unit may not be isolated.\n"
         "See system logs and 'systemctl status nope.target' for details.", 4},
        {"start", {.unit = "a.service", .result = "dependency"}, "",
         "A dependency job for a.service failed. See 'journalctl -xe' for details.", 1},
        {"start", {.unit = "a.service", .result = "canceled"}, "", "Job for a.service canceled.", 1},
    };
    for (const Case& c : cases) {
        CHECK(systemctl_failure(c.verb, c.outcome, c.service_result) == c.text);
        CHECK(systemctl_status(c.outcome) == c.status);
    }
    CHECK(systemctl_status({.unit = "a", .result = "skipped"}) == 0);
}
