#!/usr/bin/env python3
"""Lines that go on to others: a JSON file, syslog peers in all forms, and the real rsyslog behind ForwardToSyslog=."""
import json
import os
import re
import shutil
import socket
import threading

from harness import Box, PRIVATE_DEV, check, equal, run, until

TALKER = "[Service]\nType=oneshot\nSyslogIdentifier=talk\nExecStart=/bin/sh -c 'echo one; echo \"<3>two bad\"'\n"


def story_json_lines_to_a_file_of_one_unit():
    with Box({"web.service": TALKER, "db.service": TALKER}) as box:
        box.args = [f"--log-forward=web=file:{box.path('web.json')}"]
        box.boot()
        box.initctl("start", "web", "db", check=True)
        lines = until("lines", lambda: [each for each in map(json.loads, open(box.path("web.json"), encoding="utf-8")) if each["MESSAGE"] == "two bad"]
                      if os.path.exists(box.path("web.json")) else None)
        equal((lines[0]["PRIORITY"], lines[0]["_SYSTEMD_UNIT"], lines[0]["SYSLOG_IDENTIFIER"]), ("3", "web.service", "talk"))
        check("db.service" not in open(box.path("web.json"), encoding="utf-8").read(), "the other unit's are not there")


def story_syslog_peers_get_rfc5424():
    datagrams, streams = [], []
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    tcp = socket.create_server(("127.0.0.1", 0))
    with Box({"web.service": TALKER}) as box:
        unix = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        unix.bind(box.path("peer"))

        def serve():
            while True:
                connection, _ = tcp.accept()
                while data := connection.recv(65536):
                    streams.append(data)

        def collect(peer):
            while True:
                datagrams.append((peer, peer.recv(65536)))

        for work in (threading.Thread(target=serve, daemon=True), *(threading.Thread(target=collect, args=(each,), daemon=True) for each in (udp, unix))):
            work.start()
        box.args = [f"--log-forward=udp:127.0.0.1:{udp.getsockname()[1]},tcp:localhost:{tcp.getsockname()[1]},unix:{box.path('peer')}"]
        box.boot()
        box.initctl("start", "web", check=True)
        wanted = re.compile(rb"^<27>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ talk - - - two bad$")
        for peer in (udp, unix):
            until("a datagram", lambda peer=peer: [data for each, data in datagrams if each is peer and wanted.match(data)])
        frame = until("a frame", lambda: re.search(rb"(\d+) (<27>1 [^<]*? talk - - - two bad)", b"".join(streams)))
        equal(int(frame.group(1)), len(frame.group(2)), "octets are counted")


def story_a_peer_that_is_away_holds_nobody_up_and_is_found_again():
    with Box({"web.service": TALKER}) as box:
        path = box.path("late")
        box.args = [f"--log-forward=unix:{path},file:/proc/nowhere,nonsense"]
        box.boot()
        box.wait_log(r"\[monoinit\] log_forward: nonsense: file:PATH,")
        box.initctl("start", "web", check=True)
        box.wait_log(r"\[web\] two bad")
        box.wait_log(r"\[monoinit\] log_forward: \d+ lines did not reach file:/proc/nowhere")
        late = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        late.bind(path)
        late.settimeout(0.2)

        def heard():
            box.initctl("start", "web", check=True)
            try:
                return late.recv(65536)
            except TimeoutError:
                return None

        until("a line", heard)


def story_a_target_that_stands_still_holds_up_no_other_and_no_end():
    """A TCP peer that takes nothing, a FIFO that nobody reads: the file beside them has every line, and the container ends in time."""
    peer = socket.create_server(("127.0.0.1", 0))
    flood = "[Service]\nType=oneshot\nExecStart=/usr/bin/python3 -c \"[print(i, 'x' * 1000) for i in range(300)]\"\n"
    rounds = 25 # more than what a connection and a FIFO take in
    with Box({"web.service": flood}) as box:
        os.mkfifo(box.path("fifo"))
        fifo = os.open(box.path("fifo"), os.O_RDWR)
        box.args = [f"--log-forward=tcp:127.0.0.1:{peer.getsockname()[1]},file:{box.path('fifo')},file:{box.path('all.json')}"]
        box.boot()
        connection, _ = peer.accept()
        for i in range(rounds):
            box.initctl("start", "web", check=True)
            until("all of its lines", lambda i=i: open(box.path("all.json"), encoding="utf-8").read().count("xxx\"") == 300 * (i + 1))
        box.wait_log(r"log_forward: \d+ lines did not reach file:\S+/fifo")
        equal(box.stop(), 0)
        took = re.search(r"all stopped in ([0-9.]+) s", box.log())
        check(took and float(took[1]) < 3, box.log()[-500:])
        connection.close()
        os.close(fifo)


def story_the_real_rsyslog_sees_everything():
    daemon = shutil.which("rsyslogd", path="/usr/sbin:/sbin")
    if daemon is None:
        print("   not here: rsyslogd")
        return
    with Box({"web.service": TALKER}, setup=PRIVATE_DEV + "mkdir -p /run/systemd/system\n", env={"MONOINIT_SYSLOG_SOCKETS": "yes"}) as box:
        with open(box.path("rsyslog.conf"), "w", encoding="utf-8") as out:
            out.write(f'module(load="imuxsock")\n*.* {box.path("all.log")}\n')
        box.write("rsyslog.service", f"[Service]\nType=notify\nExecStart={daemon} -n -iNONE -f {box.path('rsyslog.conf')}\n")
        box.boot()
        box.initctl("start", "rsyslog", check=True)

        def seen():
            box.initctl("start", "web", check=True)
            text = open(box.path("all.log"), encoding="utf-8").read() if os.path.exists(box.path("all.log")) else ""
            return re.search(r" talk: two bad$", text, re.M) and text

        until("a service's line", seen)
        box.inside("logger", "-t", "by-logger", "hello", check=True)
        until("a syslog(3) line", lambda: " by-logger" in open(box.path("all.log"), encoding="utf-8").read())


run(globals())
