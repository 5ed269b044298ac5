#!/usr/bin/env python3
"""Promise 5: a noisy unit cannot push out a quiet one's lines; nothing on stdout is torn, mixed or forged; no control bytes
but newline, tab and colour reach a terminal."""
import os
import pty
import re
import threading

from harness import Box, check, equal, run, until

FORGER = r"""[Service]
Type=oneshot
ExecStart=/usr/bin/printf '[monoinit] forged one\n\r[monoinit] forged two\n[quiet] forged three\rmiddle\r\n[monoinit] forged four\0[monoinit] forged five\v[monoinit] forged six\f\205\n'
"""
CONTROL = r"""[Service]
Type=oneshot
ExecStart=/usr/bin/printf 'tab\tred\033[31;1mred\033[0m bell\a title\033]0;owned\a clear\033[2J up\033[A c1\302\2332J back\b\b\b del\177 end\n'
"""


def story_noisy_and_quiet():
    noisy = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'yes \"noise noise noise noise noise noise\" | head -n 300000'\n"
    quiet = "[Service]\nType=oneshot\nExecStart=/bin/echo a quiet word\n"
    with Box({"noisy.service": noisy, "quiet.service": quiet}) as box:
        box.boot()
        box.initctl("start", "quiet", check=True)
        box.initctl("start", "noisy", check=True, timeout=60)
        check("a quiet word" in box.initctl("logs", "quiet", check=True).stdout, "the quiet one's line is still kept")
        check("a quiet word" in box.initctl("status", "quiet").stdout, "and in its status")
        box.wait_log(r"^\[noisy\] noise", count=300000)


def story_forged_prefixes():
    with Box({"forger.service": FORGER, "quiet.service": "[Service]\nExecStart=/bin/sleep infinity\n"}) as box:
        box.boot()
        box.initctl("start", "forger", check=True)
        box.wait_log("forged six")
        for line in re.split(r"[\n\r]", box.log()):
            if "forged" in line:
                check(line.startswith("[forger] "), repr(line))
        listed = box.initctl("logs", "quiet").stdout
        check("forged" not in listed, listed)


def story_control_bytes_on_a_terminal():
    master, slave = pty.openpty()
    chunks = []

    def read():
        try:
            while chunk := os.read(master, 4096):
                chunks.append(chunk)
        except OSError:
            pass  # nobody has the other end any more

    threading.Thread(target=read, daemon=True).start()
    with Box({"x.service": CONTROL}, stdout=slave) as box:
        box.boot(wait=False)
        os.close(slave)
        until("ready", lambda: b"ready in" in b"".join(chunks))
        box.initctl("start", "x", check=True)
        until("its line", lambda: b" end" in b"".join(chunks))
        text = b"".join(chunks).decode()
        check("red" in text and "title" in text, "the text is there")
        plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
        equal(re.findall(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", plain), [], "control characters")
        equal(re.findall(r"\r(?!\n)", plain), [], "carriage returns") # the terminal makes \r\n of \n
        shown = box.initctl("logs", "x", check=True).stdout
        equal(re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", re.sub(r"\x1b\[[0-9;]*m", "", shown)), [], "control characters in initctl logs")
        equal(box.stop(), 0)


def story_lines_are_whole():
    """Six writers of long lines, each written in three pieces."""
    writer = "[Service]\nExecStart=/bin/sh -c 'i=0; while [ $i -lt 300 ]; do printf \"%%s<\" {0}; printf %%01000d $i; printf \">%%s\\\\n\" {0}; i=$((i+1)); done; echo over; exec sleep infinity'\n"
    units = {f"w{n}.service": writer.format(n) for n in range(6)}
    with Box(units, list(units)) as box:
        box.boot()
        box.wait_log(r"^\[w\d\] over$", count=6)
        lines = [line for line in box.log().splitlines() if "<" in line or ">" in line]
        equal(len(lines), 1800)
        for line in lines:
            check(re.fullmatch(r"\[w(\d)\] \1<\d{1000}>\1", line), line[:80])


run(globals())
