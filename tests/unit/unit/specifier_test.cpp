#include "unit/specifier.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::unit;

namespace {

Environment place() {
    Environment place;
    place.host_name = "box.example.org";
    place.machine_id = "0123456789abcdef0123456789abcdef";
    place.boot_id = "b007";
    place.kernel_release = "6.1";
    place.architecture = "x86-64";
    place.os_id = "debian";
    place.os_version_id = "12";
    return place;
}

std::string expand(std::string_view text, std::string_view name = "foo-bar@a-b\\x2dc.service") {
    auto result = expand_specifiers(place(), name, "/etc/systemd/system/foo-bar@.service", text);
    return result ? *result : "error: " + result.error().what;
}

} // namespace

TEST_CASE("specifiers that speak of the unit") {
    CHECK(expand("%n|%N") == "foo-bar@a-b\\x2dc.service|foo-bar@a-b\\x2dc");
    CHECK(expand("%p|%P|%j|%J") == "foo-bar|foo/bar|bar|bar");
    CHECK(expand("%i|%I|%f") == "a-b\\x2dc|a/b-c|/a/b-c");
    CHECK(expand("%i|%I|%f|%p|%N", "x-y.service") == "||/x/y|x-y|x-y");
    CHECK(expand("%y %Y") == "/etc/systemd/system/foo-bar@.service /etc/systemd/system");
    CHECK_FALSE(expand_specifiers(place(), "a.service", "", "%y"));
}

TEST_CASE("specifiers that speak of the place") {
    CHECK(expand("%H %l %q") == "box.example.org box box");
    CHECK(expand("%m %b %v %a") == "0123456789abcdef0123456789abcdef b007 6.1 x86-64");
    CHECK(expand("%o%w[%B%M%A%W]") == "debian12[]");
    CHECK(expand("%t %S %C %L %E %T %V") == "/run /var/lib /var/cache /var/log /etc /tmp /var/tmp");
    CHECK(expand("%u %U %g %G %h %s") == "root 0 root 0 /root /bin/sh");
    CHECK(expand("%d", "a.service") == "/run/credentials/a.service");
    Environment unknown = place();
    unknown.machine_id.clear();
    CHECK_FALSE(expand_specifiers(unknown, "a.service", "", "%m"));
}

TEST_CASE("percent signs") {
    CHECK(expand("100%%") == "100%");
    CHECK(expand("%%n") == "%n");
    CHECK(expand("50%. 3%-4 x%") == "50%. 3%-4 x%"); // only letters and digits can be specifiers
    CHECK(expand("").empty());
    CHECK(expand("a %z") == "error: unknown specifier %z; a percent sign itself is %%");
    CHECK(expand("%3").starts_with("error"));
}
