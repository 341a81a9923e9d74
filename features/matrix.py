"""The one table that models of failure see: a row per deployment, with every feature as known when it started."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

import polars as pl

from shipcast.features.change import Change
from shipcast.features.clock import Instants, hour_of_week_in
from shipcast.features.feature import Feature, with_features
from shipcast.features.history import History
from shipcast.features.past import Past

SIZES = ("lines", "files", "commits", "authors", "bot_commits")
REQUEST = {
    **dict.fromkeys(("service", "team", "zone", "change_type"), pl.String),
    **dict.fromkeys(SIZES, pl.Float64),
}
LOAD_WEEKS = 10  # that the possible starts of a change look back
MOST_ROWS = 200_000  # learned from; of more, an equal share of each service's
# Staging is the last place before production; where the kind is not known, these names mean it.
STAGING = ("staging", "stage", "preproduction", "pre-production", "preprod", "pre-prod", "uat", "acceptance")

ROWS = """
select deployment_id, service, team, started_at, settled_at, change_type,
    case when version is not null then hash(version) end as version,
    lines_changed::double as lines, files_changed::double as files, commits::double as commits,
    authors::double as authors, bot_commits::double as bot_commits,
    case when failed_at <= $at then failed_at end as failed_at, rollback_of is not null as is_rollback
from fct_deployments
where {scope} and started_at <= $at and status in ('failed', 'rolled_back', 'succeeded')
    and started_at >= coalesce($since, started_at) and hash(deployment_id) % $share = 0
order by deployment_id
"""
LEARNABLE = """
select count(*), coalesce(count_if(failed_at <= $at), 0)::bigint
from fct_deployments
where {scope} and started_at <= $at and settled_at <= $at and status in ('failed', 'rolled_back', 'succeeded')
    and rollback_of is null and hash(deployment_id) % $share = 0
"""
EVENTS = """
select service, started_at, case when failed_at <= $at then failed_at end as failed_at,
    case when version is not null then hash(version) end as version, rollback_of is not null as is_rollback,
    case when {scope} then 'here'
        when coalesce(kind, lower(environment)) in (select unnest($staging::varchar[])) then 'staging'
        else 'test' end as place
from fct_deployments left join (select environment, kind from dim_environments) using (environment)
where started_at <= $at and ($service is null or service = $service)
order by started_at, deployment_id
"""
LOAD = """
select service, hour_at, sum(requests) as requests
from fct_load_hourly
where {scope} and known_at <= $at and hour_at >= coalesce($since, hour_at) and ($service is null or service = $service)
group by service, hour_at
order by service, hour_at
"""


def matrix(history: History, features: Iterable[Feature] | None = None, since: datetime | None = None) -> pl.DataFrame:
    """One row per deployment that had started by the history's instant and has ended, rollbacks included.

    Only those that started at `since` (naive UTC) or later, where that is said.

    Columns: deployment_id, service, team, zone, hour_of_week, started_at, settled_at, failed_at (null: not known to
    have failed), is_rollback, change_type, what is known of the change, and one for each feature. A feature of a row
    uses nothing that became known at its start or later, so that one matrix serves every earlier cut-off.
    """
    rows = history.on_local_clock(history.frame(ROWS, share=share_of(history), since=since))
    return with_features(rows, past(history), features)


def share_of(history: History) -> int:
    """Of how many deployments one is learned from."""
    return max(1, -(-history.started() // MOST_ROWS))


def learnable(history: History) -> tuple[int, int]:
    """How many deployments had settled by the history's instant that a model learns from, and how many had failed."""
    deployments, failures = history.frame(LEARNABLE, share=share_of(history)).row(0)
    return deployments, failures


def past(history: History, service: str | None = None) -> Past:
    """What had happened by the history's instant: to every service, or to one."""
    since = None if service is None else history.at - timedelta(weeks=LOAD_WEEKS)
    load = history.frame(LOAD, service=service, since=since)
    return Past(history.frame(EVENTS, service=service, staging=list(STAGING)), load)


def request_rows(changes: Sequence[Change], starts: Instants) -> pl.DataFrame:
    """One row per change and possible start, the starts of a change together; what is not said of it is null."""
    said = pl.DataFrame([asdict(change) for change in changes], schema=REQUEST, orient="row")
    times = pl.DataFrame({"started_at": starts.astype("datetime64[us]")})
    rows = said.join(times, how="cross", maintain_order="left_right").with_columns(version=pl.lit(None, pl.UInt64))
    zones = said["zone"].unique()
    return rows.with_columns(hour_of_week=hour_of_week_in(pl.col("started_at"), pl.col("zone"), zones))


def said_of(rows: pl.DataFrame, change: Change) -> pl.DataFrame:
    """Rows of requests of the same service, as rows of this change."""
    said = {name: pl.lit(getattr(change, name), REQUEST[name]) for name in ("change_type", *SIZES)}
    return rows.with_columns(**said)


def request_features(rows: pl.DataFrame, past: Past, features: Iterable[Feature]) -> pl.DataFrame:
    """Rows of requests with their features; those that no request can know are null, since they are taken as usual."""
    chosen = tuple(features)
    unknown = [pl.lit(None, pl.Float64).alias(one.name) for one in chosen if one.is_assumed]
    return with_features(rows, past, [one for one in chosen if not one.is_assumed]).with_columns(unknown)
