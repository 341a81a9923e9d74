"""`plan`: the best start for every request together, with a bound that is proven, and why some have none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from shipcast.answers.answer import Answer, Count, Instant, Number, Part, Share, naive, utc
from shipcast.answers.company import (
    Known,
    Rules,
    company_constraints,
    company_rules,
    known_in,
    known_services,
    place_warnings,
)
from shipcast.answers.errors import listed
from shipcast.answers.operations import envelope
from shipcast.answers.priced_requests import Asked, Unit, asked
from shipcast.answers.reading import Reader, open_reader
from shipcast.answers.words import plural
from shipcast.models.posterior import Floats
from shipcast.scheduling.calendar.calendar import OUTSIDE, RULES, Calendar
from shipcast.scheduling.calendar.errors import NoSuchRule
from shipcast.scheduling.calendar.rules import Reserve
from shipcast.scheduling.calendar.scope import is_about
from shipcast.scheduling.planner.clash import clash
from shipcast.scheduling.planner.comparison import Comparison, compared
from shipcast.scheduling.planner.engine import Progress
from shipcast.scheduling.planner.plan import Plan
from shipcast.scheduling.planner.plan import plan as best_plan
from shipcast.scheduling.planner.problem import Problem
from shipcast.scheduling.planner.reasons import Obstacle, reserve_name
from shipcast.scheduling.requests import RequestFile, unknown_said
from shipcast.scheduling.wanted import Constraints
from shipcast.settings import Settings
from shipcast.settings.errors import UsageError

Status = Literal["optimal", "complete", "interrupted"]

CLASHES = 3  # deferred requests for which a solver is asked what they clash with
CROWDED = ("capacity", "service", "exclusion")
LARGE = 100  # costs from here on are told without fractions
BOUNDS = {"earliest": "before its earliest", "latest": "that end after its latest"}


class Planned(Part):
    """A request with its start.

    Parameters
    ----------
    failure_probability
        Expected; null: its costs are the request's own.
    expected_cost
        In the plan's `unit`.
    relative_cost
        Against the mean of all starts that have a price.
    """

    id: str
    service: str
    environment: str
    start: Instant
    end: Instant
    failure_probability: Share | None
    expected_cost: Number
    relative_cost: Number
    conflicts: tuple[str, ...] = ()


class Hindrance(Part):
    """Something that keeps a request from starts while the rest of the plan stays.

    Parameters
    ----------
    kind
        earliest, latest, price, rule, pinned, dependency, service, exclusion, capacity, reserve; approval: that a rule
        asks for; deferral: the starts are open, but cost more than not scheduling it; clash: requests of which not all
        find room.
    name
        Of the rule, of the other request, of the capacity or reserve; empty: it has none.
    starts
        The starts it takes, each counted for the first thing in its way; null: not counted.
    """

    kind: str
    name: str
    starts: Count | None
    words: str


class Unscheduled(Part):
    """A request without a start, and why.

    Parameters
    ----------
    reasons
        What is in the way of its starts; they add up to all of them.
    lift
        The fewest of these without which it could start in this very plan; none: it costs more than its deferral.
    start, expected_cost
        The cheapest start that lifting them opens, and what it costs; null: there is none, or it has no price.
    deferral_cost
        What not scheduling it costs.
    """

    id: str
    service: str
    environment: str
    reasons: tuple[Hindrance, ...]
    lift: tuple[Hindrance, ...]
    start: Instant | None
    expected_cost: Number | None
    deferral_cost: Number


class Reserved(Part):
    """Where a block that is kept for emergencies lies."""

    environment: str
    start: Instant
    end: Instant
    rule: str


class OtherWay(Part):
    """The same requests, started in a plainer way.

    Parameters
    ----------
    way
        greedy: each in its turn at the cheapest start left; first free: as soon as there is room; alone: each at its
        cheapest start as if there were no others.
    broken
        How many requests break a rule of each kind there.
    """

    way: str
    objective: Number
    scheduled: Count
    broken: dict[str, int]


class WhatIf(Part):
    """The plan without some rules, or with another reserve.

    Parameters
    ----------
    saved, saved_low, saved_high
        What the plan as asked costs more than this one: of the plans found, and at least and at most by their bounds.
    """

    without: tuple[str, ...]
    reserve_minutes: Count | None
    scheduled: Count
    objective: Number
    bound: Number
    saved: Number
    saved_low: Number
    saved_high: Number


class PlanAnswer(Answer):
    """A start for every request, or why it has none.

    Parameters
    ----------
    objective
        The costs of all starts and deferrals.
    bound
        What no plan can cost less than, proven.
    gap
        By what share of the bound the objective lies above it; null: the bound is 0.
    status
        optimal: both meet; complete: the time or the iterations were spent; interrupted: it was stopped before.
    unit
        Of the costs: requests affected, or minutes of disruption where the load of a service is not known; own: all
        requests bring their costs.
    """

    schema_name: Literal["shipcast/plan/1"] = Field("shipcast/plan/1", alias="schema")
    unit: Unit
    items: tuple[Planned, ...]
    unscheduled: tuple[Unscheduled, ...]
    reserved: tuple[Reserved, ...]
    objective: Number
    bound: Number
    gap: Number | None
    status: Status
    iterations: Count
    period_start: Instant
    period_end: Instant
    other_ways: tuple[OtherWay, ...]
    what_if: WhatIf | None = None


@dataclass(frozen=True)
class Effort:
    """How long is planned, who is told of it, and who may stop it: see the planner's `plan`."""

    time_limit: float | None = None
    iterations: int | None = None
    seed: int = 0
    progress: Callable[[Progress], None] | None = None
    should_stop: Callable[[], bool] | None = None


def plan(
    settings: Settings,
    as_of: datetime,
    file: RequestFile,
    *,
    calendar_file: Path | None = None,
    effort: Effort | None = None,
    without: Sequence[str] = (),
    reserve_minutes: int | None = None,
) -> PlanAnswer:
    """The best plan to be found for the requests of a file, as known at `as_of` (aware).

    Parameters
    ----------
    without, reserve_minutes
        Plans a second time, without these rules of the calendar, and with a reserve of so many minutes a day.

    Raises
    ------
    InputRefused
        The requests cannot be planned.
    UsageError
        There is no room for such a reserve.
    CalendarError
        The calendar cannot be used, or has no such rule.
    NothingPublished
        Some request brings no costs of its own, and there is nothing to price it by.
    """
    with ExitStack() as stack:
        is_priced = all(one.cost is not None for one in file.requests)
        reader = None if is_priced else stack.enter_context(open_reader(settings, as_of))
        known = known_services(settings, as_of) if reader is None else known_in(reader)
        rules = company_rules(settings, as_of, known, calendar_file)
        calendar, other = rules.calendar, changed(rules.calendar, without, reserve_minutes)
        found, warnings = asked(file, naive(as_of), known, reader)
        constraints = constraints_of(reader, known, found, rules, as_of)
        warnings += [] if reader is None else reader.warnings()
    effort = effort or Effort()
    whole = found.problem(constraints)
    best = solved(whole, effort)
    what_if = None
    if other is not None:
        changed_plan = solved(found.problem(replace(constraints, calendar=other, cache={})), effort)
        what_if = compared_with(best, changed_plan, without, reserve_minutes)
    answer = PlanAnswer(
        **envelope(as_of, known.data_as_of),
        unit=found.unit,
        items=tuple(planned(found, best)),
        unscheduled=tuple(unscheduled(found, constraints, whole, best)),
        reserved=tuple(reserved(found, whole, best)),
        objective=best.objective,
        bound=best.bound,
        gap=best.gap,
        status=best.status,
        iterations=best.iterations,
        period_start=utc(found.grid.begins),
        period_end=utc(found.grid.instant(found.grid.slots)),
        other_ways=tuple(other_way(way, one, found) for way, one in compared(whole).items()),
        what_if=what_if,
        warnings=(
            *warnings,
            *calendar.notes,
            *board_warnings(calendar, found),
            *place_warnings(calendar, [one.subject for one in found.wanted], known),
            *left_out(file),
        ),
    )
    return answer.model_copy(update={"sentence": sentence(answer)})


def solved(whole: Problem, effort: Effort) -> Plan:
    return best_plan(
        whole,
        time_limit=effort.time_limit,
        iterations=effort.iterations,
        seed=effort.seed,
        progress=effort.progress,
        should_stop=effort.should_stop,
    )


def constraints_of(reader: Reader | None, known: Known, found: Asked, rules: Rules, as_of: datetime) -> Constraints:
    """What the requests have to keep."""
    if reader is None:
        return Constraints(rules.calendar, naive(as_of), rules.state)
    histories = [reader.history(name) for name in sorted({one.environment for one in found.requests})]
    return company_constraints(reader, known, histories, sorted({one.service for one in found.requests}), rules)


def changed(calendar: Calendar, without: Sequence[str], reserve_minutes: int | None) -> Calendar | None:
    """The calendar without some rules, and with another reserve; None: nothing was asked for.

    Raises
    ------
    NoSuchRule
        It has none of that name.
    """
    if not without and reserve_minutes is None:
        return None
    ids = {one.id for kind in RULES for one in getattr(calendar, kind)}
    for name in without:
        if name not in (*ids, OUTSIDE):
            raise NoSuchRule(f"The calendar has no rule {name!r}.", next_step=f"It has {listed(sorted(ids))}.")
    kept: dict[str, Any] = {
        kind: tuple(one for one in getattr(calendar, kind) if one.id not in without) for kind in RULES
    }
    if OUTSIDE in without:
        kept["windows"] = tuple(one for one in kept["windows"] if one.kind != "allow")
    if reserve_minutes is not None:
        kept["reserves"] = other_reserves(kept["reserves"], reserve_minutes)
    return replace(Calendar(notes=calendar.notes), **kept)


def other_reserves(reserves: Sequence[Reserve], minutes: int) -> tuple[Reserve, ...]:
    """The reserves with another length, or one of every environment where there are none; 0: none."""
    if minutes == 0:
        return ()
    if not reserves:
        return (Reserve(id="reserve", per_day_minutes=minutes),)
    try:
        return tuple(Reserve.model_validate({**dict(one), "per_day_minutes": minutes}) for one in reserves)
    except ValueError as error:
        raise UsageError(f"No reserve of the calendar leaves room for {minutes} minutes a day.") from error


def compared_with(best: Plan, other: Plan, without: Sequence[str], reserve_minutes: int | None) -> WhatIf:
    return WhatIf(
        without=tuple(without),
        reserve_minutes=reserve_minutes,
        scheduled=len(other.starts),
        objective=other.objective,
        bound=other.bound,
        saved=best.objective - other.objective,
        saved_low=best.bound - other.objective,
        saved_high=best.objective - other.bound,
    )


def planned(found: Asked, best: Plan) -> Iterable[Planned]:
    """The requests that have a start, the earliest first."""
    places = [place for place, one in enumerate(found.requests) if one.id in best.starts]
    for place in sorted(places, key=lambda place: best.starts[found.requests[place].id]):
        one, chances = found.requests[place], found.chances[place]
        slot, price = best.starts[one.id], found.prices[place]
        start = utc(found.grid.instant(slot))
        yield Planned(
            id=one.id,
            service=one.service,
            environment=one.environment,
            start=start,
            end=start + one.duration,
            failure_probability=None if chances is None else float(chances[slot]),
            expected_cost=float(price[slot]),
            relative_cost=relative(price, slot),
        )


def relative(price: Floats, slot: int) -> float:
    """A price against the mean of those that there are; where all are free, 1."""
    usual = float(price[np.isfinite(price)].mean())
    return float(price[slot]) / usual if usual else 1.0


def unscheduled(found: Asked, constraints: Constraints, whole: Problem, best: Plan) -> Iterable[Unscheduled]:
    """The others, in their order; for a few of which a solver says with what they clash."""
    place = {one.id: number for number, one in enumerate(found.requests)}
    rules = {reserve_name(one): one.rule for one in whole.reserves}
    left = CLASHES
    for one in best.deferred:
        is_crowded = any(obstacle.kind in CROWDED for obstacle in one.lift)
        met = clash(whole, best.starts, one.id) if is_crowded and left else None
        left -= is_crowded
        request = found.requests[place[one.id]]
        soft = constraints.soft(found.wanted[place[one.id]], found.grid)
        yield Unscheduled(
            id=one.id,
            service=request.service,
            environment=request.environment,
            reasons=(
                *(hindrance(reason.obstacle, rules, soft, reason.starts) for reason in one.reasons),
                *([] if met is None else [Hindrance(kind="clash", name="", starts=None, words=met.words())]),
            ),
            lift=tuple(hindrance(obstacle, rules, soft) for obstacle in one.lift),
            start=None if one.start is None or one.price is None else utc(found.grid.instant(one.start)),
            expected_cost=one.price,
            deferral_cost=found.deferrals[place[one.id]],
        )


def hindrance(obstacle: Obstacle, reserves: Mapping[str, str], soft: Set[str], starts: int | None = None) -> Hindrance:
    """An obstacle in the words of the requests and of the calendar.

    Parameters
    ----------
    reserves
        The rules of reserves, by what the planner calls these.
    soft
        The rules that ask for an approval.
    """
    kind, name = obstacle.kind, obstacle.name
    if kind == "rule" and name in BOUNDS:
        return Hindrance(kind=name, name="", starts=starts, words=BOUNDS[name])
    if kind == "rule" and name in soft:
        return Hindrance(kind="approval", name=name, starts=starts, words=f"without the approval that {name} asks for")
    named = Obstacle(kind, reserves.get(name, name))
    return Hindrance(kind=named.kind, name=named.name, starts=starts, words=named.words())


def reserved(found: Asked, whole: Problem, best: Plan) -> Iterable[Reserved]:
    for block, reserve in zip(best.reserved, whole.reserves, strict=True):
        yield Reserved(
            environment=block.environment,
            start=utc(found.grid.instant(block.start)),
            end=utc(found.grid.instant(block.end)),
            rule=reserve.rule,
        )


def other_way(way: str, one: Comparison, found: Asked) -> OtherWay:
    own = {request.id for request in found.requests}
    return OtherWay(
        way=way,
        objective=one.objective,
        scheduled=len(own & one.starts.keys()),
        broken={str(kind): count for kind, count in one.broken.items()},
    )


def board_warnings(calendar: Calendar, found: Asked) -> list[str]:
    """The changes on which a board might have to decide, since it is not said of which type they are."""
    unsaid = [
        one.id
        for one in found.wanted
        if one.subject.change_type is None
        and not one.is_decided
        and any(is_about(cab.scope, one.subject) for cab in calendar.cabs)
    ]
    if not unsaid:
        return []
    boards = ", ".join(cab.id for cab in calendar.cabs)
    return [f"The type of {listed(unsaid)} is not said: if it is normal, {boards} would have to decide first."]


def left_out(file: RequestFile) -> list[str]:
    keys = ", ".join(map(unknown_said, file.unknown_keys))
    return [f"Keys of no use to a request were left out: {keys}."] if keys else []


UNITS: Mapping[Unit, str] = {
    "requests": "requests of users are expected to be affected",
    "disruption_minutes": "minutes of disruption are expected",
    "own": "is what they cost",
}


def sentence(answer: PlanAnswer) -> str:
    """The answer in one sentence.

    "38 of 40 changes have a start: 1,234 requests of users are expected to be affected. With what it defers the plan
    costs at most 0.2 % more than the cheapest."
    """
    count = len(answer.items) + len(answer.unscheduled)
    if not count:
        return "There is no change to plan."
    cost = sum(item.expected_cost for item in answer.items)
    scheduled = f"{len(answer.items):,} of {plural(count, 'change')} {'has' if count == 1 else 'have'} a start"
    stopped = " It was stopped before its time." if answer.status == "interrupted" else ""
    shown = f"{cost:,.0f}" if cost >= LARGE else f"{cost:.3g}"
    return f"{scheduled}: {shown} {UNITS[answer.unit]}.{gap_said(answer)}{stopped}"


def gap_said(answer: PlanAnswer) -> str:
    """How far the plan may be from the cheapest."""
    with_deferred = "With what it defers the plan" if answer.unscheduled else "The plan"
    if answer.status == "optimal":
        return " No plan costs less."
    if answer.gap is None:
        return ""
    return f" {with_deferred} costs at most {answer.gap:.2%} more than the cheapest.".replace("%", " %")
