"""`train` as its users type it: the first model serves, a later one must pass, and a bad file answers nothing."""

import json
import shutil
from datetime import timedelta

import polars as pl
import pytest
from company import CUT, DEPLOYED, instant

from shipcast.__main__ import run
from shipcast.answers.ground import Ground
from shipcast.answers.windows import champion_warnings
from shipcast.features.change import Change
from shipcast.models.registry import Registry, champion
from shipcast.pipeline import train


@pytest.fixture
def first(trained_home):
    """A home with one training."""
    return trained_home.home


@pytest.fixture
def ask(first, tmp_path, capsys):
    """Run a verb on a copy of that home: exit code and the answer."""
    home = tmp_path / "home"
    shutil.copytree(first, home)

    def asked(*arguments, at=CUT):
        capsys.readouterr()
        code = run(["--home", str(home), "--json", "-q", "--as-of", instant(at), *arguments])
        return code, json.loads(capsys.readouterr().out)

    asked.home = home
    return asked


WINDOWS = ("windows", "pay", "--duration", "30m")


def test_the_first_model_serves_and_answers_say_which(ask):
    code, answer = ask(*WINDOWS)

    assert code == 0
    assert answer["model"] == {"recipe": "regression", "version": 1, "cut_off": instant(CUT)}


def test_a_question_about_the_past_is_not_answered_by_what_learned_later(ask):
    _, answer = ask(*WINDOWS, at=CUT - timedelta(days=1))

    assert answer["model"] is None


def test_of_a_service_that_first_shipped_after_the_training_it_says_that_the_model_knows_nothing(ask):
    entry = champion(ask.home, CUT.replace(tzinfo=None))
    starts = pl.Series([entry.cut_off + timedelta(days=day) for day in (1, 2)])
    young, known = (Ground(pl.DataFrame({"started_at": its}), 2, 0) for its in (starts, starts.dt.offset_by("-2d")))
    pay = Change("pay", None, "UTC")

    assert champion_warnings(pay, entry, young)[0].startswith("The model learned from nothing of pay, which first shi")
    assert champion_warnings(pay, entry, known) == champion_warnings(pay, None, young) == []


def test_a_start_is_told_what_a_second_estimate_says_of_its_part_of_the_week(ask):
    noon = ("explain", "pay", "--at", "2025-06-04T12:00Z")
    found = ask(*noon)[1]
    before = ask(*noon, at=CUT - timedelta(days=1))[1]
    [path] = ask.home.glob("models/artifacts/*/artifacts/hours.json")
    kept = {one["part"]: one for one in json.loads(path.read_text())}["weekday middays"]
    path.write_text(path.read_text().replace('"failures": ', '"failures": 1'))
    without = ask(*noon)[1]

    assert {name: found["second_estimate"][name] for name in kept} == kept
    assert any(said.startswith("By a second, doubly robust estimate") for said in found["explanation"])
    assert before["second_estimate"] is without["second_estimate"] is None
    assert not any("second" in said for said in without["explanation"])
    assert [said for said in without["warnings"] if "is not the file that was recorded" in said]
    assert without["factors"] == found["factors"]


def test_a_later_model_serves_only_where_it_is_asked_to(ask):
    later = CUT + timedelta(days=1)
    _, trained = ask("train", "--model", "rate", at=later)
    before = ask(*WINDOWS, at=later)[1]["model"]["version"]
    _, promoted = ask("train", "--model", "regression", "--promote", at=later)

    assert (trained["is_champion"], before) == (False, 1)
    assert (promoted["is_champion"], ask(*WINDOWS, at=later)[1]["model"]["version"]) == (True, 3)
    assert ask("train", "--rollback")[1]["items"][0]["version"] == 1
    assert ask(*WINDOWS, at=later)[1]["model"]["version"] == 1


def test_the_rate_alone_is_not_said_to_have_been_beaten_by_nobody_and_does_not_take_over_from_a_better_one(ask):
    _, trained = ask("train", "--model", "rate", "--promote", at=CUT + timedelta(days=1))

    assert not trained["is_champion"]
    assert [(one["model"], one["is_chosen"]) for one in trained["items"]] == [("rate", True), ("regression", False)]
    assert "the rate of all deployments, though regression did better; it is the challenger" in trained["sentence"]
    assert trained["refused"][-1].startswith("it is clearly worse than the champion's kind (regression), trained anew")


def test_a_model_file_that_was_changed_answers_nothing(ask):
    [path] = ask.home.glob("models/artifacts/*/artifacts/model/model.npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    code, problem = ask(*WINDOWS)

    assert code == 8
    assert "SHA-256" in problem["detail"]
    assert "train --rollback" in problem["detail"]


@pytest.mark.parametrize("place", ["models/champions.json", "models/artifacts/*/artifacts/model/model.npz"])
def test_training_another_mends_what_was_damaged(ask, place):
    [path] = ask.home.glob(place)
    path.write_bytes(b"something else")
    damaged = ask(*WINDOWS)[0]
    _, trained = ask("train", "--model", "rate")

    assert damaged == 8
    assert trained["is_champion"]
    assert any("not compared with" in warning for warning in trained["warnings"])
    assert Registry(ask.home).versions()[0].parameters["uncompared"] == "the champion: it could not be used"
    assert ask(*WINDOWS)[1]["model"]["version"] == 2


def test_an_unknown_candidate_is_a_question_nobody_knows(ask):
    code, problem = ask("train", "--model", "oracle")

    assert code == 2
    assert "regression" in problem["detail"]


def test_a_training_that_saw_no_failure_says_that_its_chances_rest_on_assumptions(built):
    succeeded = [{**row, "status": "succeeded"} for row in DEPLOYED]
    sentence = train(built({"deployments": succeeded}), CUT, None, promote=False, progress=lambda step: None).sentence

    assert sentence.endswith("no failure has settled, so that its chances rest on assumptions; it is the champion now.")


def test_the_card_says_what_it_learned_from_and_how_it_did(first):
    [card] = first.glob("models/artifacts/*/artifacts/card.md")
    text = card.read_text(encoding="utf-8")

    assert "as known on 2025-06-02 09:00 UTC" in text
    assert "| regression |" in text
    assert "## Limits" in text
