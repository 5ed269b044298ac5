#!/usr/bin/env python3
"""LoadCredential=, SetCredential=, ImportCredential=: where secrets come from, who can read them, that they go again."""
import socket
import threading

from harness import Box, check, equal, run, until

SECRETS = "mkdir -p /run/secrets; printf from-docker > /run/secrets/db; printf one > /run/secrets/app.one; printf two > /run/secrets/app.two"
LOOK = "/bin/sh -c 'cd $$CREDENTIALS_DIRECTORY && for f in *; do echo \"$$f=$$(cat $$f)\"; done; stat -c \"%%a %%u %%n\" . *; echo at %d'"


def service(lines, exec_start="/bin/sleep infinity"):
    return f"[Service]\n{lines}\nExecStart={exec_start}\n"


def story_every_source_reaches_the_user_of_the_unit_alone():
    with Box({"web.service": service("User=nobody\nType=oneshot\nRemainAfterExit=yes\nLoadCredential=db\nLoadCredential=renamed:db\n"
                                     "SetCredential=own:a\\x2db\\nc\nImportCredential=app.*\nEnvironment=PLACE=%d", LOOK)},
             enable=["web.service"], setup=SECRETS) as box:
        box.boot()
        log = box.log()
        for line in ("db=from-docker", "renamed=from-docker", "app.one=one", "app.two=two", "own=a-b", "500 65534 .", "400 65534 db",
                     "at /run/monoinit/credentials/web.service"):
            check(f"[web] {line}\n" in log, f"{line}: {log}")
        place = "/run/monoinit/credentials/web.service"
        equal(box.inside("cat", place + "/db", uid=1234).returncode, 1, "another user reads it")
        equal(box.inside("ls", place, uid=1234).returncode, 2, "another user lists it")
        equal(box.show("web", "LoadCredential"), "db:db\nrenamed:db")
        equal(box.show("web", "SetCredential"), "own:[data]")
        equal(box.show("web", "ImportCredential"), "app.*")
        box.initctl("stop", "web", check=True)
        until("the files gone", lambda: box.inside("test", "-e", place).returncode == 1)
        equal(box.stop(), 0, "exit")


def story_a_missing_path_is_243_with_the_line_and_a_missing_name_is_not():
    with Box({"path.service": service("SetCredential=a:x\nLoadCredential=token:/nowhere\nLoadCredential=b:/etc/hostname"),
              "default.service": service("LoadCredential=token:/nowhere\nSetCredential=token:x"),
              "name.service": service("LoadCredential=no-such-name")},
             enable=["path.service", "default.service", "name.service"]) as box:
        box.boot()
        box.wait_state("path", "failed")
        equal(box.show("path", "ExecMainStatus"), "243")
        check("LoadCredential=token: /nowhere: No such file or directory" in box.log(), box.log())
        check("path.service:3)" in box.log(), box.log())
        check("243/CREDENTIALS" in box.log(), box.log())
        equal([box.state("default"), box.state("name")], ["active", "active"])
        equal(box.inside("ls", "/run/monoinit/credentials/name.service").stdout, "")
        equal(box.stop(), 0, "exit")


def story_commands_of_one_start_share_them_and_a_restart_reads_anew():
    with Box({"web.service": service("LoadCredential=token:/run/token\nExecStartPre=/bin/sh -c 'echo changed > /run/token'\n"
                                     "ExecStop=/bin/sh -c 'echo stop saw $$(cat $$CREDENTIALS_DIRECTORY/token)'",
                                     "/bin/sh -c 'echo start saw $$(cat $$CREDENTIALS_DIRECTORY/token); exec sleep infinity'")},
             enable=["web.service"], setup="echo first > /run/token") as box:
        box.boot()
        box.wait_log(r"^\[web\] start saw first$")
        for _ in range(10):  # the removal of the old files must not hit the new ones
            box.initctl("restart", "web", check=True)
            equal(box.inside("cat", "/run/monoinit/credentials/web.service/token").stdout, "changed\n")
        box.wait_log(r"^\[web\] stop saw first$")
        box.wait_log(r"^\[web\] start saw changed$")
        box.initctl("daemon-reexec", check=True)
        until("the new image", lambda: box.initctl("is-active", "web").returncode == 0)
        equal(box.inside("cat", "/run/monoinit/credentials/web.service/token").stdout, "changed\n")
        box.initctl("stop", "web", check=True)
        until("the files gone", lambda: box.inside("test", "-e", "/run/monoinit/credentials/web.service").returncode == 1)
        equal(box.stop(), 0, "exit")


def story_no_privilege_is_needed():
    """A user without a passwd entry, one directory that can be written; what a killed container left there goes."""
    state = "/dev/shm/xdg/monoinit"
    with Box({"web.service": service("SetCredential=token:x", "/bin/sh -c 'stat -c \"%%a %%u\" $$CREDENTIALS_DIRECTORY/token; exec sleep infinity'")},
             enable=["web.service"], uid=4711, env={"XDG_RUNTIME_DIR": "/dev/shm/xdg"},
             setup=f"mount -t tmpfs tmpfs /dev/shm\ninstall -d -o 4711 -g 4711 /dev/shm/xdg {state} {state}/credentials {state}/credentials/old.service\n"
                   f"install -o 4711 -m 400 /dev/null {state}/credentials/old.service/stale\nchmod 500 {state}/credentials/old.service\nmount -o remount,ro /run") as box:
        box.boot()
        box.wait_log(r"^\[web\] 400 4711$")
        until("the stale ones gone", lambda: box.inside("sh", "-c", f"ls {state} | grep credentials; ls {state}/credentials").stdout.split()
              == ["credentials", "web.service"])
        box.initctl("--socket", state + "/control", "stop", "web", check=True)
        until("these gone too", lambda: box.inside("ls", state + "/credentials").stdout == "")
        equal(box.stop(), 0, "exit")


def story_a_source_that_hangs_costs_its_unit_and_nothing_else():
    with Box({"hung.service": service("LoadCredential=token:/run/fifo\nTimeoutStartSec=300ms\nTimeoutStopSec=200ms\nType=exec"), "web.service": service("")},
             enable=["hung.service", "web.service"], setup="mkfifo /run/fifo") as box:
        box.boot()
        box.wait_state("hung", "failed")
        equal(box.state("web"), "active")
        equal(box.stop(), 0, "exit")


def story_sockets_and_conditions():
    box = Box({"socket.service": "", "has.service": "[Unit]\nConditionCredential=db\n" + service(""),
               "lacks.service": "[Unit]\nConditionCredential=other\n" + service("")},
              enable=["socket.service", "has.service", "lacks.service"], setup=SECRETS)
    with box:
        path = box.path("socket")
        box.write("socket.service", service(f"Type=oneshot\nLoadCredential=token:{path}", "/bin/sh -c 'cat $$CREDENTIALS_DIRECTORY/token'"))
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen()
        asked = []

        def serve():
            connection, address = server.accept()
            asked.append(address)
            with connection:
                connection.sendall(b"spoken\n")

        thread = threading.Thread(target=serve)
        thread.start()
        box.boot()
        box.wait_log(r"^\[socket\] spoken$")
        thread.join()
        check(asked[0].endswith(b"/unit/socket.service/token"), asked)
        equal([box.state("has"), box.state("lacks")], ["active", "inactive"])
        equal(box.stop(), 0, "exit")


if __name__ == "__main__":
    run(globals())
