#!/usr/bin/env python3
"""initctl doctor, with and without a monoinit, in better and worse places: its words and its exit status."""
import json
import os
import subprocess

from harness import INITCTL, MONOINIT, Box, check, equal, run, until

WEB = {"web.service": "[Service]\nExecStart=/bin/sleep infinity\n"}


def findings(box, *arguments, **options):
    done = box.initctl("--json", *arguments, "doctor", **options)
    answer = json.loads(done.stdout)
    equal(done.returncode, 1 if answer["problems"] else 0, "exit status")
    equal(answer["problems"], sum(each["level"] == "problem" for each in answer["findings"]), "the sum")
    for each in answer["findings"]:
        check(each["level"] == "ok" or each["fix"], each)
    return {each["subject"] + " " + each["text"].split(" ")[0] if each["subject"] == "limits" else each["subject"]: each for each in answer["findings"]}


def story_a_good_place():
    with Box(WEB, enable=["web.service"], setup="mount -t tmpfs -o size=1g tmpfs /dev/shm", env={"TZ": "UTC", "LANG": "C.UTF-8"}) as box:
        box.boot()
        done = box.initctl("doctor", env=dict(os.environ, TZ="UTC", LANG="C.UTF-8"))
        equal(done.returncode, 0, done.stdout)
        lines = done.stdout.splitlines()
        check(any(line.split() == ["ok", "seat", "PID", "1"] for line in lines), done.stdout)
        check(any("/run/monoinit/control (monoinit 1.0, pid 1)" in line for line in lines), done.stdout)
        check(lines[-1].startswith("0 problems, "), done.stdout)
        columns = {line.index(line.split()[1], 4) for line in lines[:-1]}
        equal(len(columns), 1, "aligned")
        equal(box.stop(), 0, "exit")


def story_a_bad_place():
    """Little of everything, and a stop that takes too long; the facts are those of PID 1, not of who asks."""
    with Box(WEB, enable=["web.service"], uid=4711, args=["--shutdown-timeout=20s"],
             setup="mount -t tmpfs -o size=64m tmpfs /dev/shm; mount -o remount,ro /run",
             wrap=["prlimit", "--nofile=200:200", "--core=0:0", "setpriv", "--no-new-privs"], env={"XDG_RUNTIME_DIR": ""}) as box:
        box.boot()
        found = findings(box)
        equal({name: found[name]["level"] for name in ("seat", "user", "/run", "privileges", "limits nofile", "limits core", "/dev/shm", "stop")},
              {"seat": "ok", "user": "note", "/run": "note", "privileges": "note", "limits nofile": "problem", "limits core": "note",
               "/dev/shm": "note", "stop": "problem"})
        check("/tmp/monoinit-4711/control" in found["socket"]["text"], found["socket"])
        check("docker stop -t 22" in found["stop"]["fix"], found["stop"])
        equal(findings(box, uid=4711)["user"], found["user"], "asked by itself")
        equal(box.stop(), 0, "exit")
    subprocess.run(["rm", "-rf", "/tmp/monoinit-4711"], check=False)


def story_seats():
    """Below an init, detached below a wrapper shell, and not at all: the same PID 1 each time is a script of ours."""
    wrapper = "echo Container started; %s while sleep 1 & wait $!; do :; done"
    run_it = f"{MONOINIT} --unit-path=/run/units --socket=/run/x/control >/run/log 2>&1 & "
    for name, command, seat in (("wrapper", wrapper % run_it, "below the wrapper shell"),
                                ("feature", wrapper % ("setsid " + run_it), "started detached by a Feature's entrypoint"),
                                ("none", wrapper % "", "no monoinit here: PID 1 is the wrapper shell")):
        inner = f"mount -t tmpfs tmpfs /run; mkdir -p /run/units /run/x; exec sh -c '{command}'"
        process = subprocess.Popen(["unshare", "--pid", "--fork", "--mount", "--mount-proc", "--kill-child", "sh", "-ec", inner],
                                   stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env={**os.environ, "MONOINIT_SYSLOG_SOCKETS": "no"})
        try:
            children = f"/proc/{process.pid}/task/{process.pid}/children"
            pid = until("PID 1", lambda: open(children, encoding="ascii").read().split())[0]
            inside = ["nsenter", f"--target={pid}", "--mount", "--pid"]
            until("the shell", lambda: "Container started" in open(f"/proc/{pid}/cmdline", encoding="utf-8").read() or None)
            if name != "none":
                until("it answers", lambda: subprocess.run([*inside, INITCTL, "--socket=/run/x/control", "is-system-running"], capture_output=True, check=False).returncode == 0)
            done = subprocess.run([*inside, INITCTL, "--json", "--socket=/run/x/control", "doctor"], capture_output=True, text=True, check=False)
            found = json.loads(done.stdout)["findings"][0]
            check(found["text"].startswith(seat), f"{name}: {found}")
            check("overrideCommand" in found["fix"], found)
            equal(done.returncode == 0, name != "none", done.stdout)
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    run(globals())
