"""How long a question takes on the command line, start and all: the least of several runs, on a made-up company.

    python benchmarks/start.py
    python benchmarks/start.py --home DIR --runs 9      of a home that there is

Prints a Markdown table. The calendar has 200 rules of every kind; windows are asked for 30 days ahead.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from run import SHIPCAST, measured

RULES = 200
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "UTC", "Australia/Sydney")
SCOPES = ("", 'scope = { environment = ["production"] }', 'scope = { service = ["pay-*"] }')
RECURRENCES = ("FREQ=WEEKLY;BYDAY=MO,WE", "FREQ=MONTHLY;BYDAY=-1FR", "FREQ=DAILY;INTERVAL=3")


def rule(number: int, year: int) -> str:
    """One rule; of ten that follow each other four are cron, three recur, and one each a freeze, board and capacity."""
    hour, minute, day, month = number % 24, number % 60, 1 + number % 27, 1 + number % 12
    name, minutes, repeats = f'id = "rule-{number}"', f"minutes = {15 + minute}", RECURRENCES[number % 3]
    kinds = {
        **dict.fromkeys(range(4), ("window", f'kind = "deny"\ncron = "{minute} {hour} * * {number % 7}"\n{minutes}')),
        **dict.fromkeys(
            range(4, 7),
            ("window", f'kind = "deny"\nrrule = "{repeats}"\ndtstart = "{year}-01-{day:02}T{hour:02}:00"\n{minutes}'),
        ),
        7: ("freeze", f"start = {year}-{month:02}-{day:02}\nend = {year}-{month:02}-{day:02}"),
        8: ("cab", f'cron = "0 {8 + number % 9} * * {1 + number % 5}"\ndeadline_hours = {number % 48}'),
        9: ("capacity", f"concurrent = {1 + number % 4}"),
    }
    kind, body = kinds[number % 10]
    zone = "" if kind == "capacity" else f'tz = "{ZONES[number % 5]}"'
    return f"[[{kind}]]\n{name}\n{body}\n{zone}\n{SCOPES[number % 3]}\n"


def questions(calendar: Path, now: datetime) -> list[tuple[str, ...]]:
    """What is asked, of a service that the made-up company has."""
    tomorrow, in_a_month = (f"{now + timedelta(days=days):%Y-%m-%dT%H:00Z}" for days in (1, 30))
    change = ("checkout", "--duration", "45m", "--calendar", str(calendar))
    return [
        ("--help",),
        ("windows", *change, "--latest", in_a_month),
        ("explain", *change, "--at", tomorrow),
        ("now", *change),
        ("forecast", "checkout"),
        ("metrics",),
        ("quality",),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, help="default: one that `shipcast demo` makes")
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        home = given.home or Path(folder) / "home" / "demo"
        if given.home is None:
            subprocess.run([*SHIPCAST, "--home", str(home.parent), "demo"], check=True, stdout=subprocess.DEVNULL)
        calendar = Path(folder) / "calendar.toml"
        calendar.write_text("\n".join(rule(number, now.year) for number in range(RULES)), encoding="utf-8")
        print("| question | seconds | processor seconds |\n| --- | --- | --- |")
        for question in questions(calendar, now):
            runs = [measured(["--home", str(home), *question], "80%") for _ in range(given.runs)]
            clock, processor = (min(each) for each in list(zip(*runs, strict=True))[:2])
            print(f"| {question[0]} | {clock:.2f} | {processor:.2f} |", flush=True)


if __name__ == "__main__":
    main()
