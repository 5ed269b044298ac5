// The table of names: each once, found by any path that ends in it.
#include "cli/programs.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace monoinit::cli;

TEST_CASE("a tool is known by the last part of its path") {
    for (const Program& program : programs) {
        CHECK(find_program(program.name) == &program);
        CHECK(find_program("/usr/bin/" + std::string(program.name)) == &program);
        CHECK(program.main != nullptr);
    }
    CHECK(find_program("monoinit") == nullptr);
    CHECK(find_program("/sbin/init") == nullptr);
    CHECK(find_program("") == nullptr);
}

TEST_CASE("no name stands twice in the table") {
    std::set<std::string_view> names;
    for (const Program& program : programs)
        CHECK(names.insert(program.name).second);
}
