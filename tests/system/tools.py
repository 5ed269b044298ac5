#!/usr/bin/env python3
"""The small programs of systemd's family. A table of calls is compared with the real ones: with their recorded answers
(tests/data/tools.tsv; --record DIR asks those below DIR, an unpacked Debian package), so that they need not be here."""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile

from harness import INITCTL, NOTIFY, PRIVATE_DEV, Box, check, equal, run, until

HERE = os.path.dirname(os.path.abspath(__file__))
RECORDED = os.path.join(HERE, "../data/tools.tsv")
BIN = os.path.dirname(INITCTL)
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/home/ann", "LANG": "C.UTF-8", "TZ": "UTC"}
ID = "0123456789abcdef0123456789abcdef"

CALLS = [call.split("|") for call in f"""
escape
escape|a b/c-d
escape|a||b
escape|.hidden|ä|a.b:c_d
escape|--suffix=a|--template=b@.service|x
escape|--suffix=foo|x
escape|--suffix=mount|-p|/a/b
escape|--suffix=service|x y
escape|--suffix=service|--template=foo@.service|x
escape|--template=foo.service|x
escape|--template=foo@bar.service|x
escape|--template=foo@.service|a b/c
escape|--template=foo@.service|
escape|--template=foo@.mount|-p|/a b/c
escape|-p|/|//|/a/./b/
escape|-p|/a/../b
escape|-p|a
escape|-p|a//b/|
escape|-u|a-b|a\\x2db|-
escape|-u|a\\xzz
escape|-p|-u|a-b|-
escape|-p|-u|a--b
escape|-u|-p|--suffix=mount|a-b.mount
escape|-u|--template=foo@.service|foo@a-b.service
escape|-u|--template=bar@.service|foo@a-b.service
escape|-u|--template=bar@.service|foo.service
escape|-u|--instance|foo@a-b.service
escape|-u|--instance|foo.service
escape|-u|-p|--instance|foo@a-b.service
escape|--instance|foo@a-b.service
escape|-u|--instance|--template=foo@.service|foo@a.service
escape|-m|foo|a b|/dev/sda1|/mnt/x|a*b|foo.mount|f@b
escape|-m|@x
escape|-m|
escape|-m|a[b?
escape|-m|-u|x
escape|-m|-p|x
escape|-m|--template=a@.service|x
escape|-m|--suffix=service|x
escape|--bad|x
escape|-z
escape|--suffix
escape|--unesc|a-b
escape|--path=x
notify
notify|--booted|x
notify|--ready
notify|READY=1
NOTIFY_SOCKET=/nonexistent/x|notify|--ready
NOTIFY_SOCKET=relative|notify|--ready
NOTIFY_SOCKET=/x|notify|--pid=abc
NOTIFY_SOCKET=/x|notify|--uid=no-such-user|A=1
notify|--nonsense
cat|-p|foo
cat|-p|8
cat|--stderr-priority=foo
cat|--level-prefix=foo
cat|--nonsense
detect-virt|foo
detect-virt|--nonsense
detect-virt|--list
path|user|user-configuration|foo
path|--suffix=a/b|user|system-binaries|search-binaries
path|temporary|temporary-large|user-documents|user-desktop|search-configuration|search-shared|user-shared|user-state-cache
XDG_CONFIG_HOME=/q|path|user-configuration|search-configuration
XDG_DATA_HOME=/q|XDG_DATA_DIRS=/r:/s|path|search-shared
XDG_RUNTIME_DIR=/run/user/7|path|user-runtime
path|user-runtime
TMPDIR=/usr|path|temporary
TMPDIR=/nonexistent|path|temporary-large
path|system-state-cache|system-state-private|system-runtime-logs|system-include|tmpfiles|systemd-system-conf
run
run|--wait|--no-block|true
run|--scope|--wait|true
run|--scope|-t|true
run|--pty|--no-block|true
run|--on-active=5
run|--on-calendar=foo|true
run|--timer-property=AccuracySec=1|true
run|--on-active=5|--wait|true
run|--on-active=5|-t|true
run|--scope|--on-active=1|true
run|--nice=100|true
run|--scope|-r|true
run|-S|true
run|no-such-program
run|--scope|no-such-program
run|--on-active=1|--path-property=PathExists=/x|true
run|--scope|--service-type=simple|true
run|--no-such
run|--socket-property=ListenStream=1|-P|true
run|--pipe|--scope|true
run|-u
analyze|timespan|5min|1h3s|foo
analyze|timespan
analyze|timespan|infinity|0|1.5d|1year 0.000001s|100ms
analyze|timestamp|foo
analyze|timestamp|2012-11-23 11:12:13 UTC
analyze|exit-status|0|1|2|64|200|243|255
analyze|exit-status|0|203|EXEC|63|USAGE
analyze|exit-status|foo
analyze|exit-status|256
analyze|capability
analyze|capability|CAP_CHOWN|3|cap_bpf
analyze|capability|foo
analyze|condition
analyze|condition|ConditionPathExists=/etc|ConditionUser=!root|AssertPathExists=/nope
analyze|condition|ConditionPathExists=!/nope
analyze|condition|foo
analyze|condition|ConditionFoo=1
analyze|compare-versions|1|2
analyze|compare-versions|2|1
analyze|compare-versions|1|1
analyze|compare-versions|1~rc1|<|1
analyze|compare-versions|1|lt|2
analyze|compare-versions|1|gt|2
analyze|compare-versions|1|ge|1
analyze|compare-versions|1|ne|1
analyze|compare-versions|1|eq|01
analyze|compare-versions|1|foo|2
analyze|compare-versions|1
analyze|calendar
analyze|calendar|daily|--base-time=2026-11-26 07:22 UTC|--iterations=0
analyze|cat-config|no/such.conf
analyze|cat-config
analyze|nonsense
analyze|--nonsense
id128
id128|foo
id128|new|x
id128|show
id128|show|-u
id128|show|root|var|-u
id128|show|-p|root
id128|show|-p|usr-arm64-verity
id128|show|foo
id128|show|4d21b016b53445c2a9fb5c16e091fd2d
id128|show|4d21b016-b534-45c2-a9fb-5c16e091fd2d
id128|show|{ID}
id128|machine-id|-a|x
id128|invocation-id
INVOCATION_ID={ID}|id128|invocation-id
INVOCATION_ID={ID}|id128|invocation-id|-u
INVOCATION_ID={ID}|id128|invocation-id|-p
INVOCATION_ID=x|id128|invocation-id
id128|invocation-id|-a|{ID}
id128|help|x
id128|-x
""".strip().split("\n")]


def ask(call, directory, environment=None):
    """Exit status, output and complaints of one call."""
    variables = [word for word in call if re.match(r"[A-Z_]+=", word) and call.index(word) < next(i for i, w in enumerate(call) if not re.match(r"[A-Z_]+=", w))]
    words = call[len(variables):]
    program = next(path for path in (os.path.join(directory, *place, "systemd-" + words[0]) for place in ((), ("bin",), ("usr", "bin"))) if os.path.exists(path))
    env = {**ENVIRONMENT, **(environment or {}), **dict(word.split("=", 1) for word in variables)}
    done = subprocess.run([program, *words[1:]], capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL, timeout=20, check=False)
    complaints = done.stderr.replace(program, "systemd-" + words[0])
    return [done.returncode, done.stdout, complaints]


def record(directory):
    libraries = {"LD_LIBRARY_PATH": os.path.join(directory, "lib/systemd")}
    with open(RECORDED, "w", encoding="utf-8") as out:
        out.write("# Recorded by tests/system/tools.py --record from systemd's tools: call, then exit status, output and complaints as JSON.\n")
        for call in CALLS:
            # What the loader is told would show in search-library-arch only.
            out.write("|".join(call) + "\t" + json.dumps(ask(call, directory, libraries), ensure_ascii=False) + "\n")


def normal(answer):
    """--help is in our own words."""
    status, out, complaints = answer
    return [status, "help" if "  -h --help" in out else out, complaints]


def story_as_the_real_ones():
    wrong = []
    with open(RECORDED, encoding="utf-8") as rows:
        recorded = dict(row.rstrip("\n").split("\t") for row in rows if not row.startswith("#"))
    equal(sorted(recorded), sorted("|".join(call) for call in CALLS), "calls recorded")
    for call in CALLS:
        wanted, got = normal(json.loads(recorded["|".join(call)])), normal(ask(call, BIN))
        if wanted != got:
            wrong.append(f"{'|'.join(call)}\n  theirs {wanted}\n  ours   {got}")
    check(not wrong, "\n".join(wrong))


def ours(*words, **options):
    return subprocess.run([os.path.join(BIN, words[0]), *words[1:]], capture_output=True, text=True, timeout=20, check=False, **options)


def story_ids():
    new = ours("systemd-id128", "new").stdout.strip()
    check(re.fullmatch(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}", new), new)
    check(new != ours("systemd-id128", "new").stdout.strip(), "twice the same")
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot:
        equal(ours("systemd-id128", "boot-id", "-u").stdout, boot.read())
    equal(ours("systemd-id128", "show", "-P", "var").stdout, "4d21b016b53445c2a9fb5c16e091fd2d\n")


def story_every_tool_has_help_and_a_version():
    with open(os.path.join(HERE, "../../src/cli/programs.hpp"), encoding="utf-8") as table:
        names = re.findall(r'^    \{"([a-z0-9-]+)",', table.read(), re.M)
    check(len(names) > 10, names)
    for name in names:
        asked = ours(name, "--help")
        check(asked.returncode == 0 and "--help" in asked.stdout, f"{name} --help: {asked}")
        told = ours(name, "--version")
        check(told.returncode == 0 and re.match(r"systemd 25\d |monoinit ", told.stdout), f"{name} --version: {told}")
    equal(ours("runlevel").stdout, "N 5\n")
    equal(ours("runlevel", env={"RUNLEVEL": "3", "PREVLEVEL": "2"}).stdout, "2 3\n")


def notified(*words, environment=None, behave=None):
    """What a tool sends to $NOTIFY_SOCKET; descriptors with BARRIER=1 are closed, as an init does."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.bind(path)
            server.settimeout(10)
            process = subprocess.Popen([os.path.join(BIN, "systemd-notify"), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                       env={**ENVIRONMENT, **(environment or {}), "NOTIFY_SOCKET": path}, **(behave or {}))
            messages = []
            while not messages or ("--no-block" not in words and messages[-1][0] != "BARRIER=1"):
                text, descriptors, _, _ = socket.recv_fds(server, 4096, 16)
                messages.append((text.decode(), len(descriptors)))
                for descriptor in descriptors:
                    os.close(descriptor)
            out, err = process.communicate(timeout=10)
            return messages, process.returncode, out + err


def story_notify_messages():
    messages, status, _ = notified("--ready", "--status=half past", "X_A=1", "X_B=2")
    equal((messages, status), ([("READY=1\nSTATUS=half past\nX_A=1\nX_B=2", 0), ("BARRIER=1", 1)], 0))
    equal(notified("--stopping", "--no-block")[0], [("STOPPING=1", 0)])
    check(re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", notified("--reloading", "--no-block")[0][0][0]), "reloading")
    equal(notified("--pid", "--no-block")[0][0][0], f"MAINPID={os.getpid()}")
    equal(notified("--pid=parent", "--no-block")[0][0][0], f"MAINPID={os.getpid()}")
    equal(notified("--pid=1", "--no-block")[0][0][0], "MAINPID=1")
    with open("/dev/null", "rb") as null:
        os.set_inheritable(null.fileno(), True)
        equal(notified("--fd", str(null.fileno()), "--fdname=nothing", "--no-block", behave={"pass_fds": [null.fileno()]})[0][0], ("FDSTORE=1\nFDNAME=nothing", 1))
    messages, status, out = notified("--ready", "--exec", "A=1", ";", "sh", "-c", "echo then; exit 7")
    equal((messages[0][0], status, out), ("READY=1\nA=1", 7, "then\n"))
    equal(ours("systemd-notify", "--exec", "A=1", env={"NOTIFY_SOCKET": "/x"}).returncode, 1)


UNIT = f"""[Service]
Type=notify
NotifyAccess=all
ExecStart=sh -c 'echo working; {BIN}/systemd-notify --ready --status=served; read x < /run/fifo; {BIN}/systemd-notify --reloading; {BIN}/systemd-notify --ready --status=again; exec sleep 1000'
"""


def story_notify_in_a_service():
    for uid in (None, 1700):
        with Box({"web.service": UNIT}, enable=["web.service"], uid=uid, setup="mkfifo -m 666 /run/fifo; mkdir -p -m 755 /run/user/1700; chown 1700 /run/user/1700", env={"XDG_RUNTIME_DIR": "/run/user/1700"} if uid else None) as box:
            box.boot()
            equal(box.show("web", "StatusText"), "served")
            box.inside("sh", "-c", "echo > /run/fifo", check=True)
            until("again", lambda: box.show("web", "StatusText") == "again")
            equal(box.state("web"), "active")


def story_cat():
    with Box(setup=PRIVATE_DEV, env={"MONOINIT_SYSLOG_SOCKETS": "yes"}) as box:
        box.boot()
        done = box.initctl("-t", "mine", "sh", "-c", "echo one; echo '<3>three' >&2; exit 5", name="systemd-cat")
        equal(done.returncode, 5)
        box.wait_log(r"mine\[\d+\]: one$")
        box.wait_log(r"mine\[\d+\]: three$")
        box.initctl("-t", "piped", name="systemd-cat", input="from a pipe\n", check=True)
        box.wait_log(r"piped\[\d+\]: from a pipe$")
        box.initctl("-t", "loud", "-p", "warning", "--stderr-priority=err", "sh", "-c", "echo w; echo e >&2", name="systemd-cat", check=True)
        box.wait_log(r"loud\[\d+\]: e$")
        asked = box.initctl("-t", "loud", "-p", "err", "-o", "cat", name="journalctl")
        equal(asked.stdout, "e\n")
        missing = box.initctl("/no/such/program", name="systemd-cat")
        equal((missing.returncode, missing.stderr), (1, "Failed to execute process: No such file or directory\n"))


WEB = "[Service]\nExecStart=sleep 1000\n"


def story_the_end_by_other_names():
    for name, words in (("halt", ()), ("poweroff", ()), ("reboot", ("-f",)), ("shutdown", ("-h", "now")), ("shutdown", ("-r", "+0")), ("telinit", ("0",))):
        with Box({"web.service": WEB}, enable=["web.service"]) as box:
            box.boot()
            equal(box.initctl("-w", name="halt").returncode, 0)
            asked = box.initctl(*words, name=name)
            # It lives in the container that ends, and may go down with it before it is through.
            check(asked.returncode in (0, -9), f"{name} {words}: {asked.stderr}")
            equal(box.wait(), 0)
            check("web: stopped" in box.log() or "-f" in words, box.log())


def story_telinit():
    with Box({"web.service": WEB}, enable=["web.service"]) as box:
        box.boot()
        box.write("new.service", WEB)
        for word in ("q", "u", "5"):
            equal(box.initctl(word, name="telinit").returncode, 0, word)
        equal(box.state("web"), "active")
        equal(box.initctl("9", name="telinit").returncode, 1)
    away = ours("halt", "--no-wall", env={"MONOINIT_SOCKET": "/nonexistent"})
    check(away.returncode == 1 and "Can't operate" in away.stderr, away)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--record"]:
        record(sys.argv[2])
    else:
        run(globals())
