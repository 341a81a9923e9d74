"""The starts of a request in the order of their prices, to be searched by bits."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from shipcast.models.posterior import Floats
from shipcast.scheduling.planner.model import DEFERRED
from shipcast.scheduling.planner.room import bits_of

CHUNK = 8


class Choices:
    """The starts of one request by price: bits of ever larger chunks, each with its starts in order.

    `table` holds the number of each slot as one object, so that all requests share them.
    """

    def __init__(self, row: Floats, table: NDArray[np.object_]) -> None:
        order = np.argsort(row, kind="stable")[: int(np.isfinite(row).sum())]
        self.order: list[int] = table[order].tolist()
        self.best = float(row[order[0]]) if len(order) else math.inf
        self.chunks: list[tuple[int, list[int]]] = []
        begin, size = 0, CHUNK
        while begin < len(order):
            part = order[begin : begin + size]
            flags = np.zeros(len(row), dtype=np.bool_)
            flags[part] = True
            self.chunks.append((bits_of(flags), self.order[begin : begin + size]))
            begin, size = begin + size, size * 2


def cheapest(choices: Choices, open_bits: int) -> int:
    """The cheapest of the open starts; DEFERRED if there is none."""
    for bits, starts in choices.chunks:
        hits = bits & open_bits
        if hits:
            for start in starts:
                if hits >> start & 1:
                    return start
    return DEFERRED


def slot_table(slots: int) -> NDArray[np.object_]:
    """The numbers of the slots as objects."""
    return np.array(range(slots), dtype=object)
