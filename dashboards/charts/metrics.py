"""A metric over weeks: small beside its number, or with its intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from shipcast.dashboards.charts.style import Spec, over_rows, styled
from shipcast.dashboards.style import LINES


def sparkline(weeks: Sequence[str], values: Sequence[float | None]) -> Spec:
    """A small line of a metric by week; a gap where a week has no value."""
    rows = [{"week": week, "value": value} for week, value in zip(weeks, values, strict=True)]
    line = over_rows().mark_line(color=LINES[0], strokeWidth=2, point=alt.OverlayMarkDef(size=12))
    encoded = line.encode(
        x=alt.X("week:O", axis=None), y=alt.Y("value:Q", axis=None, scale=alt.Scale(zero=False, nice=False))
    )
    return styled(encoded.properties(width="container", height=40), rows)


def weekly(rows: Sequence[dict[str, Any]], unit: str, cut: Sequence[str]) -> Spec:
    """A metric by ISO week with its intervals; weeks that are not whole are hollow."""
    base = over_rows().encode(
        x=alt.X("week:O", title="ISO week", axis=alt.Axis(labelAngle=-60, labelOverlap=True)),
    )
    # A week that has hardly begun knows nothing: its interval must not flatten all others.
    over = [row for row in rows if row["week"] not in cut] or rows
    ends = [end for row in over for end in (row["low"], row["high"]) if end is not None]
    ends += [row["value"] for row in rows if row["value"] is not None]
    scale = alt.Scale(domain=[min(0.0, *ends), max(ends, default=1.0)], nice=True)
    axis = alt.Axis(format="%") if unit == "share" else alt.Axis()
    band = base.mark_errorbar(color=LINES[0], ticks=True, opacity=0.5, clip=True).encode(
        y=alt.Y("low:Q", title=unit, scale=scale, axis=axis), y2="high:Q"
    )
    line = base.mark_line(color=LINES[0]).encode(y=alt.Y("value:Q", title=unit))
    points = base.mark_point(size=55, strokeWidth=2, color=LINES[0]).encode(
        y=alt.Y("value:Q", title=unit),
        fill=alt.condition(alt.FieldOneOfPredicate("week", list(cut)), alt.value("#FFFFFF"), alt.value(LINES[0])),
        tooltip=["week:N", alt.Tooltip("said:N", title="value"), alt.Tooltip("interval:N"), alt.Tooltip("n:Q")],
    )
    return styled(alt.layer(band, line, points).properties(width="container", height=240), rows)
