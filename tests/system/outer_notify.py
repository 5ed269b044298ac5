#!/usr/bin/env python3
"""Under an outer supervisor (podman --sdnotify=container, nspawn): READY=1 when the boot target is reached, STATUS= as it
changes, STOPPING=1, and never MAINPID=; no service gets to see the outer socket."""
import os
import socket

from harness import Box, check, equal, run

UNITS = {"web.service": "[Service]\nExecStart=/bin/sh -c 'echo socket: $NOTIFY_SOCKET.; exec sleep infinity'\n"}


def story_what_the_outer_supervisor_hears():
    with Box(UNITS, list(UNITS)) as box, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as outer:
        path = box.path("outer")
        outer.bind(path)
        outer.settimeout(20)
        box.env["NOTIFY_SOCKET"] = path
        box.boot()
        heard = ""
        while "READY=1" not in heard:
            heard += outer.recv(4096).decode() + "\n"
        check("STATUS=1 running, 0 done, 0 failed" in heard, heard)
        box.wait_log(r"^\[web\] socket: \.$")
        box.initctl("stop", "web", check=True)
        while "0 running" not in heard:
            heard += outer.recv(4096).decode() + "\n"
        equal(box.stop(), 0)
        while "STOPPING=1" not in heard:
            heard += outer.recv(4096).decode() + "\n"
        check("MAINPID=" not in heard, heard)
        check(os.path.exists(path), "the outer socket is left alone")


run(globals())
