"""When somebody is on duty: the weeks that a team's staffed hours may form, and what restore times say of each.

A week is staffed from one local hour to another on some days. An outage outside takes a factor longer; which week it
is, and which factor, follows from how long outages took that began in each hour (a change point in both directions).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from shipcast.features.clock import DAY_HOURS, HOURS_OF_WEEK
from shipcast.models.posterior import Floats

Integers = NDArray[np.int64]

SHORTEST_SHIFT, LONGEST_SHIFT = 5, 20
DAYS = ((range(5), 0.6), (range(7), 0.25), (range(6), 0.1), ((6, 0, 1, 2, 3), 0.05))
USUAL_START, USUAL_LENGTH = 8.5, 9.5
ALWAYS = 0.3  # belief that it makes no difference when an outage begins
SLOWER, SLOWER_DOUBT = 0.9, 0.6  # log of the factor that nobody on duty costs


@cache
def weeks() -> tuple[Floats, Floats]:
    """Every possible week, one a row with 1 in the hours that are not staffed; and how likely each is beforehand.

    The first is the week in which it makes no difference. Starts about 8 or 9 and shifts of 9 or 10 hours are
    likelier than others, none is ruled out.
    """
    hour, day = np.arange(HOURS_OF_WEEK) % DAY_HOURS, np.arange(HOURS_OF_WEEK) // DAY_HOURS
    start, length = np.arange(DAY_HOURS), np.arange(SHORTEST_SHIFT, LONGEST_SHIFT + 1)
    # What runs past midnight belongs to the day it began on.
    begun = np.where(hour >= start[:, None], day, (day - 1) % 7)
    is_shift = ((hour - start[:, None]) % DAY_HOURS)[:, None] < length[:, None]
    likely_shift = np.outer(likely(start, USUAL_START, 1.5), likely(length, USUAL_LENGTH, 2.0))
    rows: list[Floats] = [np.zeros((1, HOURS_OF_WEEK))]
    beliefs: list[Floats] = [np.zeros(1)]
    for days, belief in DAYS:
        is_staffed = is_shift & np.isin(begun, list(days))[:, None]
        rows.append(np.where(is_staffed, 0.0, 1.0).reshape(-1, HOURS_OF_WEEK))
        beliefs.append(belief * likely_shift.ravel())
    chances = np.concatenate(beliefs)
    chances *= (1 - ALWAYS) / chances.sum()
    chances[0] = ALWAYS
    return np.concatenate(rows), chances


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
    """

    beliefs: Floats
    slower: Floats
    precision: Floats
    shares: Floats

    def effect(self) -> Floats:
        """The expected log factor in each hour of the week."""
        return np.asarray((self.beliefs * self.slower) @ weeks()[0])

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
    cells, totals = np.zeros((count, HOURS_OF_WEEK)), np.zeros(count)
    np.add.at(cells, (services, hours), 1.0)
    np.add.at(totals, services, values)
    sums = np.zeros((count, HOURS_OF_WEEK))
    np.add.at(sums, (services, hours), values)
    outside, sum_outside, sizes = cells @ weeks()[0].T, sums @ weeks()[0].T, cells.sum(axis=1)[:, None]
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
    chance = np.exp(chance - chance.max())
    return Duty(chance / chance.sum(), mean, precision, outside / np.maximum(sizes, 1))
