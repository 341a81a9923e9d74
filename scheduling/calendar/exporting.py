"""iCalendar (RFC 5545) files of what is in force, and of single deployments, for any calendar program."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from icalendar import Calendar as ICalendar
from icalendar import Event, Timezone, TimezoneDaylight, TimezoneStandard

from shipcast.scheduling.calendar.occurrences import Occurrence
from shipcast.scheduling.calendar.zones import clock, microseconds

PRODUCT = "-//Shipcast//Shipcast//EN"
RULE, KIND, EFFECT, SCOPE = "X-SHIPCAST-RULE", "X-SHIPCAST-KIND", "X-SHIPCAST-EFFECT", "X-SHIPCAST-SCOPE"
BUSY = ("deny", "freeze", "holidays", "business_hours", "booking")
OF_ONE_WRITING = ("DTSTAMP", "SEQUENCE")
YEAR = timedelta(days=366)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
WORDS = {
    "allow": "changes may go",
    "deny": "no changes",
    "freeze": "freeze",
    "holidays": "holiday",
    "business_hours": "business hours",
    "cab": "change board meets",
    "reserve": "kept for emergencies",
}


@dataclass(frozen=True)
class Entry:
    """An event to be written.

    Parameters
    ----------
    key
        What it is, whatever may change about it: its UID comes from that.
    start, end
        Naive, UTC; equal ones are a moment.
    tz
        The zone on whose clock they are written.
    is_busy
        Whether it takes the time of who has it in a calendar.
    properties
        Of our own, by name.
    is_cancelled
        Whether it was given back, and stands there for those who have it in a calendar.
    """

    key: tuple[str, ...]
    start: datetime
    end: datetime
    tz: str
    summary: str
    description: str
    categories: tuple[str, ...]
    is_busy: bool
    properties: dict[str, str] = field(default_factory=dict)
    is_cancelled: bool = False

    @property
    def uid(self) -> str:
        return hashlib.sha256("\n".join(self.key).encode()).hexdigest()[:32] + "@shipcast"


def occurrences_ics(
    found: Iterable[Occurrence],
    stamp: datetime,
    earlier: bytes | None = None,
    given_back: Iterable[Occurrence] = (),
) -> bytes:
    """What is in force as an iCalendar file.

    Parameters
    ----------
    stamp
        When this was asked (aware); what an event is stamped with unless it stands in `earlier` as it is.
    earlier
        The file as it was written before: an event that has changed since is numbered one higher.
    given_back
        What was in force and is no more: of these, the ones that stand in `earlier` are kept, as cancelled.
    """
    before = events_by_uid(earlier)
    entries = [entry(one) for one in found]
    gone = [replace(entry(one), is_cancelled=True) for one in given_back]
    return written([*entries, *(one for one in gone if one.uid in before)], stamp, before)


def deployment_ics(
    service: str, environment: str, start: datetime, end: datetime, tz: str, stamp: datetime, description: str = ""
) -> bytes:
    """One deployment, [start, end) (naive, UTC), as an iCalendar file."""
    whole = Entry(
        ("deployment", service, environment, start.isoformat()),
        start,
        end,
        tz,
        f"Ship {service} to {environment}",
        description,
        ("DEPLOYMENT",),
        is_busy=True,
    )
    return written([whole], stamp)


def entry(one: Occurrence) -> Entry:
    scope = {key: globs for key, globs in one.scope.model_dump().items() if globs}
    properties = {RULE: one.rule, KIND: one.kind, SCOPE: json.dumps(scope) if scope else "", EFFECT: one.effect or ""}
    about = " ".join(glob for globs in scope.values() for glob in globs)
    is_booking = one.kind == "booking"
    return Entry(
        (one.rule,) if is_booking else (one.rule, one.start.isoformat()),
        one.start,
        one.end,
        one.tz,
        one.title or f"{one.rule}: {WORDS[one.kind]}" + (f" ({about})" if about else ""),
        one.note,
        ("DEPLOYMENT",)
        if is_booking
        else tuple(part.upper().replace("_", " ") for part in (one.kind, one.effect) if part),
        one.kind in BUSY,
        {name: value for name, value in properties.items() if value},
    )


def written(entries: Sequence[Entry], stamp: datetime, before: Mapping[str, Event] | None = None) -> bytes:
    """The file: the zones its times are written in, then the events in their order.

    Parameters
    ----------
    before
        The events that stood in it, by their UIDs.
    """
    calendar = ICalendar()
    for name, value in (
        ("prodid", PRODUCT),
        ("version", "2.0"),
        ("calscale", "GREGORIAN"),
        ("x-wr-calname", "Shipcast"),
    ):
        calendar.add(name, value)
    events = [event(one, stamp, before or {}) for one in entries]
    zones = sorted({one.tz for one in entries if is_on_clock(one) and one.tz != "UTC"})
    if zones:
        first, last = min(one.start for one in entries), max(one.end for one in entries)
        for zone in zones:
            calendar.add_component(timezone(zone, first - YEAR, last + YEAR))
    for made in events:
        calendar.add_component(made)
    return bytes(calendar.to_ical())


def events_by_uid(earlier: bytes | None) -> dict[str, Event]:
    """The events of a file written before; none where it is not one that can be read."""
    if earlier is None:
        return {}
    try:
        found = ICalendar.from_ical(earlier)
        return {str(one["UID"]): one for one in found.walk("VEVENT") if isinstance(one, Event) and "UID" in one}
    except (ValueError, KeyError, AttributeError):
        return {}


def event(one: Entry, stamp: datetime, before: Mapping[str, Event]) -> Event:
    made = Event()
    made.add("uid", one.uid)
    start, end = on_clock(one)
    made.add("dtstart", start)
    if end > start:
        made.add("dtend", end)
    made.add("summary", shown(one.summary))
    if one.description:
        made.add("description", shown(one.description))
    made.add("categories", list(one.categories))
    if one.is_cancelled:
        made.add("status", "CANCELLED")
    made.add("transp", "OPAQUE" if one.is_busy else "TRANSPARENT")
    for name, value in one.properties.items():
        made.add(name, shown(value))
    numbered(made, stamp, before.get(str(made["UID"])))
    return made


def shown(text: str) -> str:
    """A text without the control characters that RFC 5545 forbids: one of them makes the whole file none.

    >>> shown("one\\r\\ntwo\\x00\\tthree\\x1b")
    'one\\ntwo?\\tthree?'
    """
    return CONTROL.sub("?", re.sub("\r\n?", "\n", text))


def numbered(made: Event, stamp: datetime, before: Any) -> None:
    """Stamp and number the event: as before where it has not changed, one higher where it has."""
    is_same = before is not None and content(made) == content(before)
    number = 0 if before is None else int(before.get("SEQUENCE", 0)) + (not is_same)
    made.add("sequence", number)
    made.add("dtstamp", before["DTSTAMP"].dt if is_same and "DTSTAMP" in before else stamp.astimezone(UTC))


def content(one: Event) -> dict[str, bytes]:
    """What an event says, without when and how often it was written."""
    return {
        name: value.to_ical() if hasattr(value, "to_ical") else str(value).encode()
        for name, value in one.items()
        if name not in OF_ONE_WRITING
    }


def on_clock(one: Entry) -> tuple[datetime, datetime]:
    """Both times on the clock of its zone, or in UTC where that clock shows one of them for the second time."""
    zone = ZoneInfo(one.tz) if is_on_clock(one) and one.tz != "UTC" else UTC
    return one.start.replace(tzinfo=UTC).astimezone(zone), one.end.replace(tzinfo=UTC).astimezone(zone)


def is_on_clock(one: Entry) -> bool:
    zone = ZoneInfo(one.tz)
    return not any(moment.replace(tzinfo=UTC).astimezone(zone).fold for moment in (one.start, one.end))


def timezone(zone: str, first: datetime, last: datetime) -> Timezone:
    """A zone as iCalendar describes it: what its clock shows from `first` to `last`, by its changes."""
    made, info = Timezone(), ZoneInfo(zone)
    made.add("tzid", zone)
    changes = clock(zone).changes
    lies = (changes > microseconds([first])[0]) & (changes < microseconds([last])[0])
    moments = [first, *changes[lies].astype(object)]
    for moment in moments:
        local = moment.replace(tzinfo=UTC).astimezone(info)
        was = clock_offset(zone, moment - timedelta(seconds=1)) if moment is not first else local.utcoffset()
        part = TimezoneDaylight() if local.dst() else TimezoneStandard()
        part.add("dtstart", moment + (was or timedelta()))
        part.add("tzoffsetfrom", was or timedelta())
        part.add("tzoffsetto", local.utcoffset() or timedelta())
        part.add("tzname", local.tzname() or zone)
        made.add_component(part)
    return made


def clock_offset(zone: str, moment: datetime) -> timedelta:
    found: timedelta = (clock(zone).local(microseconds([moment])) - np.datetime64(moment, "us")).astype(object)[0]
    return found
