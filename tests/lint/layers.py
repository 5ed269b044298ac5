#!/usr/bin/env python3
"""Include layers: which module may include which. The one list is here; ARCHITECTURE.md explains it."""
import pathlib
import re
import sys

MAY_INCLUDE = {
    "base": "",
    "sys": "base",
    "config": "base",
    "unit": "base",
    "graph": "base unit",
    "supervise": "base unit",
    "engine": "base unit graph supervise",
    "log": "base sys",
    "control": "base sys",
    "exec": "base unit sys",
    "runtime": "base unit graph supervise engine sys exec log control config",
    "cli": "base unit sys log control config",
}
ONLY_IN = {"toml++/": {"config"}, "nlohmann/": {"control", "cli"}, "systemd/": {"runtime"}}

src = pathlib.Path(sys.argv[1]) / "src"
bad = []
for path in sorted(src.rglob("*.[ch]pp")):
    parts = path.relative_to(src).parts
    if len(parts) == 1:  # main.cpp may include everything
        continue
    module = parts[0]
    if module not in MAY_INCLUDE:
        bad.append(f"{path}: unknown module {module}")
        continue
    allowed = {module, *MAY_INCLUDE[module].split()}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not found:
            continue
        kind, name = found.groups()
        if kind == '"' and name.split("/")[0] not in allowed:
            bad.append(f"{path}:{number}: {module}/ may not include {name}")
        for prefix, homes in ONLY_IN.items():
            if name.startswith(prefix) and module not in homes:
                bad.append(f"{path}:{number}: {name} belongs in {sorted(homes)} only")
print("\n".join(bad) or "layers: fine")
sys.exit(1 if bad else 0)
