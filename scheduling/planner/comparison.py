"""What a plan is held against: the same requests without looking ahead, or without looking at each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shipcast.scheduling.planner.baselines import first_free, greedy
from shipcast.scheduling.planner.model import DEFERRED, allowed_starts, model_of
from shipcast.scheduling.planner.problem import Problem
from shipcast.scheduling.planner.reasons import Kind, obstacles


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
    """How many scheduled requests stand against the rest of the plan, by kind of rule.

    Both of two that overlap count.
    """
    counts: dict[Kind, int] = {}
    for request in problem.requests:
        if request.id in starts:
            start = starts[request.id]
            kinds = {obstacle.kind for obstacle, closed in obstacles(problem, starts, request) if closed[start]}
            for kind in kinds:
                counts[kind] = counts.get(kind, 0) + 1
    return counts
