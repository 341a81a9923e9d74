"""Changes that want a start on a company's calendar, beside what is booked already, as a problem for the planner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np

from shipcast.features.clock import Instants
from shipcast.models.posterior import Floats
from shipcast.scheduling.calendar.calendar import Calendar, Closure
from shipcast.scheduling.calendar.meetings import Meeting, meetings_before
from shipcast.scheduling.calendar.scope import Subject, fits
from shipcast.scheduling.ledger.entries import Booking, Entry, change_of
from shipcast.scheduling.ledger.state import State, grants
from shipcast.scheduling.planner import problem as planner
from shipcast.scheduling.planner.problem import Problem, slots_of
from shipcast.scheduling.planner.reasons import free_places, usage
from shipcast.scheduling.windows import SLOT, SLOT_STEP

MINUTE = timedelta(minutes=1)
NOTHING_HELD = State()


@dataclass(frozen=True)
class Grid:
    """Consecutive quarter hours, the first of which begins at an instant (naive, UTC)."""

    begins: datetime
    slots: int

    @cached_property
    def starts(self) -> Instants:
        return np.asarray(np.datetime64(self.begins, "us") + np.arange(self.slots) * SLOT_STEP)

    def slot(self, moment: datetime) -> int:
        """The slot that an instant lies in; slots go on before the first and behind the last."""
        return (moment - self.begins) // SLOT

    def next_slot(self, moment: datetime) -> int:
        """The first slot that begins at an instant or later."""
        return -((self.begins - moment) // SLOT)

    def instant(self, slot: int) -> datetime:
        return self.begins + slot * SLOT


@dataclass(frozen=True)
class Wanted:
    """One change that wants a start.

    Parameters
    ----------
    earliest, latest
        Naive, UTC; the change runs in [earliest, latest) as a whole.
    is_decided
        Whether a board has to decide on it, whatever its type.
    resources
        Shared things that it takes while it runs.
    depends_on, bake, excludes, pinned
        As in the planner's `Request`; the pin is an instant.
    """

    id: str
    subject: Subject
    duration: timedelta
    earliest: datetime
    latest: datetime
    is_decided: bool = False
    resources: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    bake: timedelta = timedelta()
    excludes: tuple[str, ...] = ()
    pinned: datetime | None = None


@dataclass(frozen=True)
class Constraints:
    """What changes have to keep: the calendar, and what the ledger holds, as known at an instant (naive, UTC).

    Parameters
    ----------
    asked
        When changes are handed in to the boards that decide on them.
    state
        Bookings, which take room; and approvals and overrides, which lift rules. What the ledger freezes and reserves
        is in the calendar.
    blocks
        What keeps all changes of a service to an environment from every start, such as holds.
    """

    calendar: Calendar
    asked: datetime
    state: State = NOTHING_HELD
    blocks: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    cache: dict[object, list[Closure]] = field(default_factory=dict, repr=False)

    def closures(self, one: Wanted, grid: Grid) -> list[Closure]:
        """All that is against starts of one change alone: the calendar, its boards, what is booked of its service."""
        key = one.subject, one.duration, one.is_decided, grid.begins, grid.slots
        if key not in self.cache:
            rules = [*self.calendar.closures(one.subject, grid.starts, one.duration), *self.board_closures(one, grid)]
            self.cache[key] = [*self.lifted(rules, one, grid), *self.own_closures(one, grid)]
        return self.cache[key]

    def soft(self, one: Wanted, grid: Grid) -> frozenset[str]:
        """The rules that ask for an approval at some of its starts."""
        return frozenset(found.rule for found in self.closures(one, grid) if found.effect == "approval")

    def board_closures(self, one: Wanted, grid: Grid) -> Iterator[Closure]:
        """What lies before the first meeting that can decide on the change."""
        for meeting in self.meetings(one, grid.instant(grid.slots)):
            yield Closure(meeting.cab, "board", grid.starts < instant(meeting.meets_at, grid))

    def meetings(self, one: Wanted, start: datetime) -> list[Meeting]:
        """Of each board that decides on the change, the first meeting by a start whose deadline it meets."""
        return meetings_before(self.calendar, one.subject, self.asked, start, one.is_decided)

    def lifted(self, rules: Sequence[Closure], one: Wanted, grid: Grid) -> Iterator[Closure]:
        """The rules, without the starts at which an approval or an override lets the change go against them."""
        ends = grid.starts + np.timedelta64(one.duration)
        for found in rules:
            closed = found.closed
            for given in grants(self.state, one.subject, found.rule, is_block=found.effect == "block"):
                closed = closed & ~given.covers(grid.starts, ends)
            if closed.any():
                yield replace(found, closed=closed)

    def own_closures(self, one: Wanted, grid: Grid) -> Iterator[Closure]:
        """Holds, and bookings and marks of the same service and environment."""
        for name in self.blocks.get(one.subject.target, ()):
            yield Closure(name, "block", np.ones(grid.slots, dtype=np.bool_))
        ends = grid.starts + np.timedelta64(one.duration)
        for other in (*self.state.bookings, *self.state.marks):
            if other.body.target == one.subject.target:
                closed = (grid.starts < np.datetime64(other.body.end)) & (ends > np.datetime64(other.body.start))
                if closed.any():
                    yield Closure(other.name, "block", closed)


def instant(moment: datetime | None, grid: Grid) -> np.datetime64:
    """The moment, or the end of the grid where there is none."""
    return np.datetime64(grid.instant(grid.slots) if moment is None else moment, "us")


def problem(
    constraints: Constraints, grid: Grid, wanted: Sequence[Wanted], prices: Sequence[Floats], deferrals: Sequence[float]
) -> Problem:
    """The problem of giving each change a slot of the grid; what is booked stands in it as pinned requests.

    What needs an approval that nobody gave counts as closed.

    Parameters
    ----------
    prices
        Of each change at every slot; infinite: not allowed.
    deferrals
        What it costs not to schedule each.

    Raises
    ------
    ProblemRefused
        The changes cannot be: they wait for each other, or name what is not there.
    """
    requests = [
        request(constraints, grid, one, price, deferral)
        for one, price, deferral in zip(wanted, prices, deferrals, strict=True)
    ]
    environments = sorted({one.subject.environment for one in wanted})
    fixed = booked_runs(constraints, grid, 1.0 + sum(deferrals))
    whole = Problem(
        grid.slots,
        (*fixed, *requests),
        tuple(planner.Capacity(one.id, one.concurrent) for one in constraints.calendar.capacities),
        tuple(reserves(constraints, grid, environments)),
    )
    return with_room(whole, fixed)


def request(constraints: Constraints, grid: Grid, one: Wanted, price: Floats, deferral: float) -> planner.Request:
    """A change in the planner's terms; a rule for everything that is against some of its starts."""
    closed = [planner.Rule(found.rule, ~found.closed) for found in constraints.closures(one, grid)]
    return planner.Request(
        id=one.id,
        service=one.subject.service,
        environment=one.subject.environment,
        duration_minutes=one.duration / MINUTE,
        prices=price,
        deferral_cost=deferral,
        rules=(*bounds(grid, one), *closed),
        depends_on=one.depends_on,
        bake_minutes=one.bake / MINUTE,
        excludes=one.excludes,
        capacities=tuple(
            each.id for each in constraints.calendar.capacities if each.counts(one.subject, one.resources)
        ),
        pinned=None if one.pinned is None else grid.slot(one.pinned),
        is_emergency=one.subject.change_type == "emergency",
    )


def bounds(grid: Grid, one: Wanted) -> Iterator[planner.Rule]:
    """Its own first and last start, where they leave slots out."""
    ends = grid.starts + np.timedelta64(one.duration)
    for name, allowed in (
        ("earliest", grid.starts >= np.datetime64(one.earliest)),
        ("latest", ends <= np.datetime64(one.latest)),
    ):
        if not allowed.all():
            yield planner.Rule(name, allowed)


def booked_runs(constraints: Constraints, grid: Grid, deferral: float) -> list[planner.Request]:
    """What is booked within the grid, as requests that cost nothing where they are and more than all else elsewhere.

    They take of capacities only as far as these reach, so that one that was booked beyond them stays where it is.
    """
    left = {one.id: np.full(grid.slots, one.concurrent) for one in constraints.calendar.capacities}
    found = []
    for other in constraints.state.bookings:
        change = change_of(other.body)
        first, last = max(grid.slot(change.start), 0), min(grid.next_slot(change.end), grid.slots)
        if first < last:
            taken = [
                one.id
                for one in constraints.calendar.capacities
                if one.counts(change.subject, change.resources) and left[one.id][first:last].all()
            ]
            for name in taken:
                left[name][first:last] -= 1
            found.append(booked_run(grid, other, first, last, deferral, tuple(taken)))
    return found


def booked_run(
    grid: Grid, other: Entry[Booking], first: int, last: int, deferral: float, taken: tuple[str, ...]
) -> planner.Request:
    return planner.Request(
        id=other.name,
        service=other.name,  # its own service's changes are kept off it by a rule that names it
        environment=other.body.environment,
        duration_minutes=(last - first) * planner.SLOT_MINUTES,
        prices=np.zeros(grid.slots),
        deferral_cost=deferral,
        capacities=taken,
        pinned=first,
        is_emergency=other.body.change_type == "emergency",
    )


def reserves(constraints: Constraints, grid: Grid, environments: Sequence[str]) -> Iterator[planner.Reserve]:
    """The blocks kept for emergencies, one per reserve, environment and day, on quarter hours.

    One whose day has begun lies in what is left of it; where that is too short it is left out. Where quarter hours
    leave no room in a window that is long enough, all of it is kept.
    """
    since, until = np.datetime64(grid.begins, "us"), np.datetime64(grid.instant(grid.slots), "us")
    for rule in constraints.calendar.reserves:
        room, length = rule.room(since, until), timedelta(minutes=rule.per_day_minutes)
        about = [name for name in environments if fits(rule.environment, name)]
        for opens, closes in zip(room.starts.tolist(), room.ends.tolist(), strict=True):
            begins = max(opens, constraints.asked)
            if closes - begins >= length:
                block = block_slots(grid, begins, closes, slots_of(rule.per_day_minutes))
                yield from (planner.Reserve(name, *block, rule.id) for name in about)


def block_slots(grid: Grid, opens: datetime, closes: datetime, length: int) -> tuple[int, int, int]:
    """The slots from the first to behind the last in which a block may lie, and how many it takes."""
    begin, end = grid.next_slot(opens), grid.slot(closes)
    if end - begin >= length:
        return begin, end, length
    begin, end = grid.slot(opens), grid.next_slot(closes)
    return begin, end, end - begin


def with_room(problem: Problem, fixed: Sequence[planner.Request]) -> Problem:
    """The problem without the reserves for which what is booked leaves no place."""
    starts = {one.id: one.pinned or 0 for one in fixed}
    kept = tuple(
        reserve
        for reserve in problem.reserves
        if len(free_places(reserve, usage(problem, starts, plain_in(fixed, reserve.environment)) > 0))
    )
    return replace(problem, reserves=kept)


def plain_in(fixed: Sequence[planner.Request], environment: str) -> list[planner.Request]:
    return [one for one in fixed if one.environment == environment and not one.is_emergency]
