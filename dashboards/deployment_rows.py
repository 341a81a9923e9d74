"""Deployments in a table: each with what became of it, and a way to its own page."""

from __future__ import annotations

from collections.abc import Sequence

from shipcast.answers.deployment_list import MOST, DeploymentList, Listed
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
CSV = ("deployment", "service", "environment", "started", "outcome", "counted as", "incidents", "restore hours")


def deployment_table(view: View, found: DeploymentList, name: str) -> None:
    """The newest of them, each a link to what became of it; where all are of one environment, that is not repeated."""
    several = len({one.environment for one in found.items}) > 1
    of_all = f"the newest {MOST} of {found.total:,}" if found.total > len(found.items) else f"{found.total:,}"
    cards.table(
        ["deployment", "service", *(["environment"] if several else []), *columns(view)],
        [
            [
                links.cell("deployment", one.deployment_id, deployment=one.deployment_id),
                one.service,
                *([one.environment] if several else []),
                *row(view, one),
            ]
            for one in found.items
        ],
        f"Deployments, newest first: {of_all}",
    )
    cards.csv_button(CSV, [csv_row(one) for one in found.items], name)


def columns(view: View) -> list[str]:
    return [f"started ({view.filters.zone})", "outcome", "counted as", "incidents", "restored in"]


def row(view: View, one: Listed) -> list[object]:
    return [
        local_time(one.started_at, view.filters.zone, view.as_of),
        outcome(one),
        counted_as(one),
        ", ".join(one.incidents),
        restored(one),
    ]


def csv_row(one: Listed) -> Sequence[object]:
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


def outcome(one: Listed) -> str:
    """How it ended, as far as that was known, with a mark."""
    if not one.is_counted:
        return one.status
    if one.is_rolled_back:
        return "↩ rolled back"
    if one.is_failed:
        return "✗ failed" if one.status == "failed" else "✗ failed by an incident"
    return "… not failed so far" if one.is_unsettled else "✓ did not fail"


def counted_as(one: Listed) -> str:
    if not one.is_counted:
        return "left out"
    kinds = [*(["failed"] if one.is_failed else []), *(["rework"] if one.is_rework else [])]
    return ", ".join(["counted", *kinds])


def restored(one: Listed) -> str:
    if one.is_open:
        return f"{plural(len(one.incidents), 'incident')} open"
    return "" if one.restore_hours is None else hours(one.restore_hours)
