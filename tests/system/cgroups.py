#!/usr/bin/env python3
"""cgroup v2 that is ours to divide: where processes go, what is killed with what, what is left, re-exec. Skips where the
machine has no cgroup2 hierarchy in which a group can be made. Limits need controllers: cgroup_limits.sh has them in qemu."""
import os
import subprocess
import sys
import tempfile

from harness import Box, check, equal, run, until


def hierarchy():
    with open("/proc/mounts", encoding="ascii") as mounts:
        for line in mounts:
            if line.split()[2] == "cgroup2":
                return line.split()[1]
    return None


MOUNT = hierarchy()
SLEEP = '/bin/sh -c "sleep 1001 & exec sleep 1002"'


class Grouped(Box):
    """A box in a cgroup of its own, seen through a cgroup namespace as in a container."""

    def __init__(self, units, enable=(), **options):
        self.group = tempfile.mkdtemp(prefix="monoinit-", dir=MOUNT)
        os.chmod(self.group, 0o755)
        # The namespace's root is the group that its first process is in.
        enter = (f'echo 0 > {self.group}/cgroup.procs\n'
                 f'exec unshare --cgroup sh -ec \'umount -R /sys/fs/cgroup 2>/dev/null || true; mount -t tmpfs tmpfs /sys/fs/cgroup; '
                 f'mkdir /sys/fs/cgroup/unified; mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified; exec "$@"\' sh "$@"')
        super().__init__(units, enable, setup=enter, **options)

    def __exit__(self, *failure):
        result = super().__exit__(*failure)
        for path, _, _ in os.walk(self.group, topdown=False):
            try:
                os.rmdir(path)
            except OSError:
                pass
        return result

    def groups(self):
        return sorted(os.path.relpath(path, self.group) for path, _, _ in os.walk(self.group) if path != self.group)

    def members(self, below):
        """Pids inside a group and those below it, as the machine numbers them."""
        pids = []
        for path, _, _ in os.walk(os.path.join(self.group, below)):
            with open(os.path.join(path, "cgroup.procs"), encoding="ascii") as procs:
                pids += procs.read().split()
        return pids


def story_a_unit_has_a_group_of_its_own_until_it_is_down():
    units = {"web.service": f"[Service]\nExecStart={SLEEP}\n",
             "batch.service": f"[Service]\nSlice=a-b.slice\nExecStart={SLEEP}\n"}
    with Grouped(units, ["web.service", "batch.service"]) as box:
        box.boot()
        until("both processes", lambda: len(box.members("system.slice/web.service")) == 2)
        until("in the slice", lambda: len(box.members("a.slice/a-b.slice/batch.service")) == 2)
        with open(f"{box.group}/cgroup.procs", encoding="ascii") as procs:
            equal(procs.read(), "", "PID 1 and guards went to the leaf")
        check(len(box.members("monoinit")) >= 3, "PID 1, logger and guards")
        equal(box.show("web.service", "ControlGroup"), "/system.slice/web.service", "ControlGroup")
        check(int(box.show("web.service", "CPUUsageNSec")) > 0, "CPUUsageNSec")
        box.initctl("stop", "web.service", "batch.service", check=True)
        until("nothing left", lambda: box.groups() == ["monoinit"])


def story_a_kill_of_one_command_spares_the_others_of_the_unit():
    stop = '/bin/sh -c "trap : TERM; sleep 1003 & while :; do sleep 1; done"'
    units = {"web.service": f"[Service]\nExecStart={SLEEP}\nExecReload={stop}\nTimeoutStartSec=1s\nTimeoutStopSec=1s\n"}
    with Grouped(units, ["web.service"]) as box:
        box.boot()
        main = box.main_pid("web.service")
        box.initctl("reload", "web.service")
        until("the reload is gone", lambda: not box.find("sleep 1003"))
        equal((box.main_pid("web.service"), box.state("web.service")), (main, "active"), "the service")
        until("one group", lambda: len(os.listdir(f"{box.group}/system.slice/web.service")) and len([1 for g in box.groups() if g.startswith("system.slice/web.service/")]) == 1)


def story_groups_survive_a_new_image_and_are_cleaned():
    units = {"web.service": f"[Service]\nExecStart={SLEEP}\nKillMode=control-group\nKillSignal=SIGKILL\n"}
    with Grouped(units, ["web.service"]) as box:
        os.makedirs(f"{box.group}/system.slice/gone.service/3")
        box.boot()
        check("system.slice/gone.service" not in box.groups(), "a stale group was kept")
        before = box.members("system.slice/web.service")
        box.initctl("daemon-reexec")
        until("the new image answers", lambda: box.state("web.service") == "active")
        equal(box.members("system.slice/web.service"), before, "members")
        box.initctl("restart", "web.service", check=True)
        until("a new tree", lambda: len(box.members("system.slice/web.service")) == 2)
        check(not set(before) & set(box.members("system.slice/web.service")), "of the old tree")
        box.initctl("stop", "web.service", check=True)
        until("nothing left", lambda: box.groups() == ["monoinit"])


def story_a_delegated_group_is_the_users_and_goes_with_all_below():
    units = {"own.service": "[Service]\nUser=nobody\nDelegate=yes\nExecStart=/bin/sh -c 'sleep 1001 & "
             "g=/sys/fs/cgroup/unified$(sed -n s/^0:://p /proc/self/cgroup); mkdir $g/a && mkdir $g/a/b && echo made; wait'\n"}
    with Grouped(units, ["own.service"]) as box:
        box.boot()
        box.wait_log(r"^\[own\] made")
        box.initctl("stop", "own.service", check=True)
        until("nothing left", lambda: box.groups() == ["monoinit"])


def story_a_killed_guard_leaves_no_group_behind():
    units = {"web.service": f"[Service]\nExecStart={SLEEP}\nRestart=no\n"}
    with Grouped(units, ["web.service"]) as box:
        box.boot()
        until("its group", lambda: len(box.members("system.slice/web.service")) == 2)
        guard = box.status_json("web.service")["unit"]["summary"]["guards"][0]
        box.inside("kill", "-9", str(guard), check=True)
        until("nothing left", lambda: box.groups() == ["monoinit"])


def story_cgroup_kill_reaches_what_no_sweep_finds():
    """A process that somebody else has put into the group is no descendant of the guard's."""
    units = {"web.service": f"[Service]\nExecStart={SLEEP}\nKillSignal=SIGKILL\n"}
    with Grouped(units, ["web.service"]) as box:
        box.boot()
        until("its group", lambda: len(box.members("system.slice/web.service")) == 2)
        stranger = subprocess.Popen(["sleep", "1004"])
        group = [g for g in box.groups() if g.startswith("system.slice/web.service/")][0]
        with open(f"{box.group}/{group}/cgroup.procs", "w", encoding="ascii") as procs:
            procs.write(str(stranger.pid))
        box.initctl("stop", "web.service", check=True)
        equal(stranger.wait(20), -9, "the stranger")


def story_a_slice_is_a_group_that_is_stopped_with_all_in_it():
    units = {"one.service": f"[Service]\nSlice=batch-deep.slice\nExecStart={SLEEP}\n",
             "two@.service": f"[Service]\nExecStart={SLEEP}\n",
             "batch.slice": "[Unit]\nDescription=Batch\n[Slice]\nCPUWeight=50\n"}
    with Grouped(units, ["one.service"]) as box:
        box.boot()
        box.initctl("start", "two@a.service", "two@b.service", check=True)
        until("instances in a slice", lambda: len(box.members("system.slice/system-two.slice")) == 4)
        until("and the other", lambda: len(box.members("batch.slice/batch-deep.slice/one.service")) == 2)
        equal(box.state("batch.slice"), "active", "the slice above")
        equal(box.show("two@a.service", "Slice"), "system-two.slice", "Slice")
        status = box.initctl("status", "system-two.slice").stdout
        check("two@a" in status and "two@b" in status and "sleep 1002" in status, status)
        box.initctl("stop", "system-two.slice", check=True)
        equal((box.state("two@a.service"), box.state("two@b.service"), box.state("one.service")), ("inactive", "inactive", "active"), "stopped")
        box.initctl("stop", "batch.slice", check=True)
        equal((box.state("one.service"), box.state("batch-deep.slice")), ("inactive", "inactive"), "with those below")
        check(box.initctl("stop", "system.slice").returncode != 0, "system.slice")
        until("nothing left", lambda: box.groups() == ["monoinit"])


def story_a_limit_that_cannot_act_is_said_once():
    units = {"web.service": f"[Service]\nIOReadBandwidthMax=/proc 1M\nExecStart={SLEEP}\n"}
    with Grouped(units, ["web.service"]) as box:
        box.boot()
        box.wait_log(r"web: /proc lies on no block device, so io\.max does not act on it")
        box.initctl("restart", "web.service", check=True)
        equal(box.log().count("lies on no block device"), 1, "lines")


def story_no_means_no():
    with Grouped({"web.service": f"[Service]\nExecStart={SLEEP}\n"}, ["web.service"], args=["--cgroups=no"]) as box:
        box.boot()
        equal(box.groups(), [], "groups")
        equal(box.show("web.service", "ControlGroup"), "", "ControlGroup")


if __name__ == "__main__":
    if MOUNT is None or os.getuid() != 0:
        print("SKIP: no cgroup2 hierarchy to make a group in")
        sys.exit(77)
    try:
        os.rmdir(tempfile.mkdtemp(prefix="monoinit-", dir=MOUNT))
    except OSError as error:
        print(f"SKIP: {error}")
        sys.exit(77)
    run(globals())
