"""A build hands the settings to dbt, runs it apart from everything else, and says what failed."""

import json
import shutil
import subprocess
import sys
import tomllib

import jsonschema
import pytest

from shipcast.__main__ import run
from shipcast.answers.answer import SCHEMAS
from shipcast.settings import Settings
from shipcast.settings.errors import StorageError
from shipcast.warehouse.connection import open_built
from shipcast.warehouse.snapshot import current
from shipcast.warehouse.transform import TransformFailed, build, built_before

DEPLOYMENTS = [
    {
        "deployment_id": deployment_id,
        "service": "pay",
        "environment": environment,
        "started_at": "2024-05-01T10:00Z",
        "status": "succeeded",
    }
    for deployment_id, environment in (("d1", "kunde"), ("d2", "prod"))
]
INCIDENTS = [{"incident_id": "i1", "service": "pay", "environment": "kunde", "started_at": "2024-05-01T11:00Z"}]


SETTINGS = """
settle_days = 3
attribution = "window"
attribution_hours = 1.5
occupancy_minutes = 0
production_environments = ["kunde", "a,b"]
"""


@pytest.fixture(scope="module")
def settings(built):
    """A home whose settings all differ from the defaults, built."""
    settings = built({"deployments": DEPLOYMENTS, "incidents": INCIDENTS}, **tomllib.loads(SETTINGS))
    (settings.home / "shipcast.toml").write_text(SETTINGS)
    return settings


def row(settings, query):
    with open_built(settings.home) as connection:
        return connection.execute(query).fetchone()


def test_the_settings_reach_the_marts_and_stand_in_the_snapshot_facts(settings):
    assert row(settings, "select * exclude (newest_at, built_at, is_simulated) from marts.snapshot_facts") == (
        3, "window", 1.5, 0, ["a,b", "kunde"],
    )  # fmt: skip
    assert row(settings, "select settled_at::varchar from marts.fct_deployments where is_production") == (
        "2024-05-04 10:00:00",
    )
    assert row(settings, "select cause_deployment_id from marts.fct_incidents") == ("d1",)


@pytest.mark.parametrize(
    "lost",
    [
        "delete from raw._facts where name = 'built'",
        "update raw._facts set value = json_merge_patch(value, '{\"project\": \"another\"}') where name = 'built'",
        "update marts.snapshot_facts set built_at = '2020-01-01'",
        "drop table marts.snapshot_facts",
    ],
)
def test_marts_that_are_not_known_to_be_those_of_the_last_build_are_built_in_full(settings, tmp_path, lost):
    home = shutil.copytree(settings.home, tmp_path / "home")
    copied = settings.model_copy(update={"home": home})
    assert built_before(copied) is not None
    with open_built(home) as connection:
        connection.execute(lost)

    assert built_before(copied) is None


def test_other_settings_build_in_full(settings):
    assert built_before(settings.model_copy(update={"settle_days": 5})) is None
    assert built_before(settings.model_copy(update={"tz": "Asia/Tokyo"})) is not None


def test_a_build_adds_to_the_last_one_and_neither_a_users_folder_nor_the_environment_steers_it(
    settings, tmp_path, monkeypatch, capsys
):
    assert built_before(settings) == 1
    for name in ("dbt", "duckdb", "shipcast"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')")
        (settings.home / f"{name}.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("DBT_TARGET", "elsewhere")
    monkeypatch.setenv("DBT_PROFILES_DIR", str(tmp_path))

    assert run(["--home", str(settings.home), "--json", "build"]) == 0
    answer = json.loads(capsys.readouterr().out)

    jsonschema.validate(answer, json.loads((SCHEMAS / "build.json").read_text(encoding="utf-8")))
    assert {item["mart"]: item["rows"] for item in answer["items"]}["fct_deployments"] == 2
    assert "Published 2 deployments in 17 tables, to which was added what has changed" in answer["sentence"]


def test_a_test_and_a_model_that_fail_are_named_and_what_was_published_stays_in_force(built):
    """Each has its own words, the model those of the database."""
    settings = built({"deployments": DEPLOYMENTS, "approvals": [{"approval_id": "a1", "decided_at": "2024-05-01"}]})
    published = current(settings.home)
    with open_built(settings.home) as connection:
        connection.execute("insert into raw.approvals from raw.approvals")

    with pytest.raises(TransformFailed, match=r"(?s)model fct_deployments: .*out of range.*dbt\.log") as failed:
        build(settings.model_copy(update={"settle_days": 1e15}))

    assert any(node.startswith("test key_stg_approvals_approval_id") for node in failed.value.facts["nodes"])
    assert "Got 1 result" in failed.value.detail
    assert len(str(failed.value).splitlines()) <= 10
    assert current(settings.home) == published


def test_a_build_that_is_interrupted_ends_dbt_and_frees_the_database(settings):
    def interrupt(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(settings, interrupt)

    assert row(settings, "select count(*) from raw.deployments") == (2,)
    assert built_before(settings) is None


def test_dbt_ends_when_the_process_that_started_it_is_gone(tmp_path):
    command = [sys.executable, "-P", "-m", "shipcast.warehouse.dbt_process", "build"]
    process = subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    process.stdin.close()

    assert process.wait(timeout=60) == 143


def test_a_home_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "dbt").write_text("a file where a folder should be")

    with pytest.raises(StorageError, match="--home"):
        build(Settings(home=tmp_path))


def test_the_limits_reach_the_database_that_builds(settings):
    with pytest.raises(TransformFailed, match=r"(?i)memory"):
        build(settings.model_copy(update={"memory_limit": "1 MiB"}))
