"""Minutes to restore after a failure: log-normal, its median pooled over services and moved by the local hour.

log(minutes) = level of the service + week(local hour) + scatter. Who is on duty shows in the week, of
which every team has its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import log_ndtr

from shipcast.features.change import Change
from shipcast.features.clock import Instants, hours_of_week
from shipcast.models.posterior import DRAWS, SEED, Floats, Normal
from shipcast.models.week import WeekEffect

ASSUMED_MINUTES, ASSUMED_DOUBT = 60.0, 1.2  # before any incident: 60 minutes, give or take a factor of 3
BETWEEN_SERVICES = 0.6
ASSUMED_SPREAD, SPREAD_WORTH = 1.0, 4
SHORTEST_MINUTES, LONGEST_MINUTES = 1.0, 14 * 24 * 60.0
IMPUTATIONS = 4


class RestoreModel:
    """A log-normal time to restore for every service and local hour of the week.

    An open incident is censored: it counts as the length it is expected to have, given how long it has lasted. Past
    14 days an incident says no more about people on duty than one of 14 days, and is counted as that long.

    Attributes
    ----------
    spread_
        Spread of log(minutes) about its median.
    """

    def fit(self, restores: pl.DataFrame) -> RestoreModel:
        """Learns from incidents (`History.restores`); without any, the assumed 60 minutes and their doubt remain."""
        self.incidents_ = len(restores)
        self.open_ = int(restores["is_open"].sum())
        names = restores["service"].unique(maintain_order=True)
        self.number_ = {name: number for number, name in enumerate(names)}
        teams = restores.select(pl.coalesce("team", "service")).to_series()
        self.team_number_ = {name: number for number, name in enumerate(teams.unique(maintain_order=True))}
        self.teams_ = np.array([self.team_number_[name] for name in teams], dtype=np.int64)
        self.services_ = np.array([self.number_[name] for name in restores["service"]], dtype=np.int64)
        self.counts_ = np.bincount(self.services_, minlength=len(names)).astype(np.float64)
        lasted = np.log(restores["minutes"].clip(SHORTEST_MINUTES, LONGEST_MINUTES).to_numpy())
        is_open = restores["is_open"].to_numpy().astype(bool)
        self.spread_, values = ASSUMED_SPREAD, lasted
        for _ in range(IMPUTATIONS if is_open.any() else 2):
            self.fit_values(values, restores["hour_of_week"].to_numpy().astype(np.int64))
            expected = self.expected_values()
            squares = np.sum((values - expected) ** 2) + SPREAD_WORTH * ASSUMED_SPREAD**2
            self.spread_ = float(np.sqrt(squares / (len(values) + SPREAD_WORTH)))
            values = np.where(is_open, expected_beyond(lasted, expected, self.spread_), lasted)
        return self

    def fit_values(self, values: Floats, hours: NDArray[np.int64]) -> None:
        """The week, from contrasts within services; then the level of each service, as a mean and its precision."""
        counts, spread = self.counts_, self.spread_
        self.means_ = np.bincount(self.services_, values, len(counts)) / counts
        about_mean = values - self.means_[self.services_]

        def likelihood(rows: NDArray[np.bool_], offset: Floats) -> Normal:
            return Normal(about_mean[rows] - offset, spread)

        nothing = np.zeros((len(values), 0))
        self.week_ = WeekEffect(self.services_, self.teams_, hours, nothing, 1.0, np.ones(len(values))).fit(likelihood)
        precision = 1 / (BETWEEN_SERVICES**2 + spread**2 / counts)
        self.company_precision_ = ASSUMED_DOUBT**-2 + float(np.sum(precision))
        prior = np.log(ASSUMED_MINUTES) * ASSUMED_DOUBT**-2
        self.company_ = (prior + float(np.sum(precision * self.means_))) / self.company_precision_

    def expected_values(self) -> Floats:
        return np.asarray(self.levels()[self.services_] + self.week_.fitted())

    def levels(self) -> Floats:
        """The expected log median of every service."""
        own, shared = self.counts_ / self.spread_**2, BETWEEN_SERVICES**-2
        return np.asarray((own * self.means_ + shared * self.company_) / (own + shared))

    def draws(self, change: Change, outages: Instants) -> Floats:
        """Draws of log(median minutes) of an outage that begins then: one row a draw, one column an outage."""
        rng = np.random.default_rng([SEED, 2])
        number = self.number_.get(change.service)
        level = self.level_draws(number, rng)
        team = self.team_number_.get(change.team or change.service)
        effect = self.week_.draws(number, team, np.zeros(0), rng)
        return np.asarray((level[:, None] + effect)[:, hours_of_week(outages, change.zone)])

    def level_draws(self, number: int | None, rng: np.random.Generator) -> Floats:
        company = self.company_ + rng.standard_normal(DRAWS) / np.sqrt(self.company_precision_)
        own = self.counts_[number] / self.spread_**2 if number is not None else 0.0
        mean = self.means_[number] if number is not None else 0.0
        precision = own + BETWEEN_SERVICES**-2
        centre = (own * mean + BETWEEN_SERVICES**-2 * company) / precision
        return np.asarray(centre + rng.standard_normal(DRAWS) / np.sqrt(precision))

    def own_count(self, service: str) -> int:
        """Incidents of a service."""
        number = self.number_.get(service)
        return 0 if number is None else int(self.counts_[number])

    def describe(self) -> dict[str, Any]:
        """What it rests on, and what it found about the company."""
        return {
            "incidents": self.incidents_,
            "open": self.open_,
            "median_minutes": float(np.exp(self.company_)),
            "spread": self.spread_,
            "no_time_effect": float(self.week_.company_.weights[0]),
        }


def expected_beyond(lower: Floats, centre: Floats, spread: float) -> Floats:
    """The mean of a normal value, given that it lies above `lower`; never past the longest that counts."""
    distance = (lower - centre) / spread
    hazard = np.exp(-0.5 * distance**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(-distance))
    return np.asarray(np.minimum(centre + spread * hazard, np.log(LONGEST_MINUTES)))
