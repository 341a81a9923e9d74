"""Why a start costs what it costs: from the usual to it, step by step; and its factors over the week."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from shipcast.answers.explain import Curve
from shipcast.answers.failures import hour_said
from shipcast.answers.why import Shipped
from shipcast.answers.windows import Window
from shipcast.answers.words import plural
from shipcast.dashboards.charts.style import Spec, over_rows, styled
from shipcast.dashboards.style import DASHES, INK, LEVELS, LINES, MUTED
from shipcast.scheduling.recommend import LEVELS as BOUNDS

USUAL, HERE = "usual, the mean of the week", "this start"
DEARER, CHEAPER, WHOLE = "▲ adds", "▼ takes away", "■ whole cost"
KINDS = alt.Scale(domain=[WHOLE, DEARER, CHEAPER], range=[MUTED, LEVELS["storm"].fill, LEVELS["calm"].fill])
LEFT = 48  # so that the hours of all charts stand below each other
MIDNIGHTS = list(range(0, 168, 24))
DAY_LABELS = "['Mon','Tue','Wed','Thu','Fri','Sat','Sun'][floor(datum.value / 24)]"


def steps(item: Window) -> list[dict[str, Any]]:
    """From the usual cost, which is 1, by what each factor adds to the cost of the start, in the answer's order."""
    rows, at = [step(USUAL, 0.0, 1.0, WHOLE)], 1.0
    for reason in item.reasons:
        kind = DEARER if reason.points >= 0 else CHEAPER
        rows.append(step(reason.factor, at, at + reason.points, kind))
        at += reason.points
    return [*rows, step(HERE, 0.0, at, WHOLE)]


def step(name: str, begins: float, ends: float, kind: str) -> dict[str, Any]:
    said = f"{ends * 100:.0f} %" if kind == WHOLE else f"{(ends - begins) * 100:+.0f}"
    return {"step": name, "from": begins, "to": ends, "kind": kind, "said": said, "right": max(begins, ends)}


def waterfall(rows: Sequence[dict[str, Any]]) -> Spec:
    """The steps as bars, one below the other, each beginning where the last one ended; dotted where levels begin."""
    order = [row["step"] for row in rows]
    base = over_rows().encode(
        y=alt.Y("step:N", sort=order, title=None, axis=alt.Axis(labelLimit=220, ticks=False)),
        tooltip=[alt.Tooltip("step:N"), alt.Tooltip("kind:N"), alt.Tooltip("said:N", title="of the usual cost")],
    )
    bars = base.mark_bar(height=20).encode(
        x=alt.X("from:Q", title="cost against the usual", axis=alt.Axis(format="%")),
        x2="to:Q",
        color=alt.Color("kind:N", scale=KINDS, title=None, legend=alt.Legend(orient="top")),
    )
    labels = base.mark_text(align="left", dx=5, fontSize=13, color=INK).encode(x="right:Q", text="said:N")
    return styled(
        alt.layer(*bounds(max(row["right"] for row in rows)), bars, labels).properties(
            width="container", height=alt.Step(34)
        ),
        rows,
    )


def bounds(highest: float) -> list[alt.Chart]:
    """Where levels begin, as far as the chart reaches."""
    rows = [
        {"bound": bound, "level": f"{look.mark} {look.word}"}
        for (bound, _), look in zip(BOUNDS, [*LEVELS.values()][1:], strict=True)
        if bound <= highest * 1.15
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(x=alt.X("bound:Q"))
    rule = base.mark_rule(color=MUTED, strokeDash=DASHES[2])
    return [
        rule,
        base.mark_text(align="left", dx=3, dy=-6, fontSize=11, color=MUTED).encode(y=alt.value(0), text="level:N"),
    ]


def curve_rows(curves: Sequence[Curve], shipped: Sequence[Shipped]) -> list[dict[str, Any]]:
    """One row per factor and hour of the week."""
    return [
        {
            "factor": curve.factor,
            "unit": curve.unit,
            "hour": hour,
            "when": hour_said(hour),
            "value": curve.values[hour],
            "low": curve.low[hour],
            "high": curve.high[hour],
            "shipped": shipped[hour].n,
            "failed": shipped[hour].failed,
        }
        for curve in curves
        for hour in range(len(curve.values))
    ]


def effect(curve: Curve, rows: Sequence[dict[str, Any]], hour: int, place: int) -> Spec:
    """One factor over the week with its interval; a point at the hour asked about."""
    shown = "%" if curve.unit == "share" else "~s"
    base = over_rows().encode(
        x=week_axis(None),
        tooltip=[
            alt.Tooltip("when:N", title="start"),
            alt.Tooltip("value:Q", format=".3~s", title=curve.factor),
            alt.Tooltip("low:Q", format=".3~s"),
            alt.Tooltip("high:Q", format=".3~s"),
        ],
    )
    y = alt.Y(
        "value:Q",
        title=curve.unit,
        axis=alt.Axis(format=shown, tickCount=4, minExtent=LEFT),
        scale=alt.Scale(zero=True),
    )
    colour, dash = LINES[place % len(LINES)], DASHES[place % len(DASHES)]
    band = base.mark_area(color=colour, opacity=0.2, interpolate="step-after").encode(y=alt.Y("low:Q"), y2="high:Q")
    line = base.mark_line(color=colour, strokeDash=dash, interpolate="step-after").encode(y=y)
    here = base.mark_point(color=INK, filled=True, size=70).encode(y=y).transform_filter(f"datum.hour == {hour}")
    title = alt.TitleParams(curve.factor, anchor="start", color=INK, fontSize=13)
    layers = alt.layer(band, line, asked_rule(hour), here)
    return styled(layers.properties(width="container", height=170, title=title), rows)


def rug(rows: Sequence[dict[str, Any]], hour: int, zone: str) -> Spec:
    """Past deployments by the hour they started in: a tick for those that held, a cross for those that failed."""
    base = over_rows().encode(
        x=week_axis(f"start, hour of the week ({zone})"),
        tooltip=[alt.Tooltip("when:N", title="start"), alt.Tooltip("shipped:Q"), alt.Tooltip("failed:Q")],
    )
    bars = base.mark_bar(color=MUTED, width=2).encode(
        y=alt.Y("shipped:Q", title="past starts", axis=alt.Axis(tickCount=2, minExtent=LEFT))
    )
    failed = base.mark_text(text="×", fontSize=14, fontWeight="bold", color=LEVELS["storm"].fill, dy=-6).encode(
        y="shipped:Q"
    )
    title = alt.TitleParams("past deployments (× where some failed)", anchor="start", color=INK, fontSize=13)
    layers = alt.layer(bars, failed.transform_filter("datum.failed > 0"), asked_rule(hour))
    return styled(layers.properties(width="container", height=160, title=title), rows)


def week_axis(title: str | None) -> alt.X:
    axis = alt.Axis(values=MIDNIGHTS, labelExpr=DAY_LABELS, labelAlign="left", title=title)
    return alt.X("hour:Q", scale=alt.Scale(domain=[0, 168], nice=False), axis=axis)


def asked_rule(hour: int) -> alt.Chart:
    data = alt.Data(values=[{"hour": hour}])
    return alt.Chart(data).mark_rule(color=INK, strokeDash=DASHES[2]).encode(x="hour:Q")


def effects_said(curves: Sequence[Curve], hour: int) -> str:
    return (
        f"{plural(len(curves), 'factor')} of the cost over the week, with 95 % intervals; the dotted line is "
        f"{hour_said(hour)}, the hour asked about."
    )


def rug_said(shipped: Sequence[Shipped], hour: int) -> str:
    n, failed = sum(one.n for one in shipped), sum(one.failed for one in shipped)
    return (
        f"Below, {plural(n, 'past deployment')} that have settled by the hour they started in, {failed:,} of which "
        f"failed; {shipped[hour].n:,} of them started on {hour_said(hour)}."
    )
