"""What a public holiday does to the load: how far it goes from that of its weekday towards that of a Sunday.

Many services see a Sunday on a holiday, some see no difference, shops may see more than ever; so the share is learned
from the service's own holidays, and is nothing where none was seen. No two holidays are alike: how far theirs lay apart
says how much is in doubt about the next one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shipcast.features.clock import DAY_HOURS, HOURS_OF_WEEK, Instants, kept_by_instants, public_holidays
from shipcast.models.hours import HourlySeries
from shipcast.models.posterior import Floats

SUNDAY = 6
WORTH = 0.5  # holidays that a share of nothing, and UNSEEN, count for, before any is seen
UNSEEN = 0.5  # how far shares of single holidays are taken to lie from their mean
NO_GUIDE = 0.25  # the share from which holidays are no guide to other days
FARTHEST = 1.5  # shares beyond a Sunday's, or away from it


@kept_by_instants
def on_holidays(instants: Instants, zone: str) -> NDArray[np.bool_]:
    """Whether each instant lies on a public holiday of the zone's country that is no Sunday."""
    if not len(instants):
        return np.zeros(0, dtype=bool)
    days = pl.Series(instants).dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.date()
    holidays = frozenset().union(*(public_holidays(zone, year) for year in days.dt.year().unique()))
    return (days.is_in(list(holidays)) & (days.dt.weekday() != SUNDAY + 1)).to_numpy(writable=True)


@dataclass(frozen=True)
class SundayShare:
    """How far holidays go towards a Sunday: 0, not at all; 1, all the way.

    Parameters
    ----------
    doubt
        How far a single holiday, one to come among them, lies from the mean: one spread.
    """

    mean: float = 0.0
    doubt: float = UNSEEN


def sunday_share(load: pl.DataFrame, zone: str) -> SundayShare:
    """The share of a service's past holidays: least squares over all their hours, drawn to 0.

    What is usual of a holiday's hour is the mean of a week before and a week after, which are no holidays; a Sunday's
    the mean of the two around it.

    Parameters
    ----------
    load
        Rows of `hour_at` and `requests`, in any order.
    """
    if not len(load):
        return SundayShare()
    series = HourlySeries.of(load, zone)
    is_holiday = on_holidays(series.instants, zone)
    measured = np.where(is_holiday, np.nan, series.measured)
    places = np.flatnonzero(is_holiday & ~np.isnan(series.measured))
    day = series.hours[places] // DAY_HOURS
    usual = around(measured, places, -HOURS_OF_WEEK, HOURS_OF_WEEK)
    sunday = around(measured, places, -(day + 1) * DAY_HOURS, (SUNDAY - day) * DAY_HOURS)
    moved, seen = sunday - usual, series.measured[places] - usual
    is_known = ~np.isnan(moved)
    midnights = places - series.hours[places] % DAY_HOURS
    return shared(moved[is_known], seen[is_known], midnights[is_known])


def shared(moved: Floats, seen: Floats, midnights: NDArray[np.int64]) -> SundayShare:
    """The share, by how far hours would have moved to be a Sunday's and how far they did; by its midnight, the day."""
    days = np.unique(midnights, return_inverse=True)[1]
    squares = np.bincount(days, moved**2)
    if not squares.sum():
        return SundayShare()
    a_day = squares.sum() / len(moved) * DAY_HOURS
    mean = np.clip(moved @ seen / (squares.sum() + WORTH * a_day), -FARTHEST, FARTHEST)
    products = np.bincount(days, moved * seen)
    shares = np.divide(products, squares, out=np.full(len(squares), mean), where=squares > 0)
    apart = (np.clip(shares, -FARTHEST, FARTHEST) - mean) ** 2
    worth = len(squares) + WORTH
    variance = (squares / squares.mean() @ apart + WORTH * UNSEEN**2) / worth
    return SundayShare(float(mean), float(np.sqrt(variance * (1 + 1 / worth))))


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
