#pragma once
// Rows of [X-Health], [X-HealthStartup], [X-HealthReady] and [X-HealthLive], which are ours: systemd ignores sections and
// keys that begin with X-. Defaults beside those of Docker's HEALTHCHECK and Kubernetes' probes: README, "Health checks".

#include "unit/codecs_health.hpp"
#include "unit/rows.hpp"

namespace monoinit::unit::rows {

// clang-format off

template <class Codec, auto Member>
constexpr Directive check(Text name, Text dflt, Text example, Text doc) {
    return field<codec::OfCheck<Codec, Member>, &UnitConfig::health>(Group::Health, name, dflt, example, doc);
}

inline constexpr auto health_rows = std::to_array<Directive>({
    check<codec::CheckCommands, &HealthCheck::exec>("Exec", "", "/usr/bin/app --check", "A command, run as the unit's own ones are; exit status 0 is good. May be given several times."),
    check<codec::UrlTargets, &HealthCheck::http_get>("HttpGet", "", "http://127.0.0.1:8080/healthz", "An address that must answer 2xx or 3xx (HTTP without TLS; redirects are not followed)."),
    check<codec::TcpTargets, &HealthCheck::tcp_connect>("TcpConnect", "", "127.0.0.1:5432", "A port that must take a connection."),
    check<codec::PathTargets, &HealthCheck::unix_connect>("UnixConnect", "", "/run/app.sock", "A socket in the file system that must take a connection."),
    check<codec::PatternTargets, &HealthCheck::file_exists>("FileExists", "", "/run/app.ready", "A file that must be there; a pattern must match one."),
    check<codec::LineTargets, &HealthCheck::log_line>("LogLine", "", "ready to accept connections", "Text that a line of the unit's output must have held since its start; counts until the check has succeeded once."),
    check<codec::PositiveSpan, &HealthCheck::interval>("Interval", "10s", "30s", "Time from the end of a check to the next."),
    check<codec::PositiveSpan, &HealthCheck::timeout>("Timeout", "5s", "2s", "How long a check may take; then it is killed, with all its processes, and has failed."),
    check<codec::TimeSpan, &HealthCheck::start_period>("StartPeriod", "30s", "1min", "For this long after the start, until the first success, failures do not count."),
    check<codec::PositiveSpan, &HealthCheck::start_interval>("StartInterval", "1s", "500ms", "Interval= until the first success."),
    check<codec::Number<1, 1000>, &HealthCheck::retries>("Retries", "3", "5", "That many failures in a row make it unhealthy; one success makes it healthy."),
    check<codec::Optional<codec::Enum<on_unhealthy_names>>, &HealthCheck::on_unhealthy>("OnUnhealthy", "restart; none in [X-HealthReady]", "stop", "What happens then: the unit is restarted (with the wait of other failures), reloaded or stopped, or the container ends with status 1."),
    field<codec::AfterHealthy, &UnitConfig::unit>(Group::Unit, "X-AfterHealthy", "", "db.service", "As After=, and the start waits until those units' health checks have succeeded; fails if one of them fails for good."),
});
// clang-format on

} // namespace monoinit::unit::rows
