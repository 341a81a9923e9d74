"""The rules that are about one subject, laid out over a stretch of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shipcast.features.clock import Instants
from shipcast.scheduling.calendar.rules import Effect
from shipcast.scheduling.calendar.spans import Flags, Spans, distinct, union
from shipcast.scheduling.calendar.timeline import Timeline, timeline

Verdict = Literal["allowed", "blocked", "needs-approval"]
Ranks = NDArray[np.int32]

BLOCKED, NEEDS_APPROVAL, ALLOWED = 0, 1, 2
VERDICTS: tuple[Verdict, ...] = ("blocked", "needs-approval", "allowed")
CODES: Mapping[Effect, int] = {"block": BLOCKED, "approval": NEEDS_APPROVAL}
EFFECTS: Mapping[int, Effect] = {code: effect for effect, code in CODES.items()}


@dataclass(frozen=True)
class Refusal:
    """A rule that refuses while it is in force.

    Parameters
    ----------
    place
        Its place among all rules, in the order in which they are named.
    code
        `BLOCKED` or `NEEDS_APPROVAL`.
    is_of_start
        Whether it looks at the start of a deployment alone.
    """

    place: int
    code: int
    is_of_start: bool


@dataclass(frozen=True)
class Opening:
    """An allow window: its place, what lies outside of it, and whether it looks at starts alone."""

    place: int
    outside: int
    is_of_start: bool


@dataclass(frozen=True)
class Matched:
    """What of a calendar is about a subject.

    Parameters
    ----------
    refusals
        In the order of their places.
    openings
        The allow windows of each region that has any; all of these have to be open.
    """

    refusals: tuple[Refusal, ...]
    openings: tuple[tuple[Opening, ...], ...]


class Coverage:
    """The allow windows of a region as one.

    Parameters
    ----------
    rank
        What lies outside of them.
    """

    def __init__(self, openings: Sequence[Opening], spans: Mapping[int, Spans], rank: int) -> None:
        self.rank = rank
        self.whole = union([spans[one.place] for one in openings])
        self.starting = union([spans[one.place] for one in openings if one.is_of_start])

    def admit(self, starts: Instants, ends: Instants) -> Flags:
        """Whether each [start, end) lies in them as a whole, or starts in one that looks at starts alone."""
        return np.asarray(self.whole.cover(starts, ends) | self.starting.contain(starts))


class Policy:
    """What is matched, from `since` to `until` (UTC): what is asked must lie between.

    Ranks order what may be said of a time: by strength, then by place. The least decides.

    Parameters
    ----------
    spans
        Of every matched rule, by its place.
    width
        How many places there are.
    outside
        The place of what lies outside of all allow windows.
    """

    def __init__(
        self,
        matched: Matched,
        spans: Mapping[int, Spans],
        width: int,
        outside: int,
        since: np.datetime64,
        until: np.datetime64,
    ) -> None:
        self.matched, self.spans, self.width = matched, spans, width
        self.since, self.until = since, until
        self.none = ALLOWED * width
        self.whole = self.refusing(is_of_start=False)
        self.starting = self.refusing(is_of_start=True)
        self.coverages = [
            Coverage(group, spans, min(one.outside for one in group) * width + outside) for group in matched.openings
        ]
        opened = {one.place for group in matched.openings for one in group}
        self.opened = timeline([(place, spans[place]) for place in opened], width)

    def refusing(self, *, is_of_start: bool) -> Timeline:
        chosen = [one for one in self.matched.refusals if one.is_of_start == is_of_start]
        return timeline([(one.code * self.width + one.place, self.spans[one.place]) for one in chosen], self.none)

    def ranks(self, starts: Instants, ends: Instants) -> Ranks:
        """The least rank of all that refuses each [start, end); `none` where nothing does."""
        ranks = np.minimum(self.whole.labels(starts, ends), self.starting.labels(starts, starts))
        for coverage in self.coverages:
            refused = np.where(coverage.admit(starts, ends), self.none, coverage.rank)
            ranks = np.minimum(ranks, refused)
        return np.asarray(ranks, dtype=np.int32)

    def first_open(self, starts: Instants) -> NDArray[np.int32]:
        """The place of the first allow window that covers each start; `width`: none does."""
        return self.opened.labels(starts, starts)

    def edges(self, after: np.datetime64) -> Instants:
        """The instants later than one at which something may change, in order."""
        found = distinct(np.concatenate([line.edges for line in (self.whole, self.starting, self.opened)]))
        return found[(found > after) & (found < self.until)]
