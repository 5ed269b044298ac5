#!/usr/bin/env python3
"""Promise 9: SIGTERM at any moment, during boot too: an ordered stop in reverse dependency order, no late start, exit 0."""
import re
import signal

from harness import NOTIFY, Box, check, equal, run, until

LINKS = 6
# Slow to start and to stop, so that every moment of a boot lies somewhere between two lines.
LINK = """[Unit]
After={after}
[Service]
Type=notify
NotifyAccess=all
ExecStart=/bin/sh -c 'echo begin; trap "echo end; exit 0" TERM; sleep 0.03; {notify} READY=1; echo up; while :; do sleep 1 & wait $!; done'
"""


def chain():
    return {f"u{i}.service": LINK.format(notify=NOTIFY, after=f"u{i - 1}.service" if i else "") for i in range(LINKS)}


def in_order(log):
    """What was up stopped in reverse order, one after the other; nothing began once the stop had."""
    asked = log.index("SIGTERM: stopping")
    ends = [int(found) for found in re.findall(r"^\[u(\d)\] end$", log, re.M)]
    ups = [int(found) for found in re.findall(r"^\[u(\d)\] up$", log[:asked], re.M)]
    equal(ends, sorted(ends, reverse=True), "order of stopping")
    check(set(ups) <= set(ends), f"each that was up ended by itself: up {ups}, ended {ends}")
    # A line that was under way is allowed: the start before it is not.
    begun = [int(found) for found in re.findall(r"^\[u(\d)\] begin$", log, re.M)]
    started = {int(found) for found in re.findall(r"^\[monoinit\] u(\d): start", log[:asked], re.M)}
    check(max(begun, default=0) <= max([*started, *ups, -1]) + 1, f"no late start: {begun}, {started}")
    check(re.search(r"^\[monoinit\] all stopped in .*; exit 0$", log, re.M), log)


def story_between_any_two_lines_of_boot():
    with Box(chain(), list(chain())) as box:
        box.boot()
        lines = len(box.log().splitlines())
        equal(box.stop(), 0)
    for moment in range(1, lines + 1):
        with Box(chain(), list(chain())) as box:
            box.boot(wait=False)
            until(f"line {moment}", lambda m=moment, b=box: len(b.log().splitlines()) >= m)
            equal(box.stop(), 0, f"exit status, SIGTERM after line {moment}")
            in_order(box.log())


def blocks(pid, number):
    with open(f"/proc/{pid}/status", encoding="utf-8") as text:
        mask = next(line.split()[1] for line in text if line.startswith("SigBlk:"))
    return int(mask, 16) >> (number - 1) & 1


def story_at_once():
    """From the first moment that the kernel keeps a signal for a PID 1: when it is blocked."""
    for _ in range(10):
        with Box(chain(), list(chain())) as box:
            box.boot(wait=False)
            until("SIGTERM is kept", lambda b=box: blocks(b.init, signal.SIGTERM))
            equal(box.stop(), 0)
            check("begin" not in box.log() or "all stopped" in box.log(), box.log())


def story_others_that_mean_the_same():
    for number in (signal.SIGINT, signal.SIGPWR, signal.SIGRTMIN + 3, signal.SIGRTMIN + 4):
        with Box(chain(), list(chain())) as box:
            box.boot()
            equal(box.stop(number), 0)
            check(re.search(r"^\[monoinit\] all stopped in .*; exit 0$", box.log(), re.M), box.log())


def story_a_second_one_means_now():
    stubborn = "[Service]\nExecStart=/bin/sh -c 'trap \"\" TERM; echo stubborn; while :; do sleep 1; done'\n"
    with Box({"x.service": stubborn}, ["x.service"], args=["--shutdown-timeout=60"]) as box:
        box.boot()
        box.wait_log(r"^\[x\] stubborn$")
        box.signal(signal.SIGTERM)
        box.wait_log("SIGTERM: stopping")
        box.signal(signal.SIGTERM)
        equal(box.wait(), 0)
        box_log = box.log()
        check("SIGTERM again: killing what is left" in box_log, box_log)


run(globals())
