#!/usr/bin/env python3
"""What comes in beside the pipes: /dev/log, the journal's datagrams and its streams, by the clients that everybody uses."""
import ctypes.util
import json
import os
import re

from harness import Box, Failure, PRIVATE_DEV, check, equal, run, until

ON = {"MONOINIT_SYSLOG_SOCKETS": "yes"}


def boot(units, enable=()):
    return Box(units, enable=enable, setup=PRIVATE_DEV, env=ON)


def script(box, name, text):
    path = box.path(name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def service(command, extra=""):
    return f"[Service]\nExecStart={command}\n{extra}"


def story_syslog_lines_come_under_the_unit_that_sent_them():
    with boot({}) as box:
        # Python's syslog is glibc's syslog(3).
        sender = script(box, "sender.py", "import syslog, time\nsyslog.openlog('mailer', syslog.LOG_PID)\n"
                        "syslog.syslog(syslog.LOG_WARNING, 'queue is long')\ntime.sleep(1000)\n")
        box.write("post.service", service(f"/usr/bin/python3 {sender}"))
        box.boot()
        box.initctl("start", "post", check=True)
        box.wait_log(r"\[post\] mailer\[\d+\]: queue is long")
        check("queue is long" in box.initctl("logs", "post").stdout, "the store has it")
        line = [each for each in box.initctl("logs", "post", "--json").stdout.splitlines() if "queue is long" in each][0]
        check('"SYSLOG_IDENTIFIER":"mailer"' in line and '"PRIORITY":"4"' in line, line)


def story_a_tag_that_is_the_units_own_name_is_not_said_twice():
    with boot({}) as box:
        sender = script(box, "sender.py", "import syslog, time\nsyslog.openlog('post')\nsyslog.syslog('hello')\ntime.sleep(1000)\n")
        box.write("post.service", service(f"/usr/bin/python3 {sender}"))
        box.boot()
        box.initctl("start", "post", check=True)
        box.wait_log(r"^\[post\] hello$")


def story_a_sender_that_belongs_to_no_unit_is_not_guessed():
    with boot({"post.service": service("/bin/sleep 1000")}) as box:
        box.boot()
        box.inside("python3", "-c", "import syslog; syslog.openlog('post'); syslog.syslog('forged')", check=True)
        box.wait_log(r"^\[-\] post\[\d+\]: forged$")
        check("forged" not in box.initctl("logs", "post").stdout, "filed under no unit")


def story_lines_with_breaks_and_escapes_forge_nothing():
    with boot({}) as box:
        box.boot()
        for data in (b"<13>app: one\n[web] forged\r\n", b"<13>\x1b[2J[web]: forged", b"<13>a" + b"b" * 100000, b"", b"<13>", b"\x00\xff"):
            box.inside("python3", "-c", f"import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect('/dev/log'); s.send({data!r})", check=True)
        box.wait_log(r"\[-\] app\[\d+\]: one")
        box.wait_log(r"\[-\] app\[\d+\]: \[web\] forged")
        until("the long one", lambda: box.log().count("b" * 1000))
        check(not any(line.startswith("[web]") for line in box.log().splitlines()), "no line is [web]'s")


def story_the_real_libsystemd_sends_entries_small_and_large():
    name = ctypes.util.find_library("systemd")
    if name is None:
        raise Failure("libsystemd0 is missing")
    with boot({}) as box:
        sender = script(box, "sender.py", f"""import ctypes, os, time
journal = ctypes.CDLL({name!r})
journal.sd_journal_send(b"MESSAGE=%s", b"two\\nlines", b"PRIORITY=%i", 3, b"SYSLOG_IDENTIFIER=native", None)
journal.sd_journal_print(6, b"%s", b"printed")
while not os.path.exists("/run/go"): time.sleep(0.01)
journal.sd_journal_send(b"MESSAGE=%s", b"big " + b"x" * 3000000, None)
time.sleep(1000)
""")
        box.write("app.service", service(f"/usr/bin/python3 {sender}"))
        box.boot()
        box.initctl("start", "app", check=True)
        box.wait_log(r"\[app\] native\[\d+\]: two\n\[app\] native\[\d+\]: lines\n")
        entry = [each for each in map(json.loads, box.initctl("logs", "app", "-o", "json").stdout.splitlines()) if each["SYSLOG_IDENTIFIER"] == "native"]
        equal([each["MESSAGE"] for each in entry], ["two\nlines"], "one entry in the store")
        text = box.initctl("-u", "app", "-t", "native", "-o", "short", name="journalctl").stdout
        check(re.search(r"^(.* native\[\d+\]: )two\n( +)lines\n$", text), text)
        box.wait_log(r"\[app\] python3\[\d+\]: printed")
        check('"PRIORITY":"3"' in box.initctl("logs", "app", "--json").stdout, "priorities are kept")
        box.inside("touch", "/run/go", check=True)
        # 3 MB are cut into parts of 48 kB. A datagram does not wait for stdout: what that cannot take is counted.
        until("the large one", lambda: box.log().count("x") >= 3000000 or re.search(r"\d+ lines did not go to stdout", box.log()))
        check(box.log().count("x" * 1000) > 100, "as much as stdout took")


def story_broken_native_messages_cost_themselves_only():
    with boot({}) as box:
        box.boot()
        for data in (b"MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xffx", b"\n\n\n", b"NOTHING", b"MESSAGE=a" * 5000, os.urandom(5000)):
            box.inside("python3", "-c", "import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); "
                       f"s.connect('/run/systemd/journal/socket'); s.send({data!r})", check=True)
        box.inside("python3", "-c", "import os, socket, array; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect('/run/systemd/journal/socket'); "
                   "r, w = os.pipe(); s.sendmsg([b''], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [r, w]))]); s.send(b'MESSAGE=alive')", check=True)
        box.wait_log(r"\[-\].* alive")
        equal(box.initctl("is-system-running").stdout.strip(), "running", "state")


def story_a_journal_stream_is_a_pipe_with_a_name():
    with boot({}) as box:
        sender = script(box, "sender.py", """import socket, time
s = socket.socket(socket.AF_UNIX); s.connect("/run/systemd/journal/stdout")
s.sendall(b"batch\\n\\n5\\n1\\n0\\n0\\n0\\nfirst\\n<3>second\\nunfin"); time.sleep(0.1); s.sendall(b"ished"); s.close()
time.sleep(1000)
""")
        box.write("app.service", service(f"/usr/bin/python3 {sender}"))
        box.boot()
        box.initctl("start", "app", check=True)
        box.wait_log(r"\[app\] batch\[\d+\]: first\n\[app\] batch\[\d+\]: second\n\[app\] batch\[\d+\]: unfinished\n")
        check('"PRIORITY":"3"' in box.initctl("logs", "app", "--json").stdout, "the prefix sets the priority")


def story_a_journal_stream_outlives_the_logger_and_pid_1s_image():
    with boot({}) as box:
        sender = script(box, "sender.py", """import os, socket, time
def wait(name):
    while not os.path.exists("/run/" + name): time.sleep(0.005)
streams = []
for i in range(3):
    s = socket.socket(socket.AF_UNIX); s.connect("/run/systemd/journal/stdout")
    s.sendall(b"cat%d\\n\\n6\\n0\\n0\\n0\\n0\\nfirst\\nunfin" % i); streams.append(s)
wait("1")
for s in streams: s.sendall(b"ished\\nwhile away\\n")
wait("2")
for s in streams: s.sendall(b"after reexec\\n")
wait("3")
for s in streams: s.sendall(b"last"); s.close()
time.sleep(1000)
""")
        box.write("app.service", service(f"/usr/bin/python3 {sender}"))
        box.boot()
        box.initctl("start", "app", check=True)

        def all_say(text):
            for i in range(3):
                box.wait_log(rf"^\[app\] cat{i}\[\d+\]: {text}$")

        all_say("first")
        logger = box.find("monoinit: log")[0]
        box.inside("kill", "-STOP", str(logger), check=True)
        box.inside("touch", "/run/1", check=True)
        box.inside("kill", "-KILL", str(logger), check=True)
        all_say("unfinished")
        all_say("while away")
        box.initctl("daemon-reexec", check=True)
        box.wait_log(r"took over")
        box.inside("kill", "-KILL", str(box.find("monoinit: log")[0]), check=True)
        box.inside("touch", "/run/2", check=True)
        all_say("after reexec")
        box.inside("touch", "/run/3", check=True)
        all_say("last")
        until("PID 1 has let go", lambda: len([fd for fd in os.listdir(f"/proc/{box.init}/fd")]) < 200)


def story_strangers_connections_are_limited_and_cost_nobody_else():
    with boot({}) as box:
        box.boot()
        box.inside("python3", "-c", """import socket, os
os.setuid(65534)
held = []
for i in range(200):
    s = socket.socket(socket.AF_UNIX); s.connect("/run/systemd/journal/stdout"); held.append(s)
    try: s.sendall(b"x\\n\\n6\\n0\\n0\\n0\\n0\\n" if i % 2 else b"half\\n")
    except OSError: pass
""", check=True)
        box.inside("python3", "-c", "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/systemd/journal/stdout'); "
                   "s.sendall(b'me\\n\\n6\\n0\\n0\\n0\\n0\\nalive\\n')", check=True)
        box.wait_log(r"me\[\d+\]: alive")


def story_the_sockets_outlive_the_logger_and_pid_1s_image():
    with boot({}) as box:
        box.boot()
        logger = box.find("monoinit: log")[0]
        box.inside("kill", "-STOP", str(logger), check=True)
        box.inside("python3", "-c", "import syslog; syslog.openlog('app'); syslog.syslog('while it stood')", check=True)
        box.inside("kill", "-KILL", str(logger), check=True)
        box.wait_log(r"app\[\d+\]: while it stood")
        box.initctl("daemon-reexec", check=True)
        box.wait_log(r"took over")
        box.inside("python3", "-c", "import syslog; syslog.openlog('app'); syslog.syslog('afterwards')", check=True)
        box.wait_log(r"app\[\d+\]: afterwards")
        box.inside("kill", "-KILL", str(box.find("monoinit: log")[0]), check=True)
        box.inside("python3", "-c", "import syslog; syslog.openlog('app'); syslog.syslog('and again')", check=True)
        box.wait_log(r"app\[\d+\]: and again")


def story_a_flood_by_datagrams_is_taken_and_counted():
    with boot({}) as box:
        box.boot()
        box.inside("python3", "-c", "import socket\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.connect('/dev/log')\n"
                   "for i in range(50000): s.send(b'<13>flood: line %d' % i)", check=True, timeout=60)
        def accounted():
            skipped = sum(int(number) for number in re.findall(r"(\d+) lines did not go to stdout", box.log()))
            return box.log().count("flood[") + skipped

        until("every line, or its number", lambda: accounted() == 50000, deadline=60)
        check("line 49999" in box.initctl("logs", "--", "-").stdout, "the store has the last")


def story_who_logs_there_already_is_left_alone():
    with Box({}, setup=PRIVATE_DEV + "python3 - <<'E' &\nimport socket, time\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
             "s.bind('/dev/log')\nopen('/run/bound', 'w').close()\nopen('/run/got', 'wb').write(s.recv(1000))\ntime.sleep(1000)\nE\n"
             "until test -e /run/bound; do :; done\n", env=ON) as box:
        box.boot()
        box.inside("python3", "-c", "import syslog; syslog.openlog('app'); syslog.syslog('to the other')", check=True)
        until("it came there", lambda: "to the other" in box.inside("cat", "/run/got").stdout)
        check("to the other" not in box.log(), "and not here")


if __name__ == "__main__":
    run(globals())
