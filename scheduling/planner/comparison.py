"""What a plan is held against: the same requests without looking ahead, or without looking at each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shipcast.scheduling.planner.baselines import first_free, greedy
from shipcast.scheduling.planner.model import DEFERRED, allowed_starts, model_of
from shipcast.scheduling.planner.problem import Capacity, Problem, Request, Reserve
from shipcast.scheduling.planner.reasons import Kind, free_places, usage


@dataclass(frozen=True)
class Comparison:
    """Another way to give starts.

    Attributes
    ----------
    objective
        The prices of all starts and deferrals.
    broken
        How many requests break a rule of each kind there, by kind; empty for plans that keep all rules.
    """

    starts: Mapping[str, int]
    objective: float
    broken: Mapping[Kind, int]


def compared(problem: Problem) -> dict[str, Comparison]:
    """The other ways by name.

    `greedy`: each in its turn at the cheapest start that is left. `first free`: each in its turn as soon as there is
    room. `alone`: each at its cheapest start, as if there were no others; this one breaks rules.
    """
    model = model_of(problem)
    ways = {"greedy": greedy(model), "first free": first_free(model), "alone": favourites(problem)}
    return {name: comparison(problem, starts) for name, starts in ways.items()}


def favourites(problem: Problem) -> list[int]:
    """Each at its cheapest start, as if there were no others; deferred if that costs less."""
    starts = []
    for request in problem.requests:
        prices = np.where(allowed_starts(request), request.prices, np.inf)
        start = int(prices.argmin()) if problem.slots else DEFERRED
        starts.append(start if problem.slots and prices[start] < request.deferral_cost else DEFERRED)
    return starts


def comparison(problem: Problem, starts: Sequence[int]) -> Comparison:
    named = {item.id: start for item, start in zip(problem.requests, starts, strict=True) if start != DEFERRED}
    objective = sum(
        float(item.prices[named[item.id]]) if item.id in named else item.deferral_cost for item in problem.requests
    )
    return Comparison(named, objective, broken_rules(problem, named))


def broken_rules(problem: Problem, starts: Mapping[str, int]) -> dict[Kind, int]:
    """How many scheduled requests stand against others or against a reserve, by kind of rule.

    All of those count that overlap where one too many runs, and all that run in the window of a reserve without a
    place.
    """
    running = [request for request in problem.requests if request.id in starts]
    found: dict[Kind, set[str]] = {
        "dependency": {request.id for request in running if is_early(request, running, starts)},
        "service": set().union(*(meeting(group, starts) for group in by_service(running).values())),
        "exclusion": {
            name
            for request in running
            for other in running
            if other.id in request.excludes
            for name in meeting([request, other], starts)
        },
        "capacity": set().union(*(crowded(problem, item, running, starts) for item in problem.capacities)),
        "reserve": set().union(*(in_the_way(problem, reserve, running, starts) for reserve in problem.reserves)),
    }
    return {kind: len(names) for kind, names in found.items() if names}


def is_early(request: Request, running: Sequence[Request], starts: Mapping[str, int]) -> bool:
    """Whether something it depends on is deferred, or not over and baked, when it starts."""
    if not request.depends_on:
        return False
    over = {other.id: starts[other.id] + other.lag for other in running if other.id in request.depends_on}
    return len(over) < len(set(request.depends_on)) or starts[request.id] < max(over.values())


def by_service(running: Sequence[Request]) -> dict[tuple[str, str], list[Request]]:
    groups: dict[tuple[str, str], list[Request]] = {}
    for request in running:
        groups.setdefault((request.service, request.environment), []).append(request)
    return groups


def meeting(group: Sequence[Request], starts: Mapping[str, int]) -> set[str]:
    """Those that overlap with another of the group."""
    return {
        one.id
        for one in group
        for two in group
        if one is not two
        and starts[one.id] < starts[two.id] + two.slots
        and starts[two.id] < starts[one.id] + one.slots
    }


def crowded(problem: Problem, capacity: Capacity, running: Sequence[Request], starts: Mapping[str, int]) -> set[str]:
    """Those that run while a capacity is overrun."""
    users = [request for request in running if capacity.name in request.capacities]
    counts = usage(problem, starts, users)
    return {
        user.id for user in users if counts[starts[user.id] : starts[user.id] + user.slots].max() > capacity.concurrent
    }


def in_the_way(problem: Problem, reserve: Reserve, running: Sequence[Request], starts: Mapping[str, int]) -> set[str]:
    """Those that run in the window of a reserve which finds no place in it."""
    plain = [one for one in running if one.environment == reserve.environment and not one.is_emergency]
    if len(free_places(reserve, usage(problem, starts, plain) > 0)):
        return set()
    return {one.id for one in plain if starts[one.id] < reserve.end and starts[one.id] + one.slots > reserve.begin}
