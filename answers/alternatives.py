"""What else could be done with a change than shipping it as it is in its best window, and what that would cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Literal

import numpy as np

from shipcast.answers.admission import Admission
from shipcast.answers.answer import Count, Instant, Number, Part, Share, utc
from shipcast.answers.inquiry import Inquiry
from shipcast.answers.pricing import Prices, interval, priced
from shipcast.features.clock import Instants
from shipcast.models.posterior import Floats
from shipcast.scheduling.calendar.calendar import as_datetime
from shipcast.scheduling.recommend import robust_costs

DAY = timedelta(days=1)
What = Literal["wait a day", "half the size", "split in two"]


class Alternative(Part):
    """Another way to ship a change, against the best window for it as it is.

    Parameters
    ----------
    what
        wait a day: nothing starts within 24 hours; half the size: with half of the lines; split in two: both halves,
        each in a window of its own.
    starts
        When; of a split change both halves.
    lines
        Of each start.
    failure_probability
        That any of them fails.
    relative_to_best
        The cost, of all of them together, over that of the best window; an interval that holds 95 %.
    """

    what: What
    starts: tuple[Instant, ...]
    lines: Count | None
    failure_probability: Share
    expected_cost: Number
    relative_to_best: Number
    relative_low: Number
    relative_high: Number


def alternatives(asked: Inquiry, admitted: Admission, prices: Prices) -> Iterator[Alternative]:
    """What could be done instead, as far as there are open starts for it."""
    open_starts = admitted.starts[admitted.is_open]
    costs = at(prices, open_starts)
    best = costs[:, int(np.argmin(robust_costs(costs.mean(axis=0))))]
    day = np.datetime64(asked.reader.at + DAY, "us")
    if (open_starts >= day).any():
        start = lowest(prices, open_starts[open_starts >= day])
        yield alternative("wait a day", prices, (start,), best, asked.question.change.lines)
    lines = asked.models.ground.usual_lines(asked.question.change.lines)
    if lines is None or lines < 2:
        return
    half = int(lines) // 2
    smaller = replace(asked.question, change=replace(asked.question.change, lines=half))
    halved = priced(asked.reader.at, asked.models, smaller, admitted.starts)
    first = lowest(halved, open_starts)
    yield alternative("half the size", halved, (first,), best, half)
    second = apart(halved, open_starts, first, asked.question.duration)
    if second is not None:
        yield alternative("split in two", halved, (first, second), best, half)


def at(prices: Prices, starts: Instants) -> Floats:
    """The costs of some starts: one row a draw, one column a start."""
    return prices.risk.costs[:, np.searchsorted(prices.starts, starts)]


def lowest(prices: Prices, starts: Instants) -> np.datetime64:
    """The best of these starts."""
    start: np.datetime64 = starts[int(np.argmin(robust_costs(at(prices, starts).mean(axis=0))))]
    return start


def apart(prices: Prices, starts: Instants, first: np.datetime64, duration: timedelta) -> np.datetime64 | None:
    """The best start at which it would not run beside one that starts first; None: there is none."""
    left = starts[np.abs(starts - first) >= np.timedelta64(duration)]
    return lowest(prices, left) if len(left) else None


def alternative(
    what: What, prices: Prices, starts: tuple[np.datetime64, ...], best: Floats, lines: int | None
) -> Alternative:
    """The change in these starts, one after the other."""
    chosen = np.sort(np.array(starts, dtype="datetime64[us]"))
    places = np.searchsorted(prices.starts, chosen)
    cost = prices.risk.costs[:, places].sum(axis=1)
    chance = 1 - np.prod(1 - prices.risk.failure[:, places], axis=1)
    ratio = float(cost.mean() / best.mean())
    low, high = interval(cost / best, ratio)
    return Alternative(
        what=what,
        starts=tuple(utc(as_datetime(start)) for start in chosen),
        lines=lines,
        failure_probability=float(chance.mean()),
        expected_cost=float(cost.mean()),
        relative_to_best=ratio,
        relative_low=low,
        relative_high=high,
    )
