// Who are we? The name we were called by, or an internal verb, decides; without either we are the init.
#include "cli/programs.hpp"
#include "config/options.hpp"
#include "exec/candidate.hpp"
#include "exec/conditions.hpp"
#include "log/logger.hpp"
#include "runtime/crash.hpp"
#include "runtime/minimal.hpp"
#include "runtime/runtime.hpp"
#include "sys/place.hpp"
#include "sys/process_title.hpp"

#include <cstdio>
#include <unistd.h>

using namespace monoinit;

namespace {

int complain(const std::string& what) {
    std::fprintf(stderr, "monoinit: %s\n", what.c_str());
    return 1;
}

/// cli/ may not know the state machines.
std::string states(std::string_view) { return supervise::states_dot(); }

bool holds(const unit::Condition& condition) {
    exec::ConditionContext context;
    context.environment = runtime::environment_strings(environ);
    const sys::Place place = sys::look_around();
    context.host_name = place.host_name;
    context.machine_id = place.machine_id;
    return exec::evaluate(condition, context);
}

int init_main(int argc, char** argv) {
    if (::getpid() == 1)
        runtime::hold_signals();
    const runtime::Resume resume = runtime::take_resume_argument(argc, argv);
    runtime::arm_early(resume, argc, argv, environ);
    if (runtime::wants_minimal_mode(resume))
        return runtime::minimal_mode(resume, argc, argv, environ);
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    const config::CommandLine line = config::parse_command_line(arguments);
    switch (line.mode) {
    case config::CommandLine::Mode::Help: return std::fputs(config::help_text().c_str(), stdout) < 0;
    case config::CommandLine::Mode::Version: return std::puts("monoinit " MONOINIT_VERSION) < 0;
    case config::CommandLine::Mode::Install: return cli::install_main(argc - 1, argv + 1);
    case config::CommandLine::Mode::Run: break;
    }
    config::Loaded config = config::load(sys::RealFiles{}, line, runtime::environment_strings(environ));
    const runtime::Invocation invocation{argc, argv, environ, resume.checkpoint, sys::moment_now()};
    auto init = runtime::Runtime::create(invocation, std::move(config), line.arguments);
    return init ? (*init)->run() : complain(base::to_string(init.error()));
}

} // namespace

int main(int argc, char** argv) {
    runtime::unblock_fault_signals(); // the image before may have died in its fault handler
    sys::remember_title_area(argc, argv);
    const cli::Hooks hooks{states, holds, exec::condition_name};
    if (argc > 1 && argv[1] == log::logger_verb)
        return log::logger_main(argc, argv);
    if (argc > 1 && std::string_view(argv[1]).starts_with(exec::take_over_question))
        return runtime::answer_take_over(std::string_view(argv[1]).substr(exec::take_over_question.size()));
    if (const cli::Program* program = cli::find_program(argc > 0 ? argv[0] : ""))
        return program->main(argc, argv, hooks);
    if (::getpid() != 1 && cli::is_telinit_call(argc, argv))
        return cli::telinit_main(argc, argv, hooks);
    return init_main(argc, argv);
}
