#!/usr/bin/env python3
"""Under an outer supervisor (podman --sdnotify=container, nspawn): READY=1 when the boot target is reached, STATUS= as it
changes, STOPPING=1, and never MAINPID=; no service gets to see the outer socket."""
import os
import socket
import subprocess

from harness import DEADLINE, MONOINIT, Box, check, equal, run, until

UNITS = {"web.service": "[Service]\nExecStart=/bin/sh -c 'echo socket: $NOTIFY_SOCKET.; exec sleep infinity'\n"}

PRELOADED = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>
int sd_notify(int unset, const char* state) {
    int fd = open("@PATH@", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (write(fd, "called\n", 7) < 0)
        return -1;
    close(fd);
    return ((int (*)(int, const char*))dlsym(RTLD_NEXT, "sd_notify"))(unset, state);
}
"""


def links_libsystemd():
    dynamic = subprocess.run(["readelf", "-d", MONOINIT], capture_output=True, text=True, check=True).stdout
    return "libsystemd.so" in dynamic


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


class Manager:
    """The socket of a manager outside."""

    def __init__(self, box):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(DEADLINE)
        self.socket.bind(box.path("outer"))
        box.env["NOTIFY_SOCKET"] = box.path("outer")
        self.seen = []

    def expect(self, line):
        while line not in self.seen:
            self.seen += self.socket.recv(65536).decode().split("\n")


def story_libsystemd_is_what_tells_it():
    """Where the binary links it: its sd_notify() is replaced by one that says that it was called."""
    if not links_libsystemd():
        return
    with Box(UNITS, list(UNITS)) as box:
        manager, calls = Manager(box), box.path("calls")
        with open(box.path("shim.c"), "w", encoding="ascii") as source:
            source.write(PRELOADED.replace("@PATH@", calls))
        subprocess.run(["cc", "-shared", "-fPIC", "-o", box.path("shim.so"), box.path("shim.c")], check=True)
        box.env["LD_PRELOAD"] = box.path("shim.so")
        box.boot()
        manager.expect("READY=1")
        equal(box.stop(), 0)
        manager.expect("STOPPING=1")
        with open(calls, encoding="ascii") as text:
            check(text.read().count("called") >= 2, "libsystemd was called")


def story_watchdog():
    with Box(UNITS, list(UNITS), env={"WATCHDOG_USEC": "200000"}) as box:
        manager = Manager(box)
        box.boot()
        manager.expect("WATCHDOG=1")
        manager.seen.clear()
        manager.expect("WATCHDOG=1")
        equal(box.stop(), 0, "exit status")


def story_a_manager_that_does_not_read():
    with Box(UNITS, list(UNITS), env={"WATCHDOG_USEC": "2000"}) as box:
        manager = Manager(box)
        filler = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        filler.setblocking(False)
        try:
            while True:
                filler.sendto(b"X", box.path("outer"))
        except BlockingIOError:
            pass
        box.boot()
        until("control answers", lambda: box.state("web") == "active")
        equal(box.stop(), 0, "exit status")
        manager.socket.close()


run(globals())

