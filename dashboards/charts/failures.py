"""Failures by the hours of the week, by groups, and by the hour raw beside adjusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from shipcast.answers.drivers import Driver
from shipcast.answers.failures import DAYS, FEWEST, Group, Rate
from shipcast.answers.words import share
from shipcast.dashboards.charts.style import Spec, by_width, layered, over_rows, per_row, styled
from shipcast.dashboards.style import INK, LEVELS, LINES, MUTED, RULE

SCALE = ["#F7F3EA", LEVELS["rough"].fill, LEVELS["storm"].fill]
FARTHEST = 4.0  # times the usual, at which the axis ends
DARK = 0.7  # of the highest rate, from which words on a cell are white
RAW, SECOND, MODEL = "raw, as shipped", "adjusted, second estimate", "adjusted, model"
ESTIMATES = alt.Scale(domain=[RAW, SECOND, MODEL], range=[MUTED, LINES[0], LINES[1]])
SHAPES = alt.Scale(domain=[RAW, SECOND, MODEL], range=["circle", "square", "triangle-up"])


def rate_of(group: Group, measure: str) -> Rate:
    return group.rollback_rate if measure == "rolled back" else group.failure_rate


def events_of(group: Group, measure: str) -> int:
    return group.rolled_back if measure == "rolled back" else group.failed


def interval_said(rate: Rate) -> str:
    return "" if rate.low is None or rate.high is None else f"{share(rate.low)} to {share(rate.high)}"


def cell_rows(hours: Sequence[Group], measure: str) -> list[dict[str, Any]]:
    """A cell per hour of the week; of those with too few deployments no rate is drawn."""
    highest = max((rate_of(one, measure).value or 0.0 for one in hours if one.is_enough), default=0.0)
    return [cell(one, place, measure, highest) for place, one in enumerate(hours)]


def cell(hour: Group, place: int, measure: str, highest: float) -> dict[str, Any]:
    rate = rate_of(hour, measure)
    value = rate.value if hour.is_enough else None
    return {
        "day": DAYS[place // 24],
        "hour": place % 24,
        "when": hour.name,
        "rate": value,
        "kind": "rate" if value is not None else "too few" if hour.n else "none",
        "n": hour.n,
        "events": events_of(hour, measure),
        "said": share(rate.value) if value is not None else f"fewer than {FEWEST}: no rate",
        "interval": interval_said(rate) if value is not None else "",
        "mark": f"{value * 100:.0f}" if value is not None else "·" if hour.n else "",
        "ink": "#FFFFFF" if value is not None and highest and value > DARK * highest else INK,
    }


def heat_map(rows: Sequence[dict[str, Any]], measure: str) -> Spec:
    """Days by hours, each cell with its rate in per cent; grey with a dot where there are too few deployments."""
    base = over_rows().encode(
        x=alt.X(
            "hour:O", title="hour of the start, on each service's clock", axis=alt.Axis(labelAngle=0, orient="top")
        ),
        y=alt.Y("day:N", sort=list(DAYS), title=None, axis=alt.Axis(ticks=False, domain=False)),
        tooltip=[
            alt.Tooltip("when:N", title="hour"),
            alt.Tooltip("said:N", title=measure),
            alt.Tooltip("interval:N", title="95 % interval"),
            alt.Tooltip("events:Q", title=measure),
            alt.Tooltip("n:Q", title="deployments"),
        ],
    )
    grey = base.mark_rect(color=RULE, stroke="#FFFFFF").transform_filter("datum.kind == 'too few'")
    colour = alt.Color(
        "rate:Q", scale=alt.Scale(range=SCALE, domainMin=0), title=f"{measure}", legend=alt.Legend(format="%")
    )
    cells = base.mark_rect(stroke="#FFFFFF").encode(color=colour).transform_filter("datum.kind == 'rate'")
    marks = base.mark_text(fontSize=12).encode(text=alt.Text("mark:N"), color=alt.Color("ink:N", scale=None))
    own_colours = {"scale": {"color": "independent"}}
    return styled(layered(grey, cells, marks, height=per_row(28), resolve=own_colours), rows)


def group_rows(groups: Sequence[Group], measure: str) -> list[dict[str, Any]]:
    found = []
    for one in groups:
        rate = rate_of(one, measure)
        kept = rate if one.is_enough else Rate(None, None, None)
        found.append(
            {
                "group": one.name,
                "label": f"{one.name} (n = {one.n:,})",
                "rate": kept.value,
                "low": kept.low,
                "high": kept.high,
                "n": one.n,
                "events": events_of(one, measure),
                "said": share(rate.value) if one.is_enough else f"not enough data ({one.n} of {FEWEST} deployments)",
                "interval": interval_said(kept),
                "unsettled": one.unsettled,
            }
        )
    return found


def rates(rows: Sequence[dict[str, Any]], measure: str, whole: float | None) -> Spec:
    """A point with its interval per group, and a dotted line at the rate of all."""
    named = alt.Axis(labelExpr="split(replace(datum.label, ' (n =', '|(n ='), '|')", labelLimit=165, ticks=False)
    base = over_rows().encode(
        y=alt.Y("label:N", sort=[row["label"] for row in rows], title=None, axis=named),
        tooltip=[
            alt.Tooltip("group:N"),
            alt.Tooltip("said:N", title=measure),
            alt.Tooltip("interval:N", title="95 % interval"),
            alt.Tooltip("n:Q"),
        ],
    )
    axis = alt.Axis(format="%", tickCount=3, titleAnchor="end")
    x = alt.X("rate:Q", title=f"{measure}, of the deployments counted", axis=axis, scale=alt.Scale(zero=True))
    whisker = base.mark_rule(color=LINES[0], strokeWidth=2).encode(x=alt.X("low:Q", axis=axis), x2=alt.X2("high:Q"))
    point = base.mark_point(filled=True, size=80, color=LINES[0], opacity=1).encode(x=x)
    layers = [whisker, point]
    if whole is not None:
        line = alt.Chart(alt.Data(values=[{"all": whole}])).mark_rule(color=MUTED, strokeDash=[3, 3])
        layers.append(line.encode(x=alt.X("all:Q")))
    return styled(layered(*layers, height=per_row(30)), rows)


def driver_rows(parts: Sequence[Driver]) -> list[dict[str, Any]]:
    """A row per part of the week and estimate that there is, each against its usual."""
    return [
        {"part": one.estimate.part, "estimate": name, "times": found.value, "low": found.low, "high": found.high}
        for one in parts
        for name, found in ((RAW, one.raw_times), (SECOND, one.second_times), (MODEL, one.model_times))
        if found is not None
    ]


def drivers(rows: Sequence[dict[str, Any]]) -> Spec:
    """Raw and adjusted failure rates against the usual, with their intervals, part of the week by part."""
    parts = list(dict.fromkeys(row["part"] for row in rows))
    base = over_rows().encode(
        y=alt.Y("part:N", sort=parts, title=None, axis=alt.Axis(labelLimit=180)),
        yOffset=alt.YOffset("estimate:N", sort=[RAW, SECOND, MODEL]),
        color=alt.Color(
            "estimate:N",
            scale=ESTIMATES,
            title=None,
            legend=alt.Legend(orient="top", symbolSize=90, columns=by_width(1, 0)),
        ),
        tooltip=[
            alt.Tooltip("part:N"),
            alt.Tooltip("estimate:N"),
            alt.Tooltip("times:Q", format=".2f"),
            alt.Tooltip("low:Q", format=".2f"),
            alt.Tooltip("high:Q", format=".2f"),
        ],
    )
    top = min(FARTHEST, max([1.5, *(row["high"] for row in rows)]))
    scale = alt.Scale(domain=[0, top], clamp=True)
    whisker = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=scale), x2=alt.X2("high:Q"))
    point = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=alt.X("times:Q", title="failures, times the usual", scale=scale),
        shape=alt.Shape("estimate:N", scale=SHAPES, title=None),
    )
    line = (
        alt.Chart(alt.Data(values=[{"usual": 1}])).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(x=alt.X("usual:Q"))
    )
    return styled(layered(line, whisker, point, height=per_row(18)), rows)
