"""Long lists come in pages, answers with tags, and what is asked twice is done once."""

import threading
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from api_server import serving
from company import CUT, DEPLOYED

from shipcast.answers.ahead import Ahead
from shipcast.answers.metrics import metrics
from shipcast.answers.tokens import add_token
from shipcast.api import access
from shipcast.api.access import Door
from shipcast.api.ahead import likely
from shipcast.api.asking import Api
from shipcast.api.errors import CursorRefused
from shipcast.api.keeping import Latest
from shipcast.api.pages import Cursor, question_of, read_cursor
from shipcast.scheduling.ledger.ledger import read_ledger
from shipcast.warehouse.lock import run_lock
from shipcast.warehouse.snapshot import publish

ROW = {"service": "web", "start": "2027-02-01T09:00Z", "duration": "45m", "purpose": "new prices"}
FREEZE = {"id": "audit", "from": "2027-02-01", "to": "2027-02-02", "scope": {"service": ["web"]}}


def following(reply):
    """The parameters of the next page; None: there is none."""
    link = reply.headers.get("link")
    return link and {name: value for name, [value] in parse_qs(urlsplit(link.split(">")[0][1:]).query).items()}


def pages(api, name, **fields):
    while fields:
        reply = api.ask(name, **fields)
        assert reply.status == 200, reply.text
        yield reply
        fields = following(reply)


@pytest.mark.parametrize("name", ["deployments", "metrics"])
def test_pages_hold_every_item_once_in_its_order(asked_api, name):
    fields = {"by": "week", "metric": "deployments"} if name == "metrics" else {"kind": "counted"}
    [whole] = pages(asked_api, name, limit=500, **fields)
    parts = [*pages(asked_api, name, limit=13, **fields)]

    assert [item for part in parts for item in part.json["items"]] == whole.json["items"]
    assert {part.headers["items-total"] for part in parts} == {str(len(whole.json["items"]))}
    assert max(len(part.json["items"]) for part in parts) == 13
    assert len(whole.json["items"]) > 13


def test_deployments_are_those_that_were_loaded(asked_api):
    found = [item for part in pages(asked_api, "deployments", limit=400) for item in part.json["items"]]

    assert sorted(item["deployment_id"] for item in found) == sorted(row["deployment_id"] for row in DEPLOYED)


def test_one_deployment_is_told_whole_and_an_unknown_one_by_what_reads_alike(asked_api):
    told = asked_api.ask("deployments/d7").json
    assert told["items"][0]["deployment_id"] == "d7"
    assert told["counted"]

    assert asked_api.ask("deployments/dd7").status == 404


IDS = [
    "D-1042", "github-12", "gitlab.example:8443-7", "ci.example:9102/freight/deploy#149", "ci.example/a b/main%2Fx#1",
    "cd.example/argocd/shop@2026-01-05T10:00:00Z", "shop@v1.2.0", "eu/prod/shop@0a1b2c3d4e5f", "a?b=c&d", "/a//b/",
    "../../tokens.json", "größe;1",
]  # fmt: skip


def test_every_id_that_the_list_says_is_found_by_itself(built):
    row = {"service": "web", "environment": "production", "started_at": "2026-01-05T10:00Z", "status": "succeeded"}
    home = built({"deployments": [{"deployment_id": name, **row} for name in IDS]})
    with serving(home) as api:
        listed = [item["deployment_id"] for item in api.ask("deployments", **{"from": "2026-01-01"}).json["items"]]
        told = [api.ask(f"deployments/{quote(name, safe='')}") for name in listed]
        wrong = api.ask("deployments/D-1042", as_off="2026-01-05")

    assert sorted(listed) == sorted(IDS)
    assert [reply.json["items"][0]["deployment_id"] for reply in told] == listed
    assert "There is no parameter 'as_off' here. Did you mean as_of?" in wrong.json["detail"]


def test_a_list_goes_on_in_its_snapshot_while_that_is_kept_and_says_so_after(own_trained_home):
    with serving(own_trained_home, CUT) as api:
        first = api.ask("deployments", limit=5)
        newer = published(own_trained_home, keep=2)
        second = api.ask("deployments", **following(first))
        again = api.ask("deployments", limit=5)
        published(own_trained_home, keep=1)
        gone = api.ask("deployments", **following(first))

    assert second.status == 200
    assert newer.snapshot_id != first.headers["etag"]
    assert first.headers["etag"] != again.headers["etag"]
    assert gone.status == 410
    assert gone.json["title"] == "That page is gone"


def published(settings, keep):
    with run_lock(settings.home, "test"):
        return publish(settings.home, keep=keep)


def test_a_cursor_goes_with_its_own_question_alone(asked_api):
    first = asked_api.ask("deployments", limit=5, kind="failed")
    cursor = following(first)["cursor"]

    assert asked_api.ask("deployments", limit=9, kind="failed", cursor=cursor).status == 200
    for other in ({"kind": "all"}, {"kind": "failed", "service": "web"}):
        assert asked_api.ask("deployments", cursor=cursor, **other).status == 422
    assert asked_api.ask("incidents", kind="failed", cursor=cursor).status == 422


@pytest.mark.parametrize("text", ["", "x", "e30", "bnVsbA", "!!!!", "W10", "eyJzIjoxfQ"])
def test_what_is_no_cursor_is_refused(text):
    with pytest.raises(CursorRefused):
        read_cursor(text, "q")


def test_a_cursor_reads_as_it_was_written():
    cursor = Cursor("20260101T000000000000Z", CUT, 7, question_of("/a", [("b", "c"), ("limit", "3")]))

    assert read_cursor(cursor.text(), question_of("/a", [("limit", "9"), ("b", "c")])) == cursor


def test_what_has_not_changed_is_not_sent_again(asked_api):
    first = asked_api.ask("metrics", by="team")
    same = asked_api("/api/v1/metrics", by="team", headers={"if-none-match": f'"other", {first.headers["etag"]}'})
    other = asked_api("/api/v1/metrics", by="service", headers={"if-none-match": first.headers["etag"]})

    assert (same.status, same.text) == (304, "")
    assert same.headers["etag"] == first.headers["etag"]
    assert other.status == 200
    assert first.headers["cache-control"] == "private, no-cache"


@pytest.fixture
def writing(own_trained_home):
    token = add_token(own_trained_home.home, CUT, "deploys", ["read", "plan", "approve"], 1).token
    with serving(own_trained_home) as api:
        yield api.with_token(token), own_trained_home


def test_a_booking_is_recorded_in_the_name_of_the_token(writing):
    api, settings = writing
    booked = api("/api/v1/bookings", "POST", ROW)
    taken = api("/api/v1/bookings", "POST", ROW)
    [entry] = read_ledger(settings.home).entries

    assert booked.status == 201
    assert booked.json["items"][0]["hash"] == entry.hash
    assert (entry.who, entry.body.service, entry.body.purpose) == ("deploys", "web", "new prices")
    assert taken.status == 409
    assert [one["kind"] for one in taken.json["conflicts"]] == ["booking"]
    assert taken.json["free"] == ["2027-02-01T09:45:00Z", "2027-02-01T10:30:00Z"]


def test_a_request_that_is_sent_again_under_its_key_does_nothing_more(writing):
    api, settings = writing
    key = {"idempotency-key": "a1"}
    first, again = (api("/api/v1/bookings", "POST", ROW, headers=key) for _ in range(2))
    other = api("/api/v1/bookings", "POST", {**ROW, "service": "pay"}, headers=key)

    assert (first.status, first.text) == (again.status, again.text)
    assert other.status == 422
    assert len(read_ledger(settings.home).entries) == 1


def test_everything_of_the_ledger_can_be_recorded_and_taken_back(writing):
    api, _ = writing
    asked = [
        ("freezes", FREEZE),
        ("overrides", {**ROW, "purpose": None, "rules": ["audit"], "reason": "outage"}),
        ("marks", {"service": "pay", "start": "2027-02-03", "end": "2027-02-04", "reason": "stock count"}),
        ("approvals", {"service": "pay", "start": "2027-02-05", "end": "2027-02-06"}),
        ("reservations", {"environment": "staging", "start": "2027-02-05", "end": "2027-02-06", "purpose": "load"}),
        ("undos", {"entry": 3, "reason": "moved"}),
    ]
    asked = [(name, {key: value for key, value in body.items() if value is not None}) for name, body in asked]
    replies = [api(f"/api/v1/{name}", "POST", body) for name, body in asked]
    listed = api.ask("entries").json["items"]

    assert [reply.status for reply in replies] == [201] * len(asked), [reply.text for reply in replies]
    kinds = ["freeze", "override", "unusable", "approval", "reservation", "undo"]
    assert [one["kind"] for one in listed] == kinds
    assert [one["kind"] for one in api.ask("entries", in_force="true").json["items"]] == [
        "freeze",
        *kinds[1:2],
        *kinds[3:5],
    ]


def test_what_was_booked_shows_in_the_next_answer(writing):
    api, _ = writing
    before = api.ask("calendar", **{"from": "2027-01-31", "to": "2027-02-05"}).json["items"]
    api("/api/v1/bookings", "POST", ROW)
    after = api.ask("calendar", **{"from": "2027-01-31", "to": "2027-02-05"}).json["items"]
    api("/api/v1/freezes", "POST", FREEZE)
    clash = api.ask("conflicts", **{"from": "2027-01-31", "to": "2027-02-05"}).json["items"]
    [checked] = api(
        "/api/v1/calendar/check",
        "POST",
        {"questions": [{"service": "web", "start": "2027-02-01T12:00Z", "end": "2027-02-01T13:00Z"}]},
    ).json["items"]

    assert before == []
    assert [one["kind"] for one in after] == ["booking"]
    assert [one["rule"] for one in clash] == ["audit"]
    assert (checked["decision"], checked["rule"]) == ("blocked", "audit")


def test_a_plan_gives_each_request_its_start_and_says_what_is_wrong_with_one(writing):
    api, _ = writing
    costs = [3, 1, 2]
    request = {"id": "a", "service": "web", "duration_minutes": 15, "cost": costs, "earliest": "2027-02-01T00:00Z"}
    planned = api("/api/v1/plans?iterations=10&as_of=2027-01-31", "POST", {"requests": [request]})
    wrong = api("/api/v1/plans", "POST", {"requests": [{**request, "duration_minutes": -1}]})

    assert [one["start"] for one in planned.json["items"]] == ["2027-02-01T00:15:00Z"]
    assert wrong.status == 422
    assert "request a: duration_minutes" in wrong.json["detail"]


def test_what_many_want_at_once_is_made_once_and_the_oldest_goes_first():
    made = []
    kept = Latest(most=2)

    def make(name):
        made.append(name)
        return name

    threads = [threading.Thread(target=kept.once, args=("a", lambda: make("a"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in ("b", "a", "c", "a", "b"):
        kept.once(name, lambda name=name: make(name))

    assert made == ["a", "b", "c", "b"]


def test_what_could_not_be_made_is_tried_again():
    kept = Latest(most=2)
    with pytest.raises(ZeroDivisionError):
        kept.once("a", lambda: 1 / 0)

    assert kept.once("a", lambda: 7) == 7


def test_what_is_likely_to_be_asked_is_ready_before_it_is(trained_home):
    api = Api(trained_home, CUT, Door(trained_home.home))
    ahead = Ahead(api.source, likely, CUT)
    found = api.source(None)
    ahead.ask(found, None)
    asked = api.kept.answers.misses

    assert found.ask(metrics, by=None) == found.ask(metrics, by=None)
    assert api.kept.answers.misses == asked
    assert {"forecaster"} <= {name[0] for name in api.kept.shared(found.key).cells if isinstance(name, tuple)}


def test_where_too_many_wait_more_are_told_to_come_again(asked_api, monkeypatch):
    monkeypatch.setattr(access, "MOST_WAITING", 0)
    reply = asked_api.ask("services")

    assert reply.status == 503
    assert reply.headers["retry-after"] == "1"


def test_of_two_changes_of_one_service_each_has_its_own_price(asked_api):
    small, large, again = (
        asked_api.ask("windows", service="web", duration="45m", lines=lines).json["items"] for lines in (1, 5000, 1)
    )

    assert small[0]["failure_probability"] < large[0]["failure_probability"]
    assert small == again
