#!/usr/bin/env python3
"""Every call fails once: a fixed story is played to learn which places call the kernel (or allocate), then played again with
one of them failing. What must hold after each: PID 1 lives and answers, what failed is back or said to have failed, nothing of
what is stopped lives, no descriptor, process or zombie is left over, and the end is an ordered one with status 0.

  faults.py [--seed N] [--budget SECONDS] [--all] [--memory] [--only REGEX] [--list] [--jobs N] [--play KEY:NTH:ERROR]

Without --all a sample is played that the printed seed decides; --memory plays the places that allocate instead of those that call. A place is named by KEY; --list tells what they are. The binary is
build/debug/tests/faults/monoinit (tests/faults/interpose.cpp).
"""
import argparse
import collections
import concurrent.futures
import contextlib
import errno
import mmap
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import time

import harness
from harness import Box, Failure, check, equal, namespaces_work, until

PLAIN = harness.MONOINIT
FAULTY = os.path.join(os.path.dirname(os.path.realpath(PLAIN)), "tests/faults/monoinit")
NOTIFY = harness.NOTIFY
PATIENCE = 12.0

# As tests/faults/interpose.cpp has them.
HEADER = struct.Struct("<IiQIII")
PLACE = struct.Struct("<QII24s11Q")
PLACES_OFFSET, MOST_PLACES = 4096, 1 << 16
OFF, RECORD, FAIL = range(3)
ROLES = ["", "init", "child", "logger"]

# What the kernel may really answer in a shortage. Nothing interrupts PID 1 or a guard: their signals are blocked.
DESCRIPTORS = ["EMFILE", "ENFILE", "ENOMEM"]
FILES = ["ENOSPC", "EROFS", "EACCES"]
ERRORS = {
    **dict.fromkeys(["accept4", "epoll_create1", "eventfd", "inotify_init1", "memfd_create", "pipe2", "signalfd", "socket", "socketpair",
                     "timerfd_create", "dup", "pidfd_open", "open", "openat", "openat2", "opendir"], DESCRIPTORS),
    **dict.fromkeys(["stat", "lstat", "fstatat", "statx", "readlink", "readlinkat", "fstatvfs", "madvise", "mmap", "getdents64", "read",
                     "pread", "recv", "recvmsg", "poll", "splice", "chdir"], ["ENOMEM"]),
    **dict.fromkeys(["mkdir", "mkdirat", "mkfifo", "rename", "renameat", "symlink", "symlinkat"], FILES),
    **dict.fromkeys(["unlink", "unlinkat", "rmdir"], ["EROFS"]),
    **dict.fromkeys(["chown", "fchown", "fchownat"], ["EPERM"]),
    "bind": ["ENOMEM", "ENOSPC"],
    "connect": ["EAGAIN", "ECONNREFUSED"],
    "epoll_ctl": ["ENOSPC", "ENOMEM"],
    "epoll_wait": ["EINTR"],
    "ppoll": ["EINTR", "ENOMEM"],
    **dict.fromkeys(["send", "sendmsg"], ["EAGAIN", "ENOBUFS"]),
    **dict.fromkeys(["write", "writev"], ["ENOSPC", "EIO"]),
    "ftruncate": ["ENOSPC"],
    "inotify_add_watch": ["ENOSPC", "ENOMEM"],
    **dict.fromkeys(["fork", "vfork", "pthread_create"], ["EAGAIN", "ENOMEM"]),
    **dict.fromkeys(["execve", "execveat"], ["ENOMEM", "EAGAIN"]),
    "new": ["ENOMEM"],
}

# Words for a shortage other than the kernel's own; a client for which there is no room is told by the end of the connection.
SAID = "out of memory|max_user_|the logger hung up|Connection reset by peer|closed the connection|Broken pipe|cannot take over|the process that was to do it ended|the socket is full"
SLEEP = "exec sleep infinity"
UNITS = {
    "simple.service": f"[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sh -c 'echo hello; {SLEEP}'\nRestart=always\nRestartSec=50ms\n",
    "ready.service": f"[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c '{NOTIFY} READY=1 STATUS=fine; {SLEEP}'\n"
                     "ExecReload=/bin/true\nExecStop=/bin/true\nRestart=always\nRestartSec=50ms\n",
    "fork.service": "[Service]\nType=forking\nPIDFile=/run/fork.pid\nRuntimeDirectory=fork\n"
                    "ExecStart=/bin/sh -c 'sleep infinity & echo $! > /run/fork.pid'\nRestart=on-failure\nRestartSec=50ms\n",
    "once.service": "[Unit]\nConditionPathExists=/etc/passwd\n[Service]\nType=oneshot\nRemainAfterExit=yes\nEnvironmentFile=-/etc/environment\n"
                    "ExecStartPre=/bin/true\nExecStart=/bin/echo once\n",
    "tick.timer": "[Timer]\nOnActiveSec=10ms\n",
    "tick.service": "[Service]\nType=oneshot\nExecStart=/bin/echo tick\n",
    "door.socket": "[Socket]\nListenStream=/run/door\n",
    "door.service": f"[Service]\nExecStart=/bin/sh -c '{SLEEP}'\n",
    "each.socket": "[Socket]\nListenStream=/run/each\nAccept=yes\n",
    "each@.service": "[Service]\nExecStart=/bin/echo served\nStandardInput=socket\nStandardOutput=socket\n",
    "flag.path": "[Path]\nPathModified=/run/flags\nMakeDirectory=yes\n",
    "flag.service": "[Service]\nType=oneshot\nExecStart=/bin/echo flagged\n",
    "well.service": f"[Service]\nExecStart=/bin/sh -c '{SLEEP}'\n[X-Health]\nExec=/bin/true\nInterval=200ms\nStartInterval=100ms\nTimeout=5s\n",
}
ENABLED = ["simple.service", "ready.service", "fork.service", "once.service", "tick.timer", "door.socket", "each.socket", "flag.path", "well.service"]
STAYING = ENABLED + ["door.service"]


class Orders:
    """The file in which a faulty binary finds what to do."""

    def __init__(self, path, mode, key=0, nth=0, error=0):
        self.path = path
        with open(path, "wb") as out:
            out.write(HEADER.pack(mode, error, key, nth, 0, 0))
            out.truncate(PLACES_OFFSET + MOST_PLACES * PLACE.size)

    def fired(self):
        with open(self.path, "rb") as text:
            return HEADER.unpack(text.read(HEADER.size))[5] != 0

    def places(self):
        with open(self.path, "rb") as text, mmap.mmap(text.fileno(), 0, prot=mmap.PROT_READ) as memory:
            for i in range(MOST_PLACES):
                key, count, role, call, *stack = PLACE.unpack_from(memory, PLACES_OFFSET + i * PLACE.size)
                if key != 0:
                    yield Place(key, count, ROLES[role], call.rstrip(b"\0").decode(), tuple(frame for frame in stack if frame != 0))


Place = collections.namedtuple("Place", "key count role call stack")
Fault = collections.namedtuple("Fault", "place nth error")


class Story:
    """One play. What a call that failed may cost is a step that says so; the end is to be as without it."""

    def __init__(self, mode, fault=None):
        self.fault = fault
        self.refused = []  # steps that did not succeed
        self.box = Box(UNITS, ENABLED)
        self.orders = Orders(self.box.path("orders"), mode, *((fault.place.key, fault.nth, getattr(errno, fault.error)) if fault else ()))
        self.box.env["INTERPOSED_FAULTS"] = self.orders.path

    def root(self, path):
        return f"/proc/{self.box.init}/root{path}"

    def step(self, *command, name="initctl"):
        done = self.box.initctl(*command, name=name, timeout=PATIENCE)
        if done.returncode != 0:
            self.refused.append(f"{name} {' '.join(command)}: {done.returncode}: {(done.stdout + done.stderr).strip()[-300:]}")
            check(done.stdout + done.stderr, f"{name} {' '.join(command)}: fails without a word ({done.returncode})")
        return done

    def connect(self, path):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(self.root(path))
            return client.recv(100) if path == "/run/each" else b""
        return None

    def soon(self, what, probe):
        """Something that happens by itself, unless the fault is to blame for it."""
        try:
            until(what, probe, PATIENCE if self.fault is None else 1.5)
        except Failure:
            self.refused.append(f"did not come by itself: {what}")

    def main_pid(self, unit):
        return int(self.step("show", "-p", "MainPID", "--value", unit).stdout.strip() or 0)

    def play(self):
        box = self.box
        box.boot(wait=False)
        box.wait_log(r"\[monoinit\] (ready in |\d+ messages of monoinit were lost)", PATIENCE)
        self.soon("tick", lambda: "[tick] tick" in box.log())
        if self.connect("/run/door") is not None:
            self.soon("door.service", lambda: box.state("door.service") == "active")
        served = self.connect("/run/each")
        if not served:
            self.refused.append("nobody served a connection")
        with contextlib.suppress(OSError), open(self.root("/run/flags/a"), "w", encoding="ascii") as out:
            out.write("x")
        self.soon("flagged", lambda: "[flag] flagged" in box.log())
        pid = self.main_pid("simple")
        if pid:
            box.inside("kill", "-9", str(pid))
            self.soon("simple is back", lambda: box.main_pid("simple") not in (0, pid))
        self.step("restart", "ready")
        self.step("reload", "ready")
        self.step("status", "simple", "fork")
        self.step("list-units", name="systemctl")
        self.step("run", "--wait", "--", "echo", "transient")
        box.write("late.service", f"[Service]\nExecStart=/bin/sh -c '{SLEEP}'\nStandardOutput=null\n")
        self.step("daemon-reload")
        self.step("start", "late", "fork")
        self.step("logs", "-n", "5")
        self.step("daemon-reexec")
        self.step("restart", "fork", "simple")
        self.step("health", "--live")
        self.step("stop", "late", "flag.path")
        self.step("start", "flag.path")

    def recovered(self):
        """Everything is as without the fault, at the latest when it is asked for once more."""
        wanted = " ".join(["active"] * len(STAYING))

        def as_wanted():
            done = self.box.initctl("is-active", *STAYING, timeout=PATIENCE)
            if done.stderr:
                self.refused.append(done.stderr.strip())
            return " ".join(done.stdout.split()) == wanted

        with contextlib.suppress(Failure):
            until("recovery", as_wanted, 1.0 if self.refused else 3.0)
        if not as_wanted():
            self.refused.append("by itself: " + " ".join(self.box.initctl("is-active", *STAYING).stdout.split()))
            self.box.initctl("reset-failed", timeout=PATIENCE)
            again = self.box.initctl("start", *STAYING, timeout=PATIENCE)
            check(as_wanted(), f"not to be started again: {again.stdout}{again.stderr}")
        if self.box.state("late") != "inactive":
            self.box.initctl("reset-failed", "late", timeout=PATIENCE)
            equal(self.box.initctl("stop", "late", timeout=PATIENCE).returncode, 0, "stop late")

    def processes(self):
        """Commands by how often they run, of those that stay; a zombie is none."""
        table = self.box.pids()
        found = collections.Counter(re.sub(r"monoinit-test-\w+|\d{2,}", "N", re.sub(r" --resume\S*", "", command)) if "Z" not in state else f"zombie {command}"
                                    for _, state, command in table.values() if not re.search(r"^ps -eo|/bin/true|^\(true\)", command))
        found["guard: well.service"] = min(found["guard: well.service"], 1)  # its checks have guards of that name for a moment
        return found

    def descriptors(self):
        kinds = collections.Counter()
        for name in os.listdir(f"/proc/{self.box.init}/fd"):
            with contextlib.suppress(OSError):
                kinds[re.sub(r"monoinit-test-\w+|\d+", "N", os.readlink(f"/proc/{self.box.init}/fd/{name}"))] += 1
        return kinds

    def settled(self, what, look, wanted):
        if wanted is None:
            return look()

        def same():
            return look() == wanted

        try:
            until(what, same, 4.0)
        except Failure:
            now = look()
            raise Failure(f"{what}: too many {dict(now - wanted)}, missing {dict(wanted - now)}") from None
        return wanted

    def end(self):
        equal(self.box.stop(deadline=PATIENCE), 0, "exit status")
        lines = self.box.log().rstrip().splitlines()
        check(lines and re.match(r"\[monoinit\] ", lines[-1]), f"the last word is not PID 1's: {lines[-1:]}")


def record():
    """What there is when nothing fails: places, processes and descriptors at rest."""
    story = Story(RECORD)
    with story.box:
        story.play()
        check(not story.refused, "without faults: " + "; ".join(story.refused))
        time.sleep(0.3)  # the one place where nothing can be awaited: what is at rest is not known yet
        resting = story.processes(), story.descriptors()
        story.recovered()
        story.end()
        return {place.key: place for place in story.orders.places()}, resting


def play(fault, resting):
    """Returns (outcome, text): unreached, absorbed (no step noticed), told (a step failed and said so), or broken."""
    story = Story(FAIL, fault)
    with story.box as box:
        try:
            try:
                story.play()
            except Failure as failure:
                if box.process.poll() is not None and "ready in" not in box.log() and box.process.returncode != 0 and box.log().strip():
                    return "refused to boot" if fault.place.call != "new" or "out of memory" not in box.log() else "told", box.log()
                raise failure
            story.recovered()
            story.settled("processes", story.processes, resting[0])
            story.settled("descriptors", story.descriptors, resting[1])
            story.end()
            if not story.orders.fired():
                return ("unreached", "") if not story.refused else ("unstable", "; ".join(story.refused) + "\n" + box.log())
            text = "; ".join(story.refused)
            said = any(os.strerror(getattr(errno, fault.error)) in told for told in (box.log(), text)) or re.search(SAID, box.log() + text)
            if story.refused and not said:
                return "unsaid", text + "\n" + box.log()
            return ("told" if story.refused else "said" if said else "absorbed"), text
        except (Failure, subprocess.TimeoutExpired, ValueError) as failure:
            state = ""
            if box.process is not None and box.process.poll() is None:
                with contextlib.suppress(OSError, subprocess.SubprocessError):
                    state = subprocess.run(["nsenter", f"--target={box.init}", "--mount", "--pid", "ps", "-eo", "pid,ppid,stat,wchan:20,args"],
                                           capture_output=True, text=True, check=False, timeout=5).stdout
            return "broken", f"{failure}\nrefused: {'; '.join(story.refused)}\n--- log\n{box.log()}\n{state}"


def names_of(places):
    """Stacks as names of functions."""
    frames = sorted({frame for place in places for frame in place.stack})
    if not frames:
        return {}
    done = subprocess.run(["addr2line", "-sfCe", FAULTY, *(hex(frame - 1) for frame in frames)], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    return {frame: (re.sub(r"\(.*", "", re.sub(r"monoinit::|\(anonymous namespace\)::", "", lines[2 * i])), lines[2 * i + 1].split(" ")[0]) for i, frame in enumerate(frames)}


def where(place, names):
    told = [f"{name}:{line.rpartition(':')[2]}" for name, line in (names[frame] for frame in place.stack)
            if not name.startswith(("std::", "__", "void std", "fmt::", "operator"))]
    return f"{place.role} {place.call} x{place.count} in {' < '.join(told[:6])}"


def sample(places, everything, seed):
    faults = []
    for place in places:
        for error in ERRORS.get(place.call, []):
            turns = {1, place.count} if everything else {1, place.count, random.Random(seed ^ place.key).randint(1, place.count)}
            faults += [Fault(place, nth, error) for nth in sorted(turns)]
    random.Random(seed).shuffle(faults)
    return faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    parser.add_argument("--budget", type=float, default=60)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--play", default="")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    if not namespaces_work() or not os.path.exists(FAULTY):
        print("SKIP: no PID namespace can be made here, or no tests/faults/monoinit has been built")
        sys.exit(77)
    harness.MONOINIT = FAULTY
    places, resting = record()
    names = names_of(places.values())
    chosen = [place for place in places.values() if (place.call == "new") == options.memory and re.search(options.only, where(place, names))]
    print(f"seed {options.seed}: {len(places)} places, {sum(place.count for place in places.values())} calls", flush=True)
    if options.list:
        for place in sorted(chosen, key=lambda place: (place.role, place.call, place.key)):
            print(f"{place.key:016x} {where(place, names)}")
        return
    if options.play:
        key, nth, error = options.play.split(":")
        faults = [Fault(places[int(key, 16)], int(nth), error)]
    else:
        faults = sample(chosen, options.all, options.seed)
    began, outcomes, broken = time.monotonic(), collections.Counter(), 0

    def one(fault):
        if not options.all and not options.play and time.monotonic() - began > options.budget:
            return None
        return play(fault, resting)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for fault, result in zip(faults, pool.map(one, faults)):
            if result is None:
                continue
            outcome, text = result
            outcomes[outcome] += 1
            bad = outcome in ("broken", "unsaid", "refused to boot", "unstable")
            broken += bad
            if bad or options.verbose or options.play:
                print(f"{outcome}: {fault.place.key:016x}:{fault.nth}:{fault.error} {where(fault.place, names)}", flush=True)
            if bad or options.play:
                print("    " + text.replace("\n", "\n    "), flush=True)
    print(f"{sum(outcomes.values())} of {len(faults)} faults played in {time.monotonic() - began:.0f} s: "
          + ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))
    sys.exit(1 if broken else 0)


signal.signal(signal.SIGINT, signal.SIG_DFL)
main()
