#include "unit/values.hpp"

#include <catch2/catch.hpp>
#include <sys/resource.h>

using namespace monoinit::unit;

TEST_CASE("booleans") {
    for (const auto* yes : {"1", "yes", "YES", "y", "true", "T", "on"})
        CHECK(*parse_bool(yes));
    for (const auto* no : {"0", "no", "N", "false", "f", "Off"})
        CHECK_FALSE(*parse_bool(no));
    for (const auto* bad : {"", "2", "yess", "ye", " yes"})
        CHECK_FALSE(parse_bool(bad).has_value());
}

TEST_CASE("integers") {
    CHECK(*parse_integer("-20", -20, 19) == -20);
    CHECK(*parse_integer("+5", -20, 19) == 5);
    CHECK(*parse_integer("0x10", 0, 100) == 16);
    for (const auto* bad : {"", "20", "-21", "5x", "--5", "0x", "9999999999999999999999"})
        CHECK_FALSE(parse_integer(bad, -20, 19).has_value());
}

TEST_CASE("sizes") {
    CHECK(*parse_size("0") == 0);
    CHECK(*parse_size("4096") == 4096);
    CHECK(*parse_size("4K") == 4096);
    CHECK(*parse_size("1.5G") == 1536ULL << 20);
    CHECK(*parse_size("1G 512M") == 1536ULL << 20);
    CHECK(*parse_size("1G512M1B") == (1536ULL << 20) + 1);
    CHECK(*parse_size("15E") == 15ULL << 60);
    for (const auto* bad : {"", "K", "1k", "1KB2", "-1", "16E", "512M 1G", "1.", "1X", "99999999999999999999"}) {
        INFO(bad);
        CHECK_FALSE(parse_size(bad).has_value());
    }
}

TEST_CASE("modes") {
    CHECK(*parse_mode("0755", 07777) == 0755);
    CHECK(*parse_mode("22", 0777) == 022);
    CHECK(format_mode(01755) == "1755");
    for (const auto* bad : {"", "8", "10000", "u=rwx", "-1"})
        CHECK_FALSE(parse_mode(bad, 07777).has_value());
    CHECK_FALSE(parse_mode("1777", 0777).has_value());
}

TEST_CASE("values of Limit…=") {
    const auto shown = [](int resource, std::string_view text) {
        const auto limit = parse_limit(resource, text);
        return limit ? format_limit(*limit) : "refused";
    };
    CHECK(shown(RLIMIT_NOFILE, "1024") == "1024");
    CHECK(shown(RLIMIT_NOFILE, "1024:524288") == "1024:524288");
    CHECK(shown(RLIMIT_NOFILE, "1024:infinity") == "1024:infinity");
    CHECK(shown(RLIMIT_NOFILE, "infinity") == "infinity");
    CHECK(shown(RLIMIT_NOFILE, "2:1") == "refused");
    CHECK(shown(RLIMIT_NOFILE, "1K") == "refused"); // a number of things, no size
    CHECK(shown(RLIMIT_AS, "4K:1M") == "4096:1048576");
    CHECK(shown(RLIMIT_CPU, "1min") == "60");
    CHECK(shown(RLIMIT_CPU, "1500ms") == "2"); // rounded up
    CHECK(shown(RLIMIT_CPU, "5") == "5");
    CHECK(shown(RLIMIT_RTTIME, "5") == "5");
    CHECK(shown(RLIMIT_RTTIME, "5ms") == "5000");
    CHECK(shown(RLIMIT_NICE, "+5") == "15");
    CHECK(shown(RLIMIT_NICE, "-5") == "25");
    CHECK(shown(RLIMIT_NICE, "30") == "30");
    CHECK(shown(RLIMIT_NICE, "41") == "refused");
    CHECK(shown(RLIMIT_NICE, "+20") == "refused");
    CHECK(shown(RLIMIT_NOFILE, "") == "refused");
    CHECK(shown(RLIMIT_NOFILE, ":") == "refused");
}

TEST_CASE("exit statuses") {
    ExitStatusSet set;
    for (const auto* word : {"0", "143", "TEMPFAIL", "SIGKILL", "USR1", "75"})
        REQUIRE(add_exit_status(set, word));
    CHECK(format_exit_statuses(set) == "0 143 75 SIGKILL SIGUSR1");
    for (const auto* bad : {"", "256", "-1", "NOPE", "1x"})
        CHECK_FALSE(add_exit_status(set, bad));
}

TEST_CASE("capabilities") {
    CHECK(capability_from_name("CAP_CHOWN") == 0);
    CHECK(capability_from_name("cap_checkpoint_restore") == 40);
    CHECK(capability_from_name("21") == 21);
    CHECK_FALSE(capability_from_name("CHOWN"));
    CHECK_FALSE(capability_from_name("64"));
    CHECK(format_capabilities(0b100001) == "cap_chown cap_kill");
}

TEST_CASE("CPU lists") {
    CHECK(format_cpu_list(*parse_cpu_list("0-2,5 7,1")) == "0-2 5 7");
    CHECK(format_cpu_list({}).empty());
    for (const auto* bad : {"a", "0-", "-1", "0-99999999", "9000"})
        CHECK_FALSE(parse_cpu_list(bad).has_value());
}

TEST_CASE("Base64") {
    for (const std::string bytes : {"", "a", "ab", "abc", "hello\n", "\xff\xfe\xfd"})
        CHECK(*decode_base64(encode_base64(bytes)) == bytes);
    CHECK(encode_base64("hello\n") == "aGVsbG8K");
    CHECK(*decode_base64("aGVs bG8K") == "hello\n");
    for (const auto* bad : {"a", "ab=c", "a===", "!!!!"})
        CHECK_FALSE(decode_base64(bad).has_value());
}

TEST_CASE("paths") {
    CHECK(simplify_path("//a/./b//c/") == "/a/b/c");
    CHECK(simplify_path("/") == "/");
    CHECK(simplify_path("a/b/") == "a/b");
    CHECK(has_parent_part("/a/../b"));
    CHECK_FALSE(has_parent_part("/a/..b"));
}

TEST_CASE("names of variables and accounts") {
    CHECK(is_variable_name("_A1"));
    CHECK_FALSE(is_variable_name("1A"));
    CHECK_FALSE(is_variable_name(""));
    CHECK(is_assignment("A="));
    CHECK(is_assignment("A=x=y\n\t"));
    CHECK_FALSE(is_assignment("A=\x01"));
    CHECK_FALSE(is_assignment("=x"));
    CHECK(is_account_name("www-data"));
    CHECK(is_account_name("1000"));
    CHECK(is_account_name("_apt"));
    CHECK(is_account_name("1a")); // systemd's relaxed rule: directories from elsewhere have odd names
    CHECK(is_account_name("a b"));
    CHECK_FALSE(is_account_name(" a"));
    CHECK_FALSE(is_account_name("4294967295"));
    CHECK_FALSE(is_account_name("65535"));
    CHECK_FALSE(is_account_name("-1"));
    CHECK_FALSE(is_account_name("-"));
    CHECK_FALSE(is_account_name("a:b"));
    CHECK_FALSE(is_account_name(""));
}
