"""What no plan can cost less than: capacities ask a toll, and each tree of dependencies is then solved exactly.

Whoever runs pays a toll to the rows it takes part in, and every row pays back the toll of its whole capacity. A plan
that keeps the capacities never loses by that, so for any tolls the cheapest starts under them, less what is paid back,
cost no more than the best plan. A deflected subgradient looks for the tolls that bring this highest.
"""

from __future__ import annotations

import numpy as np

from shipcast.models.posterior import Floats
from shipcast.scheduling.planner.model import Model
from shipcast.scheduling.planner.relaxation import Relaxation

PATIENCE = 12
STRIDE = 0.5
SHRINK = 0.6
MEMORY = 0.9
WATCH = 40
WORTH = 0.02
WEAK = 0.03


class Bound:
    """The highest bound so far, and the tolls that give it.

    Only rows that were overrun at least once ask for a toll, since the others never would.
    """

    def __init__(self, model: Model) -> None:
        self.relaxation = Relaxation(model)
        self.rows, self.toll = self.relaxation.toll_free()
        self.way = self.toll
        self.best = self.rows, self.toll
        self.value, excess = self.relaxation.solve(self.rows, self.toll)
        self.follow(excess)
        self.latest = self.checked = self.value
        self.stride, self.failures, self.steps = STRIDE, 0, 1

    def follow(self, excess: Floats) -> None:
        """Turn towards what is overrun, keeping something of the way so far."""
        asking = np.zeros(len(excess), dtype=np.bool_)
        asking[self.rows] = True
        fresh = np.flatnonzero((excess > 0).any(axis=1) & ~asking)
        if len(fresh):
            more = np.zeros((len(fresh), excess.shape[1]))
            self.rows = np.concatenate([self.rows, fresh])
            self.toll, self.way = np.concatenate([self.toll, more]), np.concatenate([self.way, more])
        self.way = excess[self.rows] + MEMORY * self.way

    def step(self, cost: float) -> bool:
        """Try other tolls, in view of what the best plan costs; False where there is nothing left to gain."""
        slope = np.where((self.toll > 0) | (self.way > 0), self.way, 0.0)
        norm = float((slope * slope).sum())
        if norm < 1e-12 or self.value >= cost:
            return False
        size = self.stride * max(cost - self.latest, 1e-9 * abs(cost)) / norm
        self.toll = np.maximum(self.toll + size * slope, 0.0)
        rows, toll = self.rows, self.toll
        self.latest, excess = self.relaxation.solve(rows, toll)
        self.follow(excess)
        self.steps += 1
        if self.latest > self.value:
            self.value, self.best, self.failures = self.latest, (rows, toll), 0
        else:
            self.failures += 1
            if self.failures >= PATIENCE:
                self.stride, self.failures = self.stride * SHRINK, 0
        return not self.is_stuck(cost)

    def is_stuck(self, cost: float) -> bool:
        """Whether the last steps have gained next to nothing of what is left to gain."""
        if self.steps % WATCH:
            return False
        gained, self.checked = self.value - self.checked, self.value
        return gained <= WORTH * (cost - self.value) and self.stride < WEAK

    def guide(self) -> Floats:
        """The prices with the best tolls: what a start costs, and what it takes from others."""
        return self.relaxation.priced(*self.best)[self.relaxation.places]
