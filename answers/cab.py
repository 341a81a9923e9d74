"""`cab`: how long approvals take, which change can make which meeting, and what needs no meeting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import Field

from shipcast.answers.answer import Answer, Instant, rfc3339
from shipcast.answers.approvals import (
    KNOWN,
    Difference,
    LeadTime,
    approvals_known,
    asked_in,
    differences,
    lead_time_said,
    lead_times,
    left_out,
    survival,
    unknown_words,
)
from shipcast.answers.company import Service, company_rules, known_in
from shipcast.answers.errors import listed
from shipcast.answers.metrics import LeftOut, check
from shipcast.answers.pending import (
    Boards,
    MeetingQueue,
    PendingChange,
    boards,
    counted,
    pending_changes,
    queues,
)
from shipcast.answers.periods import Span, days_said, instant_of
from shipcast.answers.reading import Reader
from shipcast.answers.standard_changes import FEWEST, SIZES, Candidate, Looks, standard_changes
from shipcast.answers.survival import Survival
from shipcast.answers.words import local_time, plural, share
from shipcast.scheduling.calendar.calendar import Calendar
from shipcast.scheduling.calendar.files import FILE_NAME
from shipcast.scheduling.calendar.scope import Scope
from shipcast.settings.errors import UsageError

YEAR = timedelta(days=365)
SHOW_ONE = "docs/calendar.md shows one"


class CabAnswer(Answer):
    """What a change board does with changes.

    Parameters
    ----------
    items
        The decisions asked for and not made, the longest waiting first; the period does not restrict them.
    meetings
        The same by the meeting that can decide on them.
    lead_times, differences
        How long decisions took that were asked for in the period: of all, of each role, of each change type; and
        whether these differ.
    left_out
        Approvals of the period that take no part in the lead times.
    candidates, looks
        Every kind of change of the period, the proposed first, and what they were held against.
    sizes
        How the sizes of candidates are cut.
    files
        The calendar files that were read.
    """

    schema_name: Literal["shipcast/cab/1"] = Field("shipcast/cab/1", alias="schema")
    service: str | None
    team: str | None
    period_start: Instant
    period_end: Instant
    items: tuple[PendingChange, ...]
    meetings: tuple[MeetingQueue, ...]
    lead_times: tuple[LeadTime, ...]
    differences: tuple[Difference, ...]
    left_out: tuple[LeftOut, ...]
    candidates: tuple[Candidate, ...]
    looks: Looks
    sizes: dict[str, str]
    files: tuple[str, ...]


@dataclass(frozen=True)
class Subjects:
    """The services that a question is about; neither named: all."""

    service: str | None
    team: str | None
    services: Mapping[str, Service]

    def admits(self, service: str | None) -> bool:
        """Whether a service is in scope; one that is not known is where the question is about all."""
        if self.service is None and self.team is None:
            return True
        team = self.services.get(service or "", Service()).team
        return service is not None and self.service in (None, service) and self.team in (None, team)

    def of(self, approvals: pl.DataFrame) -> pl.DataFrame:
        names = [name for name in approvals["service"].unique() if self.admits(name)]
        return approvals.filter(pl.col("service").is_in(names, nulls_equal=True))


def cab(
    reader: Reader,
    *,
    service: str | None = None,
    team: str | None = None,
    period_from: date | None = None,
    period_to: date | None = None,
    before: datetime | None = None,
    safe_below: float | None = None,
    calendar_file: Path | None = None,
) -> CabAnswer:
    """What the change board does, as known at the reader's `as_of`.

    Parameters
    ----------
    service, team
        Only these; None: all.
    period_from, period_to
        When the measured approvals were asked for, and the candidates' deployments completed. A date is its midnight in
        the reporting zone. None: the 365 days before `period_to`, which is `as_of`.
    before
        When everything that waits is planned to start, aware: no later meeting helps. None: within 366 days.
    safe_below
        The share of failures below which a standard change has to lie; None: the company's own.
    calendar_file
        None: the home's `calendar.toml`, else the current folder's, and what was imported into the home.

    Raises
    ------
    UsageError
        The period is empty, or `before` lies in the past.
    UnknownName
        No such service or team; the nearest known ones are named.
    CalendarError
        The calendar cannot be used.
    """
    scope = scope_asked(reader, service, team)
    period = period_asked(reader, period_from, period_to)
    rules = company_rules(reader.settings, reader.as_of, known_in(reader), calendar_file)
    calendar = rules.calendar
    known = scope.of(approvals_known(reader, period))
    measured = asked_in(known, period)
    apart = differences(reader, measured)
    found = boards(reader, calendar, scope.services, checked_before(reader, before))
    pending = pending_changes(known, found, past(reader, measured, apart))
    looks, candidates = standard_changes(reader, period, safe_below)
    shown = tuple(one for one in candidates if scope.admits(one.service))
    times = lead_times(reader, measured)
    meetings = queues(pending)
    return CabAnswer(
        **reader.envelope(),
        service=service,
        team=team,
        period_start=period.start,
        period_end=period.end,
        sentence=sentence(times[0], pending, meetings, shown, period, reader.settings.tz, reader.as_of),
        items=tuple(pending),
        meetings=tuple(meetings),
        lead_times=tuple(times),
        differences=tuple(apart),
        left_out=left_out(measured),
        candidates=shown,
        looks=looks,
        sizes=dict(SIZES),
        files=tuple(str(path) for path in rules.files),
        warnings=(
            *reader.warnings(),
            *lacking_approvals(reader, scope, measured),
            *words_left_out(measured),
            *lacking_boards(calendar, rules.files),
            *pending_warnings(pending, found),
        ),
    )


def scope_asked(reader: Reader, service: str | None, team: str | None) -> Subjects:
    services = known_in(reader).services
    check("service", service, services, not services)
    check("team", team, {one.team for one in services.values() if one.team}, not services)
    return Subjects(service, team, services)


def period_asked(reader: Reader, period_from: date | None, period_to: date | None) -> Span:
    zone = ZoneInfo(reader.settings.tz)
    end = reader.as_of if period_to is None else instant_of(period_to, zone)
    start = end - YEAR if period_from is None else instant_of(period_from, zone)
    if start >= end:
        raise UsageError(
            f"The period is empty: it would run from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC.",
            next_step="Let --from be before --to, and both before --as-of.",
        )
    return Span(start, end)


def checked_before(reader: Reader, before: datetime | None) -> datetime | None:
    if before is not None and before < reader.as_of:
        raise UsageError(f"--before must not lie before {rfc3339(reader.as_of)}, when it is asked.")
    return before


def past(reader: Reader, measured: pl.DataFrame, apart: Sequence[Difference]) -> dict[str | None, Survival]:
    """How long decisions last; by role too, where that makes a difference."""
    is_apart = any(one.by == "role" and one.differs for one in apart)
    roles: list[str] = measured["role"].drop_nulls().unique().to_list() if is_apart else []
    found: dict[str | None, Survival] = {None: survival(reader, measured)}
    return found | {role: survival(reader, measured.filter(pl.col("role") == role)) for role in roles}


def lacking_approvals(reader: Reader, scope: Subjects, measured: pl.DataFrame) -> list[str]:
    """Why nothing is measured: nothing was known, or nothing is in scope; and what can never be known to be."""
    [(known, undated)] = reader.rows(KNOWN)
    dateless = [f"{plural(undated, 'approval')} without any time: not counted."] if undated else []
    if not known:
        load = "Load them as a table approvals (docs/tables.md) with `shipcast ingest files DIR`, then `shipcast build`"
        return [*dateless, f"No approval was known at {rfc3339(reader.as_of)}. {load}."]
    if measured.is_empty():
        names = " and ".join(name for name in (scope.service, scope.team) if name)
        about = f" about {names}" if names else ""
        return [*dateless, f"Of {plural(known, 'known approval')} none{about} was asked for in the period."]
    return dateless


def words_left_out(measured: pl.DataFrame) -> list[str]:
    found = unknown_words(measured)
    if not found:
        return []
    words = listed([repr(one) for one in found])
    return [f"Decisions are approved, rejected or pending. Left out: {words}."]


def lacking_boards(calendar: Calendar, files: Sequence[Path]) -> list[str]:
    if not files:
        where = f"There is no {FILE_NAME} in the home or in this folder"
        return [f"{where}, so that no meeting can be named; {SHOW_ONE} with a [[cab]]."]
    if not calendar.cabs:
        return [*calendar.notes, f"The calendar has no [[cab]], so that no meeting can be named; {SHOW_ONE}."]
    return list(calendar.notes)


def pending_warnings(pending: Sequence[PendingChange], found: Boards) -> list[str]:
    """What is not known of what waits, where that may matter to boards; and what did not wait."""
    waiting = [one for one in pending if one.started_at is None]
    gone = counted(one for one in pending if one.started_at is not None)
    scopes = [cab.scope for cab in found.calendar.cabs]
    went = [f"{plural(gone, 'change')} went out without the decision asked for."] if gone else []
    return [*went, *nameless(waiting, scopes), *untyped(waiting, scopes), *regionless(waiting, scopes, found)]


def nameless(waiting: Sequence[PendingChange], scopes: Sequence[Scope]) -> list[str]:
    count = counted(one for one in waiting if one.service is None)
    missed = any(scope != Scope() for scope in scopes)
    why = ": boards for certain services, teams or regions were left out" if missed else ""
    return [f"The service of {plural(count, 'waiting change')} is not known yet{why}."] if count else []


def untyped(waiting: Sequence[PendingChange], scopes: Sequence[Scope]) -> list[str]:
    count = counted(one for one in waiting if one.change_type is None)
    if not count or not scopes:
        return []
    of = plural(count, "waiting change")
    return [f"The type of {of} is not known yet: taken for normal, since somebody was asked to decide."]


def regionless(waiting: Sequence[PendingChange], scopes: Sequence[Scope], found: Boards) -> list[str]:
    services = sorted({one.service for one in waiting if one.service is not None})
    lacking = [name for name in services if not found.services.get(name, Service()).regions]
    if not lacking or not any(scope.region for scope in scopes):
        return []
    return [f"No region is known of {listed(lacking)}: boards for regions were left out."]


def sentence(
    lead: LeadTime,
    pending: Sequence[PendingChange],
    meetings: Sequence[MeetingQueue],
    candidates: Sequence[Candidate],
    period: Span,
    tz: str,
    as_of: datetime,
) -> str:
    """The answer in one sentence.

    "Of what was asked for from 1 Jan 2025 to 31 Dec 2025, half of 90 decisions took at most 20.1 h (18 h to 22 h);
    4 changes wait, 3 of them for the next meeting, on Tue 2 Dec 10:00 (UTC); 1 kind of change can be proposed as
    standard."
    """
    when = days_said(period, ZoneInfo(tz))
    proposed = sum(one.verdict == "propose" for one in candidates)
    kinds = "no kind" if not proposed else plural(proposed, "kind")
    return (
        f"Of what was asked for {when}, {lead_time_said(lead)}; {waiting_said(pending, meetings, tz, as_of)}; "
        f"{kinds} of change can be proposed as standard."
    )


def waiting_said(pending: Sequence[PendingChange], meetings: Sequence[MeetingQueue], tz: str, as_of: datetime) -> str:
    waiting = counted(one for one in pending if one.started_at is None)
    if not waiting:
        return "nothing waits"
    wait = "1 change waits" if waiting == 1 else f"{waiting:,} changes wait"
    if not meetings:
        return wait
    first = meetings[0]
    if first.meeting is None:
        return f"{wait}, and no meeting can decide in time"
    them = "" if first.changes == waiting else f", {first.changes:,} of them"
    return f"{wait}{them} for the next meeting, on {local_time(first.meeting, tz, as_of)} ({tz})"


def threshold_said(looks: Looks) -> str:
    """What candidates were held against, and how many looks that took."""
    if looks.threshold is None:
        return "No production deployment of the period has settled, so that nothing can be proposed."
    limit = share(looks.threshold)
    whose = "as asked for" if looks.is_given else f"the share of all {looks.n:,} settled deployments"
    return (
        f"Proposed is what clearly failed less often than {limit}, {whose}: the whole interval lies below, also by "
        f"Benjamini and Hochberg's rule for {plural(looks.looked_at, 'look')}; by luck alone {looks.by_luck:.1f} of "
        "these would lie below."
    )


def barred_said(candidates: Sequence[Candidate]) -> str:
    """How many kinds of change were not looked at, and why."""
    reasons = {
        "too_few": f"with fewer than {FEWEST} deployments",
        "standard": "that are standard already",
        "never": "of emergencies or of no known type",
    }
    counts = {why: sum(one.verdict == verdict for one in candidates) for verdict, why in reasons.items()}
    return f"Not looked at: {', '.join(f'{count:,} {why}' for why, count in counts.items())}."
