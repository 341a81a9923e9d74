"""Several labelled spans as one line of time, on which the lowest label of any stretch is found at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shipcast.features.clock import Instants
from shipcast.scheduling.calendar.spans import Spans, distinct

Labels = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Timeline:
    """The lowest label between every two neighbouring edges.

    Parameters
    ----------
    edges
        The instants at which a span starts or ends.
    lowest
        Row k holds, for every stretch, the lowest label of the 2**k from it on; stretch 0 lies before all edges.
    """

    edges: Instants
    lowest: NDArray[np.int32]

    def labels(self, starts: Instants, ends: Instants) -> Labels:
        """The lowest label that each [start, end) meets; where both are equal, that of the instant."""
        first = np.searchsorted(self.edges, starts, side="right")
        last = np.maximum(np.searchsorted(self.edges, ends, side="left"), first)
        level = np.frexp(last - first + 1)[1] - 1  # the largest power of two that fits
        return np.asarray(np.minimum(self.lowest[level, first], self.lowest[level, last - (1 << level) + 1]))


def timeline(labelled: Iterable[tuple[int, Spans]], none: int) -> Timeline:
    """The line of spans with their labels; `none`, above all of these, where there is no span."""
    parts = sorted(((label, spans) for label, spans in labelled if len(spans)), key=lambda part: -part[0])
    edges = distinct(np.concatenate([edge for _, spans in parts for edge in (spans.starts, spans.ends)] or [EMPTY]))
    labels = np.full(len(edges) + 1, none, dtype=np.int32)
    for label, spans in parts:
        changes = np.zeros(len(edges) + 1, dtype=np.int32)
        changes[np.searchsorted(edges, spans.starts) + 1] += 1
        changes[np.searchsorted(edges, spans.ends) + 1] -= 1
        labels[np.cumsum(changes) > 0] = label
    return Timeline(edges, powers(labels))


def powers(labels: Labels) -> NDArray[np.int32]:
    """The lowest of the next 1, 2, 4, ... labels from each place on, a row each."""
    rows = [labels]
    width = 1
    while 2 * width <= len(labels):
        row = rows[-1].copy()
        row[:-width] = np.minimum(row[:-width], row[width:])
        rows.append(row)
        width *= 2
    return np.stack(rows)


EMPTY = np.array([], dtype="datetime64[us]")
