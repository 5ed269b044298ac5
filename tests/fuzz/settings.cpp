// Bytes as monoinit.toml, as an init script with an LSB header, and as a time zone file. The first byte chooses.
#include "base/time_zone.hpp"
#include "config/config.hpp"
#include "unit/init_scripts.hpp"
#include "../unit/memory_files.hpp"
#include "require.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

using namespace monoinit;

namespace {

void toml(const std::string& text) {
    MemoryFiles files;
    files.file(std::string(config::default_config_path), text);
    const config::Loaded loaded = config::load(files, {}, {});
    for (const config::Problem& problem : loaded.problems)
        for (const char c : problem.text)
            require(c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7f)); // what base::printable() lets through
}

void zone(const std::string& text) {
    const auto parsed = base::TimeZone::from_tzif(text);
    if (!parsed)
        return;
    for (const std::int64_t at : {-2'000'000'000LL, 0LL, 1'774'000'000LL, 4'000'000'000LL}) {
        base::Civil civil = parsed->local(at);
        std::int32_t offset = 0;
        std::int64_t seconds = 0;
        (void)parsed->resolve(civil, offset, seconds);
        if (const auto change = parsed->next_change(at))
            require(*change > at);
    }
}

/// A line begins a new file's name: "@NAME"; what follows is that script.
void init_script(const std::string& text) {
    MemoryFiles files;
    std::size_t at = 0, number = 0;
    while (at <= text.size() && number < 4) {
        const std::size_t end = std::min(text.find("\n@", at), text.size());
        files.file("/etc/init.d/s" + std::to_string(number), text.substr(at, end - at));
        files.link("/etc/rc2.d/S0" + std::to_string(number) + "s" + std::to_string(number), "../init.d/s" + std::to_string(number));
        number++;
        at = end + 2;
    }
    const auto is_taken = [](const std::string&) { return false; };
    const auto is_executable = [](const std::string&) { return true; };
    for (const unit::GeneratedFile& file : unit::units_of_init_scripts(files, {}, is_taken, is_executable)) {
        require(!file.path.starts_with('/') && ("/" + file.path + "/").find("/../") == std::string::npos && file.path.find('\0') == std::string::npos);
        require(std::count(file.path.begin(), file.path.end(), '/') <= 1);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
    constexpr void (*kinds[])(const std::string&) = {toml, zone, init_script};
    kinds[data[0] % std::size(kinds)](text);
    return 0;
}
