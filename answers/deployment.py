"""What became of one deployment: when what happened, what it carried, and what it was counted as and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from shipcast.answers.advice import AdvisedStart, kept
from shipcast.answers.answer import Instant, Number, Part, optional_utc
from shipcast.answers.decision_quality import STARTED, Decision, decisions
from shipcast.answers.errors import UnknownName
from shipcast.answers.metric_queries import IS_COUNTED, IS_FAILED, IS_LINK_KNOWN, IS_REWORK, IS_ROLLED_BACK
from shipcast.answers.reading import Reader
from shipcast.answers.tables import CUTS, cut_query
from shipcast.answers.words import hours, in_hundred, listing, local_time, plural

MOST_CHANGES = 200
LIKE = 5
TOTALS = ("carried", "ended", "median_hours")
HOUR = timedelta(hours=1)
ADVICE_REACHES = timedelta(days=45)  # from a question to a week after the farthest start that it may advise
INSTANTS = ("started_at", "finished_at", "completed_at", "failed_at", "rolled_back_at")
FACTS = f"""
with deployments as ({cut_query("fct_deployments", CUTS["fct_deployments"])})
select deployment_id, deployments.service, deployments.team, deployments.environment, is_production, status,
    started_at, finished_at, completed_at, failed_at, deployments.rolled_back_at,
    if(deployments.rolled_back_at is null, null, rolled_back_by) as rolled_back_by, rollback_of,
    version, commit_sha, lower(change_type) as change_type, strategy, requested_by, approved_by, deployed_by,
    lines_changed as lines, files_changed as files, commits, is_proxy, is_landed,
    {IS_COUNTED} as is_counted, {IS_FAILED.replace("rolled_back_at", "deployments.rolled_back_at")} as is_failed,
    {IS_ROLLED_BACK.replace("rolled_back_at", "deployments.rolled_back_at")} as is_rolled_back,
    coalesce({IS_REWORK}, false) as is_rework, settled_at is not null as is_settled
from deployments left join (select deployment_id, rolled_back_by from fct_rollbacks) using (deployment_id)
where deployment_id = $deployment
"""
ALIKE = """
select deployment_id from fct_deployments
where started_at <= $as_of
order by jaro_winkler_similarity(lower(deployment_id), lower($deployment)) desc, started_at desc, deployment_id
limit $most
"""
INCIDENTS = f"""
select incident_id, severity, started_at, if(resolved_at > $as_of, null, resolved_at) as resolved_at
from fct_incidents
where cause_deployment_id = $deployment and started_at <= $as_of and {IS_LINK_KNOWN}
order by started_at, incident_id
"""
# Where changes went live is decided as the lead time decides it, over all of production.
CHANGES = """
with carried as (
    select distinct change_id from fct_changes
    where known_at <= $as_of and (
        (landed_deployment_id = $deployment and landed_at <= $as_of)
        or (next_landed_deployment_id = $deployment and next_known_at <= $as_of)
        or (commit_sha = $commit and service = $service)
    )
),
landings as (
    select change_id, any_value(authored_at) as authored_at, any_value(merged_at) as merged_at,
        min(landed_at) filter (is_production and landed_at <= $as_of) as first_at,
        arg_min(landed_deployment_id, landed_at) filter (is_production and landed_at <= $as_of) as first_by,
        min(next_landed_at) filter (is_production and next_known_at <= $as_of) as next_at,
        arg_min(next_landed_deployment_id, next_landed_at) filter (is_production and next_known_at <= $as_of) as next_by
    from fct_changes
    where known_at <= $as_of and change_id in (select change_id from carried)
    group by change_id
),
live as (
    select change_id, authored_at, merged_at, coalesce(first_at, next_at) as live_at,
        if(first_at is null, next_by, first_by) as live_by,
        (epoch_us(live_at) - epoch_us(authored_at)) / 3.6e9 as lead_hours
    from landings
)
select *, count(*) over () as carried, count(*) filter (live_by = $deployment) over () as ended,
    median(lead_hours) filter (live_by = $deployment and lead_hours >= 0) over () as median_hours
from live
order by authored_at, change_id
limit $most
"""


class LaidItem(Part):
    """An incident that counts against a deployment; `resolved_at` null: it was open."""

    incident_id: str
    severity: str | None
    started_at: Instant
    resolved_at: Instant | None


class CarriedItem(Part):
    """A change that a deployment carried.

    Parameters
    ----------
    live_at, live_by
        When it first was in production, and by which deployment; null: it was not yet.
    lead_hours
        From authored to live; null: it was not.
    """

    change_id: str
    authored_at: Instant
    merged_at: Instant | None
    live_at: Instant | None
    live_by: str | None
    lead_hours: Number | None


@dataclass(frozen=True)
class Leads:
    """How many changes a deployment carried, of how many the lead time ended with it, and the median of these; null:
    there is none, but for negative ones.
    """

    carried: int = 0
    ended: int = 0
    median_hours: float | None = None


class EventItem(Part):
    """What happened to a deployment, and when."""

    at: Instant
    what: str


class DeploymentFacts(Part):
    """A deployment as it was known; null: not known, or not yet.

    Parameters
    ----------
    status
        As known then: running, succeeded, failed, rolled_back or cancelled.
    zone
        The clock that its service keeps to.
    is_counted
        Whether it goes into rates of its environment, as failed and as rolled back where it is that.
    is_settled
        Whether that is for good.
    """

    deployment_id: str
    service: str
    team: str | None
    environment: str
    is_production: bool
    status: str
    started_at: Instant
    finished_at: Instant | None
    completed_at: Instant | None
    failed_at: Instant | None
    rolled_back_at: Instant | None
    rolled_back_by: str | None
    rollback_of: str | None
    version: str | None
    commit_sha: str | None
    change_type: str | None
    strategy: str | None
    requested_by: str | None
    approved_by: str | None
    deployed_by: str | None
    lines: int | None
    files: int | None
    commits: int | None
    is_proxy: bool
    is_landed: bool
    is_counted: bool
    is_failed: bool
    is_rolled_back: bool
    is_rework: bool
    is_settled: bool
    zone: str


@dataclass(frozen=True)
class Story:
    """One deployment with all that is known of it.

    Parameters
    ----------
    changes, leads
        The first 200 of those it carried, as far as that is known: those that went live with it, and those of its
        commit; and how many there are in all, how many of these first went live with it, and their median lead time.
    recovery_hours
        As `failed_deployment_recovery` counts it; null: it does not.
    events
        What happened when, in order.
    counted
        What it was counted as and why, in sentences.
    advice
        What had been advised before it, in sentences; empty: nothing was kept.
    """

    facts: DeploymentFacts
    incidents: tuple[LaidItem, ...]
    changes: tuple[CarriedItem, ...]
    leads: Leads
    recovery_hours: float | None
    events: tuple[EventItem, ...] = ()
    counted: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    sentence: str = ""


def story(reader: Reader, deployment_id: str) -> Story:
    """What was known of a deployment at the reader's `as_of`.

    Raises
    ------
    UnknownName
        None of that id was known; those that read alike are named.
    """
    facts = facts_of(reader, deployment_id)
    incidents = tuple(LaidItem(**aware(row)) for row in reader.records(INCIDENTS, deployment=deployment_id))
    changes, leads = changes_of(reader, facts)
    found = Story(facts, incidents, changes, leads, recovery_hours(facts, incidents))
    return replace(
        found,
        events=tuple(sorted(events(found), key=lambda event: event.at)),
        counted=tuple(counted(reader, found)),
        advice=tuple(advice_said(reader, facts)),
        sentence=sentence(reader, found),
    )


def facts_of(reader: Reader, deployment_id: str) -> DeploymentFacts:
    rows = reader.records(FACTS, deployment=deployment_id)
    if not rows:
        alike = [name for (name,) in reader.rows(ALIKE, deployment=deployment_id, most=LIKE)]
        raise UnknownName("deployment", deployment_id, alike)
    history = reader.history(rows[0]["environment"])
    zones = dict(history.services().select("service", "zone").rows())
    return DeploymentFacts(**aware(rows[0]), zone=zones.get(rows[0]["service"], reader.settings.tz))


def changes_of(reader: Reader, facts: DeploymentFacts) -> tuple[tuple[CarriedItem, ...], Leads]:
    asked = {"deployment": facts.deployment_id, "commit": facts.commit_sha, "service": facts.service}
    rows = [aware(row) for row in reader.records(CHANGES, **asked, most=MOST_CHANGES)]
    if not rows:
        return (), Leads()
    totals = {name: rows[0][name] for name in TOTALS}
    found = [CarriedItem(**{name: value for name, value in row.items() if name not in TOTALS}) for row in rows]
    return tuple(found), Leads(**totals)


def aware(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its instants aware."""
    return {name: optional_utc(value) if name.endswith("_at") else value for name, value in row.items()}


def recovery_hours(facts: DeploymentFacts, incidents: tuple[LaidItem, ...]) -> float | None:
    ends = [one.resolved_at for one in incidents if one.resolved_at is not None]
    if not facts.is_failed or facts.completed_at is None or not incidents or len(ends) < len(incidents):
        return None
    return (max(ends) - min(facts.completed_at, incidents[0].started_at)) / HOUR


def events(found: Story) -> Iterator[EventItem]:
    facts = found.facts
    yield EventItem(at=facts.started_at, what="started")
    if facts.finished_at is not None:
        yield EventItem(at=facts.finished_at, what="ended: landed" if facts.is_landed else f"ended: {facts.status}")
    for one in found.incidents:
        yield EventItem(at=one.started_at, what=f"incident {one.incident_id} began")
        if one.resolved_at is not None:
            yield EventItem(at=one.resolved_at, what=f"incident {one.incident_id} was resolved")
    if facts.rolled_back_at is not None:
        by = f" by {facts.rolled_back_by}" if facts.rolled_back_by else ""
        yield EventItem(at=facts.rolled_back_at, what=f"was known to be rolled back{by}")
    if facts.failed_at is not None and facts.is_counted:
        yield EventItem(at=facts.failed_at, what="counts as failed from here on")


def counted(reader: Reader, found: Story) -> Iterator[str]:
    """What it was counted as and why, in sentences."""
    facts = found.facts
    yield counted_said(facts)
    if not facts.is_counted:
        return
    yield failed_said(reader, found)
    if facts.is_rework:
        why = f"rolls back {facts.rollback_of}" if facts.rollback_of else "is an emergency"
        yield f"It counts as rework: it {why}."
    landed, does = ("landed", "counts") if facts.is_landed else ("never landed", "does not count")
    yield f"It {landed}, so it {does} in the deployment frequency."
    yield from recovery_said(found)
    yield lead_said(found.leads)


def counted_said(facts: DeploymentFacts) -> str:
    if facts.status == "running":
        return "It is left out of every rate while it runs."
    if facts.status == "cancelled":
        return "It is left out of every rate, since it was cancelled."
    place = facts.environment
    if facts.is_production:
        return f"It counts in every rate of production: it was completed in {place}."
    return f"It counts only where {place} is asked about by name: it was completed there, and that is not production."


def failed_said(reader: Reader, found: Story) -> str:
    facts = found.facts
    if not facts.is_failed:
        if facts.is_settled:
            return "It counts as not failed, for good: it has settled."
        settles = (facts.completed_at or facts.started_at) + timedelta(days=reader.facts.settle_days)
        when = local_time(settles, facts.zone, reader.as_of)
        return f"It counts as not failed so far: an incident or a rollback may still change that; it settles on {when}."
    back = "it was rolled back" + (f" by {facts.rolled_back_by}" if facts.rolled_back_by else "")
    number = len(found.incidents)
    reasons = [
        *(["its status says so"] if facts.status == "failed" else []),
        *([back] if facts.is_rolled_back else []),
        *([f"{plural(number, 'incident')} {'is' if number == 1 else 'are'} laid to it"] if number else []),
    ]
    return f"It counts as failed, once, because {listing(reasons)}."


def recovery_said(found: Story) -> list[str]:
    """How long its failure lasted, or why no clock ran."""
    if not found.facts.is_failed:
        return []
    if found.recovery_hours is not None:
        return [f"Its recovery took {hours(found.recovery_hours)}, up to the end of its last incident."]
    if found.incidents:
        return ["Its recovery is not counted yet: an incident is still open."]
    return ["It has no recovery time, since no incident is laid to it."]


def lead_said(leads: Leads) -> str:
    """
    >>> lead_said(Leads(7, 6, 43.55))
    'Of 7 changes that it carried, 6 first went live with it, which ends their lead times: 43.5 h in the median.'
    """
    if not leads.carried:
        return "No change is known that it carried."
    carried = f"Of {plural(leads.carried, 'change')} that it carried"
    if not leads.ended:
        return f"{carried}, none first went live with it."
    middle = "" if leads.median_hours is None else f": {hours(leads.median_hours)} in the median"
    return f"{carried}, {leads.ended:,} first went live with it, which ends their lead times{middle}."


def sentence(reader: Reader, found: Story) -> str:
    """What it was, when, how long it took, and how it ended."""
    facts = found.facts
    when = f"{local_time(facts.started_at, facts.zone, reader.as_of)} ({facts.zone})"
    took = ""
    if facts.finished_at is not None:
        took = f", took {hours((facts.finished_at - facts.started_at) / HOUR)}"
    return f"{facts.deployment_id} shipped {facts.service} to {facts.environment} on {when}{took} and {ended(found)}."


def ended(found: Story) -> str:
    facts = found.facts
    if facts.status in ("running", "cancelled"):
        return "is still running" if facts.status == "running" else "was cancelled"
    if not facts.is_failed:
        return "did not fail" if facts.is_settled else "has not failed so far"
    restored = f", restored after {hours(found.recovery_hours)}" if found.recovery_hours is not None else ""
    return f"{'was rolled back' if facts.is_rolled_back else 'failed'}{restored}"


def advice_said(reader: Reader, facts: DeploymentFacts) -> Iterator[str]:
    """What had been advised before it started, and whether it was followed."""
    decision = decision_of(reader, facts)
    if decision is None:
        return
    advice, clock = decision.advice, (facts.zone, reader.as_of)
    asked = f"{local_time(advice.as_of, *clock)} ({facts.zone})"
    if advice.is_indifferent:
        yield f"`{advice.verb}` was asked at {asked} and said that the time makes no clear difference."
        return
    starts = listing([start_said(start, clock) for start in advice.starts])
    yield f"`{advice.verb}` was asked at {asked} and advised {starts}."
    cost = decision.relative_cost
    usual = "" if cost is None else f", expected to cost {cost * 100:.0f} % of the usual"
    yield f"This start {'followed' if decision.start else 'did not follow'} it{usual}."


def start_said(start: AdvisedStart, clock: tuple[str, datetime]) -> str:
    chance = "" if start.failure_probability is None else f" ({in_hundred(start.failure_probability)} would fail)"
    return f"{local_time(start.start, *clock)}{chance}"


def decision_of(reader: Reader, facts: DeploymentFacts) -> Decision | None:
    """The advice that the deployment is held against; null: none was kept."""
    found = kept(reader.settings.home, min(reader.as_of, facts.started_at)).advice
    own = [one for one in found if one.service == facts.service and one.environment == facts.environment]
    if not own:
        return None
    since = (facts.started_at - ADVICE_REACHES).replace(tzinfo=None)
    rows = [row for row in reader.rows(STARTED, since=since) if row[0] == facts.service]
    held, _ = decisions(own, rows)
    return next((one for one in held if one.started_at == facts.started_at), None)
