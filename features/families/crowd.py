"""What else is going on: others' deployments at the same time."""

from __future__ import annotations

import polars as pl

from shipcast.features.feature import feature
from shipcast.features.past import Past, count_within

EVERY_SERVICE = pl.lit("").alias("service")


@feature("deployments", "at their start", is_assumed=True)
def others_in_an_hour(rows: pl.DataFrame, past: Past) -> pl.Series:
    """Deployments of other services in the hour before."""
    every = count_within(rows.with_columns(EVERY_SERVICE), past.deployments().with_columns(EVERY_SERVICE), hours=1)
    return every - count_within(rows, past.deployments(), hours=1)
