"""What each kind of source tells: what an event is about, and the rows that all events of one thing come to.

Deployments and incidents, which are urgent; what a connector reads of changes can wait for the next run. The rows are
those of the connector of the same source, so that either may come first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from shipcast.ingest.errors import FileRefused
from shipcast.ingest.files import listed
from shipcast.ingest.headers import Header, clipped, meanings
from shipcast.ingest.hooks.inbox import Event
from shipcast.ingest.hooks.signatures import is_of_github, is_of_gitlab, is_of_pagerduty, is_standard
from shipcast.ingest.remote.github import course, severity_of
from shipcast.ingest.remote.gitlab import graded
from shipcast.ingest.remote.listing import Record
from shipcast.ingest.remote.pagerduty import is_merged
from shipcast.settings.sources import EventsSource, GithubSource, GitlabSource, PagerdutySource
from shipcast.warehouse.tables import BY_NAME

Headers = Mapping[str, str]
Body = Mapping[str, Any]
Rows = dict[str, list[Record]]
Keys = dict[str, list[str]]


class Unusable(ValueError):
    """Why an event cannot be taken, in words."""


@dataclass(frozen=True)
class Told:
    """What one message says: its id, what happened to what, and when (ISO 8601); and what its sender should know."""

    delivery: str
    kind: str
    subject: str
    happened_at: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """How a kind of source sends its events.

    Parameters
    ----------
    is_signed
        Whether the headers sign the body with a secret.
    told
        What a message says; None: nothing that is of use.
    rows
        The rows that all events of one thing come to, the oldest first.
    gone
        By table, the keys of rows that by these events are none.
    """

    is_signed: Callable[[Headers, bytes, SecretStr], bool]
    told: Callable[[Any, Headers, Body], Told | None]
    rows: Callable[[Any, Sequence[tuple[Event, Body]]], Rows]
    gone: Callable[[Any, Sequence[tuple[Event, Body]]], Keys] = lambda *_: {}


def github_told(source: GithubSource, headers: Headers, body: Body) -> Told | None:
    kind, delivery = headers.get("x-github-event", ""), required(headers, "x-github-delivery")
    if str(part(body, "repository").get("full_name", "")).lower() != source.repository.lower():
        return None
    if kind in ("deployment", "deployment_status"):
        found = part(body, kind)
        subject = f"deployment/{required(part(body, 'deployment'), 'id')}"
        return Told(delivery, kind, subject, instant(found, "updated_at", "created_at"))
    if kind == "issues":
        issue = part(body, "issue")
        return Told(delivery, kind, f"issue/{required(issue, 'number')}", instant(issue, "updated_at"))
    return None


def github_rows(source: GithubSource, events: Sequence[tuple[Event, Body]]) -> Rows:
    if events[0][0].subject.startswith("issue/"):
        return github_incident(source, events[-1][1]["issue"])
    made = events[-1][1]["deployment"]
    statuses = [part(body, "deployment_status") for event, body in events if event.kind == "deployment_status"]
    states = [(str(status["state"]).upper(), instant(status, "created_at")) for status in statuses]
    row = {
        "deployment_id": f"{source.prefix}-{made['id']}",
        "service": source.owned_service,
        "environment": made.get("environment"),
        **course(states, instant(made, "created_at")),
        "commit_sha": made.get("sha"),
        "deployed_by": part(made, "creator").get("login"),
    }
    return {"deployments": [row]}


def github_incident(source: GithubSource, issue: Body) -> Rows:
    labels = [str(label.get("name")) for label in issue.get("labels", ())]
    if not set(labels) & set(source.incident_labels):
        return {}
    row = {
        "incident_id": f"{source.repository}#{issue['number']}",
        "service": source.owned_service,
        "started_at": issue.get("created_at"),
        "resolved_at": issue.get("closed_at"),
        "severity": severity_of(labels),
    }
    return {"incidents": [row]}


def gitlab_told(source: GitlabSource, headers: Headers, body: Body) -> Told | None:
    project = part(body, "project")
    names = (str(project.get("path_with_namespace")).lower(), str(project.get("id")))
    if source.project.lower() not in names:
        return None
    delivery = headers.get("idempotency-key") or required(headers, "x-gitlab-event-uuid")
    if body.get("object_kind") == "deployment":
        subject = f"deployment/{required(body, 'deployment_id')}"
        return Told(delivery, "deployment", subject, instant(body, "status_changed_at"))
    issue = part(body, "object_attributes")
    if body.get("object_kind") in ("issue", "incident") and str(issue.get("type", "")).lower() == "incident":
        return Told(delivery, "incident", f"issue/{required(issue, 'iid')}", instant(issue, "updated_at"))
    return None


GITLAB_ENDED = {"success": "succeeded", "failed": "failed", "canceled": "cancelled"}


def gitlab_rows(source: GitlabSource, events: Sequence[tuple[Event, Body]]) -> Rows:
    if events[0][0].subject.startswith("issue/"):
        issue = events[-1][1]["object_attributes"]
        row: Record = {
            "incident_id": f"{source.project}#{issue['iid']}",
            "service": source.owned_service,
            "started_at": instant(issue, "created_at"),
            "resolved_at": instant(issue, "closed_at") if issue.get("closed_at") else None,
            "severity": graded(issue.get("severity")),
        }
        return {"incidents": [row]}
    states = [(str(body.get("status")), instant(body, "status_changed_at")) for _, body in events]
    begins = [at for state, at in states if state == "running"]
    if not begins and states[-1][0] not in GITLAB_ENDED:
        return {}  # one that waits has not started
    last = events[-1][1]
    commit = str(last.get("commit_url") or "").rstrip("/").rsplit("/", 1)[-1]
    row = {
        "deployment_id": f"{source.prefix}-{last['deployment_id']}",
        "service": source.owned_service,
        "environment": last.get("environment"),
        "started_at": begins[0] if begins else states[0][1],
        "finished_at": states[-1][1] if states[-1][0] in GITLAB_ENDED else None,
        "status": GITLAB_ENDED.get(states[-1][0], "running"),
        "commit_sha": commit or None,
        "deployed_by": part(last, "user").get("username"),
    }
    return {"deployments": [row]}


def pagerduty_told(source: PagerdutySource, headers: Headers, body: Body) -> Told | None:
    event = part(body, "event")
    if event.get("resource_type") != "incident" or not str(event.get("event_type", "")).startswith("incident."):
        return None
    found = part(event, "data")
    if found.get("type", "incident") != "incident":  # a note or a responder, which has an id of its own, or none
        return None
    if source.service_ids and part(found, "service").get("id") not in source.service_ids:
        return None
    if source.urgency and found.get("urgency") not in (None, source.urgency):
        return None
    kind, subject = str(event["event_type"]), f"incident/{required(found, 'id')}"
    return Told(required(event, "id"), kind, subject, instant(event, "occurred_at"))


OPENED = ("incident.reopened", "incident.triggered")


def pagerduty_rows(source: PagerdutySource, events: Sequence[tuple[Event, Body]]) -> Rows:
    found = [part(part(body, "event"), "data") for _, body in events]
    last, service = found[-1], part(found[-1], "service")
    if is_merged(last):
        return {}
    opened = max((each.happened_at for each, _ in events if each.kind in OPENED), default="")
    ends = [
        event.happened_at
        for (event, _), data in zip(events, found, strict=True)
        if event.happened_at >= opened and (event.kind == "incident.resolved" or data.get("status") == "resolved")
    ]
    row = {
        "incident_id": f"{source.prefix}-{last['id']}",
        "service": service.get("id") if service.get("id") in source.services else service.get("summary"),
        "environment": source.environment,
        "started_at": next((each["created_at"] for each in found if each.get("created_at")), events[0][0].happened_at),
        "resolved_at": min(ends, default=None),
        "severity": part(last, "priority").get("summary") or last.get("urgency"),
    }
    return {"incidents": [row]}


def pagerduty_gone(source: PagerdutySource, events: Sequence[tuple[Event, Body]]) -> Keys:
    """An incident that was merged into another, which is none of its own."""
    last = part(part(events[-1][1], "event"), "data")
    return {"incidents": [f"{source.prefix}-{last['id']}"]} if is_merged(last) else {}


def event_told(source: EventsSource, headers: Headers, body: Body) -> Told | None:
    """A CloudEvent (1.0, structured mode) whose type ends with the name of a table and whose data is a row of it."""
    if body.get("specversion") != "1.0":
        raise Unusable("it is no CloudEvent: specversion must be 1.0")
    table = str(body.get("type", "")).rsplit(".", 1)[-1]
    if table not in BY_NAME:
        raise Unusable(f"its type must end with the name of a table, such as shipcast.deployments, not {table!r}")
    row, warnings = row_of(table, part(body, "data"))
    for name, value in row.items():
        if isinstance(value, Mapping) or (
            isinstance(value, list) and any(isinstance(each, list | Mapping) for each in value)
        ):
            raise Unusable(f"{name} in its data is no value of a column")
    key = json.dumps([table, *(str(row.get(name)) for name in BY_NAME[table].key)])
    delivery = json.dumps([required(body, "source"), required(body, "id")])
    happened_at = instant(body, "time") if body.get("time") else utc(datetime.now(UTC))
    return Told(delivery, table, key, happened_at, warnings)


def row_of(table: str, data: Body) -> tuple[Record, tuple[str, ...]]:
    """The row of a table that an object is, its keys understood as the headers of a file; and what is to be said of it.

    Raises
    ------
    Unusable
        It lacks what is required, or says one thing twice.
    """
    try:
        found = meanings(BY_NAME[table], list(data))
    except FileRefused as error:
        raise Unusable(f"in its data {error.detail}") from error
    values = list(data.values())
    row = {name: values[place] for name, place in found.columns.items()}
    alike = {name: header for header, name in found.near.items()}
    for name in BY_NAME[table].required:
        meant = f" (is {clipped(alike[name])} meant as that? Then rename it)" if name in alike else ""
        required(row, name, f"{name} in its data{meant}")
    return row, tuple(left_out(table, found))


def left_out(table: str, found: Header) -> Iterator[str]:
    """Which keys mean no column, and what those may mean that read almost like one."""
    if found.unknown:
        names = listed([clipped(name) for name in found.unknown])
        yield f"{table}: left out the {'key' if len(found.unknown) == 1 else 'keys'} {names} of its data."
    if found.near:
        pairs = listed([f"{clipped(header)} meant as {name}" for header, name in found.near.items()])
        yield f"{table}: is {pairs}? Then rename it, and send it again under another id."


def event_rows(source: EventsSource, events: Sequence[tuple[Event, Body]]) -> Rows:
    """The last that was told of it, by when it happened."""
    last, body = events[-1]
    return {last.kind: [row_of(last.kind, part(body, "data"))[0]]}


def part(body: Body, name: str) -> Body:
    """A part of a message; empty where there is none, or it is no object."""
    found = body.get(name)
    return found if isinstance(found, Mapping) else {}


def required(given: Body, name: str, meant: str = "") -> str:
    """
    Parameters
    ----------
    meant
        What messages call it; the name by default.

    Raises
    ------
    Unusable
        It is not there.
    """
    value = given.get(name)
    if not isinstance(value, (str, int, float)) or not str(value) or len(str(value)) > 500:
        raise Unusable(f"it lacks {meant or name}, or says it in a form that is none")
    return str(value)


def instant(given: Body, *names: str) -> str:
    """The time under the first of the names that has one, as ISO 8601 in UTC, so that texts sort as the times do.

    Raises
    ------
    Unusable
        It is none, or is not there.
    """
    name = next((name for name in names if given.get(name)), None)
    if name is None:
        raise Unusable(f"it lacks {names[0]}")
    text = str(given[name])
    try:
        found = datetime.fromisoformat(text.replace(" UTC", "+00:00").replace(" +", "+"))
        return utc(found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise Unusable(f"{name} {text[:40]!r} is no time, such as 2026-01-05T10:09:00Z") from error


def utc(found: datetime) -> str:
    return found.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


KINDS: dict[str, Kind] = {
    "github": Kind(is_of_github, github_told, github_rows),
    "gitlab": Kind(is_of_gitlab, gitlab_told, gitlab_rows),
    "pagerduty": Kind(is_of_pagerduty, pagerduty_told, pagerduty_rows, pagerduty_gone),
    "events": Kind(is_standard, event_told, event_rows),
}
