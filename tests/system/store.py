#!/usr/bin/env python3
"""The log store and its readers: what journalctl answers, what survives kills and restarts, and what a bad disk costs."""
import json
import os
import re
import shutil
import subprocess
import time

from harness import INITCTL, MONOINIT, Box, PRIVATE_DEV, check, equal, run, until

TALKER = "[Service]\nExecStart=/bin/sh -c 'echo one; echo \"<3>two bad\"; echo three; exec sleep 1000'\n"
JOURNALCTL = os.path.join(os.path.dirname(MONOINIT), "journalctl")


def journal(box, *arguments, **options):
    return box.initctl(*arguments, name="journalctl", **options)


def texts(box, *arguments):
    return journal(box, *arguments, "-o", "cat", check=True).stdout.splitlines()


def story_journalctl_answers_from_the_store():
    with Box({"web.service": TALKER, "db.service": "[Service]\nExecStart=/bin/sh -c 'echo db says; exec sleep 1000'\n"}, enable=["web.service", "db.service"]) as box:
        box.boot()
        box.wait_log(r"\[db\] db says")
        box.wait_log(r"\[web\] three")
        equal([line for line in texts(box, "-u", "web") if not line.startswith("web:")], ["one", "two bad", "three"], "-u web")
        equal(texts(box, "-p", "err"), ["two bad"], "-p err")
        equal(texts(box, "-g", "^d. says"), ["db says"], "-g")
        equal(texts(box, "_SYSTEMD_UNIT=db.service", "+", "PRIORITY=3"), [line for line in texts(box) if line in ("db says", "two bad")], "matches")
        equal(texts(box, "-r", "-n", "2", "-t", "web"), texts(box, "-n", "2", "-t", "web")[::-1], "-r")
        equal(texts(box, "-u", "d*", "--since", "-1h", "--until", "+1h", "-t", "db"), ["db says"], "globs and times")
        entry = json.loads(journal(box, "-u", "web", "-p", "3", "-o", "json").stdout)
        equal((entry["MESSAGE"], entry["PRIORITY"], entry["_SYSTEMD_UNIT"]), ("two bad", "3", "web.service"))
        equal(texts(box, "--after-cursor", entry["__CURSOR"], "-u", "web")[0], "three", "--after-cursor")
        equal(journal(box, "-F", "SYSLOG_IDENTIFIER").stdout.split(), ["db", "monoinit", "web"], "-F")
        equal(journal(box, "-u", "nobody").stdout, "-- No entries --\n")
        equal(journal(box, "-g", "nowhere to be found").returncode, 1, "as grep(1)")
        for wrong in (["-p", "loud"], ["-o", "loud"], ["--since", "loud"], ["-g", "("], ["-b", "-7"], ["/bin/sh"], ["-n", "x"]):
            done = journal(box, *wrong)
            check(done.returncode == 1 and done.stderr.startswith("journalctl: ") and not done.stdout, f"{wrong}: {done}")
        check(re.match(r"IDX BOOT ID +FIRST ENTRY +LAST ENTRY\n +0 [0-9a-f]{32} ", journal(box, "--list-boots").stdout), "--list-boots")
        equal(box.initctl("logs", "web", "-p", "err", uid=65534).stdout[9:], "[web] two bad\n", "initctl logs -p, as anybody")
        equal(box.initctl("logs", "--this-run", "web", "-g", "three", check=True).stdout[9:], "[web] three\n")


def story_what_is_written_before_the_question_is_in_the_answer():
    with Box({"echo.service": "[Service]\nType=oneshot\nExecStart=/bin/echo again\n"}) as box:
        box.boot()
        for i in range(20):
            box.initctl("start", "echo", check=True)
            equal(len([line for line in texts(box, "-u", "echo") if line == "again"]), i + 1, "lines")


def story_follow_sees_what_comes_across_rotation():
    with Box({"count.service": "[Service]\nExecStart=/bin/sh -c 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo n$i; sleep 0.005; done; exec sleep 1000'\n"}) as box:
        box.boot()
        reader = subprocess.Popen(["nsenter", f"--target={box.init}", "--mount", "--pid", JOURNALCTL, "-f", "-o", "cat", "-u", "count", "-n", "0"], stdout=subprocess.PIPE, text=True)
        time.sleep(0.2)
        box.initctl("start", "count", check=True)
        seen = []
        for line in reader.stdout:
            if re.fullmatch(r"n\d+\n", line):
                seen.append(line.strip())
            if len(seen) in (50, 150):
                journal(box, "--rotate", check=True)
            if len(seen) == 300:
                break
        reader.kill()
        reader.wait()
        equal(seen, [f"n{i}" for i in range(1, 301)], "each line once")


def story_logs_survive_the_container_and_a_killed_logger():
    with Box({"web.service": TALKER}, enable=["web.service"]) as box:
        box.args = [f"--log-dir={box.path('logs')}"]
        box.boot()
        box.wait_log(r"\[web\] three")
        logger = box.find("monoinit: log")[0]
        box.inside("kill", "-9", str(logger), check=True)
        until("another logger", lambda: [pid for pid in box.find("monoinit: log") if pid != logger])
        box.initctl("restart", "web", check=True)
        box.wait_log(r"\[web\] three", count=2)
        equal([line for line in texts(box, "-u", "web") if not line.startswith("web:")], ["one", "two bad", "three"] * 2, "nothing lost, nothing twice")
        equal(len(journal(box, "--list-boots").stdout.splitlines()), 2, "one boot and a heading")
        box.stop()
        offline = subprocess.run([JOURNALCTL, "-D", box.path("logs"), "-o", "cat", "-n", "1"], capture_output=True, text=True, check=True)
        check(offline.stdout.startswith("all stopped in"), f"the last word is stored: {offline.stdout}")
        box.boot()
        box.wait_log(r"\[web\] three")
        equal(len(journal(box, "--list-boots").stdout.splitlines()), 3, "two boots")
        equal([line for line in texts(box, "-b", "-1", "-u", "web", "-t", "web", "-n", "3")], ["one", "two bad", "three"])
        check("-- Boot" in journal(box, "-u", "web").stdout, "boots are parted")
        box.process.kill()


def story_a_burst_and_a_kill_lose_nothing():
    """A logger that is killed in the middle of 200,000 lines: all of them are in the store, none torn; at most one comes twice a kill."""
    with Box({"burst.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/seq 1 200000\n"}) as box:
        box.args = ["--log-max=200M", "--logs=store"]
        box.boot(wait=False)
        until("monoinit", lambda: box.initctl("is-active", "multi-user.target").stdout == "active\n")
        done = box.begin(INITCTL, "start", "burst")
        for _ in range(3):
            time.sleep(0.03)
            for logger in box.find("monoinit: log"):
                box.inside("kill", "-9", str(logger))
        done.wait()
        until("the last line", lambda: texts(box, "-n", "1", "-u", "burst", "-t", "burst") == ["200000"] or None)
        numbers = [int(line) for line in texts(box, "-u", "burst", "-t", "burst")]
        equal(sorted(set(numbers)), list(range(1, 200001)), "every line")
        check(len(numbers) - 200000 <= 3, f"{len(numbers) - 200000} came twice")


def story_a_full_disk_costs_old_logs_and_no_service():
    # A tmpfs of 300 kB: the store may take more than there is.
    with Box({"noise.service": "[Service]\nExecStart=/bin/sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i of a service that says much; done; echo done; exec sleep 1000'\n"},
             setup="mkdir /run/small; mount -t tmpfs -o size=300k tmpfs /run/small") as box:
        box.args = ["--log-dir=/run/small/logs", "--log-max=100M", "--log-keep-free=1", "--log-compress=no", "--logs=store"]
        box.boot(wait=False)
        until("monoinit", lambda: box.initctl("is-active", "multi-user.target").stdout == "active\n")
        box.initctl("start", "noise", check=True)
        until("the end", lambda: texts(box, "-n", "1", "-t", "noise") == ["done"] or None)
        lines = texts(box, "-t", "noise")
        check(1000 < len(lines) < 20001, f"{len(lines)} lines are kept")
        equal(lines[-2], "line 20000 of a service that says much")
        box.inside("sh", "-c", "dd if=/dev/zero of=/run/small/zeros bs=1k count=300 2>/dev/null; true")
        box.initctl("restart", "noise", check=True)
        until("the end again", lambda: box.initctl("logs", "noise", "-n", "1").stdout[9:] == "[noise] done\n" or None)
        box.inside("rm", "/run/small/zeros", check=True)
        until("it writes again", lambda: texts(box, "-n", "1") and journal(box, "--sync").returncode == 0 or None)


def story_a_store_that_cannot_be_is_said_once():
    with Box({"web.service": TALKER}, enable=["web.service"], setup="mkdir /run/ro; mount -t tmpfs -o ro tmpfs /run/ro") as box:
        box.args = ["--log-dir=/run/ro/logs"]
        box.boot()
        box.wait_log(r"\[monoinit\] log store: cannot write to /run/ro/logs: Read-only file system")
        box.wait_log(r"\[web\] three")
        equal(texts(box, "-u", "web", "-p", "err"), ["two bad"], "from memory")
        box.initctl("restart", "web", check=True)
        box.wait_log(r"\[web\] three", count=2)
        equal(len(re.findall("log store: cannot write", box.log())), 1, "said once")
        box.inside("mount", "-o", "remount,rw", "/run/ro", check=True)
        until("it writes", lambda: os.path.isdir(f"/proc/{box.init}/root/run/ro/logs") or None)
        equal(texts(box, "-u", "web", "-p", "err"), ["two bad"] * 2, "what was kept back is stored")


def story_a_store_that_is_deleted_while_running_begins_anew():
    with Box({"echo.service": "[Service]\nType=oneshot\nExecStart=/bin/echo again\n"}) as box:
        box.boot()
        box.initctl("start", "echo", check=True)
        journal(box, "--sync", check=True)
        box.inside("rm", "-rf", "/run/monoinit/journal", check=True)
        box.initctl("start", "echo", check=True)
        until("one line", lambda: [line for line in texts(box, "-u", "echo") if line == "again"] == ["again"] or None)


def story_storage_none_answers_from_memory():
    with Box({"web.service": TALKER}, enable=["web.service"]) as box:
        box.args = ["--log-storage=none"]
        box.boot()
        box.wait_log(r"\[web\] three")
        equal(texts(box, "-u", "web", "-t", "web", "-n", "1"), ["three"])
        equal(texts(box, "-g", "bad"), ["two bad"])
        for needs in (["-b", "-1"], ["--list-boots"], ["-r"], ["-F", "MESSAGE"], ["--show-cursor"]):
            done = journal(box, *needs)
            check(done.returncode == 1 and "needs the log store" in done.stderr and not done.stdout, str(done))
        check(not os.path.exists(f"/proc/{box.init}/root/run/monoinit/journal"), "no directory")


def story_vacuum_is_for_root():
    with Box({"web.service": TALKER}, enable=["web.service"]) as box:
        box.boot()
        done = journal(box, "--vacuum-files=1", uid=65534)
        check(done.returncode == 1 and "only root" in done.stderr, str(done))
        for _ in range(3):
            journal(box, "--rotate", check=True)
            box.initctl("restart", "web", check=True)
        journal(box, "--vacuum-files=1", check=True)
        names = os.listdir(f"/proc/{box.init}/root/run/monoinit/journal")
        equal(len([name for name in names if name.endswith(".log")]), 1, str(names))
        check(re.match(r"Archived and active journals take up \S+ \S+ in the file system\.\n", journal(box, "--disk-usage").stdout), "--disk-usage")


def story_systemds_own_tools_read_what_export_writes():
    """-o export, through the real systemd-journal-remote, read by the real journalctl: the same entries."""
    remote, real = "/lib/systemd/systemd-journal-remote", "/usr/bin/journalctl"
    if not os.path.exists(remote) or not os.path.exists(real) or os.path.realpath(real) == os.path.realpath(MONOINIT):
        print("   not here: systemd-journal-remote")
        return
    sender = "import syslog; syslog.openlog('mailer', syslog.LOG_PID, syslog.LOG_MAIL); syslog.syslog(syslog.LOG_WARNING, 'queue is long \\u00e9')"
    with Box({"web.service": TALKER + "LogExtraFields=TEAM=web\n"}, enable=["web.service"], setup=PRIVATE_DEV, env={"MONOINIT_SYSLOG_SOCKETS": "yes"}) as box:
        box.boot()
        box.wait_log(r"\[web\] three")
        box.inside("python3", "-c", sender, check=True)
        exported = box.inside(JOURNALCTL, "-o", "export").stdout.encode()
        ours = [json.loads(line) for line in journal(box, "-o", "json").stdout.splitlines()]
        made = box.path("made.journal")
        done = subprocess.run([remote, f"--output={made}", "-"], input=exported, capture_output=True, check=False)
        check(done.returncode == 0, done.stderr.decode())
        theirs = subprocess.run([real, f"--file={made}", "-o", "json"], capture_output=True, text=True, check=True).stdout.splitlines()
        entries = [json.loads(line) for line in theirs]
        equal(len(entries), len(ours), "entries")
        for mine, their in zip(ours, entries):
            fields = [name for name in mine if not name.startswith("__CURSOR")]
            equal({name: their.get(name) for name in fields}, {name: mine[name] for name in fields}, mine["MESSAGE"])


run(globals())
