#include "unit/command_line.hpp"

#include <catch2/catch.hpp>
#include <map>

using namespace monoinit::unit;

namespace {

using Words = std::vector<std::string>;

struct Parsed {
    std::vector<Command> commands;
    std::string error;
    bool refused = false;
    std::size_t notes = 0;
};

Parsed parse(std::string_view line) {
    const Environment environment;
    UnitConfig unit;
    unit.name = "app@x.service";
    ParseContext context{environment, unit};
    Parsed parsed;
    if (const auto result = parse_command_line(context, line, parsed.commands); !result)
        parsed.error = result.error().what;
    parsed.refused = context.refuse;
    parsed.notes = unit.problems.size();
    return parsed;
}

Command only(std::string_view line) {
    const auto parsed = parse(line);
    INFO(line << ": " << parsed.error);
    REQUIRE(parsed.error.empty());
    REQUIRE(parsed.commands.size() == 1);
    return parsed.commands[0];
}

Words expanded(std::string_view line, const std::map<std::string, std::string, std::less<>>& variables) {
    return expand_argv(only(line), [&](std::string_view name) -> std::optional<std::string_view> {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional<std::string_view>(found->second);
    });
}

} // namespace

TEST_CASE("words of a command") {
    const auto command = only("/usr//bin/app --x \"a b\" 'c' d\\x20e %i 100%%");
    CHECK(command.path == "/usr/bin/app");
    CHECK(command.argv == Words{"/usr//bin/app", "--x", "a b", "c", "d e", "x", "100%"});
    CHECK(only("sh -c 'exit 0'").path == "sh");
    CHECK(only("\"/opt/my app/run\"").path == "/opt/my app/run");
}

TEST_CASE("prefixes, in any order and combination") {
    CHECK(only("-/bin/a").ignore_failure);
    CHECK(only(":/bin/a").no_environment);
    CHECK(only("+/bin/a").full_privileges);
    CHECK(only("!/bin/a").no_setuid);
    const auto twice = only("!!/bin/a");
    CHECK((twice.ambient_fallback && !twice.no_setuid));
    const auto all = only("@-:+/bin/a b c");
    CHECK((all.ignore_failure && all.no_environment && all.full_privileges));
    CHECK(all.path == "/bin/a");
    CHECK(all.argv == Words{"b", "c"});
    CHECK(only("-@/bin/a b").argv == Words{"b"});
    for (const auto* bad : {"--/bin/a", "+!/bin/a", "!!!/bin/a", "@@/bin/a b", "++/bin/a"}) {
        INFO(bad);
        CHECK_FALSE(parse(bad).error.empty());
    }
}

TEST_CASE("several commands in one line") {
    const auto parsed = parse("/bin/a 1 ; -/bin/b 2 ;");
    REQUIRE(parsed.commands.size() == 2);
    CHECK(parsed.commands[0].argv == Words{"/bin/a", "1"});
    CHECK(parsed.commands[1].ignore_failure);
    CHECK(only("/bin/a \\; x;y \";\"").argv == Words{"/bin/a", ";", "x;y", ";"});
    CHECK(parse("; /bin/a").commands.size() == 1);
}

TEST_CASE("what cannot run") {
    for (const auto* bad : {"", "-", "/bin/", "rel/path", "@/bin/a", "\"/bin/a", "/bin/a %Z", "/bin/a\\x01", "..", "\"\""}) {
        INFO(bad);
        const auto parsed = parse(bad);
        CHECK(parsed.commands.empty());
        const bool nothing = std::string_view(bad).empty();
        CHECK(parsed.error.empty() == nothing);
        CHECK(parsed.refused == (!nothing && bad[0] != '-'));
    }
    CHECK_FALSE(parse("-rel/path").refused);
    CHECK(parse("/bin/a ; rel/path").commands.size() == 1); // the first stays, the unit is refused
}

TEST_CASE("an unknown escape stays, with a note") {
    const auto parsed = parse("/bin/grep \\d+ x\\");
    CHECK(parsed.commands.at(0).argv == Words{"/bin/grep", "\\d+", "x\\"});
    CHECK(parsed.notes == 2);
}

TEST_CASE("a command prints as a line that means the same") {
    for (const auto* line : {"/bin/a", "-@:+/bin/a b 'c d'", "!!/bin/a \\; $X ${Y}", "!/usr//bin/a x", "sh -c \"a ; b\"", "/bin/a '' \"q\\\"\""}) {
        const auto first = only(line);
        const auto second = only(format_command(first));
        INFO(format_command(first));
        CHECK(second.path == first.path);
        CHECK(second.argv.size() == first.argv.size());
        CHECK(format_command(second) == format_command(first));
        CHECK((second.ignore_failure == first.ignore_failure && second.no_setuid == first.no_setuid &&
               second.ambient_fallback == first.ambient_fallback && second.full_privileges == first.full_privileges));
    }
}

TEST_CASE("variables as systemd.service(5) says") {
    const std::map<std::string, std::string, std::less<>> variables{
        {"ONE", "one"}, {"TWO", "two words"}, {"QUOTED", "'a b' c\\ d \"e"}, {"EMPTY", ""}, {"DOLLAR", "$ONE"}};
    const auto argv = [&](std::string_view rest) {
        auto words = expanded("/bin/a " + std::string(rest), variables);
        words.erase(words.begin());
        return words;
    };
    CHECK(argv("$ONE") == Words{"one"});
    CHECK(argv("$TWO") == Words{"two", "words"});
    CHECK(argv("${TWO}") == Words{"two words"});
    CHECK(argv("\"$TWO\"") == Words{"two", "words"}); // quotes are gone before: only the word counts
    CHECK(argv("$QUOTED") == Words{"a b", "c d", "e"});
    CHECK(argv("$EMPTY x").size() == 1);
    CHECK(argv("${EMPTY}") == Words{""});
    CHECK(argv("$UNSET x") == Words{"x"});
    CHECK(argv("a${UNSET}b") == Words{"ab"});
    CHECK(argv("a$ONE") == Words{"a$ONE"});
    CHECK(argv("$ONE/x") == Words{}); // the variable "ONE/x" is not set
    CHECK(argv("--x=${ONE}-${TWO}") == Words{"--x=one-two words"});
    CHECK(argv("$$ONE $$ a$$b") == Words{"$ONE", "$", "a$b"});
    CHECK(argv("$$${ONE}") == Words{"$one"});
    CHECK(argv("${ONE") == Words{"${ONE"});
    CHECK(argv("$DOLLAR ${DOLLAR}") == Words{"$ONE", "$ONE"}); // once only
    CHECK(argv("$ x") == Words{"x"});
    CHECK(expanded(":/bin/a $ONE ${TWO} $$", variables) == Words{"/bin/a", "$ONE", "${TWO}", "$$"});
}
