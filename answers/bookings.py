"""What is put into the ledger by `reserve`, `freeze add`, `approve`, `override`, `unusable` and `undo`, and what stands
against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from textwrap import wrap
from typing import Any, Literal

from pydantic import Field

from shipcast.answers.answer import Answer, in_utc, naive, rfc3339, utc
from shipcast.answers.calendar import subject_warnings
from shipcast.answers.company import Approval as ApprovalNeeded
from shipcast.answers.company import (
    Known,
    approval,
    approvals_said,
    known_services,
    place_warnings,
    unsaid_type_warnings,
)
from shipcast.answers.company_calendar import combined
from shipcast.answers.entries import ConflictItem, Recorded, conflict_item, conflict_items, recorded, title
from shipcast.answers.errors import UnknownName
from shipcast.answers.operations import envelope
from shipcast.answers.words import listing, plural, sentence_case, span
from shipcast.scheduling.calendar.calendar import OUTSIDE, Calendar
from shipcast.scheduling.calendar.files import calendar_files
from shipcast.scheduling.calendar.meetings import meetings_before
from shipcast.scheduling.calendar.rules import Freeze
from shipcast.scheduling.ledger.conflicts import (
    Conflict,
    against_rules,
    at_once,
    claims,
    common,
    conflicts,
    next_free,
    over_capacity,
)
from shipcast.scheduling.ledger.entries import (
    Approval,
    Booking,
    Change,
    Entry,
    Lasting,
    Override,
    Reservation,
    Slot,
    Undo,
    Unusable,
    Waiver,
    change_of,
)
from shipcast.scheduling.ledger.errors import EntryRefused
from shipcast.scheduling.ledger.ledger import Writer, writing
from shipcast.scheduling.ledger.naming import PRODUCTION, rule_named
from shipcast.scheduling.ledger.rules import RESERVED, ids
from shipcast.scheduling.ledger.state import State, grant, is_permitted
from shipcast.settings import Settings

WIDTH, LINES = 100, 6  # of the conflicts in an error, which has ten lines in all


class LedgerAnswer(Answer):
    """What was recorded, and what stands against it all the same.

    Parameters
    ----------
    conflicts
        Of a booking: what it overrides. Of a freeze or a mark: the bookings that now lie in it. Of an approval or an
        override: what it does not lift.
    """

    items: tuple[Recorded, ...]
    conflicts: tuple[ConflictItem, ...] = ()


class ReserveAnswer(LedgerAnswer):
    """What was booked.

    Parameters
    ----------
    approvals
        The boards that have to decide on it still, each with the first meeting before its start that can.
    """

    schema_name: Literal["shipcast/reserve/1"] = Field("shipcast/reserve/1", alias="schema")
    approvals: tuple[ApprovalNeeded, ...] = ()


class FreezeAddAnswer(LedgerAnswer):
    schema_name: Literal["shipcast/freeze-add/1"] = Field("shipcast/freeze-add/1", alias="schema")


class ApproveAnswer(LedgerAnswer):
    schema_name: Literal["shipcast/approve/1"] = Field("shipcast/approve/1", alias="schema")


class OverrideAnswer(LedgerAnswer):
    schema_name: Literal["shipcast/override/1"] = Field("shipcast/override/1", alias="schema")


class UnusableAnswer(LedgerAnswer):
    schema_name: Literal["shipcast/unusable/1"] = Field("shipcast/unusable/1", alias="schema")


class UndoAnswer(LedgerAnswer):
    schema_name: Literal["shipcast/undo/1"] = Field("shipcast/undo/1", alias="schema")


def reserve(
    settings: Settings,
    as_of: datetime,
    who: str,
    wanted: Booking,
    *,
    override: str | None = None,
    calendar_file: Path | None = None,
) -> ReserveAnswer:
    """Book a deployment, if nothing stands against it.

    Parameters
    ----------
    wanted
        Its regions and team are those of the published services where it says none.
    override
        Why it is to go against rules and capacities; None: it is not. Against another booking of the same service and
        environment nothing helps.

    Raises
    ------
    EntryRefused
        Naming all that stands against it; nothing was booked.
    UnknownName
        Services or environments are known, and none is called so.
    """
    known = known_services(settings, as_of)
    if known.services and wanted.service not in known.services:  # a rule about its region would not be about it
        raise UnknownName("service", wanted.service, known.services)
    if known.environments and wanted.environment not in (PRODUCTION, *known.environments):
        raise UnknownName("environment", wanted.environment, [PRODUCTION, *known.environments])
    service = known.service(wanted.service)
    wanted = wanted.model_copy(
        update={
            "environment": known.place(wanted.environment),
            "regions": wanted.regions or service.regions,
            "team": wanted.team or service.team,
        }
    )
    with writing(settings.home) as ledger:
        state = known.state(ledger.state)
        calendar = known.calendar(calendar_files(settings, calendar_file), state)
        found = conflicts(change_of(wanted), calendar, state)
        if found and (override is None or any(one.rule is None for one in found)):
            free = next_free(change_of(wanted), calendar, state)
            raise not_booked(wanted, free, conflict_items(found, calendar, settings.tz), override, settings.tz)
        rules = tuple(dict.fromkeys(one.rule for one in found if one.rule is not None))
        waiver = Waiver(rules=rules, reason=override) if override is not None and rules else None
        entry = ledger.append(wanted.model_copy(update={"override": waiver}), who)
        state = known.state(ledger.state)
    against = f", against {listing(rules)}" if rules else ""
    vain = ["Nothing stood against it, so no override was recorded."] if override is not None and not rules else []
    subject = change_of(wanted).subject
    warnings = [*subject_warnings(calendar, [subject], known), *unsaid_type_warnings(calendar, subject)]
    boards = boards_to_ask(change_of(wanted, entry.number), calendar, state, naive(as_of))
    marked = [f"It was marked: {title(one, settings.tz)}." for one in at_once(wanted, state.marks)]
    return ReserveAnswer(
        **envelope(as_of),
        sentence=f"Booked {wanted.service} to {wanted.environment}, {when(wanted, settings.tz)}{against}; "
        f"it is entry {entry.number}, by {who}.{boards_said(boards, settings.tz, as_of)}",
        items=(recorded(entry),),
        conflicts=conflict_items(found, calendar, settings.tz),
        approvals=tuple(boards),
        warnings=(*vain, *in_the_past(wanted.start, as_of), *marked, *warnings),
    )


def boards_to_ask(change: Change, calendar: Calendar, state: State, as_of: datetime) -> list[ApprovalNeeded]:
    """The boards that decide on a change and did not yet, each with its first meeting before the start that can."""
    meetings = meetings_before(calendar, change.subject, as_of, change.start)
    return [approval(one) for one in meetings if not is_permitted(state, change, one.cab, is_block=False)]


def boards_said(boards: Sequence[ApprovalNeeded], zone: str, as_of: datetime) -> str:
    """What boards have to decide on it still; empty: none."""
    late = [one.rule for one in boards if one.meeting is None]
    said = approvals_said([one for one in boards if one.meeting is not None], zone, as_of)
    if not late:
        return said
    decide = "decides" if len(late) == 1 else "decide"
    return f"{said} {sentence_case(listing(late))} {decide} on it, but no meeting before it can."


def not_booked(
    wanted: Booking, free: Change | None, items: Sequence[ConflictItem], override: str | None, zone: str
) -> EntryRefused:
    at = "" if free is None else f"It can go {when(free, zone)}."
    refusal = f"{wanted.service} was not booked to {wanted.environment}, {when(wanted, zone)}"
    times = {} if free is None else {"free": (rfc3339(utc(free.start)), rfc3339(utc(free.end)))}
    return refused(refusal, items, way_out(items, override), at, **times)


def when(body: Lasting | Change, zone: str) -> str:
    return f"{span(utc(body.start), utc(body.end), zone)} ({zone})"


def in_the_past(start: datetime, as_of: datetime) -> list[str]:
    return ["It starts in the past."] if utc(start) < in_utc(as_of) else []


def refused(
    refusal: str, items: Sequence[ConflictItem], next_step: str, instead: str = "", **facts: object
) -> EntryRefused:
    """The error that names what stands against it, as much as its lines hold, and holds all of it as a fact.

    Parameters
    ----------
    facts
        `free`: the start and the end at which nothing stands against it.
    """
    told = [line for one in items for line in wrap(f"- {one.says}.", WIDTH, subsequent_indent="    ")]
    cut = [*told[: LINES - 1], "- and more; --json names all"] if len(told) > LINES else told
    return EntryRefused(
        f"{refusal}: {plural(len(items), 'conflict')}.",
        lines=[*cut, *filter(None, [instead])],
        next_step=next_step,
        conflicts=[one.model_dump(mode="json") for one in items],
        **facts,
    )


def way_out(items: Sequence[ConflictItem], override: str | None) -> str:
    """What to do about a refusal, beside going at another time."""
    hard = next((one for one in items if one.rule is None), None)
    if hard is not None:
        vain = "" if override is None else "No override helps against who was there first. "
        return f"{vain}Give the other one back with: shipcast undo {hard.parties[0].number}"
    if all(one.kind == "approval" for one in items):
        return "Have it approved (shipcast approve), or go against the rules: --override --reason TEXT."
    return "Go against the rules with: --override --reason TEXT."


def reserve_environment(settings: Settings, as_of: datetime, who: str, wanted: Reservation) -> ReserveAnswer:
    """Keep a whole environment for a team, if nobody else is there.

    Raises
    ------
    EntryRefused
        Naming who is; nothing was reserved.
    """
    with writing(settings.home) as ledger:
        known = known_services(settings, as_of)
        wanted = wanted.model_copy(update={"environment": known.place(wanted.environment)})
        items = conflict_items(claims(wanted, known.state(ledger.state)), Calendar(), settings.tz)
        if items:
            refusal = f"{wanted.environment} was not reserved, {when(wanted, settings.tz)}"
            raise refused(refusal, items, way_out(items, None))
        entry = ledger.append(wanted, who)
    whose = f" for {wanted.team}" if wanted.team else ""
    told = f"it is entry {entry.number}, by {who}, and keeps {'other' if wanted.team else 'all'} deployments out"
    return ReserveAnswer(
        **envelope(as_of),
        sentence=f"Reserved {wanted.environment}{whose}, {when(wanted, settings.tz)}; {told}.",
        items=(recorded(entry),),
        warnings=tuple(in_the_past(wanted.start, as_of)),
    )


def add_freeze(
    settings: Settings, as_of: datetime, who: str, wanted: Freeze, *, calendar_file: Path | None = None
) -> FreezeAddAnswer:
    """Let a freeze be in force from now on, and name the bookings that lie in it.

    Raises
    ------
    EntryRefused
        Its id is taken; nothing was frozen.
    """
    with writing(settings.home) as ledger:
        known = known_services(settings, as_of)
        check_id(wanted.id, combined(calendar_files(settings, calendar_file), ledger.state), ledger.state)
        entry = ledger.append(wanted, who)
        state = known.state(ledger.state)
    found = frozen(rule_named(wanted, known.production), state, settings.tz)
    item = recorded(entry)
    assert item.start is not None
    assert item.end is not None
    lie = f" {plural(len(found), 'booking')} {'lies' if len(found) == 1 else 'lie'} in it." if found else ""
    return FreezeAddAnswer(
        **envelope(as_of),
        sentence=f"Freeze {wanted.id} holds {span(item.start, item.end, settings.tz)} ({settings.tz}); "
        f"it is entry {entry.number}, by {who}.{lie}",
        items=(item,),
        conflicts=found,
        warnings=(
            *(["It is over already."] if item.end <= in_utc(as_of) else []),
            *place_warnings(Calendar(freezes=(wanted,)), [], known),
        ),
    )


def frozen(freeze: Freeze, state: State, zone: str) -> tuple[ConflictItem, ...]:
    """The bookings that lie in a freeze, and that no entry lets go against it."""
    alone = Calendar(freezes=(freeze,))
    return tuple(
        conflict_item(replace(one, parties=(booked,)), title(booked, zone))
        for booked in state.bookings
        for one in against_rules(change_of(booked.body, booked.number), alone, state)
    )


def check_id(wanted: str, calendar: Calendar, state: State) -> None:
    """Nothing, if no other rule has the id, and none will be given it."""
    taken = dict(ids(state)).get(wanted)
    if RESERVED.fullmatch(wanted):
        raise EntryRefused(f"The id {wanted!r} is one of a reservation.", next_step="Choose another --id.")
    if wanted in calendar.ids:
        holder = f"entry {taken} of the ledger" if taken else "a rule of the calendar"
        instead = f", or take that one back first: shipcast undo {taken}" if taken else "."
        raise EntryRefused(f"The id {wanted!r} is taken by {holder}.", next_step=f"Choose another --id{instead}")


def approve(
    settings: Settings, as_of: datetime, who: str, wanted: Approval, *, calendar_file: Path | None = None
) -> ApproveAnswer:
    """Record somebody's word that a change may go, and name what stands against it still.

    Raises
    ------
    EntryRefused
        There is no such booking.
    UnknownName
        The calendar has no such rule.
    """
    known = known_services(settings, as_of)
    with writing(settings.home) as ledger:
        state = known.state(ledger.state)
        change = approved_change(wanted, state, known)
        calendar = known.calendar(calendar_files(settings, calendar_file), state)
        check_rules(calendar, [wanted.rule] if wanted.rule else [])
        before = tuple(against_rules(change, calendar, state))
        entry = ledger.append(wanted, who)
        found = tuple(against_rules(change, calendar, known.state(ledger.state)))
    vain = [] if len(found) < len(before) else ["No rule asks for this approval at that time."]
    about = (
        f"booking {wanted.booking}" if wanted.booking else f"{change.subject.service} to {change.subject.environment}"
    )
    return ApproveAnswer(
        **envelope(as_of),
        sentence=f"Approved {about}, {when(change, settings.tz)}; it is entry {entry.number}, by {who}.{still(found)}",
        items=(recorded(entry),),
        conflicts=conflict_items(found, calendar, settings.tz),
        warnings=(*vain, *subject_warnings(calendar, [change.subject], known)),
    )


def still(found: Sequence[Conflict]) -> str:
    refuse = "refuses" if len(found) == 1 else "refuse"
    return f" {plural(len(found), 'rule')} still {refuse}, at some time in it." if found else ""


def approved_change(wanted: Approval, state: State, known: Known) -> Change:
    """What an approval is about."""
    if wanted.booking is not None:
        booked = next((one for one in state.bookings if one.number == wanted.booking), None)
        if booked is None:
            raise EntryRefused(
                f"There is no booking {wanted.booking} that holds.",
                next_step="See `shipcast audit list --kind booking`.",
            )
        return change_of(booked.body, booked.number)
    assert wanted.slot is not None
    return slot_change(wanted.slot, known)


def slot_change(slot: Slot, known: Known) -> Change:
    """A deployment that takes a slot as a whole, with what is known of its service."""
    return Change(known.subject(slot.service, slot.environment, None), slot.start, slot.end)


def check_rules(calendar: Calendar, rules: Sequence[str]) -> None:
    """Nothing, if the calendar in force has all of them."""
    names = {*calendar.ids, OUTSIDE}
    for rule in rules:
        if rule not in names:
            raise UnknownName("rule", rule, names)


def override(
    settings: Settings, as_of: datetime, who: str, wanted: Override, *, calendar_file: Path | None = None
) -> OverrideAnswer:
    """Let a change go against rules, and name what stands against it still.

    Raises
    ------
    UnknownName
        The calendar has no such rule.
    """
    known = known_services(settings, as_of)
    change = slot_change(wanted, known)
    with writing(settings.home) as ledger:
        calendar = known.calendar(calendar_files(settings, calendar_file), known.state(ledger.state))
        check_rules(calendar, wanted.rules)
        entry = ledger.append(wanted, who)
        state = known.state(ledger.state)
    found = (*against_rules(change, calendar, state), *crowding(change, calendar, state))
    return OverrideAnswer(
        **envelope(as_of),
        sentence=f"{wanted.service} may go to {wanted.environment} against {listing(wanted.rules)}, "
        f"{when(wanted, settings.tz)}; it is entry {entry.number}, by {who}.{still(found)}",
        items=(recorded(entry),),
        conflicts=conflict_items(found, calendar, settings.tz),
        warnings=tuple(subject_warnings(calendar, [change.subject], known)),
    )


def crowding(change: Change, calendar: Calendar, state: State) -> Iterator[Conflict]:
    """The capacities in which others leave it no room; a booking of its service and environment then is its own."""
    own = at_once(change, state.bookings)
    others = replace(state, bookings=tuple(one for one in state.bookings if one not in own))
    for one in over_capacity(change, calendar, others):
        if one.rule is not None and not is_permitted(state, change, one.rule, is_block=True):
            yield one


def mark_unusable(settings: Settings, as_of: datetime, who: str, wanted: Unusable) -> UnusableAnswer:
    """Offer a time no more to a service and environment, and name their bookings that lie in it, which stay."""
    known = known_services(settings, as_of)
    wanted = wanted.model_copy(update={"environment": known.place(wanted.environment)})
    with writing(settings.home) as ledger:
        entry = ledger.append(wanted, who)
        state = known.state(ledger.state)
    found = [Conflict("booking", None, (one,), *common(wanted, one.body)) for one in at_once(wanted, state.bookings)]
    lie = f" {plural(len(found), 'booking')} {'lies' if len(found) == 1 else 'lie'} in it." if found else ""
    subject = known.subject(wanted.service, wanted.environment, None)
    return UnusableAnswer(
        **envelope(as_of),
        sentence=f"Marked as unusable: {wanted.service} to {wanted.environment}, {when(wanted, settings.tz)}; "
        f"it is entry {entry.number}, by {who}.{lie}",
        items=(recorded(entry),),
        conflicts=conflict_items(found, Calendar(), settings.tz),
        warnings=tuple(subject_warnings(Calendar(), [subject], known)),
    )


def undo(settings: Settings, as_of: datetime, who: str, wanted: Undo) -> UndoAnswer:
    """Let an earlier entry hold no more; both stay in the ledger.

    Raises
    ------
    EntryRefused
        There is none of that number, it is an undo itself, or it was undone.
    """
    with writing(settings.home) as ledger:
        undone = undoable(ledger, wanted.entry)
        entry = ledger.append(wanted, who)
        rested = [one.number for one in ledger.state.bookings if rests_on(one, undone)]
    return UndoAnswer(
        **envelope(as_of),
        sentence=f"Undid {title(undone, settings.tz)}; that is entry {entry.number}, by {who}.",
        items=(recorded(entry),),
        warnings=tuple(f"Booking {one} rested on it." for one in rested),
    )


def undoable(ledger: Writer, number: int) -> Entry[Any]:
    entries = ledger.entries
    see = "See `shipcast audit list`."
    if not 1 <= number <= len(entries):
        there = f"the last is {len(entries)}" if entries else "nothing was recorded yet"
        raise EntryRefused(f"There is no entry {number}: {there}.", next_step=see)
    found = entries[number - 1]
    if isinstance(found.body, Undo):
        said = f"Entry {number} undoes entry {found.body.entry}, and is not undone itself."
        raise EntryRefused(said, next_step="Record anew what is to hold.")
    by = ledger.state.undone.get(number)
    if by is not None:
        raise EntryRefused(f"Entry {number} was undone already, by entry {by}.", next_step=see)
    return found


def rests_on(booked: Entry[Booking], undone: Entry[Any]) -> bool:
    """Whether an approval or an override was about a booking."""
    change = change_of(booked.body, booked.number)
    found = grant(undone, change.subject, change.number) if isinstance(undone.body, Approval | Override) else None
    return found is not None and found.holds(change)
