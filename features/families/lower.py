"""Warnings from lower environments: what the service went through there lately.

On real deployments these warned of production better than anything else.
"""

from __future__ import annotations

import polars as pl

from shipcast.features.feature import feature
from shipcast.features.past import DAY_HOURS, Past, count_within, hours_since, latest

FAILED, STARTED = "when the failure was known", "at its start"


@feature("hours", STARTED, is_assumed=True, of_lower=True)
def hours_since_deployment(rows: pl.DataFrame, past: Past, place: str) -> pl.Series:
    """Hours since the service's last deployment in {place}."""
    return hours_since(rows, past.deployments(place))


@feature("hours", FAILED, is_assumed=True, in_spells=True, of_lower=True)
def hours_since_failure(rows: pl.DataFrame, past: Past, place: str) -> pl.Series:
    """Hours since a failure of the service was known in {place}."""
    return hours_since(rows, past.failures(place))


@feature("hours", STARTED, is_assumed=True, in_spells=True, of_lower=True)
def hours_since_rollback(rows: pl.DataFrame, past: Past, place: str) -> pl.Series:
    """Hours since the service was rolled back in {place}."""
    return hours_since(rows, past.rollbacks(place))


@feature("failures", FAILED, is_assumed=True, in_spells=True, of_lower=True)
def failures_in_7_days(rows: pl.DataFrame, past: Past, place: str) -> pl.Series:
    """Failures of the service known in {place} in the last 7 days."""
    return count_within(rows, past.failures(place), 7 * DAY_HOURS)


@feature("failures", FAILED, is_assumed=True, in_spells=True, of_lower=True)
def failures_in_28_days(rows: pl.DataFrame, past: Past, place: str) -> pl.Series:
    """Failures of the service known in {place} in the last 28 days."""
    return count_within(rows, past.failures(place), 28 * DAY_HOURS)


@feature("deployments", STARTED, is_assumed=True, of_lower=True)
def deployments_in_a_day(rows: pl.DataFrame, past: Past, place: str) -> pl.Series:
    """Deployments of the service to {place} in the last day."""
    return count_within(rows, past.deployments(place), DAY_HOURS)


@feature("yes/no", FAILED, is_assumed=True, in_spells=True, of_lower=True)
def same_version_failed(rows: pl.DataFrame, past: Past, place: str) -> pl.Series:
    """Whether this very version was known to have failed in {place}."""
    failed = past.failures(place).drop_nulls("version")
    return latest(rows, failed.with_columns(seen=1.0), "seen", "version").fill_null(0.0)


@feature("yes/no", STARTED, is_assumed=True, of_lower=True)
def another_version(rows: pl.DataFrame, past: Past, place: str) -> pl.Series:
    """Whether {place} holds another version than the one that goes out."""
    held = latest(rows, past.deployments(place).drop_nulls("version"), "version")
    return held != rows["version"]
