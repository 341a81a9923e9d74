"""Requests per hour by local hour of the week: medians of the last weeks, each held to what its noise allows.

A cell of the week rests on a handful of weeks; the lowest of 168 such medians looks quieter than it is. So each hour
of the day is drawn to the overall level, and each hour of the week to its hour of the day, by the share of their
differences that noise explains (James and Stein).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shipcast.features.clock import HOURS_OF_WEEK, Instants, hours_of_week
from shipcast.models.posterior import DRAWS, SEED, Floats

FLOOR_SHARE = 0.01  # of the mean load, added before logs are taken: an hour may well see nothing
MEDIAN_EFFICIENCY = np.pi / 2  # the variance of a median over that of a mean
SCATTER_OF_DEVIATION = 1.4826
SHORT_HOURS = 14 * 24
LEAST_SCATTER = 0.02


class LoadModel:
    """A seasonal median that knows how sure it is.

    Attributes
    ----------
    is_known
        Whether there is any load to speak of; without, nothing else may be asked.
    is_short
        Less than two weeks: the days of the week cannot be told apart, hours of the day at best.
    """

    def __init__(self, zone: str) -> None:
        self.zone = zone

    def fit(self, load: pl.DataFrame) -> LoadModel:
        """Learns from `History.hourly_load`, in requests per hour."""
        self.hours_ = len(load)
        self.is_known = len(load) > 0 and load["requests"].sum() > 0
        self.is_short = len(load) < SHORT_HOURS
        if self.is_known:
            self.fit_week(load["requests"].to_numpy().astype(np.float64), load["hour_of_week"].to_numpy())
        return self

    def fit_week(self, requests: Floats, hours: NDArray[np.int64]) -> None:
        self.floor_ = FLOOR_SHARE * float(np.mean(requests))
        logs = np.log(requests + self.floor_)
        overall = float(np.median(logs))
        day, day_error = shrunken(logs - overall, hours % 24, 24)
        rest = np.zeros(HOURS_OF_WEEK), np.zeros(HOURS_OF_WEEK)
        if not self.is_short:
            rest = shrunken(logs - overall - day[hours % 24], hours, HOURS_OF_WEEK)
        hour_of_day = np.arange(HOURS_OF_WEEK) % 24
        self.week_ = overall + day[hour_of_day] + rest[0]
        self.error_ = np.hypot(day_error[hour_of_day], rest[1])

    def predict(self, instants: Instants) -> Floats:
        """Requests per hour expected then."""
        week = np.maximum(np.exp(self.week_) - self.floor_, 0)
        return np.asarray(week[hours_of_week(instants, self.zone)])

    def draws(self, instants: Instants) -> Floats:
        """Draws of the true load over the predicted one: one row a draw, one column an instant; about 1."""
        rng = np.random.default_rng([SEED, 3])
        noise = rng.standard_normal((DRAWS, HOURS_OF_WEEK)) * self.error_ - self.error_**2 / 2
        return np.asarray(np.exp(noise)[:, hours_of_week(instants, self.zone)])

    def describe(self) -> dict[str, Any]:
        """What it rests on."""
        return {"hours": self.hours_, "is_known": self.is_known, "is_short": self.is_short}


def shrunken(values: Floats, cells: NDArray[np.int64], count: int) -> tuple[Floats, Floats]:
    """The median of every cell, drawn to 0 as far as noise explains their differences; and its standard error.

    An empty cell is 0: it takes what the level above it says.
    """
    table = (
        pl.DataFrame({"cell": cells, "value": values}).group_by("cell").agg(pl.median("value"), pl.len()).sort("cell")
    )
    filled, medians = table["cell"].to_numpy(), table["value"].to_numpy()
    every = np.zeros(count)
    every[filled] = medians
    scatter = max(SCATTER_OF_DEVIATION * float(np.median(np.abs(values - every[cells]))), LEAST_SCATTER)
    variance = MEDIAN_EFFICIENCY * scatter**2 / table["len"].to_numpy()
    between = max(float(np.mean(medians**2 - variance)), 0.0)
    kept = between / (between + variance)
    centre, error = np.zeros(count), np.full(count, np.sqrt(between))
    centre[filled], error[filled] = kept * medians, np.sqrt(kept * variance)
    return centre, error
