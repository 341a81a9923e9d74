"""What stands against a deployment, or against keeping an environment for somebody: by rule, and with all parties."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate, pairwise
from typing import Any, Literal, TypeVar

import numpy as np

from shipcast.scheduling.calendar.calendar import OUTSIDE, Calendar, as_datetime
from shipcast.scheduling.calendar.policy import BLOCKED, NEEDS_APPROVAL
from shipcast.scheduling.calendar.rules import Capacity
from shipcast.scheduling.ledger.entries import Booking, Change, Entry, Lasting, Reservation, Slot, change_of
from shipcast.scheduling.ledger.rules import ids
from shipcast.scheduling.ledger.state import State, is_permitted, permits

Kind = Literal["booking", "reservation", "rule", "approval", "capacity"]
Booked = Entry[Booking]
Held = TypeVar("Held", bound=Slot)
STEPS = 100


@dataclass(frozen=True)
class Conflict:
    """One thing that stands against it.

    Parameters
    ----------
    kind
        Another booking; an environment that somebody reserved; a rule that blocks, or asks for an approval that nobody
        gave; a capacity that is taken.
    rule
        The id of what refuses; None: an override of rules is no help.
    parties
        The entries of the ledger that it comes of: none where a calendar file alone says so.
    start, end
        The part of the time asked about that it concerns (naive, UTC).
    """

    kind: Kind
    rule: str | None
    parties: tuple[Entry[Any], ...]
    start: datetime
    end: datetime


def conflicts(change: Change, calendar: Calendar, state: State) -> tuple[Conflict, ...]:
    """All that stands against a deployment that takes some time, that no entry permits.

    Parameters
    ----------
    calendar
        That in force, with what the ledger adds to it: see `with_ledger`.
    """
    return (
        *other_bookings(change, state),
        *against_rules(change, calendar, state),
        *over_capacity(change, calendar, state),
    )


def other_bookings(change: Change, state: State) -> Iterator[Conflict]:
    """Bookings of the same service and environment at the same time."""
    for other in at_once(change, beside(change, state)):
        yield Conflict("booking", None, (other,), *common(change, other.body))


def at_once(one: Change | Slot, held: Iterable[Entry[Held]]) -> list[Entry[Held]]:
    """Those of the same service and environment that hold at some time of it."""
    return [other for other in held if other.body.target == one.target and do_meet(other.body, one)]


def beside(change: Change, state: State) -> list[Booked]:
    """The bookings that run at some time while the change does, but its own."""
    return [one for one in state.bookings if one.number != change.number and do_meet(one.body, change)]


def do_meet(one: Lasting, other: Change | Lasting) -> bool:
    return one.start < other.end and other.start < one.end


def common(one: Change | Lasting, other: Change | Lasting) -> tuple[datetime, datetime]:
    return max(one.start, other.start), min(one.end, other.end)


def against_rules(change: Change, calendar: Calendar, state: State) -> Iterator[Conflict]:
    """The rules that refuse the change, that no entry permits."""
    origins = dict(ids(state))
    entries = {one.number: one for one in (*state.freezes, *state.reservations)}
    for rule, is_block in refusing(change, calendar):
        if not is_permitted(state, change, rule, is_block=is_block):
            party = entries.get(origins.get(rule, 0))
            is_reserved = party is not None and isinstance(party.body, Reservation)
            kind: Kind = "reservation" if is_reserved else "rule" if is_block else "approval"
            parties = () if party is None else (party,)
            yield Conflict(kind, rule, parties, *refused_part(change, calendar, rule))


def refusing(change: Change, calendar: Calendar) -> Iterator[tuple[str, bool]]:
    """The ids of all rules that refuse the change, and whether they block it; else they ask for an approval."""
    start, length = np.datetime64(change.start, "us"), change.end - change.start
    for code in (BLOCKED, NEEDS_APPROVAL):
        for rule in calendar.refusing(change.subject, code, start, length):
            yield rule, code == BLOCKED


def refused_part(change: Change, calendar: Calendar, rule: str) -> tuple[datetime, datetime]:
    """From when to when a rule is in force while the change runs; where no window is open, all of it."""
    if rule == OUTSIDE:
        return change.start, change.end
    asked = (np.datetime64(change.start, "us"), np.datetime64(change.end, "us"))
    spans = calendar.spans(calendar.names.index(rule), *asked)
    return max(change.start, as_datetime(spans.starts[0])), min(change.end, as_datetime(spans.ends[-1]))


def lifted_by(change: Change, calendar: Calendar, state: State) -> tuple[int, ...]:
    """The entries that let a change go against all that refuses it; none where they do not do, or nothing refuses."""
    return tuple(sorted(lifted(change, calendar, state)))


def lifted(change: Change, calendar: Calendar, state: State) -> dict[int, list[str]]:
    """The same entries by their numbers, each with the rules that it lifts."""
    if not (state.approvals or state.overrides or state.bookings):
        return {}
    found: dict[int, list[str]] = {}
    for rule, is_block in refusing(change, calendar):
        given = set(permits(state, change, rule, is_block=is_block))
        if not given:
            return {}
        for number in given:
            found.setdefault(number, []).append(rule)
    return found


def over_capacity(change: Change, calendar: Calendar, state: State) -> Iterator[Conflict]:
    """The capacities that the bookings at the same time leave no room in, with all of these."""
    for capacity in calendar.capacities:
        if not capacity.counts(change.subject, change.resources) or is_permitted(
            state, change, capacity.id, is_block=True
        ):
            continue
        users = [one for one in beside(change, state) if is_counted(one, capacity)]
        if full := full_spans(change, users, capacity.concurrent):
            parties = tuple(one for one in users if any(runs_in(one, *span) for span in full))
            yield Conflict("capacity", capacity.id, parties, full[0][0], full[-1][1])


def standing(booked: Sequence[Booked], calendar: Calendar, state: State) -> tuple[Conflict, ...]:
    """What stands against bookings that were made, that no entry permits; each is a party of its conflicts.

    Such come of freezes and rules that were added later, of approvals that were undone, and of capacities that were
    made smaller, or that one of the bookings may exceed and another may not.
    """
    own: dict[tuple[str, str], list[Booked]] = defaultdict(list)
    for one in state.bookings:
        own[one.body.target].append(one)
    found: list[Conflict] = []
    for one in booked:
        change = change_of(one.body, one.number)
        near = replace(state, bookings=tuple(own[one.body.target]))
        met = (*other_bookings(change, near), *against_rules(change, calendar, near))
        found += [replace(each, parties=(one, *each.parties)) for each in met]
    numbers = {one.number for one in booked}
    beyond = [each for capacity in calendar.capacities for each in exceeded(capacity, state)]
    found += [each for each in beyond if not numbers.isdisjoint(party.number for party in each.parties)]
    return tuple(
        {(one.rule, one.start, frozenset(party.number for party in one.parties)): one for one in found}.values()
    )


def exceeded(capacity: Capacity, state: State) -> Iterator[Conflict]:
    """The times at which more bookings run than a capacity lets, one of which at least may not exceed it."""
    users = [one for one in state.bookings if is_counted(one, capacity)]
    steps: dict[datetime, int] = defaultdict(int)
    for one in users:
        steps[one.body.start] += 1
        steps[one.body.end] -= 1
    edges = sorted(steps)
    running = accumulate(steps[edge] for edge in edges[:-1])
    full = [span for span, many in zip(pairwise(edges), running, strict=True) if many > capacity.concurrent]
    for start, end in joined(full):
        parties = tuple(one for one in users if runs_in(one, start, end))
        changes = [change_of(one.body, one.number) for one in parties]
        if not all(is_permitted(state, change, capacity.id, is_block=True) for change in changes):
            yield Conflict("capacity", capacity.id, parties, start, end)


def joined(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Spans in their order, those that touch made one."""
    found: list[tuple[datetime, datetime]] = []
    for start, end in spans:
        if found and found[-1][1] == start:
            start, _ = found.pop()
        found.append((start, end))
    return found


def is_counted(booked: Booked, capacity: Capacity) -> bool:
    return capacity.counts(change_of(booked.body).subject, booked.body.resources)


def full_spans(change: Change, users: Sequence[Booked], concurrent: int) -> list[tuple[datetime, datetime]]:
    """The spans of the change in which as many others run as there may be at once."""
    edges = {change.start, change.end}
    edges |= {edge for one in users for edge in common(change, one.body)}
    return [
        (start, end)
        for start, end in pairwise(sorted(edges))
        if sum(runs_in(one, start, end) for one in users) >= concurrent
    ]


def runs_in(booked: Booked, start: datetime, end: datetime) -> bool:
    return booked.body.start < end and start < booked.body.end


def next_free(change: Change, calendar: Calendar, state: State) -> Change | None:
    """The same change at a time from its own on at which nothing stands against it; None: none was found soon.

    It is the first, but for earlier ones that only an approval or an override opens.
    """
    length = change.end - change.start
    for _ in range(STEPS):
        found = conflicts(change, calendar, state)
        if not found:
            return change
        later = [earliest_after(one, change, calendar) for one in found]
        starts = [start for start in later if start is not None]
        if len(starts) < len(later):
            return None
        change = replace(change, start=max(starts), end=max(starts) + length)
    return None


def earliest_after(one: Conflict, change: Change, calendar: Calendar) -> datetime | None:
    """The first start at which a conflict may be over; None: it never is."""
    if one.kind in ("booking", "capacity"):
        ends: list[datetime] = [party.body.end for party in one.parties]
        return min(ends)
    return calendar.next_allowed(change.subject, np.datetime64(change.start, "us"), change.end - change.start)


def claims(wanted: Reservation, state: State) -> tuple[Conflict, ...]:
    """What stands against keeping an environment for a team: what others booked or reserved there at that time."""
    there: list[Entry[Booking] | Entry[Reservation]] = [*state.bookings, *state.reservations]
    return tuple(
        Conflict("booking" if isinstance(one.body, Booking) else "reservation", None, (one,), *common(wanted, one.body))
        for one in there
        if one.body.environment == wanted.environment
        and do_meet(one.body, wanted)
        and (wanted.team is None or one.body.team != wanted.team)
    )
