// What initctl run makes of words.
#include "cli/run.hpp"

#include "../temporary_directory.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <sys/stat.h>

using namespace monoinit;
using namespace monoinit::cli;

TEST_CASE("the program is found as a shell finds it") {
    const TemporaryDirectory root;
    const std::string tool = root.write("bin/tool", "#!/bin/sh\n");
    ::chmod(tool.c_str(), 0755);
    root.write("bin/text", "no program");
    CHECK(*resolve_program("/x/y", "/here", "/bin") == "/x/y");
    CHECK(*resolve_program("./y", "/here", "/bin") == "/here/./y");
    CHECK(*resolve_program("tool", "/here", "/nowhere:" + root.path() + "/bin") == tool);
    CHECK(*resolve_program("tool", root.path() + "/bin", "") == tool);
    for (const char* wrong : {"text", "nothing", "", "bin"})
        CHECK_FALSE(resolve_program(wrong, root.path(), root.path() + "/bin:" + root.path()));
    CHECK(resolve_program("nothing", "/", "/a:/b").error().what == "nothing: not found in PATH=/a:/b");
}

TEST_CASE("variables are assignments, or names of those we have") {
    ::setenv("MONOINIT_TEST_WORD", "two words", 1);
    CHECK(*assignments({"A=1", "B=", "MONOINIT_TEST_WORD"}) == std::vector<std::string>{"A=1", "B=", "MONOINIT_TEST_WORD=two words"});
    CHECK_FALSE(assignments({"MONOINIT_TEST_NO_SUCH"}));
}
