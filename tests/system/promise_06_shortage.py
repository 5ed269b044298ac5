#!/usr/bin/env python3
"""Promise 6: running out of descriptors, processes, memory or disk is a reported failure, control stays, and what could not
run does so by itself when the shortage ends."""
import subprocess

from harness import NOTIFY, Box, check, equal, not_sanitized, run, until

SERVICES = 100
RETRY = "Restart=always\nRestartSec=200ms\n[Unit]\nStartLimitIntervalSec=0\n[Service]\n"
STAYS = "[Service]\nExecStart=/bin/sh -c 'echo hello; exec sleep infinity'\n" + RETRY
USER = 54322  # of nobody's, so that its process limit counts this box alone


def limit(box, **limits):
    """Changes PID 1's own limits from outside, as the end of a shortage."""
    subprocess.run(["prlimit", f"--pid={box.init}", *(f"--{name}={value}" for name, value in limits.items())], check=True)


def running(box, names):
    states = box.initctl("is-active", *names, timeout=60).stdout.split()
    return [name for name, state in zip(names, states) if state == "active"]


def others_take_over(box, names):
    """The first that run are stopped; what they held is taken by those that could not run so far."""
    first = running(box, names)
    check(0 < len(first) < len(names), f"some run, not all: {len(first)}")
    waiting = [name for name in names if name not in first]
    box.initctl("stop", *first, check=True, timeout=60)
    # One place is allowed to be used by a restart under way.
    until("others run by themselves", lambda: len(running(box, waiting)) >= min(len(first) - 1, len(waiting)), 60)


def story_64_descriptors_and_100_services():
    names = [f"s{i}.service" for i in range(SERVICES)]
    unit = STAYS.replace("200ms", "1s") # a hundred that try five times a second are a load of their own
    with Box({name: unit for name in names}, names, wrap=["prlimit", "--nofile=64:64"]) as box:
        box.boot()
        box.wait_log(r"^\[monoinit\] s\d+: .*[Tt]oo many open files")
        check("s1.service" in box.initctl("status", "s1").stdout, "control")
        others_take_over(box, names)
        for name in running(box, names):
            box.wait_log(rf"^\[{name.removesuffix('.service')}\] hello$") # none runs whose output has nowhere to go
        equal(box.stop(), 0)


def story_no_more_processes():
    names = [f"s{i}.service" for i in range(10)]
    with Box({name: STAYS for name in names}, names, uid=USER, wrap=["prlimit", "--nproc=12:12"]) as box:
        box.boot()
        box.wait_log(r"^\[monoinit\] s\d+: .*Resource temporarily unavailable")
        check("s1.service" in box.initctl("status", "s1").stdout, "control")
        others_take_over(box, names)
        equal(box.stop(), 0)


@not_sanitized("shadow memory takes up the address space")
def story_no_more_memory():
    """PID 1's address space is nearly used up when it is asked for much."""
    with Box({"a.service": STAYS, "big@.service": STAYS + "".join(f"Environment=V{i}={'x' * 1000}\n" for i in range(500))}, ["a.service"]) as box:
        box.boot()
        with open(f"/proc/{box.init}/statm", encoding="ascii") as text:
            pages = int(text.read().split()[0])
        limit(box, **{"as": f"{(pages + 64) * 4096}:unlimited"})
        refused = box.initctl("start", *(f"big@{i}" for i in range(20)))
        check(refused.returncode != 0, "a refusal, not an end: " + refused.stdout + refused.stderr)
        equal(box.state("a"), "active")
        limit(box, **{"as": "unlimited:unlimited"})
        box.initctl("start", *(f"big@{i}" for i in range(20)), check=True)
        equal(box.initctl("is-active", "big@19").stdout.strip(), "active")
        equal(box.stop(), 0)


def story_a_full_disk():
    """No room below /run: neither for a notify socket nor for a RuntimeDirectory=."""
    notify = f"[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c '{NOTIFY} READY=1; exec sleep infinity'\n"
    directory = STAYS + "RuntimeDirectory=dir\n"
    with Box({"notify.service": notify + RETRY, "dir.service": directory, "plain.service": STAYS}, ["plain.service"]) as box:
        box.setup = "mount -o remount,nr_inodes=40 /run"
        box.boot()
        box.inside("sh", "-c", "i=0; while : > /run/fill$i; do i=$((i+1)); done 2>/dev/null")
        box.initctl("start", "--no-block", "notify", "dir")
        box.wait_log(r"^\[monoinit\] (notify|dir): .*No space left on device")
        box.wait_log(r"^\[monoinit\] dir: .*No space left on device")
        equal(box.initctl("is-active", "plain").stdout.strip(), "active")
        box.initctl("restart", "plain", check=True)
        box.inside("sh", "-c", "rm /run/fill*", check=True)
        until("both run by themselves", lambda: len(running(box, ["notify", "dir"])) == 2)
        equal(box.stop(), 0)


run(globals())
