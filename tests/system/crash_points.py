#!/usr/bin/env python3
"""PID 1 crashes at its N-th step, for every N of a boot, a restart and a stop: nothing is lost, nothing runs twice, nothing is left.
CRASH_STRIDE=1 tries every step; the default only some, others at each place in a round of runs."""
import os
import re
import sys
import time

from harness import MONOINIT, NOTIFY, Box, Failure, check, equal, run, until

STRIDE = int(os.environ.get("CRASH_STRIDE", "23"))
SLEEPER = "[Service]\nExecStart=/bin/sleep {}\n"


def units(made):
    return {
        "a.service": "[Unit]\nAfter=once.service\nRequires=once.service\n" + SLEEPER.format(1001) + "Restart=always\n",
        "b.service": SLEEPER.format(1002) + "ExecStartPre=/bin/true\nExecStopPost=/bin/true\n",
        "n.service": f"[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c '{NOTIFY} READY=1; exec sleep 1003'\n",
        "once.service": f"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo x >> {made}'\n",
        "f.service": "[Service]\nType=forking\nPIDFile=/run/f.pid\nExecStart=/bin/sh -c 'sleep 1006 & echo $! > /run/f.pid'\n",
        "s.socket": "[Socket]\nListenStream=/run/s.sock\n",
        "s.service": SLEEPER.format(1004),
        "t.timer": "[Timer]\nOnActiveSec=1h\n",
        "t.service": SLEEPER.format(1005),
    }


def ask(box, *arguments):
    """A crash cuts the answer short; whoever is cut off asks again."""
    for _ in range(50):
        done = box.initctl(*arguments)
        if done.returncode == 0:
            return done.stdout
        time.sleep(0.02)  # a client waits, as a person would
    raise Failure(f"{arguments}: {done.stdout}{done.stderr}")


def life(box, made, usual):
    """The story. Returns how many descriptors are open then, when no more than usual are, or after a while."""
    box.boot(wait=False)
    wanted = {"a.service": "active", "b.service": "active", "n.service": "active", "f.service": "active", "once.service": "active", "s.socket": "active", "t.timer": "active"}

    def are():
        return {name: box.state(name) for name in wanted}

    until("all to be up", lambda: are() == wanted)
    until("the end of the boot to be told", lambda: "[monoinit] ready in " in box.log())
    ask(box, "restart", "a")
    ask(box, "stop", "b")
    wanted["b.service"] = "inactive"
    until("all to be as they should", lambda: are() == wanted)
    for seconds, count in ((1001, 1), (1002, 0), (1003, 1), (1004, 0), (1005, 0), (1006, 1)):
        equal(len(box.find(f"sleep {seconds}")), count, f"processes of sleep {seconds}")
    with open(made, encoding="ascii") as file:
        equal(file.read(), "x\n", "how often the one-time service ran")
    for name, command in (("a", "sleep 1001"), ("n", "sleep 1003"), ("f", "sleep 1006")):
        until(f"the main pid of {name}", lambda name=name, command=command: box.main_pid(name) == box.find(command)[0])
    until("guards of what is down to leave", lambda: len([1 for parent, _, command in box.pids().values() if parent == 1 and command.startswith("guard: ")]) == 3)
    until("zombies to be reaped", lambda: not [1 for _, state, _ in box.pids().values() if state.startswith("Z")])
    fds = lambda: len(os.listdir(f"/proc/{box.init}/fd"))
    try:
        until("descriptors of helpers to be closed", lambda: fds() <= usual)
    except Failure:
        kinds = [os.readlink(f"/proc/{box.init}/fd/{fd}") for fd in os.listdir(f"/proc/{box.init}/fd")]
        raise Failure(f"{fds()} descriptors, usually {usual}: {sorted(kinds)}") from None
    return fds()


def one(point, usual):
    """One life with a crash at this step. Returns the number of descriptors, and whether it came to the crash."""
    with Box(env={"MONOINIT_TEST_CRASH": str(point)}) as box:
        made = box.path("made")
        for name, text in units(made).items():
            box.write(name, text)
        for name in ("a.service", "b.service", "n.service", "f.service", "s.socket", "t.timer"):
            box.enable(name)
        try:
            descriptors = life(box, made, usual)
            crashed = bool(re.search(r"PID 1 crashed \(SIGSEGV", box.log()))
            equal(box.stop(), 0)
        except Exception as error:
            raise Failure(f"crash at step {point}: {error}\n--- log\n{box.log()}") from error
        return descriptors, crashed


def story_every_step():
    if b"MONOINIT_TEST_CRASH" not in open(MONOINIT, "rb").read():
        print("SKIP: a release cannot be made to crash")
        sys.exit(77)
    usual, crashed = one(10 ** 9, 10 ** 9)
    check(not crashed, "nothing crashes by itself")
    point, tried = 1 + int(time.time()) % STRIDE, 0
    while True:
        _, crashed = one(point, usual)
        if not crashed and point > 100:
            break
        tried += 1
        point += STRIDE
    print(f"{tried} of {point} steps")


run(globals())
