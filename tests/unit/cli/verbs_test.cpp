// The table of verbs: every row is found, explained and refuses wrong numbers of arguments.
#include "cli/verbs.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::cli;

namespace {

struct Run {
    int status;
    std::string out, err;
};

Run run(Face face, const Names& words) {
    Context context;
    context.face = face;
    context.program = face == Face::Initctl ? "initctl" : "systemctl";
    context.buffered = true;
    context.options.socket = "/nonexistent/control";
    const int status = dispatch(context, words);
    return {status, context.out, context.err};
}

} // namespace

TEST_CASE("every verb is in help, and is one word") {
    const std::string help = help_text(Face::Initctl);
    for (const VerbRow& verb : verbs()) {
        CAPTURE(verb.name);
        CHECK(verb.name.find(' ') == std::string_view::npos);
        if (verb.initctl) {
            CHECK(help.find("\n  " + std::string(verb.name)) != std::string::npos);
            CHECK(find_verb(Face::Initctl, verb.name) == &verb);
            CHECK(run(Face::Initctl, {"help", std::string(verb.name)}).status == 0);
        }
    }
}

TEST_CASE("the verbs people were promised are there") {
    for (const char* name : {"status", "list", "start", "stop", "restart", "try-restart", "reload", "reload-or-restart", "kill", "logs",
                             "show", "cat", "env", "is-active", "is-failed", "is-enabled", "enable", "disable", "reenable", "mask",
                             "unmask", "preset", "daemon-reload", "daemon-reexec", "reset-failed", "list-jobs", "list-dependencies",
                             "list-units", "list-unit-files", "isolate", "verify", "wait", "exit", "get-default", "set-default",
                             "is-system-running", "doctor", "help", "version"}) {
        CAPTURE(name);
        CHECK(find_verb(Face::Initctl, name) != nullptr);
    }
    CHECK(find_verb(Face::Systemctl, "verify") == nullptr);
    CHECK(find_verb(Face::Initctl, "condrestart") == nullptr);
}

TEST_CASE("unknown verbs: systemctl's words, or a suggestion") {
    auto result = run(Face::Systemctl, {"bogusverb"});
    CHECK(result.status == 1);
    CHECK(result.err == "Unknown command verb bogusverb.\n");
    result = run(Face::Initctl, {"restrat"});
    CHECK(result.status == 2);
    CHECK(result.err == "initctl: there is no verb restrat; did you mean restart?\n");
}

TEST_CASE("too few and too many arguments") {
    auto result = run(Face::Systemctl, {"start"});
    CHECK(result.status == 1);
    CHECK(result.err == "Too few arguments.\n");
    CHECK(run(Face::Systemctl, {"daemon-reload", "x"}).err == "Too many arguments.\n");
    result = run(Face::Initctl, {"start"});
    CHECK(result.status == 2);
    CHECK(result.err == "usage: initctl start UNIT…\n");
}

TEST_CASE("without an init") {
    auto result = run(Face::Systemctl, {"start", "web"});
    CHECK(result.status == 1);
    CHECK(result.err == "System has not been booted with systemd as init system (PID 1). Can't operate.\n");
    result = run(Face::Systemctl, {"is-system-running"});
    CHECK(result.status == 1);
    CHECK(result.out == "offline\n");
    result = run(Face::Initctl, {"start", "web"});
    CHECK(result.status == 1);
    CHECK(result.err.starts_with("no monoinit here: nobody answers at /nonexistent/control (--socket=)"));
    CHECK(run(Face::Initctl, {}).err.starts_with("no monoinit here: "));
}

TEST_CASE("version is what deb-systemd-invoke compares") {
    Context context;
    context.face = Face::Systemctl;
    context.buffered = true;
    CHECK(version(context, {}) == 0);
    CHECK(context.out.starts_with("systemd 252 ("));
}

TEST_CASE("user units: nothing is there, and scripts go on") {
    Context context;
    context.face = Face::Systemctl;
    context.buffered = true;
    context.options.user_manager = "user";
    CHECK(dispatch(context, {"daemon-reload"}) == 1);
    context.options.user_manager.clear();
    context.options.global = true;
    CHECK(dispatch(context, {"enable", "x"}) == 0);
}
