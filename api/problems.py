"""Every error as an RFC 9457 problem: one table says which status each kind of error has."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shipcast.answers.entries import ConflictItem
from shipcast.answers.errors import UnknownName, nearest
from shipcast.api.errors import RequestRefused
from shipcast.scheduling.calendar.errors import NoSuchRule
from shipcast.scheduling.ledger.errors import EntryRefused
from shipcast.settings.errors import (
    ConfigurationError,
    InputRefused,
    Locked,
    ModelError,
    ShipcastError,
    SourceUnreachable,
    StorageError,
    UsageError,
)

MEDIA_TYPE = "application/problem+json"
URN = "urn:shipcast:problem:"
LOCKED_SECONDS = 5
STATUSES: Mapping[type[ShipcastError], int] = {
    UnknownName: 404,
    UsageError: 422,
    EntryRefused: 409,
    InputRefused: 422,
    NoSuchRule: 404,
    ConfigurationError: 503,
    SourceUnreachable: 502,
    Locked: 503,
    StorageError: 503,
    ModelError: 503,
    ShipcastError: 500,
}
FLAG = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")
SECRET_PATHS = ("/feeds/",)


class Problem(BaseModel):
    """What is wrong with a request or its answer (RFC 9457).

    Parameters
    ----------
    conflicts
        What stands against a booking.
    free
        The start and the end at which nothing would.
    errors
        What is wrong with which parameter, where several are.
    """

    model_config = ConfigDict(json_schema_extra={"title": "Problem"})

    type: str = Field(description="about:blank, or the name of the kind of problem, as on the command line.")
    title: str
    status: int
    detail: str
    instance: str
    conflicts: tuple[ConflictItem, ...] | None = None
    free: tuple[str, str] | None = None
    errors: tuple[str, ...] | None = None


def status_of(error: ShipcastError) -> int:
    """Of the nearest kind that the table knows."""
    if isinstance(error, RequestRefused):
        return error.status
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def of_error(request: Request, error: ShipcastError) -> Response:
    """The response to a request that ended in an error of ours."""
    retry = error.facts.get("retry_after", LOCKED_SECONDS if isinstance(error, Locked) else None)
    more = {name: error.facts[name] for name in ("conflicts", "free") if name in error.facts}
    return problem(
        request,
        status_of(error),
        f"{URN}{type(error).__name__.lower()}",
        error.title,
        said(request, error),
        headers={} if retry is None else {"retry-after": str(retry)},
        **more,
    )


def said(request: Request, error: ShipcastError) -> str:
    """The error in words, as whoever asks over HTTP can act on it: the home is not for them to know."""
    home = str(request.app.state.api.settings.home)
    step = error.next_step
    if "shipcast " not in step:
        step = FLAG.sub(in_underscores, step)
    told = FLAG.sub(in_underscores, "\n".join((error.detail, *error.lines)))
    return f"{told} {step}".strip().replace(home, "the home")


def in_underscores(flag: re.Match[str]) -> str:
    """
    >>> FLAG.sub(in_underscores, "--max-level must be calm; `a--b`")
    'max_level must be calm; `a--b`'
    """
    return flag[1].replace("-", "_")


def of_status(request: Request, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """The response to a request that no error of ours tells about, such as one for a page that is not there."""
    title = HTTPStatus(status).phrase
    details = {
        404: "Nothing is here. The root of the API, /api/v1, lists what there is.",
        405: f"{request.method} is not understood here; the header Allow says what is.",
    }
    return problem(request, status, "about:blank", title, details.get(status, f"{title}."), headers=headers or {})


def of_faults(request: Request, faults: Sequence[Mapping[str, Any]]) -> Response:
    """The response to a request of which parameters or the body cannot be; `faults` are as pydantic gives them."""
    from shipcast.scheduling.faults import worded

    if is_unnamed_json(request, faults):
        error = UsageError("The body did not come as JSON.", next_step="Send Content-Type: application/json with it.")
        return of_error(request, error)
    unknown_first = sorted(faults, key=lambda fault: fault["type"] != "extra_forbidden")
    told = [f"{place(located(fault))} {worded(fault)}{meant(request, fault)}" for fault in unknown_first]
    detail = f"{told[0]}." if len(told) == 1 else f"{told[0]}, and {len(told) - 1} more."
    kind = f"{URN}{UsageError.__name__.lower()}"
    return problem(request, 422, kind, UsageError.title, detail, headers={}, errors=told)


def is_unnamed_json(request: Request, faults: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the whole body is amiss, and did not come as JSON, as with `curl -d` alone."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = not kind or kind == "application/json" or kind.endswith("+json")
    return not is_json and any(tuple(fault["loc"]) == ("body",) for fault in faults)


def meant(request: Request, fault: Mapping[str, Any]) -> str:
    """Behind a key of the body that is not known: the nearest ones that are, or all of them."""
    if fault["type"] != "extra_forbidden":
        return ""
    known = body_keys(request, fault["loc"][1:-1])
    near = nearest(str(fault["loc"][-1]), known)
    return f" (did you mean {' or '.join(near)}?)" if near else f" (known: {', '.join(known) or 'none'})"


def body_keys(request: Request, path: Sequence[int | str]) -> list[str]:
    """The keys that an object of the body may have, as the document tells them; `path`: where in the body it stands."""
    found: dict[str, Any] = request.app.openapi()
    schemas = found["components"]["schemas"]
    told = found["paths"][request.scope["route"].path_format][request.method.lower()]["requestBody"]
    schema = resolved(told["content"]["application/json"]["schema"], schemas)
    for part in path:
        inner = schema["items"] if isinstance(part, int) else schema["properties"][part]
        schema = resolved(inner, schemas)
    return sorted(schema.get("properties", ()))


def resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that one stands for: by reference, or as the object among several."""
    for one in schema.get("anyOf", ()):
        if "$ref" in one:
            schema = one
    return schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def located(fault: Mapping[str, Any]) -> Sequence[int | str]:
    """Where a fault lies: of what is no JSON the whole body, and not a letter of it."""
    where: Sequence[int | str] = fault["loc"]
    return where[:1] if fault["type"] == "json_invalid" else where


def place(parts: Sequence[int | str]) -> str:
    """Which parameter, or which part of the body.

    >>> place(("query", "limit")), place(("body",))
    ('limit', 'the body')
    """
    return ".".join(str(part) for part in parts[1:]) or f"the {parts[0]}"


def problem(
    request: Request, status: int, kind: str, title: str, detail: str, *, headers: Mapping[str, str], **more: object
) -> Response:
    content = {"type": kind, "title": title, "status": status, "detail": detail, "instance": instance(request), **more}
    kept = {**headers, "cache-control": "no-store"}
    return JSONResponse(content, status_code=status, headers=kept, media_type=MEDIA_TYPE)


def bad_request(detail: str) -> bytes:
    """The body of the response to what no route is asked for."""
    title = HTTPStatus.BAD_REQUEST.phrase
    found = Problem(type="about:blank", title=title, status=400, detail=detail, instance="/")
    return found.model_dump_json(exclude_none=True).encode()


def instance(request: Request) -> str:
    """The path that was asked for, without what is secret in it."""
    path = request.url.path
    found = next((secret for secret in SECRET_PATHS if path.startswith(secret)), None)
    return found or path
