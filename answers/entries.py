"""Entries of the ledger as answers show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from shipcast.answers.answer import Count, Instant, Part, utc
from shipcast.answers.company_calendar import reason
from shipcast.answers.words import listing, span
from shipcast.scheduling.calendar.calendar import OUTSIDE, Calendar, as_datetime
from shipcast.scheduling.calendar.moments import begin, end
from shipcast.scheduling.calendar.rules import Freeze
from shipcast.scheduling.ledger.conflicts import Conflict, Kind, standing
from shipcast.scheduling.ledger.entries import (
    Approval,
    Booking,
    Entry,
    Lasting,
    Override,
    Reservation,
    Undo,
    Unusable,
)
from shipcast.scheduling.ledger.state import State

EntryKind = Literal["booking", "reservation", "freeze", "approval", "override", "unusable", "undo"]


class Party(Part):
    """An entry of the ledger that has to do with a conflict.

    Parameters
    ----------
    says
        What was recorded, in words.
    start, end
        When it holds; null: it says no time of its own.
    """

    number: Count
    kind: EntryKind
    who: str
    says: str
    start: Instant | None
    end: Instant | None


class Recorded(Party):
    """An entry of the ledger.

    Parameters
    ----------
    account
        The operating system's name of the user who ran the command.
    undone_by
        The entry that undid it; null: it holds.
    body
        All that it says, as it lies in the file.
    hash
        Of the entry and, through it, of all before.
    """

    recorded_at: Instant
    account: str
    undone_by: Count | None
    body: dict[str, Any]
    hash: str


class ConflictItem(Part):
    """One thing that stands against something.

    Parameters
    ----------
    rule
        The id of what refuses; null: no override lifts it.
    start, end
        The part of the time asked about that it concerns.
    says
        It in words, with all parties.
    """

    kind: Kind
    rule: str | None
    start: Instant
    end: Instant
    says: str
    parties: tuple[Party, ...]


def party(entry: Entry[Any]) -> Party:
    return Party(**facts(entry))


def recorded(entry: Entry[Any], undone_by: int | None = None) -> Recorded:
    return Recorded(
        **facts(entry),
        recorded_at=utc(entry.recorded_at),
        account=entry.account,
        undone_by=undone_by,
        body=entry.body.model_dump(mode="json"),
        hash=entry.hash,
    )


def facts(entry: Entry[Any]) -> dict[str, Any]:
    start, end = span_of(entry.body)
    said = {"number": entry.number, "kind": entry.kind, "who": entry.who, "says": said_by(entry.body)}
    return {**said, "start": start, "end": end}


def span_of(body: BaseModel) -> tuple[datetime | None, datetime | None]:
    """When it holds, aware."""
    if isinstance(body, Freeze):
        return utc(as_datetime(begin(body.start, body.tz))), utc(as_datetime(end(body.end, body.tz)))
    held = body.slot if isinstance(body, Approval) else body
    return (utc(held.start), utc(held.end)) if isinstance(held, Lasting) else (None, None)


def conflict_items(found: Iterable[Conflict], calendar: Calendar, zone: str) -> tuple[ConflictItem, ...]:
    return tuple(conflict_item(one, conflict_said(one, calendar, zone)) for one in found)


def conflict_item(one: Conflict, says: str) -> ConflictItem:
    parties = tuple(party(entry) for entry in one.parties)
    return ConflictItem(
        kind=one.kind, rule=one.rule, start=utc(one.start), end=utc(one.end), says=says, parties=parties
    )


def conflict_said(one: Conflict, calendar: Calendar, zone: str) -> str:
    """One conflict in words, with all parties."""
    parties = listing([title(entry, zone) for entry in one.parties]) if one.parties else ""
    why = f" ({said})" if one.rule and (said := reason(calendar, one.rule)) else ""
    match one.kind:
        case "booking" | "reservation":
            return parties
        case "capacity":
            return f"capacity {one.rule} is full: {parties}"
        case "rule" if one.rule == OUTSIDE:
            return f"it does not lie in an allow window ({OUTSIDE})"
        case "approval" if one.rule == OUTSIDE:
            return f"outside of allow windows it needs an approval ({OUTSIDE})"
        case "rule" | "approval":
            does = "blocks it" if one.kind == "rule" else "asks for an approval"
            return f"{one.rule} {does}{why}{f', {parties}' if parties else ''}"


def standing_items(
    booked: Sequence[Entry[Booking]], calendar: Calendar, state: State, zone: str
) -> tuple[ConflictItem, ...]:
    """What stands against bookings that were made, each with the booking that it is about."""
    return tuple(conflict_item(one, standing_said(one, calendar, zone)) for one in standing(booked, calendar, state))


def standing_said(one: Conflict, calendar: Calendar, zone: str) -> str:
    if one.kind in ("booking", "capacity"):
        exceeded = f"capacity {one.rule} is exceeded: " if one.kind == "capacity" else "at the same time: "
        return f"{exceeded}{listing([title(entry, zone) for entry in one.parties])}"
    booked, *others = one.parties
    return f"{title(booked, zone)}: {conflict_said(replace(one, parties=tuple(others)), calendar, zone)}"


def title(entry: Entry[Any], zone: str) -> str:
    """An entry by its number, with who recorded it and what.

    "booking 7 by ana: pay to production, Tue 6 Jan 2026 10:00 to 10:45"
    """
    start, end = span_of(entry.body)
    when = "" if start is None or end is None else f", {span(start, end, zone)}"
    return f"{entry.name} by {entry.who}: {said_by(entry.body)}{when}"


def said_by(body: BaseModel) -> str:
    """What an entry says, in words, but for its time."""
    match body:
        case Booking():
            against = f", against {', '.join(body.override.rules)}: {body.override.reason}" if body.override else ""
            return f"{body.service} to {body.environment}{in_brackets(body.purpose)}{against}"
        case Reservation():
            return f"{body.environment}{f' for {body.team}' if body.team else ''}{in_brackets(body.purpose)}"
        case Freeze():
            globs = [glob for globs in body.scope.model_dump().values() for glob in globs]
            return f"{body.id}, {'all' if not globs else ' '.join(globs)}{in_brackets(body.reason)}"
        case Approval():
            about = f"{body.slot.service} to {body.slot.environment}" if body.slot else f"booking {body.booking}"
            return f"{about}{f', of {body.rule}' if body.rule else ''}{in_brackets(body.role)}"
        case Override():
            return f"{body.service} to {body.environment}, against {', '.join(body.rules)}: {body.reason}"
        case Unusable():
            return f"{body.service} to {body.environment}: {body.reason}"
        case Undo():
            return f"of entry {body.entry}{in_brackets(body.reason)}"
        case _:
            raise TypeError(f"no entry says a {type(body).__name__}")


def in_brackets(text: str) -> str:
    return f" ({text})" if text else ""
