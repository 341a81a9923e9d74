"""What a start would cost: chance of failure x the load that meets the outage, and what meets a planned downtime.

The outage begins when the deployment ends and lasts a log-normal time, of which at most 14 days count. Without load
every minute counts 1, and the cost is in expected minutes of disruption.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.fft import irfft, rfft
from numpy.typing import NDArray

from shipcast.models.odds import normal_below
from shipcast.models.posterior import Floats

QUARTER_MINUTES = 15
OUTAGE_QUARTERS = 14 * 24 * 4
OUTAGE_EDGES: Floats = np.arange(0, OUTAGE_QUARTERS + 1, dtype=np.float64) * QUARTER_MINUTES
MEDIANS: Floats = np.geomspace(0.01, 1e6, 264)  # minutes
BLOCK = 24  # of these, which are worked out together
AT_ONCE = 64  # quarter hours: what one step of many leaves behind is small enough to be written over by the next


@dataclass(frozen=True)
class Forecast:
    """Three forecasts for the same starts, a quarter of an hour apart.

    Parameters
    ----------
    failure
        Draws of the chance of failure: one row a draw, one column a start.
    restore, spread
        Draws of log(median minutes to restore) of an outage in each hour of the week, one column an hour; its spread in
        logs.
    hours
        The hour of the week in which the outage after each start begins.
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
    hours: NDArray[np.int64]
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

    @cached_property
    def factors(self) -> dict[str, Floats]:
        """The factors of what a failure is expected to cost, for every start; they multiply to it exactly."""
        cost, chance = self.outage.mean(axis=0), self.failure.mean(axis=0)
        if not self.has_load:
            return {"failure chance": chance, "restore time": cost / chance}
        minutes = self.minutes.mean(axis=0)
        return {"failure chance": chance, "restore time": minutes, "load": cost / (chance * minutes)}


def risk(forecast: Forecast) -> Risk:
    """The cost of every start under every draw, in requests, or in minutes where the load is unknown."""
    medians = Medians.of(forecast.restore)
    outages = outages_of(forecast.spread, medians.blocks)
    minutes = of_hours(outages.minutes(medians), forecast.hours)
    error = np.ones_like(forecast.failure) if forecast.load_error is None else forecast.load_error
    downtime = None if forecast.downtime is None else forecast.downtime * error
    if forecast.load is None:
        return Risk(forecast.failure, minutes, forecast.failure * minutes, downtime, has_load=False)
    outage = outages.met(medians, forecast.hours, forecast.load)
    for factor in (forecast.failure, error):
        outage *= factor  # in place, since memory that is new to a process takes longer than the product
    return Risk(forecast.failure, minutes, outage, downtime, has_load=True)


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


@dataclass(frozen=True)
class Medians:
    """Where medians lie on the grid: the place of the one below each, and what share of the way to the next.

    One row a draw, one column an hour of the week.
    """

    below: NDArray[np.int64]
    share: Floats

    @classmethod
    def of(cls, log_median: Floats) -> Medians:
        """Those of medians whose logarithms are given."""
        log_first, step = np.log(MEDIANS[0]), np.log(MEDIANS[1] / MEDIANS[0])
        below = np.clip((log_median - log_first) / step, 0, len(MEDIANS) - 2).astype(np.int64)
        first, gap = MEDIANS[below], np.diff(MEDIANS)[below]
        return cls(below, np.clip((np.exp(log_median) - first) / gap, 0, 1))

    @property
    def blocks(self) -> tuple[int, int]:
        """From which block of the grid on, and up to behind which, the two around each median lie."""
        return int(self.below.min()) // BLOCK, (int(self.below.max()) + 1) // BLOCK + 1


def between(below: Floats, above: Floats, share: Floats) -> Floats:
    """What lies so far from what holds at one median to what holds at the next."""
    return np.asarray(below * (1 - share) + above * share)


def of_hours(draws: Floats, hours: NDArray[np.int64]) -> Floats:
    """Draws of each hour of the week as those of quarter hours, each of which has its draws side by side.

    >>> of_hours(np.array([[1, 2], [3, 4]]), np.array([1, 1, 0]))
    array([[2, 2, 1],
           [4, 4, 3]])
    """
    return np.asarray(np.ascontiguousarray(draws.T)[hours].T)


class Outages:
    """Log-normal outages of one spread, and what they are expected to meet.

    Exact for medians on a fixed grid from a hundredth of a minute to two years, of which neighbours are 7 % apart;
    between them linear in the median, which is exact again where the load is constant.

    Parameters
    ----------
    blocks
        Of the grid, from the first to behind the last, in which the medians that are asked about lie.
    """

    def __init__(self, spread: float, blocks: tuple[int, int]) -> None:
        first, last = blocks
        self.first = first * BLOCK
        self.spent = np.diff(limited_mean(OUTAGE_EDGES, MEDIANS[self.first : last * BLOCK, None], spread), axis=1)
        self.lasting = self.spent.sum(axis=1)
        self.spectra: dict[int, NDArray[np.complex128]] = {}

    def minutes(self, medians: Medians) -> Floats:
        """How long an outage of each median lasts, as far as it counts."""
        below = medians.below - self.first
        return between(self.lasting[below], self.lasting[below + 1], medians.share)

    def met(self, medians: Medians, hours: NDArray[np.int64], per_hour: Floats) -> Floats:
        """What an outage meets of something that comes at a rate `per_hour` in every quarter hour.

        Parameters
        ----------
        hours
            Of the week: the column of `medians` for the outage that begins with each quarter hour.
        per_hour
            14 days longer than there are such hours.
        """
        table, share = (np.ascontiguousarray(side.T) for side in (self.table(per_hour), medians.share))
        below = np.ascontiguousarray((medians.below - self.first).T)
        found = np.empty((len(hours), len(medians.below)))
        for begin in range(0, len(hours), AT_ONCE):
            some = slice(begin, begin + AT_ONCE)
            cell = below[hours[some]]
            low, high = (np.take_along_axis(table[some], place, axis=1) for place in (cell, cell + 1))
            found[some] = between(low, high, share[hours[some]])
        return found.T

    def table(self, per_hour: Floats) -> Floats:
        """The same for the medians of the grid: one row a median, one column a quarter hour."""
        size = fast_size(len(per_hour))
        if size not in self.spectra:
            self.spectra[size] = np.conj(rfft(self.spent, size))
        ahead = self.spectra[size] * rfft(per_hour / 60, size)
        return np.asarray(np.maximum(irfft(ahead, size)[:, : len(per_hour) - OUTAGE_QUARTERS], 0))


@lru_cache(maxsize=8)
def outages_of(spread: float, blocks: tuple[int, int]) -> Outages:
    """Those of a spread, kept since every price of a home rests on the same."""
    return Outages(spread, blocks)


def fast_size(least: int) -> int:
    """The first number of no other factors than 2, 3 and 5 from `least` on, of which transforms are fast.

    >>> fast_size(4033)
    4050
    """
    powers = range(least.bit_length())
    odd: list[int] = [3**threes * 5**fives for threes in powers for fives in powers]
    return min(one << (-(-least // one) - 1).bit_length() for one in odd)


def limited_mean(limit: Floats, median: Floats, spread: float) -> Floats:
    """The mean of min(outage, limit) for a log-normal outage, in the unit of both.

    Examples
    --------
    >>> float(limited_mean(np.array([1e9]), np.array([60.0]), 0.0001)[0].round(3))
    60.0
    """
    with np.errstate(divide="ignore"):
        distance = np.log(limit / median) / spread
    below = median * np.exp(spread**2 / 2) * normal_below(distance - spread)
    return np.asarray(below + np.where(limit > 0, limit * normal_below(-distance), 0))
