"""Stretches of time: days and ISO weeks of a zone, as instants."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)


class Span(NamedTuple):
    """A stretch of time, [start, end), in UTC."""

    start: datetime
    end: datetime

    def known(self, as_of: datetime) -> Span:
        """What of it had passed by then."""
        return Span(self.start, max(self.start, min(self.end, as_of)))


def instant_of(day: date, zone: ZoneInfo) -> datetime:
    """The instant in UTC: of a date its midnight in the zone, of a time without a zone that wall clock there."""
    if not isinstance(day, datetime):
        day = datetime.combine(day, time(), zone)
    return (day if day.tzinfo else day.replace(tzinfo=zone)).astimezone(UTC)


def day_of(instant: datetime, zone: ZoneInfo) -> Span:
    """The day in the zone in which the instant lies."""
    day = instant.astimezone(zone).date()
    return Span(instant_of(day, zone), instant_of(day + DAY, zone))


def iso_weeks(period: Span, zone: ZoneInfo) -> list[Span]:
    """The weeks from Monday to Monday in the zone that the period touches, cut to it."""
    day = period.start.astimezone(zone).date()
    monday = day - timedelta(days=day.weekday())
    weeks = []
    while (start := instant_of(monday, zone)) < period.end:
        monday += timedelta(days=7)
        weeks.append(Span(max(start, period.start), min(instant_of(monday, zone), period.end)))
    return weeks


def iso_week(instant: datetime, zone: ZoneInfo) -> str:
    """The ISO week in the zone, as 2025-W03."""
    year, week, _ = instant.astimezone(zone).isocalendar()
    return f"{year:04}-W{week:02}"


def days_said(period: Span, zone: ZoneInfo) -> str:
    """The period in days of the zone, its last one included; one that is empty by the instant it stands at.

    Examples
    --------
    >>> days_said(Span(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC)), ZoneInfo("UTC"))
    'from 1 Jan 2025 to 31 Jan 2025'
    """
    first, last = (instant.astimezone(zone) for instant in period)
    if first == last:
        return f"by {first:%-d %b %Y}"
    return f"from {first:%-d %b %Y} to {last - timedelta(microseconds=1):%-d %b %Y}"
