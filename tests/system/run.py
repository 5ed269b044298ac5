#!/usr/bin/env python3
"""initctl run, ports and shutdown --plan, by the real binary."""
import json
import os

from harness import INITCTL, Box, check, equal, run, until

WEB = "[Unit]\nAfter=db.service\n[Service]\nExecStart=/bin/sleep infinity\nX-Ports=4035\n[Install]\nWantedBy=multi-user.target\n"
DB = "[Service]\nExecStart=/bin/sleep infinity\nTimeoutStopSec=3\nExecStop=/bin/true\nKillMode=mixed\n[Install]\nWantedBy=multi-user.target\n"


def story_a_run_outlives_who_asked():
    with Box() as box:
        box.boot()
        done = box.inside("sh", "-c", f"cd /usr/share && WORD='two words' {INITCTL} run --name vite --env WORD --env A=1 --restart always -- "
                          "sh -c 'echo \"$WORD $A `pwd` 100% $0\"; exec sleep 1000'", check=True)
        check(done.stdout.startswith("vite: started in "), done.stdout)
        box.wait_log(r"^\[vite\] two words 1 /usr/share 100% /usr/bin/sh$")
        pid = box.main_pid("vite")
        check("sleep 1000" in box.initctl("status", "vite").stdout, "it is a service as others")
        # Restarted, found again by a reload and by a new image.
        box.inside("kill", "-9", str(pid), check=True)
        until("it came back", lambda: box.main_pid("vite") not in (0, pid))
        pid = box.main_pid("vite")
        box.initctl("daemon-reload", check=True)
        box.initctl("daemon-reexec", check=True)
        equal(box.main_pid("vite"), pid, "after daemon-reload and daemon-reexec")
        taken = box.initctl("run", "--name", "vite", "true")
        equal(taken.returncode, 1)
        check("vite runs already: initctl stop vite" in taken.stderr, taken.stderr)
        box.initctl("stop", "vite", check=True)
        box.initctl("run", "--name", "vite", "sh", "-c", "echo second; exec sleep 1001", check=True)
        box.wait_log(r"^\[vite\] second$")


def story_waiting_gives_its_exit_status():
    with Box() as box:
        box.boot()
        for command, status in (("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)):
            equal(box.initctl("run", "--wait", "sh", "-c", command).returncode, status, command)
        before = len(os.listdir(f"/proc/{box.init}/root/run/monoinit/transient"))
        for _ in range(20):
            box.initctl("run", "--wait", "true", check=True)
        after = os.listdir(f"/proc/{box.init}/root/run/monoinit/transient")
        check(len(after) <= before + 2, f"those without a name do not pile up: {after}")


def story_what_cannot_be_run_is_said():
    with Box({"web.service": WEB}) as box:
        box.boot()
        for words, text, status in (
                (("nothing-of-that-name",), "not found in PATH=", 1),
                (("-p", "Restrat=no", "true"), "did you mean Restart=?", 2),
                (("-p", "Restart=alwais", "true"), "not one of", 2),
                (("-p", "Environment=A\nExecStart=/bin/sh", "true"), "line end", 2),
                (("--name", "../x", "true"), "not a valid name", 2),
                (("--name", "web", "true"), "web is a unit already", 1),
                (("--env", "NO_SUCH_VARIABLE", "true"), "no such variable", 2)):
            done = box.initctl("run", *words)
            check(text in done.stderr, f"{words}: {done.stderr}")
            equal(done.returncode, status, words)
        refused = box.initctl("run", "true", uid=999)
        equal(refused.returncode, 1)
        check("uid 999 may not run" in refused.stderr, refused.stderr)


def story_people_run_services_as_themselves():
    with Box(setup="cp /etc/passwd /run/passwd; echo 'ann:x:1700:1700::/tmp:/bin/sh' >>/run/passwd; echo 'bob:x:1701:1701::/tmp:/bin/sh' >>/run/passwd; "
                   "mount --bind /run/passwd /etc/passwd") as box:
        box.boot()
        box.initctl("run", "--name", "hers", "--", "sh", "-c", "id -u; exec sleep 1000", uid=1700, check=True)
        box.wait_log(r"^\[hers\] 1700$")
        equal(box.initctl("restart", "hers", uid=1700).returncode, 0, "it is hers")
        for words, text in ((("--name", "hers", "true"), "another user's"),
                            (("--user", "root", "id"), "as themselves only"),
                            (("--user", "ann", "id"), "as themselves only"),
                            (("-p", "EnvironmentFile=/etc/shadow", "env"), "may not run a service with EnvironmentFile="),
                            (("-p", "ExecStart=+/bin/id", "true"), "")):
            done = box.initctl("run", *words, uid=1701)
            check(done.returncode != 0 and text in done.stderr, f"{words}: {done.stderr}")
        check("uid=0" not in box.log(), box.log())
        equal(box.initctl("stop", "hers", uid=1701).returncode, 1, "not his")
        box.initctl("stop", "hers", uid=1700, check=True)


def story_ports():
    server = "python3 -c 'import socket, time; s = socket.create_server((\"127.0.0.1\", 0)); print(s.getsockname()[1], flush=True); time.sleep(1000)'"
    with Box({"web.service": WEB, "db.service": DB, "api.service": f"[Service]\nExecStart=/usr/bin/env {server}\n"},
             enable=["web.service", "db.service", "api.service"]) as box:
        box.boot()
        port = int(box.wait_log(r"^\[api\] (\d+)$")[0])
        rows = until("it listens", lambda: [row for row in json.loads(box.initctl("--json", "ports", check=True).stdout)["ports"] if row["pid"]])
        equal([(row["unit"], row["port"], row["address"], row["declared"]) for row in rows], [("api.service", port, "127.0.0.1", False)])
        check("declared, nobody listens" in box.initctl("ports").stdout, "web says 4035")
        equal(json.loads(box.initctl("ports", "--devcontainer").stdout),
              {"forwardPorts": [4035], "portsAttributes": {"4035": {"label": "web"}}})


def story_the_plan_and_the_shutdown_that_follows_it():
    with Box({"web.service": WEB, "db.service": DB}, enable=["web.service", "db.service"], args=["--shutdown-timeout=6"]) as box:
        box.boot()
        text = box.initctl("shutdown", "--plan", check=True).stdout
        plan = json.loads(box.initctl("--json", "shutdown", "--plan", check=True).stdout)
        equal([(stop["unit"], stop["wave"]) for stop in plan["stops"]], [("web.service", 1), ("db.service", 2)])
        equal(plan["budget"], 6000000)
        check(plan["stops"][0]["killed_after"] < plan["stops"][1]["killed_after"] <= 6000000, plan)
        check("runs ExecStop=/bin/true, KillMode=mixed" in text and "6 s for all" in text, text)
        box.initctl("shutdown", check=True)
        equal(box.wait(), 0)
        log = box.log()
        check(log.index("web: stopped") < log.index("db: stopped"), log)


if __name__ == "__main__":
    run(globals())
