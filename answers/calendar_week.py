"""Who ships what when: a week of bookings, and of what the calendar says of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np

from shipcast.answers.admission import runs
from shipcast.answers.answer import naive, utc
from shipcast.answers.calendar import subject_warnings
from shipcast.answers.company import Known, company_rules, known_in
from shipcast.answers.company_calendar import ledger_state
from shipcast.answers.entries import ConflictItem, standing_items
from shipcast.answers.periods import Span, instant_of
from shipcast.answers.reading import Reader
from shipcast.answers.words import listing, plural
from shipcast.scheduling.calendar.calendar import Calendar
from shipcast.scheduling.calendar.occurrences import Kind, Occurrence, occurrences
from shipcast.scheduling.calendar.rules import Capacity
from shipcast.scheduling.calendar.scope import Scope, Subject, fits, is_about
from shipcast.scheduling.ledger.conflicts import is_counted
from shipcast.scheduling.ledger.entries import Booking, Entry, change_of
from shipcast.scheduling.ledger.occurrences import booked_within
from shipcast.scheduling.ledger.rules import RESERVED
from shipcast.scheduling.windows import SLOT, SLOT_STEP

WEEK = timedelta(days=7)
LANES = 30
RULES = 200
Shown = Kind | Literal["reservation"]


@dataclass(frozen=True)
class Booked:
    """A booking; `start` and `end` are aware.

    Parameters
    ----------
    is_refused
        Whether something stands against it that no entry of the ledger permits.
    """

    number: int
    who: str
    service: str
    environment: str
    team: str | None
    change_type: str | None
    start: datetime
    end: datetime
    purpose: str
    against: tuple[str, ...]
    is_refused: bool = False

    @property
    def title(self) -> str:
        """The booking by its number, with who made it, where it goes and for what."""
        said = f"booking {self.number} by {self.who}: {self.service} to {self.environment}"
        return f"{said} ({self.purpose})" if self.purpose else said


@dataclass(frozen=True)
class RuleSpan:
    """A span in which a rule of the calendar is in force (aware); of a meeting both ends are when it begins.

    Parameters
    ----------
    effect
        block or approval; null: it refuses nothing by itself.
    about
        The globs of its scope; empty: all.
    """

    rule: str
    kind: Shown
    effect: str | None
    start: datetime
    end: datetime
    about: str
    note: str


@dataclass(frozen=True)
class ShutSpan:
    """A span in which a service may start nothing, or nothing without an approval; of several rules the first."""

    service: str
    rule: str
    needs_approval: bool
    start: datetime
    end: datetime


@dataclass(frozen=True)
class CapacityUse:
    """How many bookings of the week run at once within a capacity, at most, and of how many that may."""

    rule: str
    about: str
    concurrent: int
    most: int


@dataclass(frozen=True)
class CalendarWeek:
    """A week of the calendar, as known at the reader's `as_of`.

    Parameters
    ----------
    has_calendar
        Whether there are files of a calendar, or rules that the ledger holds.
    services
        That have a lane: those with bookings and the one that was asked about, 30 at most.
    unshown
        How many services with bookings have none.
    shut
        Of those services, at quarter hours.
    rules, left_out
        The spans of rules, in order of their starts, 200 at most; and how many more there are.
    """

    period: Span
    sentence: str
    has_calendar: bool
    services: tuple[str, ...]
    unshown: int
    booked: tuple[Booked, ...]
    rules: tuple[RuleSpan, ...]
    left_out: int
    shut: tuple[ShutSpan, ...]
    conflicts: tuple[ConflictItem, ...]
    capacities: tuple[CapacityUse, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """What a week is asked about; null: anything."""

    environments: frozenset[str]
    services: frozenset[str] | None
    subject: Subject | None
    team: str | None

    def has(self, booking: Booking) -> bool:
        return booking.environment in self.environments and (self.services is None or booking.service in self.services)

    def is_touched(self, scope: Scope) -> bool:
        """Whether a rule of that scope may be about it."""
        if self.subject is not None and not is_about(scope, self.subject):
            return False
        is_here = not scope.environment or any(fits(scope.environment, name) for name in self.environments)
        return is_here and (self.team is None or fits(scope.team, self.team))


def week_of(day: date, zone: str) -> Span:
    """The week from Monday to Monday, on the clock of the zone, in which a day lies."""
    monday = day - timedelta(days=day.weekday())
    clock = ZoneInfo(zone)
    return Span(instant_of(monday, clock), instant_of(monday + WEEK, clock))


def calendar_week(
    reader: Reader,
    *,
    day: date,
    zone: str,
    environment: str = "production",
    service: str | None = None,
    team: str | None = None,
) -> CalendarWeek:
    """What is booked and in force in the week of a day, on the clock of the reader's zone.

    Raises
    ------
    CalendarError
        The calendar cannot be used.
    LedgerBroken
        An entry of the ledger is not as it was written.
    """
    period = week_of(day, zone)
    known = known_in(reader)
    company = company_rules(reader.settings, reader.as_of, known)
    calendar, state = company.calendar, company.state
    asked = asked_about(reader, known, environment, service, team)
    since, until = naive(period.start), naive(period.end)
    everything = booked_within(state.bookings, since, until)
    entries = [one for one in everything if asked.has(one.body)]
    conflicts = standing_items(entries, calendar, state, zone)
    refused = {party.number for one in conflicts for party in one.parties if party.kind == "booking"}
    rules = [one for one in occurrences(calendar, since, until) if asked.is_touched(one.scope)]
    lanes = sorted({one.body.service for one in entries} | ({service} if service else set()))
    has_calendar = bool(company.files or calendar.ids)
    subjects = [known.subject(name, environment, None) for name in lanes[:LANES]]
    return CalendarWeek(
        period=period,
        sentence=sentence(period, zone, len(entries), rules, len(conflicts), has_calendar),
        has_calendar=has_calendar,
        services=tuple(lanes[:LANES]),
        unshown=len(lanes[LANES:]),
        booked=tuple(booked(one, one.number in refused) for one in entries),
        rules=tuple(rule_span(one) for one in rules[:RULES]),
        left_out=len(rules[RULES:]),
        shut=tuple(span for one in subjects for span in shut_spans(calendar, one, period)),
        conflicts=conflicts,
        capacities=tuple(use(one, everything, period) for one in calendar.capacities if asked.is_touched(one.scope)),
        warnings=(*calendar.notes, *subject_warnings(calendar, subjects, known)),
    )


def asked_about(reader: Reader, known: Known, environment: str, service: str | None, team: str | None) -> Asked:
    """Production means all environments of that kind."""
    names = {known.place(environment)}
    if environment == "production":
        names |= {*known.productions}
    of_team = None
    if team is not None:
        of_team = frozenset(name for name, one in known.services.items() if one.team == team)
    services = of_team if service is None else frozenset({service})
    subject = None if service is None else known.subject(service, environment, None)
    return Asked(frozenset(names), services, subject, team)


def bookings_between(
    reader: Reader, since: datetime, until: datetime, environment: str = "production"
) -> tuple[Booked, ...]:
    """What is booked in [since, until) (aware) to an environment, in order of its starts."""
    known = known_in(reader)
    state = known.state(ledger_state(reader.settings, reader.as_of))
    found = booked_within(state.bookings, naive(since), naive(until))
    return tuple(booked(one) for one in found if one.body.environment == known.place(environment))


def booked(entry: Entry[Booking], is_refused: bool = False) -> Booked:
    body = entry.body
    return Booked(
        number=entry.number,
        who=entry.who,
        service=body.service,
        environment=body.environment,
        team=body.team,
        change_type=body.change_type,
        start=utc(body.start),
        end=utc(body.end),
        purpose=body.purpose,
        against=body.override.rules if body.override else (),
        is_refused=is_refused,
    )


def rule_span(one: Occurrence) -> RuleSpan:
    kind: Shown = "reservation" if RESERVED.fullmatch(one.rule) else one.kind
    return RuleSpan(one.rule, kind, one.effect, utc(one.start), utc(one.end), globs_of(one.scope), one.note)


def globs_of(scope: Scope) -> str:
    return " ".join(glob for globs in scope.model_dump().values() for glob in globs)


def shut_spans(calendar: Calendar, subject: Subject, period: Span) -> Iterator[ShutSpan]:
    """The quarter hours of the period in which the calendar lets a service start nothing by itself."""
    since, until = (np.datetime64(naive(moment), "us") for moment in period)
    starts = np.arange(since, until, SLOT_STEP)
    closures = calendar.closures(subject, starts, SLOT)
    places = np.full(len(starts), -1)
    for place in sorted(range(len(closures)), key=lambda place: (closures[place].effect == "block", -place)):
        places[closures[place].closed] = place
    for begins, ends, place in runs(starts, places):
        found = closures[place]
        yield ShutSpan(subject.service, found.rule, found.effect != "block", begins, min(ends, period.end))


def use(capacity: Capacity, entries: Iterable[Entry[Booking]], period: Span) -> CapacityUse:
    counted = [change_of(one.body) for one in entries if is_counted(one, capacity)]
    since, until = map(naive, period)
    steps = [(max(one.start, since), 1) for one in counted] + [(min(one.end, until), -1) for one in counted]
    most = max(accumulate(step for _, step in sorted(steps)), default=0)
    return CapacityUse(capacity.id, globs_of(capacity.scope), capacity.concurrent, most)


def sentence(
    period: Span, zone: str, booked: int, rules: Sequence[Occurrence], conflicts: int, has_calendar: bool
) -> str:
    """The week in one sentence, such as "3 bookings and 2 freezes lie in the week from Mon 1 Dec 2025; 1 conflict."."""
    ids = {one.rule for one in rules if one.kind == "freeze"}
    reserved = sum(RESERVED.fullmatch(one) is not None for one in ids)
    parts = [plural(booked, "booking"), plural(len(ids) - reserved, "freeze")]
    parts += [plural(reserved, "reservation")] if reserved else []
    monday = f"{period.start.astimezone(ZoneInfo(zone)):%a %-d %b %Y}"
    against = plural(conflicts, "conflict") if has_calendar or booked else "no calendar is kept"
    return f"{listing(parts)} lie in the week from {monday}; {against}."
