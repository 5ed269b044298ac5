#!/usr/bin/env python3
"""Promises 2, 3, 10, 12: nothing of a service outlives it, orphans are reaped, helpers may be killed."""
from harness import Box, check, equal, run, until

ESCAPES = """[Service]
ExecStart=/bin/sh -c 'setsid setsid sleep 1001 & (setsid sh -c "trap \\"\\" TERM; env -i sleep 1002 & env -i setsid sleep 1003 & wait" &) ; exec sleep 1000'
TimeoutStopSec=1
"""


def everything_runs(box):
    until("all four", lambda: all(box.find(f"sleep 100{i}") for i in range(4)))


def story_stop_leaves_nothing():
    with Box({"x.service": ESCAPES}, ["x.service"]) as box:
        box.boot()
        everything_runs(box)
        box.initctl("stop", "x", check=True)
        equal(box.find("sleep 100"), [], "left over")


def story_death_of_main_leaves_nothing():
    with Box({"x.service": ESCAPES}, ["x.service"]) as box:
        box.boot()
        everything_runs(box)
        box.inside("kill", "-9", str(box.main_pid("x")), check=True)
        box.wait_state("x", "failed")
        equal(box.find("sleep 100"), [], "left over")


def story_killmode_process_leaves_the_rest():
    with Box({"x.service": ESCAPES + "KillMode=process\n"}, ["x.service"]) as box:
        box.boot()
        everything_runs(box)
        box.initctl("stop", "x", check=True)
        check(box.find("sleep 1001"), "KillMode=process keeps the others")
        equal(box.stop(), 0)


def story_orphans_are_reaped():
    with Box({"x.service": "[Service]\nExecStart=/bin/sleep infinity\n"}, ["x.service"]) as box:
        box.boot()
        box.inside("sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do (sleep 0.01 &) ; done", check=True)
        until("no zombie", lambda: not any(state.startswith("Z") for _, state, _ in box.pids().values()))


def story_forking_without_pidfile():
    unit = "[Service]\nType=forking\nExecStart=/bin/sh -c 'setsid sleep 1000 </dev/null >/dev/null 2>&1 & exit 0'\n"
    with Box({"d.service": unit}, ["d.service"]) as box:
        box.boot()
        equal(box.state("d"), "active")
        pid = until("its main pid is guessed", lambda: box.main_pid("d"))
        equal([pid], box.find("sleep 1000"))
        box.inside("kill", str(pid), check=True)
        until("it is over", lambda: box.state("d") == "inactive")


def story_guard_killed():
    with Box({"x.service": ESCAPES + "Restart=always\nRestartSec=0\n"}, ["x.service"]) as box:
        box.boot()
        everything_runs(box)
        main = box.main_pid("x")
        guard = box.pids()[main][0]
        check("guard:" in box.pids()[guard][2], "its parent is a guard")
        box.inside("kill", "-9", str(guard), check=True)
        until("a new main", lambda: box.main_pid("x") not in (0, main))
        everything_runs(box)
        equal([command for _, _, command in box.pids().values()].count("sleep 1000"), 1, "copies")


def story_crash_of_pid1():
    with Box({"x.service": ESCAPES, "y.service": "[Service]\nExecStart=/bin/sleep infinity\nRestart=always\n"}, ["x.service", "y.service"]) as box:
        box.boot()
        everything_runs(box)
        pids = box.main_pid("x"), box.main_pid("y")
        for count, name in enumerate(("SEGV", "ABRT", "BUS", "SEGV"), 1):
            box.inside("kill", f"-{name}", "1", check=True)
            box.wait_log(rf"PID 1 crashed \(SIG{name}, crash {count}\)")
            equal((box.main_pid("x"), box.main_pid("y")), pids, "pids")
        box.initctl("daemon-reexec", check=True)
        box.wait_log("took over")
        equal((box.main_pid("x"), box.main_pid("y")), pids, "pids")
        box.initctl("restart", "y", check=True)
        check(box.main_pid("y") != pids[1], "restarted")
        box.initctl("stop", "x", check=True)
        equal(box.find("sleep 100"), [], "left over")
        equal(box.stop(), 0)


def story_logger_killed():
    talker = "[Service]\nExecStart=/bin/sh -c 'i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; exec sleep infinity'\n"
    with Box({"t.service": talker}, ["t.service"]) as box:
        box.boot(wait=False)
        for _ in range(3):
            pid = until("a logger", lambda: box.find("monoinit: log"))[0]
            box.inside("kill", "-9", str(pid))
        box.wait_log(r"^\[t\] line 2999$")
        lines = [line for line in box.log().splitlines() if line.startswith("[t] line")]
        numbers = [int(line.split()[-1]) for line in lines]
        equal(sorted(set(numbers)), list(range(3000)), "every line came")
        check(len(numbers) <= 3000 + 3, f"{len(numbers) - 3000} repeated")


run(globals())
