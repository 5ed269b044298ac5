#pragma once
// [Socket], systemd.socket(5), as plain data; see config.hpp. Its commands stand in the lists that services have too
// (ServiceSection::commands: ExecStopPre= is ExecList::Stop). Tested by tests/unit/unit/socket_test.cpp.

#include "base/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace monoinit::unit {

enum class ListenKind : std::uint8_t { Stream, Datagram, SequentialPacket, Fifo, Special, MessageQueue, Netlink };
/// Port: no address was given, so all of them, by IPv6 where there is IPv6.
enum class AddressFamily : std::uint8_t { Path, Abstract, Inet, Inet6, Port, Vsock, Netlink };
enum class BindIPv6Only : std::uint8_t { Default, Both, Ipv6Only };
enum class Timestamping : std::uint8_t { Off, Microseconds, Nanoseconds };

struct ListenAddress {
    ListenKind kind = ListenKind::Stream;
    AddressFamily family = AddressFamily::Path;
    std::string host;       ///< path, abstract name without "@", or IP address as written
    std::uint32_t port = 0; ///< also: of vsock, the group of netlink
    std::uint32_t cid = 0;  ///< of vsock; of netlink the family's number
    std::string text() const; ///< "/run/x.sock", "[::]:80", "kobject-uevent 1"
    bool has_path() const { return family == AddressFamily::Path && kind != ListenKind::MessageQueue; }
    bool operator==(const ListenAddress&) const = default;
};

struct SocketSection {
    std::vector<ListenAddress> listen;
    BindIPv6Only bind_ipv6_only = BindIPv6Only::Default;
    std::uint32_t backlog = 0xffffffff;
    std::string bind_to_device, user, group;
    std::uint32_t mode = 0666, directory_mode = 0755;
    bool accept = false, writable = false, flush_pending = false;
    std::uint32_t max_connections = 64;
    std::optional<std::uint32_t> max_connections_per_source;
    bool keep_alive = false, no_delay = false;
    base::Duration keep_alive_time{}, keep_alive_interval{}, defer_accept{};
    std::uint32_t keep_alive_probes = 0;
    std::optional<int> priority, ip_tos, ip_ttl;
    std::optional<std::uint32_t> mark;
    std::uint64_t receive_buffer = 0, send_buffer = 0, pipe_size = 0;
    std::optional<std::uint32_t> queue_messages, queue_message_size;
    bool reuse_port = false, free_bind = false, transparent = false, broadcast = false;
    bool pass_credentials = false, pass_pidfd = false, pass_security = false, pass_packet_info = false;
    Timestamping timestamping = Timestamping::Off;
    std::string tcp_congestion;
    int protocol = 0; ///< SocketProtocol=, IPPROTO_*
    bool remove_on_stop = false;
    std::vector<std::string> symlinks;
    std::string descriptor_name; ///< empty: the socket unit's name; "connection" with Accept=
    base::Duration timeout = std::chrono::seconds(90);
    std::optional<base::Duration> trigger_interval, poll_interval;
    std::optional<std::uint32_t> trigger_burst, poll_burst;
    std::string service; ///< empty: the service of the socket's name

    base::Duration effective_trigger_interval() const { return trigger_interval.value_or(std::chrono::seconds(2)); }
    std::uint32_t effective_trigger_burst() const { return trigger_burst.value_or(accept ? 200 : 20); }
    base::Duration effective_poll_interval() const { return poll_interval.value_or(std::chrono::seconds(2)); }
    std::uint32_t effective_poll_burst() const { return poll_burst.value_or(accept ? 150 : 15); }
};

} // namespace monoinit::unit
