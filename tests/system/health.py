#!/usr/bin/env python3
"""Health checks with real services: found unhealthy and brought back, misbehaving checks, order, verdicts, re-exec."""
import json
import os
import signal
import socket

from harness import Box, check, equal, run, until

SERVER = """
import http.server, socketserver, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(open(sys.argv[2]).read()))
        self.end_headers()
    def log_message(self, *_):
        pass
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
QUICK = "Interval=100ms\nStartInterval=100ms\nTimeout=2s\nRetries=2\n"
SLEEPER = "[Service]\nExecStart=/bin/sleep infinity\n"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class WebBox(Box):
    """A box with a web server whose answer is the status in a file."""

    def __init__(self, settings=QUICK, **options):
        super().__init__(**options)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/healthz"
        with open(self.path("server.py"), "w", encoding="ascii") as out:
            out.write(SERVER)
        self.answer(200)
        self.write("web.service", f"[Service]\nExecStart=/usr/bin/python3 {self.path('server.py')} {self.port} {self.path('status')}\n"
                                  f"[X-Health]\nHttpGet={self.url}\n{settings}")
        self.enable("web.service")

    def answer(self, status):
        with open(self.path("new"), "w", encoding="ascii") as out:
            out.write(str(status))
        os.rename(self.path("new"), self.path("status"))


def first_check(box, unit):
    return box.status_json(unit)["unit"]["checks"][0]


def story_healthy_and_how_it_shows():
    with WebBox() as box:
        box.boot()
        equal(box.initctl("wait", "--for=healthy", "web").returncode, 0, "wait")
        equal(box.initctl("wait", "--for=ready", "web").returncode, 0, "wait for ready")
        box.wait_log(r"^\[monoinit\] web: healthy after .*$")
        verdict = box.initctl("health")
        equal((verdict.returncode, verdict.stdout), (0, "healthy\n"))
        check("running, healthy" in box.initctl().stdout, "overview")
        status = box.initctl("status", "web").stdout
        check("Health: healthy, checked" in status, status)
        listed = json.loads(box.initctl("health", "--json").stdout)["units"]
        equal([(unit["unit"], unit["health"]) for unit in listed], [("web.service", "healthy")])


def story_a_stopped_server_comes_back():
    with WebBox(QUICK.replace("2s", "400ms")) as box:
        box.boot()
        box.initctl("wait", "--for=healthy", "web", check=True)
        before = box.main_pid("web")
        box.inside("kill", "-STOP", str(before), check=True)
        box.wait_log(rf"^\[monoinit\] web: unhealthy: no answer from {box.url} within 0.4 s \(2 of 2\); restarting$")
        until("another process", lambda: box.main_pid("web") not in (0, before))
        box.initctl("wait", "--for=healthy", "web", check=True)
        equal(box.show("web", "NRestarts"), "1")


def story_http_status_decides():
    with WebBox(QUICK + "OnUnhealthy=none\n") as box:
        box.boot()
        box.initctl("wait", "--for=healthy", "web", check=True)
        before = box.main_pid("web")
        box.answer(500)
        box.wait_log(rf"^\[monoinit\] web: unhealthy: HTTP 500 from {box.url} \(2 of 2\)$")
        verdict = box.initctl("health")
        equal(verdict.returncode, 1)
        check(verdict.stdout.startswith(f"unhealthy\nweb: unhealthy: HTTP 500 from {box.url}"), verdict.stdout)
        check("HTTP/1.0 500" in first_check(box, "web")["output"], "the answer is kept")
        waited = box.initctl("wait", "--for=healthy", "--timeout=10ms", "web")
        equal(waited.returncode, 3)
        check("HTTP 500" in waited.stderr, waited.stderr)
        equal(box.initctl("wait", "--for=active", "web").returncode, 0)
        box.answer(302)
        box.wait_log(r"^\[monoinit\] web: healthy again$")
        equal(box.main_pid("web"), before, "it was left alone")


def story_a_check_that_hangs_forks_and_prints():
    script = "(sleep 1234 & setsid sleep 1234 & ) ; head -c 1000000000 /dev/zero; sleep 1234"
    bad = SLEEPER + f"[X-Health]\nExec=/bin/sh -c '{script}'\nInterval=1h\nTimeout=2s\nStartPeriod=0\nRetries=1\nOnUnhealthy=none\n"
    with Box({"bad.service": bad}, ["bad.service"]) as box:
        box.boot()
        box.wait_log(r"^\[monoinit\] bad: unhealthy: no answer from /bin/sh within 2 s \(1 of 1\)$")
        until("nothing of it is left", lambda: not box.find("sleep 1234"))
        equal(len(box.find("guard: ")), 1, "guards")
        check("\0" not in box.log(), "its output stays out of the log")
        until("at most 4 kB are kept", lambda: len(first_check(box, "bad").get("output", "")) <= 4096)
        equal(box.initctl("is-active", "bad").stdout.strip(), "active")


def story_output_is_bounded_and_apart():
    script = "head -c 50000000 /dev/zero | tr \"\\\\\\\\0\" x; echo; echo the end; exit 3"
    bad = SLEEPER + f"[X-Health]\nExec=/bin/sh -c '{script}'\nInterval=1h\nTimeout=60s\nStartPeriod=0\nRetries=1\nOnUnhealthy=none\n"
    with Box({"bad.service": bad}, ["bad.service"]) as box:
        box.boot()
        box.wait_log(r"^\[monoinit\] bad: unhealthy: /bin/sh: exit 3: the end \(1 of 1\)$")
        output = first_check(box, "bad")["output"]
        equal(len(output), 4096)
        check(output.endswith("x\nthe end\n"), output[-50:])
        check("[bad]" not in box.log(), "its output stays out of the log")
        check("the end" in box.initctl("status", "bad").stdout, "status shows the end of it")


def story_as_the_unit_itself():
    script = "test \"$(id -u)\" = 65534 && test \"$A\" = b && test -z \"$NOTIFY_SOCKET\" && test -n \"$MAINPID\" && test \"$PWD\" = /tmp || { id -u; env; exit 1; }"
    user = ("[Service]\nUser=65534\nEnvironment=A=b\nWorkingDirectory=/tmp\nNotifyAccess=all\nExecStart=/bin/sleep infinity\n"
            f"[X-Health]\nExec=:/bin/sh -c '{script}'\n{QUICK}")
    with Box({"user.service": user}, ["user.service"]) as box:
        box.boot()
        waited = box.initctl("wait", "--for=healthy", "--timeout=10", "user")
        equal(waited.returncode, 0, waited.stderr + json.dumps(first_check(box, "user")))


def story_order():
    with Box() as box:
        ready = box.path("ready")
        box.write("db.service", SLEEPER + f"[X-Health]\nFileExists={ready}*\n{QUICK}")
        box.write("app.service", "[Unit]\nX-AfterHealthy=db.service\n" + SLEEPER)
        box.enable("db.service")
        box.enable("app.service")
        box.boot(wait=False)
        box.wait_log(r"^\[monoinit\] app: waits until db is healthy$")
        equal(box.state("app"), "inactive")
        equal(box.initctl("health").returncode, 1, "starting is not healthy")
        open(ready + ".1", "w", encoding="ascii").close()
        box.wait_log(r"^\[monoinit\] ready in ")
        equal(box.state("app"), "active")
        equal(box.initctl("health").returncode, 0)


def story_order_and_failure():
    never = f"[X-Health]\nFileExists=/no/such/file\nStartPeriod=0\nOnUnhealthy=stop\n{QUICK}"
    with Box({"db.service": SLEEPER + never, "app.service": "[Unit]\nX-AfterHealthy=db.service\n" + SLEEPER}, ["db.service", "app.service"]) as box:
        box.boot()
        box.wait_log(r"^\[monoinit\] app not started: db was stopped \(unhealthy: /no/such/file: No such file or directory \(2 of 2\)\); it is in X-AfterHealthy=$")
        check("X-AfterHealthy=" in box.initctl("status", "app").stdout, "Why")


def story_verdicts():
    sections = "".join(f"[X-Health{kind}]\nFileExists=/run/{kind}\n{QUICK}" for kind in ("Startup", "Ready", "Live"))
    with Box({"a.service": SLEEPER + sections, "plain.service": SLEEPER}, ["a.service", "plain.service"]) as box:
        box.boot()
        kinds = ("--startup", "--ready", "--live")

        def verdicts():
            return tuple(box.initctl("health", kind).returncode for kind in kinds)

        equal(verdicts(), (1, 1, 0), "starting")
        box.inside("touch", "/run/Startup", check=True)
        until("started", lambda: verdicts() == (0, 1, 0))
        box.inside("touch", "/run/Ready", "/run/Live", check=True)
        until("healthy", lambda: verdicts() == (0, 0, 0))
        box.inside("rm", "/run/Ready", check=True)
        until("not ready is no reason to die", lambda: verdicts() == (0, 1, 0))
        equal(box.initctl("health", "plain").returncode, 0, "by name")
        equal(box.initctl("health", "plain", "a").returncode, 1, "by name")
        equal(box.initctl("health", "--nonsense").returncode, 2, "usage")
        equal(box.initctl("health", "ghost").returncode, 1, "unknown")
        box.initctl("stop", "a", check=True)
        equal(box.initctl("health").returncode, 0, "what a person stopped does not count")
        equal(box.initctl("health", "a").returncode, 1, "but by name")


def story_fail_container():
    bad = SLEEPER + f"[X-Health]\nTcpConnect={free_port()}\nStartPeriod=0\nOnUnhealthy=fail-container\n{QUICK}"
    with Box({"bad.service": bad, "web.service": "[Unit]\nAfter=bad.service\n" + SLEEPER}, ["bad.service", "web.service"]) as box:
        box.boot()
        equal(box.wait(), 1, "exit status")
        check("bad: unhealthy: connection refused by localhost:" in box.log() and "; ending the container" in box.log(), box.log())


def story_reexec_keeps_health():
    with WebBox(QUICK + "OnUnhealthy=none\n") as box:
        hanging = SLEEPER + "[X-Health]\nExec=/bin/sleep 4321\nInterval=1h\nTimeout=1h\n"
        box.write("slow.service", hanging)
        box.enable("slow.service")
        box.boot()
        box.initctl("wait", "--for=healthy", "web", check=True)
        until("a check runs", lambda: box.find("sleep 4321"))
        running = box.find("sleep 4321")
        box.initctl("daemon-reexec", check=True)
        box.wait_log(r"took over; services were not touched")
        equal(box.initctl("health", "web").returncode, 0, "still healthy")
        until("the check under way is made again", lambda: box.find("sleep 4321") not in ([], running))
        check(not set(box.find("sleep 4321")) & set(running), "and the one before has ended")
        box.answer(503)
        box.wait_log(r"web: unhealthy: HTTP 503 ")


def story_a_killed_check():
    with Box({"a.service": SLEEPER + "[X-Health]\nExec=/bin/sh -c 'sleep 777 & sleep 888'\nInterval=1h\nTimeout=1h\nStartPeriod=0\nRetries=1\nOnUnhealthy=none\n"},
             ["a.service"]) as box:
        box.boot()
        until("the check runs", lambda: box.find("sleep 777") and box.find("sleep 888"))
        parents = {pid: parent for pid, (parent, _, _) in box.pids().items()}
        guard = parents[parents[[pid for pid in box.find("sleep 888") if pid not in box.find("sh -c")][0]]]
        box.inside("kill", "-9", str(guard), check=True)
        box.wait_log(r"a: unhealthy: the check was killed \(1 of 1\)")
        until("nothing of it is left", lambda: not box.find("sleep 777") and not box.find("sleep 888"))
        equal(box.state("a"), "active")


def story_log_line():
    talks = "[Service]\nExecStart=/bin/sh -c 'echo hello; while [ ! -e /run/go ]; do sleep 0.05; done; echo server is up on port 80; exec sleep infinity'\n"
    with Box({"a.service": talks + "[X-HealthStartup]\nLogLine=is up on port ?0\n" + QUICK}, ["a.service"]) as box:
        box.boot()
        until("a line that is not there", lambda: "no line with" in first_check(box, "a").get("text", ""))
        equal(box.initctl("health", "--startup").returncode, 1)
        box.inside("touch", "/run/go", check=True)
        box.initctl("wait", "--for=healthy", "a", check=True)


def story_ready_outward():
    with Box() as box:
        outer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        outer.bind(box.path("notify"))
        outer.settimeout(20)
        box.env["NOTIFY_SOCKET"] = box.path("notify")
        box.write("db.service", SLEEPER + f"[X-Health]\nFileExists=/run/ready\n{QUICK}")
        box.enable("db.service")
        box.boot()
        outer.setblocking(False)
        try:
            early = outer.recv(4096)
        except BlockingIOError:
            early = b""
        check(b"READY=1" not in early, early)
        outer.settimeout(20)
        box.inside("touch", "/run/ready", check=True)
        check(outer.recv(4096).startswith(b"READY=1"), "READY=1 once all is healthy")


def story_reload_and_shutdown_in_the_middle():
    with WebBox() as box:
        box.boot()
        box.initctl("wait", "--for=healthy", "web", check=True)
        box.write("web.service.d/more.conf", "[X-Health]\nExec=/bin/sleep 999\nTimeout=1h\n")
        box.initctl("daemon-reload", check=True)
        until("the new check runs", lambda: box.find("sleep 999"))
        equal(box.stop(signal.SIGTERM), 0)
        check("unhealthy" not in box.log(), box.log())


if __name__ == "__main__":
    run(globals())
