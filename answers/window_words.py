"""A window in words and cells, as the command line and the page both say it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from shipcast.answers.company import Approval
from shipcast.answers.windows import PricedAnswer, Unit, Window, model_said
from shipcast.answers.words import amount, in_hundred, local_time, plural

UNITS: dict[Unit, str] = {"requests": "requests affected", "disruption_minutes": "minutes of disruption"}


def reasons_in_words(window: Window) -> str:
    """The parts of the relative cost: with the usual 100 they add up to it, as they are shown."""
    shown = whole([reason.points * 100 for reason in window.reasons])
    parts = ", ".join(f"{reason.factor} {part:+d}" for reason, part in zip(window.reasons, shown, strict=True))
    return f"usual 100 %; {parts}; comes to {100 + sum(shown)} %"


def whole(parts: Sequence[float]) -> list[int]:
    """The parts as whole numbers that add up to their rounded sum: those nearest to the next one are rounded up.

    >>> whole([0.4, 0.4, 0.4]), whole([-31.4, -24.4])
    ([1, 0, 0], [-31, -25])
    """
    found = [math.floor(part) for part in parts]
    missing = round(sum(parts)) - sum(found)
    for place in sorted(range(len(parts)), key=lambda place: found[place] - parts[place])[:missing]:
        found[place] += 1
    return found


def chance_said(window: Window) -> str | None:
    """How many of 100 would fail, with the interval; null: nothing can be said."""
    if window.failure_probability is None:
        return None
    return in_hundred(window.failure_probability, window.failure_low, window.failure_high).removeprefix("about ")


def cost_said(window: Window) -> str | None:
    if window.expected_cost is None:
        return None
    return f"{amount(window.expected_cost)} ({amount(window.cost_low)} to {amount(window.cost_high)})"


def of_usual(window: Window) -> str | None:
    return None if window.relative_cost is None else f"{window.relative_cost * 100:.0f} %"


def relative_interval(window: Window) -> tuple[float, float] | None:
    """The ends of the cost's interval, against the usual; null: nothing is known."""
    if not window.expected_cost or window.relative_cost is None or window.cost_low is None or window.cost_high is None:
        return None
    usual = window.expected_cost / window.relative_cost
    return window.cost_low / usual, window.cost_high / usual


def approval_said(needed: Approval, zone: str, as_of: datetime) -> str:
    """One approval that a start needs; of a board when it meets, and until when it has to be asked."""
    if needed.meeting is None or needed.deadline is None:
        return needed.rule
    meets, closes = (local_time(moment, zone, as_of) for moment in (needed.meeting, needed.deadline))
    return f"{needed.rule}: meets {meets}, hand it in by {closes} ({zone})"


def basis_said(answer: PricedAnswer) -> str:
    """What the chances of failure rest on, from when to when, and as of when."""
    rests = f"{plural(answer.failures, 'failure')} in {plural(answer.n, 'settled deployment')} of {answer.service}"
    period = ""
    if answer.period_start is not None and answer.period_end is not None:
        period = f", {answer.period_start:%-d %b %Y} to {answer.period_end:%-d %b %Y}"
    others = f", and on {answer.n_pooled:,} of all services"
    known = "" if answer.data_as_of is None else f", on data up to {answer.data_as_of:%-d %b %Y %H:%M} UTC"
    asked = f"Asked at {answer.as_of:%-d %b %Y %H:%M} UTC{known}."
    return f"The chances of failure rest on {rests}{period}{others}. {model_said(answer)} {asked}"
