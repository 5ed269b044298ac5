// See codecs_health.hpp. Tested by tests/unit/unit/health_test.cpp.
#include "unit/codecs_health.hpp"

#include "base/strings.hpp"
#include "unit/health_target.hpp"
#include "unit/name.hpp"

namespace monoinit::unit::codec {

std::string complaint_about_url(std::string_view target) {
    if (target.starts_with("https:"))
        return "https is not checked (no TLS here): use the service's plain port, TcpConnect=, or Exec= with curl";
    return parse_http_target(target) ? std::string() : "not of the form http://HOST[:PORT][/PATH]";
}

std::string complaint_about_tcp(std::string_view target) {
    return parse_tcp_target(target) ? std::string() : "not of the form HOST:PORT or PORT";
}

std::string complaint_about_path(std::string_view target) { return target.starts_with('/') ? "" : "not an absolute path"; }

std::string complaint_about_line(std::string_view target) { return target.find('\0') == target.npos ? "" : "holds a NUL byte"; }

Result<void> PositiveSpan::parse(ParseContext&, Value value, Duration& field) {
    const Duration span = TRY(base::parse_time_span(value));
    if (span < std::chrono::milliseconds(10))
        return base::fail(base::Errc::Invalid, "shorter than 10 ms");
    field = span;
    return {};
}

Result<void> AfterHealthy::parse(ParseContext& context, Value value, UnitSection& section) {
    if (value.empty()) {
        section.after_healthy.clear();
        return {};
    }
    std::vector<Dependency> named;
    TRY(add_dependencies(context, value, DependencyKind::After, named));
    for (Dependency& dependency : named) {
        section.after_healthy.push_back(dependency.name);
        section.dependencies.push_back(std::move(dependency));
    }
    return {};
}

std::string AfterHealthy::show(const UnitSection& section) { return base::join(section.after_healthy, " "); }

} // namespace monoinit::unit::codec
