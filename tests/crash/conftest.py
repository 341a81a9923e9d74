"""Homes of a tiny company, in the states between which a crash may happen; each made once and copied."""

import shutil

import ordeal
import pytest
from replay import replay_build

from shipcast.ingest.files import ingest_files
from shipcast.settings import load_settings
from shipcast.warehouse.lock import run_lock
from shipcast.warehouse.snapshot import publish


@pytest.fixture(scope="session")
def exports(once):
    """What the company exported some weeks ago, and what it exports now."""
    folder = once("exports", ordeal.write_exports)
    return folder / "then", folder / "now"


@pytest.fixture(scope="session")
def before(once, exports, full_build, parsed):
    """A home that has published the older exports, whose source by now holds the newer."""
    then, now = exports

    def make(folder):
        home = parsed(folder / "home")
        ordeal.write_settings(home, then)
        with run_lock(home, "test"):
            replay_build(load(home), full_build)
            publish(home, keep=3)
        ordeal.write_settings(home, now)

    return once("before", make) / "home"


@pytest.fixture(scope="session")
def few(once, exports):
    """A home that holds older deployments only, whose source holds newer ones."""
    then, now = (folder / "deployments.csv" for folder in exports)

    def make(home):
        ordeal.write_settings(home, then)
        with run_lock(home, "test"):
            load(home)
        ordeal.write_settings(home, now)

    return once("few", make)


@pytest.fixture(scope="session")
def more(once, few):
    """The same after an undisturbed load of them."""

    def make(home):
        shutil.copytree(few, home, dirs_exist_ok=True)
        with run_lock(home, "test"):
            load(home)

    return once("more", make)


def load(home):
    settings = load_settings({"home": home}, {})
    ingest_files(settings, [source.path for source in settings.sources])
    return settings


@pytest.fixture(scope="session")
def loaded(once, before, full_build):
    """The same after an undisturbed run that has not yet published."""

    def make(folder):
        home = shutil.copytree(before, folder / "home")
        with run_lock(home, "test"):
            replay_build(load(home), full_build)

    return once("loaded", make) / "home"


@pytest.fixture(scope="session")
def after(once, loaded):
    """The same, published: what an undisturbed run leads to."""

    def make(folder):
        home = shutil.copytree(loaded, folder / "home")
        with run_lock(home, "test"):
            publish(home, keep=3)

    return once("after", make) / "home"


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
