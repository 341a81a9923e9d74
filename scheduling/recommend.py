"""From costs to advice: which starts, why, and whether it matters at all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from shipcast.models.posterior import Floats
from shipcast.scheduling.risk import Risk
from shipcast.scheduling.windows import SLOT

LEVELS = ((0.5, "calm"), (0.8, "fair"), (1.25, "moderate"), (2.0, "rough"))
LATE_SHARE = 0.25  # deployments that miss their start and take the next
APART = timedelta(hours=3)
SURE = 0.95
WORTHWHILE = 0.9
DOWNTIME = "planned downtime"


def level(relative_cost: float) -> str:
    """The word for a cost relative to the usual one.

    Examples
    --------
    >>> level(0.49), level(0.5), level(1.0), level(2.0)
    ('calm', 'fair', 'moderate', 'storm')
    """
    return next((word for bound, word in LEVELS if relative_cost < bound), "storm")


def calmer_bound(relative_cost: float) -> float | None:
    """The relative cost below which the level is one calmer; null: it is calm already.

    Examples
    --------
    >>> calmer_bound(1.0), calmer_bound(3.0), calmer_bound(0.3)
    (0.8, 2.0, None)
    """
    return max((bound for bound, _ in LEVELS if relative_cost >= bound), default=None)


def robust_costs(costs: Floats) -> Floats:
    """The expected cost of every start, some of which are missed, so that the next is taken; the last has none.

    Examples
    --------
    >>> robust_costs(np.array([1.0, 1.0, 5.0]))
    array([1., 2., 5.])
    """
    late = np.append(costs[1:], costs[-1:])
    return np.asarray((1 - LATE_SHARE) * costs + LATE_SHARE * late)


def diverse(scores: Floats, slots: NDArray[np.int64], top: int, duration: timedelta) -> list[int]:
    """The places of the lowest scores, no two closer than three hours or one duration; of equals the earliest.

    Parameters
    ----------
    slots
        Of each score the quarter hour it is of, counted from any.

    Examples
    --------
    >>> diverse(np.array([1.0, 1.1] + [2.0] * 20), np.arange(22), 2, timedelta(minutes=30))
    [0, 12]
    """
    apart = max(APART, duration) // SLOT
    chosen: list[int] = []
    for place in np.argsort(scores, kind="stable"):
        if len(chosen) == top:
            break
        if all(abs(slots[place] - slots[other]) >= apart for other in chosen):
            chosen.append(int(place))
    return chosen


def is_clearly_better(costs: Floats, against: Floats | None = None) -> bool:
    """Whether the best of these starts (columns; rows are draws) truly beats choosing freely among them.

    Chosen by one half of the draws, judged by the other, so that the luck that made it the best does not vouch for it:
    it must cost less than the mean start in 19 of 20 draws, and be at least a tenth cheaper on the whole. Where
    `against` is given, the cost of one start in every draw, it must beat that one instead of the mean.
    """
    half = len(costs) // 2
    best = int(np.argmin(robust_costs(costs[:half].mean(axis=0))))
    cost = costs[half:, best]
    free = costs[half:].mean(axis=1) if against is None else against[half:]
    return bool(np.mean(cost < free) >= SURE and cost.mean() < WORTHWHILE * free.mean())


class Usual:
    """The usual cost of a change, the mean over a week of starts, and what it is made of.

    Attributes
    ----------
    cost, downtime
        The usual cost, and the part of it that the deployment itself turns away.
    bases
        The usual value of each factor of what a failure costs: its mean over the week.
    """

    def __init__(self, risk: Risk, week: NDArray[np.bool_]) -> None:
        self.cost = float(risk.costs.mean(axis=0)[week].mean())
        self.downtime = 0.0 if risk.downtime is None else float(risk.downtime.mean(axis=0)[week].mean())
        self.week = {name: values[week] for name, values in risk.factors.items()}
        self.bases = {name: float(values.mean()) for name, values in self.week.items()}

    def points(self, risk: Risk, place: int) -> dict[str, float]:
        """What each factor of a start, and its planned downtime, adds to its relative cost; they sum to that less 1."""
        values = {name: float(found[place]) for name, found in risk.factors.items()}
        parts = {name: part / self.cost for name, part in points(values, self.week).items()}
        if risk.downtime is not None:
            parts[DOWNTIME] = float(risk.downtime[:, place].mean() - self.downtime) / self.cost
        return parts


def factor_draws(risk: Risk) -> dict[str, Floats]:
    """The same factors in every draw: one row a draw, one column a start; they multiply to what a failure costs."""
    found = {"failure chance": risk.failure, "restore time": risk.minutes}
    return found | ({"load": risk.outage / (risk.failure * risk.minutes)} if risk.has_load else {})


def points(values: Mapping[str, float], usual: Mapping[str, Floats]) -> dict[str, float]:
    """What each factor adds to a product, against the mean product of the usual ones; they sum to the difference.

    From each usual start every factor is moved to its value, in every order, and its effects are averaged (Shapley,
    1953; from many starts: Lundberg and Lee, 2017), so that no factor gains by being named first.

    Parameters
    ----------
    usual
        The factors of every usual start, in one order; two or three of them.

    Examples
    --------
    >>> points({"failure chance": 2.0, "load": 5.0}, {"failure chance": np.array([4.0]), "load": np.array([10.0])})
    {'failure chance': -15.0, 'load': -15.0}
    """
    return {
        name: float(np.mean((value - usual[name]) * mean_of_products([(values[key], usual[key]) for key in others])))
        for name, value in values.items()
        for others in [[key for key in values if key != name]]
    }


def mean_of_products(others: list[tuple[float, Floats]]) -> Floats:
    """The mean, over all orders, of the product of two or fewer further factors, moved before or not moved yet."""
    if len(others) == 1:
        [(moved, still)] = others
        return (moved + still) / 2
    (moved, still), (also_moved, also_still) = others
    return np.asarray((moved * also_moved + still * also_still) / 3 + (moved * also_still + still * also_moved) / 6)
