// Where a unit's variables and credentials come from, in words.
#include "exec/explain_environment.hpp"
#include "harness.hpp"
#include "unit/directives.hpp"
#include "unit/parse.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::exec;
using namespace monoinit::exec::test;

namespace {

struct Asked {
    TemporaryDirectory dir;
    unit::UnitConfig config;
    ManagerContext manager;

    std::vector<Explained> explain(const std::string& text) {
        config = {};
        config.name = "web.service";
        config.type = unit::UnitType::Service;
        config.files = {dir.write("web.service", text)};
        unit::parse_unit_text(unit::Environment{}, config, text);
        CommandContext context;
        context.explain = true;
        return explain_environment(config, build_plan(config, {}, manager, context));
    }
    std::string at(int line) const { return " (" + dir.path("web.service") + ":" + std::to_string(line) + ")"; }
};

std::string line_of(const std::vector<Explained>& entries, const std::string& name) {
    std::string text;
    for (const Explained& each : entries)
        if (each.name == name)
            text += (text.empty() ? "" : " | ") + each.kind + " " + each.value + " <- " + each.source;
    return text;
}

} // namespace

TEST_CASE("each variable has one source: the last that set it", "[explain]") {
    Asked asked;
    asked.manager.environment = {"TZ=Asia/Tokyo", "A=container", "PATH=/bin"};
    asked.manager.accounts.user = [](std::string_view) { return Account{.uid = ::geteuid(), .name = "dev", .home = "/home/dev"}; };
    asked.manager.uid = ::geteuid();
    asked.manager.credentials_root = "/run/x";
    const std::string file = asked.dir.write("env", "C=file\nD='two words'\n");
    const auto entries = asked.explain("[Service]\nUser=dev\nEnvironment=A=1 B=2 C=3\nEnvironment=\\\n  \"B=new er\" GONE=x\nEnvironmentFile=" + file +
                                       "\nEnvironmentFile=-/nowhere\nEnvironmentFile=/missing\nUnsetEnvironment=GONE\nPassEnvironment=TZ\nStateDirectory=s\nSetCredential=t:hunter2\n");
    CHECK(line_of(entries, "PATH") == "variable /bin <- container");
    CHECK(line_of(entries, "TZ") == "variable Asia/Tokyo <- PassEnvironment=" + asked.at(10));
    CHECK(line_of(entries, "HOME") == "variable /home/dev <- User=" + asked.at(2));
    CHECK(line_of(entries, "A") == "variable 1 <- Environment=" + asked.at(3));
    CHECK(line_of(entries, "B") == "variable new er <- Environment=" + asked.at(4));
    CHECK(line_of(entries, "C") == "variable file <- EnvironmentFile=" + file + asked.at(6));
    CHECK(line_of(entries, "D") == "variable two words <- EnvironmentFile=" + file + asked.at(6));
    CHECK(line_of(entries, "GONE") == "removed  <- UnsetEnvironment=" + asked.at(9));
    CHECK(line_of(entries, "STATE_DIRECTORY").ends_with("<- StateDirectory=" + asked.at(11)));
    CHECK(line_of(entries, "INVOCATION_ID").ends_with("<- monoinit"));
    CHECK(line_of(entries, "CREDENTIALS_DIRECTORY") == "variable /run/x/web.service <- credentials");
    CHECK(line_of(entries, "/nowhere").ends_with("No such file or directory, which is allowed" + asked.at(7)));
    CHECK(line_of(entries, "/missing").ends_with(": the unit will not start" + asked.at(8)));
    CHECK(line_of(entries, "t") == "credential  <- SetCredential=" + asked.at(12));
    for (const Explained& each : entries)
        CHECK((each.value + each.source).find("hunter2") == std::string::npos);
}

TEST_CASE("credentials are named with the place they come from, and not read", "[explain]") {
    Asked asked;
    std::filesystem::create_directories(asked.dir.path("given"));
    asked.dir.write("given/db", "hunter2");
    asked.dir.write("given/app.x", "hunter2");
    REQUIRE(::mkfifo(asked.dir.path("fifo").c_str(), 0600) == 0); // opening it would hang
    asked.manager.environment = {"CREDENTIALS_DIRECTORY=" + asked.dir.path("given")};
    const auto entries = asked.explain("[Service]\nLoadCredential=db\nLoadCredential=f:" + asked.dir.path("fifo") +
                                       "\nLoadCredential=none\nLoadCredential=lost:/lost\nLoadCredential=own:/lost\nSetCredential=own:x\nImportCredential=app.*:new.\n");
    CHECK(line_of(entries, "db") == "credential  <- LoadCredential=" + asked.at(2) + " from " + asked.dir.path("given/db"));
    CHECK(line_of(entries, "f") == "credential  <- LoadCredential=" + asked.at(3) + " from " + asked.dir.path("fifo"));
    CHECK(line_of(entries, "none").find(" from nowhere (looked in ") != std::string::npos);
    CHECK(line_of(entries, "lost").ends_with("from /lost, which does not exist: the unit will not start"));
    CHECK(line_of(entries, "own") == "credential  <- SetCredential=" + asked.at(7));
    CHECK(line_of(entries, "new.x") == "credential  <- ImportCredential= from " + asked.dir.path("given/app.x"));
}

TEST_CASE("an answer that was cut short is none", "[explain]") {
    CHECK_FALSE(explained_answer(""));
    CHECK_FALSE(explained_answer(std::string("variable\0A\0", 11)));
    const auto entries = explained_answer(std::string("variable\0A\0b\nc\0here\0\n", 21));
    REQUIRE(entries);
    REQUIRE(entries->size() == 1);
    CHECK(entries->front().value == "b\nc");
}
