"""The coming week by the hour: a strip per service, or one service's days as a grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from shipcast.answers.outlook import ServiceWeek
from shipcast.dashboards.charts.style import CLOCK, Spec, level_colours, over_rows, styled
from shipcast.dashboards.style import INK, LEVELS

DAYS = "%a %-d %b"
SAID = [  # of a cell
    alt.Tooltip("when:N", title="hour"),
    alt.Tooltip("level:N"),
    alt.Tooltip("against:N", title="cost"),
    alt.Tooltip("rule:N", title="calendar"),
    alt.Tooltip("booking:N", title="booked"),
]


def heat_rows(weeks: Sequence[ServiceWeek], hours: Sequence[Any]) -> list[dict[str, Any]]:
    """One row per service and hour, with what a cell shows and says; `hours` are their starts on the reader's clock."""
    return [
        {
            "service": week.service,
            "hour": f"{local:{CLOCK}}",
            "at": hour.start.isoformat(),
            "day": f"{local:%a %-d %b}",
            "of_day": local.hour,
            "when": f"{local:%a %-d %b %H:%M}",
            "level": hour.level or "not known",
            "mark": "▨" if hour.blocked else LEVELS[hour.level].mark if hour.level else "?",
            "text": INK if hour.blocked or not hour.level else LEVELS[hour.level].text,
            "against": "not known" if hour.relative_cost is None else f"{hour.relative_cost * 100:.0f} % of the usual",
            "rule": f"blocked by {hour.blocked}" if hour.blocked else "",
            "booking": hour.booked or "",
        }
        for week in weeks
        for hour, local in zip(week.hours, hours, strict=True)
    ]


def picked() -> alt.Parameter:
    """The cell that the reader chooses."""
    return alt.selection_point(name="cell", fields=["service", "at"], on="click", empty=False)


def heat_strips(rows: Sequence[dict[str, Any]], services: Sequence[str]) -> Spec:
    """A strip of hours per service, those it can't start in hatched, those it is booked in outlined."""
    base = over_rows().encode(
        x=alt.X("hour:T", title=None, axis=alt.Axis(format=DAYS, tickCount="day", labelAlign="left", grid=False)),
        y=alt.Y("service:N", sort=list(services), title=None, axis=alt.Axis(labelLimit=180, ticks=False, domain=False)),
    )
    cells = base.mark_bar(height=18, binSpacing=0).encode(
        x=alt.X("hour:T", timeUnit="yearmonthdatehours", title=None),
        color=alt.Color("level:N", scale=level_colours(), legend=None),
        tooltip=[alt.Tooltip("service:N"), *SAID],
    )
    hatched = base.mark_text(text="╱", fontSize=14, color=INK).transform_filter("datum.rule != ''")
    outlined = base.mark_point(shape="square", size=120, stroke=INK, strokeWidth=2, filled=False).transform_filter(
        "datum.booking != ''"
    )
    layers = alt.layer(cells.add_params(picked()), hatched, outlined)
    return styled(layers.properties(width="container", height=alt.Step(24)), rows)


def heat_grid(rows: Sequence[dict[str, Any]], days: Sequence[str]) -> Spec:
    """One service's week, a row a day and a column an hour of it, each cell with its mark."""
    base = over_rows().encode(
        x=alt.X("of_day:O", title="hour of the day", axis=alt.Axis(labelAngle=0, orient="top")),
        y=alt.Y("day:N", sort=list(days), title=None, axis=alt.Axis(ticks=False, domain=False)),
        tooltip=SAID,
    )
    cells = base.mark_rect(stroke="#FFFFFF").encode(color=alt.Color("level:N", scale=level_colours(), legend=None))
    outlined = base.mark_rect(filled=False, stroke=INK, strokeWidth=3).transform_filter("datum.booking != ''")
    marks = base.mark_text(fontSize=13).encode(text="mark:N", color=alt.Color("text:N", scale=None))
    layers = alt.layer(cells.add_params(picked()), outlined, marks)
    return styled(layers.properties(width="container", height=alt.Step(30)), rows)
