#pragma once
// What every verb works with: options, the place output goes to, unit files, and (when asked for) the running init.
// Output is collected and written at the end or by flush(), so that tests can look at it.

#include "base/files.hpp"
#include "base/fmt.hpp"
#include "cli/cli.hpp"
#include "cli/options.hpp"
#include "cli/terminal.hpp"
#include "control/client.hpp"
#include "unit/install.hpp"
#include "unit/loader.hpp"

#include <memory>
#include <string>
#include <vector>

namespace monoinit::cli {

using Names = std::vector<std::string>;

struct Context {
    Face face = Face::Initctl;
    std::string program = "initctl"; ///< as it was called
    std::string verb;                ///< the one that runs
    Options options;
    Hooks hooks;
    bool color = false;
    std::string out, err;
    bool buffered = false; ///< flush() keeps everything (tests)

    Context() = default;
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    ~Context() { flush(); }

    bool systemctl() const { return face == Face::Systemctl; }

    template <class... T> void print(fmt::format_string<T...> form, T&&... args) {
        out += fmt::format(form, std::forward<T>(args)...);
    }
    /// To people, unless --quiet.
    template <class... T> void say(fmt::format_string<T...> form, T&&... args) {
        if (!options.quiet)
            out += fmt::format(form, std::forward<T>(args)...);
    }
    /// A line on stderr.
    template <class... T> void complain(fmt::format_string<T...> form, T&&... args) {
        err += fmt::format(form, std::forward<T>(args)...) + "\n";
    }
    /// A line on stderr that --quiet silences (systemctl's "Created symlink …").
    template <class... T> void remark(fmt::format_string<T...> form, T&&... args) {
        if (!options.quiet)
            err += fmt::format(form, std::forward<T>(args)...) + "\n";
    }
    void flush();
    /// For verbs that say nothing when it went well: with --json that is an empty object.
    void done_silently() {
        if (options.json)
            out += "{}\n";
    }

    /// The running init; the connection is kept. The error says what is wrong in words for people.
    base::Result<control::Client*> init();
    /// Whether one answers at all; never complains.
    bool has_init();
    /// "no monoinit here: …", or systemctl's sentence. Returns the exit status.
    int complain_no_init(const base::Error& error);

    base::FileTree& files();
    const unit::Loader& loader();
    unit::InstallOptions install_options() const;

    std::unique_ptr<base::FileTree> files_;   ///< tests put their own
    std::unique_ptr<unit::Loader> loader_;
    std::optional<base::Result<control::Client>> client_;
};

/// Asks the init one thing; complains and gives nothing when that fails.
template <class Answer> base::Result<Answer> ask(Context& context, const control::Request& request) {
    control::Client* client = TRY(context.init());
    return client->ask<Answer>(request);
}

/// A word as a unit's name, completed with ".service"; tells of characters that had to be escaped, as systemctl does.
std::string full_name(Context& context, const std::string& word, std::string_view suffix = ".service");
/// Completes names with ".service" and says nothing; patterns stay.
Names mangled(const Names& words);
/// As full_name(), several; patterns stay.
Names mangled(Context& context, const Names& words);
/// Mangled, with globs expanded over the loaded units. `expanded`: there was a glob.
base::Result<Names> expand(Context& context, const Names& words, bool* expanded = nullptr);
/// With --with-dependencies each unit is followed by those it pulls in.
Names with_dependencies(Context& context, const Names& units);
/// Names of units in one list, for "did you mean"; empty when nothing is close.
std::string suggest_unit(Context& context, std::string_view name);

/// Our own binary, for units that call it.
std::string own_binary();
/// What a change of files means for a running init: it reads its units again, unless --no-reload. Says why not; 0 or 1.
int reload_after(Context& context);

/// Whether files of a unit, or the set of them, have changed since the init read them. `files`: as it did, the fragment first.
bool changed_on_disk(Context& context, const std::string& unit, const Names& files, base::Duration loaded);

/// The environment of specifiers and defaults for work on files.
unit::Environment offline_environment(const std::string& root, const Names& unit_path);
/// "Sun 2026-11-22 08:34:03 UTC" (systemd's) and "10:02:11 JST", "Nov 21 10:02 JST" (ours).
std::string systemd_timestamp(const base::Moment& moment, base::TimestampStyle style = base::TimestampStyle::Pretty);
std::string clock_time(const base::Moment& moment);
/// systemd's "3s ago", "1min 11s ago", "4min 9s".
std::string systemd_relative(base::Duration span);

} // namespace monoinit::cli
