#!/usr/bin/env python3
"""Promise 12: killing guards or the logger never yields two copies of a service and never loses a line."""
from harness import Box, check, equal, run, until

TREE = """[Service]
ExecStart=/bin/sh -c 'setsid sleep 1001 & (setsid sh -c "trap \\"\\" TERM; env -i sleep 1002 & env -i setsid sleep 1003 & wait" &) ; exec sleep 1000'
Restart=always
RestartSec=0
"""


def everything_runs(box):
    until("all of them", lambda: all(box.find(f"sleep 100{i}") for i in range(4)))


def copies(box, command):
    return [seen for _, _, seen in box.pids().values()].count(command)


def story_guard_killed():
    with Box({"x.service": TREE}, ["x.service"]) as box:
        box.boot()
        everything_runs(box)
        main = box.main_pid("x")
        guard = box.pids()[main][0]
        check("guard:" in box.pids()[guard][2], "its parent is a guard")
        box.inside("kill", "-9", str(guard), check=True)
        until("a new main", lambda: box.main_pid("x") not in (0, main))
        everything_runs(box)
        for i in range(4):
            equal(copies(box, f"sleep 100{i}"), 1, f"copies of sleep 100{i}")


def story_every_guard_killed_at_once():
    units = {f"s{i}.service": f"[Service]\nExecStart=/bin/sleep 200{i}\nRestart=always\nRestartSec=0\n" for i in range(6)}
    with Box(units, list(units)) as box:
        box.boot()
        until("all run", lambda: all(box.main_pid(f"s{i}") for i in range(6)))
        before = [box.main_pid(f"s{i}") for i in range(6)]
        box.inside("kill", "-9", *map(str, box.find("guard:")), check=True)
        until("new ones", lambda: all(box.main_pid(f"s{i}") not in (0, before[i]) for i in range(6)))
        for i in range(6):
            until(f"s{i} runs", lambda command=f"/bin/sleep 200{i}": copies(box, command))
            equal(copies(box, f"/bin/sleep 200{i}"), 1, f"copies of s{i}")
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


def story_lines_in_a_pipe_outlive_logger_and_service():
    """The service writes while no logger can read, and is gone before one can."""
    with Box({"t.service": "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo said by a dead one'\n"}) as box:
        box.boot()
        logger = box.find("monoinit: log")[0]
        box.inside("kill", "-STOP", str(logger), check=True)
        box.initctl("start", "t", check=True)
        equal(box.state("t"), "inactive")
        box.inside("kill", "-9", str(logger), check=True)
        box.wait_log(r"^\[t\] said by a dead one$")
        equal(box.log().count("said by a dead one"), 1, "times")


run(globals())
