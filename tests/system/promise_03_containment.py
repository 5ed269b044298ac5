#!/usr/bin/env python3
"""Promise 3: a stop, a restart or the death of the main process leaves nothing of a service alive, however it hides."""
from harness import Box, check, equal, run, until

BOMBER = 54321  # a uid of nobody's, so that its process limit counts the bomb alone

ESCAPES = """[Service]
ExecStart=/bin/sh -c 'setsid setsid sleep 1001 & (setsid sh -c "trap \\"\\" TERM; env -i sleep 1002 & env -i setsid sleep 1003 & wait" &) ; setpriv --reuid=54320 --clear-groups setsid sleep 1004 & exec sleep 1000'
TimeoutStopSec=1
"""


def everything_runs(box):
    until("all of them", lambda: all(box.find(f"sleep 100{i}") for i in range(5)))


def of_uid(box, uid):
    return box.inside("ps", "-U", str(uid), "-o", "pid=,args=").stdout.splitlines()


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


def story_restart_leaves_one_set():
    with Box({"x.service": ESCAPES}, ["x.service"]) as box:
        box.boot()
        everything_runs(box)
        before = set(box.find("sleep 100"))
        box.initctl("restart", "x", check=True)
        everything_runs(box)
        equal(before & set(box.find("sleep 100")), set(), "of the first start")


def story_a_fork_bomb_up_to_the_process_limit():
    bomb = "[Service]\nLimitNPROC=150\nTimeoutStopSec=1\nStandardError=null\n" \
           f"ExecStart=setpriv --reuid={BOMBER} --clear-groups /bin/bash -c 'b() {{ b | b & }}; b; exec sleep infinity'\n"
    with Box({"bomb.service": bomb, "other.service": "[Service]\nExecStart=/bin/sleep infinity\n"}, ["bomb.service", "other.service"]) as box:
        box.boot()
        until("the limit is reached", lambda: len(of_uid(box, BOMBER)) >= 100, 60)
        equal(box.initctl("is-active", "other", timeout=60).stdout.strip(), "active")
        box.initctl("stop", "bomb", check=True, timeout=60)
        equal(of_uid(box, BOMBER), [], "left of the bomb")
        equal(box.stop(), 0)


def story_killmode_process_leaves_the_rest():
    with Box({"x.service": ESCAPES + "KillMode=process\n"}, ["x.service"]) as box:
        box.boot()
        everything_runs(box)
        box.initctl("stop", "x", check=True)
        check(box.find("sleep 1001"), "KillMode=process keeps the others")
        equal(box.stop(), 0)


def story_forking_without_pidfile():
    unit = "[Service]\nType=forking\nExecStart=/bin/sh -c 'setsid sleep 1000 </dev/null >/dev/null 2>&1 & exit 0'\n"
    with Box({"d.service": unit}, ["d.service"]) as box:
        box.boot()
        equal(box.state("d"), "active")
        pid = until("its main pid is guessed", lambda: box.main_pid("d"))
        equal([pid], box.find("sleep 1000"))
        box.inside("kill", str(pid), check=True)
        until("it is over", lambda: box.state("d") == "inactive")


run(globals())
