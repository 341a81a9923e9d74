"""How the forecasts of the time to restore did, as they would have been half a year ago, on the incidents since."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl

from shipcast.answers.answer import Count, Instant, Part, Share, utc
from shipcast.answers.statistics import wilson
from shipcast.answers.words import plural, share
from shipcast.features.change import Change
from shipcast.features.history import History
from shipcast.models.posterior import Floats
from shipcast.models.restore import LONGEST_MINUTES, SHORTEST_MINUTES, RestoreModel
from shipcast.models.scores import concordance

BEFORE = timedelta(days=182)
NO_SERVICE = ""  # none whose incidents are all to be had, where one in some of the others' is looked at
ENOUGH_INCIDENTS = 10
Z90 = 1.6449  # spreads on either side that hold 90 of 100 normal values


class RestoreQuality(Part):
    """Forecasts of the time to restore from what was known 182 days before, and the incidents that began since.

    Parameters
    ----------
    n, open
        The incidents that began in the period and are resolved, and those still open, which count as lasting longer
        than they have.
    learned_from
        The incidents known 182 days before.
    concordance, concordance_low, concordance_high
        How often, of two incidents, the one that lasted longer had the longer forecast (Harrell's C), and its 95 %
        interval; 0.5 is luck.
    coverage_90, coverage_90_low, coverage_90_high
        The share of incidents in the interval meant to hold 90 of 100, with its Wilson 95 % interval. One still open
        counts once it has lasted beyond.
    """

    period_start: Instant
    period_end: Instant
    n: Count
    open: Count
    learned_from: Count
    concordance: Share | None
    concordance_low: Share | None
    concordance_high: Share | None
    coverage_90: Share
    coverage_90_low: Share
    coverage_90_high: Share


def restore_quality(history: History) -> RestoreQuality | str:
    """How the forecasts did by what was known at the history's instant, or why that is unknown.

    Incidents count by when they began: of those resolved in a period, the ones that began before it are the long ones.
    """
    then = replace(history, at=history.at - BEFORE, cache={})
    since = history.restores(NO_SERVICE).filter(pl.col("started_at") >= then.at).sort("service", "started_at")
    resolved = int((~since["is_open"]).sum())
    if resolved < ENOUGH_INCIDENTS:
        of = plural(resolved, "incident")
        return f"{of} began in the {BEFORE.days} days before and were resolved: that takes {ENOUGH_INCIDENTS}."
    model = RestoreModel.of(then, NO_SERVICE)
    is_open = since["is_open"].to_numpy().astype(bool)
    lasted = np.log(since["minutes"].clip(SHORTEST_MINUTES, LONGEST_MINUTES).to_numpy())
    middle, spread = predicted(model, since)
    is_beyond = np.abs(lasted - middle) > Z90 * spread
    is_told = ~is_open | (lasted > middle + Z90 * spread)
    inside, told = int((is_told & ~is_beyond).sum()), int(is_told.sum())
    low, high = wilson(inside, told) or (0.0, 1.0)
    order = concordance(middle, lasted, is_open)
    return RestoreQuality(
        period_start=utc(then.at),
        period_end=utc(history.at),
        n=resolved,
        open=len(since) - resolved,
        learned_from=model.incidents_,
        concordance=None if order is None else order.share,
        concordance_low=None if order is None else order.low,
        concordance_high=None if order is None else order.high,
        coverage_90=inside / told,
        coverage_90_low=low,
        coverage_90_high=high,
    )


def predicted(model: RestoreModel, incidents: pl.DataFrame) -> tuple[Floats, Floats]:
    """The middle and spread of log(minutes) of each incident; rows of a service stand together."""
    parts = [forecast(model, rows) for rows in incidents.partition_by("service", maintain_order=True)]
    return np.concatenate([middle for middle, _ in parts]), np.concatenate([spread for _, spread in parts])


def forecast(model: RestoreModel, rows: pl.DataFrame) -> tuple[Floats, Floats]:
    """Of the incidents of one service, by when they began: the model's doubt adds to the scatter of incidents."""
    change = Change(rows["service"][0], rows["team"][0], rows["zone"][0])
    draws = model.draws(change, rows["started_at"].to_numpy().astype("datetime64[us]"))
    return np.asarray(draws.mean(axis=0)), np.asarray(np.hypot(draws.std(axis=0), model.spread_))


def restore_said(found: RestoreQuality) -> str:
    """The quality of the times to restore in one sentence."""
    held = f"90 % intervals held {share(found.coverage_90)} {between(found.coverage_90_low, found.coverage_90_high)}"
    still = f" and {found.open:,} still open" if found.open else ""
    of = f"of {plural(found.n, 'incident')}{still} since {found.period_start:%-d %b %Y}"
    return f"Time to restore, half a year ahead: {held} {of}{order_said(found)}."


def order_said(found: RestoreQuality) -> str:
    if found.concordance is None or found.concordance_low is None or found.concordance_high is None:
        return ""
    interval = between(found.concordance_low, found.concordance_high)
    luck = "which may be luck" if found.concordance_low <= 1 / 2 else "where 50 % is luck"
    return f"; the longer of two was told in {share(found.concordance)} {interval}, {luck}"


def between(low: float, high: float) -> str:
    return f"({share(low).removesuffix(' %')} to {share(high).removesuffix(' %')})"
