"""The server of the page: Streamlit, on loopback, with everything off that would leave the machine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from shipcast.dashboards.served import serve
from shipcast.dashboards.style import THEME
from shipcast.settings import Settings

LOOPBACK = "127.0.0.1"
START = Path(__file__).parent / "start" / "shipcast_page.py"
OPTIONS: Mapping[str, Any] = {
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
    "global.developmentMode": False,
    "logger.hideWelcomeMessage": True,
    "server.enableStaticServing": False,
    "server.fileWatcherType": "none",
    "server.maxUploadSize": 1,
}


def run(settings: Settings, as_of: datetime | None, port: int, *, opens_browser: bool) -> None:
    """Serve the page of a home on loopback until interrupted.

    Parameters
    ----------
    as_of
        Aware; null: each view is as of the quarter of an hour in which it is drawn.
    """
    import streamlit as st

    from shipcast.dashboards import frame  # noqa: F401  now, and not while the first viewer waits
    from shipcast.dashboards.ahead import keep_asking

    serve(settings, as_of)
    keep_asking(settings, as_of)
    given = {"server.address": LOOPBACK, "server.port": port, "server.headless": not opens_browser}
    st.App(START).run(config={**OPTIONS, **THEME, **given})
