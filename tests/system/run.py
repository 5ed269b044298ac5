#!/usr/bin/env python3
"""initctl run, ports and shutdown --plan, by the real binary."""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import socket
import struct
import subprocess
import termios
import threading

from harness import INITCTL, Box, check, equal, run, until

WEB = "[Unit]\nAfter=db.service\n[Service]\nExecStart=/bin/sleep infinity\nX-Ports=4035\n[Install]\nWantedBy=multi-user.target\n"
DB = "[Service]\nExecStart=/bin/sleep infinity\nTimeoutStopSec=3\nExecStop=/bin/true\nKillMode=mixed\n[Install]\nWantedBy=multi-user.target\n"


def story_a_run_outlives_who_asked():
    with Box() as box:
        box.boot()
        done = box.inside("sh", "-c", f"cd /usr/share && WORD='two words' {INITCTL} run --name vite --env WORD --env A=1 --restart always -- "
                          "sh -c 'echo \"$WORD $A `pwd` 100% $0\"; exec sleep 1000'", check=True)
        check(done.stdout.startswith("vite: started in "), done.stdout)
        box.wait_log(r"^\[vite\] two words 1 /usr/share 100% /usr/bin/sh$")
        pid = box.main_pid("vite")
        check("sleep 1000" in box.initctl("status", "vite").stdout, "it is a service as others")
        # Restarted, found again by a reload and by a new image.
        box.inside("kill", "-9", str(pid), check=True)
        until("it came back", lambda: box.main_pid("vite") not in (0, pid))
        pid = box.main_pid("vite")
        box.initctl("daemon-reload", check=True)
        box.initctl("daemon-reexec", check=True)
        equal(box.main_pid("vite"), pid, "after daemon-reload and daemon-reexec")
        taken = box.initctl("run", "--name", "vite", "true")
        equal(taken.returncode, 1)
        check("vite runs already: initctl stop vite" in taken.stderr, taken.stderr)
        box.initctl("stop", "vite", check=True)
        box.initctl("run", "--name", "vite", "sh", "-c", "echo second; exec sleep 1001", check=True)
        box.wait_log(r"^\[vite\] second$")


def story_waiting_gives_its_exit_status():
    with Box() as box:
        box.boot()
        for command, status in (("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)):
            equal(box.initctl("run", "--wait", "sh", "-c", command).returncode, status, command)
        for _ in range(10):
            box.initctl("run", "--wait", "true", check=True)

        def few():
            box.initctl("run", "--wait", "sleep", "0.5", check=True)
            return len(os.listdir(f"/proc/{box.init}/root/run/monoinit/transient")) < 9

        until("those without a name do not pile up", few)


def story_what_cannot_be_run_is_said():
    with Box({"web.service": WEB}) as box:
        box.boot()
        for words, text, status in (
                (("nothing-of-that-name",), "not found in PATH=", 1),
                (("-p", "Restrat=no", "true"), "did you mean Restart=?", 2),
                (("-p", "Restart=alwais", "true"), "not one of", 2),
                (("-p", "Environment=A\nExecStart=/bin/sh", "true"), "line end", 2),
                (("--name", "../x", "true"), "not a valid name", 2),
                (("--name", "web", "true"), "web is a unit already", 1),
                (("--env", "NO_SUCH_VARIABLE", "true"), "no such variable", 2)):
            done = box.initctl("run", *words)
            check(text in done.stderr, f"{words}: {done.stderr}")
            equal(done.returncode, status, words)
        refused = box.initctl("run", "true", uid=999)
        equal(refused.returncode, 1)
        check("uid 999 may not run" in refused.stderr, refused.stderr)


def story_people_run_services_as_themselves():
    with Box(setup="cp /etc/passwd /run/passwd; echo 'ann:x:1700:1700::/tmp:/bin/sh' >>/run/passwd; echo 'bob:x:1701:1701::/tmp:/bin/sh' >>/run/passwd; "
                   "mount --bind /run/passwd /etc/passwd") as box:
        box.boot()
        box.initctl("run", "--name", "hers", "--", "sh", "-c", "id -u; exec sleep 1000", uid=1700, check=True)
        box.wait_log(r"^\[hers\] 1700$")
        equal(box.initctl("restart", "hers", uid=1700).returncode, 0, "it is hers")
        for words, text in ((("--name", "hers", "true"), "another user's"),
                            (("--user", "root", "id"), "as themselves only"),
                            (("--user", "ann", "id"), "as themselves only"),
                            (("-p", "EnvironmentFile=/etc/shadow", "env"), "may not run a service with EnvironmentFile="),
                            (("-p", "ExecStart=+/bin/id", "true"), "")):
            done = box.initctl("run", *words, uid=1701)
            check(done.returncode != 0 and text in done.stderr, f"{words}: {done.stderr}")
        check("uid=0" not in box.log(), box.log())
        equal(box.initctl("stop", "hers", uid=1701).returncode, 1, "not his")
        box.initctl("stop", "hers", uid=1700, check=True)


def systemd_run(box, *words, **options):
    return box.initctl(*words, name="systemd-run", **options)


def story_systemd_run_starts_and_goes():
    with Box() as box:
        box.boot()
        done = systemd_run(box, "-u", "one", "-p", "Environment=A=50%", "-E", "B=2", "--slice=jobs", "--nice=5", "--description=what it is", "sh", "-c",
                           "echo $A $B `nice`; exec sleep 1000", check=True)
        check(re.fullmatch(r"Running as unit: one.service; invocation ID: [0-9a-f]{32}\n", done.stderr), done.stderr)
        equal(done.stdout, "")
        box.wait_log(r"^\[one\] 50% 2 5$")
        equal((box.show("one", "Description"), box.show("one", "Slice"), box.show("one", "Type")), ("what it is", "jobs.slice", "simple"))
        tool = os.path.join(os.path.dirname(INITCTL), "systemd-run")
        systemd_run(box, "-q", "--wait", "--slice=jobs", tool, "-u", "below", "--slice=small", "--slice-inherit", "sleep", "1000", check=True)
        equal(box.show("below", "Slice"), "jobs-small.slice")
        again = systemd_run(box, "-u", "one", "true")
        check(again.returncode == 1 and "one runs already" in again.stderr, again.stderr)
        systemd_run(box, "-q", "-E", "WORD=of the service", "--working-directory=/usr", "echo", "${WORD}", "$$HOME", check=True)
        box.wait_log(r"\] of the service \$HOME$")
        equal(systemd_run(box, "--wait", "-r", "--no-block", "true").returncode, 1)
        equal(systemd_run(box, "-p", "Nonsense=1", "true").returncode, 1)
        equal(systemd_run(box, "--service-type=sometimes", "true").returncode, 1)
        failed = systemd_run(box, "--service-type=exec", "-p", "User=nobody-of-that-name", "true")
        check(failed.returncode == 1 and "Job for run-r" in failed.stderr, failed.stderr)
        stayed = systemd_run(box, "-r", "-u", "stays", "--service-type=oneshot", "true")
        equal((stayed.returncode, box.state("stays")), (0, "active"))
        usec = systemd_run(box, "-u", "usec", "-p", "RuntimeMaxUSec=1h", "sleep", "1000")
        equal((usec.returncode, box.show("usec", "RuntimeMaxUSec")), (0, "1h"))


def story_systemd_run_waits():
    with Box() as box:
        box.boot()
        for command, status, words in (("exit 0", 0, "code=exited/status=0"), ("exit 7", 7, "code=exited/status=7"), ("kill -9 $$$$", 255, "code=killed/status=KILL")):
            done = systemd_run(box, "--wait", "-G", "--service-type=exec", "sh", "-c", command)
            equal(done.returncode, status, command)
            check(f"Main processes terminated with: {words}\n" in done.stderr and "Finished with result: " in done.stderr, done.stderr)
        begun = [box.begin(os.path.join(os.path.dirname(INITCTL), "systemd-run"), "-q", "--wait", "sh", "-c", f"exit {i}") for i in range(20)]
        equal([process.wait(20) for process in begun], list(range(20)), "many at once each hear of their own end")


def story_systemd_run_pipes():
    with Box() as box:
        box.boot()
        done = systemd_run(box, "-q", "-P", "sh", "-c", "tr a-z A-Z; echo problem >&2; exit 3", input="some text\n")
        equal((done.returncode, done.stdout, done.stderr), (3, "SOME TEXT\n", "problem\n"))
        big = systemd_run(box, "-q", "--pipe", "cat", input="0123456789abcde\n" * 100_000, check=True)
        equal(len(big.stdout), 1_600_000)
        equal(box.initctl("run", "--pipe", "sh", "-c", "cat; exit 4", input="x").stdout, "x")
        file = box.path("file")
        open(file, "w", encoding="utf-8").write("before\n")
        box.inside("sh", "-c", f"{os.path.dirname(INITCTL)}/systemd-run -q -P echo after >>{file}", check=True)
        equal(open(file, encoding="utf-8").read(), "before\nafter\n")
        # A new image knows them too; whoever lent them sees the end of file all the same.
        process = box.begin(os.path.join(os.path.dirname(INITCTL), "systemd-run"), "-q", "-P", "-u", "long", "sh", "-c", "echo up; read line; echo got $line")
        equal(process.stdout.readline(), "up\n")
        box.initctl("daemon-reexec", check=True)
        out, _ = process.communicate("this\n", timeout=20)
        equal((out, process.returncode), ("got this\n", 0))
        equal(systemd_run(box, "-P", "-u", "never", "-p", "ConditionPathExists=/nonexistent", "cat", input="").returncode, 0)
        held = box.inside("sh", "-c", "ls -l /proc/1/fd | grep -c pipe: || true").stdout
        equal(systemd_run(box, "-q", "-P", "true", check=True).stdout, "")
        equal(box.inside("sh", "-c", "ls -l /proc/1/fd | grep -c pipe: || true").stdout, held, "nothing stays lent")


class Terminal:
    """A person at a terminal, inside the box."""

    def __init__(self, box, *words):
        self.master, slave = pty.openpty()
        self.text = b""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
        self.process = subprocess.Popen(["nsenter", f"--target={box.init}", "--mount", "--pid", os.path.join(os.path.dirname(INITCTL), words[0]), *words[1:]],
                                        stdin=slave, stdout=slave, stderr=slave, env={**os.environ, "TERM": "xterm-test"}, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.slave = slave

    def type(self, text):
        os.write(self.master, text.encode())

    def wait_for(self, pattern):
        os.set_blocking(self.master, False)

        def seen():
            with contextlib.suppress(BlockingIOError):
                self.text += os.read(self.master, 65536)
            return re.search(pattern, self.text.decode(errors="replace"))

        return until(f"{pattern} on the terminal, which shows {self.text!r}", seen)


def story_a_terminal_for_a_service():
    with Box() as box:
        box.boot()
        for words in (("systemd-run", "-t", "-u", "shell"), ("initctl", "run", "--pty", "--name", "shell")):
            at = Terminal(box, *words, "sh", "-c", "stty size; echo $TERM; tty; read line; echo got $line; read line; stty size; sleep 1000")
            at.wait_for(r"33 77\r\nxterm-test\r\n/dev/pts/\d+\r\n")
            if words[0] == "systemd-run":
                at.wait_for(r"Running as unit: shell.service; invocation ID: [0-9a-f]+\r\nPress \^\] three times within 1s to disconnect TTY.")
            at.type("hello\r")
            at.wait_for(r"got hello\r\n")
            fcntl.ioctl(at.master, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 88, 0, 0))
            tty = re.search(r"/dev/pts/\d+", at.text.decode()).group(0)
            until("the new size", lambda: box.inside("stty", "-F", tty, "size").stdout == "44 88\n")
            box.initctl("daemon-reexec", check=True)
            at.type("x\r")
            at.wait_for("44 88")
            until("the last command", lambda: any(command == "sleep 1000" for _, _, command in box.pids().values()))  # between two sh is deaf
            at.type("\x03")  # Ctrl-C reaches the service
            equal(at.process.wait(20), 255 if words[0] == "systemd-run" else 130)
        at = Terminal(box, "systemd-run", "-q", "-t", "sh", "-c", "echo end; exit 9")
        equal(at.process.wait(20), 9)
        at.wait_for("end\r\n")
        at = Terminal(box, "systemd-run", "-t", "-u", "left", "sh", "-c", "trap 'echo hung up >&2; exit' HUP; echo here; while :; do sleep 0.01; done")
        at.wait_for("here")
        before = termios.tcgetattr(at.slave)
        at.type("\x1d\x1d\x1d")
        equal(at.process.wait(20), 0)
        check(termios.tcgetattr(at.slave)[3] & termios.ECHO and not before[3] & termios.ECHO, "the terminal is as it was")
        until("SIGHUP", lambda: box.state("left") != "active")
        piped = systemd_run(box, "-q", "--pty", "cat", input="no terminal\n")
        check(piped.returncode == 0 and "no terminal" in piped.stdout, piped)


def story_timers_of_a_request():
    with Box() as box:
        box.boot()
        done = systemd_run(box, "-u", "later", "--on-active=200ms", "--timer-property=AccuracySec=1ms", "echo", "it is time", check=True)
        equal(done.stderr, "Running timer as unit: later.timer\nWill run service as unit: later.service\n")
        box.wait_log(r"^\[later\] it is time$")
        box.wait_state("later.timer", "inactive")
        systemd_run(box, "--on-calendar=daily", "--on-boot=10h", "-u", "each", "true", check=True)
        row = next(row for row in json.loads(box.initctl("--json", "list-timers", check=True).stdout) if row["unit"] == "each.timer")
        equal(row["activates"], "each.service")
        equal(box.show("each.timer", "TimersCalendar").split(" ;")[0], "{ OnCalendar=*-*-* 00:00:00")
        # Without a command: for a unit that is there.
        box.write("there.service", "[Service]\nType=oneshot\nExecStart=echo from a file\n")
        systemd_run(box, "-u", "there.service", "--on-active=0", check=True)
        box.wait_log(r"^\[there\] from a file$")
        # What has been done is forgotten, what may still come is not.
        for _ in range(3):
            systemd_run(box, "-q", "--on-active=1ms", "true", check=True)
        systemd_run(box, "-q", "--on-active=10h", "true", check=True)

        def left():
            systemd_run(box, "-q", "true", check=True)
            return len([name for name in os.listdir(f"/proc/{box.init}/root/run/monoinit/transient") if name.startswith("run-") and name.endswith(".timer")]) == 1

        until("the others are gone", left)
        box.initctl("daemon-reload", check=True)
        equal(box.state("each.timer"), "active")


def story_sockets_of_a_request():
    with Box() as box:
        box.boot()
        done = systemd_run(box, "-u", "answer", "--socket-property=ListenStream=/run/answer", "--socket-property=Accept=no",
                           "python3", "-c", "import socket; s = socket.socket(fileno=3); c = s.accept()[0]; c.send(b'hello')", check=True)
        equal(done.stderr, "Running socket as unit: answer.socket\nWill run service as unit: answer.service\n")
        asked = box.inside("python3", "-c", "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/answer'); print(s.recv(9))", check=True)
        equal(asked.stdout, "b'hello'\n")


def story_again_and_again():
    with Box(setup="mkdir /run/system; mount --bind /run/system /etc/systemd/system || { mkdir -p /etc/systemd/system; mount --bind /run/system /etc/systemd/system; }",
             keep_unit_path=False) as box:
        box.boot()
        box.initctl("run", "--name", "tick", "--every", "100ms", "--", "sh", "-c", "echo tick; exit 0", check=True)
        box.wait_log(r"^\[tick\] tick$", count=3)
        box.initctl("stop", "tick.timer", check=True)
        wrong = box.initctl("run", "--every", "now and then", "true")
        check(wrong.returncode == 2 and "neither a time span" in wrong.stderr, wrong.stderr)
        box.initctl("run", "--save", "--name", "nightly", "--every", "daily", "--env", "A=1", "--", "true", check=True)
        timer = box.inside("cat", "/etc/systemd/system/nightly.timer", "/etc/systemd/system/nightly.service", check=True).stdout
        for line in ("OnCalendar=daily", "Persistent=yes", "WantedBy=timers.target", "Type=oneshot", "Environment=A=1"):
            check(line + "\n" in timer, timer)
        box.initctl("enable", "--now", "nightly.timer", check=True)
        equal(box.state("nightly.timer"), "active")


def story_a_scope_runs_from_here():
    with Box() as box:
        box.boot()
        done = systemd_run(box, "--scope", "-E", "A=1", "--working-directory=/usr", "sh", "-c", "echo $A $(pwd); cat; exit 6", input="mine")
        equal((done.returncode, done.stdout), (6, "1 /usr\nmine"))
        check(re.search(r"Running scope as unit: run-r[0-9a-f]{32}\.scope\n", done.stderr), done.stderr)


def story_streams_lent_for_a_start_that_never_comes():
    """The client is gone, or PID 1's image is another, before the start is asked for: who reads the other end gets its end of file."""
    with Box() as box:
        box.boot()
        for name, more in (("run-r1.service", None), ("named.service", None), ("run-r2.service", "daemon-reexec")):
            read_end, write_end = os.pipe()
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(f"/proc/{box.init}/root/run/monoinit/control")
                text = "[Service]\nExecStart=/bin/true\nStandardOutput=fd:stdout\n"
                request = json.dumps({"method": "io.monoinit.Manager.PutUnit", "parameters": {"name": name, "text": text}}).encode() + b"\0"
                socket.send_fds(peer, [request], [write_end] * 3)
                check(b"error" not in peer.recv(1000), "it is put")
            os.close(write_end)
            if more:
                box.initctl(more, check=True)
            ready, _, _ = select.select([read_end], [], [], 15)
            check(ready and os.read(read_end, 1) == b"", f"end of file of {name}")
            os.close(read_end)
        until("those without a name are forgotten", lambda: "run-r" not in box.initctl("list", "--all").stdout)
        equal(box.stop(), 0)


def story_images_come_and_go_meanwhile():
    """Whoever waits gets the exit status, or is told that the connection ended while the start was asked for."""
    with Box() as box:
        box.boot()
        over = threading.Event()

        def execute_anew():
            while not over.wait(0.1):
                box.initctl("daemon-reexec")

        thread = threading.Thread(target=execute_anew)
        thread.start()
        try:
            for _ in range(15):
                done = systemd_run(box, "-q", "--wait", "sh", "-c", "exit 3")
                check(done.returncode == 3 or "Failed to start" in done.stderr, done)
        finally:
            over.set()
            thread.join()
        equal(box.stop(), 0)


def story_people_have_terminals_and_pipes_too():
    with Box(setup="cp /etc/passwd /run/passwd; echo 'ann:x:1700:1700::/tmp:/bin/sh' >>/run/passwd; mount --bind /run/passwd /etc/passwd") as box:
        box.boot()
        done = systemd_run(box, "-q", "--user", "-P", "sh", "-c", "id -u; cat", uid=1700, input="piped")
        equal((done.stdout, done.returncode), ("1700\npiped", 0), done.stderr)
        denied = systemd_run(box, "--on-active=1", "true", uid=1700)
        check(denied.returncode == 1 and "uid 1700 may not run a service with section [Timer]" in denied.stderr, denied.stderr)
        denied = systemd_run(box, "-p", "StandardInput=tty", "-p", "TTYPath=/dev/console", "true", uid=1700)
        check(denied.returncode == 1 and "StandardInput=" in denied.stderr, denied.stderr)


def story_shutdown_at_a_time():
    with Box({"web.service": WEB}, enable=["web.service"]) as box:
        box.boot()
        done = box.initctl("+5", "for the night", name="shutdown", check=True)
        said = re.fullmatch(r"Shutdown scheduled for (.*), use 'shutdown -c' to cancel.\n", done.stderr)
        check(said, done.stderr)
        equal(box.initctl("--show", name="shutdown", check=True).stderr, done.stderr)
        box.initctl("-r", "23:10", name="shutdown", check=True)
        check("Reboot scheduled for" in box.initctl("--show", name="shutdown", check=True).stderr, "the second replaces the first")
        box.initctl("-c", name="shutdown", check=True)
        gone = box.initctl("--show", name="shutdown")
        equal((gone.returncode, gone.stderr), (1, "No scheduled shutdown.\n"))
        box.initctl("stop", "scheduled-shutdown.timer")
        box.initctl("+1", name="shutdown", check=True)
        box.initctl("start", "scheduled-shutdown.service")  # its end is the container's, and so this command's
        equal(box.wait(), 0)


def story_ports():
    server = "python3 -c 'import socket, time; s = socket.create_server((\"127.0.0.1\", 0)); print(s.getsockname()[1], flush=True); time.sleep(1000)'"
    with Box({"web.service": WEB, "db.service": DB, "api.service": f"[Service]\nExecStart=/usr/bin/env {server}\n"},
             enable=["web.service", "db.service", "api.service"]) as box:
        box.boot()
        port = int(box.wait_log(r"^\[api\] (\d+)$")[0])
        rows = until("it listens", lambda: [row for row in json.loads(box.initctl("--json", "ports", check=True).stdout)["ports"] if row["pid"]])
        equal([(row["unit"], row["port"], row["address"], row["declared"]) for row in rows], [("api.service", port, "127.0.0.1", False)])
        check("declared, nobody listens" in box.initctl("ports").stdout, "web says 4035")
        equal(json.loads(box.initctl("ports", "--devcontainer").stdout),
              {"forwardPorts": [4035], "portsAttributes": {"4035": {"label": "web"}}})


def story_the_plan_and_the_shutdown_that_follows_it():
    with Box({"web.service": WEB, "db.service": DB}, enable=["web.service", "db.service"], args=["--shutdown-timeout=6"]) as box:
        box.boot()
        text = box.initctl("shutdown", "--plan", check=True).stdout
        plan = json.loads(box.initctl("--json", "shutdown", "--plan", check=True).stdout)
        equal([(stop["unit"], stop["wave"]) for stop in plan["stops"]], [("web.service", 1), ("db.service", 2)])
        equal(plan["budget"], 6000000)
        check(plan["stops"][0]["killed_after"] < plan["stops"][1]["killed_after"] <= 6000000, plan)
        check("runs ExecStop=/bin/true, KillMode=mixed" in text and "6 s for all" in text, text)
        box.initctl("shutdown", check=True)
        equal(box.wait(), 0)
        log = box.log()
        check(log.index("web: stopped") < log.index("db: stopped"), log)


if __name__ == "__main__":
    run(globals())
