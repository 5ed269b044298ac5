#!/usr/bin/env python3
"""What people type and what they read: verbs, words, exit statuses, on the real binary as PID 1."""
from harness import Box, check, equal, run, until

SLEEP = "[Service]\nExecStart=/bin/sleep 1000\n"


def story_reexec_keeps_late_units():
    # After= of a unit that is not there shifts the numbers that the new image gives before it reads the records.
    units = {"a.service": "[Unit]\nAfter=nothere.service\n" + SLEEP, "late.service": SLEEP + "Restart=always\nRestartSec=0\n"}
    with Box(units, ["a.service"]) as box:
        box.boot()
        box.initctl("start", "late", check=True)
        box.initctl("daemon-reexec", check=True)
        box.wait_log("took over")
        until("control is back", lambda: box.initctl("is-active", "late").returncode == 0)
        guards = box.status_json("late")["unit"]["summary"]["guards"]
        check(guards, "the guard of a unit that was loaded after the boot still belongs to it")
        pid = box.main_pid("late")
        box.inside("kill", "-9", str(pid), check=True)
        until("it is restarted", lambda: box.main_pid("late") not in (0, pid))
        equal(box.initctl("exit", "7").returncode, 0)
        equal(box.wait(), 7)


if __name__ == "__main__":
    run(globals())
