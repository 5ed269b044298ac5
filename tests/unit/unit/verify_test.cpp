// The words on the screen: EXPERIENCE's excerpt of `initctl verify`, the boot log's lines, --portable.
#include "unit/parse.hpp"
#include "unit/verify.hpp"

#include <catch2/catch.hpp>
#include <map>

using namespace monoinit;
using namespace monoinit::unit;

namespace {

UnitConfig parsed(std::string_view text, std::string name = "difit.service") {
    const Environment environment;
    UnitConfig unit;
    unit.name = std::move(name);
    unit.files = {"/etc/systemd/system/" + unit.name};
    parse_unit_text(environment, unit, text);
    return unit;
}

class OneFile : public base::FileSource {
  public:
    explicit OneFile(std::string text) : text_(std::move(text)) {}
    base::Result<std::vector<base::DirEntry>> list(const std::string&) const override { return nothing(); }
    base::Result<std::string> read(const std::string&, std::size_t) const override { return text_; }
    base::Result<std::string> read_link(const std::string&) const override { return nothing(); }
    base::Result<base::DirEntry::Kind> kind(const std::string&) const override { return nothing(); }

  private:
    static base::Error nothing() { return base::fail(base::Errc::NotFound, "nothing"); }
    std::string text_;
};

std::string lines(std::size_t count) { return std::string(count, '\n'); }

} // namespace

TEST_CASE("the excerpt") {
    const auto unit = parsed(lines(7) + "[Service]\nRestartSecs=5\nRestart=alwais\n");
    CHECK(problem_report(unit).text == R"(/etc/systemd/system/difit.service:9: unknown directive "RestartSecs" in [Service]
    9 | RestartSecs=5
      | ^~~~~~~~~~~   did you mean RestartSec= ?
  Ignored, as systemd does: the default applies (100 ms, growing to 30 s).
/etc/systemd/system/difit.service:10: Restart=alwais: not one of no, on-success, on-failure, on-abnormal, on-watchdog, on-abort, always; did you mean always?
  Ignored: Restart=no applies, so difit will NOT come back when it ends.
)");
    CHECK(log_lines(unit) == std::vector<std::string>{
        "/etc/systemd/system/difit.service:9: unknown directive RestartSecs= in [Service], ignored; did you mean RestartSec=?",
        "/etc/systemd/system/difit.service:10: Restart=: not one of no, on-success, on-failure, on-abnormal, on-watchdog, on-abort, "
        "always, ignored; did you mean always?"});
}

TEST_CASE("what applies is what the other lines say") {
    const auto unit = parsed("[Service]\nRestart=on-failure\nRestart=alwais\nRestartSec=7\nRestartSecs=5\n");
    const auto report = problem_report(unit);
    CHECK(report.text.find("  Ignored: Restart=on-failure applies.\n") != std::string::npos);
    CHECK(report.text.find("  Ignored, as systemd does: RestartSec=7s applies.\n") != std::string::npos);
    CHECK(report.problems == 2);
}

TEST_CASE("lines of one kind become one") {
    const auto unit = parsed("[Service]\nCPUQuota=200%   # two\nMemoryLimit=2G # max\nExecStart=/bin/a # run\nTasksMax=5 # few\n");
    const auto report = problem_report(unit);
    CHECK(report.problems == 4);
    CHECK(report.text ==
          "/etc/systemd/system/difit.service: 3 lines end in \"# …\"; unit files have no trailing remarks, so these settings are not in "
          "force: CPUQuota (2), MemoryLimit (3), TasksMax (5)\n"
          "/etc/systemd/system/difit.service: a line ends in \"# …\", which is no remark there: its words are passed to the command: "
          "ExecStart (4)\n");
    CHECK(log_lines(unit).size() == 2);
}

TEST_CASE("lines after a broken continuation become one; what a lost setting means is said") {
    const auto unit = parsed("[Service]\nExecStart=/bin/a \\ # x\n  --b=1 \\ # y\n  --c \\\n --d\nRestart=always # z\n");
    CHECK(problem_report(unit).text ==
          "/etc/systemd/system/difit.service:3: not a setting: the line above does not go on, because something follows its backslash (also "
          "line 4)\n    3 |   --b=1 \\ # y\n      |   ^~~~~~~~~~~\n  Ignored, as systemd does.\n"
          "/etc/systemd/system/difit.service: a line ends in \"# …\", which is no remark there: its words are passed to the command: "
          "ExecStart (2)\n"
          "/etc/systemd/system/difit.service: a line ends in \"# …\"; unit files have no trailing remarks, so this setting is not in force: "
          "Restart (6)\n"
          "  Restart=no applies, so difit will NOT come back when it ends.\n");
    CHECK(log_lines(unit).size() == 3);
}

TEST_CASE("limits that act are not called out of force") {
    const auto unit = parsed("[Service]\nMemoryMax=2G\nOOMPolicy=continue\n");
    CHECK(log_lines(unit, {.limits = true}) == std::vector<std::string>{"difit: not or not wholly in force in a container: OOMPolicy; why: initctl verify difit"});
    CHECK(log_lines(parsed("[Service]\nMemoryMax=2G\n"), {.limits = true}).empty());
    CHECK(log_lines(parsed("[Service]\nMemoryMax=2G\n"), {}).size() == 1);
}

TEST_CASE("what a container cannot give, by reason") {
    const auto unit = parsed("[Service]\nProtectSystem=strict\nPrivateTmp=yes\nProtectHome=yes\nMemoryMax=2G\nOOMPolicy=continue\n");
    CHECK(problem_report(unit).text.empty());
    const auto report = degraded_report(unit);
    CHECK(report.notes == 5);
    CHECK(report.text.starts_with("/etc/systemd/system/difit.service: not in force: ProtectSystem (2), ProtectHome (4): needs a mount namespace"));
    CHECK(report.text.find("in force in part: OOMPolicy (6)") != std::string::npos);
    CHECK(log_lines(unit) == std::vector<std::string>{"difit: not or not wholly in force in a container: ProtectSystem, PrivateTmp, "
                                                      "ProtectHome, MemoryMax, OOMPolicy; why: initctl verify difit"});
}

TEST_CASE("a unit that systemd would not load") {
    const auto unit = parsed("[Service]\nExecStart=bin/app\n");
    CHECK(problem_report(unit).text ==
          "/etc/systemd/system/difit.service:2: ExecStart=bin/app: the command is neither an absolute path nor a plain name\n"
          "  The unit cannot be started.\n");
    CHECK(log_lines(unit).at(0) == "/etc/systemd/system/difit.service:2: ExecStart=: the command is neither an absolute path nor a plain "
                                   "name; the unit cannot be started");
}

TEST_CASE("a part of a setting left out") {
    const auto unit = parsed("[Unit]\nAfter=a.service plain\n");
    CHECK(log_lines(unit) == std::vector<std::string>{
        "/etc/systemd/system/difit.service:2: After=: a word that is no unit name (with suffix, such as .service), left out"});
}

TEST_CASE("the log is short, and holds no bytes that a terminal would obey") {
    std::string text = "[Service]\n";
    for (int i = 0; i < 200; i++)
        text += "Colour" + std::to_string(i) + "\x1b[31m=1\n";
    const auto found = log_lines(parsed(text));
    CHECK(found.size() == 11);
    CHECK(found.back() == "difit: 91 more problems; all of them: initctl verify difit");
    for (const auto& line : found)
        CHECK(line.find('\x1b') == std::string::npos);
    CHECK(problem_report(parsed(text)).text.find('\x1b') == std::string::npos);
}

TEST_CASE("wide characters and indentation under the caret line") {
    const auto unit = parsed("[Service]\n  日本=1\n");
    CHECK(problem_report(unit).text.find("    2 |   日本=1\n      |   ^~~~\n") != std::string::npos);
}

TEST_CASE("--portable") {
    const std::string text = "[Service]\nType=notify-reload\nExecStart=app\nRestart=always\nRestartSteps=5\nX-Mine=1\nPrivateTmp=yes\n"
                             "[X-Health]\nTest=/bin/true\n";
    const auto report = portable_report(parsed(text), OneFile(text)).text;
    for (const auto* part : {"difit: under systemd it does not inherit the container's environment", ":3: app is looked up in systemd's own PATH",
                             "Type=notify-reload needs systemd 253", ":5: RestartSteps= needs systemd 254; Debian 12 has 252",
                             ":6: X-Mine is monoinit's; systemd ignores it", ":8: [X-Health] is monoinit's", ":7: PrivateTmp= takes effect there"}) {
        INFO(part << "\n" << report);
        CHECK(report.find(part) != std::string::npos);
    }
    CHECK(report.find("Test=") == std::string::npos);
    CHECK(report.find("5 starts in 10 s") == std::string::npos); // RestartSteps= sets the waits
    const std::string plain = "[Service]\nExecStart=/bin/a\nRestart=always\n";
    CHECK(portable_report(parsed(plain), OneFile(plain)).text.find("stays failed after 5 starts in 10 s") != std::string::npos);
}
