#!/usr/bin/env python3
"""src/LIMITS.md says what the source does: each row's figure is its constant's, and no constant that is named as a limit on what
comes from outside is without a row."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
page = root / "src/LIMITS.md"
UNITS = {"": 1, "bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "s": 1}
# Names that tell a limit, and constants of such names that bound nothing which others choose.
NAMED = re.compile(r"(limit|max|most|longest|largest|at_most|deepest)")
OURS = {
    "base/calendar.cpp: most_changes", "config/config.hpp: log_rate_limit_interval", "exec/child.hpp: limit_count", "log/stdout_writer.hpp: direct_limit_",
    "runtime/crash.cpp: quick_limit", "runtime/crash.cpp: quick_restoring_limit", "runtime/probes.cpp: longest_pause", "supervise/service.hpp: backoff_max",
    "sys/patience.hpp: most", "base/signals.cpp: rt_max", "base/strings.cpp: longest_compared", "cli", "engine/words.cpp: chain_limit",
    "exec/condition_system.cpp: system_max", "exec/guard_loop.cpp: held_limit", "exec/guard_loop.cpp: other_limit", "exec/guard_loop.cpp: watch_limit",
    "exec/guard_protocol.hpp: message_limit", "exec/guard_tree.cpp: linear_limit", "exec/health_probe.cpp: most", "exec/spawn_slots.cpp: limit_needed",
    "exec/watch_sources.cpp: longest_wait", "exec/watch_sources.cpp: read_at_most", "log/escape.cpp: limit", "log/link.cpp: max_in_flight",
    "log/multiplexer.cpp: max_rendered", "log/protocol.hpp: max_message_text", "log/protocol.hpp: max_packet", "log/reader_protocol.hpp: max_frame",
    "log/shared_memory.hpp: max_stream_info", "log/stdout_writer.cpp: block_limit", "log/store_writer.cpp: block_limit",
    "log/store_writer.cpp: most_waits", "log/store_writer.hpp: largest_record", "runtime/boot.cpp: facts_limit", "runtime/health_runs.cpp: limit",
    "runtime/sources.cpp: longest_line", "unit/codecs.cpp: longest", "unit/codecs.cpp: most",
    "unit/codecs_resource.cpp: most", "unit/transient.cpp: description_at_most", "unit/transient.cpp: text_at_most", "unit/values.cpp: most",
}


def declared(text):
    """Every initialised member or constant of a file: name -> expression."""
    found = {}
    for line in text.splitlines():
        line = line.split("//")[0]
        if not re.search(r"\bconstexpr\b|^\s+(std::size_t|base::Duration) \w+ = ", line):
            continue
        for name, value in re.findall(r"\b(\w+) = ([^,;]+(?:\([^)]*\))?)", line):
            found.setdefault(name, value.strip())
    return found


def value_of(expression, names):
    expression = re.sub(r"(?:std::chrono::)?(?:seconds|milliseconds)\((\d+)\)", r"\1", expression)
    expression = re.sub(r"(?<=[0-9a-fA-F])[uUlL]+\b", "", expression).replace("'", "")
    if not re.fullmatch(r"[0-9a-fA-FxX<>*+\-/ ()]+", expression):
        return value_of(names[expression], names) if expression in names else None
    return int(eval(expression))  # pylint: disable=eval-used  # figures and operators only


files = {str(path.relative_to(root / "src")): declared(path.read_text()) for path in (root / "src").rglob("*.[ch]pp")}
bad, rows = [], set()
for line in page.read_text().splitlines():
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    if len(cells) != 4 or not cells[3].startswith("`"):
        continue
    held = cells[3].strip("`")
    rows.add(held)
    name, constant = held.split(": ")
    figure = re.fullmatch(r"([\d,]+) ?(\w*)", cells[1])
    if constant not in files.get(name, {}):
        bad.append(f"{held}: there is no such constant")
    elif not figure or figure[2] not in UNITS:
        bad.append(f"{held}: {cells[1]} is no figure")
    else:
        said, held_value = int(figure[1].replace(",", "")) * UNITS[figure[2]], value_of(files[name][constant], files[name])
        if said != held_value:
            bad.append(f"{held}: the page says {cells[1]}, the source {files[name][constant]}")
for name, constants in sorted(files.items()):
    for constant, expression in constants.items():
        held = f"{name}: {constant}"
        if NAMED.search(constant) and held not in rows and held not in OURS and name.split("/")[0] not in OURS and value_of(expression, constants) is not None:
            bad.append(f"{held} = {expression}: stands neither in src/LIMITS.md nor among what bounds nothing of others")
bad += [f"{held}: is listed and is not there" for held in OURS if ": " in held and held.split(": ")[1] not in files.get(held.split(": ")[0], {})]
print("\n".join(bad) or f"limits: {len(rows)} rows agree with the source")
sys.exit(1 if bad or not rows else 0)
