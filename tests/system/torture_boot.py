#!/usr/bin/env python3
"""SIGTERM in every millisecond of the first hundred of a boot, and in the middle of reloads, re-execs and shutdowns of others."""
import os
import re
import signal
import time

from harness import NOTIFY, Box, check, equal, run, until

FULL = os.environ.get("MONOINIT_TORTURE") == "full"
STEP = 1 if FULL else 4  # ms
LINKS = 5
LINK = """[Unit]
After={after}
[Service]
Type=notify
NotifyAccess=all
ExecStart=/bin/sh -c 'echo begin; trap "echo end; exit 0" TERM; {notify} READY=1; echo up; while :; do sleep 1 & wait $!; done'
"""


def chain():
    return {f"u{i}.service": LINK.format(notify=NOTIFY, after=f"u{i - 1}.service" if i else "") for i in range(LINKS)}


def ordered(log):
    """What was up has ended by itself in reverse order; nothing began once the stop had."""
    asked = log.find("SIGTERM: stopping")
    check(asked >= 0, "it is said: " + log)
    ends = [int(each) for each in re.findall(r"^\[u(\d)\] end$", log, re.M)]
    ups = [int(each) for each in re.findall(r"^\[u(\d)\] up$", log[:asked], re.M)]
    equal(ends, sorted(ends, reverse=True), "order of stopping")
    check(set(ups) <= set(ends), f"up {ups}, ended {ends}")
    begun = [int(each) for each in re.findall(r"^\[u(\d)\] begin$", log, re.M)]
    check(max(begun, default=0) <= max([*map(int, re.findall(r"^\[monoinit\] u(\d): start", log[:asked], re.M)), *ups, -1]) + 1, f"no late start: {begun}")
    check(re.search(r"^\[monoinit\] all stopped in .*; exit 0$", log, re.M), log)


def story_every_millisecond_of_boot():
    """Counted from the moment at which PID 1 holds the signal for itself: before that, the kernel drops it."""
    states = {}
    for moment in range(0, 100, STEP):
        with Box(chain(), list(chain())) as box:
            box.boot(wait=False)
            until("SIGTERM is held", lambda b=box: holds(b.init))
            end = time.monotonic() + moment / 1000
            while time.monotonic() < end:
                pass
            equal(box.stop(), 0, f"exit status, SIGTERM after {moment} ms")
            ordered(box.log())
            states[moment] = len(re.findall(r"^\[u\d\] up$", box.log(), re.M))
    print("     units that were up, by milliseconds: " + " ".join(f"{moment}:{count}" for moment, count in states.items()))
    check(min(states.values()) < LINKS, f"some of the moments lie within the boot: {states}")


def holds(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as text:
            mask = next(line.split()[1] for line in text if line.startswith("SigBlk:"))
    except (FileNotFoundError, StopIteration):
        return False
    return int(mask, 16) >> (signal.SIGTERM - 1) & 1


def story_while_something_else_goes_on():
    """A reload, a re-exec, a crash, starts and stops are under way when SIGTERM comes."""
    deeds = {
        "reload": ["daemon-reload"], "re-exec": ["daemon-reexec"], "restart": ["restart", "--no-block", "u0", "u1", "u2", "u3", "u4"],
        "stop": ["stop", "--no-block", "u2"], "isolate": ["isolate", "--no-block", "basic.target"], "exit": ["exit"],
    }
    for name, words in deeds.items():
        for pause in ((0, 2, 5, 10, 20) if FULL else (0, 5)):
            with Box(chain(), list(chain())) as box:
                box.boot()
                box.initctl(*words)
                time.sleep(pause / 1000)  # it is a moment that is wanted, not a state
                equal(box.stop(), 0, f"exit status, {pause} ms after {name}")
                check(re.search(r"^\[monoinit\] all stopped in .*; exit 0$", box.log(), re.M), f"{name}: {box.log()}")
    for number in (signal.SIGSEGV, signal.SIGABRT):
        with Box(chain(), list(chain())) as box:
            box.boot()
            box.signal(signal.SIGSTOP)  # both are pending when it goes on
            box.signal(signal.SIGTERM)
            box.inside("kill", f"-{int(number)}", "1")
            box.signal(signal.SIGCONT)
            equal(box.wait(), 0, f"SIGTERM and {number.name} at once")
            ordered(box.log())


if __name__ == "__main__":
    run(globals())
