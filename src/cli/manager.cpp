// Verbs about the init itself. Tested by tests/system.
#include "base/strings.hpp"
#include "cli/json.hpp"
#include "cli/verbs.hpp"
#include "control/codec.hpp"

#include <charconv>
#include <ctime>
#include <unistd.h>

namespace monoinit::cli {

namespace {

int told(Context& context, const base::Result<control::Empty>& done, std::string_view what) {
    if (done) {
        context.done_silently();
        return 0;
    }
    if (context.systemctl())
        context.complain("Failed to {}: {}", what, done.error().what);
    else
        context.complain("{}: {}", context.program, done.error().what);
    return context.systemctl() && done.error().code == base::Errc::Denied ? 4 : 1;
}

} // namespace

int daemon_reload(Context& context, Words) {
    return told(context, ask<control::Empty>(context, control::DaemonReloadRequest{}), "reload daemon");
}

int daemon_reexec(Context& context, Words) {
    const auto asked = ask<control::Empty>(context, control::DaemonReexecRequest{});
    // The connection may end with the old image before its answer is read: then the new one must answer.
    if (!asked && asked.error().code != base::Errc::Protocol && asked.error().code != base::Errc::System)
        return told(context, asked, "reload daemon");
    base::Error last = base::fail(base::Errc::System, "no answer after the re-execution");
    for (int attempt = 0; attempt < 200; attempt++) {
        auto client = control::Client::connect(control::find_options(context.options.socket));
        if (client) {
            const auto info = client->ask<control::ManagerInfo>(control::InfoRequest{});
            if (info) {
                context.done_silently();
                return 0;
            }
            last = info.error();
        }
        const timespec pause{0, 25'000'000};
        ::nanosleep(&pause, nullptr); // a client waits here, not PID 1
    }
    return told(context, last, "reload daemon");
}

int exit_container(Context& context, Words words) {
    control::ExitRequest request{.force = context.options.force > 0};
    if (!words.empty()) {
        int status = -1;
        const std::string& text = words.front();
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status);
        if (error != std::errc{} || end != text.data() + text.size() || status < 0 || status > 255) {
            context.complain("{}: the exit status is a number from 0 to 255, not {}", context.program, base::printable(text));
            return context.systemctl() ? 1 : 2;
        }
        request.status = status;
    }
    return told(context, ask<control::Empty>(context, request), "exit");
}

int power(Context& context, Words) {
    control::ExitRequest request{.force = context.options.force > 0};
    if (!context.options.when.empty()) {
        context.complain("Failed to schedule {}: a container ends now or not at all (a timer of yours can end it later)", context.verb);
        return 1;
    }
    if (context.verb != "halt" && context.verb != "poweroff")
        context.remark("{}: a container cannot {}; it ends instead.", context.program, context.verb);
    return told(context, ask<control::Empty>(context, request), context.verb);
}

int whoami(Context& context, Words words) {
    Names pids = words;
    if (pids.empty())
        pids.push_back(std::to_string(::getpid()));
    for (const std::string& word : pids) {
        int pid = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), pid);
        if (error != std::errc{} || end != word.data() + word.size() || pid <= 0) {
            context.complain("Failed to parse PID {}", base::printable(word));
            return context.systemctl() ? 1 : 2;
        }
        const auto reply = ask<control::StatusReply>(context, control::StatusRequest{.pid = pid});
        if (!reply) {
            context.complain("Failed to get unit for PID {}: {}", pid, reply.error().what);
            return 1;
        }
        context.print("{}\n", reply->unit.summary.name);
    }
    return 0;
}

/// log-level, log-target, service-watchdogs: shown, or set until the container ends.
int log_level(Context& context, Words words) {
    const std::string property = context.verb == "log-level" ? "LogLevel" : context.verb == "log-target" ? "LogTarget" : "ServiceWatchdogs";
    if (words.empty()) {
        const auto reply = ask<control::PropertiesReply>(context, control::PropertiesRequest{.only = {property}});
        if (!reply || reply->properties.empty())
            return told(context, reply ? base::fail(base::Errc::NotFound, property) : reply.error(), "get " + context.verb);
        context.print("{}\n", reply->properties.front().second);
        return 0;
    }
    return told(context, ask<control::Empty>(context, control::SetPropertiesRequest{.assign = {property + "=" + words.front()}}), "set " + context.verb);
}

int is_system_running(Context& context, Words) {
    if (context.options.until_over && context.has_init()) // the boot target is reached, or cannot be
        (void)ask<control::WaitReply>(context, control::WaitRequest{.condition = "active"});
    std::string state = "offline";
    if (context.has_init()) {
        const auto info = ask<control::ManagerInfo>(context, control::InfoRequest{});
        state = info ? info->system_state : "unknown";
    }
    context.say("{}\n", context.options.json ? json_object({{"system_state", json_string(state)}}) : state);
    return state == "running" ? 0 : 1;
}

} // namespace monoinit::cli
