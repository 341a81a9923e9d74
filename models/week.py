"""How a response moves with the local hour of the week, learnt within services and shared between them.

Services that differ in level never speak about hours: only contrasts within a service do, so that a risky service
that ships at night does not make the night look risky. The company has one curve; a service or team may bend it where
its own history insists. Both start from "no effect", which keeps half of the belief until the data take it away.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from shipcast.features.clock import HOURS_OF_WEEK
from shipcast.models.posterior import Floats, Likelihood, Mixture, averaged

Integers = NDArray[np.int64]
Rows = Callable[[NDArray[np.bool_], Floats], Likelihood]

REACH = 0.6  # in radians of the day: an hour speaks for those about two hours away
EVERY_DAY, SAME_KIND, SAME_DAY, DAY_LEVEL = 0.5, 0.3, 0.2, 0.3
KEPT = 0.985
COMPANY = ((0.001, 0.5), (0.15, 0.125), (0.3, 0.125), (0.6, 0.125), (1.0, 0.125))  # (strength, belief)
OWN = ((0.001, 0.5), (0.2, 0.25), (0.5, 0.25))
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


class WeekEffect:
    """The effect of the local hour of the week, and of further columns, on a service's response.

    Parameters
    ----------
    services
        Number of each row's service, from 0.
    groups
        Number of what bends the company's curve together: the service itself, or its team.
    hours
        Local hour of the week of each row.
    further
        One column for each further feature; may have none.
    further_spread
        Prior spread of a further column's weight.
    weights
        How much each row counts when means are taken: its trials.
    """

    def __init__(
        self,
        services: Integers,
        groups: Integers,
        hours: Integers,
        further: Floats,
        further_spread: float,
        weights: Floats,
    ) -> None:
        self.services, self.groups, self.hours, self.weights = services, groups, hours, weights
        self.design = np.hstack([week_basis()[hours], further])
        self.curves = week_basis().shape[1]
        self.further_spread = further_spread

    def fit(self, likelihood: Rows) -> WeekEffect:
        """Learns the company's curve; `likelihood` gives that of some rows, on top of an offset for each of them."""
        every = np.ones(len(self.hours), dtype=bool)
        self.likelihood = likelihood
        means = service_means(self.design, self.services, self.weights) if len(self.hours) else self.design
        self.means_ = means
        self.centred_ = self.design - means[self.services]
        spreads = [self.spread(strength) for strength, _ in COMPANY]
        beliefs = [belief for _, belief in COMPANY]
        self.company_: Mixture = averaged(self.centred_, spreads, beliefs, likelihood(every, np.zeros(len(self.hours))))
        return self

    def spread(self, strength: float) -> Floats:
        further = self.design.shape[1] - self.curves
        return np.append(np.full(self.curves, strength), np.full(further, self.further_spread))

    def fitted(self) -> Floats:
        """The company's effect on every row, relative to its service's mean."""
        return np.asarray(self.centred_ @ self.company_.mean)

    def draws(self, service: int | None, group: int | None, further: Floats, rng: np.random.Generator) -> Floats:
        """Draws of the effect in each of the 168 hours, relative to the mix that the service's level stands for.

        `service` and `group` are numbers, or null where no row is theirs; `further` are the change's own columns.
        """
        wanted = np.hstack([week_basis(), np.tile(further, (HOURS_OF_WEEK, 1))])
        centred = wanted - self.mix(service)
        effect = self.company_.draws(rng) @ centred.T
        return np.asarray(effect + self.own(group).draws(rng) @ centred[:, : self.curves].T)

    def mix(self, service: int | None) -> Floats:
        """The mean row of a service; with few rows, mostly the company's."""
        total = self.weights.sum()
        company = (self.weights @ self.design) / total if total else np.zeros(self.design.shape[1])
        if service is None:
            return np.asarray(company)
        count = self.weights[self.services == service].sum()
        return np.asarray((count * self.means_[service] + MIX_WORTH * company) / (count + MIX_WORTH))

    def own(self, group: int | None) -> Mixture:
        """How a service or team bends the company's curve."""
        rows = self.groups == group if group is not None else np.zeros(len(self.hours), dtype=bool)
        spreads = [np.full(self.curves, strength) for strength, _ in OWN]
        likelihood = self.likelihood(rows, self.fitted()[rows])
        return averaged(self.centred_[rows, : self.curves], spreads, [belief for _, belief in OWN], likelihood)
