"""Metrics as the page says them: names, values, intervals."""

from __future__ import annotations

from datetime import timedelta

from shipcast.answers import words
from shipcast.answers.comparison import Change
from shipcast.answers.metrics import MetricItem

MARKS = {"no clear change": "≈", "not enough data": "?"}


def value_said(item: MetricItem, value: float | None = None) -> str:
    """The item's value, or another in its unit, as the command line says it."""
    number = item.value if value is None else value
    if number is None:
        return "not enough data"
    if item.unit == "share":
        return words.share(float(number))
    if item.unit == "hours":
        return words.hours(float(number))
    return words.count(number) if item.unit == "count" else f"{words.count(number)} a day"


def interval_said(item: MetricItem) -> str:
    """
    The 95 % interval in words; empty where there is none.
    """
    if item.low is None or item.high is None:
        return ""
    return f"{value_said(item, item.low)} to {value_said(item, item.high)}"


def rests_on(item: MetricItem) -> str:
    return f"n = {item.n:,}"


def change_said(change: Change | None) -> str:
    """Better, worse, or no clear change, behind which way it went; empty where nothing is compared."""
    if change is None:
        return ""
    way = MARKS.get(change.verdict) or ("▲" if (change.difference or 0) > 0 else "▼")
    return f"{way} {change.verdict} (before: {value_said(change.before)})"


def is_whole(week: MetricItem) -> bool:
    """Whether a week of a metric has all its days, clocks that change left aside."""
    return week.period_end - week.period_start > timedelta(days=6, hours=20)
