"""Plans made in one pass under the tolls of the bound: what a start takes from others is part of its price."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shipcast.models.posterior import Floats
from shipcast.scheduling.planner.model import DEFERRED, Model
from shipcast.scheduling.planner.room import Room
from shipcast.scheduling.planner.selection import Selection, connected
from shipcast.scheduling.planner.tree import Tree


class Builder:
    """Makes plans in which each tree of dependencies is placed at once, the dearest to defer first."""

    def __init__(self, model: Model) -> None:
        self.model = model
        turn = {at: place for place, at in enumerate(model.order)}
        parts = [sorted(part, key=turn.__getitem__) for part in connected(model, model.order)]
        best = model.prices.min(axis=1, initial=float("inf"))
        spread = [max(0.0, cost - float(best[at])) for at, cost in enumerate(model.deferrals)]
        keys: list[Callable[[Sequence[int]], float]] = [
            lambda part: -max(spread[at] for at in part),
            lambda part: -sum(model.deferrals[at] for at in part),
        ]
        self.orders = [sorted(parts, key=key) for key in keys]

    def plans(self, prices: Floats) -> list[list[int]]:
        """A plan for each order of the trees."""
        return [self.built(parts, prices) for parts in self.orders]

    def built(self, parts: Sequence[Sequence[int]], prices: Floats) -> list[int]:
        room = Room(self.model)
        for part in parts:
            selection = Selection(self.model)
            for at in part:
                selection.add(at)
            if not Tree(room, selection.members, prices).place():
                for at in part:
                    if room.starts[at] != DEFERRED:
                        room.remove(at)
            for at in part:
                if room.starts[at] == DEFERRED:
                    Tree(room, [at], prices).place()
        return room.starts
