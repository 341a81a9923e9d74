"""Cron expressions of five fields, as the wall clock shows them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
from cronsim import CronSim
from numpy.typing import NDArray

from shipcast.features.clock import Instants
from shipcast.scheduling.calendar.zones import FIRST, MICROSECONDS

LONGEST = 200
START = FIRST.replace(tzinfo=None)
FIELDS = {  # the values of each, and those that any day admits
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day of month": "1 to 31, L or LW",
    "month": "1 to 12 or JAN to DEC",
    "day of week": "0 to 7 or SUN to SAT (0 and 7 are Sunday), with #n or L",
}
SAME_RANGE = re.compile(r"\b(\w+)-\1/\d+\b")
SHAPE = "it has five fields: minute, hour, day of month, month, day of week, such as '0 22 * * 1-5'"


@dataclass(frozen=True, eq=False)
class Cron:
    """When an expression comes about.

    Where both the day of month and the day of week are restricted, a day need be only one of them: `*/2` restricts,
    `*` does not. A date that a month lacks does not come about in it, and none need ever do.

    Parameters
    ----------
    days
        Tells whether a date is one of its days, whatever the month.
    months
        1 to 12.
    times
        Since midnight, in order.
    """

    days: CronSim
    months: frozenset[int]
    times: NDArray[np.timedelta64]

    def starts(self, first: date, last: date) -> Instants:
        """The local times at which it comes about, from one day to another, both included."""
        dates = np.arange(np.datetime64(first, "D"), np.datetime64(last + timedelta(days=1), "D"))
        months = dates.astype("datetime64[M]")
        is_month = np.isin(months.astype(np.int64) % 12 + 1, list(self.months))
        wanted: Instants = dates[is_month & self.is_day(dates, months)].astype(MICROSECONDS)
        return np.asarray((wanted[:, None] + self.times).ravel())

    def is_day(self, dates: NDArray[np.datetime64], months: NDArray[np.datetime64]) -> NDArray[np.bool_]:
        """Whether each date is one of its days, which the day, the weekday and the month's length decide."""
        day = (dates - months).astype(np.int64)
        length = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
        weekday = dates.astype(np.int64) % 7
        _, shown, alike = np.unique((length * 31 + day) * 7 + weekday, return_index=True, return_inverse=True)
        matched = np.array([self.days.match_day(date) for date in dates[shown].tolist()], dtype=np.bool_)
        return np.asarray(matched[alike])


@lru_cache(maxsize=10_000)
def parse_cron(expression: str) -> Cron:
    """
    >>> found = parse_cron("30 22 31 * *").starts(date(2025, 5, 1), date(2025, 7, 30))
    >>> np.datetime_as_string(found, "m").tolist()
    ['2025-05-31T22:30']

    Raises
    ------
    ValueError
        It is none; the field is named.
    """
    fields = expression.split()
    if len(fields) != len(FIELDS) or len(expression) > LONGEST:
        raise ValueError(f"{expression[:40]!r} is no cron expression; {SHAPE}")
    if simulated(fields) is None:  # for want of a field, or of a date that ever comes
        check_fields(fields)
    minute, hour, day, month, weekday = fields
    days = simulated(["0", "0", restriction(day, "1-31"), "*", restriction(weekday, "0-6")])
    clock = simulated([minute, hour, "*", month, "*"])
    if days is None or clock is None:
        raise ValueError(f"{expression!r} is no cron expression; {SHAPE}")
    minutes = sorted(hour * 60 + minute for hour in clock.hours for minute in clock.minutes)
    return Cron(days, frozenset(clock.months), np.array(minutes, dtype="timedelta64[m]").astype("timedelta64[us]"))


def check_fields(fields: list[str]) -> None:
    """Each field on its own."""
    for place, (name, values) in enumerate(FIELDS.items()):
        alone = ["0", "0", "*", "*", "*"]
        alone[place] = fields[place]
        if simulated(alone) is None:
            raise ValueError(f"{fields[place]!r} is no {name} of a cron expression, which is {values}")


def simulated(fields: list[str]) -> CronSim | None:
    """The library's reading of the fields; None: it has none."""
    try:
        return CronSim(plain(" ".join(fields)), START)
    except Exception:  # it breaks in many ways over what is none
        return None


def plain(expression: str) -> str:
    """The expression, a range of one value as that value: some take its step for one that goes on to the last.

    >>> plain("0 9-9/2 * 1-11/5 *")
    '0 9 * 1-11/5 *'
    """
    return SAME_RANGE.sub(r"\1", expression)


def restriction(field: str, every: str) -> str:
    """The field, its steps written so that a star stands only where nothing is restricted.

    >>> restriction("*/2", "1-31"), restriction("*/1", "0-6"), restriction("*", "0-6"), restriction("1,15", "1-31")
    ('1-31/2', '*', '*', '1,15')
    """
    terms = field.split(",")
    if any(term in ("*", "*/1") for term in terms):
        return "*"
    return ",".join(f"{every}{term[1:]}" if term.startswith("*") else term for term in terms)
