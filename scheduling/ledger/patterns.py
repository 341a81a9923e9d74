"""Marks that come again: the times of the week at which a service cannot go, as its people said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from shipcast.scheduling.calendar.zones import clock, microseconds
from shipcast.scheduling.ledger.entries import Entry, Unusable

Mark = Entry[Unusable]
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Marked:
    """A mark on the clock of its service.

    Parameters
    ----------
    day
        On which it starts.
    opens, closes
        Minutes from the midnight of that day; it closes so long after it opens as it lasts, whatever clocks do.
    """

    mark: Mark
    day: date
    opens: int
    closes: int

    @property
    def week(self) -> tuple[int, int]:
        return self.day.isocalendar()[:2]

    def holds_at(self, opens: int, closes: int) -> bool:
        return self.opens < closes and opens < self.closes


@dataclass(frozen=True)
class Pattern:
    """A time of the week that marks of several weeks share, whole.

    Parameters
    ----------
    tz
        The zone on whose clock it is.
    weekday
        On which it opens; 0 is Monday.
    opens, minutes
        Minutes from midnight, and how long it lasts.
    weeks
        How many different weeks the marks are of.
    """

    service: str
    environment: str
    tz: str
    weekday: int
    opens: int
    minutes: int
    marks: tuple[Mark, ...]
    weeks: int

    @property
    def cron(self) -> str:
        return f"{self.opens % 60} {self.opens // 60} * * {(self.weekday + 1) % 7}"

    @property
    def time_of_day(self) -> str:
        return f"{self.opens // 60:02}:{self.opens % 60:02}"


def is_of_a_day(mark: Mark) -> bool:
    """Whether it is short enough to be a time of the week."""
    return mark.body.end - mark.body.start <= DAY


def patterns(marks: Iterable[Mark], zone_of: Callable[[str], str], least: int) -> list[Pattern]:
    """The times of the week that marks of at least so many weeks share.

    Marks belong together that are of one service and environment, start on the same day of the week, and hold at a
    time of day at which those of `least` weeks do; a pattern is all the time that such marks hold without a gap. So
    every mark of it lies in it as a whole.

    Parameters
    ----------
    marks
        None is longer than a day.
    zone_of
        The zone of a service.
    """
    groups: dict[tuple[str, str, int], list[Marked]] = defaultdict(list)
    for mark in marks:
        one = marked(mark, zone_of(mark.body.service))
        groups[mark.body.service, mark.body.environment, one.day.weekday()].append(one)
    return [
        pattern(found, zone_of(service))
        for (service, *_), group in sorted(groups.items(), key=lambda item: item[0])
        for found in without_gaps(agreed(group, least))
    ]


def marked(mark: Mark, zone: str) -> Marked:
    body = mark.body
    start = clock(zone).local(microseconds([body.start]))[0].astype(object)
    minute = start.replace(second=0, microsecond=0)
    opens = minute.hour * 60 + minute.minute
    return Marked(mark, start.date(), opens, opens + -(-(start - minute + body.end - body.start) // MINUTE))


def agreed(found: Sequence[Marked], least: int) -> list[Marked]:
    """Those that hold at a minute at which marks of so many weeks do."""
    edges = sorted({minute for one in found for minute in (one.opens, one.closes)})
    shared = [part for part in pairwise(edges) if len({one.week for one in found if one.holds_at(*part)}) >= least]
    return [one for one in found if any(one.holds_at(*part) for part in shared)]


def without_gaps(found: Iterable[Marked]) -> list[list[Marked]]:
    """Those together that overlap, in the order in which they open."""
    groups: list[list[Marked]] = []
    for one in sorted(found, key=lambda one: one.opens):
        if groups and one.opens < max(other.closes for other in groups[-1]):
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def pattern(found: Sequence[Marked], zone: str) -> Pattern:
    body, opens = found[0].mark.body, found[0].opens
    return Pattern(
        service=body.service,
        environment=body.environment,
        tz=zone,
        weekday=found[0].day.weekday(),
        opens=opens,
        minutes=max(one.closes for one in found) - opens,
        marks=tuple(sorted((one.mark for one in found), key=lambda mark: mark.number)),
        weeks=len({one.week for one in found}),
    )
