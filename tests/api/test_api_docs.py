"""The examples on the API's page are answered, and what it lists is what there is."""

import re
import shlex
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import pytest
from api_server import serving

from shipcast.answers.tokens import Scope
from shipcast.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = [shlex.split(line)[-1] for line in re.findall(r"^\$ (curl .*)$", PAGE, flags=re.MULTILINE)]


@pytest.fixture(scope="module")
def simulated_api(simulated_home):
    with serving(Settings(home=simulated_home)) as api:
        yield api


@pytest.mark.parametrize("url", EXAMPLES)
def test_the_examples_are_answered(simulated_api, url):
    asked = urlsplit(url)
    reply = simulated_api(f"{asked.path}?{asked.query}")

    assert asked.netloc == "127.0.0.1:8600"
    assert reply.status == 200, reply.text
    assert reply.json["sentence"]


def test_there_are_examples_and_every_scope_is_explained():
    assert len(EXAMPLES) == 3
    assert all(f"| `{scope}` |" in PAGE for scope in get_args(Scope))
