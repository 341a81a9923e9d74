"""How long the same version was tried in lower environments first."""

from __future__ import annotations

import polars as pl

from shipcast.features.feature import feature
from shipcast.features.past import HOUR_MICROSECONDS, Past


@feature("hours", "at the start there", is_assumed=True, of_lower=True)
def hours_of_soak(rows: pl.DataFrame, past: Past, place: str) -> pl.Series:
    """Hours since this very version first reached {place}; unknown where it was never seen there."""
    reached = past.deployments(place).drop_nulls("version")
    first = reached.group_by("service", "version").agg(first_at=pl.min("at"))
    joined = rows.select("service", "version", "started_at").join(
        first, on=["service", "version"], how="left", maintain_order="left"
    )
    hours = (joined["started_at"] - joined["first_at"]).dt.total_microseconds() / HOUR_MICROSECONDS
    return hours.set(hours < 0, None)
