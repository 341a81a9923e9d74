"""Homes that pages are drawn from."""

import shutil

import pytest
from company import COMPANY

from shipcast.settings import Settings


@pytest.fixture(scope="session")
def page_home(built_once):
    """The settings of a home of two services; nobody may change it."""
    return built_once("page_company", COMPANY)


@pytest.fixture
def own_home(page_home, tmp_path):
    """The same, to be changed; by default `ana` books in it."""
    return Settings(home=shutil.copytree(page_home.home, tmp_path / "home"), who="ana")
