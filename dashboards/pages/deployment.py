"""One deployment: when what happened, what it carried, and what it was counted as and why."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from shipcast.answers.deployment import CarriedItem, DeploymentFacts, Story, story
from shipcast.answers.deployment_list import deployment_list
from shipcast.answers.words import hours, local_time, plural
from shipcast.dashboards import cards, links
from shipcast.dashboards.charts import deployment as charts
from shipcast.dashboards.deployment_rows import deployment_table, no_deployment
from shipcast.dashboards.view import View
from shipcast.settings.errors import ShipcastError

TITLE, PATH = "One deployment", "deployment"


def draw(view: View) -> None:
    asked = (st.session_state.get("deployment") or st.query_params.get("deployment", "")).strip()
    if not asked:
        choose(view)
        return
    try:
        found = view.ask(story, deployment_id=asked)
    except ShipcastError as error:
        cards.headline("No such deployment was known.")
        ask()
        cards.refused(error)
        return
    cards.headline(found.sentence)
    ask()
    with cards.card("When what happened"):
        when(view, found)
    with cards.card("What it was counted as, and why"):
        for said in found.counted:
            cards.text(said)
    left, right = st.columns(2)
    with left, cards.card("What the forecast had said"):
        forecast(found)
    with right, cards.card("What is known of it"):
        known(found.facts)
    with cards.card("What it carried"):
        carried(view, found)


def ask() -> None:
    st.text_input("Deployment", key="deployment", bind="query-params", placeholder="its id", width=320)


def choose(view: View) -> None:
    """Without one in the address: the newest of the period."""
    found = view.ask(deployment_list, **view.filters.scope, **view.filters.period)
    if not found.items:
        cards.headline("No deployment was started in this period.")
        ask()
        no_deployment(view, "started")
        return
    last = found.items[0]
    zone = view.filters.zone
    started = local_time(last.started_at, zone, view.as_of)
    cards.headline(f"Choose one of {plural(found.total, 'deployment')}: the last started at {started} ({zone}).")
    ask()
    with cards.card("The deployments of the period"):
        deployment_table(view, found, "deployments")


def when(view: View, found: Story) -> None:
    """The chart, and every event on the service's clock and on the reader's."""
    service, reader = found.facts.zone, view.filters.zone
    rows = charts.span_rows(found, reader, view.as_of)
    said = f"{plural(len(found.events), 'event')} of {found.facts.deployment_id}, and {incidents_said(found)}."
    zones = list(dict.fromkeys([service, reader]))
    cards.chart(
        charts.timeline(rows, reader),
        said,
        ["what", "kind", f"when ({reader})"],
        [[row["name"], row["kind"], row["said"]] for row in rows],
        "timeline",
    )
    cards.table(
        [*zones, "what happened"],
        [[*(local_time(event.at, zone, view.as_of) for zone in zones), event.what] for event in found.events],
        "What happened, in order",
        download="events",
    )


def incidents_said(found: Story) -> str:
    if not found.incidents:
        return "no incident laid to it"
    still = sum(one.resolved_at is None for one in found.incidents)
    return f"{plural(len(found.incidents), 'incident')} laid to it{f', {still} of them open' if still else ''}"


def forecast(found: Story) -> None:
    if not found.advice:
        cards.empty(
            "No advice was kept before it. `shipcast windows`, `now`, `plan` and `gate` keep theirs when they are "
            "asked about the present."
        )
        return
    for said in found.advice:
        cards.text(said)


def known(facts: DeploymentFacts) -> None:
    """What is recorded of it; what is not known is left out."""
    recorded = {
        "service": facts.service,
        "team": facts.team,
        "environment": facts.environment,
        "status": facts.status,
        "version": facts.version,
        "commit": facts.commit_sha,
        "type": facts.change_type,
        "strategy": facts.strategy,
        "lines": facts.lines,
        "files": facts.files,
        "commits": facts.commits,
        "requested by": facts.requested_by,
        "approved by": facts.approved_by,
        "deployed by": facts.deployed_by,
    }
    rows: list[Sequence[object]] = [
        [name, f"{value:,}" if isinstance(value, int) else value]
        for name, value in recorded.items()
        if value is not None
    ]
    for name, other in (("rolled back by", facts.rolled_back_by), ("rolls back", facts.rollback_of)):
        if other is not None:
            rows.append([name, links.cell("deployment", other, deployment=other)])
    if facts.is_proxy:
        rows.append(["proxy", "stands in for a deployment that nobody recorded"])
    cards.table(["what", "as known"], rows, "As recorded")


def carried(view: View, found: Story) -> None:
    """The changes, each with its lead time where it ended with this deployment."""
    if not found.changes:
        cards.empty(
            "No change is known that it carried: `shipcast ingest git REPO` or a table of changes tells of them."
        )
        return
    zone = view.filters.zone
    cards.table(
        ["change", f"authored ({zone})", f"merged ({zone})", f"first live ({zone})", "first live with", "lead time"],
        [change_row(view, one) for one in found.changes],
        f"The changes it carried: {len(found.changes):,} of {found.leads.carried:,}",
        numbers=("lead time",),
    )


def change_row(view: View, one: CarriedItem) -> Sequence[object]:
    zone = view.filters.zone
    by = one.live_by
    return [
        one.change_id,
        local_time(one.authored_at, zone, view.as_of),
        "not known" if one.merged_at is None else local_time(one.merged_at, zone, view.as_of),
        "not yet" if one.live_at is None else local_time(one.live_at, zone, view.as_of),
        "" if by is None else links.cell("deployment", by, deployment=by),
        "" if one.lead_hours is None else "left out: negative" if one.lead_hours < 0 else hours(one.lead_hours),
    ]
