// X-Watch= patterns: what matches, what is ignored, which directories may hold something.
#include "exec/source_patterns.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using exec::SourcePatterns;

namespace {

SourcePatterns made(std::vector<std::string> patterns, std::vector<std::string> ignored = {}) {
    unit::WatchSection section;
    section.patterns = std::move(patterns);
    section.ignored = std::move(ignored);
    return SourcePatterns(section);
}

} // namespace

TEST_CASE("a directory means all below it, a file itself") {
    const auto patterns = made({"/app/src", "/etc/app.conf"});
    CHECK(patterns.matches("/app/src/a.py"));
    CHECK(patterns.matches("/app/src/deep/er/b.py"));
    CHECK(patterns.matches("/app/src/.env"));
    CHECK(patterns.matches("/etc/app.conf"));
    CHECK_FALSE(patterns.matches("/app/srcs/a.py"));
    CHECK_FALSE(patterns.matches("/app/a.py"));
    CHECK_FALSE(patterns.matches("/etc/other.conf"));
    for (const char* const above : {"", "/app", "/app/src", "/app/src/deep", "/etc"})
        CHECK(patterns.may_match_below(above));
    CHECK_FALSE(patterns.may_match_below("/usr"));
}

TEST_CASE("wildcards, and any depth") {
    const auto patterns = made({"/app/**/*.py", "/app/conf/*.y[a]ml"});
    CHECK(patterns.matches("/app/a.py"));
    CHECK(patterns.matches("/app/x/y/a.py"));
    CHECK_FALSE(patterns.matches("/app/x/y/a.pyx"));
    CHECK(patterns.matches("/app/conf/a.yaml"));
    CHECK_FALSE(patterns.matches("/app/conf/deep/a.yaml"));
    const auto middle = made({"/app/**/src/**/*.ts"});
    CHECK(middle.matches("/app/src/a.ts"));
    CHECK(middle.matches("/app/x/src/y/z/a.ts"));
    CHECK_FALSE(middle.matches("/app/x/a.ts"));
    CHECK_FALSE(made({}).matches("/app/a.py"));
}

TEST_CASE("what tools ignore is ignored, unless it is named") {
    const auto patterns = made({"/app", "/home/.cache/site"}, {"dist", "*.gen.ts", "/app/data/**", "web/vendor"});
    for (const char* const path : {"/app/.git/HEAD", "/app/node_modules/x/i.js", "/app/x/__pycache__/a.pyc", "/app/a.py~", "/app/.a.py.swp", "/app/dist/x.js",
                                   "/app/x/a.gen.ts", "/app/data/db", "/app/x/web/vendor/y.js", "/app/4913", "/app/x.log"}) {
        INFO(path);
        CHECK_FALSE(patterns.matches(path));
    }
    CHECK(patterns.matches("/home/.cache/site/a"));
    CHECK(patterns.matches("/app/distance"));
    CHECK_FALSE(patterns.may_match_below("/app/node_modules"));
    CHECK_FALSE(patterns.may_match_below("/app/data"));
    unit::WatchSection bare;
    bare.patterns = {"/app"};
    bare.default_ignored = false;
    CHECK(SourcePatterns(bare).matches("/app/.git/HEAD"));
}

TEST_CASE("above the first wildcard only names are looked for") {
    const auto patterns = made({"/srv/app/src/*.py", "/srv/other"});
    std::vector<std::string> names;
    CHECK(patterns.only_names("", names));
    CHECK(names == std::vector<std::string>{"srv"});
    names.clear();
    CHECK(patterns.only_names("/srv", names));
    CHECK(names == std::vector<std::string>{"app", "other"});
    CHECK_FALSE(patterns.only_names("/srv/app/src", names));
}
