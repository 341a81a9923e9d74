"""Fixtures that several parts of the tests share: data on disk, and homes built from it."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import alone  # noqa: F401
import pytest
from company import COMPANY, CUT, instant
from filelock import FileLock
from replay import record, recorded, replay_build, without_tests

from shipcast.__main__ import run
from shipcast.ingest.files import ingest_files
from shipcast.models.registry import Registry
from shipcast.pipeline import FONTS
from shipcast.settings import Settings
from shipcast.simulator import simulate
from shipcast.warehouse.lock import run_lock
from shipcast.warehouse.snapshot import publish

REAL_DATA = Path(os.environ.get("SHIPCAST_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))


# The files that take longest, longest first, so that all workers end together; the second needs no recorded build.
DEAREST = (
    "tests/shipcast/test_cli.py", "tests/ingest/test_hostile.py", "tests/dashboards/test_browser.py",
    "tests/answers/test_windows.py", "tests/crash/test_kills.py", "tests/models/test_registry.py",
    "tests/ingest/test_git.py", "tests/test_docs.py", "tests/warehouse/test_transform.py",
    "tests/dbt_project/test_models.py", "tests/warehouse/test_integrity.py", "tests/models/test_training.py",
    "tests/dbt_project/test_partial.py", "tests/dashboards/test_awkward.py", "tests/answers/test_backtest.py",
    "tests/shipcast/test_notebook.py", "tests/answers/test_explain.py", "tests/ingest/test_inputs.py",
    "tests/dbt_project/test_marts.py", "tests/answers/test_drift.py", "tests/answers/test_model_findings.py",
    "tests/shipcast/test_run.py", "tests/warehouse/test_snapshot.py", "tests/answers/test_metrics_govuk.py",
)  # fmt: skip


def pytest_xdist_auto_num_workers(config):
    """Three for two cores: tests wait for servers, browsers and deadlines a good part of their time."""
    return max(2, (os.cpu_count() or 2) * 3 // 2)


def pytest_collection_modifyitems(items):
    places = {name: place for place, name in enumerate(DEAREST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


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


def shared_folder(tmp_path_factory):
    """A folder that is the same for all workers."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """A function that gives the folder that `make(folder)` fills; of that name one is made for all workers.

    Who changes it copies it first.
    """

    def folder_of(name, make):
        folder = shared_folder(tmp_path_factory) / name
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                made = folder.with_name(f"{name}.new")
                made.mkdir()
                make(made)
                made.rename(folder)
        return folder

    return folder_of


@pytest.fixture(scope="session")
def recording(once):
    """A folder that holds what dbt says in a build, and its parsed models."""
    return once("recording", record)


@pytest.fixture(scope="session")
def full_build(recording):
    """The statements of a build in full."""
    return recorded(recording, "full")


@pytest.fixture(scope="session")
def parsed(recording):
    """A function that gives a home the parsed models, so that its first build need not parse them."""

    def give(home):
        home.mkdir(parents=True, exist_ok=True)
        shutil.copytree(recording / "dbt", home / "dbt")
        return home

    return give


@pytest.fixture(scope="session")
def built(tmp_path_factory, full_build, parsed):
    """A function that ingests a folder or tables of rows, builds, publishes, and gives the settings of that home.

    Nothing to ingest makes a home that knows nothing. That the rows hold what the models' tests ask, tests/dbt_project
    asks of its own.
    """
    statements = without_tests(full_build)

    def built_home(source, **settings):
        home = Settings(home=parsed(tmp_path_factory.mktemp("home")), **settings)
        folder = source if isinstance(source, Path) else write_tables(home.home / "input", source)
        with run_lock(home.home, "test"):
            if source:
                ingest_files(home, [folder])
            replay_build(home, statements)
            publish(home.home, keep=1)
        return home

    return built_home


@pytest.fixture(scope="session")
def built_once(once, built):
    """A function that gives the settings of a home by name, as `built` makes it, made once for all workers.

    Nobody may change it.
    """

    def home_of(name, source):
        return Settings(home=once(name, lambda folder: shutil.copytree(built(source).home, folder, dirs_exist_ok=True)))

    return home_of


@pytest.fixture(scope="session")
def with_store(once):
    """A function that gives a home an empty store of MLflow and a list of fonts; either takes seconds to make."""

    def make(folder):
        assert Registry(folder).store.versions() == []
        listing = [sys.executable, "-c", "import matplotlib.font_manager"]
        fonts = {"MPLCONFIGDIR": str(folder / "models" / FONTS)}
        subprocess.run(listing, env={**os.environ, **fonts}, check=True)

    made = once("store", make)

    def give(home):
        shutil.copytree(made / "models", home / "models")
        return home

    return give


@pytest.fixture(scope="session")
def trained_home(once, built_once, with_store):
    """The settings of the home of `company`, with one training of the regression as of CUT."""

    def make(folder):
        shutil.copytree(built_once("page_company", COMPANY).home, folder, dirs_exist_ok=True)
        asked = ["--home", str(with_store(folder)), "-q", "--as-of", instant(CUT)]
        assert run([*asked, "train", "--model", "regression"]) == 0

    return Settings(home=once("trained", make))


@pytest.fixture(scope="session")
def simulated_exports(once):
    """The exports of a simulated company of three services over four months."""
    return once("simulated_exports", lambda folder: simulate(folder, services=3, days=120))


@pytest.fixture(scope="session")
def simulated_home(once, built, with_store, simulated_exports):
    """The home of that company; nothing is trained in it."""
    return once(
        "simulated",
        lambda folder: shutil.copytree(with_store(built(simulated_exports).home), folder, dirs_exist_ok=True),
    )


@pytest.fixture(scope="session")
def govuk_folder():
    """The real deployments, where they are at hand."""
    folder = REAL_DATA / "govuk"
    if not (folder / "deployments.parquet").exists():
        pytest.skip(f"no real data at {folder}")
    return folder


@pytest.fixture(scope="session")
def govuk(built_once, govuk_folder):
    """The settings of a home built from the real deployments."""
    return built_once("govuk", govuk_folder)
