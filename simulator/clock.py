"""Local hours: where on its zone's week an instant lies."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Instants = NDArray[np.datetime64]

HOURS_OF_WEEK = 168
HOUR = np.timedelta64(3_600_000_000, "us")


def hour_of_week(instants: Instants, zone: str) -> Integers:
    """Hours since Monday 00:00 on the zone's clock, 0 to 167; `instants` are UTC.

    A week in which the clocks change skips or repeats an hour, as the wall clock does.
    """
    utc = pl.Series(np.atleast_1d(instants).astype("datetime64[us]")).dt.replace_time_zone("UTC")
    local = utc.dt.convert_time_zone(zone)
    hours = (local.dt.weekday().cast(pl.Int64) - 1) * 24 + local.dt.hour().cast(pl.Int64)
    return hours.to_numpy()


def hours_between(begins: np.datetime64, ends: np.datetime64) -> Instants:
    """The UTC hours in [begins, ends), each named by its start."""
    hours: Instants = np.arange(begins, ends, HOUR, dtype="datetime64[us]")
    return hours


def midnight(day: date) -> np.datetime64:
    """The day's first instant in UTC."""
    return np.datetime64(day, "us")


def aware(instant: Any) -> datetime:
    """A numpy UTC instant as a Python datetime with its zone."""
    value: datetime = instant.astype("datetime64[us]").item()
    return value.replace(tzinfo=UTC)
