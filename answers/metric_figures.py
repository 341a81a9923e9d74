"""From counted rows to the numbers that are said: each metric's value, interval, and what was left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from shipcast.answers import metric_queries as queries
from shipcast.answers.metric_queries import Scope
from shipcast.answers.statistics import garwood, wilson

Record = Mapping[str, Any]
Unit = Literal["count", "per day", "hours", "share"]


class Figures(NamedTuple):
    """A metric's numbers, before they are said of something."""

    value: float | None
    n: int
    numerator: float | None = None
    interval: tuple[float | None, float | None] | None = None
    excluded: int | None = None
    censored: int | None = None
    left_out: Mapping[str, int] = {}
    still_open: Mapping[str, int] = {}
    km_median: float | None = None
    cost: float | None = None
    proxy: int | None = None


class Metric(NamedTuple):
    """A metric's unit, the query whose results it comes from, and how its figures come from these.

    `figures` is given the results of one key and the days of the stretch that were known.
    """

    unit: Unit
    family: str
    figures: Callable[[Record, float], Figures]


def deployment_count(result: Record, days: float) -> Figures:
    return Figures(
        result["counted"],
        result["counted"],
        excluded=not_counted(result),
        left_out=why_not_counted(result),
        proxy=result["proxies"],
    )


def frequency(result: Record, days: float) -> Figures:
    landed = result["landed"]
    value = landed / days if days > 0 else 0.0
    failed = result["failed_by_status"]
    return Figures(
        value,
        landed,
        landed,
        garwood(landed, days),
        failed,
        left_out={"failed, so never landed": failed},
        proxy=result["landed_proxies"],
    )


def rate(events: str, undecided: str | None) -> Callable[[Record, float], Figures]:
    """A share of the counted deployments; `undecided` counts those whose outcome may still change."""

    def figures(result: Record, days: float) -> Figures:
        n, numerator = result["counted"], result[events]
        return Figures(
            numerator / n if n else None,
            n,
            numerator,
            wilson(numerator, n),
            excluded=not_counted(result),
            censored=result[undecided] if undecided else 0,
            left_out=why_not_counted(result),
            still_open={"whose outcome may still change": result[undecided]} if undecided else {},
            proxy=result["proxies"],
        )

    return figures


def success(result: Record, days: float) -> Figures:
    return rate("succeeded", "unsettled")({**result, "succeeded": result["counted"] - result["failed"]}, days)


def not_counted(result: Record) -> int:
    return int(result["cancelled"] + result["running"])


def why_not_counted(result: Record) -> Mapping[str, int]:
    return {"cancelled": result["cancelled"], "still running": result["running"]}


def lead_time(result: Record, days: float) -> Figures:
    return Figures(
        result["median"],
        result["n"],
        interval=(result["low"], result["high"]),
        excluded=result["negative"],
        censored=result["open"],
        left_out={"landed before they were authored": result["negative"]},
        still_open={"not deployed yet": result["open"]},
        proxy=result["proxies"],
    )


def recovery(result: Record, days: float) -> Figures:
    return Figures(
        result["median"],
        result["n"],
        interval=(result["low"], result["high"]),
        excluded=result["without"],
        censored=result["open"],
        left_out={"failed without an incident": result["without"]},
        still_open={"with an incident that is not resolved": result["open"]},
        km_median=result["km_median"],
        proxy=result["proxies"],
    )


def unattributed(result: Record, days: float) -> Figures:
    count, n = result["unattributed"], result["incidents"]
    return Figures(count, n, count, left_out={"laid to a deployment": n - count})


def idle_share(result: Record, days: float) -> Figures:
    hours, whole = result["idle_hours"], result["span_hours"]
    share = min(1.0, max(0.0, hours / whole)) if whole else None
    return Figures(share, result["spells"], hours)


def idle_hours(result: Record, days: float) -> Figures:
    return Figures(result["idle_hours"], result["spells"], result["idle_hours"], cost=result["cost"])


METRICS: Mapping[str, Metric] = {
    "deployments": Metric("count", "deployments", deployment_count),
    "deployment_frequency": Metric("per day", "deployments", frequency),
    "lead_time": Metric("hours", "lead_times", lead_time),
    "change_failure_rate": Metric("share", "deployments", rate("failed", "unsettled")),
    "failed_deployment_recovery": Metric("hours", "recoveries", recovery),
    "recovery_from_incident": Metric("hours", "recoveries", recovery),
    "incidents_unattributed": Metric("count", "incidents", unattributed),
    "rework_rate": Metric("share", "deployments", rate("rework", None)),
    "rollback_rate": Metric("share", "deployments", rate("rolled_back", "not_yet_rolled_back")),
    "success_rate": Metric("share", "deployments", success),
    "environment_idle": Metric("share", "idle", idle_share),
    "environment_idle_hours": Metric("hours", "idle", idle_hours),
}
FAMILIES: Mapping[str, Callable[[Scope], str]] = {
    "deployments": queries.deployments,
    "lead_times": queries.lead_times,
    "recoveries": queries.recoveries,
    "incidents": queries.incidents,
    "idle": queries.idle,
}
DEPLOYMENT_COUNTS = (
    *("counted", "landed", "failed_by_status", "failed", "rolled_back", "rework", "cancelled", "running"),
    *("unsettled", "not_yet_rolled_back", "proxies", "landed_proxies"),
)
NOTHING: Mapping[str, Record] = {
    "deployments": dict.fromkeys(DEPLOYMENT_COUNTS, 0),
    "lead_times": {"n": 0, "median": None, "low": None, "high": None, "negative": 0, "open": 0, "proxies": 0},
    "recoveries": {
        "n": 0,
        "median": None,
        "low": None,
        "high": None,
        "open": 0,
        "without": 0,
        "proxies": 0,
        "km_median": None,
    },
    "incidents": {"incidents": 0, "unattributed": 0, "in_window": 0},
    "idle": {"idle_hours": None, "span_hours": None, "spells": 0, "cost": None},
}
