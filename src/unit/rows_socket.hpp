#pragma once
// Rows of [Socket]: systemd.socket(5).

#include "unit/codecs_socket.hpp"
#include "unit/rows.hpp"

namespace monoinit::unit::rows {

// clang-format off

inline constexpr auto bind_ipv6_only_names = enum_names<BindIPv6Only>({
    {BindIPv6Only::Default, "default"}, {BindIPv6Only::Both, "both"}, {BindIPv6Only::Ipv6Only, "ipv6-only"}});
inline constexpr auto timestamping_names = enum_names<Timestamping>({
    {Timestamping::Off, "off"}, {Timestamping::Microseconds, "us"}, {Timestamping::Nanoseconds, "ns"}});
inline constexpr auto ip_tos_names = enum_names<int>({{0x10, "low-delay"}, {0x08, "throughput"}, {0x04, "reliability"}, {0x02, "low-cost"}});
inline constexpr auto socket_protocol_names = enum_names<int>({{0, "0"}, {136, "udplite"}, {132, "sctp"}, {262, "mptcp"}});

/// NumberedEnum= for a field that may be unset.
struct TypeOfService {
    static constexpr base::Literal type = "low-delay, throughput, reliability, low-cost or a number";
    static Result<void> parse(ParseContext& context, std::string_view value, std::optional<int>& field) {
        int number = 0;
        TRY((codec::NumberedEnum<ip_tos_names, 255>::parse(context, value, number)));
        field = number;
        return {};
    }
    static std::string show(const std::optional<int>& field) { return field ? std::to_string(*field) : std::string(); }
};

template <class Codec, auto Member> constexpr Directive socket(Text name, Text dflt, Text example, Text doc, std::uint16_t since = 0) {
    return field<Codec, &UnitConfig::socket, Member>(Group::Socket, name, dflt, example, doc, since);
}
template <ListenKind Kind> constexpr Directive listen(Text name, Text example, Text doc) {
    return field<codec::Listen<Kind>, &UnitConfig::socket, &SocketSection::listen>(Group::Socket, name, "", example, doc);
}
template <ExecList List> constexpr Directive socket_commands(Text name, Text example, Text doc) {
    return field<codec::Commands<List>, &UnitConfig::service>(Group::Socket, name, "", example, doc);
}
template <class Codec> using Maybe = codec::Optional<Codec>;
using codec::Bool;
using codec::TimeSpan;
using codec::Unsigned;

inline constexpr Text no_labels = "SMACK and SELinux labels of sockets are the machine's affair";

inline constexpr auto socket_rows = std::to_array<Directive>({
    listen<ListenKind::Stream>("ListenStream", "8080", "Stream socket to listen on: a path, @abstract name, port, IPv4:port, [IPv6]:port or vsock:CID:port."),
    listen<ListenKind::Datagram>("ListenDatagram", "/run/app.sock", "Datagram socket to listen on."),
    listen<ListenKind::SequentialPacket>("ListenSequentialPacket", "/run/app.sock", "Unix socket that keeps the bounds of messages."),
    listen<ListenKind::Fifo>("ListenFIFO", "/run/app.fifo", "FIFO to listen on."),
    listen<ListenKind::Special>("ListenSpecial", "/dev/rtc", "Character device or file to wait for."),
    listen<ListenKind::Netlink>("ListenNetlink", "kobject-uevent 1", "Netlink family, and multicast group, to listen on."),
    listen<ListenKind::MessageQueue>("ListenMessageQueue", "/app", "POSIX message queue to listen on."),
    ignored(Group::Socket, "ListenUSBFunction", "USB gadget to listen on.", "needs a USB device controller"),
    socket<codec::NumberedEnum<socket_protocol_names, 0>, &SocketSection::protocol>("SocketProtocol", "0", "udplite", "Another protocol than TCP or UDP."),
    socket<codec::Enum<bind_ipv6_only_names>, &SocketSection::bind_ipv6_only>("BindIPv6Only", "default", "both", "Whether IPv6 sockets take IPv4 too; default: as the kernel has it."),
    socket<Unsigned, &SocketSection::backlog>("Backlog", "4294967295", "128", "How many connections wait; the kernel bounds it."),
    socket<codec::Text, &SocketSection::bind_to_device>("BindToDevice", "", "eth0", "Network interface that traffic must come in by."),
    socket<codec::Account, &SocketSection::user>("SocketUser", "root", "www-data", "Owner of sockets and FIFOs in the file system."),
    socket<codec::Account, &SocketSection::group>("SocketGroup", "root", "www-data", "Group of sockets and FIFOs in the file system."),
    socket<codec::Mode, &SocketSection::mode>("SocketMode", "0666", "0660", "Mode of sockets and FIFOs in the file system."),
    socket<codec::Mode, &SocketSection::directory_mode>("DirectoryMode", "0755", "0750", "Mode of directories made for them."),
    socket<Bool, &SocketSection::accept>("Accept", "no", "yes", "Each connection is accepted here and gets an instance of NAME@.service of its own."),
    socket<Bool, &SocketSection::writable>("Writable", "no", "yes", "Open ListenSpecial= files for writing too."),
    socket<Bool, &SocketSection::flush_pending>("FlushPending", "no", "yes", "What still waits when the service has ended is thrown away."),
    socket<Unsigned, &SocketSection::max_connections>("MaxConnections", "64", "200", "How many instances there may be at a time; further connections are closed."),
    socket<Maybe<Unsigned>, &SocketSection::max_connections_per_source>("MaxConnectionsPerSource", "MaxConnections=", "8", "The same for each address they come from."),
    socket<Bool, &SocketSection::keep_alive>("KeepAlive", "no", "yes", "TCP keep-alive."),
    socket<TimeSpan, &SocketSection::keep_alive_time>("KeepAliveTimeSec", "0", "2h", "How long a connection is idle before keep-alive begins; 0: as the kernel has it."),
    socket<TimeSpan, &SocketSection::keep_alive_interval>("KeepAliveIntervalSec", "0", "75s", "Time between keep-alive probes."),
    socket<Unsigned, &SocketSection::keep_alive_probes>("KeepAliveProbes", "0", "9", "After how many unanswered probes a connection is dead."),
    socket<Bool, &SocketSection::no_delay>("NoDelay", "no", "yes", "TCP_NODELAY: small packets go out at once."),
    socket<Maybe<codec::Number<-1, 0x7fffffff>>, &SocketSection::priority>("Priority", "", "6", "SO_PRIORITY of what is sent."),
    socket<TimeSpan, &SocketSection::defer_accept>("DeferAcceptSec", "0", "3s", "TCP: wake up only when data comes, or after this time."),
    socket<codec::ByteCount, &SocketSection::receive_buffer>("ReceiveBuffer", "0", "1M", "SO_RCVBUF; 0: as the kernel has it."),
    socket<codec::ByteCount, &SocketSection::send_buffer>("SendBuffer", "0", "1M", "SO_SNDBUF; 0: as the kernel has it."),
    socket<TypeOfService, &SocketSection::ip_tos>("IPTOS", "", "low-delay", "IP type of service of what is sent."),
    socket<Maybe<codec::Number<1, 255>>, &SocketSection::ip_ttl>("IPTTL", "", "64", "IP time to live of what is sent."),
    socket<Maybe<Unsigned>, &SocketSection::mark>("Mark", "", "7", "Firewall mark of what is sent; needs CAP_NET_ADMIN."),
    socket<Bool, &SocketSection::reuse_port>("ReusePort", "no", "yes", "Others may bind the same port too."),
    ignored(Group::Socket, "SmackLabel", "SMACK label.", no_labels),
    ignored(Group::Socket, "SmackLabelIPIn", "SMACK label of incoming packets.", no_labels),
    ignored(Group::Socket, "SmackLabelIPOut", "SMACK label of outgoing packets.", no_labels),
    ignored(Group::Socket, "SELinuxContextFromNet", "SELinux label from the network.", no_labels),
    socket<codec::ByteCount, &SocketSection::pipe_size>("PipeSize", "0", "64K", "Size of FIFO buffers; 0: as the kernel has it."),
    socket<Maybe<Unsigned>, &SocketSection::queue_messages>("MessageQueueMaxMessages", "", "10", "How many messages a message queue holds; with MessageQueueMessageSize=."),
    socket<Maybe<Unsigned>, &SocketSection::queue_message_size>("MessageQueueMessageSize", "", "8192", "Most bytes of one of its messages."),
    socket<Bool, &SocketSection::free_bind>("FreeBind", "no", "yes", "Addresses may be bound that do not exist yet."),
    socket<Bool, &SocketSection::transparent>("Transparent", "no", "yes", "IP_TRANSPARENT; needs CAP_NET_ADMIN."),
    socket<Bool, &SocketSection::broadcast>("Broadcast", "no", "yes", "Datagrams may go to broadcast addresses."),
    socket<Bool, &SocketSection::pass_credentials>("PassCredentials", "no", "yes", "SO_PASSCRED: who sends is told."),
    socket<Bool, &SocketSection::pass_pidfd>("PassPIDFD", "no", "yes", "SO_PASSPIDFD: the sender's pidfd is passed.", 257),
    socket<Bool, &SocketSection::pass_security>("PassSecurity", "no", "yes", "SO_PASSSEC: the sender's security context is told."),
    socket<Bool, &SocketSection::pass_packet_info>("PassPacketInfo", "no", "yes", "IP_PKTINFO: to which address a datagram was sent."),
    ignored(Group::Socket, "PassFileDescriptorsToExec", "Pass the sockets to Exec commands too.", "ExecStartPost= and kin of a socket unit get no descriptors in this version", 256),
    socket<codec::Enum<timestamping_names>, &SocketSection::timestamping>("Timestamping", "off", "us", "When datagrams came in is told: us or ns."),
    socket<codec::Text, &SocketSection::tcp_congestion>("TCPCongestion", "", "cubic", "TCP congestion algorithm."),
    socket_commands<ExecList::StartPre>("ExecStartPre", "/usr/bin/app --prepare", "Commands run one by one before the sockets are made."),
    socket_commands<ExecList::StartPost>("ExecStartPost", "/usr/bin/app --announce", "Commands run when they are there."),
    socket_commands<ExecList::Stop>("ExecStopPre", "/usr/bin/app --retract", "Commands run before the sockets are closed."),
    socket_commands<ExecList::StopPost>("ExecStopPost", "-/bin/rm -f /run/app.lock", "Commands run when they are closed."),
    socket<codec::Timeout, &SocketSection::timeout>("TimeoutSec", "1min 30s", "10s", "How long each of the commands may take."),
    socket<codec::ActivatedService, &SocketSection::service>("Service", "", "app.service", "The service to start; else that of the socket's name."),
    socket<Bool, &SocketSection::remove_on_stop>("RemoveOnStop", "no", "yes", "Sockets, FIFOs and Symlinks= are removed from the file system at stop."),
    socket<codec::Paths, &SocketSection::symlinks>("Symlinks", "", "/run/old.sock", "Links made to the one socket or FIFO in the file system."),
    socket<codec::DescriptorName, &SocketSection::descriptor_name>("FileDescriptorName", "", "http", "What the service finds in LISTEN_FDNAMES; else the socket unit's name, or \"connection\" with Accept=yes."),
    socket<Maybe<TimeSpan>, &SocketSection::trigger_interval>("TriggerLimitIntervalSec", "2s", "10s", "The socket fails when it starts its service more often than TriggerLimitBurst= in this time."),
    socket<Maybe<Unsigned>, &SocketSection::trigger_burst>("TriggerLimitBurst", "20; 200 with Accept=yes", "50", "0: no limit."),
    socket<Maybe<TimeSpan>, &SocketSection::poll_interval>("PollLimitIntervalSec", "2s", "1s", "After PollLimitBurst= events in this time the socket is not looked at until the time is over.", 255),
    socket<Maybe<Unsigned>, &SocketSection::poll_burst>("PollLimitBurst", "15; 150 with Accept=yes", "500", "0: no limit.", 255),
});
// clang-format on

} // namespace monoinit::unit::rows
