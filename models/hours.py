"""An hourly series made fit to learn from: no gaps, no bursts, and all of it on the level where it now is.

What is changed here is changed for the models only; what a forecast is held against is what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shipcast.features.clock import DAY_HOURS, HOURS_OF_WEEK, Instants, hours_of_week
from shipcast.models.posterior import Floats
from shipcast.models.shrinkage import FLOOR_SHARE, LEAST_SCATTER, SCATTER_OF_DEVIATION, medians

HOUR = np.timedelta64(1, "h")
BURST = 4.0  # spreads from the usual value of its hour of the week
PROFILE_WEEKS = 8
SHORTEST_LEVEL, LEVEL_DAYS = 3, 14  # that a level must last; on either side of a shift that say what it is
LEAST_SHIFT, CLEAR_SHIFT = 0.5, 12.0  # in logs; in standard errors
MOST_SHIFTS = 3


@dataclass(frozen=True)
class HourlySeries:
    """Consecutive hours.

    Parameters
    ----------
    begins_at
        The first hour, in UTC.
    measured
        Requests per hour; NaN where nothing was measured.
    hours
        Local hour of the week of each.
    """

    begins_at: np.datetime64
    measured: Floats
    hours: NDArray[np.int64]

    @classmethod
    def of(cls, load: pl.DataFrame, zone: str) -> HourlySeries:
        """From rows of `hour_at` and `requests`, of which there is at least one, in any order."""
        at = load["hour_at"].to_numpy().astype("datetime64[us]")
        begins_at = at.min()
        place = ((at - begins_at) / HOUR).astype(np.int64)
        measured = np.full(int(place.max()) + 1, np.nan)
        measured[place] = load["requests"].to_numpy().astype(np.float64)
        return cls(begins_at, measured, hours_of_week(begins_at + np.arange(len(measured)) * HOUR, zone))

    @property
    def ends_at(self) -> np.datetime64:
        """The first hour after it."""
        return self.begins_at + len(self.measured) * HOUR

    @property
    def instants(self) -> Instants:
        """The start of each hour."""
        return np.asarray(self.begins_at + np.arange(len(self.measured)) * HOUR)

    def without(self, hours: NDArray[np.bool_]) -> HourlySeries:
        """The series as if these hours had not been measured."""
        return replace(self, measured=np.where(hours, np.nan, self.measured))

    def ahead(self, instants: Instants) -> NDArray[np.int64]:
        """How many hours after its last one each instant's hour lies; 0: the first after it."""
        return ((instants - self.ends_at) // HOUR).astype(np.int64)


def cleaned(measured: Floats, hours: NDArray[np.int64]) -> Floats:
    """The series without gaps and bursts, and on its last level."""
    return without_bursts(rebased(filled(measured, hours)), hours)


def filled(values: Floats, hours: NDArray[np.int64]) -> Floats:
    """A gap takes the value a week before, else after, else the usual one of its hour of the week."""
    if not np.isnan(values).any():
        return values
    values = values.copy()
    for shift in (-HOURS_OF_WEEK, HOURS_OF_WEEK):
        gaps = np.flatnonzero(np.isnan(values))
        there = (gaps + shift >= 0) & (gaps + shift < len(values))
        values[gaps[there]] = values[gaps[there] + shift]
    gaps = np.isnan(values)
    values[gaps] = weekly_profile(values, hours)[hours[gaps]]
    return values


def without_bursts(values: Floats, hours: NDArray[np.int64]) -> Floats:
    """What lies far from the usual value of its hour of the week is drawn to the edge of what is not far."""
    usual = weekly_profile(values, hours)[hours]
    apart = values - usual
    reach = BURST * SCATTER_OF_DEVIATION * float(np.median(np.abs(apart - np.median(apart))))
    return values if reach == 0 else usual + np.clip(apart, -reach, reach)


def rebased(values: Floats) -> Floats:
    """Where the level has shifted for days, what lies before is brought to the level after.

    Looked for between whole days, counted back from the end, in their logarithms less what is usual of the weekday,
    where two levels leave the smallest distances: a shift is large, and stands out from how days scatter.
    """
    values = values.copy()
    for _ in range(MOST_SHIFTS):
        days, size = shift_of_level(values)
        if not days:
            break
        values[: len(values) - days * DAY_HOURS] *= np.exp(size)
    return values


def shift_of_level(values: Floats) -> tuple[int, float]:
    """How many days ago the level last shifted, and by how much in logarithms; 0 days: it did not."""
    count = len(values) // DAY_HOURS
    days = values[len(values) - count * DAY_HOURS :].reshape(count, DAY_HOURS).sum(axis=1)[::-1]
    if count < 4 * SHORTEST_LEVEL or not days.any():
        return 0, 0.0
    logs = np.log(days + FLOOR_SHARE * days.mean())
    logs = logs - usual_of_weekday(logs)
    distances = scatters(logs)[:-1] + scatters(logs[::-1])[-2::-1]  # of the days after a shift, and before it
    days_ago = SHORTEST_LEVEL + int(np.argmin(distances[SHORTEST_LEVEL - 1 : count - SHORTEST_LEVEL]))
    after, before = logs[:days_ago][:LEVEL_DAYS], logs[days_ago:][:LEVEL_DAYS]
    size = float(np.median(after) - np.median(before))
    if any(abs(day - np.median(after)) > abs(day - np.median(before)) for day in logs[:SHORTEST_LEVEL]):
        return 0, 0.0  # the newest days are not all on the level after: what was there is over, or has just begun
    spread = SCATTER_OF_DEVIATION * (scatter(after) + scatter(before)) / (len(after) + len(before))
    error = max(spread, LEAST_SCATTER) * np.sqrt(1 / len(after) + 1 / len(before))
    return (days_ago, size) if abs(size) >= max(LEAST_SHIFT, CLEAR_SHIFT * error) else (0, 0.0)


def scatter(logs: Floats) -> float:
    """The sum of the distances from the median."""
    return float(np.abs(logs - np.median(logs)).sum())


def scatters(logs: Floats) -> Floats:
    """The same of the first day, the first two, and so on.

    Examples
    --------
    >>> scatters(np.array([1.0, 3.0, 8.0]))
    array([0., 2., 7.])
    """
    is_first = np.tri(len(logs), dtype=bool)
    ordered, last = np.sort(np.where(is_first, logs, np.inf), axis=1), np.arange(len(logs))
    middle = (ordered[last, last // 2] + ordered[last, (last + 1) // 2]) / 2
    return np.asarray(np.where(is_first, np.abs(logs - middle[:, None]), 0).sum(axis=1))


def usual_of_weekday(logs: Floats) -> Floats:
    """How far each day usually lies from the middle day of its week; so a shift upsets the one week it falls in."""
    weeks = logs[: len(logs) // 7 * 7].reshape(-1, 7)
    usual = np.median(weeks - np.median(weeks, axis=1, keepdims=True), axis=0)
    return np.asarray(np.resize(usual, len(logs)))


def weekly_profile(values: Floats, hours: NDArray[np.int64]) -> Floats:
    """The median of every local hour of the week over the last eight; without any, of the hour of the day."""
    last = slice(max(0, len(values) - PROFILE_WEEKS * HOURS_OF_WEEK), None)
    profile = medians(values[last], hours[last], HOURS_OF_WEEK)
    if np.isnan(profile).any():
        day = medians(values, hours % DAY_HOURS, DAY_HOURS)
        day[np.isnan(day)] = np.nanmedian(values)
        profile = np.where(np.isnan(profile), np.tile(day, 7), profile)
    return profile
