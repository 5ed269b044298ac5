// Options before and after the verb, as getopt_long has it; systemctl's error texts.
#include "cli/options.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::cli;

namespace {

using Words = std::vector<std::string>;

ParsedLine parsed(Face face, const Words& words) {
    auto line = parse_options(face, "systemctl", words);
    REQUIRE(line.has_value());
    return std::move(*line);
}

std::string error(Face face, const Words& words) {
    const auto line = parse_options(face, face == Face::Initctl ? "initctl" : "systemctl", words);
    return line ? "" : line.error().what;
}

} // namespace

TEST_CASE("what maintainer scripts call") {
    auto line = parsed(Face::Systemctl, {"--root=/", "--system", "--preset-mode=enable-only", "preset", "nginx.service"});
    CHECK(line.options.root == "/");
    CHECK(line.options.preset_mode == "enable-only");
    CHECK(line.words == Words{"preset", "nginx.service"});

    line = parsed(Face::Systemctl, {"--system", "--quiet", "is-active", "--", "nginx.service"});
    CHECK(line.options.quiet);
    CHECK(line.words == Words{"is-active", "nginx.service"});

    line = parsed(Face::Systemctl, {"show", "--value", "--property", "SourcePath", "x", "-pA,B", "-p", "C"});
    CHECK(line.options.value);
    CHECK(line.options.properties == Words{"SourcePath", "A", "B", "C"});

    CHECK(parsed(Face::Systemctl, {"kill", "-s", "HUP", "rsyslog.service"}).options.signal == "HUP");
    CHECK(parsed(Face::Systemctl, {"-n", "0", "--full", "status", "1023"}).options.lines == "0");
    line = parsed(Face::Systemctl, {"status", "-ln0", "--no-pager", "x"});
    CHECK(line.options.lines == "0");
    CHECK(line.words == Words{"status", "x"});
    CHECK_FALSE(parsed(Face::Systemctl, {"--no-legend", "--quiet", "list-units", "user@*"}).options.legend);
    CHECK(parsed(Face::Systemctl, {"list-unit-files", "--full", "--type=socket"}).options.types == Words{"socket"});
}

TEST_CASE("abbreviations, as getopt_long takes them") {
    CHECK_FALSE(parsed(Face::Systemctl, {"--no-leg", "list-units"}).options.legend);
    CHECK(error(Face::Systemctl, {"--no-"}) == "systemctl: option '--no-' is ambiguous");
}

TEST_CASE("mistakes") {
    CHECK(error(Face::Systemctl, {"--bogus"}) == "systemctl: unrecognized option '--bogus'");
    CHECK(error(Face::Systemctl, {"-Z"}) == "systemctl: invalid option -- 'Z'");
    CHECK(error(Face::Systemctl, {"--signal"}) == "systemctl: option '--signal' requires an argument");
    CHECK(error(Face::Systemctl, {"--quiet=yes"}) == "systemctl: option '--quiet' doesn't allow an argument");
    CHECK(error(Face::Initctl, {"--timout=3"}) == "initctl: unrecognized option '--timout'; did you mean --timeout?");
}

TEST_CASE("-f means force to systemctl and follow to initctl and journalctl") {
    CHECK(parsed(Face::Systemctl, {"-f", "x"}).options.force == 1);
    CHECK(parsed(Face::Initctl, {"logs", "-f"}).options.follow);
    CHECK(parsed(Face::Journalctl, {"-fu", "web"}).options.units == Words{"web"});
}

TEST_CASE("names and letters are unique for each tool") {
    for (const OptionRow& a : option_rows())
        for (const OptionRow& b : option_rows())
            if (&a != &b && (a.faces & b.faces) != 0) {
                CAPTURE(a.name, b.name);
                CHECK((a.letter == 0 || a.letter != b.letter));
                CHECK(a.name != b.name);
            }
}
