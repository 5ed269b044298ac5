#!/usr/bin/env python3
"""Mount units where mounting is allowed and where it is not: volumes, files, what others do, the end, re-exec; devices, swaps."""
import os

from harness import Box, check, equal, run, until

NO_ADMIN = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
SLEEP = "[Service]\nExecStart=/bin/sleep 1000\n"


def tmpfs(where, more=""):
    return f"[Mount]\nWhat=tmpfs\nWhere={where}\nType=tmpfs\nOptions=mode=0750,size=64k\n{more}"


def name_of(path, suffix=".mount"):
    escaped = "".join(c if c.isalnum() or c in ":_." else f"\\x{ord(c):02x}" if c != "/" else "-" for c in path.strip("/"))
    return escaped + suffix


def is_mounted(box, path):
    return any(line.split()[1] == path for line in box.inside("cat", "/proc/mounts").stdout.splitlines())


def story_a_volume_has_a_unit_and_stays():
    with Box({"web.service": "[Unit]\nRequiresMountsFor=/mnt/data\n" + SLEEP}, ["web.service"],
             setup="mount -t tmpfs tmpfs /mnt; mkdir /mnt/data; mount -t tmpfs -o size=32k vol /mnt/data") as box:
        box.boot()
        box.wait_state("web.service", "active")
        equal(box.state("mnt-data.mount"), "active", "the volume")
        equal(box.show("mnt-data.mount", "SubState"), "mounted", "its state")
        equal(box.show("mnt-data.mount", "What"), "vol", "What")
        equal(box.show("mnt-data.mount", "Type"), "tmpfs", "Type")
        check("size=32k" in box.show("mnt-data.mount", "Options"), "Options")
        equal(box.show("mnt-data.mount", "Where"), "/mnt/data", "Where")
        equal(box.state("/"), "active", "the root")
        check("mnt-data.mount" in box.show("web.service", "Requires"), "required")
        check("mnt-data.mount" in box.show("web.service", "After"), "ordered")
        stopped = box.initctl("stop", "mnt-data.mount")
        check(stopped.returncode != 0 and "volume" in stopped.stderr, stopped.stderr)
        check(is_mounted(box, "/mnt/data"), "it stays")
        equal(box.state("web.service"), "active", "and what requires it")
        equal(box.stop(), 0, "the end")


def story_a_file_mounts_and_unmounts():
    where = "/mnt/cache/deep"
    units = {"mnt-cache-deep.mount": tmpfs(where, "DirectoryMode=0711\n"),
             "web.service": f"[Unit]\nRequiresMountsFor={where}\n[Service]\nExecStart=/bin/sh -c 'touch {where}/x; exec sleep 1000'\n"}
    with Box(units, ["web.service"], setup="mount -t tmpfs tmpfs /mnt") as box:
        box.boot()
        box.wait_state("web.service", "active")
        box.wait_log(r"mnt-cache-deep\.mount: mounted tmpfs at /mnt/cache/deep")
        check(is_mounted(box, where), "mounted")
        equal(box.inside("stat", "-c", "%a", "/mnt/cache").stdout.strip(), "711", "DirectoryMode=")
        until("its file", lambda: box.inside("ls", where).stdout.strip() == "x")
        box.write("mnt-cache-deep.mount", tmpfs(where, "DirectoryMode=0711\n").replace("size=64k", "size=128k"))
        box.initctl("daemon-reload", check=True)
        box.initctl("reload", "mnt-cache-deep.mount", check=True)
        check("size=128k" in box.show("mnt-cache-deep.mount", "Options"), "remounted")
        box.initctl("stop", "mnt-cache-deep.mount", check=True)
        check(not is_mounted(box, where), "unmounted")
        equal(box.state("web.service"), "inactive", "what requires it goes first")
        box.initctl("start", "web.service", check=True)
        check(is_mounted(box, where), "mounted again")
        box.initctl("daemon-reexec", check=True)
        box.wait_log(r"took over")
        equal(box.state("mnt-cache-deep.mount"), "active", "after the re-exec")
        equal(box.stop(), 0, "the end")
        box.wait_log(r"unmounted /mnt/cache/deep")


def story_what_others_mount_and_unmount_is_followed():
    with Box({"web.service": "[Unit]\nBindsTo=mnt-hand.mount\nAfter=mnt-hand.mount\n" + SLEEP},
             setup="mount -t tmpfs tmpfs /mnt; mkdir /mnt/hand") as box:
        box.boot()
        equal(box.state("mnt-hand.mount"), "inactive", "nothing there")
        box.inside("mount", "-t", "tmpfs", "hand", "/mnt/hand", check=True)
        box.wait_state("mnt-hand.mount", "active")
        box.initctl("start", "web.service", check=True)
        box.inside("umount", "/mnt/hand", check=True)
        box.wait_state("web.service", "inactive")
        box.wait_state("mnt-hand.mount", "inactive")
        equal(box.show("mnt-hand.mount", "LoadState"), "not-found", "its unit is gone")
        box.inside("mount", "-t", "tmpfs", "hand", "/mnt/hand", check=True)
        box.wait_state("mnt-hand.mount", "active")
        box.initctl("stop", "mnt-hand.mount", check=True)
        check(not is_mounted(box, "/mnt/hand"), "a person may unmount what a person has mounted")
        for number in range(50):
            box.inside("mount", "-t", "tmpfs", "hand", "/mnt/hand", check=True)
            box.inside("umount", "/mnt/hand", check=True)
        until("at rest", lambda: box.state("mnt-hand.mount") == "inactive")


def story_failures_have_their_results():
    units = {"mnt-a.mount": "[Mount]\nWhat=nothing\nType=nonsensefs\n",
             "mnt-b.mount": "[Mount]\nWhat=tmpfs\nWhere=/mnt/other\nType=tmpfs\n",
             "mnt-slow.mount": "[Mount]\nWhat=x\nType=tmpfs\nTimeoutSec=200ms\nEnvironment=PATH=/mnt/bin\n",
             "mnt-link-x.mount": tmpfs("/mnt/link/x"),
             "web.service": "[Unit]\nRequires=mnt-a.mount\nAfter=mnt-a.mount\n" + SLEEP}
    setup = ("mount -t tmpfs tmpfs /mnt; mkdir /mnt/bin /mnt/real; ln -s real /mnt/link; "
             "printf '#!/bin/sh\\nexec /bin/sleep 100\\n' > /mnt/bin/mount; chmod 755 /mnt/bin/mount")
    with Box(units, setup=setup) as box:
        box.boot()
        check(box.initctl("start", "web.service").returncode != 0, "web")
        equal(box.show("mnt-a.mount", "Result"), "exit-code", "a file system that is not known")
        box.wait_log(r"mnt-a\.mount: failed: mount: exit 32")
        equal(box.show("mnt-b.mount", "LoadState"), "bad-setting", "a name that does not fit")
        check("the file must be called mnt-other.mount" in box.initctl("start", "mnt-b.mount").stderr, "which is said")
        check(box.initctl("start", "mnt-slow.mount").returncode != 0, "one that hangs")
        equal(box.show("mnt-slow.mount", "Result"), "timeout", "its result")
        check(box.initctl("start", "mnt-link-x.mount").returncode != 0, "by a link")
        box.wait_log(r"leads to /mnt/real/x by a symbolic link")


def story_one_in_use_does_not_hold_up_the_end():
    units = {"mnt-busy.mount": tmpfs("/mnt/busy")}
    with Box(units, ["mnt-busy.mount"], setup="mount -t tmpfs tmpfs /mnt") as box:
        box.boot()
        box.wait_state("mnt-busy.mount", "active")
        holder = box.begin("sh", "-c", "cd /mnt/busy; exec sleep 1000")
        until("held", lambda: box.find("sleep 1000"))
        check(box.initctl("stop", "mnt-busy.mount").returncode != 0, "busy")
        equal(box.state("mnt-busy.mount"), "active", "it stays")
        equal(box.stop(), 0, "the end")
        check("all stopped" in box.log(), "in time")
        holder.kill()


def story_without_mount_8_it_is_done_by_ourselves():
    units = {"mnt-a.mount": "[Mount]\nWhat=tmpfs\nType=tmpfs\nOptions=size=64k,nosuid,nodev\nEnvironment=PATH=/mnt/none\n",
             "mnt-b.mount": "[Mount]\nWhat=/mnt/a\nOptions=bind,ro\n",
             "mnt-c.mount": "[Mount]\nWhat=/dev/loop7\nOptions=loop\n"}
    hide = "mount -t tmpfs tmpfs /mnt; for p in /bin /usr/bin /sbin /usr/sbin; do for t in mount umount; do [ -e $p/$t ] && echo $(readlink -f $p/$t); done; done | sort -u > /mnt/list; : > /mnt/nothing; chmod 644 /mnt/nothing; while read t; do case $t in */mount) cp $t /mnt/own;; esac; done < /mnt/list; while read t; do /mnt/own --bind /mnt/nothing $t; done < /mnt/list"
    with Box(units, setup=hide) as box:
        box.boot()
        box.initctl("start", "mnt-b.mount", "mnt-a.mount", check=True)
        line = [each for each in box.inside("cat", "/proc/mounts").stdout.splitlines() if each.split()[1] == "/mnt/a"][0]
        check("nosuid" in line and "nodev" in line and "size=64k" in line, line)
        bound = [each for each in box.inside("cat", "/proc/mounts").stdout.splitlines() if each.split()[1] == "/mnt/b"][0]
        check(bound.split()[3].startswith("ro"), bound)
        box.initctl("stop", "mnt-a.mount", check=True)
        check(not is_mounted(box, "/mnt/b") and not is_mounted(box, "/mnt/a"), "both, in order")


def story_without_the_right_to_mount_one_line_says_what_to_do():
    units = {"mnt-cache.mount": tmpfs("/mnt/cache"), "mnt-vol.mount": "[Mount]\nWhat=/dev/sdx\nType=ext4\n",
             "web.service": "[Unit]\nRequiresMountsFor=/mnt/vol/x\n" + SLEEP,
             "other.service": "[Unit]\nRequiresMountsFor=/mnt/cache\n" + SLEEP}
    with Box(units, ["web.service", "other.service"], wrap=NO_ADMIN,
             setup="mount -t tmpfs tmpfs /mnt; mkdir /mnt/vol; mount -t tmpfs vol /mnt/vol") as box:
        box.boot()
        box.wait_state("web.service", "active")
        equal(box.show("mnt-vol.mount", "SubState"), "mounted", "a volume satisfies the file")
        equal(box.show("mnt-vol.mount", "What"), "vol", "what is there counts")
        box.wait_log(r"mnt-cache\.mount: failed: mounting needs CAP_SYS_ADMIN, which this container does not have; "
                     r"make /mnt/cache a volume in its run command \(--tmpfs /mnt/cache\)")
        box.wait_log(r"other not started: mnt-cache\.mount failed")
        equal(box.show("mnt-cache.mount", "Result"), "resources", "Result")
        equal(box.stop(), 0, "the end")


def story_devices_automounts_and_swaps():
    units = {"good.service": "[Unit]\nBindsTo=dev-null.device\nAfter=dev-null.device\n" + SLEEP,
             "bad.service": "[Unit]\nRequires=dev-nosuch.device\nAfter=dev-nosuch.device\n" + SLEEP,
             "soft.service": "[Unit]\nWants=x.swap mnt-auto.automount\nAfter=x.swap\n" + SLEEP,
             "x.swap": "[Swap]\nWhat=/x\n", "mnt-auto.automount": "[Automount]\nWhere=/mnt/auto\n"}
    with Box(units, ["good.service", "bad.service", "soft.service"]) as box:
        box.boot()
        for good in ("good.service", "soft.service"):
            box.wait_state(good, "active")
        equal(box.state("dev-null.device"), "active", "asked for by name")
        equal(box.state("dev-nosuch.device"), "inactive", "an absent one")
        equal(box.state("sys-devices.device"), "active", "of /sys")
        box.wait_log(r"dev-nosuch\.device: /dev/nosuch is not there; a container gets a device by its run command \(--device\)")
        equal(box.state("bad.service"), "inactive", "what requires it")
        box.wait_log(r"x\.swap: not started: swap belongs to the machine")
        box.wait_log(r"mnt-auto\.automount: not started: containers have no autofs")
        check(box.initctl("start", "x.swap").returncode != 0, "by hand")


run(globals())
