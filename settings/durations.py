"""Lengths of time as people type them."""

from __future__ import annotations

import re
from datetime import timedelta

from shipcast.settings.errors import UsageError

LONGEST = 60  # letters of what was typed that are looked at
SECONDS = re.compile(r"[0-9]\s*s(ec(ond)?s?)?\s*$")


def parse_duration(text: str, name: str = "--duration", longest_days: int = 31, such: str = "") -> timedelta:
    """Elapsed time as typed: `45m`, `2h`, `1h30m`, `28d`, or minutes alone: `45`.

    Parameters
    ----------
    name
        What it is called where it was typed.
    such
        What may be typed there; empty: by its name.

    >>> parse_duration("1h30m")
    datetime.timedelta(seconds=5400)
    """
    match = re.fullmatch(
        r"(?:([0-9]+)\s*d)?\s*(?:([0-9]+)\s*h)?\s*(?:([0-9]+)\s*(?:m|min)?)?", text[:LONGEST].strip().lower()
    )
    days, hours, minutes = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    length = timedelta(days=min(days, 400), hours=min(hours, 10_000), minutes=min(minutes, 600_000))
    if not timedelta() < length <= timedelta(days=longest_days):
        such = such or ("28d or 36h" if name.removeprefix("--") == "every" else "45m or 1h30m")
        raise UsageError(
            f"{name} must be a duration such as {such}, at most {longest_days} days. Got {text[:LONGEST]!r} instead.",
            next_step="Seconds do not count: say whole minutes." if SECONDS.search(text[:LONGEST].lower()) else "",
        )
    return length
