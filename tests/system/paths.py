#!/usr/bin/env python3
"""Path units for real: what starts their unit and what does not, what is not there yet, floods, limits, reload, crash."""
import json
import os
import time

from harness import Box, check, equal, run, until

DIR = "/run/paths"
CONSUMER = f"[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=/bin/sh -c 'rm -rf {DIR}/request; echo worked for $TRIGGER_UNIT because of $TRIGGER_PATH'\n"
WORKER = "[Service]\nType=oneshot\nExecStart=/bin/echo worked\n"


def path(*lines, unit=""):
    return f"[Unit]\n{unit}\n[Path]\n" + "\n".join(lines) + "\n[Install]\nWantedBy=paths.target\n"


def worked(box):
    return box.log().count("[job] worked")


def shell(box, script):
    return box.inside("sh", "-ec", script, check=True).stdout


def waits(box, name="job.path"):
    until(f"{name} waits", lambda: box.show(name, "SubState") == "waiting")


def quiet(box, script):
    """The script starts nothing: a marker that comes after it does, and only once."""
    before, seen = worked(box), box.log().count("[marker] seen")
    waits(box, "marker.path")
    shell(box, script)
    shell(box, f"echo x > {DIR}/marker")
    box.wait_log(r"^\[marker\] seen$", count=seen + 1)
    waits(box, "marker.path")
    equal(worked(box), before, f"starts by: {script}")


MARKER = {"marker.path": path(f"PathChanged={DIR}/marker"), "marker.service": "[Service]\nType=oneshot\nExecStart=/bin/echo seen\n"}


def box_of(lines, service=WORKER, setup=f"mkdir -p {DIR}\ntouch {DIR}/marker", more=None, unit="", **options):
    units = {"job.path": path(*lines, unit=unit), "job.service": service, **MARKER, **(more or {})}
    return Box(units, ["job.path", "marker.path"], setup=setup, **options)


def story_a_path_that_exists_starts_its_unit_again_and_again():
    with box_of([f"PathExists={DIR}/request"], CONSUMER) as box:
        box.boot()
        waits(box)
        equal(worked(box), 0, "nothing is there")
        for i in range(1, 4):
            shell(box, f"touch {DIR}/request")
            box.wait_log(r"^\[job\] worked for job.path because of /run/paths/request$", count=i)
            waits(box)
        equal(box.show("job.path", "Paths"), f"{DIR}/request (PathExists)")
        box.initctl("stop", "job.path", check=True)
        shell(box, f"touch {DIR}/request")
        equal(box.show("job.path", "SubState"), "dead")
        box.initctl("start", "job.path", check=True)  # there already: at once
        box.wait_log(r"^\[job\] worked", count=4)


def story_one_that_is_not_consumed_ends_in_the_start_limit():
    with box_of([f"PathExists={DIR}/request"]) as box:
        box.boot()
        shell(box, f"touch {DIR}/request")
        until("it has failed", lambda: box.state("job.path") == "failed")
        equal(box.show("job.path", "Result"), "unit-start-limit-hit")
        equal(worked(box), 5, "starts")
        check("job.path: failed: job.service was started too often" in box.log(), box.log())
        shell(box, f"rm {DIR}/request")
        box.initctl("reset-failed", "job.path", "job.service", check=True)
        box.initctl("start", "job.path", check=True)
        waits(box)


def story_the_trigger_limit():
    service = "[Unit]\nStartLimitIntervalSec=0\n" + WORKER
    with box_of([f"PathExists={DIR}/request", "TriggerLimitIntervalSec=1h", "TriggerLimitBurst=7"], service) as box:
        box.boot()
        shell(box, f"touch {DIR}/request")
        until("it has failed", lambda: box.state("job.path") == "failed")
        equal(box.show("job.path", "Result"), "trigger-limit-hit")
        equal(worked(box), 7, "starts")
        check("TriggerLimitBurst=" in box.initctl("status", "job.path").stdout, box.initctl("status", "job.path").stdout)


def story_changed_is_when_it_is_closed():
    with box_of([f"PathChanged={DIR}/file"], setup=f"mkdir -p {DIR}; touch {DIR}/marker {DIR}/file") as box:
        box.boot()
        waits(box)
        writer = box.begin("sh", "-c", f"exec 3>>{DIR}/file; while read line; do echo $line >&3; echo said; done")
        for _ in range(2):
            writer.stdin.write("x\n")
            writer.stdin.flush()
            equal(writer.stdout.readline(), "said\n")
        quiet(box, "true")
        writer.stdin.close()
        box.wait_log(r"^\[job\] worked$")
        waits(box)
        shell(box, f"chmod 600 {DIR}/file")  # attributes count too
        box.wait_log(r"^\[job\] worked$", count=2)


def story_modified_is_at_each_write():
    with box_of([f"PathModified={DIR}/file"], setup=f"mkdir -p {DIR}; touch {DIR}/marker {DIR}/file") as box:
        box.boot()
        waits(box)
        writer = box.begin("sh", "-c", f"exec 3>>{DIR}/file; while read line; do echo $line >&3; done")
        for i in range(1, 3):
            writer.stdin.write("x\n")
            writer.stdin.flush()
            box.wait_log(r"^\[job\] worked$", count=i)
            waits(box)
        writer.stdin.close()
        box.wait_log(r"^\[job\] worked$", count=3)


def story_a_changed_path_that_comes_and_goes():
    with box_of([f"PathChanged={DIR}/a/b/file"]) as box:
        box.boot()
        waits(box)
        shell(box, f"mkdir {DIR}/a; mkdir {DIR}/a/b; echo x > {DIR}/a/other")
        equal(worked(box), 0, "only parents so far")
        shell(box, f"echo x > {DIR}/a/b/file")
        box.wait_log(r"^\[job\] worked$")
        waits(box)
        shell(box, f"rm -r {DIR}/a")
        box.wait_log(r"^\[job\] worked$", count=2)
        waits(box)
        shell(box, f"mkdir -p {DIR}/a/b; echo x > {DIR}/a/b/file")
        box.wait_log(r"^\[job\] worked$", count=3)


def story_editors_rename_and_links_are_turned():
    setup = f"mkdir -p {DIR}/v1 {DIR}/v2; touch {DIR}/marker; echo 1 > {DIR}/v1/conf; echo 2 > {DIR}/v2/conf; ln -s v1 {DIR}/current"
    with box_of([f"PathChanged={DIR}/current/conf"], setup=setup) as box:
        box.boot()
        waits(box)
        shell(box, f"echo new > {DIR}/v1/conf.tmp; mv {DIR}/v1/conf.tmp {DIR}/v1/conf")
        box.wait_log(r"^\[job\] worked$")
        waits(box)
        shell(box, f"ln -s v2 {DIR}/next; mv -T {DIR}/next {DIR}/current")
        box.wait_log(r"^\[job\] worked$", count=2)
        waits(box)
        quiet(box, f"echo old > {DIR}/v1/conf")
        shell(box, f"echo new > {DIR}/v2/conf")
        box.wait_log(r"^\[job\] worked$", count=3)


def story_a_link_into_nowhere():
    with box_of([f"PathExists={DIR}/link"], CONSUMER.replace("/request", "/target"), setup=f"mkdir -p {DIR}; touch {DIR}/marker; ln -s ../paths/sub/target {DIR}/link") as box:
        box.boot()
        waits(box)
        shell(box, f"mkdir {DIR}/sub; touch {DIR}/sub/target")
        box.wait_log(r"^\[job\] worked for job.path because of /run/paths/link$")


def story_a_directory_with_something_in_it():
    service = f"[Service]\nType=oneshot\nExecStart=/bin/sh -c 'rm -f {DIR}/spool/*; echo worked'\n"
    with box_of([f"DirectoryNotEmpty={DIR}/spool", "MakeDirectory=yes", "DirectoryMode=0710"], service) as box:
        box.boot()
        waits(box)
        equal(shell(box, f"stat -c %a {DIR}/spool").strip(), "710", "MakeDirectory=")
        quiet(box, f"touch {DIR}/spool/.hidden {DIR}/spool/job~ {DIR}/spool/conf.dpkg-old; mkdir {DIR}/other")
        shell(box, f"touch {DIR}/spool/job")
        box.wait_log(r"^\[job\] worked$")
        waits(box)
        shell(box, f"rm -r {DIR}/spool")
        shell(box, f"mkdir {DIR}/spool; touch {DIR}/spool/job")
        box.wait_log(r"^\[job\] worked$", count=2)


def story_a_changed_directory():
    with box_of([f"PathChanged={DIR}/conf.d"], setup=f"mkdir -p {DIR}/conf.d/sub; touch {DIR}/marker") as box:
        box.boot()
        waits(box)
        quiet(box, f"touch {DIR}/conf.d/sub/deep")
        for i, script in enumerate((f"touch {DIR}/conf.d/a", f"echo x >> {DIR}/conf.d/a", f"rm {DIR}/conf.d/a"), 1):
            shell(box, script)
            box.wait_log(r"^\[job\] worked$", count=i)
            waits(box)


def story_a_pattern():
    service = f"[Service]\nType=oneshot\nExecStart=/bin/sh -c 'rm -f $TRIGGER_PATH; echo worked for $TRIGGER_PATH'\n"
    with box_of([f"PathExistsGlob={DIR}/in*/*.{{csv,txt}}"], service) as box:
        box.boot()
        waits(box)
        quiet(box, f"mkdir {DIR}/inbox; touch {DIR}/inbox/a.png {DIR}/outer.csv")
        shell(box, f"touch {DIR}/inbox/a.csv")
        box.wait_log(r"^\[job\] worked for /run/paths/inbox/a.csv$")
        waits(box)
        shell(box, f"mkdir {DIR}/in; touch {DIR}/in/b.txt")
        box.wait_log(r"^\[job\] worked for /run/paths/in/b.txt$")


def cpu(box):
    with open(f"/proc/{box.init}/stat", encoding="ascii") as text:
        fields = text.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


FLOOD = """
import os, time, sys
end, n = time.monotonic() + 3, 0
while time.monotonic() < end:
    for _ in range(100):
        os.close(os.open(sys.argv[1] + str(n % 7), os.O_CREAT | os.O_WRONLY)); os.unlink(sys.argv[1] + str(n % 7)); n += 1
print(n / 3)
"""


def story_a_flood_does_not_load_pid_1():
    with box_of([f"PathExists={DIR}/request"], CONSUMER) as box:
        box.boot()
        waits(box)
        before = cpu(box)
        rate = float(box.inside("python3", "-c", FLOOD, f"{DIR}/noise", check=True).stdout)
        used = cpu(box) - before
        check(rate > 10000, f"the flood was a trickle: {rate}/s")
        check(used <= 60, f"{used} ticks of CPU in 3 s of {rate:.0f} changes a second")
        shell(box, f"touch {DIR}/request")  # the last change is not lost
        box.wait_log(r"^\[job\] worked for", count=1)


def story_a_path_that_flaps():
    with box_of([f"PathChanged={DIR}/noise3"]) as box:
        box.boot()
        waits(box)
        before = cpu(box)
        rate = float(box.inside("python3", "-c", FLOOD, f"{DIR}/noise", check=True).stdout)
        until("the limit", lambda: box.state("job.path") == "failed")
        equal(box.show("job.path", "Result"), "unit-start-limit-hit")
        check(cpu(box) - before <= 60, f"{cpu(box) - before} ticks of CPU in 3 s of {rate:.0f} changes a second")


def story_what_changes_while_the_unit_runs_does_not_count():
    service = f"[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo mine >> {DIR}/file; echo worked'\n"
    with box_of([f"PathChanged={DIR}/file"], service, setup=f"mkdir -p {DIR}; touch {DIR}/marker {DIR}/file") as box:
        box.boot()
        waits(box)
        shell(box, f"echo x > {DIR}/file")
        box.wait_log(r"^\[job\] worked$")
        waits(box)
        quiet(box, "true")
        box.initctl("start", "job.service", check=True)  # by others: the same
        waits(box)
        equal(worked(box), 2, "starts")


def story_reload_reexec_and_crash():
    with box_of([f"PathChanged={DIR}/file", f"PathExists={DIR}/request"], CONSUMER, setup=f"mkdir -p {DIR}; touch {DIR}/marker {DIR}/file") as box:
        box.boot()
        waits(box)
        runs = 0
        for what in (lambda: box.initctl("daemon-reload", check=True), lambda: box.initctl("daemon-reexec", check=True), lambda: os.kill(box.init, 11)):
            what()
            for script in (f"echo x > {DIR}/file", f"touch {DIR}/request"):
                shell(box, script)
                runs += 1
                box.wait_log(r"^\[job\] worked", count=runs)
                waits(box)
        for _ in range(10):  # nothing is missed in between
            os.kill(box.init, 11)
            shell(box, f"echo x > {DIR}/file")
            runs += 1
            box.wait_log(r"^\[job\] worked", count=runs)
            until("it hears", lambda: box.initctl("reset-failed", "job.service").returncode == 0)  # the crash may still be to come
            waits(box)
        box.write("job.path", path(f"PathExists={DIR}/other"))
        box.initctl("daemon-reload", check=True)
        quiet(box, f"echo x > {DIR}/file")
        box.write("job.service", WORKER.replace("/bin/echo", f"/bin/sh -c 'rm {DIR}/other; echo $0' "))
        box.initctl("daemon-reload", check=True)
        shell(box, f"touch {DIR}/other")
        box.wait_log(r"^\[job\] worked", count=runs + 1)
        equal(box.stop(), 0, "exit status")


def story_what_people_see():
    with box_of([f"PathExists={DIR}/request", f"DirectoryNotEmpty={DIR}/spool"], CONSUMER) as box:
        box.boot()
        table = box.initctl("list-paths", name="systemctl").stdout.splitlines()
        equal(table[0].split(), ["PATH", "CONDITION", "UNIT", "ACTIVATES"], "head")
        equal(table[1].split(), [f"{DIR}/marker", "PathChanged", "marker.path", "marker.service"])
        equal(table[2].split(), [f"{DIR}/request", "PathExists", "job.path", "job.service"])
        equal(table[5], "3 paths listed.", "foot")
        told = json.loads(box.initctl("--json", "list-paths", "job").stdout)
        equal(told[1], {"path": f"{DIR}/spool", "condition": "DirectoryNotEmpty", "unit": "job.path", "activates": "job.service"}, "json")
        status = box.initctl("status", "job.path").stdout
        check(f"Watch: PathExists={DIR}/request" in status and "Starts: job" in status, status)
        check("by job.path" in box.initctl("status", "job").stdout, box.initctl("status", "job").stdout)
        block = box.initctl("status", "job.path", name="systemctl").stdout
        check("   Triggers: ○ job.service" in block, block)
        check("TriggeredBy: ● job.path" in box.initctl("status", "job.service", name="systemctl").stdout, "TriggeredBy")


def story_bad_ones_cost_themselves_only():
    more = {"empty.path": path("Unit=job.service"), "relative.path": path("PathExists=relative", "Unit=job.service"),
            "alone.path": path("PathExists=/nowhere"), "loop.path": path("PathExists=/nowhere", "Unit=job.path"),
            "masked.path": path("PathExists=/nowhere")}
    with box_of([f"PathExists={DIR}/request"], CONSUMER, more=more) as box:
        os.symlink("/dev/null", os.path.join(box.units, "masked.service"))
        for name in more:
            box.enable(name)
        box.boot()
        equal(box.show("empty.path", "LoadState"), "bad-setting", "nothing to watch")
        equal(box.show("relative.path", "LoadState"), "bad-setting", "a relative path")
        check("alone.path: not started: alone.service is not there" in box.log(), box.log())
        check("masked.path: not started: masked.service is masked" in box.log(), box.log())
        shell(box, f"touch {DIR}/request")
        box.wait_log(r"^\[job\] worked for")


def story_an_ordinary_user():
    with box_of([f"PathExists={DIR}/request"], CONSUMER, uid=4711, setup=f"mkdir -p {DIR}; chmod 777 {DIR}; touch {DIR}/marker; chmod 666 {DIR}/marker") as box:
        box.boot()  # as an ordinary user
        waits(box)
        shell(box, f"touch {DIR}/request; chmod 777 {DIR}/request")
        box.wait_log(r"^\[job\] worked for")


def story_timers_tell_too():
    more = {"t.service": "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo by :$TRIGGER_UNIT: at :$TRIGGER_TIMER_REALTIME_USEC:'\n",
            "t.timer": "[Timer]\nOnActiveSec=10ms\n"}
    with box_of([f"PathExists={DIR}/request"], CONSUMER, more=more) as box:
        box.enable("t.timer")
        box.boot()
        at = box.wait_log(r"^\[t\] by :t.timer: at :(\d+):$")[0]
        check(abs(int(at) / 1e6 - time.time()) < 60, at)
        box.wait_log(r"t: done in")  # else the next start is the same job
        box.initctl("start", "t.service", check=True)  # by a person: not the timer's doing
        box.wait_log(r"^\[t\] by :: at ::$")


if __name__ == "__main__":
    run(globals())
