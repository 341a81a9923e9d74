"""Homes that pages are drawn from."""

import shutil
import sys

import pytest
from company import COMPANY

from shipcast.settings import Settings


@pytest.fixture(autouse=True)
def main_module(monkeypatch):
    """Streamlit takes the place of the main module, which processes that later tests begin would look for."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="session")
def page_home(built_once):
    """The settings of a home of two services; nobody may change it."""
    return built_once("page_company", COMPANY)


@pytest.fixture
def own_home(page_home, tmp_path):
    """The same, to be changed; by default `ana` books in it."""
    return Settings(home=shutil.copytree(page_home.home, tmp_path / "home"), who="ana")
