// PID 1's end, with the test as the logger: bounds, hand-over, acknowledgements, restart, re-exec.

#include "log/link.hpp"
#include "sys/socket.hpp"
#include "sys/syscalls.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <fcntl.h>
#include <unistd.h>

using namespace monoinit;
using namespace monoinit::log;

namespace {

/// The other end.
struct FakeLogger {
    sys::UniqueFd socket;
    std::vector<sys::UniqueFd> descriptors;

    std::optional<ToLogger> next() {
        std::array<char, max_packet> buffer;
        auto received = sys::receive_message(socket.get(), buffer);
        if (!received || received->bytes.empty())
            return std::nullopt;
        for (sys::UniqueFd& fd : received->descriptors)
            descriptors.push_back(std::move(fd));
        return decode_to_logger(received->bytes).value();
    }
    template <class T> std::vector<T> all() {
        std::vector<T> found;
        while (const auto message = next())
            if (std::holds_alternative<T>(*message))
                found.push_back(std::get<T>(*message));
        return found;
    }
    void say(const FromLogger& message) { REQUIRE(sys::send_message(socket.get(), encode(message))); }
};

FakeLogger attach(LoggerLink& link) {
    auto pair = sys::make_socket_pair(SOCK_SEQPACKET, true, true).value();
    link.attach(std::move(pair.first));
    return {std::move(pair.second), {}};
}

sys::UniqueFd read_end() { return sys::make_pipe_pair().value().read; }

StreamInfo info(std::string unit) {
    StreamInfo result;
    result.unit = std::move(unit);
    return result;
}

} // namespace

TEST_CASE("streams are handed over a few at a time, until end of file") {
    std::vector<std::string> closed;
    LoggerLink link({.stream_closed = [&](StreamId, const std::string& unit) { closed.push_back(unit); }});
    for (int i = 0; i < 60; i++)
        link.add_stream(info("web.service"), read_end());
    CHECK(link.streams_open("web.service") == 60);
    FakeLogger logger = attach(link);
    auto added = logger.all<to_logger::AddStream>();
    CHECK(added.size() == 32);
    CHECK(logger.descriptors.size() == 32);
    CHECK_FALSE(link.wants_write());
    for (const auto& add : added)
        logger.say(from_logger::Ack{add.stream});
    CHECK(link.on_readable());
    CHECK(logger.all<to_logger::AddStream>().size() == 28);
    logger.say(from_logger::StreamEof{added[0].stream});
    logger.say(from_logger::StreamEof{StreamId{9999}});
    CHECK(link.on_readable());
    CHECK(closed == std::vector<std::string>{"web.service"});
    CHECK(link.streams_open() == 59);
    CHECK(logger.all<to_logger::EofAck>().size() == 2);
}

TEST_CASE("streams that ended unread while the logger was behind are let go") {
    LoggerLink link;
    FakeLogger logger = attach(link);
    for (int i = 0; i < 2000; i++)
        link.add_stream(info("crash.service"), read_end()); // its writer is gone, and has written nothing
    CHECK(link.streams_open("crash.service") <= 32 + 64);
}

TEST_CASE("a refused stream is tried again, without spinning") {
    LoggerLink link;
    FakeLogger logger = attach(link);
    const StreamId stream = link.add_stream(info("web.service"), read_end());
    CHECK(logger.all<to_logger::AddStream>().size() == 1);
    logger.say(from_logger::Refused{stream, EMFILE});
    CHECK(link.on_readable());
    CHECK(link.wants_retry());
    CHECK_FALSE(link.wants_write());
    CHECK(logger.all<to_logger::AddStream>().empty());
    link.retry();
    CHECK(logger.all<to_logger::AddStream>().size() == 1);
    CHECK_FALSE(link.wants_retry());
}

TEST_CASE("descriptors in flight run out") {
    LoggerLink link;
    FakeLogger logger = attach(link);
    {
        sys::ScopedFault fault(sys::Call::Send, {ETOOMANYREFS});
        link.add_stream(info("web.service"), read_end());
        CHECK(link.wants_retry());
    }
    link.retry();
    CHECK_FALSE(link.wants_retry());
    CHECK(logger.all<to_logger::AddStream>().size() == 1);
}

TEST_CASE("a logger that does not read costs bounded memory and no time") {
    LoggerLink link;
    FakeLogger logger = attach(link);
    const std::string text(500, 'x');
    for (int i = 0; i < 20000; i++)
        link.message(6, "web.service", text);
    CHECK(link.messages_dropped() > 10000);
    CHECK(link.wants_write());
    std::size_t received = 0, dropped = 0;
    for (int round = 0; round < 100; round++) {
        for (const auto& message : logger.all<to_logger::Message>()) {
            received++;
            dropped += message.dropped;
        }
        link.on_writable();
    }
    CHECK_FALSE(link.wants_write());
    link.message(6, {}, "after");
    for (const auto& message : logger.all<to_logger::Message>()) {
        received++;
        dropped += message.dropped;
    }
    CHECK(received + dropped == 20001);
}

TEST_CASE("a new logger is told everything") {
    LoggerLink link;
    link.message(6, {}, "early");
    Config config;
    config.format = Format::Json;
    link.configure(config);
    link.mute("noisy.service", true);
    {
        FakeLogger first = attach(link);
        const StreamId stream = link.add_stream(info("web.service"), read_end());
        CHECK(first.all<to_logger::Message>().size() == 1);
        first.say(from_logger::Ack{stream});
        CHECK(link.on_readable());
    }
    CHECK_FALSE(link.on_readable());
    link.detach();
    link.begin_shutdown();
    link.message(6, {}, "meanwhile");
    FakeLogger second = attach(link);
    std::vector<ToLogger> messages;
    while (auto message = second.next())
        messages.push_back(std::move(*message));
    REQUIRE(messages.size() == 5);
    CHECK(std::get<to_logger::Configure>(messages[0]).config.format == Format::Json);
    CHECK(std::holds_alternative<to_logger::Shutdown>(messages[1]));
    CHECK(std::get<to_logger::Mute>(messages[2]).unit == "noisy.service");
    CHECK(std::get<to_logger::Message>(messages[3]).text == "meanwhile");
    CHECK(std::get<to_logger::AddStream>(messages[4]).info.unit == "web.service");
}

TEST_CASE("drain comes after the last stream and the last message") {
    std::optional<std::uint64_t> drained;
    LoggerLink link({.drained = [&](std::uint64_t lines) { drained = lines; }});
    FakeLogger logger = attach(link);
    std::vector<StreamId> streams;
    for (int i = 0; i < 40; i++)
        streams.push_back(link.add_stream(info("web.service"), read_end()));
    link.begin_drain({std::chrono::seconds(1)});
    CHECK(logger.all<to_logger::Drain>().empty());
    for (const StreamId stream : streams)
        logger.say(from_logger::Ack{stream});
    CHECK(link.on_readable());
    CHECK(logger.all<to_logger::Drain>().size() == 1);
    logger.say(from_logger::Drained{3});
    CHECK(link.on_readable());
    CHECK(drained == 3);
}

TEST_CASE("configured is said for the last configuration only") {
    int times = 0;
    LoggerLink link({.configured = [&] { times++; }});
    FakeLogger logger = attach(link);
    link.configure({});
    link.configure({});
    const auto sent = logger.all<to_logger::Configure>();
    REQUIRE(sent.size() >= 2);
    logger.say(from_logger::Configured{sent[sent.size() - 2].config.sequence});
    CHECK(link.on_readable());
    CHECK(times == 0);
    logger.say(from_logger::Configured{sent.back().config.sequence});
    CHECK(link.on_readable());
    CHECK(times == 1);
}

TEST_CASE("the link survives a re-exec") {
    LinkState state;
    FakeLogger logger;
    StreamId acknowledged, sent;
    std::string bytes;
    {
        LoggerLink link;
        logger = attach(link);
        acknowledged = link.add_stream(info("web.service"), read_end());
        sent = link.add_stream(info("db.service"), read_end());
        logger.say(from_logger::Ack{acknowledged});
        CHECK(link.on_readable());
        link.mute("db.service", true);
        link.begin_shutdown();
        CHECK(link.held_fds().size() == 3);
        state = link.export_state();
        for (HeldStream& held : state.streams) // as after exec: the same descriptors, no destructor
            held.fd = fcntl(held.fd, F_DUPFD_CLOEXEC, 3);
        state.socket = fcntl(state.socket, F_DUPFD_CLOEXEC, 3);
        bytes = encode_state(state);
    }
    (void)logger.all<to_logger::Message>();
    auto decoded = decode_state(bytes);
    REQUIRE(decoded);
    LoggerLink link = LoggerLink::import_state(std::move(*decoded));
    CHECK(link.attached());
    CHECK(link.streams_open("web.service") == 1);
    CHECK(link.streams_open("db.service") == 1);
    std::vector<ToLogger> messages;
    while (auto message = logger.next())
        messages.push_back(std::move(*message));
    REQUIRE(messages.size() == 4);
    CHECK(std::holds_alternative<to_logger::Sync>(messages[0]));
    CHECK(std::get<to_logger::AddStream>(messages[3]).stream == sent);
    logger.say(from_logger::Ack{sent});
    logger.say(from_logger::StreamEof{acknowledged});
    CHECK(link.on_readable());
    CHECK(link.streams_open() == 1);
    CHECK(link.add_stream(info("new.service"), read_end()) > sent);

    for (std::size_t size = 0; size < bytes.size(); size++)
        CHECK_FALSE(decode_state(std::string_view(bytes).substr(0, size)));
}

TEST_CASE("a checkpoint that names closed descriptors does no harm") {
    LinkState state;
    state.socket = 987;
    state.streams.push_back({StreamId{4}, info("web.service"), 988, true});
    LoggerLink link = LoggerLink::import_state(std::move(state));
    CHECK_FALSE(link.attached());
    CHECK(link.streams_open() == 0);
    CHECK(link.add_stream(info("web.service"), read_end()) == StreamId{5});
}

TEST_CASE("what cannot be made costs only what it is for") {
    const auto fds = make_logger_fds("/nonexistent/logs");
    REQUIRE(fds);
    CHECK(fds->buffers);
    CHECK(fds->spool_write);
    CHECK_FALSE(fds->listener);
    CHECK(fds->problems.size() == 1);
    sys::ScopedFault fault(sys::Call::Memfd, {ENOSYS});
    CHECK_FALSE(make_logger_fds({})->buffers);
}

TEST_CASE("without a logger, closed and empty streams do not pile up") {
    LoggerLink link;
    auto kept = sys::make_pipe_pair().value(); // something is in it
    REQUIRE(write(kept.write.get(), "x", 1) == 1);
    kept.write.reset();
    link.add_stream(info("kept.service"), std::move(kept.read));
    for (int i = 0; i < 200; i++)
        link.add_stream(info("again.service"), read_end());
    CHECK(link.streams_open() <= 65);
    CHECK(link.streams_open("kept.service") == 1);
    FakeLogger logger = attach(link);
    CHECK_FALSE(logger.all<to_logger::AddStream>().empty());
}

TEST_CASE("a logger that leaves with something unread: what it said last still counts") {
    std::optional<std::uint64_t> drained;
    LoggerLink link({.drained = [&](std::uint64_t lines) { drained = lines; }});
    FakeLogger logger = attach(link);
    link.begin_drain(base::Instant{});
    link.message(6, {}, "never read");
    logger.say(from_logger::Drained{3});
    logger.socket.reset();
    while (link.on_readable()) {
    }
    CHECK(drained == 3);
}
