// What is concluded from the facts of a place: what is fine, what could be better, what will not work, and the fix.
#include "cli/doctor.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace monoinit;
using namespace monoinit::cli;
using Level = Finding::Level;

namespace {

/// A container in which there is nothing to complain about.
sys::Surroundings fine_place() {
    sys::Surroundings around;
    around.place.container = "docker";
    around.place.cgroup_writable = true;
    around.subject = 1;
    around.pid1_name = around.pid1_line = "monoinit";
    around.rights = {.known = true, .effective = 0xa80425fb, .seccomp = 2};
    around.run_writable = around.tmp_writable = around.shm_writable = around.root_writable = true;
    around.shm_size = 1 << 30;
    around.dev_log = true;
    around.nofile = around.nproc = around.core = sys::LimitPair{};
    around.locale = "C.UTF-8";
    return around;
}

Patient well() { return {true, 1, "/run/monoinit/control", "1.0", std::chrono::seconds(8), true}; }

/// "level: text -> fix" of the findings about a subject, joined.
std::string said(const sys::Surroundings& around, const Patient& patient, const std::string& subject) {
    std::string text;
    for (const Finding& finding : examine(around, patient))
        if (finding.subject == subject)
            text += (text.empty() ? "" : " | ") + std::string(finding.level == Level::Ok ? "ok: " : finding.level == Level::Note ? "note: " : "problem: ") +
                    finding.text + " -> " + finding.fix;
    return text;
}

template <class Change> std::string with(const std::string& subject, Change change) {
    sys::Surroundings around = fine_place();
    Patient patient = well();
    change(around, patient);
    return said(around, patient, subject);
}

using Around = sys::Surroundings;

bool starts(const std::string& text, const char* prefix) {
    CAPTURE(text);
    CHECK(text.starts_with(prefix));
    return text.starts_with(prefix);
}

bool holds(const std::string& text, const char* part) {
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("in a good place there is one note only, about what cannot be seen from inside") {
    const auto findings = examine(fine_place(), well());
    for (const Finding& finding : findings) {
        CAPTURE(finding.subject, finding.text);
        CHECK((finding.level == Level::Ok) == (finding.subject != "health"));
        CHECK(finding.level != Level::Problem);
    }
}

TEST_CASE("notes and problems say what to do") {
    sys::Surroundings bad;
    bad.place.container = "podman";
    bad.rights = {.known = true, .no_new_privileges = true};
    bad.hidden_processes = true;
    bad.zone = "Asia/Tokyo";
    bad.zone_known = false;
    bad.nofile = bad.nproc = bad.core = sys::LimitPair{0, 0};
    for (const Finding& finding : examine(bad, {})) {
        CAPTURE(finding.subject, finding.text);
        CHECK((finding.level == Level::Ok || !finding.fix.empty()));
        CHECK_FALSE(finding.text.empty());
    }
}

TEST_CASE("the seat") {
    CHECK(with("seat", [](Around&, Patient&) {}) == "ok: PID 1 -> ");
    const auto below = [](const char* name, const char* line, pid_t session, pid_t parent = 1) {
        return [=](Around& around, Patient& patient) {
            patient.pid = around.subject = 7;
            around.pid1_name = name;
            around.pid1_line = line;
            around.parent_line = "sh -c start";
            around.subject_session = session;
            around.subject_parent = parent;
        };
    };
    const char* wrapper = "/bin/sh -c echo Container started; trap \"exit 0\" 15; exec \"$@\"";
    holds(with("seat", below("tini", "tini -- monoinit", 1)), "note: below tini: orphans");
    holds(with("seat", below("docker-init", "/sbin/docker-init -- monoinit", 1)), "note: below docker-init");
    holds(with("seat", below("sh", wrapper, 1)), "note: below the wrapper shell");
    holds(with("seat", below("sh", wrapper, 7)), "note: started detached by a Feature's entrypoint");
    holds(with("seat", below("sh", wrapper, 7)), "\"overrideCommand\": false");
    holds(with("seat", below("node", "node server.js", 7)), "note: detached, below PID 1: PID 1 is \"node server.js\"");
    holds(with("seat", below("node", "node server.js", 3, 5)), "note: a process below \"sh -c start\"");
    starts(with("seat",
                [&](Around& around, Patient& patient) {
                    below("systemd", "/sbin/init", 3, 5)(around, patient);
                    around.place.container = "no container";
                    around.rights.uid = 1000;
                }),
           "ok: an ordinary process of uid 1000");
}

TEST_CASE("no monoinit: what runs as PID 1, and what to do") {
    const auto without = [](const char* name, const char* line, const char* container = "docker") {
        return with("seat", [=](Around& around, Patient& patient) {
            patient = {};
            around.pid1_name = name;
            around.pid1_line = line;
            around.place.container = container;
        });
    };
    holds(without("sh", "/bin/sh -c echo Container started"), "problem: no monoinit here: PID 1 is the wrapper shell of the devcontainers CLI -> \"overrideCommand\": false");
    holds(without("tini", "tini -- sleep infinity"), "problem: no monoinit here: PID 1 is \"tini -- sleep infinity\", an init of the engine");
    holds(without("sleep", "sleep infinity"), "problem: no monoinit here: PID 1 is \"sleep infinity\" -> ENTRYPOINT");
    starts(without("systemd", "/sbin/init", "no container"), "note: no monoinit runs here; this is no container");
    // It is PID 1, and does not answer.
    starts(with("socket", [](Around&, Patient& patient) { patient = {.socket = "nobody answers at /run/monoinit/control"}; }), "problem: nobody answers at");
}

TEST_CASE("users, places, privileges") {
    starts(with("user", [](Around& around, Patient&) { around.rights.uid = 1000730000; }), "note: uid 1000730000 has no entry in /etc/passwd");
    starts(with("user", [](Around& around, Patient&) { around.rights.uid = 1000, around.has_passwd_entry = true; }), "ok: uid 1000: User= can only be this user");
    starts(with("user", [](Around& around, Patient&) { around.rights = {}; }), "note: /proc does not tell");
    holds(with("/run", [](Around& around, Patient&) { around.run_writable = false; }), "note: not writable: the socket and state are below /tmp");
    holds(with("/run", [](Around& around, Patient&) { around.run_writable = around.tmp_writable = false; }), "below /dev/shm");
    starts(with("/run", [](Around& around, Patient&) { around.run_writable = around.tmp_writable = around.shm_writable = false; }), "problem: neither");
    starts(with("/tmp", [](Around& around, Patient&) { around.tmp_writable = false; }), "note: not writable");
    holds(with("root", [](Around& around, Patient&) { around.root_writable = false; }), "ok: read-only");
    holds(with("secrets", [](Around& around, Patient&) { around.state_on_disk = true; }), "-> --tmpfs /run");
    CHECK(with("secrets", [](Around&, Patient&) {}).empty());
    holds(with("capabilities", [](Around& around, Patient&) { around.rights.effective = 1 << 7 | 1 << 5; }), "note: root without SETGID,CHOWN: User= of another user fails with 217/USER -> --cap-add=SETGID,CHOWN");
    CHECK(with("capabilities", [](Around& around, Patient&) { around.rights.uid = 5, around.rights.effective = 0; }) == "ok: none -> ");
    starts(with("privileges", [](Around& around, Patient&) { around.rights.no_new_privileges = true; }), "note: no_new_privs is set");
    starts(with("cgroup", [](Around& around, Patient&) { around.place.cgroup_writable = false; }), "note: not writable");
    CHECK(with("/proc", [](Around& around, Patient&) { around.hidden_processes = true; }).empty()); // root sees them
    starts(with("/proc", [](Around& around, Patient&) { around.hidden_processes = true, around.rights.uid = 5; }), "note: hidepid");
    holds(with("engine", [](Around& around, Patient&) { around.engine_version = "podman-4.3.1", around.user_namespace = true; }), "podman-4.3.1, in a user namespace (rootless)");
}

TEST_CASE("limits and devices") {
    const auto files = [](std::uint64_t hard) { return with("limits", [=](Around& around, Patient&) { around.nofile = sys::LimitPair{1, hard}; }); };
    CHECK(files(4096).find("ok: nofile 4096") == 0);
    CHECK(files(4095).find("note: nofile 4095: soon used up by several services -> --ulimit nofile=65536:65536") == 0);
    CHECK(files(255).find("problem: nofile 255") == 0);
    holds(with("limits", [](Around& around, Patient&) { around.nproc = sys::LimitPair{63, 63}; }), "problem: nproc 63");
    holds(with("limits", [](Around& around, Patient&) { around.core = sys::LimitPair{0, 0}; }), "note: core 0");
    starts(with("/dev/shm", [](Around& around, Patient&) { around.shm_size = 64 << 20; }), "note: 64 MiB");
    starts(with("/dev/shm", [](Around& around, Patient&) { around.shm_size.reset(); }), "problem: missing");
    starts(with("/dev/log", [](Around& around, Patient&) { around.dev_log = false; }), "note: missing");
    CHECK(with("terminal", [](Around& around, Patient&) { around.terminal = "/dev/pts/0"; }) == "ok: /dev/pts/0 -> ");
}

TEST_CASE("the stop has to end before the engine kills") {
    const auto budget = [](base::Duration span, const char* container = "docker") {
        return with("stop", [=](Around& around, Patient& patient) { around.place.container = container, patient.stop_budget = span; });
    };
    starts(budget(std::chrono::seconds(9)), "ok: an ordered stop may take 9 s, within");
    holds(budget(std::chrono::seconds(10)), "problem: ");
    holds(budget(std::chrono::seconds(20)), "stop_grace_period: 22s (docker stop -t 22)");
    starts(budget(std::chrono::seconds(20), "kubernetes"), "ok: ");
    holds(budget(std::chrono::seconds(40), "kubernetes"), "terminationGracePeriodSeconds: 42");
    starts(budget(base::infinity), "problem: shutdown_timeout has no end");
}

TEST_CASE("health, time, words") {
    holds(with("health", [](Around&, Patient&) {}), "HEALTHCHECK CMD [\"initctl\", \"health\"]");
    holds(with("health", [](Around&, Patient& patient) { patient.has_checks = false; }), "no unit has an [X-Health] section");
    holds(with("health", [](Around& around, Patient&) { around.place.container = "kubernetes"; }), "exec probes");
    holds(with("time zone", [](Around& around, Patient&) { around.zone = "Asia/Tokyo", around.zone_known = false; }), "problem: TZ=Asia/Tokyo has no file in /usr/share/zoneinfo: times are UTC -> install tzdata");
    starts(with("time zone", [](Around& around, Patient&) { around.zone = "Asia/Tokyo"; }), "ok: Asia/Tokyo");
    starts(with("time zone", [](Around& around, Patient&) { around.has_localtime = true; }), "ok: of /etc/localtime");
    starts(with("locale", [](Around& around, Patient&) { around.locale = "C"; }), "note: C: ");
    starts(with("locale", [](Around& around, Patient&) { around.locale.clear(); }), "ok: not set");
}
