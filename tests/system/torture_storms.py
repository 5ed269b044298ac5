#!/usr/bin/env python3
"""Storms: orphans, signals, floods of output, crash loops, reloads. Root is answered meanwhile, and afterwards everything is as it was.
MONOINIT_TORTURE=full throws ten times as much."""
import os
import signal
import threading
import time

from harness import DEADLINE, Box, budget_kb, check, equal, run, until
from invariants import Baseline, Control, descriptors, memory_kb, processes, settled

FULL = os.environ.get("MONOINIT_TORTURE") == "full"
SLEEPER = "[Service]\nExecStart=/bin/sleep infinity\nRestart=always\nRestartSec=0\n"


class Meanwhile:
    """Asks for the status of x.service as long as it is open: it is active, and the answer comes in time."""

    def __init__(self, box):
        self.box, self.slowest, self.answers, self.wrong = box, 0.0, 0, []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.ask)

    def ask(self):
        control = Control(self.box, timeout=60)
        while not self.over.is_set():
            began = time.monotonic()
            try:
                state = control.call("Status", unit="x.service")["unit"]["summary"]["active_state"]
                if state != "active":
                    self.wrong.append(state)
            except OSError as error:
                self.wrong.append(repr(error))
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.answers += 1
            self.over.wait(0.01)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        self.thread.join()
        if kind is None:
            equal(self.wrong, [], "states of x.service")
            check(self.slowest < DEADLINE, f"an answer took {self.slowest:.2f} s")


def figures(what, meanwhile, baseline):
    print(f"     {what}; slowest of {meanwhile.answers} answers {meanwhile.slowest * 1000:.0f} ms; PID 1 and logger grown by {baseline.growth_kb()} kB", flush=True)


def boot(units=None, **options):
    box = Box({"x.service": SLEEPER, **(units or {})}, ["x.service"], **options)
    return box.boot()


# All of a group wait for one pipe and end in one moment, after their parents.
ORPHANS = r"""
my ($groups, $size) = @ARGV;
for my $group (1 .. $groups) {
    pipe(my $read, my $write);
    my $parent = fork();
    if (!$parent) {
        for (1 .. $size) {
            next if fork();
            close $write;
            sysread $read, my $byte, 1;
            exit 7;
        }
        exit 0;
    }
    close $read;
    waitpid $parent, 0;
    close $write;
}
print "done\n";
"""


def story_orphans():
    """Those of a docker exec, which fall to PID 1, and those of a service, which fall to its guard."""
    groups = 125 if FULL else 12
    with boot() as box:
        box.write("orphans.pl", ORPHANS)
        box.write("storm.service", f"[Service]\nType=oneshot\nExecStart=/usr/bin/perl {box.units}/orphans.pl {groups} 200\n")
        baseline = Baseline(box)
        with Meanwhile(box) as meanwhile:
            child = box.begin("perl", box.units + "/orphans.pl", str(groups), "200")
            box.initctl("start", "storm", check=True, timeout=300)
            equal(child.stdout.readline(), "done\n")
            child.wait()
        settled(box, baseline)
        figures(f"{groups * 400} orphans", meanwhile, baseline)
        equal(box.stop(), 0)


def story_signals():
    """Every signal but those that mean the end, and faults, from inside and outside, as fast as they can be sent."""
    count = 100000 if FULL else 10000
    ended = {signal.SIGTERM, signal.SIGINT, signal.SIGPWR, signal.SIGRTMIN + 3, signal.SIGRTMIN + 4, signal.SIGKILL, signal.SIGSTOP}
    faults = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS}
    sent = sorted(int(number) for number in set(signal.valid_signals()) - ended - faults)
    with boot() as box:
        pid = box.main_pid("x")
        baseline = Baseline(box)
        with Meanwhile(box) as meanwhile:
            flood = box.begin("perl", "-e", f"my @sent = ({','.join(map(str, sent))}); for my $i (1 .. {count}) {{ kill $sent[$i % @sent], 1 }} print qq(done\\n)")
            for i in range(count):
                os.kill(box.init, sent[i % len(sent)])
            equal(flood.stdout.readline(), "done\n")
            flood.wait()
            # The logger and guards are anybody's of the same uid, too.
            for victim, process in processes(box).items():
                if process.command == "monoinit: log" or process.command.startswith("guard: "):
                    box.inside("sh", "-c", f"for i in 1 2 3 4 5 6 7 8 9; do kill -{' {0}; kill -'.join(str(n) for n in sent if n not in (19, 20, 21, 22))} {victim}; done".replace("{0}", str(victim)))
        equal(box.main_pid("x"), pid, "its process")
        settled(box, baseline)
        figures(f"{2 * count} signals", meanwhile, baseline)
        box.initctl("restart", "x", check=True)
        equal(box.stop(), 0)


def story_realtime_signals_fill_the_queue():
    """A queue of signals that is full (RLIMIT_SIGPENDING) while PID 1 is stopped loses none that matters."""
    with boot() as box:
        baseline = Baseline(box)
        box.signal(signal.SIGSTOP)
        for _ in range(20000):
            box.signal(signal.SIGRTMIN + 20)
        child = box.begin("sh", "-c", "for i in 1 2 3 4 5 6 7 8; do (setsid true &); done")
        child.wait()
        box.signal(signal.SIGCONT)
        settled(box, baseline)
        box.initctl("restart", "x", check=True)
        box.signal(signal.SIGSTOP)
        for _ in range(20000):
            box.signal(signal.SIGRTMIN + 20)
        box.signal(signal.SIGTERM)
        box.signal(signal.SIGCONT)
        equal(box.wait(), 0)


def story_floods_of_output():
    """Text without an end of line, binary, and lines, all at once; a quiet unit's word is kept."""
    size = 1000 if FULL else 100  # MB
    units = {
        "endless.service": f"[Service]\nType=oneshot\nX-LogStdout=no\nExecStart=/bin/sh -c 'head -c {size}M /dev/zero | tr \"\\\\0\" x'\n",
        "binary.service": f"[Service]\nType=oneshot\nX-LogStdout=no\nExecStart=/bin/sh -c 'head -c 4M /dev/urandom > /run/noise; i=0; while [ $i -lt {size // 4} ]; do cat /run/noise; i=$((i+1)); done'\n",
        "lines.service": f"[Service]\nType=oneshot\nX-LogStdout=no\nExecStart=/bin/sh -c 'yes a line as lines are, of some sixty characters, more or less so | head -c {size}M'\n",
        "quiet.service": "[Service]\nType=oneshot\nExecStart=/bin/echo a quiet word\n",
    }
    with boot(units) as box:
        baseline = Baseline(box)
        began = time.monotonic()
        with Meanwhile(box) as meanwhile:
            box.initctl("start", "--no-block", "endless", "binary", "lines", check=True)
            box.initctl("start", "quiet", check=True)
            box.wait_log(r"^\[quiet\] a quiet word$")
            until("their end", lambda: all(box.state(name) == "inactive" for name in ("endless", "binary", "lines")), 300)
        check("a quiet word" in box.initctl("logs", "quiet", check=True).stdout, "the quiet one's line is kept")
        seconds = time.monotonic() - began
        # What is shared, the rings and recent lines, is bounded: a few megabytes for four units.
        settled(box, baseline, ignore=lambda text: text.startswith("the logger has grown"))
        check(baseline.growth_kb()[1] < budget_kb(16 << 10), f"the logger has grown by {baseline.growth_kb()[1]} kB")
        figures(f"{3 * size} MB in {seconds:.1f} s", meanwhile, baseline)
        equal(box.stop(), 0)


def story_crash_loops():
    """Fifty units that end as soon as they begin, without a pause and without a limit."""
    names = [f"crash{i}.service" for i in range(50)]
    crash = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/{0}\nRestart=always\nRestartSec=0\n"
    seconds = 30 if FULL else 4
    with boot({name: crash.format(("true", "false", "nothing-such")[i % 3]) for i, name in enumerate(names)}) as box:
        box.initctl("start", "--no-block", *names, check=True, timeout=60)
        control = Control(box)

        def restarts():
            return sum(unit.get("restarts") or 0 for unit in control.units())

        def all_went_around():
            return min(unit.get("restarts") or 0 for unit in control.units() if unit["name"] in names)

        with Meanwhile(box) as meanwhile:
            began = time.monotonic()
            until("each was restarted", lambda: all_went_around() > 2 and time.monotonic() - began > seconds, 60)
            count, rate = restarts(), restarts() / (time.monotonic() - began)
            memory, pipes = memory_kb(box), descriptors(box)["pipe:[]"]
            box.initctl("stop", *names, check=True, timeout=60)
        baseline = Baseline(box)
        figures(f"{count} restarts ({rate:.0f}/s), all of 50 units at least 3 times; PID 1's own memory {memory} kB, {pipes} pipes", meanwhile, baseline)
        check(pipes < 600, f"{pipes} pipes wait for the logger")
        equal([unit["name"] for unit in control.units() if unit["name"] in names and unit["active_state"] not in ("inactive", "failed")], [])
        check(memory < budget_kb(4 << 10), f"PID 1's own memory: {memory} kB")
        equal(box.stop(), 0)


def story_reloads():
    """daemon-reload twenty times a second, while files change and units start and stop."""
    seconds = 30 if FULL else 4
    units = {f"r{i}.service": SLEEPER.replace("Restart=always", "Restart=no") for i in range(20)}
    with boot(units) as box:
        for name in units:
            box.initctl("start", name, check=True)
        box.initctl("stop", *units, check=True)
        baseline, control = Baseline(box), Control(box, timeout=60)
        over, reloads, wrong = threading.Event(), [], []

        def reload():
            while not over.wait(0.05):
                began = time.monotonic()
                control.call("DaemonReload")
                reloads.append(time.monotonic() - began)

        def change():
            turn = 0
            while not over.wait(0.01):
                turn += 1
                name = f"r{turn % 20}.service"
                if turn % 7 == 0:
                    os.unlink(box.units + "/" + name) # gone for a moment
                box.write("new", units[name] + (f"Environment=N={turn}\n" if turn % 3 else "Type=nonsense\n"))
                os.rename(box.units + "/new", box.units + "/" + name)

        def operate():
            turn = 0
            while not over.is_set():
                turn += 1
                done = box.initctl(("start", "restart", "stop")[turn % 3], *(f"r{(turn + j) % 20}" for j in range(4)), timeout=60)
                if done.returncode not in (0, 1, 4, 5, 6):
                    wrong.append(f"exit {done.returncode}: {done.stdout}{done.stderr}")

        with Meanwhile(box) as meanwhile:
            threads = [threading.Thread(target=deed) for deed in (reload, change, operate, operate)]
            for thread in threads:
                thread.start()
            time.sleep(seconds)  # for as long, not until
            over.set()
            for thread in threads:
                thread.join()
        equal(wrong, [])
        for name, text in units.items():
            box.write(name, text)
        box.initctl("daemon-reload", check=True)
        box.initctl("stop", *units, check=True)
        box.initctl("reset-failed", check=True)
        settled(box, baseline)
        figures(f"{len(reloads)} reloads, the slowest {max(reloads) * 1000:.0f} ms", meanwhile, baseline)
        check(len(reloads) > seconds, f"{len(reloads)} reloads")
        equal(box.stop(), 0)


def story_fork_bombs():
    """Three at once, each in its own service below a limit of processes, one of them deaf to SIGTERM."""
    bomb = "[Service]\nLimitNPROC=300\nTimeoutStopSec=1\nStandardError=null\nExecStart=setpriv --reuid={0} --clear-groups /bin/bash -c '{1}b() {{ b | b & }}; b; exec sleep infinity'\n"
    uids = (54331, 54332, 54333)
    units = {f"bomb{uid}.service": bomb.format(uid, "trap \"\" TERM HUP; " if uid % 2 else "") for uid in uids}
    with boot(units) as box:
        baseline = Baseline(box)

        def of(uid):
            return box.inside("pgrep", "-U", str(uid)).stdout.split()

        with Meanwhile(box) as meanwhile:
            box.initctl("start", *units, check=True, timeout=60)
            until("the limits are reached", lambda: all(len(of(uid)) > 200 for uid in uids), 60)
            began = time.monotonic()
            box.initctl("stop", *units, check=True, timeout=60)
            took = time.monotonic() - began
        equal([each for uid in uids for each in of(uid)], [], "left of the bombs")
        settled(box, baseline, ignore=lambda text: "bomb" in text and "failed" in text)
        figures(f"three bombs of up to 300 processes, ended in {took:.1f} s", meanwhile, baseline)
        equal(box.stop(), 0)


if __name__ == "__main__":
    run(globals())
