#include "unit/name.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::unit;
using namespace std::string_view_literals;

TEST_CASE("valid names") {
    for (const char* name : {"a.service", "-.slice", "-.mount", "foo@.service", "foo@bar.service", "foo@a@b.service",
                             "a\\x20b.service", "x.y.service", "a:b_c.timer", "..service"})
        CHECK(is_valid_name(name));
    for (const char* name : {"", "a", "a.", ".service", "@.service", "@x.service", "a.foo", "../../x.service", "a b.service",
                             "a/b.service", "a.service/", "a.service\n", "\xc3\xbc.service", "a.serviceX", "a.SERVICE"})
        CHECK_FALSE(is_valid_name(name));
    const std::string longest(255 - 8, 'a');
    CHECK(is_valid_name(longest + ".service"));
    CHECK_FALSE(is_valid_name(longest + "a.service"));
    CHECK_FALSE(is_valid_name(std::string_view("a\0b.service", 11)));
}

TEST_CASE("parts of a name") {
    CHECK(prefix_of("foo.service") == "foo");
    CHECK(prefix_of("foo@bar.service") == "foo");
    CHECK(prefix_of("foo@.service") == "foo");
    CHECK(prefix_of("x.y.service") == "x.y");
    CHECK(instance_of("foo@bar.service") == "bar");
    CHECK(instance_of("foo@a@b.c.service") == "a@b.c");
    CHECK(instance_of("foo@.service").empty());
    CHECK(instance_of("foo.service").empty());
    CHECK(is_template("foo@.service"));
    CHECK_FALSE(is_template("foo@x.service"));
    CHECK(is_instance("foo@x.service"));
    CHECK_FALSE(is_instance("foo.service"));
    CHECK(template_of("foo@x.service") == "foo@.service");
    CHECK(template_of("foo.service").empty());
    CHECK(with_instance("foo@.service", "a.b") == "foo@a.b.service");
    CHECK(short_name("code-server.service") == "code-server");
    CHECK(short_name("x.target") == "x.target");
    CHECK(type_of("a.automount") == UnitType::Automount);
    CHECK_FALSE(type_of("a.conf"));
    CHECK(suffix(UnitType::Slice) == "slice");
}

// Expected values: systemd-escape 252.
TEST_CASE("escaping a text") {
    CHECK(escape("foo bar") == "foo\\x20bar");
    CHECK(escape(".hid/x") == "\\x2ehid-x");
    CHECK(escape("a-b\\c") == "a\\x2db\\x5cc");
    CHECK(escape("/") == "-");
    CHECK(escape("\xc3\xbc") == "\\xc3\\xbc");
    CHECK(escape("x@y") == "x\\x40y");
    CHECK(escape("a:b_c.d") == "a:b_c.d");
    CHECK(*unescape("foo-bar") == "foo/bar");
    CHECK(*unescape("a\\x2db") == "a-b");
    for (const std::string_view bad : {"a\\x2"sv, "a\\xzz"sv, "\\"sv, "a\\n"sv, "\\x00"sv, "a\0b"sv})
        CHECK_FALSE(unescape(bad));
}

TEST_CASE("escaping a path") {
    CHECK(escape_path("/") == "-");
    CHECK(escape_path("//") == "-");
    CHECK(escape_path("/a//b/") == "a-b");
    CHECK(escape_path("/a/./b") == "a-b");
    CHECK(escape_path("/.hidden/x") == "\\x2ehidden-x");
    CHECK(escape_path("/dev/disk by") == "dev-disk\\x20by");
    CHECK(escape_path("/a/../b").empty());
    CHECK(*unescape_path("-") == "/");
    CHECK(*unescape_path("foo-bar") == "/foo/bar");
    CHECK(*unescape_path("a\\x2db") == "/a-b");
    for (const char* bad : {"", "-a", "a-", "a--b", "..", "a-..-b", ".", "a-."})
        CHECK_FALSE(unescape_path(bad));
}

TEST_CASE("what people type becomes a name") {
    CHECK(with_suffix("foo") == "foo.service");
    CHECK(with_suffix("foo.service") == "foo.service");
    CHECK(with_suffix("foo.bar") == "foo.bar.service");
    CHECK(with_suffix("foo.mount") == "foo.mount");
    CHECK(with_suffix("foo@") == "foo@.service");
    CHECK(with_suffix("/dev/sda") == "dev-sda.device");
    CHECK(with_suffix("/mnt/a b") == "mnt-a\\x20b.mount");
    CHECK(with_suffix("/") == "-.mount");
    CHECK(with_suffix("a b") == "a\\x20b.service");
    CHECK(with_suffix("foo", ".timer") == "foo.timer");
    CHECK(with_suffix("fo*") == "fo*");
    CHECK_FALSE(is_valid_name(with_suffix("../../x")) == false); // "..-..-x.service": harmless once mangled
    CHECK_FALSE(is_valid_name(with_suffix("@")));
    CHECK_FALSE(is_valid_name(with_suffix("")));
}
