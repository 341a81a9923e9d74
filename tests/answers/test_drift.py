"""Drift since the training: seen by features and by failures, not in luck, and by nothing that is known later."""

import shutil
from datetime import timedelta

import pytest
from company import CUT, DEPLOYED, deployments

from shipcast.answers.doctor import doctor
from shipcast.answers.drift import due
from shipcast.answers.quality import quality
from shipcast.answers.reading import open_reader
from shipcast.features.history import History
from shipcast.features.matrix import matrix
from shipcast.models.training import train
from shipcast.pipeline import recorded, train_when_due

DAYS = 60  # after the training
OLD = 90  # from which a model is due by its age
ASKED = CUT + timedelta(days=DAYS)


def since(count=150, **different):
    """Deployments between the training and ASKED."""
    return deployments(count, DAYS, ASKED, "n", seed=11, **different)


@pytest.fixture(scope="module")
def home(built, trained_home):
    """A function that gives the trained home, with these deployments after the training."""

    def with_later(rows):
        settings = built({"deployments": [*DEPLOYED, *rows]}, retrain_days=OLD)
        shutil.copytree(trained_home.home / "models", settings.home / "models")
        return settings

    return with_later


@pytest.fixture(scope="module")
def steady(home):
    """As before, but that what starts in the last days is large, and fails."""
    late = deployments(60, 3, ASKED + timedelta(days=3), "x", size=50, rate=1)
    return home([*since(), *late])


@pytest.fixture(scope="module")
def larger(home):
    return home(since(size=30))


@pytest.fixture(scope="module")
def failing(home):
    return home(since(rate=1 / 100))


def asked(settings, at=ASKED):
    with open_reader(settings, at) as reader:
        return quality(reader)


def why_due(settings, at=ASKED):
    """What a run says first, where it trains."""
    with open_reader(settings, at) as reader:
        return due(History(reader.connection, reader.at, "production", "UTC"), settings)


def run_trains(settings, at=ASKED):
    return train_when_due(settings, at, lambda step: None)


def test_what_goes_on_as_before_has_not_drifted(steady):
    answer = asked(steady)
    found = answer.drift

    assert (found.n, found.is_due, answer.model.is_due, found.untold) == (150, False, False, ())
    assert {one.feature for one in found.features} >= {"lines", "others_in_an_hour"}
    assert found.calibration.ratio_low < 1 < found.calibration.ratio_high
    assert "no feature drifted; the champion forecast" in found.sentence


def test_what_became_known_later_changes_nothing(steady, home):
    """That home but for what starts after the question."""
    assert asked(steady).drift == asked(home(since())).drift
    assert asked(steady, ASKED + timedelta(days=3)).drift.n == 210


def test_other_changes_than_were_learned_from_make_it_due(larger):
    answer = asked(larger)
    [lines] = [one for one in answer.drift.features if one.is_drifting]

    assert (lines.feature, lines.n) == ("lines", 150)
    assert lines.psi > 1 > lines.usual
    assert answer.model.is_due
    assert f"lines (PSI {lines.psi:.2f}" in answer.drift.sentence
    assert f"lines (PSI {lines.psi:.2f}" in " ".join(answer.warnings)


def test_more_failures_than_were_forecast_make_it_due(failing):
    answer = asked(failing)
    found, settled = answer.drift.calibration, CUT + timedelta(days=DAYS - 14)
    rows = [row for row in since(rate=1 / 100) if row["finished_at"] <= settled.isoformat()]

    assert (found.n, found.failures) == (len(rows), sum(row["status"] == "failed" for row in rows))
    assert found.ratio == pytest.approx(found.failures / found.expected)
    assert found.ratio_low > 1
    assert [one for one in answer.drift.features if one.is_drifting] == []
    assert answer.model.is_due


def test_of_thirty_deployments_nothing_is_said(home):
    found = asked(home(since(30, size=30, rate=1))).drift

    assert (found.n, found.features, found.calibration.ratio, found.is_due) == (30, (), None, False)
    assert "too early to say whether anything drifted" in found.sentence
    assert len(found.untold) == 2


def test_within_a_week_of_a_refusal_a_run_does_not_try_again(larger, tmp_path):
    settings = larger.model_copy(update={"home": tmp_path / "home"})
    shutil.copytree(larger.home, settings.home)
    refused_at = ASKED - timedelta(days=3)
    with open_reader(settings, refused_at) as reader:
        rows = matrix(History(reader.connection, reader.at, "production", "UTC"))
        recorded(settings.home, train(rows, reader.at, "rate"), ["it is worse"])

    assert run_trains(settings) is None
    why, is_trained, _ = run_trains(settings, refused_at + timedelta(days=7)).partition(" Trained version 3 ")
    assert why.startswith("Retrained: lines (PSI ")
    assert is_trained


def test_a_run_trains_for_drift_and_says_why(steady, larger, failing):
    assert run_trains(steady) is None
    assert why_due(larger).startswith("Retrained: lines (PSI ")
    assert " failures where " in why_due(failing)


def settled_by(moment, rows):
    """How many of these deployments a model learns from, and how many failed."""
    known = [row for row in rows if row["finished_at"] <= (moment - timedelta(days=14)).isoformat()]
    return len(known), sum(row["status"] == "failed" for row in known)


def of_before(count, rate):
    """Deployments of before the training that came after it."""
    return [*deployments(count, 100, CUT - timedelta(days=20), "late", size=1, rate=rate, seed=5)]


@pytest.fixture(scope="module")
def corrected(home):
    """Six failed deployments in a hundred were missing when the model was trained."""
    return home(of_before(30, rate=1))


def test_what_came_of_the_time_before_the_training_makes_it_due(corrected):
    later = of_before(30, rate=1)
    answer = asked(corrected, CUT)
    found = answer.drift.learned
    said = f"deployments ({found.failures} failed), where {found.deployments_now} ({found.failures_now} failed) are"

    assert (found.deployments, found.failures) == settled_by(CUT, DEPLOYED)
    assert (found.deployments_now, found.failures_now) == settled_by(CUT, [*DEPLOYED, *later])
    assert answer.drift.is_due
    assert said in answer.drift.sentence
    assert said in " ".join(answer.warnings)
    assert why_due(corrected, CUT).startswith("Retrained: the champion learned from ")


def test_the_doctor_says_that_what_it_learned_from_has_changed(corrected):
    found = [item for item in doctor(corrected, CUT).items if item.subject == "model"]

    assert [(item.state, item.remedy) for item in found] == [
        ("good", None),
        ("stale", "shipcast train --promote, or shipcast run"),
    ]
    assert found[1].finding.startswith("the champion learned from ")


def test_a_training_on_what_came_since_is_not_due_again(corrected, tmp_path):
    settings = corrected.model_copy(update={"home": tmp_path / "home"})
    shutil.copytree(corrected.home, settings.home)

    assert " Trained version 2 " in run_trains(settings, CUT)
    assert why_due(settings, CUT) is None


def test_a_few_rows_of_the_time_before_make_nothing_due(home):
    assert why_due(home(of_before(4, rate=1)), CUT) is None


@pytest.mark.parametrize(("failures", "why"), [(0, None), (1, "Trained, since no model served yet.")])
def test_no_run_trains_before_a_failure_has_settled(built, failures, why):
    rows = [{**row, "status": "failed" if number < failures else "succeeded"} for number, row in enumerate(DEPLOYED)]
    settings = built({"deployments": rows})
    unseen = [item for item in doctor(settings, CUT).items if item.subject == "model"]

    assert why_due(settings, CUT) == why
    assert len(unseen) == failures


def test_a_run_trains_for_age_to_the_day_and_not_where_it_is_told_never_to(steady, larger):
    """That it then does train, tests/shipcast/test_train.py says."""
    later = CUT + timedelta(days=OLD)
    never = larger.model_copy(update={"retrain_days": 0.0})

    assert why_due(steady, later) == "Retrained: the champion is 90 days old."
    assert run_trains(never, later) is None
