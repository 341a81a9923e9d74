"""What programs ask for row by row: services, environments, deployments, incidents, sources, and what clashes."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field

from shipcast.answers.answer import Answer, Count, Instant, Number, Part, optional_utc
from shipcast.answers.calendar import in_force
from shipcast.answers.data_health import Newest, data_health
from shipcast.answers.deployment import CarriedItem, DeploymentFacts, EventItem, LaidItem, story
from shipcast.answers.deployment_list import MOST, DeploymentItem, deployment_list
from shipcast.answers.entries import ConflictItem
from shipcast.answers.metric_queries import IS_EXISTING, IS_LINK_KNOWN, Scope
from shipcast.answers.metrics import PRODUCTION, asked
from shipcast.answers.operations import envelope
from shipcast.answers.periods import days_said
from shipcast.answers.reading import Reader
from shipcast.answers.words import plural
from shipcast.scheduling.calendar.scope import Subject
from shipcast.settings import Settings

SERVICES = f"""
select service, team, business_zone, coalesce(regions, []) as regions, tier, criticality, architecture,
    coalesce(depends_on, []) as depends_on
from dim_services where {IS_EXISTING} order by service
"""
ENVIRONMENTS = f"""
select environment, kind, is_production, cost_per_hour, capacity, region
from dim_environments where {IS_EXISTING} order by environment
"""


class ServiceItem(Part):
    """A service as the data describes it; null: it does not say."""

    service: str
    team: str | None
    business_zone: str | None
    regions: tuple[str, ...]
    tier: str | None
    criticality: str | None
    architecture: str | None
    depends_on: tuple[str, ...]


class ServicesAnswer(Answer):
    """The services known at `as_of`."""

    schema_name: Literal["shipcast/services/1"] = Field("shipcast/services/1", alias="schema")
    items: tuple[ServiceItem, ...]


def services(reader: Reader) -> ServicesAnswer:
    rows = reader.records(SERVICES)
    return ServicesAnswer(
        **reader.envelope(),
        sentence=f"{plural(len(rows), 'service')} {is_are(len(rows))} known.",
        items=tuple(ServiceItem(**row) for row in rows),
        warnings=tuple(reader.warnings()),
    )


def is_are(number: int) -> str:
    return "is" if number == 1 else "are"


class EnvironmentItem(Part):
    """An environment as the data describes it; null: it does not say."""

    environment: str
    kind: str | None
    is_production: bool
    cost_per_hour: Number | None
    capacity: Count | None
    region: str | None


class EnvironmentsAnswer(Answer):
    """The environments known at `as_of`."""

    schema_name: Literal["shipcast/environments/1"] = Field("shipcast/environments/1", alias="schema")
    items: tuple[EnvironmentItem, ...]


def environments(reader: Reader) -> EnvironmentsAnswer:
    rows = reader.records(ENVIRONMENTS)
    return EnvironmentsAnswer(
        **reader.envelope(),
        sentence=f"{plural(len(rows), 'environment')} {is_are(len(rows))} known.",
        items=tuple(EnvironmentItem(**{**row, "is_production": bool(row["is_production"])}) for row in rows),
        warnings=tuple(reader.warnings()),
    )


class DeploymentsAnswer(Answer):
    """The deployments of a period that `metrics` rests on, the newest first.

    Parameters
    ----------
    kind
        Which of them: all, counted, landed, failed, rolled back, rework, unsettled, left out.
    total
        How many there are, of which these may be a part.
    """

    schema_name: Literal["shipcast/deployments/1"] = Field("shipcast/deployments/1", alias="schema")
    kind: str
    items: tuple[DeploymentItem, ...]
    total: Count


def deployments(reader: Reader, *, kind: str = "all", **given: Any) -> DeploymentsAnswer:
    """As `deployment_list` takes them, and raises."""
    listed = deployment_list(reader, kind=kind, **given)
    said = "" if kind == "all" else f" ({kind})"
    return DeploymentsAnswer(
        **reader.envelope(),
        sentence=f"{plural(listed.total, 'deployment')}{said} of the period {is_are(listed.total)} known.",
        kind=kind,
        items=listed.items,
        total=listed.total,
        warnings=tuple(reader.warnings()),
    )


class DeploymentAnswer(Answer):
    """One deployment with all that is known of it.

    Parameters
    ----------
    items
        It alone.
    changes, changes_carried
        The first 200 changes that it carried, and how many there are.
    recovery_hours
        As `failed_deployment_recovery` counts it; null: it does not.
    counted
        What it was counted as and why, in sentences.
    advice
        What had been advised before it, in sentences; empty: nothing was kept.
    """

    schema_name: Literal["shipcast/deployment/1"] = Field("shipcast/deployment/1", alias="schema")
    items: tuple[DeploymentFacts, ...]
    incidents: tuple[LaidItem, ...]
    changes: tuple[CarriedItem, ...]
    changes_carried: Count
    recovery_hours: Number | None
    events: tuple[EventItem, ...]
    counted: tuple[str, ...]
    advice: tuple[str, ...]


def deployment(reader: Reader, *, deployment_id: str) -> DeploymentAnswer:
    """
    Raises
    ------
    UnknownName
        None of that id was known; those that read alike are named.
    """
    told = story(reader, deployment_id)
    return DeploymentAnswer(
        **reader.envelope(),
        sentence=told.sentence,
        items=(told.facts,),
        incidents=told.incidents,
        changes=told.changes,
        changes_carried=told.leads.carried,
        recovery_hours=told.recovery_hours,
        events=told.events,
        counted=told.counted,
        advice=told.advice,
        warnings=tuple(reader.warnings()),
    )


class IncidentItem(Part):
    """An incident as it was known.

    Parameters
    ----------
    environment
        Null: it does not say, and no deployment is known that does.
    resolved_at
        Null: it was open.
    deployment_id
        The deployment that it is laid to; null: none was known.
    """

    incident_id: str
    service: str
    environment: str | None
    severity: str | None
    started_at: Instant
    resolved_at: Instant | None
    deployment_id: str | None


class IncidentsAnswer(Answer):
    """The incidents that started in a period, the newest first; `total`: how many there are in all."""

    schema_name: Literal["shipcast/incidents/1"] = Field("shipcast/incidents/1", alias="schema")
    items: tuple[IncidentItem, ...]
    total: Count


def incidents(
    reader: Reader,
    *,
    service: str | None = None,
    team: str | None = None,
    period_from: date | None = None,
    period_to: date | None = None,
    begin: int = 0,
    most: int = MOST,
) -> IncidentsAnswer:
    """
    Parameters
    ----------
    begin, most
        As of `deployment_list`.
    period_from, period_to
        As of `metrics`.

    Raises
    ------
    UsageError
        The period is empty.
    UnknownName
        No such service or team.
    """
    scope = Scope(PRODUCTION, service, team, None)
    question = asked(reader, scope, None, period_from, period_to)
    rows = reader.records(
        f"""
select incident_id, service, environment, severity, started_at,
    if(resolved_at > $as_of, null, resolved_at) as resolved_at,
    if({IS_LINK_KNOWN}, cause_deployment_id, null) as deployment_id, count(*) over () as total
from fct_incidents
where started_at <= $as_of and started_at >= $period_start and started_at < $period_end and {scope.owners()}
order by started_at desc, incident_id
limit $most offset $begin
""",
        **question.parameters(reader),
        begin=begin,
        most=most,
    )
    total = rows[0]["total"] if rows else 0
    period = days_said(question.period, question.zone)
    return IncidentsAnswer(
        **reader.envelope(),
        sentence=f"{plural(total, 'incident')} started {period}.",
        items=tuple(incident(row) for row in rows),
        total=total,
        warnings=tuple(reader.warnings()),
    )


def incident(row: dict[str, Any]) -> IncidentItem:
    aware = {name: optional_utc(row[name]) for name in ("started_at", "resolved_at")}
    return IncidentItem(**{name: value for name, value in {**row, **aware}.items() if name != "total"})


class LoadedItem(Part):
    """What became of one table of one source, over all loads.

    Parameters
    ----------
    file
        Where it came from: a file, a repository, a service that was asked.
    loads, loaded_at
        In how many loads it came, and when in the last.
    age_hours
        From then to `as_of`; of a load after that null.
    refused
        Why the last load refused it as a whole; null: it did not.
    newest_at, is_stale
        The newest record of the table that was known at `as_of`, and whether that is older than `stale_days`.
    """

    table: str | None
    file: str | None
    loads: Count
    loaded_at: Instant
    age_hours: Number | None
    read: Count
    quarantined: Count
    refused: str | None
    newest_at: Instant | None
    is_stale: bool


class LoadsAnswer(Answer):
    """Where the published data comes from, and how old it is; the last 200 files, the newest first."""

    schema_name: Literal["shipcast/loads/1"] = Field("shipcast/loads/1", alias="schema")
    items: tuple[LoadedItem, ...]


def loads(reader: Reader) -> LoadsAnswer:
    health = data_health(reader)
    newest = {one.table: one for one in health.newest}
    items = []
    for one in health.files:
        table = newest.get(one.table, Newest(one.table, 0, None, False))
        hours = (reader.as_of - one.loaded_at).total_seconds() / 3600
        items.append(
            LoadedItem(
                table=one.table,
                file=one.file,
                loads=one.loads,
                loaded_at=one.loaded_at,
                age_hours=hours if hours >= 0 else None,
                read=one.read,
                quarantined=one.quarantined,
                refused=one.refused,
                newest_at=table.at,
                is_stale=table.is_stale,
            )
        )
    return LoadsAnswer(
        **reader.envelope(), sentence=health.sentence, items=tuple(items), warnings=tuple(health.warnings)
    )


class ConflictsAnswer(Answer):
    """What stands against what is booked in a period."""

    schema_name: Literal["shipcast/conflicts/1"] = Field("shipcast/conflicts/1", alias="schema")
    items: tuple[ConflictItem, ...]
    period_start: Instant
    period_end: Instant


def standing_conflicts(
    settings: Settings, as_of: datetime, *, since: datetime, until: datetime, subject: Subject | None = None
) -> ConflictsAnswer:
    """As `in_force` names them, and raises."""
    listed = in_force(settings, as_of, since, until, subject=subject)
    count = len(listed.conflicts)
    return ConflictsAnswer(
        **envelope(as_of, listed.data_as_of),
        sentence=f"{plural(count, 'conflict')} of what is booked {is_are(count)} named.",
        items=listed.conflicts,
        period_start=since,
        period_end=until,
        warnings=listed.warnings,
    )
