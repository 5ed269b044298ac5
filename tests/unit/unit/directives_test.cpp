// Every row of the table is run: parse(example) -> show -> parse is stable, defaults are what the structs hold.
#include "unit/directives.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace monoinit::unit;

namespace {

UnitConfig fresh() {
    UnitConfig unit;
    unit.name = "app.service";
    return unit;
}

} // namespace

TEST_CASE("parse(example) -> show -> parse is stable for every row") {
    const Environment environment;
    for (const auto& row : directives()) {
        if (row.parse == nullptr)
            continue;
        INFO(section_of(row.group) << " " << row.name.view() << "=" << row.example.view());
        UnitConfig first = fresh();
        ParseContext context{environment, first};
        const auto parsed = row.parse(context, row.example);
        INFO((parsed ? "" : parsed.error().what));
        REQUIRE(parsed);
        CHECK(first.problems.empty());
        if (row.show == nullptr)
            continue;
        const std::string shown = row.show(first);
        CHECK_FALSE(shown.empty());
        UnitConfig second = fresh();
        ParseContext again{environment, second};
        REQUIRE(row.parse(again, shown));
        CHECK(row.show(second) == shown);
    }
}

TEST_CASE("rows that work parse and show, old names parse, ignored ones do neither") {
    for (const auto& row : directives()) {
        INFO(row.name.view());
        CHECK((row.parse != nullptr) == (row.support != Support::Ignored));
        CHECK((row.show != nullptr) == (row.support != Support::Ignored && row.replaced_by.empty()));
    }
}

TEST_CASE("an example is not the default, so that the test above shows something") {
    const UnitConfig empty = fresh();
    const Environment environment;
    for (const auto& row : directives())
        if (row.show != nullptr) {
            INFO(row.name.view());
            UnitConfig unit = fresh();
            ParseContext context{environment, unit};
            REQUIRE(row.parse(context, row.example));
            CHECK(row.show(unit) != row.show(empty));
        }
}

TEST_CASE("defaults in the table are those of the structs, where they are plain values") {
    const UnitConfig empty = fresh();
    const Environment environment;
    // Defaults that are made up of several things, or of what the container has, are words for people.
    for (const auto& row : directives()) {
        if (row.show == nullptr || row.dflt.view().find(' ') != std::string_view::npos || row.show(empty).empty())
            continue;
        INFO(row.name.view());
        CHECK(row.show(empty) == row.dflt);
    }
}

TEST_CASE("hostile values never break a row") {
    const Environment environment;
    for (const auto& row : directives()) {
        if (row.parse == nullptr)
            continue;
        for (const std::string value : {"", "%", "%%", "%q", "\"", "'", "\\", "\\x", "-", "~", "!", "@", "+", "|", "a b", "/", "..", "/../x", ":", "::",
                                        "fd:", "file:", "999999999999999999999999", "-1", "\xff\xfe", "infinity", "🎉"}) {
            INFO(row.name.view() << "=" << value);
            UnitConfig unit = fresh();
            ParseContext context{environment, unit};
            (void)row.parse(context, value); // no crash is what counts
            if (row.show != nullptr)
                (void)row.show(unit);
        }
    }
}

TEST_CASE("rows are found by section") {
    CHECK(find_directive(UnitType::Service, "Service", "ExecStart") != nullptr);
    CHECK(find_directive(UnitType::Service, "Service", "User") != nullptr);
    CHECK(find_directive(UnitType::Service, "Service", "MemoryMax") != nullptr);
    CHECK(find_directive(UnitType::Mount, "Mount", "User") != nullptr);
    CHECK(find_directive(UnitType::Service, "Unit", "ExecStart") == nullptr);
    CHECK(find_directive(UnitType::Target, "Service", "ExecStart") == nullptr);
    CHECK(find_directive(UnitType::Service, "Service", "execstart") == nullptr);
    CHECK(find_directive(UnitType::Timer, "Timer", "Unit")->group == Group::Timer);
    CHECK(find_directive(UnitType::Path, "Path", "Unit")->group == Group::Path);
    CHECK(find_directive(UnitType::Service, "Service", "") == nullptr);
    for (const auto& row : directives())
        CHECK(&directives()[row_index(row)] == &row);
}

TEST_CASE("property names of systemctl show") {
    CHECK(property_name(*find_directive(UnitType::Service, "Service", "RestartSec")) == "RestartUSec");
    CHECK(property_name(*find_directive(UnitType::Service, "Service", "TimeoutStopSec")) == "TimeoutStopUSec");
    CHECK(property_name(*find_directive(UnitType::Service, "Service", "TimerSlackNSec")) == "TimerSlackNSec");
    CHECK(property_name(*find_directive(UnitType::Service, "Service", "Restart")) == "Restart");
}

TEST_CASE("what an old name stands for exists") {
    std::set<std::string_view> names;
    for (const auto& row : directives())
        names.insert(row.name);
    for (const auto& row : directives())
        if (const auto equals = row.replaced_by.view().find('='); equals != std::string_view::npos) {
            INFO(row.name.view() << " -> " << row.replaced_by.view());
            CHECK(names.count(row.replaced_by.view().substr(0, equals)) == 1);
        }
}
