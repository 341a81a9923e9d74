"""The OpenAPI document: what every route answers, in every case, as the models of the answers say it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from inspect import getdoc
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from shipcast.answers.answer import Answer
from shipcast.answers.tokens import Scope
from shipcast.api.problems import MEDIA_TYPE, Problem

TITLE = "Shipcast"
ROOT = "/api/v1"
TOKEN = "token"
MEANT = {
    400: "What was sent is no HTTP request, or its head is too long.",
    304: "What the tag in If-None-Match names is still the answer.",
    401: "No token, or one that does not count.",
    403: "The token lacks the scope.",
    404: "Nothing is known by that name.",
    408: "The body did not come in time.",
    409: "Something stands against it.",
    410: "The snapshot that the cursor goes on in is kept no more.",
    413: "The body is too large.",
    421: "The request is meant for another host.",
    422: "What was asked cannot be.",
    500: "A bug.",
    502: "A source cannot be reached.",
    503: "Nothing is published, a file cannot be used, or too many are waiting.",
}
ANYWHERE = (400, 408, 413, 421, 500, 503)  # by what stands before every route
ALWAYS = (*ANYWHERE, 401, 403, 404, 422)
HEADERS: Mapping[str, Mapping[str, Any]] = {
    "ETag": {"description": "Changes with the answer.", "schema": {"type": "string"}},
    "Link": {"description": "Where the next page is (rel=next); none: this is the last.", "schema": {"type": "string"}},
    "Items-Total": {"description": "Items of all pages.", "schema": {"type": "integer", "minimum": 0}},
}
DESCRIPTION = """The answers of the command line, for programs: the same numbers from the same functions.

Every answer says when it was asked about (`as_of`) and what to know about it (`warnings`). Lists come in pages: the
header `Link` says where the next one is. An answer has an `ETag`; asked again with `If-None-Match`, it is only sent if
it has changed. Errors are problems as of RFC 9457.
"""


def answering(
    answer: type[Answer],
    scope: Scope,
    *further: int,
    is_paged: bool = False,
    status: int = 200,
    body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What a route's decorator says of what it answers; `further`: statuses beside those of all routes."""
    headers = {name: dict(said) for name, said in HEADERS.items() if is_paged or (name == "ETag" and status == 200)}
    statuses = sorted({*ALWAYS, *further, *((304,) if status == 200 else ()), *((410,) if is_paged else ())})
    responses: dict[int | str, dict[str, Any]] = {number: failing(number) for number in statuses}
    responses[status] = {"model": answer, "description": first_line(answer), "headers": headers}
    return {
        "response_model": answer,
        "status_code": status,
        "responses": responses,
        "openapi_extra": {"security": [{TOKEN: [scope]}], "x-scope": scope, **(body or {})},
    }


def failing(status: int) -> dict[str, Any]:
    if status == 304:
        return {"description": MEANT[status]}
    reference = {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}
    return {"description": MEANT[status], "content": {MEDIA_TYPE: reference}}


def first_line(answer: type[Answer]) -> str:
    return (getdoc(answer) or "").splitlines()[0]


def document(app: FastAPI) -> dict[str, Any]:
    """The document of an app, put together once."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=TITLE,
            version=version("shipcast"),
            openapi_version="3.1.0",
            summary="When should this change go, and how sure are we? And: how do we deliver?",
            description=DESCRIPTION,
            routes=app.routes,
        )
        schemas = found.setdefault("components", {}).setdefault("schemas", {})
        problem = Problem.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
        for name, schema in problem.pop("$defs", {}).items():
            schemas.setdefault(name, schema)
        schemas[Problem.__name__] = problem
        found["components"]["securitySchemes"] = {
            TOKEN: {
                "type": "http",
                "scheme": "bearer",
                "description": "`shipcast token add NAME --scope read` makes one. Without any token in a home, whoever "
                "is on its machine may read.",
            }
        }
        app.openapi_schema = found
    return app.openapi_schema
