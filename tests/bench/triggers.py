"""Sections of tests/bench/run about what starts by itself: sockets, timers, a restart under load."""
import os
import shutil
import socket
import statistics
import subprocess
import time

from common import (LOOP, MONOINIT, NAMESPACE, PATIENCE, QUICK, RUNS, SERVER, TOOL, Place, Stuck, cpu, end, init_of, inside, row, text_of, tree_of, units_for,
                    until, write)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def answers(*words):
    """What the client prints, as numbers."""
    done = subprocess.run([SERVER, *map(str, words)], capture_output=True, text=True, check=True, timeout=PATIENCE * 6)
    return [float(word) for word in done.stdout.split()]


def listens(port):
    def tried():
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0
    return tried


def socket_units(port, command, accept=False):
    name = "s@.service" if accept else "s.service"
    lines = "Accept=yes\nMaxConnections=10000\nTriggerLimitIntervalSec=0\n" if accept else "TriggerLimitIntervalSec=0\n"
    return {"s.socket": f"[Socket]\nListenStream=127.0.0.1:{port}\nBacklog=4096\nPollLimitIntervalSec=0\n{lines}",
            name: f"[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart={command}\n"}


def monoinit_with(place, units):
    """Boots with what is to be enabled of the units; the others lie beside."""
    command = units_for(place, {name: text for name, text in units.items() if not name.endswith(".service")})
    for name, text in units.items():
        write(place.path("units", name), text)
    return command


def section_activation():
    count = 40 if QUICK else 150
    with Place() as place:
        port = free_port()
        place.processes.append(subprocess.Popen([SERVER, "activate", str(port), SERVER, "one"]))
        until("the bare activator", lambda: f":{port:04X}" in text_of("self", "net/tcp"))
        bare = answers("first", port, count)
    with Place() as place:
        port = free_port()
        place.boot(monoinit_with(place, socket_units(port, f"{SERVER} one")))
        until("the socket", lambda: f":{port:04X}" in text_of("self", "net/tcp"))
        ours = answers("first", port, count)
    if ours[0] < count or bare[0] < count:
        raise Stuck(f"{ours[0]} and {bare[0]} of {count} were answered")
    row("bare poll+fork+exec: connect() to accept()", bare[1] * 1e3)
    row("socket unit: connect() to accept() of its service", ours[1] * 1e3, ratio=ours[1] / bare[1], budget="3 ms beyond the start")

    total = 1000 if QUICK else 4000
    with Place() as place:
        port = free_port()
        place.processes.append(subprocess.Popen([SERVER, "inetd", str(port), SERVER, "accepted"]))
        until("the bare inetd", listens(port))
        span, failed = answers("ask", port, total, 16)
    row("bare accept+fork+exec: connections a second", total / span, "/s")
    bare_rate = total / span
    with Place() as place:
        port = free_port()
        process = place.boot(monoinit_with(place, socket_units(port, f"{SERVER} accepted", accept=True)))
        init = init_of(process)
        until("the socket", lambda: f":{port:04X}" in text_of("self", "net/tcp"))
        used = cpu(init)
        span, failed = answers("ask", port, total, 16)
        used = cpu(init) - used
    row("Accept=yes: connections a second", total / span, "/s", ratio=total / span / bare_rate, budget="1000/s")
    row(f"  of {total}, failed", failed, "")
    row("  CPU of PID 1 a connection", used / total * 1e3)


def section_timers():
    count = 10000
    with Place() as place:
        units = {f"t{i}.timer": f"[Timer]\nOnCalendar=*-*-* {i % 24:02}:{i % 60:02}:{i // 7 % 60:02}\nUnit=nothing.service\n" for i in range(count)}
        units_for(place, {})
        for name, text in units.items():
            write(place.path("units", name), text)
        write(place.path("units", "nothing.service"), "[Service]\nType=oneshot\nExecStart=/bin/true\n")
        write(place.path("units", "all.target"), "[Unit]\n" + "".join(f"Wants={name}\n" for name in units))
        # An /etc of its own, whose localtime is replaced below.
        write(place.path("etc", "passwd"), "root:x:0:0:root:/root:/bin/sh\n")
        shutil.copy("/usr/share/zoneinfo/UTC", place.path("etc", "localtime"))
        process = place.spawn(["sh", "-ec", f"mount --bind {place.path('etc')} /etc; exec \"$@\"", "sh", MONOINIT, f"--unit-path={place.path('units')}",
                               "--unit=all.target"], stdout=subprocess.PIPE)
        begin = time.monotonic()
        for line in process.stdout:
            if b"ready in" in line:
                break
        row(f"boot with {count} timers", (time.monotonic() - begin) * 1e3)
        init = init_of(process)

        def switches():
            return int(text_of(init, "status").split("\nvoluntary_ctxt_switches:")[1].split()[0])
        def at_rest():
            until("rest", lambda: cpu(init) == (time.sleep(0.1), cpu(init))[1])
            return cpu(init)
        spans = []
        for turn in range(RUNS):
            before = at_rest()
            shutil.copy(f"/usr/share/zoneinfo/{'UTC' if turn % 2 else 'Asia/Tokyo'}", place.path("etc", "new"))
            os.rename(place.path("etc", "new"), place.path("etc", "localtime"))
            until("a look at the zone", lambda: cpu(init) != before)
            spans.append(at_rest() - before)
        row(f"{count} timers computed anew (CPU of PID 1)", statistics.median(spans) * 1e3, budget="50 ms")
        before = switches()
        seconds = 3
        time.sleep(seconds)
        row(f"wake-ups of PID 1 in {seconds} s", switches() - before, "", budget="those that are due")
        end(process)


def section_handover():
    requests, restarts = (20000, 10) if QUICK else (100000, 50)
    with Place() as place:
        port = free_port()
        process = place.boot(monoinit_with(place, socket_units(port, f"{SERVER} serve")))
        init = init_of(process)
        until("the socket", lambda: f":{port:04X}" in text_of("self", "net/tcp"))
        answers("ask", port, 10, 1)
        alone, _ = answers("ask", port, requests, 4)
        client = subprocess.Popen([SERVER, "ask", str(port), str(requests), "4"], stdout=subprocess.PIPE, text=True)
        done = 0
        while client.poll() is None and done < restarts:
            subprocess.run(inside(init, TOOL, "restart", "s.service"), check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)
            done += 1
        span, failed = map(float, client.communicate(timeout=PATIENCE * 6)[0].split())
    row(f"{requests} requests, the server left alone", alone * 1e3)
    row(f"the same while it was restarted {done} times", span * 1e3, ratio=span / alone)
    row("  failed", failed, "", budget="0")
