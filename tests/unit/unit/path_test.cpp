// [Path] and X-Watch=: what adds up, what makes a path unit unusable, what follows for its dependencies.
#include "../memory_files.hpp"
#include "unit/loader.hpp"
#include "unit/verify.hpp"

#include <catch2/catch.hpp>
#include <algorithm>

using namespace monoinit;
using namespace monoinit::unit;
using namespace std::chrono_literals;

namespace {

std::shared_ptr<const UnitConfig> loaded(const std::string& name, const std::string& text) {
    static MemoryFiles files;
    files = {};
    files.file("/etc/systemd/system/" + name, text)
        .file("/etc/systemd/system/y.service", "[Service]\nExecStart=/bin/y\n")
        .file("/etc/systemd/system/srv-data.mount", "[Mount]\nWhat=x\nWhere=/srv/data\n");
    Environment environment;
    environment.unit_path = {"/etc/systemd/system"};
    return Loader(files, environment).load(name);
}

bool has(const UnitConfig& unit, DependencyKind kind, const std::string& name) {
    return std::ranges::any_of(unit.unit.dependencies, [&](const Dependency& each) { return each.kind == kind && each.name == name; });
}

} // namespace

TEST_CASE("paths of every kind add up, an empty value takes all of them back") {
    const auto path = loaded("x.path", "[Path]\nPathExists=/old\nPathChanged=\nPathExists=/run//x/\nPathExistsGlob=/a/*.b\nPathChanged=/etc/%p.conf\nPathModified=/m\n"
                                       "DirectoryNotEmpty=/srv/data/spool\nPathExists=relative\nPathExists=/a/../b\n");
    REQUIRE(path->load_state == LoadState::Loaded);
    CHECK(path->path->paths == std::vector<WatchedPath>{{PathKind::Exists, "/run/x"}, {PathKind::ExistsGlob, "/a/*.b"}, {PathKind::Changed, "/etc/x.conf"},
                                                         {PathKind::Modified, "/m"}, {PathKind::DirectoryNotEmpty, "/srv/data/spool"}});
    CHECK(path->problems.size() == 2);
    CHECK(has(*path, DependencyKind::Triggers, "x.service"));
    CHECK(has(*path, DependencyKind::Before, "x.service"));
    CHECK(has(*path, DependencyKind::Before, "paths.target"));
    CHECK(has(*path, DependencyKind::Requires, "sysinit.target"));
    CHECK(has(*path, DependencyKind::Conflicts, "shutdown.target"));
    CHECK(has(*path, DependencyKind::Requires, "srv-data.mount"));
    CHECK(has(*path, DependencyKind::After, "srv-data.mount"));
}

TEST_CASE("settings of a path unit") {
    const auto path = loaded("x.path", "[Path]\nPathExists=/x\nUnit=y.service\nMakeDirectory=yes\nDirectoryMode=0700\nTriggerLimitIntervalSec=1min\nTriggerLimitBurst=3\n");
    REQUIRE(path->load_state == LoadState::Loaded);
    CHECK(path->problems.empty());
    CHECK(has(*path, DependencyKind::Triggers, "y.service"));
    CHECK_FALSE(has(*path, DependencyKind::Triggers, "x.service"));
    CHECK(path->path->make_directory);
    CHECK(path->path->directory_mode == 0700);
    CHECK(path->path->trigger_interval == 1min);
    CHECK(path->path->trigger_burst == 3);
    CHECK(loaded("x.path", "[Path]\nPathExists=/x\nUnit=z.path\n")->problems.size() == 1);
    CHECK(loaded("x.path", "[Path]\nUnit=y.service\n")->load_state == LoadState::BadSetting);
    CHECK(loaded("x.path", "[Path]\nPathExists=relative\n")->load_state == LoadState::BadSetting);
}

TEST_CASE("X-Watch: patterns are below WorkingDirectory=, or cannot be") {
    const auto service = loaded("x.service", "[Service]\nExecStart=/bin/x\nX-Watch=src/**/*.py \"a b\" /etc/x.conf\nX-Watch=../up\nWorkingDirectory=/app\nX-WatchDelay=1s\n"
                                             "X-WatchIgnore=dist\nX-WatchAction=SIGUSR2\n");
    CHECK(service->watch->patterns == std::vector<std::string>{"/app/src/**/*.py", "/app/a b", "/etc/x.conf"});
    CHECK(service->problems.size() == 1);
    CHECK(service->watch->delay == 1s);
    CHECK(service->watch->ignored == std::vector<std::string>{"dist"});
    CHECK(service->watch->default_ignored);
    CHECK(service->watch->action == WatchAction::Signal);
    CHECK(service->watch->signal == 12);
    const auto lost = loaded("x.service", "[Service]\nExecStart=/bin/x\nX-Watch=src /etc/x.conf\nX-WatchIgnore=\nX-WatchAction=reload\n");
    CHECK(lost->watch->patterns == std::vector<std::string>{"/etc/x.conf"});
    CHECK_FALSE(lost->watch->default_ignored);
    REQUIRE(lost->problems.size() == 2);
    CHECK(lost->problems[0].text.find("X-Watch=src is relative") == 0);
    CHECK(lost->problems[1].consequence == "It is restarted instead.");
    CHECK(loaded("x.service", "[Service]\nExecStart=/bin/x\nX-WatchAction=explode\n")->problems.size() == 1);
}
