#!/usr/bin/env python3
"""Unit directories full of what should not be there: noise, depth, loops, storms of drop-ins, odd names, cycles, rewriting while it is read.
The good unit runs, what is wrong is said within bounds, and daemon-reload costs no memory. MONOINIT_TORTURE=full makes more of it."""
import os
import random
import re
import threading
import time

from harness import Box, budget_kb, check, equal, run, until
from invariants import Baseline, Control, memory_kb, settled

FULL = os.environ.get("MONOINIT_TORTURE") == "full"
GOOD = "[Service]\nExecStart=/bin/sleep infinity\n"
SUFFIXES = (".service", ".socket", ".timer", ".path", ".target", ".mount", ".slice", ".scope", ".device", ".swap", ".automount", "", ".conf", ".service.d", ".wants")


def lives(box, what, deadline=30):
    """The good unit runs, is restarted, and a reload again and again costs nothing; everything ends in order."""
    began = time.monotonic()
    box.boot(wait=False)
    until("the good unit runs", lambda: box.initctl("is-active", "good", timeout=60).stdout.strip() == "active", deadline)
    ready = time.monotonic() - began
    baseline, control, slowest = Baseline(box), Control(box, timeout=60), 0.0
    for _ in range(2):  # the first ones may make room for what a reload needs
        control.call("DaemonReload")
    memory = memory_kb(box)
    for _ in range(5):
        began = time.monotonic()
        control.call("DaemonReload")
        slowest = max(slowest, time.monotonic() - began)
    check(memory_kb(box) - memory < budget_kb(1024), f"five reloads cost {memory_kb(box) - memory} kB")
    box.initctl("restart", "good", check=True)
    box.initctl("list-unit-files", timeout=60, check=True)
    settled(box, baseline)
    print(f"     {what}: up in {ready:.2f} s, a reload in {slowest * 1000:.0f} ms, PID 1's own memory {memory_kb(box)} kB, {len(box.log())} bytes said", flush=True)
    check(len(box.log()) < 4 << 20, f"{len(box.log())} bytes are said")
    equal(box.stop(), 0)


def story_files_of_noise():
    """Ten thousand files with all kinds of names, of random bytes, lines and lengths, a tenth of them wanted by the boot."""
    chance = random.Random(11)
    with Box({"good.service": GOOD}, ["good.service"]) as box:
        for i in range(10000 if FULL else 2000):
            name = f"noise-{i}{chance.choice(SUFFIXES)}"
            text = chance.choice((chance.randbytes(chance.randrange(300)), b"[Service]\n" + chance.randbytes(50), b"[Unit]\nAfter=" + b"noise-1.service " * 100,
                                  b"[Service]\nExecStart=/bin/true\n" + b"Environment=" + b"%" * 200, b"[" * 1000, b"\\\n" * 500, b"a=" + b"b" * 3000, b""))
            box.write(name, text)
            if i % 10 == 0:
                box.enable(name)
        lives(box, "noise", 60)


def story_deep_and_looping_directories():
    with Box({"good.service": GOOD}, ["good.service"]) as box:
        deep = box.units
        for _ in range(500 if FULL else 100):
            deep += "/deep.service.d"
            try:
                os.mkdir(deep)
            except OSError:
                break
        os.makedirs(box.units + "/good.service.d/sub.conf/deeper")
        for name, target in (("loop.service", "loop.service"), ("ping.service", "pong.service"), ("pong.service", "ping.service"), ("self.service.d", "."), ("up.wants", ".."),
                             ("root.service", "/"), ("proc.service", "/proc/self/mem"), ("zero.service", "/dev/zero"), ("good.service.d/50-loop.conf", "50-loop.conf"),
                             ("good.service.d/60-dir.conf", "/"), ("good.service.d/70-zero.conf", "/dev/zero"), ("good.service.d/80-nowhere.conf", "/nowhere"), ("long.service", "x" * 4000)):
            os.symlink(target, os.path.join(box.units, name))
        previous = "good.service"
        for i in range(200):  # a chain of aliases
            os.symlink(previous, f"{box.units}/alias-{i}.service")
            previous = f"alias-{i}.service"
        os.mkfifo(box.units + "/good.service.d/90-fifo.conf")
        for name in ("loop.service", "ping.service", "root.service", "zero.service", "alias-199.service"):
            box.enable(name)
        lives(box, "loops")


def story_storms_of_drop_ins():
    """Thousands of files for one unit, hundreds for each type, some of them enormous."""
    with Box({"good.service": GOOD}, ["good.service"]) as box:
        for i in range(3000 if FULL else 500):
            box.write(f"good.service.d/{i:05}.conf", f"[Service]\nEnvironment=V{i}={i}\n")
            box.write(f"service.d/{i:05}.conf", f"[Unit]\nDocumentation=man:x{i}(1)\n")
        box.write("good.service.d/zz-large.conf", "[Service]\n" + "Environment=L=" + "x" * 100000 + "\n")
        box.write("good.service.d/zz-many.conf", "[Unit]\n" + "".join(f"After=other-{i}.service\n" for i in range(3000)))
        lives(box, "drop-ins")


def story_names_in_wants():
    with Box({"good.service": GOOD}, ["good.service"]) as box:
        wants = box.units + "/multi-user.target.wants"
        for name in ("no-suffix", "-", "--help", ".hidden.service", "..service", "a b.service", "new\nline.service", "tab\t.service", "\x1b[31mred.service", "@.service", "x@.service", "x@@y.service",
                     "%n.service", "$(reboot).service", "\\x2d.service", "ü.service", b"\xff\xfe.service", "x" * 251 + ".svc", "y" * 247 + ".service", "a.service.service", "UPPER.SERVICE", "multi-user.target",
                     "multi-user.target.wants", "good.service.d", "{}.service", "\"quoted\".service", "a/b".replace("/", "\\x2f") + ".service"):
            name = name if isinstance(name, bytes) else name.encode()
            os.symlink(b"../good.service", os.path.join(wants.encode(), name))
        os.mkdir(wants + "/directory.service")
        os.mkfifo(wants + "/fifo.service")
        with open(wants + "/plain.service", "w", encoding="ascii") as out:
            out.write(GOOD)
        lives(box, "names")
        check("\x1b" not in box.log(), "no escape reaches the terminal")


def story_a_cycle_of_a_thousand():
    """Each after the next, and the last after the first; the same for Requires= and BindsTo=; fifty that start each other when they fail."""
    count = 1000 if FULL else 300
    units = {"good.service": GOOD}
    for i in range(count):
        follower = (i + 1) % count
        units[f"c{i}.service"] = f"[Unit]\nAfter=c{follower}.service\nRequires=c{follower}.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"
        units[f"t{i}.target"] = f"[Unit]\nAfter=t{follower}.target\nBindsTo=t{follower}.target\nPartOf=t{(i + 7) % count}.target\nConflicts=t{(i + 11) % count}.target\n"
        units[f"f{i}.service"] = f"[Unit]\nOnFailure=f{(i + 1) % 50}.service\nStartLimitIntervalSec=1h\nStartLimitBurst=2\n[Service]\nExecStart=/bin/false\n"
    with Box(units, ["good.service"]) as box:
        box.boot()
        baseline, control = Baseline(box), Control(box, timeout=60)
        for first in ("c0", "t0.target", "f0"):
            began = time.monotonic()
            box.initctl("start", "--no-block", first, timeout=60)
            until("no job is left", lambda: not control.call("Jobs").get("jobs"), 60)
            print(f"     from {first}: {time.monotonic() - began:.2f} s", flush=True)
            equal(box.state("good"), "active")
        names = [unit["name"] for unit in control.units() if unit["name"] != "good.service" and re.match(r"[ctf]\d", unit["name"]) and unit["active_state"] == "active"]
        for i in range(0, len(names), 200):
            box.initctl("stop", *names[i:i + 200], timeout=60)
        # A thousand units that were started are remembered.
        settled(box, baseline, 30, ignore=lambda text: "PID 1 has grown" in text)
        check(memory_kb(box) < budget_kb(32 << 10), f"PID 1's own memory: {memory_kb(box)} kB")
        equal(box.stop(), 0)


def story_files_that_change_while_they_are_read():
    """A file is truncated, swapped with a directory, a fifo and a link to itself while daemon-reload and starts read it."""
    with Box({"good.service": GOOD, "moving.service": GOOD}, ["good.service"]) as box:
        box.boot()
        baseline, control, over = Baseline(box), Control(box, timeout=60), threading.Event()
        path = box.units + "/moving.service"

        def change():
            chance = random.Random(3)
            while not over.is_set():
                new = path + ".new"
                kind = chance.randrange(5)
                if kind == 0:
                    os.mkdir(new)
                elif kind == 1:
                    os.mkfifo(new)
                elif kind == 2:
                    os.symlink("moving.service", new)
                else:
                    with open(new, "w", encoding="ascii") as out:
                        out.write(GOOD * chance.randrange(200))
                if os.path.isdir(path) and not os.path.islink(path):
                    os.rmdir(path)
                elif os.path.lexists(path):
                    os.unlink(path)
                os.rename(new, path)

        thread = threading.Thread(target=change)
        thread.start()
        for turn in range(300 if FULL else 60):
            control.call("DaemonReload")
            control.call("Operate", verb="start" if turn % 2 else "stop", units=["moving.service"], no_block=True)
        over.set()
        thread.join()
        equal(box.state("good"), "active")
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        else:
            os.unlink(path)
        box.write("moving.service", GOOD)
        box.initctl("daemon-reload", check=True)
        box.initctl("stop", "moving", check=True)
        settled(box, baseline)
        equal(box.stop(), 0)


if __name__ == "__main__":
    run(globals())
