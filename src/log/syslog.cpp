// Headers of syslog datagrams. Tested by tests/unit/log/syslog_test.cpp.

#include "log/syslog.hpp"

#include <algorithm>
#include <charconv>

namespace monoinit::log {
namespace {

constexpr std::size_t longest_tag = 128; ///< a longer word before a colon is text

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// "<13>": facility * 8 + severity.
void take_priority(std::string_view& rest, SyslogMessage& message) {
    unsigned value = 0;
    if (!rest.starts_with('<'))
        return;
    const auto [end, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), value);
    if (error != std::errc{} || end == rest.data() + rest.size() || *end != '>' || end - rest.data() > 4 || value > 191)
        return;
    message.priority = static_cast<std::uint8_t>(value & 7);
    message.facility = static_cast<std::uint8_t>(value >> 3);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()) + 1);
}

std::string_view take_word(std::string_view& rest) {
    const std::size_t size = std::min(rest.find(' '), rest.size());
    const std::string_view word = rest.substr(0, size);
    rest.remove_prefix(std::min(size + 1, rest.size()));
    return word;
}

/// "Nov 26 10:02:11 " or an ISO date: the time of arrival is better.
void skip_time(std::string_view& rest) {
    constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    constexpr std::string_view form = "Mmm dd hh:mm:ss ";
    const auto month = rest.size() >= form.size() ? months.find(rest.substr(0, 3)) : std::string_view::npos;
    if (month != std::string_view::npos && month % 3 == 0) {
        bool fits = true;
        for (std::size_t i = 3; i < form.size(); i++) {
            const bool sign = form[i] == ' ' || form[i] == ':';
            fits = fits && (sign ? rest[i] == form[i] : is_digit(rest[i]) || (i == 4 && rest[i] == ' '));
        }
        if (fits)
            rest.remove_prefix(form.size());
        return;
    }
    // 2026-11-26T10:02:11
    if (rest.size() > 20 && is_digit(rest[0]) && rest[4] == '-' && rest[7] == '-' && rest[10] == 'T' && rest[13] == ':')
        (void)take_word(rest);
}

std::uint32_t number_of(std::string_view digits) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc{} && end == digits.data() + digits.size() ? value : 0;
}

/// "sshd[123]: " or "cron: "; without a colon there is no tag.
void take_tag(std::string_view& rest, SyslogMessage& message) {
    const std::size_t colon = rest.substr(0, longest_tag).find(':');
    if (colon == std::string_view::npos || colon == 0)
        return;
    std::string_view tag = rest.substr(0, colon);
    if (tag.find_first_of(" \t\n") != std::string_view::npos || (colon + 1 < rest.size() && rest[colon + 1] != ' ' && rest[colon + 1] != '\n'))
        return;
    if (const std::size_t bracket = tag.find('['); bracket != std::string_view::npos && tag.ends_with(']')) {
        message.pid = number_of(tag.substr(bracket + 1, tag.size() - bracket - 2));
        tag = tag.substr(0, bracket);
    }
    message.identifier = tag;
    rest.remove_prefix(std::min(colon + 2, rest.size()));
}

/// The structured data of RFC 5424: "-", or elements in brackets in which a backslash quotes.
void skip_structured_data(std::string_view& rest) {
    if (rest.starts_with('-')) {
        rest.remove_prefix(std::min<std::size_t>(2, rest.size()));
        return;
    }
    bool inside = false, quoted = false;
    std::size_t i = 0;
    for (; i < rest.size(); i++) {
        const char c = rest[i];
        if (quoted && c == '\\')
            i++;
        else if (inside && c == '"')
            quoted = !quoted;
        else if (!quoted && c == '[')
            inside = true;
        else if (!quoted && c == ']')
            inside = false;
        else if (!inside && c == ' ')
            break;
    }
    rest.remove_prefix(std::min(i + 1, rest.size()));
}

std::string_view nil_is_empty(std::string_view word) { return word == "-" ? std::string_view() : word; }

/// Behind "<PRI>1 ": TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA [MSG].
void take_header_5424(std::string_view& rest, SyslogMessage& message) {
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    (void)take_word(rest);
    (void)take_word(rest);
    message.identifier = nil_is_empty(take_word(rest)).substr(0, longest_tag);
    message.pid = number_of(take_word(rest));
    (void)take_word(rest);
    skip_structured_data(rest);
    if (rest.starts_with(byte_order_mark))
        rest.remove_prefix(byte_order_mark.size());
}

} // namespace

SyslogMessage parse_syslog(std::string_view datagram) {
    SyslogMessage message;
    while (!datagram.empty() && (datagram.back() == '\n' || datagram.back() == '\r' || datagram.back() == '\0'))
        datagram.remove_suffix(1);
    take_priority(datagram, message);
    if (datagram.starts_with("1 ")) {
        datagram.remove_prefix(2);
        take_header_5424(datagram, message);
    } else {
        skip_time(datagram);
        take_tag(datagram, message);
    }
    message.text = datagram;
    return message;
}

} // namespace monoinit::log
