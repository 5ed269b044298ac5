// The PID 1 <-> logger protocol and the readers' frames: round trips, and hostile input.

#include "log/protocol.hpp"
#include "log/reader_protocol.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace monoinit::log;
using monoinit::base::Errc;

namespace {

template <class T> T round_trip(const T& message) {
    const auto decoded = decode_to_logger(encode(ToLogger(message)));
    REQUIRE(decoded);
    REQUIRE(std::holds_alternative<T>(*decoded));
    return std::get<T>(*decoded);
}

template <class T> T round_trip_back(const T& message) {
    const auto decoded = decode_from_logger(encode(FromLogger(message)));
    REQUIRE(decoded);
    REQUIRE(std::holds_alternative<T>(*decoded));
    return std::get<T>(*decoded);
}

} // namespace

TEST_CASE("messages to the logger survive the wire") {
    const StreamInfo info{"web.service", "nginx", 4, false, 5, StreamKind::Error, false, true};
    const auto add = round_trip(to_logger::AddStream{StreamId{77}, info});
    CHECK(add.stream == StreamId{77});
    CHECK(add.info == info);
    const Config config{9, Format::Json, ColorMode::Always, Console::Nowhere, true};
    CHECK(round_trip(to_logger::Configure{config}).config == config);
    CHECK(round_trip(to_logger::EofAck{StreamId{5}}).stream == StreamId{5});
    const auto message = round_trip(to_logger::Message{3, "web.service", "web: failed", 12});
    CHECK((message.priority == 3 && message.unit == "web.service" && message.text == "web: failed" && message.dropped == 12));
    CHECK_FALSE(round_trip(to_logger::Mute{"web.service", false}).muted);
    CHECK(round_trip(to_logger::Drain{{std::chrono::seconds(3)}}).deadline.since_boot == std::chrono::seconds(3));
    (void)round_trip(to_logger::Shutdown{});
    (void)round_trip(to_logger::Sync{});
}

TEST_CASE("messages from the logger survive the wire") {
    CHECK(round_trip_back(from_logger::Ready{42}).pid == 42);
    CHECK(round_trip_back(from_logger::Ack{StreamId{1}}).stream == StreamId{1});
    CHECK(round_trip_back(from_logger::Refused{StreamId{2}, 24}).errnum == 24);
    CHECK(round_trip_back(from_logger::StreamEof{StreamId{3}}).stream == StreamId{3});
    CHECK(round_trip_back(from_logger::Output{true, 7, 28}).lines_lost == 7);
    CHECK(round_trip_back(from_logger::Configured{8}).sequence == 8);
    CHECK(round_trip_back(from_logger::Drained{9}).lines_not_written == 9);
}

TEST_CASE("later versions may append fields and types") {
    std::string packet = encode(FromLogger(from_logger::Ack{StreamId{1}}));
    packet += "more";
    packet[4] = static_cast<char>(packet[4] + 4);
    CHECK(decode_from_logger(packet));
    packet[0] = 120;
    CHECK(decode_from_logger(packet).error().code == Errc::Unsupported);
}

TEST_CASE("long texts are cut to what a packet holds") {
    const std::string packet = encode(ToLogger(to_logger::Message{6, std::string(9999, 'u'), std::string(99999, 't'), 0}));
    CHECK(packet.size() <= max_packet);
    CHECK(decode_to_logger(packet));
}

TEST_CASE("garbage is refused, never read past") {
    std::mt19937 random(3);
    const StreamInfo info{"web.service", "nginx"};
    const std::string seeds[] = {encode(ToLogger(to_logger::AddStream{StreamId{77}, info})),
                                 encode(ToLogger(to_logger::Message{3, "web.service", "web: failed", 12})),
                                 encode(FromLogger(from_logger::Output{true, 7, 28}))};
    for (int round = 0; round < 20000; round++) {
        std::string packet = seeds[random() % 3];
        for (unsigned i = random() % 4; i > 0; i--)
            packet[random() % packet.size()] = static_cast<char>(random());
        packet.resize(random() % 3 == 0 ? random() % packet.size() : packet.size());
        // An exact heap copy, so that the sanitizer sees a read past the end.
        const std::vector<char> exact(packet.begin(), packet.end());
        const std::string_view view(exact.data(), exact.size());
        if (const auto message = decode_to_logger(view))
            CHECK(decode_to_logger(encode(*message)));
        (void)decode_from_logger(view);
        (void)decode_query(view);
        (void)decode_record(view);
        (void)decode_stream_info(view);
        (void)next_frame(view, max_query);
    }
}

TEST_CASE("frames of the readers") {
    Query query;
    query.filter = {{"web.service", "db*"}, 4, false, 99};
    query.last = 10;
    query.follow = true;
    query.after_cursor = 1234;
    std::string bytes;
    append_query(bytes, query);
    for (std::size_t size = 0; size < bytes.size(); size++)
        CHECK_FALSE(next_frame(std::string_view(bytes).substr(0, size), max_query)->has_value());
    const auto frame = next_frame(bytes, max_query);
    REQUIRE((frame && frame->has_value()));
    CHECK((*frame)->type == FrameType::Query);
    CHECK(*decode_query((*frame)->payload) == query);

    Record record;
    record.cursor = 5;
    record.own = record.continued = true;
    record.pid = 77;
    record.unit = "web.service";
    record.identifier = "x";
    record.text = "hello";
    bytes.clear();
    append_record(bytes, record);
    append_empty_frame(bytes, FrameType::End);
    const auto first = next_frame(bytes, max_frame);
    const Record back = *decode_record((*first)->payload);
    CHECK((back.cursor == 5 && back.own && back.continued && !back.continues && back.pid == 77 && back.text == "hello"));
    CHECK((*next_frame(std::string_view(bytes).substr((*first)->size), max_frame))->type == FrameType::End);
    CHECK_FALSE(next_frame(std::string_view("\xff\xff\xff\xff\x01\x00", 6), max_query));
}
