#!/usr/bin/env python3
"""Readiness by sd_notify: who counts, and that nothing said is lost to the order in which things come in."""
from harness import Box, check, equal, run

SEND = "import os,socket,sys; s=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(os.environ[\"NOTIFY_SOCKET\"]); s.send(sys.argv[1].encode())"


def notify(text, after="", kind="notify"):
    return f"[Service]\nType={kind}\nExecStart=/usr/bin/env python3 -c '{SEND}{after}' {text}\nTimeoutStartSec=15\n"


def story_ready_starts_the_next():
    units = {"last.service": "[Unit]\nRequires=n4.service\nAfter=n4.service\n[Service]\nType=oneshot\nExecStart=/bin/true\n"}
    for i in range(5):
        after = f"[Unit]\nRequires=n{i - 1}.service\nAfter=n{i - 1}.service\n" if i else ""
        units[f"n{i}.service"] = after + notify("READY=1", "; import signal; signal.pause()")
    with Box(units, ["last.service"]) as box:
        box.boot()
        equal([box.state(f"n{i}") for i in range(5)], ["active"] * 5)
        check("notify message of pid" not in box.log(), "none was ignored")


def story_ready_and_gone_at_once_counts():
    # The end comes in by another way than what was said before it.
    units = {f"n{i}.service": notify("READY=1") for i in range(8)}
    with Box(units, list(units)) as box:
        box.boot()
        equal([box.show(f"n{i}", "Result") for i in range(8)], ["success"] * 8, "results")


def story_end_without_ready_is_a_failure():
    with Box({"n.service": notify("STATUS=nothing")}, ["n.service"]) as box:
        box.boot()
        equal(box.show("n", "Result"), "protocol")


run(globals())
