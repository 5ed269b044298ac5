#pragma once
// The command-line tools, by the name they are called with. Each returns the exit status of the process.

#include <string>
#include <string_view>

namespace monoinit::unit {
struct Condition;
}

namespace monoinit::cli {

/// What main() lends the tools from modules that cli/ may not include.
struct Hooks {
    /// The states of a unit type and their legal edges, as text or (format "dot") as a graph.
    std::string (*states)(std::string_view format) = nullptr;
    /// Whether a Condition…= or Assert…= holds, negation applied; and what it is called.
    bool (*holds)(const unit::Condition& condition) = nullptr;
    std::string (*condition_name)(const unit::Condition& condition) = nullptr;
};

int initctl_main(int argc, char** argv, const Hooks& hooks = {});
int systemctl_main(int argc, char** argv, const Hooks& hooks = {});
int journalctl_main(int argc, char** argv, const Hooks& hooks = {});
/// The small programs of systemd's family; each stands in the file of its name.
int escape_main(int argc, char** argv, const Hooks& hooks);      // tool_escape.cpp
int notify_main(int argc, char** argv, const Hooks& hooks);      // tool_notify.cpp
int cat_main(int argc, char** argv, const Hooks& hooks);         // tool_cat.cpp
int detect_virt_main(int argc, char** argv, const Hooks& hooks); // tool_detect_virt.cpp
int path_main(int argc, char** argv, const Hooks& hooks);        // tool_path.cpp
int id128_main(int argc, char** argv, const Hooks& hooks);       // tool_id128.cpp
int analyze_main(int argc, char** argv, const Hooks& hooks);     // analyze.cpp
int run_main(int argc, char** argv, const Hooks& hooks);         // systemd_run.cpp
int halt_main(int argc, char** argv, const Hooks& hooks);        // tool_power.cpp: halt, poweroff, reboot
int shutdown_main(int argc, char** argv, const Hooks& hooks);
int telinit_main(int argc, char** argv, const Hooks& hooks);
int runlevel_main(int argc, char** argv, const Hooks& hooks);
/// `init 6`: who calls /sbin/init with a runlevel means telinit.
bool is_telinit_call(int argc, char** argv);
/// `monoinit install [--systemctl] …`; `arguments` without "install".
int install_main(int argc, char** argv);

} // namespace monoinit::cli
