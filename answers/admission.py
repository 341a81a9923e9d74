"""Which starts of one change the calendar and what is booked leave, which need an approval, and when the next comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from shipcast.answers.answer import Instant, Part, utc
from shipcast.answers.company import Approval, approval
from shipcast.features.clock import Instants
from shipcast.scheduling.calendar.calendar import OUTSIDE, Calendar, Closure, as_datetime
from shipcast.scheduling.calendar.scope import Subject, is_about
from shipcast.scheduling.calendar.spans import Flags, merged
from shipcast.scheduling.planner.reasons import Standing, reserve_name
from shipcast.scheduling.wanted import Constraints, Grid, Wanted, problem
from shipcast.scheduling.windows import SLOT, candidate_starts

MINUTE = timedelta(minutes=1)
MOST_NAMED = 3
BEYOND = (timedelta(days=60), timedelta(days=366))  # how far ahead a first start is looked for


class Blocked(Part):
    """A span of starts that a rule does not allow; of several rules the first is named."""

    start: Instant
    end: Instant
    rule: str


@dataclass(frozen=True, eq=False)
class Admission:
    """What is said of consecutive quarter-hour starts of one change.

    Attributes
    ----------
    places
        Of each start, which of `names` blocks it; -1: none does.
    approvals
        The rules that let nothing start at some of them without an approval.
    """

    constraints: Constraints
    wanted: Wanted
    starts: Instants
    places: NDArray[np.int64]
    names: tuple[str, ...]
    approvals: tuple[Closure, ...]

    @property
    def is_open(self) -> Flags:
        """Which starts nothing blocks; some may need an approval."""
        return np.asarray(self.places < 0)

    @property
    def is_free(self) -> Flags:
        """Which starts need nothing more."""
        return np.asarray(np.logical_and.reduce([self.is_open, *(~one.closed for one in self.approvals)]))

    def blocked(self) -> tuple[Blocked, ...]:
        """The spans of starts that are blocked, each with the rule."""
        return tuple(
            Blocked(start=start, end=end, rule=self.names[place])
            for start, end, place in runs(self.starts, self.places)
        )

    def refusing(self, place: int) -> tuple[str, ...]:
        """The rule that blocks the start at a place, or else those whose approval it needs."""
        if not self.is_open[place]:
            return (self.names[self.places[place]],)
        return tuple(one.rule for one in self.approvals if one.closed[place])

    def needed(self, place: int) -> tuple[Approval, ...]:
        """Whose approval the start at a place needs: of rules, and of boards."""
        boards = self.constraints.meetings(self.wanted, as_datetime(self.starts[place]))
        rules = tuple(Approval(rule=name) for name in self.refusing(place) if self.is_open[place])
        return (*rules, *(approval(one) for one in boards))

    def next_open(self) -> datetime | None:
        """The first open start behind these (naive, UTC), within a year; None: there is none."""
        begins = as_datetime(self.starts[-1]) + SLOT
        for reach in BEYOND:
            starts = candidate_starts(begins, begins + reach, self.wanted.duration)
            found = admission(self.constraints, self.wanted, starts)
            if found.is_open.any():
                return as_datetime(found.starts[int(found.is_open.argmax())])
        return None

    def never(self) -> str:
        """Why no start within a year is open, in a sentence; empty: one is."""
        begins = as_datetime(self.starts[-1]) + SLOT
        starts = candidate_starts(begins, begins + BEYOND[-1], self.wanted.duration)
        found = admission(self.constraints, self.wanted, starts)
        if found.is_open.any():
            return ""
        longest = longest_opening(self.constraints.calendar, self.wanted.subject, begins)
        if OUTSIDE in found.names and longest is not None and longest < self.wanted.duration:
            open_for = f"{longest / MINUTE:g} minutes at once at most" if longest else "no time in that year"
            return f"Its allow windows are open for {open_for}, and it takes {self.wanted.duration / MINUTE:g} minutes."
        counts = most(found.blocked())
        whole = [rule for rule, count in counts.items() if count == len(starts)]
        if whole:
            return f"On its own, {whole[0]} blocks every start of that year."
        return f"What blocks most of that year: {', '.join(list(counts)[:MOST_NAMED])}."


def runs(starts: Instants, places: NDArray[np.int64]) -> Iterator[tuple[datetime, datetime, int]]:
    """The spans (aware) in which consecutive quarter hours have one place; where it is negative there is none."""
    edges = np.flatnonzero(np.diff(places, prepend=-2, append=-2))
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if places[first] >= 0:
            yield utc(as_datetime(starts[first])), utc(as_datetime(starts[last - 1]) + SLOT), int(places[first])


def longest_opening(calendar: Calendar, subject: Subject, begins: datetime) -> timedelta | None:
    """For how long the allow windows about a subject are open at once in the coming year; None: there are none."""
    rules = [one for one in calendar.windows if one.kind == "allow" and is_about(one, subject)]
    if not rules:
        return None
    period = np.datetime64(begins, "us"), np.datetime64(begins + BEYOND[-1], "us")
    spans = [one.spans(*period) for one in rules]
    whole = merged(np.concatenate([one.starts for one in spans]), np.concatenate([one.ends for one in spans]))
    return timedelta() if not len(whole) else timedelta(microseconds=int((whole.ends - whole.starts).max().astype(int)))


def admission(constraints: Constraints, wanted: Wanted, starts: Instants) -> Admission:
    """What is said of consecutive starts of a change, whatever its own first and last."""
    grid = Grid(as_datetime(starts[0]), len(starts) + wanted.duration // SLOT + 1)
    closures = constraints.closures(wanted, grid)
    found = [(one.rule, one.closed) for one in closures if one.effect != "approval"]
    found += crowding(constraints, wanted, grid)
    places = np.full(len(starts), -1)
    for place in reversed(range(len(found))):
        places[found[place][1][: len(starts)]] = place
    approvals = tuple(replace(one, closed=one.closed[: len(starts)]) for one in closures if one.effect == "approval")
    return Admission(constraints, wanted, starts, places, tuple(name for name, _ in found), approvals)


def crowding(constraints: Constraints, wanted: Wanted, grid: Grid) -> list[tuple[str, Flags]]:
    """The capacities and reserves in which what is booked leaves no room, each with the starts that it closes."""
    if not (constraints.calendar.capacities or constraints.calendar.reserves):
        return []
    alone = problem(constraints, grid, [wanted], [np.zeros(grid.slots)], [0.0])
    booked = {one.id: one.pinned or 0 for one in alone.requests[:-1]}
    rules = {reserve_name(one): one.rule for one in alone.reserves}
    return [
        (rules.get(obstacle.name, obstacle.name), closed)
        for obstacle, closed in Standing(alone, booked).shared(alone.requests[-1])
        if closed.any()
    ]


def most(blocked: Sequence[Blocked]) -> dict[str, int]:
    """How many starts each rule blocks, the most first."""
    counts: dict[str, int] = {}
    for one in blocked:
        counts[one.rule] = counts.get(one.rule, 0) + (one.end - one.start) // SLOT
    return dict(sorted(counts.items(), key=lambda item: -item[1]))
