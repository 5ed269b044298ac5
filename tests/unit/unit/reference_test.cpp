// The committed pages are what the table says. To renew them after a change of the table:
// MONOINIT_RENEW=1 build/debug/tests/test_unit_unit "[pages]"
#include "base/strings.hpp"
#include "unit/reference.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace monoinit;
using namespace monoinit::unit;

namespace {

const std::string source_dir = MONOINIT_SOURCE_DIR;

std::string contents(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

void check_page(const std::string& path, const std::string& text) {
    if (std::getenv("MONOINIT_RENEW") != nullptr)
        std::ofstream(path) << text;
    INFO(path << " is not what the table says; see the head of this file");
    CHECK(contents(path) == text);
}

} // namespace

TEST_CASE("units/DIRECTIVES.md and COVERAGE.md are fresh", "[pages]") {
    check_page(source_dir + "/units/DIRECTIVES.md", directives_markdown());
    const std::string list = contents(source_dir + "/tests/data/systemd-directives.txt");
    std::vector<std::string_view> names;
    for (const auto line : base::split(list, '\n'))
        if (!line.empty() && line.front() != '#')
            names.push_back(line.substr(0, line.find('\t')));
    CHECK(names.size() == 420);
    check_page(source_dir + "/units/COVERAGE.md", coverage_markdown(names));
}

TEST_CASE("every directive of systemd's list has a row") {
    const std::string list = contents(source_dir + "/tests/data/systemd-directives.txt");
    std::vector<std::string_view> known;
    for (const auto& row : directives())
        known.push_back(row.name);
    for (const auto line : base::split(list, '\n'))
        if (const auto name = line.substr(0, line.find('\t')); !name.empty() && name.front() != '#') {
            INFO(name);
            CHECK(std::find(known.begin(), known.end(), name) != known.end());
        }
}

TEST_CASE("one directive described") {
    CHECK(*describe_directive("RestartSec=") == R"(RestartSec=   in [Service]   full
  How long to wait before a restart; once it is set the wait does not grow by itself.
  Value:   time span
  Default: 100 ms, growing to 30 s
  Example: RestartSec=5s
  Manual:  systemd.service(5)
)");
    CHECK(describe_directive("PrivateTmp")->find("needs a mount namespace") != std::string::npos);
    CHECK(describe_directive("StartLimitBurst")->find("[Unit]") != std::string::npos); // both places
    CHECK_FALSE(describe_directive("Nonsense"));
    CHECK(closest_directive("RestartSecs") == "RestartSec");
}
