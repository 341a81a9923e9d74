"""Minutes to restore after a failure: log-normal, its median pooled over services, longer while nobody is on duty.

log(minutes) = level of the service + severity + log(factor) outside the team's staffed hours + scatter
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shipcast.features.change import Change
from shipcast.features.clock import Instants, hours_of_week
from shipcast.features.history import History
from shipcast.models.duty import SLOWER, Duty, duty, weeks
from shipcast.models.learned import kept_by_rows
from shipcast.models.odds import normal_hazard
from shipcast.models.posterior import DRAWS, SEED, Floats

ASSUMED_MINUTES, ASSUMED_DOUBT = 60.0, 1.2  # before any incident: 60 minutes, give or take a factor of 3
BETWEEN_SERVICES = 0.6
ASSUMED_SPREAD, SPREAD_WORTH = 1.0, 4
SEVERITY_WORTH = 4.0  # incidents of a severity, below which it hardly counts
SHORTEST_MINUTES, LONGEST_MINUTES = 1.0, 14 * 24 * 60.0
ROUNDS = 5
KEPT = 8
FAR = 2.5  # spreads from what is expected, at which what lies farther counts
PARTED = 3.0  # logarithm of how much likelier outages must be for a team to be taken apart
OWN_WEEK = 0.5  # how far a team's week is believed beforehand to be like other teams'


class RestoreModel:
    """A log-normal time to restore for every service and local hour of the week.

    An open incident is censored: it counts as the length it is expected to have, given how long it has lasted. Past
    14 days an incident says no more about people on duty than one of 14 days, and is counted as that long.

    Attributes
    ----------
    spread_
        Spread of log(minutes) about its median, severities as they come.
    duties_
        What is believed of every team's staffed hours; of a service without a team, or of one whose services have
        hours of their own, each service's.
    """

    @classmethod
    def of(cls, history: History, service: str) -> RestoreModel:
        """The model for questions about a service; that of the same incidents is made once."""
        return learned(history.restores(service))

    def fit(self, restores: pl.DataFrame) -> RestoreModel:
        """Learns from incidents (`History.restores`); without any, the assumed 60 minutes and their doubt remain."""
        self.incidents_, self.open_ = len(restores), int(restores["is_open"].sum())
        self.services_, self.number_ = numbered(restores["service"])
        self.team_of_, self.team_number_ = numbered(restores.select(pl.coalesce("team", "service")).to_series())
        self.teams_ = len(self.team_number_)
        self.severity_of_, _ = numbered(restores["severity"].fill_null(""))
        self.hours_ = restores["hour_of_week"].to_numpy().astype(np.int64)
        self.counts_ = np.bincount(self.services_, minlength=len(self.number_)).astype(np.float64)
        lasted = np.log(restores["minutes"].clip(SHORTEST_MINUTES, LONGEST_MINUTES).to_numpy())
        is_open = restores["is_open"].to_numpy().astype(bool)
        values, self.scatter_, self.severe_ = lasted, ASSUMED_SPREAD, np.zeros(len(lasted))
        self.duties_: list[Duty] = []
        self.effect_ = np.zeros(len(lasted))
        for number in range(ROUNDS):
            self.fit_levels(values - self.severe_ - self.effect_)
            self.fit_severities(values - self.levels()[self.services_] - self.effect_)
            if number == 1 and len(values):  # how they scatter is known by then
                self.part_teams(values - self.severe_)
            self.fit_duties(values - self.severe_)
            expected = self.levels()[self.services_] + self.effect_ + self.severe_
            self.scatter_ = spread_of(values - expected)
            found = np.where(is_open, expected_beyond(lasted, expected, self.scatter_), lasted)
            # A forgotten ticket says hardly more of who is on duty than a long outage does (Huber, 1964).
            values = expected + np.clip(found - expected, -FAR * self.scatter_, FAR * self.scatter_)
        self.fit_levels(values - self.severe_ - self.effect_)
        self.spread_ = float(np.hypot(spread_of(found - expected), self.severe_.std() if len(lasted) else 0.0))
        return self

    def fit_levels(self, values: Floats) -> None:
        """The level of each service, as the mean of its own and their precision; and the company's."""
        self.means_ = np.bincount(self.services_, values, len(self.counts_)) / self.counts_
        precision = 1 / (BETWEEN_SERVICES**2 + self.scatter_**2 / self.counts_)
        self.company_precision_ = ASSUMED_DOUBT**-2 + float(np.sum(precision))
        prior = np.log(ASSUMED_MINUTES) * ASSUMED_DOUBT**-2
        self.company_ = (prior + float(np.sum(precision * self.means_))) / self.company_precision_

    def fit_severities(self, values: Floats) -> None:
        """How much longer each severity takes; about 0 over all incidents, since the next one's is not known."""
        counts = np.bincount(self.severity_of_)
        effects = np.bincount(self.severity_of_, values) / (counts + SEVERITY_WORTH)
        self.severe_ = effects[self.severity_of_] if len(values) else values
        self.severe_ = self.severe_ - (self.severe_.mean() if len(values) else 0.0)

    def fit_duties(self, values: Floats) -> None:
        """Every team's staffed hours: first each on its own, then those of the others as what is likely beforehand."""
        found = [self.duty(values, team, weeks()[1], SLOWER) for team in range(self.teams_)]
        beliefs = np.sum([one.beliefs for one in found], axis=0)
        slower = sum(one.usually_slower() for one in found)
        others = [beforehand(beliefs - one.beliefs, slower - one.usually_slower(), self.teams_ - 1) for one in found]
        self.duties_ = [self.duty(values, team, *its) for team, its in enumerate(others)]
        self.unseen_ = self.duty(values, self.teams_, *beforehand(beliefs, slower, self.teams_))
        effects = np.array([one.effect() for one in self.duties_])
        self.effect_ = effects[self.team_of_, self.hours_] if len(values) else np.zeros(0)

    def part_teams(self, values: Floats) -> None:
        """Takes the services of a team for teams of their own, where their outages say so.

        A name may stand for a department: who is on duty is then another matter for each of its services.
        """
        parted = self.services_ + self.teams_
        for team in range(self.teams_):
            rows = self.team_of_ == team
            services = np.unique(self.services_[rows])
            if len(services) < 2:
                continue
            alone = [self.duty_of(values, self.services_ == service, weeks()[1], SLOWER) for service in services]
            together = self.duty(values, team, weeks()[1], SLOWER)
            if sum(one.log_evidence for one in alone) > together.log_evidence + PARTED:
                self.team_of_[rows] = parted[rows]
        kept, self.team_of_ = np.unique(self.team_of_, return_inverse=True)
        places = {int(team): place for place, team in enumerate(kept)}
        self.team_number_ = {name: places[team] for name, team in self.team_number_.items() if team in places}
        self.teams_ = len(kept)

    def duty(self, values: Floats, team: int, beliefs: Floats, slower: float) -> Duty:
        return self.duty_of(values, self.team_of_ == team, beliefs, slower)

    def duty_of(self, values: Floats, rows: NDArray[np.bool_], beliefs: Floats, slower: float) -> Duty:
        services, own = self.services_[rows], values[rows] - self.company_
        within = np.unique(services, return_inverse=True)[1]
        return duty(own, within, self.hours_[rows], self.scatter_, BETWEEN_SERVICES, beliefs, slower)

    def levels(self) -> Floats:
        """The expected log median of every service while its team is on duty."""
        own, shared = self.counts_ / self.scatter_**2, BETWEEN_SERVICES**-2
        return np.asarray((own * self.means_ + shared * self.company_) / (own + shared))

    def draws(self, change: Change, outages: Instants) -> Floats:
        """Draws of log(median minutes) of an outage that begins then: one row a draw, one column an outage."""
        return np.asarray(self.week_draws(change)[:, hours_of_week(outages, change.zone)])

    def week_draws(self, change: Change) -> Floats:
        """The same of an outage that begins in each hour of the week."""
        rng = np.random.default_rng([SEED, 2])
        team = self.team(change)
        believed = self.unseen_ if team is None else self.duties_[team]
        chosen, slower = believed.draws(rng, DRAWS)
        outside = weeks()[0][chosen] * (self.incidents_ > 0)  # of hours without any incident there is nothing to say
        level = self.level_draws(change.service, chosen, slower, believed, rng)
        return np.asarray(level[:, None] + slower[:, None] * outside)

    def team(self, change: Change) -> int | None:
        """The number of the team that is on duty for a change; null: nothing is known of it."""
        number = self.number_.get(change.service)
        if number is not None:
            return int(self.team_of_[self.services_ == number][0])
        return self.team_number_.get(change.team or change.service)

    def no_time_effect(self, change: Change) -> float | None:
        """The belief that it makes no difference when an outage begins; null: nothing is known of the team."""
        team = self.team(change)
        return None if team is None else float(self.duties_[team].beliefs[0])

    def level_draws(
        self, service: str, chosen: NDArray[np.int64], slower: Floats, believed: Duty, rng: np.random.Generator
    ) -> Floats:
        """Draws of the level on duty: a larger factor means a lower one, where much of what was seen began outside."""
        company = self.company_ + rng.standard_normal(DRAWS) / np.sqrt(self.company_precision_)
        number, shared = self.number_.get(service), BETWEEN_SERVICES**-2
        if number is None:
            return np.asarray(company + rng.standard_normal(DRAWS) * BETWEEN_SERVICES)
        mates = np.unique(self.services_[self.team_of_ == self.team_of_[self.services_ == number][0]])
        share = believed.shares[int(np.searchsorted(mates, number)), chosen]
        expected = self.effect_[self.services_ == number].mean()
        own = self.counts_[number] / self.scatter_**2
        centre = (own * (self.means_[number] + expected - slower * share) + shared * company) / (own + shared)
        return np.asarray(centre + rng.standard_normal(DRAWS) / np.sqrt(own + shared))

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
        }


@kept_by_rows(KEPT)
def learned(restores: pl.DataFrame) -> RestoreModel:
    return RestoreModel().fit(restores)


def numbered(names: pl.Series) -> tuple[NDArray[np.int64], dict[str, int]]:
    """The number of each row's name, from 0 in the order of the alphabet."""
    numbers = {name: number for number, name in enumerate(names.unique().sort())}
    return np.array([numbers[name] for name in names], dtype=np.int64), numbers


def spread_of(values: Floats) -> float:
    """The spread of values about 0, drawn to the one assumed where they are few."""
    squares = np.sum(values**2) + SPREAD_WORTH * ASSUMED_SPREAD**2
    return float(np.sqrt(squares / (len(values) + SPREAD_WORTH)))


def beforehand(beliefs: Floats, slower: float, teams: int) -> tuple[Floats, float]:
    """What is likely of a team's week and factor before its own outages are looked at: partly what other teams have.

    Given are the sums over that many other teams.
    """
    if not teams:
        return weeks()[1], SLOWER
    return OWN_WEEK * weeks()[1] + (1 - OWN_WEEK) * beliefs / teams, (slower + SLOWER) / (teams + 1)


def expected_beyond(lower: Floats, centre: Floats, spread: float) -> Floats:
    """The mean of a normal value, given that it lies above `lower`; never past the longest that counts."""
    beyond = centre + spread * normal_hazard((lower - centre) / spread)
    return np.asarray(np.minimum(beyond, np.log(LONGEST_MINUTES)))
