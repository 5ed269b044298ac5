#!/usr/bin/env python3
"""systemctl without an init (docker build, --root=DIR): what it does to unit files, judged by the real systemctl in the same world.
Calls come from a table and, in sequences, from a seeded generator; exit status, both outputs and the tree afterwards must agree.

MONOINIT_JUDGE names the real one (with LD_LIBRARY_PATH if it is unpacked somewhere); else the machine's is taken."""
import os
import random
import re
import shutil
import subprocess
import tempfile

from harness import MONOINIT, Failure, check, equal, run

OURS = os.path.join(os.path.dirname(MONOINIT), "systemctl")
SEED = int(os.environ.get("MONOINIT_SEED", "6"))
SEQUENCES = int(os.environ.get("MONOINIT_SEQUENCES", "60"))

RUNS = "[Service]\nExecStart=/bin/true\n"
WANTED = "[Install]\nWantedBy=multi-user.target\n"
VENDOR = {
    "a.service": RUNS + WANTED,
    "b.service": RUNS + WANTED + "Alias=bb.service\nAlso=b.socket\n",
    "b.socket": "[Socket]\nListenStream=80\n[Install]\nWantedBy=sockets.target\n",
    "c.service": RUNS,
    "d@.service": RUNS + WANTED + "DefaultInstance=one\n",
    "e@.service": RUNS + WANTED,
    "g.service": RUNS + WANTED,
    "h.service": RUNS + "[Install]\nRequiredBy=nowhere.target\n",
    "i.service": RUNS + "[Install]\nAlias=i-alias.service\n",
    "j.service": RUNS + "[Install]\nAlso=a.service\n",
    "m.timer": "[Timer]\nOnBootSec=1\n[Install]\nWantedBy=timers.target\n",
    "n.service": RUNS + "[Install]\nAlias=n.target\n",
    "o.service": RUNS + "[Install]\nWantedBy=%p-group.target multi-user.target\n",
    "p.service": RUNS,
    "q.service": RUNS + WANTED,
    "multi-user.target": "[Unit]\nDescription=Multi-User\nAllowIsolate=yes\n",
    "graphical.target": "[Unit]\nDescription=Graphical\nAllowIsolate=yes\n",
    "sockets.target": "[Unit]\nDescription=Sockets\n",
    "timers.target": "[Unit]\nDescription=Timers\n",
    "o-group.target": "[Unit]\nDescription=Group\n",
}
FILES = {
    **{f"/usr/lib/systemd/system/{name}": text for name, text in VENDOR.items()},
    "/etc/systemd/system/g.service": RUNS + WANTED + "# the administrator's\n",
    "/etc/systemd/system/l.service": "",
    "/etc/systemd/system/r.service": RUNS + WANTED,
    "/etc/systemd/system/p.service.d/install.conf": "[Install]\nWantedBy=multi-user.target\n",
    "/etc/systemd/system/q.service.d/override.conf": "[Service]\nNice=1\n",
    "/run/systemd/system/q.service.d/run.conf": "[Service]\nNice=2\n",
    "/opt/k.service": RUNS + WANTED,
    "/opt/s@.service": RUNS + WANTED + "DefaultInstance=x\n",
}
LINKS = {
    "/lib": "usr/lib",
    "/etc/systemd/system/f.service": "/dev/null",
    "/run/systemd/system/t.service": "/dev/null",
    "/usr/lib/systemd/system/default.target": "graphical.target",
    "/usr/lib/systemd/system/u.service": "a.service",
}
PRESETS = [
    {},
    {"/usr/lib/systemd/system-preset/90-all.preset": "disable *\n"},
    {"/etc/systemd/system-preset/10-own.preset": "# mine\nenable a*\ndisable b.*\nenable d@.service x y\n",
     "/usr/lib/systemd/system-preset/90-all.preset": "enable *\n"},
]
NAMES = ["a", "b", "b.socket", "bb", "c", "d@", "d@two", "e@", "e@x", "f", "g", "h", "i", "i-alias", "j", "l", "m.timer", "n", "o", "p", "q", "r", "t", "u", "nope",
         "nope@x", "multi-user.target", "a.service"]
SAFE = [name for name in NAMES if name not in ("d@two", "e@x", "p")]  # see FORGOTTEN
VERBS = ["enable", "disable", "reenable", "preset", "mask", "unmask", "is-enabled", "revert"]

# The whole table: each call in a fresh world.
CALLS = [
    *(f"{verb} {name}" for verb in VERBS for name in NAMES),
    *(f"{verb} --runtime {name}" for verb in ("enable", "disable", "mask", "unmask") for name in ("a", "b", "d@", "f", "nope")),
    *(f"{verb} --force {name}" for verb in ("enable", "mask") for name in ("a", "g", "f")),
    *(f"--preset-mode={mode} preset {name}" for mode in ("full", "enable-only", "disable-only") for name in ("a", "b", "c", "d@", "nope")),
    "enable a b", "enable a nope", "disable a nope", "mask a nope", "unmask a nope", "enable --quiet a", "is-enabled a b c", "is-enabled --quiet a", "is-enabled nope a",
    "is-enabled d@.service", "is-enabled --full b", "enable /opt/k.service", "link /opt/k.service", "link k.service", "link /opt/none.service", "enable /opt/none.service",
    "link /opt/s@.service", "enable /opt/s@.service", "link --runtime /opt/k.service", "disable k",
    "get-default", "set-default multi-user.target", "set-default multi-user", "set-default nope.target", "set-default a.service",
    "add-wants multi-user.target a", "add-requires multi-user.target a c", "add-wants nope.target a", "add-wants multi-user.target nope", "add-wants multi-user.target f",
    "add-wants multi-user.target e@x", "add-wants multi-user c", "add-wants multi-user.target",
    "list-unit-files", "list-unit-files --no-legend", "list-unit-files *.socket", "list-unit-files a* nope*", "list-unit-files --type=timer", "list-unit-files --state=enabled,masked",
    "list-unit-files nope", "list-unit-files --no-legend --type=target", "list-unit-files a.service",
    "preset-all", "--preset-mode=enable-only preset-all", "--preset-mode=disable-only preset-all",
    "cat a", "cat g q", "cat nope", "cat f", "enable", "mask", "add-wants", "is-enabled",
]


def judge():
    """The real systemctl, or None."""
    path = os.environ.get("MONOINIT_JUDGE") or shutil.which("systemctl", path="/usr/bin:/bin")
    if not path:
        return None
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    return path if re.match(r"systemd 25\d \(25\d", version) else None


class World:
    def __init__(self, presets):
        self.root = tempfile.mkdtemp(prefix="monoinit-root-")
        for path, text in {**FILES, **presets}.items():
            self.put(path, text)
        for path, target in LINKS.items():
            os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
            os.symlink(target, self.root + path)

    def put(self, path, text):
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        with open(self.root + path, "w", encoding="utf-8") as out:
            out.write(text)

    def tree(self):
        found = []
        for directory, directories, files in os.walk(self.root):
            for name in directories + files:
                path = os.path.join(directory, name)
                if os.path.islink(path):
                    found.append(f"{path[len(self.root):]} -> {os.readlink(path).replace(self.root, '')}")
                elif os.path.isfile(path):
                    with open(path, encoding="utf-8") as text:
                        found.append(f"{path[len(self.root):]} {len(text.read())}")
        return sorted(found)

    def call(self, program, arguments, stdin=""):
        done = subprocess.run([program, f"--root={self.root}", *arguments.split()], capture_output=True, text=True, check=False, timeout=20, input=stdin,
                              env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **{k: v for k, v in os.environ.items() if k == "LD_LIBRARY_PATH"}})
        clean = [stream.replace(self.root, "") for stream in (done.stdout, done.stderr)]
        return done.returncode, *clean

    def close(self):
        shutil.rmtree(self.root, ignore_errors=True)


def only_outcome(answer):
    """The real one says each failure twice, once for disable and once for enable; ours looks first and changes nothing."""
    status, out, err = answer
    return status, out, [line for line in dict.fromkeys(err.splitlines()) if "masked, ignoring" not in line]


def any_order(answer):
    """The real one goes by the order of a hash table, and tells of masked units as of failures, without failing for it."""
    status, out, err = answer
    return status, out, sorted(line for line in err.splitlines() if "masked" not in line)


DIFFERENT = {"reenable": only_outcome, "preset-all": any_order}
# systemd 252's reenable forgets which instance was meant, and the unit's drop-ins; ours is disable and enable.
FORGOTTEN = {"reenable d@two", "reenable e@x", "reenable p"}


def compare(real, presets, calls):
    """Plays the calls in two like worlds; the first difference as text, or nothing."""
    theirs, ours = World(presets), World(presets)
    try:
        for number, call in enumerate(calls):
            wanted, got = theirs.call(real, call), ours.call(OURS, call)
            settle = next((DIFFERENT[word] for word in call.split() if word in DIFFERENT), lambda answer: answer)
            story = " ; ".join(calls[:number + 1])
            if settle(got) != settle(wanted):
                return f"{story}\n    ours:   {settle(got)}\n    wanted: {settle(wanted)}"
            if ours.tree() != theirs.tree():
                mine, wished = set(ours.tree()), set(theirs.tree())
                return f"{story}\n    only in our tree: {sorted(mine - wished)}\n    missing:          {sorted(wished - mine)}"
    finally:
        theirs.close()
        ours.close()
    return None


def story_table():
    real = judge()
    if real is None:
        print("SKIP: no real systemctl to compare with")
        return
    problems = []
    for call in CALLS:
        if call in FORGOTTEN or call.startswith("cat"):  # the real one refuses cat with --root
            continue
        for presets in PRESETS if "preset" in call or "list" in call else PRESETS[:1]:
            difference = compare(real, presets, [call])
            if difference:
                problems.append(difference)
                break
    if problems:
        raise Failure(f"{len(problems)} of {len(CALLS)} calls differ\n" + "\n".join(problems))


def story_sequences():
    real = judge()
    if real is None:
        print("SKIP: no real systemctl to compare with")
        return
    chance = random.Random(SEED)
    problems = []
    for _ in range(SEQUENCES):
        calls = [f"{chance.choice(VERBS)} {chance.choice(['', '', '--runtime '])}{chance.choice(SAFE)}" for _ in range(chance.randint(2, 5))]
        difference = compare(real, chance.choice(PRESETS), [*calls, "list-unit-files"])
        if difference:
            problems.append(difference)
    if problems:
        raise Failure(f"{len(problems)} of {SEQUENCES} sequences differ (MONOINIT_SEED={SEED})\n" + "\n".join(problems))


if __name__ == "__main__":
    run(globals())
