#!/usr/bin/env python3
"""Promise 11: it boots as uid 1000, on a read-only root, with no writable /run."""
from harness import Box, check, equal, run

UNITS = {"init.service": "[Unit]\nBefore=web.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/echo initialised\n",
         "web.service": "[Unit]\nRequires=init.service\nAfter=init.service\n[Service]\nExecStart=/bin/sh -c 'echo serving; exec sleep infinity'\nRestart=always\n"}


def main_job(box, uid):
    box.boot()
    box.wait_log(r"^\[web\] serving$")
    equal(box.initctl("is-active", "web", uid=uid).stdout.strip(), "active")
    before = box.main_pid("web")
    box.initctl("restart", "web", uid=uid, check=True)
    check(box.main_pid("web") not in (0, before), "restarted")
    box.inside("kill", "-SEGV", "1", check=True)
    box.wait_log("PID 1 crashed")
    equal(box.initctl("is-active", "web", uid=uid).stdout.strip(), "active")
    equal(box.stop(), 0)


def story_as_uid_1000():
    with Box(UNITS, list(UNITS), uid=1000) as box:
        main_job(box, 1000)


def story_no_writable_run():
    """As a user, whom nobody has given a directory below /run."""
    with Box(UNITS, list(UNITS), uid=1000, setup="chmod 755 /run") as box:
        main_job(box, 1000)


def story_a_read_only_root():
    for uid in (0, 1000):
        with Box(UNITS, list(UNITS), uid=uid, setup="umount /run; mount -o remount,bind,ro /") as box:
            main_job(box, uid)


def story_nothing_writable_at_all():
    """No control socket then, and it says so; the services run all the same."""
    everywhere = "umount /run; for place in $(findmnt -rno TARGET | grep -v '^/proc'); do mount -o remount,bind,ro \"$place\"; done 2>/dev/null || :"
    with Box(UNITS, list(UNITS), uid=1000, setup=everywhere) as box:
        box.boot()
        box.wait_log(r"^\[web\] serving$")
        box.wait_log(r"^\[monoinit\] no usable runtime directory, so no control socket: ")
        equal(box.stop(), 0)


run(globals())
