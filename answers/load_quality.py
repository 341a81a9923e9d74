"""How the load forecasts of a week ago did: what they would have said then, held against what was measured since."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from shipcast.answers.answer import Count, Instant, Number, Part, Share, utc
from shipcast.answers.forecast import coming_hours
from shipcast.answers.words import plural, share
from shipcast.features.clock import DAY_HOURS, HOURS_OF_WEEK
from shipcast.features.history import History
from shipcast.models.load import LoadModel
from shipcast.models.scores import coverage, mase, naive2, owa

AHEAD = timedelta(days=7)
LOOKED_AT = timedelta(days=28)  # before the forecast, in which services are the busiest
MOST_SERVICES = 20
BUSIEST = """
select service from fct_load_hourly
where {scope} and known_at <= $at and hour_at >= $since
group by service having sum(requests) > 0
order by sum(requests) desc, service
limit $most
"""


class ServiceLoad(Part):
    """How the forecast of one service did over the hours measured.

    `mase` is its mean absolute error over that of the value a week before, in the weeks that it learned from; null:
    these are fewer than two, or repeat themselves. `owa` is the mean of its sMAPE and of its mean absolute error, each
    over that of Naive2, the last value with the season of the day; null: Naive2 made no error.
    """

    service: str
    n: Count
    coverage_50: Share
    coverage_90: Share
    mase: Number | None
    owa: Number | None


class LoadQuality(Part):
    """The forecasts of the busiest services, made 7 days before from what was known then.

    Parameters
    ----------
    period_start, period_end
        The hours that were forecast, half-open.
    n
        The hours measured since, over all services.
    coverage_50, coverage_90
        The share of these that lay in the interval meant to hold 50 and 90 of 100. Hours of one week go together, so
        that even good intervals are off by some percent.
    mase, owa
        The means over services; below 1 is better than the value a week before in the past, and than Naive2 (as in the
        M4 competition) in the same week.
    """

    period_start: Instant
    period_end: Instant
    n: Count
    coverage_50: Share
    coverage_90: Share
    mase: Number | None
    owa: Number | None
    services: tuple[ServiceLoad, ...]


def load_quality(history: History, progress: Callable[[str], None]) -> LoadQuality | str:
    """How the forecasts did by what was known at the history's instant, or why that is unknown."""
    then = replace(history, at=history.at - AHEAD, cache={})
    zones = dict(history.services().select("service", "zone").rows())
    names = then.frame(BUSIEST, since=then.at - LOOKED_AT, most=MOST_SERVICES)["service"].to_list()
    if not names:
        return f"No load was known on {then.at:%-d %b %Y}, {AHEAD.days} days before."
    found = []
    for name in names:
        progress(f"forecasting the load of {name} as of {then.at:%Y-%m-%d}")
        found.append(service_load(then, history, name, zones.get(name, history.default_zone)))
    judged = [one for one in found if one is not None]
    return (
        gathered(judged, then.at, history.at) if judged else f"Hardly any load was measured since {then.at:%-d %b %Y}."
    )


def service_load(then: History, now: History, service: str, zone: str) -> ServiceLoad | None:
    """How one forecast did; null: less than a day was measured since."""
    model = LoadModel.of(then, service, zone)
    hours = coming_hours(then.at, HOURS_OF_WEEK)
    asked = pl.DataFrame({"hour_at": hours})
    measured = asked.join(now.hourly_load(service, zone), on="hour_at", how="left", maintain_order="left")["requests"]
    known = measured.is_not_null().to_numpy()
    if not model.is_known or known.sum() < DAY_HOURS:
        return None
    actual, quantiles = measured.drop_nulls().to_numpy().astype(np.float64), model.quantiles(hours[known])
    past = model.series_.measured
    begins = int(model.series_.ahead(hours[:1])[0])
    plain = naive2(past, DAY_HOURS, begins + len(hours))[begins:][known]
    return ServiceLoad(
        service=service,
        n=len(actual),
        coverage_50=coverage(actual, quantiles[:, 1], quantiles[:, 3]),
        coverage_90=coverage(actual, quantiles[:, 0], quantiles[:, 4]),
        mase=mase(actual, quantiles[:, 2], past, HOURS_OF_WEEK),
        owa=owa(actual, quantiles[:, 2], plain),
    )


def gathered(found: Sequence[ServiceLoad], begins: datetime, ends: datetime) -> LoadQuality:
    hours = sum(one.n for one in found)
    return LoadQuality(
        period_start=utc(begins),
        period_end=utc(ends),
        n=hours,
        coverage_50=sum(one.coverage_50 * one.n for one in found) / hours,
        coverage_90=sum(one.coverage_90 * one.n for one in found) / hours,
        mase=mean([one.mase for one in found]),
        owa=mean([one.owa for one in found]),
        services=tuple(found),
    )


def mean(values: Sequence[float | None]) -> float | None:
    """Of those that are known; null: none is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def load_said(found: LoadQuality) -> str:
    """The quality of the load forecasts in one sentence."""
    held = f"50 % intervals held {share(found.coverage_50)}, 90 % intervals {share(found.coverage_90)}"
    of = (
        f"of {plural(found.n, 'hour')} of {plural(len(found.services), 'service')} since {found.period_start:%-d %b %Y}"
    )
    error = "" if found.mase is None else f"; the error was {found.mase:.2f} of the value a week before's (MASE)"
    plain = "" if found.owa is None else f", and {found.owa:.2f} of Naive2's (OWA)"
    return f"Load, 7 days ahead: {held} {of}{error}{plain}."
