// [Timer]: what its lines mean, what makes a timer unusable, what follows for its dependencies.
#include "../memory_files.hpp"
#include "base/calendar.hpp"
#include "unit/loader.hpp"

#include <catch2/catch.hpp>
#include <algorithm>

using namespace monoinit;
using namespace monoinit::unit;
using namespace std::chrono_literals;

namespace {

std::shared_ptr<const UnitConfig> loaded(const std::string& text) {
    static MemoryFiles files;
    files = {};
    files.file("/etc/systemd/system/x.timer", text).file("/etc/systemd/system/x.service", "[Service]\nExecStart=/bin/x\n");
    Environment environment;
    environment.unit_path = {"/etc/systemd/system"};
    return Loader(files, environment).load("x.timer");
}

bool has(const UnitConfig& unit, DependencyKind kind, const std::string& name) {
    return std::ranges::any_of(unit.unit.dependencies, [&](const Dependency& each) { return each.kind == kind && each.name == name; });
}

} // namespace

TEST_CASE("lines of [Timer] add up, and an empty one takes all of them back") {
    const auto timer = loaded("[Timer]\nOnBootSec=5min\nOnCalendar=daily\nOnCalendar=Mon 12:00 UTC\nOnBootSec=1h\nPersistent=yes\n");
    REQUIRE(timer->load_state == LoadState::Loaded);
    CHECK(timer->timer->calendars.size() == 2);
    CHECK(timer->timer->calendars[1]->normalized() == "Mon *-*-* 12:00:00 UTC");
    CHECK(timer->timer->spans[static_cast<std::size_t>(TimerBase::Boot)] == std::vector<Duration>{5min, 1h});
    CHECK(timer->timer->persistent);
    const auto reset = loaded("[Timer]\nOnBootSec=5min\nOnCalendar=daily\nOnCalendar=\nOnActiveSec=3\n");
    CHECK(reset->timer->calendars.empty());
    CHECK(reset->timer->spans[static_cast<std::size_t>(TimerBase::Boot)].empty());
    CHECK(reset->timer->spans[static_cast<std::size_t>(TimerBase::Active)] == std::vector<Duration>{3s});
}

TEST_CASE("a timer that nothing makes elapse is unusable") {
    for (const char* text : {"[Timer]\n", "[Timer]\nOnCalendar=nonsense\n", "[Timer]\nOnActiveSec=x\nUnit=x.service\n"}) {
        const auto timer = loaded(text);
        INFO(text);
        CHECK(timer->load_state == LoadState::BadSetting);
        CHECK(timer->load_error.find("never elapse") != std::string::npos);
    }
    CHECK(loaded("[Timer]\nOnClockChange=yes\n")->load_state == LoadState::Loaded);
    CHECK(loaded("[Timer]\nOnCalendar=nonsense\nOnCalendar=daily\n")->load_state == LoadState::Loaded);
}

TEST_CASE("a date that does not exist is said when the file is read") {
    const auto timer = loaded("[Timer]\nOnCalendar=*-02-30\n");
    CHECK(timer->load_state == LoadState::Loaded);
    REQUIRE(timer->problems.size() == 1);
    CHECK(timer->problems[0].text.find("never elapses") != std::string::npos);
}

TEST_CASE("what it starts, and its order") {
    const auto timer = loaded("[Timer]\nOnCalendar=daily\n");
    CHECK(has(*timer, DependencyKind::Triggers, "x.service"));
    CHECK(has(*timer, DependencyKind::Before, "x.service"));
    CHECK(has(*timer, DependencyKind::Before, "timers.target"));
    CHECK(has(*timer, DependencyKind::After, "time-set.target"));
    CHECK(has(*timer, DependencyKind::Conflicts, "shutdown.target"));
    const auto other = loaded("[Unit]\nDefaultDependencies=no\n[Timer]\nOnActiveSec=1\nUnit=other.target\n");
    CHECK(has(*other, DependencyKind::Triggers, "other.target"));
    CHECK_FALSE(has(*other, DependencyKind::Triggers, "x.service"));
    CHECK_FALSE(has(*other, DependencyKind::After, "time-set.target"));
    CHECK(has(*loaded("[Timer]\nOnActiveSec=1\nUnit=x.timer\n"), DependencyKind::Triggers, "x.service")); // none of its own type
}
