"""The verb about a change board: how long approvals take, what waits for which meeting, what needs none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from shipcast import completion
from shipcast.answers.words import hours, local_time, plural, share
from shipcast.ask import Ask, verb
from shipcast.console import hint, say, show, table
from shipcast.verbs.calendar import OfService
from shipcast.verbs.questions import CalendarFile, argument, typed

if TYPE_CHECKING:
    from shipcast.answers.approvals import LeadTime
    from shipcast.answers.cab import CabAnswer
    from shipcast.answers.pending import Board, MeetingQueue, PendingChange
    from shipcast.answers.standard_changes import Candidate

MOST_SHOWN = 20
MOST_CANDIDATES = 50
MOST_SERVICES = 3
KEY_WORDS = {"role": "role", "change_type": "type"}
LOOKED_AT = {"propose": "propose", "may_be_luck": "may be luck", "not_clear": "not clearly"}
Team = Annotated[
    str | None, typer.Option(metavar="T", help="The services of one team.", autocompletion=completion.teams)
]


def add_verbs(app: typer.Typer) -> None:
    verb(app, "cab", "shipcast cab --service checkout --before 2025-12-04")(cab_verb)


def cab_verb(
    ask: Ask,
    service: OfService = None,
    team: Team = None,
    period_from: Annotated[
        str | None, typer.Option("--from", metavar="D", help="Start of the period measured; default: a year back.")
    ] = None,
    period_to: Annotated[str | None, typer.Option("--to", metavar="D", help="Its end, excluded; default: now.")] = None,
    before: Annotated[
        str | None, typer.Option(metavar="T", help="When all that waits is to start; no later meeting helps.")
    ] = None,
    safe_below: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, metavar="SHARE", help="Share of failures for standard changes; default: the company's own."
        ),
    ] = None,
    calendar: CalendarFile = None,
) -> None:
    """How long approvals take, which change can make which meeting, and what could be pre-approved."""
    from shipcast.answers.cab import cab
    from shipcast.answers.reading import open_reader

    with open_reader(ask.settings, ask.as_of) as reader:
        answer = cab(
            reader,
            service=service,
            team=team,
            period_from=ask.optional_instant(period_from, "--from"),
            period_to=ask.optional_instant(period_to, "--to"),
            before=ask.optional_instant(before, "--before"),
            safe_below=safe_below,
            calendar_file=calendar,
        )
    show(ask, answer, lambda: show_cab(ask, answer, typed({"from": period_from, "to": period_to})))


def show_cab(ask: Ask, answer: CabAnswer, narrowing: str) -> None:
    """The sentence; then lead times, meetings, what waits, and what is proposed, each where there is any."""
    say(answer.sentence)
    show_lead_times(answer)
    show_meetings(answer, ask.settings.tz)
    show_pending(answer, ask.settings.tz)
    show_candidates(ask, answer)
    next_question(ask, answer, narrowing)


def show_lead_times(answer: CabAnswer) -> None:
    """Of all; and of each role and type, where these differ."""
    from shipcast.answers.approvals import left_out_said

    differing = {one.by for one in answer.differences if one.differs}
    chosen = [one for one in answer.lead_times if one.by is None or one.by in differing]
    is_any = chosen[0].n + chosen[0].pending > 0
    table(
        ["decisions", "n", "half within (95 %)", "1/4 to 3/4", "9/10", "open", "rejected (95 %)"],
        [lead_time_cells(one) for one in chosen[:MOST_SHOWN] if is_any],
        numbers=("n", "half within (95 %)", "1/4 to 3/4", "9/10", "open", "rejected (95 %)"),
    )
    if answer.left_out:
        say(f"Left out: {left_out_said(answer.left_out)}.")
    if chosen[0].pending and chosen[0].km_median_hours is not None:
        say(f"Half within {hours(chosen[0].km_median_hours)} where the open ones count too (Kaplan-Meier).")


def lead_time_cells(one: LeadTime) -> list[str]:
    rejected = "" if one.rejected_share is None else share(one.rejected_share)
    return [
        group_said(one),
        f"{one.n:,}",
        "" if one.median_hours is None else hours(one.median_hours) + around(hours, one.low_hours, one.high_hours),
        "" if one.p25_hours is None else between(hours(one.p25_hours), hours(one.p75_hours)),
        "" if one.p90_hours is None else hours(one.p90_hours),
        f"{one.pending:,}" if one.pending else "",
        rejected + around(share, one.rejected_low, one.rejected_high),
    ]


def group_said(one: LeadTime) -> str:
    if one.by is None:
        return "all"
    if one.name is None:
        return f"{KEY_WORDS[one.by]} not known"
    return one.name if one.by == "role" else f"{one.name} changes"


def around(said: Callable[[float | None], str], low: float | None, high: float | None) -> str:
    """An interval behind its value; nothing where there is none.

    >>> around(share, 0.023, 0.041), around(share, None, None)
    (' (2.3 to 4.1 %)', '')
    """
    return "" if low is None or high is None else f" ({between(said(low), said(high))})"


def between(low: str, high: str) -> str:
    """
    >>> between("18 h", "20 h"), between("50 min", "2 h")
    ('18 to 20 h', '50 min to 2 h')
    """
    number, _, unit = low.rpartition(" ")
    return f"{number} to {high}" if high.endswith(f" {unit}") else f"{low} to {high}"


def show_meetings(answer: CabAnswer, tz: str) -> None:
    table(
        [f"meeting ({tz})", "board", "changes", "hand in by", "left", "services"],
        [meeting_cells(one, tz, answer.as_of) for one in answer.meetings[:MOST_SHOWN]],
        numbers=("changes",),
    )


def meeting_cells(one: MeetingQueue, tz: str, as_of: datetime) -> list[object]:
    names = f"{', '.join(one.services[:MOST_SERVICES])}{', …' if len(one.services) > MOST_SERVICES else ''}"
    if one.meeting is None or one.deadline is None:
        return ["none in time", one.cab, f"{one.changes:,}", "", "", names]
    left = "closed" if one.hours_left is None else hours(one.hours_left)
    return [
        local_time(one.meeting, tz, as_of),
        one.cab,
        f"{one.changes:,}",
        local_time(one.deadline, tz, as_of),
        left,
        names,
    ]


def show_pending(answer: CabAnswer, tz: str) -> None:
    """What has waited longest, with a row for each board that decides on it."""
    rows = [pending_cells(one, board, tz, answer.as_of) for one in answer.items for board in one.boards or (None,)]
    columns = ["waits for a decision", "service", "role", "waited", "meeting", "decided by then"]
    table(columns, rows[:MOST_SHOWN], numbers=("waited",))
    if len(rows) > MOST_SHOWN:
        say(f"These are the {MOST_SHOWN} that have waited longest of {len(rows):,}; --json gives all.")


def pending_cells(one: PendingChange, board: Board | None, tz: str, as_of: datetime) -> list[object]:
    name = one.change_id or one.deployment_id or one.approval_id
    meeting = "" if board is None else "none in time"
    if one.started_at is not None:
        meeting = f"went out {local_time(one.started_at, tz, as_of)}"
    if board is not None and board.meeting is not None:
        meeting = local_time(board.meeting, tz, as_of)
    return [name, one.service or "not known", one.role, hours(one.waited_hours), meeting, chance_said(board)]


def chance_said(board: Board | None) -> str:
    if board is None or board.chance is None:
        return ""
    return share(board.chance) + around(share, board.chance_low, board.chance_high)


def show_candidates(ask: Ask, answer: CabAnswer) -> None:
    """What lies below the threshold, or with -v all that was looked at; and what that rests on."""
    from shipcast.answers.cab import barred_said, threshold_said

    verdicts = set(LOOKED_AT) if ask.verbose else {"propose", "may_be_luck"}
    chosen = [one for one in answer.candidates if one.verdict in verdicts]
    table(
        ["as standard change", "type", "size", "n", "failed", "that is", "95 % interval", "hours a month", ""],
        [candidate_cells(one) for one in chosen[:MOST_CANDIDATES]],
        numbers=("n", "failed", "that is", "hours a month"),
    )
    say(threshold_said(answer.looks))
    if ask.verbose and answer.looks.threshold is not None:
        say(barred_said(answer.candidates))
    if any(one.verdict == "propose" for one in chosen):
        say(saved_said(chosen))


def candidate_cells(one: Candidate) -> list[object]:
    return [
        one.service,
        one.change_type,
        one.size or "not known",
        f"{one.n:,}",
        f"{one.failures:,}",
        share(one.rate),
        between(share(one.low), share(one.high)),
        "" if one.waited_hours_per_month is None else f"{one.waited_hours_per_month:,.0f}",
        LOOKED_AT[one.verdict],
    ]


def saved_said(candidates: Sequence[Candidate]) -> str:
    """What the proposals would save, and what speaks against taking them for more than that."""
    proposed = [one for one in candidates if one.verdict == "propose"]
    saved = sum(one.waited_hours_per_month or 0 for one in proposed)
    waited = sum(one.waited for one in proposed)
    measured = "No approval of theirs is known, so that nothing is known to be saved."
    if waited:
        of = plural(waited, "deployment")
        measured = f"They waited {hours(saved)} a month for decisions ({of} measured), which would be saved."
    return f"{measured} They failed so seldom after a look: what that kept out is in no number here."


def next_question(ask: Ask, answer: CabAnswer, narrowing: str) -> None:
    names = [one.service for one in answer.items if one.service is not None]
    if answer.service is None and names:
        more = "" if ask.verbose else ", or -v for every kind of change looked at"
        hint(ask, f"shipcast cab --service {argument(names[0])}{narrowing}{more}")
    else:
        hint(ask, "shipcast calendar list")
