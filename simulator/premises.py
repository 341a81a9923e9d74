"""What surrounds deployments: services and environments as described, the use of environments, and holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from shipcast.simulator.company import TEAMS, Service
from shipcast.simulator.deliveries import at

DAY = 86_400

ENVIRONMENTS = pl.DataFrame(
    [
        ("production", "production", 42.0, 12, "eu"),
        ("staging", "staging", 11.5, 4, "eu"),
        ("test", "test", 6.0, 6, "eu"),
        ("development", "development", 3.2, 8, "us"),
        ("preview-1", "ephemeral", 1.8, 1, "eu"),
        ("preview-2", "ephemeral", 1.8, 1, "us"),
    ],
    schema=["environment", "kind", "cost_per_hour", "capacity", "region"],
    orient="row",
)

# Sessions a week and their median hours; preview-2 also lies idle for the weeks before the last one.
USE = {"staging": (14, 2.5), "test": (22, 1.5), "development": (30, 5.0), "preview-1": (6, 7.0), "preview-2": (4, 9.0)}
IDLE_ENVIRONMENT, IDLE_DAYS = "preview-2", (47, 9)
PURPOSES = ("regression", "demo", "load test", "debugging", "acceptance")


def service_table(services: Sequence[Service]) -> pl.DataFrame:
    """The table `services`."""
    return pl.DataFrame(
        [
            {
                "service": service.name,
                "team": service.profile.team,
                "business_zone": service.zone,
                "regions": service.profile.regions,
                "tier": service.profile.tier,
                "criticality": service.profile.criticality,
                "architecture": service.profile.architecture,
                "depends_on": ";".join(service.profile.depends_on) or None,
            }
            for service in services
        ],
        schema_overrides={"depends_on": pl.String},
    )


def usage_table(begins: int, ends: int, seed: int) -> pl.DataFrame:
    """The table `environment_usage`; a session that had not ended by the end has no end."""
    rng = np.random.default_rng([seed, 8])
    sessions = [sessions_of(environment, begins, ends, rng) for environment in USE]
    return (
        pl.concat(sessions)
        .sort("started", "environment", "used_by")
        .unique(["environment", "started", "used_by"], keep="first", maintain_order=True)
        .select(
            "environment",
            at("started").alias("started_at"),
            pl.when(pl.col("ended") <= ends).then(at("ended")).alias("ended_at"),
            "used_by",
            "purpose",
            "branch",
        )
    )


def sessions_of(environment: str, begins: int, ends: int, rng: np.random.Generator) -> pl.DataFrame:
    """Sessions on working days, between 7 and 19 o'clock UTC."""
    weekly, median_hours = USE[environment]
    days = np.arange(begins // DAY, ends // DAY)
    # Day 0, 1970-01-01, was a Thursday.
    working = days[(days + 3) % 7 < 5] if len(days) > 2 else days
    count = max(1, round(weekly * len(days) / 7))
    started = rng.choice(working, count) * DAY + rng.integers(7 * 3600, 19 * 3600, count)
    ended = started + (3600 * median_hours * rng.lognormal(0, 0.6, count)).astype(np.int64)
    members = np.array([member for team in TEAMS for member in team.members])
    table = pl.DataFrame(
        {
            "environment": [environment] * count,
            "started": started,
            "ended": ended,
            "used_by": members[rng.integers(0, len(members), count)],
            "purpose": np.array(PURPOSES)[rng.integers(0, len(PURPOSES), count)],
            "branch": [f"feature/{number}" for number in rng.integers(100, 999, count)],
        }
    )
    if environment != IDLE_ENVIRONMENT:
        return table
    first, last = (ends - days_ago * DAY for days_ago in IDLE_DAYS)
    return table.filter((pl.col("ended") < first) | (pl.col("started") >= last))


def hold_table(services: Sequence[Service], begins: int, ends: int, seed: int) -> pl.DataFrame:
    """The table `holds`: eight that were released again within two days, over the history."""
    rng = np.random.default_rng([seed, 9])
    count = 8
    held = np.sort(rng.integers(begins, max(begins + 1, ends - 3 * DAY), count))
    names = [services[index].name for index in rng.integers(0, len(services), count)]
    holds = pl.DataFrame(
        {
            "service": names,
            "environment": ["production", "production", "staging", None] * 2,
            "held": held,
            "released": held + rng.integers(3600, 2 * DAY, count),
            "kind": ["manual", "incident", "manual", "audit"] * 2,
        }
    )
    stages = [
        holds.select("service", "environment", at="held", active=pl.lit(True), kind="kind"),
        holds.select("service", "environment", at="released", active=pl.lit(False), kind="kind"),
    ]
    return (
        pl.concat(stages)
        .filter(pl.col("at") < ends)
        .sort("at", "service", "kind")
        .select("service", "environment", at("at").alias("at"), "active", "kind")
    )
