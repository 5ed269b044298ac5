#!/usr/bin/env python3
"""initctl calendar, line by line against the real systemd-analyze where that is installed."""
import os
import re
import shutil
import subprocess

from harness import INITCTL, check, equal, run

EXPRESSIONS = ["weekly", "Mon..Fri *-*-* 9..17/2:00", "*-02-29", "daily UTC", "hourly", "2030-01-01 00:00:00", "Sat *-*-1..7 18:00"]


def ask(*arguments, zone="UTC"):
    return subprocess.run([INITCTL, "calendar", *arguments], capture_output=True, text=True, check=False, env={**os.environ, "TZ": zone})


def story_expressions_are_explained():
    done = ask("--base-time=2026-11-26 12:00:00", "--iterations=2", "weekly")
    equal(done.returncode, 0, done.stderr)
    lines = done.stdout.splitlines()
    equal(lines[:3], ["  Original form: weekly", "Normalized form: Mon *-*-* 00:00:00", "    Next elapse: Mon 2026-11-30 00:00:00 UTC"])
    equal(lines[4], "       Iter. #2: Mon 2026-12-07 00:00:00 UTC")
    done = ask("--base-time=2026-11-26 12:00:00 UTC", "daily", zone="Asia/Tokyo")
    check("Next elapse: Fri 2026-11-27 00:00:00 JST" in done.stdout and "(in UTC): Thu 2026-11-26 15:00:00 UTC" in done.stdout, done.stdout)


def story_what_is_none_is_said():
    for words, status in ((["Mon..Tue..Wed"], 1), (["--iterations=x", "daily"], 2), (["--base-time=daily", "daily"], 2), ([], 2)):
        done = ask(*words)
        equal(done.returncode, status, words)
        check(done.stderr, words)
    check("never" in ask("*-02-30").stdout, "a day that never comes")


def story_as_systemd_analyze_says():
    if shutil.which("systemd-analyze") is None:
        print("SKIP: no systemd-analyze")
        return
    for zone in ("UTC", "Europe/Berlin"):
        for expression in EXPRESSIONS:
            options = ["--iterations=3", "--base-time=2026-11-26 12:00:00", expression]
            theirs = subprocess.run(["systemd-analyze", "calendar", *options], capture_output=True, text=True, check=True, env={**os.environ, "TZ": zone}).stdout
            # Versions differ in the rounding of spans; moments and forms are compared.
            facts = lambda text: re.findall(r"(?:form|elapse|UTC\)|#\d+): *(.*)", text)
            equal(facts(ask(*options, zone=zone).stdout), facts(theirs), f"{expression} in {zone}")


if __name__ == "__main__":
    run(globals())
