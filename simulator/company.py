"""The company: its teams and services, and the shape of each one's week.

Every number by the hour of the week is on the service's own clock. The profiles below are one company; a seed
moves its peaks, rates and effects a little, so that many seeds are many companies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shipcast.simulator.clock import HOURS_OF_WEEK, Floats

Kind = Literal["confounded", "plain", "null"]
LoadShape = Literal["office", "evening", "weekend", "daytime", "flat", "unmeasured"]

HOUR_OF_DAY = np.arange(HOURS_OF_WEEK) % 24
DAY_OF_WEEK = np.arange(HOURS_OF_WEEK) // 24


@dataclass(frozen=True)
class Team:
    """Who is on duty: `staffed` is [from, to) in local hours, on the days given (0 = Monday)."""

    name: str
    zone: str
    staffed: tuple[int, int]
    days: tuple[int, ...]
    members: tuple[str, ...]

    def is_staffed(self) -> NDArray[np.bool_]:
        """For every hour of the week, whether anyone is on duty."""
        begins, ends = self.staffed
        return (begins <= HOUR_OF_DAY) & (ends > HOUR_OF_DAY) & np.isin(DAY_OF_WEEK, self.days)


@dataclass(frozen=True)
class Profile:
    """What tells one service from another.

    `failure_rate` is that of a typical change at a typical hour; `restore_minutes` the median while staffed;
    `load` the mean requests per hour; `growth` its relative growth over a year; `lines` the median change.
    """

    service: str
    team: str
    regions: str
    tier: int
    criticality: str
    architecture: str
    depends_on: tuple[str, ...]
    weekly: float
    failure_rate: float
    restore_minutes: float
    load: float
    load_shape: LoadShape
    lines: float
    batch: tuple[int, ...] = ()
    growth: float = 0.1
    strategy: str = "rolling"
    bot_share: float = 0.15
    normal_share: float = 0.4
    minutes: float = 15
    has_bursts: bool = False
    is_lucky: bool = False
    first_days_ago: int | None = None


@dataclass(frozen=True)
class Service:
    """A service and its truth.

    The arrays hold one value per hour of the week on the clock of `zone`: `failure_logit` (a change of
    `lines` lines), `restore_median_minutes`, `load` (requests per hour at the first instant of the history),
    `deployments` (share of its deployments) and `size_shift` (what is added to the log of a change's lines).
    """

    profile: Profile
    zone: str
    members: tuple[str, ...]
    failure_logit: Floats
    size_slope: float
    restore_median_minutes: Floats
    restore_sigma: float
    load: Floats
    growth: float
    deployments: Floats
    size_shift: Floats
    crowding_slope: float

    @property
    def name(self) -> str:
        return self.profile.service


WEEKDAYS = (0, 1, 2, 3, 4)
ALL_DAYS = (0, 1, 2, 3, 4, 5, 6)

TEAMS = (
    Team("payments", "Europe/London", (8, 18), WEEKDAYS, ("mara", "owen", "priya", "tom", "ines", "felix")),
    Team("storefront", "America/New_York", (9, 18), WEEKDAYS, ("dana", "luis", "kim", "noah", "ruth", "ivan")),
    Team("media", "Asia/Tokyo", (10, 19), WEEKDAYS, ("aiko", "kenji", "yuna", "ren", "mio", "sora")),
    Team("field", "Australia/Sydney", (9, 17), WEEKDAYS, ("ella", "jack", "zoe", "liam", "isla", "max")),
    Team("platform", "Europe/London", (7, 23), ALL_DAYS, ("amir", "greta", "hugo", "lena", "nils", "sara")),
)

PROFILES = (
    Profile("checkout", "storefront", "us;eu", 1, "critical", "stateless", ("payments", "search"), 9, 0.065, 35,
            60_000, "evening", 160, growth=0.25, strategy="canary", normal_share=0.7),
    Profile("payments", "payments", "eu;us", 1, "critical", "stateful", ("ledger", "identity"), 6, 0.055, 45,
            25_000, "office", 180, batch=(1, 2), growth=0.2, strategy="blue_green", normal_share=0.9),
    Profile("ledger", "payments", "eu", 1, "critical", "stateful", (), 3, 0.07, 70,
            8_000, "office", 260, batch=(0, 1, 2, 3), strategy="recreate", normal_share=0.95, minutes=30),
    Profile("search", "platform", "eu;us;ap", 2, "high", "stateful", (), 7, 0.06, 30,
            120_000, "evening", 140, batch=(4, 5), growth=0.3, has_bursts=True),
    Profile("identity", "platform", "eu;us;ap", 1, "critical", "stateless", (), 5, 0.045, 25,
            70_000, "office", 90, strategy="canary", normal_share=0.8),
    Profile("web", "storefront", "us;eu", 2, "high", "stateless", ("search", "identity"), 50, 0.035, 20,
            150_000, "evening", 45, growth=0.15, bot_share=0.35, normal_share=0.05, minutes=8),
    Profile("streaming", "media", "ap", 2, "high", "stateless", ("identity",), 6, 0.06, 40,
            40_000, "weekend", 200, growth=0.5, strategy="canary"),
    Profile("dispatch", "field", "ap", 2, "medium", "stateless", ("identity",), 4, 0.075, 50,
            3_000, "daytime", 150, growth=0.0),
    Profile("archive", "media", "ap", 3, "low", "stateful", (), 9 / 52, 0.05, 90,
            1_200, "office", 420, strategy="recreate", minutes=40),
    Profile("billing-export", "payments", "eu", 3, "medium", "batch", ("ledger",), 2.5, 0.07, 80,
            60, "unmeasured", 170, batch=(2, 3, 4), growth=0.0, strategy="recreate"),
    Profile("loyalty", "field", "ap", 3, "low", "stateless", ("checkout",), 5, 0.08, 45,
            5_000, "weekend", 130, growth=0.4, first_days_ago=61),
    Profile("status-page", "platform", "eu", 3, "low", "stateless", (), 0.8, 0.004, 25,
            2_000, "flat", 30, is_lucky=True, normal_share=0.0, minutes=5),
)  # fmt: skip


def company(kind: Kind, seed: int, count: int) -> tuple[Service, ...]:
    """The first `count` services; past the profiles there are, they repeat with a number behind the name."""
    return tuple(
        service(profile, kind, np.random.default_rng([seed, 1, index])) for index, profile in enumerate(profiles(count))
    )


def profiles(count: int) -> list[Profile]:
    """`count` profiles that depend on each other only."""
    rounds = [
        replace(profile, service=profile.service + (f"-{index // len(PROFILES) + 1}" if repeated else ""))
        for index in range(count)
        for profile, repeated in [(PROFILES[index % len(PROFILES)], index >= len(PROFILES))]
    ]
    names = {profile.service for profile in rounds}
    return [
        replace(profile, depends_on=tuple(name for name in profile.depends_on if name in names)) for profile in rounds
    ]


def service(profile: Profile, kind: Kind, rng: np.random.Generator) -> Service:
    """A profile with its week drawn out. In a `null` company every hour of the week is alike."""
    team = next(team for team in TEAMS if team.name == profile.team)
    load = load_week(profile.load_shape, rng)
    quiet = quiet_hours(load)
    deployments = deployment_week(team, quiet)
    effect = failure_week(profile.batch, rng)
    restore = np.where(team.is_staffed(), 1.0, rng.uniform(3.0, 5.0))
    if kind == "null":
        load, effect, restore = np.ones_like(load), np.zeros_like(effect), np.ones_like(restore)
    rate = profile.failure_rate * rng.uniform(0.8, 1.2)
    shift = quiet * (rng.uniform(1.2, 1.6) if kind == "confounded" else 0.0)
    return Service(
        profile=profile,
        zone=team.zone,
        members=team.members,
        failure_logit=np.log(rate / (1 - rate)) + effect - effect @ deployments,
        size_slope=rng.uniform(0.5, 0.7),
        restore_median_minutes=profile.restore_minutes * restore,
        restore_sigma=rng.uniform(0.6, 0.85),
        load=profile.load * load / load.mean(),
        growth=0.0 if kind == "null" else profile.growth,
        deployments=deployments,
        size_shift=shift - shift @ deployments,
        crowding_slope=0.0 if kind == "null" else 0.15,
    )


def bump(centre: float, width: float) -> Floats:
    """A bell over the hours of the day that runs across midnight; 1 at its centre, width in hours."""
    away = np.abs(HOUR_OF_DAY + 0.5 - centre)
    return np.asarray(np.exp(-0.5 * (np.minimum(away, 24 - away) / width) ** 2))


def load_week(shape: LoadShape, rng: np.random.Generator) -> Floats:
    """Relative load by hour of the week. What is not measured is flat: then cost counts outage minutes."""
    shift = rng.uniform(-0.7, 0.7)
    weekend = DAY_OF_WEEK >= 5
    if shape == "office":
        return np.asarray(0.08 + (bump(11 + shift, 2.2) + bump(15 + shift, 2.2)) * np.where(weekend, 0.2, 1.0))
    if shape == "evening":
        return np.asarray((0.1 + 0.5 * bump(13, 3) + bump(20 + shift, 2.2)) * np.where(weekend, 1.15, 1.0))
    if shape == "weekend":
        return np.asarray((0.1 + bump(17 + shift, 4)) * np.where(weekend, 2.2, np.where(DAY_OF_WEEK == 4, 1.3, 1)))
    if shape == "daytime":
        is_open = (HOUR_OF_DAY >= 6) & (HOUR_OF_DAY < 20)
        return np.asarray((0.3 + bump(10 + shift, 3)) * is_open * np.where(weekend, 0.4, 1.0))
    return np.ones(HOURS_OF_WEEK)


def quiet_hours(load: Floats) -> NDArray[np.bool_]:
    """The hours between 6 and 23 to which a careful team moves what it is afraid of."""
    awake = (HOUR_OF_DAY >= 6) & (HOUR_OF_DAY < 23)
    if np.ptp(load) == 0:
        return awake & ((HOUR_OF_DAY < 8) | (HOUR_OF_DAY >= 19))
    return awake & (load <= np.quantile(load[awake], 0.35))


def deployment_week(team: Team, quiet: NDArray[np.bool_]) -> Floats:
    """Share of a team's deployments by hour of the week: working hours first, quiet hours next."""
    at_work = (HOUR_OF_DAY >= 9) & (HOUR_OF_DAY < 18) & (DAY_OF_WEEK < 5)
    weights = np.select([at_work, quiet & (DAY_OF_WEEK < 5), quiet], [1.0, 0.6, 0.2], 0.06)
    if team.days == ALL_DAYS:
        weights = np.maximum(weights, 0.1)
    return np.asarray(weights / weights.sum())


def failure_week(batch: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Log odds by hour of the week: midday bustle, the nightly batch, Friday afternoon and the weekend."""
    midday = rng.uniform(0.9, 1.3) * bump(13.5 + rng.uniform(-1, 1), 3.2)
    effect = np.where(DAY_OF_WEEK < 5, midday, 0.5 * midday)
    effect = effect + rng.uniform(0.8, 1.3) * np.isin(HOUR_OF_DAY, batch)
    effect = effect + rng.uniform(0.5, 0.9) * ((DAY_OF_WEEK == 4) & (HOUR_OF_DAY >= 15))
    return np.asarray(effect + rng.uniform(0.2, 0.5) * (DAY_OF_WEEK >= 5))
