"""The chance that a deployment fails: a regression in which every service has a level of its own.

log odds(failure) = common level + level of the service + features + week(local hour), where the week is the company's,
bent by each service. How far a family of features may reach, and how unlike services are, is what makes the failures
seen most probable (MacKay, 1992, evidence); of the week several strengths are averaged, half of the belief being that
the hour has no effect at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from shipcast.features.feature import Feature
from shipcast.models.encoding import Column, columns, encoded, unknown_to_a_request
from shipcast.models.grouped import GroupedPosterior, Levels, grouped_laplace
from shipcast.models.odds import expit, logit
from shipcast.models.posterior import DRAWS, SEED, Binomial, Floats, Mixture, averaged
from shipcast.models.week import COMPANY, MIX_WORTH, OWN, service_means, week_basis

FAMILY_SPREADS = (0.02, 0.08, 0.2, 0.5)  # per spread of the feature, in log odds
LEVEL_SPREADS = (0.1, 0.3, 0.7, 1.2)
OUTLYING, OUTLYING_SPREAD = 0.05, 2.0  # share of services whose level is like no other's, and how far apart these lie
DEVIATIONS = 0.3 * np.sinh(np.linspace(-4, 4, 121))  # of a service's level from the fitted one
FIRST_SPREAD, FIRST_LEVEL = 0.2, 0.3
ROUNDS = 3
NEWTON_STEPS, CLOSE = 40, 1e-6
MOST_LOOKED_AT = 400  # deployments of a service
MOST_DRAWN = 64  # services whose draws are kept for the next question
COMMON_SPREAD = 1.5
ARRAYS = (
    "usual_", "mixes_", "week_means_", "week_beliefs_", "level_beliefs_", "failed_", "hours_", "predictor_", "shifts_"
)  # fmt: skip
NUMBERS = ("base_", "family_spreads_", "level_spread_", "crowding_")
ASSUMED_RATE = 0.06  # before any deployment has settled: 6 in 100
RATE_WORTH = 0.5 / ASSUMED_RATE  # deployments that it counts for: half a failure, as Jeffreys' prior has it


@dataclass(frozen=True)
class Coefficient:
    """What one column adds to the log odds of a failure, for a spread of the column: mean and spread of the belief."""

    column: Column
    mean: float
    spread: float


class FailureModel:
    """Partial pooling over services, the effect of time given the change, and features by evidence.

    Parameters
    ----------
    features
        What it may learn from, beside kind of change, team, service and hour; those that tell nothing are left out.

    Attributes
    ----------
    columns_
        What of the features and categories tells deployments apart.
    family_spreads_, level_spread_
        How far each family may move the log odds, and how unlike services are.
    level_beliefs_
        How probable each of `LEVEL_SPREADS` is.
    shifts_
        How far draws lie too high, in log odds: a row for deployments and one for requests, a column a service and a
        last one for services not known.
    crowding_
        How much less than single failures tell those that come on one day, of several services at once (at least 1).
    weeks_
        Under each strength of the company's week, how probable it is and what follows.
    """

    def __init__(self, features: Sequence[Feature] = ()) -> None:
        self.features = tuple(features)
        self.drawn = lru_cache(maxsize=MOST_DRAWN)(self.weight_draws)

    def fit(self, rows: pl.DataFrame) -> FailureModel:
        """Learns from settled deployments: `matrix` rows with `is_failed`, none of them a rollback.

        On one thread: more of them gain nothing at these sizes, and add numbers up in another order.
        """
        with threadpool_limits(limits=1):
            self.learn(rows)
        return self

    def learn(self, rows: pl.DataFrame) -> None:
        self.drawn.cache_clear()
        rows = rows.sort("service", "started_at", "deployment_id")
        names = rows["service"].unique(maintain_order=True)
        self.number_ = {name: number for number, name in enumerate(names)}
        self.groups_ = Levels(np.array([self.number_[name] for name in rows["service"]], dtype=np.int64))
        self.failed_ = rows["is_failed"].cast(pl.Float64).to_numpy()
        self.base_ = float(logit(base_rate(int(self.failed_.sum()), len(rows))))
        self.columns_ = columns(rows, self.features)
        self.hours_ = rows["hour_of_week"].cast(pl.Int64).to_numpy()
        self.design_ = encoded(rows, self.columns_)
        self.mixes_ = self.means_of(week_basis()[self.hours_])
        self.fit_spreads()
        self.fit_week(rows["started_at"])
        self.draw_company()
        self.usual_ = self.means_of(self.design_)
        self.fit_shifts()

    def means_of(self, design: Floats) -> Floats:
        """The mean row of every service, drawn to the company's where it has few; the last row is the company's."""
        if not len(design):
            return np.zeros((1, design.shape[1]))
        company = design.mean(axis=0)
        counts = self.groups_.sums(np.ones(len(design)))[:, None]
        own = (self.groups_.sums(design) + MIX_WORTH * company) / (counts + MIX_WORTH)
        return np.vstack([own, company])

    def fit_spreads(self) -> None:
        """Finds how far each family reaches and how unlike services are, by the evidence."""
        spreads, level = {column.family: FIRST_SPREAD for column in self.columns_}, FIRST_LEVEL
        best = self.posterior(self.design_, spreads, level)
        for _ in range(ROUNDS):
            before = spreads, level
            spreads = self.likelier(best, spreads)
            best = self.posterior(self.design_, spreads, level, best)
            tried = [self.posterior(self.design_, spreads, value, best) for value in LEVEL_SPREADS]
            gains = np.array([one.log_evidence for one in tried])
            chosen = int(np.argmax(gains))
            best, level = tried[chosen], LEVEL_SPREADS[chosen]
            if (spreads, level) == before:
                break
        self.family_spreads_, self.level_spread_, self.steady_ = spreads, level, best
        chance = np.exp(gains - gains.max())
        self.level_beliefs_ = chance / chance.sum()

    def likelier(self, found: GroupedPosterior, spreads: dict[str, float]) -> dict[str, float]:
        """The spreads of greatest evidence near a posterior, where the likelihood is taken for what it curves like."""
        curvature = found.factor @ found.factor.T
        pull, information = curvature @ found.mean, curvature - np.diag(self.prior_spread(spreads) ** -2.0)
        evidence = near_evidence(information, pull, self.prior_spread(spreads))
        for _ in range(ROUNDS):
            for family in spreads:
                for value in FAMILY_SPREADS:
                    tried = {**spreads, family: value}
                    its = near_evidence(information, pull, self.prior_spread(tried))
                    if its > evidence:
                        evidence, spreads = its, tried
        return spreads

    def prior_spread(self, spreads: dict[str, float], week_spread: float = 0.0, week: int = 0) -> Floats:
        """The prior spread of every weight: the common one, those of the columns, and those of the week's curves."""
        return np.array([COMMON_SPREAD, *(spreads[column.family] for column in self.columns_), *[week_spread] * week])

    def posterior(
        self,
        design: Floats,
        spreads: dict[str, float],
        level: float,
        start: GroupedPosterior | None = None,
        week_spread: float = 0.0,
    ) -> GroupedPosterior:
        """What follows from these spreads; columns past those of the features are the week's."""
        spread = self.prior_spread(spreads, week_spread, design.shape[1] - len(self.columns_))
        chances = Binomial(self.failed_, np.ones(len(design)), np.full(len(design), self.base_))
        return grouped_laplace(with_common(design), self.groups_, spread, level, chances, start)

    def fit_week(self, started: pl.Series) -> None:
        """The company's week, from contrasts within services, given all else; under each of several strengths.

        Failures that came together tell less than so many single ones: the prior counts for `crowding_` times as
        much, the evidence for so much less, and what is left in doubt grows (Varin, Reid and Firth, 2011).
        """
        week = week_basis()[self.hours_]
        self.week_means_ = service_means(week, self.groups_.numbers, np.ones(len(week))) if len(week) else week
        week = week - self.week_means_[self.groups_.numbers]
        self.crowding_ = self.crowding(week, started)
        design = np.hstack([self.design_, week])
        parts: list[GroupedPosterior] = []
        for strength, _ in COMPANY:
            spread = strength / np.sqrt(self.crowding_)
            start = parts[-1] if parts else None
            parts.append(self.posterior(design, self.family_spreads_, self.level_spread_, start, spread))
        gains = np.array([part.log_evidence for part in parts]) / self.crowding_
        chance = np.exp(gains - gains.max()) * [belief for _, belief in COMPANY]
        self.week_beliefs_, self.weeks_ = chance / chance.sum(), tuple(parts)
        fitted = np.array([part.predictor(with_common(design), self.groups_) for part in parts])
        self.predictor_ = self.base_ + self.week_beliefs_ @ fitted

    def crowding(self, week: Floats, started: pl.Series) -> float:
        """How much more the week's scores scatter by days than they would if failures came one by one."""
        if not self.failed_.any():
            return 1.0
        chance = expit(self.base_ + self.steady_.predictor(with_common(self.design_), self.groups_))
        scores = (self.failed_ - chance)[:, None] * week
        days = Levels(started.dt.date().rank("dense").cast(pl.Int64).to_numpy() - 1)
        order = np.argsort(days.numbers, kind="stable")
        daily = Levels(days.numbers[order]).sums(scores[order])
        information = (week * (chance * (1 - chance))[:, None]).T @ week + np.eye(week.shape[1])
        together, alone = (np.trace(np.linalg.solve(information, part.T @ part)) for part in (daily, scores))
        return max(1.0, float(together / alone)) if alone > 0 else 1.0

    def fit_shifts(self) -> None:
        """How far the draws of each service lie too high, in log odds: of deployments, and of requests.

        The mean chance over draws of log odds exceeds the chance of their mean, while it is the latter that fits the
        failures seen: chances are skewed, and Laplace's approximation is not. What a request takes as usual differed
        from one deployment to the next, so that the chance of the usual one is less than theirs was; a request is as
        likely to fail as they were. The last is a service not known: as likely to fail, in what all shipped, as all.
        """
        self.shifts_ = np.zeros((2, len(self.number_) + 1))
        fitted = expit(self.predictor_)
        is_assumed = np.array([column.is_assumed for column in self.columns_], dtype=bool)
        for number in [*self.number_.values(), None]:
            its = np.arange(len(fitted)) if number is None else np.flatnonzero(self.groups_.numbers == number)
            its = its[:: -(-len(its) // MOST_LOOKED_AT) or 1]
            place = -1 if number is None else number
            week = week_basis()[self.hours_[its]] - self.mixes_[place]
            drawn = self.drawn(number)
            if not len(its):  # nothing has settled
                self.shifts_[:, place] = excess(drawn[:, 0], ASSUMED_RATE)
                continue
            own = self.design_[its]
            designs = [own, np.where(is_assumed, self.usual_[place], own)] if is_assumed.any() else [own]
            self.shifts_[:, place] = [
                excess(drawn @ np.hstack([with_common(design), week]).T, fitted[its].mean()) for design in designs
            ]

    def predict(self, rows: pl.DataFrame) -> Floats:
        """The expected chance that each deployment fails, one a row."""
        return np.asarray(expit(self.draws(rows)).mean(axis=0))

    def draws(self, rows: pl.DataFrame, *, is_request: bool = False) -> Floats:
        """Draws of the log odds of a failure: one row a draw, one column a deployment.

        Of a request, what it does not say and what nobody could know yet is taken as usual for the service. Each
        service is asked about alone, so that no forecast depends on what else is asked with it.
        """
        parts = rows.with_row_index("place").partition_by("service", as_dict=True, maintain_order=True)
        found = {name: self.service_draws(name, its, is_request=is_request) for (name,), its in parts.items()}
        if len(found) == 1:
            return next(iter(found.values()))
        drawn = np.zeros((DRAWS, len(rows)))
        for (name,), its in parts.items():
            drawn[:, its["place"].to_numpy()] = found[name]
        return drawn

    def service_draws(self, service: Any, rows: pl.DataFrame, *, is_request: bool) -> Floats:
        """The same of one service's deployments."""
        number = self.number_.get(service)
        place = -1 if number is None else number  # the last mean row is that of a service not known
        design = encoded(rows, self.columns_)
        if is_request:
            design = np.where(unknown_to_a_request(rows, self.columns_), self.usual_[place], design)
        week = week_basis()[rows["hour_of_week"].cast(pl.Int64).to_numpy()] - self.mixes_[place]
        drawn = self.drawn(number) @ np.hstack([with_common(design), week]).T
        return np.asarray(drawn - self.shifts_[int(is_request), place])

    def weight_draws(self, number: int | None) -> Floats:
        """Draws of one service's level, of the weights of the columns, and of its week: one row a draw."""
        rng = np.random.default_rng([SEED, 1])
        level = self.base_ + np.interp(rng.random(DRAWS), np.cumsum(self.deviation_beliefs(number)), DEVIATIONS)
        if number is not None:
            given = [part.level_given(drawn, number) for part, drawn in zip(self.weeks_, self.part_draws_, strict=True)]
            level += np.concatenate(given)
        found = self.company_draws_.copy()
        found[:, 0] += level
        found = rng.permutation(found)
        if number is not None:
            found[:, 1 + len(self.columns_) :] += self.own(number).draws(rng)
        return np.asarray(found)

    def draw_company(self) -> None:
        """Draws what all services share: the weights, by strength of the week, and these together with the week."""
        rng = np.random.default_rng([SEED, 8])
        counts = zip(self.weeks_, shares(self.week_beliefs_), strict=True)
        self.part_draws_ = [part.draws(rng, count) for part, count in counts]
        first = 1 + len(self.columns_)
        weeks = [self.week_draws(part, drawn) for part, drawn in zip(self.weeks_, self.part_draws_, strict=True)]
        self.company_draws_ = np.hstack([np.concatenate(self.part_draws_)[:, :first], np.concatenate(weeks)])

    def deviation_beliefs(self, number: int | None) -> Floats:
        """How probable each of `DEVIATIONS` is for a service, or for one not known, given all else.

        A service that has never failed may be far better than all others, but hardly far worse: that doubt is skewed.
        """
        rows = self.groups_.numbers == (-1 if number is None else number)
        fitted = 0.0 if number is None else self.week_beliefs_ @ [part.levels[number] for part in self.weeks_]
        seen = Binomial(self.failed_[rows], np.ones(int(rows.sum())), self.predictor_[rows])
        likely = np.array([seen.log_likelihood(deviation) for deviation in DEVIATIONS])
        spreads = np.array([*LEVEL_SPREADS, OUTLYING_SPREAD])
        beliefs = np.array([*(1 - OUTLYING) * self.level_beliefs_, OUTLYING])
        prior = np.exp(-0.5 * ((fitted + DEVIATIONS[:, None]) / spreads) ** 2) @ (beliefs / spreads)
        chance = np.exp(likely - likely.max()) * prior * np.gradient(DEVIATIONS)
        return np.asarray(chance / chance.sum())

    def week_draws(self, part: GroupedPosterior, weights: Floats) -> Floats:
        """What draws of the weights say of the company's week, in as much more doubt as failures come together."""
        first = 1 + len(self.columns_)
        return np.asarray(part.mean[first:] + np.sqrt(self.crowding_) * (weights[:, first:] - part.mean[first:]))

    def own(self, number: int) -> Mixture:
        """How a service bends the company's week."""
        rows = self.groups_.numbers == number
        trials = np.full(int(rows.sum()), 1 / self.crowding_)
        chances = Binomial(self.failed_[rows] * trials, trials, self.predictor_[rows])
        week = week_basis()[self.hours_[rows]] - self.week_means_[number]
        spreads = [np.full(week.shape[1], strength) for strength, _ in OWN]
        return averaged(week, spreads, [belief for _, belief in OWN], chances)

    def week_effect(self) -> Floats:
        """Draws of the company's week in log odds, less its usual hour: one row a draw, one column a local hour."""
        rng = np.random.default_rng([SEED, 6])
        week = week_basis() - self.mixes_[-1]
        drawn = [
            self.week_draws(part, part.draws(rng, count)) @ week.T
            for part, count in zip(self.weeks_, shares(self.week_beliefs_), strict=True)
        ]
        return np.concatenate(drawn)

    def coefficients(self) -> list[Coefficient]:
        """What each column adds to the log odds, under the week that is most probable."""
        part = self.weeks_[int(np.argmax(self.week_beliefs_))]
        inverse = np.linalg.inv(part.factor)
        spread = np.sqrt(np.sum(inverse**2, axis=0))
        return [
            Coefficient(column, float(part.mean[place]), float(spread[place]))
            for place, column in enumerate(self.columns_, 1)
        ]

    def state(self) -> dict[str, Any]:
        """All that answers need of it, as arrays, numbers and words, from which `from_state` makes it again."""
        return {
            "columns": [asdict(column) for column in self.columns_],
            "services": list(self.number_),
            "weeks": [asdict(part) for part in self.weeks_],
            **{name: getattr(self, name) for name in ARRAYS + NUMBERS},
            "groups_": self.groups_.numbers,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> FailureModel:
        """A model that answers like the one whose state it is."""
        model = cls()
        model.columns_ = [Column(**column) for column in state["columns"]]
        model.number_ = {name: number for number, name in enumerate(state["services"])}
        model.weeks_ = tuple(GroupedPosterior(**part) for part in state["weeks"])
        model.groups_ = Levels(state["groups_"])
        for name in ARRAYS + NUMBERS:
            setattr(model, name, state[name])
        model.draw_company()
        return model

    def describe(self) -> dict[str, Any]:
        """What it rests on, and what it found about the company."""
        return {
            "deployments": len(self.failed_),
            "failures": int(self.failed_.sum()),
            "services": len(self.number_),
            "families": self.family_spreads_,
            "level_spread": self.level_spread_,
            "crowding": self.crowding_,
            "no_time_effect": float(self.week_beliefs_[0]),
        }


def base_rate(failures: int, settled: int) -> float:
    """About which the common level is believed to lie.

    Where nothing has failed it is the assumed one: successes alone would count twice, in it and in the likelihood.
    """
    return (failures + RATE_WORTH * ASSUMED_RATE) / (settled + RATE_WORTH) if failures else ASSUMED_RATE


def near_evidence(information: Floats, pull: Floats, spread: Floats) -> float:
    """The log evidence of a quadratic likelihood under a normal prior, up to what does not depend on the prior."""
    factor = np.linalg.cholesky(information + np.diag(spread**-2.0))
    half = np.linalg.solve(factor, pull)
    return float(0.5 * half @ half - np.sum(np.log(np.diag(factor))) - np.sum(np.log(spread)))


def excess(log_odds: Floats, chance: float) -> float:
    """How much log odds must be lowered for their mean chance to be that; by Newton's steps."""
    found = 0.0
    for _ in range(NEWTON_STEPS):
        chances = expit(log_odds - found)
        step = (chances.mean() - chance) / (chances * (1 - chances)).mean()
        found += float(np.clip(step, -1, 1))  # far from it the curve is nearly flat, and a step would lead anywhere
        if abs(step) < CLOSE:
            break
    return found


def with_common(design: Floats) -> Floats:
    """The design with a column of ones before it, for the level that all share."""
    return np.hstack([np.ones((len(design), 1)), design])


def shares(beliefs: Floats) -> list[int]:
    """How many of the draws each belief gets; they add up to all."""
    return [int(share) for share in np.diff(np.rint(np.cumsum(np.append(0, beliefs)) * DRAWS))]
