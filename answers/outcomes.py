"""How groups of deployments ended, and what their starts were worth on average."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from shipcast.answers.answer import Count, Number, Part, Share
from shipcast.answers.statistics import wilson

FEWEST = 6
DRAWS, SEED = 2000, 5


class Gain(Part):
    """A mean over deployments, as the forecasts saw it when the advice was given; intervals hold 95 %."""

    n: Count
    mean: Number
    low: Number
    high: Number


class Outcome(Part):
    """How a group of deployments ended.

    Parameters
    ----------
    n, failures
        Those that had settled.
    rate, low, high
        Null: none had.
    """

    n: Count
    failures: Count
    rate: Share | None
    low: Share | None
    high: Share | None


def outcome(fates: Iterable[bool | None]) -> Outcome:
    """Of deployments that failed, did not, or (None) have not settled yet."""
    settled = [is_failed for is_failed in fates if is_failed is not None]
    failures = sum(settled)
    low, high = wilson(failures, len(settled)) or (None, None)
    return Outcome(
        n=len(settled), failures=failures, rate=failures / len(settled) if settled else None, low=low, high=high
    )


def gain(values: Iterable[float]) -> Gain | None:
    """The mean with an interval by resampling deployments; None: there are too few."""
    found = np.array(list(values), dtype=np.float64)
    if len(found) < FEWEST:
        return None
    rng = np.random.default_rng(SEED)
    means = found[rng.integers(len(found), size=(DRAWS, len(found)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Gain(n=len(found), mean=float(found.mean()), low=float(low), high=float(high))
