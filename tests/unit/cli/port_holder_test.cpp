// The words of programs whose port is taken, and the kernel's table of listeners.
#include "cli/port_holder.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::cli;
using Ports = std::vector<std::uint16_t>;

TEST_CASE("each program says it in its own words") {
    CHECK(ports_complained_of({"Error: listen EADDRINUSE: address already in use 0.0.0.0:8035"}, "") == Ports{8035});
    CHECK(ports_complained_of({"Error: listen EADDRINUSE: address already in use :::3000", "  port: 3000"}, "") == Ports{3000});
    CHECK(ports_complained_of({"nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)"}, "") == Ports{80});
    CHECK(ports_complained_of({"Warning: Could not create server TCP listening socket *:6379: bind: Address already in use"}, "") == Ports{6379});
}

TEST_CASE("without a port in the words the command line tells") {
    CHECK(ports_complained_of({"OSError: [Errno 98] Address already in use"}, "/usr/bin/python3 -m http.server 8399") == Ports{8399});
    CHECK(ports_complained_of({"OSError: [Errno 98] Address already in use"}, "web --listen=127.0.0.1:8080") == Ports{8080});
}

TEST_CASE("lines about something else name no port") {
    CHECK(ports_complained_of({"listening on http://0.0.0.0:8080/"}, "web --port 8080").empty());
    CHECK_FALSE(says_address_in_use({"listening on port 80"}));
}

TEST_CASE("only listeners count") {
    constexpr std::string_view table =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:20CF 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0\n"
        "   1: 0100007F:1F90 0100007F:20CF 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0\n";
    CHECK(listener_inode(table, 8399) == 4711);
    CHECK_FALSE(listener_inode(table, 8080));
    CHECK_FALSE(listener_inode("", 80));
}
