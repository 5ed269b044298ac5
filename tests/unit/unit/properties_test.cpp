// Settings as the properties that `systemctl show` prints (forms: systemctl 252).
#include "unit/properties.hpp"

#include "../memory_files.hpp"
#include "unit/loader.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <sys/resource.h>

using namespace monoinit;
using namespace monoinit::unit;

namespace {

std::map<std::string, std::string> properties(const std::string& name, const std::string& text, bool secrets = true, const CommandRun& run = {}) {
    MemoryFiles files;
    files.file("/etc/systemd/system/" + name, text);
    Environment environment;
    environment.unit_path = default_unit_path("", "");
    const Loader loader(files, environment);
    std::map<std::string, std::string> found;
    const Inherited inherited{{{RLIMIT_NOFILE, 1024, 4096}, {RLIMIT_CORE, 0, ~std::uint64_t{0}}}, -5};
    settings_as_properties(*loader.load(name), inherited, secrets, [&](ExecList, const Command&) { return run; },
                           [&](std::string_view property, std::string value) { CHECK(found.try_emplace(std::string(property), value).second); });
    return found;
}

} // namespace

TEST_CASE("what looks otherwise on the bus than in the file") {
    const auto found = properties("a.service", "[Unit]\nDocumentation=man:a(8) https://a.example\n[Service]\nType=notify\nExecStart=/bin/a\nKillSignal=SIGINT\n"
                                               "Environment=\"A=b c\" D=e\nEnvironmentFile=-/etc/default/a\nEnvironmentFile=/etc/a\nCPUQuota=20%\nMemoryMax=1G\n"
                                               "LimitNOFILE=10:20\nSuccessExitStatus=143 SIGKILL\nSyslogFacility=local0\nWorkingDirectory=-/srv\nTimeoutStopSec=5\n");
    CHECK(found.at("Documentation") == "\"man:a(8)\" https://a.example");
    CHECK(found.at("NotifyAccess") == "main");
    CHECK(found.at("KillSignal") == "2");
    CHECK(found.at("RestartKillSignal") == "2");
    CHECK(found.at("Environment") == "\"A=b c\" D=e");
    CHECK(found.at("EnvironmentFiles") == "/etc/default/a (ignore_errors=yes)\n/etc/a (ignore_errors=no)");
    CHECK(found.at("CPUQuotaPerSecUSec") == "200ms");
    CHECK(found.at("MemoryMax") == "1073741824");
    CHECK(found.at("MemoryHigh") == "infinity");
    CHECK(found.at("LimitNOFILE") == "20");
    CHECK(found.at("LimitNOFILESoft") == "10");
    CHECK(found.at("LimitCORE") == "infinity");
    CHECK(found.at("LimitCORESoft") == "0");
    CHECK(found.at("OOMScoreAdjust") == "-5");
    CHECK(found.at("SuccessExitStatus") == "143 KILL");
    CHECK(found.at("SyslogPriority") == "134");
    CHECK(found.at("WorkingDirectory") == "!/srv");
    CHECK(found.at("TimeoutAbortUSec") == "5s");
    CHECK(found.at("TimeoutStartUSec") == "1min 30s");
    CHECK_FALSE(found.contains("ConditionPathExists"));
    CHECK_FALSE(properties("a.service", "[Service]\nExecStart=/bin/a\nEnvironment=A=b\n", false).contains("Environment"));
}

TEST_CASE("commands, as they went last") {
    const std::string text = "[Service]\nExecStartPre=-/bin/b 1\nExecStartPre=+/bin/c\nExecStart=/bin/a x\n";
    const auto never = properties("a.service", text);
    CHECK(never.at("ExecStart") == "{ path=/bin/a ; argv[]=/bin/a x ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }");
    CHECK(never.at("ExecStartPreEx") == "{ path=/bin/b ; argv[]=/bin/b 1 ; flags=ignore-failure ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }\n"
                                        "{ path=/bin/c ; argv[]=/bin/c ; flags=privileged ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }");
    CHECK(never.at("ExecStop").empty());
    const auto killed = properties("a.service", text, true, {"T1", "T2", 7, "killed", 15});
    CHECK(killed.at("ExecStart") == "{ path=/bin/a ; argv[]=/bin/a x ; ignore_errors=no ; start_time=[T1] ; stop_time=[T2] ; pid=7 ; code=killed ; status=15/TERM }");
    CHECK(properties("a.service", text, true, {"T1", "T2", 7, "exited", 3}).at("ExecStart").ends_with("pid=7 ; code=exited ; status=3 }"));
}

TEST_CASE("sockets and timers have their own") {
    const auto socket = properties("a.socket", "[Socket]\nListenStream=80\nExecStopPre=/bin/x\n");
    CHECK(socket.at("Mark") == "-1");
    CHECK(socket.contains("ExecStopPre"));
    CHECK_FALSE(socket.contains("ListenStream"));
    CHECK_FALSE(socket.contains("ExecStart"));
    const auto timer = properties("a.timer", "[Timer]\nOnBootSec=5\nAccuracySec=1s\n");
    CHECK(timer.at("AccuracyUSec") == "1s");
    CHECK_FALSE(timer.contains("OnBootUSec"));
    CHECK_FALSE(timer.contains("LimitNOFILE"));
}

TEST_CASE("words that a shell would take apart are quoted") {
    CHECK(quoted_words({"a", "b c", "", "d$\"e"}) == "a \"b c\" \"\" \"d\\$\\\"e\"");
}
