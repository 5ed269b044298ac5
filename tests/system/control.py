#!/usr/bin/env python3
"""What people type and what they read: verbs, words, exit statuses, on the real binary as PID 1."""
import json
import os
import subprocess

from harness import MONOINIT, Box, check, equal, run, until

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
        box.initctl("exit", "7")  # its own status is nothing to go by: it may die with the namespace
        equal(box.wait(), 7)


def story_failures_name_file_and_line():
    directory = "[Service]\nType=oneshot\n"
    cases = {
        "nobin": ("ExecStart=/nonexist/bin", "203/EXEC: /nonexist/bin not found", 3),
        "nouser": ("User=nobodyhere\nExecStart=/bin/true", '217/USER: user "nobodyhere" not found', 3),
        "nogroup": ("Group=nobodyhere\nExecStart=/bin/true", '216/GROUP: group "nobodyhere" not found', 3),
        "nosupplement": ("SupplementaryGroups=nobodyhere\nExecStart=/bin/true", '216/GROUP: SupplementaryGroups=: group "nobodyhere" not found', 3),
        "nodir": ("WorkingDirectory=/nonexist\nExecStart=/bin/true", "200/CHDIR: WorkingDirectory=/nonexist: No such file or directory", 3),
        "noenv": ("EnvironmentFile=/nonexist\nExecStart=/bin/true", "no process could be made: EnvironmentFile=/nonexist: No such file or directory", 3),
        "noout": ("StandardOutput=file:/nonexist/x\nExecStart=/bin/true", "209/STDOUT: /nonexist/x: No such file or directory", 3),
    }
    with Box({f"{name}.service": f"{directory}{text}\n" for name, (text, _, _) in cases.items()}) as box:
        box.boot()
        for name, (_, words, line) in cases.items():
            done = box.initctl("start", name)
            equal(done.returncode, 1, name)
            wanted = f"{name}: not started: {words} ({box.units}/{name}.service:{line})"
            check(wanted in done.stderr, f"{done.stderr!r} does not say {wanted!r}")
            check(f"{words} ({box.units}/{name}.service:{line})" in box.initctl("status", name).stdout, f"status of {name}")
        equal(box.show("noenv", "Result"), "resources")


def story_limits_go_as_far_as_they_may():
    unit = "[Service]\nType=oneshot\nRemainAfterExit=yes\nLimitNOFILE=infinity\nLimitCORE=infinity\nLimitNPROC=512\nExecStart=/bin/sh -c 'grep -E \"open files|processes\" /proc/self/limits'\n"
    with Box({"l.service": unit}) as box:
        box.boot()
        box.initctl("start", "l", check=True)
        check("512" in until("its line", lambda: box.initctl("logs", "l").stdout), "LimitNPROC=")


def story_verbs_say_what_happened():
    units = {
        "web.service": SLEEP,
        "cond.service": "[Unit]\nConditionPathExists=/nonexist\n" + SLEEP,
        "once.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
        "inst@.service": "[Service]\nExecStart=/bin/sleep 10%i\n",
        "quiet.service": SLEEP + "StandardOutput=null\n",
    }
    with Box(units, ["web.service"]) as box:
        box.boot()
        equal(box.initctl("start", "web").stdout, f"web: already running (pid {box.main_pid('web')})\n")
        equal(box.initctl("stop", "cond").stdout, "cond: not running\n")
        before = len(box.initctl("list", "--all").stdout.splitlines())
        for i in range(20):
            equal(box.initctl("status", f"nobody{i}").returncode, 4)
        after = len(box.initctl("list", "--all").stdout.splitlines())
        check(after <= before + 1, f"{after - before} names of none are kept, at most the last one may be")
        done = box.initctl("start", "cond")
        equal((done.returncode, done.stdout), (0, f"cond: skipped: ConditionPathExists=/nonexist ({box.units}/cond.service:2) was not met\n"))
        equal(box.initctl("kill", "cond").stdout, "cond: has no process, so nothing was sent\n")
        done = box.initctl("start", "inst@")
        equal(done.returncode, 1)
        check("inst@.service is a template: name an instance of it, as in inst@NAME.service" in done.stderr, done.stderr)
        box.initctl("start", "once", check=True)
        check("✓ once" in box.initctl().stdout, "a oneshot that ran is done, not stopped")
        equal(box.show("web", "UnitFileState"), "static")
        check("StandardOutput= is null" in box.initctl("status", "quiet").stdout, "where the output goes")
        done = box.initctl("--socket=/nonexist/control", "list")
        check("/nonexist/control" in done.stderr and done.returncode == 1, done.stderr)


def story_without_an_init():
    """Diagnostic 1: what PID 1 is instead, and what to change."""
    tool = os.path.join(os.path.dirname(MONOINIT), "initctl")
    script = f"echo Container started; mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /tmp; {tool}; exit 0"
    command = ["unshare", "--pid", "--fork", "--mount", "--mount-proc", "--kill-child", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    check(done.stderr.startswith('no monoinit here: PID 1 is "sh -c echo Container started;'), done.stderr)
    check('Set "overrideCommand": false.' in done.stderr, done.stderr)


def story_json_everywhere():
    units = {"web.service": "[Service]\nExecStart=/bin/sh -c 'printf \"bad \\\\377\\\\n\"; exec sleep 1000'\nPrivateTmp=yes\n", "odd.service": SLEEP + "RestartSecs=5\n"}
    verbs = ["", "list", "status web", "list-jobs", "list-dependencies web", "show web", "cat web", "env web", "is-active web", "is-failed web",
             "is-enabled web", "restart web", "kill -s CONT web", "reset-failed", "daemon-reload", "verify", "verify --portable web", "wait web",
             "list-unit-files", "list-units", "is-system-running", "--version", "set-environment A=1", "help directives"]
    with Box(units, ["web.service"]) as box:
        box.boot()
        for verb in verbs:
            done = box.initctl("--json", *verb.split())
            try:
                json.loads(done.stdout)
            except ValueError:
                check(False, f"{verb!r}: no JSON: {done.stdout[:200]!r} {done.stderr!r}")
        for line in box.initctl("--json", "logs", "web").stdout.splitlines():
            json.loads(line)
        found = json.loads(box.initctl("--json", "verify").stdout)
        equal([(each["kind"], each["unit"], each["line"]) for each in found], [("problem", "odd.service", 3), ("ignored", "web.service", 3)])


def story_port_in_use():
    code = "import socketserver as s; s.TCPServer((\"127.0.0.1\", 18399), s.BaseRequestHandler).serve_forever()"
    unit = f"[Service]\nExecStart=/usr/bin/python3 -c '{code}'\n"
    with Box({"a.service": unit, "b.service": unit.replace("serve_forever()", "serve_forever() # --port 18399")}) as box:
        box.boot()
        box.initctl("start", "a", check=True)
        until("a listens", lambda: box.inside("grep", "-c", ":47DF .* 0A ", "/proc/net/tcp").returncode == 0)
        box.initctl("start", "b", check=True)
        box.wait_state("b", "failed")
        text = until("its words", lambda: (lambda out: out if "port 18399" in out else "")(box.initctl("status", "b").stdout))
        check(f"Why: port 18399 is in use: pid {box.main_pid('a')} of a.service holds it" in text, text)
        check("Next: initctl stop a, or give one of the two another port" in text, text)


if __name__ == "__main__":
    run(globals())
