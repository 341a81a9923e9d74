"""How good forecasts were: proper scores, ranking, calibration, coverage, and how sure a difference is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shipcast.models.candidates import log_odds
from shipcast.models.posterior import SEED, Binomial, Floats, laplace

Booleans = NDArray[np.bool_]
Days = NDArray[np.datetime64]

GROUPS = 10
RESAMPLES = 2000
TAIL = 0.025
Z = 1.96
Z90 = 1.645
LEAST = float(np.finfo(np.float64).eps)  # a chance of 0 for what happened would cost without bounds
UNBOUND = 1e3  # prior spread of a weight that is as good as free


@dataclass(frozen=True)
class Calibration:
    """Of a logistic regression of the outcome on the forecast log odds; 1 and 0 are perfect.

    A slope below 1 means forecasts too far apart, above 1 too near each other. Its 95 % interval allows for failures
    that come together on one day.
    """

    slope: float
    slope_low: float
    slope_high: float
    intercept: float


@dataclass(frozen=True)
class Gain:
    """By how much forecasts beat others on the same deployments, with 95 % intervals.

    Parameters
    ----------
    difference, low, high
        Mean log loss less that of the others: negative is better.
    skill, skill_low, skill_high
        The share of the others' log loss that is saved.
    """

    difference: float
    low: float
    high: float
    skill: float
    skill_low: float
    skill_high: float


@dataclass(frozen=True)
class Group:
    """Deployments with like forecasts: how many, how many failed, and the lowest, mean and highest of the forecasts."""

    n: int
    failures: int
    low: float
    mean: float
    high: float


@dataclass(frozen=True)
class Concordance:
    """The share of pairs that were in the right order, with its 95 % interval; 0.5 is luck."""

    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Scores:
    """How good forecasts were, against others (the base).

    Parameters
    ----------
    log_loss, log_loss_base
        The mean, of the forecasts and of the base; `gain` is the one against the other.
    brier_skill
        The share of the base's mean squared error that was saved.
    auc, calibration, top_tenth
        Null where they cannot be told.
    """

    n: int
    failures: int
    log_loss: float
    log_loss_base: float
    gain: Gain
    brier: float
    brier_skill: float
    auc: float | None
    calibration: Calibration | None
    top_tenth: float | None


def scored(chance: Floats, base: Floats, failed: Booleans, days: Days) -> Scores:
    """All scores of forecasts, of which there is at least one, by the days on which their deployments started."""
    losses, others, square = log_losses(chance, failed), log_losses(base, failed), brier(chance, failed)
    return Scores(
        len(failed),
        int(failed.sum()),
        float(losses.mean()),
        float(others.mean()),
        gain(losses, others, days),
        square,
        1 - square / brier(base, failed),
        auc(chance, failed),
        calibration(log_odds(chance), failed, days),
        top_tenth(chance, failed),
    )


def log_losses(chance: Floats, failed: Booleans) -> Floats:
    """Minus the logarithm of the chance given to what happened, one a deployment."""
    clipped = np.clip(chance, LEAST, 1 - LEAST)
    return np.asarray(-np.log(np.where(failed, clipped, 1 - clipped)))


def brier(chance: Floats, failed: Booleans) -> float:
    """The mean squared difference between chance and outcome."""
    return float(np.mean((chance - failed) ** 2))


def auc(chance: Floats, failed: Booleans) -> float | None:
    """How often a deployment that failed had the higher forecast than one that did not, ties counted half.

    Null where none or all failed.

    Examples
    --------
    >>> auc(np.array([0.1, 0.2, 0.2, 0.3]), np.array([False, False, True, True]))
    0.875
    """
    if failed.all() or not failed.any():
        return None
    _, place = np.unique(chance, return_inverse=True)
    bad, good = np.bincount(place[failed], minlength=place.max() + 1), np.bincount(place[~failed])
    good = np.pad(good, (0, len(bad) - len(good)))
    below = np.cumsum(good) - good
    return float(bad @ (below + good / 2) / (failed.sum() * (~failed).sum()))


def top_tenth(chance: Floats, failed: Booleans) -> float | None:
    """The share of all failures that the tenth with the highest forecasts held; of equal forecasts, a fair part.

    Examples
    --------
    >>> top_tenth(np.full(50, 0.2), np.arange(50) < 5)
    0.1
    """
    if not failed.any():
        return None
    wanted = len(chance) / 10
    edge = np.sort(chance)[::-1][int(np.ceil(wanted)) - 1]
    above, level = chance > edge, chance == edge
    part = (wanted - above.sum()) / level.sum()
    return float((failed[above].sum() + part * failed[level].sum()) / failed.sum())


def calibration(odds: Floats, failed: Booleans, days: Days) -> Calibration | None:
    """Slope and intercept; null where forecasts are all alike, or part failures from successes without a fault."""
    if failed.all() or not failed.any() or np.ptp(odds) < 1e-9:
        return None
    if odds[failed].min() >= odds[~failed].max() or odds[failed].max() <= odds[~failed].min():
        return None
    middle, spread = odds.mean(), odds.std()
    design = np.column_stack([np.ones(len(odds)), (odds - middle) / spread])
    outcome = Binomial(failed.astype(float), np.ones(len(odds)), np.zeros(len(odds)))
    found = laplace(design, np.full(2, UNBOUND), outcome)
    gradient, _ = outcome.slopes(design @ found.mean)
    scores = daily(design * gradient[:, None], days)
    bread = np.linalg.inv(found.factor @ found.factor.T)
    error = float(np.sqrt((bread @ scores.T @ scores @ bread)[1, 1]) / spread)
    slope = float(found.mean[1] / spread)
    return Calibration(slope, slope - Z * error, slope + Z * error, float(found.mean[0] - slope * middle))


def daily(values: Floats, days: Days) -> Floats:
    """The sums of rows by day."""
    order = np.argsort(days, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(days[order]).astype(np.int64) != 0))
    return np.asarray(np.add.reduceat(values[order], starts))


def gain(losses: Floats, others: Floats, days: Days) -> Gain:
    """What was won against other forecasts, by a bootstrap of whole days: a mass rollback counts as one event."""
    sums = daily(np.column_stack([losses, others, np.ones(len(losses))]), days)
    rng = np.random.default_rng([SEED, 5])
    drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=RESAMPLES) @ sums
    low, high = np.quantile((drawn[:, 0] - drawn[:, 1]) / drawn[:, 2], (TAIL, 1 - TAIL))
    skill_low, skill_high = np.quantile(1 - drawn[:, 0] / drawn[:, 1], (TAIL, 1 - TAIL))
    mine, other = losses.mean(), others.mean()
    return Gain(
        float(mine - other), float(low), float(high), float(1 - mine / other), float(skill_low), float(skill_high)
    )


def reliability(chance: Floats, failed: Booleans) -> list[Group]:
    """Tenths of the deployments from the lowest forecast to the highest; equal forecasts stay together."""
    ranked = np.sort(chance)
    tenth = np.searchsorted(ranked, chance, side="left") * GROUPS // max(1, len(chance))
    return [group(chance, failed, tenth == number) for number in np.unique(tenth)]


def group(chance: Floats, failed: Booleans, its: Booleans) -> Group:
    some = chance[its]
    return Group(int(its.sum()), int(failed[its].sum()), float(some.min()), float(some.mean()), float(some.max()))


def bands(chance: Floats, failed: Booleans, edges: Sequence[float]) -> list[tuple[float, float, Group]]:
    """Deployments by the chance that was said, within fixed bounds: [from, to), the last with its end; no empty ones.

    Examples
    --------
    >>> bands(np.array([0.04, 0.05, 0.1]), np.array([False, True, False]), (0, 0.05, 0.1))
    [(0, 0.05, Group(n=1, failures=0, low=0.04, mean=0.04, high=0.04)), \
(0.05, 0.1, Group(n=2, failures=1, low=0.05, mean=0.07500000000000001, high=0.1))]
    """
    place = np.clip(np.searchsorted(edges, chance, side="right") - 1, 0, len(edges) - 2)
    return [(edges[at], edges[at + 1], group(chance, failed, place == at)) for at in np.unique(place).tolist()]


def bias(chance: Floats, failed: Booleans, days: Days) -> tuple[float, float, float]:
    """The mean chance less the share that failed, and its 95 % interval; failures of one day count as one event.

    Examples
    --------
    >>> bias(np.array([0.5, 0.5]), np.array([True, False]), np.array(["2025-01-01"] * 2, "datetime64[D]"))
    (0.0, 0.0, 0.0)
    """
    apart = chance - failed
    middle = float(apart.mean())
    error = float(np.sqrt(np.sum(daily((apart - middle)[:, None], days) ** 2)) / len(apart))
    return middle, middle - Z * error, middle + Z * error


def crowding(chance: Floats, failed: Booleans, days: Days) -> float:
    """How much more the failures of single days scatter about what was forecast than if they came one by one.

    At least 1; failures of one day then tell as much as so many fewer. The level of the forecasts is not judged.

    Examples
    --------
    >>> days = np.array(["2025-01-01"] * 4 + ["2025-01-02"] * 4, "datetime64[D]")
    >>> crowding(np.full(8, 0.1), np.array([True] * 4 + [False] * 4), days)
    2.0
    """
    if not failed.any():
        return 1.0
    came, forecast = daily(np.column_stack([failed, chance * failed.sum() / chance.sum()]), days).T
    return max(1.0, float(np.sum((came - forecast) ** 2) / forecast.sum()))


def coverage(actual: Floats, low: Floats, high: Floats) -> float:
    """The share of values that lay in their interval, both ends included.

    Examples
    --------
    >>> coverage(np.array([1.0, 2.0, 3.0, 9.0]), np.full(4, 1.0), np.full(4, 3.0))
    0.75
    """
    return float(np.mean((actual >= low) & (actual <= high)))


def mase(actual: Floats, forecast: Floats, past: Floats, season: int) -> float | None:
    """The mean absolute error over that of repeating, in the past, the value one season before.

    Null where the past is no longer than a season, or repeats itself without a fault. NaN in it: not measured.

    Examples
    --------
    >>> mase(np.array([4.0, 6.0]), np.array([5.0, 6.0]), past=np.array([1.0, 2.0, 3.0, np.nan]), season=2)
    0.25
    """
    steps = np.abs(past[season:] - past[:-season])
    known = steps[~np.isnan(steps)]
    return float(np.mean(np.abs(actual - forecast)) / known.mean()) if known.any() else None


def smape(actual: Floats, forecast: Floats) -> float:
    """The mean of twice the absolute error over the sum of value and forecast, 0 to 2; nothing where both are 0.

    Examples
    --------
    >>> smape(np.array([100.0, 0.0]), np.array([50.0, 0.0]))
    0.3333333333333333
    """
    size = np.abs(actual) + np.abs(forecast)
    return float(np.mean(2 * np.abs(actual - forecast) / np.where(size > 0, size, 1)))


def naive2(past: Floats, season: int, ahead: int) -> Floats:
    """The last value without its season, with that of each value ahead: the forecast others are held against (M4).

    The season is that of a multiplicative decomposition by a centred mean, and 1 throughout where the past holds less
    than three of them, or where it is no clearer than noise (a 90 % test of the autocorrelation). What is not known in
    the past, NaN, is what it was the season before, else after. Values are not negative.

    Examples
    --------
    >>> naive2(np.array([10.0, 20.0, 30.0] * 4), season=3, ahead=4).round(6).tolist()
    [10.0, 20.0, 30.0, 10.0]
    """
    past = gaps_filled(past, season)
    indices = seasonal_indices(past, season) if is_seasonal(past, season) else np.ones(season)
    of_season = indices[np.arange(len(past) + ahead) % season]
    is_told = of_season[: len(past)] > 0
    level = (past[is_told] / of_season[: len(past)][is_told])[-1]
    return np.asarray(level * of_season[len(past) :])


def gaps_filled(values: Floats, season: int) -> Floats:
    """With gaps as they were one season before, else after, else the mean."""
    values = values.copy()
    for step in (1, -1):
        turned = values[::step]
        for place in np.flatnonzero(np.isnan(turned)):
            if place >= season:
                turned[place] = turned[place - season]
    return np.where(np.isnan(values), np.nanmean(values), values)


def is_seasonal(past: Floats, season: int) -> bool:
    """Whether the autocorrelation at the season lies above the limit of noise that has the shorter ones (Bartlett)."""
    if len(past) < 3 * season or np.ptp(past) == 0:
        return False
    apart = past - past.mean()
    shorter = np.array([apart[lag:] @ apart[: len(apart) - lag] for lag in range(1, season + 1)]) / (apart @ apart)
    limit = Z90 * np.sqrt((1 + 2 * np.sum(shorter[:-1] ** 2)) / len(past))
    return bool(abs(shorter[-1]) > limit)


def seasonal_indices(past: Floats, season: int) -> Floats:
    """Of each place in the season, the mean of the values there over the mean of the season around; their mean is 1."""
    weights = np.full(season + 1 - season % 2, 1 / season)
    if season % 2 == 0:
        weights[[0, -1]] /= 2
    around = np.convolve(past, weights, mode="valid")
    first, is_told = len(weights) // 2, around > 0
    ratios = past[first : first + len(around)][is_told] / around[is_told]
    places = (first + np.flatnonzero(is_told)) % season
    found = np.bincount(places, ratios, season) / np.maximum(1, np.bincount(places, minlength=season))
    return np.asarray(found / found.mean())


def owa(actual: Floats, forecast: Floats, plain: Floats) -> float | None:
    """The mean of two ratios to the errors of a plain forecast (`naive2`): of sMAPE, and of absolute errors (M4).

    Below 1 is better. That of MASE is the latter, since both are scaled alike. Null where the plain one has no error.

    Examples
    --------
    >>> owa(np.array([4.0, 4.0]), np.array([3.0, 4.0]), np.array([4.0, 6.0]))
    0.6071428571428571
    """
    errors, others = np.abs(actual - forecast).mean(), np.abs(actual - plain).mean()
    if others == 0:
        return None
    return float((smape(actual, forecast) / smape(actual, plain) + errors / others) / 2)


def concordance(forecast: Floats, lasted: Floats, is_open: Booleans) -> Concordance | None:
    """How often, of two outages, the one that lasted longer had the longer forecast, equal ones counted half.

    Harrell's C: pairs count where it is known which lasted longer, so one that is open counts against those that were
    over before or as soon. Null where there is no such pair.

    Examples
    --------
    >>> concordance(np.array([5.0, 9.0, 7.0]), np.array([10.0, 20.0, 30.0]), np.array([False, False, True])).share
    0.6666666666666666
    """
    right, pairs = np.zeros(len(lasted)), np.zeros(len(lasted))  # of the pairs that each outage is in
    for place in np.flatnonzero(~is_open):
        longer = (lasted > lasted[place]) | ((lasted == lasted[place]) & is_open)
        won = (np.sign(forecast[longer] - forecast[place]) + 1) / 2
        right[longer] += won
        pairs[longer] += 1
        right[place] += won.sum()
        pairs[place] += longer.sum()
    if not pairs.any():
        return None
    return Concordance(float(right.sum() / pairs.sum()), *jackknifed(right, pairs))


def jackknifed(right: Floats, pairs: Floats) -> tuple[float, float]:
    """The 95 % interval of a share of pairs, from leaving out each outage in turn; 0 to 1 where too few remain."""
    whole, others = pairs.sum() / 2, pairs.sum() / 2 - pairs
    if len(pairs) < 3 or not (others > 0).all():
        return 0.0, 1.0
    without = (right.sum() / 2 - right) / others
    error = float(np.sqrt((len(pairs) - 1) * np.var(without)))
    middle = float(right.sum() / 2 / whole)
    return max(0.0, middle - Z * error), min(1.0, middle + Z * error)
