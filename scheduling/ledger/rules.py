"""The freezes and reservations of the ledger as rules of a calendar."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC

from shipcast.scheduling.calendar.calendar import Calendar
from shipcast.scheduling.calendar.rules import Freeze
from shipcast.scheduling.calendar.scope import Scope, Subject
from shipcast.scheduling.ledger.entries import Entry, Reservation
from shipcast.scheduling.ledger.state import State

RESERVED = re.compile(r"reservation-\d+")  # the ids of reservations, which no freeze may have


class Reserved(Freeze):
    """An environment that is a team's for a time, so that nobody else deploys there; None: nobody does."""

    kind_said = "reservation"

    owner: str | None = None

    def admits(self, subject: Subject, region: str | None) -> bool:
        is_owner = self.owner is not None and subject.team == self.owner
        return not is_owner and super().admits(subject, region)


def with_ledger(calendar: Calendar, state: State) -> Calendar:
    """A calendar with the freezes and reservations that hold, after its own freezes."""
    freezes = (*calendar.freezes, *(one.body for one in state.freezes), *map(reserved, state.reservations))
    return replace(calendar, freezes=freezes, cache={})


def reserved(entry: Entry[Reservation]) -> Reserved:
    body = entry.body
    whose = f"by {body.team}" if body.team else f"by {entry.who}, for no team"
    return Reserved(
        id=reservation_id(entry.number),
        reason=f"reserved {whose}: {body.purpose}",
        start=body.start.replace(tzinfo=UTC),
        end=body.end.replace(tzinfo=UTC),
        scope=Scope(environment=(glob.escape(body.environment),)),
        owner=body.team,
    )


def reservation_id(number: int) -> str:
    """The id of the rule that a reservation is; `number` is that of its entry."""
    return f"reservation-{number}"


def ids(state: State) -> Iterator[tuple[str, int]]:
    """The ids of the ledger's rules, and the numbers of the entries that they come of."""
    yield from ((one.body.id, one.number) for one in state.freezes)
    yield from ((reservation_id(one.number), one.number) for one in state.reservations)
