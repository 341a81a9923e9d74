"""What all charts share: ink, paper, and the colours of the levels."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt

from shipcast.dashboards.style import INK, LEVELS, MUTED, RULE

DRAWN = {"embedOptions": {"renderer": "canvas"}}  # one picture, which `alt` describes, and no thousand parts


CLOCK = "%Y-%m-%dT%H:%M:%S"  # a time without its zone, as charts read it


def on_clock(moment: datetime, zone: str) -> str:
    """What a clock of the zone shows, as charts read it, which know no zones."""
    return f"{moment.astimezone(ZoneInfo(zone)):{CLOCK}}"


def styled(chart: Any) -> Any:
    """The chart with the page's ink, on its paper, and with nothing fetched from anywhere."""
    return (
        chart.properties(usermeta=DRAWN)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=MUTED, titleColor=MUTED, gridColor=RULE, domainColor=RULE, tickColor=RULE, labelFontSize=12
        )
        .configure_text(color=INK)
        .configure_legend(labelColor=INK, titleColor=MUTED, labelFontSize=12)
    )


def level_colours() -> alt.Scale:
    return alt.Scale(domain=[*LEVELS, "not known"], range=[*(look.fill for look in LEVELS.values()), RULE])
