#!/usr/bin/env python3
"""The descriptor store: what a service leaves with FDSTORE=1 it gets back by name, over a restart, a kill, a new image and a crash of PID 1;
what it takes back, what hangs up and what is too much goes."""
import os
import signal
import socket

from harness import Box, check, equal, run, until

# Keeps its listening socket and every connection in the store. "STATE" of a connection is how often it was asked before.
SERVER = """
import array, os, selectors, socket, sys
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
def tell(text, *fds):
    notify.sendmsg([text.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])
names = os.environ.get("LISTEN_FDNAMES", "").split(":") if "LISTEN_FDS" in os.environ else []
assert not names or int(os.environ["LISTEN_PID"]) == os.getpid()
print("back:", *names, flush=True)
chooser = selectors.DefaultSelector()
for i, name in enumerate(names):
    chooser.register(socket.socket(fileno=3 + i), selectors.EVENT_READ, name)
if "listener" not in names:
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    tell("FDSTORE=1\\nFDNAME=listener", listener.fileno())
    chooser.register(listener, selectors.EVENT_READ, "listener")
tell("READY=1")
while True:
    for key, _ in chooser.select():
        if key.data == "listener":
            connection, (_, port) = key.fileobj.accept()
            tell(f"FDSTORE=1\\nFDNAME=client-{port}", connection.fileno())
            chooser.register(connection, selectors.EVENT_READ, f"client-{port}")
            continue
        text = key.fileobj.recv(100).decode()
        if not text:
            tell(f"FDSTOREREMOVE=1\\nFDNAME={key.data}")
            chooser.unregister(key.fileobj)
            key.fileobj.close()
        else:
            key.fileobj.sendall(f"{os.getpid()} {key.data} {text}".encode())
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def begin(box, *lines):
    with open(box.path("server.py"), "w", encoding="utf-8") as out:
        out.write(SERVER)
    port = free_port()
    extra = "\n".join(lines)
    box.write("app.service", f"[Service]\nType=notify\nExecStart=/usr/bin/env python3 {box.path('server.py')} {port}\n{extra}\n")
    box.enable("app.service")
    box.boot()
    return port


def ask(client, text="hello"):
    client.sendall(text.encode())
    return client.recv(1000).decode().split()


def count(box):
    return box.show("app", "NFileDescriptorStore")


def story_a_connection_stays_open_over_a_restart():
    with Box() as box:
        port = begin(box, "FileDescriptorStoreMax=16", "Restart=always", "RestartSec=0")
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            name = f"client-{client.getsockname()[1]}"
            first = ask(client)
            equal(first[1:], [name, "hello"])
            equal(count(box), "2")
            seen = {first[0]}
            for what in (lambda: box.initctl("restart", "app", check=True),
                         lambda: box.inside("kill", "-9", str(box.main_pid("app")), check=True),
                         lambda: (box.initctl("daemon-reexec", check=True), box.initctl("restart", "app", check=True)),
                         lambda: (os.kill(box.init, signal.SIGSEGV), box.wait_log("PID 1 crashed"), box.initctl("restart", "app", check=True))):
                what()
                answer = ask(client)
                equal(answer[1:], [name, "hello"])
                check(answer[0] not in seen, "another process")
                seen.add(answer[0])
                equal(count(box), "2")
            check(f"[app] back: listener {name}" in box.log(), box.log())
        until("the connection has gone", lambda: count(box) == "1")
        # Stopped for good, nothing is kept.
        box.initctl("stop", "app", check=True)
        equal(count(box), "0")
        box.initctl("start", "app", check=True)
        box.wait_log(r"^\[app\] back:$", count=2)


def story_kept_also_while_it_is_stopped():
    with Box() as box:
        port = begin(box, "FileDescriptorStoreMax=16", "FileDescriptorStorePreserve=yes")
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            ask(client)
            box.initctl("stop", "app", check=True)
            equal(count(box), "2")
            client.sendall(b"while it is away")
            box.initctl("daemon-reload", check=True)
            box.initctl("daemon-reexec", check=True)
            box.initctl("start", "app", check=True)
            check(client.recv(1000).decode().endswith("while it is away"), "it was answered late")
            refused = box.initctl("clean", "--what=fdstore", "app", name="systemctl")
            equal((refused.returncode, count(box)), (1, "2"), "while it runs")
            box.initctl("stop", "app", check=True)
            box.initctl("clean", "--what=fdstore", "app", name="systemctl", check=True)
            equal(count(box), "0")


def story_not_kept_at_all():
    with Box() as box:
        port = begin(box, "FileDescriptorStoreMax=16", "FileDescriptorStorePreserve=no")
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            ask(client)
            box.initctl("restart", "app", check=True)
            equal(client.recv(10), b"", "the end")
            equal(count(box), "1")


def story_the_store_has_its_limits():
    with Box() as box:
        port = begin(box, "FileDescriptorStoreMax=3")
        before = len(os.listdir(f"/proc/{box.init}/fd"))
        clients = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(5)]
        for client in clients:
            ask(client)
        equal(count(box), "3")
        box.wait_log(r"app: FDSTORE=1: FileDescriptorStoreMax=3 are stored already; 1 closed")
        until("no descriptor was forgotten", lambda: len(os.listdir(f"/proc/{box.init}/fd")) <= before + 2)
        for client in clients:
            client.close()
        until("only the listener is left", lambda: count(box) == "1")


def story_what_hangs_up_is_let_go_of():
    keeper = """
import array, os, socket, time
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
def tell(text, *fds):
    notify.sendmsg([text.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])
ends = [os.pipe() for _ in range(2)]
tell("FDSTORE=1\\nFDNAME=polled", ends[0][0])
tell("FDSTORE=1\\nFDNAME=kept\\nFDPOLL=0", ends[1][0])
tell("FDSTORE=1\\nFDNAME=again\\nFDPOLL=0", ends[1][0])
tell("FDSTORE=1\\nFDNAME=file", os.open("/etc/passwd", os.O_RDONLY))
tell("FDSTOREREMOVE=1")
tell("READY=1")
while not os.path.exists("/run/go"):
    time.sleep(0.01)
for read, write in ends:
    os.close(write)
time.sleep(1000)
"""
    with Box() as box:
        with open(box.path("keeper.py"), "w", encoding="utf-8") as out:
            out.write(keeper)
        box.write("app.service", f"[Service]\nType=notify\nExecStart=/usr/bin/env python3 {box.path('keeper.py')}\nFileDescriptorStoreMax=9\n")
        box.enable("app.service")
        box.boot()
        check(count(box) in ("3", "4"), count(box))  # 4 where kcmp(2) is forbidden: a descriptor sent twice counts twice
        before = int(count(box))
        box.inside("touch", "/run/go", check=True)
        until("one has gone", lambda: int(count(box)) == before - 1)


def story_nothing_is_stored_unasked():
    with Box() as box:
        port = begin(box)
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            ask(client)
        equal(count(box), "0")
        box.wait_log(r"app: FDSTORE=1: FileDescriptorStoreMax= is not set; 1 closed")


if __name__ == "__main__":
    run(globals())
