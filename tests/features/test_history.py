"""What was known at an instant: no frame holds anything that became known later."""

from datetime import datetime

import pytest

from shipcast.features import history as features
from shipcast.features.history import History
from shipcast.warehouse.snapshot import open_current


def deployment(name, day, status="succeeded", **more):
    row = {"deployment_id": name, "service": "pay", "environment": "production", "status": status}
    return row | {"started_at": f"2025-{day}T10:00Z", "finished_at": f"2025-{day}T10:30Z", **more}


TABLES = {
    "services": [{"service": "pay", "team": "money", "business_zone": "Asia/Tokyo"}],
    "deployments": [
        deployment("d1", "05-01"),
        deployment("d2", "05-02", "failed"),
        deployment("d3", "05-03", "cancelled"),
        deployment("d4", "05-04"),
        deployment("d5", "05-05", "rolled_back"),
        deployment("d6", "05-30", rollback_of="d5"),
        deployment("d7", "05-06", environment="staging"),
        deployment("d8", "06-20"),
    ],
    "incidents": [
        {"incident_id": "i1", "service": "pay", "deployment_id": "d4", "started_at": "2025-05-04T11:00Z",
         "resolved_at": "2025-06-10T11:00Z"},
        {"incident_id": "i2", "service": "pay", "started_at": "2025-05-20T00:00Z", "resolved_at": "2025-05-20T00:45Z"},
    ],
    "load": [
        {"service": "pay", "observed_at": f"2025-05-31T{hour:02d}:00Z", "value": 10 * hour} for hour in range(24)
    ],
    "holds": [
        {"service": "pay", "at": "2025-05-01T00:00Z", "active": "true", "kind": "freeze"},
        {"service": "pay", "at": "2025-06-01T00:00Z", "active": "false", "kind": "freeze"},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def history(built):
    """A function that gives what was known on a day of 2025, at midnight."""
    with open_current(built(TABLES).home) as connection:
        yield lambda day, environment="production": History(
            connection, datetime.fromisoformat(f"2025-{day}T00:00"), environment, "UTC"
        )


def failed(history):
    """The settled deployments by the day they started, and whether they had failed."""
    frame = history.outcomes("pay")
    return dict(zip(frame["started_at"].dt.strftime("%m-%d"), frame["is_failed"], strict=True))


def test_an_outcome_counts_once_it_has_settled_and_cancelled_ones_and_rollbacks_never(history):
    assert failed(history("05-15")) == {}
    assert failed(history("05-17")) == {"05-01": False, "05-02": True}
    assert failed(history("07-30")) == {"05-01": False, "05-02": True, "05-04": True, "05-05": True, "06-20": False}


def test_a_failure_shows_from_the_day_it_was_known(history):
    assert failed(history("05-29"))["05-05"] is False
    assert failed(history("05-31"))["05-05"] is True
    assert failed(history("06-10"))["05-04"] is False
    assert failed(history("06-11"))["05-04"] is True


def test_hours_are_those_of_the_service(history):
    assert history("05-17").outcomes("pay")["hour_of_week"].to_list() == [3 * 24 + 19, 4 * 24 + 19]


def test_other_environments_are_another_scope(history):
    assert failed(history("07-30", "staging")) == {"05-06": False}


def test_an_open_incident_has_lasted_until_now(history):
    frame = history("05-20").restores("pay")

    assert frame["is_open"].to_list() == [True, True]
    assert frame["minutes"].to_list() == [15 * 24 * 60 + 13 * 60, 0]


def test_a_resolved_incident_lasted_until_its_resolution(history):
    frame = history("05-21").restores("pay")

    assert frame["is_open"].to_list() == [True, False]
    assert frame["minutes"].to_list()[1] == 45


def test_load_is_known_when_its_hour_is_over(history):
    load = history("05-31").hourly_load("pay", "UTC"), history("06-01").hourly_load("pay", "UTC")

    assert [len(frame) for frame in load] == [0, 24]
    assert load[1]["requests"].to_list() == [10 * hour for hour in range(24)]


def test_load_older_than_sixteen_weeks_is_left_out(history):
    assert len(history("09-30").hourly_load("pay", "UTC")) == 0


def test_a_hold_is_in_force_until_it_is_released(history):
    assert [kind for kind, _ in history("05-31").holds("pay")] == ["freeze"]
    assert history("06-02").holds("pay") == []
    assert history("05-31").holds("other") == []


def test_nothing_had_started_before_the_first_deployment(history):
    assert history("04-01").started() == 0
    assert history("05-02").started() == 1


def test_of_very_many_other_deployments_a_fixed_share_is_learned_from_and_all_of_the_service_asked_about(
    history, monkeypatch
):
    monkeypatch.setattr(features, "MOST_ROWS", 2)
    known = history("06-15")

    assert known.share_of_others("fct_deployments") == 3
    assert len(known.outcomes("pay")) == 4
    assert len(known.outcomes("another")) == len(history("06-15").outcomes("another")) < 4
