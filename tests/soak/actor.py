"""Services of the soak that do more than sleep. usage: actor.py ROLE [ARGUMENT]"""
import array
import os
import random
import signal
import socket
import sys
import time

ROLE = sys.argv[1]


def tell(text, *descriptors):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
        peer.connect(os.environ["NOTIFY_SOCKET"])
        peer.sendmsg([text.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else [])


def reloaded(*_):
    tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
    tell("READY=1\nSTATUS=reloaded")


def pause():
    while True:
        signal.pause()


if ROLE == "notify":
    signal.signal(signal.SIGHUP, reloaded)
    tell("READY=1\nSTATUS=up")
    pause()
elif ROLE == "watchdog":  # is on time for a while, then is not
    tell("READY=1")
    for _ in range(random.randrange(5, 20)):
        tell("WATCHDOG=1")
        time.sleep(0.3)
    pause()
elif ROLE == "stored":
    for _ in range(random.randrange(8)):  # beyond FileDescriptorStoreMax=
        ends = os.pipe()
        tell("FDSTORE=1\nFDNAME=pipe", *ends)
    tell("FDSTOREREMOVE=1\nFDNAME=none")
    tell("READY=1")
    pause()
elif ROLE == "daemon":
    if os.fork():
        os._exit(0)
    os.setsid()
    if child := os.fork():
        with open(sys.argv[2] + ".new", "w", encoding="ascii") as out:
            out.write(f"{child}\n")
        os.rename(sys.argv[2] + ".new", sys.argv[2])
        os._exit(0)
    pause()
elif ROLE == "serve":
    listener, datagrams = (socket.socket(fileno=3 + i) for i in range(2))
    del datagrams
    listener.settimeout(2)
    try:
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(1)
                try:
                    connection.sendall(connection.recv(1000))
                except OSError:
                    pass
    except TimeoutError:
        pass  # nobody comes: the socket unit takes over again
elif ROLE == "counts":  # numbered lines: none may be missing
    number = 0
    while True:
        number += 1
        os.write(1, b"count %d %d\n" % (os.getpid(), number))
        time.sleep(0.02)
