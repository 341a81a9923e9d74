"""Dependencies as trees, of which the cheapest starts are found for all at once, a layer of edges at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shipcast.models.posterior import Floats
from shipcast.scheduling.planner.model import DEFERRED, Model

Ints = NDArray[np.int64]


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


@dataclass(frozen=True, eq=False)
class Forest:
    """The dependencies as trees.

    Attributes
    ----------
    layers
        The edges from the leaves up.
    roots
        One request of each tree; those without dependencies are roots alone.
    others
        The dependencies that would close a circle, in any direction: pairs of the one that waits and the other.
    """

    layers: list[Layer]
    roots: Ints
    others: list[tuple[int, int]]


def forest(model: Model) -> Forest:
    """The dependencies as trees, those with the longest lags first."""
    near, others = tree_edges(model)
    edges: dict[tuple[int, int, bool], list[tuple[int, int]]] = {}
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
                        edges.setdefault((depth, ranks[follows], follows), []).append((lower, upper))
                        ranks[follows] += 1
                        below.append(lower)
            level, depth = below, depth + 1
    layers = [layer_of(model, edges[key], key[2]) for key in sorted(edges, reverse=True)]
    return Forest(layers, np.array(roots, np.int64), others)


def tree_edges(model: Model) -> tuple[list[list[int]], list[tuple[int, int]]]:
    """The neighbours of each request by edges that close no circle, and the other edges."""
    part = list(range(model.size))

    def top(at: int) -> int:
        while part[at] != at:
            part[at] = part[part[at]]
            at = part[at]
        return at

    near: list[list[int]] = [[] for _ in range(model.size)]
    others = []
    for at in model.order:
        for other in sorted(model.before[at], key=lambda one: -model.lags[one]):
            if top(at) == top(other):
                others.append((at, other))
            else:
                part[top(at)] = top(other)
                near[at].append(other)
                near[other].append(at)
    return near, others


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
