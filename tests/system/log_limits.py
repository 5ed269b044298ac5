#!/usr/bin/env python3
"""Per-unit settings of the log: LogRateLimitBurst=, SyslogFacility= and LogExtraFields=."""
import json

from harness import Box, check, equal, run, until


def story_a_burst_passes_and_the_rest_is_counted():
    unit = "[Service]\nType=oneshot\nLogRateLimitIntervalSec=1h\nLogRateLimitBurst=10\nExecStart=/bin/sh -c 'seq 1000; echo err >&2'\n"
    with Box({"loud.service": unit, "other.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/seq 500\n"}) as box:
        box.boot()
        box.initctl("start", "loud", "other", check=True)
        box.wait_log(r"^\[monoinit\] loud: 991 lines dropped: more than LogRateLimitBurst=10 in 60 min$")
        lines = [line for line in box.log().splitlines() if line.startswith("[loud]")]
        equal(len(lines), 10, "lines that passed")
        until("the other's lines", lambda: box.log().count("[other]") == 500)


def story_fields_that_a_unit_adds():
    unit = "[Service]\nType=oneshot\nSyslogFacility=local3\nLogExtraFields=TEAM=web \"NOTE=two words\"\nExecStart=/bin/echo hello\n"
    with Box({"app.service": unit}, args=["--log-format=json"]) as box:
        box.boot(wait=False)
        until("it answers", lambda: box.initctl("is-system-running").stdout.strip() == "running")
        box.initctl("start", "app", check=True)
        until("the line", lambda: '"MESSAGE":"hello"' in box.log())
        entry = next(each for each in map(json.loads, box.log().splitlines()) if each["MESSAGE"] == "hello")
        check(entry.items() >= {"SYSLOG_FACILITY": "19", "TEAM": "web", "NOTE": "two words", "PRIORITY": "6"}.items(), entry)


def story_patterns_say_which_lines_are_kept():
    text = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo keep 1; echo keep debug; echo other; echo keep 2'\nLogFilterPatterns=^keep\nLogFilterPatterns=~debug$\n"
    bad = "[Service]\nType=oneshot\nExecStart=/bin/echo said\nLogFilterPatterns=(\n"
    with Box({"web.service": text, "bad.service": bad}) as box:
        box.boot()
        box.initctl("start", "web", "bad", check=True)
        box.wait_log(r"\[web\] keep 2")
        equal([line for line in box.log().splitlines() if line.startswith("[web]")], ["[web] keep 1", "[web] keep 2"])
        box.wait_log(r"\[monoinit\] bad: LogFilterPatterns: bad pattern \(")
        box.wait_log(r"\[bad\] said")


if __name__ == "__main__":
    run(globals())
