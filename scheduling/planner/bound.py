"""What no plan can cost less than: capacities are given prices, and each tree of dependencies is then solved exactly.

Whoever runs pays a toll to the rows it takes part in, and every row pays back the toll of its whole capacity. A plan
that keeps the capacities never loses by that, so for any tolls the cheapest starts under them, less what is paid back,
cost no more than the best plan. A deflected subgradient looks for the tolls that bring this highest.

Dependencies that would close a circle, in any direction, and exclusions hold as far as their rows do; to leave a rule
out can only lower the bound.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from shipcast.models.posterior import Floats
from shipcast.scheduling.planner.model import DEFERRED, Block, Model
from shipcast.scheduling.planner.room import grouped

Ints = NDArray[np.int64]
PATIENCE = 12
STRIDE = 0.5
SHRINK = 0.6
MEMORY = 0.9
WATCH = 60
ROUNDING = 1e-11


@dataclass(frozen=True, eq=False)
class Layer:
    """Edges of the forest whose lower ends can be folded into the upper ones at once; no upper end twice.

    `lags` is that of the end that comes first; `follows`: the lower end depends on the upper one. `reach` says where
    the best that is left to each start of the upper end stands among those of the lower ends, each line with one more
    place for "none".
    """

    lower: Ints
    upper: Ints
    lags: Ints
    reach: Ints
    follows: bool


def forest(model: Model) -> tuple[list[Layer], Ints]:
    """The layers from the leaves up, and the roots: requests without dependencies are roots alone."""
    part = list(range(model.size))

    def top(at: int) -> int:
        while part[at] != at:
            part[at] = part[part[at]]
            at = part[at]
        return at

    near: list[list[int]] = [[] for _ in range(model.size)]
    for at in model.order:
        for other in sorted(model.before[at], key=lambda o: -model.lags[o]):
            if top(at) != top(other):
                part[top(at)] = top(other)
                near[at].append(other)
                near[other].append(at)
    layers: dict[tuple[int, int, bool], list[tuple[int, int]]] = {}
    roots, seen = [], [False] * model.size
    for root in model.order:
        if seen[root]:
            continue
        roots.append(root)
        seen[root] = True
        level, depth = [root], 0
        while level:
            below = []
            for upper in level:
                ranks = {True: 0, False: 0}
                for lower in near[upper]:
                    if not seen[lower]:
                        seen[lower] = True
                        follows = upper in model.before[lower]
                        layers.setdefault((depth, ranks[follows], follows), []).append((lower, upper))
                        ranks[follows] += 1
                        below.append(lower)
            level, depth = below, depth + 1
    return [layer_of(model, layers[key], key[2]) for key in sorted(layers, reverse=True)], np.array(roots, np.int64)


def layer_of(model: Model, edges: list[tuple[int, int]], follows: bool) -> Layer:
    lower, upper = (np.array(ends, np.int64) for ends in zip(*edges, strict=True))
    lags = np.array(model.lags, np.int64)
    lag = lags[upper] if follows else lags[lower]
    slots = np.arange(model.slots)
    reach = np.minimum(slots + lag[:, None], model.slots) if follows else np.maximum(slots + 1 - lag[:, None], 0)
    lines = np.arange(len(lower))[:, None] * (model.slots + 1)
    return Layer(lower, upper, lag, reach + lines, follows)


def folded(layers: Iterable[Layer], costs: Floats, idle: Floats) -> list[tuple[Floats, Floats]]:
    """Add the costs of lower ends to upper ones, in place; the best so far or from here of each lower end."""
    slots = costs.shape[1]
    kept = []
    for layer in layers:
        own, rest = costs[layer.lower], idle[layer.lower]
        best = np.full((len(own), slots + 1), np.inf)
        if layer.follows:
            np.minimum.accumulate(own[:, ::-1], axis=1, out=best[:, -2::-1])
            gain = np.minimum(best.ravel()[layer.reach], rest[:, None])
            idle[layer.upper] += rest
        else:
            np.minimum.accumulate(own, axis=1, out=best[:, 1:])
            gain = best.ravel()[layer.reach]
            idle[layer.upper] += np.minimum(rest, best[:, -1])
        costs[layer.upper] += gain
        kept.append((own, rest))
    return kept


def unfolded(layers: list[Layer], kept: list[tuple[Floats, Floats]], starts: Ints) -> None:
    """Give lower ends the starts that the upper ones chose for them, in place."""
    for layer, (own, rest) in zip(reversed(layers), reversed(kept), strict=True):
        above = starts[layer.upper]
        places = np.arange(own.shape[1])
        if layer.follows:
            within = (places >= (above + layer.lags)[:, None]) & (above >= 0)[:, None]
        else:
            within = (places <= (above - layer.lags)[:, None]) | (above < 0)[:, None]
        costs = np.where(within, own, np.inf)
        start = costs.argmin(axis=1)
        may_rest = np.isfinite(rest) & (layer.follows | (above < 0))
        best = costs[np.arange(len(start)), start]
        starts[layer.lower] = np.where(may_rest & (rest <= best), DEFERRED, start)


class Relaxation:
    """The problem with its capacities priced. Requests stand in the order of their durations here.

    A toll is what a row asks for each slot; `rows` says which rows ask, a line of `toll` each.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        durations = np.array(model.durations, np.int64)
        self.sorted = np.argsort(durations, kind="stable")
        self.places = np.argsort(self.sorted)
        self.durations = durations[self.sorted]
        self.prices = model.prices[self.sorted]
        self.deferrals = np.array(model.deferrals)[self.sorted]
        layers, roots = forest(model)
        self.layers = [replace(item, lower=self.places[item.lower], upper=self.places[item.upper]) for item in layers]
        self.roots = self.places[roots]
        edges = np.flatnonzero(np.diff(self.durations)) + 1
        self.runs = list(zip([0, *edges.tolist()], [*edges.tolist(), model.size], strict=True))
        rows = [(row.members, row.concurrent) for row in model.rows]
        self.blocks: list[tuple[int, Block]] = []
        for members, blocks in layered(model.blocks):
            self.blocks += [(len(rows), block) for block in blocks]
            rows.append((members, together(model, members)))
        self.limits = np.array([limit for _, limit in rows], np.float64)
        self.row = np.repeat(np.arange(len(rows)), [len(members) for members, _ in rows])
        self.member = self.places[np.array([at for members, _ in rows for at in members], np.int64)]
        self.takes = csc_array((np.ones(len(self.row)), (self.member, self.row)), shape=(model.size, len(rows)))

    def toll_free(self) -> tuple[Ints, Floats]:
        """No row that asks for anything."""
        return np.array([], np.int64), np.zeros((0, self.model.spans))

    def priced(self, rows: Ints, toll: Floats) -> Floats:
        """The price of every start with what its run pays to the rows."""
        if not len(rows):
            return self.prices.copy()
        so_far = np.zeros((len(rows), self.model.spans + 1))
        np.cumsum(toll, axis=1, out=so_far[:, 1:])
        paid = self.takes[:, rows].tocsr() @ so_far
        slots = self.model.slots
        costs = np.empty_like(self.prices)
        for begin, end in self.runs:
            length = int(self.durations[begin])
            np.subtract(paid[begin:end, length : length + slots], paid[begin:end, :slots], out=costs[begin:end])
        costs += self.prices
        return costs

    def solve(self, rows: Ints, toll: Floats) -> tuple[float, Floats]:
        """The bound under a toll, and by how much each of all rows is overrun in each slot."""
        costs, idle = self.priced(rows, toll), self.deferrals.copy()
        kept = folded(self.layers, costs, idle)
        starts = np.full(self.model.size, DEFERRED, np.int64)
        roots = costs[self.roots]
        best = roots.argmin(axis=1)
        values = roots[np.arange(len(best)), best]
        starts[self.roots] = np.where(idle[self.roots] <= values, DEFERRED, best)
        parts = np.minimum(values, idle[self.roots])
        unfolded(self.layers, kept, starts)
        usage = self.usage(starts)
        back = float(toll.sum(axis=1) @ self.limits[rows])
        free = self.reserve(rows, toll, usage)
        scale = float(np.abs(parts).sum()) + back + abs(free)
        return float(parts.sum()) - back + free - ROUNDING * scale, usage - self.limits[:, None]

    def usage(self, starts: Ints) -> Floats:
        """How many of each row run in each slot."""
        begins = starts[self.member]
        runs = begins >= 0
        width = self.model.spans + 1
        row, begins = self.row[runs] * width, begins[runs]
        ends = begins + self.durations[self.member[runs]]
        size = len(self.limits) * width
        change = np.bincount(row + begins, minlength=size) - np.bincount(row + ends, minlength=size)
        return np.asarray(change.reshape(-1, width).cumsum(axis=1)[:, :-1], np.float64)

    def reserve(self, rows: Ints, toll: Floats, usage: Floats) -> float:
        """What the reserves pay where they pay least and, of equals, meet the fewest; they are added to the usage."""
        line = {int(row): at for at, row in enumerate(rows)}
        total = 0.0
        for row, block in self.blocks:
            begins = np.arange(block.begin, block.end - block.length + 1)
            low, high = (np.clip(ends, 0, self.model.spans) for ends in (begins, begins + block.length))
            met = np.append(0.0, np.cumsum(usage[row]))
            meets = met[high] - met[low]
            if row in line:
                so_far = np.append(0.0, np.cumsum(toll[line[row]]))
                paid = so_far[high] - so_far[low]
                meets = np.where(paid <= paid.min(), meets, np.inf)
                total += float(paid.min() * self.limits[row])
            best = int(meets.argmin())
            usage[row, low[best] : high[best]] += self.limits[row]
        return total


def layered(blocks: tuple[Block, ...]) -> list[tuple[tuple[int, ...], list[Block]]]:
    """The reserves of each environment, so that no two windows in a list meet."""
    layers: list[tuple[tuple[int, ...], list[Block]]] = []
    for group in grouped(blocks):
        mine: list[list[Block]] = []
        for block in sorted(group, key=lambda block: block.begin):
            free = next((layer for layer in mine if layer[-1].end <= block.begin), None)
            if free is None:
                mine.append([block])
            else:
                free.append(block)
        layers += [(group[0].members, layer) for layer in mine]
    return layers


def together(model: Model, members: tuple[int, ...]) -> int:
    """How many of them can run at once at most, as far as one capacity says."""
    inside = set(members)
    limit = len(members)
    for row in model.rows:
        within = len(inside.intersection(row.members))
        limit = min(limit, row.concurrent + len(members) - within)
    return max(limit, 1)


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
        return gained <= 0.002 * (cost - self.value) and self.stride < STRIDE * SHRINK

    def guide(self) -> Floats:
        """The prices with the best tolls: what a start costs, and what it takes from others."""
        return self.relaxation.priced(*self.best)[self.relaxation.places]
