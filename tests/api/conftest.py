"""Homes that are asked over HTTP."""

import shutil

import pytest
from api_server import serving
from company import CUT

from shipcast.settings import Settings


@pytest.fixture(scope="session")
def asked_api(trained_home):
    """The API of the home of `company`, as of its CUT; nobody may change it."""
    with serving(trained_home, CUT) as api:
        yield api


@pytest.fixture
def own_trained_home(trained_home, tmp_path):
    """The same home, to be changed."""
    return Settings(home=shutil.copytree(trained_home.home, tmp_path / "home"))
