// The parser of sd_notify messages.

#include "base/strings.hpp"
#include "supervise/notify.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace monoinit;
using namespace monoinit::supervise;
using namespace std::chrono_literals;

TEST_CASE("the vocabulary") {
    const auto message =
        parse_notify("READY=1\nSTATUS=Processing 66 % …\nERRNO=2\nMAINPID=4711\nWATCHDOG=1\n"
                     "WATCHDOG_USEC=20000000\nEXTEND_TIMEOUT_USEC=5000000\nRELOADING=1\n"
                     "MONOTONIC_USEC=123\nSTOPPING=1\nFDSTORE=1\nFDNAME=db\nFDPOLL=0\nX_MINE=1\n");
    REQUIRE(message);
    CHECK(message->ready);
    CHECK(message->reloading);
    CHECK(message->stopping);
    CHECK(message->status == "Processing 66 % …");
    CHECK(message->errnum == 2);
    CHECK(message->main_pid == 4711);
    CHECK(message->watchdog == NotifyMessage::Watchdog::Ping);
    CHECK(message->watchdog_usec == 20s);
    CHECK(message->extend_timeout_usec == 5s);
    CHECK(message->monotonic_usec == 123us);
    CHECK(message->fd_store);
    CHECK(message->fd_name == "db");
    CHECK_FALSE(message->fd_poll);
    CHECK(message->malformed == 0);
}

TEST_CASE("values that mean nothing are counted and have no effect") {
    for (const auto* text : {"READY=0",
                             "READY=",
                             "READY=11",
                             "ERRNO=x",
                             "ERRNO=-1",
                             "MAINPID=0",
                             "MAINPID=1",
                             "MAINPID=-5",
                             "MAINPID=99999999999",
                             "MAINPID= 5",
                             "MAINPID=5x",
                             "WATCHDOG=2",
                             "WATCHDOG_USEC=",
                             "EXTEND_TIMEOUT_USEC=-1",
                             "FDNAME=a:b",
                             "FDNAME=a\x01",
                             "FDPOLL=1",
                             "STATUS=\xff\xfe"}) {
        INFO(text);
        const auto message = parse_notify(text);
        REQUIRE(message);
        CHECK(message->malformed == 1);
        CHECK_FALSE(message->ready);
        CHECK_FALSE(message->main_pid);
        CHECK_FALSE(message->status);
        CHECK(message->fd_name == "stored");
    }
}

TEST_CASE("bounds") {
    CHECK_FALSE(parse_notify(std::string(notify_message_max + 1, 'x')));
    CHECK(parse_notify(std::string(notify_message_max, 'x')));
    CHECK_FALSE(parse_notify(std::string_view("READY=1\0STATUS=x", 16)));
    CHECK(parse_notify(std::string_view("READY=1\0", 8))->ready); // a C string sent with its end
    CHECK(parse_notify("STATUS=" + std::string(4000, 'x'))->status->size() <=
          notify_status_max + 3);
    CHECK(parse_notify("EXTEND_TIMEOUT_USEC=18446744073709551615")->extend_timeout_usec ==
          base::infinity);
    CHECK(parse_notify("STATUS=\x1b[31mred")->status->find('\x1b') == std::string::npos);
    CHECK(parse_notify("STATUS=")->status == "");
}

TEST_CASE("of a variable given twice the first counts; BARRIER=1 does not mix") {
    CHECK(parse_notify("STATUS=a\nSTATUS=b")->status == "a");
    const auto message = parse_notify("READY=1\nBARRIER=1\nMAINPID=7");
    CHECK(message->barrier);
    CHECK_FALSE(message->ready);
    CHECK_FALSE(message->main_pid);
}

TEST_CASE("noise never does harm") {
    std::mt19937 random(7);
    const std::string alphabet = "READYSTOPING=1\n\xff_USEC0 MAINPD\x01";
    for (int round = 0; round < 20'000; round++) {
        std::string text;
        for (auto left = random() % 60; left > 0; left--)
            text += alphabet[random() % alphabet.size()];
        const auto message = parse_notify(text);
        REQUIRE(message);
        if (message->status)
            CHECK(base::is_valid_utf8(*message->status));
    }
}
