#!/usr/bin/env python3
"""Promise 8: one bad file costs one unit; the output names file and line, `initctl verify` says it beforehand, and what is in
a file is never printed by the running system."""
import os
import re
import subprocess

from harness import MONOINIT, Box, check, equal, run, until


GOOD = "[Service]\nExecStart=/bin/sleep infinity\n"
SECRET = "hunter2"


def verify(box, *words):
    """Before any boot, as in `docker build`."""
    done = subprocess.run([os.path.join(os.path.dirname(MONOINIT), "initctl"), "verify", *words], capture_output=True, text=True, check=False,
                          timeout=20, env=dict(os.environ, SYSTEMD_UNIT_PATH=box.units))
    return done.stdout + done.stderr


def bad(name, text, pattern, state, prepare=None, after=None):
    """One bad unit beside a good one: verify and the log say `pattern`, the good one runs, the bad one is in `state`."""
    with Box({"good.service": GOOD}, ["good.service"]) as box:
        if text is not None:
            box.write(name, text)
        if prepare:
            prepare(box)
        if not os.path.lexists(os.path.join(box.units, "multi-user.target.wants", name)):
            box.enable(name)
        said = verify(box, os.path.join(box.units, name) if "/" not in name else name)
        check(re.search(pattern, said, re.S), f"verify says {pattern}: {said}")
        box.boot()
        equal(box.state("good"), "active")
        log = box.log()
        check(re.search(pattern, log), f"the log says {pattern}: {log}")
        check(SECRET not in log, "contents")
        if state:
            equal(box.state(name), state)
        if after:
            after(box)
        equal(box.stop(), 0)
        check(SECRET not in box.log(), "contents")


def story_random_bytes():
    noise = bytes((i * i * 37 + i * 11) % 256 for i in range(20000)) + SECRET.encode()
    bad("bad.service", noise, r"bad\.service:1: ", "inactive")


def story_ten_megabytes():
    bad("bad.service", b"[Service]\nExecStart=/bin/sleep infinity\n" + b"#" * 10_000_000, r"bad\.service: .*larger than \d+ MB", "inactive")


def story_nuls():
    bad("bad.service", b"[Service]\nExecStart=/bin/sleep \0infinity " + SECRET.encode() + b"\n", r"bad\.service:2: ", "inactive")


def story_a_fifo():
    bad("bad.service", None, r"bad\.service: .*not a regular file", "inactive", lambda box: os.mkfifo(os.path.join(box.units, "bad.service")))


def story_a_dangling_link():
    bad("bad.service", None, r"bad\.service: .*does not exist", "inactive",
        lambda box: os.symlink("/nonexistent/there.service", os.path.join(box.units, "bad.service")))


def story_a_looping_link():
    def loop(box):
        os.symlink("other.service", os.path.join(box.units, "bad.service"))
        os.symlink("bad.service", os.path.join(box.units, "other.service"))
    bad("bad.service", None, r"bad\.service: .*lead in a circle", "inactive", loop)


def story_an_unreadable_file():
    def hide(box):
        os.chmod(os.path.join(box.units, "bad.service"), 0)
    with Box({"good.service": GOOD, "bad.service": GOOD}, ["good.service", "bad.service"], uid=54324) as box:
        hide(box)
        box.boot()
        equal(box.state("good"), "active")
        check(re.search(r"bad\.service: .*Permission denied", box.log()), box.log())
        said = box.initctl("verify", "bad.service", uid=54324, env=dict(os.environ, SYSTEMD_UNIT_PATH=box.units))
        check(re.search(r"bad\.service: .*Permission denied", said.stdout + said.stderr), said.stdout + said.stderr)
        equal(box.stop(), 0)


def story_a_trailing_remark():
    bad("bad.service", "[Service]\nType=simple # as ever\nExecStart=/bin/sleep infinity\n", r"bad\.service: .*no trailing remarks.*Type \(2\)", "active")


def story_a_misspelt_directive():
    bad("bad.service", GOOD + "RestartSecs=5\n", r"bad\.service:3: .*RestartSecs.*did you mean RestartSec=", "active")


def story_a_misspelt_section():
    bad("bad.service", "[Servcie]\nExecStart=/bin/sleep infinity\n", r"bad\.service:1: .*Servcie.*did you mean \[Service\]", "inactive")


def story_a_misspelt_value():
    bad("bad.service", GOOD + "Restart=allways\n", r"bad\.service:3: Restart=.*did you mean always", "active")


def story_a_missing_binary():
    bad("bad.service", "[Service]\nExecStart=/nonexistent/program\n", r"/nonexistent/program", "failed")


def story_a_missing_interpreter():
    def script(box):
        with open(os.path.join(box.dir, "script"), "w", encoding="ascii") as out:
            out.write("#!/nonexistent/interpreter\n")
        os.chmod(os.path.join(box.dir, "script"), 0o755)
        box.write("bad.service", f"[Service]\nExecStart={box.dir}/script\n")
    bad("bad.service", None, r"/nonexistent/interpreter", "failed", script)


def story_a_missing_user():
    bad("bad.service", GOOD + "User=nobody-of-that-name\n", r"nobody-of-that-name", "failed")


def story_a_missing_directory():
    bad("bad.service", GOOD + "WorkingDirectory=/nonexistent/place\n", r"/nonexistent/place", "failed")


def story_a_missing_environment_file():
    bad("bad.service", GOOD + "EnvironmentFile=/nonexistent/file\n", r"/nonexistent/file", "failed")


def story_a_unit_named_out_of_its_directory():
    def link(box):
        with open(os.path.join(box.dir, "x.service"), "w", encoding="ascii") as out:
            out.write(GOOD)
        box.write("wanting.service", GOOD + "[Unit]\nWants=../../x.service ../x.service\n")
        box.enable("wanting.service")
    with Box({"good.service": GOOD}, ["good.service"]) as box:
        link(box)
        check(re.search(r"wanting\.service:4: Wants=", verify(box, os.path.join(box.units, "wanting.service"))), "verify")
        box.boot()
        check(re.search(r"wanting\.service:4: Wants=: a word that is no unit name", box.log()), box.log())
        equal((box.state("good"), box.state("wanting")), ("active", "active"))
        for words in (("start", "../../x"), ("start", "../x.service"), ("cat", "../../x"), ("enable", "../../x"), ("mask", "../../../x")):
            done = box.initctl(*words, env=dict(os.environ, SYSTEMD_UNIT_PATH=box.units))
            check(done.returncode != 0, f"{words}: {done.stdout}")
            check("x" in done.stderr, done.stderr)
        equal(sorted(os.listdir(box.dir)), ["out", "units", "x.service"])
        equal(box.stop(), 0)


def story_a_name_that_no_unit_can_have():
    names = ["a b.service", "web.servic", "@.service"]
    with Box({"good.service": GOOD, **{name: GOOD for name in names}, "README": "", "web.service~": GOOD, "web.service.bak": GOOD, ".web.service.swp": ""}, ["good.service"]) as box:
        said = verify(box)
        box.boot()
        for times in (1, 2):
            for name in names:
                text = f"{box.units}/{name} is ignored: a unit's name is of letters, digits"
                check(text in said, f"verify: {said}")
                equal(box.log().count("[monoinit] " + text), times, f"{name}: once each time that files are read")
            equal(box.log().count(" is ignored: "), times * len(names), "what is no unit by its name is nobody's business")
            box.initctl("daemon-reload", check=True)


def story_an_ordering_cycle():
    units = {"good.service": GOOD}
    for one, other in (("a", "b"), ("b", "c"), ("c", "a")):
        units[f"{one}.service"] = f"[Unit]\nAfter={other}.service\n{GOOD}"
    with Box(units, list(units)) as box:
        said = verify(box, *(os.path.join(box.units, f"{name}.service") for name in "abc"))
        check(re.search(r"cycle", said), said)
        box.boot()
        equal(box.state("good"), "active")
        check(re.search(r"cycle.*a.*b.*c|cycle.*b.*c.*a|cycle.*c.*a.*b", box.log()), box.log())
        active = [name for name in "abc" if box.state(name) == "active"]
        check(len(active) >= 2, f"only one job is given up: {active}")
        equal(box.stop(), 0)


def story_a_missing_default_target():
    with Box({"good.service": GOOD}, ["good.service"], args=["--unit=nonexistent.target"]) as box:
        box.boot(wait=False)
        box.wait_log(r"nonexistent\.target")
        until("control answers", lambda: box.initctl("list").returncode == 0)
        box.initctl("start", "good", check=True)
        equal(box.stop(), 0)


def story_a_default_target_that_dangles():
    with Box({"good.service": GOOD}, ["good.service"]) as box:
        os.symlink("/nonexistent/graphical.target", os.path.join(box.units, "default.target"))
        box.boot(wait=False)
        box.wait_log(r"default\.target")
        until("control answers", lambda: box.initctl("list").returncode == 0)
        box.initctl("start", "good", check=True)
        equal(box.stop(), 0)


def story_no_unit_at_all():
    with Box() as box:
        box.boot()
        box.wait_log(r"no unit is enabled and there is none to enable")
        equal(box.stop(), 0)


def story_nothing_enabled():
    with Box({"good.service": GOOD + "[Install]\nWantedBy=multi-user.target\n"}) as box:
        box.boot()
        box.wait_log(r"1 unit has \[Install\] but is not enabled: good\. Run: initctl enable good")
        equal(box.stop(), 0)


def story_no_unit_that_can_be_loaded():
    """An enabled unit that is wrong is not "none enabled"."""
    with Box({"bad.service": "[Service]\nExecStart=\n"}, ["bad.service"]) as box:
        box.boot()
        box.wait_log(r"bad\.service")
        check("no unit is enabled" not in box.log(), box.log())
        equal(box.stop(), 0)


run(globals())
