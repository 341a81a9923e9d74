"""What the ledger's entries add up to, now or as known at an instant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from shipcast.features.clock import Instants
from shipcast.scheduling.calendar.rules import Freeze
from shipcast.scheduling.calendar.scope import Subject
from shipcast.scheduling.ledger.entries import (
    Approval,
    Booking,
    Change,
    Entry,
    Override,
    Reservation,
    Undo,
    Unusable,
)

Times = Instants | np.datetime64
EARLIEST, LATEST = datetime(1, 1, 1), datetime(9999, 12, 31)  # noqa: DTZ001


@dataclass(frozen=True)
class State:
    """What holds, of each kind in the order in which it was recorded.

    Parameters
    ----------
    undone
        The numbers of entries that hold no more, and of those that undid them.
    given_back
        The bookings that were undone.
    """

    bookings: tuple[Entry[Booking], ...] = ()
    reservations: tuple[Entry[Reservation], ...] = ()
    freezes: tuple[Entry[Freeze], ...] = ()
    approvals: tuple[Entry[Approval], ...] = ()
    overrides: tuple[Entry[Override], ...] = ()
    marks: tuple[Entry[Unusable], ...] = ()
    undone: Mapping[int, int] = field(default_factory=dict)
    given_back: tuple[Entry[Booking], ...] = ()


def state_of(entries: Iterable[Entry[BaseModel]], as_of: datetime | None = None) -> State:
    """What holds after these entries; of those, where an instant (naive, UTC) is given, that were recorded by then."""
    known = [one for one in entries if as_of is None or one.recorded_at <= as_of]
    undone = {one.body.entry: one.number for one in known if isinstance(one.body, Undo)}
    kept = [one for one in known if one.number not in undone]

    def of(kind: type[BaseModel]) -> tuple[Entry[Any], ...]:
        return tuple(one for one in kept if isinstance(one.body, kind))

    given_back: list[Entry[Any]] = [one for one in known if one.number in undone and isinstance(one.body, Booking)]
    held = (of(Booking), of(Reservation), of(Freeze), of(Approval), of(Override), of(Unusable))
    return State(*held, undone, tuple(given_back))


@dataclass(frozen=True)
class Grant:
    """That a change may go against a rule in [start, end), by the entry of that number.

    Parameters
    ----------
    before
        It has to start before that.
    """

    number: int
    start: datetime
    end: datetime
    before: datetime

    def covers(self, starts: Times, ends: Times) -> NDArray[np.bool_] | np.bool_:
        """Whether each [start, end) lies in it as a whole; where both are equal, whether that instant does."""
        last = np.datetime64(min(self.end, self.before), "us")
        return (starts >= np.datetime64(self.start, "us")) & (starts < last) & (ends <= np.datetime64(self.end, "us"))

    def holds(self, change: Change) -> bool:
        return bool(self.covers(np.datetime64(change.start, "us"), np.datetime64(change.end, "us")))


def grantors(state: State) -> tuple[Entry[Any], ...]:
    """The entries by which changes may go against rules, in the order in which they were recorded."""
    waived = (one for one in state.bookings if one.body.override)
    return tuple(sorted((*state.overrides, *waived, *state.approvals), key=lambda one: one.number))


def grants(state: State, subject: Subject, rule: str, *, is_block: bool, booking: int | None = None) -> Iterator[Grant]:
    """What lets a subject go against a rule, at some times: overrides, and approvals if it asks for one.

    Parameters
    ----------
    booking
        The number of its booking, which may have been approved; None: it is not booked.
    """
    named = [one for one in state.overrides if rule in one.body.rules]
    waived = [one for one in state.bookings if one.body.override and rule in one.body.override.rules]
    approved = [one for one in state.approvals if not is_block and one.body.rule in (None, rule)]
    for given in (*named, *waived, *approved):
        found = grant(given, subject, booking)
        if found is not None:
            yield found


def grant(given: Entry[Any], subject: Subject, booking: int | None) -> Grant | None:
    """When an approval, an override or what a booking goes against holds for a subject; None: never."""
    body, before = given.body, LATEST
    if isinstance(body, Approval):
        before = body.expires_at or LATEST
        if body.booking is not None:
            return Grant(given.number, EARLIEST, LATEST, before) if body.booking == booking else None
        body = body.slot
    return Grant(given.number, body.start, body.end, before) if body.target == subject.target else None


def permits(state: State, change: Change, rule: str, *, is_block: bool) -> Iterator[int]:
    """The numbers of the entries that let a change go against a rule."""
    found = grants(state, change.subject, rule, is_block=is_block, booking=change.number)
    return (one.number for one in found if one.holds(change))


def is_permitted(state: State, change: Change, rule: str, *, is_block: bool) -> bool:
    return next(permits(state, change, rule, is_block=is_block), None) is not None
