"""What a plan must keep, in minutes and one rule after the other; shares nothing with the planner but its words."""

import math
from itertools import combinations

QUARTER = 15


def violations(problem, starts, blocks=None):
    """Every rule that a plan breaks, as text; `blocks` are the reserved ones, None: each must have some place."""
    requests = {request.id: request for request in problem.requests}
    runs = {
        name: (start * QUARTER, start * QUARTER + requests[name].duration_minutes) for name, start in starts.items()
    }
    return [
        *(text for name, start in starts.items() for text in own(requests[name], start, starts, runs)),
        *pairs(requests, runs),
        *crowds(problem, requests, runs),
        *reserves(problem, requests, runs, blocks),
    ]


def own(request, start, starts, runs):
    if not math.isfinite(request.prices[start]):
        yield f"{request.id} starts without a price"
    for rule in request.rules:
        if not rule.allowed[start]:
            yield f"{request.id} starts against {rule.name}"
    if request.pinned not in (None, start):
        yield f"{request.id} is not where it is pinned"
    for other in request.depends_on:
        if other not in starts:
            yield f"{request.id} runs without {other}"


def pairs(requests, runs):
    for a, b in combinations(runs, 2):
        one, two = requests[a], requests[b]
        overlap = quarters(runs[a]) & quarters(runs[b])
        if overlap and (one.service, one.environment) == (two.service, two.environment):
            yield f"{a} and {b} overlap in one service and environment"
        if overlap and (b in one.excludes or a in two.excludes):
            yield f"{a} and {b} overlap and exclude each other"
    for name, (begin, _) in runs.items():
        for other in requests[name].depends_on:
            if other in runs and runs[other][1] + requests[other].bake_minutes > begin:
                yield f"{name} begins before {other} has baked"


def quarters(run):
    """The quarter hours in which something runs, were it for a minute."""
    return set(range(int(run[0] // QUARTER), math.ceil(run[1] / QUARTER)))


def crowds(problem, requests, runs):
    for capacity in problem.capacities:
        mine = [runs[name] for name in runs if capacity.name in requests[name].capacities]
        for begin, _ in mine:
            if sum(start <= begin < end for start, end in mine) > capacity.concurrent:
                yield f"more than {capacity.concurrent} of {capacity.name} at minute {begin}"


def reserves(problem, requests, runs, blocks):
    for number, reserve in enumerate(problem.reserves):
        taken = set()
        for name, run in runs.items():
            if requests[name].environment == reserve.environment and not requests[name].is_emergency:
                taken |= quarters(run)
        places = range(reserve.begin, reserve.end - reserve.length + 1)
        if blocks is not None:
            block = blocks[number]
            if block.end - block.start != reserve.length or block.start not in places:
                yield f"the block of reserve {number} does not lie in its window"
            places = [block.start]
        if not any(taken.isdisjoint(range(place, place + reserve.length)) for place in places):
            yield f"reserve {number} of {reserve.environment} is not free"


def cost(problem, starts):
    """What a plan costs."""
    return sum(
        request.prices[starts[request.id]] if request.id in starts else request.deferral_cost
        for request in problem.requests
    )
