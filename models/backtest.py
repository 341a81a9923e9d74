"""The back-test of a forecast: from cut-off to cut-off it learns from what was known, and forecasts what came next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from shipcast.models.candidates import Candidate, Rate, RollbacksApart
from shipcast.models.odds import expit

TAIL = 0.025  # on either side of an interval, as in `windows`
FORECASTS = {
    "deployment_id": pl.String(),
    "service": pl.String(),
    "started_at": pl.Datetime("us"),
    "chance": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "base": pl.Float64(),
    "is_failed": pl.Boolean(),
    "is_settled": pl.Boolean(),
    "cut_off": pl.Datetime("us"),
}


@dataclass(frozen=True)
class CutOff:
    """One of the instants at which the model was trained, and what was known there.

    Parameters
    ----------
    at
        Naive, in UTC.
    settled, failures
        The deployments learned from, rollbacks among them, and those known to have failed.
    forecasts
        The deployments forecast from here.
    is_rate
        There was too little to learn from, so that the rate was forecast.
    """

    at: datetime
    settled: int
    failures: int
    forecasts: int
    is_rate: bool


@dataclass(frozen=True)
class Backtest:
    """Every forecast, one a row by start, and the cut-offs they were made at.

    Columns: deployment_id, service, started_at, chance, low and high (its 95 % interval), base (the chance by the rate
    known then), is_failed (null: not settled and not known to have failed), is_settled, cut_off.
    """

    forecasts: pl.DataFrame
    cut_offs: tuple[CutOff, ...]


def backtest(
    rows: pl.DataFrame,
    make: Callable[[], Candidate],
    begins: datetime,
    ends: datetime,
    every: timedelta,
    at: datetime,
    progress: Callable[[str], None] = lambda message: None,
) -> Backtest:
    """Forecasts the deployments that started in [begins, ends), with a new model at `begins` and each step later.

    Parameters
    ----------
    rows
        As `matrix` gives them; nothing in one is known later than its start, but for settled_at and failed_at.
    make
        A new candidate; each cut-off has its own, so that none learns from a later one.
    at
        The instant as of which outcomes are known. All instants are naive and in UTC.
    """
    asked = rows.filter(pl.col("started_at") >= begins, pl.col("started_at") < ends).sort("started_at", "deployment_id")
    step = (pl.col("started_at") - begins).dt.total_microseconds() // (every // timedelta(microseconds=1))
    parts: list[pl.DataFrame] = []
    cut_offs: list[CutOff] = []
    steps = asked.with_columns(step=step).partition_by("step", include_key=False, as_dict=True, maintain_order=True)
    for number, ((index,), ahead) in enumerate(steps.items(), 1):
        cut_off = begins + int(index) * every
        progress(f"training on what was known on {cut_off:%Y-%m-%d} ({number} of {len(steps)})")
        candidate, known = RollbacksApart(make()), settled(rows, cut_off)
        candidate.fit(known)
        parts.append(forecasts(candidate, RollbacksApart(Rate()).fit(known), ahead, cut_off, at))
        cut_offs.append(CutOff(cut_off, len(known), int(known["is_failed"].sum()), len(ahead), candidate.is_rate_))
    return Backtest(pl.concat(parts) if parts else pl.DataFrame(schema=FORECASTS), tuple(cut_offs))


def settled(rows: pl.DataFrame, cut_off: datetime) -> pl.DataFrame:
    """The deployments that had settled by the cut-off, and which of them were known to have failed."""
    known = rows.filter(pl.col("settled_at") <= cut_off)
    return known.with_columns(is_failed=(pl.col("failed_at") <= cut_off).fill_null(False))


def forecasts(
    candidate: RollbacksApart, base: RollbacksApart, ahead: pl.DataFrame, cut_off: datetime, at: datetime
) -> pl.DataFrame:
    """The chances of deployments to come, and what became of them."""
    chance = candidate.predict(ahead)
    low, high = np.quantile(expit(candidate.draws(ahead)), (TAIL, 1 - TAIL), axis=0)
    is_settled = (pl.col("settled_at") <= at).fill_null(False)
    is_failed = (pl.col("failed_at") <= at).fill_null(False)
    return ahead.select(
        "deployment_id",
        "service",
        "started_at",
        chance=pl.Series(chance),
        low=pl.Series(np.minimum(low, chance)),
        high=pl.Series(np.maximum(high, chance)),
        base=pl.Series(base.predict(ahead)),
        is_failed=pl.when(is_failed | is_settled).then(is_failed),
        is_settled=is_settled,
        cut_off=pl.lit(cut_off, pl.Datetime("us")),
    )
