"""The marts of small worlds, worked out by hand; the rules one by one are the project's unit tests."""

import pytest

from shipcast.warehouse.connection import open_built
from shipcast.warehouse.snapshot import open_current, publish
from shipcast.warehouse.transform import PROJECT, build

MARTS = [
    "dim_dates", "dim_environments", "dim_services", "fct_approvals", "fct_changes", "fct_deployments",
    "fct_dora_weekly", "fct_environment_idle", "fct_environment_usage", "fct_holds", "fct_incidents",
    "fct_load_hourly", "fct_rollbacks", "loads", "metric_definitions", "quarantine_counts", "snapshot_facts",
]  # fmt: skip


def deployed(deployment_id, environment, started_at, status, **more):
    row = {"deployment_id": deployment_id, "environment": environment, "started_at": started_at, "status": status}
    return {"service": "pay", **row, **more}


COMPANY = {
    "services": [{"service": "pay", "team": "money", "regions": ["eu", "us"]}],
    "environments": [{"environment": "qa", "kind": "Staging", "cost_per_hour": 3}],
    "deployments": [
        deployed("d1", "qa", "2024-05-01 09:00", "succeeded", commit_sha="c1"),
        deployed("d2", "prod", "2024-05-01 10:00", "failed", commit_sha="c1", finished_at="2024-05-01 10:20"),
        deployed("d3", "prod", "2024-05-02 10:00", "rolled_back", commit_sha="c2", finished_at="2024-05-02 10:30"),
        deployed("d4", "prod", "2024-05-02 11:00", "succeeded", rollback_of="d3", finished_at="2024-05-02 11:10"),
        deployed("d5", "prod", "2024-05-06 08:00", "running", service="cart"),
    ],
    "incidents": [
        {
            "incident_id": "i1",
            "service": "pay",
            "started_at": "2024-05-02 10:40",
            "resolved_at": "2024-05-02 11:30",
            "deployment_id": "d3",
        },
        {"incident_id": "i2", "service": "pay", "environment": "prod", "started_at": "2024-05-03 10:00"},
    ],
    "changes": [
        {"change_id": "PR-1", "service": "pay", "commit_sha": "c1", "authored_at": "2024-04-30 10:30"},
        {"change_id": "PR-2", "service": "pay", "commit_sha": "c9", "authored_at": "2024-05-03 10:00"},
    ],
    "load": [
        {"service": "pay", "observed_at": f"2024-05-02 10:{minute}", "value": value}
        for minute, value in {"00": 1, "15": 2, "30": 3, "45": 4}.items()
    ],
    "environment_usage": [{"environment": "qa", "started_at": "2024-05-04 08:00", "ended_at": "2024-05-04 10:00"}],
    "approvals": [{"approval_id": "a1", "decision": "Approved", "decided_at": "2024-05-01 09:30"}],
    "holds": [{"service": "pay", "at": "2024-05-03 00:00", "active": True}],
}


@pytest.fixture(scope="module")
def company(build_of):
    return build_of(COMPANY)


def test_an_empty_home_has_every_mart_and_no_rows(empty):
    rows = empty.counts

    assert sorted(rows) == MARTS
    assert {name for name, count in rows.items() if count} == {"metric_definitions", "snapshot_facts"}
    assert empty.row("select newest_at, is_simulated, production_environments from marts.snapshot_facts") == (
        None, False, ["live", "prod", "production"],
    )  # fmt: skip


def test_the_marts_of_an_empty_home_can_be_published(empty):
    publish(empty.settings.home, keep=1)

    with open_current(empty.settings.home) as snapshot:
        assert snapshot.execute("select count(*) from metric_definitions").fetchone() == (12,)


def test_a_single_row_is_enough(build_of):
    one = build_of({"load": [{"service": "pay", "observed_at": "2024-05-01 10:30", "value": 8}]})

    assert one.row("select service, environment, requests, covered_minutes from marts.fct_load_hourly limit 1") == (
        "pay", "production", 8, 30,
    )  # fmt: skip
    assert one.row("select newest_at from marts.snapshot_facts") == ("2024-05-01 11:30",)


def test_a_failed_deployment_was_known_at_its_end_and_a_rolled_back_one_when_the_rollback_started(company):
    outcomes = company.rows("select deployment_id, failed_at, rolled_back_at from marts.fct_deployments order by 1")

    assert outcomes == [
        ("d1", None, None),
        ("d2", "2024-05-01 10:20", None),
        ("d3", "2024-05-02 11:00", "2024-05-02 11:00"),
        ("d4", None, None),
        ("d5", None, None),
    ]
    assert company.row("select rolled_back_by, minutes_to_rollback from marts.fct_rollbacks") == ("d4", 30)


def test_an_incident_is_placed_by_its_deployment_and_stays_open_without_an_end(company):
    incidents = company.rows("""
        select incident_id, environment, is_production, cause_deployment_id, window_deployment_id, link_known_at
        from marts.fct_incidents order by 1""")

    assert incidents == [
        ("i1", "prod", True, "d3", "d3", "2024-05-02 11:30"),
        ("i2", "prod", True, None, "d4", None),
    ]


def test_a_change_has_a_row_per_environment_and_waits_in_one_without(company):
    changes = company.rows("""
        select change_id, environment, landed_deployment_id, next_landed_deployment_id, next_landed_at
        from marts.fct_changes order by 1, 2""")

    assert changes == [
        ("PR-1", "prod", None, "d3", "2024-05-02 10:30"),
        ("PR-1", "qa", "d1", None, None),
        ("PR-2", None, None, None, None),
    ]


def test_every_service_and_environment_named_anywhere_has_a_row(company):
    assert company.rows("select service, team from marts.dim_services order by 1") == [("cart", None), ("pay", "money")]
    assert company.rows("select environment, kind, is_production from marts.dim_environments order by 1") == [
        ("prod", "production", True),
        ("qa", "staging", False),
    ]


def test_an_idle_spell_is_priced(company):
    spells = company.rows("""
        select idle_from_at, idle_to_at, cost from marts.fct_environment_idle where environment = 'qa' order by 1""")

    assert spells == [
        ("2024-05-01 10:00", "2024-05-04 08:00", 210),
        ("2024-05-04 10:00", "2024-05-06 08:00", 138),
    ]


def test_the_week_sums_up_what_the_rows_say(company):
    week, counts, rates, medians = company.row("""
        select week_at, [deployments, landed, failed, rolled_back, rework, lead_times, recoveries],
            [success_rate, change_failure_rate, rollback_rate, rework_rate], [lead_time_hours, recovery_hours]
        from marts.fct_dora_weekly where environment = 'prod'""")

    assert week == "2024-04-29 00:00"
    assert counts == [3, 2, 2, 1, 1, 1, 1]
    assert rates == pytest.approx([1 / 3, 2 / 3, 1 / 3, 1 / 3])
    assert medians == [48, 1]


def test_the_newest_instant_is_the_start_of_what_still_runs(company):
    assert company.row("select newest_at from marts.snapshot_facts") == ("2024-05-06 08:00",)
    assert company.row("select min(week_at), count(*) from marts.dim_dates") == ("2024-04-29 00:00", 7)


def files_of_the_project():
    """Every file, with its time of change."""
    return {path: path.stat().st_mtime_ns for path in PROJECT.rglob("*")}


def test_dbt_itself_makes_the_same_marts_whatever_the_machines_zone_and_reports_them(company, build_of, monkeypatch):
    again = build_of(COMPANY)
    with open_built(again.settings.home) as connection:
        connection.execute("create table marts.left_by_an_earlier_version as select 1 as answer")
    monkeypatch.setenv("TZ", "America/St_Johns")
    before, lines = files_of_the_project(), []
    report = build(again.settings, lines.append, in_full=True)

    assert report.rows == company.counts
    assert report.models == len(lines)
    assert lines[-1].startswith("fct_dora_weekly (")
    assert report.tests > 50
    assert report.seconds > 0
    assert files_of_the_project() == before
    for name in set(MARTS) - {"snapshot_facts"}:
        assert again.mart(name) == company.mart(name), name


def test_strange_names_and_a_commit_shared_by_many_are_carried_through(build_of):
    names = ["x" * 10_000, "שלום", "=cmd|' /C calc'!A0", "{{ ref('x') }}", "a\nb", "'; drop schema marts; --"]
    change = {"commit_sha": "unknown", "authored_at": "2024-05-01 09:00"}
    strange = build_of(
        {
            "deployments": [
                deployed(f"{name}{n}", "Live", "2024-05-01 10:00", "SUCCEEDED", service=name, commit_sha="unknown")
                for name in names
                for n in "12"
            ],
            "changes": [{**change, "change_id": f"{name}{n}", "service": name} for name in names for n in "12"],
        }
    )
    changes = "select count(*), count(distinct service), bool_and(is_production), max(landed_at) from marts.fct_changes"

    assert strange.rows("select service from marts.dim_services order by 1") == [(name,) for name in sorted(names)]
    assert strange.row(changes) == (12, 6, True, "2024-05-01 10:00")
