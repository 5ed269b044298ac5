#!/usr/bin/env python3
"""initctl env UNIT: what a unit gets and from where, who may ask, and that a hung file costs the answer only."""
import json
import re

from harness import INITCTL, Box, check, equal, run

UNIT = """[Service]
User=nobody
Environment=DEBUG=1
Environment=MODE=slow
EnvironmentFile=/run/web.env
PassEnvironment=TZ
UnsetEnvironment=HIDDEN
LoadCredential=db
ExecStart=/bin/sleep infinity
"""
SETUP = "printf 'MODE=fast\\nSPACED=\"two words\"\\n' > /run/web.env; mkdir /run/secrets; printf hunter2 > /run/secrets/db"


def story_every_variable_says_where_it_comes_from():
    with Box({"web.service": UNIT}, enable=["web.service"], setup=SETUP, env={"TZ": "Asia/Tokyo", "HIDDEN": "x", "PLAIN": "here"}) as box:
        box.boot()
        box.initctl("set-environment", "LATER=1", check=True)
        text = box.initctl("env", "web", check=True).stdout
        groups = {}
        for line in text.splitlines():
            if line.startswith("#"):
                groups[line] = group = []
            else:
                group.append(line)
        at = box.units + "/web.service"
        check("PLAIN=here" in groups["# container"], text)
        check("LATER=1" in groups["# set-environment"], text)
        check(any(line.startswith("INVOCATION_ID=") for line in groups["# monoinit"]), text)
        check("USER=nobody" in groups[f"# User= ({at}:2)"], text)
        equal(groups[f"# Environment= ({at}:3)"], ["DEBUG=1"])
        equal(groups[f"# EnvironmentFile=/run/web.env ({at}:5)"], ["MODE=fast", "SPACED=two words"])
        equal(groups[f"# PassEnvironment= ({at}:6)"], ["TZ=Asia/Tokyo"])
        equal(groups["# credentials"], ["CREDENTIALS_DIRECTORY=/run/monoinit/credentials/web.service"])
        check(f"# HIDDEN: taken out by UnsetEnvironment= ({at}:7)" in groups, text)
        check(f"# $CREDENTIALS_DIRECTORY/db: LoadCredential= ({at}:8) from /run/secrets/db" in groups, text)
        check("hunter2" not in text, text)
        # What it says is what the process has.
        pid = box.main_pid("web")
        real = box.inside("sh", "-c", f"tr '\\0' '\\n' < /proc/{pid}/environ").stdout.splitlines()
        shown = [line for lines in groups.values() for line in lines]
        ours = ("JOURNAL_STREAM=", "SYSTEMD_EXEC_PID=", "LATER=")
        equal(sorted(line for line in shown if not line.startswith(ours)), sorted(line for line in real if not line.startswith(ours)))

        entries = json.loads(box.initctl("--json", "env", "web", check=True).stdout)
        check({"kind": "variable", "name": "MODE", "value": "fast", "source": f"EnvironmentFile=/run/web.env ({at}:5)"} in entries["entries"], entries)
        check("MODE=fast" in entries["variables"], entries)
        equal(box.initctl("env", "web", uid=65534).returncode, 0, "the unit's own user")
        refused = box.initctl("env", "web", uid=1234)
        equal([refused.returncode, refused.stdout], [1, ""], "somebody else")
        check(not re.search(r"^#", box.initctl("show-environment", name="systemctl").stdout, re.M), "no headings")
        equal(box.stop(), 0, "exit")


def story_a_file_that_hangs_or_is_missing():
    with Box({"web.service": UNIT.replace("/run/web.env", "/run/fifo"), "lost.service": UNIT.replace("/run/web.env", "/run/nothing")},
             setup=SETUP + "; mkfifo /run/fifo") as box:
        box.boot()
        lost = box.initctl("env", "lost", check=True).stdout
        check("# EnvironmentFile=/run/nothing: No such file or directory: the unit will not start" in lost, lost)
        asking = box.begin(INITCTL, "env", "web")
        equal(box.initctl("is-system-running").stdout, "running\n", "answered meanwhile")
        asking.stdin.close()
        equal([asking.stdout.read(), asking.wait()], ["", 1], "an error in the end")
        equal(box.stop(), 0, "exit")


if __name__ == "__main__":
    run(globals())
