"""What the sections of tests/bench/run share: places, namespaces, waits that have an end, rows."""
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MONOINIT = os.environ.get("MONOINIT", os.path.join(ROOT, "build", "release", "monoinit"))
LOOP = os.environ.get("BENCH_LOOP", os.path.join(ROOT, "build", "bench", "loop"))
SERVER = os.path.join(os.path.dirname(LOOP), "server")
NAMESPACE = ["unshare", "--pid", "--fork", "--mount", "--mount-proc", "--kill-child", "sh", "-ec", 'mount -t tmpfs tmpfs /run; exec "$@"', "sh"]
QUICK = "--quick" in sys.argv
RUNS = 3 if QUICK else 7
os.environ["MONOINIT_SYSLOG_SOCKETS"] = "no"  # /dev is the machine's
PATIENCE = 20  # seconds until a wait is given up
TOOL = os.path.join(os.path.dirname(MONOINIT), "initctl")


class Stuck(Exception):
    pass


def until(what, probe):
    """Polls probe() until it is true; returns its value."""
    deadline = time.monotonic() + PATIENCE
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Stuck(f"did not come in {PATIENCE} s: {what}")
        time.sleep(0.0005)


def build_tools():
    for program in (LOOP, SERVER):
        source = os.path.join(HERE, os.path.basename(program) + ".cpp")
        if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
            os.makedirs(os.path.dirname(program), exist_ok=True)
            subprocess.run(["g++", "-std=c++20", "-O2", "-static", "-D_GNU_SOURCE", "-o", program, source], check=True)


def row(what, value, unit="ms", ratio=None, budget=""):
    text = f"{what:58} {value:10.2f} {unit}"
    if ratio is not None:
        text += f"   {ratio:6.2f} x"
    print(text + (f"   (budget: {budget})" if budget else ""), flush=True)


class Place:
    """A scratch directory with a FIFO that services tick into."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="monoinit-bench-")
        os.chmod(self.dir, 0o755)
        self.fifo = os.path.join(self.dir, "fifo")
        os.mkfifo(self.fifo, 0o666)
        self.reader = os.open(self.fifo, os.O_RDWR)
        self.processes = []
        return self

    def __exit__(self, *_):
        for process in self.processes:
            end(process)
        os.close(self.reader)
        shutil.rmtree(self.dir, ignore_errors=True)

    def spawn(self, command, **options):
        process = subprocess.Popen(NAMESPACE + command, stdin=subprocess.DEVNULL, **options)
        self.processes.append(process)
        return process

    def boot(self, command):
        return self.spawn(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def tick(self):
        return f"{LOOP} tick {self.fifo}"

    def wait_ticks(self, count):
        deadline = time.monotonic() + PATIENCE
        while count > 0:
            if not select.select([self.reader], [], [], max(0, deadline - time.monotonic()))[0]:
                raise Stuck(f"{count} ticks did not come in {PATIENCE} s")
            count -= len(os.read(self.reader, 65536))

    def path(self, *parts):
        return os.path.join(self.dir, *parts)


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    os.chmod(path, mode)


def units_for(place, units):
    for name, text in units.items():
        write(place.path("units", name), text)
        link = place.path("units", "multi-user.target.wants", name)
        os.makedirs(os.path.dirname(link), exist_ok=True)
        os.symlink("../" + name, link)
    os.makedirs(place.path("units"), exist_ok=True)
    return [MONOINIT, f"--unit-path={place.path('units')}"]


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as listing:
            return [int(child) for child in listing.read().split()]
    except OSError:
        return []


def text_of(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as text:
            return text.read()
    except OSError:
        return ""


def init_of(process):
    """The pid (outside) of PID 1 of the namespace, once it is what we asked for."""
    def found():
        return [pid for pid in children_of(process.pid) if text_of(pid, "comm").strip() not in ("", "sh", "unshare", "mount")]
    return until("PID 1", found)[0]


def tree_of(pid):
    """pid and everything below it."""
    pids = [pid]
    for each in pids:
        pids += children_of(each)
    return pids


def cpu(*pids):
    """CPU seconds the processes have used."""
    return sum(int((text_of(pid, "schedstat") or "0").split()[0]) for pid in pids) / 1e9


def service_below(init, needle="tick"):
    """The pid (outside) of a running service, below whatever keeps it."""
    return until("a service", lambda: [pid for pid in tree_of(init)[1:] if f"\0{needle}\0" in text_of(pid, "cmdline")])[-1]  # the deepest


def inside(init, *command):
    return ["nsenter", f"--target={init}", "--mount", "--pid", *command]


def timed_inside(init, count, *command):
    """Median wall time of a program that is run count times in the namespace."""
    done = subprocess.run(inside(init, LOOP, "time", str(count), *command), capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL, timeout=PATIENCE)
    return float(done.stdout.split()[1])


def end(process):
    process.kill()
    process.wait()
