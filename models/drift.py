"""Whether deployments have come to look otherwise than those that a model learned from: the drift of its features.

PSI = sum over bins of (q - p) log(q / p), of the shares p learned from and q since (Siddiqi, 2006, Credit Risk
Scorecards). Of n and m deployments that differ by luck alone its mean is (bins - 1) (1 / n + 1 / m) (Yurdakul and
Naranjo, 2020), which is subtracted, so that few deployments do not look like others. What a service has been through
comes and goes, so that a month differs from all before it by more than luck: each past span as long is held against
what lay before it, and only what stands out from all of these is called a drift. The calendar, and what tells of
failures (`Feature.in_spells`), are not looked at: how a model copes with these, its calibration says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shipcast.features.feature import Feature
from shipcast.models.posterior import Floats
from shipcast.settings.files import read_sealed, write_sealed

Integers = NDArray[np.int64]

BINS = 10
WEEKS = 52  # before the cut-off, which are counted one by one
WEEK = timedelta(days=7)
CLEAR = 0.25  # PSI from which a drift is called large, by convention
SHORTEST = timedelta(days=14)  # of which more is said than that it was the week of a holiday
FEWEST = 100  # deployments since that can be held against others; and before a past span
LAYOUT = 1  # of the file
HALF = 0.5  # a deployment in every bin, since the logarithm of nothing is without bounds


@dataclass(frozen=True)
class Reference:
    """How one feature lay in the deployments that a model learned from.

    Parameters
    ----------
    edges
        The lower bound of every bin but the first; the last bin of `counts` holds what is unknown.
    counts
        One row for all that lay more than a year before the cut-off, then one a week; one column a bin.
    """

    edges: Floats
    counts: Integers

    @classmethod
    def of(cls, values: pl.Series, weeks: Integers) -> Reference:
        """From a feature of the rows learned from, and the row of `counts` that each belongs to."""
        edges = bounds(values.drop_nulls().to_numpy().astype(np.float64))
        counts = np.zeros((WEEKS + 1, len(edges) + 2), dtype=np.int64)
        np.add.at(counts, (weeks, binned(values, edges)), 1)
        return cls(edges, counts)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Reference:
        """From what `facts` gave.

        Raises
        ------
        ValueError, TypeError, KeyError
            It is no such thing.
        """
        edges, counts = np.array(facts["edges"], dtype=np.float64), np.array(facts["counts"], dtype=np.int64)
        if edges.ndim != 1 or counts.shape != (WEEKS + 1, len(edges) + 2) or (counts < 0).any():
            raise ValueError("its counts do not fit its bins")
        return cls(edges, counts)

    def facts(self) -> dict[str, Any]:
        return {"edges": self.edges.tolist(), "counts": self.counts.tolist()}

    def drift(self, values: pl.Series) -> float:
        """How far values since lie from those learned from: PSI less what luck makes."""
        since = np.bincount(binned(values, self.edges), minlength=self.counts.shape[1])
        return beyond_luck(self.counts.sum(axis=0), since)

    def usual(self, weeks: int) -> float:
        """The most that a span of so many weeks in the year before differed from all before it; 0: none is known."""
        before = np.cumsum(self.counts, axis=0)
        spans = [
            (before[place], before[place + weeks] - before[place])
            for place in range(WEEKS + 1 - weeks)
            if before[place].sum() >= FEWEST
        ]
        return max((beyond_luck(past, span) for past, span in spans if span.sum() >= FEWEST), default=0.0)


@dataclass(frozen=True)
class FeatureDrift:
    """How far a feature has moved.

    Parameters
    ----------
    psi
        Less what luck makes; not below 0.
    usual
        The most that past spans as long differed from what lay before them.
    """

    name: str
    psi: float
    usual: float

    @property
    def is_clear(self) -> bool:
        """Whether it moved by as much as is called large, beyond all that it did before."""
        return self.psi - self.usual >= CLEAR


def references(rows: pl.DataFrame, features: Iterable[Feature], cut_off: datetime) -> dict[str, Reference]:
    """How each of the features that can drift lay in the rows learned from."""
    weeks = weeks_of(rows["started_at"], cut_off)
    return {one.name: Reference.of(rows[one.name], weeks) for one in features if not one.in_spells}


def write_references(path: Path, found: Mapping[str, Reference]) -> None:
    write_sealed(path, {"layout": LAYOUT, "features": {name: one.facts() for name, one in found.items()}})


def read_references(path: Path) -> dict[str, Reference]:
    """What was written.

    Raises
    ------
    OSError, ValueError, TypeError, KeyError
        It is not there, or no such file.
    """
    facts = read_sealed(path)
    if facts["layout"] > LAYOUT:
        raise ValueError("a later version of Shipcast wrote it")
    return {name: Reference.from_facts(one) for name, one in facts["features"].items()}


def drifts(found: Mapping[str, Reference], rows: pl.DataFrame, span: timedelta) -> list[FeatureDrift]:
    """How far each feature has moved in the rows since, the farthest first; the span is that in which they started.

    Nothing is said of less than two weeks, nor of fewer than a hundred deployments.
    """
    if len(rows) < FEWEST or span < SHORTEST:
        return []
    weeks = min(WEEKS, round(span / WEEK))
    moved = [
        FeatureDrift(name, max(0.0, one.drift(rows[name])), one.usual(weeks))
        for name, one in found.items()
        if name in rows.columns
    ]
    return sorted(moved, key=lambda one: (-(one.psi - one.usual), one.name))


def weeks_of(started: pl.Series, cut_off: datetime) -> Integers:
    """The row of `Reference.counts` of each start: the last week is the last row, all before the year the first."""
    ago = (cut_off - started).dt.total_microseconds().to_numpy() // (WEEK // timedelta(microseconds=1))
    return np.asarray(np.clip(WEEKS - ago, 0, WEEKS), dtype=np.int64)


def bounds(values: Floats) -> Floats:
    """Where bins of at least a tenth each begin, but for the last; equal values stay together.

    Examples
    --------
    >>> bounds(np.array([0.0] * 18 + [1.0, 1.0, 2.0]))
    array([1.])
    """
    found, counts = np.unique(values, return_counts=True)
    ends, starts, held = np.cumsum(counts), [], 0
    while (place := int(np.searchsorted(ends, held + len(values) / BINS))) < len(found) - 1:
        held = int(ends[place])
        starts.append(float(found[place + 1]))
    return np.array(starts, dtype=np.float64)


def binned(values: pl.Series, edges: Floats) -> Integers:
    """The bin of each value; unknown ones have the last."""
    known = values.cast(pl.Float64).fill_null(np.nan).to_numpy()
    places = np.searchsorted(edges, known, side="right")
    return np.asarray(np.where(np.isnan(known), len(edges) + 1, places), dtype=np.int64)


def beyond_luck(one: Integers | Sequence[int], other: Integers | Sequence[int]) -> float:
    """The PSI of two counts over the same bins, less its mean where both are drawn from the same.

    Examples
    --------
    >>> round(beyond_luck([500, 500], [500, 500]), 3), round(beyond_luck([900, 100], [100, 900]), 2)
    (-0.002, 3.5)
    """
    counts = np.array([one, other])[:, np.add(one, other) > 0] + HALF
    first, second = counts / counts.sum(axis=1, keepdims=True)
    psi = np.sum((second - first) * np.log(second / first))
    return float(psi - (counts.shape[1] - 1) * np.sum(1 / counts.sum(axis=1)))
