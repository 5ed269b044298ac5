#!/usr/bin/env python3
"""From the previous release ($MONOINIT_PREVIOUS) to this one ($MONOINIT) and back, under one of everything. Played by tests/upgrade/run."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system"))
# pylint: disable=wrong-import-position
from harness import Box, check, equal, run
from installed import BUILT, Installed, broken, running
from world import World

PREVIOUS = os.environ["MONOINIT_PREVIOUS"]


def replaced_by(world, binary, turn=1):
    """What is at the path takes over, and nobody notices."""
    before = world.snapshot()
    world.initctl("daemon-reexec", name="systemctl", check=True)
    world.wait_log("took over; services were not touched", count=turn)
    equal(running(world), os.stat(binary.path).st_ino, "what runs")
    world.same_as(before)
    world.no_descriptor_more()


def write_records(world):
    """For tests/unit/runtime/previous_release_test.cpp, when asked to."""
    if "MONOINIT_RECORDS" in os.environ:
        directory = f"/proc/{world.init}/fd"
        number = next(name for name in os.listdir(directory) if "monoinit-checkpoint" in os.readlink(f"{directory}/{name}"))
        shutil.copyfile(f"{directory}/{number}", world.path("checkpoint"))
        subprocess.run([os.path.join(os.path.dirname(BUILT), "tests/test_unit_runtime"), "[.records]"], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "MONOINIT_CHECKPOINT": world.path("checkpoint")})


def story_up():
    with Installed(PREVIOUS) as binary, World() as world:
        world.begin_everything()
        write_records(world)
        binary.replace()
        replaced_by(world, binary)
        world.goes_on()
        world.initctl("daemon-reload", check=True)
        world.initctl("daemon-reexec", check=True)  # what took over can be taken over from
        world.wait_log("took over", count=2)
        world.ends()


def story_down():
    """What a downgrade cannot read is refused; else it is as good as an upgrade."""
    with Installed() as binary, World() as world:
        world.begin_everything()
        before, image = world.snapshot(), running(world)
        binary.replace(source=PREVIOUS)
        done = world.initctl("daemon-reexec", name="systemctl")
        if done.returncode == 0:
            world.wait_log("took over")
            equal(running(world), os.stat(binary.path).st_ino, "what runs")
        else:
            check("cannot take over" in done.stderr, f"a reason: {done.stderr}")
            print(f"refused: {done.stderr.strip()}")
            equal(running(world), image, "what runs")
        world.same_as(before)
        world.goes_on()
        world.ends()


def story_a_crash_between():
    """The file is another one already, but PID 1 is not: it goes on as what it was, and can be replaced after that."""
    with Installed(PREVIOUS) as binary, World() as world:
        world.begin_everything()
        before, image = world.snapshot(), running(world)
        binary.replace()
        world.inside("kill", "-SEGV", "1", check=True)
        world.wait_log("PID 1 crashed")
        world.same_as(before)
        equal(running(world), image, "what runs")
        replaced_by(world, binary)
        world.inside("kill", "-SEGV", "1", check=True)
        world.wait_log("PID 1 crashed", count=2)
        world.same_as(before)
        equal(running(world), os.stat(binary.path).st_ino, "what runs")
        world.goes_on()
        world.ends()


def story_to_one_that_crashes_and_back():
    """The previous release finds its own again, after a new one has been at the checkpoint."""
    try:
        change = broken("_ZN8monoinit7runtime7Runtime6resumeEv")
    except Exception:  # pylint: disable=broad-except
        return print("SKIP: a stripped binary cannot be made to crash")
    with Installed(PREVIOUS) as binary, World() as world:
        world.begin_everything()
        before, image = world.snapshot(), running(world)
        binary.replace(change)
        world.initctl("daemon-reexec")
        world.wait_log("the new binary crashed before it had taken over")
        equal(running(world), image, "what runs")
        binary.replace()
        world.same_as(before)
        replaced_by(world, binary)
        world.goes_on()
        world.ends()


def story_a_command_of_the_container():
    with Installed(PREVIOUS) as binary, Box(command=["/bin/sh", "-c", "read go </run/go; exit 7"], setup="mkfifo /run/go") as box:
        box.boot()
        binary.replace()
        box.initctl("daemon-reexec", check=True)
        box.wait_log("took over")
        equal(len([pid for pid in box.find("read go") if pid != 1]), 1, "the command")
        box.inside("sh", "-c", "echo go >/run/go", check=True)
        equal(box.wait(), 7, "its exit status")


check(os.path.realpath(BUILT) != os.path.realpath(PREVIOUS), "two binaries")
run(globals())
