"""`quality`: what the models said held against what came, by the outcomes known when it is asked and none later."""

import json
import shutil
from datetime import timedelta

import polars as pl
import pytest
from company import COMPANY, CUT, DEPLOYED, HOUR, LATER, incidents, instant, load
from jsonschema import Draft202012Validator

from shipcast.__main__ import run
from shipcast.answers.answer import json_schema
from shipcast.answers.failure_quality import levels_said, on_the_whole, sentence
from shipcast.answers.quality import QualityAnswer, quality
from shipcast.answers.reading import open_reader
from shipcast.answers.statistics import wilson
from shipcast.models.errors import ModelDamaged, ModelMissing
from shipcast.settings.files import read_sealed, write_sealed


def asked(settings, at=LATER):
    with open_reader(settings, at) as reader:
        return quality(reader)


@pytest.fixture(scope="module")
def home(trained_home):
    """A home with a training as of CUT."""
    return trained_home


@pytest.fixture(scope="module")
def answer(home):
    return asked(home)


@pytest.fixture
def other_models(home, tmp_path):
    """The home with models of its own, which may be damaged."""
    settings = home.model_copy(update={"home": tmp_path / "home"})
    shutil.copytree(home.home, settings.home)
    return settings


@pytest.fixture
def unrecorded(other_models):
    """The same with a list of champions as it was before it named what is kept with them."""
    path = other_models.home / "models" / "champions.json"
    facts = read_sealed(path)
    for entry in facts["champions"]:
        del entry["kept"]
    write_sealed(path, {**facts, "layout": 1})
    return other_models


def test_it_fits_its_schema(answer):
    schema = Draft202012Validator(json_schema(QualityAnswer), format_checker=Draft202012Validator.FORMAT_CHECKER)

    assert list(schema.iter_errors(answer.as_dict())) == []


def test_it_says_who_serves_and_whether_it_is_due(home, answer):
    assert answer.model.model_dump() == {
        "recipe": "regression", "version": 1, "cut_off": CUT, "age_days": 20, "retrain_days": 28, "is_due": False,
    }  # fmt: skip
    aged = asked(home, CUT + timedelta(days=29))

    assert aged.model.is_due
    assert "due to be trained again" in " ".join(aged.warnings)


def test_what_has_settled_since_the_training_counts(home, answer):
    """All that started in the half year before the cut-off and had ended by then."""
    since = instant(CUT - timedelta(days=182))
    judged = [row for row in DEPLOYED if row["started_at"] >= since and row["finished_at"] <= instant(CUT)]
    failed = sum(row["status"] == "failed" for row in judged)
    at_once = asked(home, CUT).failure

    assert (answer.failure.summary.n, answer.failure.summary.failures) == (len(judged), failed)
    assert answer.failure.unsettled == 0
    assert at_once.summary.n < len(judged)
    assert at_once.summary.n + at_once.unsettled == len(judged)


def test_what_was_said_stands_beside_what_came(answer):
    for part in (answer.failure.bands, answer.failure.levels):
        assert sum(one.n for one in part) == answer.failure.summary.n
        assert sum(one.failures for one in part) == answer.failure.summary.failures
        assert all((one.observed_low, one.observed_high) == wilson(one.failures, one.n) for one in part)
    assert answer.items == answer.failure.bands
    assert all(band.said_from <= band.forecast <= band.said_to for band in answer.items)
    assert [one.level for one in answer.failure.levels] == ["calm", "fair", "moderate", "rough", "storm"]
    assert answer.failure.levels[0].observed < answer.failure.levels[-1].observed


def test_the_levels_are_the_chance_against_the_mean_of_the_service(home, answer):
    [path] = home.home.glob("models/artifacts/*/artifacts/forecasts.parquet")
    forecasts = pl.read_parquet(path)
    means = dict(forecasts.group_by("service").agg(pl.mean("chance")).rows())
    calm = sum(chance < 0.5 * means[service] for service, chance in forecasts.select("service", "chance").rows())

    assert answer.failure.levels[0].level == "calm"
    assert answer.failure.levels[0].n == calm


def test_skill_is_said_in_words(answer):
    summary = answer.failure.summary

    assert summary.skill_low > 0
    assert answer.sentence.startswith("The chances of failure ")
    assert f"forecasts of {summary.n} deployments from " in answer.sentence
    assert "better than the base rate (" in answer.sentence
    assert "clearly less failed" in levels_said(answer.failure.levels)


def test_forecasts_that_beat_nothing_are_said_to(answer):
    summary = answer.failure.summary.model_copy(update={"skill": 0.01, "skill_low": -0.1, "skill_high": 0.1})

    assert "were not clearly better than the base rate" in sentence(summary, "regression", CUT, LATER)
    assert "tells no good time from a bad one" in sentence(summary, "rate", CUT, LATER)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.01, 0.03, "too high"), (-0.03, -0.01, "too low"), (-0.1, 0.1, "neither clearly too high nor too low")],
)
def test_chances_that_are_too_high_or_low_on_the_whole_are_said_to_be(answer, low, high, words):
    found = answer.failure.model_copy(update={"bias": (low + high) / 2, "bias_low": low, "bias_high": high})

    assert on_the_whole(found).endswith(f": {words}.")


def test_the_load_of_a_week_ago_is_held_against_what_was_measured(answer):
    found = answer.load

    assert [(one.service, one.n) for one in found.services] == [("web", 168)]
    assert (found.period_start, found.period_end) == (LATER - timedelta(days=7), LATER)
    assert 0.35 < found.coverage_50 < 0.75
    assert 0.8 < found.coverage_90 <= 1
    assert 0.4 < found.mase < 1  # the noise of one value against that of the difference of two
    assert 0.3 < found.owa < 1  # Naive2 rests on one noisy value, the forecast on weeks


def test_times_to_restore_are_judged_from_half_a_year_before(answer):
    found, since = answer.restore, LATER - timedelta(days=182)
    rows = [row for row in COMPANY["incidents"] if instant(since) <= row["started_at"] <= instant(LATER)]
    still = sum(row["resolved_at"] > instant(LATER) for row in rows)

    assert (found.n, found.open, still) == (len(rows) - still, still, 1)
    assert found.learned_from == sum(row["started_at"] <= instant(since) for row in COMPANY["incidents"])
    assert found.concordance_low > 0.5  # the one service takes seven times as long as the other
    assert found.coverage_90_low < 0.9 <= found.coverage_90_high


def test_the_hour_was_checked_a_second_way_when_the_model_was_trained(home, answer):
    hours = answer.hours
    known = [row for row in DEPLOYED if row["finished_at"] <= instant(CUT - timedelta(days=14))]

    assert sum(one.n for one in hours.parts) == len(known)
    assert sum(one.failures for one in hours.parts) == sum(row["status"] == "failed" for row in known)
    assert hours.told == sum(one.second is not None for one in hours.parts) > 0
    assert hours.disagreeing == 0
    assert hours.sentence == f"The second estimate disagrees with the model in none of {hours.told} parts of the week."
    assert asked(home, LATER + timedelta(days=9)).hours == hours


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "does not hold second estimates"),
        (lambda path: path.write_text('[{"part": "noon", "n": 1, "failures": 0}]'), "does not hold second estimates"),
        (lambda path: path.write_text(path.read_text().replace('"second": 0.', '"second": 7.')), "does not hold"),
        (lambda path: path.write_text("[]"), "one estimate for each part"),
    ],
)
def test_a_second_estimate_that_cannot_be_read_is_missing(unrecorded, damage, words):
    [path] = unrecorded.home.glob("models/artifacts/*/artifacts/hours.json")
    damage(path)
    found = asked(unrecorded)

    assert found.hours is None
    assert words in found.missing["hours"]
    assert found.failure is not None


def test_what_became_known_later_changes_nothing(built, home, answer):
    """After LATER what is open ends elsewhen, deployments turn out to have failed, and the load is another."""
    causes = [
        {"incident_id": f"x{number}", "service": row["service"], "started_at": instant(LATER + HOUR),
         "resolved_at": instant(LATER + 2 * HOUR), "deployment_id": row["deployment_id"]}
        for number, row in enumerate(DEPLOYED[:100])
    ]  # fmt: skip
    changed = built(
        {
            "deployments": DEPLOYED,
            "incidents": [*incidents(LATER + timedelta(days=3)), *causes],
            "load": [*load(factor=9)],
        }
    )
    shutil.copytree(home.home / "models", changed.home / "models")
    found, after = asked(changed), asked(changed, LATER + timedelta(days=2))

    assert found.model_copy(update={"generated_at": answer.generated_at}) == answer
    assert after.failure.summary.failures > answer.failure.summary.failures
    assert after.load.mase > 1 > answer.load.mase


def test_without_a_training_it_says_so_and_judges_the_rest(home):
    found = asked(home, CUT - timedelta(days=1))

    assert (found.model, found.failure, found.items) == (None, None, ())
    assert found.sentence.startswith("No model was trained on what was known by 1 Jun 2025")
    assert found.missing.keys() == {"failure", "hours", "drift", "decisions"}
    assert None not in (found.load, found.restore)


def test_nothing_known_is_nothing_judged(built_once):
    found = asked(built_once("empty", {}))

    assert (found.model, found.failure, found.load, found.restore, found.decisions) == (None,) * 5
    assert found.missing.keys() == {"failure", "hours", "drift", "load", "restore", "decisions"}


def test_too_little_gives_counts_and_no_scores(built, with_store):
    settings = built({"deployments": DEPLOYED[:60]})
    assert (
        run(["--home", str(with_store(settings.home)), "-q", "--as-of", instant(CUT), "train", "--model", "rate"]) == 0
    )
    found = asked(settings)

    assert 0 < found.failure.summary.n < 60
    assert (found.failure.summary.skill, found.failure.bias) == (None, None)
    assert on_the_whole(found.failure).endswith("too few to say more.")
    assert "cannot be judged: that takes 100 that have settled and 5 failures" in found.sentence


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "cannot be read"),
        (lambda path: pl.DataFrame({"chance": [2.0]}).write_parquet(path), "cannot be read"),
        (
            lambda path: pl.read_parquet(path).with_columns(chance=pl.lit(2.0)).write_parquet(path),
            "chances that are none",
        ),
        (lambda path: pl.read_parquet(path).with_columns(base=pl.lit("1")).write_parquet(path), "does not hold"),
    ],
)
def test_forecasts_that_cannot_be_read_are_missing(unrecorded, damage, words):
    [path] = unrecorded.home.glob("models/artifacts/*/artifacts/forecasts.parquet")
    damage(path)
    found = asked(unrecorded)

    assert found.failure is None
    assert words in found.sentence
    assert found.load is not None


def flattered(path):
    """Forecasts that knew what would come."""
    known = {row["deployment_id"]: 0.9 if row["status"] == "failed" else 0.001 for row in DEPLOYED}
    found = pl.read_parquet(path)
    found.with_columns(chance=pl.col("deployment_id").replace_strict(known)).write_parquet(path)


def agreeing(path):
    path.write_text(path.read_text().replace('"failures": ', '"failures": 1'))


def of_another_training(path):
    write_sealed(path, {**read_sealed(path), "features": {}})


PARTS = {"forecasts.parquet": ("failure", flattered), "hours.json": ("hours", agreeing),
         "reference.json": ("drift", of_another_training)}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_what_was_kept_and_then_altered_is_believed_by_nobody(other_models, answer, name):
    part, alter = PARTS[name]
    [path] = other_models.home.glob(f"models/artifacts/*/artifacts/{name}")
    alter(path)
    found = asked(other_models)
    words = found.missing.get(part) or " ".join(found.drift.untold)

    assert f"{name}, kept with version 1 of the failure model, is not the file that was recorded" in words
    assert part == "drift" or getattr(found, part) is None
    assert found.drift.features == () if part == "drift" else found.drift == answer.drift
    assert (found.load, found.restore) == (answer.load, answer.restore)


@pytest.mark.parametrize(
    ("damage", "error"),
    [(lambda path: path.write_text("{}"), ModelDamaged), (lambda path: path.unlink(), ModelMissing)],
)
def test_a_list_of_champions_that_cannot_be_read_is_an_error_with_what_mends_it(other_models, damage, error):
    damage(other_models.home / "models" / "champions.json")

    with pytest.raises(error) as raised:
        asked(other_models)
    assert "shipcast doctor --repair" in raised.value.next_step


def test_the_verb_prints_tables_and_the_same_numbers_as_json(home, answer, capsys):
    flags = ["--home", str(home.home), "--as-of", instant(LATER), "quality"]
    codes = [run(flags)]
    printed = capsys.readouterr().out
    codes.append(run([*flags, "--json", "-q"]))
    written = json.loads(capsys.readouterr().out)

    assert codes == [0, 0]
    assert answer.sentence in " ".join(printed.split())
    assert max(map(len, printed.splitlines())) <= 100
    parts = ("when we said", "by chance alone", "second estimate", "Load, 7 days", "Time to restore", "next:")
    assert all(word in printed for word in parts)
    assert written["failure"] == answer.as_dict()["failure"]


def test_without_a_model_the_next_step_is_to_train(home, capsys):
    run(["--home", str(home.home), "--as-of", instant(CUT - HOUR), "quality"])

    assert " train\n" in capsys.readouterr().out
