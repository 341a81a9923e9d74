"""A training: candidates compete on what they had not seen, the simplest good one wins, a gate says what may serve."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.special import expit

from shipcast.models import training
from shipcast.models.candidates import CANDIDATES, Learned, Rate, Regression, own
from shipcast.models.registry import Champion
from shipcast.models.serving import Served
from shipcast.models.stored import read_state, write_state
from shipcast.models.training import beside, fingerprint, train

CUT_OFF = datetime.fromisoformat("2025-12-01")


def refusals(trained, rows, champion):
    return training.refusals(trained, champion, beside(trained, rows, champion))


def remarks(trained, rows, champion):
    return training.remarks(champion, beside(trained, rows, champion))


def uncompared(trained, rows, champion):
    return training.uncompared(champion, beside(trained, rows, champion))


def rows(count=900, effect=1.2, rate=-2.5, seed=1):
    """Deployments of a year, of which those with many lines and warnings fail more; settled two weeks later."""
    from shipcast.features.feature import catalogue

    rng = np.random.default_rng(seed)
    start = np.datetime64(CUT_OFF, "us") - np.sort(rng.integers(0, 365 * 24 * 60, count))[::-1] * np.timedelta64(1, "m")
    lines, warned = rng.lognormal(4, 1, count), rng.poisson(0.3, count).astype(float)
    failed = rng.random(count) < expit(rate + effect * (np.log(lines) - 4) + effect * (warned > 0))
    frame = pl.DataFrame(
        {
            "deployment_id": [f"d{k:05d}" for k in range(count)],
            "service": rng.choice(["pay", "web", "search"], count),
            "team": ["shop"] * count,
            "zone": ["UTC"] * count,
            "change_type": rng.choice(["normal", "standard"], count),
            "started_at": start,
            "settled_at": start + np.timedelta64(14, "D"),
            "failed_at": pl.Series(start).set(pl.Series(~failed), None),
            "is_rollback": [False] * count,
            "hour_of_week": rng.integers(0, 168, count),
        }
    )
    known = {"lines": lines, "files": rng.poisson(5, count).astype(float), "staging_failures_in_7_days": warned}
    empty = pl.Series([None] * count, dtype=pl.Float64)
    return frame.with_columns(pl.Series(known.get(one.name, empty)).alias(one.name) for one in catalogue())


@pytest.fixture(scope="module")
def trained():
    return train(rows(), CUT_OFF)


def test_what_tells_failures_apart_beats_the_rate(trained):
    found = trained.judgements

    assert trained.name == "regression"
    assert set(found) == {"rate", "regression", "blend"}
    assert found["regression"].gain.skill_low > 0
    assert found["rate"].gain.skill == pytest.approx(0, abs=1e-3)
    assert trained.deployments == len(rows().filter(pl.col("settled_at") <= CUT_OFF))


def test_where_nothing_tells_them_apart_no_candidate_is_called_better():
    found = [train(rows(effect=0, seed=seed), CUT_OFF, "regression").judgements for seed in (2, 3, 4)]

    assert all(one["regression"].gain.skill_low <= 0 for one in found)
    assert all(one["regression"].gain.skill > -0.05 for one in found)


def test_too_little_to_judge_leaves_a_model_that_serves_and_says_nothing_of_its_worth():
    few = train(rows(40), CUT_OFF)

    assert (few.name, dict(few.judgements)) == ("regression", {})
    assert refusals(few, rows(40), None) == []
    assert train(rows(40)[:0], CUT_OFF).deployments == 0


def test_no_outcome_after_the_cut_off_is_learned_from(trained):
    later = pl.col("failed_at") > CUT_OFF - timedelta(days=20)
    rewritten = rows().with_columns(failed_at=pl.when(later).then(None).otherwise("failed_at"))
    early = CUT_OFF - timedelta(days=20)
    models = [train(frame, early, "regression").model for frame in (rows(), rewritten)]

    assert np.array_equal(*(model.predict(rows()[:50]) for model in models))


def test_the_order_of_the_rows_changes_nothing():
    frames = rows(), rows().sample(fraction=1, shuffle=True, seed=5)
    first, second = (train(frame, CUT_OFF, "regression") for frame in frames)

    assert first.fingerprint == second.fingerprint
    assert np.array_equal(*(one.model.predict(rows()[:50]) for one in (first, second)))
    assert first.judgements == second.judgements


def test_other_data_have_another_fingerprint():
    assert fingerprint(rows()) != fingerprint(rows(seed=2))


@pytest.mark.parametrize("name", list(CANDIDATES))
def test_a_model_that_was_stored_answers_alike(name, tmp_path):
    known = rows(600).with_columns(is_failed=pl.col("failed_at").is_not_null())
    model = CANDIDATES[name]().fit(known)
    write_state(tmp_path / "model", model.state())
    again = type(model).from_state(read_state(tmp_path / "model"))

    assert np.array_equal(again.draws(known[:20], is_request=True), model.draws(known[:20], is_request=True))
    assert again.describe() == model.describe()


def test_an_estimator_of_ones_own_is_stored_too_and_one_of_foreign_parts_is_refused(tmp_path):
    from sklearn.linear_model import LogisticRegression

    known = rows(600).with_columns(is_failed=pl.col("failed_at").is_not_null())
    model = own(LogisticRegression(max_iter=500)).fit(known)
    write_state(tmp_path / "model", model.state())

    assert np.allclose(type(model).from_state(read_state(tmp_path / "model")).predict(known), model.predict(known))
    with pytest.raises(TypeError, match="Untrusted"):
        type(model).from_state({**model.state(), "estimators": [dumped(Foreign())]})


class Foreign:
    def __init__(self):
        self.by = "somebody"


def dumped(estimator):
    from skops.io import dumps

    return np.frombuffer(dumps(estimator), np.uint8)


def champion(model, cut_off):
    entry = Champion("failure", "regression", 7, "run", "path", 1, "digest", 1, cut_off, cut_off)
    return Served(entry, model)


def test_the_gate_lets_a_good_model_pass_and_names_what_a_bad_one_lacks(trained):
    known = rows().with_columns(is_failed=pl.col("failed_at").is_not_null())
    since = CUT_OFF - timedelta(days=150)
    good, bad = Regression().fit(known), Rate().fit(known)
    worse = replace(
        trained, forecasts=trained.forecasts.with_columns(chance=1 - pl.col("chance")), name="regression",
        judgements=trained.judgements,
    )  # fmt: skip

    assert refusals(trained, rows(), champion(bad, since)) == []
    assert without_figures(refusals(worse, rows(), champion(good, since))) == [
        "it is clearly worse than the champion, version 7"
    ]


def test_forecasts_that_knew_less_than_the_champion_say_nothing_against_a_challenger(trained):
    knew_less = pl.col("cut_off") < trained.forecasts["cut_off"].unique().sort()[3]
    since = trained.forecasts.filter(knew_less)["cut_off"].max() + timedelta(days=1)
    rate = Rate().fit(rows().with_columns(is_failed=pl.col("failed_at").is_not_null()))
    wrong = pl.when(knew_less).then(1 - pl.col("chance")).otherwise("chance")
    early, all_along = (
        replace(trained, forecasts=trained.forecasts.with_columns(chance=chance))
        for chance in (wrong, 1 - pl.col("chance"))
    )

    assert refusals(early, rows(), champion(rate, since)) == []
    assert without_figures(refusals(all_along, rows(), champion(rate, since))) == [
        "it is clearly worse than the champion, version 7"
    ]


def without_figures(reasons):
    return [reason.partition(" (log loss")[0] for reason in reasons]


def known():
    """What a champion learned from that learned from all."""
    return rows().with_columns(is_failed=pl.col("failed_at").is_not_null())


def test_where_the_champion_has_learned_from_all_its_kind_is_what_must_be_beaten():
    serving = champion(Regression().fit(known()), CUT_OFF)
    rate, regression = (train(rows(), CUT_OFF, name, champion=serving) for name in ("rate", "regression"))

    assert set(rate.judgements) == {"rate", "regression"}
    (refusal,) = refusals(rate, rows(), serving)
    more = rate.judgements["rate"].log_loss / rate.judgements["regression"].log_loss - 1
    assert without_figures([refusal]) == [
        "it is clearly worse than the champion's kind (regression), trained anew at the same times"
    ]
    assert f"log loss {100 * more:.2g} % higher" in refusal
    assert f"on {rate.judgements['rate'].n:,} deployments" in refusal
    assert (refusals(regression, rows(), serving), remarks(regression, rows(), serving)) == ([], [])
    assert rate.judgements["regression"] == regression.judgements["regression"]


def test_the_kind_of_a_champion_that_competes_anyway_is_not_judged_twice(trained):
    steps = []
    again = train(rows(), CUT_OFF, progress=steps.append, champion=champion(Regression().fit(known()), CUT_OFF))

    assert again.judgements == trained.judgements
    assert not any("champion" in step for step in steps)


def test_a_champion_that_can_be_held_against_a_model_itself_needs_no_other_of_its_kind():
    since = CUT_OFF - timedelta(days=150)

    assert train(rows(), CUT_OFF, "rate", champion=champion(Regression().fit(known()), since)).kind is None


def test_an_estimator_of_ones_own_is_trained_anew_from_what_its_file_says(tmp_path):
    from sklearn.linear_model import LogisticRegression

    written = own(LogisticRegression(C=0.01, max_iter=500)).fit(known())
    write_state(tmp_path / "model", written.state())
    serving = champion(Learned.from_state(read_state(tmp_path / "model")), CUT_OFF)
    serving = replace(serving, entry=replace(serving.entry, recipe="LogisticRegression"))
    found = train(rows(), CUT_OFF, "rate", champion=serving)
    itself = train(rows(), CUT_OFF, own(LogisticRegression(C=0.01, max_iter=500)))

    assert found.judgements["LogisticRegression"].log_loss == itself.judgements["LogisticRegression"].log_loss
    assert without_figures(refusals(found, rows(), serving)) == [
        "it is clearly worse than the champion's kind (LogisticRegression), trained anew at the same times"
    ]


def test_one_whose_kind_cannot_be_trained_again_is_not_compared_and_that_is_said():
    learned = own(Foreign(), name="theirs")
    learned.estimators_ = [Foreign()]
    serving = champion(learned, CUT_OFF)
    serving = replace(serving, entry=replace(serving.entry, recipe="theirs"))
    found = train(rows(), CUT_OFF, "rate", champion=serving)
    [said] = remarks(found, rows(), serving)

    assert refusals(found, rows(), serving) == []
    assert said == f"It was not compared with {uncompared(found, rows(), serving)}."
    assert said.startswith("It was not compared with the champion, version 7: its kind (theirs) cannot be trained anew")
    assert remarks(train(rows(40), CUT_OFF, champion=serving), rows(40), serving) == [
        "It was not compared with the champion, version 7: too little has settled."
    ]


def forecasts(chance):
    """Of 200 deployments, one a day, of which each tenth fails; `chance` gives what was said by number."""
    return pl.DataFrame(
        [
            {"deployment_id": f"d{day}", "started_at": CUT_OFF - timedelta(days=200 - day), "chance": chance(day),
             "base": 0.1, "is_failed": day % 10 == 0, "is_settled": True, "cut_off": CUT_OFF - timedelta(days=210)}
            for day in range(200)
        ]
    )  # fmt: skip


def test_one_that_is_no_longer_clearly_better_than_the_rate_passes_with_a_word(trained):
    """It says 0.3 of half of the failures, and 0.035 of the others, where what was said 0.13 of all."""
    steady = forecasts(lambda day: 0.1 if day % 10 else 0.13)
    wild = forecasts(lambda day: 0.1 if day % 10 else 0.3 if day % 20 else 0.035)
    serving = champion(Regression().fit(known()), CUT_OFF)
    found = replace(trained, forecasts=wild, kind=steady)
    [said] = remarks(found, rows(), serving)

    assert refusals(found, rows(), serving) == []
    assert said.startswith("It is not clearly better than the rate of all deployments, while the champion's kind")
    assert refusals(replace(found, forecasts=steady, kind=wild), rows(), serving) == []
    assert remarks(replace(found, forecasts=steady, kind=wild), rows(), serving) == []
