"""The deployments behind a number: those of a period, with what each was counted as, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from shipcast.answers.answer import Instant, Number, Part, optional_utc
from shipcast.answers.metric_queries import IS_LINK_KNOWN, Scope, placed
from shipcast.answers.metrics import PRODUCTION, asked
from shipcast.answers.reading import Reader
from shipcast.answers.tables import CUTS
from shipcast.settings.errors import UsageError

MOST = 200
KINDS: Mapping[str, str] = {  # which of them, as SQL
    "all": "true",
    "counted": "is_counted",
    "landed": "is_counted and status != 'failed'",
    "failed": "is_failed",
    "rolled back": "is_rolled_back",
    "rework": "is_counted and is_rework",
    "unsettled": "is_counted and is_unsettled and not is_failed",
    "left out": "not is_counted",
}
BEHIND: Mapping[str, str] = {  # what a metric counts, or has the median of
    "deployments": "counted",
    "deployment_frequency": "landed",
    "lead_time": "landed",
    "change_failure_rate": "failed",
    "failed_deployment_recovery": "failed",
    "recovery_from_incident": "failed",
    "rework_rate": "rework",
    "rollback_rate": "rolled back",
    "success_rate": "counted",
}
COLUMNS = (
    "deployment_id, service, environment, started_at, completed_at, change_type, rollback_of, lines_changed, status, "
    f"{CUTS['fct_deployments'].instead['status']} as status_known"
)
# As far as it was known which deployment caused an incident.
LAID = f"""
select cause_deployment_id as deployment_id, list(incident_id order by started_at, incident_id) as incidents,
    min(started_at) as first_at, max(resolved_at) as last_at,
    bool_or(resolved_at is null or resolved_at > $as_of) as is_open
from fct_incidents
where cause_deployment_id is not null and started_at <= $as_of and {IS_LINK_KNOWN}
group by all
"""


class DeploymentItem(Part):
    """A deployment as it was known, and what it counted as.

    Parameters
    ----------
    status
        running, succeeded, failed, rolled_back or cancelled.
    completed_at
        Null: it was running.
    is_unsettled
        Whether it is counted, had not failed, and still may.
    incidents
        Those laid to it, the first first.
    restore_hours
        From its end, or its first incident if that came before, to the end of the last one; null: it has none, or one
        that is open.
    """

    deployment_id: str
    service: str
    environment: str
    started_at: Instant
    completed_at: Instant | None
    status: str
    change_type: str | None
    lines: int | None
    is_counted: bool
    is_failed: bool
    is_rolled_back: bool
    is_rework: bool
    is_unsettled: bool
    incidents: tuple[str, ...]
    restore_hours: Number | None
    is_open: bool


@dataclass(frozen=True)
class DeploymentList:
    """The newest deployments of a kind, and how many there are."""

    items: tuple[DeploymentItem, ...]
    total: int


def deployment_list(
    reader: Reader,
    *,
    kind: str = "all",
    service: str | None = None,
    team: str | None = None,
    environment: str = PRODUCTION,
    period_from: date | None = None,
    period_to: date | None = None,
    most: int = MOST,
    begin: int = 0,
) -> DeploymentList:
    """The deployments that `metrics` rests on for the same question, the newest first.

    Parameters
    ----------
    kind
        One of `KINDS`.
    begin, most
        How many of the newest to leave out, and how many of the others at most.

    Raises
    ------
    UsageError
        The period is empty, or there is no such kind.
    UnknownName
        No such service, team or environment; the nearest known ones are named.
    """
    if kind not in KINDS:
        raise UsageError(f"Deployments are listed as {', '.join(KINDS)}. Got {kind!r}.")
    scope = Scope(environment, service, team, None)
    question = asked(reader, scope, None, period_from, period_to)
    rows = reader.records(list_query(scope, KINDS[kind]), **question.parameters(reader), most=most, begin=begin)
    return DeploymentList(tuple(listed(row) for row in rows), rows[0]["total"] if rows else 0)


def list_query(scope: Scope, condition: str) -> str:
    return f"""
with {placed(scope, COLUMNS)},
laid as ({LAID})
select deployment_id, service, environment, started_at, if(is_completed, completed_at, null) as completed_at,
    status_known as status, lower(change_type) as change_type, lines_changed as lines, is_counted, is_failed,
    is_rolled_back, coalesce(is_counted and is_rework, false) as is_rework,
    coalesce(is_counted and is_unsettled and not is_failed, false) as is_unsettled,
    coalesce(incidents, []) as incidents, coalesce(is_open, false) as is_open,
    case when not is_open then (epoch_us(last_at) - epoch_us(least(completed_at, first_at))) / 3.6e9 end
        as restore_hours,
    count(*) over () as total
from placed left join laid using (deployment_id)
where {condition}
order by started_at desc, deployment_id
limit $most offset $begin
"""


def listed(row: Mapping[str, Any]) -> DeploymentItem:
    found = {name: value for name, value in row.items() if name != "total"}
    found |= {name: optional_utc(row[name]) for name in ("started_at", "completed_at")}
    return DeploymentItem(**{**found, "incidents": tuple(row["incidents"])})
