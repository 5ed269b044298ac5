// Sockets as a probe makes them: what comes back, options, and what is said when an address cannot be had.
#include "exec/open_sockets.hpp"

#include "harness.hpp"

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <netinet/tcp.h>

using namespace monoinit;
using namespace monoinit::exec;
using namespace monoinit::exec::test;
using unit::AddressFamily;
using unit::ListenKind;

namespace {

struct Opened {
    SocketsAnswer answer;
    std::vector<sys::UniqueFd> fds;
};

Opened open(const SocketsPlan& plan) {
    auto pair = sys::make_socket_pair(SOCK_SEQPACKET, true, false);
    REQUIRE(pair);
    auto probe = probe_open_sockets(plan, pair->second.get());
    REQUIRE(probe);
    while (!probe->take_answer())
        wait_readable(probe->fd());
    Opened opened{sockets_answer(*probe->answer()), {}};
    ::waitpid(probe->pid(), nullptr, 0);
    std::array<char, 16> bytes;
    if (auto message = sys::receive_message(pair->first.get(), bytes))
        opened.fds = std::move(message->descriptors);
    return opened;
}

int option(int fd, int level, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    CHECK(::getsockopt(fd, level, name, &value, &size) == 0);
    return value;
}

} // namespace

TEST_CASE("each address becomes a descriptor, in order, as its lines say") {
    TemporaryDirectory directory;
    SocketsPlan plan;
    plan.section.mode = 0620;
    plan.section.directory_mode = 0710;
    plan.section.no_delay = plan.section.keep_alive = plan.section.pass_credentials = true;
    plan.section.listen = {{ListenKind::Stream, AddressFamily::Path, directory.path() + "/deep/a.sock"},
                           {ListenKind::Datagram, AddressFamily::Path, directory.path() + "/d.sock"},
                           {ListenKind::Fifo, AddressFamily::Path, directory.path() + "/fifo"},
                           {ListenKind::Stream, AddressFamily::Inet, "127.0.0.1", 0}};
    for (int round = 0; round < 2; round++) { // the second replaces what the first has left
        const Opened opened = open(plan);
        CHECK(opened.answer.error.empty());
        REQUIRE(opened.fds.size() == 4);
        CHECK(option(opened.fds[1].get(), SOL_SOCKET, SO_TYPE) == SOCK_DGRAM);
        CHECK(option(opened.fds[3].get(), SOL_SOCKET, SO_KEEPALIVE) == 1);
        CHECK(option(opened.fds[3].get(), IPPROTO_TCP, TCP_NODELAY) == 1);
        CHECK(option(opened.fds[0].get(), SOL_SOCKET, SO_PASSCRED) == 1);
        for (const char* const name : {"/deep/a.sock", "/d.sock", "/fifo"}) {
            struct stat status;
            REQUIRE(::stat((directory.path() + name).c_str(), &status) == 0);
            CHECK((status.st_mode & 07777) == 0620);
        }
        struct stat deep;
        REQUIRE(::stat((directory.path() + "/deep").c_str(), &deep) == 0);
        CHECK((deep.st_mode & 07777) == 0710);
        for (const sys::UniqueFd& fd : opened.fds)
            CHECK((::fcntl(fd.get(), F_GETFL) & O_NONBLOCK) != 0);
    }
}

TEST_CASE("what cannot be listened on is named, and nothing comes back") {
    TemporaryDirectory directory;
    { std::ofstream(directory.path() + "/file") << "not a socket"; }
    const auto error = [](unit::ListenAddress address) {
        SocketsPlan plan;
        plan.section.listen = {{ListenKind::Stream, AddressFamily::Abstract, "monoinit-test-" + std::to_string(::getpid())}, std::move(address)};
        const Opened opened = open(plan);
        CHECK(opened.fds.empty());
        return opened.answer.error;
    };
    CHECK(error({ListenKind::Stream, AddressFamily::Path, directory.path() + "/file"}) == "cannot listen on " + directory.path() + "/file: Address already in use");
    CHECK(error({ListenKind::Stream, AddressFamily::Inet, "203.0.113.7", 80}) == "cannot listen on 203.0.113.7:80: Cannot assign requested address");
    CHECK(error({ListenKind::Stream, AddressFamily::Inet6, "::zz", 80}) == "cannot listen on [::zz]:80: Invalid argument");
    CHECK(error({ListenKind::Fifo, AddressFamily::Path, directory.path() + "/file"}).find("/file: ") != std::string::npos);
    CHECK(error({ListenKind::Special, AddressFamily::Path, directory.path() + "/nothing"}).ends_with("No such file or directory"));
    CHECK(sockets_answer("").error == "the sockets could not be made");
    CHECK(sockets_answer("!").error == "the sockets could not be made");
}

TEST_CASE("connections are named as systemd names them") {
    const sys::UniqueFd listener(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    const sys::UniqueFd client(::socket(AF_INET, SOCK_STREAM, 0));
    REQUIRE(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    const sys::UniqueFd accepted(::accept(listener.get(), nullptr, nullptr));
    const ConnectionNames names = name_connection(accepted.get(), 7);
    CHECK(names.address == "127.0.0.1");
    CHECK(names.source == "127.0.0.1");
    CHECK(names.instance == "7-127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "-127.0.0.1:" + names.port);

    auto pair = sys::make_socket_pair(SOCK_STREAM);
    REQUIRE(pair);
    CHECK(name_connection(pair->first.get(), 0).instance == "0-" + std::to_string(::getpid()) + "-" + std::to_string(::getuid()));
    CHECK(name_connection(pair->first.get(), 0).source == "uid " + std::to_string(::getuid()));
}
