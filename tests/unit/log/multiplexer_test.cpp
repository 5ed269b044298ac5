// Lines of all sources on one ring: prefixes, room, own lines, mutes, hostile expansion.

#include "log/multiplexer.hpp"
#include "log/recent_store.hpp"
#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::log;

namespace {

struct Fixture {
    sys::UniqueFd file{sys::memory_file("test")};
    base::Result<SharedMemory> memory = SharedMemory::map(file.get());
    RecentStore store{*memory};
    OutRing ring{*memory};
    Multiplexer multiplexer;

    explicit Fixture(bool terminal = false) : multiplexer(store, ring, terminal) {}

    bool offer(std::string_view text, Urgency urgency = Urgency::MayWait) {
        Record record;
        record.unit = "web.service";
        record.identifier = "web";
        record.text = text;
        return multiplexer.offer(record, {"[web] "}, urgency);
    }
    std::string written() {
        const std::string text(ring.contents());
        ring.set_tail(ring.tail() + text.size());
        return text;
    }
    std::size_t stored() const {
        std::size_t count = 0;
        store.visit({}, 0, [&](const Record&) { return ++count > 0; });
        return count;
    }
};

} // namespace

TEST_CASE("lines go to the ring and to the store") {
    Fixture test;
    CHECK(test.offer("hello"));
    CHECK(test.offer(""));
    CHECK(test.offer(std::string_view("nul\0here", 8)));
    test.multiplexer.own_line(6, "web.service", "web: started\nsecond", 1, 2);
    CHECK(test.written() == "[web] hello\n[web] \n[web] nul\\x00here\n[monoinit] web: started\n[monoinit] second\n");
    CHECK(test.stored() == 5);
}

TEST_CASE("without room, who can wait waits and nothing is done; who cannot is stored and counted") {
    Fixture test;
    const std::string line(1000, 'x');
    std::size_t accepted = 0;
    while (test.offer(line))
        accepted++;
    CHECK(accepted > 200);
    CHECK(test.multiplexer.skipped() == 0);
    const std::uint64_t stored = test.store.last_cursor();
    CHECK(stored == accepted);
    test.multiplexer.own_line(6, {}, "still room for this", 1, 2);
    while (test.multiplexer.skipped() == 0)
        CHECK(test.offer(line, Urgency::MustNotWait));
    CHECK(test.store.last_cursor() > stored + 10);
    test.multiplexer.never_wait(true);
    CHECK(test.offer(line));
    CHECK(test.multiplexer.skipped() == 2);
    test.written();
    CHECK(test.offer(line));
}

TEST_CASE("no room: a terminal mode and mutes leave the ring alone") {
    Fixture test;
    Config config;
    config.command_has_terminal = true;
    test.multiplexer.configure(config);
    CHECK(test.offer("to the store"));
    test.multiplexer.own_line(6, {}, "this too", 1, 2);
    CHECK(test.written().empty());
    CHECK(test.stored() == 2);
    test.multiplexer.mute("web.service", true);
    CHECK(test.multiplexer.is_muted("web.service"));
    CHECK_FALSE(test.multiplexer.is_muted("db.service"));
    test.multiplexer.mute("", true);
    CHECK(test.multiplexer.is_muted("db.service"));
    test.multiplexer.mute("", false);
    CHECK_FALSE(test.multiplexer.is_muted("web.service"));
}

TEST_CASE("escapes that swell a line do not break the bounds") {
    for (const bool terminal : {false, true}) {
        Fixture test(terminal);
        Config config;
        config.color = ColorMode::Never;
        config.format = terminal ? Format::Short : Format::Json;
        test.multiplexer.configure(config);
        CHECK(test.offer(std::string(default_line_max, '\x01')));
        const std::string text = test.written();
        std::size_t longest = 0, lines = 0, seen = 0;
        for (std::size_t at = 0; at < text.size(); lines++) {
            const std::size_t end = text.find('\n', at);
            REQUIRE(end != std::string::npos);
            longest = std::max(longest, end - at);
            at = end + 1;
        }
        for (std::size_t at = text.find("01"); at != std::string::npos; at = text.find("01", at + 2))
            seen++;
        CHECK(longest < 60 * 1024);
        CHECK(lines > 2);
        CHECK((seen == default_line_max || test.multiplexer.skipped() > 0));
        CHECK(test.stored() == 1);
    }
}

TEST_CASE("whole lines of a limited size") {
    CHECK(whole_lines("a\nb\nc\n", 4) == "a\nb\n");
    CHECK(whole_lines("a\nb\nc\n", 100) == "a\nb\nc\n");
    CHECK(whole_lines("a\nb\nc", 100) == "a\nb\n");
    CHECK(whole_lines("long line\nb\n", 4) == "long line\n");
    CHECK(whole_lines("rest", 2) == "rest");
}

TEST_CASE("a message of several lines is one entry in the store, and every line of it has the prefix on stdout") {
    Fixture test;
    Record record;
    record.unit = "web.service";
    record.transport = Transport::Journal;
    record.text = "one\n[db] two\r\n\nthree\rfour";
    const auto offered = [&] { return test.multiplexer.offer(record, {"[web] app[7]: "}, Urgency::MustNotWait); };
    CHECK(offered());
    CHECK(test.written() == "[web] app[7]: one\n[web] app[7]: [db] two\n[web] app[7]: \n[web] app[7]: three\n[web] app[7]: four\n");
    CHECK(test.stored() == 1);
    Config config;
    config.format = Format::Plain;
    test.multiplexer.configure(config);
    CHECK(offered());
    CHECK(test.written() == "one\n[db] two\n\nthree\nfour\n");
    config.format = Format::Json;
    test.multiplexer.configure(config);
    CHECK(offered());
    const std::string json = test.written();
    CHECK(std::count(json.begin(), json.end(), '\n') == 1);
    CHECK(json.find("two\\r\\n\\nthree\\rfour\"") != std::string::npos);
}

TEST_CASE("lines of stderr go to a ring of their own where there is one") {
    Fixture test;
    OutRing errors(test.memory->error_ring(), ring_size, test.memory->header().errors.head, test.memory->header().errors.tail);
    Record record;
    record.text = "bad";
    const Destination destination{.prefix = "[web] ", .error = true};
    CHECK(test.multiplexer.offer(record, destination, Urgency::MayWait));
    CHECK(test.written() == "[web] bad\n");
    test.multiplexer.set_errors(&errors);
    CHECK(test.multiplexer.offer(record, destination, Urgency::MayWait));
    CHECK(test.written().empty());
    CHECK(errors.contents() == "[web] bad\n");
}
