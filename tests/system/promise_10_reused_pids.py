#!/usr/bin/env python3
"""Promise 10: a signal never reaches a reused pid. The namespace's next pid is set by hand, so that a bystander gets the very
number that a service had."""
import contextlib
import os
import signal

from harness import INITCTL, Box, check, equal, run, until

SLEEPER = "[Service]\nExecStart=/bin/sleep infinity\n"


def bystander_with(box, pid):
    """A process of nobody's with this number."""
    for _ in range(50):
        done = box.inside("sh", "-c", f"echo {pid - 1} > /proc/sys/kernel/ns_last_pid ; sleep 4321 >/dev/null 2>&1 & echo $!", check=True)
        if int(done.stdout) == pid:
            return
        box.inside("kill", "-9", done.stdout.strip(), check=True)
    check(False, f"no process got pid {pid}")


def alive(box, pid):
    return pid in box.find("sleep 4321")


def outside(box, pid):
    """A pid of the box as the host knows it."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/status", encoding="utf-8") as text:
            ids = next((line.split()[1:] for line in text if line.startswith("NSpid:")), [])
            if len(ids) > 1 and ids[-1] == str(pid) and os.readlink(f"/proc/{name}/ns/pid") == os.readlink(f"/proc/{box.init}/ns/pid"):
                return int(name)
    return check(False, f"no process {pid} inside")


def dies_unseen(box, unit):
    """Its main process ends and its number goes to a bystander while PID 1 is stopped: PID 1 believes it to be the service's."""
    pid = box.main_pid(unit)
    main = outside(box, pid)
    os.kill(box.init, signal.SIGSTOP)
    os.kill(main, signal.SIGKILL)
    until("it is reaped", lambda: not os.path.exists(f"/proc/{main}"))
    bystander_with(box, pid)
    return pid


def ask_while_stopped(box, pid, *words):
    """The request is in PID 1's socket before it wakes up."""
    client = box.begin(INITCTL, *words)
    until("the client waits", lambda: any(" ".join(words) in command for _, _, command in box.pids().values()))
    os.kill(box.init, signal.SIGCONT)
    client.communicate()
    check(alive(box, pid), f"the bystander lives after {' '.join(words)}")


def story_kill_stop_restart():
    for words in (("kill", "--signal=KILL", "x"), ("kill", "--kill-whom=main", "--signal=KILL", "x"), ("stop", "x"), ("restart", "x")):
        with Box({"x.service": SLEEPER}, ["x.service"]) as box:
            box.boot()
            pid = dies_unseen(box, "x")
            ask_while_stopped(box, pid, *words)
            equal(box.stop(), 0)


def story_a_pid_file_with_another_s_number():
    unit = "[Service]\nType=forking\nPIDFile=/run/x.pid\nTimeoutStartSec=1\nExecStart=/bin/sh -c 'setsid sleep 1000 </dev/null >/dev/null 2>&1 & cat /run/other > /run/x.pid'\n"
    with Box({"x.service": unit}) as box:
        box.boot()
        bystander_with(box, 300)
        box.inside("sh", "-c", "echo 300 > /run/other", check=True)
        box.initctl("start", "x")
        check(box.main_pid("x") != 300, "it is not the service's")
        box.initctl("stop", "x")
        check(alive(box, 300), "the bystander lives")
        equal(box.find("sleep 1000"), [])


def story_a_killed_guard_s_tree():
    """The guard and its service are gone, and the number of the service is a bystander's, when PID 1 looks for what is left."""
    with Box({"x.service": SLEEPER + "Restart=always\nRestartSec=0\n"}, ["x.service"]) as box:
        box.boot()
        pid = box.main_pid("x")
        guard, main = outside(box, box.pids()[pid][0]), outside(box, pid)
        os.kill(box.init, signal.SIGSTOP)
        os.kill(main, signal.SIGKILL)
        until("it is reaped", lambda: not os.path.exists(f"/proc/{main}"))
        os.kill(guard, signal.SIGKILL)
        bystander_with(box, pid)
        os.kill(box.init, signal.SIGCONT)
        until("a new one", lambda: box.main_pid("x") not in (0, pid))
        check(alive(box, pid), "the bystander lives")
        equal(box.stop(), 0)


run(globals())
