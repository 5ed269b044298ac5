// fd:NAME: streams that whoever asked for a transient service lent it, and descriptors of socket units.
#include "exec/plan_streams.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::exec;

namespace {

unit::ExecSection section(std::string input, std::string output, std::string error) {
    unit::ExecSection exec;
    exec.standard_input = unit::StdinKind::Fd;
    exec.standard_input_target = std::move(input);
    exec.standard_output = {unit::StdoutKind::Fd, std::move(output)};
    exec.standard_error = {unit::StdoutKind::Fd, std::move(error)};
    return exec;
}

} // namespace

TEST_CASE("lent streams are found by their names") {
    CommandContext context;
    context.streams = {5, 6, 7};
    Plan plan;
    CHECK_FALSE(plan_streams(section("stdin", "stdout", "stderr"), context, plan));
    CHECK(plan.input.fd == 5);
    CHECK(plan.output.fd == 6);
    CHECK(plan.error.fd == 7);
    CHECK_FALSE(plan.input.is_terminal);
    CHECK_FALSE(plan.uses_terminal());
}

TEST_CASE("a lent terminal becomes the controlling one") {
    CommandContext context;
    context.streams = {5, 5, 5};
    Plan plan;
    CHECK_FALSE(plan_streams(section("terminal", "terminal", "terminal"), context, plan));
    CHECK(plan.input.fd == 5);
    CHECK(plan.error.fd == 5);
    CHECK(plan.input.is_terminal);
}

TEST_CASE("a descriptor of a socket unit goes before a lent stream, and nothing is a failure") {
    CommandContext context;
    context.listen_fds = {9};
    context.listen_names = {"stdin"};
    context.streams = {5, -1, 7};
    Plan plan;
    const auto failure = plan_streams(section("stdin", "stdout", "other"), context, plan);
    CHECK(plan.input.fd == 9);
    REQUIRE(failure);
    CHECK(failure->stage == Stage::Stdout);
    CHECK(failure->detail == "no descriptor called \"stdout\" was passed");
}
