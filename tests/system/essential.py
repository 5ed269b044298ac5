#!/usr/bin/env python3
"""What ends the container: X-Essential=, --exit-when-done and --orchestrated, by the real binary."""
from harness import Box, check, equal, run

OTHER = "[Service]\nExecStart=/bin/sleep infinity\n"


def unit(script, extra=""):
    return f"[Service]\nExecStart=/bin/sh -c '{script}'\n{extra}"


def story_the_end_of_an_essential_unit_is_the_containers():
    for script, status in (("exit 0", 0), ("exit 7", 7), ("kill -9 $$$$", 137)):
        with Box({"main.service": unit(f"sleep 0.2; {script}", "X-Essential=yes\n"), "other.service": OTHER}, ["main.service", "other.service"]) as box:
            box.boot(wait=False)
            equal(box.wait(), status, script)
            check("is essential, so the container ends with" in box.log(), box.log())
            check("other: stopped" in box.log(), "the others are stopped in order")


def story_a_restart_is_no_end_and_a_stop_is_asked_for():
    with Box({"main.service": unit("exec sleep 1000", "Restart=always\nX-Essential=yes\n")}, ["main.service"]) as box:
        box.boot()
        box.inside("kill", "-9", str(box.main_pid("main")), check=True)
        box.wait_log(r"restarting in")
        box.initctl("restart", "main", check=True)
        box.initctl("stop", "main", check=True)
        box.wait_log(r"essential, but a stop job has ended it: the container stays")
        equal(box.initctl("is-system-running").stdout.strip(), "running")


def story_the_first_of_two_decides():
    with Box({"a.service": unit("sleep 0.2; exit 3", "X-Essential=yes\n"), "b.service": unit("sleep 1000", "X-Essential=yes\n")},
             ["a.service", "b.service"]) as box:
        box.boot(wait=False)
        equal(box.wait(), 3)
        check("the first of 2 to end decides" in box.log(), box.log())


def story_exit_when_done():
    with Box({"job.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n", "main.service": unit("sleep 0.3; exit 5")},
             ["job.service", "main.service"], args=["--exit-when-done"]) as box:
        box.boot(wait=False)
        equal(box.wait(), 5)


def story_orchestrated():
    with Box({"main.service": unit("sleep 0.2; exit 4", "Restart=always\n"), "other.service": OTHER}, ["main.service", "other.service"],
             args=["--orchestrated"]) as box:
        box.boot(wait=False)
        equal(box.wait(), 4)
        check("restarting" not in box.log(), box.log())


if __name__ == "__main__":
    run(globals())
