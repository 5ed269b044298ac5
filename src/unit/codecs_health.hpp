#pragma once
// Codecs of [X-Health] and kin. The four sections have the same keys; ParseContext says which section a value stands in.
// Included by rows_health.hpp only. Tested by tests/unit/unit/health_test.cpp.

#include "unit/codecs.hpp"

namespace monoinit::unit::codec {

/// A key of one check.
template <class Codec, auto Member> struct OfCheck {
    static constexpr base::Literal type = Codec::type;
    static Result<void> parse(ParseContext& context, Value value, HealthSection& section) {
        return Codec::parse(context, value, section.checks[static_cast<std::size_t>(context.health)].*Member);
    }
    static std::string show(const HealthSection& section) { return Codec::show(section.check(HealthKind::Both).*Member); }
};

/// Exec=: command lines with the usual prefixes; they add up, an empty value resets.
struct CheckCommands {
    static constexpr base::Literal type = "command line";
    static Result<void> parse(ParseContext& context, Value value, std::vector<Command>& field) { return add_commands(context, value, field); }
    static std::string show(const std::vector<Command>& field) { return show_commands(field); }
};

/// One target a line, specifiers expanded; they add up, an empty value resets. `Fits` gives a complaint, or nothing.
template <std::string (*Fits)(std::string_view)> struct CheckTargets {
    static Result<void> parse(ParseContext& context, Value value, std::vector<std::string>& field) {
        if (value.empty()) {
            field.clear();
            return {};
        }
        std::string target = TRY(expand(context, std::string(value)));
        if (std::string complaint = Fits(target); !complaint.empty())
            return base::fail(base::Errc::Invalid, std::move(complaint));
        field.push_back(std::move(target));
        return {};
    }
    static std::string show(const std::vector<std::string>& field) {
        std::string text;
        for (const std::string& target : field)
            (text += text.empty() ? "" : " ; ") += target;
        return text;
    }
};

std::string complaint_about_url(std::string_view target);
std::string complaint_about_tcp(std::string_view target);
std::string complaint_about_path(std::string_view target);
std::string complaint_about_line(std::string_view target);

struct UrlTargets : CheckTargets<complaint_about_url> { static constexpr base::Literal type = "http://HOST[:PORT][/PATH]"; };
struct TcpTargets : CheckTargets<complaint_about_tcp> { static constexpr base::Literal type = "[HOST:]PORT"; };
struct PathTargets : CheckTargets<complaint_about_path> { static constexpr base::Literal type = "path"; };
struct PatternTargets : CheckTargets<complaint_about_path> { static constexpr base::Literal type = "path, may hold * ? [ ]"; };
struct LineTargets : CheckTargets<complaint_about_line> { static constexpr base::Literal type = "text, may hold * and ?"; };

/// A span above zero: a check that never waits would be a loop.
struct PositiveSpan : TimeSpan {
    static Result<void> parse(ParseContext& context, Value value, Duration& field);
};

/// X-AfterHealthy=: the names, and After= of each.
struct AfterHealthy {
    static constexpr base::Literal type = "unit names";
    static Result<void> parse(ParseContext& context, Value value, UnitSection& section);
    static std::string show(const UnitSection& section);
};

} // namespace monoinit::unit::codec
