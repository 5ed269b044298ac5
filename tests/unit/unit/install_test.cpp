// Expected values: what `systemctl --root=DIR` of systemd 252 did with the same files.
#include "unit/install.hpp"

#include "../memory_files.hpp"
#include "unit/install_links.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace monoinit;
using namespace monoinit::unit;

namespace {

const std::string etc = "/etc/systemd/system/", run = "/run/systemd/system/", lib = "/usr/lib/systemd/system/";
const std::string service = "[Service]\nExecStart=/bin/true\n[Install]\n";
using Lines = std::vector<std::string>;

struct World {
    MemoryFiles files;
    InstallOptions options;

    World() { files.file(lib + "multi-user.target", "[Unit]\nDescription=x\n"); }
    World& file(const std::string& path, const std::string& text) {
        files.file(path, text);
        return *this;
    }
    World& unit(const std::string& name, const std::string& install) { return file(lib + name, service + install); }
    Loader loader() const {
        Environment environment;
        environment.unit_path = default_unit_path("", "");
        return Loader(files, environment);
    }

    using Verb = InstallResult (*)(FileTree&, const Loader&, const Names&, const InstallOptions&);
    /// "+link -> target", "-removed", "# note", "! failure of a part", "error: all failed".
    Lines lines(const InstallResult& result) const {
        const bool did_something = std::ranges::any_of(result, [](const InstallChange& change) {
            return change.kind == InstallChange::Kind::Symlink || change.kind == InstallChange::Kind::Removed;
        });
        if (const InstallChange* failure = first_failure(result); failure != nullptr && !did_something)
            return {"error: " + failure->path};
        Lines out;
        for (const InstallChange& change : result)
            switch (change.kind) {
            case InstallChange::Kind::Symlink:
                out.push_back("+" + change.path + " -> " + change.target);
                break;
            case InstallChange::Kind::Removed:
                out.push_back("-" + change.path);
                break;
            case InstallChange::Kind::Note:
                out.push_back("# " + change.path);
                break;
            case InstallChange::Kind::Failed:
                out.push_back("! " + change.path);
                break;
            }
        return out;
    }
    Lines run(Verb verb, const Names& names) { return lines(verb(files, loader(), names, options)); }
    Lines preset(const Names& names, bool enable_only) {
        return lines(unit::preset(files, loader(), names, options, enable_only ? PresetMode::EnableOnly : PresetMode::Full));
    }
    std::string state(const std::string& name) const {
        const FileState state = file_state(files, loader(), name, options);
        // PID 1 tells it of a loaded unit from links that it read before: the same, or nothing.
        const auto loaded = loader().load(name);
        if (const auto known = file_state(files, *loaded, enabling_links(files, options), options); known && loaded->name == name)
            CHECK(file_state_name(*known) == file_state_name(state));
        return std::string(file_state_name(state));
    }
};

} // namespace

TEST_CASE("enable and disable a service") {
    World world;
    world.unit("a.service", "WantedBy=multi-user.target\n");
    CHECK(world.state("a.service") == "disabled");
    CHECK(world.run(enable, {"a.service"}) == Lines{"+" + etc + "multi-user.target.wants/a.service -> " + lib + "a.service"});
    CHECK(world.run(enable, {"a.service"}).empty());
    CHECK(world.state("a.service") == "enabled");
    CHECK(world.run(reenable, {"a.service"}) == Lines{"-" + etc + "multi-user.target.wants/a.service",
                                                      "+" + etc + "multi-user.target.wants/a.service -> " + lib + "a.service"});
    CHECK(world.run(disable, {"a.service"}) == Lines{"-" + etc + "multi-user.target.wants/a.service"});
    CHECK_FALSE(world.files.exists(etc + "multi-user.target.wants"));
    CHECK(world.state("a.service") == "disabled");
    CHECK(world.run(disable, {"a.service"}).empty());
}

TEST_CASE("Alias=, Also=, RequiredBy=, UpheldBy=, a target that does not exist") {
    World world;
    world.unit("a.service", "WantedBy=multi-user.target\n").unit("c.service", "WantedBy=nowhere.target\nAlso=b.service\n");
    world.unit("b.service", "WantedBy=multi-user.target\nAlias=bee.service\nAlso=c.service gone.service\nRequiredBy=a.service\nUpheldBy=a.service\n");
    CHECK(world.run(enable, {"b.service"}) ==
          Lines{"+" + etc + "bee.service -> " + lib + "b.service", "+" + etc + "multi-user.target.wants/b.service -> " + lib + "b.service",
                "+" + etc + "a.service.requires/b.service -> " + lib + "b.service",
                "+" + etc + "a.service.upholds/b.service -> " + lib + "b.service",
                "+" + etc + "nowhere.target.wants/c.service -> " + lib + "c.service",
                "# Unit " + lib + "c.service is added as a dependency to a non-existent unit nowhere.target.",
                "# Failed to enable auxiliary unit gone.service, ignoring."});
    CHECK(world.state("b.service") == "enabled");
    CHECK(world.state("bee.service") == "alias");
    CHECK(world.run(enable, {"bee.service"}) == Lines{"error: Refusing to operate on alias name or linked unit file: bee.service"});
    Lines removed = world.run(disable, {"b.service"});
    std::ranges::sort(removed);
    CHECK(removed == Lines{"-" + etc + "a.service.requires/b.service", "-" + etc + "a.service.upholds/b.service", "-" + etc + "bee.service",
                           "-" + etc + "multi-user.target.wants/b.service", "-" + etc + "nowhere.target.wants/c.service"});
}

TEST_CASE("enabling templates, instances, DefaultInstance=") {
    World world;
    world.unit("t@.service", "WantedBy=multi-user.target\nDefaultInstance=def\n").unit("n@.service", "WantedBy=multi-user.target\n");
    world.unit("ta@.service", "Alias=tb@%i.service tc@.service\nWantedBy=x-%i.target foo@.target\n");
    const std::string wants = etc + "multi-user.target.wants/";
    CHECK(world.run(enable, {"t@.service"}) == Lines{"+" + wants + "t@def.service -> " + lib + "t@.service"});
    CHECK(world.run(enable, {"t@x.service"}) == Lines{"+" + wants + "t@x.service -> " + lib + "t@.service"});
    CHECK(world.state("t@.service") == "enabled");
    CHECK(world.state("t@x.service") == "enabled");
    CHECK(world.state("t@zz.service") == "disabled");
    CHECK(world.run(enable, {"n@.service"}) == Lines{"error: Failed to enable n@.service, destination unit multi-user.target is a non-template unit."});
    CHECK(world.run(enable, {"n@1.service", "n@2.service"}).size() == 2);
    CHECK(world.state("n@.service") == "indirect");
    CHECK(world.run(disable, {"n@1.service"}) == Lines{"-" + wants + "n@1.service"});
    CHECK(world.run(disable, {"n@.service"}) == Lines{"-" + wants + "n@2.service"}); // all that are left
    CHECK(world.run(enable, {"ta@q.service"}) ==
          Lines{"+" + etc + "tb@q.service -> " + lib + "ta@.service", "+" + etc + "tc@q.service -> " + lib + "ta@.service",
                "+" + etc + "x-q.target.wants/ta@q.service -> " + lib + "ta@.service",
                "# Unit " + lib + "ta@.service is added as a dependency to a non-existent unit x-q.target.",
                "+" + etc + "foo@.target.wants/ta@q.service -> " + lib + "ta@.service",
                "# Unit " + lib + "ta@.service is added as a dependency to a non-existent unit foo@.target."});
    CHECK(world.state("tb@q.service") == "alias");
}

TEST_CASE("states without links") {
    World world;
    world.unit("static.service", "").unit("indirect.service", "Also=a.service\n").unit("en.service", "WantedBy=multi-user.target\n");
    world.files.link(lib + "multi-user.target.wants/en.service", "../en.service").link(lib + "alias.service", "static.service");
    CHECK(world.state("static.service") == "static");
    CHECK(world.state("indirect.service") == "indirect");
    CHECK(world.state("en.service") == "disabled"); // the package's own link is no decision of the administrator
    CHECK(world.state("alias.service") == "alias");
    CHECK(world.state("gone.service") == "not-found");
    CHECK(world.state("sysinit.target") == "static");
    world.file("/run/systemd/generator/g.service", service);
    world.file("/run/systemd/transient/tr.service", service);
    world.files.fifo(etc + "fifo.service");
    CHECK(world.state("g.service") == "generated");
    CHECK(world.state("tr.service") == "transient");
    CHECK(world.state("fifo.service") == "bad");
    const Lines told = world.run(enable, {"static.service"});
    REQUIRE(told.size() == 1);
    CHECK(told[0].starts_with("# The unit files have no installation config"));
    CHECK(world.run(enable, {"gone.service"}) == Lines{"error: Unit file gone.service does not exist."});
    CHECK(world.run(disable, {"gone.service"}) == Lines{"error: Unit file gone.service does not exist."});
    CHECK(world.run(enable, {"multi-user.target", "basic.target"}).size() == 1);
}

TEST_CASE("a name that does not exist changes nothing, a bad [Install] line costs that line") {
    World world;
    world.unit("a.service", "WantedBy=multi-user.target\n").unit("odd.service", "Alias=odd.timer\nWantedBy=../x multi-user.target\n");
    for (const World::Verb verb : {enable, reenable})
        CHECK(world.run(verb, {"a.service", "gone.service"}) == Lines{"error: Unit file gone.service does not exist."});
    CHECK_FALSE(world.files.exists(etc + "multi-user.target.wants"));
    const Lines odd = world.run(enable, {"odd.service"});
    CHECK(std::ranges::count(odd, "+" + etc + "multi-user.target.wants/odd.service -> " + lib + "odd.service") == 1);
    CHECK_FALSE(world.files.exists("/etc/systemd/x.wants"));
    CHECK(world.run(disable, {"gone.service", "odd.service"}) ==
          Lines{"! Unit file gone.service does not exist.", "-" + etc + "multi-user.target.wants/odd.service"});
    world.files.link(etc + "multi-user.target.wants/removed.service", lib + "removed.service");
    CHECK(world.run(disable, {"removed.service"}) == Lines{"-" + etc + "multi-user.target.wants/removed.service"});
}

TEST_CASE("mask and unmask") {
    World world;
    world.unit("a.service", "WantedBy=multi-user.target\n").file(etc + "own.service", service);
    CHECK(world.run(mask, {"a.service"}) == Lines{"+" + etc + "a.service -> /dev/null"});
    CHECK(world.run(mask, {"a.service"}).empty());
    CHECK(world.state("a.service") == "masked");
    CHECK(world.run(enable, {"a.service"}) == Lines{"error: Unit file " + etc + "a.service is masked."});
    CHECK(world.run(disable, {"a.service"}) == Lines{"# Unit " + etc + "a.service is masked, ignoring."});
    CHECK(world.run(unmask, {"a.service"}) == Lines{"-" + etc + "a.service"});
    CHECK(world.run(unmask, {"a.service"}).empty());
    CHECK(world.run(mask, {"own.service"}) == Lines{"error: File '" + etc + "own.service' already exists."});
    CHECK(world.run(mask, {"nope.service"}) ==
          Lines{"# Unit nope.service does not exist, proceeding anyway.", "+" + etc + "nope.service -> /dev/null"});
    world.files.link(etc + "q.service", "/opt/x");
    CHECK(world.run(mask, {"q.service"}) == Lines{"error: File '" + etc + "q.service' already exists and is a symlink to /opt/x."});
    world.options.force = true;
    CHECK(world.run(mask, {"q.service"}) == Lines{"-" + etc + "q.service", "+" + etc + "q.service -> /dev/null"});
    world.options = {};
    world.options.runtime = true;
    CHECK(world.run(mask, {"a.service"}) == Lines{"+" + run + "a.service -> /dev/null"});
    CHECK(world.state("a.service") == "masked-runtime");
    for (const char* bad : {"../../x", "", "a b.service"})
        CHECK(world.run(mask, {bad}).front().starts_with("error: "));
}

TEST_CASE("unmask overrules the list of machine units, mask takes that back") {
    World world;
    world.file(lib + "fstrim.timer", "[Timer]\nOnCalendar=weekly\n[Install]\nWantedBy=timers.target\n").unit("getty@.service", "WantedBy=getty.target\n");
    CHECK(world.loader().load("fstrim.timer")->machine_masked);
    CHECK(world.run(unmask, {"fstrim.timer"}) == Lines{"+" + etc + "fstrim.timer -> " + lib + "fstrim.timer"});
    CHECK(world.loader().load("fstrim.timer")->load_state == LoadState::Loaded);
    CHECK(world.run(unmask, {"fstrim.timer"}).empty());
    CHECK(world.state("fstrim.timer") == "disabled");
    CHECK(world.run(mask, {"fstrim.timer"}) == Lines{"-" + etc + "fstrim.timer", "+" + etc + "fstrim.timer -> /dev/null"});
    CHECK(world.run(unmask, {"getty@tty1.service"}) == Lines{"+" + etc + "getty@tty1.service -> " + lib + "getty@.service"});
    CHECK(world.loader().load("getty@tty1.service")->load_state == LoadState::Loaded);
    CHECK(world.loader().load("getty@tty2.service")->machine_masked);
    // A machine unit can be enabled as anywhere else: it matters when it is unmasked.
    CHECK(world.run(enable, {"getty@tty2.service"}).size() == 1);
    CHECK(world.state("getty@tty2.service") == "enabled");
}

TEST_CASE("linked units") {
    World world;
    world.file("/opt/l.service", service + "WantedBy=multi-user.target\n");
    const std::string wants = etc + "multi-user.target.wants/l.service";
    CHECK(world.run(link, {"/opt/l.service"}) == Lines{"+" + etc + "l.service -> /opt/l.service"});
    CHECK(world.state("l.service") == "linked");
    CHECK(world.run(enable, {"l.service"}) == Lines{"+" + wants + " -> /opt/l.service"});
    CHECK(world.state("l.service") == "enabled");
    CHECK(world.run(reenable, {"l.service"}) == Lines{"-" + wants, "+" + wants + " -> /opt/l.service"});
    CHECK(world.run(disable, {"l.service"}).size() == 2);
    CHECK_FALSE(world.files.exists(etc + "l.service"));
    CHECK(world.run(enable, {"/opt/l.service"}).size() == 2);
    for (const char* bad : {"l.service", "/opt/none.service", "/opt", "/opt/../opt/l.service"})
        CHECK(world.run(link, {bad}).front().starts_with("error: "));
}

TEST_CASE("runtime links") {
    World world;
    world.unit("a.service", "WantedBy=multi-user.target\n");
    world.options.runtime = true;
    CHECK(world.run(enable, {"a.service"}) == Lines{"+" + run + "multi-user.target.wants/a.service -> " + lib + "a.service"});
    CHECK(world.state("a.service") == "enabled-runtime");
    CHECK(world.run(disable, {"a.service"}) == Lines{"-" + run + "multi-user.target.wants/a.service"});
}

TEST_CASE("with a root, messages show it and links do not") {
    World world;
    world.unit("a.service", "WantedBy=multi-user.target\n");
    world.options.root = "/image";
    CHECK(world.run(enable, {"a.service"}) == Lines{"+/image" + etc + "multi-user.target.wants/a.service -> " + lib + "a.service"});
}

TEST_CASE("presets") {
    World world;
    for (const char* name : {"a.service", "en.service", "n@.service", "t@.service", "other.service"})
        world.unit(name, "WantedBy=multi-user.target\n");
    world.unit("static.service", "");
    const std::string wants = etc + "multi-user.target.wants/";
    CHECK(world.preset({"other.service"}, true).size() == 1); // no preset file: enable
    CHECK(world.preset({"static.service"}, true).empty());
    world.file("/usr/lib/systemd/system-preset/90-d.preset",
               "# remark\nenable a*\ndisable en.service\nenable t@.service one two\nenable n@*.service\ndisable *\n");
    CHECK(world.preset({"a.service", "en.service"}, false) == Lines{"+" + wants + "a.service -> " + lib + "a.service"});
    CHECK(world.preset({"t@.service"}, true) ==
          Lines{"+" + wants + "t@one.service -> " + lib + "t@.service", "+" + wants + "t@two.service -> " + lib + "t@.service"});
    CHECK(world.preset({"t@three.service"}, true).empty());
    CHECK(world.preset({"n@1.service"}, true).size() == 1);
    CHECK(world.preset({"other.service"}, true).empty());
    CHECK(world.preset({"other.service"}, false) == Lines{"-" + wants + "other.service"});
    CHECK(world.preset({"nope.service"}, false) == Lines{"error: Unit file nope.service does not exist."});
    world.file("/etc/systemd/system-preset/10-own.preset", "ignore a.service\nenable en.service\n");
    CHECK(Presets(world.files).verdict("a.service") == Presets::Verdict::Ignore);
    CHECK(world.preset({"en.service"}, true).size() == 1);
    world.files.link("/etc/systemd/system-preset/90-d.preset", "/dev/null");
    CHECK(Presets(world.files).verdict("other.service") == Presets::Verdict::Enable);
    CHECK(world.run(mask, {"other.service"}).size() == 1);
    CHECK(world.preset({"other.service"}, true) == Lines{"error: Unit file " + etc + "other.service is masked."});
}

TEST_CASE("the default target") {
    World world;
    const auto set = [&](const std::string& name) { return world.lines(set_default(world.files, world.loader(), name, world.options)); };
    CHECK(set("multi-user") == Lines{"+" + etc + "default.target -> " + lib + "multi-user.target"});
    CHECK(set("multi-user.target").empty());
    CHECK(set("graphical.target") == Lines{"-" + etc + "default.target", "+" + etc + "default.target -> " + lib + "graphical.target"});
    CHECK(world.loader().load("default.target")->name == "graphical.target");
    for (const char* bad : {"nope.target", "a.service", "default.target", "../x"})
        CHECK(set(bad).front().starts_with("error: "));
    CHECK(world.files.target(etc + "default.target") == lib + "graphical.target");
}
