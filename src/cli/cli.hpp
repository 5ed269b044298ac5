#pragma once
// The command-line tools, by the name they are called with. Each returns the exit status of the process.

#include <string>
#include <string_view>

namespace monoinit::cli {

/// What main() lends the tools from modules that cli/ may not include.
struct Hooks {
    /// The states of a unit type and their legal edges, as text or (format "dot") as a graph.
    std::string (*states)(std::string_view format) = nullptr;
};

int initctl_main(int argc, char** argv, const Hooks& hooks = {});
int systemctl_main(int argc, char** argv, const Hooks& hooks = {});
int journalctl_main(int argc, char** argv, const Hooks& hooks = {});
/// `monoinit install [--systemctl] …`; `arguments` without "install".
int install_main(int argc, char** argv);

} // namespace monoinit::cli
