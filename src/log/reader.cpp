// Client of the logs socket. Tested by tests/unit/log/logger_test.cpp.

#include "log/reader.hpp"

#include "sys/socket.hpp"

#include <array>
#include <poll.h>
#include <unistd.h>

namespace monoinit::log {
namespace {

base::Result<void> check_owner(int socket, const ReadOptions& options) {
    const ucred peer = TRY(sys::peer_credentials(socket));
    if (options.trusted_uid && peer.uid != 0 && peer.uid != *options.trusted_uid)
        return base::fail(base::Errc::Denied, "the logs socket belongs to another user");
    return {};
}

base::Result<void> send_all(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return base::fail_errno(errno, "asking for logs");
        if (sent > 0)
            bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
}

int timeout_ms(const Query& query, const ReadOptions& options) {
    if (query.follow || options.timeout == base::infinity)
        return -1;
    return static_cast<int>(options.timeout.count() / 1000);
}

enum class Turn : std::uint8_t { GoOn, Stop };

base::Result<Turn> take(const Frame& frame, const std::function<bool(const Record&)>& callback,
                        const ReadOptions& options) {
    switch (frame.type) {
    case FrameType::Record: {
        const Record record = TRY(decode_record(frame.payload));
        return callback(record) ? Turn::GoOn : Turn::Stop;
    }
    case FrameType::Gap:
        if (options.on_gap)
            options.on_gap();
        return Turn::GoOn;
    case FrameType::End:
        return Turn::Stop;
    case FrameType::Query:
        break;
    }
    return Turn::GoOn; // of a later version
}

/// Sends the query and passes each frame of the answer on, until one of them says that it is the last.
base::Result<void> ask(const std::string& socket_path, const Query& query, const ReadOptions& options,
                       const std::function<base::Result<Turn>(const Frame&)>& take_frame) {
    const sys::UniqueFd socket = TRY(sys::connect_unix(socket_path, SOCK_STREAM));
    TRY(check_owner(socket.get(), options));
    std::string pending;
    append_query(pending, query);
    TRY(send_all(socket.get(), pending));
    pending.clear();

    std::array<char, 32 << 10> buffer; // not cleared: ten lines touch a page of it
    for (;;) {
        pollfd waiting{socket.get(), POLLIN, 0};
        const int ready = poll(&waiting, 1, timeout_ms(query, options));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            return base::fail(base::Errc::Busy, "the logger does not answer");
        const ssize_t size = read(socket.get(), buffer.data(), buffer.size());
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return base::fail(base::Errc::Protocol, "the logger hung up");
        pending.append(buffer.data(), static_cast<std::size_t>(size));
        std::size_t used = 0;
        while (const auto frame = TRY(next_frame(std::string_view(pending).substr(used), max_frame))) {
            used += frame->size;
            if (TRY(take_frame(*frame)) == Turn::Stop)
                return {};
        }
        pending.erase(0, used);
    }
}

} // namespace

base::Result<void> read_logs(const std::string& socket_path, const Query& query,
                             const std::function<bool(const Record&)>& callback, const ReadOptions& options) {
    return ask(socket_path, query, options, [&](const Frame& frame) { return take(frame, callback, options); });
}

base::Result<OrderDone> order_store(const std::string& socket_path, const Query& query, const ReadOptions& options) {
    OrderDone done;
    TRY(ask(socket_path, query, options, [&](const Frame& frame) -> base::Result<Turn> {
        if (frame.type == FrameType::End)
            done = decode_order_done(frame.payload);
        return frame.type == FrameType::End ? Turn::Stop : Turn::GoOn;
    }));
    return done;
}

} // namespace monoinit::log
