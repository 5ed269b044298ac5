// See bus_message.hpp. Tested by tests/unit/control/bus_message_test.cpp.
#include "control/bus_message.hpp"

namespace monoinit::control {

namespace {

using base::Errc;
using base::fail;

constexpr std::string_view bus = "org.freedesktop.DBus", bus_path = "/org/freedesktop/DBus";

constexpr unsigned no_reply_flag = 1, protocol_version = 1;

enum Field : unsigned char { Path = 1, Interface = 2, Member = 3, ErrorName = 4, ReplySerial = 5, Destination = 6, Sender = 7, Signature = 8 };

/// Little-endian, which every bus understands.
class Writer {
  public:
    void align(std::size_t to) { bytes_.append((to - bytes_.size() % to) % to, '\0'); }
    void byte(unsigned value) { bytes_ += static_cast<char>(value); }
    void number(std::uint32_t value) {
        align(4);
        for (int shift = 0; shift < 32; shift += 8)
            byte(value >> shift & 0xff);
    }
    void string(std::string_view text) {
        number(static_cast<std::uint32_t>(text.size()));
        bytes_.append(text).append(1, '\0');
    }
    void signature(std::string_view text) {
        byte(static_cast<unsigned>(text.size()));
        bytes_.append(text).append(1, '\0');
    }
    void field(Field code, char type, std::string_view value) {
        align(8);
        byte(code);
        signature(std::string_view(&type, 1));
        if (type == 'g')
            signature(value);
        else
            string(value);
    }
    void number_field(Field code, std::uint32_t value) {
        align(8);
        byte(code);
        signature("u");
        number(value);
    }
    std::string& bytes() { return bytes_; }

  private:
    std::string bytes_;
};

std::string assemble(BusMessage::Kind kind, std::uint32_t serial, Writer fields, Writer& body) {
    Writer whole;
    whole.byte('l');
    whole.byte(static_cast<unsigned>(kind));
    whole.byte(kind == BusMessage::Kind::Call ? 0U : no_reply_flag);
    whole.byte(protocol_version);
    whole.number(static_cast<std::uint32_t>(body.bytes().size()));
    whole.number(serial);
    whole.number(static_cast<std::uint32_t>(fields.bytes().size()));
    whole.bytes() += fields.bytes();
    whole.align(8);
    return whole.bytes() + body.bytes();
}

/// Every step checks that the bytes are there; after a failure nothing is read any more.
class Reader {
  public:
    Reader(std::string_view bytes, bool big_endian) : bytes_(bytes), big_endian_(big_endian) {}

    void align(std::size_t to) { skip((to - at_ % to) % to); }
    void skip(std::size_t size) {
        ok_ = ok_ && size <= bytes_.size() - at_;
        at_ += ok_ ? size : 0;
    }
    unsigned byte() {
        skip(1);
        return ok_ ? static_cast<unsigned char>(bytes_[at_ - 1]) : 0;
    }
    std::uint32_t number() {
        align(4);
        std::uint32_t value = 0;
        for (int i = 0; i < 4; i++)
            value |= static_cast<std::uint32_t>(byte()) << (big_endian_ ? 24 - 8 * i : 8 * i);
        return value;
    }
    std::string_view string() { return text(number()); }
    std::string_view signature() { return text(byte()); }
    bool ok() const { return ok_; }
    std::size_t at() const { return at_; }
    bool at_end() const { return at_ == bytes_.size(); }

  private:
    std::string_view text(std::size_t size) {
        const std::size_t begin = at_;
        skip(size);
        const std::string_view found = ok_ ? bytes_.substr(begin, size) : std::string_view();
        ok_ = byte() == 0 && ok_; // the NUL behind it
        return ok_ ? found : std::string_view();
    }

    std::string_view bytes_;
    std::size_t at_ = 0;
    bool big_endian_, ok_ = true;
};

std::string* place_of(BusMessage& message, unsigned code) {
    switch (code) {
    case Interface: return &message.interface;
    case Member: return &message.member;
    case ErrorName: return &message.error_name;
    case Sender: return &message.sender;
    case Signature: return &message.signature;
    default: return nullptr;
    }
}

/// False where a field has a type that no field of the specification has.
bool read_field(Reader& reader, BusMessage& message) {
    const unsigned code = reader.byte();
    const std::string_view type = reader.signature();
    if (type == "u") {
        const std::uint32_t value = reader.number();
        if (code == ReplySerial)
            message.reply_to = value;
        return reader.ok();
    }
    if (type != "s" && type != "o" && type != "g")
        return false;
    const std::string_view value = type == "g" ? reader.signature() : reader.string();
    if (std::string* place = place_of(message, code))
        *place = value;
    return reader.ok();
}

std::uint64_t padded(std::uint64_t size) { return (size + 7) / 8 * 8; }

struct Sizes {
    std::uint64_t fields = 0, body = 0;
};

base::Result<Sizes> sizes_of(std::string_view bytes) {
    if (bytes.size() < bus_header_size || (bytes[0] != 'l' && bytes[0] != 'B') || bytes[3] != protocol_version)
        return fail(Errc::Protocol, "no message of D-Bus");
    Reader reader(bytes.substr(0, bus_header_size), bytes[0] == 'B');
    reader.skip(4);
    Sizes sizes;
    sizes.body = reader.number();
    (void)reader.number(); // the serial
    sizes.fields = reader.number();
    return sizes;
}

} // namespace

std::string encode_bus_call(std::uint32_t serial, std::string_view member, const std::vector<std::string>& arguments,
                            std::optional<std::uint32_t> flags) {
    Writer body, fields; // fields begin at offset 16 of the message, a multiple of 8
    for (const std::string& argument : arguments)
        body.string(argument);
    if (flags)
        body.number(*flags);
    fields.field(Path, 'o', bus_path);
    fields.field(Interface, 's', bus);
    fields.field(Member, 's', member);
    fields.field(Destination, 's', bus);
    const std::string signature = std::string(arguments.size(), 's') + (flags ? "u" : "");
    if (!signature.empty())
        fields.field(Signature, 'g', signature);
    return assemble(BusMessage::Kind::Call, serial, std::move(fields), body);
}

std::string encode_activation_failure(std::uint32_t serial, const std::string& unit, const std::string& why) {
    Writer body, fields;
    for (const std::string& argument : {unit, std::string("org.freedesktop.systemd1.NoSuchUnit"), why})
        body.string(argument);
    fields.field(Path, 'o', "/org/freedesktop/systemd1");
    fields.field(Interface, 's', "org.freedesktop.systemd1.Activator");
    fields.field(Member, 's', "ActivationFailure");
    fields.field(Destination, 's', bus);
    fields.field(Signature, 'g', "sss");
    return assemble(BusMessage::Kind::Signal, serial, std::move(fields), body);
}

std::string encode_unknown_method(std::uint32_t serial, const BusMessage& call) {
    Writer body, fields;
    body.string("monoinit has no interface on the bus: use systemctl");
    fields.field(ErrorName, 's', "org.freedesktop.DBus.Error.UnknownMethod");
    fields.number_field(ReplySerial, call.serial);
    fields.field(Destination, 's', call.sender);
    fields.field(Signature, 'g', "s");
    return assemble(BusMessage::Kind::Error, serial, std::move(fields), body);
}

base::Result<std::uint64_t> bus_message_size(std::string_view bytes) {
    const Sizes sizes = TRY(sizes_of(bytes));
    return bus_header_size + padded(sizes.fields) + sizes.body;
}

base::Result<BusMessage> decode_bus_message(std::string_view bytes) {
    const Sizes sizes = TRY(sizes_of(bytes));
    if (bus_header_size + padded(sizes.fields) + sizes.body != bytes.size())
        return fail(Errc::Protocol, "a message of D-Bus of another size than it says");
    BusMessage message;
    message.big_endian = bytes[0] == 'B';
    message.wants_reply = (static_cast<unsigned char>(bytes[2]) & no_reply_flag) == 0;
    const auto kind = static_cast<unsigned char>(bytes[1]);
    if (kind < static_cast<unsigned>(BusMessage::Kind::Call) || kind > static_cast<unsigned>(BusMessage::Kind::Signal))
        return fail(Errc::Protocol, "a message of D-Bus of an unknown kind"); // to be ignored, says the specification
    message.kind = static_cast<BusMessage::Kind>(kind);
    const std::size_t end = bus_header_size + static_cast<std::size_t>(sizes.fields);
    Reader reader(bytes.substr(0, end), message.big_endian);
    reader.skip(8);
    message.serial = reader.number();
    reader.skip(4);
    while (reader.at() < end) {
        reader.align(8);
        if (!read_field(reader, message))
            return fail(Errc::Protocol, "a message of D-Bus with a bad header");
    }
    message.body = bytes.substr(bus_header_size + static_cast<std::size_t>(padded(sizes.fields)));
    return message;
}

std::vector<std::string> BusMessage::strings() const {
    if (signature.find_first_not_of('s') != std::string::npos)
        return {};
    Reader reader(body, big_endian);
    std::vector<std::string> found;
    for (std::size_t i = 0; i < signature.size(); i++)
        found.emplace_back(reader.string());
    return reader.ok() && reader.at_end() ? found : std::vector<std::string>();
}

std::optional<bool> BusMessage::boolean() const {
    Reader reader(body, big_endian);
    const std::uint32_t value = reader.number();
    if (signature != "b" || !reader.ok() || !reader.at_end() || value > 1)
        return std::nullopt;
    return value == 1;
}

} // namespace monoinit::control
