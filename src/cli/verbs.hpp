#pragma once
// THE table of verbs: dispatch, help and completion read it. Adding a verb = one row here (verbs.cpp) + one function in
// the file of its noun. Tested by tests/unit/cli/verbs_test.cpp.

#include "cli/context.hpp"

#include <span>
#include <string_view>

namespace monoinit::cli {

enum class Needs : unsigned char { Nothing, Files, Init };
enum class Section : unsigned char { Look, Operate, Files, Manager, Other };

inline constexpr int any_number = 1 << 20;

struct VerbRow {
    std::string_view name;
    bool initctl = true, systemctl = true;
    std::string_view arguments; ///< "UNIT…"
    int least = 0, most = any_number;
    Needs needs = Needs::Nothing;
    Section section = Section::Other;
    int (*run)(Context&, const Names& words) = nullptr; ///< words without the verb
    std::string_view help;
};

std::span<const VerbRow> verbs();
const VerbRow* find_verb(Face face, std::string_view name);
/// Finds the verb, checks the number of arguments, runs it; says what is wrong. `words` may be empty: the overview.
int dispatch(Context& context, const Names& words);
std::string help_text(Face face);
/// What the tools with systemd's names say they are; scripts compare the number.
std::string systemd_version();

// ---- the verbs, by the file they stand in ---------------------------------------------------------------------------

using Words = const Names&;
int overview(Context&, Words);           // overview.cpp
int list(Context&, Words);
int status(Context&, Words);             // status.cpp; as systemctl: status_block.cpp
int operate(Context&, Words);            // operate.cpp: start, stop, restart, try-restart, reload, …, isolate
int kill(Context&, Words);
int reset_failed(Context&, Words);
int show(Context&, Words);               // show.cpp
int env(Context&, Words);
/// NAME=value lines below a remark that says where they come from; fit for a shell or an EnvironmentFile=.
std::string environment_text(const std::vector<control::EnvironmentEntry>& entries);
int is_active(Context&, Words);
int is_failed(Context&, Words);
int change_environment(Context&, Words); // set-environment, unset-environment, import-environment
int list_units(Context&, Words);         // lists.cpp
int list_jobs(Context&, Words);
int cancel(Context&, Words);
int list_timers(Context&, Words);
int calendar(Context&, Words);           // calendar.cpp
int list_sockets(Context&, Words);
int list_paths(Context&, Words);
int list_automounts(Context&, Words);
int list_dependencies(Context&, Words);  // dependencies.cpp
int list_unit_files(Context&, Words);    // files.cpp
int is_enabled(Context&, Words);
int cat(Context&, Words);
int edit(Context&, Words);               // edit.cpp
/// Options whose values are words of a list; the exit status where that is all: "help", or a word that is not on it.
std::optional<int> check_option_values(Context&); // option_values.cpp
int set_property(Context&, Words);       // unit_control.cpp
int clean(Context&, Words);
int freeze(Context&, Words);             // freeze, thaw
int get_default(Context&, Words);
int change_links(Context&, Words);       // install_verbs.cpp: enable, disable, reenable, preset, mask, unmask, link
int set_default(Context&, Words);
int verify(Context&, Words);             // verify.cpp
int daemon_reload(Context&, Words);      // manager.cpp
int daemon_reexec(Context&, Words);
int exit_container(Context&, Words);
int power(Context&, Words);              // halt, poweroff, reboot …
int is_system_running(Context&, Words);
int whoami(Context&, Words);
int log_level(Context&, Words);          // log-level, log-target, service-watchdogs
int health(Context&, Words);             // health.cpp
int doctor(Context&, Words);             // doctor.cpp
int run(Context&, Words);                // run.cpp
int ports(Context&, Words);              // ports.cpp
int shutdown(Context&, Words);           // shutdown.cpp
int wait(Context&, Words);               // wait.cpp
int logs(Context&, Words);               // logs.cpp
int help(Context&, Words);               // help.cpp
int version(Context&, Words);
int not_here(Context&, Words);           // verbs that need what a container has not

} // namespace monoinit::cli
