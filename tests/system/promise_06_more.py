#!/usr/bin/env python3
"""Promise 6, the rarer shortages: inotify instances and watches, pseudo terminals, descriptors for clients, processes for a look at
a path; and calls of the kernel that a place refuses."""
import contextlib
import os
import re
import socket
import subprocess
import sys
import time

from harness import NOTIFY, Box, check, equal, run, until

SLEEPS = "[Service]\nExecStart=/bin/sleep infinity\n"
TALKS = "[Service]\nExecStart=/bin/sh -c 'echo hello; exec sleep infinity'\nRestart=always\nRestartSec=50ms\n"
PATHS = {"job.path": "[Path]\nPathExists=/run/request\n", "job.service": "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'rm /run/request; echo worked'\n",
         "web.service": SLEEPS + "X-Watch=/run/watched\n"}
REFUSE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "refuse.py")
USER = 54323  # of nobody's, so that its process limit counts this box alone


def of_user_namespace(what, number):
    """A user namespace of its own has a limit of its own."""
    return ("unshare", "--user", "--map-root-user", "sh", "-c", f'echo {number} > /proc/sys/user/{what}; exec "$@"', "sh")


def end_shortage(box, what):
    box.inside("nsenter", "--user", "--target=1", "sh", "-c", f"echo 1000 > /proc/sys/user/{what}", check=True)


def noticed(box):
    """What watches notices again: a path that exists, a source that changes."""
    box.inside("touch", "/run/request", check=True)
    box.wait_log(r"^\[job\] worked$")
    before = box.main_pid("web")

    def restarted():
        box.inside("touch", "/run/watched/file", check=True)
        return box.main_pid("web") not in (0, before)

    until("the change of a source", restarted)


def story_no_inotify_instance_is_left():
    with Box(PATHS, ["job.path", "web.service"], setup="mkdir /run/watched", wrap=of_user_namespace("max_inotify_instances", 0)) as box:
        box.boot()
        ready = float(box.wait_log(r"^\[monoinit\] ready in ([\d.]+) s")[0])
        check(ready < 1.9, f"ready in {ready} s: nothing waits for what may be had later")
        box.wait_log(r"^\[monoinit\] job.path: no inotify instance is left \(fs.inotify.max_user_instances\); tried again every 5 s$")
        box.wait_log(r"^\[monoinit\] web: X-Watch=: no inotify instance is to be had .*; nothing is watched until there is$")
        equal([box.state("job.path"), box.state("web")], ["active", "active"])
        end_shortage(box, "max_inotify_instances")
        noticed(box)
        zone = "for fd in /proc/1/fd/*; do readlink $fd; done | grep -c inotify"
        until("the time zone is watched, too", lambda: box.inside("sh", "-c", zone).stdout.strip() == "2")
        equal(box.stop(), 0)


def story_no_inotify_watch_is_left():
    with Box({"job.path": PATHS["job.path"], "job.service": PATHS["job.service"]}, ["job.path"], wrap=of_user_namespace("max_inotify_watches", 1)) as box:
        box.boot()
        box.wait_log(r"^\[monoinit\] job.path: the kernel allows no more inotify watches \(fs.inotify.max_user_watches\); tried again every 5 s$")
        box.inside("touch", "/run/request", check=True)
        end_shortage(box, "max_inotify_watches")
        box.wait_log(r"^\[job\] worked$")
        equal(box.stop(), 0)


def story_no_pseudo_terminal_is_left():
    terminal = "[Service]\nStandardInput=tty\nTTYPath=/dev/pts/7\nExecStart=/bin/echo on a terminal\n"
    pts = "mount -t devpts -o newinstance,ptmxmode=0666,max=1 devpts /dev/pts; mount --bind /dev/pts/ptmx /dev/ptmx"
    hold = "import pty; held = pty.openpty(); print('held', flush=True); input()"
    with Box({"web.service": SLEEPS, "terminal.service": terminal}, ["web.service", "terminal.service"], setup=pts) as box:
        box.boot()
        box.wait_log(r"^\[monoinit\] terminal: .*/dev/pts/7.*No such file or directory")
        holder = box.begin("python3", "-c", hold)
        equal(holder.stdout.readline(), "held\n")
        for words, name in ((("run", "--pty", "true"), "initctl"), (("-q", "-t", "true"), "systemd-run")):
            refused = box.initctl(*words, name=name)
            check(refused.returncode == 1 and "no pseudo terminal to be had (/dev/ptmx): No space left on device" in refused.stderr, refused)
        holder.communicate("\n", timeout=20)
        equal(box.initctl("run", "--pty", "true", check=True).returncode, 0)
        equal(box.state("web"), "active")


def limit(box, what, number):
    """PID 1's soft limit, from outside; only the same user may."""
    user = os.stat(f"/proc/{box.init}").st_uid
    subprocess.run(["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "prlimit", f"--pid={box.init}", f"--{what}={number}:"], check=True)


def ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as text:
        fields = text.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def story_no_descriptor_is_left_for_clients():
    with Box({"web.service": TALKS}, ["web.service"]) as box:
        box.boot()
        box.wait_log(r"^\[web\] hello$")
        limit(box, "nofile", len(os.listdir(f"/proc/{box.init}/fd")) + 3)
        slow = []
        for _ in range(12):
            slow.append(socket.socket(socket.AF_UNIX))
            slow[-1].connect(f"/proc/{box.init}/root/run/monoinit/control")
        box.wait_log(r"^\[monoinit\] no descriptor is left for another client of the control socket: those that come wait$")
        before, began = ticks(box.init), time.monotonic()
        until("a second", lambda: time.monotonic() - began > 1)
        check(ticks(box.init) - before <= 10, f"{ticks(box.init) - before} ticks of PID 1 in a second")
        for each in slow:
            each.close()
        equal(box.initctl("is-active", "web", check=True).stdout, "active\n")
        box.wait_log(r"^\[monoinit\] clients of the control socket are let in again$")
        equal(box.log().count("no descriptor is left for another client"), 1, "said once")
        equal(box.stop(), 0)


def story_no_room_is_left_for_logs():
    full = "mkdir /run/small; mount -t tmpfs -o size=1m tmpfs /run/small; dd if=/dev/zero of=/run/small/zeros bs=1k 2>/dev/null || true"
    with Box({"web.service": TALKS}, ["web.service"], args=["--log-dir=/run/small/logs"], setup=full) as box:
        box.boot()
        box.wait_log(r"^\[monoinit\] log store: cannot write to /run/small/logs: No space left on device")
        for i in range(1, 4):
            box.wait_log(r"^\[web\] hello$", count=i)
            box.initctl("restart", "web", check=True)
        box.wait_log(r"^\[web\] hello$", count=4)
        equal(box.log().count("log store: cannot write"), 1, "said once")
        box.inside("rm", "/run/small/zeros", check=True)
        stored = ("-u", "web", "-o", "cat", "-t", "web")
        until("what was kept back is stored", lambda: box.initctl("--sync", name="journalctl").returncode == 0 and
              "hello\n" * 4 == "".join(line + "\n" for line in box.initctl(*stored, name="journalctl").stdout.splitlines() if line == "hello"))
        check(os.listdir(f"/proc/{box.init}/root/run/small/logs"), "in files of the disk")
        equal(box.stop(), 0)


def story_no_process_is_left_for_a_look_at_a_path():
    with Box({"web.service": SLEEPS + "[Unit]\nConditionPathExists=/run\n"}, uid=USER) as box:
        box.boot()
        limit(box, "nproc", 1)
        box.initctl("start", "--no-block", "web", check=True)
        box.wait_log(r"^\[monoinit\] .*Resource temporarily unavailable: trying again$")
        check("web.service" in box.initctl("status", "web").stdout, "control")
        limit(box, "nproc", 500)
        box.wait_state("web", "active")
        equal(box.stop(), 0)


EVERYTHING = {
    "web.service": TALKS, "tick.timer": "[Timer]\nOnActiveSec=50ms\nAccuracySec=1ms\n", "tick.service": "[Service]\nType=oneshot\nExecStart=/bin/echo ticked\n",
    "job.path": PATHS["job.path"], "job.service": PATHS["job.service"], "some.socket": "[Socket]\nListenStream=/run/some\n", "some.service": SLEEPS,
    "notify.service": f"[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c '{NOTIFY} READY=1; exec sleep infinity'\n",
    "data.service": "[Service]\nStandardInput=data\nStandardInputText=word\nRuntimeDirectory=data\nExecStart=/bin/sh -c 'cat; exec sleep infinity'\n",
    "seen.service": SLEEPS + "[X-Health]\nExec=/bin/true\n",
}


def refusing(calls, error, names):
    return Box({name: EVERYTHING[name] for name in EVERYTHING}, names, wrap=[sys.executable, REFUSE, calls, error])


def everything_works(box, but=()):
    box.boot()
    for name in ("web.service", "notify.service", "data.service", "seen.service", "some.socket"):
        equal(box.state(name), "active", name)
    for line in (r"^\[web\] hello$", r"^\[tick\] ticked$", r"^\[data\] word$"):
        box.wait_log(line)
    if "paths" not in but:
        box.inside("touch", "/run/request", check=True)
        box.wait_log(r"^\[job\] worked$")
    pid = box.main_pid("web")
    box.inside("kill", "-9", str(pid), check=True)
    until("a restart", lambda: box.main_pid("web") not in (0, pid))
    pid = box.main_pid("web")
    box.initctl("daemon-reexec", check=True)
    box.signal(11)
    box.wait_log(r"crash 1\) and goes on")
    equal(box.main_pid("web"), pid)
    equal(box.stop(), 0)


def story_what_older_kernels_and_filters_do_not_have():
    """All of these have another way."""
    enable = [name for name in EVERYTHING if name not in ("tick.service", "job.service", "some.service")]
    for calls, error in (("clone3", "EPERM"), ("clone3,close_range,openat2,pidfd_open,pidfd_send_signal,faccessat2,statx,renameat2,getrandom,fallocate", "ENOSYS"),
                         ("close_range,openat2,pidfd_open,pidfd_send_signal,faccessat2,statx,renameat2,fallocate", "EPERM")):
        with refusing(calls, error, enable) as box:
            everything_works(box)
    with refusing("inotify_init1", "ENOSYS", enable) as box:
        everything_works(box, but=["paths"])
        check("job.path: cannot watch paths: Function not implemented" in box.log(), box.log())


def story_what_cannot_be_done_without_is_named():
    for call, text in (("memfd_create", "memfd_create"), ("signalfd4", "signalfd"), ("timerfd_create", "timer"), ("epoll_create1", "epoll")):
        with refusing(call, "EPERM", []) as box:
            with contextlib.suppress(ChildProcessError):
                box.boot(wait=False)
            equal(box.wait(), 1, call)
            check(re.fullmatch(rf"monoinit: cannot .*{text}.*: Operation not permitted\n", box.log()), f"{call}: {box.log()}")
    with refusing("eventfd2", "EPERM", ["web.service"]) as box:
        box.boot(wait=False)
        box.wait_log(r"^\[monoinit\] the logger cannot work: ")
        until("control", lambda: box.initctl("is-active", "web").stdout == "active\n")
        equal(box.stop(), 0)


run(globals())
