"""The plan: a start for every request or a reason for none, at the least total, with a bound that is proven."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from shipcast.scheduling.planner.engine import Effort, Engine, Progress, Solution
from shipcast.scheduling.planner.model import DEFERRED, Model, model_of
from shipcast.scheduling.planner.problem import Problem
from shipcast.scheduling.planner.reasons import Deferral, Standing
from shipcast.scheduling.planner.room import Room

DEFAULT_SECONDS = 10.0
Status = Literal["optimal", "complete", "interrupted"]


@dataclass(frozen=True)
class ReservedBlock:
    """Where a reserve lies: [start, end) in slots, free of all but emergencies."""

    environment: str
    start: int
    end: int


@dataclass(frozen=True)
class Plan:
    """The best plan found.

    Attributes
    ----------
    starts
        The start slot of every scheduled request.
    deferred
        The others, each with its reasons.
    objective
        The prices of all starts and deferrals.
    bound
        What no plan can cost less than.
    iterations
        Moves tried by the search.
    status
        `optimal`: bound and objective meet; `interrupted`: stopped before its time or iterations were spent.
    """

    starts: Mapping[str, int]
    deferred: tuple[Deferral, ...]
    reserved: tuple[ReservedBlock, ...]
    objective: float
    bound: float
    iterations: int
    status: Status

    @property
    def gap(self) -> float | None:
        """By what share of the bound the objective lies above it; None where the bound is 0 and the objective is not.

        Examples
        --------
        >>> Plan({}, (), (), objective=150.0, bound=100.0, iterations=0, status="complete").gap
        0.5
        """
        if self.objective <= self.bound:
            return 0.0
        return self.objective / self.bound - 1 if self.bound > 0 else None


def plan(
    problem: Problem,
    *,
    time_limit: float | None = None,
    iterations: int | None = None,
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Plan:
    """The best plan to be found within seconds, or within iterations, or 10 seconds if neither is given.

    A given number of iterations and seed always gives the same plan, unless a time limit ends it first. Stopping it, by
    `should_stop` or from the keyboard, gives the best plan so far; it is never dearer than the greedy one.

    Parameters
    ----------
    time_limit
        Seconds by the clock. The bound takes up to half of them.
    iterations
        Moves of the search; how far the bound is taken follows from it.
    progress
        Is told from time to time what the best plan costs and what the bound is.
    should_stop
        Is asked some hundred times a second.
    """
    if time_limit is None and iterations is None:
        time_limit = DEFAULT_SECONDS
    effort = Effort(time_limit, iterations, should_stop)
    engine = Engine(model_of(problem), effort, seed, progress)
    try:
        engine.run()
    except KeyboardInterrupt:
        effort.is_stopped = True
    engine.polish()
    return plan_of(problem, engine.solution, effort)


def plan_of(problem: Problem, solution: Solution, effort: Effort) -> Plan:
    """A solution in the words of the problem."""
    cost = solution.model.cost(solution.starts)
    is_optimal = cost - solution.bound <= 1e-9 * cost
    starts = named(problem, solution.starts)
    standing = Standing(problem, starts)
    return Plan(
        starts=starts,
        deferred=tuple(standing.deferral(item.id) for item in problem.requests if item.id not in starts),
        reserved=reserved_blocks(problem, solution.model, solution.starts),
        objective=cost,
        bound=cost if is_optimal else solution.bound,
        iterations=solution.iterations,
        status="optimal" if is_optimal else "interrupted" if effort.is_stopped else "complete",
    )


def named(problem: Problem, starts: Sequence[int]) -> dict[str, int]:
    """The starts of those that have one, by id."""
    return {item.id: start for item, start in zip(problem.requests, starts, strict=True) if start != DEFERRED}


def reserved_blocks(problem: Problem, model: Model, starts: Sequence[int]) -> tuple[ReservedBlock, ...]:
    """A block for every reserve: the first of the places that the plan leaves."""
    room = Room(model)
    room.load(list(starts))
    return tuple(
        ReservedBlock(reserve.environment, begin, begin + reserve.length)
        for reserve, begin in zip(problem.reserves, room.reserve_begins(), strict=True)
    )
