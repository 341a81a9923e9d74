"""Messages as GitHub, GitLab, PagerDuty and others send them: signed, told once, and one row of each thing."""

import base64
import hashlib
import hmac
import json
from concurrent.futures import wait
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from vendor import Reader

from shipcast.ingest.hooks.arrival import events_of, hooked, signers
from shipcast.ingest.hooks.inbox import Event, Inbox, Letterbox
from shipcast.ingest.hooks.kinds import KINDS, Unusable
from shipcast.ingest.hooks.reading import ingest_events
from shipcast.ingest.hooks.signatures import TimeOff, is_of_pagerduty, is_standard
from shipcast.ingest.quarantine import retry
from shipcast.settings.errors import ConfigurationError
from shipcast.settings.sources import EventsSource, GithubSource, GitlabSource, PagerdutySource

SECRET = SecretStr("canary-hook-5d1c")
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
GITHUB = GithubSource(repository="acme/shop", names=True, hook_env="HOOK")
GITLAB = GitlabSource(project="acme/shop", names=True, hook_env="HOOK")
PAGERDUTY = PagerdutySource(services={"Shop (live)": "shop"}, hook_env="HOOK")
EVENTS = EventsSource(name="ci", hook_env="HOOK", names=True)


def github(delivery, event, **body):
    headers = {"x-github-event": event, "x-github-delivery": delivery}
    return headers, {"repository": {"full_name": "Acme/Shop"}, **body}


DEPLOYMENT = {"id": 7, "sha": "a" * 40, "environment": "production", "created_at": "2026-01-05T10:00:00Z",
              "updated_at": "2026-01-05T10:00:00Z", "creator": {"login": "octo"}}  # fmt: skip


def status(delivery, state, at):
    return github(
        delivery, "deployment_status", deployment=DEPLOYMENT,
        deployment_status={"state": state, "created_at": at, "updated_at": at},
    )  # fmt: skip


SHIPPED = [
    github("d1", "deployment", deployment=DEPLOYMENT),
    status("d2", "in_progress", "2026-01-05T10:01:00Z"),
    status("d3", "success", "2026-01-05T10:09:00Z"),
    status("d4", "inactive", "2026-01-05T11:00:00Z"),
]


def told(source, messages):
    return [event for headers, body in messages for event in events_of([source], headers, json.dumps(body).encode())]


def rows_of(source, messages):
    """The rows that the messages come to, made at once from all of them."""
    events = sorted(told(source, messages), key=lambda event: event.happened_at)
    return KINDS[source.kind].rows(source, [(event, json.loads(event.body)) for event in events])


def test_a_deployment_on_github_begins_and_ends_by_its_statuses():
    [row] = rows_of(GITHUB, SHIPPED)["deployments"]

    assert (row["deployment_id"], row["service"], row["status"]) == ("github-7", "shop", "succeeded")
    assert (row["started_at"][11:16], row["finished_at"][11:16]) == ("10:01", "10:09")


@given(order=st.permutations(SHIPPED), again=st.lists(st.sampled_from(SHIPPED), max_size=3))
@settings(max_examples=30, deadline=None)
def test_the_order_in_which_messages_come_and_how_often_does_not_matter(order, again):
    assert rows_of(GITHUB, [*order, *again]) == rows_of(GITHUB, SHIPPED)


def test_a_message_of_another_repository_tells_nothing():
    headers, body = SHIPPED[0]

    assert told(GITHUB, [(headers, {**body, "repository": {"full_name": "acme/other"}})]) == []


def test_a_ping_tells_nothing():
    assert told(GITHUB, [github("p", "ping", zen="Design for failure.")]) == []


@pytest.mark.parametrize(("given", "severity"), [("high", "high"), ("unknown", None), (None, None)])
def test_an_incident_on_gitlab_has_the_severity_that_somebody_gave_it(given, severity):
    at = "2026-01-05 10:00:00 UTC"
    issue = {"type": "Incident", "iid": 3, "created_at": at, "updated_at": at,
             "closed_at": None, "severity": given}  # fmt: skip
    body = {"object_kind": "incident", "project": {"path_with_namespace": "acme/shop"}, "object_attributes": issue}

    [row] = rows_of(GITLAB, [({"x-gitlab-event-uuid": "1"}, body)])["incidents"]
    assert (row["incident_id"], row["severity"]) == ("acme/shop#3", severity)


def test_an_issue_without_the_label_is_no_incident():
    issue = {"number": 3, "created_at": "2026-01-05T10:00:00Z", "updated_at": "2026-01-05T10:00:00Z", "labels": []}

    assert rows_of(GITHUB, [github("i", "issues", issue=issue)]) == {}


def test_a_deployment_on_gitlab_begins_and_ends_by_its_statuses():
    def message(identity, state, at):
        body = {"object_kind": "deployment", "deployment_id": 15, "status": state, "status_changed_at": at,
                "environment": "production", "project": {"path_with_namespace": "acme/shop"},
                "user": {"username": "ana"},
                "commit_url": f"https://gitlab.com/acme/shop/-/commit/{'b' * 40}"}  # fmt: skip
        return {"x-gitlab-event-uuid": identity}, body

    running = message("1", "running", "2026-01-05 10:00:00 +0100")
    [row] = rows_of(GITLAB, [running, message("2", "failed", "2026-01-05 10:07:00 +0100")])["deployments"]

    assert (row["deployment_id"], row["status"], row["commit_sha"]) == ("gitlab-15", "failed", "b" * 40)
    assert (row["started_at"][11:16], row["finished_at"][11:16]) == ("09:00", "09:07")


def test_a_deployment_on_github_that_goes_on_after_its_end_begins_when_it_was_made():
    [row] = rows_of(GITHUB, [SHIPPED[2], status("d5", "in_progress", "2026-01-05T10:20:00Z")])["deployments"]

    assert (row["started_at"][11:16], row["finished_at"][11:16]) == ("10:00", "10:09")


def pagerduty(identity, kind, at, **more):
    found = {"id": "PT4", "type": "incident", "service": {"id": "S1", "summary": "Shop (live)"}, "urgency": "high",
             "created_at": "2026-01-05T10:00:00Z", **more}  # fmt: skip
    event = {
        "id": identity,
        "event_type": f"incident.{kind}",
        "resource_type": "incident",
        "occurred_at": at,
        "data": found,
    }
    return {}, {"event": event}


def test_an_incident_at_pagerduty_ends_when_it_is_resolved_and_opens_again():
    messages = [
        pagerduty("1", "triggered", "2026-01-05T10:00:00Z"),
        pagerduty("2", "resolved", "2026-01-05T10:30:00Z"),
    ]
    [row] = rows_of(PAGERDUTY, messages)["incidents"]
    [reopened] = rows_of(PAGERDUTY, [*messages, pagerduty("3", "reopened", "2026-01-05T10:40:00Z")])["incidents"]

    assert (row["started_at"], row["resolved_at"][11:16]) == ("2026-01-05T10:00:00Z", "10:30")
    assert reopened["resolved_at"] is None


@pytest.mark.parametrize("more", [{"type": "incident_note", "id": "PN1"}, {"type": "incident_responder", "id": None}])
def test_a_note_on_an_incident_and_who_responds_to_it_tell_nothing(more):
    assert told(PAGERDUTY, [pagerduty("1", "annotated", "2026-01-05T10:20:00Z", **more)]) == []


def test_an_incident_that_is_first_told_of_after_its_end_is_none_that_is_open():
    late = [
        pagerduty(str(hour), "priority_updated", f"2026-01-05T{hour}:00:00Z", status="resolved") for hour in (11, 12)
    ]
    [row] = rows_of(PAGERDUTY, late)["incidents"]

    assert row["resolved_at"][11:16] == "11:00"


def test_an_incident_is_called_as_it_is_where_its_source_is_asked():
    source = PagerdutySource(services={"S1": "shop"}, environment="staging", hook_env="HOOK")
    [row] = rows_of(source, [pagerduty("1", "triggered", "2026-01-05T10:00:00Z")])["incidents"]

    assert (row["service"], row["environment"]) == ("S1", "staging")


def test_an_incident_that_was_merged_into_another_is_gone(tmp_path):
    reader = Reader(tmp_path / "home")
    inbox, merged = Inbox(reader.settings.home), {"type": "merge_resolve_reason"}
    inbox.add(told(PAGERDUTY, [pagerduty("1", "triggered", "2026-01-05T10:00:00Z")]))
    ingest_events(reader.settings, PAGERDUTY)
    assert reader.rows("select service from raw.incidents") == [("shop",)]

    inbox.add(told(PAGERDUTY, [pagerduty("2", "resolved", "2026-01-05T10:30:00Z", resolve_reason=merged)]))
    ingest_events(reader.settings, PAGERDUTY)

    assert reader.table("incidents") == []


PAY = {"deployment_id": "D1", "service": "pay", "environment": "production", "started_at": "2026-01-05T10:00Z",
       "status": "succeeded"}  # fmt: skip


def cloud_event(identity, time="2026-01-05T10:00:00Z", kind="shipcast.deployments", **row):
    return {}, {"specversion": "1.0", "id": identity, "type": kind, "source": "ci", "time": time, "data": row}


def test_of_events_of_one_thing_the_last_by_its_own_time_counts():
    given = {"deployment_id": "D1", "service": "pay", "environment": "production", "started_at": "2026-01-05T10:00Z"}
    late = cloud_event("2", "2026-01-05T10:09:00Z", **given, status="succeeded")
    early = cloud_event("1", **given, status="running", unknown="x")

    assert rows_of(EVENTS, [late, early]) == {"deployments": [{**given, "status": "succeeded"}]}


@pytest.mark.parametrize(
    ("source", "headers", "body", "words"),
    [
        (EVENTS, {}, {"specversion": "0.3"}, "no CloudEvent"),
        (EVENTS, {}, {"specversion": "1.0", "type": "shipcast.cows", "id": "1"}, "name of a table"),
        (EVENTS, {}, {"specversion": "1.0", "type": "shipcast.holds", "data": {}}, "lacks service"),
        (EVENTS, {}, cloud_event("1", "noon", **PAY)[1], "time 'noon' is no time, such as 2026-01-05T10:09:00Z"),
        (EVENTS, {}, cloud_event("1", **{**PAY, "service": None})[1], "lacks service in its data"),
        (
            EVENTS,
            {},
            cloud_event("1", **PAY, end="x", finished="y")[1],
            "in its data 'end' and 'finished' both mean finis",
        ),
        (EVENTS, {}, cloud_event("1", "9999-12-31T23:00:00-10:00", **PAY)[1], "is no time"),
        (EVENTS, {}, cloud_event("1", **{**PAY, "deployment_id": {"a": 1}})[1], "lacks deployment_id"),
        (EVENTS, {}, cloud_event("1", **PAY, version={"a": 1})[1], "no value of a column"),
        (GITHUB, SHIPPED[0][0], {**SHIPPED[0][1], "deployment": {**DEPLOYMENT, "id": None}}, "lacks id"),
        (GITHUB, *status("d2", "success", None), "lacks updated_at"),
        (GITHUB, *status("d2", "success", "soon"), "updated_at 'soon' is no time"),
        (GITHUB, {"x-github-event": "deployment"}, SHIPPED[0][1], "lacks x-github-delivery"),
        (GITHUB, SHIPPED[1][0], {**SHIPPED[1][1], "deployment": {}}, "lacks id"),
    ],
)
def test_a_message_that_cannot_be_used_says_why(source, headers, body, words):
    with pytest.raises(Unusable, match=words):
        events_of([source], headers, json.dumps(body).encode())


def test_a_form_says_what_is_to_be_set_and_json_is_taken_whatever_it_is_called():
    form = {"content-type": "application/x-www-form-urlencoded"}

    with pytest.raises(Unusable, match="came as a form; set the webhook's content type to application/json"):
        events_of([GITHUB], form, b"payload=%7B%7D")
    assert len(told(EVENTS, [(form, cloud_event("1", **PAY)[1])])) == 1


def test_the_keys_of_an_event_are_understood_as_the_headers_of_a_file():
    given = {"ID": "D1", "service": "pay", "env": "production", "started": "2026-01-05T10:00Z", "status": "succeeded"}
    headers, body = cloud_event("1", **given, versoin="1.2", mood="calm")
    [event] = told(EVENTS, [(headers, body)])
    [plain] = told(EVENTS, [cloud_event("2", **PAY)])

    assert rows_of(EVENTS, [(headers, body)]) == {"deployments": [PAY]}
    assert event.subject == plain.subject
    assert event.warnings == (
        "deployments: left out the keys versoin, mood of its data.",
        "deployments: is versoin meant as version? Then rename it, and send it again under another id.",
    )
    assert plain.warnings == ()


def test_a_key_that_is_lacking_is_named_with_the_one_that_may_be_meant():
    given = {("started_att" if name == "started_at" else name): value for name, value in PAY.items()}

    with pytest.raises(Unusable, match=r"lacks started_at in its data \(is started_att meant as that\? Then rename it"):
        told(EVENTS, [cloud_event("1", **given)])


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{", b"[" * 100_000])
def test_what_is_no_message_is_refused(content):
    with pytest.raises(Unusable):
        events_of([GITHUB], {}, content)


def signed(kind, body):
    code = hmac.new(SECRET.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
    stamp = str(int(datetime.now(UTC).timestamp()))
    standard = hmac.digest(SECRET.get_secret_value().encode(), f"m1.{stamp}.".encode() + body, "sha256")
    return {
        "github": {"x-hub-signature-256": f"sha256={code}"},
        "gitlab": {"x-gitlab-token": SECRET.get_secret_value()},
        "pagerduty": {"x-pagerduty-signature": f"v1={'0' * 64}, v1={code}"},
        "events": {
            "webhook-id": "m1",
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{base64.b64encode(standard).decode()}",
        },
    }[kind]


@pytest.mark.parametrize("source", [GITHUB, GITLAB, PAGERDUTY, EVENTS], ids=lambda source: source.kind)
def test_only_what_the_secret_signed_is_a_sources(source, monkeypatch):
    monkeypatch.setenv("HOOK", SECRET.get_secret_value())
    body, headers = b'{"a":1}', signed(source.kind, b'{"a":1}')

    assert signers([source], headers, body) == [source]
    assert signers([source], {}, body) == []
    assert signers([source], {key: value[:-2] + "00" for key, value in headers.items()}, body) == []
    if source.kind != "gitlab":
        assert signers([source], headers, b'{"a":2}') == []
    monkeypatch.delenv("HOOK")
    with pytest.raises(ConfigurationError, match="HOOK"):
        signers([source], headers, body)


def signed_at(stamp, body=b"{}"):
    code = hmac.digest(SECRET.get_secret_value().encode(), f"m1.{stamp}.".encode() + body, "sha256")
    signature = f"v1,{base64.b64encode(code).decode()}"
    return {"webhook-id": "m1", "webhook-timestamp": stamp, "webhook-signature": signature}


@pytest.mark.parametrize(
    ("stamp", "words"),
    [
        (str(int(NOW.timestamp()) - 900), "900 s behind the clock here, and 300 s may be"),
        (str(int(NOW.timestamp()) + 301), "301 s ahead of the clock here"),
        (f"{int(NOW.timestamp())}000", "no number of seconds since 1970"),
        (NOW.isoformat(), "no number of seconds since 1970"),
        ("9" * 400, "no number of seconds since 1970"),
    ],
)
def test_what_was_signed_for_another_time_says_so_to_whoever_has_the_secret_alone(stamp, words):
    headers = signed_at(stamp)

    with pytest.raises(TimeOff, match=words):
        is_standard(headers, b"{}", SECRET, NOW)
    assert not is_standard(headers, b"{}", SecretStr("another"), NOW)
    assert not is_standard(headers, b"[]", SECRET, NOW)
    assert is_standard(signed_at(str(int(NOW.timestamp()) - 300)), b"{}", SECRET, NOW)


def test_a_signature_that_is_no_ascii_is_none():
    assert not is_of_pagerduty({"x-pagerduty-signature": "v1=é"}, b"", SECRET)


def test_only_sources_with_a_secret_take_messages():
    sources = [GITHUB, GithubSource(repository="a/b"), EVENTS]

    assert hooked(sources, "github") == [GITHUB]
    assert hooked(sources, "events", "ci") == [EVENTS]
    assert hooked(sources, "events", "other") == []


def event(delivery, subject="deployment/1", happened_at="2026-01-05T10:00:00Z", body="{}"):
    return Event("events ci", delivery, "deployments", subject, happened_at, body)


def test_an_event_is_kept_once_however_often_it_comes(tmp_path):
    inbox = Inbox(tmp_path)
    inbox.add([event("a"), event("b")])
    inbox.add([event("a"), event("c")])
    changed = replace(event("a"), body='{"a": 2}')

    assert inbox.add([event("a"), changed, replace(event("a"), body=" {}")]) == [True, False, True]
    assert [found.delivery for found in inbox.told_of("events ci", 0, 10)] == ["a", "b", "c"]


def test_those_who_deliver_at_once_are_all_told_when_theirs_is_kept(tmp_path):
    box = Letterbox(tmp_path)
    kept = [box.take(event(str(number % 400))) for number in range(500)]
    wait(kept, timeout=30)
    box.end()

    assert [each.exception() for each in kept] == [None] * 500
    assert Inbox(tmp_path).newest("events ci")[1] >= 400
    assert len(Inbox(tmp_path).told_of("events ci", 0, 10**6)) == 400


def test_what_cannot_be_kept_is_said_to_whoever_brought_it(tmp_path):
    (tmp_path / "home").write_text("no folder")
    box = Letterbox(tmp_path / "home")

    with pytest.raises(Exception, match="cannot be kept"):
        box.take(event("a")).result(timeout=30)
    box.end()


def test_the_id_of_an_event_is_its_senders_own(tmp_path):
    first, other = (cloud_event("1", **PAY)[1] for _ in range(2))
    found = [*told(EVENTS, [({}, first)]), *told(EVENTS, [({}, {**other, "source": "another"})])]

    assert len({each.delivery for each in found}) == 2


def test_half_a_letter_in_one_message_spoils_no_other(tmp_path):
    box = Letterbox(tmp_path)
    row = {**PAY, "version": "\ud800"}
    [odd] = told(EVENTS, [cloud_event("1", **row)])
    broken = Event("events ci", "\ud800", "deployments", "x", "2026-01-05T10:00:00Z", "{}")
    kept = [box.take(each) for each in (event("a"), broken, odd, event("b"))]
    wait(kept, timeout=30)
    box.end()

    assert [each.exception() is None for each in kept] == [True, False, True, True]


def test_what_is_old_is_forgotten(tmp_path):
    Inbox(tmp_path).add([event("a")])
    Inbox(tmp_path).prune(datetime.now(UTC) + timedelta(days=61))

    assert Inbox(tmp_path).told_of("events ci", 0, 10) == []


def test_events_become_rows_once_and_later_ones_change_them(tmp_path):
    reader = Reader(tmp_path / "home")
    inbox = Inbox(reader.settings.home)
    inbox.add(told(GITHUB, SHIPPED[1:2]))
    ingest_events(reader.settings, GITHUB)
    assert reader.rows("select status from raw.deployments") == [("running",)]

    inbox.add(told(GITHUB, [SHIPPED[3], SHIPPED[2], SHIPPED[1]]))
    report = ingest_events(reader.settings, GITHUB)
    again = ingest_events(reader.settings, GITHUB)

    columns = "deployment_id, status, strftime(started_at, '%H:%M'), deployed_by"
    assert reader.rows(f"select {columns} from raw.deployments") == [("github-7", "succeeded", "10:01", "octo")]
    assert [(item.read, item.updated) for item in report.items] == [(1, 1)]
    assert again.items == []


def test_events_that_no_row_comes_of_are_read_once_and_change_nothing(tmp_path):
    reader = Reader(tmp_path / "home")
    issue = {"number": 3, "created_at": "2026-01-05T10:00:00Z", "updated_at": "2026-01-05T10:00:00Z", "labels": []}
    Inbox(reader.settings.home).add(told(GITHUB, [github("i", "issues", issue=issue)]))

    assert ingest_events(reader.settings, GITHUB).items == []
    assert reader.rows("select json_extract(tip, '$.number') from raw._cursors") == [("1",)]


def test_an_inbox_that_was_lost_is_read_from_its_beginning(tmp_path):
    reader = Reader(tmp_path / "home")
    Inbox(reader.settings.home).add(told(GITHUB, SHIPPED[:2]))
    ingest_events(reader.settings, GITHUB)
    for path in reader.settings.home.glob("inbox.sqlite*"):
        path.unlink()
    Inbox(reader.settings.home).add(told(GITHUB, SHIPPED[2:3]))

    ingest_events(reader.settings, GITHUB)

    assert reader.rows("select status from raw.deployments") == [("succeeded",)]


def test_a_row_that_breaks_a_rule_is_set_aside(tmp_path):
    reader = Reader(tmp_path / "home")
    row = {"deployment_id": "D1", "service": "pay", "environment": "production", "started_at": "soon", "status": "ok"}
    Inbox(reader.settings.home).add(told(EVENTS, [cloud_event("1", **row)]))

    [item] = ingest_events(reader.settings, EVENTS).items

    assert (item.read, item.quarantined) == (1, 1)


def refused(reader):
    return reader.rows("select line, rule from raw._quarantine order by line")


def ingested(reader, *messages, source=EVENTS):
    Inbox(reader.settings.home).add(told(source, messages))
    return ingest_events(reader.settings, source)


def test_a_row_that_is_sent_again_corrected_takes_the_place_of_the_refused_one(tmp_path):
    reader = Reader(tmp_path / "home")
    wrong = {**PAY, "status": "ok"}
    ingested(reader, cloud_event("1", **wrong), cloud_event("2", **{**wrong, "deployment_id": "D2"}))

    ingested(reader, cloud_event("3", "2026-01-05T10:01:00Z", **{**PAY, "deployment_id": " D1"}))

    assert reader.rows("select deployment_id, status from raw.deployments") == [("D1", "succeeded")]
    assert refused(reader) == [(2, "unknown_status")]


def test_of_a_thing_that_is_refused_again_the_last_row_is_kept(tmp_path):
    reader = Reader(tmp_path / "home")
    ingested(reader, cloud_event("1", **{**PAY, "status": "ok"}))

    ingested(reader, cloud_event("2", "2026-01-05T10:01:00Z", **{**PAY, "started_at": "soon"}))

    assert refused(reader) == [(2, "not_a_time")]


def test_a_key_is_the_same_however_its_time_is_written_and_an_empty_part_is_one(tmp_path):
    reader, row = Reader(tmp_path / "home"), {"service": "pay", "value": "many", "observed_at": "2026-01-05T10:00:00Z"}
    elsewhere = {**row, "environment": "live"}
    ingested(reader, *(cloud_event(number, kind="x.load", **each) for number, each in enumerate((row, elsewhere), 1)))

    again = {**row, "value": 7, "observed_at": "2026-01-05T11:00+01:00", "environment": ""}
    ingested(reader, cloud_event(3, "2026-01-05T10:01:00Z", kind="x.load", **again))

    assert reader.rows("select value from raw.load") == [(7.0,)]
    assert reader.rows("select json_extract_string(row, 'environment') from raw._quarantine") == [("live",)]


def test_a_row_of_another_source_leaves_the_refused_one_where_it_is(tmp_path):
    reader = Reader(tmp_path / "home")
    ingested(reader, cloud_event("1", **{**PAY, "status": "ok"}))

    ingested(reader, cloud_event("2", **PAY), source=EVENTS.model_copy(update={"name": "cd"}))

    assert refused(reader) == [(1, "unknown_status")]


def test_what_mends_a_refused_row_fits_where_it_came_from(tmp_path):
    reader = Reader(tmp_path / "home")
    (tmp_path / "services.csv").write_text("service,team\n,blue\n")
    of_file = reader.files(tmp_path / "services.csv").warnings[-1]
    of_event = ingested(reader, cloud_event("1", **{**PAY, "status": "ok"})).warnings[-1]

    assert of_file == "Correct the rows in their files, then: shipcast quarantine retry."
    assert of_event.startswith("Let the sender send them again, corrected")
    assert of_event in retry(reader.settings).warnings[0]


def test_an_environment_that_an_event_leaves_empty_is_unsaid_and_not_left_out(tmp_path):
    reader = Reader(tmp_path / "home")
    incident = {"incident_id": "I1", "service": "pay", "environment": "", "started_at": "2026-01-05T10:00Z"}

    ingested(reader, cloud_event("1", kind="x.incidents", **incident))

    assert reader.rows("select incident_id, environment from raw.incidents") == [("I1", None)]
