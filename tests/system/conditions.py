#!/usr/bin/env python3
"""Condition…= judged by systemd-analyze, where it is installed: the same question to both, in the same container."""
import shutil
import sys

from harness import Box, equal, run

QUESTIONS = """
PathExists=/etc | PathExists=!/etc | PathExists=/nope | PathExistsGlob=/etc/*.conf | PathExistsGlob=/nope/*
PathIsDirectory=/etc | PathIsDirectory=/etc/passwd | PathIsSymbolicLink=/proc/self | PathIsSymbolicLink=/etc
PathIsMountPoint=/ | PathIsMountPoint=/proc | PathIsMountPoint=/etc | PathIsReadWrite=/run | PathIsReadWrite=/nope
DirectoryNotEmpty=/etc | DirectoryNotEmpty=/nope | DirectoryNotEmpty=/etc/passwd
FileNotEmpty=/etc/passwd | FileNotEmpty=/etc | FileNotEmpty=/dev/null
FileIsExecutable=/bin/sh | FileIsExecutable=/etc/passwd | FileIsExecutable=/etc
Architecture=native | Architecture=x86-64 | Architecture=arm64 | Architecture=!s390 | Firmware=device-tree
Host=* | Host=nope | Host=!nope | KernelCommandLine=--answer=42 | KernelCommandLine=--answer | KernelCommandLine=quiet
KernelVersion=>=3 | KernelVersion=<3 | KernelVersion=>=3 <99 | KernelVersion=!2.* | KernelVersion= >= 4.18
Environment=PATH | Environment=NOPE | Environment=JUDGED=yes | Environment=JUDGED=no
Security=selinux | Security=smack | Security=nope | Capability=CAP_CHOWN | Capability=CAP_SYS_ADMIN | Capability=CAP_NOPE
User=root | User=0 | User=nobody | User=@system | Group=root | Group=0 | Group=nogroup
Memory=>1M | Memory=>=1000T | Memory=<1000T | CPUs=>=1 | CPUs=>9999 | CPUs=<=9999 | CPUFeature=nope | CPUFeature=sse2
OSRelease=ID=debian | OSRelease=ID=nope | OSRelease=ID!=nope | OSRelease=VERSION_ID>=1 | OSRelease=VERSION_ID>9999
Virtualization=yes | Virtualization=no | Credential=nope
"""


def story_the_same_answers_as_systemd():
    if shutil.which("systemd-analyze") is None:
        print("SKIP: no systemd-analyze")
        sys.exit(77)
    questions = [each.strip() for line in QUESTIONS.strip().split("\n") for each in line.split(" | ")]
    units = {f"c{i}.service": f"[Unit]\nCondition{each}\n[Service]\nType=oneshot\nExecStart=/bin/true\n" for i, each in enumerate(questions)}
    with Box(units, list(units), env={"JUDGED": "yes"}, command=["sh", "-c", "sleep infinity", "--answer=42"]) as box:
        box.boot()
        differing = {}
        for i, each in enumerate(questions):
            asked = box.inside("systemd-analyze", "condition", "Condition" + each, env=box.env)
            ours, theirs = box.show(f"c{i}", "ConditionResult"), "no" if asked.returncode else "yes"
            if ours != theirs:
                differing[each] = f"{ours}; systemd: {theirs}"
        equal(differing, {}, "answers")


run(globals())
