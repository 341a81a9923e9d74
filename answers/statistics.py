"""How sure a number is: 95 % intervals of shares, frequencies and medians."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, floor, lgamma, log, sqrt
from statistics import NormalDist

import numpy as np

TAIL = 0.025
Z = 1.959963984540054  # the normal quantile that leaves 2.5 % above it
NEWTON_STEPS, PRECISE = 50, 1e-13
SMALL_ROOT, SMALLEST = 0.3, -600.0  # below which the approximation is none; logarithm of what is nothing
FEWEST_FOR_A_MEDIAN = 6  # with five values even their whole range covers the median less than 95 % of the time


def wilson(events: float, trials: float) -> tuple[float, float] | None:
    """The Wilson 95 % interval of a share; None without trials.

    Unlike share ± 2 standard errors it stays in [0, 1] and has a width at 0 events. Neither number need be whole, where
    what is only known in part counts for less.

    Examples
    --------
    >>> low, high = wilson(0, 40)
    >>> low, round(high, 3)
    (0.0, 0.088)
    """
    if trials == 0:
        return None
    share, weight = events / trials, Z * Z / trials
    middle = share + weight / 2
    half = Z * sqrt(share * (1 - share) / trials + weight / (4 * trials))
    low = 0.0 if events == 0 else max(0.0, (middle - half) / (1 + weight))
    high = 1.0 if events == trials else min(1.0, (middle + half) / (1 + weight))
    return low, high


def at_most(events: int, trials: int, chance: float) -> float:
    """The chance of so few events or fewer in so many trials (binomial): how well `chance` and above fit them.

    Examples
    --------
    >>> round(at_most(0, 10, 0.1), 4)
    0.3487
    """
    from scipy.special import bdtr  # as below

    return float(bdtr(events, trials, chance))


def false_discoveries(p_values: Sequence[float]) -> list[float]:
    """Each p-value as Benjamini and Hochberg (1995) rule it: claim those of 5 % at most, and 5 % of claims are wrong.

    That holds on average, at most, and where the tests don't speak against each other.

    Examples
    --------
    >>> false_discoveries([0.04, 0.01, 0.03])
    [0.04, 0.03, 0.04]
    """
    found, least, many = [1.0] * len(p_values), 1.0, len(p_values)
    for rank, place in sorted(enumerate(sorted(range(many), key=lambda at: p_values[at]), start=1), reverse=True):
        least = min(least, p_values[place] * many / rank)
        found[place] = least
    return found


def garwood(events: float, exposure: float) -> tuple[float, float] | None:
    """The exact (Garwood) 95 % interval of a frequency, in events per unit of exposure; None without exposure.

    Events need not be whole, where such as come together count for less.

    Examples
    --------
    >>> low, high = garwood(0, 10)
    >>> low, round(high, 4)
    (0.0, 0.3689)
    """
    if exposure <= 0:
        return None
    low = expected_events(events, 1 - TAIL) if events else 0.0
    return low / exposure, expected_events(events + 1, TAIL) / exposure


def expected_events(least: float, chance: float) -> float:
    """How many events are expected where fewer than `least` come with that chance (Poisson; gamma where not whole).

    By Newton's steps in logarithms, from Wilson and Hilferty's approximation (1931), or near 0 from the first term.

    Examples
    --------
    >>> round(expected_events(1, 0.5), 6)
    0.693147
    """
    root = 1 - 1 / (9 * least) + NormalDist().inv_cdf(1 - chance) / (3 * sqrt(least))
    start = log(least * root**3) if root > SMALL_ROOT else (log(1 - chance) + lgamma(least + 1)) / least
    if start < SMALLEST:
        return 0.0
    found = exp(start)
    beyond = np.arange(1, 60 + 15 * int(sqrt(least)))
    for _ in range(NEWTON_STEPS):
        density = exp(least * log(found) - found - lgamma(least))  # of the logarithm
        more = density / least * (1 + float(np.cumprod(found / (least + beyond)).sum()))
        step = (more - (1 - chance)) / density
        found *= exp(-min(max(step, -1.0), 1.0))
        if abs(step) < PRECISE:
            break
    return found


def median_rank(values: int) -> int | None:
    """The rank k whose value, and the k-th from the top, bound the median with 95 % confidence; None below six.

    The largest k (from 1) for which a fair coin, thrown once per value, shows at most k - 1 heads with probability
    2.5 % or less: the normal quantile, corrected for the steps and the tails of the coin. That is exact for 6 to 60,000
    values, and beyond hardly ever off by one rank.

    Examples
    --------
    >>> median_rank(5), median_rank(6), median_rank(20)
    (None, 1, 6)
    """
    if values < FEWEST_FOR_A_MEDIAN:
        return None
    return floor((values + 1) / 2 - Z * sqrt(values) / 2 + Z * (Z * Z - 1) / (24 * sqrt(values)))


def median_rank_sql(values: str) -> str:
    """`median_rank` as an SQL expression of the number of values; null below six."""
    return (
        f"case when {values} >= {FEWEST_FOR_A_MEDIAN} then cast(floor(({values} + 1) / 2 - {Z / 2} * sqrt({values})"
        f" + {Z * (Z * Z - 1) / 24} / sqrt({values})) as bigint) end"
    )
