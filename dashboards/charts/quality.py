"""How forecasts did: what was said beside what came, by level, and over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from shipcast.answers.failure_quality import Band, LevelOutcome
from shipcast.answers.model_record import SkillSpan
from shipcast.dashboards.charts.style import NARROW, Spec, by_width, layered, over_rows, per_row, styled
from shipcast.dashboards.style import INK, LEVELS, LINES, MUTED

TICKS = [0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1]
ROOM, MUCH = 0.09, 0.28  # of the width of a chart, that words on a point take; the second on a narrow screen
BESIDE = 35  # pixels from the other axis, within which words would lie over its labels
SHARE = "format(datum.value * 100, '.3~g') + ' %'"


def reliability(bands: Sequence[Band]) -> Spec:
    """The share that failed over the chance that was said, with 95 % intervals, beside the line where both are one."""
    most = min(1.0, 1.15 * max(max(band.observed_high, band.forecast) for band in bands))
    rows = [
        {
            "forecast": band.forecast,
            "observed": band.observed,
            "low": band.observed_low,
            "high": band.observed_high,
            "said": f"{band.failures:,} of {band.n:,}",
            "shown": has_room,
            "shown_narrow": has_much,
        }
        for band, has_room, has_much in zip(
            bands, *(with_room([band.forecast for band in bands], most, room) for room in (ROOM, MUCH)), strict=True
        )
    ]
    base = over_rows().encode(x=chance_axis("x", "forecast", "chance that was said", most))
    whiskers = base.mark_rule(color=LINES[0], strokeWidth=2).encode(
        y=chance_axis("y", "low", "share that failed, with 95 % interval", most), y2=alt.Y2("high:Q")
    )
    points = base.mark_point(color=LINES[0], filled=True, size=80, opacity=1).encode(
        y=alt.Y("observed:Q"),
        tooltip=[
            alt.Tooltip("said:N", title="failed"),
            alt.Tooltip("forecast:Q"),
            alt.Tooltip("observed:Q"),
            alt.Tooltip("low:Q"),
            alt.Tooltip("high:Q"),
        ],
    )
    words = (
        base.mark_text(
            dy=-9, color=INK, align=alt.ExprRef(f"scale('x', datum.forecast) < {BESIDE} ? 'left' : 'center'")
        )
        .encode(y=alt.Y("high:Q"), text=alt.Text("said:N"))
        .transform_filter(f"{NARROW} ? datum.shown_narrow : datum.shown")
    )
    ends = alt.Chart(alt.Data(values=[{"at": 0.0}, {"at": most}])).encode(x=alt.X("at:Q"), y=alt.Y("at:Q"))
    line = ends.mark_line(color=INK, strokeDash=[6, 4], strokeWidth=1)
    corner = alt.Chart(alt.Data(values=[{"at": most, "text": "as it was said"}])).encode(
        x=alt.X("at:Q"), y=alt.Y("at:Q")
    )
    label = corner.mark_text(align="right", dx=-30, dy=4, color=INK, text=by_width("''", "datum.text"))
    return styled(layered(line, label, whiskers, points, words, height=360), rows)


def with_room(forecasts: Sequence[float], most: float, room: float = ROOM) -> list[bool]:
    """Of points from left to right on an axis of chances, which have room for words beside the last that has.

    >>> with_room([0.01, 0.012, 0.05], 1.0)
    [True, False, True]
    """
    found, last = [], -1.0
    for forecast in forecasts:
        place = (forecast / most) ** 0.5
        found.append(place - last >= room)
        last = place if found[-1] else last
    return found


def chance_axis(which: str, field: str, title: str, most: float) -> Any:
    """An axis of chances, which spreads out the small ones."""
    made = {"x": alt.X, "y": alt.Y}[which]
    axis = alt.Axis(values=[tick for tick in TICKS if tick <= most], labelExpr=SHARE)
    return made(f"{field}:Q", title=title, scale=alt.Scale(type="sqrt", domain=[0, most]), axis=axis)


def by_level(levels: Sequence[LevelOutcome]) -> Spec:
    """The share that failed by level, from calm to storm, with 95 % intervals."""
    rows = [
        {
            "level": f"{LEVELS[one.level].mark} {one.level}",
            "observed": one.observed,
            "low": one.observed_low,
            "high": one.observed_high,
            "said": f"{one.failures:,} of {one.n:,}",
        }
        for one in levels
    ]
    base = over_rows().encode(
        y=alt.Y("level:N", sort=[row["level"] for row in rows], title=None, axis=alt.Axis(ticks=False))
    )
    x = alt.X("low:Q", title="share that failed, with 95 % interval", axis=alt.Axis(labelExpr=SHARE, tickCount=6))
    whiskers = base.mark_rule(color=LINES[0], strokeWidth=2).encode(x=x, x2=alt.X2("high:Q"))
    points = base.mark_point(color=LINES[0], filled=True, size=80, opacity=1).encode(x=alt.X("observed:Q"))
    words = base.mark_text(align="center", dy=-12, color=INK).encode(x=alt.X("observed:Q"), text=alt.Text("said:N"))
    return styled(layered(whiskers, points, words, height=per_row(40)), rows)


def over_time(spans: Sequence[SkillSpan]) -> Spec:
    """The share of the base rate's error that was saved, by four weeks, with 95 % intervals; 0 is the base rate."""
    rows = [
        {
            "start": f"{span.start:%Y-%m-%d}",
            "skill": span.skill,
            "low": span.skill_low,
            "high": span.skill_high,
            "said": f"n = {span.n:,}",
        }
        for span in spans
        if span.skill is not None
    ]
    base = over_rows().encode(
        x=alt.X("start:O", title="four weeks from (UTC)", axis=alt.Axis(labelAngle=0, labelOverlap=True))
    )
    y = alt.Y("low:Q", title="better than the base rate by", axis=alt.Axis(labelExpr=SHARE))
    whiskers = base.mark_rule(color=LINES[0], strokeWidth=2).encode(y=y, y2=alt.Y2("high:Q"))
    points = base.mark_point(color=LINES[0], filled=True, size=80, opacity=1).encode(y=alt.Y("skill:Q"))
    beside = {"angle": by_width(270, 0), "dx": by_width(4, 8), "dy": by_width(10, 0)}
    words = base.mark_text(align="left", color=MUTED, **beside).encode(y=alt.Y("skill:Q"), text=alt.Text("said:N"))
    zero = alt.Chart(alt.Data(values=[{"at": 0, "text": "the base rate"}]))
    line = zero.mark_rule(color=INK, strokeDash=[6, 4]).encode(y=alt.Y("at:Q"))
    label = zero.mark_text(align="left", dy=-7, color=INK, text=by_width("''", "datum.text")).encode(
        y=alt.Y("at:Q"), x=alt.XValue(4)
    )
    return styled(layered(line, label, whiskers, points, words, height=240), rows)
