"""A metric over weeks: small beside its number, or with its intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, TypeVar

import altair as alt

from shipcast.dashboards.charts.style import Spec, layered, over_rows, styled
from shipcast.dashboards.style import LINES

Found = TypeVar("Found")


def sparkline(values: Sequence[float | None]) -> str:
    """A small line over weeks as SVG, which fills whatever it is put in; a gap where a week has no value.

    >>> "M0 1L1 0M3 0.5h0" in sparkline([1.0, 3.0, None, 2.0])
    True
    """
    known = [value for value in values if value is not None]
    low, span = min(known, default=0.0), (max(known, default=0.0) - min(known, default=0.0)) or 1.0
    heights = [None if value is None else f"{1 - (value - low) / span:.3g}" for value in values]
    path = "".join(
        "M" + "L".join(f"{place} {height}" for place, height in run) + ("h0" if len(run) == 1 else "")
        for run in runs(heights)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -0.1 {max(1, len(values) - 1)} 1.2" '
        'preserveAspectRatio="none" width="100%" height="100%">'
        f'<path d="{path}" fill="none" stroke="{LINES[0]}" stroke-width="2.5" stroke-linecap="round" '
        'stroke-linejoin="round" vector-effect="non-scaling-stroke"/></svg>'
    )


def runs(values: Sequence[Found | None]) -> Iterator[list[tuple[int, Found]]]:
    """The stretches without a gap: the place and value of each.

    >>> list(runs([7, None, None, 8, 9]))
    [[(0, 7)], [(3, 8), (4, 9)]]
    """
    for is_gap, run in groupby(enumerate(values), key=lambda each: each[1] is None):
        if not is_gap:
            yield [(place, value) for place, value in run if value is not None]


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
        y=alt.Y("low:Q", title=unit, scale=scale, axis=axis), y2=alt.Y2("high:Q")
    )
    line = base.mark_line(color=LINES[0]).encode(y=alt.Y("value:Q", title=unit))
    points = base.mark_point(size=55, strokeWidth=2, color=LINES[0]).encode(
        y=alt.Y("value:Q", title=unit),
        fill=alt.FillValue(LINES[0], condition={"test": {"field": "week", "oneOf": list(cut)}, "value": "#FFFFFF"}),
        tooltip=[
            alt.Tooltip("week:N"),
            alt.Tooltip("said:N", title="value"),
            alt.Tooltip("interval:N"),
            alt.Tooltip("n:Q"),
        ],
    )
    return styled(layered(band, line, points, height=240), rows)
