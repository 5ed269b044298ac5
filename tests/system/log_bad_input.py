#!/usr/bin/env python3
"""What services should not say and do: endless lines, bytes one by one, binary, floods, huge entries, a store full of others' files."""
import ctypes.util
import json
import os
import re

from harness import Box, PRIVATE_DEV, Failure, budget_kb, check, equal, run, until

BIG = int(os.environ.get("MONOINIT_ENDLESS_LINE", str(1 << 30)))
OTHER = "[Service]\nType=oneshot\nExecStart=/bin/echo still here\n"


def memory_kb(box, pid, what):
    with open(f"/proc/{box.init}/root/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(rf"^{what}:\s+(\d+) kB", status.read(), re.M)[1])


def lines_of(box, unit, *arguments):
    return box.initctl("-u", unit, "-t", unit, "-o", "cat", *arguments, name="journalctl", check=True).stdout.splitlines()


def story_a_gigabyte_without_a_line_break_harms_nobody():
    unit = f"[Service]\nType=oneshot\nExecStart=/bin/sh -c 'head -c {BIG} /dev/zero | tr \"\\\\0\" x'\n"
    with Box({"endless.service": unit + "X-LogStdout=no\n", "other.service": OTHER}) as box:
        box.boot()
        box.initctl("start", "--no-block", "endless", check=True)
        until("it is under way", lambda: box.state("endless") == "activating")
        box.initctl("start", "other", check=True)
        box.wait_log(r"^\[other\] still here$")
        until("its end", lambda: box.state("endless") == "inactive", deadline=300)
        logger = box.find("monoinit: log")[0]
        # What is shared are the rings and the recent lines: bounded.
        check(memory_kb(box, logger, "RssAnon") < budget_kb(16 << 10), f"the logger's memory: {memory_kb(box, logger, 'RssAnon')} kB")
        check(set("".join(lines_of(box, "endless", "-n", "3"))) == {"x"}, "what is kept of it")
        used = sum(os.stat(f"/proc/{box.init}/root/run/monoinit/journal/{name}").st_size for name in os.listdir(f"/proc/{box.init}/root/run/monoinit/journal"))
        check(used <= 17 << 20, f"the store takes {used} bytes")
        equal(lines_of(box, "other"), ["still here"], "the quiet one's line is not pushed out")


def story_bytes_one_by_one_are_whole_lines():
    with Box({}) as box:
        with open(box.path("drip.py"), "w", encoding="utf-8") as out:
            out.write('import os\nfor byte in "".join(f"line {i} \\u00e9\\n" for i in range(2000)).encode():\n    os.write(1, bytes([byte]))\n')
        box.write("drip.service", f"[Service]\nType=oneshot\nExecStart=/usr/bin/python3 {box.path('drip.py')}\n")
        box.boot()
        box.initctl("start", "drip", check=True)
        until("the last", lambda: lines_of(box, "drip")[-1:] == ["line 1999 \u00e9"])
        equal(lines_of(box, "drip"), [f"line {i} \u00e9" for i in range(2000)])
        box.wait_log("^\\[drip\\] line 1999 \u00e9$")
        equal(box.log().count("[drip] line"), 2000, "on stdout")


def story_binary_is_json_and_forges_nothing():
    unit = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'head -c 1000000 /dev/urandom; printf \"\\\\n[other] forged\\\\0\\\\r[other] forged\\\\n\"'\n"
    with Box({"noise.service": unit, "other.service": OTHER}, args=["--log-format=json"]) as box:
        box.boot(wait=False)
        until("it answers", lambda: box.initctl("is-system-running").stdout.strip() == "running")
        box.initctl("start", "noise", check=True)
        box.initctl("start", "other", check=True)
        until("the other's line", lambda: "still here" in box.log())
        with open(box.log_path, encoding="utf-8") as log: # valid UTF-8, each line of it JSON
            entries = [json.loads(line) for line in log]
        check(sum(entry.get("_SYSTEMD_UNIT") == "noise.service" for entry in entries) > 1000, "its lines")
        equal([entry["MESSAGE"] for entry in entries if entry.get("_SYSTEMD_UNIT") == "other.service"], ["still here"], "of the other")


def story_a_million_lines_over_the_rate_are_counted():
    with Box({"loud.service": "[Service]\nType=oneshot\nLogRateLimitIntervalSec=1h\nLogRateLimitBurst=100\nExecStart=/usr/bin/seq 1000000\n"}) as box:
        box.boot()
        box.initctl("start", "loud", check=True, timeout=120)
        box.wait_log(r"^\[monoinit\] loud: 999900 lines dropped: more than LogRateLimitBurst=100 in 60 min$")
        equal(lines_of(box, "loud"), [str(i) for i in range(1, 101)], "what passed")


def story_an_entry_of_ten_megabytes_by_memory_file():
    name = ctypes.util.find_library("systemd")
    if name is None:
        raise Failure("libsystemd0 is missing")
    size = 10_000_000
    sender = f"import ctypes; j = ctypes.CDLL('{name}'); j.sd_journal_send(b'MESSAGE=%s', bytes(97 + i % 26 for i in range({size})), b'SYSLOG_IDENTIFIER=big', None)"
    with Box({"big.service": f"[Service]\nType=oneshot\nExecStart=/usr/bin/python3 -c \"{sender.replace('%s', '%%s')}; import time; time.sleep(0.3)\"\nX-LogStdout=no\n"},
             setup=PRIVATE_DEV, env={"MONOINIT_SYSLOG_SOCKETS": "yes"}, args=["--log-max=64M"]) as box:
        box.boot()
        box.initctl("start", "big", check=True, timeout=60)
        until("all of it", lambda: sum(map(len, lines_of(box, "big", "SYSLOG_IDENTIFIER=big"))) >= size or None)
        parts = [json.loads(line) for line in box.initctl("-t", "big", "-o", "json", name="journalctl", check=True).stdout.splitlines()]
        text = "".join(part["MESSAGE"] for part in parts)
        wrong = next((i for i in range(0, size, 26) if text[i:i + 26] != "abcdefghijklmnopqrstuvwxyz"[:size - i]), None)
        check(wrong is None and len(text) == size, f"{len(text)} bytes, wrong at {wrong}, of parts {[len(part['MESSAGE']) for part in parts][-5:]}")
        check(all(part.get("_LINE_BREAK") == "line-max" for part in parts[:-1]), "parts are marked")


def story_a_store_full_of_others_files():
    with Box({"other.service": OTHER}) as box:
        logs = box.path("logs")
        os.mkdir(logs)
        for i in range(3000):
            with open(f"{logs}/note-{i}", "w", encoding="ascii") as out:
                out.write("mine")
        for i in range(1, 200):
            with open(f"{logs}/{i:016x}.log", "wb") as out:
                out.write(os.urandom(500))
        with open(f"{logs}/{200:016x}.open", "wb") as out:
            out.write(b"monolog\n" + os.urandom(5000))
        os.mkfifo(f"{logs}/{201:016x}.log")
        os.symlink("/dev/zero", f"{logs}/{202:016x}.open")
        os.mkdir(f"{logs}/{203:016x}.log")
        box.args = [f"--log-dir={logs}"]
        box.boot()
        box.initctl("start", "other", check=True)
        until("its line", lambda: lines_of(box, "other") == ["still here"])
        check("FAIL" in box.initctl("--verify", name="journalctl").stdout, "--verify names what is none")
        equal(sum(name.startswith("note-") for name in os.listdir(logs)), 3000, "others' files are there")


if __name__ == "__main__":
    run(globals())
