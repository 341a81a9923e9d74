"""Why a start costs what it costs: from the usual to it, step by step; and its factors over the week."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from shipcast.answers.explain import Curve
from shipcast.answers.failures import hour_said
from shipcast.answers.why import Shipped
from shipcast.answers.windows import Window
from shipcast.answers.words import amount, plural, share
from shipcast.dashboards.charts.style import NARROW, Spec, by_width, layered, over_rows, per_row, stacked, styled
from shipcast.dashboards.style import DASHES, INK, LEVELS, LINES, MUTED
from shipcast.scheduling.recommend import LEVELS as BOUNDS

USUAL, HERE = "usual, the mean of the week", "this start"
DEARER, CHEAPER, WHOLE = "▲ adds", "▼ takes away", "■ whole cost"
KINDS = alt.Scale(domain=[WHOLE, DEARER, CHEAPER], range=[MUTED, LEVELS["storm"].fill, LEVELS["calm"].fill])
HEIGHT, LEFT = 150, 48  # so that the hours of all charts stand below each other
PAST = "past"
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
    lines = f"{NARROW} ? split(datum.label, ', ') : datum.label"
    named = alt.Axis(labelExpr=lines, labelLimit=by_width(125, 220), ticks=False)
    base = over_rows().encode(
        y=alt.Y("step:N", sort=order, title=None, axis=named),
        tooltip=[alt.Tooltip("step:N"), alt.Tooltip("kind:N"), alt.Tooltip("said:N", title="of the usual cost")],
    )
    bars = base.mark_bar(height=20).encode(
        x=alt.X("from:Q", title="cost against the usual", axis=alt.Axis(format="%", tickCount=by_width(4, 10))),
        x2=alt.X2("to:Q"),
        color=alt.Color("kind:N", scale=KINDS, title=None, legend=alt.Legend(orient="top", columns=by_width(1, 0))),
    )
    labels = base.mark_text(align="left", dx=5, fontSize=13, color=INK).encode(
        x=alt.X("right:Q"), text=alt.Text("said:N")
    )
    found = bounds(max(row["right"] for row in rows))
    return styled(layered(*found, bars, labels, height=per_row(34)), rows)


def bounds(highest: float) -> list[alt.Chart]:
    """Where levels begin, as far as the chart reaches."""
    rows = [
        {"bound": bound, "level": f"{look.mark} {look.word}"}
        for (bound, _), look in zip(BOUNDS, [*LEVELS.values()][1:], strict=True)
        if bound <= highest * 1.15
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(x=alt.X("bound:Q"))
    rule = base.mark_rule(color=MUTED, strokeDash=DASHES[2])
    said = by_width("slice(datum.level, 0, 1)", "datum.level")
    return [
        rule,
        base.mark_text(align="left", dx=3, dy=-6, fontSize=11, color=MUTED, text=said).encode(y=alt.YValue(0)),
    ]


def over_the_week(curves: Sequence[Curve], shipped: Sequence[Shipped], hour: int, zone: str) -> Spec:
    """The factors of the cost over the week, one below the other, and below them the past deployments."""
    sets = {curve.factor: curve_rows(curve) for curve in curves} | {PAST: shipped_rows(shipped)}
    drawn = [effect(curve, sets[curve.factor][hour], place) for place, curve in enumerate(curves)]
    return styled(stacked(*drawn, rug(zone)), [{"hour": hour}], **sets)


def curve_rows(curve: Curve) -> list[dict[str, Any]]:
    """One row per hour of the week."""
    return [
        {"hour": hour, "until": hour + 1, "value": value, "low": low, "high": high}
        | {"said": f"{hour_said(hour)}: {curve.factor} {range_said(curve, hour)}"}
        for hour, (value, low, high) in enumerate(zip(curve.values, curve.low, curve.high, strict=True))
    ]


def shipped_rows(shipped: Sequence[Shipped]) -> list[dict[str, Any]]:
    """One row per hour of the week in which anything was shipped."""
    return [
        {"hour": one.hour, "until": one.hour + 1, "shipped": one.n, "failed": one.failed}
        | {"said": f"{hour_said(one.hour)}: {plural(one.n, 'past deployment')}, {one.failed:,} failed"}
        for one in shipped
        if one.n
    ]


def range_said(curve: Curve, hour: int) -> str:
    """A factor at an hour, with its interval."""
    numbers = (curve.values[hour], curve.low[hour], curve.high[hour])
    value, low, high = (share(one) if curve.unit == "share" else amount(one) for one in numbers)
    return f"{value} ({low} to {high})"


def effect(curve: Curve, here: dict[str, Any], place: int) -> Spec:
    """One factor over the week with its interval; a point at the hour asked about."""
    base = over_rows(curve.factor).encode(x=week_axis(None))
    y = alt.Y(
        "value:Q",
        title=curve.unit,
        axis=alt.Axis(format="%" if curve.unit == "share" else "~s", tickCount=4, minExtent=LEFT),
        scale=alt.Scale(zero=True),
    )
    colour, dash = LINES[place % len(LINES)], DASHES[place % len(DASHES)]
    band = base.mark_area(color=colour, opacity=0.2, interpolate="step-after").encode(
        y=alt.Y("low:Q"), y2=alt.Y2("high:Q")
    )
    line = base.mark_line(color=colour, strokeDash=dash, interpolate="step-after").encode(y=y)
    point = (
        alt.Chart(alt.Data(values=[here])).mark_point(color=INK, filled=True, size=70).encode(x=alt.X("hour:Q"), y=y)
    )
    return layered(band, line, point, said_by_hour(base), asked_rule(), height=HEIGHT, title=titled(curve.factor))


def rug(zone: str) -> Spec:
    """Past deployments by the hour they started in: a bar for those that shipped, a cross where some failed."""
    base = over_rows(PAST).encode(x=week_axis(f"start, hour of the week ({zone})"))
    y = alt.Y("shipped:Q", title="past starts", axis=alt.Axis(tickCount=2, minExtent=LEFT))
    bars = base.mark_bar(color=MUTED, width=2).encode(y=y)
    failed = base.mark_text(text="×", fontSize=14, fontWeight="bold", color=LEVELS["storm"].fill, dy=-6).encode(y=y)
    failed = failed.transform_filter("datum.failed > 0")
    title = titled("past deployments (× where some failed)")
    return layered(bars, failed, said_by_hour(base), asked_rule(), height=HEIGHT, title=title)


def titled(words: str) -> Spec:
    return {"text": words, "anchor": "start", "color": INK, "fontSize": 13}


def said_by_hour(base: alt.Chart) -> alt.Chart:
    """What is not seen of each hour but said when it is pointed at: of a line all hours would say the first."""
    return base.mark_bar(opacity=0).encode(
        x2=alt.X2("until:Q"), y=alt.YValue(0), y2=alt.Y2Value(HEIGHT), tooltip=alt.Tooltip("said:N")
    )


def week_axis(title: str | None) -> alt.X:
    axis = alt.Axis(values=MIDNIGHTS, labelExpr=DAY_LABELS, labelAlign="left", title=title)
    return alt.X("hour:Q", scale=alt.Scale(domain=[0, 168], nice=False, padding=0), axis=axis)


def asked_rule() -> alt.Chart:
    return over_rows().mark_rule(color=INK, strokeDash=DASHES[2]).encode(x=alt.X("hour:Q"))


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
