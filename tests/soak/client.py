"""One of the soak's clients, inside the box: random operations, as many a second as asked for, until its input ends.

usage: client.py TOOLS RATE SEED
Says at the end, as JSON: operations by kind, the slowest of each, and what went wrong (a tool that died or hung, JSON that is none)."""
import array
import collections
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from units import EDITED, OPERATED, UNITS  # pylint: disable=wrong-import-position

TOOLS, RATE, SEED = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
DIRECTORY = "/etc/systemd/system"
HANGS = float(os.environ.get("MONOINIT_DEADLINE", "60"))
chance = random.Random(SEED)
slowest = collections.defaultdict(float)
counts = collections.Counter()
wrong = []
followers = []


def tool(name, *arguments, read_json=False, stdin=subprocess.DEVNULL):
    try:
        done = subprocess.run([f"{TOOLS}/{name}", *arguments], stdin=stdin, capture_output=True, timeout=HANGS, check=False)
    except subprocess.TimeoutExpired:
        wrong.append(f"hangs: {name} {' '.join(arguments)}")
        return
    if done.returncode < 0:
        wrong.append(f"{name} {' '.join(arguments)}: died by signal {-done.returncode}: {done.stderr[-300:]!r}")
    if read_json and done.returncode == 0:
        try:
            json.loads(done.stdout)
        except ValueError as error:
            wrong.append(f"{name} {' '.join(arguments)}: {error}: {done.stdout[-200:]!r}")


def unit():
    return chance.choice(OPERATED)


def operate():
    verb = chance.choices(("start", "stop", "restart", "reload", "try-restart", "reload-or-restart"), (6, 3, 4, 1, 1, 2))[0]
    options = ["--no-block"] if chance.random() < 0.7 else []
    if chance.random() < 0.1:
        options.append(f"--job-mode={chance.choice(('fail', 'replace', 'ignore-dependencies'))}")
    tool("systemctl", verb, *options, *{unit() for _ in range(chance.choice((1, 1, 1, 2, 5)))})


def kill():
    number = chance.choice([int(each) for each in signal.valid_signals()])
    tool("initctl", "kill", "-s", str(number), f"--kill-whom={chance.choice(('all', 'main', 'control'))}", unit())


def ask():
    words, is_json = chance.choice((
        (["initctl", "status", unit()], False), (["initctl", "--json", "status", unit()], True), (["initctl", "--json", "list", "--all"], True),
        (["systemctl", "list-units", "-o", "json", "--all"], True), (["systemctl", "show", unit()], False), (["systemctl", "list-timers", "-o", "json"], True),
        (["systemctl", "list-sockets", "-o", "json"], True), (["systemctl", "list-jobs"], False), (["systemctl", "list-dependencies", unit()], False),
        (["systemctl", "list-unit-files", "-o", "json"], True), (["initctl", "health"], False), (["initctl", "env", unit()], False),
        (["systemctl", "status"], False), (["systemctl", "cat", unit()], False), (["initctl", "shutdown", "--plan"], False), (["initctl", "doctor"], False),
        (["systemd-analyze", "blame"], False)))
    tool(*words, read_json=is_json)


def read_logs():
    if chance.random() < 0.3:  # a reader that follows and is dropped
        followers.append(subprocess.Popen([f"{TOOLS}/journalctl", "-f", "-u", unit()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
        if len(followers) > 3:
            gone = followers.pop(0)
            gone.kill()
            gone.stdout.close()
            gone.wait()
    else:
        tool("journalctl", "-u", unit(), "-n", str(chance.randrange(50)), "-o", chance.choice(("short", "cat", "export", "json", "verbose")), "--since=-5min")


def link():
    verb = chance.choice(("enable", "disable", "mask", "unmask", "unmask", "reenable"))
    name = chance.choice(("fails.service", "sliced.service", "condition.service"))
    tool("systemctl", verb, *(["--runtime"] if chance.random() < 0.3 else []), name)


def edit():
    """Other people change files while nobody has asked for a reload; some of them are wrong for a moment, or are half written."""
    name = chance.choice(EDITED)
    text = UNITS[name]
    broken = chance.random()
    if broken < 0.2:
        text = text[:chance.randrange(len(text))]
    elif broken < 0.3:
        text += "Nonsense=" + "x" * chance.randrange(5000) + "\n[Nowhere]\n"
    with open(f"{DIRECTORY}/{name}.new{SEED}", "w", encoding="utf-8") as out:
        out.write(text)
    os.rename(f"{DIRECTORY}/{name}.new{SEED}", f"{DIRECTORY}/{name}")
    if chance.random() < 0.3:
        tool("systemctl", "daemon-reload")


def set_property():
    tool("systemctl", "set-property", "--runtime", chance.choice(("sliced.service", "soak.slice")), f"MemoryMax={chance.randrange(100, 900)}M")


def run_transient():
    options = chance.choice(([], ["--wait"], ["--pipe"], ["--scope"], ["-p", "Restart=on-failure", "-p", "RestartSec=0", "-p", "StartLimitBurst=3"], ["--on-active=1"], ["-P", "-G"]))
    tool("systemd-run", "--quiet", *options, "/bin/sh", "-c", chance.choice(("exit 0", "exit 3", "sleep 0.2", "echo hello", "(setsid sleep 0.5 &)")))


def cancel():
    tool("systemctl", "cancel")


def reset_failed():
    tool("systemctl", "reset-failed", *([unit()] if chance.random() < 0.5 else []))


def garbage():
    path = chance.choice(("/run/monoinit/control", "/run/monoinit/logs", "/run/systemd/journal/stdout"))
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(1)
        try:
            peer.connect(path)
            data = chance.choice((chance.randbytes(chance.randrange(5000)), b'{"method":"io.monoinit.Manager.', b"\0" * 300, b"[" * 3000 + b"\0"))
            ends = os.pipe()
            peer.sendmsg([data or b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", ends))])
            if chance.random() < 0.3:
                peer.shutdown(chance.choice((socket.SHUT_RD, socket.SHUT_WR)))
        except OSError:
            pass
        for end in ends:
            os.close(end)


def datagrams():
    notify = [f"/run/monoinit/notify/{name}" for name in os.listdir("/run/monoinit/notify")]
    path = chance.choice(("/dev/log", "/run/systemd/journal/socket", *notify))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as peer:
        for _ in range(20):
            try:
                peer.sendto(chance.choice((chance.randbytes(chance.randrange(3000)), b"MAINPID=1\nREADY=1", b"<13>app: hello", b"MESSAGE=hello\nPRIORITY=3\n")), path)
            except OSError:
                break


def connect():
    path = chance.choice(("/run/soak.sock", "/run/each.sock"))
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(0.5)
        try:
            peer.connect(path)
            if chance.random() < 0.7:
                peer.sendall(b"hello")
                peer.recv(10)
        except OSError:
            pass


def touch():
    path = chance.choice(("/run/watched", "/run/request", "/run/source/file", "/run/healthy", "/run/healthy"))
    if path == "/run/healthy" and chance.random() < 0.1:
        if os.path.exists(path):
            os.unlink(path)
    else:
        with open(path, "a", encoding="ascii") as out:
            out.write("x")


def orphans():
    subprocess.run(["/bin/sh", "-c", "for i in 1 2 3 4 5; do (setsid sh -c 'sleep 0.1; exit 7' &); done"], check=False)


def stray_processes_of_services():
    """kill -9 of what belongs to some service, by a person who knows nothing of services."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    for pid in chance.sample(pids, len(pids)):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as text:
                command = text.read().replace(b"\0", b" ").decode(errors="replace")
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as text:
                parent = int(text.read().rpartition(") ")[2].split()[1])
        except OSError:
            continue
        if pid != 1 and parent != 0 and (command.startswith("sleep") or command.startswith("/bin/sleep") or "actor.py" in command):
            os.kill(pid, chance.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGSTOP, signal.SIGHUP)))
            return


OPERATIONS = {operate: 30, kill: 8, ask: 14, read_logs: 5, link: 2, edit: 3, set_property: 1, run_transient: 5, cancel: 1, reset_failed: 3,
              garbage: 4, datagrams: 4, connect: 8, touch: 5, orphans: 2, stray_processes_of_services: 5}


def main():
    began = due = time.monotonic()
    while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
        due += 1 / RATE
        operation = chance.choices(list(OPERATIONS), list(OPERATIONS.values()))[0]
        start = time.monotonic()
        try:
            operation()
        except ProcessLookupError:
            pass
        took = time.monotonic() - start
        name = operation.__name__
        counts[name] += 1
        slowest[name] = max(slowest[name], took)
        due = max(due, time.monotonic() - 1)  # what was missed for longer is not made up for
    for follower in followers:
        follower.kill()
        follower.wait()
    print(json.dumps({"counts": counts, "slowest": slowest, "wrong": wrong, "seconds": time.monotonic() - began}), flush=True)


main()
