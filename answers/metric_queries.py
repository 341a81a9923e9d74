"""The queries behind the delivery metrics: one per family of metrics, over row-grain marts, as known at `$as_of`.

Each gives one row per key (a service, a team, an environment, a week, or all in one). Parameters: `$as_of`,
`$period_start`, `$period_end`; for weeks their starts; and the name that the scope asks for. Nothing a user types
becomes part of a query.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shipcast.answers.statistics import median_rank_sql

By = Literal["service", "environment", "team", "week"]

IS_COMPLETED = "coalesce(completed_at <= $as_of, false)"
IS_COUNTED = f"({IS_COMPLETED} and status in ('failed', 'rolled_back', 'succeeded'))"
IS_FAILED = f"({IS_COUNTED} and coalesce(failed_at <= $as_of, false))"
IS_ROLLED_BACK = f"({IS_COUNTED} and coalesce(rolled_back_at <= $as_of, false))"
IS_REWORK = "(lower(change_type) = 'emergency' or rollback_of is not null)"
PLACED_AT = f"case when {IS_COMPLETED} then completed_at else started_at end"
HAS_PROXIES = "select coalesce(bool_or(is_proxy), false) from fct_deployments"
IS_LINK_KNOWN = "coalesce(link_known_at <= $as_of, false)"
IS_EXISTING = "coalesce(first_seen_at <= $as_of, true)"  # listed in its own table, without a date: always known

SERVICES = f"select service, team from dim_services where {IS_EXISTING} order by service"
ENVIRONMENTS = f"select environment, is_production, cost_per_hour from dim_environments where {IS_EXISTING} order by 1"
DEPLOYED = "select distinct service, environment from fct_deployments where started_at <= $as_of"
PROXIES = """
select count(*) filter (is_proxy) as proxies, count(*) as deployments
from fct_deployments
where started_at <= $as_of and (service = $service or $service is null) and {places}
"""
DEFINITIONS = "select metric, definition from metric_definitions"
FIRST_COUNTED = f"select min(completed_at) from fct_deployments where {IS_COUNTED} and {{places}}"
FIRST_KNOWN = """
select least(
    (select min(started_at) from fct_deployments),
    (select min(started_at) from fct_incidents),
    (select min(known_at) from fct_changes),
    (select min(started_at) from fct_environment_usage)) as first_at
"""


@dataclass(frozen=True)
class Scope:
    """Which rows a question is about, and what they are grouped by.

    Parameters
    ----------
    environment
        "production" for every environment of that kind, a name for that one alone, None for all.
    service, team
        Only these; None for all.
    by
        One row of results per service, environment, team or week; None for one row.
    has_proxies
        Whether any deployment stands in for one that nobody recorded.
    """

    environment: str | None
    service: str | None
    team: str | None
    by: By | None
    has_proxies: bool = True

    def places(self, environment: str = "environment", is_production: str = "is_production") -> str:
        """The condition on the environment, as SQL over the columns named."""
        if self.environment is None:
            return "true"
        return is_production if self.environment == "production" else f"{environment} = $environment"

    def owners(self) -> str:
        """The condition on service and team, as SQL."""
        conditions = [f"{name} = ${name}" for name in ("service", "team") if getattr(self, name) is not None]
        return " and ".join(conditions) or "true"

    def key(self, environment: str = "environment") -> str:
        """The column by which rows are grouped, as SQL."""
        keys = {"service": "service", "team": "team", "environment": environment, "week": "week_at"}
        return keys[self.by] if self.by else "'all'"

    def weeks(self) -> str:
        """The table of weeks, by their starts, where the question is by week."""
        return "weeks as (select unnest($week_starts::timestamp[]) as week_at)," if self.by == "week" else ""

    def in_week(self, rows: str, instant: str) -> str:
        """The rows, each with the week that its instant lies in where the question is by week."""
        if self.by != "week":
            return rows
        return f"(select * from {rows} as dated asof join weeks on dated.{instant} >= weeks.week_at)"


def placed(scope: Scope, columns: str = "*") -> str:
    """The tables `deployments_at` and `placed`: deployments as known, and those of the period, with what each is.

    Completed ones are of the period that they ended in, running ones of that in which they started. The rates of a
    period rest on these rows, and so does every list of them.
    """
    return f"""deployments_at as (
    select {columns}, {PLACED_AT} as placed_at,
        {IS_COMPLETED} as is_completed, {IS_COUNTED} as is_counted, {IS_FAILED} as is_failed,
        {IS_ROLLED_BACK} as is_rolled_back, {IS_REWORK} as is_rework, settled_at > $as_of as is_unsettled
    from fct_deployments
    where started_at <= $as_of and {scope.places()} and {scope.owners()}
),
placed as (
    select * from deployments_at where placed_at >= $period_start and placed_at < $period_end
)"""


def deployments(scope: Scope) -> str:
    """Deployments completed in the period (running ones: started in it), counted by how they ended."""
    return f"""
with {scope.weeks()}
{placed(scope, "service, team, environment, status, is_proxy")}
select {scope.key()} as key,
    count(*) filter (is_counted) as counted,
    count(*) filter (is_counted and status != 'failed') as landed,
    count(*) filter (is_counted and status = 'failed') as failed_by_status,
    count(*) filter (is_failed) as failed,
    count(*) filter (is_rolled_back) as rolled_back,
    count(*) filter (is_counted and is_rework) as rework,
    count(*) filter (is_completed and status = 'cancelled') as cancelled,
    count(*) filter (not is_completed) as running,
    count(*) filter (is_counted and is_unsettled and not is_failed) as unsettled,
    count(*) filter (is_counted and is_unsettled and not is_rolled_back) as not_yet_rolled_back,
    count(*) filter (is_counted and is_proxy) as proxies,
    count(*) filter (is_counted and status != 'failed' and is_proxy) as landed_proxies
from {scope.in_week("placed", "placed_at")}
group by all
"""


def lead_times(scope: Scope) -> str:
    """Hours from authored to landed, over the changes that landed in the period; and the changes still open.

    A change is open in the period it was authored in. Where the question is by environment, a change that has not
    landed in one is open there, whether or not it was ever tried there. After a failure the next landing counts: in
    any production environment where all of them are asked about together, else in the same one.
    """
    grain = "environment, change_id" if scope.by == "environment" else "change_id"
    owner = f"any_value({scope.by}) as {scope.by}," if scope.by in ("service", "team") else ""
    following = "next" if scope.environment == "production" and scope.by != "environment" else "environment_next"
    by_proxy, is_proxy = proxies_landed(following) if scope.has_proxies else ("", "false")
    return f"""
with {scope.weeks()}
changes_at as (
    select *, {scope.places()} as is_in_scope {by_proxy}
    from fct_changes
    where known_at <= $as_of and {scope.owners()}
),
landings as (
    select {grain}, {owner} any_value(authored_at) as authored_at,
        coalesce(min(landed_at) filter (is_in_scope and landed_at <= $as_of),
            min({following}_landed_at) filter (is_in_scope and {following}_known_at <= $as_of)) as landed_at,
        {is_proxy} as is_proxy
    from changes_at
    group by {grain}
),
landed as (
    select *, (epoch_us(landed_at) - epoch_us(authored_at)) / 3.6e9 as hours
    from landings
    where landed_at >= $period_start and landed_at < $period_end
),
authored as (
    select * from landings where authored_at >= $period_start and authored_at < $period_end
),
spans as (
    select {scope.key()} as key, list_sort(list(hours) filter (hours >= 0)) as hours,
        count(*) filter (hours < 0) as negative, count(*) filter (hours >= 0 and is_proxy) as proxies
    from {scope.in_week("landed", "landed_at")}
    group by all
),
medians as (
    select key, negative, proxies, {median("hours")} from spans
),
still_open as (
    {open_by_environment(scope) if scope.by == "environment" else open_changes(scope)}
)
select key, coalesce(any_value(n), 0) as n, any_value(median) as median, any_value(low) as low, any_value(high) as high,
    coalesce(any_value(negative), 0) as negative, coalesce(any_value(open), 0) as open,
    coalesce(any_value(proxies), 0) as proxies
from (from medians union all by name from still_open)
group by key
"""


def proxies_landed(following: str) -> tuple[str, str]:
    """Columns that say of each landing whether nobody recorded it, and of those of one change what the first says."""
    proxies = "(select deployment_id from fct_deployments where is_proxy)"
    columns = f""", landed_deployment_id in {proxies} as is_by_proxy,
        {following}_landed_deployment_id in {proxies} as is_next_by_proxy"""
    first = f"""coalesce(arg_min(is_by_proxy, landed_at) filter (is_in_scope and landed_at <= $as_of),
            arg_min(is_next_by_proxy, {following}_landed_at) filter (is_in_scope and {following}_known_at <= $as_of))"""
    return columns, first


def open_changes(scope: Scope) -> str:
    return f"""
    select {scope.key()} as key, count(*) filter (landed_at is null) as open
    from {scope.in_week("authored", "authored_at")}
    group by all"""


def open_by_environment(scope: Scope) -> str:
    return f"""
    select places.environment as key, (select count(distinct change_id) from authored) - count(change_id) as open
    from (select environment from dim_environments where {IS_EXISTING} and {scope.places()}) as places
    left join authored on authored.environment = places.environment and landed_at is not null
    group by all"""


def median(values: str) -> str:
    """Columns n, median, low and high of a sorted list."""
    rank = median_rank_sql(f"len({values})")
    return f"""coalesce(len({values}), 0) as n,
        ({values}[(len({values}) + 1) // 2] + {values}[len({values}) // 2 + 1]) / 2 as median,
        {values}[{rank}] as low, {values}[len({values}) + 1 - {rank}] as high"""


def recoveries(scope: Scope) -> str:
    """Hours to recovery of the failed deployments completed in the period, by metric.

    Durations still running at `$as_of` are left out of the median and censored in the Kaplan-Meier one.
    """
    return f"""
with {scope.weeks()}
linked as (
    select cause_deployment_id as deployment_id, min(started_at) as first_at, max(resolved_at) as last_at,
        bool_or(resolved_at is null or resolved_at > $as_of) as is_open
    from fct_incidents
    where cause_deployment_id is not null and started_at <= $as_of and {IS_LINK_KNOWN}
    group by all
),
failures as (
    select service, team, environment, completed_at, first_at, last_at, is_open, is_proxy
    from fct_deployments left join linked using (deployment_id)
    where started_at <= $as_of and {IS_FAILED} and {scope.places()} and {scope.owners()}
        and completed_at >= $period_start and completed_at < $period_end
),
clocks as (
    select {scope.key()} as key, unnest([
        {{'metric': 'failed_deployment_recovery', 'from_at': least(completed_at, first_at)}},
        {{'metric': 'recovery_from_incident', 'from_at': first_at}}
    ], recursive := true), first_at is null as is_without, coalesce(is_open, false) as is_open, is_proxy,
        case when is_open then $as_of else last_at end as until_at
    from {scope.in_week("failures", "completed_at")}
),
durations as (
    select metric, key, is_without, is_open, is_proxy, (epoch_us(until_at) - epoch_us(from_at)) / 3.6e9 as hours
    from clocks
),
steps as (
    select metric, key, hours, count(*) as ending, count(*) filter (not is_open) as recovered
    from durations
    where not is_without
    group by all
),
at_risk as (
    select *, sum(ending) over (partition by metric, key order by hours desc) as at_risk from steps
),
survival as (
    select metric, key, hours, product(1 - recovered / at_risk) over (partition by metric, key order by hours) as share
    from at_risk
),
kaplan_meier as (
    select metric, key, min(hours) as km_median from survival where share <= 0.5 + 1e-9 group by all
),
grouped as (
    select metric, key, list_sort(list(hours) filter (not is_without and not is_open)) as hours,
        count(*) filter (is_open) as open, count(*) filter (is_without) as without,
        count(*) filter (not is_without and not is_open and is_proxy) as proxies
    from durations
    group by all
)
select grouped.metric, grouped.key, {median("hours")}, open, without, proxies, km_median
from grouped left join kaplan_meier on grouped.metric = kaplan_meier.metric
    and grouped.key is not distinct from kaplan_meier.key
"""


def incidents(scope: Scope) -> str:
    """Incidents that began in the period: all, those laid to no deployment, and those a window would lay to one.

    One that names no place happened in production: in the environment of that name, else in `$unplaced`.
    """
    return f"""
with {scope.weeks()}
incidents_at as (
    select service, team, started_at, is_environment_given, environment, is_production, window_deployment_id,
        {IS_LINK_KNOWN} as is_link_known, case when {IS_LINK_KNOWN} then cause_deployment_id end as cause
    from fct_incidents
    where started_at >= $period_start and started_at < $period_end and started_at <= $as_of and {scope.owners()}
),
causes as (
    select deployment_id as cause from fct_deployments
    where started_at <= $as_of and deployment_id in (select cause from incidents_at)
),
judged as (
    select service, team, started_at, causes.cause is not null as is_attributed,
        window_deployment_id is not null as is_in_window,
        case when is_environment_given or is_link_known then environment else 'production' end as said_place,
        case when said_place in (select environment from dim_environments) then said_place else $unplaced end as place,
        is_production or not (is_environment_given or is_link_known) as is_in_production
    from incidents_at left join causes using (cause)
),
placed as (
    select * from judged where {scope.places("place", "is_in_production")}
)
select {scope.key("place")} as key, count(*) as incidents,
    count(*) filter (not is_attributed) as unattributed,
    count(*) filter (not is_attributed and is_in_window) as in_window
from {scope.in_week("placed", "started_at")}
group by all
"""


def idle(scope: Scope) -> str:
    """Hours in which the environments were in no use, between the starts and ends of `$span_starts`, `$span_ends`."""
    return f"""
with {use_spells(scope)},
spans as (
    select unnest($span_keys) as span_key, unnest($span_starts) as span_start, unnest($span_ends) as span_end
),
covered as (
    select environment, span_key, count(*) as spells,
        sum(epoch_us(least(ended_at, span_end)) - epoch_us(greatest(started_at, span_start))) / 3.6e9 as hours
    from spells join spans on started_at < span_end and ended_at > span_start
    group by all
),
idle as (
    select environment, span_key, cost_per_hour, coalesce(spells, 0) as spells,
        (epoch_us(span_end) - epoch_us(span_start)) / 3.6e9 as span_hours,
        span_hours - coalesce(hours, 0) as idle_hours
    from environments cross join spans left join covered using (environment, span_key)
)
select {"environment" if scope.by == "environment" else "span_key"} as key, sum(idle_hours) as idle_hours,
    sum(span_hours) as span_hours, sum(spells)::bigint as spells,
    case when count(*) = count(cost_per_hour) then sum(idle_hours * cost_per_hour) end as cost
from idle
group by all
"""


def idle_spells(scope: Scope) -> str:
    """The stretches of the period, longer than a day, in which an environment was in no use; the longest first."""
    return f"""
with {use_spells(scope)},
edges as (
    select environment, started_at, ended_at from spells
    union all
    select environment, $known_end, null from environments
),
gaps as (
    select environment,
        coalesce(lag(ended_at) over (partition by environment order by started_at), $period_start) as idle_from_at,
        started_at as idle_to_at
    from edges
),
clipped as (
    select environment, greatest(idle_from_at, $period_start) as idle_from_at,
        least(idle_to_at, $known_end) as idle_to_at,
        (epoch_us(least(idle_to_at, $known_end)) - epoch_us(greatest(idle_from_at, $period_start))) / 3.6e9 as hours
    from gaps
)
select environment, idle_from_at, idle_to_at, hours, hours * cost_per_hour as cost
from clipped join environments using (environment)
where hours > 24
order by hours desc, environment, idle_from_at
"""


def spells_of_use(scope: Scope) -> str:
    """The stretches of use that touch [`$shown_from`, `$known_end`), cut to it, of the environments in `$shown`."""
    return f"""
with {use_spells(scope)}
select environment, greatest(started_at, $shown_from) as started_at, least(ended_at, $known_end) as ended_at
from spells
where ended_at > $shown_from and started_at < $known_end and list_contains($shown::varchar[], environment)
order by started_at, environment
"""


def use_spells(scope: Scope) -> str:
    """The tables `environments` and `spells`: each environment's stretches of use that touch the period.

    Uses that overlap become one spell. Deployments come first in packs: all that start within one length of
    occupancy of each other overlap, so a pack is one use from its first start to its last end.
    """
    return f"""environments as (
    select environment, cost_per_hour from dim_environments where {IS_EXISTING} and {scope.places()}
),
uses as (
    select environment, source, started_at, least(coalesce(ended_at, $as_of), $as_of) as ended_at
    from fct_environment_usage
    where started_at <= $as_of and {scope.places()}
        and started_at < $period_end and coalesce(ended_at, $as_of) > $period_start
),
packs as (
    select environment, min(started_at) as started_at, max(ended_at) as ended_at
    from uses
    where source = 'deployment' and $occupancy_us > 0
    group by environment, epoch_us(started_at) // $occupancy_us
    union all
    select environment, started_at, ended_at from uses where source != 'deployment' or $occupancy_us = 0
),
marked as (
    select environment, started_at, ended_at,
        started_at > max(ended_at) over (
            partition by environment order by started_at, ended_at rows between unbounded preceding and 1 preceding
        ) as is_apart
    from packs
),
numbered as (
    select environment, started_at, ended_at,
        count(*) filter (is_apart) over (
            partition by environment order by started_at, ended_at rows unbounded preceding
        ) as spell
    from marked
),
spells as (
    select environment, min(started_at) as started_at, max(ended_at) as ended_at
    from numbered
    group by environment, spell
)"""


def unwatched(scope: Scope) -> str:
    """The environments in scope of whose use no session is known: only deployments speak for them."""
    return f"""
select environment from dim_environments where {IS_EXISTING} and {scope.places()} and environment not in (
    select environment from fct_environment_usage where source = 'session' and started_at <= $as_of)
order by 1
"""
