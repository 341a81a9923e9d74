"""The calendar for calendar programs, each under an address that is its own secret."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from shipcast.answers.calendar_export import export
from shipcast.api.asking import CACHED, Api, tags
from shipcast.api.document import ANYWHERE, failing
from shipcast.scheduling.calendar.scope import Subject

routes = APIRouter(tags=["feeds"])
BEFORE, AHEAD = timedelta(days=14), timedelta(days=92)
MEDIA_TYPE = "text/calendar; charset=utf-8"


@routes.get(
    "/feeds/{secret}.ics",
    response_class=Response,
    responses={
        200: {"content": {"text/calendar": {"schema": {"type": "string"}}}, "description": "Events (RFC 5545)."},
        304: {"description": "What the tag in If-None-Match names is still the feed."},
        **{status: failing(status) for status in (*ANYWHERE, 404, 422)},
    },
    openapi_extra={"security": []},
)
def feed(request: Request, secret: Annotated[str, Path(min_length=1, max_length=100)]) -> Response:
    """What is in force and booked, from two weeks ago to three months ahead; `shipcast token feed` opens one."""
    api: Api = request.app.state.api
    key = api.door.feed(secret)
    as_of = api.present()
    today = as_of.replace(hour=0, minute=0, second=0, microsecond=0)
    text = events(api, as_of, today, key.service)
    tag = f'"{sha256(text.encode()).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": CACHED}
    if tag in tags(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return Response(text, headers=headers, media_type=MEDIA_TYPE)


def events(api: Api, as_of: datetime, today: datetime, service: str | None) -> str:
    about = None if service is None else Subject(service, "production", ())
    answer = export(api.settings, as_of, today - BEFORE, today + AHEAD, subject=about)
    assert answer.ics is not None
    return answer.ics
