#!/usr/bin/env python3
"""Promise 2: after a storm of orphans no zombie is left, PID 1 has not grown, and control answered meanwhile."""
from harness import Box, budget_kb, check, equal, run, until

ORPHANS = 2000
# All of them wait for one pipe, so that they end in one moment, after their parent: a real storm.
STORM = """
$| = 1;
pipe(my $read, my $write);
if (fork() == 0) {
    close($write);
    for (1 .. $ARGV[0]) {
        if (fork() == 0) { sysread($read, my $byte, 1); exit 0 }
    }
    exit 0;
}
wait();
print "orphaned\\n";
<STDIN>;
"""


def zombies(box):
    return [pid for pid, (_, state, _) in box.pids().items() if state.startswith("Z")]


def memory_kb(box):
    with open(f"/proc/{box.init}/smaps_rollup", encoding="ascii") as text:
        return next(int(line.split()[1]) for line in text if line.startswith("Pss_Anon:"))


def story_orphans_are_reaped_at_once():
    with Box({"x.service": "[Service]\nExecStart=/bin/sleep infinity\n"}, ["x.service"]) as box:
        box.boot()
        box.inside("sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do (sleep 0.01 &) ; done", check=True)
        until("no zombie", lambda: not zombies(box))


def storm(box, answer):
    """answer() is asked as long as there are orphans."""
    before = memory_kb(box)
    answers = 0

    def over():
        nonlocal answers
        equal(answer(), "active", "status during the storm")
        answers += 1
        return answers >= 3 and len(box.pids()) < 20

    until("the orphans are reaped", over, 60)
    equal(zombies(box), [], "zombies")
    grown = memory_kb(box) - before
    check(grown < budget_kb(4096), f"PID 1 has grown by {grown} kB")


def story_a_storm_that_falls_to_pid1():
    with Box({"x.service": "[Service]\nExecStart=/bin/sleep infinity\n"}, ["x.service"]) as box:
        box.boot()
        child = box.begin("perl", "-e", STORM, str(ORPHANS))
        equal(child.stdout.readline(), "orphaned\n")
        equal(box.state("x"), "active")
        check(len(box.pids()) > ORPHANS, "all of them are there")
        child.stdin.close()
        storm(box, lambda: box.state("x"))
        child.wait()
        equal(box.stop(), 0)


def story_a_storm_below_a_guard():
    with Box() as box:
        box.write("storm.pl", STORM)
        box.write("x.service", f"[Service]\nExecStart=/bin/sh -c 'mkfifo /run/go; perl {box.units}/storm.pl {ORPHANS} <>/run/go; exec sleep infinity'\n")
        box.enable("x.service")
        box.boot()
        box.wait_log(r"^\[x\] orphaned$", 60)
        box.inside("sh", "-c", "echo > /run/go", check=True)
        storm(box, lambda: box.state("x"))
        equal(box.stop(), 0)


run(globals())
