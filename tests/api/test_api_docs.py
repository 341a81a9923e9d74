"""The examples on the API's page are answered, and what it lists is what there is."""

import json
import re
import shlex
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import pytest
from api_server import serving

from shipcast.answers.tokens import Scope, add_token
from shipcast.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
DOTTED = re.MULTILINE | re.DOTALL
CURLS = [shlex.split(line) for line in re.findall(r"^\$ (curl .*)$", PAGE, flags=re.MULTILINE)]
EXAMPLES = [words[-1] for words in CURLS if "-d" not in words]


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


def test_the_plan_on_the_page_is_answered_as_it_stands_there(simulated_home, tmp_path):
    home = shutil.copytree(simulated_home, tmp_path / "home")
    token = add_token(home, datetime.now(UTC), "planner", ["plan"], 1).token
    [words] = [words for words in CURLS if "-d" in words]
    body, answer = re.findall(r"^```json(?: plan\.json)?\n(.*?)^```", PAGE.split("## A plan\n")[1], flags=DOTTED)[:2]
    with serving(Settings(home=home)) as api:
        asked = urlsplit(words[-1])
        reply = api.with_token(token)(f"{asked.path}?{asked.query}", "POST", json.loads(body))

    assert words[-2] == "@plan.json"
    assert reply.status == 200, reply.text
    apart = ("generated_at", "data_as_of", "warnings")
    assert {**reply.json, **dict.fromkeys(apart)} == {**json.loads(answer), **dict.fromkeys(apart)}


def test_there_are_examples_and_every_scope_is_explained():
    assert len(EXAMPLES) == 3
    assert all(f"| `{scope}` |" in PAGE for scope in get_args(Scope))
