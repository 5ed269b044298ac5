"""What has to hold of a box once nothing is under way, whatever was done to it before: no zombie, no stray process, no descriptor
more, memory as before, and states that /proc confirms. Take a Baseline when the box has booted; settled() waits until all of it holds."""
import collections
import contextlib
import json
import os
import re
import socket
import struct
import time

from harness import DEADLINE, Failure, budget_kb

GROWTH_KB = {"PID 1": budget_kb(4 << 10), "the logger": budget_kb(8 << 10)}  # own memory: the second promise; the logger's recent lines are bounded by that
Process = collections.namedtuple("Process", "parent state command")


class Control:
    """Asks PID 1 over its control socket, without a process of its own for each question."""

    def __init__(self, box, timeout=DEADLINE):
        self.path = f"/proc/{box.init}/root/run/monoinit/control"
        self.timeout = timeout

    def call(self, method, **parameters):
        with socket.socket(socket.AF_UNIX) as peer:
            # Blocking, as initctl is: a connect() that does not block fails while the queue is full.
            for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
                peer.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", int(self.timeout), 0))
            peer.connect(self.path)
            peer.sendall(json.dumps({"method": f"io.monoinit.Manager.{method}", "parameters": parameters}).encode() + b"\0")
            answer = bytearray()
            while not answer.endswith(b"\0"):
                part = peer.recv(1 << 20)
                if not part:
                    raise ConnectionResetError(f"{method}: no answer")
                answer += part
        reply = json.loads(answer[:-1])
        if "error" in reply:
            raise Failure(f"{method}: {reply}")
        return reply["parameters"]

    def units(self):
        return self.call("List", all=True)["units"]


def processes(box):
    """Every process of the box by its pid inside. Those from outside (nsenter) have the parent 0, as PID 1 has."""
    table = {}
    root = f"/proc/{box.init}/root/proc"
    for name in os.listdir(root):
        if not name.isdigit():
            continue
        try:
            with open(f"{root}/{name}/stat", encoding="utf-8", errors="replace") as text:
                state, parent = text.read().rpartition(") ")[2].split()[:2]
            with open(f"{root}/{name}/cmdline", encoding="utf-8", errors="replace") as text:
                command = text.read().replace("\0", " ").strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
        table[int(name)] = Process(int(parent), state, command)
    return table


def kind_of(target):
    """Of a descriptor's link: without inodes and numbers of files in the store."""
    return re.sub(r"(?<=:\[)\d+(?=\])|(?<=/)[0-9a-f]{16}(?=\.)", "", target)


def descriptors(box, pid=1):
    """How many descriptors of each kind a process of the box has. Places that are held free (/dev/null) count as one kind."""
    kinds = collections.Counter()
    directory = f"/proc/{box.init}/root/proc/{pid}/fd"
    for name in os.listdir(directory):
        try:
            target = os.readlink(f"{directory}/{name}")
        except FileNotFoundError:
            continue
        kinds[kind_of(target)] += 1
    return kinds


def details(box, kinds):
    """PID 1's descriptors of these kinds as text, to say in a complaint which they are: number, name or inode, of a pidfd the pid."""
    with open(f"/proc/{box.init}/net/unix", encoding="utf-8", errors="replace") as text:
        sockets = {f"socket:[{row[6]}]": f"type {row[4][3]} {' '.join(row[7:])}" for row in map(str.split, text)}
    found = []
    for number in sorted(os.listdir(f"/proc/{box.init}/fd"), key=int):
        with contextlib.suppress(FileNotFoundError):
            target = os.readlink(f"/proc/{box.init}/fd/{number}")
            if kind_of(target) in kinds:
                with open(f"/proc/{box.init}/fdinfo/{number}", encoding="ascii") as text:
                    info = " ".join(re.findall(r"^(?:Pid|flags|inotify wd):.*$", text.read(), re.M)).replace("\t", " ")
                found.append(f"{number} {sockets.get(target, target)} {info}")
    return "; ".join(found)


def memory_kb(box, pid=1):
    with open(f"/proc/{box.init}/root/proc/{pid}/status", encoding="ascii", errors="replace") as text:
        return int(re.search(r"^RssAnon:\s+(\d+) kB", text.read(), re.M)[1])


def logger(table):
    return next((pid for pid, process in table.items() if process.command == "monoinit: log" and process.parent == 1), None)


class Baseline:
    """A box as it is now, with nothing under way, to be compared with later."""

    def __init__(self, box):
        settled(box)
        self.box = box
        self.pid1, self.logger = descriptors(box), descriptors(box, logger(processes(box)))
        for _ in range(5):  # the fewest: a connection of our own may be about to be closed
            time.sleep(0.02)
            self.pid1 &= descriptors(box)
            self.logger &= descriptors(box, logger(processes(box)))
        self.memory = memory_kb(box), memory_kb(box, logger(processes(box)))

    def growth_kb(self):
        """Of PID 1 and of the logger. Less than nothing after a re-exec: both begin with an empty heap."""
        return memory_kb(self.box) - self.memory[0], memory_kb(self.box, logger(processes(self.box))) - self.memory[1]

    def complaints(self):
        table = processes(self.box)
        writer = logger(table)
        if writer is None:
            return ["there is no logger"]
        found = []
        for who, before, now in (("PID 1", self.pid1, descriptors(self.box)), ("the logger", self.logger, descriptors(self.box, writer))):
            more = {kind: count for kind, count in (now - before).items() if kind != "/dev/null"}
            if more:
                found.append(f"descriptors of {who} beyond those of the beginning: {more}" + (f"; it has {details(self.box, more)}" if who == "PID 1" else ""))
        for who, kb in zip(("PID 1", "the logger"), self.growth_kb()):
            if kb >= GROWTH_KB[who]:
                found.append(f"{who} has grown by {kb} kB")
        return found


def below(table, pid, ancestors):
    while pid in table and pid not in ancestors:
        pid = table[pid].parent
    return pid in ancestors


def complaints(box):
    """What does not hold of processes and states right now."""
    control = Control(box)
    found = [f"job {job['id']}: {job['type']} {job['unit']} is {job['state']}" for job in control.call("Jobs").get("jobs") or []]
    units = control.units()
    table = processes(box)
    found += [f"zombie {pid}, child of {process.parent} ({table[process.parent].command if process.parent in table else '?'})" for pid, process in table.items() if process.state == "Z"]
    guards = {guard: unit["name"] for unit in units for guard in unit.get("guards") or []}
    of_scopes = {pid for unit in units for pid in unit.get("processes") or []}
    for pid, process in table.items():
        if process.parent == 1 and pid not in guards and pid not in of_scopes and process.command not in ("monoinit: log", "monoinit: watch"):
            found.append(f"stray {pid} below PID 1: {process.command}")
    for guard, unit in guards.items():
        if guard not in table or not table[guard].command.startswith("guard: "):
            found.append(f"{unit}: its guard {guard} is none: {table.get(guard)}")
    for unit in units:
        name, state, main = unit["name"], unit["active_state"], unit.get("main_pid") or 0
        if state in ("inactive", "failed") and main:
            found.append(f"{name} is {state} and has the main pid {main}")
        if state in ("inactive", "failed") and (unit.get("guards") or unit.get("processes")):
            found.append(f"{name} is {state} and has processes below {unit.get('guards') or unit.get('processes')}")
        if main and not below(table, main, unit.get("guards") or []):
            found.append(f"{name} is {state}, its main pid {main} is not below its guards {unit.get('guards')}: {table.get(main)}")
        if name.endswith(".service") and state == "active" and unit["sub_state"] == "running" and not main and not unit.get("guards"):
            found.append(f"{name} runs without a process")
    return found


def settled(box, baseline=None, deadline=DEADLINE, ignore=lambda complaint: False):
    """Waits until there is nothing to complain of; ignore() says what a story left on purpose."""
    end = time.monotonic() + deadline
    while True:
        found = [text for text in complaints(box) + (baseline.complaints() if baseline else []) if not ignore(text)]
        if not found:
            return
        if time.monotonic() > end:
            raise Failure("after quiescence:\n  " + "\n  ".join(found))
        time.sleep(0.02)
