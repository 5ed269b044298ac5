"""A D-Bus client without a library: takes a name at SIGUSR1 (or --now), gives it up at the next one. For bus_names.py.

usage: bus_owner.py NAME [--now] [--exit] [--stay] | bus_owner.py --liar
"""
import os
import signal
import socket
import struct
import sys

SOCKET = "/run/dbus/system_bus_socket"


def text(value):
    return struct.pack("<I", len(value)) + value.encode() + b"\0"


def padded(data, to):
    return data + b"\0" * (-len(data) % to)


def call(serial, member, signature="", body=b""):
    fields = b""
    for code, kind, value in ((1, "o", "/org/freedesktop/DBus"), (2, "s", "org.freedesktop.DBus"), (3, "s", member), (6, "s", "org.freedesktop.DBus")):
        fields = padded(fields, 8) + bytes([code, 1]) + kind.encode() + b"\0" + text(value)
    if signature:
        fields = padded(fields, 8) + b"\x08\x01g\0" + bytes([len(signature)]) + signature.encode() + b"\0"
    return padded(struct.pack("<cBBBIII", b"l", 1, 0, 1, len(body), serial, len(fields)) + fields, 8) + body


def say(line):
    print(line, flush=True)


def lie():
    """A server that never ends its sentences: an endless line, then a message of four gigabytes."""
    os.makedirs(os.path.dirname(SOCKET), exist_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(SOCKET)
    listener.listen()
    say("listening")
    lies = [b"x" * 65536, b"OK 1\r\n" + b"l\x04\0\1" + b"\xff" * 12 + b"y" * 65536, b"OK 1\r\nnonsense nonsense"]
    turn = 0
    while True:
        peer, _ = listener.accept()
        try:
            peer.sendall(lies[turn % len(lies)])
            while turn % len(lies) == 1:
                peer.sendall(b"y" * 65536)
        except OSError:
            pass
        turn += 1
        peer.close()


def main():
    if sys.argv[1] == "--liar":
        return lie()
    name, options = sys.argv[1], sys.argv[2:]
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    if "--exit" in options:
        return None
    bus = socket.socket(socket.AF_UNIX)
    bus.connect(SOCKET)
    bus.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n")
    bus.recv(1024)
    bus.sendall(b"BEGIN\r\n" + call(1, "Hello"))
    say("connected")
    pid = os.fork()  # reads what comes, so that the bus does not wait for us; ends the other when the bus ends
    if pid == 0:
        while bus.recv(4096):
            pass
        if "--stay" not in options:
            os.kill(os.getppid(), signal.SIGTERM)
        os._exit(0)
    if "--now" not in options:
        signal.sigwait([signal.SIGUSR1])
    bus.sendall(call(2, "RequestName", "su", padded(text(name), 4) + struct.pack("<I", 0)))
    signal.sigwait([signal.SIGUSR1])
    bus.sendall(call(3, "ReleaseName", "s", text(name)))
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
