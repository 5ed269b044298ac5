#!/usr/bin/env python3
"""--log-format=json, as Fluent Bit and Loki read it: each line one object, by a real parser, over a million lines of several services."""
import json
import os

from harness import Box, check, equal, run, until

LINES = int(os.environ.get("MONOINIT_JSON_LINES", "1000000"))
SERVICES = 4
# Quotes, backslashes, a tab, an escape, a letter that is not ASCII and a byte that is no UTF-8.
TEXT = r'& {"a": "\\\\", "b":\t"\x1b[31m"} gr\xc3\xbcn \xff'
WANTED = '{} {{"a": "\\\\", "b":\t"\x1b[31m"}} gr\u00fcn \ufffd'


def story_a_million_lines_are_a_million_objects():
    each = LINES // SERVICES
    read, write = os.pipe()
    with Box({}, stdout=write, args=["--log-format=json"]) as box:
        with open(box.path("script"), "w", encoding="ascii") as out:
            out.write(f"s|.*|{TEXT}|\n")
        for i in range(SERVICES):
            box.write(f"s{i}.service", f"[Service]\nType=oneshot\nExecStart=/bin/sh -c 'seq {each} | LC_ALL=C sed -f {box.path('script')}'\n")
        box.boot(wait=False)
        os.close(write)
        until("it answers", lambda: box.initctl("is-system-running").stdout.strip() == "running")
        box.initctl("start", "--no-block", *(f"s{i}" for i in range(SERVICES)), check=True)
        seen = dict.fromkeys((f"s{i}.service" for i in range(SERVICES)), 0)
        with os.fdopen(read, encoding="utf-8", newline="\n") as lines:
            while sum(seen.values()) < each * SERVICES:
                entry = json.loads(lines.readline())
                unit = entry.get("_SYSTEMD_UNIT")
                if unit is None: # monoinit's own
                    check(entry["SYSLOG_IDENTIFIER"] == "monoinit", entry)
                    continue
                seen[unit] += 1
                equal(entry["MESSAGE"], WANTED.format(seen[unit]), unit)
                check(entry["PRIORITY"] == "6" and entry["_TRANSPORT"] == "stdout" and entry["SYSLOG_IDENTIFIER"] == unit[:-len(".service")] and
                      int(entry["__REALTIME_TIMESTAMP"]) > 1_000_000_000_000_000, entry)
        equal(seen, dict.fromkeys(seen, each), "each line once, in order")


if __name__ == "__main__":
    run(globals())
