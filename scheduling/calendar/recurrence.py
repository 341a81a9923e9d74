"""Recurrence rules of iCalendar (RFC 5545) on the wall clock."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from dateutil.rrule import rrule, rrulestr

from shipcast.features.clock import Instants
from shipcast.scheduling.calendar.zones import microseconds

MOST = 100_000
YEARS = 20
SPAN = timedelta(days=YEARS * 365 + YEARS // 4)
LONGEST = 1000
CYCLE = timedelta(days=146_097)  # 400 years, after which dates, weekdays and weeks repeat
LAST_CYCLE = 9574  # late enough that a rule that never matches soon reaches the last year there is
STEPS = {
    "SECONDLY": timedelta(seconds=1),
    "MINUTELY": timedelta(minutes=1),
    "HOURLY": timedelta(hours=1),
    "DAILY": timedelta(days=1),
    "WEEKLY": timedelta(weeks=1),
}
FREQUENCIES = (*STEPS, "MONTHLY", "YEARLY")
CLOCK = {"BYHOUR": range(24), "BYMINUTE": range(60), "BYSECOND": range(60)}
RANGES = {
    **CLOCK,
    "INTERVAL": range(1, 1_000_001),
    "COUNT": range(1, 1_000_000_001),
    "BYMONTH": range(1, 13),
    "BYMONTHDAY": range(-31, 32),
    "BYYEARDAY": range(-366, 367),
    "BYWEEKNO": range(-53, 54),
    "BYSETPOS": range(-366, 367),
}
ONE = ("INTERVAL", "COUNT")
DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
UNTIL = re.compile(r"\d{8}(T\d{6}Z?)?")
KEYS = ("FREQ", *RANGES, "BYDAY", "WKST", "UNTIL")


@dataclass(frozen=True, eq=False)
class Recurrence:
    """When a rule comes about.

    Parameters
    ----------
    rule
        Without its end, from a start that lies whole cycles of 400 years later; None: it never comes about.
    shift
        By how much.
    step
        After which the rule, moved on by it, is the same; None: there is no such step, or occurrences are counted.
    until
        The last local time; None: no such end.
    until_instant
        The last instant (naive, UTC).
    """

    rule: rrule | None
    shift: timedelta
    step: timedelta | None
    until: datetime | None
    until_instant: datetime | None

    def starts(self, first: datetime, last: datetime) -> Instants:
        """The local times in [first, last] at which it comes about; `until_instant` is left to the caller."""
        end = last if self.until is None else min(last, self.until)
        return microseconds(moment for moment in self.moments(first, end) if moment >= first)

    def moments(self, first: datetime, end: datetime) -> Iterator[datetime]:
        rule = self.rule
        if rule is None:
            return
        begins = rule._dtstart - self.shift  # type: ignore[attr-defined]
        if self.step and first > begins:
            skipped = max((first - begins) // self.step - 1, 0)  # one period more, since BYSETPOS looks at whole ones
            rule = rule.replace(dtstart=begins + self.shift + skipped * self.step)
        for moment in rule:
            if moment - self.shift > end:
                return
            yield moment - self.shift


@lru_cache(maxsize=10_000)
def parse_rrule(text: str, begins: datetime) -> Recurrence:
    """A recurrence from its text and its local start.

    Raises
    ------
    ValueError
        It is none, or comes about more than 100,000 times in the 20 years from its start.
    """
    parts = checked_parts(text)
    until = parts.pop("UNTIL", None)
    sparse = without_long_walks(parts)
    shift = CYCLE * ((LAST_CYCLE - begins.year) // 400)
    try:
        rule = rrulestr(";".join(f"{key}={value}" for key, value in sparse.items()), dtstart=begins + shift)
        comes_about = next(iter(rule), None) is not None
    except (ValueError, OverflowError, TypeError) as error:
        raise ValueError(f"{text!r} is no recurrence rule: {error}") from error
    if not isinstance(rule, rrule):
        raise ValueError(f"{text!r} is no recurrence rule")
    found = Recurrence(rule if comes_about else None, shift, step_of(sparse), *ends(until))
    if bound(sparse) > MOST and count(found, begins) > MOST:
        raise ValueError(
            f"{text!r} comes about more than {MOST:,} times in {YEARS} years; write a rarer rule with longer minutes"
        )
    return found


def checked_parts(text: str) -> dict[str, str]:
    """The rule's parts by key, each known and in its range."""
    plain = text.strip().upper().removeprefix("RRULE:").rstrip(";")
    if len(plain) > LONGEST or not re.fullmatch(r"[A-Z]+=[A-Z0-9,+-]+(;[A-Z]+=[A-Z0-9,+-]+)*", plain):
        raise ValueError(f"{text[:40]!r} is no recurrence rule; write it such as 'FREQ=WEEKLY;BYDAY=TU'")
    pairs = [part.split("=") for part in plain.split(";")]
    parts = dict(pairs)
    if len(parts) < len(pairs):
        raise ValueError(f"{text!r} names a part twice")
    if parts.get("FREQ") not in FREQUENCIES:
        raise ValueError(f"{text!r} must have a FREQ, one of {', '.join(FREQUENCIES)}")
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError(f"{text!r} has both COUNT and UNTIL; it may end by one of them")
    for key, value in parts.items():
        check_part(key, value, parts["FREQ"])
    return parts


def check_part(key: str, value: str, frequency: str) -> None:
    if key not in KEYS:
        raise ValueError(f"{key} is no part of a recurrence rule; its parts are {', '.join(KEYS)}")
    if key == "UNTIL" and not is_time(value):
        raise ValueError(f"UNTIL={value} is no time; write it such as 20261231T225959Z or 20261231T235959")
    if key == "WKST" and not DAY.fullmatch(value):
        raise ValueError(f"WKST={value} is no day, such as MO")
    if key == "BYDAY":
        check_days(value, frequency)
    if key in RANGES:
        check_numbers(key, value)


def check_days(value: str, frequency: str) -> None:
    found = [DAY.fullmatch(day) for day in value.split(",")]
    if not all(found):
        raise ValueError(f"BYDAY={value} holds something else than days such as MO or -1FR")
    if frequency not in ("MONTHLY", "YEARLY") and any(day and day[1] for day in found):
        raise ValueError(f"BYDAY={value}: days may be numbered only where FREQ is MONTHLY or YEARLY")


def check_numbers(key: str, value: str) -> None:
    allowed = RANGES[key]
    numbers = value.split(",")
    is_whole = all(re.fullmatch(r"[+-]?\d{1,10}", number) for number in numbers)
    if not is_whole or not all(int(number) in allowed for number in numbers) or (key in ONE and len(numbers) > 1):
        form = "one number" if key in ONE else "numbers"
        raise ValueError(f"{key}={value} must be {form} from {allowed[0]} to {allowed[-1]}")
    if allowed[0] < 0 and any(int(number) == 0 for number in numbers):
        raise ValueError(f"{key}={value}: there is no 0 in {key}")


def is_time(value: str) -> bool:
    if not UNTIL.fullmatch(value):
        return False
    try:
        ends(value)
    except ValueError:
        return False
    return True


def ends(until: str | None) -> tuple[datetime | None, datetime | None]:
    """The last local time, and the last instant, that an UNTIL allows; a date alone is that whole day.

    >>> ends("20260331"), ends("20260331T180000Z")[1]
    ((datetime.datetime(2026, 3, 31, 23, 59, 59), None), datetime.datetime(2026, 3, 31, 18, 0))
    """
    if until is None:
        return None, None
    moment = datetime.strptime(f"{until[:8]}{until[9:15] or '235959'}", "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    naive = moment.replace(tzinfo=None)
    return (None, naive) if until.endswith("Z") else (naive, None)


def without_long_walks(parts: dict[str, str]) -> dict[str, str]:
    """The same rule so that it is found without walking through every second: by the day, its times listed.

    >>> without_long_walks({"FREQ": "HOURLY", "BYMINUTE": "0,30"})["FREQ"]
    'DAILY'
    """
    frequency, is_every = parts["FREQ"], parts.get("INTERVAL", "1") == "1"
    finer = {"HOURLY": ("BYHOUR",), "MINUTELY": ("BYHOUR", "BYMINUTE"), "SECONDLY": tuple(CLOCK)}.get(frequency)
    if finer is None:
        return parts
    if "BYSETPOS" in parts:
        raise ValueError(f"BYSETPOS is not understood with FREQ={frequency}")
    if frequency == "SECONDLY" and not is_every and CLOCK.keys() & parts.keys():
        raise ValueError("FREQ=SECONDLY with an INTERVAL and times is not understood; write it with FREQ=DAILY")
    is_each_second = frequency == "SECONDLY" and "BYSECOND" not in parts and "BYMINUTE" not in parts
    if not is_every or is_each_second:
        return parts
    listed = {key: ",".join(map(str, CLOCK[key])) for key in finer}
    return {**listed, **parts, "FREQ": "DAILY"}


def step_of(parts: dict[str, str]) -> timedelta | None:
    """After which the rule repeats."""
    step = STEPS.get(parts["FREQ"])
    return None if step is None or "COUNT" in parts else step * int(parts.get("INTERVAL", "1"))


def bound(parts: dict[str, str]) -> float:
    """How often the rule can come about in 20 years at most, as far as can be said without trying."""
    times = {key: len(parts[key].split(",")) if key in parts else None for key in CLOCK}
    frequency = parts["FREQ"]
    hours = times["BYHOUR"] or (24 if frequency in ("HOURLY", "MINUTELY", "SECONDLY") else 1)
    minutes = times["BYMINUTE"] or (60 if frequency in ("MINUTELY", "SECONDLY") else 1)
    seconds = times["BYSECOND"] or (60 if frequency == "SECONDLY" else 1)
    bounds = [math.inf, SPAN.days * hours * minutes * seconds]
    if frequency in STEPS and frequency not in ("DAILY", "WEEKLY"):
        steps = SPAN // (STEPS[frequency] * int(parts.get("INTERVAL", "1")))
        finer = {"HOURLY": minutes * seconds, "MINUTELY": seconds, "SECONDLY": 1}[frequency]
        bounds.append(steps * finer)
    if "COUNT" in parts:
        bounds.append(int(parts["COUNT"]))
    return min(bounds)


def count(found: Recurrence, begins: datetime) -> int:
    """How often it comes about in 20 years; no further than one too many."""
    last = begins + SPAN
    end = last if found.until is None else min(last, found.until)
    if found.until_instant is not None:
        end = min(end, found.until_instant + timedelta(days=1))
    number = 0
    for number, _ in enumerate(found.moments(begins, end), start=1):
        if number > MOST:
            break
    return number
