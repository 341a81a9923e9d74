"""Whether a number got better or worse: decided by the interval of the change, never by the change alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Literal

from shipcast.answers.metrics import MetricItem

Verdict = Literal["better", "worse", "no clear change", "not enough data"]
HIGHER_IS_BETTER: Mapping[str, bool] = {
    "deployment_frequency": True,
    "lead_time": False,
    "change_failure_rate": False,
    "failed_deployment_recovery": False,
    "recovery_from_incident": False,
    "rework_rate": False,
    "rollback_rate": False,
    "success_rate": True,
}


@dataclass(frozen=True)
class Change:
    """A metric now and before.

    Parameters
    ----------
    difference, low, high
        Now less before, in the metric's unit, and its 95 % interval; null: one of the two, or its interval, is not
        known.
    verdict
        `better` or `worse` only where the interval leaves 0 out.
    """

    metric: str
    now: MetricItem
    before: MetricItem
    difference: float | None
    low: float | None
    high: float | None
    verdict: Verdict


def changes(now: Sequence[MetricItem], before: Sequence[MetricItem]) -> dict[str, Change]:
    """Of the metrics of which more is better, or less, how each changed, by name."""
    past = {item.metric: item for item in before}
    return {
        item.metric: change(item, past[item.metric])
        for item in now
        if item.metric in HIGHER_IS_BETTER and item.metric in past
    }


def change(now: MetricItem, before: MetricItem) -> Change:
    found = difference(bounds(now), bounds(before))
    if found is None:
        return Change(now.metric, now, before, None, None, None, "not enough data")
    value, low, high = found
    verdict: Verdict = "no clear change"
    if low > 0 or high < 0:
        verdict = "better" if (low > 0) == HIGHER_IS_BETTER[now.metric] else "worse"
    return Change(now.metric, now, before, value, low, high, verdict)


def bounds(item: MetricItem) -> tuple[float, float, float] | None:
    if item.value is None or item.low is None or item.high is None:
        return None
    return float(item.value), item.low, item.high


def difference(
    now: tuple[float, float, float] | None, before: tuple[float, float, float] | None
) -> tuple[float, float, float] | None:
    """The difference of two numbers from separate data, with its interval, from theirs: (value, low, high) each.

    The method of variance estimates recovery (Zou and Donner 2008); of two shares with Wilson intervals it is that of
    Newcombe (1998), method 10.

    Examples
    --------
    >>> from shipcast.answers.statistics import wilson
    >>> found = difference((56 / 70, *wilson(56, 70)), (48 / 80, *wilson(48, 80)))
    >>> [round(number, 4) for number in found]
    [0.2, 0.0524, 0.3339]
    """
    if now is None or before is None:
        return None
    (value, low, high), (past, past_low, past_high) = now, before
    apart = value - past
    return apart, apart - hypot(value - low, past_high - past), apart + hypot(high - value, past - past_low)
