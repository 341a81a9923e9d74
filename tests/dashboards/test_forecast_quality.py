"""Forecast quality and models on the page: they say what `quality` says."""

import json
from datetime import datetime

import pytest
from company import CUT, DEPLOYED, LATER, instant
from drawing import drawn, empties, headline, is_broken, words
from places import AS_OF, PLACES

from shipcast.__main__ import run
from shipcast.answers.failure_quality import band_told
from shipcast.answers.quality import quality, serving_said
from shipcast.answers.reading import open_reader
from shipcast.answers.words import share


@pytest.fixture(scope="module")
def answer(trained_home):
    with open_reader(trained_home, LATER) as reader:
        return quality(reader)


def test_the_headline_says_whether_forecasts_beat_the_base_rate(trained_home, answer):
    page = drawn(trained_home, "quality", LATER)
    text = words(page)

    assert not is_broken(page), text
    assert headline(page) == answer.sentence
    assert all(band_told(band) in text for band in answer.items)
    assert f"held {share(answer.load.coverage_50)}" in text
    assert f"{answer.failure.summary.skill:.3f}" in text


def test_models_are_told_with_their_gates_and_the_commands(trained_home, answer):
    page = drawn(trained_home, "models", LATER)
    text = " ".join(words(page).split())

    assert not is_broken(page), text
    assert headline(page) == serving_said(answer.model)
    assert "1 training kept" in text
    assert " passes " in text
    assert "shipcast train --rollback" in text


@pytest.mark.parametrize("path", ["quality", "models"])
def test_without_a_model_the_pages_say_how_to_train_one(built_once, path):
    page = drawn(built_once("places", PLACES), path, AS_OF)

    assert not is_broken(page)
    assert "No model was trained" in headline(page)
    assert "unknown" in empties(page)
    assert "shipcast train" in words(page)


def test_what_became_of_the_gates_verdicts_is_said_on_the_page_and_the_command_line(own_home, capsys):
    last = max(datetime.fromisoformat(one["started_at"]) for one in DEPLOYED if one["service"] == "web")
    start = {"as_of": instant(last), "start": instant(last), "end": instant(CUT)}
    said = {"verb": "gate", "service": "web", "environment": "production", "verdict": "hold", **start}
    line = json.dumps({**said, "failure_probability": 0.25, "relative_cost": 1.5})
    (own_home.home / "advice.jsonl").write_text(line)

    text = " ".join(words(drawn(own_home, "quality", LATER)).split())
    run(["--home", str(own_home.home), "--as-of", instant(LATER), "quality"])
    printed = " ".join(capsys.readouterr().out.split())

    sentence = "The gate said hold 1 time: after a go nothing was deployed, against it "
    assert sentence in text
    assert sentence in printed
    assert "within 30 minutes of settled failed that is 95 % interval expected to fail a go 0 0" in text
    assert "a hold or unknown 1 " in text
