"""Deployments in a table: each with what became of it, and a way to its own page."""

from __future__ import annotations

from collections.abc import Sequence

from shipcast.answers.deployment_list import MOST, DeploymentItem, DeploymentList
from shipcast.answers.words import hours, local_time, plural
from shipcast.dashboards import cards, links
from shipcast.dashboards.view import View

KINDS = {  # as the page calls them
    "All of the period": "all",
    "Counted": "counted",
    "Landed": "landed",
    "Failed": "failed",
    "Rolled back": "rolled back",
    "Rework": "rework",
    "Not settled yet": "unsettled",
    "Left out": "left out",
}
COMMON = ("environment", "counted as")
CSV = ("deployment", "service", "environment", "started", "outcome", "counted as", "incidents", "restore hours")


def deployment_table(view: View, found: DeploymentList, name: str) -> None:
    """The newest of them, each a link to what became of it; what is the same of all is said of none."""
    zone, of_all = view.filters.zone, f"{found.total:,}"
    if found.total > len(found.items):
        of_all = f"the newest {MOST} of {of_all}"
    columns: dict[str, list[object]] = {
        "deployment": [
            links.cell("deployment", one.deployment_id, deployment=one.deployment_id) for one in found.items
        ],
        "service": [one.service for one in found.items],
        "environment": [one.environment for one in found.items],
        f"started ({zone})": [local_time(one.started_at, zone, view.as_of) for one in found.items],
        "outcome": [outcome(one) for one in found.items],
        "counted as": [counted_as(one) for one in found.items],
        "incidents": [", ".join(one.incidents) for one in found.items],
        "restored in": [restored(one) for one in found.items],
    }
    kept = {title: cells for title, cells in columns.items() if title not in COMMON or len(set(cells)) > 1}
    cards.table(list(kept), list(zip(*kept.values(), strict=True)), f"Deployments, newest first: {of_all}")
    cards.csv_button(CSV, [csv_row(one) for one in found.items], name)


def csv_row(one: DeploymentItem) -> Sequence[object]:
    return [
        one.deployment_id,
        one.service,
        one.environment,
        one.started_at.isoformat(),
        outcome(one),
        counted_as(one),
        " ".join(one.incidents),
        one.restore_hours,
    ]


def outcome(one: DeploymentItem) -> str:
    """How it ended, as far as that was known, with a mark."""
    if not one.is_counted:
        return one.status
    if one.is_rolled_back:
        return "↩ rolled back"
    if one.is_failed:
        return "✗ failed" if one.status == "failed" else "✗ failed by an incident"
    return "… not failed so far" if one.is_unsettled else "✓ did not fail"


def counted_as(one: DeploymentItem) -> str:
    if not one.is_counted:
        return "left out"
    kinds = [*(["failed"] if one.is_failed else []), *(["rework"] if one.is_rework else [])]
    return ", ".join(["counted", *kinds])


def restored(one: DeploymentItem) -> str:
    if one.is_open:
        return f"{plural(len(one.incidents), 'incident')} open"
    return "" if one.restore_hours is None else hours(one.restore_hours)


def no_deployment(view: View, happened: str) -> None:
    """Why none is there: by the filters, or since none is known of the period."""
    if view.filters.is_narrowed:
        cards.filtered_away(f"No deployment that is left by the filters was {happened} in this period.")
        return
    cards.empty(
        f"No deployment was {happened} in this period. Choose a longer one, or load more with "
        "`shipcast ingest files DIR`, then `shipcast build`; the page “Data health” says what was refused."
    )
