"""Which time zones the calendars of others mean: by an IANA name, by Windows' name, or by when their clocks change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from icalendar import Timezone
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from shipcast.scheduling.calendar.recurrence import parse_rrule
from shipcast.scheduling.calendar.zones import FAR, MICROSECONDS, Clock, ahead, clock, microseconds
from shipcast.settings.zone import check_zone

Onset = tuple[datetime, timedelta, timedelta]


def named_zone(tzid: str) -> str | None:
    """The IANA zone that a TZID names; None: it names none.

    >>> named_zone("W. Europe Standard Time"), named_zone("/mozilla.org/20070129_1/Europe/Paris"), named_zone("Mars")
    ('Europe/Berlin', 'Europe/Paris', None)
    """
    plain = tzid.strip("/")
    parts = plain.split("/") if tzid.startswith("/") else []  # whose rule it is comes first
    endings = ["/".join(parts[number:]) for number in range(1, len(parts))]
    candidates = (plain, WINDOWS_TO_OLSON.get(plain, ""), *endings)
    return next((name for name in candidates if is_zone(name)), None)


def is_zone(name: str) -> bool:
    try:
        check_zone(name)
    except ValueError:
        return False
    return True


def described_zone(described: Timezone, first: datetime, last: datetime) -> str | None:
    """The first zone whose clock, from `first` to `last` (naive, UTC), shows what a VTIMEZONE describes.

    None: no zone's does, or the description cannot be understood. Of zones that Windows tells apart one each is looked
    at, and the one that the description itself says it is of.
    """
    try:
        own = described_clock(described, last)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return None
    hint = str(described.get("X-LIC-LOCATION", ""))
    zones = dict.fromkeys([*([hint] if is_zone(hint) else []), *WINDOWS_TO_OLSON.values()])
    begin, end = microseconds([first, last])
    offset = own.local(begin[None])[0] - begin
    for zone in (zone for zone in zones if ahead(first.replace(tzinfo=ZoneInfo(zone))) == offset):
        other = clock(zone)
        moments = np.concatenate([begin[None], own.changes, other.changes])
        moments = moments[(moments >= begin) & (moments < end)]
        if np.array_equal(own.local(moments), other.local(moments)):
            return zone
    return None


def described_clock(described: Timezone, last: datetime) -> Clock:
    """The clock of a VTIMEZONE, up to `last`.

    Raises
    ------
    AttributeError, KeyError, TypeError, ValueError, OverflowError
        It cannot be understood.
    """
    found = sorted(onset for part in described.subcomponents for onset in onsets(part, last))
    changes = microseconds(instant for instant, _, _ in found)
    offsets = np.array([*(before for _, before, _ in found[:1]), *(after for _, _, after in found)], "timedelta64[us]")
    if not len(offsets):
        raise ValueError("it describes no clock")
    return Clock(str(described["TZID"]), FAR, changes, offsets, changes)


def onsets(part: Any, last: datetime) -> Iterator[Onset]:
    """From when on (naive, UTC) an offset is in force, the one before, and that offset."""
    start: datetime = part["DTSTART"].dt.replace(tzinfo=None)
    before, after = part["TZOFFSETFROM"].td, part["TZOFFSETTO"].td
    times = {start, *(each.dt for each in listed(part.get("RDATE")))}
    until = None
    if "RRULE" in part:
        rule = part["RRULE"].to_ical().decode()
        if "FREQ=YEARLY" not in rule:
            raise ValueError("clocks are changed by the year")
        recurrence = parse_rrule(rule, start)
        until = recurrence.until_instant
        times |= set(recurrence.starts(start, last + timedelta(days=2)).astype(MICROSECONDS).tolist())
    for time in times:
        if until is None or time - before <= until:
            yield time - before, before, after


def listed(found: Any) -> list[Any]:
    """The times of an EXDATE or RDATE, of which there may be several."""
    if found is None:
        return []
    return [one for part in (found if isinstance(found, list) else [found]) for one in part.dts]
