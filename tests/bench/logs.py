"""Sections of tests/bench/run about logs: what a flood and a stdout that stands still cost others. Throughput: log_throughput.cpp."""
import os
import statistics
import subprocess
import threading
import time

from common import MONOINIT, NAMESPACE, QUICK, TOOL, Place, init_of, inside, row, timed_inside, units_for, until

STREAMS, STALLED = 10, 3
CALLS = 100 if QUICK else 300
LINE = "a line of a hundred bytes, of a service that says too much for anybody to read, again and again ......"


def reader(fd, seen, go):
    """Counts lines while `go` is set."""
    while True:
        go.wait()
        chunk = os.read(fd, 1 << 18)
        if not chunk:
            return
        seen.append(chunk.count(b"\n"))


def section_logs():
    """`status` beside ten services that write as fast as they can, then while nobody reads stdout; what was written then comes out after."""
    with Place() as place:
        read, write = os.pipe()
        flood = f"[Service]\nExecStart=/usr/bin/yes '{LINE}'\n"
        units = {f"flood{i}.service": flood for i in range(STREAMS)} | {"quiet.service": "[Service]\nExecStart=/bin/sleep infinity\n"}
        command = units_for(place, units)
        for i in range(STREAMS):
            os.unlink(place.path("units", "multi-user.target.wants", f"flood{i}.service"))
        process = subprocess.Popen(NAMESPACE + command, stdin=subprocess.DEVNULL, stdout=write)
        place.processes.append(process)
        os.close(write)
        seen, go = [], threading.Event()
        go.set()
        threading.Thread(target=reader, args=(read, seen, go), daemon=True).start()
        init = init_of(process)
        status = (TOOL, "status", "quiet")
        ask = lambda: timed_inside(init, CALLS, *status)
        until("it answers", lambda: subprocess.run(inside(init, *status), capture_output=True, check=False).returncode == 0)
        idle = ask()
        row("status, median, idle", idle * 1e3)
        subprocess.run(inside(init, TOOL, "start", "--no-block", *(f"flood{i}" for i in range(STREAMS))), check=True, capture_output=True)
        until("lines", lambda: len(seen) > 100)
        # On two cores the ten writers themselves take their share of every call: the same without us beside it.
        busy = ask()
        row(f"status, {STREAMS} services flood stdout", busy * 1e3, ratio=busy / idle, budget="1.5 x")
        go.clear()
        time.sleep(1)
        began = time.monotonic()
        stalled = [ask() for _ in range(2)]
        time.sleep(max(0, STALLED - (time.monotonic() - began)))
        row(f"status, stdout stands still for {STALLED} s", statistics.median(stalled) * 1e3, ratio=statistics.median(stalled) / idle, budget="1.5 x")
        before = len(seen)
        go.set()
        until("stdout goes on", lambda: len(seen) > before + 100)
    # What loops beside a call costs it without any log: the machine's own ratio.
    with Place() as place:
        process = place.boot(units_for(place, {"quiet.service": "[Service]\nExecStart=/bin/sleep infinity\n"}))
        init = init_of(process)
        until("it answers", lambda: subprocess.run(inside(init, *status), capture_output=True, check=False).returncode == 0)
        idle = timed_inside(init, CALLS, *status)
        loops = [subprocess.Popen(["sh", "-c", f"yes '{LINE}' | cat >/dev/null"], start_new_session=True) for _ in range(STREAMS)]
        busy = timed_inside(init, CALLS, *status)
        for loop in loops:
            os.killpg(loop.pid, 9)
            loop.wait()
        row(f"status beside {STREAMS} such writers that monoinit does not know", busy * 1e3, ratio=busy / idle)
    print(f"   ({MONOINIT})", flush=True)
