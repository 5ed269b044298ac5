#!/usr/bin/env python3
"""Socket units for real: TCP and Unix servers that are started by what comes in, one instance a connection, wrong ones, reload,
re-exec, crash and restart without losing anybody. What is passed in is judged by libsystemd where the machine has it."""
import json
import os
import re
import signal
import socket
import stat
import threading

from harness import Box, budget_kb, check, equal, run, until

# What a service was given, as sd_listen_fds(3) sees it: by libsystemd itself where there is one.
TOLD = """
import ctypes, ctypes.util, os
def given():
    path = ctypes.util.find_library("systemd") or "libsystemd.so.0"
    try:
        lib = ctypes.CDLL(path)
    except OSError:
        assert int(os.environ["LISTEN_PID"]) == os.getpid()
        return os.environ["LISTEN_FDNAMES"].split(":")
    names = ctypes.POINTER(ctypes.c_char_p)()
    n = lib.sd_listen_fds_with_names(0, ctypes.byref(names))
    return [names[i].decode() for i in range(n)]
"""
SERVER = TOLD + """
import selectors, socket, sys
names = given()
print("given", *names, flush=True)
chooser = selectors.DefaultSelector()
for i in range(len(names)):
    chooser.register(socket.socket(fileno=3 + i), selectors.EVENT_READ, names[i])
while True:
    for key, _ in chooser.select():
        connection, _ = key.fileobj.accept()
        with connection:
            connection.sendall(f"{os.getpid()} {key.data} {connection.recv(100).decode()}".encode())
"""


def server_units(box, listen, socket_lines="", service_lines=""):
    with open(box.path("server.py"), "w", encoding="utf-8") as out:
        out.write(SERVER)
    box.write("web.socket", f"[Socket]\n{listen}\n{socket_lines}\n[Install]\nWantedBy=sockets.target\n")
    box.write("web.service", f"[Unit]\nStartLimitBurst=0\n[Service]\nExecStart=/usr/bin/env python3 {box.path('server.py')}\n{service_lines}\n")
    box.enable("web.socket", "sockets.target")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def ask(address, text="hello", timeout=20):
    with socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX) as client:
        client.settimeout(timeout)
        client.connect(address)
        client.sendall(text.encode())
        return client.recv(1000).decode()


def inside(box, path):
    return f"/proc/{box.init}/root{path}"


def story_a_tcp_server_starts_with_its_first_client():
    with Box() as box:
        port = free_port()
        server_units(box, f"ListenStream=127.0.0.1:{port}", "FileDescriptorName=http")
        box.boot()
        equal(box.show("web.socket", "SubState"), "listening")
        equal(box.state("web.service"), "inactive", "nobody has come yet")
        first = ask(("127.0.0.1", port)).split()
        equal(first[1:], ["http", "hello"])
        box.wait_log(r"^\[web\] given http$")
        equal(int(first[0]), box.main_pid("web"))
        equal(box.show("web.socket", "SubState"), "running")
        equal(ask(("127.0.0.1", port)).split()[0], first[0], "the same process")
        table = box.initctl("list-sockets", name="systemctl").stdout.splitlines()
        equal(table[0].split(), ["LISTEN", "UNIT", "ACTIVATES"])
        equal(table[1].split(), [f"127.0.0.1:{port}", "web.socket", "web.service"])
        equal(table[3], "1 sockets listed.")
        told = json.loads(box.initctl("--json", "list-sockets").stdout)
        equal(told, [{"listen": f"127.0.0.1:{port}", "unit": "web.socket", "activates": "web.service"}])
        equal(box.show("web.socket", "Listen"), f"127.0.0.1:{port} (Stream)")
        status = box.initctl("status", "web.socket").stdout
        check(f"127.0.0.1:{port} (Stream)" in status and "Starts: web" in status, status)
        check("web.socket" in box.initctl("status", "web").stdout, "Triggered")
        # Stopped by hand, it comes back with the next client; restarted, nobody is turned away.
        box.initctl("stop", "web.service", check=True)
        equal(box.show("web.socket", "SubState"), "listening")
        check(ask(("127.0.0.1", port)).split()[0] != first[0], "a new process")
        box.initctl("stop", "web.service", "web.socket", check=True)
        try:
            ask(("127.0.0.1", port))
        except ConnectionRefusedError:
            pass
        else:
            check(False, "nobody listens any more")
        for _ in range(5):
            box.initctl("restart", "web.socket", check=True)
        check(ask(("127.0.0.1", port)), "an answer")
        equal(box.stop(), 0, "exit status")


def story_unix_sockets_belong_to_whom_they_should():
    with Box() as box:
        server_units(box, "ListenStream=/run/app/web.sock\nListenStream=@monoinit-test-%s" % os.getpid(),
                     "SocketMode=0640\nSocketUser=daemon\nSocketGroup=mail\nDirectoryMode=0711\nSymlinks=/run/old.sock\nRemoveOnStop=yes")
        box.boot()
        found = os.stat(inside(box, "/run/app/web.sock"))
        check(stat.S_ISSOCK(found.st_mode), "a socket")
        equal((stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid), (0o640, 1, 8))
        equal(stat.S_IMODE(os.stat(inside(box, "/run/app")).st_mode), 0o711)
        equal(ask(inside(box, "/run/app/web.sock")).split()[1:], ["web.socket", "hello"])
        equal(ask("\0monoinit-test-%s" % os.getpid()).split()[1:], ["web.socket", "hello"])
        box.wait_log(r"^\[web\] given web.socket web.socket$")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(inside(box, "/run/app/web.sock"))
            pid = int.from_bytes(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], "little")
            equal(pid, box.init, "who listens")
            client.sendall(b"served")  # one that still waits would start the service again
            client.recv(100)
        equal(os.readlink(inside(box, "/run/old.sock")), "/run/app/web.sock")
        for _ in range(5):
            box.initctl("stop", "web.service", check=True)
            box.initctl("restart", "web.socket", check=True)
            equal(ask("\0monoinit-test-%s" % os.getpid()).split()[1:], ["web.socket", "hello"])
        box.initctl("stop", "web.service", "web.socket", check=True)
        until("they are removed", lambda: not os.path.lexists(inside(box, "/run/app/web.sock")) and not os.path.lexists(inside(box, "/run/old.sock")))


def story_a_pipe_that_somebody_else_has_made():
    with Box(setup="mkfifo -m 666 /run/theirs; chown daemon /run/theirs; mkfifo -m 600 /run/own; chown daemon /run/own") as box:
        box.write("theirs.socket", "[Socket]\nListenFIFO=/run/theirs\n")
        box.write("theirs.service", "[Service]\nExecStart=/bin/cat\n")
        box.write("own.socket", "[Socket]\nListenFIFO=/run/own\nSocketUser=daemon\n")
        box.write("own.service", "[Service]\nExecStart=/bin/cat\n")
        for name in ("theirs.socket", "own.socket"):
            box.enable(name, "sockets.target")
        box.boot()
        equal(box.initctl("is-active", "theirs.socket", "own.socket").stdout.split(), ["failed", "active"])
        check("theirs.socket: cannot listen on /run/theirs: File exists" in box.log(), box.log())
        equal(os.stat(inside(box, "/run/theirs")).st_uid, 1, "left as it was")


def story_without_root():
    with Box(uid=1000, setup="mkdir -m 777 /run/user") as box:
        port = free_port()
        server_units(box, f"ListenStream=127.0.0.1:{port}\nListenStream=/run/user/web.sock")
        box.write("low.socket", "[Socket]\nListenStream=/etc/low.sock\n")
        box.write("low.service", "[Service]\nExecStart=/bin/cat\n")
        box.enable("low.socket", "sockets.target")
        box.boot()
        equal(ask(("127.0.0.1", port)).split()[1:], ["web.socket", "hello"])
        equal(ask(inside(box, "/run/user/web.sock")).split()[1:], ["web.socket", "hello"])
        check("low.socket: cannot listen on /etc/low.sock: Permission denied" in box.log(), box.log())


def story_all_sockets_of_a_service():
    with Box() as box:
        server_units(box, "ListenStream=/run/a.sock", "FileDescriptorName=one")
        box.write("more.socket", "[Socket]\nListenStream=/run/b.sock\nFileDescriptorName=two\nService=web.service\n")
        box.write("third.socket", "[Socket]\nListenStream=/run/c.sock\n")
        box.write("third.service", "[Service]\nExecStart=/bin/false\n")
        box.write("web.service.d/more.conf", "[Service]\nSockets=third.socket\nNonBlocking=no\n")
        box.enable("more.socket", "sockets.target")
        box.boot()
        equal(ask(inside(box, "/run/b.sock")).split()[1:], ["two", "hello"])
        given = box.wait_log(r"^\[web\] given (.*)$")[0].split()
        equal(sorted(given), ["one", "third.socket", "two"])
        equal(ask(inside(box, "/run/a.sock")).split()[1:], ["one", "hello"])


def story_one_instance_a_connection():
    units = {"echo.socket": "[Socket]\nListenStream=127.0.0.1:{port}\nAccept=yes\nMaxConnections=300\nTriggerLimitBurst=0\nPollLimitBurst=0\n",
             "echo@.service": "[Service]\nExecStart=/bin/sh -c 'read line; echo \"$line $REMOTE_ADDR $REMOTE_PORT %i\"'\nStandardInput=socket\nStandardOutput=socket\nStandardError=journal\n"}
    port = free_port()
    units["echo.socket"] = units["echo.socket"].format(port=port)
    with Box(units) as box:
        box.enable("echo.socket", "sockets.target")
        box.boot()
        clients = []
        for i in range(200):
            client = socket.create_connection(("127.0.0.1", port), timeout=20)
            clients.append(client)
        until("all are accepted", lambda: box.show("echo.socket", "NConnections") == "200")
        equal(box.show("echo.socket", "SubState"), "listening")
        for i, client in enumerate(clients):
            client.sendall(b"line %d\n" % i)
        for i, client in enumerate(clients):
            address, local = client.getsockname(), client.getpeername()
            got = b""
            while not got.endswith(b"\n"):
                piece = client.recv(1000)
                check(piece, f"connection {i} ended with {got!r}")
                got += piece
            words = got.decode().split()
            equal(words[:4], ["line", str(i), "127.0.0.1", str(address[1])])
            check(re.fullmatch(rf"\d+-127.0.0.1:{local[1]}-127.0.0.1:{address[1]}", words[4]), words[4])
            equal(client.recv(10), b"", "and its end")
            client.close()
        until("all have gone", lambda: box.show("echo.socket", "NConnections") == "0")
        equal(box.show("echo.socket", "NAccepted"), "200")
        until("they are forgotten", lambda: "echo@" not in box.initctl("list-units", "--all", name="systemctl").stdout)
        until("descriptors are closed", lambda: len(os.listdir(f"/proc/{box.init}/fd")) < 130)


def story_many_connections_one_after_the_other_leave_nothing():
    port = free_port()
    units = {"bad.socket": f"[Socket]\nListenStream=127.0.0.1:{port}\nAccept=yes\nTriggerLimitBurst=0\nPollLimitBurst=0\n",
             "bad@.service": "[Service]\nExecStart=/bin/false\n"}
    with Box(units) as box:
        box.enable("bad.socket", "sockets.target")
        box.boot()

        def memory():
            with open(f"/proc/{box.init}/smaps_rollup", encoding="ascii") as text:
                return int(re.search(r"^Pss_Anon: *(\d+)", text.read(), re.M)[1])

        def rounds(number):
            for _ in range(number):
                with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
                    equal(client.recv(1), b"", "its service has failed")
            until("all have gone", lambda: box.show("bad.socket", "NConnections") == "0")

        rounds(100)
        descriptors, before = len(os.listdir(f"/proc/{box.init}/fd")), memory()
        rounds(300)
        check(len(os.listdir(f"/proc/{box.init}/fd")) <= descriptors + 3, "descriptors")
        check(memory() < before + budget_kb(300), f"{memory()} kB after {before} kB")
        equal(box.show("bad.socket", "NAccepted"), "400")
        check("bad@" not in box.initctl("list-units", "--all", name="systemctl").stdout, "instances are left")
        box.initctl("daemon-reexec", check=True)
        rounds(3)


def story_too_many_connections():
    port = free_port()
    units = {"echo.socket": f"[Socket]\nListenStream=127.0.0.1:{port}\nAccept=yes\nMaxConnections=2\n",
             "echo@.service": "[Service]\nExecStart=/bin/cat\nStandardInput=socket\nStandardOutput=socket\n"}
    with Box(units) as box:
        box.enable("echo.socket", "sockets.target")
        box.boot()
        first, second = (socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(2))
        for each in (first, second):
            each.sendall(b"x")
            equal(each.recv(1), b"x")
        with socket.create_connection(("127.0.0.1", port), timeout=20) as third:
            equal(third.recv(1), b"", "closed at once")
        box.wait_log(r"echo.socket: too many connections \(2\), one more was closed")
        equal(box.show("echo.socket", "NRefused"), "1")
        first.close()
        until("there is room again", lambda: box.show("echo.socket", "NConnections") == "1")
        with socket.create_connection(("127.0.0.1", port), timeout=20) as third:
            third.sendall(b"y")
            equal(third.recv(1), b"y")
        second.close()


def story_what_is_wrong_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        service = "[Service]\nExecStart=/bin/sleep infinity\n"
        units = {"web.socket": f"[Socket]\nListenStream=127.0.0.1:{port}\n", "web.service": service,
                 "alone.socket": "[Socket]\nListenStream=/run/alone.sock\n",
                 "empty.socket": "[Socket]\nBacklog=3\n", "empty.service": service,
                 "user.socket": "[Socket]\nListenStream=/run/u.sock\nSocketUser=nobody-of-that-name\n", "user.service": service,
                 "far.socket": "[Socket]\nListenStream=203.0.113.7:80\n", "far.service": service,
                 "good.socket": "[Socket]\nListenDatagram=/run/good.sock\n", "good.service": service}
        with Box(units) as box:
            for name in ("web", "alone", "empty", "user", "far", "good"):
                box.enable(name + ".socket", "sockets.target")
            box.boot()
            log = box.log()
            check(f"web.socket: cannot listen on 127.0.0.1:{port}: Address already in use" in log, log)
            check("alone.socket: not started: alone.service is not there" in log, log)
            check("user.socket: SocketUser=nobody-of-that-name: no such user" in log, log)
            check("far.socket: cannot listen on 203.0.113.7:80: Cannot assign requested address" in log, log)
            equal(box.show("empty.socket", "LoadState"), "bad-setting")
            equal(box.show("web.socket", "Result"), "resources")
            equal(box.state("web.socket"), "failed")
            equal(box.state("good.socket"), "active", "the others are not concerned")
            check("Address already in use" in box.initctl("status", "web.socket").stdout, box.initctl("status", "web.socket").stdout)
            taken.close()
            box.initctl("start", "web.socket", check=True)
            equal(box.state("web.socket"), "active")
            box.initctl("stop", "good.socket", check=True)
            box.initctl("start", "good.service", check=True)
            refused = box.initctl("start", "good.socket")
            check(refused.returncode != 0, refused.stdout)
            box.wait_log("good.socket: not started: good.service runs already, without it")


def story_a_service_that_crashes_at_once():
    units = {"bad.socket": "[Socket]\nListenStream=/run/bad.sock\n", "bad.service": "[Service]\nExecStart=/bin/false\n",
             "loop.socket": "[Socket]\nListenStream=/run/loop.sock\nTriggerLimitBurst=3\nPollLimitBurst=0\n",
             "loop.service": "[Unit]\nStartLimitBurst=0\n[Service]\nExecStart=/bin/false\n"}
    with Box(units) as box:
        box.enable("bad.socket", "sockets.target")
        box.enable("loop.socket", "sockets.target")
        box.boot()
        for name, result in (("bad", "service-start-limit-hit"), ("loop", "trigger-limit-hit")):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(inside(box, f"/run/{name}.sock"))
                box.wait_state(f"{name}.socket", "failed")
            equal(box.show(f"{name}.socket", "Result"), result)
        box.wait_log(r"loop.socket: failed: triggered too often: more than 3 times in 2 s \(TriggerLimitBurst=\)")
        box.wait_log(r"bad.socket: failed: bad.service was started too often")


class Clients(threading.Thread):
    """One client after another; each must be answered."""

    def __init__(self, address):
        super().__init__()
        self.address, self.over, self.answers, self.trouble = address, threading.Event(), [], None

    def run(self):
        try:
            while not self.over.is_set():
                self.answers.append(ask(self.address).split()[0])
        except OSError as error:
            self.trouble = error

    def end(self):
        self.over.set()
        self.join()
        check(self.trouble is None, f"after {len(self.answers)} answers: {self.trouble!r}")


def story_nobody_is_lost_by_reload_reexec_and_crash():
    with Box() as box:
        port = free_port()
        server_units(box, f"ListenStream=127.0.0.1:{port}")
        box.write("idle.socket", "[Socket]\nListenStream=/run/idle.sock\n")
        box.write("idle.service", "[Service]\nExecStart=/bin/sleep infinity\n")
        box.enable("idle.socket", "sockets.target")
        box.boot()
        clients = Clients(("127.0.0.1", port))
        clients.start()
        until("it runs", lambda: clients.answers or clients.trouble)
        for what in (lambda: box.initctl("daemon-reload", check=True), lambda: box.initctl("daemon-reexec", check=True), lambda: os.kill(box.init, signal.SIGSEGV)):
            before = len(clients.answers)
            what()
            until("more answers", lambda: len(clients.answers) > before + 20 or clients.trouble)
            equal(box.state("web.socket"), "active")
        box.wait_log("PID 1 crashed")
        clients.end()
        equal(len(set(clients.answers)), 1, "the server was not touched")
        # One that waits for its first client still does, and still works.
        equal(box.show("idle.socket", "SubState"), "listening")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(inside(box, "/run/idle.sock"))
            box.wait_state("idle.service", "active")
        # The server killed after all that is started again by whoever comes.
        box.initctl("stop", "web.service", check=True)
        check(ask(("127.0.0.1", port)), "an answer")
        equal(box.stop(), 0, "exit status")


def story_nobody_is_lost_by_a_restart():
    with Box() as box:
        port = free_port()
        # A client that it has accepted and not answered is lost with it, so it answers before it goes.
        server_units(box, f"ListenStream=127.0.0.1:{port}", service_lines="KillSignal=SIGUSR1")
        with open(box.path("server.py"), "w", encoding="utf-8") as out:
            out.write(SERVER.replace("names = given()", "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})\nnames = given()")
                      .replace("    for key, _ in chooser.select():",
                               "    if signal.sigtimedwait({signal.SIGUSR1}, 0): sys.exit(0)\n    for key, _ in chooser.select(0.01):"))
        box.boot()
        clients = Clients(("127.0.0.1", port))
        clients.start()
        until("it runs", lambda: clients.answers or clients.trouble)
        for _ in range(3):
            before = len(set(clients.answers))
            box.initctl("restart", "web.service", check=True)
            until("the next one answers", lambda: len(set(clients.answers)) > before or clients.trouble)
        clients.end()
        check(len(set(clients.answers)) >= 4, "each had its turn")


def story_a_connection_outlives_a_new_image():
    port = free_port()
    units = {"echo.socket": f"[Socket]\nListenStream=127.0.0.1:{port}\nAccept=yes\n",
             "echo@.service": "[Service]\nExecStart=/bin/cat\nStandardInput=socket\nStandardOutput=socket\n"}
    with Box(units) as box:
        box.enable("echo.socket", "sockets.target")
        box.boot()
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(b"a")
            equal(client.recv(1), b"a")
            box.initctl("daemon-reexec", check=True)
            client.sendall(b"b")
            equal(client.recv(1), b"b")
            equal(box.show("echo.socket", "NConnections"), "1")
            with socket.create_connection(("127.0.0.1", port), timeout=20) as other:
                other.sendall(b"c")
                equal(other.recv(1), b"c")
        until("both have gone", lambda: box.show("echo.socket", "NConnections") == "0")


def story_commands_around_the_socket():
    unit = ("[Socket]\nListenFIFO=/run/f/fifo\nListenDatagram=/run/d.sock\nExecStartPre=/bin/sh -c 'test ! -e /run/d.sock && echo pre'\n"
            "ExecStartPost=/bin/sh -c 'test -S /run/d.sock && test -p /run/f/fifo && echo post'\n"
            "ExecStopPre=/bin/echo going\nExecStopPost=/bin/echo gone\n")
    units = {"x.socket": unit, "x.service": "[Service]\nExecStart=/bin/sh -c 'read line <&3; echo \"$LISTEN_FDS $line\"; exec sleep 1000'\n",
             "y.socket": "[Socket]\nListenStream=/run/y.sock\nExecStartPre=/bin/false\n", "y.service": "[Service]\nExecStart=/bin/true\n",
             "z.socket": "[Socket]\nListenStream=/run/z.sock\nExecStartPost=/bin/sleep 1000\nTimeoutSec=200ms\n", "z.service": "[Service]\nExecStart=/bin/true\n"}
    with Box(units) as box:
        for name in ("x", "y", "z"):
            box.enable(name + ".socket", "sockets.target")
        box.boot()
        log = box.log()
        check(log.index("[x.socket] pre") < log.index("[x.socket] post"), log)
        equal(box.state("y.socket"), "failed")
        equal(box.show("y.socket", "Result"), "exit-code")
        equal(box.show("z.socket", "Result"), "timeout")
        check(not box.find("sleep 1000"), "what took too long was killed")
        with open(inside(box, "/run/f/fifo"), "wb", buffering=0) as fifo:
            fifo.write(b"through the fifo\n")
            box.wait_log(r"^\[x\] 2 through the fifo$")
        box.initctl("stop", "x.service", "x.socket", check=True)
        box.wait_log(r"^\[x.socket\] gone$")
        log = box.log()
        check(log.index("[x.socket] going") < log.index("[x.socket] gone"), log)


def story_a_command_that_hangs_does_not_hold_the_shutdown_up():
    units = {"x.socket": "[Socket]\nListenStream=/run/x.sock\nExecStopPre=/bin/sleep 1000\n", "x.service": "[Service]\nExecStart=/bin/cat\n"}
    with Box(units, args=["--shutdown-timeout=1"]) as box:
        box.enable("x.socket", "sockets.target")
        box.boot()
        equal(box.stop(), 0, "exit status")


def story_the_example():
    example = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/socket")
    names = ("web.socket", "web.service", "hello.socket", "hello@.service")
    units = {}
    for name in names:
        with open(os.path.join(example, name), encoding="utf-8") as text:
            units[name] = text.read()
    with Box(units) as box:
        web, hello = free_port(), free_port()
        box.write("web.socket.d/port.conf", f"[Socket]\nListenStream=\nListenStream=127.0.0.1:{web}\n")
        box.write("hello.socket.d/port.conf", f"[Socket]\nListenStream=\nListenStream=127.0.0.1:{hello}\n")
        box.enable("web.socket", "sockets.target")
        box.enable("hello.socket", "sockets.target")
        box.boot()
        equal(box.initctl("verify", "web.socket", "web.service", "hello.socket").returncode, 0, "verify")
        equal(ask(("127.0.0.1", hello), "world\n"), "hello world, you came from 127.0.0.1\n")
        check(ask(("127.0.0.1", web), "GET / HTTP/1.0\r\n\r\n").startswith("HTTP/1.0 200"), "a page")


if __name__ == "__main__":
    run(globals())
