"""Which requests cannot all be scheduled, wherever each of them is put, and what would make room for all of them.

A solver decides whether a few requests fit together. Its answer is used only where it is certain: without one there is
no clash to tell of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shipcast.scheduling.planner.model import Model, model_of
from shipcast.scheduling.planner.problem import Capacity, Problem, Request

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, IntVar

MOST_NEAR = 60  # requests that may be in the way, beyond which a solver takes minutes
EFFORT = 4.0  # the solver's own measure of work, so that no answer depends on the clock


@dataclass(frozen=True)
class Clash:
    """Requests that do not all find room, though they do without any one of them.

    `capacities`: each would make room for all of them if it took one more.
    """

    requests: tuple[str, ...]
    capacities: tuple[str, ...]

    def words(self) -> str:
        """One sentence.

        Examples
        --------
        >>> Clash(("a", "b", "c"), ("prod-eu",)).words()
        'these 3 need more prod-eu slots than there are: a, b, c'
        """
        names = ", ".join(self.requests)
        if not self.capacities:
            return f"these {len(self.requests)} do not all find room: {names}"
        return f"these {len(self.requests)} need more {' or '.join(self.capacities)} slots than there are: {names}"


def clash(problem: Problem, starts: Mapping[str, int], name: str) -> Clash | None:
    """The clash of a deferred request, or of what it depends on, with some of a plan, wherever all of them are put.

    None: it could be scheduled beside the others of the plan, which then costs more than its deferral as far as the
    search has seen; or no start is allowed to it at all, which `deferral` explains; or the solver could not say, as
    where more than `MOST_NEAR` may be in its way.
    """
    wanted = with_ancestors(problem, name)
    if not fits(problem, wanted):
        return None
    by_id = {request.id: request for request in problem.requests}
    mine = [by_id[other] for other in wanted]
    near = {other for other in starts if other not in wanted and shares(by_id[other], mine)}
    core = core_of(problem, wanted | near) if len(near) <= MOST_NEAR else None
    if core is None:
        return None
    least = least_core(problem, core)
    names = tuple(request.id for request in problem.requests if request.id in least)
    return Clash(names, tuple(capacity.name for capacity in problem.capacities if relieves(problem, least, capacity)))


def with_ancestors(problem: Problem, name: str) -> set[str]:
    """A request with all that it depends on."""
    wants = {request.id: request.depends_on for request in problem.requests}
    found, queue = {name}, [name]
    while queue:
        fresh = set(wants[queue.pop()]) - found
        found |= fresh
        queue += fresh
    return found


def shares(one: Request, others: Iterable[Request]) -> bool:
    """Whether a request may stand in the way of one of the others."""
    return any(
        (one.service, one.environment) == (two.service, two.environment)
        or not set(one.capacities).isdisjoint(two.capacities)
        or one.id in two.excludes
        or two.id in one.excludes
        for two in others
    )


def restricted(problem: Problem, names: Collection[str]) -> Problem:
    """The problem with some of its requests only."""
    return replace(
        problem,
        requests=tuple(
            replace(
                request,
                depends_on=tuple(other for other in request.depends_on if other in names),
                excludes=tuple(other for other in request.excludes if other in names),
            )
            for request in problem.requests
            if request.id in names
        ),
    )


def relieves(problem: Problem, core: Collection[str], capacity: Capacity) -> bool:
    """Whether one more of a capacity lets the whole core be scheduled, for certain."""
    more = replace(capacity, concurrent=capacity.concurrent + 1)
    capacities = tuple(more if item.name == more.name else item for item in problem.capacities)
    return fits(replace(problem, capacities=capacities), core)


def least_core(problem: Problem, core: Iterable[str]) -> list[str]:
    """The core without those that it needs not."""
    left = sorted(core)
    for other in list(left):
        if other in left:
            smaller = core_of(problem, [kept for kept in left if kept != other])
            left = left if smaller is None else [kept for kept in left if kept in smaller]
    return left


def fits(problem: Problem, names: Collection[str]) -> bool:
    """Whether all of them can be scheduled together, for certain."""
    return answer(restricted(problem, names)) == []


def core_of(problem: Problem, names: Collection[str]) -> list[str] | None:
    """Some of them that do not fit together; None where all do, or where the solver cannot say."""
    return answer(restricted(problem, names)) or None


def answer(problem: Problem) -> list[str] | None:
    """Requests that do not fit together, with what they depend on, or none if all do; None: the solver cannot say."""
    from ortools.sat.python import cp_model

    model, question = model_of(problem), cp_model.CpModel()
    chosen = [question.new_bool_var(request.id) for request in problem.requests]
    state(question, model, chosen)
    question.add_assumptions(chosen)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_deterministic_time = EFFORT
    status = solver.solve(question)
    if status == cp_model.INFEASIBLE:
        literals = set(solver.sufficient_assumptions_for_infeasibility())
        core = {item.id for item, variable in zip(problem.requests, chosen, strict=True) if variable.index in literals}
        return sorted(core.union(*(with_ancestors(problem, name) for name in core)))
    return [] if status in (cp_model.OPTIMAL, cp_model.FEASIBLE) else None


def state(question: CpModel, model: Model, chosen: list[IntVar]) -> None:
    """Put the rules to the solver; each binds only those that are chosen."""
    from ortools.sat.python import cp_model

    begins: dict[int, Any] = {}
    runs: dict[int, Any] = {}
    for at, is_chosen in enumerate(chosen):
        allowed = np.flatnonzero(np.isfinite(model.prices[at])).tolist()
        if not allowed:
            question.add(is_chosen == 0)
            continue
        domain = cp_model.Domain.from_values(allowed)
        begins[at] = question.new_int_var_from_domain(domain, f"begin {at}")
        runs[at] = question.new_optional_fixed_size_interval_var(
            begins[at], model.durations[at], is_chosen, f"run {at}"
        )
    for at in begins:
        for other in model.before[at]:
            if other in begins:
                order = question.add(begins[at] >= begins[other] + model.lags[other])
                order.only_enforce_if(chosen[at], chosen[other])
    for row in model.rows:
        mine = [runs[at] for at in row.members if at in runs]
        question.add_cumulative(mine, [1] * len(mine), row.concurrent)
    for block in model.blocks:
        mine = [runs[at] for at in block.members if at in runs]
        begin = question.new_int_var(block.begin, block.end - block.length, "reserve")
        kept = question.new_fixed_size_interval_var(begin, block.length, "reserve")
        question.add_cumulative([*mine, kept], [*[1] * len(mine), len(mine)], len(mine))
