"""The least cost of a small problem by a solver, from the rules as they are written."""

import numpy as np
from ortools.sat.python import cp_model

SCALE = 1_000_000


def least_cost(problem):
    """What the best plan costs, to a hundred-thousandth; every rule is stated start by start and slot by slot."""
    question = cp_model.CpModel()
    worth = sum(request.deferral_cost for request in problem.requests)
    starts = {request.id: literals(question, request, worth) for request in problem.requests}
    chosen = {name: sum(mine.values()) for name, mine in starts.items()}
    for mine in starts.values():
        question.add_at_most_one(mine.values())
    for request in problem.requests:
        dependencies(question, problem, request, starts, chosen)
    crowds(question, problem, starts)
    reserves(question, problem, starts)
    question.minimize(
        sum(
            digits(request.deferral_cost) * (1 - chosen[request.id])
            + sum(digits(request.prices[t]) * x for t, x in starts[request.id].items())
            for request in problem.requests
        )
    )
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    assert solver.solve(question) == cp_model.OPTIMAL
    return solver.objective_value / SCALE


def digits(price):
    return round(float(price) * SCALE)


def literals(question, request, worth):
    """The starts that may be part of the best plan: none that costs more than to defer all."""
    allowed = [
        t
        for t in np.flatnonzero(request.prices <= worth).tolist()
        if request.pinned in (None, t) and all(rule.allowed[t] for rule in request.rules)
    ]
    return {t: question.new_bool_var(f"{request.id} at {t}") for t in allowed}


def dependencies(question, problem, request, starts, chosen):
    by_id = {one.id: one for one in problem.requests}
    for name in request.depends_on:
        question.add(chosen[request.id] <= chosen[name])
        takes = by_id[name].duration_minutes + by_id[name].bake_minutes
        for t, x in starts[request.id].items():
            for u, y in starts[name].items():
                if 15 * u + takes > 15 * t:
                    question.add_at_most_one([x, y])


def running(problem, starts, users, slot):
    return [
        x for one in users for t, x in starts[one.id].items() if t <= slot and 15 * t + one.duration_minutes > 15 * slot
    ]


def crowds(question, problem, starts):
    longest = max(request.slots for request in problem.requests)
    groups = [
        ([one for one in problem.requests if item.name in one.capacities], item.concurrent)
        for item in problem.capacities
    ]
    for a in problem.requests:
        groups += [
            ([a, b], 1)
            for b in problem.requests
            if a.id != b.id and (b.id in a.excludes or (a.service, a.environment) == (b.service, b.environment))
        ]
    for users, limit in groups:
        for slot in range(problem.slots + longest):
            question.add(sum(running(problem, starts, users, slot)) <= limit)


def reserves(question, problem, starts):
    for reserve in problem.reserves:
        users = [one for one in problem.requests if one.environment == reserve.environment and not one.is_emergency]
        begins = {t: question.new_bool_var(f"at {t}") for t in range(reserve.begin, reserve.end - reserve.length + 1)}
        question.add_exactly_one(begins.values())
        for begin, is_there in begins.items():
            for slot in range(begin, begin + reserve.length):
                for x in running(problem, starts, users, slot):
                    question.add_at_most_one([x, is_there])
