"""Simulated tables are what a company's export would be: they keep every rule of the input tables."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from shipcast.settings.errors import UsageError
from shipcast.simulator import UNTIL, simulate, simulated

# Columns of each table; those before the bar are required.
COLUMNS = {
    "services": "service | team business_zone regions tier criticality architecture depends_on",
    "environments": "environment | kind cost_per_hour capacity region",
    "deployments": "deployment_id service environment started_at status | finished_at commit_sha version change_type "
    "rollback_of strategy requested_by approved_by deployed_by lines_changed files_changed commits authors bot_commits",
    "incidents": "incident_id service started_at | environment resolved_at severity deployment_id",
    "changes": "change_id service commit_sha authored_at | deployment_id merged_at author lines_added lines_deleted "
    "files_changed is_bot is_revert",
    "load": "service observed_at value | environment",
    "environment_usage": "environment started_at | ended_at used_by purpose branch",
    "approvals": "approval_id | deployment_id change_id approver decision requested_at decided_at role",
    "holds": "service at active | environment kind",
}

KEYS = {
    "services": ["service"],
    "environments": ["environment"],
    "deployments": ["deployment_id"],
    "incidents": ["incident_id"],
    "changes": ["change_id", "deployment_id"],
    "load": ["service", "observed_at", "environment"],
    "environment_usage": ["environment", "started_at", "used_by"],
    "approvals": ["approval_id"],
    "holds": ["service", "environment", "at", "kind"],
}

VALUES = {
    ("services", "architecture"): {"stateless", "stateful", "batch"},
    ("environments", "kind"): {"development", "test", "staging", "production", "ephemeral"},
    ("deployments", "status"): {"succeeded", "failed", "rolled_back", "cancelled", "running"},
    ("deployments", "change_type"): {"standard", "normal", "emergency"},
    ("deployments", "strategy"): {"rolling", "canary", "blue_green", "recreate"},
    ("approvals", "decision"): {"approved", "rejected", "pending"},
}


def read(directory: Path, table: str) -> pl.DataFrame:
    if table == "load":
        return pl.read_parquet(directory / "load.parquet")
    return pl.read_csv(directory / f"{table}.csv", try_parse_dates=True, infer_schema_length=None)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("company")
    simulate(directory, seed=1)
    return directory


@pytest.fixture(scope="module")
def tables(company: Path) -> dict[str, pl.DataFrame]:
    return {name: read(company, name) for name in COLUMNS}


@pytest.mark.parametrize("table", COLUMNS)
def test_a_table_has_its_columns_and_every_required_value(tables, table):
    required, rest = (part.split() for part in COLUMNS[table].split("|"))

    assert set(tables[table].columns) == {*required, *rest}
    assert sum(tables[table].select(required).null_count().row(0)) == 0
    assert len(tables[table]) > 0


@pytest.mark.parametrize("table", KEYS)
def test_no_two_rows_share_a_key(tables, table):
    assert tables[table].select(KEYS[table]).is_duplicated().sum() == 0


@pytest.mark.parametrize(("table", "column"), VALUES)
def test_every_allowed_value_occurs_and_no_other(tables, table, column):
    assert set(tables[table][column].drop_nulls()) == VALUES[table, column]


@pytest.mark.parametrize(
    ("table", "begins", "ends"),
    [
        ("deployments", "started_at", "finished_at"),
        ("incidents", "started_at", "resolved_at"),
        ("changes", "authored_at", "merged_at"),
        ("environment_usage", "started_at", "ended_at"),
        ("approvals", "requested_at", "decided_at"),
    ],
)
def test_nothing_ends_before_it_begins_or_after_the_history(tables, table, begins, ends):
    until = pl.lit(UNTIL).cast(pl.Datetime("us", "UTC"))
    broken = tables[table].filter((pl.col(ends) < pl.col(begins)) | (pl.col(ends) > until) | (pl.col(begins) >= until))

    assert len(broken) == 0


def test_no_number_is_negative(tables):
    for name, table in tables.items():
        for number in table.select(pl.selectors.numeric()):
            assert (number.drop_nulls() >= 0).all(), (name, number.name)


def test_only_what_runs_has_no_finish(tables):
    deployments = tables["deployments"]

    assert set(deployments.filter(pl.col("finished_at").is_null())["status"]) == {"running"}
    assert set(deployments.filter(pl.col("status") == "running")["finished_at"]) == {None}
    assert deployments.filter(pl.col("status") == "running").height >= 3


def test_references_lead_somewhere(tables):
    deployments = tables["deployments"]
    known = deployments.filter(pl.col("environment") == "production")["deployment_id"].implode()
    services = tables["services"]["service"].implode()

    for table, column in [
        ("deployments", "rollback_of"),
        ("incidents", "deployment_id"),
        ("changes", "deployment_id"),
        ("approvals", "deployment_id"),
    ]:
        assert tables[table][column].drop_nulls().is_in(known).all(), table
    for table in ("deployments", "incidents", "changes", "load", "holds"):
        assert tables[table]["service"].is_in(services).all(), table
    depends_on = tables["services"]["depends_on"].drop_nulls().str.split(";").explode()
    assert depends_on.is_in(services).all()


def test_what_is_rolled_back_is_named_by_a_later_deployment_of_its_service(tables):
    deployments = tables["deployments"]
    rolled_back = deployments.filter(pl.col("status") == "rolled_back")
    pairs = rolled_back.join(deployments, left_on="deployment_id", right_on="rollback_of", suffix="_again")

    assert len(rolled_back) == len(pairs) > 0
    assert pairs.select(
        ((pl.col("service") == pl.col("service_again")) & (pl.col("started_at_again") >= pl.col("finished_at"))).all()
    ).item()


def test_a_version_passes_staging_before_production_and_sometimes_fails_there(tables):
    deployments = tables["deployments"].filter(pl.col("rollback_of").is_null())
    passed = deployments.filter((pl.col("environment") == "staging") & (pl.col("status") == "succeeded"))
    production = deployments.filter(pl.col("environment") == "production")
    both = production.join(passed, on="commit_sha", suffix="_staging")

    assert len(both) == len(production)
    assert (both["finished_at_staging"] <= both["started_at"]).all()
    assert deployments.filter((pl.col("environment") == "staging") & (pl.col("status") == "failed")).height > 50


def test_a_deployment_counts_what_its_changes_add_up_to(tables):
    deployments, changes = tables["deployments"], tables["changes"]
    head = deployments.filter((pl.col("environment") == "production") & pl.col("rollback_of").is_null())
    first = changes.sort("deployment_id").unique("change_id", keep="first")
    sums = first.group_by("deployment_id").agg(
        lines=(pl.col("lines_added") + pl.col("lines_deleted")).sum(), count=pl.len()
    )
    joined = head.join(sums, on="deployment_id")

    assert len(joined) == len(head)
    assert (joined["lines_changed"] == joined["lines"]).all()
    assert (joined["commits"] == joined["count"]).all()
    assert (joined["bot_commits"] <= joined["commits"]).all()


def test_changes_of_a_failed_deployment_go_out_again_and_some_wait(tables):
    changes = tables["changes"]
    twice = changes.group_by("change_id").len().filter(pl.col("len") > 1)

    assert len(twice) > 50
    assert changes["deployment_id"].null_count() > 0
    assert changes["merged_at"].null_count() > 0
    assert changes["is_bot"].any()
    assert changes["is_revert"].any()


def test_incidents_name_a_deployment_or_none_and_some_are_open(tables):
    incidents, deployments = tables["incidents"], tables["deployments"]
    failed = deployments.filter(pl.col("status") == "failed")["deployment_id"]

    assert incidents["resolved_at"].null_count() >= 2
    assert 0 < incidents["deployment_id"].null_count() < len(incidents) / 2
    assert not failed.is_in(incidents["deployment_id"].drop_nulls().implode()).all()


def test_every_normal_release_asks_before_it_goes_out_and_names_its_own_change(tables):
    deployments, changes, approvals = (tables[name] for name in ("deployments", "changes", "approvals"))
    normal = deployments.filter((pl.col("environment") == "production") & (pl.col("change_type") == "normal"))
    heads = changes.select("change_id", "commit_sha", "service").unique()
    asked = approvals.join(normal, on="deployment_id").join(heads, on="change_id", suffix="_of_change")

    assert set(approvals["deployment_id"].drop_nulls()) == set(normal["deployment_id"])
    assert len(asked) == approvals["deployment_id"].count()
    assert (asked["commit_sha"] == asked["commit_sha_of_change"]).all()
    assert (asked["service"] == asked["service_of_change"]).all()
    assert (asked["decided_at"] < asked["started_at"]).all()
    assert set(approvals.filter(pl.col("decision") == "pending")["deployment_id"]) == {None}
    assert approvals["change_id"].is_in(changes["change_id"].implode()).all()


def test_a_board_takes_longer_than_an_owner_and_all_take_longer_over_a_weekend(tables):
    lasted = (pl.col("decided_at") - pl.col("requested_at")).dt.total_hours(fractional=True)
    days = pl.col("requested_at").dt.weekday()
    rows = tables["approvals"].filter(pl.col("decided_at").is_not_null()).with_columns(lasted=lasted, day=days)
    median = dict(rows.group_by("role").agg(pl.median("lasted")).iter_rows())
    logs = rows.filter((pl.col("role") == "change advisory board") & (pl.col("day") == 1))["lasted"].log()

    assert 20 < median["change advisory board"] < 50
    assert 2 < median["owner"] < 10
    assert rows.filter(pl.col("day") == 5)["lasted"].median() > 2 * rows.filter(pl.col("day") == 2)["lasted"].median()
    assert set(rows["day"]) == {1, 2, 3, 4, 5}
    assert 0.55 < logs.std() < 0.85  # of logarithms, on Mondays, which few wait over a weekend


def test_the_awkward_services_are_there(tables):
    production = tables["deployments"].filter(pl.col("environment") == "production")
    count = dict(production.group_by("service").len().iter_rows())
    first = dict(production.group_by("service").agg(pl.min("started_at").dt.date()).iter_rows())
    bad = pl.col("status").is_in(["failed", "rolled_back"]) | pl.col("rollback_of").is_not_null()

    assert count["archive"] <= 12
    assert count["web"] > 5 * 365
    assert (UNTIL - first["loyalty"]).days <= 61
    assert production.filter((pl.col("service") == "status-page") & bad).is_empty()
    assert "billing-export" not in set(tables["load"]["service"])
    dispatch = tables["load"].filter(pl.col("service") == "dispatch")
    assert (dispatch["value"] == 0).mean() > 0.3


def test_an_environment_lies_idle_for_weeks(tables):
    use = tables["environment_usage"].filter(pl.col("environment") == "preview-2").sort("started_at")
    gaps = use["started_at"].diff().dt.total_days().max()

    assert gaps >= 35


@pytest.mark.parametrize("kind", ["confounded", "null"])
def test_one_seed_writes_the_same_bytes_and_another_seed_others(tmp_path, kind):
    for name, seed in (("one", 3), ("same", 3), ("other", 4)):
        simulate(tmp_path / name, seed=seed, kind=kind, days=60)
    written = {name: contents(tmp_path / name) for name in ("one", "same", "other")}

    assert written["one"] == written["same"]
    described = {"environments.csv", "services.csv"}
    assert {file for file in written["one"] if written["one"][file] == written["other"][file]} == described


def contents(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


@pytest.mark.parametrize(("services", "days"), [(1, 1), (3, 30), (14, 20)])
def test_a_company_may_be_small_or_large(tmp_path, services, days):
    truth = simulate(tmp_path, services=services, days=days)

    assert read(tmp_path, "services")["service"].to_list() == list(truth.services)
    assert len(truth.services) == services


def test_a_company_of_nobody_is_refused(tmp_path):
    with pytest.raises(UsageError, match="at least one service"):
        simulate(tmp_path, services=0)


def test_an_unknown_kind_is_refused(tmp_path):
    with pytest.raises(UsageError, match="confounded, plain, null"):
        simulate(tmp_path, kind="nil")


def test_the_marker_tells_simulated_tables_from_real_ones(company, tmp_path):
    assert simulated(company)
    assert not simulated(tmp_path)
