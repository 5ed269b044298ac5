// [X-Health] and kin: what is read, what is refused and why, and that each section holds a check of its own.
#include "unit/directives.hpp"
#include "unit/health_target.hpp"
#include "unit/parse.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::unit;
using namespace std::chrono_literals;

namespace {

UnitConfig parsed(std::string_view text, UnitType type = UnitType::Service) {
    const Environment environment;
    UnitConfig unit;
    unit.name = "app.service";
    unit.type = type;
    unit.files = {"/etc/systemd/system/app.service"};
    parse_unit_text(environment, unit, text);
    return unit;
}

std::vector<std::string> texts(const UnitConfig& unit) {
    std::vector<std::string> lines;
    for (const auto& problem : unit.problems)
        lines.push_back(std::to_string(problem.line) + ": " + problem.text);
    return lines;
}

using Lines = std::vector<std::string>;

} // namespace

TEST_CASE("a unit without the section checks nothing and shares the default") {
    const auto unit = parsed("[Service]\nExecStart=/bin/true\n");
    CHECK(unit.health.is_default());
    CHECK(unit.health->empty());
}

TEST_CASE("all keys of [X-Health]") {
    const auto unit = parsed("[X-Health]\nExec=-/bin/a b\nExec=+/bin/c\nHttpGet=http://127.0.0.1:80/%N\nTcpConnect=80\nTcpConnect=[::1]:5432\n"
                             "UnixConnect=/run/s\nFileExists=/run/*.ready\nLogLine=up: *\nInterval=2s\nTimeout=500ms\nStartPeriod=0\n"
                             "StartInterval=20ms\nRetries=1\nOnUnhealthy=fail-container\n");
    CHECK(texts(unit).empty());
    const HealthCheck& check = unit.health->check(HealthKind::Both);
    REQUIRE(check.exec.size() == 2);
    CHECK(check.exec[0].ignore_failure);
    CHECK(check.exec[1].full_privileges);
    CHECK(check.http_get == Lines{"http://127.0.0.1:80/app"});
    CHECK(check.tcp_connect == Lines{"80", "[::1]:5432"});
    CHECK(check.unix_connect == Lines{"/run/s"});
    CHECK(check.file_exists == Lines{"/run/*.ready"});
    CHECK(check.log_line == Lines{"up: *"});
    CHECK(check.steps() == 8);
    CHECK(check.interval == 2s);
    CHECK(check.timeout == 500ms);
    CHECK(check.start_period == 0s);
    CHECK(check.start_interval == 20ms);
    CHECK(check.retries == 1);
    CHECK(unit.health->consequence(HealthKind::Both) == OnUnhealthy::FailContainer);
    CHECK(unit.has_privileged_commands());
}

TEST_CASE("each kind has a section") {
    const auto unit = parsed("[X-HealthStartup]\nFileExists=/a\n[X-HealthReady]\nFileExists=/b\n[X-HealthLive]\nFileExists=/c\nRetries=9\n");
    CHECK(unit.health->check(HealthKind::Both).steps() == 0);
    CHECK(unit.health->check(HealthKind::Startup).file_exists == Lines{"/a"});
    CHECK(unit.health->check(HealthKind::Ready).file_exists == Lines{"/b"});
    CHECK(unit.health->check(HealthKind::Live).file_exists == Lines{"/c"});
    CHECK(unit.health->check(HealthKind::Live).retries == 9);
    CHECK(unit.health->check(HealthKind::Ready).retries == 3);
    CHECK(unit.health->consequence(HealthKind::Live) == OnUnhealthy::Restart);
    CHECK(unit.health->consequence(HealthKind::Ready) == OnUnhealthy::None); // only taken out of service
}

TEST_CASE("what is wrong is said, and the rest counts") {
    const auto unit = parsed("[X-Health]\nHttpGet=https://localhost/\nHttpGet=ftp://x/\nHttpGet=http://user@x/\nTcpConnect=host\nTcpConnect=:1\n"
                             "TcpConnect=h:0\nUnixConnect=run/s\nInterval=0\nRetries=0\nOnUnhealthy=explode\nExec=\nProbe=1\nHttpGet=http://a\n");
    const auto said = texts(unit);
    REQUIRE(said.size() == 11);
    CHECK(said[0] == "2: HttpGet=: https is not checked (no TLS here): use the service's plain port, TcpConnect=, or Exec= with curl");
    CHECK(said[1] == "3: HttpGet=: not of the form http://HOST[:PORT][/PATH]");
    CHECK(said[10] == "13: unknown directive Probe= in [X-Health]");
    CHECK(unit.health->check(HealthKind::Both).steps() == 1);
    CHECK(unit.health->check(HealthKind::Both).interval == 10s);
    CHECK(unit.load_state != LoadState::BadSetting);
}

TEST_CASE("an empty value resets a list") {
    const auto unit = parsed("[X-Health]\nTcpConnect=80\nTcpConnect=\nExec=/bin/a\nExec=\n");
    CHECK(unit.health->empty());
}

TEST_CASE("X-AfterHealthy is After and more") {
    const auto unit = parsed("[Unit]\nX-AfterHealthy=db.service cache.service\nX-Other=1\n[Service]\nX-AfterHealthy=no.service\n");
    CHECK(texts(unit).empty());
    CHECK(unit.unit.after_healthy == Lines{"db.service", "cache.service"});
    REQUIRE(unit.unit.dependencies.size() == 2);
    CHECK(unit.unit.dependencies[1].kind == DependencyKind::After);
    CHECK(unit.unit.dependencies[1].name == "cache.service");
}

TEST_CASE("targets of a unit that is no service have no checks") {
    const auto target = parsed("[X-Health]\nTcpConnect=80\n[X-Theirs]\na=b\n", UnitType::Target);
    CHECK(target.health->empty());
    CHECK(texts(target) == Lines{"1: [X-Health] is for services only"});
}

TEST_CASE("addresses") {
    const auto http = [](std::string_view text) {
        const auto target = parse_http_target(text);
        return target ? target->address.host + " " + std::to_string(target->address.port) + " " + target->host + " " + target->path : "none";
    };
    CHECK(http("http://localhost") == "localhost 80 localhost /");
    CHECK(http("http://127.0.0.1:8035/api/diff?x=1#part") == "127.0.0.1 8035 127.0.0.1:8035 /api/diff?x=1");
    CHECK(http("http://[::1]:80?q") == "::1 80 [::1]:80 /?q");
    for (const auto* bad : {"", "http://", "http:///x", "http://a:b/", "http://a:70000/", "http://a /", "http://a/\r\nX: y", "http://[::1", "HTTP://a/"}) {
        INFO(bad);
        CHECK(http(bad) == "none");
    }
    CHECK(parse_tcp_target("80")->host == "localhost");
    CHECK(parse_tcp_target("db:5432")->port == 5432);
    CHECK_FALSE(parse_tcp_target("db"));
    CHECK_FALSE(parse_tcp_target("0"));
    CHECK_FALSE(parse_tcp_target("::1:80"));
}
