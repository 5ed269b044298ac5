// Tested by tests/unit/base/time_text_test.cpp.
#include "base/time_text.hpp"

#include <cstdlib>

namespace monoinit::base {

namespace {

constexpr std::string_view weekdays = "MonTueWedThuFriSatSun", months = "JanFebMarAprMayJunJulAugSepOctNovDec";

void append_number(std::string& out, std::int64_t value, std::size_t width, char fill = '0') {
    const std::string digits = std::to_string(value);
    out.append(digits.size() < width ? width - digits.size() : 0, fill).append(digits);
}

void append_offset(std::string& out, std::int32_t seconds) {
    out += seconds < 0 ? '-' : '+';
    append_number(out, std::abs(seconds) / 3600, 2);
    append_number(out, std::abs(seconds) / 60 % 60, 2);
}

} // namespace

std::string time_text(const TimeZone& zone, Duration wall, std::string_view form) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(wall).count();
    const Civil civil = zone.local(seconds);
    std::string out;
    for (std::size_t i = 0; i < form.size(); i++) {
        if (form[i] != '%' || i + 1 == form.size()) {
            out += form[i];
            continue;
        }
        switch (form[++i]) {
        case 'Y': append_number(out, civil.year, 4); break;
        case 'm': append_number(out, civil.month, 2); break;
        case 'd': append_number(out, civil.day, 2); break;
        case 'e': append_number(out, civil.day, 2, ' '); break;
        case 'H': append_number(out, civil.hour, 2); break;
        case 'M': append_number(out, civil.minute, 2); break;
        case 'S': append_number(out, civil.second, 2); break;
        case 'a': out += weekdays.substr(3 * static_cast<std::size_t>(weekday(civil)), 3); break;
        case 'b': out += months.substr(3 * static_cast<std::size_t>(civil.month - 1), 3); break;
        case 'Z': out += zone.at(seconds).abbreviation; break;
        case 'z': append_offset(out, zone.at(seconds).offset); break;
        case '%': out += '%'; break;
        default: (out += '%') += form[i];
        }
    }
    return out;
}

} // namespace monoinit::base
