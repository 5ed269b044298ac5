// Credentials: where they come from, what is refused, who can read the result, whose start they belong to.
#include "exec/build_plan.hpp"
#include "exec/conditions.hpp"
#include "exec/credential_files.hpp"
#include "harness.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>

using namespace monoinit;
using namespace monoinit::exec;
using namespace monoinit::exec::test;

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

unit::CredentialSection& edit(SecretsPlan& plan) { return plan.wanted.edit(); }

void load(SecretsPlan& plan, const std::string& id, const std::string& source) { edit(plan).load.push_back({id, source}); }
void set(SecretsPlan& plan, const std::string& id, const std::string& data) { edit(plan).set.push_back({id, data, true}); }

Pairs gathered(const SecretsPlan& plan) {
    const auto found = gather_credentials(plan, "web.service");
    INFO((found ? "" : found.error().what));
    REQUIRE(found);
    Pairs pairs;
    for (const LoadedCredential& each : *found)
        pairs.emplace_back(each.id, each.data);
    std::sort(pairs.begin(), pairs.end());
    return pairs;
}

base::Error refused(const SecretsPlan& plan) {
    auto found = gather_credentials(plan, "web.service");
    REQUIRE_FALSE(found);
    return std::move(found).error();
}

mode_t mode_of(const std::string& path) {
    struct stat status;
    return ::lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

Plan plan_below(const TemporaryDirectory& dir, const std::string& script, std::uint8_t start = 1) {
    Plan plan = shell(script);
    plan.unit = "web.service";
    plan.invocation.fill(start);
    plan.directory_uid = ::geteuid();
    plan.directory_gid = ::getegid();
    plan.secrets.root = dir.path("credentials");
    plan.environment.push_back("D=" + dir.path("credentials/web.service"));
    return plan;
}

} // namespace

TEST_CASE("credentials come from paths, from the first place that has the name, from the unit", "[credentials]") {
    const TemporaryDirectory dir;
    std::filesystem::create_directories(dir.path("given"));
    std::filesystem::create_directories(dir.path("store"));
    SecretsPlan plan;
    plan.places = {dir.path("given"), dir.path("nowhere"), dir.path("store")};
    dir.write("given/a", "given");
    dir.write("store/a", "store");
    dir.write("store/b", std::string("\0\n", 2));
    load(plan, "first", "a");
    load(plan, "second", "b");
    load(plan, "path", dir.write("file", "by path"));
    load(plan, "absent", "no-such-name"); // left out, as systemd does
    set(plan, "own", "set");
    set(plan, "first", "a default that is not needed");
    set(plan, "absent", "a default");
    CHECK(gathered(plan) == Pairs{{"absent", "a default"}, {"first", "given"}, {"own", "set"}, {"path", "by path"}, {"second", std::string("\0\n", 2)}});
}

TEST_CASE("a path that is missing is an error that names the credential, unless there is a default", "[credentials]") {
    const TemporaryDirectory dir;
    SecretsPlan plan;
    load(plan, "token", dir.path("none"));
    const base::Error error = refused(plan);
    CHECK(error.errnum == ENOENT);
    CHECK(error.what.starts_with("LoadCredential=token: " + dir.path("none")));
    set(plan, "token", "default");
    CHECK(gathered(plan) == Pairs{{"token", "default"}});
}

TEST_CASE("patterns import by name, do not override, and rename", "[credentials]") {
    const TemporaryDirectory dir;
    std::filesystem::create_directories(dir.path("p/app.directory"));
    std::filesystem::create_directories(dir.path("q"));
    dir.write("p/app.one", "1");
    dir.write("q/app.one", "shadowed");
    dir.write("q/app.two", "2");
    dir.write("q/application", "other");
    SecretsPlan plan;
    plan.places = {dir.path("p"), dir.path("q")};
    edit(plan).import = {"app.*"};
    set(plan, "app.two", "lower than an import");
    CHECK(gathered(plan) == Pairs{{"app.one", "1"}, {"app.two", "2"}});
    edit(plan).set.clear();
    edit(plan).import = {"app.*:new.", "application:app", "none"};
    CHECK(gathered(plan) == Pairs{{"app", "other"}, {"new.one", "1"}, {"new.two", "2"}});
}

TEST_CASE("a directory becomes one credential a file; links count only below it, as Kubernetes mounts secrets", "[credentials]") {
    const TemporaryDirectory dir;
    std::filesystem::create_directories(dir.path("s/..2026"));
    std::filesystem::create_directories(dir.path("s/sub"));
    dir.write("outside", "not for the service");
    dir.write("s/plain", "p");
    dir.write("s/sub/deep", "d");
    dir.write("s/..2026/key", "k");
    std::filesystem::create_symlink("..2026", dir.path("s/..data"));
    std::filesystem::create_symlink("..data/key", dir.path("s/key"));
    std::filesystem::create_symlink("../outside", dir.path("s/stolen"));
    std::filesystem::create_symlink(dir.path("outside"), dir.path("s/stolen2"));
    SecretsPlan plan;
    load(plan, "db", dir.path("s"));
    CHECK(gathered(plan) == Pairs{{"db_key", "k"}, {"db_plain", "p"}, {"db_sub_deep", "d"}});
}

TEST_CASE("a socket is asked once and told who asks", "[credentials]") {
    const TemporaryDirectory dir;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    dir.path("socket").copy(address.sun_path, sizeof address.sun_path - 1);
    const sys::UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    std::string asker;
    std::thread server([&] {
        sockaddr_un peer{};
        socklen_t size = sizeof peer;
        const sys::UniqueFd fd(::accept(listener.get(), reinterpret_cast<sockaddr*>(&peer), &size));
        asker.assign(peer.sun_path, size - offsetof(sockaddr_un, sun_path));
        (void)!::write(fd.get(), "spoken", 6);
    });
    SecretsPlan plan;
    load(plan, "token", dir.path("socket"));
    const Pairs found = gathered(plan);
    server.join();
    CHECK(found == Pairs{{"token", "spoken"}});
    CHECK(asker.ends_with("/unit/web.service/token"));
    CHECK(asker.front() == '\0');
}

TEST_CASE("1 MB is the limit of all together, names included", "[credentials]") {
    const TemporaryDirectory dir;
    SecretsPlan plan;
    constexpr std::size_t limit = 1 << 20;
    load(plan, "big", dir.write("big", std::string(limit - 3 - 4, 'x')));
    set(plan, "last", "");
    CHECK(gathered(plan).size() == 2);
    edit(plan).set.front().source = "x";
    CHECK(refused(plan).errnum == E2BIG);
    edit(plan).set.clear();
    load(plan, "endless", "/dev/zero");
    CHECK(refused(plan).what.starts_with("LoadCredential=endless: more than 1 MB"));
}

TEST_CASE("the files are the user's alone, made once a start and removed with it only", "[credentials]") {
    const TemporaryDirectory dir;
    Plan plan = plan_below(dir, "cat $D/token; ls -A $D");
    const std::string source = dir.write("source", "one\n");
    load(plan.secrets, "token", source);
    CHECK(run(plan).output == "one\ntoken\n");
    const std::string place = dir.path("credentials/web.service");
    CHECK(mode_of(place) == 0500);
    CHECK(mode_of(place + "/token") == 0400);

    dir.write("source", "two\n");
    CHECK(run(plan).output == "one\ntoken\n"); // another command of the same start
    Plan next = plan_below(dir, "cat $D/token", 2);
    load(next.secrets, "token", source);
    CHECK(run(next).output == "two\n");

    REQUIRE(remove_credentials(dir.path("credentials"), "web.service", plan.invocation)); // late: of the start before
    CHECK(mode_of(place) == 0500);
    REQUIRE(remove_credentials(dir.path("credentials"), "web.service", next.invocation));
    CHECK_FALSE(std::filesystem::exists(place));
    CHECK(remove_credentials(dir.path("nowhere"), "web.service", next.invocation));
}

TEST_CASE("what cannot be had ends the start with 243 and leaves nothing", "[credentials]") {
    const TemporaryDirectory dir;
    Plan plan = plan_below(dir, "echo never");
    load(plan.secrets, "token", dir.path("none"));
    const Finished finished = run(plan);
    CHECK_FALSE(finished.started.ok);
    CHECK(finished.started.exit_status == 243);
    CHECK(finished.started.stage == Stage::Credentials);
    CHECK(finished.started.text.starts_with("LoadCredential=token: "));
    CHECK_FALSE(std::filesystem::exists(dir.path("credentials/web.service")));

    edit(plan.secrets).load.clear();
    set(plan.secrets, "x", "data");
    plan.secrets.root = "/proc/none";
    CHECK(run(plan).started.exit_status == 243);
}

TEST_CASE("the line of the credential that failed is named, not that of the last one", "[credentials]") {
    unit::UnitConfig config;
    config.files = {"/etc/a.service", "/etc/a.service.d/b.conf"};
    config.exec.edit().credentials.edit().load = {{"one", "/x", false, 0, 5}, {"two", "/y", false, 1, 2}};
    const auto line = [&](const char* detail) { return blamed_line(config, {}, Stage::Credentials, detail); };
    CHECK(line("LoadCredential=one: /x: No such file or directory") == " (/etc/a.service:5)");
    CHECK(line("LoadCredential=two: /y: No such file or directory") == " (/etc/a.service.d/b.conf:2)");
    CHECK(line("/run: No space left on device").empty());
}

TEST_CASE("places: given to us, the container's, the image's", "[credentials]") {
    CHECK(credential_places({"A=1"}) == std::vector<std::string>{"/run/secrets", "/etc/credstore", "/run/credstore", "/usr/lib/credstore"});
    CHECK(credential_places({"CREDENTIALS_DIRECTORY=/given"}).front() == "/given");
    CHECK(credential_places({"CREDENTIALS_DIRECTORY=relative"}).front() == "/run/secrets");
}

TEST_CASE("ConditionCredential= holds for what was passed to the container", "[credentials]") {
    const TemporaryDirectory dir;
    dir.write("token", "");
    const auto holds = [&](const char* name) {
        ConditionContext context;
        context.environment = {"CREDENTIALS_DIRECTORY=" + dir.path()};
        return evaluate(unit::Condition{.kind = unit::ConditionKind::Credential, .parameter = name}, context);
    };
    CHECK(holds("token"));
    CHECK_FALSE(holds("other"));
    CHECK_FALSE(holds("../token"));
    CHECK(needs_probe(unit::ConditionKind::Credential));
}
