#!/usr/bin/env python3
"""Faults of PID 1's own, as against signals that are sent: what the log says of them, minimal mode and the way out of it, a
damaged checkpoint. A fault is made by writing an instruction that there is none of over a function of the running PID 1."""
import ctypes
import os
import re
import signal
import subprocess
import sys

from harness import MONOINIT, NOTIFY, Box, Failure, check, equal, run, until

SLEEPER = "[Service]\nExecStart=/bin/sleep infinity\n"
PTRACE = ctypes.CDLL(None, use_errno=True).ptrace
PTRACE.restype, PTRACE.argtypes = ctypes.c_long, (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
PTRACE_POKETEXT, PTRACE_ATTACH, PTRACE_DETACH = 4, 16, 17
REAP = "_ZN8monoinit7runtime7Runtime4reapEv"


def symbols():
    """Offsets from where the binary is loaded, and sizes."""
    table, start = {}, 0
    for line in subprocess.run(["nm", "-S", MONOINIT], capture_output=True, text=True, check=True).stdout.splitlines():
        words = line.split()
        if len(words) == 4:
            table[words[3]] = (int(words[0], 16), int(words[1], 16))
        elif words[-1] == "__ehdr_start":
            start = int(words[0], 16)
    return {name: (address - start, size) for name, (address, size) in table.items()}


def load_address(pid):
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        return next(int(line.split("-")[0], 16) for line in maps if line.split()[2] == "00000000" and line.endswith("/monoinit\n"))


def break_function(box, name=REAP):
    """The next call of it is a SIGILL; the image that follows is whole."""
    address = ctypes.c_void_p(load_address(box.init) + symbols()[name][0])
    if PTRACE(PTRACE_ATTACH, box.init, None, None) != 0:
        print("SKIP: PID 1 cannot be traced here")
        sys.exit(77)
    os.waitpid(box.init, os.WUNTRACED | getattr(os, "__WALL", 0x40000000))
    nonsense = 0x0b0f if os.uname().machine == "x86_64" else 0
    done = PTRACE(PTRACE_POKETEXT, box.init, address, ctypes.c_void_p(nonsense))
    PTRACE(PTRACE_DETACH, box.init, None, None)
    equal(done, 0, "writing over it")


def crash(box):
    break_function(box)
    os.kill(box.init, signal.SIGCHLD)


def crash_twice(box):
    crash(box)
    box.wait_log(r"PID 1 crashed \(SIGILL at address 0x[0-9a-f]+, crash 1\)")
    until("the loop to turn", lambda: box.initctl("is-system-running").stdout.strip() == "running")
    crash(box)
    box.wait_log("minimal mode: 2 crashes in short time, the last one SIGILL")


def checkpoint_path(box):
    directory = f"/proc/{box.init}/fd"
    for name in os.listdir(directory):
        if "monoinit-checkpoint" in os.readlink(f"{directory}/{name}"):
            return f"{directory}/{name}"
    raise Failure("no checkpoint")


def damage(box, change):
    """`change`: the checkpoint's bytes -> others of the same size."""
    path = checkpoint_path(box)
    with open(path, "rb") as file:
        before = file.read()
    after = change(before)
    equal(len(after), len(before), "size")
    with open(path, "r+b") as file:
        file.write(after)


def story_a_fault_of_ones_own_says_where():
    with Box({"x.service": SLEEPER}, ["x.service"]) as box:
        box.boot()
        pid = box.main_pid("x")
        crash(box)
        box.wait_log(r"PID 1 crashed \(SIGILL at address 0x[0-9a-f]+, crash 1\) and goes on")
        where = box.wait_log(r"where:((?: monoinit\+0x[0-9a-f]+)+)")[0]
        frames = [int(frame.split("+")[1], 16) for frame in where.split()]
        start, size = symbols()[REAP]
        check(start <= frames[0] < start + size, f"the fault was in reap(), not at {frames[0]:#x}")
        start, size = symbols()["main"]
        check(any(start <= frame < start + size for frame in frames), "main() is not among the frames")
        equal(box.main_pid("x"), pid, "pid")
        equal(box.stop(), 0)




def story_signals_that_are_sent_are_no_crashes_of_ours():
    with Box({"x.service": SLEEPER}, ["x.service"]) as box:
        box.boot()
        pid = box.main_pid("x")
        box.inside("sh", "-c", "for i in $(seq 2000); do kill -SEGV 1; kill -ABRT 1; kill -TRAP 1; done", check=True)
        equal(box.initctl("is-active", "x").stdout.strip(), "active")
        equal(box.main_pid("x"), pid, "pid")
        check("minimal mode" not in box.log(), "minimal mode")
        check("where:" not in box.log(), "a backtrace of nothing")
        box.initctl("restart", "x", check=True)
        check(box.main_pid("x") != pid, "restarted")
        equal(box.stop(), 0)


def story_minimal_mode_stops_in_order():
    say = "[Service]\nExecStart=/bin/sh -c 'trap \"echo {0} ends; exit 0\" TERM; sleep infinity & wait'\n"
    with Box({"a.service": say.format("a"), "b.service": "[Unit]\nAfter=a.service\n" + say.format("b"),
              "c.service": "[Unit]\nAfter=b.service\n" + say.format("c"), "deaf.service": "[Unit]\nBefore=a.service\n[Service]\nExecStart=/bin/sh -c 'trap \"\" TERM; sleep infinity & wait'\n"},
             ["a.service", "b.service", "c.service", "deaf.service"], args=["--shutdown-timeout=2s"]) as box:
        box.boot()
        pids = box.find("sleep infinity")
        crash_twice(box)
        said = box.initctl("status")
        check("minimal mode: 2 crashes in short time" in said.stdout + said.stderr, f"status says {said.stdout}{said.stderr}")
        equal(box.find("sleep infinity"), pids, "services")
        box.inside("sh", "-c", "sh -c 'sleep 0.1 & exec true' ; true")
        until("orphans to be reaped", lambda: not [1 for _, state, _ in box.pids().values() if state.startswith("Z")])
        equal(box.stop(), 0)
        ends = re.findall(r"(\w) ends", box.log())
        equal(ends, ["c", "b", "a"], "order")


def story_minimal_mode_ends_with_the_command():
    with Box({"x.service": SLEEPER}, ["x.service"], command=["sh", "-c", "while ! [ -e /run/end ]; do sleep 0.02; done; exit 7"]) as box:
        box.boot()
        box.wait_log("ready in")
        crash_twice(box)
        box.inside("touch", "/run/end", check=True)
        equal(box.wait(), 7)


def story_out_of_minimal_mode_again():
    with Box({"x.service": SLEEPER, "y.service": SLEEPER + "Restart=always\n"}, ["x.service", "y.service"]) as box:
        box.boot()
        pid, other = box.main_pid("x"), box.main_pid("y")
        crash_twice(box)
        box.inside("kill", "-KILL", str(other), check=True)
        box.wait_log("after a rest in minimal mode")
        until("y to run again", lambda: box.main_pid("y") not in (0, other))
        equal(box.main_pid("x"), pid, "pid")
        equal(len(box.find("sleep infinity")), 2, "services")
        equal(box.stop(), 0)


def story_a_damaged_record_costs_what_it_holds():
    with Box({"x.service": SLEEPER, "y.service": SLEEPER}, ["x.service", "y.service"]) as box:
        box.boot()
        pid, other = box.main_pid("x"), box.main_pid("y")
        # Not in the record of names (key 0xfffffff0), whose lines begin with "unit".
        damage(box, lambda bytes_: re.sub(rb"(?<!\d )y\.service", b"Y.SERVICE", bytes_))
        box.inside("kill", "-SEGV", "1", check=True)
        box.wait_log(r"the checkpoint was damaged: [1-9]\d* records? lost")
        equal(box.main_pid("x"), pid, "pid of the one that was not hit")
        equal(box.main_pid("y"), other, "pid of the one that was hit: its guard has said it")
        equal(len(box.find("sleep infinity")), 2, "services")
        equal(box.stop(), 0)


NOTIFY_UNIT = f"[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c '{NOTIFY} READY=1; trap \"echo ends; exit 0\" TERM; n=0; while :; do sleep 0.05; n=$$((n+1)); echo line $$n; done'\n"
ONCE = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo x >> {}'\n"


def story_without_the_checkpoint_guards_say_what_runs():
    with Box() as box:
        made = box.path("made")
        box.write("x.service", SLEEPER + "Restart=always\n")
        box.write("n.service", NOTIFY_UNIT)
        box.write("once.service", ONCE.format(made))
        box.write("gone.service", "[Service]\nExecStart=/bin/sleep 1000\n")
        for name in ("x", "n", "once", "gone"):
            box.enable(f"{name}.service")
        box.boot()
        pids = box.main_pid("x"), box.main_pid("n")
        invocation = box.show("x", "InvocationID")
        descriptors = len(os.listdir(f"/proc/{box.init}/fd"))
        box.initctl("stop", "gone", check=True)
        damage(box, lambda bytes_: bytes(len(bytes_)))
        box.inside("kill", "-SEGV", "1", check=True)
        box.wait_log(r"the checkpoint is unusable \(the crash checkpoint is not one of this program\): 2 commands found running")
        until("an answer", lambda: box.initctl("is-active", "x").stdout.strip() == "active")
        equal((box.main_pid("x"), box.main_pid("n")), pids, "pids")
        equal(box.show("x", "InvocationID"), invocation, "invocation")
        equal(len(box.find("sleep infinity")), 1, "copies")
        until("what belongs to the target to be up", lambda: box.state("gone") == "active")
        equal(box.state("once"), "active", "what has run once")
        with open(made, encoding="ascii") as file:
            equal(file.read(), "x\n", "how often it ran")
        last = int(re.findall(r"\[n\] line (\d+)", box.log())[-1])
        box.wait_log(rf"\[n\] line {last + 5}$")  # its pipe is read on
        box.inside("sh", "-c", f"NOTIFY_SOCKET=$(tr '\\0' '\\n' < /proc/{pids[1]}/environ | sed -n 's/NOTIFY_SOCKET=//p') {NOTIFY} STATUS=still", check=True)
        box.inside("kill", "-KILL", str(pids[0]), check=True)
        until("x to run again", lambda: box.main_pid("x") not in (0, pids[0]))
        check(len(os.listdir(f"/proc/{box.init}/fd")) <= descriptors + 2, "descriptors are left open")
        box.inside("kill", "-SEGV", "1", check=True)  # and once more with what was made of it
        box.wait_log("PID 1 crashed")
        until("an answer", lambda: box.initctl("is-active", "n").stdout.strip() == "active")
        equal(box.main_pid("n"), pids[1], "pid")
        box.initctl("stop", "n", check=True)
        equal(box.stop(), 0)


def story_without_the_checkpoint_the_command_still_ends_it():
    with Box({"x.service": SLEEPER}, ["x.service"], command=["sh", "-c", "while ! [ -e /run/end ]; do sleep 0.02; done; exit 7"]) as box:
        box.boot()
        until("the command", lambda: box.find("/run/end"))
        damage(box, lambda bytes_: b"\xff" * len(bytes_))
        box.inside("kill", "-SEGV", "1", check=True)
        box.wait_log("the checkpoint is unusable")
        box.inside("touch", "/run/end", check=True)
        equal(box.wait(), 7)


run(globals())
