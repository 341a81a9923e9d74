"""Why a request has no start: what stands in the way of each start while the rest of the plan stays, and what to lift.

Every start is counted once, for the first thing in its way, in the order of `KINDS`; so the counts add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shipcast.scheduling.planner.problem import Bools, Problem, Request, Reserve

Kind = Literal["price", "rule", "pinned", "dependency", "service", "exclusion", "capacity", "reserve", "deferral"]
WORDS: dict[Kind, str] = {
    "price": "without a price",
    "rule": "removed by {}",
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
    request = next(request for request in problem.requests if request.id == name)
    closed = list(obstacles(problem, starts, request))
    left = np.ones(problem.slots, dtype=np.bool_)
    reasons = []
    for obstacle, starts_closed in closed:
        count = int((left & starts_closed).sum())
        left = left & ~starts_closed
        if count:
            reasons.append(Reason(obstacle, count))
    if left.any():
        reasons.append(Reason(Obstacle("deferral"), int(left.sum())))
    if not problem.slots:
        return Deferral(name, (), (), None, None)
    number = np.sum([flags for _, flags in closed], axis=0) if closed else np.zeros(problem.slots, np.int64)
    start = int(np.lexsort((request.prices, number))[0])
    price = float(request.prices[start])
    lift = tuple(obstacle for obstacle, flags in closed if flags[start])
    return Deferral(name, tuple(reasons), lift, start, price if np.isfinite(price) else None)


def obstacles(problem: Problem, starts: Mapping[str, int], request: Request) -> Iterator[tuple[Obstacle, Bools]]:
    """Everything that closes starts to a request while the plan stays, each with the starts it closes."""
    found = [*own_obstacles(request), *neighbour_obstacles(problem, starts, request)]
    yield from ((obstacle, closed) for obstacle, closed in found if closed.any())


def own_obstacles(request: Request) -> Iterator[tuple[Obstacle, Bools]]:
    yield Obstacle("price"), ~np.isfinite(request.prices)
    yield from ((Obstacle("rule", rule.name), ~rule.allowed) for rule in request.rules)
    if request.pinned is not None:
        yield Obstacle("pinned"), np.arange(len(request.prices)) != request.pinned


def neighbour_obstacles(
    problem: Problem, starts: Mapping[str, int], request: Request
) -> Iterator[tuple[Obstacle, Bools]]:
    """What others of the plan close, and the reserves."""
    places = np.arange(problem.slots)
    running = [other for other in problem.requests if other.id in starts and other.id != request.id]
    for other in problem.requests:
        if other.id in request.depends_on:
            over = starts[other.id] + other.lag if other.id in starts else problem.slots
            yield Obstacle("dependency", other.id), places < over
    for other in running:
        if (other.service, other.environment) == (request.service, request.environment):
            yield Obstacle("service", other.id), meets(problem, request, starts[other.id], other.slots)
        if other.id in request.excludes or request.id in other.excludes:
            yield Obstacle("exclusion", other.id), meets(problem, request, starts[other.id], other.slots)
    for capacity in problem.capacities:
        if capacity.name in request.capacities:
            users = [other for other in running if capacity.name in other.capacities]
            full = usage(problem, starts, users) >= capacity.concurrent
            yield Obstacle("capacity", capacity.name), touched(problem, request, full)
    if not request.is_emergency:
        plain = [other for other in running if other.environment == request.environment and not other.is_emergency]
        taken = usage(problem, starts, plain) > 0
        for reserve in problem.reserves:
            if reserve.environment == request.environment:
                yield Obstacle("reserve", reserve_name(reserve)), leaves_no_place(problem, request, reserve, taken)


def reserve_name(reserve: Reserve) -> str:
    return f"{reserve.environment} from slot {reserve.begin}"


def meets(problem: Problem, request: Request, start: int, slots: int) -> Bools:
    """The starts from which the request would overlap with a run."""
    places = np.arange(problem.slots)
    return (places < start + slots) & (places + request.slots > start)


def spans(problem: Problem) -> int:
    return problem.slots + max(request.slots for request in problem.requests)


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


def leaves_no_place(problem: Problem, request: Request, reserve: Reserve, taken: Bools) -> Bools:
    """The starts from which the request would leave the reserve no block."""
    free = free_places(reserve, taken)
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
