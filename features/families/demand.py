"""How busy the service usually is at that hour."""

from __future__ import annotations

import polars as pl

from shipcast.features.feature import feature
from shipcast.features.past import Past

WEEKS = 8


@feature("log ratio", "at the end of each hour counted")
def usual_load(rows: pl.DataFrame, past: Past) -> pl.Series:
    """Load of this hour in the last 8 weeks over the service's mean load then, as a logarithm."""
    hours = rows.select("service", hour_at=pl.col("started_at").dt.truncate("1h"))
    asked = hours.unique().join(pl.DataFrame({"weeks": range(1, WEEKS + 1)}), how="cross")
    then = asked.with_columns(then_at=pl.col("hour_at") - pl.duration(weeks="weeks"))
    loads = past.load.join(past.weekly_load, on=["service", "hour_at"], suffix="_of_week")
    known = then.join(loads, left_on=["service", "then_at"], right_on=["service", "hour_at"])
    in_order = pl.col("requests", "requests_of_week").sort()  # so that equal loads have equal means to the last digit
    means = known.group_by("service", "hour_at").agg(in_order.mean())
    found = hours.join(means, on=["service", "hour_at"], how="left", maintain_order="left")
    is_known = (pl.col("requests") > 0) & (pl.col("requests_of_week") > 0)
    return found.select(pl.when(is_known).then((pl.col("requests") / pl.col("requests_of_week")).log())).to_series()
