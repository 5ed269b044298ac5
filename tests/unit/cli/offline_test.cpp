// Verbs on unit files without a running init, on a temporary root: what docker build and dpkg do. Texts and statuses are
// those of systemctl 252 (recorded).
#include "cli/verbs.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

using namespace monoinit::cli;
namespace fs = std::filesystem;

namespace {

struct Result {
    int status;
    std::string out, err;
};

struct Root {
    fs::path path;

    Root() {
        char name[] = "/tmp/cli-test-XXXXXX";
        path = ::mkdtemp(name);
        put("lib/systemd/system/web.service", "[Unit]\nDescription=Web\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n");
        put("etc/systemd/system/plain.service", "[Unit]\nDescription=Plain\n[Service]\nExecStart=/bin/sleep 1000\n");
        put("etc/systemd/system/plain.service.d/more.conf", "[Service]\nNice=3\n");
        fs::create_symlink("/dev/null", path / "etc/systemd/system/gone.service");
        for (const char* program : {"bin/true", "bin/sleep"}) {
            put(program, "");
            fs::permissions(path / program, fs::perms::owner_all);
        }
    }
    ~Root() { fs::remove_all(path); }

    void put(const std::string& file, const std::string& text) const {
        fs::create_directories((path / file).parent_path());
        std::ofstream(path / file) << text;
    }
    bool is_link(const std::string& file) const { return fs::is_symlink(path / file); }
    std::string in(const std::string& file) const { return path.string() + file; }

    Result run(Face face, const Names& words, Options options = {}) const {
        Context context;
        context.face = face;
        context.program = face == Face::Initctl ? "initctl" : "systemctl";
        context.buffered = true;
        context.options = std::move(options);
        context.options.root = path;
        context.options.socket = "/nonexistent/control";
        const int status = dispatch(context, words);
        return {status, context.out, context.err};
    }
    Result systemctl(const Names& words, Options options = {}) const { return run(Face::Systemctl, words, std::move(options)); }
    Result initctl(const Names& words, Options options = {}) const { return run(Face::Initctl, words, std::move(options)); }
};

Options quiet() {
    Options options;
    options.quiet = true;
    return options;
}

} // namespace

TEST_CASE("enable, is-enabled, disable") {
    const Root root;
    CHECK(root.systemctl({"is-enabled", "web"}).out == "disabled\n");
    CHECK(root.systemctl({"is-enabled", "web"}).status == 1);
    auto result = root.systemctl({"enable", "web"});
    CHECK(result.status == 0);
    CHECK(result.out.empty());
    CHECK(result.err == "Created symlink " + root.in("/etc/systemd/system/multi-user.target.wants/web.service") + " → /lib/systemd/system/web.service.\n");
    CHECK(root.is_link("etc/systemd/system/multi-user.target.wants/web.service"));
    CHECK(root.systemctl({"is-enabled", "web"}).out == "enabled\n");
    CHECK(root.systemctl({"is-enabled", "web"}).status == 0);
    CHECK(root.systemctl({"is-enabled", "web"}, quiet()).out.empty());
    result = root.systemctl({"disable", "web.service"}, quiet());
    CHECK(result.status == 0);
    CHECK(result.err.empty());
    CHECK_FALSE(root.is_link("etc/systemd/system/multi-user.target.wants/web.service"));
}

TEST_CASE("dpkg's preset on first installation") {
    const Root root;
    Options options;
    options.preset_mode = "enable-only";
    CHECK(root.systemctl({"preset", "web.service"}, options).status == 0);
    CHECK(root.systemctl({"is-enabled", "web"}).status == 0);
}

TEST_CASE("enable of what cannot be enabled") {
    const Root root;
    auto result = root.systemctl({"enable", "nope"});
    CHECK(result.status == 1);
    CHECK(result.err == "Failed to enable unit, unit nope.service does not exist.\n");
    result = root.systemctl({"enable", "gone"});
    CHECK(result.status == 1);
    CHECK(result.err == "Failed to enable unit, unit " + root.in("/etc/systemd/system/gone.service") + " is masked.\n");
    result = root.systemctl({"enable", "plain"});
    CHECK(result.status == 0);
    CHECK(result.err.starts_with("The unit files have no installation config (WantedBy=, RequiredBy=, Also=,\nAlias= settings"));
    CHECK(root.systemctl({"disable", "nope"}).err == "Failed to disable unit, unit nope.service does not exist.\n");
    CHECK(root.systemctl({"disable", "nope"}).status == 0); // as the real one, away from its manager
}

TEST_CASE("mask and unmask") {
    const Root root;
    auto result = root.systemctl({"mask", "nope"});
    CHECK(result.status == 0);
    CHECK(result.err == "Created symlink " + root.in("/etc/systemd/system/nope.service") + " → /dev/null.\n");
    CHECK(root.systemctl({"is-enabled", "nope"}).out == "masked\n");
    CHECK(root.systemctl({"is-enabled", "nope"}).status == 1);
    result = root.systemctl({"unmask", "nope"});
    CHECK(result.err == "Removed \"" + root.in("/etc/systemd/system/nope.service") + "\".\n");
    CHECK(root.systemctl({"is-enabled", "gone"}).out == "masked\n");
}

TEST_CASE("is-enabled of the rest") {
    const Root root;
    CHECK(root.systemctl({"is-enabled", "plain"}).out == "static\n");
    CHECK(root.systemctl({"is-enabled", "plain"}).status == 0);
    const auto result = root.systemctl({"is-enabled", "nope"});
    CHECK(result.status == 1);
    CHECK(result.out.empty());
    CHECK(result.err == "Failed to get unit file state for nope.service: No such file or directory\n");
}

TEST_CASE("cat") {
    const Root root;
    const auto result = root.systemctl({"cat", "plain"});
    CHECK(result.status == 0);
    CHECK(result.out == "# " + root.in("/etc/systemd/system/plain.service") + "\n[Unit]\nDescription=Plain\n[Service]\nExecStart=/bin/sleep 1000\n\n"
                        "# " + root.in("/etc/systemd/system/plain.service.d/more.conf") + "\n[Service]\nNice=3\n");
    const auto none = root.systemctl({"cat", "nope"});
    CHECK(none.status == 1);
    CHECK(none.err == "No files found for nope.service.\n");
    CHECK(root.initctl({"cat", "wbe"}).err == "No files found for wbe.service. Did you mean web?\n");
    CHECK(root.initctl({"cat", "multi-user.target"}).out.starts_with("# built into monoinit: multi-user.target\n"));
}

TEST_CASE("list-unit-files") {
    const Root root;
    auto result = root.systemctl({"list-unit-files", "web.service"});
    CHECK(result.out == "UNIT FILE   STATE    PRESET\nweb.service disabled enabled\n\n1 unit files listed.\n");
    CHECK(result.status == 0);
    result = root.systemctl({"list-unit-files", "nope.service"});
    CHECK(result.out == "UNIT FILE STATE PRESET\n\n0 unit files listed.\n");
    CHECK(result.status == 1);
    Options options;
    options.legend = false;
    CHECK(root.systemctl({"list-unit-files", "plain*"}, options).out == "plain.service static -\n");
}

TEST_CASE("the boot target") {
    const Root root;
    CHECK(root.systemctl({"get-default"}).out == "multi-user.target\n");
    CHECK(root.systemctl({"set-default", "graphical.target"}).status == 0);
    CHECK(root.systemctl({"get-default"}).out == "graphical.target\n");
}

TEST_CASE("initctl says the same in its own words") {
    const Root root;
    auto result = root.initctl({"enable", "web"});
    CHECK(result.status == 0);
    CHECK(result.out.starts_with("web: enabled\n  "));
    CHECK(root.initctl({"enable", "web"}).out == "web: already enabled\n");
    result = root.initctl({"enable", "wbe"});
    CHECK(result.status == 4);
    CHECK(result.err == "wbe: not enabled: Unit file wbe.service does not exist.\n  did you mean web?\n");
}

TEST_CASE("verify says what is wrong, with file and line") {
    const Root root;
    root.put("etc/systemd/system/difit.service",
             "[Unit]\nRequires=nope.service\n[Service]\nExecStart=/bin/missing\nRestartSecs=5\nRestart=alwais\nUser=nobodyhere\n");
    const auto result = root.initctl({"verify", "difit"});
    CAPTURE(result.out, result.err);
    CHECK(result.status == 1);
    const auto has = [&](const char* text) { return result.out.find(text) != std::string::npos; };
    CHECK(has("/etc/systemd/system/difit.service:5: unknown directive"));
    CHECK(has("    5 | RestartSecs=5\n      | ^~~~~~~~~~~   did you mean RestartSec= ?\n"));
    CHECK(has("/etc/systemd/system/difit.service:6: Restart=alwais"));
    CHECK(has("did you mean always?"));
    CHECK(has("/etc/systemd/system/difit.service:4: /bin/missing does not exist\n  It will fail with 203/EXEC.\n"));
    CHECK(has("User=nobodyhere: there is no such user\n  It will fail with 217/USER.\n"));
    CHECK(has("difit.service:2: nope.service is required and does not exist"));
    CHECK(has("5 problems in 1 file\n"));
    CHECK(root.initctl({"verify", "web"}).out == "no problem in 1 unit\n");
    CHECK(root.initctl({"verify", "nope"}).status == 4);
}

TEST_CASE("verify finds loops in the order") {
    const Root root;
    root.put("etc/systemd/system/a.service", "[Unit]\nAfter=b.service\nWants=b.service\n[Service]\nExecStart=/bin/true\n");
    root.put("etc/systemd/system/b.service", "[Unit]\nAfter=a.service\n[Service]\nExecStart=/bin/true\n");
    const auto result = root.initctl({"verify", "a"});
    CAPTURE(result.out);
    CHECK(result.status == 1);
    CHECK(result.out.find("ordering cycle: a.service after b.service after a.service\n") != std::string::npos);
}

TEST_CASE("verify --portable") {
    const Root root;
    root.put("etc/systemd/system/p.service", "[Service]\nExecStart=sleep 1\nRestart=always\nX-Extra=1\n");
    Options options;
    options.portable = true;
    const auto result = root.initctl({"verify", "p"}, options);
    CAPTURE(result.out);
    CHECK(result.out.find("does not inherit the container's environment") != std::string::npos);
    CHECK(result.out.find("sleep is looked up in systemd's own PATH there") != std::string::npos);
    CHECK(result.out.find("p.service:4: X-Extra is monoinit's; systemd ignores it") != std::string::npos);
}

TEST_CASE("verify loads a unit as PID 1 does: drop-ins and the whole are checked") {
    const Root root;
    root.put("etc/systemd/system/empty.service", "[Service]\nType=oneshot\n");
    root.put("etc/systemd/system/empty.service.d/10-more.conf", "[Service]\nColour=blue\n");
    const auto result = root.initctl({"verify", "empty"});
    CAPTURE(result.out);
    CHECK(result.out.find("empty.service.d/10-more.conf:2: unknown directive \"Colour\" in [Service]") != std::string::npos);
    CHECK(result.out.find("  The unit cannot be started.\n") != std::string::npos);
}
