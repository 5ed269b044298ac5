// Where lines may go, and how they look there.
#include "log/forward.hpp"
#include "store_support.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::log;
using namespace monoinit::log::test;

TEST_CASE("targets") {
    const auto kind = [](const char* text) { return parse_forward_target(text).value().kind; };
    CHECK(kind("file:/var/log/all.json") == ForwardTarget::Kind::File);
    CHECK(kind("syslog:/run/systemd/journal/syslog") == ForwardTarget::Kind::Syslog);
    CHECK(kind("unix:/run/x") == ForwardTarget::Kind::Unix);
    const auto tcp = parse_forward_target("web=tcp:[::1]:601").value();
    CHECK(tcp.unit == "web.service");
    CHECK(tcp.host == "::1");
    CHECK(tcp.port == "601");
    CHECK(parse_forward_target("db@*=udp:localhost:514").value().unit == "db@*");
    CHECK(parse_forward_target("file:/a=b").value().path == "/a=b");
    for (const char* text : {"", "web", "file:relative", "udp:127.0.0.1", "udp:example.org:514", "tcp:127.0.0.1:0", "tcp:127.0.0.1:99999", "tcp:127.0.0.1:5x", "smtp:/x"})
        CHECK_FALSE(parse_forward_target(text));
}

TEST_CASE("forms of syslog") {
    Record record = line(1, "web.service", "hello world", 3);
    record.wall_us = 1'795'692'731'123'456;
    record.facility = 10;
    record.pid = 57;
    CHECK(as_rfc5424(record, "box") == "<83>1 2026-11-26T11:32:11.123456Z box web 57 - - hello world");
    CHECK(as_syslog(record).starts_with("<83>Nov 26 "));
    CHECK(as_syslog(record).ends_with(" web[57]: hello world"));
    record.identifier = "a b\n";
    record.pid = 0;
    CHECK(as_rfc5424(record, "") == "<83>1 2026-11-26T11:32:11.123456Z - a_b_ - - - hello world");
}
