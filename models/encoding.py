"""What a regression sees of deployments: their features, kinds and teams as columns of mean 0 and spread 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shipcast.features.feature import Feature
from shipcast.models.posterior import Floats

RARE = 0.01  # share of the rows below which what is unknown gets no column of its own, nor a kind
MOST_TEAMS = 50
MINUTES = 60.0  # hours are told apart by their minutes: log(1 + minutes)
SAID = ("change", "kind")  # families that a request says of itself, or leaves out


@dataclass(frozen=True)
class Column:
    """One column: a feature, whether it is unknown, or whether a category has one value.

    Parameters
    ----------
    name
        The feature's, or that of a column of the rows which holds a category.
    family
        Columns of one family are held back alike.
    value
        Of the category; null: a feature.
    is_missing
        Whether it tells that the feature is unknown.
    factor
        Of its values before logarithms are taken; null: none are taken.
    is_assumed
        No request can know it: a question takes it as usual for the service.
    low, high
        What the feature was at the least and at the most where it was learned from, after logarithms: beyond that it
        counts as there, since nothing is known of how its effect goes on. Null: not kept.
    """

    name: str
    family: str
    value: str | None
    is_missing: bool
    factor: float | None
    is_assumed: bool
    mean: float
    spread: float
    low: float | None = None
    high: float | None = None

    @property
    def label(self) -> str:
        """What tells it from all others, in words."""
        if self.value is not None:
            return f"{self.name} = {self.value}"
        return f"{self.name} unknown" if self.is_missing else self.name

    def encoded(self, rows: pl.DataFrame) -> Floats:
        """The column of these rows; NaN where a feature is not known."""
        return (np.clip(self.raw(rows), self.low, self.high) - self.mean) / self.spread

    def raw(self, rows: pl.DataFrame) -> Floats:
        if self.value is not None:
            return rows[self.name].eq_missing(self.value).cast(pl.Float64).to_numpy()
        if self.is_missing:
            return rows[self.name].is_null().cast(pl.Float64).to_numpy()
        values = rows[self.name].cast(pl.Float64).to_numpy()
        return values if self.factor is None else np.log1p(np.maximum(values, 0) * self.factor)


def columns(rows: pl.DataFrame, features: Sequence[Feature]) -> list[Column]:
    """The columns that tell these rows apart; what is the same in all of them is none."""
    found = []
    for feature in features:
        factor = (MINUTES if feature.unit == "hours" else 1.0) if feature.is_skewed else None
        known = fitted(rows, Column(feature.name, feature.family, None, False, factor, feature.is_assumed, 0, 1))
        missing = fitted(rows, Column(feature.name, feature.family, None, True, None, feature.is_assumed, 0, 1))
        found += [column for column in (known, missing) if column is not None]
    return found + categories(rows, "change_type", "kind") + categories(rows, "team", "team")


def categories(rows: pl.DataFrame, name: str, family: str) -> list[Column]:
    """One column for each value of a category, if it has several and not too many."""
    values = rows[name].drop_nulls().unique().sort().to_list()
    wanted = [Column(name, family, value, False, None, False, 0, 1) for value in values]
    return [fit for one in wanted[:MOST_TEAMS] if (fit := fitted(rows, one)) is not None]


def fitted(rows: pl.DataFrame, column: Column) -> Column | None:
    """The column with its mean and spread; null if it tells nothing apart."""
    values = column.raw(rows)
    known = values[~np.isnan(values)]
    share = known.mean() if len(known) else 0.0
    is_rare = column.is_missing and not RARE < share < 1 - RARE
    if len(known) < RARE * len(values) or len(known) < 2 or np.ptp(known) < 1e-9 or is_rare:
        return None
    spread = 1.0 if column.value is not None or column.is_missing else float(known.std())
    return replace(column, mean=float(known.mean()), spread=spread, low=float(known.min()), high=float(known.max()))


def encoded(rows: pl.DataFrame, found: Sequence[Column]) -> Floats:
    """One row per row and one column per column; what is not known lies at the mean."""
    if not found:
        return np.zeros((len(rows), 0))
    return np.nan_to_num(np.column_stack([column.encoded(rows) for column in found]))


def unknown_to_a_request(rows: pl.DataFrame, found: Sequence[Column]) -> NDArray[np.bool_]:
    """Which cells a question must take as usual: what no request can know, and what this one does not say of itself."""
    cells = [
        rows[column.name].is_null().to_numpy() if column.family in SAID else np.full(len(rows), column.is_assumed)
        for column in found
    ]
    return np.column_stack(cells) if cells else np.zeros((len(rows), 0), dtype=bool)
