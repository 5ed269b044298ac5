// What units' settings do to their lines.
#include "log/recent_store.hpp"
#include "log/unit_policies.hpp"
#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::log;

namespace {

struct Fixture {
    sys::UniqueFd file{sys::memory_file("test")};
    base::Result<SharedMemory> memory = SharedMemory::map(file.get());
    RecentStore store{*memory};
    OutRing ring{*memory};
    Multiplexer multiplexer{store, ring, false};
    UnitPolicies policies{multiplexer};

    bool admits(UnitPolicy& policy, std::string_view text, std::uint8_t priority = 6, std::uint64_t mono_us = 1) {
        Record record;
        record.text = text;
        record.priority = priority;
        record.mono_us = mono_us;
        return policies.admits(policy, record);
    }
    std::string written() const { return std::string(ring.contents()); }
};

StreamInfo web() {
    StreamInfo info;
    info.unit = "web.service";
    return info;
}

} // namespace

TEST_CASE("a unit's settings hold for whatever comes in under its name") {
    Fixture test;
    StreamInfo info = web();
    info.level_max = 4;
    info.stdout_level = 3;
    info.filter_patterns = std::string("^keep\0~debug\0", 13);
    info.extra_fields = std::string("A=1\0B=2\0", 8);
    UnitPolicy& policy = test.policies.adopt(info);
    CHECK(&test.policies.of("web.service") == &policy);
    CHECK(test.admits(policy, "keep this", 4));
    CHECK_FALSE(test.admits(policy, "keep this", 5));
    CHECK_FALSE(test.admits(policy, "lose this", 3));
    CHECK_FALSE(test.admits(policy, "keep debug", 3));
    CHECK(policy.shows(3));
    CHECK_FALSE(policy.shows(4));
    CHECK(policy.fields.size() == 14);
    CHECK(test.policies.of("other.service").shows(7));
}

TEST_CASE("streams of a unit share its rate, and a line that must wait does not count twice") {
    Fixture test;
    StreamInfo info = web();
    info.rate_burst = 2;
    info.rate_interval_us = 1000;
    UnitPolicy& policy = test.policies.adopt(info);
    CHECK(&test.policies.adopt(info) == &policy);
    CHECK(test.admits(policy, "1"));
    policy.limit.take_back();
    CHECK(test.admits(policy, "1"));
    CHECK(test.admits(policy, "2"));
    CHECK_FALSE(test.admits(policy, "3"));
    CHECK_FALSE(test.admits(policy, "4"));
    CHECK(test.written().empty());
    CHECK(test.admits(policy, "5", 6, 2000));
    CHECK(test.written() == "[monoinit] web: 2 lines dropped: more than LogRateLimitBurst=2 in 1 ms\n");
}

TEST_CASE("defaults are for those that say nothing; a connection says nothing") {
    Fixture test;
    Config config;
    config.to_stdout = false;
    config.rate_burst = 1;
    config.rate_interval_us = 1'000'000;
    test.policies.configure(config);
    StreamInfo connection = web();
    connection.kind = StreamKind::Connection;
    UnitPolicy& policy = test.policies.adopt(connection);
    CHECK_FALSE(policy.shows(0));
    CHECK(test.admits(policy, "one"));
    CHECK_FALSE(test.admits(policy, "two"));
    test.policies.release(policy);
    for (int i = 0; i < 3000; i++)
        (void)test.policies.of("unit-" + std::to_string(i));
    CHECK(test.admits(test.policies.of("web.service"), "forgotten, so anew"));
}

TEST_CASE("a bad pattern is said, and costs itself only") {
    Fixture test;
    StreamInfo info = web();
    info.filter_patterns = std::string("(\0", 2);
    CHECK(test.admits(test.policies.adopt(info), "x"));
    CHECK(test.written().starts_with("[monoinit] web: LogFilterPatterns: bad pattern ("));
}
