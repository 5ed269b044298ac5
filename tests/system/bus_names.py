#!/usr/bin/env python3
"""Type=dbus against Debian's dbus-daemon: up when BusName= appears, down when it goes, nothing waits for a bus that is not there."""
import os
import shutil
import sys

from harness import INITCTL, Box, budget_kb, check, equal, run, until

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth><servicedir>{services}</servicedir>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="*"/><allow receive_type="*"/></policy></busconfig>
"""
SOCKET = "[Socket]\nListenStream=/run/dbus/system_bus_socket\n[Install]\nWantedBy=sockets.target\n"
DAEMON = "[Unit]\nRequires=dbus.socket\n[Service]\nType=notify\nNotifyAccess=main\nExecStart=/usr/bin/dbus-daemon --config-file={config} --address=systemd: --systemd-activation --nofork --nopidfile\n"
# Owns the name from the first SIGUSR1 on until the second: written in the wire protocol itself, so that no library is needed.
OWNER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bus_owner.py")
SERVICE = "[Service]\nType=dbus\nBusName=org.example.App\nExecStart={python} {owner} org.example.App {options}\n{more}\n"


class BusBox(Box):
    def __init__(self, options="", more="", socket=True, **boxed):
        super().__init__(**boxed)
        config = self.path("bus.conf")
        with open(config, "w", encoding="ascii") as out:
            out.write(CONFIG.format(services=self.path("services")))
        os.mkdir(self.path("services"))
        for name, unit in (("org.example.App", "app.service"), ("org.example.Gone", "gone.service"), ("org.example.Bad", "bad.service")):
            with open(self.path("services", name + ".service"), "w", encoding="ascii") as out:
                out.write(f"[D-BUS Service]\nName={name}\nExec=/bin/false\nUser=root\nSystemdService={unit}\n")
        self.write("app.service", SERVICE.format(python=sys.executable, owner=OWNER, options=options, more=more))
        if socket:
            self.write("dbus.socket", SOCKET)
            self.write("dbus.service", DAEMON.format(config=config))
            self.enable("dbus.socket", "sockets.target")


def story_up_with_the_name():
    with BusBox(more="TimeoutStartSec=60") as box:
        box.boot()
        equal(box.state("dbus.service"), "inactive", "nobody has asked for the bus")
        start = box.begin(os.path.abspath(INITCTL), "start", "app")
        box.wait_log(r"^\[app\] connected$")
        equal(box.state("dbus.service"), "active", "the client has started it")
        equal(box.state("app"), "activating")
        equal(start.poll(), None, "start waits")
        box.inside("kill", "-USR1", str(box.main_pid("app")), check=True)
        equal(start.wait(timeout=20), 0)
        equal(box.state("app"), "active")
        box.inside("kill", "-USR1", str(box.main_pid("app")), check=True)
        box.wait_state("app", "inactive")
        equal(box.show("app", "Result"), "success")
        equal(box.find("bus_owner"), [], "it was stopped")


def story_the_name_is_there_at_once():
    with BusBox(options="--now") as box:
        box.boot()
        for _ in range(5):
            box.initctl("restart", "app", check=True)
            equal(box.state("app"), "active")
        # What the daemon sends unasked, and what a stranger sends to us, changes nothing.
        box.initctl("reload-or-restart", "app", check=True)
        equal(box.state("app"), "active")


def story_no_name_no_start():
    with BusBox(more="TimeoutStartSec=1") as box:
        box.boot()
        started = box.initctl("start", "app")
        equal(started.returncode, 1)
        box.wait_log(r"app: start timed out after 1 s \(nobody has taken the bus name org.example.App\)")
        with BusBox(options="--exit") as other:
            other.boot()
            equal(other.initctl("start", "app").returncode, 1)
            other.wait_log(r"before its bus name appeared")


def story_a_crash_and_a_new_bus():
    with BusBox(options="--now", more="Restart=always") as box:
        box.boot()
        box.initctl("start", "app", check=True)
        box.signal(11)
        box.wait_log(r"crash 1\) and goes on")
        equal(box.state("app"), "active")
        before = box.main_pid("app")
        box.initctl("restart", "dbus.service", check=True)  # its clients end with it
        until("it is back with its name", lambda: box.state("app") == "active" and box.main_pid("app") not in (0, before))


def story_stopping_the_bus_does_not_start_it_again():
    with BusBox(options="--now --stay", more="Restart=no") as box:
        box.boot()
        box.initctl("start", "app", check=True)
        box.initctl("stop", "dbus.service", check=True)  # what it says of names while it goes counts, as under systemd
        for _ in range(3):
            box.initctl("daemon-reload", check=True)
            equal(box.state("dbus.service"), "inactive")


def story_services_that_the_bus_asks_for():
    """dbus-daemon --systemd-activation: a message for a name starts its unit; where there is none that is said at once, not after 25 s."""
    with BusBox(options="--now") as box:
        box.write("bad.service", "[Service]\nType=dbus\nBusName=org.example.Bad\nExecStart=/bin/false\n")
        box.boot()
        box.initctl("start", "dbus.service", check=True)

        def call(name):
            return box.inside(sys.executable, OWNER, "--start", name, timeout=15).stdout.strip()

        equal(call("org.example.App"), "1", "started for the caller")
        equal(box.state("app"), "active")
        equal(call("org.example.App"), "2", "is there already")
        check("gone.service" in call("org.example.Gone"), "no such unit")
        check("NoSuchUnit" in call("org.example.Bad"), "it fails")
        equal(box.inside(sys.executable, OWNER, "--ping", "org.freedesktop.systemd1", timeout=15).stdout.strip(), "org.freedesktop.DBus.Error.UnknownMethod")
        box.signal(11)
        box.wait_log(r"crash 1\) and goes on")
        until("asked again", lambda: "gone.service" in call("org.example.Gone"))


def story_without_a_bus():
    """No bus installed: counted as up when it runs, as before there was a bus to ask."""
    with BusBox(socket=False) as box:
        box.write("app.service", "[Service]\nType=dbus\nBusName=org.example.App\nExecStart=/bin/sleep infinity\n")
        box.boot()
        box.initctl("start", "app", check=True)
        equal(box.state("app"), "active")


def story_a_bus_that_lies():
    """Somebody else at the socket: what he says is bounded, and the service's own timeout ends it."""
    with BusBox(more="TimeoutStartSec=2", socket=False) as box:
        box.write("dbus.service", f"[Service]\nExecStart={sys.executable} {OWNER} --liar\n")
        box.write("app.service", "[Service]\nType=dbus\nBusName=org.example.App\nTimeoutStartSec=2\nExecStart=/bin/sleep infinity\n")
        box.boot()
        box.initctl("start", "dbus.service", check=True)
        box.wait_log(r"^\[dbus\] listening$")
        equal(box.initctl("start", "app").returncode, 1)
        box.wait_log(r"the system bus \(/run/dbus/system_bus_socket\) cannot be asked for BusName=")
        with open(f"/proc/{box.init}/statm", encoding="ascii") as memory:
            check(int(memory.read().split()[1]) * 4 < budget_kb(64 << 10), "PID 1 stays small")


if not shutil.which("dbus-daemon"):
    print("SKIP: no dbus-daemon here")
    sys.exit(77)
if __name__ == "__main__":
    run(globals())
