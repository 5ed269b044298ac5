#!/usr/bin/env python3
"""Clocks that are elsewhere, in a time namespace: a machine that has been up for years, or was booted a moment ago. (Jumps of the
wall clock need a kernel of their own: tests/clock_jumps.sh.)"""
import json
import subprocess
import sys
import time

from harness import NOTIFY, Box, check, equal, run, until

UNITS = {
    "tick.timer": "[Timer]\nOnActiveSec=100ms\nOnUnitActiveSec=200ms\nAccuracySec=1ms\n[Install]\nWantedBy=timers.target\n",
    "tick.service": "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=/bin/echo tick\n",
    "clock.timer": "[Timer]\nOnCalendar=*:*:*\nAccuracySec=1ms\n[Install]\nWantedBy=timers.target\n",
    "clock.service": "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=/bin/echo clock\n",
    "boot.timer": "[Timer]\nOnBootSec=1y\n[Install]\nWantedBy=timers.target\n",
    "boot.service": "[Service]\nType=oneshot\nExecStart=/bin/echo boot\n",
    "dog.service": f"[Service]\nType=notify\nNotifyAccess=all\nWatchdogSec=1\nExecStart=/bin/sh -c '{NOTIFY} READY=1; while :; do {NOTIFY} WATCHDOG=1; sleep 0.1; done'\n",
    "late.service": "[Service]\nType=notify\nTimeoutStartSec=300ms\nExecStart=/bin/sleep infinity\n",
    "again.service": "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sh -c 'sleep 0.05; exit 1'\nRestart=always\nRestartSec=50ms\n",
}
YEARS = 86400 * 365 * 20


def works(offset):
    with Box(UNITS, ["dog.service", "again.service"], namespaces=["--time", f"--boottime={offset}", f"--monotonic={offset}"]) as box:
        for name in ("tick.timer", "clock.timer", "boot.timer"):
            box.enable(name, "timers.target")
        box.boot()
        with open(f"/proc/{box.init}/timens_offsets", encoding="ascii") as text:
            check(str(offset) in text.read(), "PID 1 is in the time namespace")
        box.wait_log(r"^\[tick\] tick$", count=4)
        box.wait_log(r"^\[clock\] clock$", count=2)
        until("restarts", lambda: int(box.show("again", "NRestarts")) > 3)
        equal(box.initctl("start", "late").returncode, 1, "TimeoutStartSec=")
        equal(box.state("dog"), "active")
        equal(box.show("dog", "NRestarts"), "0", "the watchdog is content")
        check("[boot]" not in box.log(), "OnBootSec= counts from the container's start, as systemd.timer(5) has it")
        entry = json.loads(box.initctl("-u", "tick", "-n", "1", "-o", "json", name="journalctl").stdout)
        check(abs(int(entry["__REALTIME_TIMESTAMP"]) / 1e6 - time.time()) < 60, "the wall clock of an entry")
        check("tick" in box.initctl("-u", "tick", "--since=-1min", name="journalctl").stdout, "--since")
        check("tick" not in box.initctl("-u", "tick", "-o", "cat", "--until=-1min", "-q", name="journalctl").stdout, "--until")
        box.initctl("daemon-reexec", check=True)
        box.wait_log(r"^\[tick\] tick$", count=box.log().count("[tick] tick") + 2)
        box.initctl("stop", "tick.timer", "clock.timer", "dog", "again", check=True)
        equal(box.stop(), 0)


def story_up_for_years():
    works(YEARS)


def story_up_for_a_moment():
    with open("/proc/uptime", encoding="ascii") as text:
        up = float(text.read().split()[0])
    works(-int(up) + 1)


if __name__ == "__main__":
    if subprocess.run(["unshare", "--time", "--fork", "--boottime=1000", "true"], capture_output=True, check=False).returncode != 0:
        print("SKIP: no time namespace can be made here")
        sys.exit(77)
    run(globals())
