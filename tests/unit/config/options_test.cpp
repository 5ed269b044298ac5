// The table of settings: every row can be set in each of its three ways and is documented.
#include "config/options.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;

TEST_CASE("names follow from the key") {
    const config::Option* option = config::find_option("log_dir");
    REQUIRE(option != nullptr);
    CHECK(config::flag_of(*option) == "--log-dir");
    CHECK(config::environment_of(*option) == "MONOINIT_LOG_DIR");
    CHECK(config::find_option("nope") == nullptr);
}

TEST_CASE("every default can be read back, and every row is in help and reference") {
    for (const config::Option& option : config::options()) {
        CAPTURE(option.key);
        config::InitConfig config;
        const std::string dflt = option.show(config);
        if (!dflt.empty()) {
            CHECK(option.set(config, dflt).has_value());
            CHECK(option.show(config) == dflt);
        }
        CHECK(config::help_text().find(config::flag_of(option) + "=") != std::string::npos);
        CHECK(config::reference_text().find(config::environment_of(option)) != std::string::npos);
    }
}

TEST_CASE("sizes") {
    const config::Option* option = config::find_option("log_max");
    config::InitConfig config;
    CHECK(option->set(config, "10").has_value());
    CHECK(config.log_max == 10);
    CHECK(option->set(config, "2GB").has_value());
    CHECK(config.log_max == 2ULL << 30);
    CHECK_FALSE(option->set(config, "17179869184G").has_value());
    CHECK_FALSE(option->set(config, "-1").has_value());
    CHECK_FALSE(option->set(config, "1MM").has_value());
    CHECK_FALSE(option->set(config, "").has_value());
}
