// Sources of settings, their precedence, and what hostile or broken ones cost.
#include "config/config.hpp"
#include "config/options.hpp"

#include <catch2/catch.hpp>
#include <map>

using namespace monoinit;
using config::CommandLine;

namespace {

class OneFile : public base::FileSource {
  public:
    std::map<std::string, std::string> files;

    base::Result<std::vector<base::DirEntry>> list(const std::string&) const override {
        return base::fail(base::Errc::NotFound, "no directories here");
    }
    base::Result<std::string> read(const std::string& path, std::size_t limit) const override {
        const auto found = files.find(path);
        if (found == files.end())
            return base::fail(base::Errc::NotFound, "No such file or directory");
        if (found->second.size() > limit)
            return base::fail(base::Errc::TooLarge, "larger than " + std::to_string(limit) + " bytes");
        return found->second;
    }
    base::Result<std::string> read_link(const std::string&) const override {
        return base::fail(base::Errc::Invalid, "not a symlink");
    }
    base::Result<base::DirEntry::Kind> kind(const std::string&) const override { return base::DirEntry::Kind::Regular; }
};

const std::string path(config::default_config_path);

config::Loaded load(const std::string& toml, std::vector<std::string> args = {}, std::vector<std::string> env = {}) {
    OneFile files;
    if (!toml.empty())
        files.files[path] = toml;
    return config::load(files, config::parse_command_line(args), env);
}

std::vector<std::string> texts(const config::Loaded& loaded) {
    std::vector<std::string> out;
    for (const auto& problem : loaded.problems)
        out.push_back(config::to_string(problem));
    return out;
}

} // namespace

TEST_CASE("a missing file at the default place is silent, at a named one it is not") {
    CHECK(load("").problems.empty());
    const auto named = load("", {"--config=/x.toml"});
    REQUIRE(named.problems.size() == 1);
    CHECK(config::to_string(named.problems[0]) == "/x.toml: No such file or directory");
}

TEST_CASE("flag beats environment beats file beats default") {
    const std::string toml = "comm = \"file\"\nlog_dir = \"/file\"\nsocket = \"/file.sock\"\n";
    const auto loaded = load(toml, {"--comm=flag"}, {"MONOINIT_COMM=env", "MONOINIT_LOG_DIR=/env", "HOME=/root"});
    CHECK(loaded.problems.empty());
    CHECK(loaded.config.comm == "flag");
    CHECK(loaded.config.log_dir == "/env");
    CHECK(loaded.config.socket == "/file.sock");
    CHECK(loaded.config.default_backoff);
}

TEST_CASE("values of every kind") {
    const auto loaded = load("default_backoff = false\nshutdown_timeout = 25\nlog_max = \"16M\"\n"
                             "log_format = \"json\"\nmasked_units = [\"getty@*\", \"!logrotate.timer\"]\n"
                             "default_timeout_stop = \"1min 30s\"\n");
    CHECK(texts(loaded).empty());
    CHECK_FALSE(loaded.config.default_backoff);
    CHECK(loaded.config.shutdown_timeout == std::chrono::seconds(25));
    CHECK(loaded.config.log_max == 16U << 20);
    CHECK(loaded.config.log_format == config::LogFormat::Json);
    CHECK(loaded.config.masked_units == std::vector<std::string>{"getty@*", "!logrotate.timer"});
    CHECK(loaded.config.default_timeout_stop == std::chrono::seconds(90));
}

TEST_CASE("an unknown key costs itself, and says file, line and suggestion") {
    const auto loaded = load("\ndefault_bakoff = false\nconfig = \"x\"\n[unit]\nx = 1\n");
    CHECK(texts(loaded) == std::vector<std::string>{
                               path + ":2: unknown key default_bakoff; did you mean default_backoff?",
                               path + ":3: unknown key config",
                               path + ":5: unknown key unit.x; did you mean unit?",
                           });
    CHECK(loaded.config.default_backoff);
}

TEST_CASE("a bad value costs itself") {
    const auto loaded = load("default_backoff = \"perhaps\"\nlog_max = \"much\"\ncomm = [\"a\"]\nlogs = \"store\"\n");
    CHECK(texts(loaded) == std::vector<std::string>{
                               path + ":1: default_backoff = perhaps: not yes or no",
                               path + ":2: log_max = much: not a size such as 16M",
                               path + ":3: comm: a single value is expected, not a list",
                           });
    CHECK(loaded.config.logs == config::LogsTo::Store);
}

TEST_CASE("a broken file costs its own settings only") {
    const auto loaded = load("comm = \"x\"\ncomm = = 3\n", {"--logs=stdout"}, {"MONOINIT_LOG_DIR=/v"});
    REQUIRE(loaded.problems.size() == 1);
    CHECK(loaded.problems[0].at.file == path);
    CHECK(loaded.problems[0].at.line == 2);
    CHECK(loaded.config.comm == "monoinit");
    CHECK(loaded.config.logs == config::LogsTo::Stdout);
    CHECK(loaded.config.log_dir == "/v");
}

TEST_CASE("hostile files do not harm") {
    for (const std::string& text : {std::string(100000, '['), std::string("a = \"\xff\xfe\""), std::string("a\0b = 1", 7),
                                    std::string(200000, 'a') + " = 1", "x = " + std::string(5000, '['), std::string("x = \u00fc")}) {
        const auto loaded = load(text);
        CHECK(loaded.problems.size() == 1);
        CHECK(loaded.config.comm == "monoinit");
    }
    CHECK(load(std::string((1U << 20) + 1, '#')).problems.size() == 1);
}

TEST_CASE("unknown variables of ours are named, others are not ours") {
    const auto loaded = load("", {}, {"MONOINIT_LOGDIR=/x", "MONOINITX=1", "PATH=/bin"});
    CHECK(texts(loaded) == std::vector<std::string>{"MONOINIT_LOGDIR: no such setting; did you mean MONOINIT_LOG_DIR?"});
}

TEST_CASE("the first argument that is no option begins CMD") {
    const auto parse = [](std::vector<std::string> args) { return config::parse_command_line(args); };
    using V = std::vector<std::string>;
    CHECK(parse({"--unit=x.target", "sh", "-c", "--unit=y"}).arguments == V{"sh", "-c", "--unit=y"});
    CHECK(parse({"--", "--unit=x"}).arguments == V{"--unit=x"});
    CHECK(parse({"--log-dir", "/v", "bash"}).arguments == V{"bash"});
    CHECK(parse({"--strict-credentials", "bash"}).settings.at(0) ==
          std::pair<std::string, std::string>("strict_credentials", "yes"));
    CHECK(parse({}).arguments.empty());
    CHECK(parse({"start", "web"}).arguments == V{"start", "web"});
}

TEST_CASE("only install, --help and --version are verbs") {
    const auto mode = [](std::vector<std::string> args) { return config::parse_command_line(args).mode; };
    CHECK(mode({"install", "--systemctl"}) == CommandLine::Mode::Install);
    CHECK(mode({"--unit=x", "install"}) == CommandLine::Mode::Run);
    CHECK(mode({"--", "install"}) == CommandLine::Mode::Run);
    CHECK(mode({"--help"}) == CommandLine::Mode::Help);
    CHECK(mode({"--version"}) == CommandLine::Mode::Version);
    CHECK(mode({"bash", "--help"}) == CommandLine::Mode::Run);
}

TEST_CASE("mistakes on the command line are a person's") {
    const auto line = config::parse_command_line(std::vector<std::string>{"--log-dri=/x", "--unit"});
    REQUIRE(line.problems.size() == 2);
    CHECK(config::to_string(line.problems[0]) == "--log-dri: no such option; did you mean --log-dir?");
    CHECK(config::to_string(line.problems[1]) == "--unit: needs a value: --unit=TARGET");
    CHECK(line.problems[0].usage);
}
