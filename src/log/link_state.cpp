// The link's state as bytes, for the re-exec checkpoint, and the descriptors that outlive loggers.
// Tested by tests/unit/log/link_test.cpp.

#include "log/link.hpp"

#include "log/wire.hpp"
#include "sys/socket.hpp"
#include "sys/syscalls.hpp"

#include <fcntl.h>

namespace monoinit::log {
namespace {

constexpr std::uint32_t state_version = 1;

} // namespace

base::Result<LoggerFds> make_logger_fds(const std::string& logs_socket) {
    LoggerFds fds;
    fds.buffers.reset(sys::memory_file("monoinit-log"));
    if (!fds.buffers)
        fds.problems.push_back(base::fail_errno(errno, "memory for log lines"));
    if (auto spool = sys::make_pipe_pair(0)) {
        fds.spool_read = std::move(spool->read);
        fds.spool_write = std::move(spool->write);
    } else {
        fds.problems.push_back(std::move(spool.error()));
    }
    if (logs_socket.empty())
        return fds;
    if (auto listener = sys::bind_unix(logs_socket, SOCK_STREAM | SOCK_NONBLOCK, 0666))
        fds.listener = std::move(*listener);
    else
        fds.problems.push_back(std::move(listener.error()));
    return fds;
}

std::string encode_state(const LinkState& state) {
    std::string out;
    Packer packer(out);
    packer.number(state_version).number(static_cast<std::int32_t>(state.socket)).number(state.next_stream);
    packer.text(encode(to_logger::Configure{state.config})).flag(state.shutdown);
    packer.number(static_cast<std::uint32_t>(state.muted.size()));
    for (const std::string& unit : state.muted)
        packer.text(unit);
    packer.number(static_cast<std::uint32_t>(state.streams.size()));
    for (const HeldStream& held : state.streams) {
        packer.number(held.stream.value).number(static_cast<std::int32_t>(held.fd)).flag(held.acknowledged);
        packer.text(encode_stream_info(held.info));
    }
    return out;
}

base::Result<LinkState> decode_state(std::string_view bytes) {
    const auto broken = [] { return base::fail(base::Errc::Protocol, "state of the log link is damaged"); };
    Unpacker in(bytes);
    LinkState state;
    if (in.number<std::uint32_t>() < state_version)
        return broken();
    state.socket = in.number<std::int32_t>();
    state.next_stream = in.number<std::uint64_t>();
    const ToLogger configure = TRY(decode_to_logger(in.text()));
    if (!std::holds_alternative<to_logger::Configure>(configure))
        return broken();
    state.config = std::get<to_logger::Configure>(configure).config;
    state.shutdown = in.flag();
    for (auto left = in.number<std::uint32_t>(); left > 0 && !in.failed(); left--)
        state.muted.emplace_back(in.text());
    for (auto left = in.number<std::uint32_t>(); left > 0 && !in.failed(); left--) {
        HeldStream held;
        held.stream = StreamId{in.number<std::uint64_t>()};
        held.fd = in.number<std::int32_t>();
        held.acknowledged = in.flag();
        held.info = TRY(decode_stream_info(in.text()));
        state.streams.push_back(std::move(held));
    }
    if (in.failed())
        return broken();
    return state;
}

} // namespace monoinit::log
