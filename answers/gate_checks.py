"""What the gate looks at, each thing a check of its own: calendar, approvals, level, holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from shipcast.answers.admission import crowding
from shipcast.answers.answer import Instant, Number, Part, Share, utc
from shipcast.answers.calendar import Checked, checked, decided
from shipcast.answers.doubt import boards_in_doubt, rules_in_doubt
from shipcast.answers.inquiry import Inquiry
from shipcast.answers.pricing import Prices, priced
from shipcast.answers.windows import Outlook, model_warnings, outlook, rare_warnings, window
from shipcast.answers.words import in_hundred, listing, local_time, sentence_case
from shipcast.scheduling.calendar.calendar import DEFAULT, OUTSIDE
from shipcast.scheduling.calendar.meetings import first_meeting
from shipcast.scheduling.calendar.questions import Question
from shipcast.scheduling.calendar.rules import Cab
from shipcast.scheduling.calendar.scope import Subject, is_about
from shipcast.scheduling.ledger.conflicts import at_once, lifted_by
from shipcast.scheduling.ledger.entries import Booking, Change, Entry
from shipcast.scheduling.ledger.state import is_permitted
from shipcast.scheduling.recommend import level
from shipcast.scheduling.wanted import Constraints, Grid, Wanted
from shipcast.scheduling.windows import SLOT, first_slot
from shipcast.settings.errors import ModelError, StorageError

Verdict = Literal["go", "hold", "unknown"]
CheckName = Literal["calendar", "approvals", "level", "holds"]
Level = Literal["calm", "fair", "moderate", "rough", "storm"]

NEXT_MEETING = timedelta(days=60)  # within which a board's next meeting is looked for


class Check(Part):
    """One thing that the gate looks at.

    Parameters
    ----------
    detail
        What was found, in a sentence or two.
    rule
        The rule, board or hold that decides; null: none does.
    until
        Of a rule that blocks: when it ends, or an allow window opens for so long. Null: not within 20 years.
    next_allowed
        Of a rule that blocks: the first instant from which the whole deployment is allowed. Null: as `until`.
    """

    check: CheckName
    verdict: Verdict
    detail: str
    rule: str | None = None
    until: Instant | None = None
    next_allowed: Instant | None = None


class StartForecast(Part):
    """What a start in one quarter hour is forecast to be like, as `windows` says it; intervals hold 95 %."""

    start: Instant
    level: Level
    relative_cost: Number
    failure_probability: Share
    failure_low: Share
    failure_high: Share


@dataclass(frozen=True)
class Foreseen:
    """What is forecast of the start and of the week, and what there is to warn of; null: nothing can be said.

    Parameters
    ----------
    calmest
        The level of the best start of the coming week that no rule blocks.
    """

    start: StartForecast | None = None
    week: Outlook | None = None
    calmest: Level | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deployment:
    """What is judged: the subject ships in [start, end) (naive, UTC); times are said on the clock of `zone`."""

    constraints: Constraints
    subject: Subject
    start: datetime
    end: datetime
    zone: str

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def said(self, moment: datetime) -> str:
        """An aware instant, such as 'Tue 16 Dec 06:15 (Europe/London)'."""
        return f"{local_time(moment, self.zone, utc(self.constraints.asked))} ({self.zone})"

    @cached_property
    def booking(self) -> Entry[Booking] | None:
        """The booking in whose time it lies; None: it is not booked."""
        near = at_once(Change(self.subject, self.start, self.end), self.constraints.state.bookings)
        return next((one for one in near if one.body.start <= self.start and self.end <= one.body.end), None)

    @property
    def change(self) -> Change:
        """As the ledger is asked about it."""
        return Change(self.subject, self.start, self.end, number=None if self.booking is None else self.booking.number)

    @property
    def beside(self) -> Constraints:
        """What it has to keep beside its own booking."""
        state = self.constraints.state
        others = tuple(one for one in state.bookings if one is not self.booking)
        return replace(self.constraints, state=replace(state, bookings=others), cache={})


def calendar_check(deployment: Deployment) -> Check:
    """Whether a rule blocks the deployment; that one needs an approval is for `approvals_check` to judge."""
    constraints = deployment.constraints
    item = checked(constraints.calendar, constraints.state, question(deployment), constraints.asked)
    if item.decision == "blocked":
        lifting = lifted_by(deployment.change, constraints.calendar, constraints.state)
        return lifted(item, lifting) if lifting else blocked(deployment, item)
    if crowded := crowding_rules(deployment):
        said = f"No room is left for it by {crowded[0]}."
        return Check(check="calendar", verdict="hold", detail=said, rule=crowded[0])
    in_doubt = rules_in_doubt(deployment.constraints.calendar, deployment.subject, deployment.start, deployment.length)
    if in_doubt:
        said = doubt_said(deployment.subject, in_doubt)
        return Check(check="calendar", verdict="unknown", detail=said, rule=in_doubt[0])
    if item.decision == "needs-approval":
        return Check(check="calendar", verdict="go", detail="Nothing blocks it; it needs an approval.")
    said = decided(item, until(deployment, item))
    is_default = item.rule == DEFAULT
    return Check(
        check="calendar",
        verdict="go",
        detail=f"{sentence_case(said) if is_default else f'Allowed {said}'}.",
        rule=None if is_default else item.rule,
    )


def question(deployment: Deployment) -> Question:
    return Question(deployment.subject, deployment.start, deployment.end)


def until(deployment: Deployment, item: Checked) -> str:
    return "" if item.until is None else f" until {deployment.said(item.until)}"


def blocked(deployment: Deployment, item: Checked) -> Check:
    said = decided(item, until(deployment, item))
    said = said if item.rule == OUTSIDE else f"blocked {said}"
    following = "No time within 20 years is allowed for so long."
    if item.next_allowed is not None:
        following = f"It may from {deployment.said(item.next_allowed)}."
    return Check(
        check="calendar",
        verdict="hold",
        detail=f"{sentence_case(said)}. {following}",
        rule=item.rule,
        until=item.until,
        next_allowed=item.next_allowed,
    )


def lifted(item: Checked, entries: Sequence[int]) -> Check:
    """That entries of the ledger let it go against a rule."""
    said = f"{sentence_case(item.rule)} blocks it, but entry {listing([str(one) for one in entries])} of the ledger"
    return Check(check="calendar", verdict="go", detail=f"{said} {plural_verb(entries)} it go.", rule=item.rule)


def plural_verb(entries: Sequence[int]) -> str:
    return "lets" if len(entries) == 1 else "let"


def crowding_rules(deployment: Deployment) -> list[str]:
    """What is booked and marked of its service at the time, and the capacities and reserves that leave it no room.

    Of these all quarter hours count that it touches; its own booking does not.
    """
    constraints = deployment.beside
    first = first_slot(deployment.start - SLOT + timedelta.resolution)
    slots = -((first - deployment.end) // SLOT)
    wanted = Wanted(deployment.subject.service, deployment.subject, slots * SLOT, first, first + slots * SLOT)
    own = at_once(deployment.change, [*constraints.state.bookings, *constraints.state.marks])
    found = crowding(constraints, wanted, Grid(first, slots + 2))
    return [*(one.name for one in own), *(name for name, closed in found if closed[0])]


def doubt_said(subject: Subject, rules: Sequence[str]) -> str:
    """
    >>> doubt_said(Subject("pay", team="money"), ["eu-night", "office"])
    'The regions of pay are not known: whether eu-night, office are about it cannot be said.'
    """
    lacking = [name for name, known in (("regions", subject.regions), ("team", subject.team)) if not known]
    what = f"The {' and '.join(lacking)} of {subject.service} {'is' if lacking == ['team'] else 'are'} not known"
    return f"{what}: whether {', '.join(rules)} {'is' if len(rules) == 1 else 'are'} about it cannot be said."


def approvals_check(deployment: Deployment) -> Check:
    """Whether each approval was given that the deployment needs: of rules, and of boards where the change is normal."""
    needed = {**rule_approvals(deployment), **board_approvals(deployment)}
    missing = needed.keys() - granted(deployment, needed)
    if missing:
        said = "; ".join(said for rule, said in needed.items() if rule in missing)
        rule = next(rule for rule in needed if rule in missing)
        detail = f"It needs an approval by {said}. None is known."
        return Check(check="approvals", verdict="hold", detail=detail, rule=rule)
    unsaid = boards_unsaid(deployment)
    if unsaid is not None:
        return unsaid
    said = f"Given: {', '.join(needed)}." if needed else "None is needed."
    return Check(check="approvals", verdict="go", detail=said)


def granted(deployment: Deployment, needed: Iterable[str]) -> frozenset[str]:
    """Of the rules and boards that have to approve the deployment those that did, or that an override passes over."""
    state, change = deployment.constraints.state, deployment.change
    return frozenset(rule for rule in needed if is_permitted(state, change, rule, is_block=False))


def rule_approvals(deployment: Deployment) -> dict[str, str]:
    """Each rule of the calendar that asks for an approval, and what to call it."""
    starts = np.array([deployment.start], dtype="datetime64[us]")
    closures = deployment.constraints.calendar.closures(deployment.subject, starts, deployment.length)
    return {one.rule: one.rule for one in closures if one.effect == "approval"}


def board_approvals(deployment: Deployment) -> dict[str, str]:
    """Each board that has to decide on it, and when that one next meets."""
    if deployment.subject.change_type != "normal":
        return {}
    return {cab.id: f"{cab.id}, which {meeting_said(deployment, cab)}" for cab in boards(deployment)}


def boards(deployment: Deployment) -> Iterator[Cab]:
    return (cab for cab in deployment.constraints.calendar.cabs if is_about(cab.scope, deployment.subject))


def meeting_said(deployment: Deployment, cab: Cab) -> str:
    asked = np.datetime64(deployment.constraints.asked, "us")
    meeting = first_meeting(cab, asked, asked + np.timedelta64(NEXT_MEETING))
    if meeting.meets_at is None or meeting.deadline_at is None:
        return f"cannot give it within {NEXT_MEETING.days} days"
    deadline = local_time(utc(meeting.deadline_at), deployment.zone, utc(deployment.constraints.asked))
    return f"can give it on {deployment.said(utc(meeting.meets_at))} if asked by {deadline}"


def boards_unsaid(deployment: Deployment) -> Check | None:
    """That it cannot be said whether a board has to decide, where that is so."""
    subject = deployment.subject
    known, in_doubt = [cab.id for cab in boards(deployment)], boards_in_doubt(deployment.constraints.calendar, subject)
    if subject.change_type is None and (names := known + in_doubt):
        said = f"The type of the change is not said: of a normal one {', '.join(names)} would have to decide."
        return Check(check="approvals", verdict="unknown", detail=said, rule=names[0])
    if subject.change_type == "normal" and in_doubt:
        return Check(check="approvals", verdict="unknown", detail=doubt_said(subject, in_doubt), rule=in_doubt[0])
    return None


def level_check(asked: Inquiry, max_level: Level) -> tuple[Check, Foreseen]:
    """Whether the quarter hour's level is no worse than `max_level`, or than any of the week; and what is forecast.

    Who can only wait for hours that are as bad need not wait.
    """
    environment = asked.question.environment
    if asked.history.started() == 0:
        return level_unknown(f"No deployment to {environment} was known: nothing tells a level.")
    try:
        if asked.models.ground.pooled == 0:
            return level_unknown(f"No deployment to {environment} had settled: nothing tells a level.")
        start, foreseen = forecast(asked)
    except ModelError as error:
        return level_unknown(f"No level can be forecast: {error.detail}")
    if not is_worse(start.level, max_level):
        return Check(check="level", verdict="go", detail=f"{start_said(start)}."), foreseen
    if foreseen.calmest is None or not is_worse(start.level, foreseen.calmest):
        said = f"{start_said(start)}; no start of the coming week is calmer, so that waiting gains nothing."
        return Check(check="level", verdict="go", detail=said), foreseen
    said = f"{start_said(start)}; the worst that may ship is {max_level}."
    return Check(check="level", verdict="hold", detail=said), foreseen


def is_worse(one: Level, other: Level) -> bool:
    return get_args(Level).index(one) > get_args(Level).index(other)


def level_unknown(said: str) -> tuple[Check, Foreseen]:
    return Check(check="level", verdict="unknown", detail=said), Foreseen()


def forecast(asked: Inquiry) -> tuple[StartForecast, Foreseen]:
    question, models = asked.question, asked.models
    starts = np.array([question.earliest], dtype="datetime64[us]")
    prices = priced(asked.reader.at, models, question, starts)
    found = window(prices, asked.admission(starts), 0)
    start = StartForecast(**{name: getattr(found, name) for name in StartForecast.model_fields})
    warnings = (*model_warnings(asked), *rare_warnings(question.change, models.ground, starts))
    return start, Foreseen(start, outlook(prices), calmest(asked, prices), warnings)


def calmest(asked: Inquiry, prices: Prices) -> Level | None:
    """The level of the best start of the coming week that no rule blocks; null: there is none."""
    admitted = asked.admission(prices.starts[prices.week])
    costs = prices.relative_week[admitted.is_open]
    return level(float(costs.min())) if len(costs) else None  # type: ignore[return-value]


def start_said(start: StartForecast) -> str:
    chance = in_hundred(start.failure_probability, start.failure_low, start.failure_high)
    return f"{start.level.capitalize()}: {chance} would fail, {start.relative_cost * 100:.0f} % of the usual cost"


def holds_check(asked: Inquiry) -> Check:
    """Whether a hold is in force that blocks; by default one only warns."""
    service, environment = asked.question.change.service, asked.question.environment
    kinds = ", ".join(kind or "hold" for kind, _ in asked.history.holds(service))
    if not kinds:
        return Check(check="holds", verdict="go", detail="None is in force.")
    if asked.reader.settings.holds == "block":
        said = f"{service} is on hold in {environment}: {kinds}."
        return Check(check="holds", verdict="hold", detail=said, rule=kinds)
    return Check(check="holds", verdict="go", detail=f"In force, but only warned of: {kinds}.", rule=kinds)


def unread_checks(error: StorageError) -> tuple[Check, Check]:
    """Of level and holds, where the home cannot be read."""
    return (
        Check(check="level", verdict="unknown", detail=f"No level can be forecast: {error.detail}"),
        Check(check="holds", verdict="unknown", detail=f"No hold can be looked up: {error.detail}"),
    )
