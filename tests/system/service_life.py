#!/usr/bin/env python3
"""A service's life as systemd.service(5) tells it: types, command lists, ends, restarts, what others learn of it."""
import os
import shutil
import subprocess

from harness import Box, Failure, check, equal, run, until

PROPERTIES = ("ActiveState", "SubState", "Result", "ExecMainCode", "ExecMainStatus")


def services(table):
    """{name: ([Service] lines, [Unit] lines)} or {name: lines} -> files."""
    files = {}
    for name, lines in table.items():
        service, unit = lines if isinstance(lines, tuple) else (lines, "")
        files[name + ".service"] = f"[Unit]\n{unit}\n[Service]\n{service}\n"
    return files


def facts(box, unit):
    shown = dict(line.split("=", 1) for line in box.initctl("show", "-p", ",".join(PROPERTIES), unit).stdout.split("\n") if "=" in line)
    return " ".join(shown[name] for name in PROPERTIES)


def boot_all(box, table):
    for name in table:
        if not name.endswith("@"):
            box.enable(name + ".service")
    return box.boot()


def story_how_starts_and_ends_are_judged():
    """Unit by unit: what the commands do, and what has to come of it."""
    sleep, out = "ExecStart=/bin/sleep infinity", {}
    cases = {
        "simple-missing": ("ExecStart=/nonexistent/x", "failed failed exit-code 1 203"),
        "exec-missing": ("Type=exec\nExecStart=/nonexistent/x", "failed failed exit-code 1 203"),
        "exec-user": ("Type=exec\nUser=nosuchuser\n" + sleep, "failed failed exit-code 1 217"),
        "exec-dir": ("Type=exec\nWorkingDirectory=/nonexistent\n" + sleep, "failed failed exit-code 1 200"),
        "idle": ("Type=idle\n" + sleep, "active running success 0 0"),
        "bus": ("BusName=org.example.X\n" + sleep, "active running success 0 0"),
        "forks": ('Type=forking\nExecStart=/bin/sh -c "sleep 1000 & exit 0"', "active running success 0 0"),
        "fork-fails": ('Type=forking\nExecStart=/bin/sh -c "exit 4"', "failed failed exit-code 0 0"),
        "steps": ('Type=oneshot\nExecStart=-/bin/false\nExecStart=/bin/sh -c "exit 7"\nExecStart=/bin/echo never', "failed failed exit-code 1 7"),
        "stays": ("Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true", "active exited success 1 0"),
        "no-start": ("RemainAfterExit=yes\nExecStop=/bin/true", "active exited success 0 0"),
        "always": ("Type=oneshot\nRestart=always\nExecStart=/bin/true", "inactive dead success 0 0"),
        "not-ready": ("Type=notify\nExecStart=/bin/true", "failed failed protocol 1 0"),
        "late": ("Type=notify\nTimeoutStartSec=2s\n" + sleep, "failed failed timeout 2 15"),
        "late-kill": ("Type=notify\nTimeoutStartSec=2s\nTimeoutStartFailureMode=kill\n" + sleep, "failed failed timeout 2 9"),
        "skipped": ('ExecCondition=/bin/sh -c "exit 2"\n' + sleep, "inactive dead exec-condition 0 0"),
        "condition-255": ('ExecCondition=/bin/sh -c "exit 255"\n' + sleep, "failed failed exit-code 0 0"),
        "condition-killed": ('ExecCondition=/bin/sh -c "kill -9 $$$$"\n' + sleep, "failed failed signal 0 0"),
        "pre-fails": ("ExecStartPre=/bin/false\n" + sleep, "failed failed exit-code 0 0"),
        "pre-forgiven": ("ExecStartPre=-/bin/false\nExecStartPre=-/nonexistent/x\n" + sleep, "active running success 0 0"),
        "post-fails": (sleep + "\nExecStartPost=/bin/false", "failed failed exit-code 2 15"),
        "tempfail": ('SuccessExitStatus=3 TEMPFAIL\nExecStart=/bin/sh -c "exit 75"', "inactive dead success 1 75"),
        "good-kill": ('SuccessExitStatus=SIGKILL\nExecStart=/bin/sh -c "kill -9 $$$$"', "inactive dead success 2 9"),
        "term": ('ExecStart=/bin/sh -c "kill -TERM $$$$"', "inactive dead success 2 15"),
        "job-term": ('Type=oneshot\nExecStart=/bin/sh -c "kill -TERM $$$$"', "failed failed signal 2 15"),
        "prevented": ('Restart=always\nRestartPreventExitStatus=5\nExecStart=/bin/sh -c "exit 5"', "failed failed exit-code 1 5"),
        "too-long": ("RuntimeMaxSec=200ms\n" + sleep, "failed failed timeout 2 15"),
        "cgroup": ('ExitType=cgroup\nExecStart=/bin/sh -c "sleep 1001 & exit 0"', "active running success 1 0"),
        "cgroup-ends": ('ExitType=cgroup\nExecStart=/bin/sh -c "sleep 0.1 & exit 3"', "failed failed exit-code 1 3"),
    }
    table = {name: lines for name, (lines, _) in cases.items()}
    with Box(services(table)) as box:
        boot_all(box, table)
        for name, (_, wanted) in cases.items():
            try:
                until(name, lambda n=name, w=wanted: facts(box, n) == w, 10)
            except Failure:
                out[name] = f"{facts(box, name)}, wanted {wanted}"
        equal(out, {}, "ends")
        check("[steps] never" not in box.log(), box.log())


def story_what_commands_are_told():
    words = 'Environment="A=one two" B=three\nExecStart=/usr/bin/printf "%%s|" $A "${A}" "$A" x$A pre${B}post $NOSUCH $$B\nType=oneshot'
    result = 'ExecStopPost=/bin/sh -c "echo after=$SERVICE_RESULT,$EXIT_CODE,$EXIT_STATUS"'
    table = {
        "words": words,
        "literal": 'Environment=FOO=bar\nExecStart=:/bin/echo ${FOO} $FOO\nType=oneshot',
        "zero": 'ExecStart=@/bin/sh mysh -c "echo zero=$0"\nType=oneshot',
        "rights": "User=nobody\nType=oneshot\n" + "\n".join(
            f'ExecStart={prefix}/bin/sh -c "echo {name}=`id -u`"' for prefix, name in (("", "plain"), ("+", "plus"), ("!", "bang"))),
        "fails": 'ExecStart=/bin/sh -c "exit 9"\nExecStop=/bin/echo stop-ran\n' + result,
        "killed": 'ExecStart=/bin/sh -c "kill -9 $$$$"\n' + result,
        "never-ran": "ExecStartPre=/bin/false\nExecStart=/bin/true\nExecStop=/bin/echo stop-ran\n" + result,
        "pid": 'PIDFile=%N/main.pid\nRuntimeDirectory=%N\nType=forking\nExecStart=/bin/sh -c "sleep 1002 & echo $! > $PIDFILE"\nExecStartPost=/bin/sh -c "echo main=$MAINPID file=$PIDFILE"',
    }
    with Box(services(table)) as box:
        boot_all(box, table)
        for line in (r"words\] one\|two\|one two\|one\|two\|x\$A\|prethreepost\|\$B\|", r"literal\] \$\{FOO\} \$FOO", r"zero\] zero=mysh",
                     r"rights\] plain=65534", r"rights\] plus=0", r"rights\] bang=0", r"fails\] stop-ran", r"fails\] after=exit-code,exited,9",
                     r"killed\] after=signal,killed,KILL", r"never-ran\] after=exit-code,,", r"pid\] main=\d+ file=/run/pid/main.pid"):
            box.wait_log(r"^\[" + line)
        check("[never-ran] stop-ran" not in box.log(), "ExecStop= is for what was up")


def story_a_handler_learns_what_happened():
    handler = ('Type=oneshot\nExecStart=/bin/sh -c "echo %i $MONITOR_UNIT $MONITOR_SERVICE_RESULT $MONITOR_EXIT_CODE $MONITOR_EXIT_STATUS'
               ' id=$MONITOR_INVOCATION_ID"')
    table = {
        "handler@": handler,
        "fails": ('ExecStart=/bin/sh -c "echo id=$INVOCATION_ID; exit 3"', "OnFailure=handler@%n.service"),
        "works": ("Type=oneshot\nExecStart=/bin/true", "OnSuccess=handler@%N.service"),
        "one": ("ExecStart=/bin/false", "OnFailure=shared.service"),
        "two": ("ExecStart=/bin/false", "OnFailure=shared.service"),
        "shared": 'Type=oneshot\nExecStart=/bin/sh -c "echo unit=$MONITOR_UNIT."',
    }
    files = services(table)
    with Box(files, [name + ".service" for name in table if name not in ("handler@", "shared")]) as box:
        box.boot()
        box.wait_log(r"^\[fails\] id=\w+")
        number = [line for line in box.log().split("\n") if line.startswith("[fails] id=")][0].split("=")[1]
        box.wait_log(r"^\[handler@fails.service\] fails.service fails.service exit-code exited 3 id=" + number + "$")
        box.wait_log(r"^\[handler@works\] works works.service success exited 0 id=\w+$")
        box.wait_log(r"^\[shared\] unit=\.$") # which of the two it was cannot be told


def story_restart_policies():
    """(Restart=, signal that ends the main process, whether it comes back)"""
    cases = [("on-abnormal", 15, False), ("on-abnormal", 9, True), ("on-abort", 15, False), ("on-abort", 9, True), ("on-success", 15, True),
             ("on-success", 9, False), ("on-failure", 15, False), ("on-failure", 9, True), ("on-watchdog", 9, False), ("no", 9, False)]
    table = {f"r{i}": f"Restart={policy}\nRestartSec=1ms\nExecStart=/bin/sleep infinity" for i, (policy, _, _) in enumerate(cases)}
    with Box(services(table)) as box:
        boot_all(box, table)
        before = {name: box.main_pid(name) for name in table}
        for name, (_, number, _) in zip(table, cases):
            box.inside("kill", f"-{number}", str(before[name]), check=True)
        for name, (policy, number, back) in zip(table, cases):
            if back:
                until(f"{policy} after {number}", lambda n=name: box.main_pid(n) not in (0, before[n]))
            else:
                until(f"{policy} after {number}", lambda n=name: box.state(n) in ("inactive", "failed"))
                equal(box.show(name, "NRestarts"), "0", policy)


def story_dependents_and_restart_mode():
    def dependent(of, kind):
        return "ExecStart=/bin/sleep infinity", f"{kind}={of}.service\nAfter={of}.service"
    normal = "Restart=always\nRestartSec=1ms\nExecStart=/bin/sleep infinity"
    table = {"normal": normal, "direct": normal + "\nRestartMode=direct", "nr": dependent("normal", "Requires"), "nb": dependent("normal", "BindsTo"),
             "dr": dependent("direct", "Requires"), "db": dependent("direct", "BindsTo")}
    with Box(services(table)) as box:
        boot_all(box, table)
        before = {name: box.main_pid(name) for name in table}
        for name in ("normal", "direct"):
            box.inside("kill", "-9", str(before[name]), check=True)
        for name in ("normal", "direct", "nr"): # Requires=: restarted with it
            until(name, lambda n=name: box.main_pid(n) not in (0, before[n]))
        until("nb", lambda: box.state("nb") == "inactive") # BindsTo=: stopped with it
        equal([box.main_pid("dr"), box.main_pid("db")], [before["dr"], before["db"]], "direct: nobody notices")


def story_start_limits_by_all_their_names():
    loop = "Restart=always\nRestartSec=1ms\nExecStart=/bin/true\n"
    table = {"old": loop + "StartLimitInterval=10\nStartLimitBurst=2", "now": (loop, "StartLimitIntervalSec=10s\nStartLimitBurst=2"),
             "older": (loop, "StartLimitInterval=10\nStartLimitBurst=2")}
    with Box(services(table)) as box:
        boot_all(box, table)
        for name in table:
            box.wait_log(rf"^\[monoinit\] {name}: restarting too quickly; stays failed: 2 starts in 10 s\.")
            equal(box.state(name), "failed", name)
        check(box.initctl("start", "old").returncode == 0, "a person may try again")
    action = {"ends": loop + "StartLimitBurst=2\nStartLimitAction=exit-force"}
    with Box(services(action)) as box:
        box.enable("ends.service")
        box.boot(wait=False)
        equal(box.wait(), 1, "StartLimitAction= ends the container")


def story_what_a_stop_reaches():
    """KillMode= and the signals of systemd.kill(5)."""
    def trapping(signal, word):
        return f"/bin/sh -c 'trap \"echo {word}; exit 0\" {signal}; trap \"echo refused\" TERM; echo set; while :; do sleep 0.05; done'"
    tree = "/bin/sh -c 'trap \"exit 0\" TERM; sh -c \"trap : TERM; echo set; while :; do sleep {}; done\" & while :; do sleep 0.05; done'"
    table = {
        "group": "TimeoutStopSec=300ms\nExecStart=" + tree.format("0.0501"),
        "process": "KillMode=process\nExecStart=" + tree.format("0.0502"),
        "mixed": "KillMode=mixed\nTimeoutStopSec=300ms\nExecStart=" + tree.format("0.0503"),
        "none": "KillMode=none\nExecStart=" + tree.format("0.0504"),
        "int": "KillSignal=SIGINT\nExecStart=" + trapping("INT", "got-int"),
        "hup": "SendSIGHUP=yes\nExecStart=" + trapping("HUP", "got-hup"),
        "quit": "FinalKillSignal=SIGQUIT\nTimeoutStopSec=200ms\nExecStart=" + trapping("QUIT", "got-quit"),
        "abort": "TimeoutStopFailureMode=abort\nTimeoutStopSec=200ms\nExecStart=" + trapping("ABRT", "got-abort"),
        "again": "RestartKillSignal=SIGUSR1\nExecStart=" + trapping("USR1", "got-usr1"),
        "command": 'ExecStart=/bin/sleep infinity\nExecStop=-/bin/false\nExecStop=/bin/sh -c "echo stop=$MAINPID; kill $MAINPID"\nExecStopPost=/bin/sh -c "echo after=$SERVICE_RESULT,$EXIT_STATUS"',
        "slow": "TimeoutStopSec=200ms\nExecStart=/bin/sleep infinity\nExecStop=/bin/sleep infinity",
    }
    with Box(services(table)) as box:
        boot_all(box, table)
        for name in table:
            if name not in ("command", "slow"):
                box.wait_log(rf"^\[{name}\] set$")
        box.initctl("restart", "again", check=True)
        for name in table:
            if name != "again":
                box.initctl("stop", name)
        for name, word in (("int", "int"), ("hup", "hup"), ("quit", "quit"), ("abort", "abort"), ("again", "usr1")):
            box.wait_log(rf"^\[{name}\] got-{word}$")
        box.wait_log(r"^\[command\] after=success,TERM$")
        for name, left in (("group", False), ("process", True), ("mixed", False), ("none", True)):
            equal(bool(box.find(f"do sleep 0.050{1 + list(table).index(name)}; done")), left, name)
        wanted = {"group": "timeout", "process": "success", "mixed": "success", "none": "success", "int": "success", "quit": "timeout",
                  "abort": "timeout", "slow": "timeout"}
        equal({name: box.show(name, "Result") for name in wanted}, wanted)


def story_what_is_not_started_says_why():
    table = {"one": ("ExecStart=/bin/sleep infinity", "Conflicts=two.service"), "two": "ExecStart=/bin/sleep infinity",
             "many@": "ExecStart=/bin/sleep infinity", "up": ("ExecStart=/bin/sleep infinity", "Upholds=bad.service"),
             "bad": "ExecStart=/bin/false"}
    with Box(services(table)) as box:
        os.symlink("/nonexistent/file", os.path.join(box.units, "dangling.service"))
        boot_all(box, table)
        box.wait_log(r"^\[monoinit\] two not started: one.service, which is started, conflicts with it: Conflicts= \(one.service:2\)$")
        check("conflicts with it" in box.initctl("status", "two").stdout, "Why")
        refused = box.initctl("start", "many@")
        check(refused.returncode == 1 and "many@.service is a template" in refused.stderr, refused.stderr)
        refused = box.initctl("start", "dangling")
        check("a link to /nonexistent/file, which does not exist" in refused.stderr, refused.stderr)
        box.wait_log(r"^\[monoinit\] bad: restarting too quickly; up.service upholds it, so it is tried again in ")
        equal(box.log().count("bad: restarting too quickly"), 1)


def story_libsystemd_as_the_client():
    """The example with the real libsystemd: many at once, so that messages overtake the guards' reports of the pid."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/notify/notify.c")
    if shutil.which("cc") is None or not os.path.exists("/usr/include/systemd/sd-daemon.h"):
        print("SKIP: no compiler or no libsystemd-dev")
        return
    with Box() as box:
        program = box.path("notify")
        subprocess.run(["cc", "-o", program, source, "-lsystemd"], check=True)
        names = [f"n{i}" for i in range(24)]
        for name in names:
            box.write(name + ".service", f"[Service]\nType=notify\nWatchdogSec=3\nTimeoutStartSec=15\nExecStart={program}\n")
            box.enable(name + ".service")
        box.boot()
        check("ignored" not in box.log(), box.log())
        for name in names:
            equal(box.show(name, "StatusText"), "at your service", name)
        pid = box.main_pid("n0") # a hung one is aborted
        box.inside("kill", "-STOP", str(pid), check=True)
        box.wait_log(r"^\[monoinit\] n0: no WATCHDOG=1 for 3 s; aborting it$")
        until("n0 fails", lambda: box.state("n0") == "failed")
        equal(box.show("n0", "Result"), "watchdog")
        equal(box.stop(), 0, "exit status")


PODMAN = """#!/usr/bin/python3
# What the units need of podman: `run` starts a conmon away from itself, which says READY=1 and MAINPID= (--sdnotify=conmon);
# without --detach it stays in front. stop and rm end it.
import os, signal, socket, sys
verb, rest = sys.argv[1], sys.argv[2:]
print("podman", *sys.argv[1:], flush=True)
state = "/run/stand-in." + ("myapp" if "myapp" in " ".join(sys.argv) else "registry")
def say(text):
    if "NOTIFY_SOCKET" in os.environ:
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(text.encode(), os.environ["NOTIFY_SOCKET"])
if verb == "run":
    ready, said = os.pipe()
    back = os.fork() if "--detach" in rest else 0
    if back:
        os.close(said)
        os.read(ready, 1) # as podman, which leaves when its conmon has spoken
    else:
        if "--detach" in rest:
            os.setsid()
        open(state, "w").write(str(os.getpid()))
        say("MAINPID=%d\\nREADY=1" % os.getpid())
        os.close(said)
        signal.pause()
elif verb == "stop" and os.path.exists(state):
    os.kill(int(open(state).read()), signal.SIGTERM)
"""


def stand_ins(box, programs, user=None):
    """Programs and a user that the units name, seen only inside the box."""
    os.mkdir(box.path("bin"))
    for name, text in programs.items():
        with open(box.path("bin", name), "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(box.path("bin", name), 0o755)
    for where in ("/usr/local/bin", "/usr/bin/podman"):
        inner = box.path("bin", "podman") if where.endswith("podman") else box.path("bin")
        if os.path.exists(where):
            box.inside("mount", "--bind", inner, where, check=True)
        elif where.endswith("podman"):
            return False
    if user is not None:
        with open("/etc/passwd", encoding="utf-8") as known, open(box.path("passwd"), "w", encoding="utf-8") as out:
            out.write(known.read() + f"{user}:x:1234:50::/tmp:/bin/sh\n")
        box.inside("mount", "--bind", box.path("passwd"), "/etc/passwd", check=True)
    return True


def story_what_no_container_may_is_not_asked_for_in_vain():
    """dbus.service, sshd and postgresql ask for less of the OOM killer, others for priority: systemd starts them in containers all the same."""
    with Box({"web.service": "[Service]\nOOMScoreAdjust=-900\nNice=-5\nExecStart=/bin/sleep infinity\n",
              "meek.service": "[Service]\nOOMScoreAdjust=500\nNice=5\nExecStart=/bin/sleep infinity\n"}, ["web.service", "meek.service"], uid=4711) as box:
        box.boot()
        inherited = os.nice(0)
        for unit, nice, score in (("web", str(inherited), "0"), ("meek", str(max(inherited, 5)), "500")):
            equal(box.initctl("is-active", unit, uid=4711).stdout.strip(), "active", unit)
            pid = box.initctl("show", "-p", "MainPID", "--value", unit, uid=4711).stdout.strip()
            equal(box.inside("sh", "-c", f"cut -d' ' -f19 /proc/{pid}/stat; cat /proc/{pid}/oom_score_adj").stdout.split(), [nice, score], unit)


def story_the_reference_units_run():
    directory = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/reference-units/clean")
    with Box() as box:
        for name in os.listdir(directory):
            shutil.copy(os.path.join(directory, name), box.units)
        box.boot()
        programs = {
            "podman": PODMAN,
            "docker-entrypoint.sh": "#!/bin/sh\necho preparing\n",
            "code-server": "#!/bin/sh\necho serving $CODE_SERVER_PORT as `id -un`:`id -gn` with $*\nexec sleep infinity\n",
        }
        all_there = stand_ins(box, programs, "hagevvashi")
        box.initctl("start", "code-server", check=True)
        box.wait_log(r"^\[docker-entrypoint\] preparing$")
        box.wait_log(r"^\[code-server\] serving 4035 as hagevvashi:staff with --bind-addr 0.0.0.0:4035 --auth password$")
        equal(facts(box, "docker-entrypoint"), "active exited success 1 0")
        # What it requires is not there: a mount that is no volume, a service of a package that is not installed.
        check(box.initctl("start", "podman-registry").returncode != 0, "its mount unit cannot be satisfied")
        box.wait_log(r"podman-registry not started: mnt-shared")
        if not all_there:
            print("SKIP: no /usr/bin/podman that a stand-in could cover")
            return
        box.initctl("start", "container-myapp", check=True)
        box.wait_log(r"^\[container-myapp\] podman run --cidfile=/run/container-myapp.service.ctr-id --cgroups=no-conmon --rm --sdnotify=conmon")
        equal(facts(box, "container-myapp"), "active running success 0 0")
        before = box.main_pid("container-myapp")
        with open(f"/proc/{box.init}/root/run/stand-in.myapp", encoding="ascii") as said:
            equal(str(before), said.read(), "MAINPID= of a process that podman left")
        box.initctl("stop", "container-myapp", check=True)
        for line in ("podman stop --ignore", "podman rm -f --ignore"):
            box.wait_log(r"^\[container-myapp\] " + line)
        equal(box.state("container-myapp"), "inactive")


def story_priorities_out_of_reach():
    """What a container's root may not do, Debian's units ask for; the command runs without, and that is said."""
    unit = "[Service]\nUser=nobody\nAmbientCapabilities=CAP_NET_RAW CAP_SYS_NICE\nOOMScoreAdjust=-900\nNice=-5\nExecStart=/bin/sleep infinity\n"
    with Box({"a.service": unit}, ["a.service"], wrap=["setpriv", "--bounding-set=-sys_resource,-sys_nice"]) as box:
        box.boot()
        equal(box.state("a"), "active")
        said = box.initctl("status", "a").stdout
        check("AmbientCapabilities=cap_sys_nice: not this container's" in said, said)
        check("OOMScoreAdjust=-900 needs CAP_SYS_RESOURCE, which" in said and "Nice=-5 needs CAP_SYS_NICE, which" in said, said)
        with open("/proc/self/oom_score_adj", encoding="ascii") as own:
            equal(box.inside("cat", f"/proc/{box.main_pid('a')}/oom_score_adj").stdout, own.read())


if __name__ == "__main__":
    run(globals())
