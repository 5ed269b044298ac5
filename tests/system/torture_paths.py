#!/usr/bin/env python3
"""A path on a file system that never answers, in each directive that takes one, all of them at once: root is answered, a good unit lives
and dies as ever, each of the others comes to an end in time, and nothing of them is left. Then a log directory without room."""
import os
import re
import sys
import time

from harness import Box, check, equal, run, until
from hung_fuse import HungBox, usable
from invariants import Baseline, Control, settled

GOOD = "[Service]\nExecStart=/bin/sleep infinity\nRestart=always\nRestartSec=0\n"
SLEEPS = "[Service]\nExecStart=/bin/sleep infinity\n"
LIMIT = "TimeoutStartSec=1\nTimeoutStopSec=1\n"

SERVICES = {
    "environment-file": "EnvironmentFile={hung}/env", "environment-glob": "EnvironmentFile=-{hung}/*.env", "working-directory": "WorkingDirectory={hung}/there",
    "optional-directory": "WorkingDirectory=-{hung}/there", "root-directory": "RootDirectory={hung}/root", "stdin": "StandardInput=file:{hung}/in", "stdout": "StandardOutput=append:{hung}/out",
    "stderr": "StandardError=truncate:{hung}/err", "tty": "StandardInput=tty\nTTYPath={hung}/tty", "credential": "LoadCredential=token:{hung}/token", "credentials": "LoadCredential=all:{hung}/all",
    "exec-pre": "ExecStartPre={hung}/pre", "exec-pre-optional": "ExecStartPre=-{hung}/pre", "exec-post": "ExecStartPost={hung}/post", "condition-command": "ExecCondition={hung}/condition",
    "group-of-all": "EnvironmentFile=-{hung}/a\nEnvironmentFile=-{hung}/b\nWorkingDirectory={hung}/c\nLoadCredential=x:{hung}/d",
}
CONDITIONS = ("ConditionPathExists", "ConditionPathExistsGlob", "ConditionPathIsDirectory", "ConditionPathIsSymbolicLink", "ConditionPathIsMountPoint", "ConditionPathIsReadWrite",
              "ConditionDirectoryNotEmpty", "ConditionFileNotEmpty", "ConditionFileIsExecutable", "AssertPathExists", "ConditionEnvironment", "ConditionNeedsUpdate")


def units(hung):
    made = {f"{name}.service": SLEEPS + LIMIT + text.format(hung=hung) + "\n" for name, text in SERVICES.items()}
    made |= {f"{name.lower()}.service": f"[Unit]\n{name}={hung}/there\n" + SLEEPS + LIMIT for name in CONDITIONS if name != "ConditionEnvironment"}
    made["binary.service"] = f"[Service]\nExecStart={hung}/bin/program\n" + LIMIT
    made["forking.service"] = f"[Service]\nType=forking\nPIDFile={hung}/x.pid\nExecStart=/bin/sh -c 'setsid sleep 1000 </dev/null >/dev/null 2>&1 &'\n" + LIMIT
    made["mounts.service"] = f"[Unit]\nWantsMountsFor={hung}/deep/er\n" + SLEEPS + LIMIT
    made["stop.service"] = SLEEPS + LIMIT + f"ExecStop={hung}/stop\nExecStopPost={hung}/post\n"
    made["reload.service"] = SLEEPS + LIMIT + f"ExecReload={hung}/reload\n"
    for name, text in {"stream": "ListenStream={hung}/s", "datagram": "ListenDatagram={hung}/d", "fifo": "ListenFIFO={hung}/f", "special": "ListenSpecial={hung}/x", "links": "ListenStream=/run/links.sock\nSymlinks={hung}/l"}.items():
        made[f"{name}.socket"] = "[Unit]\nDefaultDependencies=no\n[Socket]\nService=good.service\nTimeoutSec=2\n" + text.format(hung=hung) + "\n"
    for name in ("PathExists", "PathExistsGlob", "PathChanged", "PathModified", "DirectoryNotEmpty"):
        made[f"{name.lower()}.path"] = f"[Unit]\nDefaultDependencies=no\n[Path]\nUnit=good.service\n{name}={hung}/p\n"
    made["health-file.service"] = SLEEPS + LIMIT + f"[X-Health]\nFileExists={hung}/ready\nInterval=200ms\nTimeout=500ms\n"
    made["health-exec.service"] = SLEEPS + LIMIT + f"[X-Health]\nExec={hung}/check\nInterval=200ms\nTimeout=500ms\n"
    made["health-socket.service"] = SLEEPS + LIMIT + f"[X-Health]\nUnixConnect={hung}/sock\nInterval=200ms\nTimeout=500ms\n"
    made["watch.service"] = SLEEPS + LIMIT + f"X-Watch={hung}/src\n"
    return made


def story_every_directive_that_takes_a_path():
    with HungBox({"good.service": GOOD}, ["good.service"]) as box:
        for name, text in units(box.hung).items():
            box.write(name, text)
        box.boot()
        names = list(units(box.hung))
        baseline, control, slowest = Baseline(box), Control(box, timeout=60), 0.0
        began = time.monotonic()
        box.initctl("start", "--no-block", *names)
        until("somebody hangs", box.fuse.waiting)
        stopped = False
        while True:
            asked = time.monotonic()
            equal(control.call("Status", unit="good.service")["unit"]["summary"]["active_state"], "active")
            jobs = control.call("Jobs").get("jobs") or []
            slowest = max(slowest, time.monotonic() - asked)
            if not stopped and time.monotonic() - began > 0.5:
                box.initctl("restart", "good", check=True)
                box.initctl("reload", "--no-block", "reload.service")
                box.initctl("daemon-reload", check=True)
                box.initctl("show", "environment-file", check=True)
                stopped = True
            if not jobs:
                break
            check(time.monotonic() - began < 40, f"still there: {jobs}")
            time.sleep(0.02)
        states = {unit["name"]: unit["active_state"] for unit in control.units() if unit["name"] in names}
        check(states["environment-file.service"] == states["binary.service"] == states["working-directory.service"] == "failed", states)
        took = time.monotonic() - began
        box.initctl("stop", *names, timeout=60)
        # A unit's socket for notifications and the like stay with it; probes and guards do not.
        settled(box, baseline, 30)
        print(f"     {len(names)} units hung: all came to an end in {took:.1f} s, the slowest answer took {slowest * 1000:.0f} ms; grown by {baseline.growth_kb()} kB")
        equal(box.stop(), 0)


def story_a_log_directory_without_room():
    """The store's disk fills while services write, and has room again later: nobody waits, lines go out, what is lost is said."""
    talker = "[Service]\nType=oneshot\nX-LogStdout=no\nLogRateLimitIntervalSec=0\nExecStart=/bin/sh -c 'seq -f \"a line of some length, number %%.0f\" 200000'\n"
    with Box({"x.service": GOOD, "talk.service": talker, "last.service": "[Service]\nType=oneshot\nExecStart=/bin/echo the last word\n"}, ["x.service"],
             setup="mkdir /run/small; mount -t tmpfs -o size=256k tmpfs /run/small", args=["--log-dir=/run/small", "--log-max=64M"]) as box:
        box.boot()
        baseline, control, slowest = Baseline(box), Control(box, timeout=60), 0.0
        box.inside("sh", "-c", "cat /dev/zero > /run/small/others 2>/dev/null")
        box.initctl("start", "--no-block", "talk", check=True)
        while True:
            asked = time.monotonic()
            if control.call("Status", unit="talk.service")["unit"]["summary"]["active_state"] == "inactive":
                break
            slowest = max(slowest, time.monotonic() - asked)
            time.sleep(0.01)
        box.initctl("restart", "x", check=True)
        box.wait_log(r"^\[monoinit\] log store: cannot write to /run/small: No space left on device; lines are kept in memory and go to stdout$")
        box.inside("mount", "-o", "remount,size=64m", "/run/small", check=True)
        box.initctl("start", "last", check=True)
        until("the store goes on", lambda: "the last word" in box.initctl("-u", "last", "-o", "cat", name="journalctl").stdout)
        settled(box, baseline, ignore=lambda text: "/run/small/" in text)
        print(f"     the slowest answer took {slowest * 1000:.0f} ms; grown by {baseline.growth_kb()} kB")
        equal(box.stop(), 0)


if __name__ == "__main__":
    if not usable():
        print("SKIP: /dev/fuse cannot be opened")
        sys.exit(77)
    run(globals())
