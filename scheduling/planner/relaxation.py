"""The problem without what ties requests together but the trees of their dependencies, which tolls make up for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shipcast.models.posterior import Floats
from shipcast.scheduling.planner.forest import Ints, folded, forest, unfolded
from shipcast.scheduling.planner.model import DEFERRED, Block, Model
from shipcast.scheduling.planner.room import grouped

ROUNDING = 1e-11


class Relaxation:
    """The problem with a toll on its capacities. Requests stand in the order of their durations here.

    A toll is what a row asks for each slot; `rows` says which rows ask, a line of `toll` each. The rows are those of
    the model, one for each environment with a reserve, and one for each dependency that is in no tree: this one asks
    of the request that waits for each slot from its start on, and gives to the other for each slot from which that
    is over on.
    """

    def __init__(self, model: Model) -> None:
        from scipy.sparse import csc_array  # takes a quarter of a second, and only plans need it

        self.model = model
        durations = np.array(model.durations, np.int64)
        self.sorted = np.argsort(durations, kind="stable")
        self.places = np.argsort(self.sorted)
        self.durations = durations[self.sorted]
        self.prices = model.prices[self.sorted]
        self.deferrals = np.array(model.deferrals)[self.sorted]
        trees = forest(model)
        self.layers = [
            replace(item, lower=self.places[item.lower], upper=self.places[item.upper]) for item in trees.layers
        ]
        self.roots = self.places[trees.roots]
        self.waits = [(int(self.places[a]), int(self.places[b]), model.lags[b]) for a, b in trees.others]
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
        self.capacities = len(rows)
        self.takes = csc_array((np.ones(len(self.row)), (self.member, self.row)), shape=(model.size, len(rows)))

    def toll_free(self) -> tuple[Ints, Floats]:
        """No row that asks for anything."""
        return np.array([], np.int64), np.zeros((0, self.model.spans))

    def priced(self, rows: Ints, toll: Floats) -> Floats:
        """The price of every start with what its run pays to the rows."""
        is_capacity = rows < self.capacities
        costs = self.with_capacities(rows[is_capacity], toll[is_capacity])
        slots = self.model.slots
        for row, line in zip(rows[~is_capacity], toll[~is_capacity], strict=True):
            waiting, other, lag = self.waits[int(row) - self.capacities]
            ahead = line[:slots][::-1].cumsum()[::-1]
            costs[waiting] += ahead
            costs[other, : max(slots - lag, 0)] -= ahead[lag:]
        return costs

    def with_capacities(self, rows: Ints, toll: Floats) -> Floats:
        """The same with the tolls of capacities alone."""
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
        is_capacity = rows < self.capacities
        back = float(toll[is_capacity].sum(axis=1) @ self.limits[rows[is_capacity]])
        free = self.reserve(rows, toll, usage)
        scale = float(np.abs(parts).sum() + toll.sum()) + back + abs(free)
        excess = np.concatenate([usage - self.limits[:, None], self.overtakings(starts)])
        return float(parts.sum()) - back + free - ROUNDING * scale, excess

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

    def overtakings(self, starts: Ints) -> Floats:
        """For each dependency in no tree, 1 in slots in which the wrong one has begun, and -1 where only the other."""
        found = np.zeros((len(self.waits), self.model.spans))
        for line, (waiting, other, lag) in zip(found, self.waits, strict=True):
            if starts[waiting] != DEFERRED:
                line[starts[waiting] : self.model.slots] += 1
            if starts[other] != DEFERRED:
                line[starts[other] + lag : self.model.slots] -= 1
        return found

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
