"""Why a request has no start: what stands in the way of each start while the rest of the plan stays, and what to lift.

Every start is counted once, for the first thing in its way, in the order of `KINDS`; so the counts add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shipcast.scheduling.planner.problem import Bools, Problem, Request, Reserve

Kind = Literal["price", "rule", "pinned", "dependency", "service", "exclusion", "capacity", "reserve", "deferral"]
WORDS: dict[Kind, str] = {
    "rule": "removed by {}",
    "price": "without a price",
    "pinned": "elsewhere than pinned",
    "dependency": "before {} is over",
    "service": "while {} runs, of the same service and environment",
    "exclusion": "while {} runs, which it excludes",
    "capacity": "beyond the capacity {}",
    "reserve": "in the reserve of {}",
    "deferral": "dearer than the deferral",
}


@dataclass(frozen=True, order=True)
class Obstacle:
    """Something that keeps a request from a start.

    `name` is that of the rule, of the other request, of the capacity, or of the reserve as environment and first slot.
    """

    kind: Kind
    name: str = ""

    def words(self) -> str:
        return WORDS[self.kind].format(self.name)


@dataclass(frozen=True)
class Reason:
    """So many starts go to this obstacle."""

    obstacle: Obstacle
    starts: int


@dataclass(frozen=True)
class Deferral:
    """Why a request has no start.

    Attributes
    ----------
    reasons
        All starts, counted by the first obstacle of each.
    lift
        The fewest obstacles whose lifting lets it start in this very plan; none if it may start anyway and only costs
        more than its deferral.
    start
        The cheapest start that lifting them opens; None if there are no slots at all.
    price
        What that start costs; None if it has no price.
    """

    id: str
    reasons: tuple[Reason, ...]
    lift: tuple[Obstacle, ...]
    start: int | None
    price: float | None

    def words(self) -> str:
        """One line.

        Examples
        --------
        >>> Deferral("r1", (Reason(Obstacle("rule", "freeze"), 672),), (Obstacle("rule", "freeze"),), 3, 1.0).words()
        'r1: 672 starts: 672 removed by freeze'
        """
        total = sum(reason.starts for reason in self.reasons)
        parts = ", ".join(f"{reason.starts} {reason.obstacle.words()}" for reason in self.reasons)
        return f"{self.id}: {total} starts: {parts}" if parts else f"{self.id}: no starts"


def deferral(problem: Problem, starts: Mapping[str, int], name: str) -> Deferral:
    """Why a request has no start in a plan."""
    return Standing(problem, starts).deferral(name)


class Standing:
    """A plan, and what it takes of the things that requests share.

    What is the same for every request without a start is worked out once.
    """

    def __init__(self, problem: Problem, starts: Mapping[str, int]) -> None:
        self.problem, self.starts = problem, starts
        self.by_id = {request.id: request for request in problem.requests}
        self.running = [request for request in problem.requests if request.id in starts]
        self.of_service: dict[tuple[str, str], list[Request]] = {}
        for request in self.running:
            self.of_service.setdefault((request.service, request.environment), []).append(request)
        self.excluding: dict[str, dict[str, None]] = {}
        for request in problem.requests:
            for other in request.excludes:
                self.excluding.setdefault(request.id, {})[other] = None
                self.excluding.setdefault(other, {})[request.id] = None

    @cached_property
    def full(self) -> dict[str, Bools]:
        """Of each capacity the slots in which nothing more may run."""
        return {
            capacity.name: self.usage([one for one in self.running if capacity.name in one.capacities])
            >= capacity.concurrent
            for capacity in self.problem.capacities
        }

    @cached_property
    def left(self) -> list[NDArray[np.int64]]:
        """Of each reserve the slots at which its block may still begin."""
        taken = {
            name: self.usage([one for one in self.running if one.environment == name and not one.is_emergency]) > 0
            for name in {reserve.environment for reserve in self.problem.reserves}
        }
        return [free_places(reserve, taken[reserve.environment]) for reserve in self.problem.reserves]

    def usage(self, users: list[Request]) -> NDArray[np.int64]:
        return usage(self.problem, self.starts, users)

    def deferral(self, name: str) -> Deferral:
        """Why a request has no start."""
        request, slots = self.by_id[name], self.problem.slots
        if not slots:
            return Deferral(name, (), (), None, None)
        closed = list(self.obstacles(request))
        left = np.ones(slots, dtype=np.bool_)
        reasons = []
        for obstacle, starts_closed in closed:
            count = int((left & starts_closed).sum())
            left = left & ~starts_closed
            if count:
                reasons.append(Reason(obstacle, count))
        if left.any():
            reasons.append(Reason(Obstacle("deferral"), int(left.sum())))
        number = np.sum([flags for _, flags in closed], axis=0) if closed else np.zeros(slots, np.int64)
        start = int(np.lexsort((request.prices, number))[0])
        price = float(request.prices[start])
        lift = tuple(obstacle for obstacle, flags in closed if flags[start])
        return Deferral(name, tuple(reasons), lift, start, price if np.isfinite(price) else None)

    def obstacles(self, request: Request) -> Iterator[tuple[Obstacle, Bools]]:
        """Everything that closes starts to a request while the plan stays, each with the starts it closes."""
        found = [*own_obstacles(request), *self.neighbours(request), *self.shared(request)]
        yield from ((obstacle, closed) for obstacle, closed in found if closed.any())

    def neighbours(self, request: Request) -> Iterator[tuple[Obstacle, Bools]]:
        """What it waits for, what runs of its service, and what it excludes."""
        places = np.arange(self.problem.slots)
        for name in dict.fromkeys(request.depends_on):
            other = self.by_id[name]
            over = self.starts[name] + other.lag if name in self.starts else self.problem.slots
            yield Obstacle("dependency", name), places < over
        for other in self.of_service.get((request.service, request.environment), ()):
            yield Obstacle("service", other.id), self.meets(request, other)
        for name in self.excluding.get(request.id, ()):
            if name in self.starts:
                yield Obstacle("exclusion", name), self.meets(request, self.by_id[name])

    def meets(self, request: Request, other: Request) -> Bools:
        return meets(self.problem, request, self.starts[other.id], other.slots)

    def shared(self, request: Request) -> Iterator[tuple[Obstacle, Bools]]:
        """The capacities it takes of, and the reserves it must keep off."""
        for capacity in self.problem.capacities:
            if capacity.name in request.capacities:
                yield Obstacle("capacity", capacity.name), touched(self.problem, request, self.full[capacity.name])
        if request.is_emergency or not self.problem.reserves:
            return
        for reserve, free in zip(self.problem.reserves, self.left, strict=True):
            if reserve.environment == request.environment:
                yield Obstacle("reserve", reserve_name(reserve)), leaves_no_place(self.problem, request, reserve, free)


def own_obstacles(request: Request) -> Iterator[tuple[Obstacle, Bools]]:
    yield from ((Obstacle("rule", rule.name), ~rule.allowed) for rule in request.rules)
    yield Obstacle("price"), ~np.isfinite(request.prices)
    if request.pinned is not None:
        yield Obstacle("pinned"), np.arange(len(request.prices)) != request.pinned


def reserve_name(reserve: Reserve) -> str:
    return f"{reserve.environment} from slot {reserve.begin}"


def meets(problem: Problem, request: Request, start: int, slots: int) -> Bools:
    """The starts from which the request would overlap with a run."""
    places = np.arange(problem.slots)
    return (places < start + slots) & (places + request.slots > start)


def spans(problem: Problem) -> int:
    return problem.slots + max((request.slots for request in problem.requests), default=0)


def usage(problem: Problem, starts: Mapping[str, int], users: list[Request]) -> NDArray[np.int64]:
    """How many of them run in each slot."""
    counts = np.zeros(spans(problem), np.int64)
    for user in users:
        counts[starts[user.id] : starts[user.id] + user.slots] += 1
    return counts


def touched(problem: Problem, request: Request, full: Bools) -> Bools:
    """The starts from which the request would run in one of these slots."""
    so_far = np.append(0, np.cumsum(full))
    return np.asarray(so_far[request.slots :][: problem.slots] > so_far[: problem.slots])


def leaves_no_place(problem: Problem, request: Request, reserve: Reserve, free: NDArray[np.int64]) -> Bools:
    """The starts from which the request would leave the reserve no block, which may begin at the free places."""
    if not len(free):
        return np.ones(problem.slots, dtype=np.bool_)
    places = np.arange(problem.slots)
    closed: Bools = (places < free.max() + reserve.length) & (places + request.slots > free.max())
    closed &= (places < free.min() + reserve.length) & (places + request.slots > free.min())
    return closed


def free_places(reserve: Reserve, taken: Bools) -> NDArray[np.int64]:
    """The slots at which the reserve's block may begin beside what is taken; slots that are not planned are free."""
    begins = np.arange(reserve.begin, reserve.end - reserve.length + 1)
    so_far = np.append(0, np.cumsum(taken))
    low, high = (np.clip(ends, 0, len(taken)) for ends in (begins, begins + reserve.length))
    return np.asarray(begins[so_far[high] == so_far[low]], np.int64)


def lifted(problem: Problem, name: str, obstacles: tuple[Obstacle, ...]) -> Problem:
    """The problem in which these obstacles of a request are gone: what a reason claims, to be checked.

    A capacity takes one more; rules, a pin, dependencies, exclusions and the service no longer bind the request, and
    a reserve is not kept.
    """
    capacities = {obstacle.name for obstacle in obstacles if obstacle.kind == "capacity"}
    reserves = {obstacle.name for obstacle in obstacles if obstacle.kind == "reserve"}
    return replace(
        problem,
        requests=tuple(freed(request, name, obstacles) for request in problem.requests),
        capacities=tuple(
            replace(item, concurrent=item.concurrent + 1) if item.name in capacities else item
            for item in problem.capacities
        ),
        reserves=tuple(item for item in problem.reserves if reserve_name(item) not in reserves),
    )


def freed(request: Request, name: str, obstacles: tuple[Obstacle, ...]) -> Request:
    """A request as it is without the obstacles of the one called `name`."""
    names: dict[str, set[str]] = {}
    for obstacle in obstacles:
        names.setdefault(obstacle.kind, set()).add(obstacle.name)
    if request.id != name:
        excluded = names.get("exclusion", set())
        mutual = tuple(other for other in request.excludes if other != name or request.id not in excluded)
        return replace(request, excludes=mutual)
    prices = np.where(np.isfinite(request.prices), request.prices, 0.0) if "price" in names else request.prices
    return replace(
        request,
        prices=prices,
        service=f"{request.service}, freed" if "service" in names else request.service,
        rules=tuple(rule for rule in request.rules if rule.name not in names.get("rule", set())),
        pinned=None if "pinned" in names else request.pinned,
        depends_on=tuple(other for other in request.depends_on if other not in names.get("dependency", set())),
        excludes=tuple(other for other in request.excludes if other not in names.get("exclusion", set())),
    )
