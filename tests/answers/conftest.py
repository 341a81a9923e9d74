"""A home that several tests of answers ask."""

import pytest
from shipped import NOW, TABLES

from shipcast.answers.reading import open_reader


@pytest.fixture(scope="session")
def shipped_home(built_once):
    """The settings of a home of deployments of every fate; nobody may change it."""
    return built_once("shipped", TABLES)


@pytest.fixture(scope="module")
def shipped_reader(shipped_home):
    """That home, as known when all of it was."""
    with open_reader(shipped_home, NOW) as reader:
        yield reader
