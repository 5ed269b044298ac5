// Parser of notify messages: one row per variable. Tested by tests/unit/supervise/notify_test.cpp.

#include "supervise/notify.hpp"

#include "base/strings.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace monoinit::supervise {

namespace {

/// False: the value means nothing.
using Apply = bool (*)(NotifyMessage&, std::string_view value);

template <class Number>
std::optional<Number> number(std::string_view text,
                             Number most = std::numeric_limits<Number>::max()) {
    Number value{};
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (text.empty() || error != std::errc{} || stop != end || value < 0 || value > most)
        return std::nullopt;
    return value;
}

/// Spans beyond a century are as good as none, and would overflow sums.
std::optional<base::Duration> microseconds(std::string_view text) {
    const auto value = number<std::uint64_t>(text);
    if (!value)
        return std::nullopt;
    constexpr base::Duration century = std::chrono::hours(24 * 36525);
    const bool endless = *value > static_cast<std::uint64_t>(century.count());
    return endless ? base::infinity : base::Duration(static_cast<base::Duration::rep>(*value));
}

template <bool NotifyMessage::*Member>
bool flag(NotifyMessage& message, std::string_view value) {
    return (message.*Member = value == "1");
}

template <std::optional<int> NotifyMessage::*Member>
bool integer(NotifyMessage& message, std::string_view value) {
    return (message.*Member = number<int>(value)).has_value();
}

template <std::optional<base::Duration> NotifyMessage::*Member>
bool span(NotifyMessage& message, std::string_view value) {
    return (message.*Member = microseconds(value)).has_value();
}

bool set_status(NotifyMessage& message, std::string_view value) {
    if (!base::is_valid_utf8(value))
        return false;
    message.status = base::printable(value, notify_status_max);
    return true;
}

bool set_main_pid(NotifyMessage& message, std::string_view value) {
    const auto pid = number<int>(value);
    if (!pid || *pid <= 1) // never PID 1
        return false;
    message.main_pid = pid;
    return true;
}

bool set_watchdog(NotifyMessage& message, std::string_view value) {
    if (value == "1")
        message.watchdog = NotifyMessage::Watchdog::Ping;
    else if (value == "trigger")
        message.watchdog = NotifyMessage::Watchdog::Trigger;
    return message.watchdog != NotifyMessage::Watchdog::None;
}

bool set_fd_name(NotifyMessage& message, std::string_view value) {
    const bool fine =
        !value.empty() && value.size() <= 255 &&
        std::ranges::all_of(value, [](char c) { return c > ' ' - 1 && c < 127 && c != ':'; });
    if (fine)
        message.fd_name = value;
    return message.fd_named = fine;
}

bool set_fd_poll(NotifyMessage& message, std::string_view value) {
    message.fd_poll = value != "0";
    return value == "0";
}

struct Variable {
    std::string_view name;
    Apply apply;
};

// clang-format off
constexpr auto variables = std::to_array<Variable>({
    {"READY",               flag<&NotifyMessage::ready>},
    {"RELOADING",           flag<&NotifyMessage::reloading>},
    {"STOPPING",            flag<&NotifyMessage::stopping>},
    {"STATUS",              set_status},
    {"ERRNO",               integer<&NotifyMessage::errnum>},
    {"MAINPID",             set_main_pid},
    {"WATCHDOG",            set_watchdog},
    {"WATCHDOG_USEC",       span<&NotifyMessage::watchdog_usec>},
    {"EXTEND_TIMEOUT_USEC", span<&NotifyMessage::extend_timeout_usec>},
    {"MONOTONIC_USEC",      span<&NotifyMessage::monotonic_usec>},
    {"FDSTORE",             flag<&NotifyMessage::fd_store>},
    {"FDSTOREREMOVE",       flag<&NotifyMessage::fd_store_remove>},
    {"FDNAME",              set_fd_name},
    {"FDPOLL",              set_fd_poll},
    {"BARRIER",             flag<&NotifyMessage::barrier>},
});
// clang-format on

} // namespace

std::optional<NotifyMessage> parse_notify(std::string_view text) {
    while (!text.empty() && text.back() == '\0')
        text.remove_suffix(1);
    if (text.size() > notify_message_max || text.find('\0') != std::string_view::npos)
        return std::nullopt;
    NotifyMessage message;
    std::array<bool, variables.size()> seen{};
    for (const std::string_view line : base::split(text, '\n')) {
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos)
            continue;
        const auto row = std::ranges::find(variables, line.substr(0, equals), &Variable::name);
        if (row == variables.end())
            continue;
        const auto index = static_cast<std::size_t>(row - variables.begin());
        if (std::exchange(seen[index], true))
            continue;
        if (!row->apply(message, line.substr(equals + 1)))
            message.malformed++;
    }
    if (message.barrier) {
        message = NotifyMessage{};
        message.barrier = true;
    }
    if (message.fd_name.empty())
        message.fd_name = "stored";
    return message;
}

} // namespace monoinit::supervise
