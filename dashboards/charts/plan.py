"""The time around the windows of a change on one axis: what starts would cost, the load, and what is booked or shut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import altair as alt

from shipcast.answers.calendar_week import Booked
from shipcast.answers.forecast import ForecastAnswer
from shipcast.answers.window_words import of_usual, relative_interval
from shipcast.answers.windows import WindowsAnswer
from shipcast.answers.words import local_time, span
from shipcast.dashboards.charts.labels import names, placed
from shipcast.dashboards.charts.style import (
    Spec,
    by_width,
    day_labels,
    layered,
    level_colours,
    on_clock,
    over_rows,
    per_row,
    styled,
)
from shipcast.dashboards.style import HATCH, INK, LINES, MUTED
from shipcast.scheduling.recommend import level

HOUR = timedelta(hours=1)
HIGHEST = 3.0  # of the usual cost; what is dearer is cut off there
LEFT = by_width(82, 110)  # pixels for the names of lanes, the same in every chart, so that hours lie below each other
OPEN, SHUT, OWN, BESIDE = "windows", "not allowed", "booked", "booked beside"


@dataclass(frozen=True)
class Axis:
    """What all the charts have in common: the stretch of time that they show (aware), and the clock."""

    start: datetime
    end: datetime
    zone: str
    as_of: datetime

    def x(self) -> alt.X:
        """The axis itself, in days."""
        days = alt.Axis(
            labelExpr=day_labels("utcFormat"), tickCount="day", labelAlign="left", labelOverlap=True, labelBound=True
        )
        return alt.X("from:T", title=None, scale=alt.Scale(type="utc", domain=self.domain), axis=days)

    @property
    def domain(self) -> list[str]:
        return [wall(self.start, self.zone), wall(self.end, self.zone)]

    def has(self, start: datetime, end: datetime) -> bool:
        return start < self.end and self.start < end

    def said(self, moment: datetime) -> str:
        return local_time(moment, self.zone, self.as_of)


def wall(moment: datetime, zone: str) -> str:
    """What a clock of the zone shows, as a time that a chart reads as UTC, whatever the browser's own clock."""
    return f"{on_clock(moment, zone)}Z"


def risk_rows(answer: WindowsAnswer, axis: Axis) -> list[dict[str, Any]]:
    """A row per hour of the outlook that lies on the axis."""
    if answer.outlook is None:
        return []
    starts = [answer.outlook.start + place * HOUR for place in range(len(answer.outlook.relative_costs))]
    return [
        {
            "from": wall(start, axis.zone),
            "to": wall(start + HOUR, axis.zone),
            "when": axis.said(start),
            "level": level(cost),
            "relative": cost,
            "cost": min(cost, HIGHEST),
            "said": f"{cost * 100:.0f} % of the usual",
        }
        for start, cost in zip(starts, answer.outlook.relative_costs, strict=True)
        if axis.has(start, start + HOUR)
    ]


def window_rows(answer: WindowsAnswer, axis: Axis) -> list[dict[str, Any]]:
    rows = []
    for number, one in enumerate(answer.items, start=1):
        low, high = relative_interval(one) or (None, None)
        rows.append(
            {
                "from": wall(one.start, axis.zone),
                "to": wall(one.end, axis.zone),
                "number": str(number),
                "lane": OPEN,
                "label": str(number),
                "brief": str(number),
                "when": axis.said(one.start),
                "cost": None if one.relative_cost is None else min(one.relative_cost, HIGHEST),
                "low": low,
                "high": None if high is None else min(high, HIGHEST),
                "said": f"{of_usual(one)} of the usual" if one.relative_cost is not None else "not known",
            }
        )
    return placed(rows, axis.domain)


def risk(rows: Sequence[dict[str, Any]], windows: Sequence[dict[str, Any]], axis: Axis) -> Spec:
    """The cost of a start in each hour, coloured by its level, and the windows with their intervals and numbers."""
    percent = alt.Axis(format="%", values=[0, 0.5, 1, 2, 3], minExtent=LEFT, maxExtent=LEFT)
    y = alt.Y("cost:Q", title="cost, of the usual", scale=alt.Scale(domain=[0, HIGHEST]), axis=percent)
    tooltip = [alt.Tooltip("when:N", title="hour"), alt.Tooltip("level:N"), alt.Tooltip("said:N", title="cost")]
    bars = over_rows().mark_bar(binSpacing=0)
    coloured = bars.encode(
        x=axis.x(),
        x2=alt.X2("to:T"),
        y=y,
        y2=alt.Y2Datum(0),
        color=alt.Color("level:N", scale=level_colours(), legend=None),
        tooltip=tooltip,
    )
    usual = alt.Chart(alt.Data(values=[{"cost": 1}])).mark_rule(color=INK, strokeDash=[4, 3]).encode(y=alt.Y("cost:Q"))
    base = alt.Chart(alt.Data(values=list(windows))).encode(x=alt.X("from:T", title=None))
    whiskers = base.mark_rule(color=INK, strokeWidth=2).encode(y=alt.Y("low:Q"), y2=alt.Y2("high:Q"))
    points = base.mark_point(shape="diamond", filled=True, color=INK, size=70).encode(
        y=alt.Y("cost:Q"),
        tooltip=[alt.Tooltip("number:N", title="window"), alt.Tooltip("when:N"), alt.Tooltip("said:N", title="cost")],
    )
    numbers = names(base, dx=-3, dy=-8, fontWeight="bold", color=INK).encode(y=alt.Y("high:Q"))
    return styled(layered(coloured, usual, whiskers, points, numbers, height=170), rows)


def load_rows(answer: ForecastAnswer, axis: Axis) -> list[dict[str, Any]]:
    return [
        {"from": wall(one.starts_at, axis.zone), "when": axis.said(one.starts_at)}
        | {name: getattr(one, name) for name in ("p05", "p25", "p50", "p75", "p95")}
        for one in answer.items
        if axis.has(one.starts_at, one.starts_at + HOUR)
    ]


def load(rows: Sequence[dict[str, Any]], axis: Axis) -> Spec:
    """The median hour as a line, with the bands that hold 50 and 90 of 100 hours."""
    base = over_rows().encode(x=alt.X("from:T", title=None))
    counts = alt.Axis(format="~s", tickCount=3, minExtent=LEFT, maxExtent=LEFT)
    y = alt.Y("p05:Q", title="requests an hour", axis=counts)
    wide = base.mark_area(color=LINES[0], opacity=0.2).encode(x=axis.x(), y=y, y2=alt.Y2("p95:Q"))
    narrow = base.mark_area(color=LINES[0], opacity=0.35).encode(y=alt.Y("p25:Q"), y2=alt.Y2("p75:Q"))
    line = base.mark_line(color=LINES[0], strokeWidth=2).encode(
        y=alt.Y("p50:Q"),
        tooltip=[alt.Tooltip("when:N")]
        + [alt.Tooltip(f"p{of}:Q", title=f"{of} of 100 below", format=",.0f") for of in ("05", "50", "95")],
    )
    return styled(layered(wide, narrow, line, height=140), rows)


def strip_rows(answer: WindowsAnswer, booked: Sequence[Booked], axis: Axis) -> list[dict[str, Any]]:
    """The windows, the starts that are not allowed, and the bookings of this service and of others."""
    found = [(OPEN, one.start, one.end, str(number), str(number)) for number, one in enumerate(answer.items, start=1)]
    found += [(SHUT, one.start, one.end, one.rule, "") for one in answer.blocked]
    for one in booked:
        is_own = one.service == answer.service
        found.append((OWN if is_own else BESIDE, one.start, one.end, one.title, str(one.number)))
    rows = [
        {
            "lane": lane,
            "from": wall(max(start, axis.start), axis.zone),
            "to": wall(min(end, axis.end), axis.zone),
            "label": label,
            "brief": brief,
            "when": span(start, end, axis.zone),
        }
        for lane, start, end, label, brief in found
        if axis.has(start, end)
    ]
    return placed(rows, axis.domain)


def strips(rows: Sequence[dict[str, Any]], axis: Axis) -> Spec:
    """A lane each for windows, for what is shut, and for bookings; spans are named where they begin."""
    lanes = list(dict.fromkeys([OPEN, SHUT, OWN, *(row["lane"] for row in rows)]))
    base = over_rows().encode(
        x=axis.x(),
        y=alt.Y(
            "lane:N",
            sort=lanes,
            title=" ",
            scale=alt.Scale(domain=lanes),
            axis=alt.Axis(ticks=False, domain=False, minExtent=LEFT, maxExtent=LEFT, labelLimit=LEFT),
        ),
    )
    colours = alt.Scale(domain=[OPEN, SHUT, OWN, BESIDE], range=[LINES[2], HATCH, LINES[0], LINES[1]])
    bars = base.mark_bar(height=14, stroke=INK, strokeWidth=1).encode(
        x2=alt.X2("to:T"),
        color=alt.Color("lane:N", scale=colours, legend=None),
        tooltip=[alt.Tooltip("lane:N"), alt.Tooltip("label:N", title="what"), alt.Tooltip("when:N", title="when")],
    )
    labels = names(base, dx=3, dy=-13, fontSize=11, color=MUTED)
    return styled(layered(bars, labels, height=per_row(38)), rows)
