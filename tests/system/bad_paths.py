#!/usr/bin/env python3
"""Bad input of issue 2: paths that hang. A FUSE file system answers nothing in EnvironmentFile=, a condition, WorkingDirectory=,
PIDFile=, a binary, a unit directory: the rest boots, control answers, the unit fails by its own timeout, and the stop is clean."""
import os
import re
import signal
import sys

from harness import equal, run, until
from hung_fuse import HungBox, usable

GOOD = "[Service]\nExecStart=/bin/sleep infinity\n"
LIMIT = "TimeoutStartSec=1\nTimeoutStopSec=1\n"


def hangs(text, ends_as, said):
    """A unit that hangs beside a good one and one that waits for it."""
    with HungBox({"good.service": GOOD}, ["good.service"]) as box:
        box.write("bad.service", text.format(hung=box.hung))
        box.write("behind.service", "[Unit]\nRequires=bad.service\nAfter=bad.service\n" + GOOD)
        for name in ("bad.service", "behind.service"):
            box.enable(name)
        box.boot(wait=False)
        until("the good one runs", lambda: box.state("good") == "active")
        until("somebody hangs", box.fuse.waiting)
        equal(box.state("good"), "active")
        box.initctl("restart", "good", check=True)
        box.wait_log(said, 40)
        until(f"bad is {ends_as}", lambda: box.state("bad") == ends_as, 40)
        if ends_as == "failed":
            equal(box.state("behind"), "inactive")
        equal(box.stop(), 0)


def story_environment_file():
    hangs(GOOD + LIMIT + "EnvironmentFile={hung}/env\n", "failed", r"^\[monoinit\] bad: .*(timeout|timed out|did not)")


def story_optional_environment_file():
    hangs(GOOD + LIMIT + "EnvironmentFile=-{hung}/env\n", "failed", r"^\[monoinit\] bad: .*(timeout|timed out|did not)")


def story_working_directory():
    hangs(GOOD + LIMIT + "WorkingDirectory={hung}/there\n", "failed", r"^\[monoinit\] bad: .*(timeout|timed out|did not)")


def story_the_binary_itself():
    hangs("[Service]\nExecStart={hung}/bin/program\n" + LIMIT, "failed", r"^\[monoinit\] bad: .*(timeout|timed out|did not)")


def story_pid_file():
    hangs("[Service]\nType=forking\nPIDFile={hung}/x.pid\nExecStart=/bin/sh -c 'setsid sleep 1000 </dev/null >/dev/null 2>&1 &'\n" + LIMIT,
          "failed", r"^\[monoinit\] bad: .*(timeout|timed out|did not|too long)")


def story_condition():
    hangs("[Unit]\nConditionPathExists={hung}/there\n" + GOOD, "inactive", r"bad.*a condition could not be looked at")


def story_stop_while_it_hangs():
    """SIGTERM while a start hangs does not wait for it."""
    with HungBox({"good.service": GOOD}, ["good.service"], args=["--shutdown-timeout=2"]) as box:
        box.write("bad.service", GOOD + f"EnvironmentFile={box.hung}/env\n")
        box.enable("bad.service")
        box.boot(wait=False)
        box.wait_log(r"^\[monoinit\] good: started") # PID 1 is up: a mount waits for its FUSE daemon before that
        until("somebody hangs", box.fuse.waiting)
        equal(box.stop(), 0)


def story_a_request_that_the_daemon_has_taken():
    """No signal ends its process: the unit fails in time, PID 1 stops everything else and leaves; the kernel then waits for it."""
    with HungBox({"good.service": GOOD}, ["good.service"], takes=True, args=["--shutdown-timeout=2"]) as box:
        box.write("bad.service", GOOD + LIMIT + f"EnvironmentFile={box.hung}/env\n")
        box.enable("bad.service")
        box.boot(wait=False)
        until("somebody hangs", box.fuse.waiting)
        until("the good one runs", lambda: box.state("good") == "active")
        box.initctl("restart", "good", check=True)
        box.signal(signal.SIGTERM)
        box.wait_log(r"^\[monoinit\] .*exit 0$")
        box.fuse.close()
        equal(box.wait(), 0)


def story_a_path_unit():
    with HungBox({"good.service": GOOD, "bad.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n"}, ["good.service"]) as box:
        box.write("bad.path", f"[Unit]\nDefaultDependencies=no\n[Path]\nPathExists={box.hung}/there\n")
        box.enable("bad.path")
        box.boot(wait=False)
        until("the good one runs", lambda: box.state("good") == "active")
        until("somebody hangs", box.fuse.waiting)
        box.initctl("restart", "good", check=True)
        box.wait_log(r"^\[monoinit\] bad.path: looking at its paths: took longer than 10 s", 40)
        equal(box.state("bad.path"), "failed")
        equal(box.stop(), 0)


def story_x_watch():
    with HungBox({}, []) as box:
        box.write("good.service", GOOD + f"X-Watch={box.hung}/src\n")
        box.enable("good.service")
        box.boot()
        until("somebody hangs", box.fuse.waiting)
        box.initctl("restart", "good", check=True)
        box.initctl("stop", "good", check=True)
        until("its watcher has ended", lambda: not box.find("monoinit: watch"))
        equal(box.stop(), 0)


def story_unit_directory():
    with HungBox({"good.service": GOOD}, ["good.service"]) as box:
        box.args.append(f"--unit-path={box.units}:{box.hung}/units")
        box.keep_unit_path = False
        box.boot()
        equal(box.state("good"), "active")
        box.wait_log(rf"{re.escape(box.hung)} does not answer")
        box.initctl("daemon-reload", check=True)
        equal(box.stop(), 0)


def story_a_unit_that_is_a_link_there():
    with HungBox({"good.service": GOOD}, ["good.service"]) as box:
        os.symlink(f"{box.hung}/bad.service", os.path.join(box.units, "bad.service"))
        box.enable("bad.service")
        box.boot()
        equal(box.state("good"), "active")
        box.wait_log(r"bad\.service.*does not answer")
        equal(box.stop(), 0)


if not usable():
    print("SKIP: /dev/fuse cannot be opened")
    sys.exit(77)
run(globals())
