#!/usr/bin/env python3
"""Files over 600 lines (tables exempt) want to be split by noun; headers over 300 are no longer read."""
import pathlib
import sys

TABLES = ("directives", "rows", "codecs")  # the directive table and what its rows are made of
src = pathlib.Path(sys.argv[1]) / "src"
bad = []
for path in sorted(src.rglob("*.[ch]pp")):
    if path.name.startswith(TABLES):
        continue
    lines = len(path.read_text().splitlines())
    limit = 600 if path.suffix == ".cpp" else 400
    if lines > limit:
        bad.append(f"{path}: {lines} lines, at most {limit}")
print("\n".join(bad) or "sizes: fine")
sys.exit(1 if bad else 0)
