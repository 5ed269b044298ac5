#include "base/signals.hpp"

#include <catch2/catch.hpp>
#include <csignal>

using namespace monoinit::base;

TEST_CASE("signals by name and number") {
    CHECK(signal_from_name("SIGTERM") == SIGTERM);
    CHECK(signal_from_name("TERM") == SIGTERM);
    CHECK(signal_from_name("15") == SIGTERM);
    CHECK(signal_from_name("SIGRTMIN+3") == SIGRTMIN + 3);
    CHECK(signal_from_name("RTMIN") == SIGRTMIN);
    CHECK(signal_from_name("RTMAX-1") == SIGRTMAX - 1);
    CHECK(signal_from_name("SIGPOLL") == SIGIO);
    for (const auto* bad : {"", "SIG", "term", "0", "65", "-1", "RTMIN+31", "RTMIN-1", "RTMIN+", "SIG15", "99999999999"}) {
        INFO(bad);
        CHECK_FALSE(signal_from_name(bad));
    }
}

TEST_CASE("every signal's name leads back to it") {
    for (int signal = 1; signal <= 64; signal++)
        if (signal != 32 && signal != 33)
            CHECK(signal_from_name(signal_name(signal)) == signal);
    CHECK(signal_name(37) == "SIGRTMIN+3");
    CHECK(signal_name(99) == "SIG99");
}

TEST_CASE("exit statuses") {
    CHECK(exit_status_name(203) == "EXEC");
    CHECK(exit_status_from_name("USER") == 217);
    CHECK(exit_status_from_name("TEMPFAIL") == 75);
    CHECK_FALSE(exit_status_from_name("NONSENSE"));
    CHECK(exit_status_name(99).empty());
}

TEST_CASE("how a process ended, for people") {
    CHECK(describe({ExitInfo::Code::Exited, 3}) == "exit 3");
    CHECK(describe({ExitInfo::Code::Exited, 255}) == "exit 255");
    CHECK(describe({ExitInfo::Code::Exited, 203}) == "203/EXEC");
    CHECK(describe({ExitInfo::Code::Killed, 9}) == "SIGKILL");
    CHECK(describe({ExitInfo::Code::Dumped, 11}) == "SIGSEGV, core dumped");
}
