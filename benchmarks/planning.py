"""Made-up planning problems of any size, with every rule in them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from shipcast.scheduling.planner.problem import Capacity, Problem, Request, Reserve, Rule

DAY = 96


@dataclass(frozen=True)
class World:
    """How crowded and how tied a made-up problem is.

    Parameters
    ----------
    room
        Slots that each environment has at least for each slot that requests need of it, the whole week round; below 1
        some must be deferred.
    tied
        Share of requests that depend on one before.
    """

    size: int
    days: int = 7
    room: float = 2.0
    tied: float = 0.35


def made_up(world: World, seed: int) -> Problem:
    """A problem in which services of several teams want quiet hours of two production environments and staging."""
    rng = np.random.default_rng(seed)
    slots = world.days * DAY
    services = max(world.size // 4, 2)
    teams = max(services // 6, 1)
    minutes = rng.choice(
        [10, 15, 20, 30, 45, 60, 90, 120, 180], world.size, p=[0.1, 0.15, 0.1, 0.2, 0.15, 0.15, 0.08, 0.05, 0.02]
    )
    service = rng.integers(0, services, world.size)
    environment = rng.choice(["prod-eu", "prod-us", "staging"], world.size, p=[0.45, 0.35, 0.2])
    names = [f"r{number:04d}" for number in range(world.size)]
    need = {name: float(np.ceil(minutes[environment == name] / 15).sum()) for name in set(environment.tolist())}
    capacities = [Capacity(name, math.ceil(world.room * need[name] / slots)) for name in sorted(need)] + [
        Capacity(f"team-{team}", int(rng.integers(1, 3))) for team in range(teams)
    ]
    shared = max(world.size // 40, 1)
    capacities += [Capacity(f"resource-{number}", 1) for number in range(shared)]
    curves = service_curves(rng, services, slots)
    requests = []
    depth = np.zeros(world.size)
    for at, name in enumerate(names):
        prices = curves[service[at]] * rng.lognormal(0, 0.7)
        prices = np.roll(prices, int(rng.integers(-4, 5))) * rng.lognormal(0, 0.05, slots)
        earlier = []
        if at and rng.random() < world.tied:
            count = 1 + (rng.random() < 0.15)
            pool = np.arange(max(at - 12, 0), at)
            pool = pool[depth[pool] < 5]
            if len(pool):
                earlier = sorted({int(other) for other in rng.choice(pool, count)})
                depth[at] = max(depth[other] for other in earlier) + 1
        taken = [str(environment[at]), f"team-{service[at] % teams}"]
        if rng.random() < 0.1:
            taken.append(f"resource-{rng.integers(shared)}")
        rules = random_rules(rng, slots, int(np.ceil(minutes[at] / 15)))
        allowed = np.logical_and.reduce([rule.allowed for rule in rules])
        cheapest = prices[allowed] if allowed.any() else prices
        requests.append(
            Request(
                id=name,
                service=f"service-{service[at]}",
                environment=str(environment[at]),
                duration_minutes=int(minutes[at]),
                prices=prices,
                deferral_cost=3 * float(cheapest.max()),
                rules=tuple(rules),
                depends_on=tuple(names[other] for other in earlier),
                bake_minutes=int(rng.choice([0, 0, 30, 60, 240])),
                excludes=(names[int(rng.integers(at))],) if at and rng.random() < 0.06 else (),
                capacities=tuple(taken),
                pinned=int(rng.choice(np.flatnonzero(allowed))) if allowed.any() and rng.random() < 0.02 else None,
                is_emergency=bool(rng.random() < 0.03),
            )
        )
    reserves = [
        Reserve(name, day * DAY + 24, day * DAY + 88, 4) for name in ("prod-eu", "prod-us") for day in range(world.days)
    ]
    return Problem(slots, tuple(requests), tuple(capacities), tuple(reserves))


def service_curves(rng: np.random.Generator, services: int, slots: int) -> np.ndarray:
    """What a start costs each service: busy days, quiet nights and weekends, each with its own clock."""
    hour = np.arange(slots) / 4
    peak = rng.choice([13.0, 14.0, 19.0], services)[:, None] + rng.normal(0, 1, (services, 1))
    day = 1.2 + np.cos((hour[None, :] - peak) / 24 * 2 * np.pi)
    staffed = 1 + rng.uniform(0.3, 2.0, (services, 1)) * ~((hour % 24 >= 9) & (hour % 24 < 17) & (hour // 24 % 7 < 5))
    weekend = np.where(hour // 24 % 7 >= 5, rng.uniform(0.4, 0.9, (services, 1)), 1.0)
    return rng.lognormal(2, 1, (services, 1)) * day * staffed * weekend


def random_rules(rng: np.random.Generator, slots: int, length: int) -> list[Rule]:
    """A window of some days, now and then business hours and a freeze; the whole deployment must keep them."""
    days = slots // DAY
    begin = int(rng.integers(0, max(days - 2, 1))) * DAY if rng.random() < 0.3 else 0
    end = min(begin + int(rng.integers(3, 6)) * DAY, slots) if rng.random() < 0.3 else slots
    at = np.arange(slots)
    rules = [Rule("window", (at >= begin) & (at + length <= end))]
    if rng.random() < 0.3:
        closed = (at % DAY >= 36) & (at % DAY < 68) & (at // DAY % 7 < 5)
        rules.append(Rule("business-hours", ~smeared(closed, length)))
    if rng.random() < 0.2:
        day = int(rng.integers(days))
        rules.append(Rule("freeze", ~smeared((at // DAY == day), length)))
    return rules


def smeared(closed: np.ndarray, length: int) -> np.ndarray:
    """The starts from which a run of so many slots meets a closed one."""
    met = closed.copy()
    for step in range(1, length):
        met[:-step] |= closed[step:]
    return met
