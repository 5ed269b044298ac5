"""A box in which one of everything is alive, or just on its way, for PID 1 to be replaced under it. What has to be as before is
same_as(); what had begun, or was to come, goes on in goes_on()."""
import collections
import contextlib
import os
import re
import socket

import harness
from harness import Box, Failure, check, equal, until
from invariants import descriptors, logger, processes

ACTOR = "python3 -SEs " + os.path.join(os.path.dirname(os.path.abspath(__file__)), "actor.py")
WANTED = "[Install]\nWantedBy=multi-user.target\n"


def service(*lines, unit=""):
    return f"[Unit]\n{unit}[Service]\n" + "\n".join(lines) + "\n" + WANTED


def shell(script):
    return f'ExecStart=/bin/sh -c "{script}"'


UNITS = {
    "simple.service": service("ExecStart=/bin/sleep 1001", "Restart=always"),
    "notify.service": service("Type=notify", f"ExecStart={ACTOR} notify", "WatchdogSec=4s", "WatchdogSignal=SIGKILL"),
    "forking.service": service("Type=forking", f"ExecStart={ACTOR} daemon /run/forking.pid", "PIDFile=/run/forking.pid"),
    "stored.service": service("Type=notify", f"ExecStart={ACTOR} stored", "FileDescriptorStoreMax=4"),
    "stays.service": service("Type=oneshot", "RemainAfterExit=yes", "ExecStart=/bin/true", "ExecStop=/bin/true"),
    "fails.service": service("Type=oneshot", shell("exit 7")),
    "counts.service": service(f"ExecStart={ACTOR} counts", "LogRateLimitIntervalSec=0"),
    "half.service": service(shell("printf 'half of '; read go </run/half; echo a line; exec sleep 1002")),
    "base.service": service("ExecStart=/bin/sleep 1003", "ExecStop=/bin/echo stops"),
    "top.service": service("ExecStart=/bin/sleep 1004", "ExecStop=/bin/echo stops", unit="Requires=base.service\nAfter=base.service\n"),
    "healthy.service": service("ExecStart=/bin/sleep 1005") +
                       "[X-Health]\nExec=/usr/bin/test -e /run/healthy\nInterval=200ms\nTimeout=5s\nRetries=2\nOnUnhealthy=restart\n",
    "watched.service": service("ExecStart=/bin/sleep 1006", "X-Watch=/run/source"),
    "limited.service": service("ExecStart=/bin/sleep 1013", "Restart=always", "RestartSec=0", unit="StartLimitIntervalSec=1h\nStartLimitBurst=4\n"),
    "backoff.service": service(shell("exit 1"), "Restart=always", "RestartSec=1h"),
    "comes-back.service": service("ExecStart=/bin/sleep 1007", "Restart=always", "RestartSec=3s"),
    # Begun before, and over only after: a start in its first command, one that waits for it, one that is not ready, a stop, a reload.
    "slow.service": "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'read go </run/slow'\nExecStart=/bin/echo the second command\n",
    "waits.service": "[Unit]\nRequires=slow.service\nAfter=slow.service\n[Service]\nExecStart=/bin/sleep 1008\n",
    "late.service": f"[Service]\nType=notify\nExecStart={ACTOR} late\n",
    "leaving.service": service("ExecStart=/bin/sleep 1009", "ExecStop=/bin/sh -c 'read go </run/leaving'"),
    "reloads.service": service("ExecStart=/bin/sleep 1010", "ExecReload=/bin/sh -c 'read go </run/reloads; echo reloaded'"),
    "tick.timer": "[Timer]\nOnActiveSec=0\nOnUnitActiveSec=500ms\nAccuracySec=1ms\n[Install]\nWantedBy=timers.target\n",
    "tick.service": "[Service]\nType=oneshot\nExecStart=/bin/echo tick\n",
    "later.timer": "[Timer]\nOnActiveSec=1h\nUnit=tick.service\n[Install]\nWantedBy=timers.target\n",
    "web.socket": "[Socket]\nListenStream=/run/web.sock\n[Install]\nWantedBy=sockets.target\n",
    "web.service": f"[Service]\nExecStart={ACTOR} serve\n",
    "lazy.socket": "[Socket]\nListenStream=/run/lazy.sock\n[Install]\nWantedBy=sockets.target\n",
    "lazy.service": f"[Service]\nExecStart={ACTOR} serve\n",
    "each.socket": "[Socket]\nListenStream=/run/each.sock\nAccept=yes\n[Install]\nWantedBy=sockets.target\n",
    "each@.service": "[Service]\nExecStart=-/bin/cat\nStandardInput=socket\nStandardOutput=socket\n",
    "file.path": "[Path]\nPathExists=/run/request\n[Install]\nWantedBy=paths.target\n",
    "file.service": "[Service]\nType=oneshot\nExecStart=/bin/rm /run/request\nExecStart=/bin/echo the request was served\n",
    "run-volume.mount": "[Mount]\nWhat=tmpfs\nWhere=/run/volume\nType=tmpfs\n" + WANTED,
}
SETUP = "mkdir /run/source; touch /run/healthy; for each in half slow leaving reloads; do mkfifo /run/$each; done\n"
# Those of which nothing moves by itself; the instance and the transient ones are added.
STILL = ["simple.service", "notify.service", "forking.service", "stored.service", "stays.service", "fails.service", "counts.service",
         "half.service", "base.service", "top.service", "healthy.service", "watched.service", "limited.service", "backoff.service", "slow.service",
         "waits.service", "late.service", "leaving.service", "reloads.service", "later.timer", "web.socket", "web.service", "lazy.socket",
         "each.socket", "file.path", "run-volume.mount", "multi-user.target", "made.service", "mine.scope"]
PROPERTIES = ("Id,ActiveState,SubState,MainPID,Result,NRestarts,InvocationID,ExecMainStartTimestampMonotonic,ActiveEnterTimestampMonotonic,"
              "ExecMainStatus,NFileDescriptorStore,NextElapseUSecMonotonic,Job,NAccepted,StatusText")


class World(Box):
    def __init__(self):
        enabled = [name for name, text in UNITS.items() if "[Install]" in text]
        super().__init__(UNITS, [name for name in enabled if name.endswith((".service", ".mount"))], setup=SETUP)
        for name in enabled:
            if not name.endswith((".service", ".mount")):
                self.enable(name, {"timer": "timers", "socket": "sockets", "path": "paths"}[name.rpartition(".")[2]] + ".target")
        self.clients, self.helpers, self.open = {}, [], collections.Counter()

    def close(self):
        for client in self.clients.values():
            client.close()
        for helper in self.helpers:
            helper.kill()
            helper.wait()
            helper.stdin.close()
            helper.stdout.close()
        super().close()

    def sh(self, script):
        return self.inside("sh", "-ec", script, check=True).stdout

    def kill_limited(self):
        pid = self.main_pid("limited")
        self.sh(f"kill {pid}")
        until("its restart, or that there is none", lambda: self.state("limited") == "failed" or self.main_pid("limited") not in (0, pid))

    def connect(self, name):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(20)
        client.connect(f"/proc/{self.init}/root/run/{name}.sock")
        return client

    def ask(self, name):
        self.clients[name].sendall(b"hello\n")
        return self.clients[name].recv(100)

    def snapshot(self):
        """What a person sees of what does not move, and which jobs there are."""
        self.wait_state("healthy.service", "active")
        text = self.initctl("show", "-p", PROPERTIES, *STILL, self.instance(), name="systemctl", check=True).stdout
        units = {re.search(r"^Id=(.*)$", block, re.M)[1]: dict(line.split("=", 1) for line in block.splitlines())
                 for block in text.strip().split("\n\n")}
        jobs = sorted(self.initctl("list-jobs", "--no-legend", name="systemctl", check=True).stdout.splitlines())
        return units, [job for job in jobs if "tick" not in job]

    def instance(self):
        return self.initctl("list-units", "--no-legend", "--plain", "each@*", name="systemctl", check=True).stdout.split()[0]

    def begin_everything(self):
        self.boot()
        self.initctl("set-environment", "KEPT=yes", name="systemctl", check=True)
        for _ in range(2):
            self.kill_limited()
        self.initctl("--unit=made", "sleep", "1011", name="systemd-run", check=True)
        self.helpers.append(self.begin("sh", "-c", f"exec {self.tools()}/systemd-run --scope --unit=mine sleep 1012 2>/dev/null"))
        until("the scope", lambda: self.state("mine.scope") == "active" and self.find("sleep 1012"))
        for name in ("web", "each"):
            self.clients[name] = self.connect(name)
        equal(self.ask("each"), b"hello\n", "an instance")
        equal(int(self.ask("web")), self.main_pid("web"), "who answers")
        self.wait_log(r"\[tick\] tick")
        self.initctl("start", "--no-block", "waits", "late", check=True)
        self.initctl("stop", "--no-block", "leaving", check=True)
        self.initctl("reload", "--no-block", "reloads", check=True)
        for name, state in (("slow", "start"), ("late", "start"), ("leaving", "stop"), ("reloads", "reload"), ("backoff", "auto-restart"),
                            ("fails", "failed"), ("run-volume.mount", "mounted")):
            until(f"{name} {state}", lambda name=name, state=state: self.show(name, "SubState") == state)
        until("what late says", lambda: self.show("late", "StatusText") == "on the way")
        until("a healthy service", lambda: self.initctl("wait", "--for=healthy", "healthy").returncode == 0)
        self.initctl("--unit=soon", "--on-active=5s", "echo", "has elapsed", name="systemd-run", check=True)
        self.open = self.descriptors()
        self.sh(f"kill {self.main_pid('comes-back')}")
        until("a pending restart", lambda: self.show("comes-back", "SubState") == "auto-restart")

    @staticmethod
    def tools():
        return os.path.dirname(harness.MONOINIT)

    def same_as(self, before):
        units, jobs = self.snapshot()
        for name, properties in before[0].items():
            equal(units.get(name), properties, name)
        equal(jobs, before[1], "jobs")
        check("KEPT=yes" in self.initctl("show-environment", name="systemctl").stdout, "the environment that was set")
        equal(self.ask("each"), b"hello\n", "an instance")
        equal(int(self.ask("web")), self.main_pid("web"), "who answers")

    def goes_on(self):
        """Every one of them, to its end."""
        self.sh(f"kill -USR1 {self.main_pid('notify')} {self.main_pid('late')}")
        until("a notification", lambda: self.show("notify", "StatusText") == "heard")
        self.wait_state("late.service", "active")
        self.sh(f"kill -USR2 {self.main_pid('notify')}")
        for fifo in ("half", "slow", "leaving", "reloads"):
            self.sh(f"echo go >/run/{fifo}")
        self.wait_log(r"^\[half\] half of a line$")
        self.wait_log(r"^\[slow\] the second command$")
        self.wait_state("waits.service", "active")
        self.wait_state("leaving.service", "inactive")
        self.wait_log(r"^\[reloads\] reloaded$")
        until("reloaded", lambda: self.show("reloads", "SubState") == "running")
        for name in ("lazy", "web", "each"):  # those that were listening, and those that have answered before
            fresh = name + " again"
            self.clients[fresh] = self.connect(name)
            self.ask(fresh)
        self.sh("touch /run/request")
        self.wait_log(r"^\[file\] the request was served$")
        watched = self.main_pid("watched")
        self.sh("touch /run/source/new")
        until("a restart of what is watched", lambda: self.main_pid("watched") not in (0, watched))
        self.kill_limited()
        equal(self.show("limited", "ActiveState"), "active", "the fourth start")
        self.kill_limited()
        equal(self.show("limited", "Result"), "start-limit-hit", "the starts of before count")
        self.initctl("restart", "stored", check=True)
        self.wait_log(r"^\[stored\] back: treasure what was kept$")
        ticks = self.log().count("[tick] tick")
        self.wait_log(r"\[tick\] tick", count=ticks + 2)
        self.wait_state("comes-back.service", "active")
        equal(self.show("comes-back", "NRestarts"), "1", "restarts")
        self.wait_log(r"^\[soon\] has elapsed$")
        healthy = self.main_pid("healthy")
        self.sh("rm /run/healthy")
        until("a restart of what is unhealthy", lambda: self.main_pid("healthy") not in (0, healthy))
        self.wait_state("notify.service", "failed")
        equal(self.show("notify", "Result"), "watchdog", "the one that fell silent")
        self.initctl("restart", "simple", "forking", check=True)
        self.initctl("stop", "made.service", "mine.scope", "run-volume.mount", check=True)
        equal(self.find("sleep 1011") + self.find("sleep 1012"), [], "what was stopped")
        self.a_new_logger()

    def a_new_logger(self):
        """By the image of now, with what the one before has left in the logger's memory."""
        pid = logger(processes(self))
        self.sh(f"kill -9 {pid}")
        until("a logger", lambda: logger(processes(self)) not in (None, pid))
        seen = self.log().count("[counts]")
        self.wait_log(r"^\[counts\]", count=seen + 5)

    def ends(self):
        """In order, with a status of success, and no line of the whole time was lost or torn."""
        equal(self.stop(), 0, "exit status")
        log = self.log()
        check(-1 < log.find("[top] stops") < log.find("[base] stops"), "the order of the stop")
        numbers = [int(number) for number in re.findall(r"^\[counts\] count (\d+)$", log, re.M)]
        equal(numbers, list(range(1, len(numbers) + 1)), "numbered lines")
        equal(log.count("[counts] "), len([line for line in log.splitlines() if re.fullmatch(r"\[counts\] count \d+", line)]), "whole lines")
        equal(log.count("has elapsed"), 1, "how often a timer elapsed")

    def descriptors(self):
        """Of PID 1, by kind; its binary has been replaced, and how many places are held free (/dev/null) changes."""
        kinds = descriptors(self)
        del kinds["/dev/null"]
        return collections.Counter("binary" if "/monoinit-bin-" in kind else kind for kind in kinds.elements())

    def no_descriptor_more(self):
        """Than before the first change; a restart was pending, and some are closed by a helper."""
        self.wait_state("comes-back.service", "active")
        with contextlib.suppress(Failure):
            until("descriptors to be closed", lambda: not self.descriptors() - self.open, 5)
        equal(dict(self.descriptors() - self.open), {}, "descriptors more than before")
