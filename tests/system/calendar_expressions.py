#!/usr/bin/env python3
"""Calendar expressions, judged by the real systemd-analyze: normalised form and the next moments, for those of
tests/data/calendar.tsv and for others made up at random. `--record` writes that file anew, which the unit test reads."""
import datetime
import os
import pathlib
import random
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

TABLE = pathlib.Path(__file__).parent.parent / "data" / "calendar.tsv"
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Europe/Dublin", "Asia/Tokyo", "America/Sao_Paulo",
         "Africa/Casablanca", "Pacific/Apia", "Asia/Tehran", "Europe/London"]
# Around changes of clocks, ends of years, leap days.
BASES = ["2026-03-28 20:00:00", "2026-10-24 22:30:00", "2026-10-25 00:30:00", "2026-10-25 01:10:00", "2026-11-01 05:30:00",
         "2026-03-08 06:59:59", "2024-02-28 23:59:59", "2026-11-26 07:22:25", "2030-12-31 23:00:00", "2026-04-04 15:10:00",
         "2026-10-03 15:29:00", "2045-10-28 23:30:00"]
# What the manual shows, what packages use, and what nobody should write.
WRITTEN = """Sat,Thu,Mon..Wed,Sat..Sun|Mon,Sun 12-*-* 2,1:23|Wed *-1|Wed..Wed,Wed *-1|Wed, 17:48|Wed..Sat,Tue 12-10-15 1:2:3|*-*-7 0:0:0|10-15
monday *-12-* 17:00|Mon,Fri *-*-3,1,2 *:30:45|12,14,13,12:20,10,30|12..14:10,20,30|mon,fri *-1/2-1,3 *:30:45|03-05 08:05:40|08:05:40|05:40
Sat,Sun 12-05 08:05:40|Sat,Sun 08:05:40|2003-03-05 05:40|05:40:23.4200004/3.1700005|2003-02..04-05|2003-03-05 05:40 UTC|2003-03-05
03-05|hourly|daily|daily UTC|monthly|weekly|weekly Pacific/Apia|yearly|annually|*:2/3|minutely|quarterly|semiannually|bi-annually|anually
*-*~03|*-*~1|*-02~01..07/1|Mon *-05~07/1|*-02-29|*-02-30|*-*-31|*-04-31|00:00|*:0/15|*:*:*|*:*:0/10|*-*-* *:*:00|*-*-* 00/2:00|6:30..45
Mon..Fri 9..17/2:00|Mon..Fri *-*-1..7 12:00|Sun *-*-* 03:10:00|Mon *-*-* 00:00:00|*-*-* 6,18:00|*-*-* 02:30:00|01:59:59|02:00|03:00
*:09,39|*:00/10|*-*-* 23:53:00|Sun 2..4:00|@1900000000|@0|@-1|2199-12-31|2200-01-01|1969-01-01|1970-01-01|99-1-1|2100/2-1-1|26..28-1-1
02:30 Europe/Berlin|12:00 CET|12:00 CEST|12:00 EST|12:00 EDT|12:00 IST|12:00 GMT|12:00 utc|12:00 Nowhere/Land|12:00 ../../etc/passwd
*|**|*-*|*-*-*|*:*|::|:|,|-|~|.|/|@|@x|Mon..|Mon.Tue|Fri..Mon|Mon,|Mon,,Tue|Montag|Mon..Tue..Wed|24:00|23:60|1:2:60|1:2:59.9999995|0-0|13-1
1-32|*-*~29|*-*~28|*-*~26..27,9|0/0:00|1/30:00|*:0/60|*:*:0/0.5|*:*:1..1.5|*:*:1..1.5/0.25|1..1:00|5..3:00|*:*:00.123456|99999999999:0
4294967296-1-1|1:2:3:4|2026-1-1 1:2:3 x|2026-01-01T00:00|*-*-* *:*:*.5| daily|daily |Mon  12:00|*-*-*  12:00|12:00  UTC|Mon 2026-11-30
2026-10-25 02:30|2026-03-29 02:30|2011-12-30 12:00|*-10-25..31 2:30|*-*-* 02:15/30:00|*:1,2,3,4,5,6,7,8,9,10,11,12|2,2,2:00|1..5/2,3:00"""

# Where what the search finds first lies before what it was asked for: a gap of half an hour, winter time as the daylight saving one, a
# kind of time that the hour has no more. And where counting from the end of the month decides which of two equal hours is meant.
AROUND_CHANGES = [("Australia/Lord_Howe", "2026-10-03 15:29:00", "1..17/1:12/2,6..35,46:16.9490435"),
                  ("Australia/Lord_Howe", "2026-10-03 15:10:10", "*:20/20:16"), ("Australia/Lord_Howe", "2026-10-03 15:29:30", "*:0/7"),
                  ("Europe/Dublin", "2026-03-29 00:47:15", "*:0/8"), ("Europe/Dublin", "2026-03-29 00:26:36", "*:26"),
                  ("Europe/Dublin", "2026-03-29 00:57:20", "0..5,4/8:*"), ("Europe/Dublin", "2026-03-29 00:26:00", "*:6..10/17:*"),
                  ("Europe/Berlin", "2026-10-24 22:30:00", "*:59 CEST"), ("Europe/Berlin", "2026-10-25 01:59:00", "*:59 CEST"),
                  ("Europe/London", "2026-10-25 00:30:00", "*-7..11/1,11~9/1 *:0..42")]
CHANGES = [(2026, 10, 3, 15, 30), (2026, 4, 4, 15, 0), (2026, 3, 29, 1, 0), (2026, 10, 25, 1, 0), (2026, 11, 1, 6, 0), (2026, 3, 8, 7, 0)]


def number(low, high):
    return random.randint(low, high)


def one(low, high, fraction):
    def text(value):
        return str(value) + (f".{number(0, 9999999)}" if fraction and random.random() < .3 else "")
    first = number(low, high)
    kind = random.random()
    if kind < .5:
        return text(first)
    if kind < .75:
        return text(first) + ".." + text(number(first, high))
    if kind < .9:
        return text(first) + "/" + text(number(1, max(1, (high - first) // 2)))
    return text(first) + ".." + text(number(first, high)) + "/" + text(number(1, max(1, (high - low) // 3)))


def chain(low, high, fraction=False):
    return "*" if random.random() < .3 else ",".join(one(low, high, fraction) for _ in range(random.choice([1, 1, 1, 2, 3])))


def weekdays():
    days = ["Mon", "Tuesday", "wed", "Thu", "FRI", "Sat", "Sunday"]
    first = number(0, 6)
    return ",".join(days[number(0, 6)] if random.random() < .6 else days[first] + random.choice(["..", "-"]) + days[number(first, 6)]
                    for _ in range(random.choice([1, 1, 2, 3])))


def made_up():
    words = [weekdays()] if random.random() < .35 else []
    if random.random() < .7:
        date = chain(1, 12) + random.choice("---~") + chain(1, random.choice([31, 12]))
        words.append(random.choice(["", "", "*-", "*-", "2026-", "2027..2030-", "26-", "2025,2028-", "2024/4-"]) + date)
    if random.random() < .75 or not words:
        words.append(chain(0, 23) + ":" + chain(0, 59) + (":" + chain(0, 59, True) if random.random() < .5 else ""))
    if random.random() < .2:
        words.append(random.choice(["UTC", "Asia/Tokyo", "America/New_York", "CET", "CEST", "EST", "EDT", "Europe/London"]))
    return " ".join(words)


def near_a_change():
    moment = datetime.datetime(*random.choice(CHANGES)) + datetime.timedelta(seconds=number(-5400, 5400))
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def rows(seed, made, near=0):
    random.seed(seed)
    written = [each for line in WRITTEN.split("\n") for each in line.split("|")]
    return ([(ZONES[i % len(ZONES)], BASES[i % len(BASES)], each) for i, each in enumerate(written)] +
            AROUND_CHANGES +
            [(random.choice(ZONES), random.choice(BASES), made_up()) for _ in range(made)] +
            [(random.choice(ZONES), near_a_change(), made_up()) for _ in range(near)])


def ask(program, row, iterations=4):
    """What a `systemd-analyze calendar` says: the normalised form ("-": refused) and moments in UTC."""
    zone, base, expression = row
    answer = subprocess.run([*program, "calendar", f"--iterations={iterations}", f"--base-time={base} UTC", "--", expression],
                            capture_output=True, text=True, env={"PATH": os.environ["PATH"], "TZ": zone})
    form, moments = "-", []
    for line in answer.stdout.splitlines():
        name, _, value = line.partition(": ")
        if name.strip() == "Normalized form":
            form = value
        elif name.strip() == "(in UTC)":
            moments[-1] = value
        elif name.strip() == "Next elapse" or name.strip().startswith("Iter."):
            moments.append(value)
    if "Infinite loop" in answer.stderr or "deadlock" in answer.stderr:
        return None  # it gave up: no judgement
    order = [base, *(moment[4:23] for moment in moments if moment != "never")]
    if any(later < earlier for earlier, later in zip(order, order[1:])):
        return None  # it went back in time, and a timer elapses without end: nothing to follow
    return (form, *moments)


def seconds(text):
    if text == "never":
        return text
    moment = datetime.datetime.strptime(text[4:23], "%Y-%m-%d %H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return str(int(moment.timestamp()))


def judge_all(wanted):
    with ThreadPoolExecutor(2) as pool:
        return list(zip(wanted, pool.map(lambda row: ask(["systemd-analyze"], row), wanted)))


def record():
    with TABLE.open("w") as table:
        table.write("# Recorded by tests/system/calendar_expressions.py --record from systemd-analyze: zone, seconds, expression, "
                    "normalised form (- refused), moments.\n")
        for (zone, base, expression), answer in judge_all(rows(1, 250)):
            if answer is not None:
                since = seconds("Day " + base)
                table.write("\t".join([zone, since, expression, answer[0], *map(seconds, answer[1:])]) + "\n")


def story_the_same_as_systemd():
    ours = [str(pathlib.Path(os.environ["MONOINIT"]).parent / "initctl")]
    differing = []
    compared = 0
    for row, theirs in judge_all(rows(os.getpid(), 250, 250)):
        if theirs is None:
            continue
        compared += 1
        answer = ask(ours, row)
        if answer != theirs:
            differing.append(f"{row}\n  ours     {answer}\n  systemd  {theirs}")
    print("\n".join(differing[:10]))
    print(f"{compared} compared, {len(differing)} differ")
    return not differing and compared > 500


if __name__ == "__main__":
    if shutil.which("systemd-analyze") is None:
        print("SKIP: no systemd-analyze")
        sys.exit(77)
    if sys.argv[1:] == ["--record"]:
        record()
    elif not story_the_same_as_systemd():
        sys.exit(1)
