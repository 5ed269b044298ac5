// Bytes as what people write in one value: the first byte chooses the grammar. What must hold: what is accepted can be
// written down again and means the same; moments ascend.
#include "base/calendar.hpp"
#include "base/strings.hpp"
#include "base/timestamp.hpp"
#include "unit/command_line.hpp"
#include "unit/name.hpp"
#include "unit/source.hpp"
#include "unit/specifier.hpp"
#include "unit/values.hpp"
#include "require.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

using namespace monoinit;

namespace {

void calendar(std::string_view text) {
    base::TimeZones zones(nullptr, "CET-1CEST,M3.5.0,M10.5.0/3");
    const auto parsed = base::Calendar::parse(text, zones);
    if (!parsed)
        return;
    const std::string written = parsed->normalized();
    const auto again = base::Calendar::parse(written, zones);
    require(again && again->normalized() == written);
    base::Duration at = std::chrono::seconds(1'774'000'000);
    for (int i = 0; i < 3; i++) {
        const auto next = parsed->next(at, *zones.local());
        if (!next)
            return;
        require(*next > at && again->next(at, *zones.local()) == next);
        at = *next;
    }
}

void span(std::string_view text) {
    const auto parsed = base::parse_time_span(text);
    if (parsed && *parsed != base::infinity)
        require(parsed->count() >= 0);
}

void moment(std::string_view text) {
    base::TimeZones zones(nullptr, "");
    (void)base::parse_timestamp(text, std::chrono::seconds(1'774'000'000), zones);
}

void name(std::string_view text) {
    if (unit::is_valid_name(text))
        require(text.size() <= unit::name_limit && text.find('/') == std::string_view::npos);
    if (const auto plain = unit::unescape(text))
        if (const auto again = unit::unescape(unit::escape(*plain)); !plain->empty())
            require(again && *again == *plain);
    if (const auto path = unit::unescape_path(text))
        require(path->starts_with('/'));
}

void values(std::string_view text) {
    (void)unit::parse_integer(text, -1000, 1000);
    (void)unit::parse_size(text);
    (void)unit::parse_mode(text, 07777);
    (void)unit::parse_cpu_list(text);
    (void)unit::decode_base64(text);
    (void)unit::capability_from_name(text);
    (void)base::glob_match(text.substr(0, text.size() / 2), text.substr(text.size() / 2));
    static const unit::Environment environment;
    (void)unit::expand_specifiers(environment, "fuzz@i.service", "/etc/systemd/system/fuzz@.service", text);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    constexpr void (*grammars[])(std::string_view) = {calendar, span, moment, name, values};
    grammars[data[0] % std::size(grammars)](text);
    return 0;
}
