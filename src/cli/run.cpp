// initctl run: a command becomes a service, without a file of anybody's. The client writes the unit's text (and resolves the command as
// the shell that asked would); the init keeps it, and starts it as any unit. Tested by tests/unit/cli/run_test.cpp and
// tests/system/run.py.
#include "cli/run.hpp"

#include "base/signals.hpp"
#include "base/strings.hpp"
#include "cli/verbs.hpp"
#include "sys/unique_fd.hpp"
#include "sys/users.hpp"
#include "unit/name.hpp"
#include "unit/transient.hpp"

#include <charconv>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::cli {

namespace {

constexpr std::string_view own_directory = "/etc/systemd/system";

bool is_program(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

std::string current_directory() {
    char* const path = ::getcwd(nullptr, 0);
    const std::string text = path == nullptr ? "/" : path;
    std::free(path);
    return text;
}

std::string nameless() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return fmt::format("{}{:x}-{:x}.service", unit::nameless_prefix, static_cast<unsigned long>(now.tv_sec) << 20 | static_cast<unsigned long>(now.tv_nsec) >> 10, ::getpid());
}

/// Who is neither root nor the init's user runs services as themselves.
std::string own_user(Context& context) {
    struct stat info {};
    const auto init = context.init();
    if (!init || ::getuid() == 0 || (::stat((*init)->path().c_str(), &info) == 0 && info.st_uid == ::getuid()))
        return "";
    const auto user = sys::find_user_by_id(::getuid());
    return user ? user->name : std::to_string(::getuid());
}

int refuse(Context& context, const base::Error& error) {
    context.complain("{}: {}", context.program, error.what);
    return error.code == base::Errc::Invalid || error.code == base::Errc::TooLarge ? 2 : 1;
}

/// --save: an ordinary unit file, that nothing enables.
base::Result<void> save(Context& context, const std::string& name, const std::string& text) {
    const std::string path = std::string(own_directory) + "/" + name;
    TRY(context.files().make_directory(std::string(own_directory)));
    const int how = context.options.force > 0 ? O_TRUNC : O_EXCL;
    const sys::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | how, 0644));
    if (!file && errno == EEXIST)
        return base::fail(base::Errc::Exists, path + " is there already (--force replaces it)");
    if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        return base::fail_errno(errno, path);
    context.remark("wrote {}; initctl enable {} starts it at boot", path, unit::short_name(name));
    return {};
}

/// The end of a service: its exit status, as a shell would have it.
int await_end(Context& context, const std::string& name) {
    const auto reply = ask<control::WaitReply>(context, control::WaitRequest{.condition = "inactive", .units = {name}});
    const auto facts = ask<control::PropertiesReply>(context, control::PropertiesRequest{.unit = name, .only = {"ExecMainCode", "ExecMainStatus", "Result"}});
    if (!reply || !facts)
        return refuse(context, reply ? facts.error() : reply.error());
    std::string code, status, result;
    for (const auto& [key, value] : facts->properties)
        (key == "Result" ? result : key == "ExecMainCode" ? code : status) = value;
    int number = 0;
    std::from_chars(status.data(), status.data() + status.size(), number);
    const bool killed = code == "2" || code == "3"; // CLD_KILLED, CLD_DUMPED
    if (killed)
        return base::signal_exit_base + number;
    return number != 0 ? number : result == "success" ? 0 : 1;
}

} // namespace

base::Result<std::string> resolve_program(const std::string& word, const std::string& directory, std::string_view path) {
    if (word.find('/') != std::string::npos)
        return word.front() == '/' ? word : directory + "/" + word;
    for (const std::string_view place : base::split(path, ':')) {
        const std::string candidate = (place.empty() ? directory : std::string(place)) + "/" + word;
        if (!word.empty() && candidate.front() == '/' && is_program(candidate))
            return candidate;
    }
    return base::fail(base::Errc::NotFound, base::printable(word) + ": not found in PATH=" + std::string(path));
}

base::Result<std::vector<std::string>> assignments(const std::vector<std::string>& words) {
    std::vector<std::string> found;
    for (const std::string& word : words) {
        if (word.find('=') != std::string::npos) {
            found.push_back(word);
            continue;
        }
        const char* const value = ::getenv(word.c_str());
        if (value == nullptr)
            return base::fail(base::Errc::Invalid, "--env " + base::printable(word) + ": you have no such variable; NAME=VALUE sets one");
        found.push_back(word + "=" + value);
    }
    return found;
}

int run(Context& context, Words words) {
    const Options& options = context.options;
    unit::TransientSpec spec;
    spec.name = options.name.empty() ? nameless() : options.name + (options.name.ends_with(".service") ? "" : ".service");
    spec.description = options.description;
    spec.working_directory = options.directory.empty() ? current_directory() : options.directory;
    spec.user = options.run_as.empty() ? own_user(context) : options.run_as;
    spec.restart = options.restart;
    spec.properties = options.assignments;
    spec.health = options.health;
    spec.command = words;
    const char* const path = ::getenv("PATH");
    if (const auto init = context.init(); !init)
        return context.complain_no_init(init.error());
    auto program = resolve_program(words.front(), current_directory(), path == nullptr ? "/usr/bin:/bin" : path);
    auto environment = assignments(options.environment);
    if (!program || !environment)
        return refuse(context, program ? environment.error() : program.error());
    spec.command.front() = std::move(*program);
    spec.environment = std::move(*environment);
    const auto text = unit::transient_unit(context.loader().environment(), spec);
    if (!text)
        return refuse(context, text.error());
    if (options.save) {
        if (const auto saved = save(context, spec.name, *text); !saved)
            return refuse(context, saved.error());
    } else if (const auto put = ask<control::Empty>(context, control::PutUnitRequest{spec.name, *text}); !put) {
        return refuse(context, put.error());
    }
    context.verb = "start";
    const int status = operate(context, {spec.name});
    if (status != 0 || !options.wait_for_end)
        return status;
    context.flush();
    return await_end(context, spec.name);
}

} // namespace monoinit::cli
