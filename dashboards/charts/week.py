"""The coming week by the hour: a strip per service, or one service's days as a grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import altair as alt

from shipcast.answers.company_calendar import by_rule
from shipcast.answers.outlook import Hour, ServiceWeek
from shipcast.dashboards.charts.style import (
    CLOCK,
    ROWS,
    Spec,
    day_labels,
    layered,
    level_colours,
    over_rows,
    per_row,
    styled,
)
from shipcast.dashboards.style import INK, LEVELS

HOUR = timedelta(hours=1)
DAYS = "%a %-d %b"
BLOCKED, BOOKED = "blocked", "booked"
AGAIN = "datum.value % 1 ? floor(datum.value) + '+' : datum.value"


def heat_rows(weeks: Sequence[ServiceWeek], hours: Sequence[datetime]) -> list[dict[str, Any]]:
    """One row per service and hour, with what a cell shows and says; `hours` are their starts on the reader's clock."""
    names = Counter(local.replace(tzinfo=None) for local in hours)
    times = [time_of(local, names[local.replace(tzinfo=None)]) for local in hours]
    return [
        {"service": week.service, "at": hour.start.isoformat(), **time, **cell(hour)}
        for week in weeks
        for hour, time in zip(week.hours, times, strict=True)
    ]


def time_of(local: datetime, named: int) -> dict[str, Any]:
    """Where an hour is drawn, and what it is called; of two of one name, where clocks are set back, each has a half."""
    begins, length = local.replace(tzinfo=None) + local.fold * HOUR / named, HOUR / named
    return {
        "hour": f"{begins:{CLOCK}}",
        "until": f"{begins + length:{CLOCK}}",
        "day": f"{local:{DAYS}}",
        "of_day": local.hour + local.fold / 2,
        "when": f"{local:{DAYS} %H:%M}{' again' if local.fold else ''}",
    }


def cell(hour: Hour) -> dict[str, Any]:
    """What an hour is like, whenever it is."""
    return {
        "level": hour.level or "not known",
        "mark": "▨" if hour.blocked else LEVELS[hour.level].mark if hour.level else "?",
        "text": INK if hour.blocked or not hour.level else LEVELS[hour.level].text,
        "against": "not known" if hour.relative_cost is None else f"{hour.relative_cost * 100:.0f} % of the usual",
        "rule": f"blocked {by_rule(hour.blocked)}" if hour.blocked else "",
        "booking": hour.booked or "",
    }


def said(row: dict[str, Any]) -> str:
    """A row in words."""
    parts = (f"{row['level']}, {row['against']}", row["rule"], row["booking"] and f"booked: {row['booking']}")
    return f"{row['service']}, {row['when']}: {'; '.join(filter(None, parts))}"


def drawn(
    cells: alt.Chart,
    over: Mapping[str, alt.Chart],
    rows: Sequence[dict[str, Any]],
    shown: Sequence[str],
    step: int,
) -> Spec:
    """The cells, of which the reader can choose one, and over them what marks all, the blocked or the booked ones.

    Vega-Lite works out everything for each cell in an interpreter: what it need not ask is decided here.
    """
    picked = alt.selection_point(name="cell", fields=["service", "at"], on="click", empty=False)
    lean = [{**{name: row[name] for name in ("service", "at", "level", *shown)}, "said": said(row)} for row in rows]
    sets = {
        name: [short for short, row in zip(lean, rows, strict=True) if field is None or row[field]]
        for name, field in ((ROWS, None), (BLOCKED, "rule"), (BOOKED, "booking"))
    }
    coloured = cells.encode(
        color=alt.Color("level:N", scale=level_colours(), legend=None), tooltip=alt.Tooltip("said:N")
    )
    there = [chart for name, chart in over.items() if sets[name]]
    return styled(layered(coloured.add_params(picked), *there, height=per_row(step)), **sets)


def heat_strips(rows: Sequence[dict[str, Any]], services: Sequence[str]) -> Spec:
    """A strip of hours per service, those it can't start in hatched, those it is booked in outlined."""
    days = alt.Axis(
        labelExpr=day_labels(), tickCount="day", labelAlign="left", labelOverlap=True, labelBound=True, grid=False
    )
    names = alt.Axis(labelLimit=180, ticks=False, domain=False)
    place = {
        "x": alt.X("hour:T", title=None, axis=days),
        "y": alt.Y("service:N", title=None, axis=names, sort=None, scale=alt.Scale(domain=list(services))),
    }
    cells = over_rows().mark_bar(height=18).encode(x2=alt.X2("until:T"), **place)
    hatched = over_rows(BLOCKED).mark_text(text="╱", fontSize=14, color=INK).encode(**place)
    outlined = over_rows(BOOKED).mark_point(shape="square", size=120, stroke=INK, strokeWidth=2, filled=False)
    over = {BLOCKED: hatched, BOOKED: outlined.encode(**place)}
    return drawn(cells, over, rows, ["hour", "until"], step=24)


def heat_grid(rows: Sequence[dict[str, Any]], days: Sequence[str]) -> Spec:
    """One service's week, a row a day and a column an hour of it, each cell with its mark."""
    place = {
        "x": alt.X(
            "of_day:O",
            title="hour of the day",
            axis=alt.Axis(labelAngle=0, labelOverlap=True, orient="top", labelExpr=AGAIN),
        ),
        "y": alt.Y("day:N", title=None, axis=alt.Axis(ticks=False, domain=False), sort=list(days)),
    }
    cells = over_rows().mark_rect(stroke="#FFFFFF").encode(**place)
    outlined = over_rows(BOOKED).mark_rect(filled=False, stroke=INK, strokeWidth=3).encode(**place)
    marks = (
        over_rows()
        .mark_text(fontSize=13)
        .encode(text=alt.Text("mark:N"), color=alt.Color("text:N", scale=None), **place)
    )
    return drawn(cells, {BOOKED: outlined, ROWS: marks}, rows, ["of_day", "day", "mark", "text"], step=30)
