"""iCalendar files of others as windows in which nothing goes: a provider's maintenance, a fiscal close."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from icalendar import Calendar as ICalendar
from icalendar import Event, Timezone
from pydantic import ValidationError

from shipcast.scheduling.calendar.errors import CalendarError
from shipcast.scheduling.calendar.exporting import EFFECT, KIND, PRODUCT, RULE, SCOPE
from shipcast.scheduling.calendar.foreign_zones import described_zone, listed, named_zone
from shipcast.scheduling.calendar.imported import Wanted, read_bytes, unused
from shipcast.scheduling.calendar.rules import LONGEST_MINUTES, Window
from shipcast.scheduling.calendar.zones import clock, microseconds
from shipcast.settings.errors import own_words
from shipcast.settings.instants import FIRST_YEAR, LAST_YEAR

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
BUSY_KINDS = ("deny", "freeze", "holidays", "business_hours")


@dataclass(frozen=True)
class Written:
    """A time as an event writes it.

    Parameters
    ----------
    local, zone
        What stands there (naive), and on whose clock.
    instant
        When that is (naive, UTC); of a time that the clock skips, the change.
    floats
        Whether the zone had to be assumed.
    """

    local: datetime
    zone: str
    instant: datetime
    floats: bool = False

    @property
    def is_skipped(self) -> bool:
        return on_clock(self.instant, self.zone) != self.local


@dataclass
class Busy:
    """An event as a window would have it.

    Parameters
    ----------
    starts
        On the clock of `tz`: its start, and others that are added to it.
    rrule
        None: it does not recur.
    excepted
        Starts that don't happen.
    """

    uid: str
    line: int
    summary: str
    kind: str
    effect: str
    scope: dict[str, Any]
    tz: str
    starts: list[datetime]
    minutes: int
    rrule: str | None
    excepted: list[datetime]
    floats: bool


class Reader:
    """Reads one file; what is wrong with it is said with its line."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self.path, self.wanted = path, wanted
        self.text = read_bytes(path)
        lines = self.text.decode("utf-8", errors="replace").splitlines()
        self.lines = [n for n, line in enumerate(lines, start=1) if line.strip().upper() == "BEGIN:VEVENT"]
        self.notes: list[str] = []
        self.calendar = self.parsed()
        self.is_ours = str(self.calendar.get("PRODID", "")) == PRODUCT
        self.zones: dict[str, str] = {}
        named = str(self.calendar.get("X-WR-TIMEZONE", "")) or wanted.zone
        self.zone = self.known_zone(named, 1)

    def error(self, line: int, said: str) -> CalendarError:
        return CalendarError(
            f"{self.path}:{line}: {said}.", next_step="Nothing was imported.", file=str(self.path), line=line
        )

    def parsed(self) -> ICalendar:
        try:
            found = ICalendar.from_ical(self.text)
        except Exception as error:  # the library breaks in many ways over what is none
            raise self.error(1, f"it is no iCalendar file: {str(error)[:150]}") from error
        if not isinstance(found, ICalendar) or found.name != "VCALENDAR":
            raise self.error(1, "it is no iCalendar file: there is no VCALENDAR in it")
        return found

    def events(self) -> list[tuple[int, Any]]:
        """The events and the lines they begin in."""
        found = [one for one in self.calendar.walk("VEVENT") if isinstance(one, Event)]
        lines = self.lines if len(self.lines) == len(found) else [1] * len(found)
        return list(zip(lines, found, strict=True))

    def busy(self) -> list[Busy]:
        """The events that take time; those that replace one of a series stand for themselves."""
        series: dict[str, Busy] = {}
        found: list[Busy] = []
        replaced: list[tuple[int, str, Any]] = []
        skipped = bookings = 0
        for line, event in self.events():
            uid = str(event.get("UID", f"line {line}"))
            if "RECURRENCE-ID" in event:
                replaced.append((line, uid, event))
            if not self.takes_time(event):
                skipped += 1
                continue
            if str(event.get(KIND, "")) == "booking":
                bookings += 1
                continue
            with self.understanding(line):
                one = self.read(line, uid, event)
            found += [one] if one else []
            if one and "RECURRENCE-ID" not in event:
                series[uid] = one
        for line, uid, event in replaced:
            if uid in series:
                with self.understanding(line):
                    moment = self.start_of(line, event["RECURRENCE-ID"], series[uid])
                series[uid].excepted.append(moment)
        if skipped:
            self.notes.append(f"Left out, since they are cancelled or take no time: {skipped:,} events.")
        if bookings:
            self.notes.append(f"Left out, since they are bookings and keep nobody else away: {bookings:,} events.")
        return found

    @contextmanager
    def understanding(self, line: int) -> Iterator[None]:
        """An event's times may lie beyond all calendars, or be several where there may be one."""
        try:
            yield
        except (AttributeError, TypeError, OverflowError, RecursionError, UnicodeError) as error:
            raise self.error(line, f"the event cannot be understood ({str(error)[:100]})") from error

    def read(self, line: int, uid: str, event: Any) -> Busy | None:
        """One event; None: it is over as it begins."""
        if event.errors:
            raise self.error(line, f"its {event.errors[0][0]} cannot be read: {str(event.errors[0][1])[:100]}")
        if "DTSTART" not in event:
            raise self.error(line, "it has no DTSTART")
        if "RANGE" in getattr(event.get("RECURRENCE-ID"), "params", {}):
            raise self.error(line, "a RECURRENCE-ID with a RANGE is not understood")
        rules = event.get("RRULE")
        if isinstance(rules, list):
            raise self.error(line, "it has several RRULEs, of which there may be one")
        if rules is not None and not rules:
            raise self.error(line, "its RRULE is none")
        if "EXRULE" in event:
            raise self.error(line, "an EXRULE is not understood")
        start, length = self.period(line, event, recurs=rules is not None)
        if length <= timedelta():
            self.notes.append(f"line {line}: an event that is over as it begins was left out.")
            return None
        minutes = -(-length // MINUTE)
        if minutes > LONGEST_MINUTES:
            raise self.error(line, "it lasts longer than 366 days")
        own = event if self.is_ours else {}
        one = Busy(
            uid,
            line,
            str(own.get(RULE, event.get("SUMMARY", ""))),
            "allow" if own.get(KIND) == "allow" else "deny",
            str(own.get(EFFECT, self.wanted.effect)),
            self.scope(line, own),
            start.zone,
            [start.local],
            minutes,
            None if rules is None else rules.to_ical().decode(),
            [],
            start.floats,
        )
        one.starts += [self.start_of(line, moment, one) for moment in listed(event.get("RDATE"))]
        one.excepted += [self.start_of(line, moment, one) for moment in listed(event.get("EXDATE"))]
        return one

    def scope(self, line: int, event: Any) -> dict[str, Any]:
        if self.wanted.scope or SCOPE not in event:
            return {key: list(globs) for key, globs in self.wanted.scope.items()}
        try:
            found = json.loads(str(event[SCOPE]))
            json.dumps(found, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self.error(line, f"its {SCOPE} is no scope")
        return found

    def period(self, line: int, event: Any, *, recurs: bool) -> tuple[Written, timedelta]:
        """Its start, and how long it lasts."""
        start = self.written(line, event["DTSTART"])
        if "DTEND" in event:
            return start, length(start, self.written(line, event["DTEND"]), recurs=recurs)
        if "DURATION" in event:
            whole = event["DURATION"].dt
            nominal = timedelta(days=whole.days)  # days are those of the clock, the rest is elapsed
            return start, instant(start.local + nominal, start.zone) + (whole - nominal) - start.instant
        if isinstance(event["DTSTART"].dt, datetime):
            return start, timedelta()
        return start, instant(start.local + DAY, start.zone) - start.instant

    def written(self, line: int, given: Any) -> Written:
        """A time of an event, whatever form it has."""
        moment, tzid = given.dt, given.params.get("TZID")
        if not isinstance(moment, date):
            raise self.error(line, "it has a time that is none")
        if not isinstance(moment, datetime):
            day = datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001
            return Written(day, self.zone, instant(day, self.zone))
        local = moment.replace(tzinfo=None)
        if moment.tzinfo is not None and not tzid:
            return Written(local, "UTC", local)
        zone = self.zone_of(line, str(tzid)) if tzid else self.zone
        return Written(local, zone, instant(local, zone), floats=not tzid)

    def zone_of(self, line: int, tzid: str) -> str:
        """The zone that a TZID means: by its name, else by what the file says of it."""
        if tzid not in self.zones:
            self.zones[tzid] = named_zone(tzid) or self.described_zone(line, tzid)
        return self.zones[tzid]

    def described_zone(self, line: int, tzid: str) -> str:
        own = [
            part for part in self.calendar.walk("VTIMEZONE") if isinstance(part, Timezone) and tzid == part.get("TZID")
        ]
        if not own:
            raise self.error(line, f"{tzid!r} is not a time zone, and the file does not describe it")
        first, last = self.years()
        found = described_zone(own[0], first, last)
        if found is None:
            said = f"no time zone is known whose clock changes as the file says of {tzid!r}"
            raise self.error(line, f"{said}; write an IANA name such as Europe/London in its place")
        self.notes.append(f"{tzid!r} is read as {found}, whose clock changes as the file says.")
        return found

    def years(self) -> tuple[datetime, datetime]:
        """From the first instant of the year in which the first event starts to the last of that of the last."""
        starts = [event["DTSTART"].dt for _, event in self.events() if "DTSTART" in event]
        years = [min(max(each.year, FIRST_YEAR), LAST_YEAR) for each in starts if isinstance(each, date)]
        return datetime(min(years), 1, 1), datetime(max(years) + 1, 1, 1)  # noqa: DTZ001

    def start_of(self, line: int, given: Any, series: Busy) -> datetime:
        """A start of a series on its clock; a date is the start on that day."""
        if isinstance(given.dt, tuple):
            raise self.error(line, "an RDATE that is a period is not understood")
        found = self.written(line, given)
        if not isinstance(given.dt, datetime):
            return datetime.combine(found.local, series.starts[0].time())
        return found.local if found.zone == series.tz else on_clock(found.instant, series.tz)

    def takes_time(self, event: Any) -> bool:
        """Whether it is to be imported: it is not cancelled and busy, or one of our own allow windows."""
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            return False
        if self.is_ours and KIND in event:
            return str(event[KIND]) in (*BUSY_KINDS, "allow", "booking")
        return str(event.get("TRANSP", "OPAQUE")).upper() != "TRANSPARENT"

    def known_zone(self, name: str, line: int) -> str:
        found = named_zone(name)
        if found is None:
            raise self.error(line, f"{name!r} is not a time zone; name one with --tz")
        return found


def length(start: Written, end: Written, *, recurs: bool) -> timedelta:
    """How long an event lasts; one whose start the clock skips, and that would else be over, or recurs, as written."""
    elapsed = end.instant - start.instant
    if start.is_skipped and start.zone == end.zone and (recurs or elapsed <= timedelta()):
        return end.local - start.local
    return elapsed


def instant(local: datetime, zone: str) -> datetime:
    """The first instant (naive, UTC) at which a zone's clock shows that time or a later one."""
    found: datetime = clock(zone).instant(local).astype(object)
    return found


def on_clock(moment: datetime, zone: str) -> datetime:
    """What a zone's clock shows at an instant; both naive."""
    found: datetime = clock(zone).local(microseconds([moment]))[0].astype(object)
    return found


def imported(path: Path, wanted: Wanted) -> tuple[list[dict[str, Any]], list[str]]:
    """The windows of an iCalendar file, as a calendar file has them, and what is to be said of it.

    Raises
    ------
    CalendarError
        The file, or one of its events, cannot be understood; nothing of it is taken.
    """
    reader = Reader(path, wanted)
    found = reader.busy()
    floating = sum(one.floats for one in found)
    if floating:
        reader.notes.append(f"{floating:,} events name no zone: they are read on the clock of {reader.zone}.")
    allowed = sum(one.kind == "allow" for one in found)
    if allowed:
        ours = "since the file says that it is an export of Shipcast's"
        reader.notes.append(f"Windows in which changes may go, {ours}: {allowed:,}.")
    windows, taken = [], set[str]()
    for group in grouped(found):
        window = as_window(group, unused(wanted.name, group[0].summary, taken))
        try:
            Window.model_validate(window)
        except ValidationError as error:
            said = own_words(error.errors()[0]["msg"]).rstrip(".")
            raise reader.error(group[0].line, f"event {group[0].summary[:60]!r}: {said}") from error
        windows.append(window)
    return windows, reader.notes


def grouped(found: Iterable[Busy]) -> list[list[Busy]]:
    """The events, those alike but for their start together; each that recurs alone."""
    groups: dict[tuple[object, ...], list[Busy]] = defaultdict(list)
    for number, one in enumerate(found):
        alone = number if one.rrule else None
        scope = json.dumps(one.scope, sort_keys=True)
        groups[(one.summary, one.kind, one.effect, scope, one.tz, one.minutes, alone)].append(one)
    return list(groups.values())


def as_window(group: list[Busy], name: str) -> dict[str, Any]:
    """The group as a calendar file has it: one window."""
    first = group[0]
    starts = sorted(
        {start for one in group for start in one.starts} - {start for one in group for start in one.excepted}
    )
    window: dict[str, Any] = {
        "id": name,
        "kind": first.kind,
        "minutes": first.minutes,
        "tz": first.tz,
        "dates": [start.isoformat() for start in starts],
        "outside" if first.kind == "allow" else "effect": first.effect,
    }
    if first.scope:
        window["scope"] = first.scope
    if first.rrule:
        window |= {"rrule": first.rrule, "dtstart": first.starts[0].isoformat()}
        window["except"] = [start.isoformat() for start in sorted(set(first.excepted))]
    return window
