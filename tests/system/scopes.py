#!/usr/bin/env python3
"""Scopes: processes that others have started become a unit, are stopped with it, outlive a re-exec, and are nobody else's."""
import json
import os

from harness import INITCTL, Box, check, equal, run, until

UID = 54321


def call(box, name, pids, text="[Unit]\nDescription=mine\n[Scope]\n", uid=None):
    """Adopt over the control socket; the error's name and text, or nothing."""
    script = ("import json,socket,sys; s=socket.socket(socket.AF_UNIX); s.connect('/run/monoinit/control'); "
              "s.sendall(sys.argv[1].encode()+b'\\0'); print(s.makefile('rb').read1(65536).decode().strip('\\0'))")
    request = json.dumps({"method": "io.monoinit.Manager.Adopt", "parameters": {"name": name, "text": text, "pids": pids}})
    answer = json.loads(box.inside("python3", "-c", script, request, uid=uid, check=True).stdout)
    return answer.get("error", "") + json.dumps(answer.get("parameters", {})) if "error" in answer else ""


def sleeper(box, script="exec sleep 1001", uid=None):
    process = box.begin(*([] if uid is None else ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]),
                        "sh", "-c", f"echo $$; {script}")
    return process, int(process.stdout.readline())


def story_processes_become_a_unit_and_are_stopped_with_it():
    with Box() as box:
        box.boot()
        process, pid = sleeper(box, "sleep 1002 & exec sleep 1001")
        equal(call(box, "mine.scope", [pid]), "", "adopted")
        equal((box.state("mine.scope"), box.show("mine.scope", "SubState")), ("active", "running"), "up")
        equal(box.show("mine.scope", "Description"), "mine", "its text")
        check("sleep 1001" in box.initctl("status", "mine.scope").stdout, "its processes")
        check("sleep 1002" in box.initctl("status", str(pid)).stdout, "by a process")
        check("no command of its own" not in box.log(), "it was not started")
        box.initctl("daemon-reexec", check=True)
        box.wait_log(r"took over")
        equal(box.state("mine.scope"), "active", "after a re-exec")
        box.initctl("stop", "mine.scope", check=True)
        process.wait(20)
        until("what was below it", lambda: not box.find("sleep 1002"))
        until("forgotten", lambda: box.show("mine.scope", "LoadState") == "not-found")


def story_it_ends_with_its_processes_and_holds_up_the_end():
    with Box() as box:
        box.boot()
        process, pid = sleeper(box)
        equal(call(box, "a.scope", [pid]), "", "adopted")
        box.inside("kill", "-9", str(pid), check=True)
        process.wait(20)
        until("gone", lambda: box.show("a.scope", "LoadState") == "not-found")
        process, pid = sleeper(box, "trap 'echo bye; exit' TERM; while :; do sleep 0.01; done")
        equal(call(box, "b.scope", [pid]), "", "adopted")
        equal(box.stop(), 0, "the end")
        equal(process.stdout.read(), "bye\n", "SIGTERM first")


def story_systemd_run_makes_one_around_its_command():
    with Box() as box:
        box.boot()
        tool = os.path.join(os.path.dirname(INITCTL), "systemd-run")
        process = box.begin(tool, "--scope", "--unit=mine", "--slice=batch", "-p", "RuntimeMaxSec=1h", "sleep", "1003")
        box.wait_state("mine.scope", "active")
        equal((box.show("mine.scope", "Description"), box.show("mine.scope", "Slice")), ("sleep 1003", "batch.slice"), "its unit")
        box.initctl("stop", "batch.slice", check=True)
        equal(process.wait(20), -15, "stopped with its slice")


def story_who_may_take_what():
    with Box() as box:
        box.boot()
        foreign, pid = sleeper(box)
        check("is not a process of uid" in call(box, "x.scope", [pid], uid=UID), "another's process")
        check("own" in call(box, "x.scope", [1]), "PID 1")
        check(call(box, "x.scope", []) != "", "nothing")
        check("not a valid name" in call(box, "x.service", [pid]), "a service")
        check(call(box, "x.scope", [999999]) != "", "nobody")
        equal(box.show("x.scope", "LoadState"), "not-found", "nothing is left")
        own, pid = sleeper(box, uid=UID)
        equal(call(box, "own.scope", [pid], uid=UID), "", "one's own")
        box.stop()
        for process in (foreign, own):
            process.wait(20)


run(globals())
