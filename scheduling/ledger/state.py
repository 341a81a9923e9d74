"""What the ledger's entries add up to, now or as known at an instant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from shipcast.scheduling.calendar.rules import Freeze
from shipcast.scheduling.ledger.entries import (
    Approval,
    Booking,
    Change,
    Entry,
    Override,
    Reservation,
    Slot,
    Undo,
    Unusable,
)


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


def permits(state: State, change: Change, rule: str, *, is_block: bool) -> Iterator[int]:
    """The numbers of the entries that let a change go against a rule: overrides, and approvals if it asks for one."""
    for given in state.overrides:
        if rule in given.body.rules and is_within(change, given.body):
            yield given.number
    for booked in state.bookings:
        waiver = booked.body.override
        if waiver and rule in waiver.rules and is_within(change, booked.body):
            yield booked.number
    if not is_block:
        yield from (one.number for one in state.approvals if is_approved(change, one.body, rule))


def is_permitted(state: State, change: Change, rule: str, *, is_block: bool) -> bool:
    return next(permits(state, change, rule, is_block=is_block), None) is not None


def is_within(change: Change, slot: Slot) -> bool:
    """Whether a change lies in a slot as a whole; one that takes no time, whether that instant does."""
    subject = change.subject
    is_same = (subject.service, subject.environment) == (slot.service, slot.environment)
    return is_same and slot.start <= change.start < slot.end and change.end <= slot.end


def is_approved(change: Change, given: Approval, rule: str) -> bool:
    if given.rule not in (None, rule) or (given.expires_at is not None and change.start >= given.expires_at):
        return False
    return given.booking == change.number if given.slot is None else is_within(change, given.slot)
