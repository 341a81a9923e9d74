"""Fixtures that several parts of the tests share: data on disk, and homes built from it by the real pipeline."""

import csv
import os
import shutil
from pathlib import Path

import pytest

from shipcast.ingest.files import ingest_files
from shipcast.settings import Settings
from shipcast.warehouse.lock import run_lock
from shipcast.warehouse.snapshot import publish
from shipcast.warehouse.transform import build

REAL_DATA = Path(os.environ.get("SHIPCAST_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))


def write_tables(folder, tables):
    """One CSV file per table, its columns those of its rows; None is an empty field."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    return folder


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A function that ingests a folder or tables of rows, builds, publishes, and gives the settings of that home.

    Nothing to ingest makes a home that knows nothing.
    """

    parsed = tmp_path_factory.mktemp("parsed") / "dbt"

    def built_home(source, **settings):
        home = Settings(home=tmp_path_factory.mktemp("home"), **settings)
        if parsed.exists():
            shutil.copytree(parsed, home.home / "dbt")  # one parse of the models serves every home
        folder = source if isinstance(source, Path) else write_tables(home.home / "input", source)
        with run_lock(home.home, "test"):
            if source:
                ingest_files(home, [folder])
            build(home)
            publish(home.home, keep=1)
        if not parsed.exists():
            shutil.copytree(home.home / "dbt", parsed)
        return home

    return built_home


@pytest.fixture(scope="session")
def govuk_folder():
    """The real deployments, where they are at hand."""
    folder = REAL_DATA / "govuk"
    if not (folder / "deployments.parquet").exists():
        pytest.skip(f"no real data at {folder}")
    return folder


@pytest.fixture(scope="session")
def govuk(built, govuk_folder):
    """The settings of a home built from the real deployments."""
    return built(govuk_folder)
