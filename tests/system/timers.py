#!/usr/bin/env python3
"""Timer units for real: short ones, calendar ones, missed ones, many, bad ones; what people see of them; reload, crash."""
import json
import os
import time

from harness import Box, check, equal, run, until

JOB = "[Service]\nType=oneshot\nExecStart=/bin/echo worked\n"


def timer(*lines, unit=""):
    return f"[Unit]\n{unit}\n[Timer]\n" + "\n".join(lines) + "\n[Install]\nWantedBy=timers.target\n"



def story_a_short_timer_comes_again_and_again():
    units = {"job.service": JOB, "job.timer": timer("OnActiveSec=50ms", "OnUnitActiveSec=200ms", "AccuracySec=1us")}
    with Box(units, ["job.timer"]) as box:
        box.boot()
        box.wait_log(r"^\[job\] worked$", count=4)
        equal(box.state("job.timer"), "active", "the timer")
        check(box.show("job.timer", "LastTriggerUSec"), "no LastTriggerUSec")
        equal(box.show("job.timer", "Unit"), "job.service", "Unit")
        check("job.timer" in box.show("job.service", "TriggeredBy"), "TriggeredBy")
        box.initctl("stop", "job.timer", check=True)
        equal(box.show("job.timer", "SubState"), "dead", "stopped")
        box.wait_state("job.service", "inactive")
        before = box.log().count("[job] worked")
        box.initctl("start", "job.service", check=True)
        equal(box.log().count("[job] worked") >= before, True)


def story_a_calendar_timer_elapses_when_it_says():
    at = int(time.time()) + 2
    units = {"job.service": JOB, "job.timer": timer("OnCalendar=@%d" % at, "AccuracySec=1us")}
    with Box(units, ["job.timer"]) as box:
        box.boot()
        check(box.show("job.timer", "NextElapseUSecRealtime"), "no NextElapseUSecRealtime")
        box.wait_log(r"^\[job\] worked$")
        check(abs(time.time() - at) < 15, "it came at another time")
        until("elapsed", lambda: box.show("job.timer", "SubState") == "elapsed")


def story_what_people_see():
    units = {"job.service": JOB, "job.timer": timer("OnCalendar=2100-01-01", "WakeSystem=yes"), "idle.service": JOB,
             "idle.timer": timer("OnUnitActiveSec=1h")}
    with Box(units, ["job.timer", "idle.timer"], env={"TZ": "UTC"}) as box:
        box.boot()
        table = box.initctl("list-timers", name="systemctl").stdout.splitlines()
        equal(table[0].split(), ["NEXT", "LEFT", "LAST", "PASSED", "UNIT", "ACTIVATES"], "head")
        check(table[1].startswith("Fri 2100-01-01 00:00:00 UTC") and table[1].split()[-2:] == ["job.timer", "job.service"], table[1])
        equal(table[2].split(), ["-", "-", "-", "-", "idle.timer", "idle.service"], "a timer that waits for its unit")
        equal(table[4], "2 timers listed.", "foot")
        told = json.loads(box.initctl("--json", "list-timers").stdout)
        equal([row["unit"] for row in told if row["next"] == 4102444800000000], ["job.timer"], "json")
        status = box.initctl("status", "job.timer").stdout
        check("Fri 2100-01-01 00:00:00 UTC" in status and "Starts: job" in status, status)
        check("by job.timer" in box.initctl("status", "job").stdout, box.initctl("status", "job").stdout)
        block = box.initctl("status", "job.timer", name="systemctl").stdout
        check("    Trigger: Fri 2100-01-01 00:00:00 UTC; 7" in block and "   Triggers: ○ job.service" in block, block)
        check("TriggeredBy: ● job.timer" in box.initctl("status", "job.service", name="systemctl").stdout, "TriggeredBy")
        check("WakeSystem" in box.log(), "a degraded setting was not said")
        box.initctl("start", "idle.service", check=True)
        until("the hour begins", lambda: box.show("idle.timer", "SubState") == "waiting")


def story_what_was_missed_is_made_up_for():
    units = {"job.service": JOB, "job.timer": timer("OnCalendar=*-*-* 00:00:00", "Persistent=yes")}
    with Box(units, ["job.timer"]) as box:
        state = box.path("state")
        box.setup = f"mount --bind {state} /var/lib"
        stamp = os.path.join(state, "systemd/timers/stamp-job.timer")
        os.mkdir(state)
        box.boot()
        until("a stamp", lambda: os.path.exists(stamp))
        check("[job] worked" not in box.log(), "nothing was missed yet")
        equal(box.stop(), 0, "exit status")
        two_days_ago = time.time() - 2 * 86400
        os.utime(stamp, (two_days_ago, two_days_ago))
        box.boot()
        box.wait_log(r"^\[job\] worked$")
        until("the stamp", lambda: os.stat(stamp).st_mtime > two_days_ago + 86400)
        equal(box.stop(), 0, "exit status")
        box.boot()
        until("it waits", lambda: box.show("job.timer", "SubState") == "waiting")
        check("[job] worked" not in box.log(), "it was made up for twice")


def story_a_stamp_that_cannot_be():
    units = {"job.service": JOB, "job.timer": timer("OnCalendar=*:*:*", "Persistent=yes")}
    with Box(units, ["job.timer"], setup="mount -t tmpfs -o ro tmpfs /var/lib") as box:
        box.boot()
        box.wait_log(r"^\[job\] worked$", count=2)


def story_a_thousand_at_one_instant():
    check(any(a_thousand(int(time.time()) + ahead) for ahead in (6, 30, 90)), "all wait before their moment")


def a_thousand(at):
    """False if the boot took until then: a moment that is over does not come."""
    units = {"job@.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n"}
    for i in range(1000):
        units[f"t{i}.timer"] = timer(f"OnCalendar=@{at}", "AccuracySec=1us", f"Unit=job@{i}.service")
    with Box(units, [f"t{i}.timer" for i in range(1000)]) as box:
        box.boot()
        waiting = until("all wait", lambda: box.initctl("list-timers").stdout)
        check("1000 timers listed." in waiting, waiting[-200:])
        if time.time() >= at:
            return False
        until("all have elapsed", lambda: "elapsed" == box.show("t999.timer", "SubState") == box.show("t0.timer", "SubState"), 180)
        until("all ran", lambda: all(box.show(f"job@{i}.service", "ExecMainStatus") == "0" and box.show(f"job@{i}.service", "ExecMainPID") != "0"
                                     for i in (0, 1, 499, 998, 999)), 180)
    return True


def story_bad_ones_cost_themselves_only():
    units = {"job.service": JOB, "good.timer": timer("OnActiveSec=10ms", "Unit=job.service"),
             "worse.timer": timer("OnCalendar=every now and then", "Unit=job.service"),
             "empty.timer": timer("Unit=job.service"), "alone.timer": timer("OnCalendar=daily"),
             "half.timer": timer("OnCalendar=nonsense", "OnCalendar=2100-01-01", "Unit=job.service"),
             "never.timer": timer("OnCalendar=*-02-30", "Unit=job.service"),
             "loop.timer": timer("OnActiveSec=1", "Unit=good.timer")}
    with Box(units, ["good.timer", "worse.timer", "empty.timer", "alone.timer", "half.timer", "never.timer"]) as box:
        box.boot()
        box.wait_log(r"^\[job\] worked$")
        equal(box.show("worse.timer", "LoadState"), "bad-setting", "an unusable calendar")
        equal(box.show("empty.timer", "LoadState"), "bad-setting", "no time at all")
        equal(box.state("half.timer"), "active", "one line of two is good")
        equal(box.show("never.timer", "SubState"), "elapsed", "never")
        check("never.timer: will never elapse" in box.log(), box.log())
        check("alone.timer: not started: alone.service is not there" in box.log(), box.log())
        check("every now" not in box.log(), "the log shows what stands in a file")
        told = box.initctl("verify", "worse.timer")
        check(told.returncode != 0 and "OnCalendar" in told.stdout + told.stderr, told.stdout + told.stderr)


def story_reload_reexec_and_crash():
    units = {"job.service": JOB, "job.timer": timer("OnCalendar=*:*:0/0.2", "AccuracySec=1us"), "far.service": JOB,
             "far.timer": timer("OnActiveSec=1h", "RandomizedDelaySec=30min")}
    with Box(units, ["job.timer", "far.timer"]) as box:
        box.boot()
        box.wait_log(r"^\[job\] worked$")
        far = box.show("far.timer", "NextElapseUSecMonotonic")
        check(far, "no next elapse")
        for what in (lambda: box.initctl("daemon-reload", check=True), lambda: box.initctl("daemon-reexec", check=True), lambda: os.kill(box.init, 11)):
            before = box.log().count("[job] worked")
            what()
            until("it goes on", lambda: box.log().count("[job] worked") > before + 1)
        equal(box.state("far.timer"), "active", "far.timer")
        box.write("job.timer", timer("OnCalendar=2100-01-01"))
        box.initctl("daemon-reload", check=True)
        check("2100-01-01" in box.show("job.timer", "NextElapseUSecRealtime"), box.show("job.timer", "NextElapseUSecRealtime"))
        equal(box.stop(), 0, "exit status")


def story_the_time_zone_changes():
    units = {"job.service": JOB, "job.timer": timer("OnCalendar=2100-01-01 12:00", "OnTimezoneChange=no"), "zone.service": "[Service]\nType=oneshot\nExecStart=/bin/echo moved\n",
             "zone.timer": timer("OnTimezoneChange=yes")}
    zones = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/zoneinfo")
    with Box(units, ["job.timer", "zone.timer"]) as box:
        box.env.pop("TZ", None)
        box.setup = f"mkdir /run/etc; cp -a /etc/passwd /etc/group /run/etc/; cp {zones}/GMT /run/etc/localtime; mount --bind /run/etc /etc"
        box.boot()
        before = json.loads(box.initctl("--json", "list-timers", "job.timer").stdout)[0]["next"]
        box.inside("sh", "-c", f"cp {zones}/Asia/Tokyo /etc/new && mv /etc/new /etc/localtime", check=True)
        box.wait_log(r"^\[zone\] moved$")
        after = json.loads(box.initctl("--json", "list-timers", "job.timer").stdout)[0]["next"]
        equal(before - after, 9 * 3600 * 1000000, "noon in Tokyo is earlier")


def story_the_face_of_systemd_analyze():
    with Box() as box:
        box.boot()
        told = box.initctl("calendar", "--iterations=2", "--base-time=2026-11-26 07:22 UTC", "Mon..Fri 9:00", name="systemd-analyze",
                           env={**box.env, "TZ": "UTC"}).stdout.splitlines()
        equal(told[:3], ["  Original form: Mon..Fri 9:00", "Normalized form: Mon..Fri *-*-* 09:00:00",
                         "    Next elapse: Thu 2026-11-26 09:00:00 UTC"], "calendar")
        equal(told[4], "       Iter. #2: Fri 2026-11-27 09:00:00 UTC", "iteration")
        wrong = box.initctl("calendar", "at noon", "daily", name="systemd-analyze")
        check(wrong.returncode == 1 and "Failed to parse calendar specification 'at noon'" in wrong.stderr and "00:00:00" in wrong.stdout, wrong)


def story_the_example():
    example = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/cron")
    units = {name: open(os.path.join(example, name), encoding="utf-8").read() for name in ("backup.service", "backup.timer")}
    with Box(units, ["backup.timer"], setup="mount -t tmpfs tmpfs /var/lib") as box:
        box.boot()
        equal(box.initctl("verify", "backup.timer", "backup.service").returncode, 0, "verify")
        equal(box.show("backup.timer", "SubState"), "waiting")
        check("03:1" in box.show("backup.timer", "NextElapseUSecRealtime"), "it comes at night")
        box.write("backup.timer.d/now.conf", "[Timer]\nOnCalendar=\nRandomizedDelaySec=0\nOnActiveSec=10ms\n")
        box.initctl("daemon-reload", check=True)
        box.wait_log(r"^\[backup\] etc-\d{4}-\d\d-\d\d\.tar\.gz$")


if __name__ == "__main__":
    run(globals())
