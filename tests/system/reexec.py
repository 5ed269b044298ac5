#!/usr/bin/env python3
"""daemon-reexec to what is now at the path PID 1 was started from: taken over by, refused with a reason, gone back from."""
import os
import shutil
import subprocess
import tempfile

import harness
from harness import Box, check, equal, run, until

SLEEPER = "[Service]\nExecStart=/bin/sleep infinity\n"
BUILT = harness.MONOINIT


class Installed:
    """A directory of its own with the binary in it, so that it can be replaced under a running PID 1."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="monoinit-bin-")
        os.chmod(self.dir, 0o755)
        self.path = os.path.join(self.dir, "monoinit")
        shutil.copy(BUILT, self.path)
        for name in ("initctl", "systemctl"):
            os.symlink("monoinit", os.path.join(self.dir, name))
        harness.MONOINIT = self.path
        return self

    def __exit__(self, *_):
        harness.MONOINIT = BUILT
        shutil.rmtree(self.dir, ignore_errors=True)

    def replace(self, change=None, source=BUILT, mode=0o755):
        """As a package does it: a new file takes the name. `change`: bytes -> bytes."""
        with open(source, "rb") as file:
            bytes_ = file.read()
        with open(self.path + ".new", "wb") as file:
            file.write(change(bytes_) if change else bytes_)
        os.chmod(self.path + ".new", mode)
        os.rename(self.path + ".new", self.path)


def running(box):
    return os.stat(f"/proc/{box.init}/exe").st_ino


def broken(symbol):
    """A change that puts an instruction that is none at the beginning of a function."""
    for line in subprocess.run(["nm", BUILT], capture_output=True, text=True, check=True).stdout.splitlines():
        if line.split()[-1] == symbol:
            at = int(line.split()[0], 16)  # where the file is mapped at its own offsets
            return lambda bytes_: bytes_[:at] + (b"\x0f\x0b" if os.uname().machine == "x86_64" else b"\0\0\0\0") + bytes_[at + (2 if os.uname().machine == "x86_64" else 4):]
    raise harness.Failure(f"no symbol {symbol}")


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
