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


def test_every_body_on_the_page_is_taken_as_it_stands_there_and_there_is_one_of_each(simulated_home, tmp_path):
    home = shutil.copytree(simulated_home, tmp_path / "home")
    token = add_token(home, datetime.now(UTC), "desk", ["read", "plan", "approve"], 1).token
    section = PAGE.split("## What is sent\n")[1].split("\n## ")[0]
    bodies = dict(re.findall(r"^`POST (\S+)` .*?:\n\n```json\n(.*?)^```", section, flags=DOTTED))
    with serving(Settings(home=home)) as api:
        desk = api.with_token(token)
        posts = {path for path, methods in desk.ask("openapi.json").json["paths"].items() if "post" in methods}
        replies = {path: desk(path, "POST", json.loads(body)) for path, body in bodies.items()}

    assert {path for path in posts if path.startswith("/api/")} == {*bodies, "/api/v1/plans"}
    told = {path: (reply.status, reply.text[:300]) for path, reply in replies.items() if reply.status not in (200, 201)}
    assert told == {}


def test_there_are_examples_and_every_scope_is_explained():
    assert len(EXAMPLES) == 3
    assert all(f"| `{scope}` |" in PAGE for scope in get_args(Scope))
