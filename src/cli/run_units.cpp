// Transient units, from the client's side: their texts go to the init (or into /etc), what starts them is started, and whoever
// asked may watch: wait for the end, or lend the service a terminal or their own streams. Tested by tests/system/run.py.
#include "base/signals.hpp"
#include "base/strings.hpp"
#include "cli/operate.hpp"
#include "cli/pty_forward.hpp"
#include "cli/run.hpp"
#include "cli/verbs.hpp"
#include "sys/unique_fd.hpp"
#include "sys/users.hpp"
#include "unit/name.hpp"

#include <array>
#include <charconv>
#include <cstdlib>
#include <fcntl.h>
#include <ctime>
#include <map>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::cli {

namespace {

constexpr std::string_view own_directory = "/etc/systemd/system";
constexpr int reconnects = 100;
constexpr int killed_status = 255; ///< of systemd-run, when a signal ended the service

class Run {
  public:
    Run(Context& context, RunRequest& request) : context_(context), request_(request), service_(request.service.name) {}

    int run() {
        if (const auto prepared = prepare_streams(); !prepared)
            return refuse(prepared.error());
        if (const auto put = put_units(); !put)
            return refuse(put.error());
        const std::string& first = request_.trigger ? request_.trigger->name : service_;
        if (request_.save) {
            context_.remark("initctl enable {} starts it at boot", unit::short_name(first));
            if (request_.trigger)
                return 0;
        }
        context_.verb = "start";
        if (const int status = operate_units(context_, control::Verb::Start, {first}); status != 0)
            return status;
        announce();
        context_.flush();
        if (request_.trigger)
            return 0;
        if (request_.pty)
            return forward();
        return request_.wait || request_.pipe ? await_end() : 0;
    }

  private:
    int refuse(const base::Error& error) {
        if (context_.systemctl()) {
            const std::string_view kind = request_.trigger ? std::string_view(request_.trigger->name).substr(request_.trigger->name.rfind('.') + 1) : "service";
            context_.complain("Failed to start transient {} unit: {}", kind, error.what);
            return 1;
        }
        context_.complain("{}: {}", context_.program, error.what);
        return error.code == base::Errc::Invalid || error.code == base::Errc::TooLarge ? 2 : 1;
    }

    base::Result<void> prepare_streams() {
        const auto use = [&](std::string_view input, std::string_view output, std::string_view error) {
            for (const auto& [directive, name] : {std::pair{"StandardInput", input}, {"StandardOutput", output}, {"StandardError", error}})
                request_.service.properties.insert(request_.service.properties.begin(), fmt::format("{}=fd:{}", directive, name));
        };
        if (request_.pty) {
            const auto user = request_.service.user.empty() ? std::nullopt : sys::find_user(request_.service.user);
            pty_ = TRY(PtyForward::open(user ? std::optional(user->uid) : std::nullopt));
            streams_ = {pty_->slave(), pty_->slave(), pty_->slave()};
            use("terminal", "terminal", "terminal");
            if (const char* const term = ::getenv("TERM"); term != nullptr && *term != '\0')
                request_.service.environment.insert(request_.service.environment.begin(), std::string("TERM=") + term);
        } else if (request_.pipe) {
            streams_ = {0, 1, 2};
            use("stdin", "stdout", "stderr");
        }
        return {};
    }

    base::Result<void> put_units() {
        const unit::Environment& environment = context_.loader().environment();
        if (!request_.service.command.empty()) {
            const std::string text = TRY(unit::transient_unit(environment, request_.service));
            TRY(put(service_, text, request_.pty || request_.pipe));
        }
        if (request_.trigger) {
            const std::string text = TRY(unit::transient_trigger(environment, *request_.trigger));
            TRY(put(request_.trigger->name, text, false));
        }
        return {};
    }

    base::Result<void> put(const std::string& name, const std::string& text, bool with_streams) {
        if (request_.save)
            return save(name, text);
        for (;;) { // put twice is put once
            control::Client* client = TRY(context_.init());
            const auto done = client->ask<control::Empty>(control::PutUnitRequest{name, text}, with_streams ? std::span<const int>(streams_) : std::span<const int>());
            if (done)
                return {};
            if (!reconnect(done.error()))
                return done.error();
        }
    }

    /// An ordinary unit file, that nothing enables.
    base::Result<void> save(const std::string& name, const std::string& text) {
        const std::string path = std::string(own_directory) + "/" + name;
        TRY(context_.files().make_directory(std::string(own_directory)));
        const int how = context_.options.force > 0 ? O_TRUNC : O_EXCL;
        const sys::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | how, 0644));
        if (!file && errno == EEXIST)
            return base::fail(base::Errc::Exists, path + " is there already (--force replaces it)");
        if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
            return base::fail_errno(errno, path);
        context_.remark("wrote {}", path);
        return {};
    }

    void announce() {
        if (!context_.systemctl())
            return;
        if (request_.trigger) {
            const std::string& name = request_.trigger->name;
            context_.remark("Running {} as unit: {}", name.substr(name.rfind('.') + 1), name);
            if (!request_.service.command.empty())
                context_.remark("Will run service as unit: {}", service_);
            return;
        }
        const std::string id = context_.options.no_block ? "" : facts({"InvocationID"})["InvocationID"];
        context_.remark("Running as unit: {}{}", service_, id.empty() ? "" : "; invocation ID: " + id);
        if (request_.pty && ::isatty(0) == 1)
            context_.remark("Press ^] three times within 1s to disconnect TTY.");
    }

    std::map<std::string, std::string> facts(const std::vector<std::string>& names) {
        for (;;) {
            const auto reply = ask<control::PropertiesReply>(context_, control::PropertiesRequest{.unit = service_, .only = names});
            if (reply)
                return {reply->properties.begin(), reply->properties.end()};
            if (!reconnect(reply.error()))
                return {};
        }
    }

    control::WaitRequest until_end() const { return {.condition = "inactive", .units = {service_}}; }

    /// The connection ends when PID 1 executes itself anew; the service does not notice, and so we ask again.
    bool reconnect(const base::Error& error) {
        if ((error.code != base::Errc::Protocol && error.code != base::Errc::System) || ++reconnected_ > reconnects)
            return false;
        context_.client_.reset();
        for (int attempt = 0; attempt < 200 && !context_.init(); attempt++) {
            context_.client_.reset();
            const timespec pause{0, 10'000'000};
            ::nanosleep(&pause, nullptr);
        }
        return context_.init().has_value();
    }

    int await_end() {
        for (;;) {
            const auto reply = ask<control::WaitReply>(context_, until_end());
            if (reply)
                return end_status();
            if (!reconnect(reply.error()))
                return refuse(reply.error());
        }
    }

    int forward() {
        const control::WaitRequest request = until_end();
        std::optional<base::Error> broken;
        const auto begin = [&] {
            const auto client = context_.init();
            const auto begun = client ? (*client)->begin(request) : base::Result<void>(client.error());
            if (!begun)
                broken = begun.error();
            return !broken;
        };
        if (!begin())
            return refuse(*broken);
        const bool ended = pty_->run([&] { return context_.init().value()->fd(); }, [&] {
            const auto reply = context_.init().value()->finish(request);
            if (!reply && reconnect(reply.error()))
                return !begin();
            if (!reply)
                broken = reply.error();
            return true;
        });
        if (!ended) { // the terminal goes with us; the service gets its SIGHUP
            context_.remark("Disconnected; the service {} has lost its terminal.", service_);
            return 0;
        }
        return broken ? refuse(*broken) : end_status();
    }

    /// The end of a service: its exit status.
    int end_status() {
        auto said = facts({"Result", "ExecMainCode", "ExecMainStatus", "InactiveExitTimestampMonotonic", "InactiveEnterTimestampMonotonic", "CPUUsageNSec"});
        int number = 0;
        const std::string& status = said["ExecMainStatus"];
        std::from_chars(status.data(), status.data() + status.size(), number);
        const std::string& code = said["ExecMainCode"];
        const bool killed = code == "2" || code == "3"; // CLD_KILLED, CLD_DUMPED
        if (context_.systemctl() && request_.wait)
            report(said, number, killed);
        if (killed)
            return context_.systemctl() ? killed_status : base::signal_exit_base + number;
        return number != 0 ? number : said["Result"] == "success" ? 0 : 1;
    }

    void report(std::map<std::string, std::string>& said, int number, bool killed) {
        const auto micros = [&](const char* name) {
            std::int64_t value = 0;
            std::from_chars(said[name].data(), said[name].data() + said[name].size(), value);
            return value;
        };
        context_.remark("Finished with result: {}", said["Result"]);
        if (killed)
            context_.remark("Main processes terminated with: code={}/status={}", said["ExecMainCode"] == "3" ? "dumped" : "killed", base::signal_name(number).substr(3));
        else
            context_.remark("Main processes terminated with: code=exited/status={}", number);
        const base::Duration ran(micros("InactiveEnterTimestampMonotonic") - micros("InactiveExitTimestampMonotonic"));
        if (ran.count() > 0)
            context_.remark("Service runtime: {}", base::format_time_span(ran, std::chrono::milliseconds(1)));
        if (const std::int64_t nanoseconds = micros("CPUUsageNSec"); nanoseconds > 0)
            context_.remark("CPU time consumed: {}", base::format_time_span(base::Duration(nanoseconds / 1000), std::chrono::milliseconds(1)));
    }

    Context& context_;
    RunRequest& request_;
    const std::string service_;
    std::optional<PtyForward> pty_;
    int reconnected_ = 0;
    std::array<int, 3> streams_{-1, -1, -1};
};

bool is_program(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

} // namespace

std::string current_directory() {
    char* const path = ::getcwd(nullptr, 0);
    const std::string text = path == nullptr ? "/" : path;
    std::free(path);
    return text;
}

std::string own_user(Context& context) {
    struct stat info {};
    const auto init = context.init();
    if (!init || ::getuid() == 0 || (::stat((*init)->path().c_str(), &info) == 0 && info.st_uid == ::getuid()))
        return "";
    const auto user = sys::find_user_by_id(::getuid());
    return user ? user->name : std::to_string(::getuid());
}

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

int carry_out(Context& context, RunRequest& request) { return Run(context, request).run(); }

} // namespace monoinit::cli
