"""Whether the service is busier or quieter than it usually is at that hour; what is usual there, the week tells."""

from __future__ import annotations

import polars as pl

from shipcast.features.feature import feature
from shipcast.features.past import Past

WEEKS = 8


@feature("log ratio", "an hour before it", is_assumed=True)
def unusual_load(rows: pl.DataFrame, past: Past) -> pl.Series:
    """Load of the day up to then over that of the same hours in the 8 weeks before, as a logarithm."""
    known_at = pl.col("started_at").dt.truncate("1h") - pl.duration(hours=2)  # the last hour that is surely over
    hours = rows.select("service", hour_at=known_at)
    asked = hours.unique().join(pl.DataFrame({"weeks": range(WEEKS + 1)}), how="cross")
    then = asked.with_columns(then_at=pl.col("hour_at") - pl.duration(weeks="weeks"))
    known = then.join(past.daily_load, left_on=["service", "then_at"], right_on=["service", "hour_at"])
    is_now, loads = pl.col("weeks") == 0, pl.col("requests")
    before = loads.filter(~is_now).sort().mean()  # in order, so that equal loads have equal means to the last digit
    means = known.group_by("service", "hour_at").agg(now=loads.filter(is_now).first(), before=before)
    found = hours.join(means, on=["service", "hour_at"], how="left", maintain_order="left")
    is_known = (pl.col("now") > 0) & (pl.col("before") > 0)
    return found.select(pl.when(is_known).then((pl.col("now") / pl.col("before")).log())).to_series()
