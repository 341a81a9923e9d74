"""How busy the service usually is at that hour."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from shipcast.features.feature import feature
from shipcast.features.past import Past

WEEKS = 8


@feature("log ratio", "at the end of each hour counted")
def usual_load(rows: pl.DataFrame, past: Past) -> pl.Series:
    """Load of this hour in the last 8 weeks over the service's mean load then, as a logarithm."""
    hours = rows.select("service", hour_at=pl.col("started_at").dt.truncate("1h"))
    weeks = range(1, WEEKS + 1)
    same_hour = mean_of(on_hour(hours, past.load, f"-{week}w") for week in weeks)
    of_week = mean_of(on_hour(hours, past.weekly_load, f"-{week}w") for week in weeks)
    loads = pl.DataFrame({"same_hour": same_hour, "of_week": of_week})
    is_known = (pl.col("same_hour") > 0) & (pl.col("of_week") > 0)
    return loads.select(pl.when(is_known).then((pl.col("same_hour") / pl.col("of_week")).log())).to_series()


def mean_of(columns: Iterable[pl.Series]) -> pl.Series:
    return pl.DataFrame(list(columns)).select(pl.mean_horizontal(pl.all())).to_series()


def on_hour(hours: pl.DataFrame, load: pl.DataFrame, offset: str) -> pl.Series:
    """The load of the hour so long before each row; null: not known."""
    then = hours.with_columns(pl.col("hour_at").dt.offset_by(offset))
    return then.join(load, on=["service", "hour_at"], how="left", maintain_order="left")["requests"].rename(offset)
