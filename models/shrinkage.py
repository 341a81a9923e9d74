"""Medians of cells, each held to what its noise allows.

A cell of the week rests on a handful of weeks; the lowest of 168 such medians looks quieter than it is. So each is
drawn to what is expected of it by the share of their differences that noise explains (James and Stein).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shipcast.features.clock import DAY_HOURS, HOURS_OF_WEEK
from shipcast.models.posterior import Floats

FLOOR_SHARE = 0.01  # of the mean, added before logarithms are taken: an hour may well see nothing
MEDIAN_EFFICIENCY = np.pi / 2  # the variance of a median over that of a mean
SCATTER_OF_DEVIATION = 1.4826  # a normal spread over the median absolute deviation
LEAST_SCATTER = 0.02


def shrunken_week(values: Floats, hours: NDArray[np.int64], *, by_day_alone: bool = False) -> tuple[Floats, Floats]:
    """What is usual in each of the 168 hours of the week, and its standard error.

    Each hour of the day is drawn to the overall level, in logarithms, and each hour of the week to its hour of the day.
    """
    floor = max(FLOOR_SHARE * float(values.mean()), 1e-12)
    logs = np.log(values + floor)
    overall = float(np.median(logs))
    day, day_error = shrunken(logs - overall, hours % DAY_HOURS, DAY_HOURS)
    rest = np.zeros(HOURS_OF_WEEK), np.zeros(HOURS_OF_WEEK)
    if not by_day_alone:
        rest = shrunken(logs - overall - day[hours % DAY_HOURS], hours, HOURS_OF_WEEK)
    of_day = np.arange(HOURS_OF_WEEK) % DAY_HOURS
    usual = np.exp(overall + day[of_day] + rest[0])
    return np.maximum(usual - floor, 0), usual * np.hypot(day_error[of_day], rest[1])


def shrunken(values: Floats, cells: NDArray[np.int64], count: int) -> tuple[Floats, Floats]:
    """The median of every cell, drawn to 0 as far as noise explains their differences; and its standard error.

    An empty cell is 0: it takes what the level above it says.
    """
    every, sizes = medians(values, cells, count), np.bincount(cells, minlength=count)
    filled = sizes > 0
    scatter = max(SCATTER_OF_DEVIATION * float(np.median(np.abs(values - every[cells]))), LEAST_SCATTER)
    variance = MEDIAN_EFFICIENCY * scatter**2 / sizes[filled]
    between = max(float(np.mean(every[filled] ** 2 - variance)), 0.0)
    kept = between / (between + variance)
    centre, error = np.zeros(count), np.full(count, np.sqrt(between))
    centre[filled], error[filled] = kept * every[filled], np.sqrt(kept * variance)
    return centre, error


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
