// Small programs: what they conclude, without the machine they run on.
#include "cli/detect_virt.hpp"
#include "cli/power.hpp"
#include "cli/tool.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

using namespace monoinit;
using namespace monoinit::cli;
namespace fs = std::filesystem;

namespace {

struct Root {
    fs::path path;
    Root() {
        char name[] = "/tmp/tools-test-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~Root() { fs::remove_all(path); }
    void write(const std::string& name, const std::string& text) const {
        fs::create_directories((path / name).parent_path());
        std::ofstream(path / name) << text;
    }
};

constexpr base::Duration minutes(std::int64_t count) { return std::chrono::minutes(count); }

} // namespace

TEST_CASE("containers by what they leave behind") {
    const Root root;
    CHECK(container_word(root.path, std::nullopt) == "none");
    CHECK(container_word(root.path, "lxc") == "lxc");
    CHECK(container_word(root.path, "something") == "container-other");
    CHECK(container_word(root.path, "oci") == "container-other");
    root.write(".dockerenv", "");
    CHECK(container_word(root.path, std::nullopt) == "docker");
    CHECK(container_word(root.path, "oci") == "docker");
    root.write("run/.containerenv", "engine=\"podman-4.3.1\"\n");
    CHECK(container_word(root.path, std::nullopt) == "podman");
    root.write("run/host/container-manager", "systemd-nspawn\n");
    CHECK(container_word(root.path, std::nullopt) == "systemd-nspawn");
    root.write("proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2\n");
    CHECK(container_word(root.path, std::nullopt) == "wsl");
}

TEST_CASE("machines by their firmware, where that is surer than the processor") {
    const Root root;
    root.write("sys/class/dmi/id/product_name", "HVM domU\n");
    root.write("sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
    CHECK(machine_word(root.path) == "amazon");
    root.write("sys/class/dmi/id/sys_vendor", "innotek GmbH\n");
    CHECK(machine_word(root.path) == "oracle");
}

TEST_CASE("shutdown's times") {
    const base::TimeZone utc;
    const base::Duration now = minutes(29'738'880); // 2026-07-18 00:00 UTC
    const auto time = [&](std::string_view text) { return parse_shutdown_time(text, now, utc); };
    CHECK(!*time("now"));
    CHECK(!*time("+0"));
    CHECK(!*time("0"));
    CHECK(**time("+5") == now + minutes(5));
    CHECK(**time("90") == now + minutes(90));
    CHECK(**time("23:10") == now + minutes(23 * 60 + 10));
    CHECK(**time("0:00") == now + minutes(24 * 60));
    for (const char* wrong : {"", "+", "24:00", "7:60", ":5", "5:", "soon", "+x", "-5", "1:2:3", "99999999"})
        CHECK_FALSE(time(wrong));
}

TEST_CASE("a small program's command line") {
    static constexpr ToolOption options[] = {{"pid", 0, Argument::Optional, "PID", "which"}, {"name", 'n', Argument::Required, "NAME", "how"}, {nullptr, 'c', Argument::None, "", "so"}};
    static constexpr Tool tool{"thing", "[OPTIONS…]", "Does things.", options};
    const auto read = [&](std::vector<std::string> words, const Tool& which) {
        std::vector<char*> argv{const_cast<char*>("thing")};
        for (std::string& word : words)
            argv.push_back(word.data());
        argv.push_back(nullptr);
        return read_tool_line(which, static_cast<int>(argv.size()) - 1, argv.data());
    };
    ToolLine line = read({"a", "--name=x", "b", "-n", "y", "-c", "--pid", "7"}, tool);
    CHECK_FALSE(line.status);
    CHECK(line.words == std::vector<std::string>{"a", "b", "7"});
    CHECK(line.last("name") == "y");
    CHECK(line.all("name") == std::vector<std::string>{"x", "y"});
    CHECK(line.has("c"));
    CHECK(line.last("pid") == "");
    CHECK_FALSE(line.last("nothing"));
    Tool command = tool;
    command.stops_at_word = true;
    line = read({"-c", "run", "--name=x"}, command);
    CHECK(line.words == std::vector<std::string>{"run", "--name=x"});
    const std::string help = tool_help(tool);
    for (const char* part : {"thing [OPTIONS…]", "-n --name=NAME", "--pid[=PID]", "-c  ", "-h --help"})
        CHECK(help.find(part) != std::string::npos);
    CHECK(parse_level("warning") == 4);
    CHECK(parse_level("7") == 7);
    CHECK(parse_level("8") == -1);
}
