"""The application: routes, what stands before them, and what is said where something is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse

from shipcast.answers.ahead import Ahead
from shipcast.api import feeds, health, problems
from shipcast.api.access import Door, scoped
from shipcast.api.ahead import likely
from shipcast.api.asking import Api
from shipcast.api.document import ROOT, document
from shipcast.api.errors import TokenLacking
from shipcast.api.gauges import Gauges
from shipcast.api.guard import LOOPBACK, Guard
from shipcast.api.plans import Planner
from shipcast.api.repeats import Repeats
from shipcast.api.routes import advice, bookings, calendar, delivery, hooks
from shipcast.ingest.hooks.inbox import Letterbox
from shipcast.settings import Settings
from shipcast.settings.errors import ShipcastError, UsageError

WORKERS = 4  # threads that answer: more would wait for each other


def application(
    settings: Settings,
    as_of: datetime | None = None,
    *,
    hosts: Sequence[str] = (),
    origins: Sequence[str] = (),
    is_local: bool = True,
    asks_ahead: bool = False,
) -> FastAPI:
    """The API of a home.

    Parameters
    ----------
    as_of
        Of questions that say none (aware); null: the present.
    hosts
        The names by which it may be asked, beside those of loopback.
    origins
        The pages of other sites that may ask; none: no page may.
    is_local
        Only this machine can reach it: whoever is on it may read while there are no tokens.
    asks_ahead
        What is likely to be asked is made ready before it is.
    """
    # Where a server with TLS stands before it, a redirection would lead whoever asks, token and all, to http://.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan)
    app.state.api = Api(settings, as_of, Door(settings.home, is_open=is_local))
    app.state.gauges = Gauges()
    app.state.planner = Planner(settings)
    app.state.repeats = Repeats()
    app.state.letterbox = Letterbox(settings.home)
    app.state.ahead = Ahead(app.state.api.source, likely, as_of) if asks_ahead else None
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    for routes in ROUTES:
        app.include_router(routes)
    handle(app)
    if origins:
        app.add_middleware(
            Origins,
            allow_origins=list(origins),
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "idempotency-key", "if-none-match"],
            expose_headers=["etag", "items-total", "link", "retry-after"],
        )
    app.add_middleware(Guard, hosts={*LOOPBACK, *(host.lower() for host in hosts)}, gauges=app.state.gauges)
    return app


class Origins(CORSMiddleware):
    """Says as a problem that the page of another site may not ask."""

    def preflight_response(self, request_headers: Headers) -> Response:
        found = super().preflight_response(request_headers)
        if found.status_code < 400:
            return found
        kept = {name: value for name, value in found.headers.items() if not name.startswith("content-")}
        said = problems.bad_request(f"{bytes(found.body).decode()}: `shipcast serve --allow-origin` names none such.")
        return Response(said, found.status_code, kept, problems.MEDIA_TYPE)


described = APIRouter(include_in_schema=False, dependencies=[Depends(scoped("read"))])


@described.get(f"{ROOT}/openapi.json")
async def openapi_document(request: Request) -> Response:
    return JSONResponse(document(request.app))


@described.get(ROOT)
async def contents(request: Request) -> Response:
    """What there is to ask, in a line each."""
    paths: dict[str, Any] = document(request.app)["paths"]
    lines = [
        f"{method.upper():5}{path}  {told.get('description', '').splitlines()[0] if told.get('description') else ''}"
        for path, methods in paths.items()
        for method, told in methods.items()
    ]
    said = "\n".join([f"Shipcast. The document is at {ROOT}/openapi.json.", "", *lines, ""])
    return Response(said, media_type="text/plain; charset=utf-8")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = WORKERS
    ahead: Ahead | None = app.state.ahead
    if ahead is not None:
        document(app)  # now, and not while somebody waits
        ahead.begin()
    yield
    if ahead is not None:
        ahead.end()
    app.state.planner.end()
    app.state.letterbox.end()
    app.state.api.kept.close()


def handle(app: FastAPI) -> None:
    """Let every error be a problem."""

    @app.exception_handler(ShipcastError)
    async def of_ours(request: Request, error: ShipcastError) -> Response:
        found = problems.of_error(request, error)
        if isinstance(error, TokenLacking):
            found.headers["www-authenticate"] = 'Bearer realm="shipcast"'
        return found

    @app.exception_handler(HTTPException)
    async def of_the_framework(request: Request, error: HTTPException) -> Response:
        if error.status_code == 400:  # the body has the type of JSON, and is none or too deep to be read
            return problems.of_error(request, UsageError("The body is no JSON that can be read."))
        return problems.of_status(request, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def of_parameters(request: Request, error: RequestValidationError) -> Response:
        return problems.of_faults(request, error.errors())


ROUTES = (
    delivery.routes,
    advice.routes,
    calendar.routes,
    bookings.routes,
    feeds.routes,
    described,
    health.routes,
    hooks.routes,
)
