"""What the service itself has been through."""

from __future__ import annotations

import polars as pl

from shipcast.features.feature import feature
from shipcast.features.past import DAY_HOURS, Past, count_within, hours_since, latest

FAILED, STARTED = "when the failure was known", "at its start"


@feature("hours", STARTED, is_assumed=True)
def hours_since_deployment(rows: pl.DataFrame, past: Past) -> pl.Series:
    """Hours since the service's last deployment."""
    return hours_since(rows, past.deployments())


@feature("hours", FAILED, is_assumed=True, in_spells=True)
def hours_since_failure(rows: pl.DataFrame, past: Past) -> pl.Series:
    """Hours since its last failure was known."""
    return hours_since(rows, past.failures())


@feature("failures", FAILED, is_assumed=True, in_spells=True)
def failures_in_28_days(rows: pl.DataFrame, past: Past) -> pl.Series:
    """Failures that became known in the last 28 days."""
    return count_within(rows, past.failures(), 28 * DAY_HOURS)


@feature("yes/no", FAILED, is_assumed=True, in_spells=True)
def follows_a_failure(rows: pl.DataFrame, past: Past) -> pl.Series:
    """Whether the deployment before it was known to have failed."""
    since_failure = latest(rows, past.failures().with_columns(failed_at="at"), "failed_at")
    since_deployment = latest(rows, past.deployments().with_columns(shipped_at="at"), "shipped_at")
    return (since_failure >= since_deployment).fill_null(False)
