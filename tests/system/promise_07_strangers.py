#!/usr/bin/env python3
"""Promise 7: strangers at the control and notify sockets neither count nor hold PID 1 up."""
import os
import re
import threading

from harness import NOTIFY, Box, check, equal, run, until

STRANGER = 54323
SLEEPER = "[Service]\nExecStart=/bin/sleep infinity\n"
UNREADY = "[Service]\nType=notify\nNotifyAccess=all\nTimeoutStartSec=60\nExecStart=/bin/sleep infinity\n"

# What a stranger does, run inside the box as another uid: stranger.py DEED SOCKET
DEEDS = r'''
import array, os, socket, struct, sys
deed, path = sys.argv[1], sys.argv[2]
kept = []
def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.connect(path)
    return s
def blocking_descriptor():
    """A TCP socket whose close() waits: SO_LINGER and bytes that nobody will ever read."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept.append(listener)
    s = socket.create_connection(listener.getsockname())
    kept.append(listener.accept()[0])
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
    s.setblocking(False)
    try:
        while True:
            s.send(bytes(1 << 16))
    except BlockingIOError:
        return s
def flood(write):
    try:
        write()
    except OSError:
        pass
if deed == "random":
    for seed in range(200):
        s = connect()
        flood(lambda: s.sendall(os.urandom(2000) + b"\0"))
elif deed == "huge":
    for _ in range(20):
        s = connect()
        flood(lambda: s.sendall(b'{"method":"' + b"x" * (16 << 20)))
elif deed == "deep":
    s = connect()
    flood(lambda: s.sendall(b'{"method":' + b"[" * 100000 + b"\0"))
elif deed == "slow":
    for _ in range(40):
        s = connect()
        flood(lambda: s.send(b'{"meth'))  # it may be dropped at once: others of its uid have all places
        kept.append(s)
elif deed == "unread":
    for _ in range(40):
        s = connect()
        s.setblocking(False)
        flood(lambda: [s.send(b'{"method":"io.monoinit.Manager.List","parameters":{}}\0') for _ in range(5000)])
        kept.append(s)
elif deed == "connects":
    for _ in range(10000):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        flood(lambda: s.connect(path))
        kept[:] = (kept + [s])[-500:]
elif deed == "linger":
    for _ in range(5):
        s = connect()
        flood(lambda: socket.send_fds(s, [b"x"], [blocking_descriptor().detach()]))
        kept.append(s)
elif deed == "notify-linger":
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for _ in range(5):
        flood(lambda: socket.send_fds(s, [b"FDSTORE=1\nREADY=1"], [blocking_descriptor().detach()], 0, path))
elif deed == "notify":
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for word in sys.argv[3:]:
        flood(lambda: s.sendto(word.encode(), path))
elif deed == "notify-flood":
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    for _ in range(20000):
        flood(lambda: s.sendto(os.urandom(300), path))
print("done", flush=True)
sys.stdin.readline()
'''


def deed(box, name, *arguments, uid=STRANGER):
    """Begins a deed and returns when it is done; its sockets stay open until the box ends."""
    if not os.path.exists(box.units + "/stranger.py"):  # one that begins may be reading it
        box.write("stranger.py", DEEDS)
    child = box.begin("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "python3", box.units + "/stranger.py", name, *arguments)
    return child


def control_socket(box):
    return until("the control socket", lambda: box.inside("sh", "-c", "ls /run/monoinit/control").stdout.strip())


def story_at_the_control_socket():
    with Box({"x.service": SLEEPER, "y.service": SLEEPER}, ["x.service", "y.service"]) as box:
        box.boot()
        path = control_socket(box)
        pid = box.main_pid("x")
        deeds = [deed(box, name, path) for name in ("random", "huge", "deep", "slow", "unread", "linger", "connects")]
        for child in deeds:
            answered = 0
            # Meanwhile root is answered, and services live and die as ever.
            line = []
            reader = threading.Thread(target=lambda c=child: line.append(c.stdout.readline()))
            reader.start()
            while reader.is_alive() or not answered:
                equal(box.main_pid("x"), pid)
                answered += 1
            equal(line, ["done\n"], f"{child.args[-2]}, exit {child.poll()}")
        box.initctl("restart", "y", check=True)
        equal(box.stop(), 0)


def story_another_uid_may_look_and_not_touch():
    with Box({"x.service": SLEEPER}, ["x.service"]) as box:
        box.boot()
        pid = box.main_pid("x")
        equal(box.initctl("is-active", "x", uid=STRANGER).stdout.strip(), "active")
        for words in (("stop", "x"), ("restart", "x"), ("kill", "x"), ("daemon-reload",), ("daemon-reexec",), ("exit",), ("isolate", "rescue")):
            done = box.initctl(*words, uid=STRANGER)
            check(done.returncode != 0, f"{words}: {done.stdout}{done.stderr}")
        equal(box.main_pid("x"), pid)
        equal(box.stop(), 0)


def notify_path(box, unit):
    pid = until("its first process", lambda: box.main_pid(unit))
    return re.search(r"NOTIFY_SOCKET=([^\0]+)", box.inside("cat", f"/proc/{pid}/environ", check=True).stdout).group(1)


def story_forged_notifications():
    with Box({"x.service": UNREADY, "other.service": SLEEPER}, ["other.service"]) as box:
        box.boot()
        box.initctl("start", "--no-block", "x", check=True)
        path = notify_path(box, "x")
        main, other = box.main_pid("x"), box.main_pid("other")
        forged = ("READY=1", f"MAINPID={other}", "STATUS=forged", f"READY=1\nMAINPID={other}\nSTATUS=forged", "STOPPING=1", "WATCHDOG=trigger")
        for uid in (STRANGER, 0):
            child = deed(box, "notify", path, *forged, uid=uid)
            equal(child.stdout.readline(), "done\n")
        equal(box.state("x"), "activating", "after forged READY=1")
        equal(box.main_pid("x"), main)
        check("forged" not in box.initctl("status", "x").stdout, "STATUS=")
        box.initctl("stop", "x", check=True)
        equal(box.main_pid("other"), other, "the other service is untouched")
        equal(box.state("other"), "active")
        equal(box.stop(), 0)


def story_a_main_pid_of_another_service():
    """The unit's own process names a pid that is not below its guard."""
    with Box({"other.service": SLEEPER}, ["other.service"]) as box:
        box.write("x.service", "[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c 'read pid < /run/other; "
                               f"{NOTIFY} MAINPID=$$pid READY=1; exec sleep infinity'\n")
        box.boot()
        other = box.main_pid("other")
        box.inside("sh", "-c", f"echo {other} > /run/other", check=True)
        box.initctl("start", "x", check=True)
        check(box.main_pid("x") not in (0, other), "its main pid is its own")
        box.initctl("stop", "x", check=True)
        equal(box.main_pid("other"), other)
        equal(box.state("other"), "active")
        equal(box.stop(), 0)


def story_a_flood_at_the_notify_socket():
    with Box({"x.service": UNREADY, "y.service": SLEEPER}, ["y.service"]) as box:
        box.boot()
        box.initctl("start", "--no-block", "x", check=True)
        path = notify_path(box, "x")
        for name in ("notify-linger", "notify-flood"):
            child = deed(box, name, path)
            equal(child.stdout.readline(), "done\n")
            box.initctl("restart", "y", check=True)
        equal(box.state("x"), "activating")
        equal(box.stop(), 0)


run(globals())
