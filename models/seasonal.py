"""Four plain forecasts of an hourly series, none of which serves all: a week that repeats, and three that follow it.

Each forecasts the hours after the end of what it is given, up to a week of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter, mul

import numpy as np
from numpy.typing import NDArray

from shipcast.features.clock import HOURS_OF_WEEK
from shipcast.models.hours import PROFILE_WEEKS
from shipcast.models.posterior import Floats
from shipcast.models.shrinkage import FLOOR_SHARE, shrunken_week

Integers = NDArray[np.int64]

LAGS: Integers = np.array([1, 2, 3, 23, 24, 25, 48, 72, 96, 120, 144, 167, 168, 169])
NEAR_LAGS = LAGS[:6]
RIDGE = 1e-5
RANGE_WEEKS = 4


@dataclass(frozen=True)
class Past:
    """What is known of a series, and which hours of the week come.

    Parameters
    ----------
    values
        Requests per hour, without gaps; at least 170 hours.
    hours, coming
        Local hours of the week, of the values and of the hours to forecast.
    """

    values: Floats
    hours: Integers
    coming: Integers

    @property
    def bounds(self) -> tuple[float, float]:
        """The range of the last four weeks and half of it on either side; never below nothing."""
        last = self.values[-RANGE_WEEKS * HOURS_OF_WEEK :]
        half = float(np.ptp(last)) / 2
        return max(0.0, float(last.min()) - half), float(last.max()) + half

    @cached_property
    def week(self) -> Floats:
        """What is usual in each hour of the week, by the last eight."""
        last = slice(-PROFILE_WEEKS * HOURS_OF_WEEK, None)
        return shrunken_week(self.values[last], self.hours[last])[0]


def repeating_week(past: Past) -> Floats:
    """The median of each hour of the week over the last eight, held to what its noise allows."""
    return past.week[past.coming]


def autoregression(past: Past) -> Floats:
    """A regression on the last hours and on the same hours of days and weeks before."""
    return continued(past.values, len(past.coming), LAGS, past.bounds)


def week_corrected_by_days(past: Past) -> Floats:
    """The repeating week, and by what factor it was missed carried on from hour to hour."""
    return corrected(past, NEAR_LAGS)


def week_corrected_by_weeks(past: Past) -> Floats:
    """The same, carried on from the same hours of days and weeks before as well."""
    return corrected(past, LAGS)


def corrected(past: Past, lags: Integers) -> Floats:
    """In logarithms, since swings grow with the level."""
    floor = max(FLOOR_SHARE * float(past.values.mean()), 1e-12)
    usual = np.log(past.week + floor)
    missed = continued(np.log(past.values + floor) - usual[past.hours], len(past.coming), lags)
    low, high = np.log(np.array(past.bounds) + floor)
    return np.asarray(np.exp(np.clip(usual[past.coming] + missed, low, high)) - floor)


MEMBERS: dict[str, Callable[[Past], Floats]] = {
    "repeating week": repeating_week,
    "autoregression": autoregression,
    "week corrected by days": week_corrected_by_days,
    "week corrected by weeks": week_corrected_by_weeks,
}


def continued(values: Floats, count: int, lags: Integers, bounds: tuple[float, float] | None = None) -> Floats:
    """The next values by a regression on lagged ones, each of which takes the forecasts before it for what was."""
    centre, spread = float(values.mean()), float(values.std()) or 1.0
    values = (values - centre) / spread
    longest = int(lags.max())
    lagged = np.column_stack([values[longest - lag : len(values) - lag] for lag in lags])
    weights = least_squares(np.column_stack([lagged, np.ones(len(lagged))]), values[longest:])
    low, high = ((bound - centre) / spread for bound in bounds or (-np.inf, np.inf))
    path, before = values[-longest:].tolist(), itemgetter(*(-lags).tolist())
    *of_lags, constant = weights.tolist()
    for _ in range(count):
        path.append(min(max(sum(map(mul, of_lags, before(path)), constant), low), high))
    return centre + spread * np.array(path[longest:])


def least_squares(design: Floats, values: Floats) -> Floats:
    """Weights that a tiny ridge keeps finite where columns say the same."""
    gram = design.T @ design
    gram[np.diag_indices(len(gram))] += RIDGE * max(float(np.trace(gram)) / len(gram), 1e-12)
    return np.asarray(np.linalg.solve(gram, design.T @ values))
