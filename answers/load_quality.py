"""How the load forecasts of a week ago did: what they would have said then, held against what was measured since."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np
import polars as pl
from scipy.special import stdtrit

from shipcast.answers.answer import Count, Instant, Number, Part, Share, utc
from shipcast.answers.failure_quality import interval_said
from shipcast.answers.forecast import coming_hours
from shipcast.answers.words import plural, share
from shipcast.features.clock import DAY_HOURS, HOURS_OF_WEEK
from shipcast.features.history import History
from shipcast.models.load import LoadModel
from shipcast.models.posterior import Floats
from shipcast.models.scores import coverage, mase, naive2, owa

AHEAD = timedelta(days=7)
LOOKED_AT = timedelta(days=28)  # before the forecast, in which services are the busiest
MOST_SERVICES = 20
FEWEST_SERVICES = 3  # from which it can be said whether intervals hold
USUAL_SCATTER, USUAL_WORTH = 0.25, 4.0  # of shares of services, over that of single hours; services that it counts for
BUSIEST = """
select service from fct_load_hourly
where {scope} and known_at <= $at and hour_at >= $since
group by service having sum(requests) > 0
order by sum(requests) desc, service
limit $most
"""

Verdict = Literal["holds", "too narrow", "too wide"]


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
        The share of these that lay in the interval meant to hold 50 and 90 of 100, with a 95 % interval by how far
        services lie apart, since the hours of one go together. Null: there are fewer than 3 services.
    verdict_50, verdict_90
        Whether 50 and 90 of 100 lie in that interval, or which way they don't.
    mase, owa
        The means over services; below 1 is better than the value a week before in the past, and than Naive2 (as in the
        M4 competition) in the same week.
    """

    period_start: Instant
    period_end: Instant
    n: Count
    coverage_50: Share
    coverage_50_low: Share | None
    coverage_50_high: Share | None
    verdict_50: Verdict | None
    coverage_90: Share
    coverage_90_low: Share | None
    coverage_90_high: Share | None
    verdict_90: Verdict | None
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
        **covered("50", 0.5, [(one.coverage_50, one.n) for one in found]),
        **covered("90", 0.9, [(one.coverage_90, one.n) for one in found]),
        mase=mean([one.mase for one in found]),
        owa=mean([one.owa for one in found]),
        services=tuple(found),
    )


def covered(name: str, meant: float, found: Sequence[tuple[float, int]]) -> dict[str, Any]:
    """What intervals held over all services, each with its hours, and whether that is what they were meant to."""
    shares, hours = np.array(found).T
    held = float(shares @ hours / hours.sum())
    low, high = held_between(meant, held, shares) if len(shares) >= FEWEST_SERVICES else (None, None)
    verdict: Verdict | None = None
    if low is not None and high is not None:
        verdict = "too narrow" if high < meant else "too wide" if low > meant else "holds"
    return {
        f"coverage_{name}": held,
        f"coverage_{name}_low": low,
        f"coverage_{name}_high": high,
        f"verdict_{name}": verdict,
    }


def held_between(meant: float, held: float, shares: Floats) -> tuple[float, float]:
    """A 95 % interval (Student's) of what intervals hold, of which each service is one sample.

    How far services scatter is drawn by some more, so that a few which happen to agree don't make it sure.
    """
    usual = USUAL_SCATTER * meant * (1 - meant)
    freedom = len(shares) - 1 + USUAL_WORTH
    variance = (float(((shares - held) ** 2).sum()) + USUAL_WORTH * usual) / freedom
    reach = float(stdtrit(freedom, 0.975)) * math.sqrt(variance / len(shares))
    return max(held - reach, 0.0), min(held + reach, 1.0)


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
    return f"Load, 7 days ahead: {held} {of}{error}{plain}. {coverage_said(found)}"


def coverage_said(found: LoadQuality) -> str:
    """Whether the intervals are as wide as they should be, each in words."""
    parts = [
        verdict_said("50 %", found.verdict_50, found.coverage_50_low, found.coverage_50_high),
        verdict_said("90 %", found.verdict_90, found.coverage_90_low, found.coverage_90_high),
    ]
    if not all(parts):
        return f"Whether these intervals hold takes {FEWEST_SERVICES} services to say."
    return f"Intervals of {'; those of '.join(parts)}."


def verdict_said(name: str, verdict: Verdict | None, low: float | None, high: float | None) -> str:
    """One interval in words; empty: it cannot be said.

    >>> verdict_said("90 %", "too narrow", 0.7, 0.86), verdict_said("50 %", None, None, None)
    ('90 % are too narrow (70 to 86 %)', '')
    """
    if verdict is None or low is None or high is None:
        return ""
    word = "hold" if verdict == "holds" else f"are {verdict}"
    return f"{name} {word} ({interval_said(low, high)} %)"
