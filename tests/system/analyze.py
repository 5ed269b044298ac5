#!/usr/bin/env python3
"""systemd-analyze, with a start to look at."""
import os
import re
import subprocess
import xml.etree.ElementTree as elements

from harness import INITCTL, NOTIFY, Box, check, equal, run

SLOW = "[Unit]\nAfter=quick.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=sleep 0.2\n[Install]\nWantedBy=multi-user.target\n"
QUICK = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\n"
LAST = f"[Unit]\nAfter=slow.service\nWants=slow.service\n[Service]\nType=notify\nNotifyAccess=all\nExecStart=sh -c '{NOTIFY} READY=1; exec sleep 1000'\n"
UNITS = {"slow.service": SLOW, "quick.service": QUICK, "last.service": LAST}


def analyze(box, *words, **options):
    return box.initctl(*words, name="systemd-analyze", **options)


def story_how_long_the_start_took():
    with Box(UNITS, enable=UNITS) as box:
        box.boot()
        check(re.fullmatch(r"Startup finished in .*s \(userspace\)\nmulti-user.target reached after .*s in userspace.\n", analyze(box, check=True).stdout), "time")
        blame = [line.split() for line in analyze(box, "blame", check=True).stdout.splitlines()]
        equal(blame[0][-1], "slow.service", blame)
        check(re.fullmatch(r"[234]\d\dms", blame[0][0]) or "s" in blame[0][0], blame)
        chain = analyze(box, "critical-chain", check=True).stdout
        check(re.search(r"\nmulti-user.target @.*s\n└─last.service @.*s \+.*ms\n  └─slow.service @.*ms \+\d.*ms\n    └─quick.service @", chain), chain)
        one = analyze(box, "critical-chain", "--no-legend", "slow", check=True).stdout
        check(one.startswith("slow.service @"), one)
        equal(analyze(box, "critical-chain", "--fuzz=x").returncode, 1)
        picture = elements.fromstring(analyze(box, "plot", check=True).stdout)
        check(any("slow.service (" in (text.text or "") for text in picture.iter("{http://www.w3.org/2000/svg}text")), "its name and time are on it")


def story_graphs_and_dumps():
    with Box(UNITS, enable=UNITS) as box:
        box.boot()
        arrows = analyze(box, "dot", "last.service", check=True).stdout
        check(arrows.startswith("digraph systemd {\n") and arrows.endswith("}\n"), arrows)
        check('\t"last.service"->"slow.service" [color="green"];\n' in arrows and '\t"last.service"->"slow.service" [color="grey66"];\n' in arrows, arrows)
        check("quick" not in arrows, arrows)
        check("green" not in analyze(box, "dot", "--require", check=True).stdout, "no ordering")
        only = analyze(box, "dot", "--order", "--from-pattern=last.*", "--to-pattern=slow.*", check=True).stdout
        equal(only, 'digraph systemd {\n\t"last.service"->"slow.service" [color="green"];\n}\n')
        dump = analyze(box, "dump", "slow*", check=True).stdout
        check(dump.startswith("-> Unit slow.service:\n") and "\tActiveState: active\n" in dump, dump)


def story_without_an_init():
    def ours(*words):
        return subprocess.run([os.path.join(os.path.dirname(INITCTL), "systemd-analyze"), *words], capture_output=True, text=True, check=False,
                              env={**os.environ, "MONOINIT_SOCKET": "/nonexistent"})

    for verb in ("time", "blame", "critical-chain", "plot", "dot", "dump"):
        done = ours(verb)
        check(done.returncode == 1 and "Can't operate" in done.stderr, done)
    check("/etc/systemd/system\n" in ours("unit-paths").stdout, "unit-paths")
    with Box({"web.service": "[Service]\nExecStart=true\nRestrat=no\n", "good.service": "[Service]\nExecStart=true\n"}) as box:
        equal(ours("verify", box.path("units", "good.service")).returncode, 0)
        wrong = ours("verify", box.path("units", "web.service"))
        check(wrong.returncode == 1 and "Restrat" in wrong.stdout + wrong.stderr, wrong)
        equal(ours("verify", box.path("units", "none.service")).returncode, 1)
        box.write("safe.service", "[Service]\nExecStart=true\nUser=nobody\nNoNewPrivileges=yes\nUMask=0077\nPrivateTmp=yes\n")
        os.environ["SYSTEMD_UNIT_PATH"] = box.path("units")
        said = ours("security", "safe").stdout
        check(re.search(r"→ Overall exposure level for safe.service: 0\.\d PERFECT\n", said) and "PrivateTmp=" in said, said)
        check("good.service" in ours("security").stdout and "UNSAFE" in ours("security").stdout, ours("security").stdout)
        equal([ours("security", "--threshold=50", name).returncode for name in ("safe", "good", "none")], [0, 1, 1])
        del os.environ["SYSTEMD_UNIT_PATH"]
        for name, text in (("etc/x/a.conf", "A=1\n"), ("usr/lib/x/a.conf.d/20-b.conf", "B=1\n"), ("etc/x/a.conf.d/10-c.conf", "C=1"), ("etc/x/a.conf.d/20-b.conf", "B=2\n"), ("run/x/a.conf.d/README", "no\n")):
            path = box.path("root", name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as out:
                out.write(text)
        equal(ours("--root=" + box.path("root"), "cat-config", "x/a.conf").stdout,
              "# /etc/x/a.conf\nA=1\n\n# /etc/x/a.conf.d/10-c.conf\nC=1\n\n# /etc/x/a.conf.d/20-b.conf\nB=2\n")


if __name__ == "__main__":
    run(globals())
