#!/usr/bin/env python3
"""The main job: order, output, overview, restart, ordered stop, a failed requirement, CMD."""
import re

from harness import Box, check, equal, run, until

INIT = "[Unit]\nBefore=web.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo initialising; sleep 0.1; echo initialised'\n"
WEB = "[Unit]\nRequires=init.service\nAfter=init.service\n[Service]\nExecStart=/bin/sh -c 'echo serving; exec sleep infinity'\nRestart=always\n"
JOB = "[Unit]\nAfter=web.service\n[Service]\nExecStart=/bin/sleep infinity\n"

# Setup of a box: /usr/bin with two programs more.
PRIVATE_BIN = """mkdir /run/over; mount -t tmpfs tmpfs /run/over; mkdir /run/over/upper /run/over/work
for name in systemd-tmpfiles systemd-sysusers; do printf '#!/bin/sh\\n%s\\n' '{script}' > /run/over/upper/$name; chmod 755 /run/over/upper/$name; done
mount -t overlay -o lowerdir=/usr/bin,upperdir=/run/over/upper,workdir=/run/over/work overlay /usr/bin
"""


def main_box(**options):
    return Box({"init.service": INIT, "web.service": WEB, "job.service": JOB}, ["init.service", "web.service", "job.service"], **options)


def story_order_and_output():
    with main_box() as box:
        box.boot()
        box.wait_log(r"^\[web\] serving$")
        log = box.log()
        check(log.index("[init] initialised") < log.index("[web] serving"), "init ran first")
        check(re.search(r"^\[monoinit\] ready in .*: 2 running, 1 done, 0 failed$", log, re.M), log)
        overview = box.initctl(check=True).stdout
        check("web" in overview and "running" in overview, overview)


def story_restart_and_kill():
    with main_box() as box:
        box.boot()
        before = box.main_pid("web")
        said = box.initctl("restart", "web", check=True).stdout
        check(re.search(r"web: restarted in .* \(pid \d+\)", said), said)
        after = box.main_pid("web")
        check(before != after and after > 0, "another pid")
        box.inside("kill", "-9", str(after), check=True)
        box.wait_log(r"^\[monoinit\] web: killed \(SIGKILL\) after .*; restarting in 100 ms \(attempt 1\)$")
        until("it is back", lambda: box.main_pid("web") not in (0, after))


def story_ordered_stop():
    stopping = "[Unit]\nAfter={}\n[Service]\nExecStart=/bin/sh -c 'trap \"echo ending; exit 0\" TERM; while :; do sleep 1 & wait $!; done'\n"
    with Box({"a.service": stopping.format("x.service"), "b.service": stopping.format("a.service"), "c.service": stopping.format("b.service")},
             ["a.service", "b.service", "c.service"]) as box:
        box.boot()
        for unit in "abc":
            until(unit, lambda u=unit: box.state(u) == "active")
        until("traps are set", lambda: len(box.find("sleep 1")) >= 3)
        equal(box.stop(), 0, "exit status")
        log = box.log()
        check(log.index("[c] ending") < log.index("[b] ending") < log.index("[a] ending"), log)
        check(re.search(r"^\[monoinit\] SIGTERM: stopping 3 units, 8 s at most$", log, re.M), log)
        check(re.search(r"^\[monoinit\] all stopped in .*; exit 0$", log, re.M), log)


def story_the_last_word():
    """The logger ends after PID 1 has asked it to, and its SIGCHLD may overtake its answer: no other one is started then."""
    for _ in range(10):
        with Box() as box:
            box.boot()
            equal(box.stop(), 0, "exit status")
            last = box.log().splitlines()[-1]
            check(re.search(r"^\[monoinit\] all stopped in .*; exit 0$", last), f"the last line is: {last}")


def story_a_failed_requirement():
    failing = INIT.replace("echo initialised", "exit 3")
    with Box({"init.service": failing, "web.service": WEB}, ["init.service", "web.service"]) as box:
        box.boot()
        equal(box.state("web"), "inactive")
        equal(box.state("init"), "failed")
        status = box.initctl("status", "web").stdout
        check("init.service failed" in status and "exit 3" in status and "Requires=" in status, status)
        box.wait_log(r"web not started: init failed \(exit 3\); it is in Requires=")


def story_machine_units_are_left_alone():
    """Debian's systemd is installed in many images; its units that empty /tmp must not do it here."""
    vendor = "/usr/lib/systemd/system"
    unit = "[Unit]\\nDefaultDependencies=no\\n[Service]\\nType=oneshot\\nExecStart=/bin/touch /run/emptied\\n"
    setup = (f"mount -t tmpfs tmpfs {vendor}; printf '{unit}' > {vendor}/systemd-tmpfiles-setup.service; "
             f"mkdir {vendor}/sysinit.target.wants; ln -s ../systemd-tmpfiles-setup.service {vendor}/sysinit.target.wants/")
    setup += f"; ln -s ../systemd-tmpfiles-clean.service {vendor}/sysinit.target.wants/; printf '{unit}' > {vendor}/systemd-tmpfiles-clean.service"
    with Box({"job.service": "[Service]\nExecStart=/bin/sleep infinity\n"}, ["job.service"], setup=setup) as box:
        box.keep_unit_path = False
        box.args = [f"--unit-path={box.units}:{vendor}"]
        box.boot()
        equal(box.inside("ls", "/run/emptied").returncode, 2, "it did not run")
        equal(box.show("systemd-tmpfiles-setup", "FragmentPath"), "", "ours is in its place")
        listed = box.initctl("list", "--masked", check=True).stdout
        check(re.search(r"systemd-tmpfiles-clean.*/tmp", listed), listed)
        equal(box.stop(), 0)


def story_tmpfiles_and_sysusers():
    """They run before any service where the programs are installed; not for a unit path that leaves the image's units out."""
    programs = PRIVATE_BIN.replace("{script}", 'echo "$0 $*" >> /run/ran')
    job = "[Service]\nExecStart=/bin/sh -c 'cat /run/ran; exec sleep infinity'\n"
    with Box({"job.service": job}, ["job.service"], setup=programs + "mount -t tmpfs tmpfs /usr/lib/systemd/system\n") as box:
        box.keep_unit_path = False
        box.args = [f"--unit-path={box.units}:/usr/lib/systemd/system"]
        box.boot()
        box.wait_log(r"^\[job\] /usr/bin/systemd-sysusers ?\n\[job\] /usr/bin/systemd-tmpfiles --create --boot --exclude-prefix=/dev --exclude-prefix=/run/nologin$")
        equal(box.state("systemd-tmpfiles-setup"), "active")
    with Box({"job.service": job}, ["job.service"], setup=programs) as box:
        box.boot()
        check("tmpfiles" not in box.log() and "sysusers" not in box.log(), box.log())
        equal(box.show("systemd-tmpfiles-setup", "LoadState"), "not-found")


def story_as_a_user_without_run():
    with main_box(uid=1234) as box:
        box.boot()
        equal(box.initctl("is-active", "web", uid=1234).stdout.strip(), "active")
        equal(box.stop(), 0)


def story_a_group_out_of_reach():
    """Said in the log and in status, once however often the service starts; no reason to fail."""
    with Box({"web.service": "[Service]\nGroup=daemon\nExecStart=/bin/sleep infinity\n"}, ["web.service"], uid=1234) as box:
        box.boot()
        said = "Group=daemon is out of reach for uid 1234, ignored"
        check(said in box.initctl("status", "web", uid=1234).stdout, "status names it")
        box.initctl("restart", "web", uid=1234, check=True)
        equal(box.stop(), 0)
        equal(box.log().count(f"[monoinit] web: {said}"), 1, "times that the log names it")


def story_command_in_the_foreground():
    with main_box(command=["/bin/sh", "-c", "echo from the command; exit 7"]) as box:
        box.boot(wait=False)
        equal(box.wait(), 7, "CMD's status")
        log = box.log()
        check("\nfrom the command\n" in "\n" + log, log)
        check(log.index("[monoinit] web: started") < log.index("from the command"), "after the boot")


def story_a_file_written_after_boot_is_found():
    with Box({"a.service": "[Service]\nExecStart=/bin/sleep infinity\n"}, ["a.service"]) as box:
        box.boot()
        box.write("late.service", "[Unit]\nWants=later.service\n[Service]\nExecStart=/bin/sleep infinity\n")
        box.write("later.service", "[Service]\nExecStart=/bin/sleep infinity\n")
        box.initctl("start", "late", check=True)  # and no daemon-reload
        equal(box.state("late"), "active")
        box.wait_state("later", "active")  # nothing waits for what is only wanted
        box.write("a.service", "[Service]\nExecStart=/bin/false\n")
        box.initctl("restart", "a", check=True)
        equal(box.state("a"), "active", "what is loaded changes by daemon-reload only")


run(globals())
