"""What a start would cost: chance of failure x the load that meets the outage, and what meets a planned downtime.

The outage begins when the deployment ends and lasts a log-normal time, of which at most 14 days count. Without load
every minute counts 1, and the cost is in expected minutes of disruption.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.special import log_ndtr, ndtr

from shipcast.models.posterior import Floats

QUARTER_MINUTES = 15
OUTAGE_QUARTERS = 14 * 24 * 4
OUTAGE_EDGES: Floats = np.arange(0, OUTAGE_QUARTERS + 1, dtype=np.float64) * QUARTER_MINUTES
MEDIANS: Floats = np.geomspace(0.01, 1e6, 264)  # minutes


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
    outages = outages_of(forecast.spread)
    minutes = outages.minutes(forecast.restore)
    error = np.ones_like(forecast.failure) if forecast.load_error is None else forecast.load_error
    downtime = None if forecast.downtime is None else forecast.downtime * error
    if forecast.load is None:
        return Risk(forecast.failure, minutes, forecast.failure * minutes, downtime, has_load=False)
    met = outages.met(forecast.restore, forecast.load)
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
        return np.full(starts, float(minutes))
    so_far = np.append(0, np.cumsum(load)) / 60 * QUARTER_MINUTES
    ends = np.interp(np.arange(starts) + minutes / QUARTER_MINUTES, np.arange(len(so_far)), so_far)
    return np.asarray(ends - so_far[:starts])


class Outages:
    """Log-normal outages of one spread, and what they are expected to meet.

    Exact for medians on a fixed grid from a hundredth of a minute to two years, of which neighbours are 7 % apart;
    between them linear in the median, which is exact again where the load is constant.
    """

    def __init__(self, spread: float) -> None:
        self.spent = np.diff(limited_mean(OUTAGE_EDGES, MEDIANS[:, None], spread), axis=1)
        self.lasting = self.spent.sum(axis=1)

    def minutes(self, log_median: Floats) -> Floats:
        """How long an outage of each median lasts, as far as it counts."""
        below, share = between(log_median)
        return np.asarray(self.lasting[below] * (1 - share) + self.lasting[below + 1] * share)

    def met(self, log_median: Floats, per_hour: Floats) -> Floats:
        """What an outage meets of something that comes at a rate `per_hour` in every quarter hour.

        Parameters
        ----------
        log_median
            Of outages that begin with each quarter hour: one row a draw, one column a quarter hour.
        per_hour
            14 days longer than there are columns.
        """
        starts = log_median.shape[1]
        table = self.table(per_hour)
        below, share = between(log_median)
        column = np.arange(starts)
        return np.asarray(table[below, column] * (1 - share) + table[below + 1, column] * share)

    def table(self, per_hour: Floats) -> Floats:
        """The same for every median of the grid: one row a median, one column a quarter hour."""
        size = next_fast_len(len(per_hour), real=True)
        ahead = np.conj(rfft(self.spent, size)) * rfft(per_hour / 60, size)
        return np.asarray(np.maximum(irfft(ahead, size)[:, : len(per_hour) - OUTAGE_QUARTERS], 0))


@lru_cache(maxsize=4)
def outages_of(spread: float) -> Outages:
    """Those of a spread, kept since every price of a home rests on the same."""
    return Outages(spread)


def between(log_median: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The place of the median of the grid below each, and what share of the way to the next it lies."""
    log_first, step = np.log(MEDIANS[0]), np.log(MEDIANS[1] / MEDIANS[0])
    below = np.clip((log_median - log_first) / step, 0, len(MEDIANS) - 2).astype(np.int64)
    share = (np.exp(log_median) - MEDIANS[below]) / (MEDIANS[below + 1] - MEDIANS[below])
    return below, np.clip(share, 0, 1)


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
