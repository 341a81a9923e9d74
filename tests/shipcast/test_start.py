"""What a command imports: a question waits for nothing that only other verbs need."""

import json
import os
import subprocess
import sys

import pytest
from company import CUT, instant

CODE = """
import json, os, sys
from shipcast.__main__ import main
try:
    main()
finally:
    json.dump([sorted(sys.modules), os.environ["OPENBLAS_NUM_THREADS"]], sys.stderr)
"""
TRAINING = {"mlflow", "sklearn", "skops", "sqlalchemy", "pandas", "matplotlib", "ortools", "dbt"}
PLANNING = {"shipcast.scheduling.planner.engine", "shipcast.scheduling.planner.search"}
DATA = {"polars", "numpy", "duckdb", "pyarrow", "shipcast.models", "shipcast.scheduling", "shipcast.warehouse"}


@pytest.fixture
def imported(tmp_path):
    """The modules that a command imported, which ended with 0 and multiplied matrices on one thread."""

    def by(*arguments):
        command = [sys.executable, "-P", "-c", CODE, "-q", *arguments]
        given = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
        ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=given, check=False)
        assert ended.returncode == 0, ended.stderr
        names, threads = json.loads(ended.stderr.splitlines()[-1])
        assert threads == "1"
        return set(names)

    return by


def test_help_imports_no_data_frame_and_no_database(imported):
    found = imported("--help")

    assert not DATA & found
    assert len(found) < 280


@pytest.mark.parametrize(
    ("question", "most"),
    [
        (("windows", "pay", "--duration", "45m"), 900),
        (("explain", "pay", "--at", instant(CUT)), 900),
        (("forecast", "web"), 800),
        (("metrics",), 660),
    ],
)
def test_a_question_imports_nothing_that_models_are_trained_with(imported, trained_home, question, most):
    found = imported("--home", str(trained_home.home), "--as-of", instant(CUT), *question)

    assert not (TRAINING | PLANNING) & found
    assert question[0] == "metrics" or "scipy" not in found  # whose function the limits of a frequency are
    assert len(found) < most


def test_the_holidays_of_one_country_import_no_other(imported, tmp_path):
    rule = '[[holidays]]\nid = "h"\ncountry = "DE"\ntz = "Europe/Berlin"\n'
    (tmp_path / "calendar.toml").write_text(rule, encoding="utf-8")
    found = imported("calendar", "list", "--calendar", "calendar.toml")

    assert "holidays" in found
    assert "holidays.countries" not in found
