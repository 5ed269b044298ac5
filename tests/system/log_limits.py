#!/usr/bin/env python3
"""Settings of the log, per unit and for all: rates, levels, fields, patterns, what goes to stdout and to stderr, what waits for it."""
import json
import os
import re

from harness import Box, PRIVATE_DEV, check, equal, run, until


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


SYSLOG = "import syslog; syslog.openlog('app'); syslog.syslog(syslog.LOG_{}, '{} by syslog')"
LEVELS = f"""[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo "<6>info by pipe"; echo "<4>warning by pipe"; echo "<3>err by pipe"'
ExecStart=/usr/bin/python3 -c "{SYSLOG.format('INFO', 'info')}; {SYSLOG.format('ERR', 'err')}; import time; time.sleep(0.2)"
"""


def shown(box, unit):
    return [line.split(" ")[-3] for line in box.log().splitlines() if line.startswith(f"[{unit}]") and " by " in line]


def kept(box, unit):
    return [line.split(" ")[0] for line in box.initctl("logs", unit, "-o", "cat", check=True).stdout.splitlines() if " by " in line]


def story_levels_decide_what_goes_to_stdout():
    units = {"all.service": LEVELS, "warn.service": LEVELS + "X-LogStdout=warning\n", "none.service": LEVELS + "X-LogStdout=no\n",
             "max.service": LEVELS + "LogLevelMax=err\nX-LogStdout=yes\n"}
    for args, of_all in (([], ["info", "warning", "err", "info", "err"]), (["--log-stdout=err"], ["err", "err"])):
        with Box(units, setup=PRIVATE_DEV, env={"MONOINIT_SYSLOG_SOCKETS": "yes"}, args=args) as box:
            box.boot()
            for unit in ("all", "warn", "none", "max"):
                box.initctl("start", unit, check=True)
                until(f"{unit} is kept", lambda unit=unit: kept(box, unit)[-1:] == ["err"] and len(kept(box, unit)) == (2 if unit == "max" else 5))
            until("the last line", lambda: shown(box, "max") == ["err", "err"])
            equal(shown(box, "all"), of_all, f"all, {args}")
            equal(shown(box, "warn"), ["warning", "err", "err"], "X-LogStdout=warning")
            equal(shown(box, "none"), [], "X-LogStdout=no")
            check("[monoinit] none: done" in box.log(), "monoinit's own words are not the unit's")


def story_who_drops_goes_on_while_stdout_stands_still():
    flood = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'seq 200000; echo over > /run/{}'\n"
    read, write = os.pipe()
    with Box({"drop.service": flood.format("drop") + "X-LogWhenFull=drop\n", "wait.service": flood.format("wait")}, stdout=write) as box:
        box.boot(wait=False)
        os.close(write)
        until("it answers", lambda: box.initctl("is-system-running").stdout.strip() == "running")
        box.initctl("start", "--no-block", "wait", check=True)
        until("it is under way", lambda: box.state("wait") == "activating")
        box.initctl("start", "drop", check=True)
        check(os.path.exists(f"/proc/{box.init}/root/run/drop"), "it ended")
        equal(box.state("wait"), "activating", "the other waits")
        equal(box.initctl("-u", "drop", "-n", "1", "-t", "drop", "-o", "cat", name="journalctl").stdout, "200000\n", "all of it is kept")
        text = b""
        while b"lines did not go to stdout" not in text or b"[wait] 200000\n" not in text:
            text += os.read(read, 1 << 16)
        said = sum(int(number) for number in re.findall(rb"(\d+) lines did not go to stdout", text))
        # monoinit's own few words of that time are among those that had no room
        check(200000 <= text.count(b"[drop] ") + said < 200010, f"every line, or its number: {text.count(b'[drop] ')} and {said}")
        equal(text.count(b"[wait] "), 200000, "and nothing of who waits is lost")
    os.close(read)


def story_stderr_goes_to_stderr_where_that_is_wanted():
    unit = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo out; echo err >&2'\n"
    for option, wanted in (("stderr", "[web] err\n"), ("stdout", "")):
        with Box({"web.service": unit}) as box:
            box.wrap = ["sh", "-c", f'exec "$@" 2>{box.path("errors")}', "sh"]
            box.args = [f"--log-stderr={option}"]
            box.boot()
            box.initctl("start", "web", check=True)
            box.wait_log(r"^\[web\] out$")
            if option == "stdout":
                box.wait_log(r"^\[web\] err$")
            until("stderr", lambda: open(box.path("errors"), encoding="utf-8").read() == wanted)
            equal("[web] err" in box.log(), option == "stdout", "on stdout")
            equal(sorted(box.initctl("-u", "web", "-t", "web", "-o", "cat", name="journalctl").stdout.split()), ["err", "out"], "the store has both")


def story_the_longest_line_and_the_time_are_settings():
    unit = "[Service]\nType=oneshot\nExecStart=/bin/sh -c \"head -c {} /dev/zero | tr '\\\\0' x; echo\"\n"
    with Box({"web.service": unit.format(250)}, args=["--log-line-max=100", "--log-time=iso"]) as box:
        box.boot(wait=False)
        until("ready", lambda: "ready in" in box.log())
        box.initctl("start", "web", check=True)
        x = "x" * 100
        for part in (f"{x}…", f"…{x}…", f"…{'x' * 50}"):
            box.wait_log(rf"^\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{6}}[-+]\d{{4}} \[web\] {part}$")
    with Box({"web.service": unit.format(100000)}, args=["--log-line-max=112K"]) as box:
        box.boot()
        box.initctl("start", "web", check=True)
        box.wait_log(rf"^\[web\] x{{100000}}$")
        equal(box.initctl("-u", "web", "-t", "web", "-o", "cat", name="journalctl").stdout, "x" * 100000 + "\n", "in the store")


def story_a_rate_for_all_units():
    with Box({"loud.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/seq 1000\n", "more.service": "[Service]\nType=oneshot\nLogRateLimitBurst=0\nExecStart=/usr/bin/seq 1000\n"},
             args=["--log-rate-limit-burst=10", "--log-rate-limit-interval=1h"]) as box:
        box.boot()
        box.initctl("start", "loud", "more", check=True)
        box.wait_log(r"^\[monoinit\] loud: 990 lines dropped: more than LogRateLimitBurst=10 in 60 min$")
        until("who has no limit", lambda: box.log().count("[more]") == 1000)


if __name__ == "__main__":
    run(globals())
