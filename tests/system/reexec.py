#!/usr/bin/env python3
"""daemon-reexec to what is now at the path PID 1 was started from: taken over by, refused with a reason, gone back from."""
import os
import shutil
import subprocess

from harness import Box, check, equal, run, until
from installed import Installed, broken, running

SLEEPER = "[Service]\nExecStart=/bin/sleep infinity\n"


def compiled(directory, text):
    path = os.path.join(directory, "other")
    subprocess.run(["cc", "-static", "-x", "c", "-o", path, "-"], input=text, text=True, check=True, capture_output=True)
    return path


def story_a_new_binary_takes_over():
    with Installed() as binary, Box({"x.service": SLEEPER, "y.service": SLEEPER + "Restart=always\n"}, ["x.service", "y.service"]) as box:
        box.boot()
        pids = box.main_pid("x"), box.main_pid("y")
        before = running(box)
        for turn, tool in enumerate(("initctl", "systemctl"), 1):
            binary.replace(lambda bytes_: bytes_ + b"another one")
            box.initctl("daemon-reexec", name=tool, check=True)
            box.wait_log("took over", count=turn)
            equal(running(box), os.stat(binary.path).st_ino, "what runs")
            check(running(box) != before, "another one runs")
            equal((box.main_pid("x"), box.main_pid("y")), pids, "pids")
        box.initctl("restart", "y", check=True)
        box.initctl("daemon-reexec", check=True)  # the same once more
        box.wait_log("took over", count=3)
        equal(box.main_pid("x"), pids[0], "pid")
        equal(box.stop(), 0)


def story_an_unfit_one_is_refused():
    with Installed() as binary, Box({"x.service": SLEEPER}, ["x.service"]) as box:
        box.boot()
        pid, before = box.main_pid("x"), running(box)
        good = shutil.copy(os.path.join(binary.dir, "monoinit"), os.path.join(binary.dir, "client"))
        client = os.path.join(binary.dir, "clients")
        os.mkdir(client)
        shutil.move(good, os.path.join(client, "monoinit"))
        os.symlink("monoinit", os.path.join(client, "initctl"))

        def refused(pattern):
            done = box.inside(os.path.join(client, "initctl"), "daemon-reexec")
            check(done.returncode != 0, "it was refused")
            check(pattern in done.stderr, f"{pattern!r} is not in {done.stderr!r}")
            box.wait_log("not re-executing: ")
            equal(running(box), before, "what runs")
            equal(box.inside(os.path.join(client, "initctl"), "is-active", "x").stdout.strip(), "active")

        os.rename(binary.path, binary.path + ".away")
        refused("No such file")
        binary.replace(mode=0o644)
        refused("not an executable file")
        binary.replace(lambda bytes_: bytes_[:18] + b"\xfe\xfe" + bytes_[20:])
        refused("not a program for this machine")
        binary.replace(source="/bin/true")
        refused("no monoinit")
        binary.replace(broken("_ZN8monoinit7runtime10Checkpoint5adoptENS_3sys8UniqueFdE"))
        refused("crashes when it is asked")
        if shutil.which("cc"):
            binary.replace(source=compiled(binary.dir, "#include <unistd.h>\nint main(void) { for (;;) pause(); }"))
            refused("does not answer within 5 s")
            binary.replace(source=compiled(binary.dir, '#include <stdio.h>\nint main(void) { puts("the crash checkpoint is not one of this program"); return 1; }'))
            refused("cannot take over: the crash checkpoint is not one of this program")
        os.rename(binary.path + ".away", binary.path)
        box.initctl("daemon-reexec", check=True)
        box.wait_log("took over")
        equal(box.main_pid("x"), pid, "pid")
        equal(box.stop(), 0)


def story_one_that_crashes_while_it_takes_over_is_gone_back_from():
    with Installed() as binary, Box({"x.service": SLEEPER}, ["x.service"]) as box:
        box.boot()
        pid, before = box.main_pid("x"), running(box)
        binary.replace(broken("_ZN8monoinit7runtime7Runtime6resumeEv"))
        box.initctl("daemon-reexec")
        box.wait_log("the new binary crashed before it had taken over")
        equal(running(box), before, "what runs")
        binary.replace()
        until("an answer", lambda: box.initctl("is-active", "x").stdout.strip() == "active")
        equal(box.main_pid("x"), pid, "pid")
        box.initctl("daemon-reexec", check=True)
        box.wait_log("took over")
        equal(running(box), os.stat(binary.path).st_ino, "what runs")
        equal(box.main_pid("x"), pid, "pid")
        equal(box.stop(), 0)


run(globals())
