// Bytes as what strangers send: sd_notify(3), syslog, the journal's native protocol, the control socket, a message bus. The first
// byte chooses.
// What must hold: nothing is read beyond the message, and what is kept of it is bounded.
#include "control/bus_message.hpp"
#include "control/codec.hpp"
#include "control/json_reader.hpp"
#include "log/journal_entry.hpp"
#include "log/syslog.hpp"
#include "supervise/notify.hpp"
#include "require.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

using namespace monoinit;

namespace {

bool within(std::string_view part, std::string_view whole) {
    return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void notify(std::string_view text) {
    const auto message = supervise::parse_notify(text);
    if (message && message->status)
        require(message->status->size() <= supervise::notify_status_max + std::string_view("…").size() && message->status->find('\n') == std::string::npos);
}

void syslog(std::string_view text) {
    const log::SyslogMessage message = log::parse_syslog(text);
    require(within(message.identifier, text) && within(message.text, text) && message.priority <= 7 && message.facility <= 127);
}

void journal(std::string_view text) {
    std::string_view rest = text;
    std::size_t entries = 0;
    while (const auto entry = log::take_journal_entry(rest)) {
        require(within(entry->identifier, text) && (!entry->message || within(*entry->message, text)) && entry->priority <= 7);
        require(++entries <= text.size());
    }
}

void control_call(std::string_view text) {
    const control::Limits limits;
    if (!control::within_limits(text, limits))
        return;
    (void)control::JsonText::parse(std::string(text));
    const auto decoded = control::decode_call(text, limits);
    if (const auto* call = std::get_if<control::Call>(&decoded))
        if (const auto* request = std::get_if<control::Request>(&call->request)) {
            // What was understood can be asked again in our own words.
            const auto again = control::decode_call(control::encode_call(*request, call->more), limits);
            require(std::holds_alternative<control::Call>(again));
            (void)control::decode_reply(*request, text);
        }
}

void bus(std::string_view text) {
    if (text.size() < control::bus_header_size)
        return;
    const auto size = control::bus_message_size(text);
    const auto message = control::decode_bus_message(text);
    if (!message)
        return;
    require(size && *size == text.size() && message->body.size() <= text.size());
    (void)message->boolean();
    for (const std::string& argument : message->strings())
        require(argument.size() <= message->body.size());
    if (message->kind == control::BusMessage::Kind::Call)
        require(control::decode_bus_message(control::encode_unknown_method(1, *message)).has_value());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    // A copy of its own, so that a sanitizer sees each byte beyond it.
    const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
    constexpr void (*kinds[])(std::string_view) = {notify, syslog, journal, control_call, bus};
    kinds[data[0] % std::size(kinds)](text);
    return 0;
}
