"""What all charts share: where their rows come from, ink, paper, and the colours of the levels.

Encodings are given as channels, `alt.X("hour:T")`: for each that is a bare word Altair reads its whole schema anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt
from altair.utils.schemapi import disable_debug_mode

from shipcast.dashboards.style import INK, LEVELS, MUTED, RULE

disable_debug_mode()  # charts are held to the schema by a test of every page, and not again at every drawing
Spec = dict[str, Any]
Rows = Sequence[Mapping[str, Any]]
ROWS = "rows"
NARROW = "windowSize()[0] < 640"  # pixels of the reader's screen, such as a telephone's
OF_THE_WHOLE = ("$schema", "config", "datasets")
DRAWN = {"embedOptions": {"renderer": "canvas"}}  # one picture, which `alt` describes, and no thousand parts
TITLE_ENDS = {"titleAnchor": {"expr": f"{NARROW} ? 'end' : 'middle'"}}  # where it may be longer than its axis
CONFIG = {
    "view": {"stroke": None},
    "mark": {"aria": False},  # words about each mark, which a canvas could not tell anybody
    "axis": {
        **dict.fromkeys(("gridColor", "domainColor", "tickColor"), RULE),
        **dict.fromkeys(("labelColor", "titleColor"), MUTED),
        "labelFontSize": 12,
    },
    "axisX": TITLE_ENDS,
    "axisY": TITLE_ENDS,
    "text": {"color": INK},
    "legend": {"labelColor": INK, "titleColor": MUTED, "labelFontSize": 12},
}
CLOCK = "%Y-%m-%dT%H:%M:%S"  # a time without its zone, as charts read it


def on_clock(moment: datetime, zone: str) -> str:
    """What a clock of the zone shows, as charts read it, which know no zones."""
    return f"{moment.astimezone(ZoneInfo(zone)):{CLOCK}}"


def over_rows(name: str = ROWS) -> alt.Chart:
    """A chart of the rows that `styled` will be given, by their name where there are several."""
    return alt.Chart(alt.NamedData(name))


def by_width(narrow: float | str, wide: float | str) -> alt.ExprRef:
    """One of two numbers or expressions, by the width of the reader's screen."""
    return alt.ExprRef(f"{NARROW} ? {narrow} : {wide}")


def day_labels(reads: str = "timeFormat") -> str:
    """The days of an axis, on narrow screens over two lines; `reads` says how Vega reads its times."""
    short, whole = (f"{reads}(datum.value, '{form}')" for form in ("%a|%-d", "%a %-d %b"))
    return f"{NARROW} ? split({short}, '|') : {whole}"


def per_row(height: int) -> Spec:
    """The height of a chart that has a row for each of its names."""
    return {"step": height}


def layered(*charts: alt.Chart, height: int | Spec, **properties: Any) -> Spec:
    """Charts over one another.

    Altair's own `layer` and `vconcat` copy all of them several times over, at every drawing.
    """
    return combined("layer", [chart.to_dict(validate=False) for chart in charts]) | {"height": height} | properties


def stacked(*specs: Spec) -> Spec:
    """Charts below one another, as wide as there is room."""
    return combined("vconcat", specs) | {"autosize": {"type": "fit-x", "contains": "padding"}}


def combined(how: str, parts: Sequence[Spec]) -> Spec:
    """A chart of charts; what only the whole may have is taken from its parts."""
    return {
        how: [{name: value for name, value in part.items() if name not in OF_THE_WHOLE} for part in parts],
        "datasets": {name: rows for part in parts for name, rows in part.get("datasets", {}).items()},
    }


def styled(spec: Spec, rows: Rows, **more: Rows) -> Spec:
    """What Vega-Lite draws: the chart over these rows with the page's ink, and with nothing fetched from anywhere."""
    width = {} if "vconcat" in spec else {"width": "container"}
    datasets = spec["datasets"] | {ROWS: list(rows)} | {name: list(some) for name, some in more.items()}
    return spec | width | {"$schema": alt.SCHEMA_URL, "datasets": datasets, "usermeta": DRAWN, "config": CONFIG}


def level_colours() -> alt.Scale:
    return alt.Scale(domain=[*LEVELS, "not known"], range=[*(look.fill for look in LEVELS.values()), RULE])
