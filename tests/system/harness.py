"""Boots the real static binary as PID 1 of a PID namespace and asks it things. Stories wait for events, never sleep.

A story is a function named story_…; run(globals()) at the end of a file plays all of them (or those named as arguments).
Skips (exit 77) where no PID namespace can be made.
"""
import contextlib
import json
import os
import re
import shutil
import signal as signals
import subprocess
import sys
import tempfile
import time
import traceback

MONOINIT = os.environ.get("MONOINIT", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/debug/monoinit"))
NOTIFY = "perl " + os.path.join(os.path.dirname(os.path.abspath(__file__)), "notify.pl")  # for ExecStart=: NOTIFY READY=1
INITCTL = os.path.join(os.path.dirname(MONOINIT), "initctl")
REPORTS = os.path.join(os.path.dirname(MONOINIT), "reports")  # of the sanitizers, where they are in the binary
SANITIZED = os.path.isdir(REPORTS)
DEADLINE = float(os.environ.get("MONOINIT_DEADLINE", "20"))


class Failure(Exception):
    pass


def not_sanitized(reason):
    """A story that cannot hold under sanitizers, and why not."""
    def mark(story):
        story.not_sanitized = reason
        return story
    return mark


def budget_kb(wanted):
    """Of a process's memory: redzones, and what was freed and is kept, come on top under sanitizers."""
    return wanted + (128 << 10 if SANITIZED else 0)


def take_reports(directory):
    """What sanitizers have written there, which is taken away."""
    texts = []
    for entry in sorted(os.listdir(directory)):
        path = os.path.join(directory, entry)
        with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8", errors="replace") as text:  # a story beside this one has taken it
            os.unlink(path)
            texts.append(f"{entry}: {text.read()}")
    return "\n".join(texts)


def until(what, probe, deadline=DEADLINE):
    """Polls probe() until it is true; returns its value."""
    end = time.monotonic() + deadline
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"did not come in {deadline} s: {what}")
        time.sleep(0.005)


# Setup of a box: a /dev with the devices everybody needs, and room to make /dev/log.
PRIVATE_DEV = """mkdir /run/.dev
mount -t tmpfs -o mode=755 tmpfs /run/.dev
for device in null zero full random urandom tty; do touch /run/.dev/$device; mount --bind /dev/$device /run/.dev/$device; done
mkdir /run/.dev/shm; ln -s /proc/self/fd /run/.dev/fd
mount --move /run/.dev /dev; mount -t tmpfs tmpfs /dev/shm
"""


# Of every box: its files are the machine's, so the machine's are not to be set up by what is to be tested.
NO_TMPFILES = """for program in systemd-tmpfiles systemd-sysusers; do
if [ -e /usr/bin/$program ]; then mount --bind /dev/null /usr/bin/$program; fi
done
"""


class Box:
    """One boot. Files: {"web.service": text}; names ending in / .d/x.conf make drop-ins. enable: what the target wants."""

    def __init__(self, units=None, enable=(), args=(), env=None, uid=None, stdout=None, command=(), keep_unit_path=True, setup="",
                 wrap=(), pass_fds=(), namespaces=()):
        """setup: shell lines before PID 1, in its namespaces; wrap: a program and arguments that execute PID 1 (prlimit …);
        namespaces: further options of unshare(1)."""
        self.dir = tempfile.mkdtemp(prefix="monoinit-test-")
        os.chmod(self.dir, 0o755)
        self.units = os.path.join(self.dir, "units")
        self.log_path = os.path.join(self.dir, "out")
        os.mkdir(self.units)
        self.reports = None
        if SANITIZED:
            self.reports = tempfile.mkdtemp(prefix="monoinit-reports-")
            os.chmod(self.reports, 0o777)
        for name, text in (units or {}).items():
            self.write(name, text)
        for name in enable:
            self.enable(name)
        self.args = list(args)
        # /dev is the machine's here: only stories with a /dev of their own (PRIVATE_DEV) make /dev/log.
        self.env = {**os.environ, "MONOINIT_SYSLOG_SOCKETS": "no", "PATH": os.environ.get("PATH", "/usr/bin:/bin"), **(env or {})}
        self.uid = uid
        self.stdout = stdout
        self.command = list(command)
        self.keep_unit_path = keep_unit_path
        self.setup = setup
        self.wrap = list(wrap)
        self.pass_fds = tuple(pass_fds)
        self.namespaces = list(namespaces)
        self.process = None
        self.init = 0

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def write(self, name, text):
        path = os.path.join(self.units, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(text if isinstance(text, bytes) else text.encode())

    def enable(self, name, target="multi-user.target"):
        wants = os.path.join(self.units, target + ".wants")
        os.makedirs(wants, exist_ok=True)
        os.symlink("../" + name, os.path.join(wants, name))

    def boot(self, wait=True):
        reports = f"mount --bind {self.reports} {os.path.realpath(REPORTS)}\n" if self.reports else ""
        script = f'mount -t tmpfs tmpfs /run\n{reports}{NO_TMPFILES}{self.setup}\nexec "$@"'
        command = ["unshare", "--pid", "--fork", "--mount", "--mount-proc", "--kill-child", *self.namespaces, "sh", "-ec", script, "sh"]
        if self.uid is not None:
            os.chown(self.dir, self.uid, self.uid)
            command += ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]
        command += self.wrap + [MONOINIT]
        if self.keep_unit_path:
            command += [f"--unit-path={self.units}"]
        command += self.args + (["--", *self.command] if self.command else [])
        out = self.stdout if self.stdout is not None else open(self.log_path, "wb")
        self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT if self.stdout is None else None,
                                        stdin=subprocess.DEVNULL, env=self.env, cwd="/", pass_fds=self.pass_fds)
        if self.stdout is None:
            out.close()
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"

        def found():
            if self.process.poll() is not None:
                return True
            with open(children, encoding="ascii") as listing:
                pids = listing.read().split()
            if not pids:
                return False
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pids[0]}/exe") != os.path.realpath(MONOINIT):
                    return False
            self.init = int(pids[0])
            return True

        until("PID 1", found)
        if wait:
            self.wait_log(r"\[monoinit\] ready in ")
        return self

    def inside(self, *command, uid=None, check=False, timeout=DEADLINE, **options):
        prefix = ["nsenter", f"--target={self.init}", "--mount", "--pid"]
        if uid is not None:
            prefix += ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
        done = subprocess.run([*prefix, *command], capture_output=True, text=True, timeout=timeout, check=False, **options)
        if check and done.returncode != 0:
            raise Failure(f"{' '.join(command)}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def begin(self, *command):
        """A process inside that the story talks with; its parent is outside, so its orphans fall to PID 1."""
        return subprocess.Popen(["nsenter", f"--target={self.init}", "--mount", "--pid", *command], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)

    def initctl(self, *arguments, name="initctl", **options):
        return self.inside(os.path.join(os.path.dirname(MONOINIT), name), *arguments, **options)

    def show(self, unit, name):
        return self.initctl("show", "-p", name, "--value", unit).stdout.strip()

    def main_pid(self, unit):
        return int(self.show(unit, "MainPID") or 0)

    def state(self, unit):
        return self.show(unit, "ActiveState")

    def wait_state(self, unit, state, deadline=DEADLINE):
        until(f"{unit} {state}", lambda: self.state(unit) == state, deadline)

    def status_json(self, unit):
        return json.loads(self.initctl("--json", "status", unit).stdout)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as text:
            return text.read()

    def wait_log(self, pattern, deadline=DEADLINE, count=1):
        expression = re.compile(pattern, re.M)

        def there():
            if self.process.poll() is not None and not expression.search(self.log()):
                raise Failure(f"PID 1 ended with {self.process.returncode}")
            found = expression.findall(self.log())
            return found if len(found) >= count else None

        try:
            return until(pattern, there, deadline)
        except Failure as failure:
            raise Failure(f"{failure}\n--- log\n{self.log()}") from None

    def pids(self):
        """Every process inside, as {pid inside: (parent inside, state, command line)}."""
        text = self.inside("ps", "-eo", "pid=,ppid=,stat=,args=").stdout
        table = {}
        for line in text.splitlines():
            pid, parent, state, command = (line.split(None, 3) + [""])[:4]
            table[int(pid)] = (int(parent), state, command)
        return table

    def find(self, needle):
        return [pid for pid, (_, _, command) in self.pids().items() if needle in command and "ps -eo" not in command]

    def signal(self, number):
        """To PID 1, as docker does it: from outside."""
        os.kill(self.init, number)

    def stop(self, number=signals.SIGTERM, deadline=DEADLINE):
        """Signals PID 1 and returns its exit status."""
        if self.process.poll() is None:
            self.signal(number)
        return self.wait(deadline)

    def wait(self, deadline=DEADLINE):
        return self.process.wait(timeout=deadline)

    def close(self):
        if self.process is not None and self.process.poll() is None:
            if self.init:  # --kill-child does not reach a PID 1 that changed its uid
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.init, signals.SIGKILL)
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
        if self.reports:
            said = take_reports(self.reports)
            os.rmdir(self.reports)
            check(not said, f"a sanitizer has something to say:\n{said}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def check(condition, text):
    if not condition:
        raise Failure(text)


def equal(got, wanted, what=""):
    if got != wanted:
        raise Failure(f"{what or 'value'}: got {got!r}, wanted {wanted!r}")


def namespaces_work():
    return subprocess.run(["unshare", "--pid", "--fork", "--mount", "--mount-proc", "true"], capture_output=True, check=False).returncode == 0


def run(names):
    if not namespaces_work():
        print("SKIP: no PID namespace can be made here")
        sys.exit(77)
    stories = {name: story for name, story in names.items() if name.startswith("story_")}
    wanted = sys.argv[1:] or list(stories)
    failed = 0
    if SANITIZED:
        for name in [name for name in wanted if hasattr(stories[name], "not_sanitized")]:
            print(f"skip {name}: {stories[name].not_sanitized}")
            wanted.remove(name)
    for name in wanted:
        began = time.monotonic()
        try:
            stories[name]()
            said = take_reports(REPORTS) if SANITIZED else ""  # of tools that ran outside of a box
            check(not said, f"a sanitizer has something to say:\n{said}")
            print(f"ok   {name} ({time.monotonic() - began:.2f} s)", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"FAIL {name}")
            traceback.print_exc(file=sys.stdout)
    print(f"{len(wanted) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
