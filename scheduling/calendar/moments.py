"""Dates and times as a calendar file writes them: TOML's own, or text."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import BeforeValidator, PlainSerializer, PlainValidator

from shipcast.scheduling.calendar.zones import clock
from shipcast.settings.instants import FIRST_YEAR, LAST_YEAR

DAY = timedelta(days=1)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
TIME = re.compile(r"(\d{1,2}):(\d{2})")


def as_moment(value: object) -> date | datetime:
    """A date, or a date-time with or without an offset, from TOML or ISO 8601."""
    moment = parsed(value) if isinstance(value, str) else value
    if not isinstance(moment, date):
        raise ValueError("must be a date such as 2026-12-20 or a date-time such as 2026-12-20T18:00")
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"must lie between the years {FIRST_YEAR} and {LAST_YEAR}")
    return moment


def as_date(value: object) -> date:
    moment = as_moment(value)
    if isinstance(moment, datetime):
        raise ValueError("must be a date such as 2026-12-25")
    return moment


def parsed(text: str) -> date | datetime | None:
    try:
        return date.fromisoformat(text) if DATE.fullmatch(text.strip()) else datetime.fromisoformat(text.strip())
    except ValueError:
        return None


def as_clock(value: object) -> timedelta:
    """A time of day since midnight; 24:00 is the next one.

    >>> as_clock("09:30"), as_clock(time(17)), as_clock("24:00")
    (datetime.timedelta(seconds=34200), datetime.timedelta(seconds=61200), datetime.timedelta(days=1))
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, time):
        return timedelta(hours=value.hour, minutes=value.minute, seconds=value.second)
    match = TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    length = timedelta(hours=int(match[1]), minutes=int(match[2])) if match and int(match[2]) < 60 else None
    if length is None or length > DAY:
        raise ValueError("must be a time of day such as 09:00")
    return length


def as_text(moment: date | datetime) -> str:
    return moment.isoformat()


Moment = Annotated[
    date | datetime, PlainValidator(as_moment), PlainSerializer(as_text, return_type=str, when_used="json")
]
PlainDate = Annotated[date, PlainValidator(as_date)]
ClockTime = Annotated[timedelta, BeforeValidator(as_clock)]


def local(moment: date | datetime, zone: str) -> datetime:
    """What the zone's clock shows at a moment; a date is its midnight, a time without an offset is that clock's."""
    if not isinstance(moment, datetime):
        return datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001
    return moment if moment.tzinfo is None else moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def begin(moment: date | datetime, zone: str) -> np.datetime64:
    """The instant (UTC) at which something starts: of a date, its first."""
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")
    return clock(zone).instant(local(moment, zone))


def end(moment: date | datetime, zone: str) -> np.datetime64:
    """The instant (UTC) at which something ends, excluded: of a date, the first of the next day."""
    return begin(moment if isinstance(moment, datetime) else moment + DAY, zone)
