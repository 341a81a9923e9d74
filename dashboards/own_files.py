"""Streamlit's own scripts and fonts out of memory, a hundred of which a browser wants before it shows a page."""

from __future__ import annotations

import mimetypes
from functools import cached_property
from pathlib import Path

import streamlit
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

ROOT = Path(streamlit.__file__).parent / "static"
FOLDERS = ("static/js", "static/css", "static/media")  # what is named after what it holds, so that it never changes
FOR_GOOD = {"Cache-Control": "public, immutable, max-age=31536000"}


class OwnFiles:
    """Answers for these files, each read from the disk once; all else is asked of the app behind it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.read: dict[str, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and scope["method"] == "GET" and path in self.files and not is_part(scope):
            if path not in self.read:
                self.read[path] = self.files[path].read_bytes()
            await Response(self.read[path], headers=FOR_GOOD, media_type=kind_of(path))(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    @cached_property
    def files(self) -> dict[str, Path]:
        """By the path of their address."""
        found = [path for folder in FOLDERS for path in (ROOT / folder).glob("*") if path.is_file()]
        return {f"/{path.relative_to(ROOT).as_posix()}": path for path in found}


def is_part(scope: Scope) -> bool:
    """Whether a part of a file is asked for."""
    return "range" in Headers(scope=scope)


def kind_of(path: str) -> str:
    """
    >>> kind_of("/static/js/index.js"), kind_of("/static/media/a.woff2")
    ('text/javascript', 'font/woff2')
    """
    return mimetypes.guess_type(path)[0] or "application/octet-stream"
