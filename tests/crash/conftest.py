"""Homes of a tiny company, in the states between which a crash may happen; each made once and copied."""

import shutil
import time

import ordeal
import pytest
from replay import replay_build

from shipcast.ingest.files import ingest_files
from shipcast.settings import load_settings
from shipcast.warehouse.lock import run_lock
from shipcast.warehouse.snapshot import publish
from shipcast.warehouse.transform import build


@pytest.fixture(scope="session")
def exports(tmp_path_factory):
    """What the company exported some weeks ago, and what it exports now."""
    return ordeal.write_exports(tmp_path_factory.mktemp("exports"))


@pytest.fixture(scope="session")
def before(exports, full_build, parsed, tmp_path_factory):
    """A home that has published the older exports, whose source by now holds the newer."""
    then, now = exports
    home = parsed(tmp_path_factory.mktemp("before") / "home")
    ordeal.write_settings(home, then)
    with run_lock(home, "test"):
        replay_build(load(home), full_build)
        publish(home, keep=3)
    ordeal.write_settings(home, now)
    return home


@pytest.fixture(scope="session")
def few(exports, parsed, tmp_path_factory):
    """A home that holds older deployments only, whose source holds newer ones."""
    home = parsed(tmp_path_factory.mktemp("few") / "home")
    for folder, name in zip(exports, ("then", "now"), strict=True):
        (home.parent / name).mkdir()
        shutil.copy(folder / "deployments.csv", home.parent / name)
    ordeal.write_settings(home, home.parent / "then")
    with run_lock(home, "test"):
        load(home)
    ordeal.write_settings(home, home.parent / "now")
    return home


def load(home):
    settings = load_settings({"home": home}, {})
    ingest_files(settings, [source.path for source in settings.sources])
    return settings


@pytest.fixture(scope="session")
def run_since(before, tmp_path_factory):
    """The same after an undisturbed run that has not yet published, and how many seconds it took."""
    home = tmp_path_factory.mktemp("loaded") / "home"
    shutil.copytree(before, home)
    started = time.monotonic()
    with run_lock(home, "test"):
        build(load(home))
    return home, time.monotonic() - started


@pytest.fixture(scope="session")
def loaded(run_since):
    return run_since[0]


@pytest.fixture(scope="session")
def seconds(run_since):
    return run_since[1]


@pytest.fixture(scope="session")
def after(loaded, tmp_path_factory):
    """The same, published: what an undisturbed run leads to."""
    home = tmp_path_factory.mktemp("after") / "home"
    shutil.copytree(loaded, home)
    with run_lock(home, "test"):
        publish(home, keep=3)
    return home


@pytest.fixture
def copied(tmp_path):
    """A function that gives a copy of a home."""

    def copy(home, name="home"):
        shutil.rmtree(tmp_path / name, ignore_errors=True)
        return shutil.copytree(home, tmp_path / name)

    return copy


@pytest.fixture(scope="session")
def sync_killer(tmp_path_factory):
    if ordeal.compiler() is None:
        pytest.skip("no C compiler: the library that kills at a sync cannot be made")
    with ordeal.sync_killer(tmp_path_factory.mktemp("shim")) as act:
        yield act
