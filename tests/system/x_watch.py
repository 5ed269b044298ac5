#!/usr/bin/env python3
"""X-Watch= for real: a dev server that is restarted by edits, as editors make them; what is left alone; floods, limits, crash."""
import os

from harness import Box, check, equal, until, run

APP = "/run/app"
SETUP = f"mkdir -p {APP}/src/deep {APP}/node_modules {APP}/.git; echo 1 > {APP}/src/app.py; echo 1 > {APP}/src/deep/b.py"


def server(*lines, start="/bin/sh -c 'echo up; exec sleep infinity'"):
    return f"[Service]\nExecStart={start}\nWorkingDirectory={APP}\nX-WatchDelay=100ms\n" + "\n".join(lines) + "\n"


def box_of(*lines, setup=SETUP, start="/bin/sh -c 'echo up; exec sleep infinity'", **options):
    return Box({"web.service": server(*lines, start=start)}, ["web.service"], setup=setup, **options)


def shell(box, script):
    return box.inside("sh", "-ec", script, check=True).stdout


def watcher(box):
    return until("a watcher", lambda: box.find("monoinit: watch"))[0]


def directories(box):
    """How many are watched by the process that does it."""
    pid = watcher(box)
    return int(shell(box, f"cat /proc/{pid}/fdinfo/* 2>/dev/null | grep -c ^inotify || true"))


def watching(box, count):
    until(f"{count} directories are watched", lambda: directories(box) == count)


def restarted(box, script, what):
    before = box.main_pid("web")
    shell(box, script)
    until(f"a restart by: {script}", lambda: box.main_pid("web") not in (0, before))
    box.wait_log(rf"^\[monoinit\] web: {what}; restarting$")


def alone(box, script):
    """The script restarts nothing: a change that does comes after it, and is the only one."""
    before = box.log().count("; restarting")
    shell(box, script)
    restarted(box, f"echo x >> {APP}/src/app.py", "src/app.py has changed")
    equal(box.log().count("; restarting"), before + 1, f"restarts by: {script}")


def story_a_dev_server():
    with box_of("X-Watch=src") as box:
        box.boot()
        watching(box, 5)  # / /run /run/app src deep
        restarted(box, f"echo 2 > {APP}/src/app.py", "src/app.py has changed")
        restarted(box, f"sed -i s/1/2/ {APP}/src/deep/b.py", "src/deep/b.py has changed")  # writes another and renames it
        restarted(box, f"rm {APP}/src/deep/b.py", "src/deep/b.py has changed")
        restarted(box, f"mkdir -p {APP}/src/new/er; echo 1 > {APP}/src/new/er/c.py", "src/new/er/c.py has changed")
        restarted(box, f"echo 2 > {APP}/src/new/er/c.py", "src/new/er/c.py has changed")
        restarted(box, f"mv {APP}/src/new {APP}/src/moved", r"src/moved(/er/c.py)?( and \d more)? ha(s|ve) changed")
        restarted(box, f"echo 3 > {APP}/src/moved/er/c.py", "src/moved/er/c.py has changed")
        restarted(box, f"touch -d '2001-01-01' {APP}/src/old; touch {APP}/src/old", "src/old has changed")
        status = box.initctl("status", "web").stdout
        check(f"Watch: {APP}/src" in status, status)
        box.initctl("stop", "web", check=True)
        until("no watcher", lambda: not box.find("monoinit: watch"))
        shell(box, f"echo 3 > {APP}/src/app.py")
        equal(box.state("web"), "inactive", "what was stopped stays so")
        equal(box.stop(), 0, "exit status")


def story_what_is_left_alone():
    with box_of("X-Watch=src/**/*.py .git", "X-WatchIgnore=*_gen.py /run/app/src/vendor") as box:
        box.boot()
        watching(box, 6)
        alone(box, f"echo x > {APP}/src/app.txt; echo x > {APP}/src/a_gen.py; mkdir {APP}/src/vendor; echo x > {APP}/src/vendor/v.py; echo x > {APP}/other.py")
        alone(box, f"mkdir -p {APP}/src/node_modules/x; echo x > {APP}/src/node_modules/x/i.py; echo x > {APP}/src/.app.py.swp; echo x > {APP}/src/app.py~")
        restarted(box, f"echo x > {APP}/.git/HEAD", ".git/HEAD has changed")  # named, so not ignored


def story_many_changes_are_one():
    with box_of("X-Watch=src", "X-WatchDelay=1s") as box:
        box.boot()
        watching(box, 5)
        restarted(box, f"for i in $(seq 500); do echo x > {APP}/src/f$i.py; done", r"src/f500.py and 499 more have changed")
        equal(box.log().count("; restarting"), 1, "restarts")


def story_a_failed_server_starts_when_it_is_repaired():
    with box_of("X-Watch=src", start=f"/bin/sh {APP}/src/run.sh", setup=SETUP + f"; echo 'exit 3' > {APP}/src/run.sh") as box:
        box.boot()
        until("it has failed", lambda: box.state("web") == "failed")
        watching(box, 5)
        for _ in range(8):  # more often than the start limit has it
            before = box.show("web", "ExecMainStartTimestampMonotonic")
            shell(box, f"echo 'exit 4' > {APP}/src/run.sh")
            until("another try", lambda: box.show("web", "ExecMainStartTimestampMonotonic") != before and box.state("web") == "failed")
        shell(box, f"echo 'echo repaired; exec sleep infinity' > {APP}/src/run.sh")
        box.wait_log(r"^\[web\] repaired$")
        check("web: src/run.sh has changed; starting" in box.log(), box.log())
        equal(box.state("web"), "active")


def story_a_directory_that_is_not_there_yet():
    with box_of("X-Watch=later/on", setup=f"mkdir -p {APP}") as box:
        box.boot()
        watching(box, 3)
        restarted(box, f"mkdir -p {APP}/later/on; echo x > {APP}/later/on/a", "later/on/a has changed")
        restarted(box, f"rm -r {APP}/later", r".* ha(s|ve) changed")
        watching(box, 3)
        restarted(box, f"mkdir -p {APP}/later/on; echo x > {APP}/later/on/a", "later/on/a has changed")


def story_a_signal_or_a_reload():
    trap = "/bin/sh -c 'trap \"echo reloads\" USR2; echo up; while :; do sleep 1 & wait; done'"
    with box_of("X-Watch=src", "X-WatchAction=SIGUSR2", start=trap) as box:
        box.boot()
        box.wait_log(r"^\[web\] up$")
        watching(box, 5)
        pid = box.main_pid("web")
        shell(box, f"echo x > {APP}/src/app.py")
        box.wait_log(r"^\[web\] reloads$")
        box.wait_log(r"web: src/app.py has changed; SIGUSR2$")
        equal(box.main_pid("web"), pid, "it runs on")
        box.write("web.service", server("X-Watch=src", "X-WatchAction=reload", "ExecReload=/bin/sh -c 'echo asked'", start=trap))
        box.initctl("daemon-reload", check=True)
        shell(box, f"echo x > {APP}/src/app.py")
        box.wait_log(r"^\[web\] asked$")
        equal(box.main_pid("web"), pid, "it runs on")


def story_reload_reexec_crash_and_a_killed_watcher():
    with box_of("X-Watch=src") as box:
        box.boot()
        watching(box, 5)
        first = watcher(box)
        for what in (lambda: box.initctl("daemon-reload", check=True), lambda: box.initctl("daemon-reexec", check=True), lambda: os.kill(box.init, 11)):
            what()
            restarted(box, f"echo x > {APP}/src/app.py", "src/app.py has changed")
            equal(box.find("monoinit: watch"), [first], "the watcher has outlived it")
        os.kill(box.init, 11)
        shell(box, f"echo x > {APP}/src/deep/b.py")  # while nobody listens
        box.wait_log(r"web: src/deep/b.py has changed; restarting$")
        box.inside("kill", "-9", str(first), check=True)
        until("another", lambda: box.find("monoinit: watch") not in ([], [first]))
        watching(box, 5)
        restarted(box, f"echo x > {APP}/src/app.py", "src/app.py has changed")
        box.write("web.service", server("X-Watch=node_modules"))
        box.initctl("daemon-reload", check=True)
        watching(box, 4)
        restarted(box, f"echo x > {APP}/node_modules/i.js", "node_modules/i.js has changed")
        box.write("web.service", server())
        box.initctl("daemon-reload", check=True)
        until("no watcher", lambda: not box.find("monoinit: watch"))


FLOOD = """
import os, time, sys
end = time.monotonic() + 2
while time.monotonic() < end:
    time.sleep(float(sys.argv[2]))
    for n in range(100):
        os.close(os.open(sys.argv[1] + "/noise%d.txt" % n, os.O_CREAT | os.O_WRONLY)); os.unlink(sys.argv[1] + "/noise%d.txt" % n)
"""


def cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as text:
        fields = text.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def story_a_flood():
    with box_of("X-Watch=src/**/*.py") as box:
        box.boot()
        watching(box, 5)
        before = cpu(box.init)
        box.inside("python3", "-c", FLOOD, f"{APP}/src", "0.005", check=True)  # some 10,000 a second
        check(cpu(box.init) - before <= 5, f"{cpu(box.init) - before} ticks of PID 1 for changes that are none")
        equal(box.log().count("; restarting"), 0, "restarts")
        restarted(box, f"echo x > {APP}/src/app.py", "src/app.py has changed")


def story_a_flood_of_its_own_files():
    with box_of("X-Watch=src", start="/bin/sh -c 'echo up $(cat src/late); exec sleep infinity'") as box:
        box.boot()
        watching(box, 5)
        before = cpu(box.init)
        flood = box.begin("python3", "-c", FLOOD.replace("+ 2", "+ 6"), f"{APP}/src", "0")
        box.wait_log(r"; restarting$", count=2)  # though it never comes to rest
        check(flood.poll() is None, "they came only when it was over")
        for i in range(20):  # whatever the watcher is at, the last change is not lost
            shell(box, f"echo {i} > {APP}/src/late")
            box.wait_log(rf"^\[web\] up {i}$")
        flood.wait()
        check(cpu(box.init) - before <= 100, f"{cpu(box.init) - before} ticks of PID 1")


def story_no_watch_is_left():
    # A user namespace of its own has a limit of its own.
    limited = ("unshare", "--user", "--map-root-user", "sh", "-c", 'echo 6 > /proc/sys/user/max_inotify_watches; exec "$@"', "sh")
    with box_of("X-Watch=src", setup=SETUP + f"; for i in $(seq 20); do mkdir {APP}/src/d$i; done", wrap=limited) as box:
        box.boot()
        box.wait_log(r"web: X-Watch=: the kernel allows no more inotify watches \(fs.inotify.max_user_watches\): \d directories are watched")
        equal(box.state("web"), "active", "the service runs")


def story_verify():
    with box_of("X-Watch=src") as box:
        box.boot()
        told = box.initctl("verify", "--portable", "web.service")
        check("X-Watch is monoinit's; systemd ignores it" in told.stdout, told.stdout + told.stderr)
        equal(box.initctl("verify", "web.service").returncode, 0, "verify")


def story_the_example():
    example = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/watch")
    text = open(os.path.join(example, "web.service"), encoding="utf-8").read()
    units = {"web.service": text, "import.path": open(os.path.join(example, "import.path"), encoding="utf-8").read(),
             "import.service": open(os.path.join(example, "import.service"), encoding="utf-8").read()}
    setup = f"mkdir -p /run/srv/app; mount --bind /run/srv /srv; cp {example}/server.py /srv/app/"
    with Box(units, ["web.service", "import.path"], setup=setup) as box:
        box.boot()
        equal(box.initctl("verify", *units).returncode, 0, "verify")
        box.wait_log(r"^\[web\] version 1$")
        pid = watcher(box)
        until("it watches", lambda: "inotify" in shell(box, f"cat /proc/{pid}/fdinfo/* 2>/dev/null | grep ^inotify || true"))
        shell(box, "sed -i 's/version = 1/version = 2/' /srv/app/server.py")
        box.wait_log(r"^\[web\] version 2$")
        until("it waits", lambda: box.show("import.path", "SubState") == "waiting")
        shell(box, "echo 'a,b' > /srv/inbox/first.csv")
        box.wait_log(r"^\[import\] imported /srv/inbox/first.csv$")
        equal(shell(box, "ls /srv/inbox /srv/imported").split(), ["/srv/imported:", "first.csv", "/srv/inbox:"])


if __name__ == "__main__":
    run(globals())
