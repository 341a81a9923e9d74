"""What a public holiday does to the load: how far it goes from that of its weekday towards that of a Sunday.

Many services see a Sunday on a holiday, some see no difference, shops may see more than ever; so the share is learned
from the service's own holidays, and is nothing where none was seen.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shipcast.features.clock import DAY_HOURS, HOURS_OF_WEEK, Instants, local_time, public_holidays
from shipcast.models.hours import HourlySeries
from shipcast.models.posterior import Floats

SUNDAY = 6
WORTH = 0.5  # holidays that a share of nothing counts for, before any is seen
NO_GUIDE = 0.25  # the share from which holidays are no guide to other days
FARTHEST = 1.5  # shares beyond a Sunday's, or away from it


def on_holidays(instants: Instants, zone: str) -> NDArray[np.bool_]:
    """Whether each instant lies on a public holiday of the zone's country that is no Sunday."""
    if not len(instants):
        return np.zeros(0, dtype=bool)
    days = local_time(pl.Series(instants.astype("datetime64[us]")), pl.Series([zone] * len(instants))).dt.date()
    holidays = frozenset().union(*(public_holidays(zone, year) for year in days.dt.year().unique()))
    return np.asarray(days.is_in(list(holidays)) & (days.dt.weekday() != SUNDAY + 1))


def sunday_share(load: pl.DataFrame, zone: str) -> float:
    """How far holidays went towards a Sunday: 0, not at all; 1, all the way; least squares, drawn to 0.

    What is usual of a holiday's hour is the mean of a week before and a week after, which are no holidays; a Sunday's
    the mean of the two around it.

    Parameters
    ----------
    load
        Rows of `hour_at` and `requests`, in any order.
    """
    if not len(load):
        return 0.0
    series = HourlySeries.of(load, zone)
    is_holiday = on_holidays(series.instants, zone)
    measured = np.where(is_holiday, np.nan, series.measured)
    places = np.flatnonzero(is_holiday & ~np.isnan(series.measured))
    day = series.hours[places] // DAY_HOURS
    usual = around(measured, places, -HOURS_OF_WEEK, HOURS_OF_WEEK)
    sunday = around(measured, places, -(day + 1) * DAY_HOURS, (SUNDAY - day) * DAY_HOURS)
    moved, seen = sunday - usual, series.measured[places] - usual
    is_known = ~np.isnan(moved)
    square = float(moved[is_known] @ moved[is_known])
    if not square:
        return 0.0
    a_day = square / is_known.sum() * DAY_HOURS
    return float(np.clip(moved[is_known] @ seen[is_known] / (square + WORTH * a_day), -FARTHEST, FARTHEST))


def around(values: Floats, places: NDArray[np.int64], *offsets: NDArray[np.int64] | int) -> Floats:
    """The mean of the values so far from each place; NaN where one is not known."""
    found = []
    for offset in offsets:
        there = places + offset
        is_within = (there >= 0) & (there < len(values))
        found.append(np.where(is_within, values[np.where(is_within, there, 0)], np.nan))
    return np.asarray(np.mean(found, axis=0))


def sundays(hours: NDArray[np.int64]) -> NDArray[np.int64]:
    """The hour of a Sunday's week at the same time of day.

    Examples
    --------
    >>> sundays(np.array([10, 34])) - 6 * 24
    array([10, 10])
    """
    return hours % DAY_HOURS + SUNDAY * DAY_HOURS
