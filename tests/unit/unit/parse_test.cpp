// Unit files as people write them: what is honoured, what is complained about, and in which words.
#include "unit/directives.hpp"
#include "unit/parse.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace monoinit::unit;
using namespace std::chrono_literals;

namespace {

UnitConfig parsed(std::string_view text, std::string name = "app.service", UnitType type = UnitType::Service) {
    const Environment environment;
    UnitConfig unit;
    unit.name = std::move(name);
    unit.type = type;
    unit.files = {"/etc/systemd/system/" + unit.name};
    parse_unit_text(environment, unit, text);
    return unit;
}

std::vector<std::string> texts(const UnitConfig& unit) {
    std::vector<std::string> lines;
    for (const auto& problem : unit.problems)
        lines.push_back(std::to_string(problem.line) + ": " + problem.text +
                        (problem.suggestion.empty() ? "" : " -> " + problem.suggestion));
    return lines;
}

using Lines = std::vector<std::string>;

std::vector<std::string> names(const UnitConfig& unit, DependencyKind kind) {
    std::vector<std::string> found;
    for (const auto& dependency : unit.unit.dependencies)
        if (dependency.kind == kind)
            found.push_back(dependency.name);
    return found;
}

} // namespace

TEST_CASE("the reference unit") {
    const auto unit = parsed(R"([Unit]
Description=code-server - VS Code in the browser
Documentation=https://github.com/coder/code-server
After=network.target docker-entrypoint.service
Requires=docker-entrypoint.service

[Service]
Type=simple
User=dev
Group=staff
Environment="CODE_SERVER_PORT=4035"
ExecStart=/usr/local/bin/code-server --bind-addr 0.0.0.0:4035 --auth password
Restart=always
RestartSec=10
# a remark
StandardOutput=journal
StandardError=journal

[Install]
WantedBy=multi-user.target
)");
    CHECK(texts(unit).empty());
    CHECK(unit.degraded.empty());
    CHECK(unit.unit.description == "code-server - VS Code in the browser");
    CHECK(names(unit, DependencyKind::After) == Lines{"network.target", "docker-entrypoint.service"});
    CHECK(unit.unit.dependencies[0].line == 4);
    CHECK(unit.exec->user == "dev");
    CHECK(unit.exec->environment == Lines{"CODE_SERVER_PORT=4035"});
    const auto& command = unit.service->list(ExecList::Start).at(0);
    CHECK(command.path == "/usr/local/bin/code-server");
    CHECK(command.argv.size() == 5);
    CHECK(command.line == 12);
    CHECK(unit.service->restart == RestartPolicy::Always);
    CHECK(unit.service->restart_delay == 10s);
    CHECK(unit.service->restart_timing_set);
    CHECK(unit.install->wanted_by == Lines{"multi-user.target"});
    CHECK(unit.kill.is_default());
}

TEST_CASE("slips are named, with what may have been meant") {
    const auto unit = parsed(R"([Service]
RestartSecs=5
Restart=alwais
WantedBy=multi-user.target
OnCalendar=daily
Colour=blue
[Sevice]
ExecStart=/bin/true
)");
    CHECK(texts(unit) == Lines{
        "2: unknown directive RestartSecs= in [Service] -> RestartSec=",
        "3: Restart=: not one of no, on-success, on-failure, on-abnormal, on-watchdog, on-abort, always -> always",
        "4: WantedBy= does not belong in [Service] -> WantedBy= in [Install]",
        "5: OnCalendar= does not belong in [Service] -> OnCalendar= in [Timer] of another kind of unit",
        "6: unknown directive Colour= in [Service]",
        "7: unknown section [Sevice] -> [Service]",
    });
    CHECK(unit.service->list(ExecList::Start).empty()); // the section was not ours
    CHECK(unit.problems[0].excerpt == "RestartSecs=5");
}

TEST_CASE("values never reach the text of a problem, as that goes to the log") {
    const auto unit = parsed(R"([Service]
Restart=s3cret
RestartSec=s3cret
User=s3cret:x
LimitNOFILE=s3cret
Environment=s3cret
SuccessExitStatus=s3cret
KillSignal=s3cret
UMask=s3cret
ExecStart=s3cret/x
WorkingDirectory=s3cret
CapabilityBoundingSet=s3cret
StandardOutput=s3cret
a line with s3cret
and s3cret = x
)");
    CHECK(unit.problems.size() == 14);
    for (const auto& problem : unit.problems) {
        CHECK(problem.text.find("s3cret") == std::string::npos);
        CHECK(problem.excerpt.find("s3cret") != std::string::npos);
    }
}

TEST_CASE("trailing remarks are told apart by what they do") {
    const auto unit = parsed(R"([Unit]
Description=Web # 1
After=network.target db.service  # the database

[Service]
CPUQuota=200%    # two cores
RestartSec=30   # wait
ExecStart=/bin/app --port 80  # web
Environment="A=x # y"
ConditionX=1
)");
    REQUIRE(unit.problems.size() == 5);
    CHECK(names(unit, DependencyKind::After) == Lines{"network.target", "db.service"});
    const auto& p = unit.problems;
    CHECK((p[0].kind == Problem::Kind::TrailingRemark && p[0].line == 3));
    CHECK(p[0].consequence == "its words are left out, what stands before it counts");
    CHECK((p[1].kind == Problem::Kind::TrailingRemark && p[1].line == 6 && p[1].consequence.empty()));
    CHECK((p[2].kind == Problem::Kind::TrailingRemark && p[2].line == 7 && p[2].consequence.empty()));
    CHECK((p[3].line == 8 && p[3].consequence == "its words are passed to the command"));
    CHECK(unit.service->restart_delay == 100ms);
    CHECK_FALSE(unit.service->restart_timing_set);
    CHECK(unit.exec->environment == Lines{"A=x # y"});
}

TEST_CASE("something behind a continuation's backslash is named as the cause") {
    const auto unit = parsed("[Service]\nExecStart=/bin/app \\\n  --a \\   # first\n  --b=1 \\\n  --c\n");
    REQUIRE(unit.problems.size() == 2);
    CHECK(unit.problems[1].line == 4);
    CHECK(unit.problems[1].text == "not a setting: the line above does not go on, because something follows its backslash");
    CHECK(unit.service->list(ExecList::Start).at(0).argv == Lines{"/bin/app", "--a", "\\ ", "#", "first"});
}

TEST_CASE("continuation, comments between, both comment signs") {
    const auto unit = parsed("[Service]\n; one\nExecStart=/bin/app \\\n# two\n; three\n  a\\\n  b\n\nUser=x\n");
    CHECK(unit.problems.empty());
    CHECK(unit.service->list(ExecList::Start).at(0).argv == Lines{"/bin/app", "a", "b"});
    CHECK(unit.exec->user == "x");
}

TEST_CASE("BOM, CRLF, blanks around, repeated sections") {
    const auto unit = parsed("\xef\xbb\xbf[Unit]\r\n Description = Two words \r\n[Service]\r\nUser=a\r\n[Unit]\r\nAfter=b.service\r\n");
    CHECK(unit.problems.empty());
    CHECK(unit.unit.description == "Two words");
    CHECK(unit.exec->user == "a");
    CHECK(names(unit, DependencyKind::After) == Lines{"b.service"});
}

TEST_CASE("a bad line costs that line") {
    using namespace std::string_literals;
    const auto unit = parsed("[Service]\nUser=a\0b\nGroup=\xff\nno equals sign\n=x\nUMask=0077\n"s);
    CHECK(texts(unit) == Lines{"2: line holds a NUL byte", "3: line is not valid UTF-8", "4: neither a [Section] nor Key=value",
                               "5: nothing before \"=\""});
    CHECK(unit.exec->umask == 0077);
}

TEST_CASE("limits") {
    CHECK(texts(parsed(std::string(file_size_limit + 1, 'x'))) == Lines{"0: larger than 1 MB, left out"});
    std::string many = "[Service]\n";
    for (int i = 0; i < 5000; i++)
        many += "Nonsense" + std::to_string(i) + "=1\n";
    const auto unit = parsed(many);
    CHECK(unit.problems.size() == 101);
    CHECK(unit.problems.back().text == "and 4900 more lines with problems");
}

TEST_CASE("X- sections and keys are other programs' business") {
    const auto unit = parsed("[X-Theirs]\nAnything=1\n[Service]\nX-Mine=1\nExecStart=/bin/true\n[X-Other]\nfoo\n");
    CHECK(texts(unit).empty());
}

TEST_CASE("a line before any section, and a broken section header") {
    const auto unit = parsed("User=x\n[Service\nUser=y\n");
    CHECK(texts(unit) == Lines{"1: a setting before the first [Section]", "2: section header without closing bracket"});
    CHECK(unit.problems.at(1).consequence == "Only this is left out here; systemd refuses the whole file.");
    CHECK(unit.exec->user.empty());
}

TEST_CASE("empty assignments reset lists") {
    const auto unit = parsed(R"([Unit]
ConditionPathExists=/a
ConditionUser=root
AssertPathExists=/b
ConditionPathExists=
Documentation=man:x(1)
Documentation=
[Service]
ExecStart=/bin/a
ExecStart=
ExecStart=/bin/b
Environment=A=1
Environment=
EnvironmentFile=/x
EnvironmentFile=
)");
    CHECK(unit.problems.empty());
    REQUIRE(unit.unit.conditions.size() == 1);
    CHECK(unit.unit.conditions[0].assertion);
    CHECK(unit.unit.documentation.empty());
    CHECK(unit.service->list(ExecList::Start).at(0).path == "/bin/b");
    CHECK(unit.service->list(ExecList::Start).size() == 1);
    CHECK(unit.exec->environment.empty());
    CHECK(unit.exec->environment_files.empty());
}

TEST_CASE("settings that are not honoured are recorded, unless they ask for nothing") {
    const auto unit = parsed("[Service]\nPrivateTmp=yes\nPrivateDevices=no\nTasksMax=infinity\nMemoryMax=2G\nOOMPolicy=stop\nOOMPolicy=continue\n");
    CHECK(unit.problems.empty());
    REQUIRE(unit.degraded.size() == 3);
    CHECK(directives()[unit.degraded[0].row].name == "PrivateTmp");
    CHECK(directives()[unit.degraded[1].row].name == "MemoryMax");
    CHECK(unit.degraded[1].line == 5);
    CHECK(directives()[unit.degraded[2].row].name == "OOMPolicy");
}

TEST_CASE("what systemd refuses to load") {
    for (const auto* line : {"ExecStart=relative/path", "ExecStart=/", "ExecStart=@/bin/sh", "ExecStart=\"/bin/a", "User=a:b", "User=%Q",
                             "WorkingDirectory=relative", "ExecStart=-"}) {
        INFO(line);
        const bool optional = std::string_view(line) == "ExecStart=-";
        const auto unit = parsed(std::string("[Service]\n") + line + "\n");
        CHECK(unit.problems.size() == 1);
        CHECK((unit.load_state == LoadState::BadSetting) == !optional);
        CHECK(unit.load_error.starts_with("/etc/systemd/system/app.service:2: ") == !optional);
    }
    CHECK(parsed("[Service]\nWorkingDirectory=-relative\n").load_state == LoadState::Stub);
    CHECK(parsed("[Service]\nRestart=perhaps\n").load_state == LoadState::Stub);
}

TEST_CASE("old names and places") {
    const auto unit = parsed(R"([Unit]
BindTo=a.service
StartLimitInterval=20s
[Service]
StartLimitBurst=3
StartLimitAction=reboot
FailureAction=exit
TimeoutSec=7
PermissionsStartOnly=yes
ExecStartPre=/bin/a
ExecStart=/bin/b
ReadWriteDirectories=/x
)");
    CHECK(unit.problems.empty());
    CHECK(names(unit, DependencyKind::BindsTo) == Lines{"a.service"});
    CHECK(unit.unit.start_limit.interval == 20s);
    CHECK(unit.unit.start_limit.burst == 3);
    CHECK(unit.unit.start_limit.set);
    CHECK(unit.unit.start_limit.action == EmergencyAction::Reboot);
    CHECK(unit.unit.failure_action == EmergencyAction::Exit);
    CHECK(unit.service->timeout_start == 7s);
    CHECK(unit.service->timeout_stop == 7s);
    CHECK(unit.service->list(ExecList::StartPre).at(0).full_privileges);
    CHECK_FALSE(unit.service->list(ExecList::Start).at(0).full_privileges);
}

TEST_CASE("time limits: 0 means none") {
    const auto unit = parsed("[Unit]\nJobTimeoutSec=5\n[Service]\nTimeoutStartSec=0\nTimeoutStopSec=infinity\nTimeoutAbortSec=0\nRestartSec=0\n");
    CHECK(unit.service->timeout_start == infinity);
    CHECK(unit.service->timeout_stop == infinity);
    CHECK(unit.service->timeout_abort == infinity);
    CHECK(unit.service->restart_delay == 0s);
    CHECK(unit.unit.job_running_timeout == 5s);
}

TEST_CASE("dependencies: templates, paths, wrong names") {
    const auto unit = parsed("[Unit]\nAfter=db@.service plain x@%i.service\nRequiresMountsFor=/a//b/ rel\n", "app@main.service");
    CHECK(names(unit, DependencyKind::After) == Lines{"db@main.service", "x@main.service"});
    CHECK(names(unit, DependencyKind::RequiresMountsFor) == Lines{"/a/b"});
    CHECK(unit.problems.size() == 2);
    CHECK(names(parsed("[Unit]\nAfter=db@.service\n"), DependencyKind::After) == Lines{"db@app.service"});
}

TEST_CASE("environment: the later of two wins, wrong words are left out") {
    const auto unit = parsed("[Service]\nEnvironment=A=1 \"B=two words\" A=3 nonsense 9=x 'C=it''s'\nEnvironment=B=%n\\x21\n");
    CHECK(unit.exec->environment == Lines{"A=3", "B=app.service!", "C=its"});
    CHECK(unit.problems.size() == 2);
}

TEST_CASE("capability sets merge as systemd.exec(5) says") {
    const auto mask = [](const char* text) { return parsed(std::string("[Service]\n") + text).exec->capability_bounding_set; };
    CHECK(mask("CapabilityBoundingSet=CAP_CHOWN CAP_KILL\n") == 0b100001);
    CHECK(mask("CapabilityBoundingSet=CAP_CHOWN\nCapabilityBoundingSet=cap_kill\n") == 0b100001);
    CHECK(mask("CapabilityBoundingSet=CAP_CHOWN CAP_KILL\nCapabilityBoundingSet=~CAP_KILL\n") == 1);
    CHECK(mask("CapabilityBoundingSet=~CAP_CHOWN\n") == ~std::uint64_t{1});
    CHECK(mask("CapabilityBoundingSet=\n") == 0);
    CHECK(mask("CapabilityBoundingSet=~\n") == ~std::uint64_t{0});
    CHECK_FALSE(mask("User=x\n"));
    CHECK(parsed("[Service]\nAmbientCapabilities=CAP_CHOWN\nAmbientCapabilities=CAP_KILL\n").exec->ambient_capabilities == 0b100001);
}

TEST_CASE("standard streams") {
    const auto exec = *parsed("[Service]\nStandardInput=fd\nStandardOutput=append:/var/log/%p.log\nStandardError=fd:err\n").exec;
    CHECK(exec.standard_input == StdinKind::Fd);
    CHECK(exec.standard_output.kind == StdoutKind::Append);
    CHECK(exec.standard_output.target == "/var/log/app.log");
    CHECK((exec.standard_error.kind == StdoutKind::Fd && exec.standard_error.target == "err"));
    CHECK(parsed("[Service]\nStandardOutput=syslog+console\n").exec->standard_output.kind == StdoutKind::JournalConsole);
    CHECK(parsed("[Service]\nStandardOutput=file\nStandardInput=file:rel\nStandardError=tty:x\n").problems.size() == 3);
    CHECK(parsed("[Service]\nStandardInputText=a\\tb\nStandardInputText=c\nStandardInputData=ZA==\n").exec->standard_input_data == "a\tb\nc\nd");
}

TEST_CASE("a template without an instance is not blamed for what %i would say") {
    CHECK(parsed("[Unit]\nAfter=%i.device\n[Service]\nUser=%i\nRestart=alwais\n", "user@.service").problems.size() == 1);
    CHECK(parsed("[Service]\nUser=%i\n", "user@.service").load_state == LoadState::Stub);
    CHECK(parsed("[Service]\nUser=%i\n", "user@1000.service").exec->user == "1000");
}

TEST_CASE("random bytes are survived") {
    std::uint32_t state = 1;
    const auto next = [&] { return state = state * 1664525U + 1013904223U; };
    constexpr std::string_view pieces[] = {"[Service]\n", "ExecStart=", "\\\n", "\"", "'", "%", "%n", "=", "\n", "# ", "Restart=always", "\\x", "Environment=", "[", "]", "~", "Description="};
    for (int round = 0; round < 2000; round++) {
        std::string text = round % 2 == 0 ? "[Service]\n" : "";
        for (int i = 0; i < 40; i++)
            if (next() >> 30 == 0)
                text += static_cast<char>(next() >> 24);
            else
                text += pieces[(next() >> 16) % std::size(pieces)];
        (void)parsed(text);
    }
    SUCCEED();
}

TEST_CASE("PIDFile= is below the runtime directory unless absolute, whatever its specifiers expand to") {
    CHECK(parsed("[Service]\nPIDFile=%p/x.pid\n").service->pid_file == "/run/app/x.pid");
    CHECK(parsed("[Service]\nPIDFile=%n.pid\n").service->pid_file == "/run/app.service.pid");
    CHECK(parsed("[Service]\nPIDFile=%t/x.pid\n").service->pid_file == "/run/x.pid");
    CHECK(parsed("[Service]\nPIDFile=x.pid\n").service->pid_file == "/run/x.pid");
}

TEST_CASE("RuntimeDirectory= cannot name the root of all runtime directories, which would be removed") {
    for (const char* const value : {".", "./", "./.", "a/./b", "..", "a/..", "/a"}) {
        const auto unit = parsed("[Service]\nRuntimeDirectory=" + std::string(value) + "\n");
        CAPTURE(value);
        CHECK(unit.exec->directories[static_cast<std::size_t>(DirectoryKind::Runtime)].paths.empty());
        CHECK(unit.problems.size() == 1);
    }
}

TEST_CASE("where an execution directive was set is known, the last place of several") {
    const auto unit = parsed("[Service]\nExecStart=/bin/true\nUser=a\nWorkingDirectory=/x\nUser=b\nLimitNOFILE=5\nNice=nonsense\n");
    CHECK(place_of(unit, "User") == "/etc/systemd/system/app.service:5");
    CHECK(place_of(unit, "WorkingDirectory") == "/etc/systemd/system/app.service:4");
    CHECK(place_of(unit, "Group").empty());
    CHECK(place_of(unit, "Nice").empty()); // not in force
    for (const ResourceLimit& limit : unit.exec->limits)
        CHECK(limit_directive(limit.resource) == "LimitNOFILE");
}

TEST_CASE("credentials: names, paths, escapes, the later of two, and what is wrong with them") {
    const auto unit = parsed("[Service]\nLoadCredential=a\nLoadCredential=b:/etc//b\nLoadCredential=%p:other\nLoadCredential=a:/new\n"
                             "SetCredential=s:one\\x00\\n:two%n\nImportCredential=x.*\nImportCredential=*:y.\n");
    const CredentialSection& section = *unit.exec->credentials;
    REQUIRE(section.load.size() == 3);
    CHECK((section.load[0].id == "a" && section.load[0].source == "/new" && section.load[0].line == 5));
    CHECK(section.load[1].source == "/etc/b");
    CHECK((section.load[2].id == "app" && section.load[2].source == "other"));
    REQUIRE(section.set.size() == 1);
    CHECK(section.set[0].source == std::string("one\0\n:two%n", 11));
    CHECK(section.import == Lines{"x.*", "*:y."});
    CHECK(unit.problems.empty());
    CHECK(unit.degraded.empty());

    CHECK(parsed("[Service]\nSetCredential=s:x\nSetCredential=\nLoadCredential=a\nLoadCredential=\n").exec->credentials->empty());
    const auto wrong = parsed("[Service]\nLoadCredential=a/b\nLoadCredential=a:../x\nLoadCredential=a:/x/../y\nSetCredential=hunter2\n"
                              "ImportCredential=*x\nImportCredential=a*:b/c\nSetCredential=..:x\n");
    CHECK(wrong.exec->credentials->empty());
    CHECK(wrong.problems.size() == 7);
}

TEST_CASE("the data of a credential is shown nowhere") {
    const auto unit = parsed("[Service]\nSetCredential=token:hunter2\n");
    for (const auto& row : directives())
        if (row.show != nullptr && row.group == Group::Exec)
            CHECK(row.show(unit).find("hunter2") == std::string::npos);
    const auto wrong = parsed("[Service]\nSetCredential=token:hunter2\\q\n");
    REQUIRE(wrong.problems.size() == 1);
    CHECK(wrong.problems[0].excerpt == "SetCredential=token");
    CHECK(wrong.problems[0].text.find("hunter2") == std::string::npos);
}
