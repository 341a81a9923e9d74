"""The cheapest starts for requests that hang together by dependencies, while all others stay: a dynamic programme.

Exact where the dependencies among them form a tree and they don't stand in each other's way; where they do, those
placed first push the later ones aside, which still gives a plan that keeps every rule.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from shipcast.models.posterior import Floats
from shipcast.scheduling.planner.model import DEFERRED
from shipcast.scheduling.planner.problem import Bools
from shipcast.scheduling.planner.room import Room, between


def flags_of(bits: int, length: int) -> Bools:
    """The lowest `length` bits as flags, the lowest first."""
    octets = np.frombuffer(bits.to_bytes(length + 7 >> 3, "little"), np.uint8)
    return np.unpackbits(octets, count=length, bitorder="little").view(np.bool_)


class Tree:
    """Requests without starts, connected by dependencies without a circle in any direction.

    `costs[at]` is what the part of the tree below a request costs for each of its starts, `idle[at]` what it costs
    where the request is deferred.
    """

    def __init__(self, room: Room, members: Collection[int], prices: Floats | None = None) -> None:
        self.room = room
        self.prices = room.model.prices if prices is None else prices
        self.inside = set(members)
        self.costs: dict[int, Floats] = {}
        self.idle: dict[int, float] = {}
        self.order: list[tuple[int, int]] = []  # each with the one above it
        queue = [(next(iter(members)), -1)]
        while queue:
            at, above = queue.pop()
            self.order.append((at, above))
            queue += [(other, at) for other in self.neighbours(at) if other != above]
        for at, above in reversed(self.order):
            self.collect(at, above)

    def neighbours(self, at: int) -> list[int]:
        model = self.room.model
        return [other for other in (*model.before[at], *model.after[at]) if other in self.inside]

    def window(self, at: int) -> tuple[int, int, bool]:
        """The first and last start that neighbours outside leave, and whether one of them needs a start."""
        room, model = self.room, self.room.model
        low, high, needed = 0, model.slots - 1, False
        for other in model.before[at]:
            if other not in self.inside:
                if room.starts[other] == DEFERRED:
                    return 0, -1, False
                low = max(low, room.starts[other] + model.lags[other])
        for other in model.after[at]:
            if other not in self.inside and room.starts[other] != DEFERRED:
                high, needed = min(high, room.starts[other] - model.lags[at]), True
        return low, high, needed

    def collect(self, at: int, above: int) -> None:
        """Add up what is below a request."""
        model = self.room.model
        low, high, needed = self.window(at)
        free = flags_of(between(self.room.open(at), low, high), model.slots)
        costs = np.where(free, self.prices[at], np.inf)
        idle = np.inf if needed else model.deferrals[at]
        for other in model.after[at]:
            if other in self.inside and other != above:
                later = np.minimum.accumulate(self.costs[other][::-1])[::-1][model.lags[at] :]
                costs[: len(later)] += np.minimum(later, self.idle[other])
                costs[len(later) :] += self.idle[other]
                idle += self.idle[other]
        for other in model.before[at]:
            if other in self.inside and other != above:
                sooner = np.minimum.accumulate(self.costs[other])
                lag = model.lags[other]
                costs[lag:] += sooner[: max(model.slots - lag, 0)]
                costs[:lag] = np.inf
                idle += min(self.idle[other], float(sooner[-1]))
        self.costs[at], self.idle[at] = costs, idle

    def place(self) -> bool:
        """Give each the start that is best for all; False where one that needs a start finds none."""
        model, starts = self.room.model, self.room.starts
        for at, above in self.order:
            low, high, idle = 0, model.slots - 1, self.idle[at]
            if above in model.before[at]:
                if starts[above] == DEFERRED:
                    continue
                low = starts[above] + model.lags[above]
            elif above >= 0 and starts[above] != DEFERRED:
                high, idle = starts[above] - model.lags[at], np.inf
            start = self.best(at, low, high, idle)
            if start is None:
                return False
            if start != DEFERRED:
                self.room.insert(at, start)
        return True

    def best(self, at: int, low: int, high: int, idle: float) -> int | None:
        """The cheapest start within [low, high], DEFERRED if none is better, None if that cannot be."""
        costs = self.costs[at][low : high + 1]
        if len(costs):
            start = int(costs.argmin())
            if costs[start] < idle and not self.room.open(at) >> start + low & 1:
                free = flags_of(self.room.open(at), self.room.model.slots)[low : high + 1]
                costs = np.where(free, costs, np.inf)
                start = int(costs.argmin())
            if costs[start] < idle:
                return start + low
        return DEFERRED if idle < np.inf else None
