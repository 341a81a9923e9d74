"""Medians of cells, each held to what its noise allows.

A cell of the week rests on a handful of weeks; the lowest of 168 such medians looks quieter than it is. So each is
drawn to what is expected of it by the share of their differences that noise explains (James and Stein).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shipcast.features.clock import DAY_HOURS, HOURS_OF_WEEK, WEEKEND_DAY
from shipcast.models.posterior import Floats

FLOOR_SHARE = 0.01  # of the mean, added before logarithms are taken: an hour may well see nothing
MEDIAN_EFFICIENCY = np.pi / 2  # the variance of a median over that of a mean
SCATTER_OF_DEVIATION = 1.4826  # a normal spread over the median absolute deviation
LEAST_SCATTER = 0.02
LEAST_VARIANCE = 1e-12  # which divides
BESIDE = (-2, -1, 1, 2)  # hours that say something of the one between them
EVERY = np.arange(HOURS_OF_WEEK)
OF_DAY = EVERY % DAY_HOURS
OF_WEEKEND = OF_DAY + DAY_HOURS * (EVERY >= WEEKEND_DAY * DAY_HOURS)


def shrunken_week(values: Floats, hours: NDArray[np.int64], *, by_day_alone: bool = False) -> tuple[Floats, Floats]:
    """What is usual in each of the 168 hours of the week, and its standard error.

    In logarithms, each hour of the day is drawn to the overall level, each of a weekday or of a weekend to its hour of
    the day, each hour of the week to these, and in the end to the hours beside it, which the error takes no note of.
    """
    floor = max(FLOOR_SHARE * float(values.mean()), 1e-12)
    logs = np.log(values + floor)
    usual, variance = np.full(HOURS_OF_WEEK, float(np.median(logs))), np.zeros(HOURS_OF_WEEK)
    for cells in (OF_DAY,) if by_day_alone else (OF_DAY, OF_WEEKEND, EVERY):
        centre, error = shrunken(logs - usual[hours], cells[hours], int(cells.max()) + 1)
        usual, variance = usual + centre[cells], variance + error[cells] ** 2
    error = scatter(logs - usual[hours]) * np.sqrt(variance)
    usual = np.exp(evened(usual, error**2))
    return np.maximum(usual - floor, 0), usual * error


def evened(values: Floats, variance: Floats) -> Floats:
    """Values in a round, each drawn to the mean of the two on either side and itself.

    As far as noise explains how they lie apart from those: what is sharp and clear stays.

    Parameters
    ----------
    variance
        Of the noise of each value.
    """
    beside = np.mean([np.roll(values, step) for step in BESIDE], axis=0)
    apart, noise = values - beside, variance * (1 + 1 / len(BESIDE))
    between = max(float(np.mean(apart**2 - noise)), 0.0)
    by_noise = noise / np.maximum(between + noise, LEAST_VARIANCE)
    return np.asarray(values - by_noise * apart * len(BESIDE) / (1 + len(BESIDE)))


def shrunken(values: Floats, cells: NDArray[np.int64], count: int) -> tuple[Floats, Floats]:
    """The median of every cell, drawn to 0 as far as noise explains their differences; and its standard error.

    The error is over how the values scatter. An empty cell is 0: it takes what the level above it says.
    """
    every, sizes = medians(values, cells, count), np.bincount(cells, minlength=count)
    filled, square = sizes > 0, scatter(values - every[cells]) ** 2
    variance = MEDIAN_EFFICIENCY * square / sizes[filled]
    between = max(float(np.mean(every[filled] ** 2 - variance)), 0.0)
    kept = between / (between + variance)
    centre, error = np.zeros(count), np.full(count, np.sqrt(between / square))
    centre[filled], error[filled] = kept * every[filled], np.sqrt(kept * variance / square)
    return centre, error


def scatter(apart: Floats) -> float:
    """The spread of values about what is usual, by their median distance from it."""
    return max(SCATTER_OF_DEVIATION * float(np.median(np.abs(apart))), LEAST_SCATTER)


def medians(values: Floats, cells: NDArray[np.int64], count: int) -> Floats:
    """The median of every cell's values that are not NaN; NaN where it has none."""
    known = ~np.isnan(values)
    order = np.lexsort((values[known], cells[known]))
    ordered, sizes = values[known][order], np.bincount(cells[known], minlength=count)
    first = np.cumsum(sizes) - sizes
    found = np.full(count, np.nan)
    some = sizes > 0
    low, high = first + (sizes - 1) // 2, first + sizes // 2
    found[some] = (ordered[low[some]] + ordered[high[some]]) / 2
    return found
