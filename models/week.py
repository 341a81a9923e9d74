"""How a response moves with the local hour of the week, learnt within services and shared between them.

Services that differ in level never speak about hours: only contrasts within a service do, so that a risky service
that ships at night does not make the night look risky. The company has one curve, which a service may bend; the
company's starts from "no effect", which keeps half of the belief until the data take it away.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from shipcast.features.clock import HOURS_OF_WEEK
from shipcast.models.posterior import Floats

Integers = NDArray[np.int64]

REACH = 0.6  # in radians of the day: an hour speaks for those about two hours away
EVERY_DAY, SAME_KIND, SAME_DAY, DAY_LEVEL = 0.5, 0.3, 0.2, 0.3
KEPT = 0.985
COMPANY = ((0.001, 0.5), (0.15, 0.125), (0.3, 0.125), (0.6, 0.125), (1.0, 0.125))  # (strength, belief)
# A service always bends the company's week a little: hours in which it never shipped stay in doubt.
OWN = ((0.25, 0.4), (0.5, 0.4), (0.9, 0.2))
MIX_WORTH = 20  # rows that the company's mix of hours counts for, beside a service's own


def kernel() -> Floats:
    """How much two local hours of the week have in common: the hour of the day, mostly on days of the same kind."""
    hour, day = np.arange(HOURS_OF_WEEK) % 24, np.arange(HOURS_OF_WEEK) // 24
    apart = np.pi * (hour[:, None] - hour) / 24
    same_kind, same_day = (day[:, None] >= 5) == (day >= 5), day[:, None] == day
    days = EVERY_DAY + SAME_KIND * same_kind + SAME_DAY * same_day
    return np.asarray(days * np.exp(-2 * np.sin(apart) ** 2 / REACH**2) + DAY_LEVEL * same_kind)


@cache
def week_basis() -> Floats:
    """Curves over the 168 hours whose standard normal mixtures are smooth weeks of mean 0 and spread about 1."""
    centring = np.eye(HOURS_OF_WEEK) - 1 / HOURS_OF_WEEK
    values, vectors = np.linalg.eigh(centring @ kernel() @ centring)
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = int(np.searchsorted(np.cumsum(values) / values.sum(), KEPT)) + 1
    curves = vectors[:, :kept] * np.sqrt(values[:kept])
    return np.asarray(curves / np.sqrt(np.mean(np.sum(curves**2, axis=1))))


def service_means(rows: Floats, services: Integers, weights: Floats) -> Floats:
    """The weighted mean row of every service, by its number."""
    totals = np.zeros((services.max() + 1, rows.shape[1]))
    np.add.at(totals, services, rows * weights[:, None])
    counts = np.bincount(services, weights)
    return np.asarray(totals / np.maximum(counts, 1e-12)[:, None])
