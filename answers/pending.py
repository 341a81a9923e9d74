"""Changes that wait for a decision: for how long, which meeting can make it, and how likely it is made by then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from shipcast.answers.answer import Count, Instant, Number, Part, Share, naive, utc
from shipcast.answers.approvals import is_pending
from shipcast.answers.company import Service
from shipcast.answers.reading import Reader
from shipcast.answers.survival import Survival
from shipcast.scheduling.calendar.calendar import Calendar
from shipcast.scheduling.calendar.meetings import Agenda, Meeting, agenda
from shipcast.scheduling.calendar.rules import Cab
from shipcast.scheduling.calendar.scope import Subject, is_about

HORIZON = timedelta(days=366)
HOUR = timedelta(hours=1)
LAST = datetime.max.replace(tzinfo=UTC)
FEWEST = 10
NORMAL = "normal"
NOBODY = ""  # a service of that name is none, and only what is about all services is about it


class Board(Part):
    """The first meeting of a board that can decide on a change.

    Parameters
    ----------
    meeting, deadline
        When it meets, and until when a change had to be asked for to be decided then; null: none before the change is
        planned to start, or none within 366 days.
    hours_left
        Until that deadline; null: it has passed, and the change was in time.
    chance, chance_low, chance_high, chance_n
        The chance that the decision is made by then, given how long it has waited, from past decisions that had waited
        longer (`chance_n`), with its 95 % interval. Null: there are fewer than ten of them, or none so long.
    """

    cab: str
    meeting: Instant | None
    deadline: Instant | None
    hours_left: Number | None
    chance: Share | None
    chance_low: Share | None
    chance_high: Share | None
    chance_n: Count


class PendingChange(Part):
    """A decision that is asked for and not made.

    Parameters
    ----------
    deployment_id, change_id
        What it is about; null: not said.
    service, team, change_type
        Of that deployment, or of that change, as known by now; null: not known. A type that is not known counts as
        normal, since somebody was asked to decide.
    waited_hours
        Since it was asked for.
    started_at
        When it went out all the same, so that no meeting is named; null: it waits.
    boards
        Those that decide on it; none for standard and emergency changes.
    """

    approval_id: str
    deployment_id: str | None
    change_id: str | None
    service: str | None
    team: str | None
    environment: str
    change_type: str | None
    role: str | None
    requested_at: Instant
    waited_hours: Number
    started_at: Instant | None
    boards: tuple[Board, ...]


class MeetingQueue(Part):
    """The changes that one meeting can decide on; of a board without such a meeting, those that it can't.

    `changes` counts each change once, `approvals` the decisions asked for about them.
    """

    cab: str
    meeting: Instant | None
    deadline: Instant | None
    hours_left: Number | None
    changes: Count
    approvals: Count
    services: tuple[str, ...]


@dataclass(frozen=True)
class Boards:
    """The boards of a calendar, their meetings from `now` until `until`, and what they know of services."""

    calendar: Calendar
    services: Mapping[str, Service]
    now: datetime
    until: datetime
    cache: dict[Subject, tuple[Cab, ...]] = field(default_factory=dict, repr=False)

    def agendas(self) -> dict[str, Agenda]:
        since, until = np.datetime64(self.now, "us"), np.datetime64(self.until, "us")
        return {cab.id: agenda(cab, since, until) for cab in self.calendar.cabs}

    def subject(self, service: str | None, environment: str, change_type: str | None) -> Subject:
        known = self.services.get(service or NOBODY, Service())
        return Subject(service or NOBODY, environment, known.regions, known.team, change_type or NORMAL)

    def of(self, subject: Subject) -> tuple[Cab, ...]:
        """Those that decide on it: on normal changes alone."""
        if subject.change_type in ("standard", "emergency"):
            return ()
        if subject not in self.cache:
            self.cache[subject] = tuple(cab for cab in self.calendar.cabs if is_about(cab.scope, subject))
        return self.cache[subject]


def boards(reader: Reader, calendar: Calendar, services: Mapping[str, Service], before: datetime | None) -> Boards:
    """The boards, and their meetings from now until `before`, or for 366 days."""
    return Boards(calendar, services, reader.at, reader.at + HORIZON if before is None else naive(before))


def pending_changes(approvals: pl.DataFrame, found: Boards, past: Mapping[str | None, Survival]) -> list[PendingChange]:
    """What is pending, the longest first.

    Parameters
    ----------
    past
        How long decisions last by role; under None, in any.
    """
    agendas = found.agendas()
    rows = approvals.filter(is_pending()).sort("requested_at", "approval_id").iter_rows(named=True)
    return [pending_change(row, found, agendas, past) for row in rows]


def pending_change(
    row: Mapping[str, Any], found: Boards, agendas: Mapping[str, Agenda], past: Mapping[str | None, Survival]
) -> PendingChange:
    subject = found.subject(row["service"], row["environment"], row["change_type"])
    asked, started = row["requested_at"], row["started_at"]
    times = past.get(row["role"], past[None])
    deciding = () if started is not None else found.of(subject)
    until = np.datetime64(found.until, "us")
    meetings = [agendas[cab.id].first(np.datetime64(asked, "us"), until) for cab in deciding]
    return PendingChange(
        **{name: row[name] for name in ("approval_id", "deployment_id", "change_id", "service", "role")},
        **{name: row[name] for name in ("environment", "change_type")},
        team=subject.team,
        requested_at=utc(asked),
        waited_hours=(found.now - asked) / HOUR,
        started_at=None if started is None else utc(started),
        boards=tuple(board(meeting, asked, found.now, times) for meeting in meetings),
    )


def board(meeting: Meeting, asked: datetime, now: datetime, past: Survival) -> Board:
    if meeting.meets_at is None or meeting.deadline_at is None:
        return Board(cab=meeting.cab, chance_n=0, **dict.fromkeys(UNKNOWN))
    waited, until = (now - asked) / HOUR, (meeting.meets_at - asked) / HOUR
    chance = past.ends_by(waited, until, FEWEST)
    return Board(
        cab=meeting.cab,
        meeting=utc(meeting.meets_at),
        deadline=utc(meeting.deadline_at),
        hours_left=None if meeting.deadline_at < now else (meeting.deadline_at - now) / HOUR,
        chance=None if chance is None else chance.value,
        chance_low=None if chance is None else chance.low,
        chance_high=None if chance is None else chance.high,
        chance_n=0 if chance is None else chance.n,
    )


UNKNOWN = ("meeting", "deadline", "hours_left", "chance", "chance_low", "chance_high")


def queues(changes: Iterable[PendingChange]) -> list[MeetingQueue]:
    """The changes by the meeting that can decide on them, the next one first, those without one last."""
    held: dict[tuple[str, datetime | None], list[tuple[Board, PendingChange]]] = {}
    for change in changes:
        for one in change.boards:
            held.setdefault((one.cab, one.meeting), []).append((one, change))
    return sorted((queue(entries) for entries in held.values()), key=lambda one: (one.meeting or LAST, one.cab))


def queue(entries: Sequence[tuple[Board, PendingChange]]) -> MeetingQueue:
    first = entries[0][0]
    waiting = [change for _, change in entries]
    return MeetingQueue(
        cab=first.cab,
        meeting=first.meeting,
        deadline=first.deadline,
        hours_left=first.hours_left,
        changes=counted(waiting),
        approvals=len(waiting),
        services=tuple(sorted({change.service for change in waiting if change.service is not None})),
    )


def counted(changes: Iterable[PendingChange]) -> int:
    """How many changes there are, each once however many decisions it waits for."""
    return len({one.change_id or one.deployment_id or one.approval_id for one in changes})
