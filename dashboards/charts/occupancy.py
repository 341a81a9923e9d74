"""When environments were in use: a row an environment, bars where somebody was in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt

from shipcast.answers.occupancy import Occupancy
from shipcast.answers.words import hours
from shipcast.dashboards.charts.labels import GAP, LETTER
from shipcast.dashboards.charts.style import Spec, by_width, day_labels, layered, on_clock, over_rows, per_row, styled
from shipcast.dashboards.style import INK, LINES

USED, IDLE, RESERVED = "in use", "idle for more than a day", "reserved"
FITTING = f"length(datum.said) * {LETTER} <= scale('x', datum.end) - scale('x', datum.start) - {GAP} ? datum.said : ''"
KINDS = (USED, IDLE, RESERVED)


def occupancy_rows(found: Occupancy, zone: str, until: datetime) -> list[dict[str, Any]]:
    """One row per bar, on the reader's clock; what reaches beyond `until` is cut."""
    rows = [bar(USED, one.environment, one.start, one.end, "", zone) for one in found.uses]
    rows += [
        bar(IDLE, one.environment, start, one.end, hours(one.hours), zone)
        for one in found.idle_spells
        if one.environment in found.shown and one.end > (start := max(one.start, found.shown_from))
    ]
    rows += [
        bar(RESERVED, one.environment, start, end, f"{RESERVED}{f' for {one.team}' if one.team else ''}", zone)
        for one in found.reserved
        if (start := max(one.start, found.shown_from)) < (end := min(one.end, until))
    ]
    return rows


def bar(kind: str, environment: str, start: datetime, end: datetime, said: str, zone: str) -> dict[str, Any]:
    first, last = (moment.astimezone(ZoneInfo(zone)) for moment in (start, end))
    return {
        "kind": kind,
        "environment": environment,
        "start": on_clock(start, zone),
        "end": on_clock(end, zone),
        "from": f"{first:%a %-d %b %H:%M}",
        "to": f"{last:%a %-d %b %H:%M}",
        "lasted": hours((end - start).total_seconds() / 3600),
        "said": said,
    }


def occupancy_chart(rows: Sequence[dict[str, Any]], environments: Sequence[str], zone: str) -> Spec:
    """Full where it is in use, a dashed frame where it stood idle for over a day, a heavy one where it is reserved."""
    base = over_rows().encode(
        y=alt.Y(
            "environment:N", sort=list(environments), title=None, axis=alt.Axis(labelLimit=200, ticks=False, grid=True)
        ),
        x=alt.X(
            "start:T",
            title=f"on the clock of {zone}",
            axis=alt.Axis(
                labelExpr=day_labels(), labelOverlap=True, labelSeparation=by_width(4, 12), labelBound=by_width(4, 40)
            ),
        ),
        x2=alt.X2("end:T"),
        tooltip=[
            alt.Tooltip("environment:N"),
            alt.Tooltip("kind:N"),
            alt.Tooltip("from:N"),
            alt.Tooltip("to:N"),
            alt.Tooltip("lasted:N"),
            alt.Tooltip("said:N", title=""),
        ],
    )
    marks = {
        IDLE: {"height": 16, "filled": False, "stroke": LINES[1], "strokeDash": [4, 3]},
        USED: {"height": 16, "color": LINES[0]},
        RESERVED: {"height": 22, "filled": False, "stroke": INK, "strokeWidth": 2.5},
    }
    there = {row["kind"] for row in rows}
    drawn = [
        base.transform_filter(alt.datum.kind == kind).mark_bar(**look) for kind, look in marks.items() if kind in there
    ]
    if any(row["said"] for row in rows):
        words = base.transform_filter(alt.datum.said != "").mark_text(
            align="left", dx=4, fontSize=11, color=INK, text=alt.ExprRef(FITTING)
        )
        drawn.append(words)
    return styled(layered(*drawn, height=per_row(28)), rows)
