"""The hour, estimated a second time: had every change shipped in this part of the week, how many would have failed?

A doubly robust estimate (augmented inverse propensity weighting; Robins, Rotnitzky and Zhao, 1994), with both of its
parts learned from other days than those they are used on (Chernozhukov et al., 2018). Of a part of the week *b*, over
changes *i* with what is known of them *x*:

    risk(b) = mean of m(b, x_i) over all i + weighted mean of y_i - m(b, x_i) over those in b, weights 1 / e(b, x_i)

*m* is a chance of failure by a plain ridge regression with a level for each part of the week, *e* the chance that the
change ships in *b*. The risk is right if either is: *m* need not know how hours work, nor *e* how failures come about.
Where *e* is small nothing can be said; such changes are left out by the rule of Crump, Hotz, Imbens and Mitnik (2009),
for a single mean. What the clock itself decides (calendar, usual load) is part of the hour, not of the change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from shipcast.features.clock import DAY_HOURS, HOURS_OF_WEEK, WEEKEND_DAY
from shipcast.features.feature import Feature, catalogue
from shipcast.models.candidates import SUREST, Candidate
from shipcast.models.encoding import columns, encoded
from shipcast.models.odds import expit, logit
from shipcast.models.posterior import DRAWS, Floats

Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

WEEKDAYS = ((6, "weekday nights"), (10, "weekday mornings"), (14, "weekday middays"), (18, "weekday afternoons"),
            (22, "weekday evenings"), (24, "weekday nights"))  # fmt: skip
WEEKEND = ((6, "weekend nights"), (18, "weekend days"), (24, "weekend nights"))
HOURS = {  # of each part, local
    "weekday nights": "22 to 6",
    "weekday mornings": "6 to 10",
    "weekday middays": "10 to 14",
    "weekday afternoons": "14 to 18",
    "weekday evenings": "18 to 22",
    "weekend days": "6 to 18",
    "weekend nights": "18 to 6",
}
PARTS = tuple(HOURS)
CLOCK = ("calendar", "demand")  # families of features that move with the hour
FEWEST = 5  # failures and successes in a part of the week, from which its risk is estimated
FOLDS = 5
STIFFNESS = 0.02  # inverse of the ridge penalty: weights of spread about 0.14
FREEDOM = 7.0  # how much less the levels of parts are held back
LEVEL_WORTH = 20.0  # deployments that the share of all counts for, in that of a service
TAIL = 0.025
TINY = 1e-300
SURELY = 0.05  # chance of calling any part apart from the model where none is
OTHERS = -1
MOST_ASKED, MOST_AT_ONCE = 5_000, 500  # changes that the model is asked about


@dataclass(frozen=True)
class PartRisk:
    """How many changes would fail, had they all shipped in one part of the week; null: cannot be told, for `reason`.

    Parameters
    ----------
    n, failures
        The deployments that did ship then, and those of them that failed.
    compared
        How many changes it is about: those that might well have shipped then.
    usual
        The share of them that failed, as they shipped.
    model, second
        Their risk by the model and by the doubly robust estimate, with 95 % intervals.
    ratio
        The second estimate over the usual.
    apart
        The second estimate over the model's.
    p_value
        That they are so far apart by chance, by Holm's rule over all parts.
    disagrees
        Whether that is under 5 %.
    """

    part: str
    n: int
    failures: int
    compared: int | None = None
    usual: float | None = None
    model: float | None = None
    model_low: float | None = None
    model_high: float | None = None
    second: float | None = None
    second_low: float | None = None
    second_high: float | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    apart: float | None = None
    apart_low: float | None = None
    apart_high: float | None = None
    p_value: float | None = None
    disagrees: bool | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Standardised:
    """A mean risk, with the influence of every row on it; it adds up by day to its error.

    Parameters
    ----------
    kept
        The changes that it is the mean of.
    """

    risk: float
    influence: Floats
    kept: Booleans


@dataclass(frozen=True)
class Nuisances:
    """What each row's estimate rests on, learned from other days: one column a part of the week that is told apart.

    Parameters
    ----------
    chance
        Of a failure, had the change shipped in the part.
    propensity
        To ship in it.
    """

    chance: Floats
    propensity: Floats


def part_numbers(hours: Integers) -> Integers:
    """The number in `PARTS` of the part of the week in which each local hour of the week lies.

    Examples
    --------
    >>> [PARTS[part] for part in part_numbers(np.array([0, 12, 23, 5 * 24 + 12]))]
    ['weekday nights', 'weekday middays', 'weekday nights', 'weekend days']
    """
    return np.array([PARTS.index(part_of(hour)) for hour in range(HOURS_OF_WEEK)], dtype=np.int64)[hours]


def part_of(hour: int) -> str:
    """The part of the week of a local hour of the week."""
    edges = WEEKEND if hour // DAY_HOURS >= WEEKEND_DAY else WEEKDAYS
    return next(name for edge, name in edges if hour % DAY_HOURS < edge)


def second_estimates(rows: pl.DataFrame, model: Candidate) -> tuple[PartRisk, ...]:
    """What each part of the week risks, by the model and by the doubly robust estimate, in the order of `PARTS`.

    Parameters
    ----------
    rows
        Settled deployments, as the model learned from: `matrix` rows with `is_failed`, none of them a rollback.
    """
    rows = rows.sort("service", "started_at", "deployment_id")
    parts, failed, days = parts_of(rows), rows["is_failed"].cast(pl.Float64).to_numpy(), day_numbers(rows)
    with threadpool_limits(limits=1):  # more of them gain nothing, and add numbers up in another order
        found = standardised(rows, parts, failed)
        drawn = model_risks(rows, model, parts, {at: one.kept for at, one in found.items()})
    counts = [counted(name, failed[parts == at]) for at, name in enumerate(PARTS)]
    told = {at: compared(counts[at], one, drawn[at], failed, days) for at, one in found.items()}
    return tuple(held_apart([told.get(at) or unknown(one, counts) for at, one in enumerate(counts)]))


def counted(name: str, failed: Floats) -> PartRisk:
    return PartRisk(name, len(failed), int(failed.sum()))


def parts_of(rows: pl.DataFrame) -> Integers:
    return part_numbers(rows["hour_of_week"].cast(pl.Int64).to_numpy())


def day_numbers(rows: pl.DataFrame) -> Integers:
    """The day (UTC) of every row, from 0 on without gaps."""
    return rows["started_at"].dt.date().rank("dense").cast(pl.Int64).to_numpy() - 1


def is_told(n: int, failures: int) -> bool:
    return min(failures, n - failures) >= FEWEST


def unknown(counts: PartRisk, others: Sequence[PartRisk]) -> PartRisk:
    """A part of which nothing is said, and why."""
    failures, successes = counts.failures, counts.n - counts.failures
    few, did = (failures, "failed") if failures <= successes else (successes, "did not fail")
    if not counts.n:
        reason = "no deployment started then"
    elif few < FEWEST:
        reason = f"{f'only {few:,}' if few else 'none'} of its {counts.n:,} deployments {did}"
    elif sum(one.n for one in others) == counts.n:
        reason = "no deployment started in any other part of the week"
    else:
        reason = "hardly any other change was of a kind that ships then"
    return replace(counts, reason=reason)


def standardised(rows: pl.DataFrame, parts: Integers, failed: Floats) -> dict[int, Standardised]:
    """The risk of every part that can be told, by its number."""
    told = [at for at in range(len(PARTS)) if is_told(int((parts == at).sum()), int(failed[parts == at].sum()))]
    if not told or len(np.unique(parts)) < 2 or day_numbers(rows).max() < FOLDS:
        return {}
    found = nuisances(rows, np.where(np.isin(parts, told), parts, OTHERS), told, failed)
    risks = {
        at: doubly_robust(failed, parts == at, found.chance[:, place], found.propensity[:, place])
        for place, at in enumerate(told)
    }
    return {at: one for at, one in risks.items() if one is not None}


def doubly_robust(failed: Floats, is_there: Booleans, chance: Floats, propensity: Floats) -> Standardised | None:
    """The mean risk over the changes with overlap, had all shipped there; null: too few failures or successes remain.

    Parameters
    ----------
    is_there
        Which did ship there.
    chance, propensity
        Of a failure there, and to ship there, by models that need not both be right.

    Examples
    --------
    >>> failed, there = np.tile([1.0, 0, 0, 0], 20), np.tile([True, True, False, False], 20)
    >>> round(doubly_robust(failed, there, np.full(80, 0.1), np.full(80, 0.5)).risk, 3)
    0.5
    """
    kept = overlapping(propensity)
    used = kept & is_there
    if not is_told(int(used.sum()), int(failed[used].sum())):
        return None
    weights = np.where(used, 1 / np.where(used, propensity, 1.0), 0.0)
    weights *= kept.sum() / weights.sum()
    plain, left = chance[kept].mean(), weights @ (failed - chance) / kept.sum()
    influence = np.where(kept, chance - plain, 0.0) + weights * (failed - chance - left)
    return Standardised(float(plain + left), influence, kept)


def overlapping(propensity: Floats) -> Booleans:
    """The changes over which a mean risk can be known best: those of the highest propensities, down to some bound.

    Examples
    --------
    >>> overlapping(np.array([0.5, 0.4, 0.5, 0.01])).tolist()
    [True, True, True, False]
    """
    costs = 1 / np.maximum(propensity, SUREST)  # the variance that each adds to a sum, up to a factor
    ranked = np.sort(costs)
    variances = np.cumsum(ranked) / np.arange(1, len(ranked) + 1) ** 2
    return np.asarray(costs <= ranked[np.argmin(variances)])


def nuisances(rows: pl.DataFrame, parts: Integers, told: list[int], failed: Floats) -> Nuisances:
    """Chances and propensities of every row from models that saw neither its day nor a fifth of the others."""
    change = encoded(rows, columns(rows, change_features(rows)))
    services = rows["service"].rank("dense").cast(pl.Int64).to_numpy() - 1
    folds = day_numbers(rows) % FOLDS
    is_part = (parts[:, None] == [*told, OTHERS]).astype(np.float64)
    totals = fold_sums(np.column_stack([np.ones(len(rows)), failed, is_part]), services, folds)
    chance, propensity = np.zeros((len(rows), len(told))), np.zeros((len(rows), len(told)))
    for fold in range(FOLDS):
        its, others = folds == fold, folds != fold
        levels = service_levels(totals, services, folds, fold)
        design = np.hstack([change, levels[:, :1]])
        chance[its] = chances(design, is_part[:, : len(told)], failed, its, others)
        propensity[its] = propensities(np.hstack([change, levels[:, 1:]]), parts, told, its, others)
    return Nuisances(chance, propensity)


def change_features(rows: pl.DataFrame) -> list[Feature]:
    """The features that stay as they are when a change ships at another hour."""
    return [one for one in catalogue() if one.family not in CLOCK and one.name in rows.columns]


def clock_columns(rows: pl.DataFrame) -> list[str]:
    """The columns that move with the hour."""
    return ["hour_of_week", *(one.name for one in catalogue() if one.family in CLOCK and one.name in rows.columns)]


def fold_sums(values: Floats, services: Integers, folds: Integers) -> Floats:
    """The sums of rows by service and fold."""
    sums = np.zeros((int(services.max()) + 1, FOLDS, values.shape[1]))
    np.add.at(sums, (services, folds), values)
    return sums


def service_levels(totals: Floats, services: Integers, folds: Integers, fold: int) -> Floats:
    """How each row's service stands out: in log odds of a failure, and in logs of its share of every part.

    Counted in neither the fold that is forecast nor the row's own, so that no row's outcome is in its own level.
    """
    own = np.where((folds == fold)[:, None], 0.0, totals[services, folds])
    counts = totals.sum(axis=1)[services] - totals[services, fold] - own
    everywhere = totals.sum(axis=(0, 1)) + 1e-3
    usual = everywhere[1:] / everywhere[0]
    shares = (counts[:, 1:] + LEVEL_WORTH * usual) / (counts[:, :1] + LEVEL_WORTH)
    rate = np.clip(shares[:, :1], SUREST, 1 - SUREST)
    return np.hstack([logit(rate), np.log(shares[:, 1:])])


def chances(design: Floats, is_part: Floats, failed: Floats, its: Booleans, others: Booleans) -> Floats:
    """The chance of a failure in every part, by a ridge regression on the change, its service and the part."""
    if np.ptp(failed[others]) == 0:
        return np.full((int(its.sum()), is_part.shape[1]), failed[others].mean())
    found = ridge().fit(np.hstack([centred(design, others)[others], FREEDOM * is_part[others]]), failed[others])
    weights, count = found.coef_[0], design.shape[1]
    plain = found.intercept_ + centred(design, others)[its] @ weights[:count]
    return np.asarray(expit(plain[:, None] + FREEDOM * weights[count:]))


def propensities(design: Floats, parts: Integers, told: list[int], its: Booleans, others: Booleans) -> Floats:
    """The chance to ship in every part that is told apart, by a multinomial ridge regression; 0: never seen."""
    found = np.zeros((int(its.sum()), len(told)))
    known = np.unique(parts[others])
    if len(known) == 1:
        found[:, told.index(known[0])] = 1.0
        return found
    design = centred(design, others)
    model = ridge().fit(design[others], parts[others])
    said = model.predict_proba(design[its])
    for place, at in enumerate(model.classes_):
        if at != OTHERS:
            found[:, told.index(at)] = said[:, place]
    return found


def centred(design: Floats, others: Booleans) -> Floats:
    return np.asarray(design - design[others].mean(axis=0))


def ridge() -> Any:
    from sklearn.linear_model import LogisticRegression  # takes a second, and only a training needs it

    return LogisticRegression(C=STIFFNESS, max_iter=300, tol=1e-3)


def model_risks(
    rows: pl.DataFrame, model: Candidate, parts: Integers, kept: Mapping[int, Booleans]
) -> dict[int, Floats]:
    """Draws of the mean risk by the model, had the changes kept for a part all shipped in it, by its number.

    Of very many changes an equal share of each service's is asked about.
    """
    if not kept:
        return {}
    sums, counts = {at: np.zeros(DRAWS) for at in kept}, dict.fromkeys(kept, 0)
    asked = np.arange(0, len(rows), -(-len(rows) // MOST_ASKED))
    services = rows["service"].rank("dense").cast(pl.Int64).to_numpy()
    for its in together(asked, services):
        own = np.flatnonzero(services == services[its[0]])
        moved = [shipped_at(rows, its, donors(own, parts, at, len(its))) for at in kept]
        drawn = np.split(expit(model.draws(pl.concat(moved))), len(kept), axis=1)
        for (at, its_kept), chances in zip(kept.items(), drawn, strict=True):
            sums[at] += chances @ its_kept[its]
            counts[at] += int(its_kept[its].sum())
    return {at: total / max(counts[at], 1) for at, total in sums.items()}


def together(asked: Integers, services: Integers) -> Iterator[Integers]:
    """The rows asked about, service by service, and not too many at once."""
    for of_service in np.split(asked, np.flatnonzero(np.diff(services[asked])) + 1):
        yield from np.array_split(of_service, -(-len(of_service) // MOST_AT_ONCE))


def donors(own: Integers, parts: Integers, part: int, count: int) -> Integers:
    """Which deployments lend their hour: those of the service in that part, in turn; of all where it has none."""
    found = own[parts[own] == part]
    found = found if len(found) else np.flatnonzero(parts == part)
    return np.asarray(found[np.arange(count) * len(found) // count])


def shipped_at(rows: pl.DataFrame, asked: Integers, lenders: Integers) -> pl.DataFrame:
    """The rows asked about, at the hours of others, with what the clock decides."""
    return rows[asked].with_columns(rows[lenders].select(clock_columns(rows)))


def compared(counts: PartRisk, found: Standardised, drawn: Floats, failed: Floats, days: Integers) -> PartRisk | None:
    """Both estimates side by side; null where the second is no risk.

    The error of their difference is taken as the second's alone: they come from the same deployments, and of two
    estimates that are right the difference varies by less than the worse one does (Hausman, 1978).
    """
    if not 0 < found.risk < 1:
        return None
    usual, model = float(failed[found.kept].mean()), float(drawn.mean())
    model_low, model_high = (float(bound) for bound in np.quantile(drawn, (TAIL, 1 - TAIL)))
    error, free = clustered(found.influence / found.risk, found.kept, days)
    own = found.influence / found.risk - np.where(found.kept, failed / usual - 1, 0.0)
    second_low, second_high = (
        float(expit(logit(found.risk) + side * errors_reached(free) * error / (1 - found.risk))) for side in (-1, 1)
    )
    ratio_low, ratio_high = around(found.risk / usual, *clustered(own, found.kept, days))
    apart_low, apart_high = around(found.risk / model, error, free)
    return replace(
        counts,
        compared=int(found.kept.sum()),
        usual=usual,
        model=model,
        model_low=model_low,
        model_high=model_high,
        second=found.risk,
        second_low=second_low,
        second_high=second_high,
        ratio=found.risk / usual,
        ratio_low=ratio_low,
        ratio_high=ratio_high,
        apart=found.risk / model,
        apart_low=apart_low,
        apart_high=apart_high,
        p_value=chance_beyond(free, np.log(found.risk / model) / error),
    )


def clustered(influence: Floats, kept: Booleans, days: Integers) -> tuple[float, float]:
    """The error of a mean over those kept, whose rows of one day may go together, and on how many days it hangs."""
    squares = (np.bincount(days, influence) / kept.sum()) ** 2
    free = squares.sum() ** 2 / max(float(np.sum(squares**2)), TINY)
    return float(np.sqrt(squares.sum())), max(1.0, float(free))


def around(ratio: float, log_error: float, free: float) -> tuple[float, float]:
    """The 95 % interval of a ratio."""
    reach = float(np.exp(errors_reached(free) * log_error))
    return ratio / reach, ratio * reach


def errors_reached(free: float) -> float:
    """How many errors a 95 % interval reaches to either side (Student's t)."""
    from scipy.special import stdtrit  # takes a quarter of a second, and only training needs it

    return float(stdtrit(free, 1 - TAIL))


def chance_beyond(free: float, errors: float) -> float:
    """The chance of a value so many errors from 0, or farther, on either side (Student's t)."""
    from scipy.special import stdtr  # as above

    return 2 * float(stdtr(free, -abs(errors)))


def held_apart(found: Sequence[PartRisk]) -> list[PartRisk]:
    """With chances by Holm's (1979) rule: to find one part apart where none is, is as unlikely as for a single one."""
    known = sorted((one.p_value, at) for at, one in enumerate(found) if one.p_value is not None)
    least, ruled = 0.0, dict[int, float]()
    for place, (chance, at) in enumerate(known):
        least = max(least, min(1.0, (len(known) - place) * chance))
        ruled[at] = least
    return [
        replace(one, p_value=ruled[at], disagrees=ruled[at] < SURELY) if at in ruled else one
        for at, one in enumerate(found)
    ]
