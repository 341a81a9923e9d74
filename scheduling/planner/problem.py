"""What is asked: requests, the capacities they share, and the reserves that are kept free for emergencies.

Time is counted in slots, quarter hours from the first start that may be planned. A request runs in
[start, start + duration) and starts at a slot; so two of them overlap if and only if their whole slots do, and a
deployment of 20 minutes takes two.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import numpy as np
from numpy.typing import NDArray

from shipcast.models.posterior import Floats
from shipcast.scheduling.planner.errors import CyclicDependency, ProblemRefused

Bools = NDArray[np.bool_]
SLOT_MINUTES = 15


def slots_of(minutes: float) -> int:
    """The whole slots that so many minutes take.

    Examples
    --------
    >>> slots_of(15), slots_of(20), slots_of(0)
    (1, 2, 0)
    """
    return math.ceil(minutes / SLOT_MINUTES)


@dataclass(frozen=True, eq=False)
class Rule:
    """Something with a name that allows some starts of a request, and no others."""

    name: str
    allowed: Bools


@dataclass(frozen=True, eq=False)
class Request:
    """One change that wants a start.

    Parameters
    ----------
    prices
        The price of every start slot, at least 0; infinite: not allowed.
    deferral_cost
        The price of no start.
    rules
        What else has to allow a start; the names are those that reasons give.
    depends_on
        Requests that must be scheduled too, and must have ended and baked before this one starts.
    bake_minutes
        How long this one bakes after its end before anything that depends on it may start.
    excludes
        Requests that must not overlap with this one; one side need say it.
    capacities
        Names of the capacities of which it takes one while it runs.
    pinned
        The only slot at which it may start; None: any.
    is_emergency
        Whether it may run in the reserve.
    """

    id: str
    service: str
    environment: str
    duration_minutes: float
    prices: Floats
    deferral_cost: float
    rules: tuple[Rule, ...] = ()
    depends_on: tuple[str, ...] = ()
    bake_minutes: float = 0
    excludes: tuple[str, ...] = ()
    capacities: tuple[str, ...] = ()
    pinned: int | None = None
    is_emergency: bool = False

    @property
    def slots(self) -> int:
        """How many slots it runs in."""
        return slots_of(self.duration_minutes)

    @property
    def lag(self) -> int:
        """How many slots after its start the first start of what depends on it lies."""
        return slots_of(self.duration_minutes + self.bake_minutes)


@dataclass(frozen=True)
class Capacity:
    """At most `concurrent` of the requests that name it run at once."""

    name: str
    concurrent: int


@dataclass(frozen=True)
class Reserve:
    """A block of `length` slots somewhere in [begin, end) in which only emergencies run in the environment.

    One per day; its window may reach beyond the slots that are planned, and so may the block. Two reserves of one
    environment may lie on each other.

    Parameters
    ----------
    rule
        What asks for it.
    """

    environment: str
    begin: int
    end: int
    length: int
    rule: str = ""


@dataclass(frozen=True, eq=False)
class Problem:
    """Requests that want starts in slots 0 to `slots` - 1, with what they share."""

    slots: int
    requests: tuple[Request, ...]
    capacities: tuple[Capacity, ...] = ()
    reserves: tuple[Reserve, ...] = ()

    def __post_init__(self) -> None:
        for fault in faults(self):
            raise ProblemRefused(fault)
        check_order(self)


def faults(problem: Problem) -> Iterator[str]:
    """What is wrong with a problem, beyond the order of its requests."""
    ids = {request.id for request in problem.requests}
    names = {capacity.name for capacity in problem.capacities}
    yield from (f"two requests are called {name}" for name in doubles(request.id for request in problem.requests))
    yield from (f"two capacities are called {name}" for name in doubles(item.name for item in problem.capacities))
    for capacity in problem.capacities:
        if capacity.concurrent < 0:
            yield f"capacity {capacity.name}: concurrent must be at least 0. Got {capacity.concurrent} instead."
    for reserve in problem.reserves:
        if not 0 < reserve.length <= reserve.end - reserve.begin:
            yield (
                f"reserve of {reserve.environment}: {reserve.length} slots do not fit between slots"
                f" {reserve.begin} and {reserve.end}"
            )
    for request in problem.requests:
        yield from (f"{request.id}: {fault}" for fault in request_faults(request, problem.slots, ids, names))


def request_faults(request: Request, slots: int, ids: set[str], names: set[str]) -> Iterator[str]:
    """What is wrong with one request."""
    if not 0 < request.duration_minutes < math.inf:
        yield f"duration_minutes must be above 0 and finite. Got {request.duration_minutes} instead."
    if not 0 <= request.bake_minutes < math.inf:
        yield f"bake_minutes must be at least 0 and finite. Got {request.bake_minutes} instead."
    if not 0 <= request.deferral_cost < math.inf:
        yield f"deferral_cost must be at least 0 and finite. Got {request.deferral_cost} instead."
    if request.prices.shape != (slots,):
        yield f"prices must be one for each of {slots} slots. Got {request.prices.shape} instead."
    elif not (request.prices >= 0).all():
        yield "prices must be at least 0, or infinite where no start is allowed."
    for rule in request.rules:
        if rule.allowed.shape != (slots,):
            yield f"rule {rule.name} must speak of each of {slots} slots. Got {rule.allowed.shape} instead."
    yield from (f"depends on {name}, which is no request" for name in request.depends_on if name not in ids)
    yield from (f"excludes {name}, which is no request" for name in request.excludes if name not in ids)
    if request.id in request.excludes:
        yield "excludes itself"
    yield from (f"takes of {name}, which is no capacity" for name in request.capacities if name not in names)


def doubles(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def check_order(problem: Problem) -> None:
    """Raise where requests wait for each other."""
    try:
        TopologicalSorter({request.id: request.depends_on for request in problem.requests}).prepare()
    except CycleError as error:
        raise CyclicDependency(error.args[1][:0:-1]) from None
