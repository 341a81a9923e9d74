"""Requests per hour ahead: four plain forecasts, each with the weight that its errors of the last weeks earn it.

The weights are inverse to a power of the errors (as Bates and Granger, 1969, but sharper) of forecasts made as if from
each of the last days; how far the weighted forecast was off then, by hour of the day and by days ahead, is how sure it
is. A series of less than three weeks has a week that repeats, or a day, each hour held to what its noise allows.
"""

from __future__ import annotations

from datetime import timedelta
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shipcast.features.clock import DAY_HOURS, HOURS_OF_WEEK, Instants, hours_of_week
from shipcast.features.history import History
from shipcast.models.days_off import NO_GUIDE, SundayShare, on_holidays, sunday_share, sundays
from shipcast.models.hours import HOUR, HourlySeries, cleaned
from shipcast.models.learned import kept_by_rows
from shipcast.models.posterior import DRAWS, SEED, Floats
from shipcast.models.seasonal import MEMBERS, Past, repeating_week
from shipcast.models.shrinkage import FLOOR_SHARE, shrunken_week

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
DAY_ALONE = 14 * DAY_HOURS  # hours below which the days of the week cannot be told apart
WEEK_ALONE = 21 * DAY_HOURS  # below which a series is too short to be followed
HORIZON = HOURS_OF_WEEK  # after which the forecast week repeats
ORIGINS, LEAST_PAST, LEAST_AHEAD = 10, 17 * DAY_HOURS, 2 * DAY_HOURS
POWER = 4  # of the mean absolute error that weights are inverse to
WORTH = 20.0  # errors that those of the whole day count for, beside an hour's own
# Ten origins of one series see too little of what can go wrong, and least of what seldom does.
WIDENING = np.array([1.4, 1.15, 0.0, 1.15, 1.4])
TELLING = 0.5  # of the mean error: hours that are missed by less don't say how errors scatter
UNSEEN = 0.5  # of the mean load, over the days known: the least that errors of a short series are taken for
DEVIATES: Floats = np.array([NormalDist().inv_cdf(share) for share in QUANTILES])
NORMAL: Floats = DEVIATES * np.sqrt(np.pi / 2)  # quantiles of normal errors over their mean absolute one
OUTAGE_HOURS = 4  # an outage meets the mean of some hours, of which errors are smaller than of one
LARGEST_ERROR = 1.0  # in logs
KEPT = 64  # models of services asked about last
LAST_DAYS = 28  # in which a service whose load is known has seen a request


class LoadModel:
    """Requests per hour, and how sure they are.

    Attributes
    ----------
    is_known
        Whether there is any load to speak of; without, as before `fit`, nothing else may be asked.
    is_zero
        Whether it was measured, and was nothing in the last 28 days of that; it is not known then, since nothing can be
        weighed by it.
    is_short
        Less than two weeks: the days of the week cannot be told apart, hours of the day at best.
    weights_
        Of each plain forecast, by name; none for a series that is too short to be followed.
    sunday_share_
        How far public holidays go from their weekday towards a Sunday, and how far that of each lies from the mean.
    """

    is_known = is_zero = False

    def __init__(self, zone: str) -> None:
        self.zone = zone

    @classmethod
    def of(cls, history: History, service: str, zone: str) -> LoadModel:
        """The model of one service, as far as its load was known; that of the same hours is made once."""
        return learned(zone, history.hourly_load(service, zone), history.earlier_load(service, zone))

    def fit(self, load: pl.DataFrame, earlier: pl.DataFrame | None = None) -> LoadModel:
        """Learns from `History.hourly_load`, in requests per hour.

        Parameters
        ----------
        earlier
            `History.earlier_load`: what lies before, which says what public holidays do.
        """
        self.hours_ = len(load)
        recent = load.filter(pl.col("hour_at") > pl.col("hour_at").max() - timedelta(days=LAST_DAYS))
        self.is_known = len(load) > 0 and recent["requests"].sum() > 0
        self.is_zero = len(load) > 0 and not self.is_known
        self.is_short = len(load) < DAY_ALONE
        self.weights_: dict[str, float] = {}
        self.sunday_share_ = SundayShare()
        if self.is_known:
            self.series_ = HourlySeries.of(load, self.zone)
            self.sunday_share_ = sunday_share(load if earlier is None else pl.concat([earlier, load]), self.zone)
            if abs(self.sunday_share_.mean) >= NO_GUIDE:
                self.series_ = self.series_.without(on_holidays(self.series_.instants, self.zone))
            if len(load) < max(WEEK_ALONE, len(self.series_.measured) / 2):  # or mostly gaps
                self.fit_week()
            else:
                self.fit_members()
        return self

    def fit_week(self) -> None:
        """One week that repeats, or one day."""
        known = ~np.isnan(self.series_.measured)
        requests, hours = self.series_.measured[known], self.series_.hours[known]
        self.week_, error = shrunken_week(requests, hours, by_day_alone=self.is_short)
        self.path_ = np.zeros(0)
        # What a few days were missed by is less than what the next will be, since they made the week.
        least = UNSEEN * float(self.week_.mean()) / (len(requests) / DAY_HOURS)
        self.fit_errors((requests - self.week_[hours])[None, :], hours[None, :] % DAY_HOURS, least, NORMAL)
        self.outage_ = error.reshape(7, DAY_HOURS).mean(axis=0)

    def fit_members(self) -> None:
        """The weighted forecast of the week ahead, and its errors in the weeks behind."""
        measured, hours = self.series_.measured, self.series_.hours
        spare = len(measured) - LEAST_PAST
        count = int(np.clip((spare - LEAST_AHEAD) // DAY_HOURS + 1, 1, ORIGINS))
        ahead = min(HORIZON, spare - (count - 1) * DAY_HOURS)
        origins = len(measured) - ahead - DAY_HOURS * np.arange(count)
        coming = origins[:, None] + np.arange(ahead)
        if np.sum(~np.isnan(measured[origins[-1] :])) < LEAST_AHEAD:
            self.fit_week()  # what was measured lies before a hole: there is nothing to follow
            return
        forecasts = np.array([self.members(origin, hours[origin : origin + ahead]) for origin in origins.tolist()])
        errors = measured[coming][:, None, :] - forecasts
        misses = np.nanmean(np.abs(errors), axis=(0, 2)) + 1e-9 * float(np.nanmean(np.abs(measured)))
        weights = (misses / misses.min()) ** -POWER
        weights /= weights.sum()
        self.weights_ = dict(zip(MEMBERS, weights.tolist(), strict=True))
        following = hours_of_week(self.series_.ends_at + np.arange(HORIZON) * HOUR, self.zone)
        self.path_ = weights @ self.members(len(measured), following)
        every_hour = np.arange(HOURS_OF_WEEK)  # one of which the week ahead may lack, where the clocks change in it
        self.week_ = repeating_week(Past(cleaned(measured, hours), hours, every_hour))
        self.week_[following] = self.path_
        self.fit_errors(np.einsum("omh,m->oh", errors, weights), hours[coming] % DAY_HOURS)

    def members(self, origin: int, coming: NDArray[np.int64]) -> Floats:
        """What each plain forecast says of the hours after the first `origin` ones."""
        hours = self.series_.hours[:origin]
        past = Past(cleaned(self.series_.measured[:origin], hours), hours, coming)
        return np.array([member(past) for member in MEMBERS.values()])

    def fit_errors(
        self, errors: Floats, of_day: NDArray[np.int64], least: float = 0.0, least_quantiles: Floats | float = 0.0
    ) -> None:
        """How far forecasts are off: one row an origin, one column an hour ahead; NaN where nothing was measured.

        Errors are not taken to be smaller than `least`, nor to scatter less than `least_quantiles` of their mean size.
        """
        self.scale_ = np.maximum(by_hour_of_day(errors, of_day), least)
        relative = np.abs(errors) / self.scale_[of_day]
        days = np.arange(errors.shape[1]) // DAY_HOURS if self.weights_ else np.zeros(errors.shape[1], dtype=np.int64)
        sizes = np.bincount(days, (~np.isnan(relative)).sum(axis=0)) + WORTH
        growth = (np.bincount(days, np.nansum(relative, axis=0)) + WORTH) / sizes
        self.growth_ = np.maximum.accumulate(growth) if self.weights_ else np.ones(1)
        standard = errors / (self.scale_[of_day] * self.growth_[days])
        # Hours that see hardly anything are hardly missed; they say nothing of how far others are.
        telling = standard[self.scale_[of_day] >= TELLING * self.scale_.mean()]
        found = WIDENING * np.nanquantile(telling, QUANTILES)
        found = np.where(np.abs(found) > np.abs(least_quantiles), found, least_quantiles)
        self.quantiles_ = np.concatenate([np.minimum(found[:2], 0), [0.0], np.maximum(found[3:], 0)])
        self.outage_ = by_hour_of_day(over_outages(errors), of_day)

    def predict(self, instants: Instants) -> Floats:
        """Requests per hour expected then."""
        expected = self.on_workdays(instants)
        moved = self.sunday_share_.mean * self.to_sunday(instants, expected)
        return np.asarray(np.maximum(expected + moved, 0))

    def on_workdays(self, instants: Instants) -> Floats:
        """The same, as if no day were a public holiday."""
        ahead = self.series_.ahead(instants)
        is_followed = (ahead >= 0) & (ahead < len(self.path_))
        expected = self.week_[hours_of_week(instants, self.zone)]
        if is_followed.any():
            expected = np.where(is_followed, self.path_[np.where(is_followed, ahead, 0)], expected)
        return expected

    def to_sunday(self, instants: Instants, expected: Floats) -> Floats:
        """On public holidays, how far the load of a Sunday lies from what is expected; 0 on other days."""
        apart = self.week_[sundays(hours_of_week(instants, self.zone))] - expected
        return np.where(on_holidays(instants, self.zone), apart, 0.0)

    def doubt(self, instants: Instants) -> Floats:
        """How far the share of a single holiday may move the load: one spread; 0 on other days."""
        return np.abs(self.sunday_share_.doubt * self.to_sunday(instants, self.on_workdays(instants)))

    def quantiles(self, instants: Instants) -> Floats:
        """Requests in the hour of each instant, at `QUANTILES`: one row an instant."""
        spread = self.spread(self.scale_, instants)[:, None] * self.quantiles_
        both = np.sign(DEVIATES) * np.hypot(spread, self.doubt(instants)[:, None] * DEVIATES)
        return np.maximum.accumulate(np.maximum(self.predict(instants)[:, None] + both, 0), axis=1)

    def draws(self, instants: Instants) -> Floats:
        """Draws of the load that an outage meets over the predicted one: one row a draw, one column an instant.

        They are those of its hour, which is made once of instants that follow each other in it.
        """
        hours, ahead = hours_of_week(instants, self.zone), self.series_.ahead(instants)
        begins = (np.diff(hours, prepend=-1) != 0) | (np.diff(ahead, prepend=0) != 0)
        return np.asarray(self.hour_draws(instants[begins])[:, np.cumsum(begins) - 1])

    def hour_draws(self, instants: Instants) -> Floats:
        """The same, each instant for itself."""
        expected = np.maximum(self.predict(instants), FLOOR_SHARE * max(float(self.week_.mean()), 1e-12))
        relative = np.hypot(self.spread(self.outage_, instants), self.doubt(instants)) / expected
        sigma = np.minimum(np.sqrt(np.log1p(relative**2)), LARGEST_ERROR)
        rng = np.random.default_rng([SEED, 3])
        noise = rng.standard_normal((DRAWS, HOURS_OF_WEEK))[:, hours_of_week(instants, self.zone)]
        noise *= sigma
        noise -= sigma**2 / 2
        return np.asarray(np.exp(noise, out=noise))

    def spread(self, scale: Floats, instants: Instants) -> Floats:
        """The scale of errors at the hour of the day of each instant, as many days ahead as it lies."""
        of_day = hours_of_week(instants, self.zone) % DAY_HOURS
        return np.asarray(scale[of_day] * self.growth_[self.day_ahead(self.series_.ahead(instants))])

    def day_ahead(self, ahead: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.clip(ahead // DAY_HOURS, 0, len(self.growth_) - 1)

    def describe(self) -> dict[str, Any]:
        """What it rests on."""
        return {"hours": self.hours_, "is_known": self.is_known, "is_short": self.is_short, "weights": self.weights_}


@kept_by_rows(KEPT)
def learned(zone: str, load: pl.DataFrame, earlier: pl.DataFrame) -> LoadModel:
    return LoadModel(zone).fit(load, earlier)


def by_hour_of_day(errors: Floats, of_day: NDArray[np.int64]) -> Floats:
    """The mean absolute error at every hour of the day, drawn to that of the whole day where there are few."""
    known = ~np.isnan(errors)
    sizes = np.bincount(of_day[known], minlength=DAY_HOURS)
    sums = np.bincount(of_day[known], np.abs(errors[known]), minlength=DAY_HOURS)
    overall = max(float(sums.sum()) / max(int(sizes.sum()), 1), 1e-12)
    return np.asarray((sums + WORTH * overall) / (sizes + WORTH))


def over_outages(errors: Floats) -> Floats:
    """The mean error of the hours that an outage meets, for each hour in which it may begin."""
    filled = np.nan_to_num(errors)
    padded = np.hstack([filled, np.repeat(filled[:, -1:], OUTAGE_HOURS - 1, axis=1)])
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, OUTAGE_HOURS, axis=1).mean(axis=2))
