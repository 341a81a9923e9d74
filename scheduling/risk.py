"""What a start would cost: chance of failure x the load that meets the outage, and what meets a planned downtime.

The outage begins when the deployment ends and lasts a log-normal time, of which at most 14 days count. Without load
every minute counts 1, and the cost is in expected minutes of disruption.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import log_ndtr, ndtr

from shipcast.models.posterior import Floats

QUARTER_MINUTES = 15
OUTAGE_QUARTERS = 14 * 24 * 4
OUTAGE_EDGES: Floats = np.arange(0, OUTAGE_QUARTERS + 1, dtype=np.float64) * QUARTER_MINUTES
MEDIANS = 64


@dataclass(frozen=True)
class Forecast:
    """Three forecasts for the same starts, a quarter of an hour apart.

    Parameters
    ----------
    failure
        Draws of the chance of failure: one row a draw, one column a start.
    restore, spread
        Draws of log(median minutes to restore) of an outage after each start; its spread in logs.
    load
        Requests per hour in every quarter hour from the first outage on, 14 days longer than the starts; null:
        not known.
    load_error
        Draws of the true load over the predicted one, for each start.
    downtime
        What the deployment itself is expected to turn away, for each start, in requests, or in minutes where the load
        is unknown; null: it takes nothing down.
    """

    failure: Floats
    restore: Floats
    spread: float
    load: Floats | None = None
    load_error: Floats | None = None
    downtime: Floats | None = None


@dataclass(frozen=True)
class Risk:
    """Draws of the cost of every start, and of what it is made of: one row a draw, one column a start.

    Parameters
    ----------
    failure, minutes
        Of the chance of failure, and of the minutes that an outage there would last.
    outage
        Of the requests (or minutes) that a failure is expected to cost.
    downtime
        Of those that the deployment itself turns away; null: it takes nothing down.
    """

    failure: Floats
    minutes: Floats
    outage: Floats
    downtime: Floats | None
    has_load: bool

    @cached_property
    def costs(self) -> Floats:
        return self.outage if self.downtime is None else self.outage + self.downtime


def risk(forecast: Forecast) -> Risk:
    """The cost of every start under every draw, in requests, or in minutes where the load is unknown."""
    every_minute = np.full(forecast.failure.shape[1] + OUTAGE_QUARTERS, 60.0)
    minutes = in_outage(forecast.restore, forecast.spread, every_minute)
    error = np.ones_like(forecast.failure) if forecast.load_error is None else forecast.load_error
    downtime = None if forecast.downtime is None else forecast.downtime * error
    if forecast.load is None:
        return Risk(forecast.failure, minutes, forecast.failure * minutes, downtime, has_load=False)
    met = in_outage(forecast.restore, forecast.spread, forecast.load)
    return Risk(forecast.failure, minutes, forecast.failure * met * error, downtime, has_load=True)


def met_while_down(load: Floats | None, minutes: float, starts: int) -> Floats:
    """What a downtime of so many minutes turns away from each start on: requests, or its minutes without load.

    Parameters
    ----------
    load
        Requests per hour in every quarter hour from the first start on, at least until the last downtime ends.

    Examples
    --------
    >>> met_while_down(np.array([60.0, 120.0, 120.0]), 20, 2), met_while_down(None, 20, 1)
    (array([25., 40.]), array([20.]))
    """
    if load is None:
        return np.full(starts, minutes)
    so_far = np.append(0, np.cumsum(load)) / 60 * QUARTER_MINUTES
    ends = np.interp(np.arange(starts) + minutes / QUARTER_MINUTES, np.arange(len(so_far)), so_far)
    return np.asarray(ends - so_far[:starts])


def in_outage(log_median: Floats, spread: float, per_hour: Floats) -> Floats:
    """What an outage is expected to meet, of something that comes at a rate `per_hour` in every quarter hour.

    Exact for a log-normal outage, but for interpolation between 64 medians that span the draws.
    """
    starts = log_median.shape[1]
    low, high = float(log_median.min()), float(log_median.max()) + 1e-6
    medians = np.exp(np.linspace(low, high, MEDIANS))
    spent = np.diff(limited_mean(OUTAGE_EDGES, medians[:, None], spread), axis=1)
    ahead = np.lib.stride_tricks.sliding_window_view(per_hour / 60, OUTAGE_QUARTERS)[:starts]
    table = spent @ ahead.T
    place = (log_median - low) / (high - low) * (MEDIANS - 1)
    below = np.minimum(place.astype(np.int64), MEDIANS - 2)
    share, column = place - below, np.arange(starts)
    return np.asarray(table[below, column] * (1 - share) + table[below + 1, column] * share)


def limited_mean(limit: Floats, median: Floats, spread: float) -> Floats:
    """The mean of min(outage, limit) for a log-normal outage, in the unit of both.

    Examples
    --------
    >>> float(limited_mean(np.array([1e9]), np.array([60.0]), 0.0001)[0].round(3))
    60.0
    """
    with np.errstate(divide="ignore"):
        distance = np.log(limit / median) / spread
    below = median * np.exp(spread**2 / 2) * ndtr(distance - spread)
    return np.asarray(below + np.where(limit > 0, limit * np.exp(log_ndtr(-distance)), 0))
