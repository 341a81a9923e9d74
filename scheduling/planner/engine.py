"""From a problem to a plan: a bound with plans made on the way, then a search from the best of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from shipcast.models.posterior import Floats
from shipcast.scheduling.planner.baselines import first_free, greedy
from shipcast.scheduling.planner.bound import Bound
from shipcast.scheduling.planner.choices import Choices, cheapest, slot_table
from shipcast.scheduling.planner.construction import Builder
from shipcast.scheduling.planner.model import DEFERRED, Model
from shipcast.scheduling.planner.room import Room, between
from shipcast.scheduling.planner.search import Search

BOUND_SHARE = 0.4
BOUND_STEPS = 600
BATCH = 25
HOT, COLD = 0.02, 0.0005


@dataclass(frozen=True)
class Progress:
    """How far the planner is: the best plan's cost, and the bound, so far."""

    iterations: int
    objective: float
    bound: float


@dataclass
class Effort:
    """How much is spent: a number of iterations, or seconds, whichever ends first."""

    time_limit: float | None
    iterations: int | None
    should_stop: Callable[[], bool] | None = None
    begun: float = field(default_factory=time.monotonic)
    is_stopped: bool = False

    def asked_to_stop(self) -> bool:
        self.is_stopped = self.is_stopped or (self.should_stop is not None and self.should_stop())
        return self.is_stopped

    def spent(self) -> float:
        """The share of the time that is spent; 0 without a limit."""
        if self.time_limit is None:
            return 0.0
        return (time.monotonic() - self.begun) / self.time_limit if self.time_limit > 0 else 1.0

    def steps(self) -> int:
        """How many steps the bound may take."""
        return BOUND_STEPS if self.iterations is None else min(BOUND_STEPS, 20 + self.iterations // 40)


@dataclass
class Solution:
    """The best plan so far and the bound, as they grow."""

    model: Model
    starts: list[int]
    cost: float
    bound: float = 0.0
    iterations: int = 0

    def offer(self, starts: list[int]) -> None:
        """Take a plan over if it is cheaper."""
        cost = self.model.cost(starts)
        if cost < self.cost:
            self.starts, self.cost = list(starts), cost

    def is_proven(self) -> bool:
        return self.cost - self.bound <= 1e-9 * abs(self.cost)


class Engine:
    """The steps from a model to a solution, of which each leaves a valid plan and a valid bound behind."""

    def __init__(self, model: Model, effort: Effort, seed: int, progress: Callable[[Progress], None] | None) -> None:
        self.model, self.effort, self.seed, self.progress = model, effort, seed, progress
        starts = greedy(model)
        self.solution = Solution(model, starts, model.cost(starts))
        self.solution.offer(first_free(model))

    def run(self) -> None:
        if self.model.size and self.model.slots:
            self.improve(self.raise_bound())
        else:
            self.solution.bound = self.solution.cost

    def report(self) -> None:
        if self.progress is not None:
            solution = self.solution
            self.progress(Progress(solution.iterations, solution.cost, min(solution.bound, solution.cost)))

    def raise_bound(self) -> Floats:
        """Raise the bound, and build plans by its tolls; the prices with the tolls of the best bound."""
        solution, effort = self.solution, self.effort
        bound, builder = Bound(self.model), Builder(self.model)
        solution.bound, due = bound.value, 1
        while not effort.asked_to_stop():
            if bound.steps >= due:
                due = 2 * bound.steps
                for starts in builder.plans(bound.guide()):
                    solution.offer(starts)
                self.report()
            if effort.spent() >= BOUND_SHARE or bound.steps >= effort.steps() or not bound.step(solution.cost):
                break
            solution.bound = max(solution.bound, bound.value)
        guide = bound.guide()
        for starts in builder.plans(guide):
            solution.offer(starts)
        return guide

    def polish(self) -> None:
        """Schedule what was deferred although a start is left that costs less."""
        room = Room(self.model)
        room.load(self.solution.starts)
        table = slot_table(self.model.slots)
        for at in self.model.order:
            if room.starts[at] == DEFERRED and all(room.starts[other] == DEFERRED for other in self.model.after[at]):
                choices = Choices(self.model.prices[at], table)
                start = cheapest(choices, between(room.open(at), *room.span(at)))
                if start != DEFERRED and self.model.prices[at, start] < self.model.deferrals[at]:
                    room.insert(at, start)
        self.solution.offer(room.starts)

    def improve(self, guide: Floats) -> None:
        """Search from the best plan on, with ever less heat."""
        solution, effort = self.solution, self.effort
        search = Search(self.model, solution.starts, guide, self.seed)
        unit = max(sum(search.favourites), 1e-12) / self.model.size
        begun = effort.spent()
        while not (effort.asked_to_stop() or solution.is_proven()):
            if effort.iterations is not None:
                done = solution.iterations / effort.iterations if effort.iterations else 1.0
            else:
                done = (effort.spent() - begun) / max(1 - begun, 1e-9)
            if done >= 1 or effort.spent() >= 1:
                break
            temperature = unit * HOT * (COLD / HOT) ** done
            for _ in range(BATCH if effort.iterations is None else min(BATCH, effort.iterations - solution.iterations)):
                search.step(temperature)
                solution.iterations += 1
            if search.best_cost < solution.cost:
                solution.offer(search.best)  # which adds its cost up anew
            if solution.iterations % (BATCH * 20) == 0:
                self.report()
        self.report()
