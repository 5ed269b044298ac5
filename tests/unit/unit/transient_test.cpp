// Requests that become unit files, and those that must not.
#include "unit/transient.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::unit;

namespace {

TransientSpec spec() { return {.name = "vite.service", .command = {"/usr/bin/npm", "run", "dev"}}; }

std::string refusal(const TransientSpec& spec) {
    const auto text = transient_unit(Environment{}, spec);
    return text ? "none" : text.error().what;
}

} // namespace

TEST_CASE("a command becomes the text of a service") {
    TransientSpec wanted = spec();
    wanted.working_directory = "/srv/a b";
    wanted.environment = {"A=two words", "B=100%"};
    wanted.properties = {"Restart=always", "After=db.service", "WantedBy=multi-user.target"};
    wanted.health = "http://localhost:5173/";
    const auto text = transient_unit(Environment{}, wanted);
    REQUIRE(text);
    for (const char* line : {"[Unit]\n", "After=db.service\n", "Type=exec\n", "WorkingDirectory=/srv/a b\n", "Restart=always\n",
                             "[X-Health]\nHttpGet=http://localhost:5173/\n", "[Install]\nWantedBy=multi-user.target\n"}) {
        CAPTURE(line, *text);
        CHECK(text->find(line) != std::string::npos);
    }
}

TEST_CASE("what starts a service becomes the text of its unit") {
    const auto with = [](TriggerSpec trigger) {
        const auto text = transient_trigger(Environment{}, trigger);
        return text ? *text : "refused: " + text.error().what;
    };
    TriggerSpec timer{.name = "backup.timer", .description = "every night, 100%", .properties = {"OnActiveSec=5min", "Unit=other.service", "WantedBy=timers.target", "After=x.service"}};
    const std::string text = with(timer);
    for (const char* line : {"[Unit]\nDescription=every night, 100%%\nAfter=x.service\n", "[Timer]\nOnActiveSec=5min\nUnit=other.service\n", "[Install]\nWantedBy=timers.target\n"}) {
        CAPTURE(line, text);
        CHECK(text.find(line) != std::string::npos);
    }
    timer.literal = true;
    timer.properties = {"OnActiveSec=1", "Documentation=man:%n(1)"};
    CHECK(with(timer).find("Documentation=man:%%n(1)\n") != std::string::npos);
    timer.properties = {"OnActiveUSec=1s"}; // as the bus calls it
    CHECK(with(timer).find("OnActiveSec=1s\n") != std::string::npos);
    CHECK(with({.name = "a.socket", .properties = {"ListenStream=/run/a"}}).find("[Socket]\nListenStream=/run/a\n") != std::string::npos);
    CHECK(with({.name = "a.timer", .properties = {"OnActiveSec=soon"}}).starts_with("refused: "));
    CHECK(with({.name = "a.timer", .properties = {"ListenStream=1"}}).find("there is no directive ListenStream=") != std::string::npos);
    for (const char* name : {"a.service", "a.target", "a@.timer", "../a.timer", ""})
        CHECK(with({.name = name, .properties = {"OnActiveSec=1"}}).find("not a valid name") != std::string::npos);
}

TEST_CASE("variables are the service's where that is asked for") {
    TransientSpec wanted = spec();
    wanted.command = {"/bin/echo", "${A}", "$$B", "100%"};
    wanted.expand_variables = true;
    wanted.maker = "systemd-run";
    const auto text = transient_unit(Environment{}, wanted);
    REQUIRE(text);
    CHECK(text->find("ExecStart=/bin/echo ${A} $$B 100%%\n") != std::string::npos);
    CHECK(text->starts_with("# Made by systemd-run.\n"));
}

TEST_CASE("arguments arrive as they are") {
    TransientSpec wanted = spec();
    wanted.command = {"/bin/echo", "%n", "$HOME", "a b", "\"quoted\"", "", ";", "#", "back\\slash", "日本"};
    const auto text = transient_unit(Environment{}, wanted);
    REQUIRE(text);
    CHECK(text->find("%n") == text->find("%%n") + 1);
    CHECK(text->find("ExecStart=:/bin/echo") != std::string::npos); // no variables
}

TEST_CASE("nothing can be asked for that would be another line") {
    const auto with = [](auto change) {
        TransientSpec wanted = spec();
        change(wanted);
        return refusal(wanted);
    };
    CHECK(with([](auto& s) { s.properties = {"Environment=A\nExecStartPre=/bin/sh"}; }).find("line end") != std::string::npos);
    CHECK(with([](auto& s) { s.properties = {"Environment=A\\"}; }).find("backslash") != std::string::npos);
    CHECK(with([](auto& s) { s.properties = {"Nonsense=1"}; }).find("there is no directive Nonsense=") != std::string::npos);
    CHECK(with([](auto& s) { s.properties = {"no-equals"}; }).find("NAME=VALUE") != std::string::npos);
    CHECK(with([](auto& s) { s.restart = "alwais"; }).find("did you mean always") != std::string::npos);
    CHECK(with([](auto& s) { s.user = "a\nb"; }).find("line end") != std::string::npos);
    CHECK(with([](auto& s) { s.description = "x\n[Service]"; }).find("line end") != std::string::npos);
    CHECK(with([](auto& s) { s.name = "../x.service"; }).find("not a valid name") != std::string::npos);
    CHECK(with([](auto& s) { s.name = "x@.service"; }).find("not a valid name") != std::string::npos);
    CHECK(with([](auto& s) { s.name = "x.target"; }).find("not a valid name") != std::string::npos);
    CHECK(with([](auto& s) { s.command = {}; }) == "no command");
    CHECK(with([](auto& s) { s.command = {"npm"}; }).find("not an absolute path") != std::string::npos);
    CHECK(with([](auto& s) { s.command.push_back("\xff"); }).find("UTF-8") != std::string::npos);
    CHECK(with([](auto& s) { s.command.resize(5000, "x"); }).find("arguments") != std::string::npos);
}

TEST_CASE("what a user without further rights may put into a service") {
    TransientSpec wanted = spec();
    wanted.user = "dev";
    wanted.environment = {"A=1"};
    wanted.working_directory = "/srv";
    wanted.restart = "always";
    wanted.health = "8080";
    wanted.properties = {"X-Ports=8080"};
    CHECK_FALSE(beyond_own_rights(*transient_unit(Environment{}, wanted)));
    for (const auto& [property, word] : {std::pair{"EnvironmentFile=/etc/shadow", "EnvironmentFile="}, {"LoadCredential=a:/etc/shadow", "LoadCredential="},
                                         {"StandardOutput=append:/etc/passwd", "StandardOutput="}, {"AmbientCapabilities=CAP_SYS_ADMIN", "AmbientCapabilities="},
                                         {"ExecStartPre=+/bin/sh", "ExecStartPre="}, {"Conflicts=db.service", "Conflicts="}, {"WantedBy=multi-user.target", "section [Install]"},
                                         {"X-Essential=yes", "X-Essential="}, {"OnFailure=x.service", "OnFailure="}, {"LimitNOFILE=1000000", "LimitNOFILE="}}) {
        TransientSpec more = wanted;
        more.properties.emplace_back(property);
        const auto text = transient_unit(Environment{}, more);
        CAPTURE(property);
        REQUIRE(text);
        CHECK(beyond_own_rights(*text) == word);
    }
    CHECK_FALSE(beyond_own_rights("[Service]\nStandardInput=fd:stdin\nStandardError = fd:terminal\n"));
    CHECK(beyond_own_rights("[Service]\nStandardInput=tty\n") == "StandardInput=");
    CHECK(beyond_own_rights("[Unit]\nStandardInput=fd:stdin\n") == "StandardInput=");
    CHECK(beyond_own_rights("[Timer]\nOnActiveSec=1\n") == "section [Timer]");
    CHECK(beyond_own_rights("[Service]\nEnvironment=A \\\nEnvironmentFile=/x\n") == "a line that goes on in the next");
    CHECK(beyond_own_rights("  [ Service ]\n") == "section [ Service ]");
    CHECK(beyond_own_rights("ExecStart=/bin/sh\n") == "ExecStart=");
}
