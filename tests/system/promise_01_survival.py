#!/usr/bin/env python3
"""Promise 1: PID 1 ends only by an ordered shutdown; a fault in it, or any signal sent by hand, leaves services untouched."""
import os
import signal

from harness import Box, check, equal, run

SLEEPER = "[Service]\nExecStart=/bin/sleep infinity\n"
ORDERED_END = {signal.SIGTERM, signal.SIGINT, signal.SIGPWR, signal.SIGRTMIN + 3, signal.SIGRTMIN + 4}
HELD = {signal.SIGKILL, signal.SIGSTOP}
FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS}


def story_a_fault_in_pid1():
    with Box({"x.service": SLEEPER, "y.service": SLEEPER + "Restart=always\n"}, ["x.service", "y.service"]) as box:
        box.boot()
        pids = box.main_pid("x"), box.main_pid("y")
        for count, name in enumerate(("SEGV", "ABRT", "BUS", "SEGV"), 1):
            box.inside("kill", f"-{name}", "1", check=True)
            box.wait_log(rf"PID 1 crashed \(SIG{name}, sent by pid \d+, crash {count}\)")
            equal((box.main_pid("x"), box.main_pid("y")), pids, "pids")
        box.initctl("daemon-reexec", check=True)
        box.wait_log("took over")
        equal((box.main_pid("x"), box.main_pid("y")), pids, "pids")
        box.initctl("restart", "y", check=True)
        check(box.main_pid("y") != pids[1], "restarted")
        box.initctl("stop", "x", check=True)
        equal(box.find("sleep infinity"), [box.main_pid("y")], "left over")
        equal(box.stop(), 0)


def story_images_come_and_go_while_a_file_is_wrong():
    """The process of a unit whose file is half written, or away, is known to each image that follows."""
    names = ("x.service", "y.service")
    with Box({name: SLEEPER for name in names}, list(names)) as box:
        box.boot()
        pids = [box.main_pid(name) for name in names]
        box.write("x.service", "[Service]\n")
        os.rename(box.units + "/y.service", box.units + "/away")
        for count in range(1, 4):
            box.initctl("daemon-reexec", check=True)
            box.wait_log("took over", count=count)
            equal([box.main_pid(name) for name in names], pids, f"pids after {count}")
        box.write("x.service", SLEEPER)
        os.rename(box.units + "/away", box.units + "/y.service")
        box.initctl("daemon-reload", check=True)
        box.initctl("stop", *names, check=True)
        equal(box.find("sleep infinity"), [], "left over")
        equal(box.stop(), 0)


def story_every_other_signal():
    with Box({"x.service": SLEEPER}, ["x.service"]) as box:
        box.boot()
        pid = box.main_pid("x")
        for number in sorted(set(signal.valid_signals()) - ORDERED_END - HELD - FAULTS):
            box.inside("kill", f"-{int(number)}", "1", check=True)  # from inside, as a person would
            box.signal(number)                                      # from outside, where nothing shields a PID 1
        equal(box.main_pid("x"), pid, "pid")
        equal(box.initctl("is-active", "x").stdout.strip(), "active")
        equal(box.stop(), 0)


run(globals())
