"""What a start would cost: chance of failure x the load that meets the outage.

The outage begins when the deployment ends and lasts a log-normal time, of which at most 14 days count. Without load
every minute counts 1, and the cost is in expected minutes of disruption.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    failure: Floats
    restore: Floats
    spread: float
    load: Floats | None = None
    load_error: Floats | None = None


@dataclass(frozen=True)
class Risk:
    """Draws of the cost of every start, and of the minutes that an outage there would last."""

    failure: Floats
    minutes: Floats
    costs: Floats
    has_load: bool


def risk(forecast: Forecast) -> Risk:
    """The cost of every start under every draw, in requests, or in minutes where the load is unknown."""
    every_minute = np.full(forecast.failure.shape[1] + OUTAGE_QUARTERS, 60.0)
    minutes = in_outage(forecast.restore, forecast.spread, every_minute)
    if forecast.load is None:
        return Risk(forecast.failure, minutes, forecast.failure * minutes, has_load=False)
    met = in_outage(forecast.restore, forecast.spread, forecast.load)
    error = 1.0 if forecast.load_error is None else forecast.load_error
    return Risk(forecast.failure, minutes, forecast.failure * met * error, has_load=True)


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
