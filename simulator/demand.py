"""Measured load: the expected requests of every hour, with the noise a real counter has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from shipcast.simulator.clock import Floats, Instants, Integers, hours_between
from shipcast.simulator.company import Service
from shipcast.simulator.truth import Truth

BURST = np.array([1.0, 0.8, 0.4, 0.2])
BURST_CHANCE = 1 / 120
BURST_SIZE = 4.0


def load_table(services: Sequence[Service], truth: Truth, ends_at: np.datetime64, seed: int) -> pl.DataFrame:
    """One row per hour and service whose load is measured: requests in the hour that starts there."""
    series = [
        load_series(service, truth, ends_at, np.random.default_rng([seed, 3, index]))
        for index, service in enumerate(services)
        if service.profile.load_shape != "unmeasured"
    ]
    return pl.concat(series) if series else load_frame("", np.zeros(0, "datetime64[us]"), np.zeros(0, np.int64))


def load_series(service: Service, truth: Truth, ends_at: np.datetime64, rng: np.random.Generator) -> pl.DataFrame:
    begins_at = truth.begins_at
    if service.profile.first_days_ago is not None:
        begins_at = max(begins_at, ends_at - np.timedelta64(service.profile.first_days_ago, "D"))
    hours = hours_between(begins_at, ends_at)
    factor = noise(len(hours), rng)
    if service.profile.has_bursts:
        factor *= bursts(len(hours), rng)
    return load_frame(service.name, hours, rng.poisson(truth.load(service.name, hours) * factor))


def load_frame(service: str, hours: Instants, value: Integers) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "service": pl.Series([service] * len(hours), dtype=pl.String),
            "environment": pl.Series(["production"] * len(hours), dtype=pl.String),
            "observed_at": pl.Series(hours).dt.replace_time_zone("UTC"),
            "value": value,
        }
    )


def noise(count: int, rng: np.random.Generator) -> Floats:
    """A factor per hour with mean 1: good and bad days, and the scatter of single hours."""
    days = np.repeat(rng.normal(0, 0.08, count // 24 + 1), 24)[:count]
    single = rng.normal(0, 0.05, count)
    return np.asarray(np.exp(days + single - (0.08**2 + 0.05**2) / 2))


def bursts(count: int, rng: np.random.Generator) -> Floats:
    """A factor per hour with mean 1: about 1.4 times a week the load jumps and ebbs over four hours."""
    begins = (rng.random(count) < BURST_CHANCE) * rng.exponential(BURST_SIZE, count)
    return np.asarray((1 + np.convolve(begins, BURST)[:count]) / (1 + BURST_CHANCE * BURST_SIZE * BURST.sum()))
