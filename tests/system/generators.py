#!/usr/bin/env python3
"""Generators at boot and at daemon-reload, units of init scripts: what they make is loaded, and nothing of theirs holds PID 1 up."""
import os
import signal

from harness import Box, check, equal, run, until

PLACES = "/run/systemd/generator.early:{units}:/run/systemd/generator:/run/systemd/generator.late"
SLEEPER = "[Service]\nExecStart=/bin/sleep infinity\n"
TEMPLATE = "[Service]\nExecStart=/bin/sleep 10{instance}\n"


class GeneratorBox(Box):
    """generators: {name: shell text}; scripts: {name: text of an init script}."""

    def __init__(self, generators=None, scripts=None, units=None, enable=(), env=None, **options):
        super().__init__(units, enable, keep_unit_path=False, **options)
        self.generators = self.path("generators")
        self.scripts = self.path("etc", "init.d")
        os.makedirs(self.generators)
        os.makedirs(self.scripts)
        self.args.append("--unit-path=" + PLACES.format(units=self.units))
        self.env.update({"SYSTEMD_GENERATOR_PATH": self.generators, "SYSTEMD_SYSVINIT_PATH": self.scripts,
                         "SYSTEMD_SYSVRCND_PATH": self.path("etc"), **(env or {})})
        for name, text in (generators or {}).items():
            self.program(os.path.join(self.generators, name), "#!/bin/sh\n" + text)
        for name, text in (scripts or {}).items():
            self.program(os.path.join(self.scripts, name), text)

    @staticmethod
    def program(path, text, mode=0o755):
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(path, mode)


INSTANCES = """
mkdir -p "$1/multi-user.target.wants"
for i in 1 2; do ln -s {units}/db@.service "$1/multi-user.target.wants/db@$i.service"; done
printf '[Service]\\nExecStart=/bin/sleep 201\\n' > "$1/plain.service"
printf '[Service]\\nExecStart=/bin/sleep 202\\n' > "$2/early.service"
printf '[Service]\\nExecStart=/bin/sleep 203\\n' > "$3/file.service"
echo "made $# directories, scope $SYSTEMD_SCOPE, first boot $SYSTEMD_FIRST_BOOT"
"""


def story_units_of_generators():
    with GeneratorBox(units={"db@.service": TEMPLATE.replace("{instance}", "%i"), "early.service": SLEEPER, "file.service": SLEEPER}) as box:
        box.program(os.path.join(box.generators, "db-generator"), "#!/bin/sh\n" + INSTANCES.replace("{units}", box.units))
        box.boot()
        box.wait_log(r"^\[monoinit\] generator db-generator: made 3 directories, scope system, first boot 0$")
        equal(box.state("db@1"), "active")
        equal(box.state("db@2"), "active")
        check("sleep 201" in box.initctl("cat", "plain", name="systemctl").stdout, "the normal directory")
        check("202" in box.show("early", "ExecStart"), "the early directory is above unit files")
        check("infinity" in box.show("file", "ExecStart"), "the late one below")
        equal(box.show("plain", "FragmentPath"), "/run/systemd/generator/plain.service")
        equal(box.initctl("is-enabled", "plain", name="systemctl").stdout, "generated\n")
        left = box.inside("sh", "-c", "ls -d /run/systemd/generator*", check=True).stdout.split()
        equal(left, [f"/run/systemd/generator{end}" for end in ("", ".early", ".late")], "nothing else is left")


def story_again_at_daemon_reload():
    generator = "test -e {flag} || exit 0\nmkdir \"$1/multi-user.target.wants\"\nprintf '[Service]\\nExecStart=/bin/sleep 300\\n' > $1/late.service\n"
    with GeneratorBox() as box:
        box.program(os.path.join(box.generators, "flag"), "#!/bin/sh\n" + generator.replace("{flag}", box.path("flag")))
        box.boot()
        equal(box.show("late", "LoadState"), "not-found")
        with open(box.path("flag"), "wb"):
            pass
        box.initctl("daemon-reload", check=True)
        equal(box.show("late", "LoadState"), "loaded")
        os.remove(box.path("flag"))
        box.initctl("daemon-reload", check=True)
        equal(box.show("late", "LoadState"), "not-found")
        with open(box.path("flag"), "wb"):
            pass
        box.initctl("daemon-reexec", check=True)  # as systemd: the next image finds what they make now
        equal(box.show("late", "LoadState"), "loaded")


def story_none_no_wait():
    """Without generators and scripts there is no probe, nor are there directories."""
    with GeneratorBox(units={"a.service": SLEEPER}, enable=["a.service"]) as box:
        box.boot()
        equal(box.inside("sh", "-c", "ls -d /run/systemd/generator* 2>/dev/null").stdout, "")
        box.initctl("daemon-reload", check=True)
        equal(box.inside("sh", "-c", "ls -d /run/systemd/generator* 2>/dev/null").stdout, "")


def story_masks():
    marks = {name: f"touch {{mark}}-{name}\n" for name in ("a", "b", "c", "hidden~")}
    with GeneratorBox() as box:
        above = box.path("above")
        os.mkdir(above)
        for name, text in marks.items():
            box.program(os.path.join(box.generators, name), "#!/bin/sh\n" + text.replace("{mark}", box.path("mark")))
        os.symlink("/dev/null", os.path.join(above, "a"))
        box.program(os.path.join(above, "b"), "")
        box.program(os.path.join(box.generators, "not-executable"), "#!/bin/sh\ntouch " + box.path("mark-d"), mode=0o644)
        box.env["SYSTEMD_GENERATOR_PATH"] = f"{above}:{box.generators}"
        box.boot()
        equal(sorted(name for name in os.listdir(box.dir) if name.startswith("mark")), ["mark-c"])
        check("not-executable" not in box.log(), box.log())


def story_bad_generators():
    """One that fails, one that cannot be executed, one that is killed, one that leaves a daemon, one that says too much."""
    bad = {"fails": "echo half >&2; exit 3", "dies": "kill -9 $$", "forks": "setsid sleep 1234 & exit 0",
           "talks": "yes a line that is said again and again | head -c 1000000"}
    with GeneratorBox(bad, units={"a.service": SLEEPER}, enable=["a.service"]) as box:
        box.program(os.path.join(box.generators, "no-interpreter"), "#!/nowhere/sh\n")
        box.boot()
        equal(box.state("a"), "active")
        for line in (r"generator fails: half", r"generator fails: exit 3", r"generator dies: killed \(SIGKILL\)",
                     r"generator no-interpreter: .*could not be executed", r"generator talks: what it says beyond 16 kB is left out",
                     r"generators left \d+ process(es)? behind: ended"):
            box.wait_log(r"^\[monoinit\] " + line)
        equal(box.find("sleep 1234"), [])


def story_one_that_hangs():
    """PID 1 reaps and takes signals meanwhile; a client waits for its answer."""
    with GeneratorBox({"hangs": "trap '' TERM; sleep 4321; :"}, units={"a.service": SLEEPER}, enable=["a.service"]) as box:
        box.boot(wait=False)
        until("it runs", lambda: box.find("sleep 4321"))
        box.inside("sh", "-c", "(true &) ; true", check=True)
        until("the orphan is reaped", lambda: not [pid for pid, (_, state, _) in box.pids().items() if state.startswith("Z")])
        equal(box.stop(), 0, "exit status")
        check("[a]" not in box.log() and "a: started" not in box.log(), "nothing was started after the stop: " + box.log())


def story_a_crash_meanwhile():
    """The image after it begins the boot anew."""
    slow = "n=$(cat {count} 2>/dev/null || echo 0); echo $((n + 1)) > {count}; test $n -gt 0 || sleep 4321\n"
    with GeneratorBox(units={"a.service": SLEEPER}, enable=["a.service"]) as box:
        box.program(os.path.join(box.generators, "slow"), "#!/bin/sh\n" + slow.replace("{count}", box.path("count")))
        box.boot(wait=False)
        until("it runs", lambda: box.find("sleep 4321"))
        box.signal(signal.SIGSEGV)
        box.wait_log(r"^\[monoinit\] ready in ")
        equal(box.state("a"), "active")


SCRIPT = """#!/bin/sh
### BEGIN INIT INFO
# Provides:          {name} {name}-too
# Required-Start:    $remote_fs $network
# Default-Start:     2 3 4 5
# Short-Description: the {name} daemon
### END INIT INFO
case "$1" in
start) sleep {seconds} & echo $! > {pid} ;;
stop) kill $(cat {pid}) ;;
reload) echo reloaded by {name} ;;
*) echo "Usage: $0 {{start|stop|reload|restart}}" ;;
esac
"""


def story_init_scripts():
    with GeneratorBox(units={"native.service": SLEEPER}) as box:
        for name, seconds in (("old", 501), ("native", 502), ("masked", 503)):
            box.program(os.path.join(box.scripts, name), SCRIPT.format(name=name, seconds=seconds, pid=box.path(name + ".pid")))
        os.symlink("/dev/null", os.path.join(box.units, "masked.service"))
        for level in "2345":
            os.makedirs(box.path("etc", f"rc{level}.d"))
            for name in ("old", "native", "masked"):
                os.symlink("../init.d/" + name, box.path("etc", f"rc{level}.d", "S01" + name))
        box.boot()
        equal(box.state("old"), "active")
        equal(len(box.find("sleep 501")), 1)
        equal(box.show("old", "SourcePath"), os.path.join(box.scripts, "old"))
        equal(box.show("old", "Description"), "LSB: the old daemon")
        equal(box.show("old-too", "Id"), "old.service")
        equal(box.show("native", "SourcePath"), "")
        equal(box.show("masked", "LoadState"), "masked")
        equal(box.find("sleep 503"), [])
        box.initctl("reload", "old", check=True)
        box.wait_log(r"^\[old\] reloaded by old$")
        box.initctl("stop", "old", check=True)
        equal(box.find("sleep 501"), [])


run(globals())
