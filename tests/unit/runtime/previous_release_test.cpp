// What a release of before has left of its units, in the middle of everything (tests/upgrade/world.py), is understood to the last
// byte: a field that got another number or another meaning would be missed by whoever upgrades.
// tests/data/records holds it, a line a unit: its name and its record. Written anew when tests/upgrade/previous names another release, by
//   MONOINIT_RECORDS=$PWD/tests/data/records tests/upgrade/run "" story_up
#include "engine/engine.hpp"
#include "runtime/checkpoint.hpp"
#include "unit/name.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <sstream>

using namespace monoinit;

namespace {

std::string to_hex(std::string_view bytes) {
    std::string text;
    for (const char c : bytes)
        for (const int shift : {4, 0})
            text += "0123456789abcdef"[static_cast<unsigned char>(c) >> shift & 15];
    return text;
}

std::string from_hex(std::string_view text) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        bytes += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
    return bytes;
}

/// As much of a unit file as its record needs.
engine::ConfigPtr config_of(const std::string& name) {
    auto config = std::make_shared<unit::UnitConfig>();
    config->name = name;
    config->names = {name};
    config->type = *unit::type_of(name);
    config->load_state = unit::LoadState::Loaded;
    if (name == "healthy.service") // whose check has a state
        config->health.edit().checks[0].exec.emplace_back();
    return config;
}

} // namespace

TEST_CASE("records of the previous release are understood to the last byte") {
    std::ifstream file(std::string(MONOINIT_SOURCE_DIR) + "/tests/data/records");
    std::vector<std::pair<std::string, std::string>> records;
    for (std::string name, text; file >> name >> text;)
        records.emplace_back(name, from_hex(text));
    REQUIRE(records.size() > 30);
    engine::Engine engine{engine::EngineOptions{}};
    std::vector<engine::ConfigPtr> configs;
    for (const auto& [name, bytes] : records)
        if (name != "-")
            configs.push_back(config_of(name));
    const base::Moment now{base::Instant{std::chrono::hours(24 * 365)}, std::chrono::hours(24 * 365 * 60)};
    engine.sync(configs, true, now);
    for (const auto& [name, bytes] : records) {
        INFO(name);
        const auto restored = name == "-" ? engine.restore_globals(bytes, now) : engine.restore(bytes, now);
        INFO((restored ? "" : base::to_string(restored.error())));
        REQUIRE(restored.has_value());
    }
    for (const auto& [name, bytes] : records) {
        INFO(name);
        CHECK(to_hex(name == "-" ? engine.save_globals() : engine.save(engine.find(name))) == to_hex(bytes));
    }
}

TEST_CASE("records of a checkpoint are written down", "[.records]") {
    const char* const from = std::getenv("MONOINIT_CHECKPOINT");
    const char* const to = std::getenv("MONOINIT_RECORDS");
    REQUIRE((from != nullptr && to != nullptr));
    const auto found = runtime::Checkpoint::adopt(sys::UniqueFd(::open(from, O_RDWR | O_CLOEXEC)));
    REQUIRE(found.has_value());
    std::map<std::uint32_t, std::string> names{{runtime::engine_record, "-"}};
    const runtime::Records records = found->read_all();
    for (const auto& [key, bytes] : records) {
        std::istringstream lines(key == runtime::runtime_record ? bytes : "");
        for (std::string line; std::getline(lines, line);) {
            std::istringstream words(line);
            std::string word, name;
            std::uint32_t id = 0;
            if (words >> word >> id >> name && word == "unit")
                names[id] = name;
        }
    }
    std::ofstream out(to); // without the machine's own mounts
    for (const auto& [key, bytes] : records)
        if (const auto name = names.find(key); name != names.end() && !bytes.empty() && (!name->second.ends_with(".mount") || name->second == "run-volume.mount"))
            out << name->second << ' ' << to_hex(bytes) << '\n';
    CHECK(out.good());
}
