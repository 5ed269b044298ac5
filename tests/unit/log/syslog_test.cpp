// Headers of syslog datagrams, as daemons send them.
#include "log/syslog.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>

using namespace monoinit::log;

namespace {

struct Case {
    const char* datagram;
    int priority, facility;
    unsigned pid;
    const char *identifier, *text;
};

} // namespace

TEST_CASE("what daemons send is understood") {
    const Case cases[] = {
        {"<38>Nov 26 10:02:11 sshd[123]: Accepted publickey for dev\n", 6, 4, 123, "sshd", "Accepted publickey for dev"},
        {"<78>Nov  6 10:02:11 CRON[77]: (root) CMD (true)", 6, 9, 77, "CRON", "(root) CMD (true)"},
        {"<13>2026-11-26T10:02:11.123456+09:00 app: text", 5, 1, 0, "app", "text"},
        {"<13>app: text: more", 5, 1, 0, "app", "text: more"},
        {"<11>no tag here", 3, 1, 0, "", "no tag here"},
        {"no header at all", 5, 1, 0, "", "no header at all"},
        {"<165>1 2026-11-26T10:02:11Z host evntslog 42 ID47 [x@1 a=\"]\\\"b\" c=\"d\"][y@1] \xef\xbb\xbfText", 5, 20, 42, "evntslog", "Text"},
        {"<34>1 - - su - - - 'su root' failed", 2, 4, 0, "su", "'su root' failed"},
        {"<34>1 - - su - - -", 2, 4, 0, "su", ""},
        {"<192>too high: a", 5, 1, 0, "", "<192>too high: a"},
        {"<5", 5, 1, 0, "", "<5"},
        {"<>x", 5, 1, 0, "", "<>x"},
        {"<13>http://a: b", 5, 1, 0, "", "http://a: b"},
        {"<13>http://host/path", 5, 1, 0, "", "http://host/path"},
        {"<13>app[x]: a\0\n", 5, 1, 0, "app", "a"},
        {"", 5, 1, 0, "", ""},
    };
    for (const Case& each : cases) {
        CAPTURE(each.datagram);
        const SyslogMessage message = parse_syslog(each.datagram);
        CHECK(message.priority == each.priority);
        CHECK(message.facility == each.facility);
        CHECK(message.pid == each.pid);
        CHECK(message.identifier == each.identifier);
        CHECK(message.text == each.text);
    }
}

TEST_CASE("trailing line breaks and NULs go, inner ones stay") {
    CHECK(parse_syslog(std::string_view("<13>a: one\ntwo\n\0\n", 17)).text == "one\ntwo");
}

TEST_CASE("mutated datagrams never do harm") {
    std::mt19937 random(1);
    const std::string seed = "<165>1 2026-11-26T10:02:11Z host app 42 ID [x a=\"b\"] text";
    for (int i = 0; i < 20000; i++) {
        std::string text = seed.substr(0, random() % (seed.size() + 1));
        for (int changes = 0; changes < 3 && !text.empty(); changes++)
            text[random() % text.size()] = static_cast<char>(random() % 256);
        const SyslogMessage message = parse_syslog(text);
        CHECK(message.priority < 8);
        CHECK(message.facility < 24);
        CHECK(message.identifier.size() <= 128);
        CHECK(message.text.size() <= text.size());
    }
}
