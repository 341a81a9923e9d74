"""Every model says what a row of it is, describes each column and tests its key; every rule's unit test holds."""

import re

import pytest
import yaml

from shipcast.warehouse.transform import PROJECT

MODELS = sorted((PROJECT / "models").glob("*/*.sql"))
SEEDS = sorted((PROJECT / "seeds").glob("*.csv"))
PREFIX = {"staging": "stg_", "intermediate": "int_"}


def described(path):
    """What the YAML beside a model or seed says of it."""
    file = yaml.safe_load(path.with_suffix(".yml").read_text(encoding="utf-8"))
    [node] = file.get("models", []) + file.get("seeds", [])
    return node


@pytest.fixture(scope="module")
def columns(empty):
    """The columns of every model as built, in order."""
    tables = {}
    for table, column in empty.rows("select table_name, column_name from duckdb_columns() order by column_index"):
        tables.setdefault(table, []).append(column)
    return tables


@pytest.mark.parametrize("path", MODELS + SEEDS, ids=lambda path: path.stem)
def test_the_yaml_beside_a_model_opens_with_its_grain_and_describes_every_column_in_order(path, columns):
    node = described(path)

    assert node["name"] == path.stem
    assert node["description"].startswith("One row")
    assert [column["name"] for column in node["columns"]] == columns[path.stem]
    assert all(column["description"].strip().endswith(".") for column in node["columns"])


@pytest.mark.parametrize("path", MODELS + SEEDS, ids=lambda path: path.stem)
def test_every_model_tests_its_key(path):
    assert [test for test in described(path)["data_tests"] if "key" in test]


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_model_is_called_after_its_folder_and_ends_in_one_select(path):
    text = path.read_text(encoding="utf-8")

    assert path.name.startswith(PREFIX.get(path.parent.name, ""))
    assert text.endswith("\nselect * from final\n")
    assert ("source(" in text) == (path.parent.name == "staging")


def test_no_instant_depends_on_the_zone_of_a_session(empty):
    zoned = """select table_name, column_name from duckdb_columns()
        where data_type like '%TIME ZONE%' and schema_name in ('raw', 'staging', 'intermediate', 'marts')"""

    assert empty.rows(zoned) == []


def test_every_unit_test_holds(dbt):
    run = dbt("test", "--select", "test_type:unit")

    assert run.returncode == 0, run.stdout[-3000:]
    assert int(re.search(r"PASS=(\d+)", run.stdout)[1]) >= 40


def test_a_unit_tests_name_is_a_sentence():
    names = [
        test["name"]
        for path in MODELS
        for test in yaml.safe_load(path.with_suffix(".yml").read_text(encoding="utf-8")).get("unit_tests", [])
    ]

    assert all(len(name.split("_")) >= 6 for name in names)
