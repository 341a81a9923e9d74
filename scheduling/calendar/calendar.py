"""A company's calendar: whether a change may go at a time, which rule says so, until when, and when next."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shipcast.features.clock import Instants
from shipcast.scheduling.calendar.policy import (
    ALLOWED,
    BLOCKED,
    CODES,
    EFFECTS,
    VERDICTS,
    Matched,
    Opening,
    Policy,
    Refusal,
    Verdict,
)
from shipcast.scheduling.calendar.rules import (
    BusinessHours,
    Cab,
    Capacity,
    Effect,
    Freeze,
    Holidays,
    Reserve,
    TimedRule,
    Window,
)
from shipcast.scheduling.calendar.scope import Subject, fits
from shipcast.scheduling.calendar.spans import Flags, Spans
from shipcast.scheduling.calendar.zones import MICROSECONDS

DEFAULT, OUTSIDE = "default", "no-allow-window"
RULES = ("windows", "freezes", "holidays", "business_hours", "cabs", "reserves", "capacities")  # of a `Calendar`
REACHES = tuple(timedelta(days=days) for days in (60, 400, 7400))  # ahead; the last is a little over 20 years
LONGEST = timedelta(days=366)


@dataclass(frozen=True)
class Decision:
    """What is said of one time.

    Parameters
    ----------
    rule
        The id of the rule that decides; "default" and "no-allow-window" where none does.
    until
        Of a refusal: when that rule ends, or an allow window opens for so long. Else: when the first instant comes that
        is not allowed. Naive, UTC; None: not within 20 years.
    next_allowed
        The first instant from the start on from which the same length is allowed as a whole: the start itself where
        it is. None: none within 20 years.
    rules
        All that refuse as strongly, `rule` first.
    """

    decision: Verdict
    rule: str
    until: datetime | None
    next_allowed: datetime | None
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Decisions:
    """What is said of many starts.

    Parameters
    ----------
    codes
        `BLOCKED`, `NEEDS_APPROVAL` or `ALLOWED` of each.
    places
        Into `names`: the rule that decides.
    """

    codes: NDArray[np.int32]
    places: NDArray[np.int32]
    names: tuple[str, ...]

    @property
    def is_allowed(self) -> Flags:
        return np.asarray(self.codes == ALLOWED)

    @property
    def is_blocked(self) -> Flags:
        return np.asarray(self.codes == BLOCKED)

    def verdict(self, number: int) -> Verdict:
        return VERDICTS[int(self.codes[number])]

    def rule(self, number: int) -> str:
        return self.names[int(self.places[number])]


@dataclass(frozen=True, eq=False)
class Closure:
    """A rule that lets a change not start at some times, or not without an approval.

    Parameters
    ----------
    effect
        block, approval, or board: a meeting has to decide first, unless somebody approves without.
    closed
        Of each start that was asked about, whether the rule is against it.
    """

    rule: str
    effect: Effect | Literal["board"]
    closed: Flags


@dataclass(frozen=True, eq=False)
class Calendar:
    """The rules in force, of each kind in the order of the file.

    Parameters
    ----------
    notes
        What its reader should know, in sentences.
    """

    windows: tuple[Window, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    holidays: tuple[Holidays, ...] = ()
    business_hours: tuple[BusinessHours, ...] = ()
    cabs: tuple[Cab, ...] = ()
    reserves: tuple[Reserve, ...] = ()
    capacities: tuple[Capacity, ...] = ()
    notes: tuple[str, ...] = ()
    cache: dict[object, object] = field(default_factory=dict, repr=False)

    @cached_property
    def named(self) -> tuple[TimedRule | None, ...]:
        """The rules that decide, in the order in which they are named; None stands for no allow window."""
        return (*self.windows, None, *self.freezes, *self.holidays, *self.business_hours)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Their ids, and last what is said where none decides."""
        return (*(OUTSIDE if rule is None else rule.id for rule in self.named), DEFAULT)

    @cached_property
    def ids(self) -> frozenset[str]:
        """Those of all rules, whether or not they decide."""
        deciding = (rule for rule in self.named if rule is not None)
        return frozenset(rule.id for rule in (*deciding, *self.cabs, *self.reserves, *self.capacities))

    @property
    def outside(self) -> int:
        """The place of what lies outside of all allow windows: after the windows, before all else."""
        return len(self.windows)

    def decisions(self, subject: Subject, starts: Instants, duration: timedelta) -> Decisions:
        """What is said of a deployment of this length at each start (UTC), in one pass."""
        if len(starts) == 0:
            nothing = np.array([], dtype=np.int32)
            return Decisions(nothing, nothing, self.names)
        starts = starts.astype(MICROSECONDS)
        ends = starts + np.timedelta64(duration)
        policy = self.policy(subject, starts.min(), ends.max())
        ranks = policy.ranks(starts, ends)
        codes, places = np.divmod(ranks, np.int32(policy.width))
        places = np.where(codes == ALLOWED, policy.first_open(starts), places)
        return Decisions(codes, places, self.names)

    def closures(self, subject: Subject, starts: Instants, duration: timedelta) -> list[Closure]:
        """Every rule that is against some of these starts (UTC), in the order in which rules are named.

        A start that none of them closes is allowed; one that only those with the effect "approval" close needs these.
        """
        if len(starts) == 0:
            return []
        starts = starts.astype(MICROSECONDS)
        ends = starts + np.timedelta64(duration)
        policy = self.policy(subject, starts.min(), ends.max())
        found = [
            (one.place, one.code, policy.spans[one.place].meet(starts, starts if one.is_of_start else ends))
            for one in policy.matched.refusals
        ]
        found += [(self.outside, part.rank // policy.width, ~part.admit(starts, ends)) for part in policy.coverages]
        each: dict[tuple[int, int], Flags] = {}
        for place, code, closed in sorted(found, key=lambda one: one[0]):
            each[place, code] = each[place, code] | closed if (place, code) in each else closed
        return [
            Closure(self.names[place], EFFECTS[code], closed) for (place, code), closed in each.items() if closed.any()
        ]

    def decide(self, subject: Subject, start: datetime, end: datetime) -> Decision:
        """What is said of [start, end) (naive, UTC); where both are equal, of that instant."""
        begins, length = np.datetime64(start, "us"), end - start
        found = self.decisions(subject, np.array([begins]), length)
        place, code = int(found.places[0]), int(found.codes[0])
        if code == ALLOWED:
            return Decision("allowed", found.rule(0), self.allowed_until(subject, begins), start)
        return Decision(
            found.verdict(0),
            found.rule(0),
            self.refused_until(subject, place, begins, length),
            self.next_allowed(subject, begins, length),
            self.refusing(subject, code, begins, length),
        )

    def allowed_until(self, subject: Subject, start: np.datetime64) -> datetime | None:
        """The first instant from `start` on that is not allowed."""
        for policy in self.policies(subject, start, start):
            edges = policy.edges(start)
            refused = edges[policy.ranks(edges, edges) < policy.none]
            if len(refused):
                return as_datetime(refused[0])
        return None

    def next_allowed(self, subject: Subject, start: np.datetime64, length: timedelta) -> datetime | None:
        """The first start from `start` on from which so long a deployment is allowed.

        What is allowed opens where a refusal ends or a window opens, so only these instants are looked at.
        """
        span = np.timedelta64(length)
        for policy in self.policies(subject, start, start + span):
            edges = policy.edges(start)
            edges = edges[edges + span <= policy.until]
            free = edges[policy.ranks(edges, edges + span) == policy.none]
            if len(free):
                return as_datetime(free[0])
        return None

    def refused_until(self, subject: Subject, place: int, start: np.datetime64, length: timedelta) -> datetime | None:
        """When the rule at a place, which refuses so long a deployment, no longer does."""
        span = np.timedelta64(length)
        for policy in self.policies(subject, start, start + span):
            if place == self.outside:
                edges = policy.edges(start)
                edges = edges[edges + span <= policy.until]
                is_open = np.logical_and.reduce([part.admit(edges, edges + span) for part in policy.coverages])
                if is_open.any():
                    return as_datetime(edges[np.argmax(is_open)])
                continue
            refusal = next(one for one in policy.matched.refusals if one.place == place)
            spans = policy.spans[place]
            met = spans.last_met(start, start if refusal.is_of_start else start + span)
            if met is not None and spans.ends[met] < policy.until:
                return as_datetime(spans.ends[met])
        return None

    def refusing(self, subject: Subject, code: int, start: np.datetime64, length: timedelta) -> tuple[str, ...]:
        """The names of all that refuse so strongly."""
        starts, ends = np.array([start]), np.array([start + np.timedelta64(length)])
        policy = self.policy(subject, start, ends[0])
        found = {
            one.place
            for one in policy.matched.refusals
            if one.code == code
            and policy.spans[one.place].last_met(start, start if one.is_of_start else ends[0]) is not None
        }
        if any(part.rank // policy.width == code and not part.admit(starts, ends)[0] for part in policy.coverages):
            found.add(self.outside)
        return tuple(self.names[place] for place in sorted(found))

    def policies(self, subject: Subject, start: np.datetime64, end: np.datetime64) -> Iterator[Policy]:
        """The subject's rules from `start` on, laid out further and further ahead."""
        for reach in REACHES:
            if end - start <= np.timedelta64(reach):
                yield self.laid_out(self.matched(subject), *stretch(start, reach))

    def policy(self, subject: Subject, start: np.datetime64, end: np.datetime64) -> Policy:
        """The subject's rules laid out so that [start, end) lies between."""
        reach = next((reach for reach in REACHES if end - start <= np.timedelta64(reach)), REACHES[-1])
        return self.laid_out(self.matched(subject), *stretch(start, reach))

    def laid_out(self, matched: Matched, since: np.datetime64, until: np.datetime64) -> Policy:
        key = (matched, since, until)
        if key not in self.cache:
            places = {one.place for one in matched.refusals}
            places |= {one.place for group in matched.openings for one in group}
            spans = {place: self.spans(place, since, until) for place in sorted(places)}
            self.cache[key] = Policy(matched, spans, len(self.named), self.outside, since, until)
        policy = self.cache[key]
        assert isinstance(policy, Policy)
        return policy

    def spans(self, place: int, since: np.datetime64, until: np.datetime64) -> Spans:
        """Those of the rule at a place that meet a stretch of time."""
        key = (place, since, until)
        if key not in self.cache:
            rule = self.named[place]
            assert rule is not None
            self.cache[key] = rule.spans(since, until)
        spans = self.cache[key]
        assert isinstance(spans, Spans)
        return spans

    def matched(self, subject: Subject) -> Matched:
        """Which rules are about the subject."""
        if subject not in self.cache:
            self.cache[subject] = Matched(tuple(self.refusals(subject)), self.openings(subject))
        matched = self.cache[subject]
        assert isinstance(matched, Matched)
        return matched

    def refusals(self, subject: Subject) -> Iterator[Refusal]:
        """What can refuse the subject: what is about any of its regions, since all have to be clear."""
        for place, rule in enumerate(self.named):
            effect = None if rule is None else rule.strength(subject.change_type)
            if rule and effect and any(rule.admits(subject, region) for region in subject.places()):
                yield Refusal(place, CODES[effect], isinstance(rule, Window) and rule.fit == "start")

    def openings(self, subject: Subject) -> tuple[tuple[Opening, ...], ...]:
        """The allow windows about each region of the subject, each such set once."""
        groups = [
            tuple(
                Opening(place, CODES[window.outside], window.fit == "start")
                for place, window in enumerate(self.windows)
                if window.kind == "allow" and window.admits(subject, region)
            )
            for region in subject.places()
        ]
        return tuple(dict.fromkeys(group for group in groups if group))


def stretch(start: np.datetime64, reach: timedelta) -> tuple[np.datetime64, np.datetime64]:
    """A stretch of whole months from that of `start` on, so that questions about one month share it."""
    since = start.astype("datetime64[M]").astype(MICROSECONDS)
    return since, since + np.timedelta64(reach) + np.timedelta64(timedelta(days=31))


def as_datetime(instant: np.datetime64) -> datetime:
    found: datetime = instant.astype(MICROSECONDS).item()
    return found


def unknown_regions(calendar: Calendar, subjects: Sequence[Subject]) -> list[str]:
    """The services of which no region is known, though a rule is about regions."""
    regional = any(rule is not None and (rule.scope.region or getattr(rule, "region", ())) for rule in calendar.named)
    return sorted({one.service for one in subjects if not one.regions}) if regional else []


def strange_regions(subjects: Sequence[Subject], served: Collection[str]) -> list[str]:
    """The regions of subjects that are none of those in which services run."""
    return sorted({region for one in subjects for region in one.regions} - set(served))


def vain_regions(calendar: Calendar, served: Collection[str]) -> list[tuple[str, str]]:
    """The regions of rules that are about none in which services run, each with the rule's id."""
    rules = [rule for rule in (*calendar.named, *calendar.cabs, *calendar.capacities) if rule is not None]
    asked = [(rule.id, globs) for rule in rules for globs in (rule.scope.region, getattr(rule, "region", ()))]
    return [
        (rule, glob) for rule, globs in asked for glob in globs if not any(fits(globs, region) for region in served)
    ]
