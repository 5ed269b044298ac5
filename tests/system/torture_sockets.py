#!/usr/bin/env python3
"""Every socket that others can reach — control, logs, notify, /dev/log, the journal's two — under abuse by root, by the unit itself and
by strangers, while root is answered and services live on. Afterwards everything is as it was. MONOINIT_TORTURE=full throws more."""
import os
import re
import threading
import time

from harness import DEADLINE, PRIVATE_DEV, Box, check, equal, run, until
from invariants import Baseline, Control, settled

FULL = os.environ.get("MONOINIT_TORTURE") == "full"
STRANGER = 54323
SLEEPER = "[Service]\nExecStart=/bin/sleep infinity\nRestart=always\nRestartSec=0\n"

# abuse.py DEED PATH N, run inside the box; says "done", holds what it has until its input ends.
ABUSE = r'''
import array, os, random, socket, struct, sys, time
deed, path, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
chance = random.Random(7)
kept = []
def connect(blocking=True):
    s = socket.socket(socket.AF_UNIX)
    s.setblocking(blocking)
    s.connect(path)
    return s
def attempt(write):
    try:
        return write()
    except OSError:
        return None
def lingering():
    """A TCP socket whose close() waits: SO_LINGER and bytes that nobody will ever read."""
    listener = socket.create_server(("127.0.0.1", 0))
    s = socket.create_connection(listener.getsockname())
    kept.extend((listener, listener.accept()[0]))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
    s.setblocking(False)
    while attempt(lambda: s.send(bytes(1 << 16))):
        pass
    return s
def send(s, data, descriptors=(), to=None):
    return attempt(lambda: s.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else [], 0, *([to] if to else [])))
def bomb(count):
    return [os.open("/dev/null", os.O_RDONLY) for _ in range(count)]
def datagram():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.settimeout(0.2)
    return s
if deed == "random":
    for _ in range(n):
        s = connect()
        s.settimeout(0.2)
        send(s, chance.randbytes(chance.randrange(1, 4000)) + chance.choice((b"", b"\0", b"\n")))
elif deed == "connects":
    for _ in range(n):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        attempt(lambda: s.connect(path))
        kept[:] = (kept + [s])[-300:]
elif deed == "at-once":
    for _ in range(n):  # nobody is left when it is accepted
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        attempt(lambda: s.connect(path))
        attempt(lambda: s.send(b'{"method":"io.monoinit.Manager.List"}\0'))
        s.close()
elif deed == "slow":
    text = b'{"method":"io.monoinit.Manager.Info","parameters":{}}'
    kept += [s for s in (attempt(lambda: connect(False)) for _ in range(n)) if s]
    for i in range(8):
        for s in kept:
            attempt(lambda: s.send(text[i:i + 1]))
        time.sleep(0.25)
elif deed == "huge":
    for _ in range(n):
        s = connect()
        s.settimeout(1)
        attempt(lambda: s.sendall(b'{"method":"' + b"x" * (20 << 20)))
elif deed == "deep":
    for text in (b'{"method":' + b"[" * 500000 + b"\0", b'{"a":' * 300000 + b"\0", b'{"parameters":{"units":[' + b'"a",' * 100000 + b'"a"]}}\0',
                 b'{"method":"io.monoinit.Manager.Status","parameters":{"unit":"' + b"\\u0000" * 50000 + b'"}}\0', b"\xff\xfe" * 1000 + b"\0", b"\0" * 100000):
        s = connect()
        s.settimeout(1)
        attempt(lambda: s.sendall(text))
        kept.append(s)
elif deed == "half-closed":
    for i in range(n):
        s = connect()
        send(s, chance.choice((b'{"method":"io.monoinit.Manager.Subscribe","more":true}\0', b'{"method":"io.monoinit.Manager.List","parameters":{"all":true}}\0', b'{"meth', b"unit\n\n6\n")))
        attempt(lambda: s.shutdown(chance.choice((socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR))))
        kept[:] = (kept + [s])[-100:]
elif deed == "unread":
    for _ in range(n):
        s = attempt(lambda: connect(False))
        if s:
            for _ in range(2000):
                if not attempt(lambda: s.send(b'{"method":"io.monoinit.Manager.List","parameters":{"all":true}}\0')):
                    break
            kept.append(s)
elif deed == "rights":  # as many descriptors as one message takes, in streams that are never whole
    ends = bomb(253)
    for i in range(n):
        s = attempt(connect)
        if s:
            s.settimeout(0.2)
            for _ in range(4):
                send(s, b"x", ends)
            kept[:] = (kept + [s])[-20:]
elif deed == "linger":
    for _ in range(n):
        s = connect()
        send(s, b"x", [lingering().detach()])
        kept.append(s)
elif deed == "datagram-random":
    s = datagram()
    for _ in range(n):
        attempt(lambda: s.sendto(chance.randbytes(chance.randrange(4000)), path))
elif deed == "datagram-large":
    s = datagram()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    for size in (1, 4095, 4096, 4097, 65535, 65536, 100000, 180000, 200000):
        for _ in range(n):
            attempt(lambda: s.sendto(b"<13>" + b"x" * size, path))
elif deed == "datagram-rights":
    s, ends = datagram(), bomb(253)
    for i in range(n):
        send(s, chance.choice((b"", b"x", b"FDSTORE=1", b"BARRIER=1", b"READY=1\nFDSTORE=1", b"MESSAGE=x\n")), ends, path)
elif deed == "datagram-linger":
    s = datagram()
    for _ in range(n):
        send(s, chance.choice((b"FDSTORE=1", b"x", b"BARRIER=1")), [lingering().detach()], path)
elif deed == "datagram-memory":  # the journal's way for what is large: files that are none, not sealed, endless, or a pipe
    s = datagram()
    for i in range(n):
        ends = os.pipe()
        file = os.memfd_create("entry", os.MFD_ALLOW_SEALING)
        os.write(file, chance.randbytes(2000))
        for each in (ends[0], ends[1], file, os.open("/dev/zero", os.O_RDONLY), os.open("/proc/self/mem", os.O_RDONLY), os.open("/", os.O_PATH)):
            send(s, b"", [each], path)
            os.close(each)
print("done", flush=True)
sys.stdin.readline()
'''


def abuse(box, deed, path, count, uid=0):
    """Plays one deed to its end while root asks and a service is restarted; returns the slowest answer in seconds."""
    child = box.begin("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "python3", box.units + "/abuse.py", deed, path, str(count))
    line, slowest, control = [], 0.0, Control(box, timeout=60)
    reader = threading.Thread(target=lambda: line.append(child.stdout.readline()))
    reader.start()
    while True:
        began = time.monotonic()
        equal(control.call("Status", unit="x.service")["unit"]["summary"]["active_state"], "active", deed)
        slowest = max(slowest, time.monotonic() - began)
        if not reader.is_alive():
            break
        time.sleep(0.01)
    equal(line, ["done\n"], f"{deed} at {path}, exit {child.poll()}")
    box.initctl("restart", "y", check=True)
    child.stdin.close()
    child.wait()
    return slowest


def boot(units=None, enable=()):
    box = Box({"x.service": SLEEPER, "y.service": SLEEPER, **(units or {})}, ["x.service", "y.service", *enable], setup=PRIVATE_DEV, env={"MONOINIT_SYSLOG_SOCKETS": "yes"})
    box.write("abuse.py", ABUSE)
    return box


def figures(box, baseline, slowest):
    print(f"     slowest answer {max(slowest.values()) * 1000:.0f} ms ({max(slowest, key=slowest.get)}); PID 1 and logger grown by {baseline.growth_kb()} kB", flush=True)
    check(max(slowest.values()) < DEADLINE, f"answers: {slowest}")


def story_streams():
    """Control, the logs' socket, and the journal's stream socket."""
    scale = 20 if FULL else 1
    with boot() as box:
        box.boot()
        pid = box.main_pid("x")
        baseline, slowest = Baseline(box), {}
        for path in ("/run/monoinit/control", "/run/monoinit/logs", "/run/systemd/journal/stdout"):
            for deed, count in (("random", 150 * scale), ("connects", 3300 * scale // (1 if FULL else 3)), ("at-once", 500 * scale), ("huge", 4), ("deep", 1), ("half-closed", 150 * scale),
                                ("unread", 40), ("rights", 20 * scale), ("linger", 3)):
                for uid in (STRANGER, 0) if deed not in ("connects", "linger", "huge") else (STRANGER,):
                    slowest[f"{deed} at {path} by {uid}"] = abuse(box, deed, path, count, uid)
        equal(box.main_pid("x"), pid, "its process")
        settled(box, baseline)
        figures(box, baseline, slowest)
        equal(box.stop(), 0)


def story_slow_ones_do_not_hold_up_others():
    """A byte at a time on as many connections as there may be, by the stranger and by root."""
    with boot() as box:
        box.boot()
        baseline, slowest = Baseline(box), {}
        for path in ("/run/monoinit/control", "/run/monoinit/logs", "/run/systemd/journal/stdout"):
            slowest[path] = abuse(box, "slow", path, 200, STRANGER)
        settled(box, baseline)
        figures(box, baseline, slowest)
        equal(box.stop(), 0)


def story_datagrams():
    """/dev/log and the journal's datagram socket."""
    scale = 20 if FULL else 1
    with boot() as box:
        box.boot()
        pid = box.main_pid("x")
        baseline, slowest = Baseline(box), {}
        for path in ("/dev/log", "/run/systemd/journal/socket"):
            for deed, count in (("datagram-random", 500 * scale), ("datagram-large", 5 * scale), ("datagram-rights", 100 * scale), ("datagram-memory", 30 * scale), ("datagram-linger", 3)):
                for uid in (STRANGER, 0) if deed != "datagram-linger" else (STRANGER,):
                    slowest[f"{deed} at {path} by {uid}"] = abuse(box, deed, path, count, uid)
        equal(box.main_pid("x"), pid, "its process")
        settled(box, baseline)
        figures(box, baseline, slowest)
        equal(box.stop(), 0)


# Abuse of the notify socket by the unit itself, whose messages count.
INSIDER = r'''
import array, os, socket, sys
path = os.environ["NOTIFY_SOCKET"]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(path)
def send(text, descriptors=()):
    try:
        s.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else [])
    except OSError:
        pass
n = int(sys.argv[1])
ends = [os.open("/dev/null", os.O_RDONLY) for _ in range(253)]
for i in range(n):
    send(b"FDSTORE=1\nFDNAME=n%d" % i, ends)
    send(b"FDSTORE=1\nFDNAME=" + b"x" * 5000, ends[:1])
    send(b"FDSTORE=1\nFDNAME=a:b\nFDPOLL=0", ends[:3])
    r, w = os.pipe()
    send(b"FDSTORE=1\nFDNAME=gone", [r])
    os.close(r), os.close(w)
    send(b"FDSTOREREMOVE=1\nFDNAME=never")
    # BARRIER=1 wants exactly one descriptor, alone in its message.
    send(b"BARRIER=1"), send(b"BARRIER=1", ends[:2]), send(b"BARRIER=1\nREADY=1", ends[:1]), send(b"BARRIER=1\nBARRIER=1", ends[:1])
    send(b"\n" * 4000), send(b"=" * 4000), send(b"STATUS=" + b"s" * 4000), send(b"MAINPID=-1\nERRNO=x\nWATCHDOG_USEC=99999999999999999999\nEXTEND_TIMEOUT_USEC=-5")
    send(b"MAINPID=1"), send(b"MAINPID=%d" % os.getppid()), send(b"MONOTONIC_USEC=1"), send(b"WATCHDOG=0"), send(b"READY=0"), send(b"\0\0READY=1\0")
r, w = os.pipe()
send(b"BARRIER=1", [w])  # the real one: when it is closed, all before it has been taken
os.close(w)
assert os.read(r, 1) == b""
send(b"READY=1\nSTATUS=through")
import time
while True:
    time.sleep(1000)
'''


def story_a_unit_s_own_notify_socket():
    rounds = 2000 if FULL else 60
    with boot() as box:
        box.write("insider.py", INSIDER)
        box.write("bomb.service", f"[Service]\nType=notify\nFileDescriptorStoreMax=8\nExecStart=/usr/bin/python3 {box.units}/insider.py {rounds}\nTimeoutStartSec=120\n")
        box.write("quiet.service", f"[Service]\nType=notify\nExecStart=/usr/bin/python3 {box.units}/insider.py 1\n")
        box.boot()
        # A unit's notify socket is made with its first start and stays.
        box.initctl("start", "quiet", check=True)
        box.initctl("start", "--no-block", "bomb", check=True)
        box.initctl("stop", "quiet", "bomb", check=True)
        baseline = Baseline(box)
        box.initctl("start", "--no-block", "bomb", check=True)
        slowest, control = 0.0, Control(box, timeout=60)
        while True:
            began = time.monotonic()
            state = control.call("Status", unit="bomb.service")["unit"]["summary"]["active_state"]
            slowest = max(slowest, time.monotonic() - began)
            if state != "activating":
                break
            time.sleep(0.005)
        equal(state, "active")
        equal(box.show("bomb", "StatusText"), "through")
        check(int(box.show("bomb", "NFileDescriptorStore")) <= 8, "the store is bounded")
        equal(box.main_pid("bomb"), int(box.inside("pgrep", "-f", "insider.py").stdout.split()[0]), "its main pid is its own")
        box.initctl("start", "quiet", check=True)
        box.initctl("stop", "bomb", "quiet", check=True)
        settled(box, baseline)
        print(f"     {rounds} rounds; slowest answer {slowest * 1000:.0f} ms; grown by {baseline.growth_kb()} kB")
        equal(box.stop(), 0)


def story_a_stranger_s_notify_messages():
    """Descriptors in hundreds, and such as cannot be closed, at the socket of a unit that waits."""
    unready = "[Service]\nType=notify\nNotifyAccess=all\nFileDescriptorStoreMax=100\nTimeoutStartSec=60\nExecStart=/bin/sleep infinity\n"
    with boot({"u.service": unready}) as box:
        box.boot()
        box.initctl("start", "--no-block", "u", check=True)
        box.initctl("stop", "u", check=True)
        baseline, slowest = Baseline(box), {}
        box.initctl("start", "--no-block", "u", check=True)
        pid = until("its process", lambda: box.main_pid("u"))
        path = re.search(r"NOTIFY_SOCKET=([^\0]+)", box.inside("cat", f"/proc/{pid}/environ", check=True).stdout).group(1)
        for deed, count in (("datagram-rights", 300 if FULL else 100), ("datagram-linger", 3), ("datagram-random", 20000 if FULL else 1000), ("datagram-large", 5), ("datagram-memory", 30)):
            slowest[deed] = abuse(box, deed, path, count, STRANGER)
        equal(box.state("u"), "activating", "nobody of its own has said READY=1")
        equal(box.show("u", "NFileDescriptorStore"), "0", "a stranger's descriptors")
        box.initctl("stop", "u", check=True)
        settled(box, baseline)
        figures(box, baseline, slowest)
        equal(box.stop(), 0)


if __name__ == "__main__":
    run(globals())
