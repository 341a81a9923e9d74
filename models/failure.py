"""The chance that a change fails: the service's rate, pooled with its team's and the company's, moved by hour and size.

log odds(failure) = log odds(rate of the service) + week(local hour) + slope x log(size / typical size) + kind of change
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import betaln, expit, logit

from shipcast.features.change import Change
from shipcast.features.clock import Instants, hours_of_week
from shipcast.models.posterior import DRAWS, SEED, Binomial, Floats
from shipcast.models.week import WeekEffect

RATES = expit(np.linspace(logit(0.0005), logit(0.95), 80))
STRENGTHS = np.geomspace(4, 1024, 9)
RATE_PRIOR = (0.8, 9.0)  # before any data: about 8 in 100, anything from 0.1 to 27
FURTHER_SPREAD = 0.5
SIZE_STEP, LARGEST_SIZE = 0.25, 3.0
ENOUGH_SIZES = 5
SIZES = ("lines", "files")
NEAR_HOURS = 2
WEEKEND = 5 * 24


class FailureModel:
    """Partial pooling from company over team to service, times a week that all share and each may bend.

    Attributes
    ----------
    counts_
        Settled deployments and failures by service, with its team.
    typical_
        Median lines and files by service; the row without a service holds the company's.
    """

    def fit(self, outcomes: pl.DataFrame) -> FailureModel:
        """Learns from settled outcomes (`History.outcomes`)."""
        self.counts_ = outcomes.group_by("service", maintain_order=True).agg(
            pl.first("team"),
            pl.len().alias("trials"),
            pl.sum("is_failed").cast(pl.Float64).alias("failures"),
            pl.min("started_at").alias("first"),
            pl.max("started_at").alias("last"),
        )
        self.number_ = {name: number for number, name in enumerate(self.counts_["service"])}
        self.trials_ = self.counts_["trials"].cast(pl.Float64).to_numpy()
        self.failures_ = self.counts_["failures"].to_numpy()
        self.typical_ = typical_sizes(outcomes)
        self.types_ = outcomes["change_type"].unique().drop_nulls().sort().to_list()
        self.levels_ = pooled_levels(self.trials_, self.failures_)
        self.fit_week(outcomes)
        return self

    def fit_week(self, outcomes: pl.DataFrame) -> None:
        cells = (
            outcomes.with_columns(size=(relative_size(outcomes, self.typical_) / SIZE_STEP).round() * SIZE_STEP)
            .group_by("service", "hour_of_week", "size", "change_type", maintain_order=True)
            .agg(pl.len().cast(pl.Float64).alias("trials"), pl.sum("is_failed").cast(pl.Float64).alias("failures"))
        )
        services = np.array([self.number_[name] for name in cells["service"]], dtype=np.int64)
        kinds = [cells["change_type"].eq_missing(kind).cast(pl.Float64).to_numpy() for kind in self.types_]
        further = np.column_stack([cells["size"].to_numpy(), *kinds])
        trials, failures = cells["trials"].to_numpy(), cells["failures"].to_numpy()
        rate, strength = expected_level(self.levels_)
        level = logit((strength * rate + self.failures_) / (strength + self.trials_))[services]

        def likelihood(rows: NDArray[np.bool_], offset: Floats) -> Binomial:
            return Binomial(failures[rows], trials[rows], level[rows] + offset)

        hours = cells["hour_of_week"].to_numpy()
        self.week_ = WeekEffect(services, services, hours, further, FURTHER_SPREAD, trials).fit(likelihood)

    def draws(self, change: Change, starts: Instants) -> Floats:
        """Draws of the chance that the change fails when started then: one row a draw, one column a start."""
        rng = np.random.default_rng([SEED, 1])
        rates = self.rate_draws(change.service, change.team, rng)
        number = self.number_.get(change.service)
        effect = self.week_.draws(number, number, self.further(change), rng)
        hours = hours_of_week(starts, change.zone)
        return np.asarray(expit(logit(rates)[:, None] + effect)[:, hours])

    def rate_draws(self, service: str, team: str | None, rng: np.random.Generator) -> Floats:
        """Draws of the service's rate at its usual hours: company, then team, then service, each on top of the last.

        The team's rate is that of its other services, each counted for no more than it can tell about another.
        """
        rate, strength = self.level_draws(rng)
        number = self.number_.get(service)
        mates = [n for n, name in enumerate(self.counts_["team"]) if team is not None and name == team and n != number]
        told = self.trials_[mates] / (1 + (self.trials_[mates] - 1) / (strength[:, None] + 1))
        failed = told * self.failures_[mates] / self.trials_[mates]
        rate = beta_draws(
            rng, strength * rate + failed.sum(axis=1), strength * (1 - rate) + (told - failed).sum(axis=1)
        )
        trials, failures = (self.trials_[number], self.failures_[number]) if number is not None else (0.0, 0.0)
        return beta_draws(rng, strength * rate + failures, strength * (1 - rate) + trials - failures)

    def level_draws(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Draws of the company's rate, and of how alike its services are (in deployments)."""
        chosen = rng.choice(self.levels_.size, DRAWS, p=self.levels_.ravel())
        rates, strengths = np.unravel_index(chosen, self.levels_.shape)
        return RATES[rates], STRENGTHS[strengths]

    def further(self, change: Change) -> Floats:
        """The change's size and kind as columns; what it does not say is the service's mean."""
        size = pl.DataFrame(
            {"service": [change.service], "lines": [change.lines], "files": [change.files]},
            schema_overrides={"lines": pl.Float64, "files": pl.Float64},
        )
        usual = self.week_.mix(self.number_.get(change.service))[self.week_.curves :]
        is_sized = change.lines is not None or change.files is not None
        given = relative_size(size, self.typical_)[0] if is_sized else usual[0]
        kinds = usual[1:] if change.change_type is None else [float(change.change_type == kind) for kind in self.types_]
        return np.array([given, *kinds])

    def own_counts(self, service: str) -> tuple[int, int]:
        """Settled deployments of a service, and how many of them failed."""
        number = self.number_.get(service)
        return (0, 0) if number is None else (int(self.trials_[number]), int(self.failures_[number]))

    def own_near(self, service: str, hour: int) -> int:
        """Settled deployments of a service within two hours of that local time of day, on days of the same kind."""
        number = self.number_.get(service)
        if number is None:
            return 0
        hours = self.week_.hours
        apart = np.abs(hours - hour) % 24
        is_near = (np.minimum(apart, 24 - apart) <= NEAR_HOURS) & ((hours >= WEEKEND) == (hour >= WEEKEND))
        return int(self.week_.weights[is_near & (self.week_.services == number)].sum())

    def own_period(self, service: str) -> tuple[datetime | None, datetime | None]:
        """When the first and the last of them started (naive, UTC)."""
        number = self.number_.get(service)
        return (None, None) if number is None else (self.counts_["first"][number], self.counts_["last"][number])

    def describe(self) -> dict[str, Any]:
        """What it rests on, and what it found about the company."""
        rate, strength = expected_level(self.levels_)
        return {
            "deployments": int(self.trials_.sum()),
            "failures": int(self.failures_.sum()),
            "services": len(self.counts_),
            "rate": rate,
            "strength": strength,
            "no_time_effect": float(self.week_.company_.weights[0]),
        }


def pooled_levels(trials: Floats, failures: Floats) -> Floats:
    """How probable each company rate (rows) and likeness of services (columns) is: the beta-binomial's posterior."""
    first, second = RATES[:, None] * STRENGTHS, (1 - RATES[:, None]) * STRENGTHS
    score = (RATE_PRIOR[0] * np.log(RATES) + RATE_PRIOR[1] * np.log1p(-RATES))[:, None] - betaln(first, second) * len(
        trials
    )
    for count, failed in zip(trials, failures, strict=True):
        score = score + betaln(first + failed, second + count - failed)
    chance = np.exp(score - score.max())
    return np.asarray(chance / chance.sum())


def expected_level(levels: Floats) -> tuple[float, float]:
    """The expected rate, and the expected likeness (on the log scale)."""
    return float(levels.sum(axis=1) @ RATES), float(np.exp(levels.sum(axis=0) @ np.log(STRENGTHS)))


def beta_draws(rng: np.random.Generator, first: Floats, second: Floats) -> Floats:
    """Beta draws kept off 0 and 1, where log odds end."""
    return np.clip(rng.beta(first, second), 1e-9, 1 - 1e-9)


def typical_sizes(outcomes: pl.DataFrame) -> pl.DataFrame:
    """Median size by service, the company's where too few are known; the row without a service is the company's."""
    company = outcomes.select(pl.lit(None, dtype=pl.String).alias("service"), *(pl.median(size) for size in SIZES))
    own = [pl.when(pl.col(size).count() >= ENOUGH_SIZES).then(pl.median(size)).alias(size) for size in SIZES]
    by_service = outcomes.group_by("service", maintain_order=True).agg(own)
    filled = by_service.with_columns(pl.coalesce(size, pl.lit(company[size].max(), pl.Float64)) for size in SIZES)
    return pl.concat([company.head(1), filled], how="vertical_relaxed")


def relative_size(changes: pl.DataFrame, typical: pl.DataFrame) -> pl.Series:
    """Log of size over the service's typical size, the mean of what is known of lines and files; 0 where nothing is."""
    company = typical.filter(pl.col("service").is_null())
    beside = changes.join(typical, on="service", how="left", suffix="_typical", maintain_order="left")
    logs = [
        (pl.col(size).cast(pl.Float64) + 1).log()
        - (pl.coalesce(f"{size}_typical", pl.lit(company[size].max(), pl.Float64)) + 1).log()
        for size in SIZES
    ]
    mean = pl.mean_horizontal(*logs).fill_null(0.0).clip(-LARGEST_SIZE, LARGEST_SIZE)
    return beside.select(mean.alias("size")).to_series()
