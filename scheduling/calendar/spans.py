"""Spans of time: half-open [start, end) in UTC, apart from each other and in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shipcast.features.clock import Instants

Flags = NDArray[np.bool_]
Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Spans:
    """Spans that neither meet nor touch, the earliest first."""

    starts: Instants
    ends: Instants

    def __len__(self) -> int:
        return len(self.starts)

    def before(self, instants: Instants) -> Places:
        """The place of the last span that starts at or before each instant; -1: there is none."""
        return np.searchsorted(self.starts, instants, side="right") - 1

    def contain(self, instants: Instants) -> Flags:
        """Whether each instant lies in a span."""
        return self.cover(instants, instants)

    def cover(self, starts: Instants, ends: Instants) -> Flags:
        """Whether each [start, end) lies in a span as a whole; where both are equal, whether that instant does."""
        if not len(self):
            return np.zeros(len(starts), dtype=np.bool_)
        places = self.before(starts)
        closes = self.ends[np.maximum(places, 0)]
        return np.asarray((places >= 0) & (starts < closes) & (ends <= closes))

    def last_met(self, start: np.datetime64, end: np.datetime64) -> int | None:
        """The place of the last span that [start, end) meets, or that holds the instant where both are equal."""
        place = int(np.searchsorted(self.starts, end, side="left" if end > start else "right")) - 1
        return place if place >= 0 and self.ends[place] > start else None

    def meet(self, starts: Instants, ends: Instants) -> Flags:
        """Whether each [start, end) meets a span; where both are equal, whether that instant lies in one."""
        if not len(self):
            return np.zeros(len(starts), dtype=np.bool_)
        places = np.where(
            ends > starts,
            np.searchsorted(self.starts, ends, side="left"),
            np.searchsorted(self.starts, ends, side="right"),
        )
        return np.asarray((places > 0) & (self.ends[places - 1] > starts))

    def within(self, since: np.datetime64, until: np.datetime64) -> Spans:
        """Those that meet [since, until), as long as they are."""
        first = int(np.searchsorted(self.ends, since, side="right"))
        last = int(np.searchsorted(self.starts, until, side="left"))
        return Spans(self.starts[first:last], self.ends[first:last])


def merged(starts: Instants, ends: Instants) -> Spans:
    """The union of any [start, end); those that end where the next begins are one, empty ones are left out.

    Examples
    --------
    >>> days = np.arange("2025-01-01", "2025-01-08", dtype="datetime64[D]").astype("datetime64[us]")
    >>> whole = merged(days[[4, 0, 1]], days[[6, 1, 2]])
    >>> whole.starts.astype("datetime64[D]"), whole.ends.astype("datetime64[D]")
    (array(['2025-01-01', '2025-01-05'], dtype='datetime64[D]'), array(['2025-01-03', '2025-01-07'], dtype='datetime64[D]'))
    """  # noqa: E501
    filled = ends > starts
    order = np.argsort(starts[filled], kind="stable")
    starts, ends = starts[filled][order], ends[filled][order]
    if len(starts) == 0:
        return NONE
    reach = np.maximum.accumulate(ends)
    is_first = np.append(True, starts[1:] > reach[:-1])
    return Spans(starts[is_first], reach[np.append(is_first[1:], True)])


def distinct(instants: Instants) -> Instants:
    """The instants in order, each once."""
    ordered: Instants = np.sort(instants)
    is_new = np.append(True, ordered[1:] > ordered[:-1])[: len(ordered)]
    return np.asarray(ordered[is_new])


def union(parts: Sequence[Spans]) -> Spans:
    """All spans of the parts as one."""
    if len(parts) == 1:
        return parts[0]
    none = [NONE.starts]
    return merged(
        np.concatenate([part.starts for part in parts] or none), np.concatenate([part.ends for part in parts] or none)
    )


NONE = Spans(np.array([], dtype="datetime64[us]"), np.array([], dtype="datetime64[us]"))
