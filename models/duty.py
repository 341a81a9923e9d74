"""When somebody is on duty: the weeks that a team's staffed hours may form, and what restore times say of each.

A week is staffed from one local hour to another on some days, in one shift or two, or always but for handovers. An
outage outside takes a factor longer; which week it is, and which factor, follows from how long outages took that began
in each hour (a change point in both directions).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from shipcast.features.clock import DAY_HOURS, HOURS_OF_WEEK
from shipcast.models.posterior import Floats

Integers = NDArray[np.int64]

SHORTEST_SHIFT, LONGEST_SHIFT = 5, 23
WEEKDAYS, EVERY_DAY = (0, 1, 2, 3, 4), (0, 1, 2, 3, 4, 5, 6)
DAYS = ((WEEKDAYS, 0.6), (EVERY_DAY, 0.25), ((0, 1, 2, 3, 4, 5), 0.1), ((6, 0, 1, 2, 3), 0.05))
USUAL_START, USUAL_LENGTH = 8.5, 9.5
OTHER_SHIFTS = (8, 12)  # on other days in a row; beside whole days
HALF_SHIFTS, GAPS = (4, 6, 8), (2, 4, 6)
HANDOVERS, HANDOVER_HOURS = (8, 12), (1, 2, 3)  # from one to the next; how long each takes
SHARES = (0.5, 0.06, 0.08, 0.06)  # of one shift, other days, two shifts, handovers; the rest: it makes no difference
SLOWER, SLOWER_DOUBT = 0.9, 0.6  # log of the factor that nobody on duty costs


@cache
def weeks() -> tuple[Floats, Floats]:
    """Every possible week, one a row with 1 in the hours that are not staffed; and how likely each is beforehand.

    The first is the week in which it makes no difference. Then one shift a day, of which starts about 8 or 9 and 9 or
    10 hours are likelier than others; a shift on other days in a row; two shifts a day with a gap; and somebody at all
    times, but slow while shifts hand over.
    """
    hour, start = np.arange(HOURS_OF_WEEK), np.arange(DAY_HOURS)
    length = np.arange(SHORTEST_SHIFT, LONGEST_SHIFT + 1)
    likely_shift = np.outer(likely(start, USUAL_START, 1.5), likely(length, USUAL_LENGTH, 2.0)).ravel()
    usual = {tuple(sorted(days)) for days, _ in DAYS}
    runs = sorted({tuple(sorted((first + n) % 7 for n in range(count))) for count in range(1, 7) for first in range(7)})
    one = [shifts(start, length, days) for days, _ in DAYS]
    other = [shifts(start, np.array(OTHER_SHIFTS), days) for days in runs if days not in usual]
    other += [shifts(np.array([0]), np.array([DAY_HOURS]), days) for days in runs]
    two = [
        np.maximum(
            shifts(start, np.array([first]), days), shifts((start + first + gap) % DAY_HOURS, np.array([second]), days)
        )
        for days in (WEEKDAYS, EVERY_DAY)
        for first, gap, second in product(HALF_SHIFTS, GAPS, HALF_SHIFTS)
    ]
    handovers = [
        [(hour - first) % apart >= slow] for apart in HANDOVERS for slow in HANDOVER_HOURS for first in range(apart)
    ]
    groups = [np.concatenate(rows) for rows in (one, other, two, handovers)]
    chances = [
        np.concatenate([belief * likely_shift for _, belief in DAYS]),
        *(np.ones(len(rows)) for rows in groups[1:]),
    ]
    beliefs = [share * chance / chance.sum() for share, chance in zip(SHARES, chances, strict=True)]
    is_staffed = np.concatenate([np.ones((1, HOURS_OF_WEEK)), *groups])
    return 1.0 - is_staffed, np.concatenate([[1 - sum(SHARES)], *beliefs])


@cache
def hours_of_weeks() -> Floats:
    """The same weeks, one row an hour of the week."""
    return np.ascontiguousarray(weeks()[0].T)


def shifts(starts: Integers, lengths: Integers, days: tuple[int, ...]) -> Floats:
    """Weeks staffed from each start for each length on these days, one a row with 1 in the staffed hours."""
    hour, day = np.arange(HOURS_OF_WEEK) % DAY_HOURS, np.arange(HOURS_OF_WEEK) // DAY_HOURS
    # What runs past midnight belongs to the day it began on.
    begun = np.where(hour >= starts[:, None], day, (day - 1) % 7)
    is_shift = ((hour - starts[:, None]) % DAY_HOURS)[:, None] < lengths[:, None]
    return np.asarray((is_shift & np.isin(begun, list(days))[:, None]).reshape(-1, HOURS_OF_WEEK), dtype=np.float64)


def likely(values: Integers, usual: float, spread: float) -> Floats:
    """A bell about what is usual, on a floor: nothing is ruled out."""
    return np.asarray(np.exp(-0.5 * ((values - usual) / spread) ** 2) + 0.1)


@dataclass(frozen=True)
class Duty:
    """What is believed of one team: how probable each week is, and under each how much slower nobody is.

    Parameters
    ----------
    beliefs, slower, precision
        Of every week its probability, and the mean and precision of log(factor) outside the staffed hours.
    shares
        Of every week and service of the team the share of its outages that began outside: what its level stands for.
    log_evidence
        How probable these outages were, against all hours being alike.
    """

    beliefs: Floats
    slower: Floats
    precision: Floats
    shares: Floats
    log_evidence: float

    def effect(self) -> Floats:
        """The expected log factor in each hour of the week."""
        return np.asarray((self.beliefs * self.slower) @ weeks()[0])

    def usually_slower(self) -> float:
        """The expected log factor outside, if there is an outside."""
        return float(self.beliefs @ self.slower / max(1 - self.beliefs[0], 1e-9))

    def draws(self, rng: np.random.Generator, count: int) -> tuple[Integers, Floats]:
        """Draws of the week, by its number, and of the log factor."""
        chosen = rng.choice(len(self.beliefs), count, p=self.beliefs)
        return chosen, self.slower[chosen] + rng.standard_normal(count) / np.sqrt(self.precision[chosen])


def duty(
    values: Floats, services: Integers, hours: Integers, spread: float, between: float, beliefs: Floats, slower: float
) -> Duty:
    """What a team's outages say.

    Parameters
    ----------
    values
        log(minutes) of each outage less what is expected of any service.
    services
        The number of its service within the team, from 0.
    spread, between
        The spread of outages about their median, and that of services' medians.
    beliefs, slower
        How probable each week is beforehand, and the mean log factor.
    """
    count = int(services.max()) + 1 if len(services) else 0
    seen, place = np.unique(hours, return_inverse=True)
    cells, sums, totals = np.zeros((count, len(seen))), np.zeros((count, len(seen))), np.zeros(count)
    np.add.at(cells, (services, place), 1.0)
    np.add.at(sums, (services, place), values)
    np.add.at(totals, services, values)
    is_outside = hours_of_weeks()[seen]
    outside, sum_outside, sizes = cells @ is_outside, sums @ is_outside, cells.sum(axis=1)[:, None]
    # The level of each service is integrated out: Woodbury, with one column left, the weeks side by side.
    noise = spread**2
    kept = between**2 / (noise + sizes * between**2)
    information = (outside - kept * outside**2).sum(axis=0) / noise
    score = (sum_outside - kept * outside * totals[:, None]).sum(axis=0) / noise
    precision = information + SLOWER_DOUBT**-2
    mean = (score + slower * SLOWER_DOUBT**-2) / precision
    evidence = 0.5 * (precision * mean**2 - slower**2 * SLOWER_DOUBT**-2) - 0.5 * np.log(precision * SLOWER_DOUBT**2)
    evidence[0], mean[0], precision[0] = 0.0, 0.0, 1e12
    chance = np.log(beliefs) + evidence
    most = float(chance.max())
    chance = np.exp(chance - most)
    log_evidence = most + float(np.log(chance.sum()))
    return Duty(chance / chance.sum(), mean, precision, outside / np.maximum(sizes, 1), log_evidence)
