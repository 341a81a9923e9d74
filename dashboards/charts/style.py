"""What all charts share: where their rows come from, ink, paper, and the colours of the levels."""

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
ROWS = "rows"
DRAWN = {"embedOptions": {"renderer": "canvas"}}  # one picture, which `alt` describes, and no thousand parts
CONFIG = {
    "view": {"stroke": None},
    "axis": {
        **dict.fromkeys(("gridColor", "domainColor", "tickColor"), RULE),
        **dict.fromkeys(("labelColor", "titleColor"), MUTED),
        "labelFontSize": 12,
    },
    "text": {"color": INK},
    "legend": {"labelColor": INK, "titleColor": MUTED, "labelFontSize": 12},
}
CLOCK = "%Y-%m-%dT%H:%M:%S"  # a time without its zone, as charts read it


def on_clock(moment: datetime, zone: str) -> str:
    """What a clock of the zone shows, as charts read it, which know no zones."""
    return f"{moment.astimezone(ZoneInfo(zone)):{CLOCK}}"


def over_rows() -> alt.Chart:
    """A chart of the rows that `styled` will be given."""
    return alt.Chart(alt.NamedData(ROWS))


def styled(chart: Any, rows: Sequence[Mapping[str, Any]]) -> Spec:
    """What Vega-Lite draws: the chart over these rows with the page's ink, and with nothing fetched from anywhere."""
    spec: Spec = chart.to_dict(validate=False)
    return spec | {"datasets": {**spec.get("datasets", {}), ROWS: list(rows)}, "usermeta": DRAWN, "config": CONFIG}


def level_colours() -> alt.Scale:
    return alt.Scale(domain=[*LEVELS, "not known"], range=[*(look.fill for look in LEVELS.values()), RULE])
