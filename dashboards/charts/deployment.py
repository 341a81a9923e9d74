"""One deployment over time: it, the incidents laid to it, and when it was rolled back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import altair as alt

from shipcast.answers.deployment import Story
from shipcast.answers.words import local_time
from shipcast.dashboards.charts.style import Spec, layered, on_clock, over_rows, per_row, styled
from shipcast.dashboards.style import INK, LEVELS, LINES, MUTED

DEPLOYING, INCIDENT, BACK = "deployment", "incident", "rolled back"
KINDS = alt.Scale(domain=[DEPLOYING, INCIDENT, BACK], range=[LINES[0], LEVELS["storm"].fill, MUTED])


def span_rows(story: Story, zone: str, until: datetime) -> list[dict[str, Any]]:
    """A row per stretch or instant, on a clock; what is not over reaches to `until`.

    A deployment of which no end is recorded though it is over is the instant of its start.
    """
    facts = story.facts
    rows = [span(facts.deployment_id, DEPLOYING, facts.started_at, facts.completed_at, zone, until)]
    rows += [span(one.incident_id, INCIDENT, one.started_at, one.resolved_at, zone, until) for one in story.incidents]
    if facts.rolled_back_at is not None:
        by = facts.rolled_back_by or "rolled back"
        rows.append(span(by, BACK, facts.rolled_back_at, facts.rolled_back_at, zone, until))
    return rows


def span(name: str, kind: str, begins: datetime, ends: datetime | None, zone: str, until: datetime) -> dict[str, Any]:
    last = until if ends is None else ends
    began, ended = (local_time(one, zone, until) for one in (begins, last))
    return {
        "name": f"{kind} {name}" if kind != BACK else f"rolled back by {name}",
        "kind": kind,
        "from": on_clock(begins, zone),
        "to": on_clock(last, zone),
        "is_instant": begins == last,
        "said": f"since {began}" if ends is None else began if begins == ends else f"{began} to {ended}",
    }


def timeline(rows: Sequence[dict[str, Any]], zone: str) -> Spec:
    """Stretches as bars, instants as diamonds, one below the other."""
    base = over_rows().encode(
        y=alt.Y("name:N", sort=[row["name"] for row in rows], title=None, axis=alt.Axis(labelLimit=240, ticks=False)),
        x=alt.X("from:T", title=f"time ({zone})", axis=alt.Axis(format="%-d %b %H:%M", labelOverlap=True)),
        color=alt.Color("kind:N", scale=KINDS, legend=None),
        tooltip=[alt.Tooltip("name:N"), alt.Tooltip("said:N", title="when")],
    )
    bars = base.mark_bar(height=16, stroke=INK, strokeWidth=0.5).encode(x2=alt.X2("to:T"))
    points = base.mark_point(shape="diamond", size=140, filled=True, opacity=1)
    lasting, instant = bars.transform_filter("!datum.is_instant"), points.transform_filter("datum.is_instant")
    return styled(layered(lasting, instant, height=per_row(34)), rows)
