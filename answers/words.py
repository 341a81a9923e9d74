"""Numbers as people say them; every face uses these, so that one number reads the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

SMALLEST_SHOWN = 0.01
LEVEL_MARKS = {"calm": "○", "fair": "◔", "moderate": "◑", "rough": "◕", "storm": "●", "": ""}


def share(value: float | None) -> str:
    """A share as a percentage, finer where it is small, and as fine where little is left to the whole.

    >>> share(0.0123), share(0.5), share(0.996), share(None)
    ('1.2 %', '50 %', '99.6 %', 'not enough data')
    """
    if value is None:
        return "not enough data"
    percent = value * 100
    is_fine = (percent < 10 or 90 < percent < 100) and round(percent, 1) != round(percent)
    return f"{percent:.1f} %" if is_fine else f"{percent:.0f} %"


def in_hundred(value: float, low: float | None = None, high: float | None = None) -> str:
    """A chance in the words of UX: how many of how many, with the interval.

    >>> in_hundred(0.031, 0.012, 0.058)
    'about 3 in 100 (1 to 6)'
    >>> in_hundred(0.004, 0.001, 0.012)
    'about 4 in 1,000 (1 to 12)'
    >>> in_hundred(0.996)
    'about 996 in 1,000'
    """
    base = 100 if 0.01 <= value <= 0.99 else 1000
    text = f"about {round(value * base)} in {base:,}"
    return text if low is None or high is None else f"{text} ({round(low * base)} to {round(high * base)})"


def hours(value: float | None) -> str:
    """A length of time in the unit that suits it.

    >>> hours(0.5), hours(5.25), hours(100), hours(None)
    ('30 min', '5.2 h', '4.2 days', 'not enough data')
    """
    if value is None:
        return "not enough data"
    if value < 1:
        return f"{value * 60:.0f} min"
    return f"{value:.1f} h" if value < 72 else f"{value / 24:.1f} days"


def age(length: timedelta) -> str:
    """How old something is.

    >>> age(timedelta(hours=30)), age(timedelta(days=12)), age(timedelta(minutes=1))
    ('30 hours', '12 days', '1 minute')
    """
    seconds = length.total_seconds()
    for unit, size in (("days", 86_400), ("hours", 3_600)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return plural(round(seconds / 60), "minute")


def count(value: float | None) -> str:
    """A count with its thousands apart, or a rate with two digits.

    >>> count(12345), count(3.14159), count(None)
    ('12,345', '3.14', 'not enough data')
    """
    if value is None:
        return "not enough data"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def amount(value: float | None) -> str:
    """A cost with as many digits as it can bear.

    >>> amount(1234.5), amount(3.14159), amount(0.001), amount(0.0), amount(None)
    ('1,234', '3.1', '< 0.01', '0', '?')
    """
    if value is None:
        return "?"
    if 0 < value < SMALLEST_SHOWN:
        return f"< {SMALLEST_SHOWN}"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def times(value: float) -> str:
    """How many times something else, with as many digits as tell it from that.

    >>> times(0.123), times(1.04), times(1234.5)
    ('0.12', '1.0', '1,234')
    """
    if value >= 10:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def plural(number: int, noun: str) -> str:
    """
    >>> plural(1, "deployment"), plural(1200, "deployment")
    ('1 deployment', '1,200 deployments')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def local_time(moment: datetime, zone: str, as_of: datetime) -> str:
    """An instant on the clock of a zone, with its year where that is another than when the question is asked.

    >>> from datetime import UTC
    >>> asked = datetime(2025, 12, 14, tzinfo=UTC)
    >>> local_time(datetime(2025, 12, 16, 6, 15, tzinfo=UTC), "Europe/London", asked)
    'Tue 16 Dec 06:15'
    >>> local_time(datetime(2025, 12, 31, 23, 30, tzinfo=UTC), "Europe/Berlin", asked)
    'Thu 1 Jan 2026 00:30'
    """
    local, asked = (instant.astimezone(ZoneInfo(zone)) for instant in (moment, as_of))
    return f"{local:%a %-d %b %H:%M}" if local.year == asked.year else f"{local:%a %-d %b %Y %H:%M}"


def span(start: datetime, end: datetime, zone: str) -> str:
    """A stretch of time on the clock of a zone; a day that both ends share is said once, seconds where there are any.

    >>> from datetime import UTC
    >>> span(datetime(2026, 1, 6, 10, tzinfo=UTC), datetime(2026, 1, 6, 10, 45, tzinfo=UTC), "Europe/London")
    'Tue 6 Jan 2026 10:00 to 10:45'
    """
    first, last = (moment.astimezone(ZoneInfo(zone)) for moment in (start, end))
    clock = "%H:%M:%S" if first.second or last.second else "%H:%M"
    closes = clock if first.date() == last.date() else f"%a %-d %b %Y {clock}"
    return f"{first.strftime(f'%a %-d %b %Y {clock}')} to {last.strftime(closes)}"


def cut(text: str, longest: int) -> str:
    """The text, shortened to so many characters.

    >>> cut("storm", 5), cut("calm or fair", 5)
    ('storm', 'calm…')
    """
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def listing(words: Sequence[str]) -> str:
    """
    >>> listing(["7"]), listing(["3", "5", "7"])
    ('7', '3, 5 and 7')
    """
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]
