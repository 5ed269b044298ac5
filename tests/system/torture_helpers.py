#!/usr/bin/env python3
"""Helpers that die at every step of a unit's life: guards, the logger, probes, watchers. Never two copies of a service, nothing left,
nothing forgotten, no line lost. MONOINIT_TORTURE=full kills ten times as often."""
import os
import random
import re
import signal
import time

from harness import NOTIFY, Box, check, equal, run, until
from invariants import Baseline, Control, processes, settled

FULL = os.environ.get("MONOINIT_TORTURE") == "full"
TIMES = 300 if FULL else 30
# Each step takes a moment, so that a kill finds it under way.
STEPS = f"""[Unit]
StartLimitIntervalSec=0
[Service]
Type=notify
NotifyAccess=all
ExecStartPre=/bin/sleep 0.02
ExecStart=/bin/sh -c 'sleep 0.02; {NOTIFY} READY=1; exec sleep 7001'
ExecStartPost=/bin/sleep 0.02
ExecReload=/bin/sleep 0.02
ExecStop=/bin/sleep 0.02
ExecStopPost=/bin/sleep 0.02
TimeoutStopSec=5
"""


def children(box, command):
    """Pids as the host has them, of PID 1's children whose command line begins so: quick, without a process of our own."""
    found = []
    try:
        with open(f"/proc/{box.init}/task/{box.init}/children", encoding="ascii") as text:
            pids = text.read().split()
    except OSError:
        return found
    for pid in pids:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as text:
                if text.read().replace(b"\0", b" ").startswith(command):
                    found.append(int(pid))
        except OSError:
            continue
    return found


def kill(pids, number=signal.SIGKILL):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def copies(box, command):
    return [process.command for process in processes(box).values()].count(command)


def story_guards_at_every_step():
    """A start, a reload, a restart, a stop: its guards are killed at some moment of it, and there is never more than one main process."""
    chance = random.Random(5)
    with Box({"x.service": STEPS}) as box:
        box.boot()
        box.initctl("start", "x", check=True)
        box.initctl("stop", "x", check=True)
        baseline, control = Baseline(box), Control(box)
        most = 0
        for turn in range(TIMES):
            verb = ("start", "restart", "reload", "stop")[turn % 4]
            control.call("Operate", verb=verb, units=["x.service"], no_block=True)
            end = time.monotonic() + chance.uniform(0, 0.12)
            while time.monotonic() < end:
                most = max(most, copies(box, "sleep 7001"))
            kill(children(box, b"guard: x"))
            until("it comes to rest", lambda: not control.call("Jobs").get("jobs") and box.status_json("x")["unit"]["summary"]["active_state"] in ("active", "inactive", "failed"))
            most = max(most, copies(box, "sleep 7001"))
            if box.state("x") != "active":
                equal(copies(box, "sleep 7001"), 0, f"left over after {verb}")
        check(most <= 1, f"{most} at once")
        box.initctl("stop", "x", check=True)
        box.initctl("reset-failed", "x", check=True)
        settled(box, baseline)
        print(f"     {TIMES} guards killed; PID 1 and logger grown by {baseline.growth_kb()} kB")
        equal(box.stop(), 0)


def story_the_logger_again_and_again():
    """While numbered lines are written to it by a pipe and by what is short-lived: none is missing in the store."""
    talker = "[Service]\nExecStart=/bin/sh -c 'i=0; while [ ! -e /run/enough ]; do echo line $i; i=$((i+1)); sleep 0.001; done; echo lines $i'\nLogRateLimitIntervalSec=0\n"
    word = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=/bin/echo word %i\n"
    with Box({"t.service": talker, "word@.service": word}, args=["--log-max=64M"]) as box:
        box.boot()
        baseline = Baseline(box)
        box.initctl("start", "t", check=True)
        kills = 0
        for turn in range(TIMES):
            kill(until("a logger", lambda: children(box, b"monoinit: log")))
            kills += 1
            box.initctl("start", f"word@{turn}", check=True)
        box.inside("touch", "/run/enough", check=True)
        count = int(box.wait_log(r"^\[t\] lines (\d+)$")[0])

        def missing():
            text = box.initctl("-u", "t", "-o", "cat", name="journalctl").stdout
            return set(range(count)) - {int(number) for number in re.findall(r"^line (\d+)$", text, re.M)}

        until("every line is in the store", lambda: not missing())
        said = [int(number) for number in re.findall(r"^\[t\] line (\d+)$", box.log(), re.M)]
        equal(set(range(count)) - set(said), set(), "missing on stdout")
        for turn in range(TIMES):
            box.wait_log(rf"^\[word@{turn}\] word {turn}$")
        settled(box, baseline, ignore=lambda text: "/journal/" in text)
        print(f"     {kills} loggers killed, {count} lines, {len(said) - count} repeated; grown by {baseline.growth_kb()} kB")
        equal(box.stop(), 0)


def story_probes():
    """Whatever looks at paths for PID 1 dies: the unit says so or is looked at again; no job hangs."""
    units = {
        "c.service": "[Unit]\nConditionPathExists=/dev/null\nStartLimitIntervalSec=0\n[Service]\nEnvironmentFile=-/run/env\nExecStart=/bin/sleep 7002\nRuntimeDirectory=c\n",
        "s.socket": "[Unit]\nStartLimitIntervalSec=0\n[Socket]\nListenStream=/run/s.sock\n", "s.service": "[Service]\nExecStart=/bin/sleep infinity\n",
        "p.path": "[Unit]\nStartLimitIntervalSec=0\n[Path]\nPathChanged=/run/p\n", "p.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
        "h.service": "[Service]\nExecStart=/bin/sleep infinity\n[X-Health]\nExec=/bin/sleep 0.01\nInterval=50ms\nTimeout=1s\nRetries=1000\n",
        "w.service": "[Service]\nExecStart=/bin/sleep infinity\nX-Watch=/run/watched\n",
    }
    with Box(units, setup="mkdir /run/watched") as box:
        box.boot()
        names = [name for name in units if name not in ("s.service", "p.service")]
        box.initctl("start", *names, check=True)
        box.initctl("stop", *names, check=True)
        baseline, control = Baseline(box), Control(box)
        killed = 0
        for turn in range(TIMES):
            control.call("Operate", verb="restart" if turn % 3 else "stop", units=names, no_block=True)
            end = time.monotonic() + 0.1
            while time.monotonic() < end:
                victims = children(box, b"monoinit: probe") + children(box, b"monoinit: watch")
                kill(victims)
                killed += len(victims)
            until("no job is left", lambda: not control.call("Jobs").get("jobs"))
        box.initctl("stop", *names, check=True)
        box.initctl("reset-failed", check=True)
        box.initctl("start", *names, check=True)
        equal(box.initctl("is-active", *names).stdout.split(), ["active"] * len(names))
        box.initctl("stop", *names, check=True)
        settled(box, baseline)
        print(f"     {killed} probes killed; grown by {baseline.growth_kb()} kB")
        equal(box.stop(), 0)


def story_a_new_image_while_trees_are_taken_back():
    """The guard of many processes is killed, and PID 1 is executed anew before the last of them is gone."""
    many = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sh -c 'i=0; while [ $i -lt 60 ]; do sleep 7200 & i=$((i+1)); done; exec sleep 7201'\nRestart=always\nRestartSec=0\n"
    with Box({"x.service": many}, ["x.service"]) as box:
        box.boot()
        for turn in range(TIMES // 3):
            until("all of it", lambda: copies(box, "sleep 7200") == 60 and copies(box, "sleep 7201") == 1)
            before = box.main_pid("x")
            control = Control(box)
            kill(children(box, b"guard: x"))
            time.sleep(turn % 5 / 1000)  # at this moment of it and that
            control.call("DaemonReexec")
            until("a new one", lambda b=before: box.main_pid("x") not in (0, b))
        until("all of it", lambda: copies(box, "sleep 7200") == 60 and copies(box, "sleep 7201") == 1)
        box.initctl("stop", "x", check=True)
        settled(box)
        equal(box.find("sleep 720"), [], "left over")
        equal(box.stop(), 0)


def story_everything_at_once():
    """All guards and the logger, then a fault of PID 1 on top: each service comes back once."""
    names = [f"s{i}.service" for i in range(10)]
    with Box({name: f"[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sleep 710{name[1]}\nRestart=always\nRestartSec=0\n" for name in names}, names) as box:
        box.boot()
        baseline = Baseline(box)
        for crash in (None, "SEGV"):
            before = [box.main_pid(name) for name in names]
            box.signal(signal.SIGSTOP)  # so that it sees all of it at once
            kill(children(box, b"guard: ") + children(box, b"monoinit: log"))
            if crash:
                box.inside("kill", f"-{crash}", "1", check=True)
            box.signal(signal.SIGCONT)
            until("all are new", lambda b=before: all(box.main_pid(name) not in (0, b[i]) for i, name in enumerate(names)))
            until("and run", lambda: all(copies(box, f"/bin/sleep 710{i}") for i in range(10)))
            equal([copies(box, f"/bin/sleep 710{i}") for i in range(10)], [1] * 10, "copies")
            settled(box, baseline)
        equal(box.stop(), 0)


if __name__ == "__main__":
    run(globals())
