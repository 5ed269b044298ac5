#!/usr/bin/env python3
"""systemctl's verbs against a running monoinit, beyond the oracle: what it writes, what it refuses, and what must not hang."""
import json
import os
import pwd
import re
import subprocess

from harness import MONOINIT, Box, check, equal, run, until

SYSTEMCTL = os.path.join(os.path.dirname(MONOINIT), "systemctl")
SLEEP = "[Service]\nExecStart=/bin/sleep 1000\n"
ONCE = "[Service]\nType=oneshot\n"


class FileBox(Box):
    """Units lie where systemctl writes, in the box's own /etc/systemd; no file of the machine is seen, and none of its init scripts,
    which would be started."""

    def __init__(self, units=None, **options):
        setup = "mount --make-rprivate /\nmount -t tmpfs tmpfs /etc/systemd\nmkdir -p /etc/systemd/system\nmount -t tmpfs tmpfs /usr/lib/systemd\nmkdir /usr/lib/systemd/system\nmount -t tmpfs tmpfs /etc/init.d\n"
        super().__init__(units, keep_unit_path=False, **options)
        self.setup = setup + f"cp -a {self.units}/. /etc/systemd/system/\n"

    def systemctl(self, *arguments, **options):
        return self.initctl(*arguments, name="systemctl", **options)

    def read(self, path):
        return self.inside("cat", path).stdout


def story_edit_and_revert():
    with FileBox({"web.service": "[Unit]\nDescription=Web\n" + SLEEP}) as box:
        box.boot()
        box.systemctl("start", "web", check=True)
        done = box.systemctl("edit", "--stdin", "web", input="[Unit]\nDescription=Edited\n")
        equal((done.returncode, done.stdout), (0, ""), done.stderr)
        equal(done.stderr, "Successfully installed edited file '/etc/systemd/system/web.service.d/override.conf'.\n")
        equal(box.show("web", "Description"), "Edited")
        box.systemctl("edit", "--stdin", "--drop-in=limits", "--runtime", "web", input="[Service]\nNice=3\n", check=True)
        equal(box.show("web", "Nice"), "3")
        equal(box.show("web", "DropInPaths"), "/run/systemd/system/web.service.d/limits.conf /etc/systemd/system/web.service.d/override.conf")
        done = box.systemctl("edit", "--stdin", "--full", "nope", input=SLEEP)
        equal((done.returncode, done.stderr.splitlines()[0]), (1, "No files found for nope.service."))
        box.systemctl("edit", "--stdin", "--full", "--force", "new", input=SLEEP, check=True)
        box.systemctl("start", "new", check=True)
        equal(box.systemctl("edit", "web").stderr, "Cannot edit units if not on a tty.\n")
        equal(box.systemctl("revert", "web").returncode, 0)
        equal(box.show("web", "Description"), "Web")
        equal(box.show("web", "DropInPaths"), "")


def story_an_editor():
    with FileBox({"web.service": SLEEP}) as box:
        editor = box.path("editor")
        with open(editor, "w", encoding="utf-8") as out:
            out.write("#!/bin/sh\nsed -i '2i [Service]\\nNice=4' \"$1\"\n")
        os.chmod(editor, 0o755)
        box.boot()
        script = f"SYSTEMD_EDITOR={editor} {SYSTEMCTL} edit web"
        done = box.inside("script", "-qec", script, "/dev/null")
        check("Successfully installed" in done.stdout, done.stdout + done.stderr)
        equal(box.read("/etc/systemd/system/web.service.d/override.conf"), "[Service]\nNice=4\n")
        done = box.inside("script", "-qec", f"SYSTEMD_EDITOR=/bin/true {SYSTEMCTL} edit web", "/dev/null")
        check("canceled" in done.stdout, done.stdout)


def story_properties_that_nobody_would_read_are_refused():
    with Box({"web.service": SLEEP}) as box:  # whose unit path is a directory of its own
        box.boot()
        done = box.initctl("set-property", "web", "TasksMax=7")
        equal((done.returncode, done.stderr), (1, "Failed to set unit properties on web.service: /etc/systemd/system.control, where it would be kept, "
                                                  "is not on the unit path (--unit-path=)\n"))
        check(not os.path.exists("/etc/systemd/system.control/web.service.d"), "nothing is written")


def story_properties_are_kept():
    with FileBox({"web.service": SLEEP}) as box:
        box.boot()
        done = box.systemctl("set-property", "web", "CPUWeight=50", "MemoryMax=1G")
        equal((done.returncode, done.stdout), (0, ""))
        if done.stderr:  # there is no group
            equal(done.stderr.splitlines()[0], "web.service: kept, but CPUWeight= is degraded: needs a writable cgroup v2; Nice= works without")
        equal(box.show("web", "CPUWeight"), "50")
        check("CPUWeight=50" in box.read("/etc/systemd/system.control/web.service.d/50-CPUWeight.conf"), "the drop-in")
        box.systemctl("set-property", "--runtime", "web", "TasksMax=7", check=True)
        check("TasksMax=7" in box.read("/run/systemd/system.control/web.service.d/50-TasksMax.conf"), "the drop-in in /run")
        done = box.systemctl("set-property", "web", "ExecStart=/bin/false")
        equal(done.stderr, "Failed to set unit properties on web.service: Cannot set property ExecStart, or unknown property.\n")
        done = box.systemctl("set-property", "web", "CPUWeight=lots")
        check(done.returncode == 1 and done.stderr.startswith("Failed to set unit properties on web.service: CPUWeight=: "), done.stderr)
        done = box.systemctl("set-property", "web", "CPUWeight=1\n[Service]\nUser=root")
        check(done.returncode == 1 and "one line" in done.stderr, done.stderr)
        equal(box.systemctl("set-property", "nope", "CPUWeight=1").returncode, 1)
        box.systemctl("revert", "web", check=True)
        equal(box.show("web", "CPUWeight"), "[not set]")


def story_a_frozen_unit():
    """Without a cgroup: every process below the unit's guard is stopped."""
    units = {
        "web.service": "[Service]\nExecStart=/bin/sh -c 'sleep 1001 & exec sleep 1002'\nExecReload=/bin/true\n",
        "once.service": ONCE + "RemainAfterExit=yes\nExecStart=/bin/true\n",
    }
    with FileBox(units) as box:
        box.boot()
        box.systemctl("start", "web", check=True)
        until("both run", lambda: len(box.find("sleep 100")) == 2)

        def states():
            return {box.pids()[pid][1][0] for pid in box.find("sleep 100")}
        equal(box.systemctl("show", "-p", "CanFreeze,FreezerState", "--value", "web").stdout, "running\nyes\n")
        done = box.systemctl("freeze", "web", "web")
        equal((done.returncode, done.stdout, done.stderr), (0, "", ""))
        until("all are stopped", lambda: states() == {"T"})
        equal(box.show("web", "FreezerState"), "frozen")
        equal(box.systemctl("is-active", "web").stdout, "active\n")
        check("Active: active (running) (frozen) since" in box.systemctl("status", "web").stdout, "status")
        box.systemctl("daemon-reexec", check=True)
        equal((box.show("web", "FreezerState"), states()), ("frozen", {"T"}))
        box.systemctl("thaw", "web", check=True)
        until("all go on", lambda: states() == {"S"})
        equal(box.show("web", "FreezerState"), "running")
        for verb, after in (("reload", "active"), ("stop", "inactive")):  # a job thaws
            box.systemctl("freeze", "web", check=True)
            box.systemctl(verb, "web", check=True, timeout=20)
            equal((box.state("web"), box.show("web", "FreezerState")), (after, "running"))
        equal(box.find("sleep 100"), [])
        equal(box.systemctl("freeze", "web").stderr, "Failed to freeze unit web.service: Unit is not active.\n")
        equal(box.systemctl("freeze", "sysinit.target").stderr, "Failed to freeze unit sysinit.target: Unit 'sysinit.target' does not support freezing\n")
        equal(box.systemctl("thaw", "nobody").returncode, 1)


def story_marks():
    units = {"a.service": SLEEP + "ExecReload=/bin/true\n", "b.service": SLEEP, "c.service": SLEEP}
    with FileBox(units) as box:
        box.boot()
        box.systemctl("start", "a", "b", "c", check=True)
        pids = [box.main_pid(unit) for unit in "abc"]
        equal(box.systemctl("reload-or-restart", "--marked").returncode, 0)
        box.systemctl("set-property", "a", "Markers=needs-reload", check=True)
        box.systemctl("set-property", "b", "Markers=needs-reload needs-restart", check=True)
        box.systemctl("set-property", "b", "Markers=-needs-restart", check=True)
        equal((box.show("a", "Markers"), box.show("b", "Markers")), ("needs-reload", "needs-reload"))
        box.systemctl("set-property", "c", "Markers=+needs-restart", check=True)
        check("no marker" in box.systemctl("set-property", "c", "Markers=wet").stderr, "an unknown one")
        box.systemctl("daemon-reexec", check=True)
        done = box.systemctl("reload-or-restart", "--marked")
        equal((done.returncode, done.stderr), (0, ""))
        now = [box.main_pid(unit) for unit in "abc"]
        equal([old == new for old, new in zip(pids, now)], [True, False, False], "a is reloaded, b cannot be")
        equal([box.show(unit, "Markers") for unit in "abc"], ["", "", ""])
        equal(box.systemctl("start", "--marked", "a").returncode, 1)


def story_the_manager_is_told():
    units = {"dog.service": "[Service]\nType=notify\nNotifyAccess=all\nWatchdogSec=300ms\nExecStart=/bin/sh -c 'systemd-notify --ready --pid=parent; exec sleep 1000'\n"}
    with FileBox(units) as box:
        box.env["PATH"] = os.path.dirname(MONOINIT) + ":" + os.environ["PATH"]
        box.boot()
        for verb, first, second in (("log-level", "info", "debug"), ("log-target", "console", "null"), ("service-watchdogs", "yes", "no")):
            equal(box.systemctl(verb).stdout, first + "\n")
            if verb == "log-level":
                equal(box.systemctl(verb, second).returncode, 0)
        box.systemctl("service-watchdogs", "no", check=True)
        box.systemctl("set-environment", "MADE=a b\n\"c\"", check=True)
        box.systemctl("unset-environment", "LANG", check=True)
        for how in ("daemon-reexec", "crash"):
            if how == "crash":
                box.inside("kill", "-SEGV", "1", check=True)
                box.wait_log("crash 1")
            else:
                box.systemctl(how, check=True)
            equal((box.systemctl("log-level").stdout, box.systemctl("service-watchdogs").stdout), ("debug\n", "no\n"), how)
            equal(box.systemctl("show", "-p", "LogLevel,ServiceWatchdogs", "--value").stdout, "debug\nno\n")
            check("MADE=a b\n\"c\"" in box.systemctl("show-environment").stdout, how)
        box.systemctl("start", "dog", check=True)
        box.wait_log(r"dog: inactive -> activating")
        box.wait_log(r"dog: no WATCHDOG=1 for 300 ms; service-watchdogs is off")
        equal(box.state("dog"), "active")
        box.systemctl("log-target", "null", check=True)
        box.systemctl("restart", "dog", check=True)
        check("restarted" not in box.log(), "nothing is said")
        box.systemctl("log-target", "console", check=True)
        box.systemctl("service-watchdogs", "yes", check=True)
        box.systemctl("restart", "dog", check=True)
        box.wait_state("dog", "failed")
        equal(box.show("dog", "Result"), "watchdog")


def story_options():
    catch = "import signal,sys\nfor n in (34, 35):\n signal.pthread_sigmask(signal.SIG_BLOCK, [n])\nprint('ready', flush=True)\nwhile True:\n i = signal.sigwaitinfo([34, 35]); print('got', i.si_signo, i.si_code, flush=True)\n"
    units = {
        "web.service": "[Unit]\nRequires=db.service\nAfter=db.service\n" + SLEEP,
        "db.service": SLEEP,
        "catch.service": "[Service]\nExecStart=/usr/bin/python3 -c 'exec(open(\"/run/catch.py\").read())'\n",
    }
    with FileBox(units) as box:
        box.setup += "cat > /run/catch.py <<'EOF'\n" + catch + "EOF\n"
        box.boot()
        done = box.systemctl("start", "-T", "web")
        lines = done.stderr.splitlines()
        check(re.fullmatch(r"Enqueued anchor job \d+ web\.service/start\.", lines[0]) and
              any(re.fullmatch(r"Enqueued auxiliary job \d+ db\.service/start\.", line) for line in lines[1:]), done.stderr)
        equal(box.systemctl("stop", "-T", "-q", "web").stderr, "")
        box.systemctl("start", "web", check=True)
        forms = {"unix": r"@\d{10}", "us": r"\w{3} [\d-]{10} [\d:]{8}\.\d{6} \w+", "us+utc": r"\w{3} [\d-]{10} [\d:]{8}\.\d{6} UTC", "utc": r"\w{3} [\d-]{10} [\d:]{8} UTC"}
        for style, form in forms.items():
            value = box.systemctl("show", f"--timestamp={style}", "-P", "ActiveEnterTimestamp", "web").stdout.strip()
            check(re.fullmatch(form, value), f"{style}: {value}")
            check(f" since {value}; " in box.systemctl("status", f"--timestamp={style}", "web").stdout, style)
        done = box.systemctl("show", "--timestamp=late", "web")
        equal((done.returncode, done.stderr), (1, "Invalid value: late.\n"))
        done = box.systemctl("status", "--with-dependencies", "web")
        check("web.service" in done.stdout and "● db.service" in done.stdout, done.stdout)
        check("db.service" in box.systemctl("cat", "--with-dependencies", "web").stdout, "cat")
        check("db.service" in box.systemctl("list-units", "--with-dependencies", "web").stdout, "list-units")
        done = box.systemctl("status", "--all", "-t", "service")
        check("    State: " in done.stdout and "● db.service" in done.stdout and "basic.target" not in done.stdout.split("Since", 1)[1], done.stdout)
        box.systemctl("start", "catch", check=True)
        box.wait_log("ready", count=2)
        box.systemctl("kill", "--kill-value=0x2a", "-s", "RTMIN", "catch", check=True)
        box.wait_log(r"got 34 -1")
        box.systemctl("kill", "--kill-whom=main", "-s", "RTMIN+1", "catch", check=True)
        box.wait_log(r"got 35 0")
        for arguments, text in ((["--kill-value=7"], "realtime"), (["--kill-value=seven", "-s", "RTMIN"], "Unable to parse signal value"),
                                (["--kill-whom=nobody"], "Invalid who argument: nobody"), (["--kill-whom=control"], "No control process to kill")):
            done = box.systemctl("kill", *arguments, "catch")
            check(done.returncode == 1 and text in done.stderr, done.stderr)
        box.systemctl("stop", "catch", check=True)
        equal(box.systemctl("kill", "catch").returncode, 0)
        equal(box.systemctl("kill", "--kill-whom=all-fail", "catch").returncode, 1)
        equal(box.systemctl("reload-or-restart").stderr, "Too few arguments.\n")


def story_words_of_options():
    with FileBox({"web.service": SLEEP}) as box:
        box.boot()
        for arguments, first in (("-t help", "Available unit types:"), ("--state=help", "Available unit load states:"), ("--signal=help", "HUP"),
                                 ("--signal=list", "SIGNAL NAME"), ("--job-mode=help", "fail"), ("--timestamp=help", "pretty"), ("-o help", "short")):
            done = box.systemctl(*arguments.split())
            equal((done.returncode, done.stdout.splitlines()[0]), (0, first), arguments)
        for arguments, text in (("-t wheel list-units", "Unknown unit type or load state 'wheel'.\nUse -t help to see a list of allowed values.\n"),
                                ("-o wheel list-units", "Unknown output 'wheel'.\n"), ("-n wheel status web", "Failed to parse lines 'wheel'\n"),
                                ("-M wheel start web", "only this container can be controlled (no -M)\n")):
            done = box.systemctl(*arguments.split())
            equal((done.returncode, done.stderr), (1, text), arguments)
        equal(box.state("web"), "inactive")
        equal(box.systemctl("-M", ".host", "start", "web").returncode, 0)
        done = box.systemctl("import-environment", "NO_SUCH", "PATH")
        equal((done.returncode, done.stderr), (0, "Environment variable $NO_SUCH not set, ignoring.\n"))
        check("LogControl1" in box.systemctl("service-log-level", "web").stderr, "why not")


def story_jobs():
    units = {"slow.service": ONCE + "ExecStart=/bin/sleep 1000\n", "waits.service": "[Unit]\nAfter=slow.service\n" + SLEEP}
    with FileBox(units) as box:
        box.boot()
        box.systemctl("start", "--no-block", "slow", "waits", check=True)

        def jobs(*arguments):
            return [re.sub(r"\d+", "N", " ".join(line.split())) for line in box.systemctl("list-jobs", "--no-legend", *arguments).stdout.splitlines()]
        slow, waits = "N slow.service start running", "N waits.service start waiting"
        equal(jobs(), [slow, waits])
        equal(jobs("--after"), [slow, waits, "└─ waiting for job N (slow.service/start) - -"])
        equal(jobs("--before"), [slow, "└─ blocking job N (waits.service/start) - -", waits])
        number = box.systemctl("list-jobs", "--no-legend", "waits.service").stdout.split()[0]
        done = box.systemctl("cancel", "999999", number)
        equal((done.returncode, done.stderr), (1, "Failed to cancel job 999999: Job 999999 does not exist.\n"))
        equal(jobs(), [slow])
        equal(box.systemctl("cancel").returncode, 0)
        equal(jobs(), [])


def story_what_is_shown():
    units = {
        "web.service": "[Service]\nUser=daemon\nSlice=apps-web.slice\nExecStart=/bin/sleep 1000\n",
    }
    with FileBox(units) as box:
        box.boot()
        equal((box.show("web", "UID"), box.show("web", "GID")), ("[not set]", "[not set]"))
        box.systemctl("start", "web", check=True)
        daemon = pwd.getpwnam("daemon")
        equal((box.show("web", "UID"), box.show("web", "GID")), (str(daemon.pw_uid), str(daemon.pw_gid)))
        check("CGroup: /apps.slice/apps-web.slice/web.service" in box.systemctl("status", "web").stdout, "the slice")


def story_clean():
    unit = ONCE + "RemainAfterExit=yes\nRuntimeDirectory=app\nCacheDirectory=monoinit-clean-test\nRuntimeDirectoryPreserve=yes\nExecStart=/bin/sh -c 'touch /run/app/x'\n"
    with FileBox({"app.service": unit, "none.service": SLEEP, "tick.timer": "[Timer]\nOnCalendar=hourly\nPersistent=yes\nUnit=none.service\n"}) as box:
        box.setup += "mount -t tmpfs tmpfs /var/cache\nmkdir -p /var/lib/systemd\nmount -t tmpfs tmpfs /var/lib/systemd\n"
        box.boot()
        box.systemctl("start", "app", check=True)
        equal(box.systemctl("clean", "app").stderr, "Failed to clean unit app.service: Unit is not inactive or has pending job.\n")
        box.systemctl("stop", "app", check=True)
        equal(box.inside("ls", "/run/app").stdout, "x\n")
        box.systemctl("clean", "--what=cache", "app", check=True)
        equal(box.inside("ls", "/run/app").stdout, "x\n")
        box.systemctl("clean", "app", check=True)
        check(box.inside("ls", "/run/app").returncode != 0, "the runtime directory is gone")
        box.systemctl("start", "tick.timer", check=True)
        until("a stamp", lambda: box.inside("ls", "/var/lib/systemd/timers/stamp-tick.timer").returncode == 0)
        box.systemctl("stop", "tick.timer", check=True)
        box.systemctl("clean", "--what=state", "tick.timer", check=True)
        check(box.inside("ls", "/var/lib/systemd/timers/stamp-tick.timer").returncode != 0, "the stamp is gone")
        equal(box.systemctl("clean", "none").stderr, "Failed to clean unit none.service: No matching resources found.\n")
        equal(box.systemctl("clean", "--what=dirt", "app").returncode, 1)


def story_daemon_reload_is_needed():
    with FileBox({"web.service": SLEEP}) as box:
        box.boot()
        equal(box.show("web", "NeedDaemonReload"), "no")

        def changed(command):  # again, if it falls into the kernel's tick of the load: times of files are no finer
            def seen():
                box.inside("sh", "-c", command, check=True)
                return box.show("web", "NeedDaemonReload") == "yes"
            until("a change that is seen", seen)
        changed("echo '# more' >> /etc/systemd/system/web.service")
        done = box.systemctl("status", "web")
        check("web.service changed on disk. Run 'systemctl daemon-reload'" in done.stderr, done.stderr)
        box.systemctl("daemon-reload", check=True)
        equal(box.show("web", "NeedDaemonReload"), "no")
        changed("mkdir -p /etc/systemd/system/web.service.d; echo '[Unit]' > /etc/systemd/system/web.service.d/$$.conf")


def story_a_unit_that_asks_for_itself():
    """systemd leaves these waiting for ever, or until a timeout."""
    units = {
        "self.service": ONCE + f"ExecStart={SYSTEMCTL} start self\n",
        "first.service": "[Unit]\nBefore=second.service\n" + ONCE + f"ExecStart={SYSTEMCTL} start second\n",
        "second.service": ONCE + "RemainAfterExit=yes\nExecStart=/bin/true\n",
        "reload.service": SLEEP + f"ExecReload={SYSTEMCTL} reload reload\n",
        "stop.service": SLEEP + f"ExecStop={SYSTEMCTL} stop stop\n",
        "pre.service": "[Service]\n" + f"ExecStartPre={SYSTEMCTL} restart pre\nExecStart=/bin/sleep 1000\n",
        "other.service": ONCE + f"ExecStart={SYSTEMCTL} start second\n",
    }
    with FileBox(units) as box:
        box.boot()
        for unit in ("self", "first", "other"):
            done = box.systemctl("start", unit, timeout=15)
            equal((unit, done.returncode, done.stderr), (unit, 0, ""))
        box.wait_state("second", "active")
        box.systemctl("start", "reload", "stop", check=True)
        equal(box.systemctl("reload", "reload", timeout=15).returncode, 0)
        equal(box.systemctl("stop", "stop", timeout=15).returncode, 0)
        equal(box.systemctl("is-active", "stop").stdout, "inactive\n")


def story_waiting():
    units = {"short.service": "[Service]\nExecStart=/bin/sh -c 'read x < /run/go'\n", "fails.service": "[Service]\nExecStart=/bin/sh -c 'read x < /run/go; exit 3'\n"}
    with FileBox(units) as box:
        box.setup += "mkfifo /run/go\n"
        box.boot()
        for unit, status in (("short", 0), ("fails", 1)):
            waiting = subprocess.Popen(["nsenter", f"--target={box.init}", "--mount", "--pid", SYSTEMCTL, "start", "--wait", unit])
            box.wait_state(unit, "active")
            check(waiting.poll() is None, "it waits")
            box.inside("sh", "-c", "echo > /run/go", check=True)
            equal(waiting.wait(20), status, unit)
        equal(box.systemctl("is-system-running", "--wait").stdout, "degraded\n")


def story_bad_input():
    with FileBox({"web.service": SLEEP, "tpl@.service": SLEEP}) as box:
        box.boot()
        names = [f"nobody{i}.service" for i in range(2000)]
        done = box.systemctl("is-active", *names, timeout=60)
        equal((done.returncode, len(done.stdout.splitlines())), (3, 2000))
        done = box.systemctl("start", *names, "web", timeout=60)
        equal((done.returncode, len(done.stderr.splitlines())), (5, 2000))
        equal(box.state("web"), "active")
        done = box.systemctl("status", *names, timeout=60)
        equal((done.returncode, len(done.stderr.splitlines())), (4, 2000))
        done = box.systemctl("stop", "we\nb", "x\x1b[31my")
        equal(done.returncode, 5)
        equal(done.stderr.splitlines()[0], 'Invalid unit name "we\\x0ab" escaped as "we\\x0ab.service" (maybe you should use systemd-escape?).')
        check("\x1b" not in done.stderr, done.stderr)
        done = box.systemctl("start", "tpl@")
        equal((done.returncode, done.stderr.splitlines()[0]), (1, "Failed to start tpl@.service: Unit name tpl@.service is missing the instance name."))
        equal(box.systemctl("start", "tpl@a b").returncode, 0)
        equal(box.systemctl("start", "").returncode, 1)
        equal(box.systemctl("-H", "host", "start", "web").returncode, 1)
        equal(box.systemctl("start", "x" * 5000).returncode, 1)
        for verb in ("rescue", "emergency", "suspend", "switch-root", "bind a b", "mount-image a b", "log-level loud", "log-target journal", "service-watchdogs perhaps", "freeze nobody", "kexec --when=tomorrow"):
            done = box.systemctl(*verb.split())
            check(done.returncode == 1 and done.stderr, f"{verb}: {done.returncode} {done.stderr!r}")
        equal(box.systemctl("log-level").stdout, "info\n")
        equal(box.systemctl("whoami", str(box.main_pid("web"))).stdout, "web.service\n")
        equal(box.systemctl("whoami", "1").stdout, "init.scope\n")
        equal(box.state("web"), "active")


def story_triggers_and_json():
    units = {"web.service": SLEEP, "web.socket": "[Socket]\nListenStream=/run/web.sock\n", "web.timer": "[Timer]\nOnActiveSec=1h\n"}
    with FileBox(units) as box:
        box.boot()
        box.systemctl("start", "web.socket", "web.timer", "web", check=True)
        done = box.systemctl("stop", "web")
        equal((done.returncode, done.stderr), (0, "Stopping 'web.service', but its triggering units are still active:\nweb.socket, web.timer\n"))
        rows = json.loads(box.systemctl("list-units", "-o", "json", "web.*").stdout)
        equal(rows[0], {"unit": "web.service", "load": "loaded", "active": "inactive", "sub": "dead", "description": "web.service"})
        equal(box.systemctl("show", "-P", "ActiveState", "web.timer", "web").stdout, "active\n\ninactive\n")
        monotonic = box.systemctl("show", "-p", "TimersMonotonic", "web.timer").stdout
        check(re.fullmatch(r"TimersMonotonic=\{ OnActiveUSec=1h ; next_elapse=.+ \}\n", monotonic), monotonic)
        equal(box.systemctl("show", "-p", "Listen", "web.socket").stdout, "Listen=/run/web.sock (Stream)\n")
        check("TYPE" in box.systemctl("list-sockets", "--show-types").stdout, "the type")


def story_offline():
    """Live verbs where nobody answers: systemctl's own sentence, and exit status 1."""
    script = "mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /tmp; " + "; ".join(f"{SYSTEMCTL} {call} >/dev/null; echo $?" for call in ("start x", "status", "list-units", "show x"))
    done = subprocess.run(["unshare", "--pid", "--fork", "--mount", "--mount-proc", "--kill-child", "sh", "-c", script], capture_output=True, text=True, timeout=20, check=True)
    equal(done.stdout, "1\n" * 4)
    equal(done.stderr, "System has not been booted with systemd as init system (PID 1). Can't operate.\n" * 4)


if __name__ == "__main__":
    run(globals())
