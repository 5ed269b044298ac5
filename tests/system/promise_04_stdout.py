#!/usr/bin/env python3
"""Promise 4: no condition of stdout — stalled, closed, full — blocks reaping, control or another service; what did not go out
is said, and nothing is lost once it moves again."""
import os
import re
import threading

from harness import Box, check, equal, run, until

FLOOD = 30000
TALKER = f"""[Service]
ExecStart=/bin/sh -c 'i=0; while [ $i -lt {FLOOD} ]; do echo "line $i ......................................................................"; i=$((i+1)); done; exec sleep infinity'
"""
SLEEPER = "[Service]\nExecStart=/bin/sleep infinity\nRestart=always\nRestartSec=0\n"
UNITS = {"talker.service": TALKER, "other.service": SLEEPER, "quiet.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n"}


def everything_else_goes_on(box):
    """Control, starting, restarting after a death, and reaping, while stdout is what it is."""
    until("control answers", lambda: box.state("other") == "active")
    box.initctl("start", "quiet", check=True)
    before = box.main_pid("other")
    box.initctl("restart", "other", check=True)
    after = box.main_pid("other")
    check(after not in (0, before), "restarted")
    box.inside("kill", "-9", str(after), check=True)
    until("it is back", lambda: box.main_pid("other") not in (0, after))
    box.inside("sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do (sleep 0.01 &) ; done", check=True)
    until("no zombie", lambda: not any(state.startswith("Z") for _, state, _ in box.pids().values()))


class Reader:
    """Reads a pipe to its end, from the moment on that it is made."""

    def __init__(self, fd):
        self.chunks = []
        self.fd = fd
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while chunk := os.read(self.fd, 1 << 16):
            self.chunks.append(chunk)

    def text(self):
        return b"".join(self.chunks).decode()

    def rest(self):
        self.thread.join(20)
        check(not self.thread.is_alive(), "the end of stdout")
        return self.text()


def story_stalled_then_read():
    read, write = os.pipe()
    with Box(UNITS, ["talker.service", "other.service"], stdout=write) as box:
        box.boot(wait=False)
        os.close(write)
        everything_else_goes_on(box)
        check(box.find("line $i") or box.state("talker") == "active", "the talker waits, as without us")
        everything_else_goes_on(box)
        reader = Reader(read)
        until("the last line", lambda: f"line {FLOOD - 1} " in reader.text())
        equal(box.stop(), 0)
        numbers = [int(found) for found in re.findall(r"^\[talker\] line (\d+) \.+$", reader.rest(), re.M)]
        equal(numbers, list(range(FLOOD)), "every line, once, in order")
        check(re.search(r"^\[monoinit\] other: killed \(SIGKILL\)", reader.text(), re.M), "monoinit's own words of the stalled time")
    os.close(read)


def story_never_read_until_shutdown():
    """A log collector that hangs must not hold the container: the budget ends it."""
    read, write = os.pipe()
    with Box(UNITS, ["talker.service", "other.service"], stdout=write, args=["--shutdown-timeout=2"]) as box:
        box.boot(wait=False)
        os.close(write)
        everything_else_goes_on(box)
        equal(box.stop(), 0)
    os.close(read)


def story_closed():
    read, write = os.pipe()
    os.close(read)
    with Box(UNITS, ["talker.service", "other.service"], stdout=write) as box:
        box.boot(wait=False)
        os.close(write)
        everything_else_goes_on(box)
        until("the talker is done", lambda: box.find("sleep infinity") and not box.find("line $i"))
        until("its last line is kept", lambda: f"line {FLOOD - 1} " in box.initctl("logs", "talker", check=True).stdout)
        equal(box.stop(), 0)


def story_full():
    with open("/dev/full", "wb") as full, Box(UNITS, ["talker.service", "other.service"], stdout=full) as box:
        box.boot(wait=False)
        everything_else_goes_on(box)
        until("the talker is done", lambda: box.find("sleep infinity") and not box.find("line $i"))
        until("its last line is kept", lambda: f"line {FLOOD - 1} " in box.initctl("logs", "talker", check=True).stdout)
        equal(box.stop(), 0)


def story_what_a_full_disk_lost_is_said():
    """stdout is a file on a file system that has no room, then has."""
    with Box({"a.service": TALKER}, setup='mkdir /run/small; mount -t tmpfs -o size=256k tmpfs /run/small; exec >/run/small/out 2>&1') as box:
        box.boot(wait=False)
        until("control answers", lambda: box.initctl("list").returncode == 0)
        box.initctl("start", "a", check=True)
        until("it is full and everything was written", lambda: box.find("sleep infinity"))
        until("its last line is kept", lambda: f"line {FLOOD - 1} " in box.initctl("logs", "a", check=True).stdout)
        box.inside("mount", "-o", "remount,size=64m", "/run/small", check=True)
        until("the loss is said", lambda: re.search(r"^\[monoinit\] \d+ lines did not go to stdout; they are kept: initctl logs$",
                                                     said_after(box, "stop", "start"), re.M))
        equal(box.stop(), 0)


def said_after(box, *verbs):
    """Something has to be said for the way to be found open again."""
    for verb in verbs:
        box.initctl(verb, "a", check=True)
    return box.inside("cat", "/run/small/out", check=True).stdout


run(globals())
