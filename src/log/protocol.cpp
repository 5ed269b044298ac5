// Encoding and decoding of the PID 1 <-> logger protocol. Both ends are ours, yet what arrives is checked: the other end
// may be of another version, and neither may be brought down by it.
// Tested by tests/unit/log/protocol_test.cpp.

#include "log/protocol.hpp"

#include "log/wire.hpp"

#include <algorithm>

namespace monoinit::log {
namespace {

/// Wire numbers: never reused, never renumbered.
enum class Type : std::uint16_t {
    Configure = 1, AddStream = 2, EofAck = 3, Message = 4, Mute = 5, Shutdown = 6, Drain = 7, Sync = 8,
    Ready = 64, Ack = 65, Refused = 66, StreamEof = 67, Output = 68, Configured = 69, Drained = 70, Adopt = 71,
};

struct Header {
    std::uint16_t type = 0;
    std::uint16_t version = protocol_version;
    std::uint32_t length = 0; ///< of the payload
};
static_assert(sizeof(Header) == 8);

constexpr std::uint32_t most_targets = 32;

template <class E> E checked(std::uint8_t value, E last, E fallback) {
    return value <= static_cast<std::uint8_t>(last) ? static_cast<E>(value) : fallback;
}

template <class E> std::uint8_t raw(E value) { return static_cast<std::uint8_t>(value); }

std::string_view cut(std::string_view text, std::size_t limit) { return text.substr(0, limit); }

void pack(Packer& out, const StreamInfo& info) {
    out.text(cut(info.unit, max_name)).text(cut(info.identifier, max_name)).number(info.default_priority);
    out.flag(info.level_prefix).number(info.level_max).number(raw(info.kind));
    out.flag(info.to_console).flag(info.to_store);
    out.number(info.facility).number(info.rate_burst).number(info.rate_interval_us).text(cut(info.extra_fields, max_extra_fields));
    out.text(cut(info.filter_patterns, max_filter_patterns));
    out.number(info.stdout_level).flag(info.waits).number(info.pid).number(info.uid);
}

StreamInfo unpack_stream_info(Unpacker& in) {
    StreamInfo info;
    info.unit = cut(in.text(), max_name);
    info.identifier = cut(in.text(), max_name);
    info.default_priority = std::min<std::uint8_t>(in.number<std::uint8_t>(), 7);
    info.level_prefix = in.flag();
    info.level_max = std::min<std::uint8_t>(in.number<std::uint8_t>(), 7);
    info.kind = checked(in.number<std::uint8_t>(), StreamKind::Connection, StreamKind::Both);
    info.to_console = in.flag();
    info.to_store = in.flag();
    if (!in.more())
        return info; // of a version before these
    info.facility = std::min<std::uint8_t>(in.number<std::uint8_t>(), 23);
    info.rate_burst = in.number<std::uint32_t>();
    info.rate_interval_us = in.number<std::uint64_t>();
    info.extra_fields = cut(in.text(), max_extra_fields);
    if (in.more())
        info.filter_patterns = cut(in.text(), max_filter_patterns);
    if (!in.more())
        return info;
    info.stdout_level = std::min<std::uint8_t>(in.number<std::uint8_t>(), 7);
    info.waits = in.flag();
    info.pid = in.number<std::uint32_t>();
    info.uid = in.number<std::uint32_t>();
    return info;
}

Config unpack_config(Unpacker& in) {
    Config config;
    config.sequence = in.number<std::uint32_t>();
    config.format = checked(in.number<std::uint8_t>(), Format::Export, Format::Short);
    config.color = checked(in.number<std::uint8_t>(), ColorMode::Always, ColorMode::Auto);
    config.console = checked(in.number<std::uint8_t>(), Console::Nowhere, Console::Output);
    config.command_has_terminal = in.flag();
    if (!in.more())
        return config; // of a version before the store
    StoreLimits& limits = config.store.limits;
    config.store.directory = in.text();
    for (std::uint64_t* number : {&limits.max_use, &limits.keep_free, &limits.max_file, &limits.max_files})
        *number = in.number<std::uint64_t>();
    limits.max_age = base::Duration(in.number<std::int64_t>());
    limits.max_file_age = base::Duration(in.number<std::int64_t>());
    limits.compress = in.flag();
    for (std::uint32_t targets = std::min(in.number<std::uint32_t>(), most_targets); targets > 0 && !in.failed(); targets--)
        config.forward.emplace_back(in.text());
    if (!in.more())
        return config;
    config.time = checked(in.number<std::uint8_t>(), TimeForm::Monotonic, TimeForm::None);
    config.line_max = std::clamp<std::uint32_t>(in.number<std::uint32_t>(), 1, largest_line);
    config.errors_apart = in.flag();
    config.stdout_level = std::min<std::uint8_t>(in.number<std::uint8_t>(), 7);
    config.to_stdout = in.flag();
    config.waits = in.flag();
    config.rate_burst = in.number<std::uint32_t>();
    config.rate_interval_us = in.number<std::uint64_t>();
    return config;
}

/// One overload a message: its wire number and its payload.
struct Encoder {
    Packer out;

    Type operator()(const to_logger::Configure& m) {
        out.number(m.config.sequence).number(raw(m.config.format)).number(raw(m.config.color));
        out.number(raw(m.config.console)).flag(m.config.command_has_terminal);
        const StoreLimits& limits = m.config.store.limits;
        out.text(m.config.store.directory).number(limits.max_use).number(limits.keep_free).number(limits.max_file).number(limits.max_files);
        out.number<std::int64_t>(limits.max_age.count()).number<std::int64_t>(limits.max_file_age.count()).flag(limits.compress);
        const auto targets = std::min(static_cast<std::uint32_t>(m.config.forward.size()), most_targets);
        out.number(targets);
        for (std::uint32_t i = 0; i < targets; i++)
            out.text(cut(m.config.forward[i], max_name));
        out.number(raw(m.config.time)).number(m.config.line_max).flag(m.config.errors_apart).number(m.config.stdout_level);
        out.flag(m.config.to_stdout).flag(m.config.waits).number(m.config.rate_burst).number(m.config.rate_interval_us);
        return Type::Configure;
    }
    Type operator()(const to_logger::AddStream& m) {
        out.number(m.stream.value);
        pack(out, m.info);
        return Type::AddStream;
    }
    Type operator()(const to_logger::EofAck& m) { return id(Type::EofAck, m.stream); }
    Type operator()(const to_logger::Message& m) {
        out.number(m.priority).number(m.dropped).text(cut(m.unit, max_name)).text(cut(m.text, max_message_text));
        return Type::Message;
    }
    Type operator()(const to_logger::Mute& m) {
        out.text(cut(m.unit, max_name)).flag(m.muted);
        return Type::Mute;
    }
    Type operator()(const to_logger::Shutdown&) { return Type::Shutdown; }
    Type operator()(const to_logger::Drain& m) {
        out.number(static_cast<std::int64_t>(m.deadline.since_boot.count()));
        return Type::Drain;
    }
    Type operator()(const to_logger::Sync&) { return Type::Sync; }
    Type operator()(const from_logger::Ready& m) {
        out.number(m.pid);
        return Type::Ready;
    }
    Type operator()(const from_logger::Ack& m) { return id(Type::Ack, m.stream); }
    Type operator()(const from_logger::Refused& m) {
        out.number(m.stream.value).number(static_cast<std::int32_t>(m.errnum));
        return Type::Refused;
    }
    Type operator()(const from_logger::StreamEof& m) { return id(Type::StreamEof, m.stream); }
    Type operator()(const from_logger::Output& m) {
        out.flag(m.stalled).number(m.lines_lost).number(static_cast<std::int32_t>(m.errnum));
        return Type::Output;
    }
    Type operator()(const from_logger::Configured& m) {
        out.number(m.sequence);
        return Type::Configured;
    }
    Type operator()(const from_logger::Drained& m) {
        out.number(m.lines_not_written);
        return Type::Drained;
    }
    Type operator()(const from_logger::Adopt& m) {
        pack(out, m.info);
        return Type::Adopt;
    }

  private:
    Type id(Type type, StreamId stream) {
        out.number(stream.value);
        return type;
    }
};

template <class Variant> std::string encode_any(const Variant& message) {
    std::string packet(sizeof(Header), '\0');
    const Type type = std::visit(Encoder{Packer(packet)}, message);
    Header header;
    header.type = static_cast<std::uint16_t>(type);
    header.length = static_cast<std::uint32_t>(packet.size() - sizeof header);
    std::memcpy(packet.data(), &header, sizeof header);
    return packet;
}

struct Split {
    std::uint16_t type;
    std::string_view payload;
};

base::Result<Split> split_header(std::string_view packet) {
    Header header;
    if (packet.size() < sizeof header)
        return base::fail(base::Errc::Protocol, "logger protocol: packet without a header");
    std::memcpy(&header, packet.data(), sizeof header);
    const std::string_view payload = packet.substr(sizeof header);
    if (header.length != payload.size())
        return base::fail(base::Errc::Protocol, "logger protocol: length does not match");
    return Split{header.type, payload};
}

/// `message`, unless its payload was too short for the fields of version 1.
template <class Variant, class T> base::Result<Variant> complete(const Unpacker& in, T message) {
    if (in.failed())
        return base::fail(base::Errc::Protocol, "logger protocol: payload too short");
    return Variant(std::move(message));
}

base::Error unknown() { return base::fail(base::Errc::Unsupported, "logger protocol: unknown message"); }

StreamId stream_id(Unpacker& in) { return StreamId{in.number<std::uint64_t>()}; }

} // namespace

std::string encode(const ToLogger& message) { return encode_any(message); }

std::string encode(const FromLogger& message) { return encode_any(message); }

base::Result<ToLogger> decode_to_logger(std::string_view packet) {
    const Split split = TRY(split_header(packet));
    Unpacker in(split.payload);
    switch (split.type) {
    case static_cast<std::uint16_t>(Type::Configure): {
        const Config config = unpack_config(in);
        return complete<ToLogger>(in, to_logger::Configure{config});
    }
    case static_cast<std::uint16_t>(Type::AddStream): {
        const StreamId stream = stream_id(in);
        to_logger::AddStream message{stream, unpack_stream_info(in)};
        return complete<ToLogger>(in, std::move(message));
    }
    case static_cast<std::uint16_t>(Type::EofAck): {
        const StreamId stream = stream_id(in);
        return complete<ToLogger>(in, to_logger::EofAck{stream});
    }
    case static_cast<std::uint16_t>(Type::Message): {
        to_logger::Message message;
        message.priority = std::min<std::uint8_t>(in.number<std::uint8_t>(), 7);
        message.dropped = in.number<std::uint64_t>();
        message.unit = cut(in.text(), max_name);
        message.text = cut(in.text(), max_message_text);
        return complete<ToLogger>(in, std::move(message));
    }
    case static_cast<std::uint16_t>(Type::Mute): {
        to_logger::Mute message;
        message.unit = cut(in.text(), max_name);
        message.muted = in.flag();
        return complete<ToLogger>(in, std::move(message));
    }
    case static_cast<std::uint16_t>(Type::Shutdown):
        return ToLogger(to_logger::Shutdown{});
    case static_cast<std::uint16_t>(Type::Drain): {
        const base::Instant deadline{base::Duration(in.number<std::int64_t>())};
        return complete<ToLogger>(in, to_logger::Drain{deadline});
    }
    case static_cast<std::uint16_t>(Type::Sync):
        return ToLogger(to_logger::Sync{});
    }
    return unknown();
}

base::Result<FromLogger> decode_from_logger(std::string_view packet) {
    const Split split = TRY(split_header(packet));
    Unpacker in(split.payload);
    switch (split.type) {
    case static_cast<std::uint16_t>(Type::Ready): {
        const auto pid = in.number<std::uint32_t>();
        return complete<FromLogger>(in, from_logger::Ready{pid});
    }
    case static_cast<std::uint16_t>(Type::Ack): {
        const StreamId stream = stream_id(in);
        return complete<FromLogger>(in, from_logger::Ack{stream});
    }
    case static_cast<std::uint16_t>(Type::Refused): {
        const StreamId stream = stream_id(in);
        const auto errnum = in.number<std::int32_t>();
        return complete<FromLogger>(in, from_logger::Refused{stream, errnum});
    }
    case static_cast<std::uint16_t>(Type::StreamEof): {
        const StreamId stream = stream_id(in);
        return complete<FromLogger>(in, from_logger::StreamEof{stream});
    }
    case static_cast<std::uint16_t>(Type::Output): {
        from_logger::Output message;
        message.stalled = in.flag();
        message.lines_lost = in.number<std::uint64_t>();
        message.errnum = in.number<std::int32_t>();
        return complete<FromLogger>(in, message);
    }
    case static_cast<std::uint16_t>(Type::Configured): {
        const auto sequence = in.number<std::uint32_t>();
        return complete<FromLogger>(in, from_logger::Configured{sequence});
    }
    case static_cast<std::uint16_t>(Type::Drained): {
        const auto lines = in.number<std::uint64_t>();
        return complete<FromLogger>(in, from_logger::Drained{lines});
    }
    case static_cast<std::uint16_t>(Type::Adopt): {
        from_logger::Adopt message{unpack_stream_info(in)};
        return complete<FromLogger>(in, std::move(message));
    }
    }
    return unknown();
}

std::string encode_stream_info(const StreamInfo& info) {
    std::string out;
    Packer packer(out);
    pack(packer, info);
    return out;
}

base::Result<StreamInfo> decode_stream_info(std::string_view bytes) {
    Unpacker in(bytes);
    StreamInfo info = unpack_stream_info(in);
    if (in.failed())
        return base::fail(base::Errc::Protocol, "stream description too short");
    return info;
}

} // namespace monoinit::log
