"""Attempts that are refused, each by its status and in words: by token, scope, path, size, host, origin and pace."""

import json
import logging
import re
import shutil
import socket
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from api_server import serving

from shipcast.__main__ import run
from shipcast.answers.tokens import TOKENS_FILE, Key, add_feed, add_token, digest, found, read_keys, revoke, write_keys
from shipcast.api import guard
from shipcast.api import server as served
from shipcast.api.access import Door
from shipcast.api.errors import TokenLacking
from shipcast.settings import Settings
from shipcast.settings.errors import ConfigurationError

NOW = datetime.now(UTC).replace(microsecond=0)
ROW = {"service": "web", "start": "2027-02-01T09:00Z", "duration": "45m"}


@pytest.fixture(scope="module")
def shared_guard(trained_home, tmp_path_factory):
    """The API of a home with tokens of several scopes, of which one expired and one was revoked; and the tokens."""
    settings = Settings(home=shutil.copytree(trained_home.home, tmp_path_factory.mktemp("guarded") / "home"))
    tokens = {name: add_token(settings.home, NOW, name, scopes, 1).token for name, scopes in SCOPES.items()}
    revoke(settings.home, NOW, "revoked")
    keys = read_keys(settings.home)
    write_keys(settings.home, [expired(one) if one.name == "expired" else one for one in keys])
    tokens["feed"] = add_feed(settings.home, NOW, "phone", None).path.removeprefix("/feeds/").removesuffix(".ics")
    with serving(settings) as api:
        yield api, tokens


def expired(key):
    return key.model_copy(update={"expires_at": NOW})


SCOPES = {
    "reader": ["read"],
    "planner": ["read", "plan"],
    "expired": ["read"],
    "revoked": ["read"],
    "intake": ["ingest"],
}
ATTEMPTS = [  # who asks, by which method, for what, with which body; and the status it gets
    ("nobody", "GET", "/api/v1/services", None, 401),
    ("nobody", "GET", "/readyz", None, 401),
    ("nobody", "GET", "/metrics", None, 401),
    ("nobody", "GET", "/api/v1/openapi.json", None, 401),
    ("nobody", "POST", "/api/v1/bookings", ROW, 401),
    ("nobody", "GET", "/healthz", None, 200),
    ("reader", "GET", "/api/v1/services", None, 200),
    ("expired", "GET", "/api/v1/services", None, 401),
    ("revoked", "GET", "/api/v1/services", None, 401),
    ("intake", "GET", "/api/v1/services", None, 403),
    ("reader", "POST", "/api/v1/bookings", ROW, 403),
    ("reader", "POST", "/api/v1/plans", {"requests": []}, 403),
    ("planner", "POST", "/api/v1/freezes", {"id": "a", "from": "2027-02-01", "to": "2027-02-02"}, 403),
    ("planner", "POST", "/api/v1/bookings", {**ROW, "override": {"reason": "haste"}}, 403),
    ("planner", "POST", "/api/v1/bookings", {**ROW, "who": "somebody else"}, 422),
    ("planner", "POST", "/api/v1/bookings", {**ROW, "service": "a\x1b[2J"}, 422),
    ("reader", "GET", "/api/v1/../../etc/passwd", None, 404),
    ("reader", "GET", "/api/v1/%2e%2e/%2e%2e/etc/passwd", None, 404),
    ("reader", "GET", "/api/v1/deployments/..%2f..%2fmodels%2fchampions.json", None, 404),
    ("reader", "GET", "/feeds/..%2ftokens.json", None, 404),
    ("reader", "GET", "/tokens.json", None, 404),
    ("reader", "GET", "/api/v1/windows?service=web&duration=45m&calendar=/etc/passwd", None, 422),
    ("reader", "GET", "/api/v1/services?cursor=../../x", None, 422),
    ("reader", "GET", "/api/v1/gate?service=web&service=shop", None, 422),
    ("reader", "GET", "/api/v1/services?as_of=2025-01-01&as_of=2026-01-01", None, 422),
    ("reader", "GET", "/api/v1/calendar?service=web&region=eu&region=us", None, 200),
    ("reader", "GET", "/api/v1/services/", None, 404),
    ("reader", "DELETE", "/api/v1/services", None, 405),
    ("reader", "POST", "/api/v1/services", None, 405),
    ("reader", "GET", "/api/v2/services", None, 404),
    ("planner", "POST", "/api/v1/plans", "[" * 100_000, 422),
    ("planner", "POST", "/api/v1/bookings", "{", 422),
    ("planner", "POST", "/api/v1/bookings", "[" * 100_000, 422),
    ("planner", "POST", "/api/v1/bookings", b"\xff\xfe", 422),
    ("planner", "POST", "/api/v1/plans", "x" * (guard.LARGEST_BODY + 1), 413),
]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: " ".join(map(str, attempt))[:70])
def test_what_may_not_be_is_refused(shared_guard, attempt):
    who, method, path, body, status = attempt
    api, tokens = shared_guard
    reply = api.with_token(tokens.get(who))(path, method, body)

    assert reply.status == status, reply.text
    if status >= 400:
        assert reply.headers["content-type"] == "application/problem+json"
        assert set(reply.json) >= {"type", "title", "status", "detail", "instance"}
        assert reply.json["status"] == status
        assert "Traceback" not in reply.text
        assert not any(token in reply.text for token in tokens.values())
    if status == 401:
        assert reply.headers["www-authenticate"].startswith("Bearer")


CHECK = {"service": "web", "start": "2027-02-01T09:00Z", "end": "2027-02-01T10:00Z"}
UNKNOWN_KEYS = [
    ("bookings", {**ROW, "purpos": "haste"}, "purpos unknown key (did you mean purpose?)"),
    ("bookings", {"service": "web", "start": "2027-02-01T09:00Z", "duration_minutes": 45}, "did you mean duration?"),
    (
        "bookings",
        {"servise": "web", "start": "2027-02-01T09:00Z"},
        "servise unknown key (did you mean service?), and 1",
    ),
    ("bookings", {**ROW, "override": {"reasn": "x"}}, "override.reasn unknown key (did you mean reason?)"),
    ("calendar/check", {"questions": [{**CHECK, "envionment": "x"}]}, "(did you mean environment?)"),
    ("undos", {"entry": 1, "colour": "red"}, "colour unknown key (known: entry, reason)"),
    ("plans", {"requests": [{"id": "a", "service": "web", "duration": "45m"}]}, "the key 'duration'"),
    ("plans", {"requests": [{"id": "a", "servise": "web", "duration_minutes": 45}]}, "the key 'servise'"),
]


@pytest.mark.parametrize(("path", "body", "words"), UNKNOWN_KEYS)
def test_a_key_that_is_not_known_is_named_with_the_nearest_that_is(shared_guard, path, body, words):
    api, tokens = shared_guard
    reply = api.with_token(tokens["planner"])(f"/api/v1/{path}", "POST", body)

    assert reply.status == 422
    assert words in reply.json["detail"]


@pytest.mark.parametrize("path", ["bookings", "calendar/check", "undos"])
def test_json_that_does_not_come_as_such_is_told_what_it_lacks(shared_guard, path):
    api, tokens = shared_guard
    sent = {"content-type": "application/x-www-form-urlencoded"}  # as `curl -d` sends it
    reply = api.with_token(tokens["planner"])(f"/api/v1/{path}", "POST", json.dumps(ROW), headers=sent)

    assert reply.status == 422
    assert reply.json["detail"] == "The body did not come as JSON. Send Content-Type: application/json with it."


@pytest.mark.parametrize(
    ("address", "header", "status"),
    [
        ("http://localhost/api/v1/services?limit=1", "localhost", 200),
        ("HTTP://127.0.0.1:8600/api/v1/deployments/d%37", "localhost", 200),
        ("http://localhost/healthz", "evil.example", 200),
        ("http://localhost", "localhost", 404),
        ("http://evil.example/healthz", "localhost", 421),
        ("http://localhost@evil.example/healthz", "localhost", 421),
        ("http:///healthz", "localhost", 421),
        ("http://localhost/api/v1/../../etc/passwd", "localhost", 404),
    ],
)
def test_a_request_for_a_whole_address_is_one_for_its_path_from_its_host(asked_api, address, header, status):
    said = asked_api.says(f"GET {address} HTTP/1.1\r\nHost: {header}\r\nConnection: close\r\n\r\n".encode())

    assert said.startswith(f"HTTP/1.1 {status} ".encode())


def test_whoever_asks_for_another_protocol_is_answered_and_not_logged(asked_api, caplog):
    asked = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

    assert asked_api.says(asked).startswith(b"HTTP/1.1 200 ")
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING] == []


def test_a_feed_is_said_under_the_address_at_which_it_is_asked(tmp_path, capsys):
    asked = ["--home", str(tmp_path / "home"), "-q", "token", "feed"]
    assert run([*asked, "phone", "--url", "https://shipcast.example/"]) == 0
    assert re.search(r"^https://shipcast\.example/feeds/\w+_[\w-]+\.ics$", capsys.readouterr().out, flags=re.MULTILINE)
    assert run([*asked, "desk", "--url", "shipcast.example"]) == 2
    assert "Such as https://shipcast.example" in capsys.readouterr().err
    assert [key.name for key in read_keys(tmp_path / "home")] == ["phone"]


MANGLED = [
    lambda token: token[:-1],
    lambda token: token + "x",
    lambda token: token.swapcase(),
    lambda token: token.replace("shipcast_", ""),
    lambda token: "_".join([*token.split("_")[:2], "A" * 43]),
    lambda token: "shipcast__",
    lambda token: "",
    lambda token: "x" * 5000,
]


@pytest.mark.parametrize("mangle", MANGLED)
def test_a_token_that_differs_in_anything_opens_nothing(shared_guard, mangle):
    api, tokens = shared_guard
    reply = api("/api/v1/services", headers={"authorization": f"Bearer {mangle(tokens['reader'])}"})

    assert reply.status == 401


def test_the_address_of_a_feed_is_no_token_and_a_token_opens_no_feed(shared_guard):
    api, tokens = shared_guard

    assert api(f"/feeds/{tokens['feed']}.ics").status == 200
    assert api(f"/feeds/{tokens['feed'][:-1]}.ics").status == 404
    assert api.with_token(f"shipcast_{tokens['feed']}")("/api/v1/services").status == 401
    assert api(f"/feeds/{tokens['reader'].removeprefix('shipcast_')}.ics").status == 404


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "evil.example:80", "169.254.169.254"])
def test_a_request_for_another_host_is_refused(asked_api, host):
    assert asked_api("/healthz", headers={"host": host}).status == 421
    assert asked_api("/healthz", headers={"host": "LOCALHOST:1"}).status == 200


def test_no_page_of_another_site_may_ask_unless_it_is_named(asked_api, trained_home):
    asked = {"origin": "https://evil.example", "access-control-request-method": "GET"}

    told = asked_api("/api/v1/services", "OPTIONS", headers=asked)
    assert told.status == 405
    assert not [name for name in told.headers if name.lower().startswith("access-control")]
    assert "access-control-allow-origin" not in asked_api("/healthz", headers={"origin": asked["origin"]}).headers
    with serving(trained_home, origins=["https://desk.example"]) as api:
        allowed = api("/healthz", headers={"origin": "https://desk.example"})
        other = api("/healthz", headers={"origin": "https://evil.example"})
        before = api("/api/v1/services", "OPTIONS", headers=asked)
    assert allowed.headers["access-control-allow-origin"] == "https://desk.example"
    assert "access-control-allow-origin" not in other.headers
    assert (before.status, before.headers["content-type"]) == (400, "application/problem+json")
    assert before.json["detail"].startswith("Disallowed CORS origin: `shipcast serve --allow-origin` names none")


HEAD = b"POST /api/v1/calendar/check HTTP/1.1\r\nHost: localhost\r\n"


def test_a_body_that_says_no_length_is_cut_off_at_the_same_size(asked_api):
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    said = asked_api.says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 33)

    assert said.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "sent", [b"GET /" + b"a" * served.LONGEST_HEAD + b" HTTP/1.1\r\n\r\n", b"\x16\x03\x01\r\n\r\n"]
)
def test_what_is_no_request_is_refused_as_a_problem(asked_api, sent):
    head, _, body = asked_api.says(sent).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head.lower()
    assert json.loads(body)["status"] == 400


@pytest.mark.parametrize("depth", [900, 5_000, 100_000])
@pytest.mark.parametrize("path", ["bookings", "calendar/check", "plans", "undos"])
def test_json_that_is_too_deep_is_what_cannot_be(shared_guard, path, depth):
    api, tokens = shared_guard
    body = b'{"questions": ' + b"[" * depth + b"]" * depth + b"}"
    given = {"content-type": "application/json"}
    reply = api.with_token(tokens["planner"])(f"/api/v1/{path}", "POST", body, headers=given)

    assert (reply.status, reply.headers["content-type"]) == (422, "application/problem+json")


@pytest.mark.parametrize("sent", [b"", HEAD, HEAD + b"Content-Length: 9\r\n\r\n{"])
def test_whoever_asks_nothing_or_half_on_many_connections_keeps_nobody_out(trained_home, monkeypatch, sent):
    monkeypatch.setattr(served, "MOST_CONNECTIONS", 5)
    monkeypatch.setattr(guard, "MOST_REQUESTS", 1)
    with serving(trained_home) as api:
        lines = [socket.create_connection(("127.0.0.1", api.port), timeout=60) for _ in range(20)]
        for line in lines[-5:]:
            line.sendall(sent)
        assert [api.ask("services").status for _ in range(3)] == [200] * 3
        assert [line.recv(1) for line in lines[:15]] == [b""] * 15
        for line in lines:
            line.close()


def test_while_too_many_are_answered_others_are_told_when_to_come_again(trained_home, monkeypatch):
    with serving(trained_home) as api:
        monkeypatch.setattr(guard, "MOST_REQUESTS", 0)
        refused = api.ask("services")
        monkeypatch.setattr(guard, "MOST_REQUESTS", 1)
        assert [api.ask("services").status for _ in range(3)] == [200] * 3

    assert (refused.status, refused.headers["content-type"]) == (503, "application/problem+json")
    assert refused.headers["retry-after"] == "2"


def test_who_only_half_asks_is_left_and_keeps_nobody_waiting(trained_home, monkeypatch):
    monkeypatch.setattr(served, "HEADER_SECONDS", 0.3)
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.3)
    with serving(trained_home) as api:
        halves = [HEAD, HEAD + b"Content-Length: 9\r\n\r\n{", b""] * 20
        lines = [socket.create_connection(("127.0.0.1", api.port), timeout=60) for _ in halves]
        for line, half in zip(lines, halves, strict=True):
            line.sendall(half)
        assert api.ask("services").status == 200
        said = [line.recv(65536) for line in lines]
        for line in lines:
            line.close()

    assert {answer[:13] for answer in said} == {b"", b"HTTP/1.1 408 "}


def test_on_this_machine_without_any_token_all_may_read_and_nobody_write(asked_api):
    assert asked_api.ask("services").status == 200
    refused = asked_api("/api/v1/bookings", "POST", ROW)

    assert refused.status == 401
    assert "shipcast token add NAME --scope plan" in refused.json["detail"]


@pytest.mark.parametrize("site", ["*", "null", "desk.example", "https://desk.example/", "ftp://desk.example"])
def test_only_a_site_by_its_name_is_one_whose_pages_may_ask(tmp_path, capsys, site):
    assert run(["--home", str(tmp_path), "serve", "--allow-origin", site]) == 2
    assert f"--allow-origin must be one site, without a path. Got {site!r}" in capsys.readouterr().err


def test_it_listens_elsewhere_only_with_a_token_that_counts(own_trained_home, capsys):
    home = own_trained_home.home
    assert run(["--home", str(home), "serve", "--host", "192.0.2.1"]) == 3
    assert "token add NAME --scope read" in capsys.readouterr().err
    add_feed(home, NOW, "phone", None)
    add_token(home, NOW, "old", ["read"], 1)
    write_keys(home, [expired(one) for one in read_keys(home)])
    with pytest.raises(ConfigurationError):
        served.check_exposure(own_trained_home, "192.0.2.1", ())
    add_token(home, NOW, "new", ["read"], 1)
    served.check_exposure(own_trained_home, "192.0.2.1", ())
    with pytest.raises(ConfigurationError, match="By which name"):
        served.check_exposure(own_trained_home, "0.0.0.0", ())


def test_a_damaged_file_of_tokens_lets_nobody_in(own_trained_home):
    add_token(own_trained_home.home, NOW, "reader", ["read"], 1)
    path = own_trained_home.home / TOKENS_FILE
    with serving(own_trained_home) as api:
        path.write_text(path.read_text().replace("read", "plan"))
        refused = api.ask("services")

    assert refused.status == 503
    assert "damaged" in refused.json["detail"]
    assert str(own_trained_home.home) not in refused.text


def test_what_is_revoked_opens_nothing_from_the_next_request_on(own_trained_home):
    token = add_token(own_trained_home.home, NOW, "reader", ["read"], 1).token
    with serving(own_trained_home) as api:
        before = api.with_token(token).ask("services").status
        revoke(own_trained_home.home, NOW, "reader")
        after = [one.ask("services").status for one in (api.with_token(token), api)]

    assert before == 200
    assert after == [401, 401]  # nor is reading open again


def test_the_secrets_are_nowhere_but_where_they_were_shown(own_trained_home, caplog):
    home = own_trained_home.home
    token = add_token(home, NOW, "reader", ["read", "plan"], 1).token
    feed = add_feed(home, NOW, "phone", None).path
    canaries = [token.split("_", 2)[2], token, feed.split("_", 1)[1].removesuffix(".ics")]
    with serving(own_trained_home) as api:
        holder = api.with_token(token)
        told = [holder.ask("services"), holder(feed), holder("/metrics"), holder("/api/v1/bookings", "POST", ROW)]
        told += [holder(f"{feed}x"), holder(f"/feeds/{token}.ics"), holder(f"/{token}"), api.ask("now", service=token)]
        told += [holder.ask("windows", service=token, duration="1h"), api(feed.replace(".ics", ".txt"))]
        processes = subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout
    texts = [(home / TOKENS_FILE).read_text(), caplog.text, processes]
    files = [path.read_bytes() for path in home.rglob("*") if path.is_file()]

    for canary in canaries[1:]:
        assert not any(canary in text for text in texts)
        assert not any(canary.encode() in content for content in files)
    said = [reply.text for reply in told if reply.status < 400] + [told[4].text, told[9].text]
    assert [(canary, text[:300]) for canary in canaries for text in said if canary in text] == []


def test_tokens_lie_where_only_their_owner_reads_them(own_trained_home):
    add_token(own_trained_home.home, NOW, "reader", ["read"], 1)
    path = own_trained_home.home / TOKENS_FILE

    assert path.stat().st_mode & 0o777 == 0o600
    assert re.search(r'"digest": "[0-9a-f]{64}"', path.read_text())
    assert not list(own_trained_home.home.glob("*unfinished*"))


def test_the_verbs_make_show_and_revoke(own_trained_home, capsys):
    asked = ["--home", str(own_trained_home.home)]
    assert run([*asked, "token", "add", "deploys", "--scope", "plan", "--days", "7", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert run([*asked, "token", "list", "--json"]) == 0
    listed = capsys.readouterr().out
    assert run([*asked, "token", "add", "deploys"]) == 2
    assert run([*asked, "token", "add", "other", "--scope", "all"]) == 2
    assert run([*asked, "token", "revoke", "nobody"]) == 2
    assert run([*asked, "token", "revoke", "deploys", "--json"]) == 0

    assert re.fullmatch(r"shipcast_[0-9a-f]{8}_[\w-]{43}", made["token"])
    assert made["token"].split("_", 2)[2] not in listed
    [item] = json.loads(listed)["items"]
    assert datetime.fromisoformat(item["expires_at"]) - datetime.fromisoformat(item["created_at"]) == timedelta(days=7)
    assert not read_keys(own_trained_home.home)[0].is_valid(NOW)


def test_a_key_is_found_by_its_id_and_secret_alone():
    key = Key(id="ab", name="a", digest=digest("s"), scopes=("read",), created_at=NOW, expires_at=None)

    assert found([key], "ab", "s") == key
    assert [found([key], *said) for said in (("ab", ""), ("ab", "t"), ("", "s"), ("ac", "s"), ("é", "s"))] == [None] * 5


def test_what_was_closed_by_a_token_stays_closed_when_the_file_is_gone(own_trained_home):
    token = add_token(own_trained_home.home, NOW, "reader", ["read"], 1).token
    with serving(own_trained_home) as api:
        before = api.with_token(token).ask("services").status
        (own_trained_home.home / TOKENS_FILE).unlink()
        after = [one.ask("services").status for one in (api, api.with_token(token))]

    assert (before, after) == (200, [401, 401])


def test_elsewhere_than_on_loopback_nobody_reads_without_a_token(tmp_path):
    door = Door(tmp_path, is_open=False)

    with pytest.raises(TokenLacking):
        door.caller(None, "read")
