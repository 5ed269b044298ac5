"""Services of the upgrade that do more than sleep. usage: actor.py ROLE [ARGUMENT]"""
import array
import itertools
import os
import selectors
import signal
import socket
import sys
import time

ROLE = sys.argv[1]
told = set()


def tell(text, *descriptors):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
        peer.connect(os.environ["NOTIFY_SOCKET"])
        peer.sendmsg([text.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else [])


def pause():
    while True:
        signal.pause()


if ROLE == "notify":  # keeps its watchdog content until SIGUSR2; says so when it gets SIGUSR1
    signal.signal(signal.SIGUSR1, lambda *_: tell("STATUS=heard"))
    signal.signal(signal.SIGUSR2, lambda *_: told.add("silent"))
    tell("READY=1\nSTATUS=up")
    while True:
        if not told:
            tell("WATCHDOG=1")
        time.sleep(0.2)
elif ROLE == "late":  # is ready when it gets SIGUSR1
    signal.signal(signal.SIGUSR1, lambda *_: tell("READY=1"))
    tell("STATUS=on the way")
    pause()
elif ROLE == "stored":
    if "LISTEN_FDS" in os.environ:
        print("back:", os.environ["LISTEN_FDNAMES"], os.pread(3, 100, 0).decode(), flush=True)
    else:
        treasure = os.memfd_create("treasure")
        os.write(treasure, b"what was kept")
        tell("FDSTORE=1\nFDNAME=treasure\nFDPOLL=0", treasure)
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
elif ROLE == "serve":  # answers each line of a connection with its own pid
    chooser = selectors.DefaultSelector()
    listener = socket.socket(fileno=3)
    chooser.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in chooser.select():
            if key.fileobj is listener:
                chooser.register(listener.accept()[0], selectors.EVENT_READ)
            elif key.fileobj.recv(100):
                key.fileobj.sendall(b"%d\n" % os.getpid())
            else:
                chooser.unregister(key.fileobj)
                key.fileobj.close()
elif ROLE == "counts":  # numbered lines: none may be missing
    for number in itertools.count(1):
        os.write(1, b"count %d\n" % number)
        time.sleep(0.02)
