"""The OpenAPI document is true of every answer: what schemathesis makes up gets no 5xx and nothing it does not say."""

import json
import re
from pathlib import Path

import pytest
from api_server import serving
from company import CUT
from examples import examples
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator

from shipcast.answers.tokens import add_token
from shipcast.api import errors, guard
from shipcast.api.document import ANYWHERE, MEANT
from shipcast.api.errors import RequestRefused
from shipcast.api.problems import STATUSES

SCOPES = ("read", "plan", "approve", "ingest")
FEW = settings(
    max_examples=examples(8),
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SAID = {"service": "web", "duration": "45m", "at": "2025-06-03T15:00Z"}  # in every other question, so that some are met
TOLD = {"service": "web", "start": "2027-01-04T10:00Z", "end": "2027-01-04T11:00Z", "duration": None}


@pytest.fixture
def made_up(own_trained_home):
    """Every operation of the document, to be asked with a token that may do everything."""
    import schemathesis

    token = add_token(own_trained_home.home, CUT, "schemathesis", SCOPES, 1).token
    with serving(own_trained_home, CUT) as api:
        schema = schemathesis.openapi.from_dict(api.with_token(token).ask("openapi.json").json)
        schema.config.update(base_url=f"http://127.0.0.1:{api.port}", headers={"Authorization": f"Bearer {token}"})
        yield [found.ok() for found in schema.get_all_operations()]


def test_whatever_is_asked_is_answered_as_the_document_says(made_up):
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    names = ("status_code", "content_type", "response_headers", "response_schema")
    held = (not_a_server_error, *(getattr(checks, f"{name}_conformance") for name in names))
    asked = []

    @FEW
    def holds(case):
        met(case)
        asked.append(case.call_and_validate(checks=held).status_code)

    for operation in made_up:
        given(case=operation.as_strategy())(holds)()

    assert len(made_up) > 20
    assert {200, 201, 404, 422} <= set(asked)


def met(case):
    """Ask every other question about what there is."""
    if len(repr((case.query, case.body))) % 2:
        return
    known = {one.name for one in case.operation.query}
    case.query.update({name: value for name, value in SAID.items() if name in known})
    if isinstance(case.body, dict) and "service" in case.body:
        case.body.update({name: value for name, value in TOLD.items() if name in case.body or name != "duration"})


def test_the_document_is_of_openapi_3_1_and_names_no_other_host(asked_api):
    document = asked_api.ask("openapi.json").json

    assert document["openapi"].startswith("3.1")
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert "http://" not in (text := json.dumps(document))
    assert "https://" not in text


def test_every_operation_says_what_it_answers_in_every_case(asked_api):
    document = asked_api.ask("openapi.json").json
    operations = [
        (f"{method} {path}", told) for path, methods in document["paths"].items() for method, told in methods.items()
    ]

    assert len(operations) > 20
    for name, told in operations:
        assert told["description"], name
        assert "security" in told, name
        for status, response in told["responses"].items():
            kinds = list(response.get("content", {}))
            assert int(status) < 400 or kinds == ["application/problem+json"], (name, status)


def test_what_stands_before_every_route_answers_as_every_operation_says(asked_api, monkeypatch):
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.1)
    document = asked_api.ask("openapi.json").json
    told = {f"{method} {path}": set(one["responses"]) for path, each in document["paths"].items()
            for method, one in each.items()}  # fmt: skip
    line = b"GET /healthz HTTP/1.1\r\nHost: "
    sent = {
        "400": b"GET /healthz HTTP/9\r\n\r\n",
        "408": line + b"localhost\r\nContent-Length: 9\r\n\r\n",
        "413": line + b"localhost\r\nContent-Length: 9999999\r\n\r\n",
        "421": line + b"evil.example\r\n\r\n",
    }
    answered = {asked_api.says(request)[9:12].decode() for request in sent.values()}
    monkeypatch.setattr(guard, "MOST_REQUESTS", 0)
    answered.add(asked_api.says(line + b"localhost\r\n\r\n")[9:12].decode())
    before = {str(status) for status in ANYWHERE}

    assert answered == before - {"500"}  # which is a bug
    assert {name: before - statuses for name, statuses in told.items() if not before <= statuses} == {}


def test_every_status_that_an_error_has_is_explained_in_the_document_and_on_the_page():
    refusals = {
        kind.status for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RequestRefused)
    }
    statuses = refusals | set(STATUSES.values())
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    table = page.split("| status | when |")[1].split("## ")[0]

    assert statuses <= set(MEANT)
    assert {*statuses, 405} == {int(found) for found in re.findall(r"\b[45]\d\d\b", table)}


def test_the_schemas_in_the_document_are_schemas(asked_api):
    for schema in asked_api.ask("openapi.json").json["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
