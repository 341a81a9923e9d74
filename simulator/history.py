"""The year as it happened: every release that was sent to production, and what became of it.

A release is one version of one service. Instants are whole seconds since 1970 in UTC here; they become
times when the tables are written. Nothing is cut at the end of the history yet: a release's future is drawn too.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from shipcast.simulator.clock import Floats, Instants, Integers, hour_of_week, hours_between
from shipcast.simulator.company import Service

LOOKAHEAD = np.timedelta64(4 * 86_400_000_000, "us")
DAY_SECONDS = 86_400
CROWDING_SECONDS = 3_600

EMERGENCY_SHARE = 0.02
EMERGENCY_SIZE = 0.3
EMERGENCY_LOGIT = 0.4
LOWER_FAILURE_LOGIT = 0.7
AFTER_FAILURE_LOGIT = 0.5
CANCELLED_SHARE = 0.015
SEVERITY_WEIGHT = 0.6


def releases(services: Sequence[Service], begins_at: np.datetime64, ends_at: np.datetime64, seed: int) -> pl.DataFrame:
    """One row per release, in the order of their starts in production, up to four days past the end."""
    wanted = [
        candidates(service, begins_at, ends_at, np.random.default_rng([seed, 2, index]))
        for index, service in enumerate(services)
    ]
    ordered = pl.concat(wanted).sort("started", "service")
    return pl.DataFrame(list(shipped(ordered)), infer_schema_length=None)


def candidates(
    service: Service, begins_at: np.datetime64, ends_at: np.datetime64, rng: np.random.Generator
) -> pl.DataFrame:
    """The releases a team would like to make, with all the chance in them drawn already."""
    profile = service.profile
    started = wanted_starts(service, begins_at, ends_at, rng)
    count = len(started)
    hours = hour_of_week(instants(started), service.zone)
    duration = np.maximum(profile.minutes * 60 * rng.lognormal(0, 0.35, count), 120).astype(np.int64)
    outage_hours = hour_of_week(instants(started + duration), service.zone)
    latent = rng.normal(size=count)
    restore = restore_minutes(service, outage_hours, latent, rng)
    failure_draw = rng.random(count)
    return pl.DataFrame(
        {
            "service": [service.name] * count,
            "started": started,
            "finished": started + duration,
            "hour_logit": service.failure_logit[hours],
            "size_slope": [service.size_slope] * count,
            "crowding_slope": [service.crowding_slope] * count,
            "typical_lines": [float(profile.lines)] * count,
            "wanted_lines": profile.lines * np.exp(service.size_shift[hours] + 0.9 * rng.normal(size=count)),
            "outage": np.maximum(restore * 60, 1).astype(np.int64),
            "severity_draw": latent,
            # A service that never failed is one that was lucky, not one that cannot fail.
            "failure_draw": 0.5 + failure_draw / 2 if profile.is_lucky else failure_draw,
            "test_draw": rng.random(count),
            "staging_draw": rng.random(count),
            "emergency_draw": rng.random(count),
            "outcome_draw": rng.random(count),
            "incident_draw": rng.random(count),
            "is_normal": rng.random(count) < profile.normal_share,
            "is_cancelled": rng.random(count) < CANCELLED_SHARE,
        }
    )


def wanted_starts(
    service: Service, begins_at: np.datetime64, ends_at: np.datetime64, rng: np.random.Generator
) -> Integers:
    """Start seconds in order, more of them in the hours in which the team likes to deploy."""
    days_ago = service.profile.first_days_ago
    if days_ago is not None:
        begins_at = max(begins_at, ends_at - np.timedelta64(days_ago, "D"))
    hours = hours_between(begins_at, ends_at + LOOKAHEAD)
    weights: Floats = service.deployments[hour_of_week(hours, service.zone)]
    count = max(1, round(service.profile.weekly * len(hours) / 168))
    chosen = rng.choice(len(hours), size=count, p=weights / weights.sum())
    starts = seconds(hours)[chosen] + rng.integers(0, 3600, count)
    if service.profile.tier == 1:
        # One is on its way at the end: the shortest deployment takes longer than these seconds.
        starts = np.append(starts, seconds(np.atleast_1d(ends_at))[0] - rng.integers(20, 100))
    return np.sort(starts)


def restore_minutes(service: Service, hours: Integers, latent: Floats, rng: np.random.Generator) -> Floats:
    """Log-normal minutes to restore outages that begin in those hours of the week.

    `latent` is standard normal and shared with the severity: what is severe takes longer.
    """
    spread = SEVERITY_WEIGHT * latent + np.sqrt(1 - SEVERITY_WEIGHT**2) * rng.normal(size=len(hours))
    return np.asarray(service.restore_median_minutes[hours] * np.exp(service.restore_sigma * spread))


@dataclass
class State:
    """What a service remembers from its last release."""

    free_at: int = 0
    restored_at: int = 0
    is_failed: bool = False
    good: int | None = None
    waiting: list[int] = field(default_factory=list)


def shipped(ordered: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """The releases that were made, each with its true chance of failure and its outcome.

    In order of time over all services, since a release depends on those before it: nobody deploys into an
    outage or over a running deployment, the release after a failed one is likelier to fail, and so is one in a crowd.
    """
    states: dict[str, State] = {}
    crowd: deque[tuple[int, str]] = deque()
    number = 0
    for row in ordered.iter_rows(named=True):
        state = states.setdefault(row["service"], State())
        if row["started"] < state.free_at:
            continue
        while crowd and crowd[0][0] <= row["started"] - CROWDING_SECONDS:
            crowd.popleft()
        crowding = sum(name != row["service"] for _, name in crowd)
        result = outcome(row, state, crowding)
        yield {"release": number, **row, **result, "good": state.good, "carries": [*state.waiting, number]}
        remember(state, row, result, number)
        crowd.append((row["started"], row["service"]))
        number += 1


def outcome(row: dict[str, Any], state: State, crowding: int) -> dict[str, Any]:
    """What becomes of one release: `result` is succeeded, failed, rolled_back, degraded or cancelled.

    A degraded release stays; only an incident tells that it failed.
    """
    is_fix = state.is_failed and row["started"] < state.restored_at + DAY_SECONDS
    is_emergency = row["emergency_draw"] < (0.5 if is_fix else EMERGENCY_SHARE)
    lines = max(1, round(row["wanted_lines"] * (EMERGENCY_SIZE if is_emergency else 1)))
    size = math.log(lines / row["typical_lines"])
    test_failed = not is_emergency and row["test_draw"] < logistic(-2.8 + 0.5 * size)
    staging_failed = row["staging_draw"] < logistic(-2.8 + 0.5 * size)
    probability = logistic(
        row["hour_logit"]
        + row["size_slope"] * size
        + row["crowding_slope"] * min(crowding, 5)
        + LOWER_FAILURE_LOGIT * (test_failed + staging_failed)
        + AFTER_FAILURE_LOGIT * state.is_failed
        + EMERGENCY_LOGIT * is_emergency
    )
    is_failed = not row["is_cancelled"] and row["failure_draw"] < probability
    result = "cancelled" if row["is_cancelled"] else "succeeded"
    if is_failed:
        draw = row["outcome_draw"]
        result = "failed" if draw < 0.45 else "rolled_back" if draw < 0.8 else "degraded"
    incident_share = {"failed": 0.65, "rolled_back": 0.85, "degraded": 1.0}.get(result, 0.0)
    return {
        "lines": lines,
        "change_type": "emergency" if is_emergency else "normal" if row["is_normal"] else "standard",
        "test_failed": test_failed,
        "staging_failed": staging_failed,
        "failure_probability": probability,
        "is_failed": is_failed,
        "result": result,
        "has_incident": row["incident_draw"] < incident_share,
        "restored": row["finished"] + row["outage"],
    }


def remember(state: State, row: dict[str, Any], result: dict[str, Any], number: int) -> None:
    state.free_at = result["restored"] if result["is_failed"] else row["finished"]
    if result["result"] == "cancelled":
        state.waiting.append(number)
        return
    state.is_failed = result["is_failed"]
    state.restored_at = result["restored"]
    if result["result"] in ("succeeded", "degraded"):
        state.good, state.waiting = number, []
    else:
        state.waiting.append(number)


def logistic(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def seconds(times: Instants) -> Integers:
    return times.astype("datetime64[s]").astype(np.int64)


def instants(values: Integers) -> Instants:
    return values.astype("datetime64[s]").astype("datetime64[us]")
