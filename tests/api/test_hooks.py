"""Webhooks over HTTP: kept before they are acknowledged, once, and only where a known secret signed them."""

import json
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import urllib3
from api_server import serving
from test_arrival import EVENTS, SECRET, SHIPPED, cloud_event, signed, signed_at
from vendor import Reader

from shipcast.answers.tokens import add_token, read_keys, revoke, write_keys
from shipcast.ingest.hooks.inbox import Inbox
from shipcast.ingest.hooks.reading import ingest_events
from shipcast.settings import Settings
from shipcast.settings.sources import EventsSource, GithubSource

GITHUB = GithubSource(repository="acme/shop", hook_env="HOOK")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOOK", SECRET.get_secret_value())
    return tmp_path / "home"


@pytest.fixture
def api(home):
    with serving(Settings(home=home, sources=(GITHUB, EVENTS))) as asker:
        yield asker


def post(api, path, message, *, kind="events", **more):
    headers, body = message
    content = json.dumps(body).encode()
    given = {**headers, **signed(kind, content), "content-type": "application/json", **more}
    return api(path, method="POST", body=content, headers=given)


def test_what_was_acknowledged_is_on_the_disk_and_what_comes_again_is_kept_once(api, home):
    replies = [post(api, "/hooks/github", SHIPPED[1], kind="github") for _ in range(2)]

    assert [(reply.status, reply.json) for reply in replies] == [(202, {"status": "kept", "events": 1})] * 2
    assert len(Inbox(home).told_of(GITHUB.label, 0, 10)) == 1


def test_what_says_something_else_under_an_id_that_came_before_is_not_kept_and_told_so(api, home):
    row = {"deployment_id": "D1", "service": "pay", "environment": "production", "started_at": "2026-01-05T10:00Z"}
    replies = [post(api, "/hooks/events/ci", cloud_event("1", **row, status=how)) for how in ("running", "succeeded")]

    assert [(reply.status, reply.json["events"]) for reply in replies] == [(202, 1), (202, 0)]
    assert "under another id" in replies[1].json["warnings"][0]
    [kept] = Inbox(home).told_of("events ci", 0, 10)
    assert json.loads(kept.body)["data"]["status"] == "running"


def test_those_that_come_at_once_are_each_ingested_once(api, tmp_path):
    def send(number):
        row = {"deployment_id": f"D{number % 60}", "service": "pay", "environment": "production"}
        message = cloud_event(str(number % 60), **row, started_at="2026-01-05T10:00Z", status="succeeded")
        return post(api, "/hooks/events/ci", message).status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(send, range(80)))
    reader = Reader(tmp_path / "home")
    [item] = ingest_events(reader.settings, EVENTS).items

    assert statuses == [202] * 80
    assert (item.read, item.inserted) == (60, 60)
    assert reader.rows("select count(*) from raw.deployments") == [(60,)]


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/hooks/github", b"{}", {}, 401),
        ("/hooks/github", b"{}", {"x-hub-signature-256": "sha256=" + "0" * 64}, 401),
        ("/hooks/github", b"{}", {"authorization": "Bearer shipcast_a_b"}, 401),
        ("/hooks/gitlab", b"{}", {"x-gitlab-token": SECRET.get_secret_value()}, 404),
        ("/hooks/events/other", b"{}", {}, 404),
        ("/hooks/events/ci", b"{}", {"webhook-timestamp": "1"}, 401),
        ("/hooks/events/ci", b"{", None, 422),
        ("/hooks/events/ci", b'{"specversion":"1.0","type":"x"}', None, 422),
        ("/hooks/events/ci", b"x" * (2 * 2**20 + 1), {}, 413),
        ("/hooks/events/..%2fci", b"{}", {}, 404),
    ],
)
def test_what_is_not_a_sources_message_is_refused_as_a_problem(api, home, path, body, headers, status):
    given = signed("events", body) if headers is None else headers
    reply = api(path, method="POST", body=body, headers=given)

    assert (reply.status, reply.json["status"]) == (status, status)
    assert SECRET.get_secret_value() not in reply.text
    assert Inbox(home).newest(EVENTS.label)[1] == 0


@pytest.fixture(scope="module")
def intake(tmp_path_factory):
    """The API of a home whose source of events has no secret, and tokens by name: of `ingest` alone, and others."""
    home, now = tmp_path_factory.mktemp("intake") / "home", datetime.now(UTC)
    scopes = {"builds": ["ingest"], "desk": ["read", "plan", "approve"], "old": ["ingest"], "gone": ["ingest"]}
    tokens = {name: add_token(home, now, name, given, 1).token for name, given in scopes.items()}
    revoke(home, now, "gone")
    ended = [one.model_copy(update={"expires_at": now}) if one.name == "old" else one for one in read_keys(home)]
    write_keys(home, ended)
    with serving(Settings(home=home, sources=(EventsSource(name="builds"), GITHUB))) as asker:
        yield home, asker, tokens


BUILT = cloud_event("1", deployment_id="D1", service="pay", environment="production", started_at="2026-01-05T10:00Z",
                    status="succeeded")[1]  # fmt: skip


def test_who_has_a_token_that_may_ingest_need_not_sign_and_what_comes_again_is_kept_once(intake):
    home, api, tokens = intake
    replies = [api.with_token(tokens["builds"])("/hooks/events/builds", "POST", BUILT) for _ in range(2)]

    assert [(reply.status, reply.json) for reply in replies] == [(202, {"status": "kept", "events": 1})] * 2
    assert len(Inbox(home).told_of("events builds", 0, 10)) == 1


@pytest.mark.parametrize(
    ("name", "path", "status", "words"),
    [
        ("desk", "events/builds", 403, "and this needs ingest"),
        ("old", "events/builds", 401, "The token 'old' expired"),
        ("gone", "events/builds", 401, "not known here"),
        ("nobody", "events/builds", 401, "neither a signature (webhook-signature) nor a token"),
        ("builds", "events/other", 404, 'Add [[sources]] with kind = "events"'),
        ("builds", "gitlab", 404, "No source takes webhooks here"),
        ("builds", "github", 401, "not that of a secret"),
    ],
)
def test_another_token_or_none_brings_nothing_in(intake, monkeypatch, name, path, status, words):
    monkeypatch.setenv("HOOK", SECRET.get_secret_value())
    home, api, tokens = intake
    event = {**BUILT, "id": f"{name} {path}"}
    reply = api.with_token(tokens.get(name))(f"/hooks/{path}", "POST", event)

    assert (reply.status, words in reply.json["detail"]) == (status, True), reply.text
    assert name in ("builds", "desk") or reply.headers["www-authenticate"].startswith("Bearer")
    assert all(event["id"] not in kept.delivery for kept in Inbox(home).told_of("events builds", 0, 100))


def test_a_signature_that_is_wrong_is_not_made_good_by_a_token(api, home):
    token = add_token(home, datetime.now(UTC), "builds", ["ingest"], 1).token
    wrong = {**signed("events", b"{}"), "content-type": "application/json"}

    assert api.with_token(token)("/hooks/events/ci", "POST", json.dumps(BUILT).encode(), headers=wrong).status == 401
    assert api.with_token(token)("/hooks/events/ci", "POST", BUILT).status == 202


def test_a_form_is_told_from_what_is_no_json_and_the_address_is_said(api):
    content = b"payload=%7B%7D"
    given = {**signed("github", content), "content-type": "application/x-www-form-urlencoded"}
    reply = api("/hooks/github", method="POST", body=content, headers=given)

    assert (reply.status, reply.json["instance"]) == (422, "/hooks/github")
    assert "set the webhook's content type to application/json" in reply.json["detail"]


def test_a_key_that_means_no_column_is_named_in_the_answer(api):
    row = {"deployment_id": "D1", "service": "pay", "env": "production", "started": "2026-01-05T10:00Z"}
    reply = post(api, "/hooks/events/ci", cloud_event("1", **row, status="succeeded", finished_when="x"))

    assert reply.status == 202
    assert reply.json["warnings"][0] == "deployments: left out the key finished_when of its data."


def test_who_has_the_secret_learns_that_the_time_is_off_and_nobody_else(api):
    stale = signed_at(str(int(time.time()) - 900))
    said = [api("/hooks/events/ci", method="POST", body=body, headers=stale) for body in (b"{}", b"[]")]

    assert [reply.status for reply in said] == [401, 401]
    assert "The signature is right, but its webhook-timestamp is 90" in said[0].json["detail"]
    assert "300 s may be. Set the sender's clock" in said[0].json["detail"]
    assert "not that of a secret" in said[1].json["detail"]


def test_what_cannot_be_kept_is_not_acknowledged(api, home):
    home.mkdir(exist_ok=True)
    (home / "inbox.sqlite").mkdir()

    reply = post(api, "/hooks/github", SHIPPED[0], kind="github")
    assert reply.status == 503
    assert str(home) not in reply.text


WITHOUT = """
[[sources]]
kind = "github"
repository = "acme/shop"
hook_env = "HOOK_THAT_IS_NOT_SET"

[[sources]]
kind = "events"
name = "ci"
hook_file = "/nowhere/hook"

[[sources]]
kind = "events"
name = "cd"
hook_env = "HOOK"
"""


def test_a_server_names_at_its_start_each_secret_that_it_lacks_and_no_other(home):
    home.mkdir()
    (home / "shipcast.toml").write_text(WITHOUT)
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        port = line.getsockname()[1]
    command = [sys.executable, "-m", "shipcast", "--home", str(home), "serve", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
        try:
            until_it_answers = urllib3.Retry(total=120, backoff_factor=0.05, backoff_max=0.5)
            urllib3.request("GET", f"http://127.0.0.1:{port}/healthz", retries=until_it_answers)
        finally:
            server.terminate()
        said = server.communicate(timeout=60)[1]
    told = [line for line in said.splitlines() if line.startswith("warning")]

    assert [line[:60] for line in told] == [
        "warning: github acme/shop, the secret of its webhooks: the v",
        "warning: events ci, the secret of its webhooks: the file /no",
    ]
    assert "HOOK_THAT_IS_NOT_SET is not set" in told[0]
    assert SECRET.get_secret_value() not in said
