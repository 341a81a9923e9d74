"""`calendar`: whether a change may go at a time, and what is in force in a period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from shipcast.answers.answer import Answer, Count, Instant, Part, naive, optional_utc, utc
from shipcast.answers.company import Approval, Known, approval, company_rules, known_services, place_warnings
from shipcast.answers.company_calendar import reason
from shipcast.answers.entries import ConflictItem, in_brackets, standing_items
from shipcast.answers.errors import nearest
from shipcast.answers.words import listing, local_time, plural
from shipcast.scheduling.calendar.calendar import Calendar
from shipcast.scheduling.calendar.files import FILE_NAME
from shipcast.scheduling.calendar.meetings import meetings_before
from shipcast.scheduling.calendar.occurrences import Kind, Occurrence, occurrences
from shipcast.scheduling.calendar.policy import Verdict
from shipcast.scheduling.calendar.questions import Question
from shipcast.scheduling.calendar.scope import Subject
from shipcast.scheduling.ledger.conflicts import lifted
from shipcast.scheduling.ledger.entries import Approval as Permission
from shipcast.scheduling.ledger.entries import Booking, Change, Entry
from shipcast.scheduling.ledger.occurrences import booked_within, occurrence
from shipcast.scheduling.ledger.state import State, grantors
from shipcast.settings import Settings
from shipcast.settings.errors import UsageError


class Lifting(Part):
    """An entry of the ledger by which a change may go against rules.

    Parameters
    ----------
    kind
        approval, override, or a booking that was made against the rules.
    reason
        Of an approval: the role in which it was given; may be empty.
    """

    number: Count
    kind: str
    who: str
    rules: tuple[str, ...]
    reason: str


class Checked(Part):
    """What the calendar says of one question.

    Parameters
    ----------
    id
        The asker's own name for the question.
    rule
        The rule that decides; "default" and "no-allow-window" where none does.
    until
        Of a refusal: when that rule ends, or an allow window opens for so long. Else: when the first instant comes that
        is not allowed. Null: not within 20 years.
    next_allowed
        The first instant from `start` on from which so long a deployment is allowed as a whole. Null: none within 20
        years.
    rules
        All that refuse as strongly as `rule`, which is the first of them.
    reason
        Why that rule is there, as the calendar says.
    approvals
        The meetings that decide on a normal change.
    lifted_by
        The entries of the ledger, approvals and overrides, by which it may go against all that refuses it; none where
        nothing refuses, or these do not do.
    lifting
        The same entries, each with who recorded it, which rules it lifts, and why.
    """

    id: str | None
    service: str
    environment: str
    regions: tuple[str, ...]
    team: str | None
    change_type: str | None
    start: Instant
    end: Instant
    decision: Verdict
    rule: str
    until: Instant | None
    next_allowed: Instant | None
    rules: tuple[str, ...]
    reason: str
    approvals: tuple[Approval, ...]
    lifted_by: tuple[Count, ...]
    lifting: tuple[Lifting, ...]


class CalendarCheckAnswer(Answer):
    """Whether changes may go, in the order asked.

    Parameters
    ----------
    files
        The calendar files that were read, in their order.
    """

    schema_name: Literal["shipcast/calendar-check/1"] = Field("shipcast/calendar-check/1", alias="schema")
    items: tuple[Checked, ...]
    files: tuple[str, ...]


class InForce(Part):
    """A span in which a rule is in force, or a booking; of a meeting both ends are when it begins.

    Parameters
    ----------
    rule
        Its id; of a booking "booking 12", by the number of its entry in the ledger.
    effect
        What a change in it needs, of an allow window what one outside of it needs: block or approval. Null: it refuses
        nothing by itself.
    tz
        The zone on whose clock the rule is written.
    scope
        Globs by key; a key that is missing holds for all.
    """

    rule: str
    kind: Kind
    effect: str | None
    start: Instant
    end: Instant
    tz: str
    scope: dict[str, tuple[str, ...]]
    note: str


class CalendarListAnswer(Answer):
    """What is in force in a period, and what is booked, in order of its starts.

    Parameters
    ----------
    conflicts
        What stands against bookings of the period: rules that were added later, and capacities they exceed together.
    """

    schema_name: Literal["shipcast/calendar-list/1"] = Field("shipcast/calendar-list/1", alias="schema")
    items: tuple[InForce, ...]
    conflicts: tuple[ConflictItem, ...]
    files: tuple[str, ...]
    period_start: Instant
    period_end: Instant


def check(
    questions: Sequence[Question],
    settings: Settings,
    as_of: datetime,
    *,
    calendar_file: Path | None = None,
    unknown_keys: Sequence[str] = (),
) -> CalendarCheckAnswer:
    """What the calendar says of each question.

    Parameters
    ----------
    calendar_file
        None: the home's `calendar.toml`, else the current folder's, and what was imported into the home. What was
        frozen and reserved in the ledger counts with either.
    unknown_keys
        Keys of the questions that were left out.

    Raises
    ------
    CalendarError
        The calendar cannot be used.
    """
    known = known_services(settings, as_of)
    rules = company_rules(settings, as_of, known, calendar_file)
    calendar = rules.calendar
    asked = [known.completed(one) for one in questions]
    at = naive(as_of)
    items = tuple(checked(calendar, rules.state, one, at) for one in asked)
    left_out = [f"Keys of no use to a question were left out: {', '.join(unknown_keys)}."] if unknown_keys else []
    return CalendarCheckAnswer(
        **envelope(as_of, known),
        sentence=sentence(items, known, settings.tz, as_of),
        items=items,
        warnings=(
            *notes(calendar, rules.files),
            *left_out,
            *subject_warnings(calendar, [one.subject for one in asked], known),
        ),
        files=tuple(str(path) for path in rules.files),
    )


def envelope(as_of: datetime, known: Known) -> dict[str, Any]:
    return {"generated_at": datetime.now(UTC), "as_of": as_of, "data_as_of": known.data_as_of}


def checked(calendar: Calendar, state: State, question: Question, as_of: datetime) -> Checked:
    subject = question.subject
    found = calendar.decide(subject, question.start, question.end)
    change = Change(subject, question.start, question.end)
    lifts = {} if found.decision == "allowed" else lifted(change, calendar, state)
    meetings = meetings_before(calendar, subject, as_of, question.start)
    return Checked(
        id=question.id,
        service=subject.service,
        environment=subject.environment,
        regions=subject.regions,
        team=subject.team,
        change_type=subject.change_type,
        start=utc(question.start),
        end=utc(question.end),
        decision=found.decision,
        rule=found.rule,
        until=optional_utc(found.until),
        next_allowed=optional_utc(found.next_allowed),
        rules=found.rules,
        reason=reason(calendar, found.rule),
        approvals=tuple(approval(one) for one in meetings),
        lifted_by=tuple(sorted(lifts)),
        lifting=tuple(lifting(one, lifts[one.number]) for one in grantors(state) if one.number in lifts),
    )


def lifting(entry: Entry[Any], rules: Sequence[str]) -> Lifting:
    body = entry.body
    reason = body.override.reason if isinstance(body, Booking) and body.override else getattr(body, "reason", "")
    said = f"as {body.role}" if isinstance(body, Permission) and body.role else reason
    return Lifting(number=entry.number, kind=entry.kind, who=entry.who, rules=tuple(rules), reason=said)


def notes(calendar: Calendar, files: Sequence[Path]) -> tuple[str, ...]:
    if files or calendar.ids:
        return calendar.notes
    return (
        *calendar.notes,
        f"There is no {FILE_NAME} in the home or in this folder: nothing is forbidden.",
    )


def subject_warnings(calendar: Calendar, subjects: Sequence[Subject], known: Known) -> list[str]:
    """What is not known of the services asked about, where that could matter."""
    warnings = place_warnings(calendar, subjects, known)
    strangers = sorted({one.service for one in subjects} - known.services.keys()) if known.services else []
    for name in strangers:
        near = nearest(name, list(known.services))
        hint = f"; did you mean {' or '.join(near)}?" if near else "."
        warnings.append(f"The data knows no service {name!r}{hint}")
    return warnings


def sentence(items: Sequence[Checked], known: Known, zone: str, as_of: datetime) -> str:
    """The answer in one sentence.

    "pay may not ship to production from Mon 5 Jan 10:00 (Europe/London): night blocks until 22:00. It may from 22:00."
    """
    if len(items) != 1:
        counts = {verdict: sum(item.decision == verdict for item in items) for verdict in WORDS}
        parts = [f"{number:,} {verdict}" for verdict, number in counts.items() if number]
        return f"Of {plural(len(items), 'question')}: {', '.join(parts) or 'nothing asked'}."
    [item] = items
    clock = known.service(item.service).zone or zone
    when = f"at {local_time(item.start, clock, as_of)} ({clock})"
    until = "" if item.until is None else f" until {local_time(item.until, clock, as_of)}"
    said = f"{item.service} {WORDS[item.decision]} {item.environment} {when}: {decided(item, until)}."
    if item.decision == "allowed":
        return said
    if item.lifted_by:
        return f"{said} It may all the same: {'; '.join(lifting_said(one) for one in item.lifting)}."
    if item.next_allowed is None:
        return f"{said} No time within 20 years is allowed for so long."
    return f"{said} It may from {local_time(item.next_allowed, clock, as_of)}."


def lifting_said(one: Lifting) -> str:
    """
    >>> lifting_said(Lifting(number=3, kind="override", who="ana", rules=("night",), reason="outage"))
    'override 3 by ana lifts night (outage)'
    """
    return f"{one.kind} {one.number} by {one.who} lifts {listing(one.rules)}{in_brackets(one.reason)}"


WORDS: Mapping[Verdict, str] = {
    "allowed": "may ship to",
    "blocked": "may not ship to",
    "needs-approval": "needs an approval to ship to",
}


def decided(item: Checked, until: str) -> str:
    """Which rule decides, and until when."""
    why = f" ({item.reason})" if item.reason else ""
    others = f", and {plural(len(item.rules) - 1, 'other rule')}" if len(item.rules) > 1 else ""
    if item.decision == "allowed":
        by = "no rule is against it" if item.rule == "default" else f"by {item.rule}{why}"
        return f"{by}{until}"
    if item.rule == "no-allow-window":
        return f"it does not lie in an allow window{others}{until and f'; none is open for so long{until}'}"
    return f"by {item.rule}{why}{others}{until}"


def in_force(
    settings: Settings,
    as_of: datetime,
    since: datetime,
    until: datetime,
    *,
    calendar_file: Path | None = None,
    subject: Subject | None = None,
) -> CalendarListAnswer:
    """What is in force in [since, until), aware; about one subject, where it is given.

    Raises
    ------
    UsageError
        The period is empty or longer than 366 days.
    CalendarError
        The calendar cannot be used.
    """
    return listed(settings, as_of, since, until, calendar_file, subject).answer


@dataclass(frozen=True)
class Listed:
    """What is in force as an answer, the occurrences that it lists, and the bookings that were undone.

    Parameters
    ----------
    calendar, about
        The rules, and whom they were asked about; None: everybody.
    """

    answer: CalendarListAnswer
    calendar: Calendar
    about: Subject | None
    found: list[Occurrence]
    given_back: list[Occurrence]


def listed(
    settings: Settings,
    as_of: datetime,
    since: datetime,
    until: datetime,
    calendar_file: Path | None,
    subject: Subject | None,
) -> Listed:
    known = known_services(settings, as_of)
    in_force = company_rules(settings, as_of, known, calendar_file)
    calendar, state = in_force.calendar, in_force.state
    period = naive_period(since, until)
    about = None if subject is None else known.subject_of(subject)
    rules = occurrences(calendar, *period, about)
    booked = booked_within(state.bookings, *period, about)
    found = sorted([*rules, *map(occurrence, booked)], key=lambda one: one.start)
    conflicts = standing_items(booked, calendar, state, settings.tz)
    answer = CalendarListAnswer(
        **envelope(as_of, known),
        sentence=listed_sentence(rules, len(booked), len(conflicts)),
        items=tuple(item(one) for one in found),
        conflicts=conflicts,
        warnings=(*notes(calendar, in_force.files), *place_warnings(calendar, [about] if about else [], known)),
        files=tuple(str(path) for path in in_force.files),
        period_start=since,
        period_end=until,
    )
    return Listed(answer, calendar, about, found, [occurrence(one) for one in state.given_back])


def listed_sentence(rules: Sequence[Occurrence], booked: int, conflicts: int) -> str:
    """
    >>> listed_sentence([], 2, 1)
    '0 spans of 0 rules in force; 2 bookings, of which 1 conflict is named.'
    """
    said = f"{plural(len(rules), 'span')} of {plural(len({one.rule for one in rules}), 'rule')} in force"
    if not booked:
        return f"{said}."
    named = f"{plural(conflicts, 'conflict')} {'is' if conflicts == 1 else 'are'} named"
    return f"{said}; {plural(booked, 'booking')}{f', of which {named}' if conflicts else ''}."


def naive_period(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """The period in UTC, without a zone.

    Raises
    ------
    UsageError
        It is empty or longer than 366 days.
    """
    if not since < until or (until - since).days > 366:
        raise UsageError("--from must lie before --to, by 366 days at most.")
    return naive(since), naive(until)


def item(one: Occurrence) -> InForce:
    scope = {key: globs for key, globs in one.scope.model_dump().items() if globs}
    return InForce(
        rule=one.rule,
        kind=one.kind,
        effect=one.effect,
        start=utc(one.start),
        end=utc(one.end),
        tz=one.tz,
        scope=scope,
        note=one.note,
    )
