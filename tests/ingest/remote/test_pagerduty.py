"""PagerDuty, as its OpenAPI document describes it (PagerDuty V2 API, version 2.0.0, as published in August 2026)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from vendor import TOKEN, Asked, Reader, Told, Vendor, serving

from shipcast.ingest.errors import AnswerUnusable, CredentialsRefused
from shipcast.ingest.files import silent
from shipcast.ingest.hooks.arrival import events_of
from shipcast.ingest.hooks.inbox import Inbox
from shipcast.ingest.hooks.reading import ingest_events
from shipcast.ingest.remote.connectors import connector
from shipcast.ingest.remote.reading import Nothing
from shipcast.settings.sources import PagerdutySource

NOW = datetime.now(UTC).replace(microsecond=0)
HALF_A_YEAR = timedelta(days=183)


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGERDUTY_TOKEN", TOKEN)


def ago(**span: float) -> str:
    return (NOW - timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")


def incident(name: str, began: str, ended: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "incident_number": int(name[1:], 36),
        "title": "The server is on fire",
        "created_at": began,
        "status": "resolved" if ended else "triggered",
        "resolved_at": ended,
        "last_status_change_at": ended or began,
        "service": {"id": "PSHOP", "summary": "Checkout (prod)"},
        "priority": None,
        "urgency": "high",
        "resolve_reason": None,
        **more,
    }


@dataclass
class Account:
    """What PagerDuty knows of one account, and how it lists it."""

    incidents: list[dict[str, Any]] = field(default_factory=list)
    most: int = 100  # of a page, whatever is asked for
    is_open_at_start: bool = False  # whether `since` itself is left out

    def answer(self, asked: Asked) -> Told:
        if asked.headers.get("authorization") != f"Token token={TOKEN}":
            return Told({"error": {"message": "Authentication failed", "code": 2006}}, 401)
        assert asked.headers["accept"] == "application/vnd.pagerduty+json;version=2"
        if asked.path.startswith("/incidents/"):
            found = [each for each in self.incidents if each["id"] == asked.path.rsplit("/", 1)[1]]
            return Told({"incident": found[0]}) if found else Told({"error": {"message": "Not Found"}}, 404)
        given = asked.parameters
        offset, limit = int(given["offset"]), min(int(given["limit"]), self.most)
        if offset + limit > 10_000:
            return refused("Offset and limit exceed 10000")
        found = self.listed(given)
        if found is None:
            return refused("Invalid Query Date Range")
        page = found[offset : offset + limit]
        return Told({"incidents": page, "limit": limit, "offset": offset, "more": offset + limit < len(found)})

    def listed(self, given: dict[str, str]) -> list[dict[str, Any]] | None:
        found = sorted(self.incidents, key=lambda each: (each["created_at"], each["incident_number"]))
        if "statuses[]" in given:
            found = [each for each in found if each["status"] != "resolved"]
        if "urgencies[]" in given:
            found = [each for each in found if each["urgency"] == given["urgencies[]"]]
        if given.get("date_range") == "all":
            return found
        since, until = (datetime.fromisoformat(given[name]) for name in ("since", "until"))
        if not timedelta() < until - since <= HALF_A_YEAR:
            return None
        found = [each for each in found if since <= datetime.fromisoformat(each["created_at"]) < until]
        return [each for each in found if not self.is_open_at_start or each["created_at"] != given["since"]]


def refused(message: str) -> Told:
    return Told({"error": {"message": "Arguments Caused Error", "code": 2005, "errors": [message]}}, 400)


def busy() -> Account:
    """Two years: an alert storm within one second, a long silence, and incidents of every kind."""
    storm = [incident(f"Q{number:03}", ago(days=700), ago(days=699)) for number in range(7)]
    merged = {"type": "merge_resolve_reason", "incident": {"id": "P1"}}
    return Account(
        [
            *storm,
            incident("P1", ago(days=9, hours=2), ago(days=9), priority={"summary": "P2"}),
            incident("P2", ago(days=8), ago(days=7), resolved_at=None),
            incident("P3", ago(days=7), service={"id": "PMAIL", "summary": "Mail"}, urgency="low"),
            incident("P4", ago(days=6), ago(days=6), resolve_reason=merged),
            incident("P5", ago(days=5), ago(days=4)),
        ],
        most=3,
    )


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path / "home")


@pytest.fixture
def account() -> Account:
    return busy()


@pytest.fixture
def pagerduty(account: Account) -> Iterator[Vendor]:
    with serving(Vendor(account.answer)) as vendor:
        yield vendor


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A home that has read the busy account once, for claims that change nothing."""
    reader = Reader(tmp_path_factory.mktemp("pagerduty") / "home")
    with pytest.MonkeyPatch.context() as patch, serving(Vendor(busy().answer)) as vendor:
        patch.setenv("PAGERDUTY_TOKEN", TOKEN)
        reader.read(source(vendor))
    return reader


def source(vendor: Vendor, **more: Any) -> PagerdutySource:
    return PagerdutySource(url=vendor.url, **more)


def names(reader: Reader, where: str = "true") -> list[str]:
    found = reader.rows(f"select split_part(incident_id, '-', 2) from raw.incidents where {where} order by 1")
    return [name for (name,) in found]


STORM = [f"Q{number:03}" for number in range(7)]


def test_every_incident_is_read_once_over_windows_and_storms(read_once: Reader):
    assert names(read_once) == ["P1", "P2", "P3", "P5", *STORM]


def test_an_incident_ends_when_it_was_resolved(read_once: Reader):
    ends = read_once.rows("select resolved_at from raw.incidents where started_at > '2000-01-01' order by started_at")
    expected = [ago(days=9), ago(days=7), None, ago(days=4)]
    assert [end and end.strftime("%Y-%m-%dT%H:%M:%SZ") for (end,) in ends[7:]] == expected


def test_severity_is_the_priority_else_the_urgency(read_once: Reader):
    found = read_once.rows("select severity from raw.incidents order by started_at desc limit 4")
    assert [severity for (severity,) in reversed(found)] == ["P2", "high", "low", "high"]


def test_an_incident_that_was_merged_into_another_is_none(read_once: Reader):
    assert "P4" not in names(read_once)


def test_what_ended_was_reopened_merged_or_deleted_since_is_known(reader: Reader, pagerduty: Vendor, account: Account):
    account.incidents[0:0] = [incident(f"R{number}", ago(days=300)) for number in range(1, 5)]
    reader.read(source(pagerduty))
    ended, merged, _, still_open = account.incidents[:4]
    ended.update(status="resolved", resolved_at=ago(hours=1))
    merged.update(status="resolved", resolved_at=ago(hours=1), resolve_reason={"type": "merge_resolve_reason"})
    del account.incidents[2]
    reopened = account.incidents[-1]
    reopened.update(status="acknowledged", resolved_at=None)
    account.incidents.append(incident("P9", ago(minutes=30), ago(minutes=20)))

    report = reader.read(source(pagerduty))

    assert any("2 rows that it no longer gives removed" in warning for warning in report.warnings)
    assert names(reader, "resolved_at is null") == ["P3", "P5", still_open["id"]]
    assert names(reader) == ["P1", "P2", "P3", "P5", "P9", *STORM, "R1", "R4"]


def test_an_incident_that_a_webhook_told_of_is_removed_when_it_is_merged(
    reader: Reader, pagerduty: Vendor, account: Account
):
    found = account.incidents[-3]
    body = {"event": {"id": "1", "event_type": "incident.triggered", "resource_type": "incident",
                      "occurred_at": found["created_at"], "data": found}}  # fmt: skip
    Inbox(reader.settings.home).add(events_of([source(pagerduty)], {}, json.dumps(body).encode()))
    ingest_events(reader.settings, source(pagerduty))
    reader.read(source(pagerduty))
    assert found["id"] in names(reader)

    found.update(status="resolved", resolved_at=ago(hours=1), resolve_reason={"type": "merge_resolve_reason"})
    reader.read(source(pagerduty))

    assert found["id"] not in names(reader)


def test_reading_again_brings_nothing_and_asks_little(reader: Reader, pagerduty: Vendor):
    first = reader.read(source(pagerduty))
    before, asked = reader.table("incidents"), len(pagerduty.asked)

    report = reader.read(source(pagerduty))

    assert [(item.read, item.inserted) for item in first.items] == [(11, 11)]
    assert reader.table("incidents") == before
    assert sum(item.inserted + item.updated for item in report.items) == 0
    assert len(pagerduty.asked) - asked == 2


@pytest.mark.parametrize("fault", ["429", "502", "truncated", "reset", "drip"])
def test_a_fault_that_passes_changes_nothing(read_once: Reader, reader: Reader, pagerduty: Vendor, fault: str):
    pagerduty.faults = [fault, None, fault, fault, None, fault]

    reader.read(source(pagerduty))

    assert names(reader) == names(read_once)


def test_a_reading_that_was_cut_off_is_gone_on_with(reader: Reader, pagerduty: Vendor, account: Account):
    answer = account.answer
    pagerduty.answer = lambda asked: Told([]) if len(pagerduty.asked) == 9 else answer(asked)
    with pytest.raises(AnswerUnusable, match=r"no list of incidents. The \d+ rows that came before are stored"):
        reader.read(source(pagerduty))
    assert 7 <= len(names(reader)) < 11

    reader.read(source(pagerduty))

    assert names(reader) == ["P1", "P2", "P3", "P5", *STORM]


def test_a_start_that_is_left_out_costs_no_incident(reader: Reader, pagerduty: Vendor, account: Account):
    account.is_open_at_start = True

    reader.read(source(pagerduty))

    assert names(reader) == ["P1", "P2", "P3", "P5", *STORM]


def test_what_began_before_the_first_day_is_not_read(reader: Reader, pagerduty: Vendor, account: Account):
    account.incidents.append(incident("R1", ago(days=300)))
    for _ in range(2):
        reader.read(source(pagerduty, since=(NOW - timedelta(days=30)).date()))

    assert names(reader) == ["P1", "P2", "P3", "P5"]


def test_an_empty_account_gives_nothing_and_is_read_when_it_fills(reader: Reader, account: Account, pagerduty: Vendor):
    filled, account.incidents = account.incidents, []
    report = reader.read(source(pagerduty))
    assert (sum(item.read for item in report.items), report.exit_code) == (0, 0)

    account.incidents = filled
    reader.read(source(pagerduty))

    assert len(names(reader)) == 11


def test_clocks_that_differ_change_nothing(reader: Reader, pagerduty: Vendor):
    pagerduty.skew = 40 * 86400
    reader.read(source(pagerduty))
    pagerduty.skew = -3600
    reader.read(source(pagerduty))

    assert len(names(reader)) == 11


def test_a_clock_that_was_ahead_once_costs_no_later_incident(reader: Reader, pagerduty: Vendor, account: Account):
    pagerduty.skew = 86_400
    first = reader.read(source(pagerduty))
    pagerduty.skew = 0
    account.incidents.append(incident("P9", ago(minutes=1)))
    second = reader.read(source(pagerduty))

    assert "P9" in names(reader)
    assert [warning for warning in first.warnings if "clock is 24 hours ahead" in warning]
    assert not [warning for warning in second.warnings if "clock" in warning]


def test_a_mark_that_lies_ahead_is_pulled_back(pagerduty: Vendor, account: Account):
    account.incidents.append(incident("P9", ago(minutes=30)))
    asked = connector(source(pagerduty), Nothing(), silent)

    batches = list(asked.listings()[0].read({"read": ago(days=-30), "open": []}))

    assert "P9" in batches[-1].mark["open"]
    assert datetime.fromisoformat(batches[-1].mark["read"]) <= datetime.now(UTC)
    assert ["may be missing" in warning for warning in asked.warnings] == [True]


def test_an_expired_token_is_said_and_not_shown(reader: Reader, pagerduty: Vendor):
    pagerduty.faults = ["expired"]

    with pytest.raises(CredentialsRefused, match=r"the token in PAGERDUTY_TOKEN.*read-only API key") as raised:
        reader.read(source(pagerduty))
    assert TOKEN not in str(raised.value) + repr(raised.value.__dict__)


def test_services_are_named_by_name_or_id_and_unknown_ones_are_proposed(reader: Reader, pagerduty: Vendor):
    deployed = reader.settings.home.parent / "deployments.csv"
    deployed.write_text(
        "deployment_id,service,environment,started_at,status\nd1,checkout,production,2025-01-01,succeeded\n"
    )
    reader.files(deployed)

    report = reader.read(source(pagerduty))
    assert any('{"Checkout (prod)" = "checkout", "Mail" = "..."}' in warning for warning in report.warnings)
    report = reader.read(source(pagerduty, services={"PSHOP": "checkout", "Mail": ""}))

    assert reader.rows("select distinct service from raw.incidents") == [("checkout",)]
    assert not any("services =" in warning for warning in report.warnings)


def test_only_incidents_of_the_urgency_are_asked_for(reader: Reader, pagerduty: Vendor):
    reader.read(source(pagerduty, urgency="low", environment="staging"))

    assert reader.rows("select environment, severity from raw.incidents") == [("staging", "low")]
