# notify.pl MESSAGE…: what systemd-notify does, without the package: each message to $NOTIFY_SOCKET.
use strict;
use warnings;
use Socket;
socket(my $socket, AF_UNIX, SOCK_DGRAM, 0) or die "socket: $!";
for (@ARGV) {
    send($socket, $_, 0, pack_sockaddr_un($ENV{NOTIFY_SOCKET})) or die "send: $!";
}
