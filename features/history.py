"""What was known at an instant: the marts cut by known-at, one frame for each thing that a model learns from.

Every frame is sorted by its key, so that equal knowledge gives equal numbers to the last digit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import duckdb
import polars as pl

from shipcast.features.clock import hour_of_week, hour_of_week_in, is_zone
from shipcast.warehouse.statements import bound

LOAD_WEEKS = 16
YEAR_WEEKS = 54  # a year, and the week before its first day
LAST_STRATEGIES = 20
MOST_ROWS = 50_000  # of all services, learned from at the time of a question

SERVICES = "select service, team, business_zone from dim_services order by service"
# An outcome counts once it has settled, when a failure had as much time to show as a success.
SETTLED = """
from fct_deployments
where {scope} and started_at <= $at and settled_at <= $at
    and status in ('failed', 'rolled_back', 'succeeded') and rollback_of is null
    and (service = $service or hash(deployment_id) % $share = 0)
"""
IS_FAILED = "coalesce(failed_at <= $at, false)"
OUTCOMES = f"""
select deployment_id, service, team, started_at, lines_changed as lines, files_changed as files, change_type,
    {IS_FAILED} as is_failed
{SETTLED} and (service = $service or not $alone)
order by deployment_id
"""
RESTORES = """
select service, team, started_at, severity, resolved_at is null or resolved_at > $at as is_open,
    epoch(least(coalesce(resolved_at, $at), $at) - started_at) / 60 as minutes
from fct_incidents
where {scope} and started_at <= $at and (service = $service or hash(incident_id) % $share = 0)
order by incident_id
"""
# Until when all environments are known that still report: a sum must not lack one that only reports later.
LOAD = """
with known as (
    select environment, hour_at, requests from fct_load_hourly
    where {scope} and service = $service and known_at <= $at and hour_at >= $since and hour_at < $until
),
ends as (
    select max(hour_at) as ends_at from known group by environment
),
reporting as (
    select min(ends_at) as until from ends where ends_at > (select max(ends_at) from ends) - interval 2 days
)
select hour_at, sum(requests) as requests
from known
where hour_at <= (select until from reporting)
group by hour_at
order by hour_at
"""
# Of each switch the last position known counts.
HOLDS = """
select kind, switched_at
from fct_holds
where known_at <= $at and (service = $service or service is null)
    and (environment is null or environment in (select unnest($names::varchar[])))
qualify row_number() over (partition by service, environment, kind order by switched_at desc, is_active desc) = 1
    and is_active
order by switched_at, kind
"""
KNOWN = "select count(*) from {table} where {scope} and started_at <= $at"
DURATIONS = """
select median(epoch(finished_at - started_at) / 60) as minutes, count(*) as deployments
from fct_deployments
where {scope} and service = $service and started_at <= $at and finished_at <= $at
    and status in ('failed', 'rolled_back', 'succeeded')
"""
STRATEGIES = """
select count(*) as known, count_if(strategy = 'recreate')::bigint as recreated
from (
    select strategy from fct_deployments
    where {scope} and service = $service and started_at <= $at and strategy is not null and rollback_of is null
    order by started_at desc, deployment_id desc
    limit $last
)
"""
ENVIRONMENTS = "select environment from dim_environments where is_production or environment = 'production' order by 1"


@dataclass(frozen=True)
class History:
    """What the published marts say was known at `at`, about one scope.

    Parameters
    ----------
    at
        Naive, in UTC.
    environment
        "production" means every environment of that kind; any other name exactly that one.
    default_zone
        The clock of services that name no zone.
    """

    connection: duckdb.DuckDBPyConnection
    at: datetime
    environment: str
    default_zone: str
    cache: dict[str, pl.DataFrame] = field(default_factory=dict, compare=False, repr=False)

    def outcomes(self, service: str, *, alone: bool = False) -> pl.DataFrame:
        """One row per settled deployment that was no rollback: whether it had failed, as known.

        Of services other than the one named none, if it is asked about `alone`; else all or, where they have very many,
        an equal share of each (`share_of_others`).
        Columns: deployment_id, service, team, zone, started_at, lines, files, change_type (null: unknown), is_failed,
        hour_of_week.
        """
        share = self.share_of_others("fct_deployments")
        return self.on_local_clock(self.frame(OUTCOMES, service=service, share=share, alone=alone))

    def settled(self, service: str) -> tuple[int, int]:
        """How many outcomes there are of the service and of all others, where they are not too many; and failures."""
        share = self.share_of_others("fct_deployments")
        counts = f"select count(*) as settled, count(*) filter ({IS_FAILED}) as failed {SETTLED}"
        settled, failed = self.frame(counts, service=service, share=share).row(0)
        return settled, failed

    def restores(self, service: str) -> pl.DataFrame:
        """One row per incident: minutes to its resolution or, where `is_open`, minutes it had lasted already.

        Of other services as in `outcomes`. Columns: service, team, zone, started_at, severity (null:
        unknown), is_open, minutes, hour_of_week.
        """
        share = self.share_of_others("fct_incidents")
        return self.on_local_clock(self.frame(RESTORES, service=service, share=share))

    def share_of_others(self, table: str) -> int:
        """Of how many rows of other services one is learned from, drawn by its id and so the same at each question."""
        return max(1, -(-self.known(table) // MOST_ROWS))

    def hourly_load(self, service: str, zone: str) -> pl.DataFrame:
        """One row per hour of the last weeks that was measured: hour_at, requests, hour_of_week."""
        return self.load_between(service, zone, timedelta(weeks=LOAD_WEEKS), timedelta(0))

    def earlier_load(self, service: str, zone: str) -> pl.DataFrame:
        """The same of the weeks before these, so that both hold a year."""
        return self.load_between(service, zone, timedelta(weeks=YEAR_WEEKS), timedelta(weeks=LOAD_WEEKS))

    def load_between(self, service: str, zone: str, since: timedelta, until: timedelta) -> pl.DataFrame:
        load = self.frame(LOAD, service=service, since=self.at - since, until=self.at - until)
        return load.with_columns(hour_of_week=hour_of_week(pl.col("hour_at"), zone))

    def holds(self, service: str) -> list[tuple[str | None, datetime]]:
        """The holds in force: what kind, and since when (naive, UTC)."""
        return self.frame(HOLDS, service=service, names=self.environments()).rows()

    def started(self) -> int:
        """How many deployments had started."""
        return self.known("fct_deployments")

    def known(self, table: str) -> int:
        """How many rows of a table had started."""
        if table not in self.cache:
            self.cache[table] = self.frame(KNOWN.replace("{table}", table))
        return int(self.cache[table].item())

    def median_minutes(self, service: str) -> tuple[float | None, int]:
        """How long its deployments took that say when they ended, and how many do; null: none does."""
        minutes, deployments = self.frame(DURATIONS, service=service).row(0)
        return minutes, deployments

    def recreated(self, service: str) -> tuple[int, int]:
        """How many of its last deployments took it down to start it anew, and of how many that is known."""
        known, recreated = self.frame(STRATEGIES, service=service, last=LAST_STRATEGIES).row(0)
        return recreated, known

    def services(self) -> pl.DataFrame:
        """One row per service: team, and `zone`, the clock it keeps to. `business_zone` is as the data names it."""
        if "services" not in self.cache:
            services = self.frame(SERVICES)
            known = [zone for zone in services["business_zone"].unique().drop_nulls() if is_zone(zone)]
            named = pl.when(pl.col("business_zone").is_in(known)).then(pl.col("business_zone"))
            self.cache["services"] = services.with_columns(zone=named.fill_null(self.default_zone))
        return self.cache["services"]

    def environments(self) -> list[str]:
        """The names that the scope stands for."""
        if self.environment != "production":
            return [self.environment]
        return [name for (name,) in self.connection.execute(ENVIRONMENTS).fetchall()] or ["production"]

    def on_local_clock(self, frame: pl.DataFrame) -> pl.DataFrame:
        zones = self.services().select("service", "zone")
        local = frame.join(zones, on="service", how="left", maintain_order="left").with_columns(
            pl.col("zone").fill_null(self.default_zone)
        )
        hours = hour_of_week_in(pl.col("started_at"), pl.col("zone"), local["zone"].unique())
        return local.with_columns(hour_of_week=hours)

    def frame(self, query: str, **parameters: Any) -> pl.DataFrame:
        """The rows of a query; `{scope}` becomes the condition that the environment sets."""
        given = {"at": self.at, "environment": self.environment, **parameters}
        scope = "is_production" if self.environment == "production" else "environment = $environment"
        statement, used = bound(query.format(scope=scope), given)
        self.connection.complete()  # a relation is refused while an earlier statement is unfinished
        rows: pl.DataFrame = self.connection.sql(statement, params=used).pl()
        return rows
