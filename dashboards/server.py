"""The server of the page: Streamlit, on loopback, with everything off that would leave the machine."""

from __future__ import annotations

import asyncio
import webbrowser
from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path
from socket import socket
from typing import Any

import streamlit as st
import uvicorn
from starlette.middleware import Middleware
from streamlit.web.bootstrap import load_config_options

from shipcast.answers.ahead import Ahead
from shipcast.dashboards.ahead import likely
from shipcast.dashboards.own_files import OwnFiles
from shipcast.dashboards.served import is_drawing, serve
from shipcast.dashboards.style import THEME
from shipcast.dashboards.view import source
from shipcast.settings import Settings

LOOPBACK = "127.0.0.1"
START = Path(__file__).parent / "start" / "shipcast_page.py"
QUIET = 2.0  # seconds in which who has just started it asks for the first page
EARLY = ("shipcast.dashboards.frame", "pandas", "holidays")  # imported before anybody waits for a first page
OPTIONS: Mapping[str, Any] = {
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
    "global.developmentMode": False,
    "logger.hideWelcomeMessage": True,
    "server.allowedHosts": [LOOPBACK, "localhost"],  # a name of a stranger's that leads here would see and book all
    "server.enableStaticServing": False,
    "server.fileWatcherType": "none",
    "server.headless": True,
    "server.maxUploadSize": 1,
}
SERVING: Mapping[str, Any] = {
    "ws": "websockets-sansio",
    "ws_per_message_deflate": False,  # nothing is gained where both ends are on one machine
    "access_log": False,
    "log_level": "warning",
}


class Page(uvicorn.Server):
    """The server, which shows the page in a browser of this machine once it listens, where that is wanted."""

    opens_browser = False

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.opens_browser and self.started:
            address = f"http://{self.config.host}:{self.config.port}"
            asyncio.get_running_loop().run_in_executor(None, webbrowser.open, address)  # some wait for the browser


def run(settings: Settings, as_of: datetime | None, port: int, *, opens_browser: bool) -> None:
    """Serve the page of a home on loopback until interrupted.

    Parameters
    ----------
    as_of
        Aware; null: each view is as of the quarter of an hour in which it is drawn.
    """
    for module in EARLY:
        import_module(module)
    serve(settings, as_of)
    Ahead(lambda instant: source(settings, instant or as_of), likely, as_of, QUIET, is_drawing).begin()
    page = server(port)
    page.opens_browser = opens_browser
    page.run()


def server(port: int) -> Page:
    """The server of what was given to `serve`, not begun yet.

    It is uvicorn's own and not that of Streamlit's `App.run`, which binds the socket in a way that leaves Nagle's
    algorithm on: https://github.com/Kludex/uvicorn/issues/3149.
    """
    load_config_options({**OPTIONS, **THEME, "server.address": LOOPBACK, "server.port": port})
    app = st.App(START, middleware=[Middleware(OwnFiles)])
    return Page(uvicorn.Config(app, host=LOOPBACK, port=port, **SERVING))
