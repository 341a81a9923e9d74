"""Webhooks: what sources send by themselves, kept for good before anybody is told that it was taken."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel

from shipcast.api.asking import Api
from shipcast.api.document import ANYWHERE, TOKEN, failing
from shipcast.api.errors import NoSuchPage, SignatureWrong, TokenLacking
from shipcast.ingest.hooks.arrival import Hooked, events_of, hooked, signers, told_events
from shipcast.ingest.hooks.inbox import Letterbox
from shipcast.ingest.hooks.kinds import Unusable
from shipcast.ingest.hooks.signatures import TimeOff
from shipcast.settings import Settings
from shipcast.settings.errors import InputRefused

routes = APIRouter(prefix="/hooks", tags=["webhooks"])


class Kept(BaseModel):
    """The message is on the disk, and the next run makes rows of it.

    Parameters
    ----------
    events
        0: nothing in it is of use, or another came before under its id.
    warnings
        What its sender should know, such as keys that mean no column; null: nothing.
    """

    status: Literal["kept"] = "kept"
    events: int
    warnings: tuple[str, ...] | None = None


def told(*further: int, **said: Any) -> dict[str, Any]:
    """What a route's decorator says of it; `further`: statuses beside those of all webhooks."""
    body = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    return {
        "status_code": 202,
        "responses": {status: failing(status) for status in (*ANYWHERE, 401, *further, 404, 422)},
        "openapi_extra": {"security": [], "requestBody": body, **said},
    }


TOLD = told()
BY_TOKEN = told(403, **{"security": [{}, {TOKEN: ["ingest"]}], "x-scope": "ingest"})
SIGNATURE = "webhook-signature"
SIGN = "Sign it, or say `Authorization: Bearer TOKEN`; shipcast token add NAME --scope ingest makes one."


@routes.post("/github", **TOLD)
async def github(request: Request) -> Response:
    """A webhook of GitHub: deployments, their statuses, and issues; signed by X-Hub-Signature-256."""
    return await taken(request, "github")


@routes.post("/gitlab", **TOLD)
async def gitlab(request: Request) -> Response:
    """A webhook of GitLab: deployments and incidents; its secret is in X-Gitlab-Token."""
    return await taken(request, "gitlab")


@routes.post("/pagerduty", **TOLD)
async def pagerduty(request: Request) -> Response:
    """A webhook (version 3) of PagerDuty: incidents; signed by X-PagerDuty-Signature."""
    return await taken(request, "pagerduty")


@routes.post("/events/{name}", **BY_TOKEN)
async def events(request: Request, name: Annotated[str, Path(min_length=1, max_length=60)]) -> Response:
    """A CloudEvent (1.0, JSON) with a row of a table as data: signed as a Standard Webhook, or by a token."""
    if SIGNATURE in request.headers:
        return await taken(request, "events", name)
    api: Api = request.app.state.api
    sources = told_events(api.settings.sources, name)
    if not sources:
        raise NoSuchPage(
            "No source of events is called that.",
            next_step='Add [[sources]] with kind = "events" and its name, and start the server again.',
        )
    if not request.headers.get("authorization"):
        raise TokenLacking(f"The event has neither a signature ({SIGNATURE}) nor a token.", next_step=SIGN)
    api.door.caller(request.headers["authorization"], "ingest")
    return await kept(request, sources)


async def taken(request: Request, kind: str, name: str | None = None) -> Response:
    """What is answered once every event of a signed message is on the disk.

    Raises
    ------
    NoSuchPage
        No source of the kind takes webhooks.
    SignatureWrong
        None of their secrets signed it.
    """
    settings: Settings = request.app.state.api.settings
    sources = hooked(settings.sources, kind, name)
    if not sources:
        raise NoSuchPage(
            "No source takes webhooks here.", next_step="Give one hook_env or hook_file, and start the server again."
        )
    return await kept(request, signers_of(sources, dict(request.headers), await request.body()))


async def kept(request: Request, sources: Sequence[Hooked]) -> Response:
    """What is answered once every event of the message, which is of these sources, is on the disk.

    Raises
    ------
    InputRefused
        No row can be made of it.
    StorageError
        It could not be kept; so it is to be sent again.
    """
    letterbox: Letterbox = request.app.state.letterbox
    try:
        found = events_of(sources, dict(request.headers), await request.body())
    except Unusable as error:
        raise InputRefused(f"The message cannot be used: {error}.") from error
    as_given = await asyncio.gather(*(asyncio.wrap_future(letterbox.take(event)) for event in found))
    warnings = [warning for event in found for warning in event.warnings]
    if not all(as_given):
        warnings.append("Another event came before under this id, and stays: send this one again under another id.")
    said = Kept(events=sum(as_given), warnings=tuple(dict.fromkeys(warnings)) or None)
    return Response(said.model_dump_json(exclude_none=True), 202, media_type="application/json")


def signers_of(sources: Sequence[Hooked], headers: Mapping[str, str], body: bytes) -> list[Hooked]:
    """Those whose secret signed the message.

    Raises
    ------
    SignatureWrong
        None did, or not for now.
    """
    try:
        signed = signers(sources, headers, body)
    except TimeOff as error:
        step = "Set the sender's clock, and sign a message that is sent again anew."
        raise SignatureWrong(f"The signature is right, but {error}.", next_step=step) from error
    if not signed:
        raise SignatureWrong(
            "The signature is not that of a secret that is known here.",
            next_step="Give the sender the secret that hook_env or hook_file leads to.",
        )
    return signed
