"""A home filled by SQL, below ingestion, and built."""

import subprocess
import sys
from datetime import datetime

import pytest
from replay import replay_build

from shipcast.settings import Settings
from shipcast.warehouse.connection import open_built, open_work
from shipcast.warehouse.transform import PROJECT

CLI = """
import gc
gc.disable()
from dbt.cli.main import cli
from shipcast.warehouse.dbt_process import pass_over_what_is_not_told
pass_over_what_is_not_told()
cli()
"""


def insert(connection, table, rows):
    """Rows into a raw table; the columns they leave out are null."""
    for line, row in enumerate(rows, start=1):
        given = {**row, "_file": f"{table}.csv", "_line": line, "_load_id": 1}
        columns = ", ".join(f'"{name}"' for name in given)
        marks = ", ".join("?" for _ in given)
        connection.execute(f"insert into raw.{table} ({columns}) values ({marks})", list(given.values()))


def as_text(value):
    return value.isoformat(sep=" ", timespec="minutes") if isinstance(value, datetime) else value


class Built:
    """A built home, to be asked about its tables."""

    def __init__(self, settings, counts):
        self.settings = settings
        self.counts = counts

    def rows(self, query):
        """The rows of an answer, their instants as text to the minute."""
        with open_built(self.settings.home) as connection:
            return [tuple(map(as_text, row)) for row in connection.execute(query).fetchall()]

    def row(self, query):
        [only] = self.rows(query)
        return only

    def mart(self, name):
        """Every row of a mart, as text, in an order of their own."""
        with open_built(self.settings.home) as connection:
            return sorted(map(str, connection.execute(f"select * from marts.{name}").fetchall()))


@pytest.fixture(scope="session")
def build_of(tmp_path_factory, full_build, parsed):
    """A function that builds a home from raw rows by table."""

    def built(tables, **settings):
        settings = Settings(home=parsed(tmp_path_factory.mktemp("home")), **settings)
        with open_work(settings.home) as connection:
            for table, rows in tables.items():
                insert(connection, table, rows)
        return Built(settings, replay_build(settings, full_build))

    return built


@pytest.fixture(scope="session")
def empty(build_of):
    """A built home without a row of data."""
    return build_of({})


@pytest.fixture(scope="session")
def dbt(empty):
    """A function that runs a dbt command on the empty home and gives the finished process."""

    def run(*command):
        dbt_home = empty.settings.home / "dbt"
        folders = ["--target-path", str(dbt_home / "target"), "--log-path", str(dbt_home / "logs")]
        project = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
        quiet = ["--log-level-file", "none", "--no-write-json"]
        return subprocess.run(
            [sys.executable, "-P", "-c", CLI, *command, *project, *folders, *quiet],
            cwd=empty.settings.home,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
