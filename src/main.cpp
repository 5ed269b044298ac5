// Who are we? The name we were called by, or an internal verb, decides; without either we are the init.
#include "cli/personality.hpp"
#include "cli/tools.hpp"
#include "config/options.hpp"
#include "log/logger.hpp"
#include "runtime/crash.hpp"
#include "runtime/runtime.hpp"
#include "sys/process_title.hpp"

#include <cstdio>
#include <unistd.h>

using namespace monoinit;

namespace {

int complain(const std::string& what) {
    std::fprintf(stderr, "monoinit: %s\n", what.c_str());
    return 1;
}

int init_main(int argc, char** argv) {
    runtime::Invocation invocation{argc, argv, environ, runtime::take_resume_argument(argc, argv), sys::moment_now()};
    invocation.argc = argc;
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    const std::vector<std::string> environment = runtime::environment_strings(environ);
    config::CommandLine line = config::parse_command_line(arguments);
    switch (line.mode) {
    case config::CommandLine::Mode::Help: return std::fputs(config::help_text().c_str(), stdout) < 0;
    case config::CommandLine::Mode::Version: return std::puts("monoinit " MONOINIT_VERSION) < 0;
    case config::CommandLine::Mode::Install: return cli::install_main(line.arguments);
    case config::CommandLine::Mode::Run: break;
    }
    config::Loaded config = config::load(sys::RealFiles{}, line, environment);
    auto init = runtime::Runtime::create(invocation, std::move(config), line.arguments);
    return init ? (*init)->run() : complain(base::to_string(init.error()));
}

} // namespace

int main(int argc, char** argv) {
    runtime::unblock_fault_signals(); // the image before may have died in its fault handler
    sys::remember_title_area(argc, argv);
    switch (cli::personality(argc, argv)) {
    case cli::Personality::Initctl: return cli::initctl_main(argc, argv);
    case cli::Personality::Systemctl: return cli::systemctl_main(argc, argv);
    case cli::Personality::Journalctl: return cli::journalctl_main(argc, argv);
    case cli::Personality::Logger: return log::logger_main(argc, argv);
    case cli::Personality::Init: break;
    }
    return init_main(argc, argv);
}
