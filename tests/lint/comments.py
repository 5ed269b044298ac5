#!/usr/bin/env python3
"""What comments and pages name under tests/ is there: a file's "Tested by …" is a promise to its reader."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
known = {path.name for path in (root / "tests").rglob("*")}
bad = []
for path in [*sorted((root / "src").rglob("*.[ch]pp")), root / "src/ARCHITECTURE.md", root / "README.md"]:
    text = path.read_text()
    for name in re.findall(r"\btests/[\w./*]*\w", text):
        if not any(root.glob(name + "*")):
            bad.append(f"{path.relative_to(root)}: there is no {name}")
    for name in re.findall(r"\b\w+_test\.cpp\b", text):
        if name not in known:
            bad.append(f"{path.relative_to(root)}: there is no {name}")
print("\n".join(bad) or "comments: what they name is there")
sys.exit(1 if bad else 0)
