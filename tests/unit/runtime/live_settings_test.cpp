// What clients have set: the record that outlives an image, and the environment it makes.
#include "runtime/live_settings.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using runtime::LiveSettings;

TEST_CASE("live settings survive being saved") {
    LiveSettings settings;
    settings.log_level = 7;
    settings.log_nowhere = true;
    settings.service_watchdogs = false;
    settings.marks["foo\\x2dbar.service"] = runtime::NeedsReload | runtime::NeedsRestart;
    settings.frozen.insert("a@b\\x20c.service");
    settings.assign("TEXT=two words\nand \"a line\"");
    settings.assign("EMPTY=");
    settings.unset_name("LANG");
    LiveSettings restored;
    restored.restore("of a later version\nlog\nmarks 1\n" + settings.save());
    CHECK(restored.log_level == 7);
    CHECK(restored.effective_log_level() == -1);
    CHECK_FALSE(restored.service_watchdogs);
    CHECK(restored.marks_of("foo\\x2dbar.service") == "needs-reload needs-restart");
    CHECK(restored.marks_of("other.service").empty());
    CHECK(restored.frozen.contains("a@b\\x20c.service"));
    CHECK(restored.assigned == settings.assigned);
    CHECK(restored.unset == settings.unset);
    CHECK(restored.save() == settings.save());
}

TEST_CASE("the last word on a variable counts") {
    LiveSettings settings;
    settings.assign("A=1");
    settings.assign("A=2");
    settings.assign("B=1");
    settings.unset_name("B");
    settings.unset_name("C");
    settings.assign("C=3");
    std::vector<std::string> environment{"A=0", "AB=0", "B=0", "C=0"};
    settings.apply_to(environment);
    CHECK(environment == std::vector<std::string>{"AB=0", "A=2", "C=3"});
}
