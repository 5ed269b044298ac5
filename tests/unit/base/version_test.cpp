// Pairs compared with `systemd-analyze compare-versions` of systemd 252.
#include "base/version.hpp"

#include <catch2/catch.hpp>

using monoinit::base::compare_versions;

TEST_CASE("older and newer") {
    constexpr const char* ascending[][2] = {{"1", "2"},       {"1", "1.0"},     {"1~rc1", "1"},   {"1~", "1"},      {"~1", ""},        {"1.9", "1.10"},
                                            {"009", "10"},    {"1-2", "1.2"},   {"1^post", "1.1"}, {"1", "1^post"}, {"1a", "1b"},      {"abc", "abcd"},
                                            {"A", "a"},       {"1.a", "1.1"},   {"6.1.0-18-amd64", "6.1.0-20-amd64"}, {"252.39-1~deb12u1", "252.39-1~deb12u2"}};
    for (const auto& [older, newer] : ascending) {
        CAPTURE(older, newer);
        CHECK(compare_versions(older, newer) < 0);
        CHECK(compare_versions(newer, older) > 0);
    }
    for (const auto& [one, other] : {std::pair{"1", "1"}, {"01", "1"}, {"", ""}, {"1_0", "1+0"}, {"1.00", "1.0"}})
        CHECK(compare_versions(one, other) == 0);
}
