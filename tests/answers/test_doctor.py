"""The doctor's findings where clocks, disks and other runs get in the way."""

from datetime import UTC, datetime

import pytest

from shipcast.answers.doctor import Loaded, doctor, is_behind
from shipcast.settings import Settings
from shipcast.settings.sources import EventsSource
from shipcast.warehouse.lock import run_lock
from shipcast.warehouse.snapshot import Snapshot

NOON = datetime(2024, 5, 1, 12)  # noqa: DTZ001


def loaded(load_id, loaded_at=NOON):
    return Loaded(loaded_at, load_id, refused_rows=0, refused_files=0)


@pytest.mark.parametrize(("load_id", "behind"), [(7, False), (8, True)])
@pytest.mark.parametrize("published_at", ["2024-05-01T11:00:00Z", "2024-05-01T13:00:00Z"])
def test_whether_a_build_is_due_is_told_by_loads_and_not_by_the_clock(load_id, behind, published_at):
    snapshot = Snapshot("s", "s.duckdb", published_at, load_id=7)

    assert is_behind(loaded(load_id), snapshot) is behind


@pytest.mark.parametrize(("published_at", "behind"), [("2024-05-01T11:00:00Z", True), ("2024-05-01T13:00:00Z", False)])
def test_a_snapshot_that_knows_no_load_is_told_by_the_clock(published_at, behind):
    assert is_behind(loaded(7), Snapshot("s", "s.duckdb", published_at)) is behind


def test_another_run_at_work_is_said_and_no_fault(tmp_path):
    settings = Settings(home=tmp_path)
    with run_lock(tmp_path, "run"):
        answer = doctor(settings, datetime.now(UTC))

    assert ["lock", "good"] in [[item.subject, item.state] for item in answer.items]
    assert answer.exit_code == 0


def test_what_is_missing_is_no_error_and_what_is_broken_is(tmp_path):
    settings = Settings(home=tmp_path)
    assert doctor(settings, datetime.now(UTC)).exit_code == 0

    (tmp_path / "work.duckdb").write_bytes(b"no database" * 1000)
    assert doctor(settings, datetime.now(UTC)).exit_code == 7


@pytest.mark.parametrize(
    ("text", "state", "said"),
    [
        ('[[freeze]]\nid = "audit"\nstart = 2026-01-01\nend = 2026-01-05\n', "good", "1 file in force: "),
        ("[[reserve", "broken", "calendar.toml"),
    ],
)
def test_a_calendar_that_cannot_be_used_is_found(tmp_path, text, state, said):
    (tmp_path / "calendar.toml").write_text(text, encoding="utf-8")
    answer = doctor(Settings(home=tmp_path), datetime.now(UTC))
    [found] = [item for item in answer.items if item.subject == "calendar"]

    assert found.state == state
    assert said in found.finding


@pytest.mark.parametrize(("value", "state"), [(None, "missing"), ("x" * 40, "good")])
def test_a_secret_of_webhooks_that_is_not_there_is_found_before_the_first_one_comes(
    tmp_path, monkeypatch, value, state
):
    if value:
        monkeypatch.setenv("HOOK_SECRET", value)
    settings = Settings(home=tmp_path, sources=[EventsSource(kind="events", name="ci", hook_env="HOOK_SECRET")])
    [found] = [item for item in doctor(settings, datetime.now(UTC)).items if item.subject == "source"]

    assert (found.state, found.remedy) == (state, None if value else "export HOOK_SECRET=...")
    assert value is None or value not in found.finding


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        (1, "failure rate at most 30 %,"),
        (2, "failure rate not to be trusted, since 2 of 11 deployments that were read wait in quarantine (shipcast "),
    ],
)
def test_a_rate_of_what_is_left_beside_many_refused_deployments_is_not_said_to_be_one(built, refused, said):
    row = {"service": "pay", "environment": "production", "started_at": "2025-05-01T10:00Z"}
    statuses = ["succeeded"] * 9 + ["splendid"] * refused
    home = built({"deployments": [{**row, "deployment_id": f"d{n}", "status": one} for n, one in enumerate(statuses)]})

    assert said in (doctor(home, datetime(2025, 6, 1, tzinfo=UTC)).can_be_said or "")


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        ("d1", "recovery without an interval"),
        (None, "recovery no (no resolved incident is laid to a deployment)"),
    ],
)
def test_recoveries_are_told_only_of_incidents_that_are_laid_to_a_deployment(built, cause, said):
    deployment = {"deployment_id": "d1", "service": "pay", "environment": "production", "status": "succeeded"}
    incident = {"incident_id": "i1", "service": "pay", "deployment_id": cause}
    home = built(
        {
            "deployments": [deployment | {"started_at": "2025-05-01T10:00Z"}],
            "incidents": [incident | {"started_at": "2025-05-01T11:00Z", "resolved_at": "2025-05-01T12:00Z"}],
        }
    )

    assert said in (doctor(home, datetime(2025, 6, 1, tzinfo=UTC)).can_be_said or "")
