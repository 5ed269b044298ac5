"""A D-Bus client without a library: takes a name at SIGUSR1 (or --now), gives it up at the next one. For bus_names.py.

usage: bus_owner.py NAME [--now] [--exit] [--stay] | bus_owner.py --liar | bus_owner.py --start NAME | bus_owner.py --ping NAME
--start asks the bus to start who has the name and prints its number or the error; --ping calls a method that nobody has.
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


def call(serial, member, signature="", body=b"", to="org.freedesktop.DBus"):
    fields = b""
    for code, kind, value in ((1, "o", "/org/freedesktop/DBus"), (2, "s", "org.freedesktop.DBus"), (3, "s", member), (6, "s", to)):
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


def enter():
    bus = socket.socket(socket.AF_UNIX)
    bus.connect(SOCKET)
    bus.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n")
    bus.recv(1024)
    bus.sendall(b"BEGIN\r\n" + call(1, "Hello"))
    return bus


def answer(bus, serial):
    """The reply to a call: its number, or the name and text of an error."""
    data = b""
    while True:
        while len(data) >= 16:
            body, _, fields = struct.unpack("<III", data[4:16])
            size = 16 + fields + (-fields % 8) + body
            if len(data) < size:
                break
            header, content, kind = data[16:16 + fields], data[size - body:size], data[1]
            data = data[size:]
            if kind in (2, 3) and b"\x05\x01u\0" + struct.pack("<I", serial) in header:
                if kind == 2:
                    return str(struct.unpack("<I", content[:4])[0])
                at = header.index(b"\x04\x01s\0") + 4
                name = header[at + 4:at + 4 + struct.unpack("<I", header[at:at + 4])[0]].decode()
                return name if "UnknownMethod" in name else name + " " + content[4:-1].decode()
        data += bus.recv(65536)


def main():
    if sys.argv[1] == "--liar":
        return lie()
    if sys.argv[1] in ("--start", "--ping"):
        bus, name = enter(), sys.argv[2]
        if sys.argv[1] == "--start":
            bus.sendall(call(2, "StartServiceByName", "su", padded(text(name), 4) + struct.pack("<I", 0)))
        else:
            bus.sendall(call(2, "Nothing", to=name))
        return say(answer(bus, 2))
    name, options = sys.argv[1], sys.argv[2:]
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    if "--exit" in options:
        return None
    bus = enter()
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
