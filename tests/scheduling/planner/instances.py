"""Small random problems of many shapes, with every rule in them."""

import random

import numpy as np

from shipcast.scheduling.planner.problem import Capacity, Problem, Request, Reserve, Rule

SHAPES = ("mixed", "chain", "star", "funnel", "layers", "one service", "one slot", "huge", "flat", "free")


def instance(seed, size=None, slots=None):
    """A problem by seed; its shape follows from the seed."""
    draw = random.Random(seed)
    shape = SHAPES[seed % len(SHAPES)]
    size = size if size is not None else draw.randint(1, 14)
    slots = slots or draw.randint(6, 60)
    names = [f"r{number}" for number in range(size)]
    capacities = [Capacity(name, draw.choice([1, 1, 2, 3])) for name in ("red", "blue", "green")]
    if shape == "one slot":
        capacities[0] = Capacity("red", draw.choice([0, 1]))
    requests = [request(draw, shape, at, names, slots) for at in range(size)]
    reserves = []
    for place in range(draw.choice([0, 1, 2])):
        begin = draw.randint(-4, slots)
        end = begin + draw.randint(2, 24)
        reserves.append(Reserve(("live", "test")[place], begin, end, draw.randint(1, min(end - begin, 6))))
    return Problem(slots, tuple(requests), tuple(capacities), tuple(reserves))


def request(draw, shape, at, names, slots):
    allowed = np.array([draw.random() < 0.8 for _ in range(slots)])
    taken = tuple(name for name in ("red", "blue", "green") if draw.random() < 0.4)
    return Request(
        id=names[at],
        service="only" if shape == "one service" else draw.choice("abcdef"),
        environment=draw.choice(["live", "test"]),
        duration_minutes=draw.choice([60, 15 * slots, 40 * slots] if shape == "huge" else [5, 15, 20, 30, 50, 75]),
        prices=prices(draw, shape, slots),
        deferral_cost=draw.choice([0.0, 0.5, 5.0, 50.0]),
        rules=(Rule("hours", allowed),) if draw.random() < 0.5 else (),
        depends_on=dependencies(draw, shape, at, names),
        bake_minutes=draw.choice([0, 0, 10, 15, 60]),
        excludes=(draw.choice([name for name in names if name != names[at]]),) if at and draw.random() < 0.2 else (),
        capacities=("red",) if shape == "one slot" else taken,
        pinned=draw.randrange(slots) if draw.random() < 0.07 else None,
        is_emergency=draw.random() < 0.15,
    )


def prices(draw, shape, slots):
    if shape == "flat":
        return np.full(slots, draw.choice([0.0, 1.0]))
    if shape == "free":
        return np.zeros(slots)
    scale = draw.choice([1.0, 1.0, 1e6])
    row = np.array([draw.choice([draw.random(), draw.randint(0, 3), float(place)]) for place in range(slots)]) * scale
    row[[draw.random() < 0.15 for _ in range(slots)]] = np.inf
    return row


def dependencies(draw, shape, at, names):
    if not at:
        return ()
    if shape == "chain":
        return (names[at - 1],)
    if shape == "star":
        return (names[0],)
    if shape == "funnel":
        return tuple(names[:at]) if at == len(names) - 1 else ()
    if shape == "layers":
        return tuple(draw.sample(names[:at], min(at, draw.randint(0, 3))))
    return (draw.choice(names[:at]),) if draw.random() < 0.3 else ()
