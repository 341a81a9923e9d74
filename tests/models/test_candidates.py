"""The candidates: whatever the history, they forecast; equal rows in any order give equal forecasts."""

import numpy as np
import polars as pl
import pytest
from made_rows import deployments
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from shipcast.features.feature import chosen
from shipcast.models.candidates import CANDIDATES, Blend, Rate, Regression, RollbacksApart, boosting, maker, own
from shipcast.models.errors import EstimatorFailed

MAKERS = {**CANDIDATES, "LogisticRegression": lambda: own(LogisticRegression())}


@pytest.fixture(scope="module")
def company():
    return deployments(1200)


@pytest.fixture(scope="module")
def fitted(company):
    return {name: make().fit(company) for name, make in MAKERS.items()}


@pytest.mark.parametrize("name", MAKERS)
def test_chances_and_draws_have_their_shapes_and_agree(fitted, company, name):
    chance, draws = fitted[name].predict(company.head(40)), fitted[name].draws(company.head(40))

    assert fitted[name].name == name
    assert (chance.shape, draws.shape) == ((40,), (400, 40))
    assert np.all((chance > 0) & (chance < 1))
    assert np.allclose(expit(draws).mean(axis=0), chance, rtol=0.35)


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "rate"])
def test_what_made_changes_fail_is_found(fitted, name):
    new = deployments(400, seed=2)
    chance, lines = fitted[name].predict(new), new["lines"].to_numpy()

    assert chance[lines > 800].mean() > 2 * chance[lines < 200].mean()
    assert np.quantile(fitted[name].draws(new), 0.975, axis=0).mean() > logit(chance).mean() + 0.1


@pytest.mark.parametrize("name", MAKERS)
def test_equal_rows_in_any_order_give_equal_forecasts(fitted, company, name):
    again, some = MAKERS[name]().fit(company.sample(fraction=1, shuffle=True, seed=5)), company.head(100)

    assert np.allclose(again.predict(some), fitted[name].predict(some), rtol=1e-9)
    assert np.allclose(again.draws(some), fitted[name].draws(some), rtol=1e-9)


@pytest.mark.parametrize("name", MAKERS)
def test_no_forecast_depends_on_what_else_is_asked(fitted, company, name):
    whole, part = fitted[name].draws(company), fitted[name].draws(company[7:9])

    assert np.allclose(part, whole[:, 7:9], rtol=1e-9)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("count", [0, 2, 30])
@pytest.mark.parametrize("failed", [False, True])
def test_few_rows_that_all_went_alike_are_no_certainty(name, count, failed):
    rows = deployments(count).with_columns(is_failed=pl.lit(failed))
    chance = MAKERS[name]().fit(rows).predict(deployments(5))

    assert np.all((chance > 0.001) & (chance < 0.999))


@pytest.mark.parametrize("rows", [deployments(150), deployments(600, chance=lambda lines: 0.001)])
def test_an_estimator_keeps_to_the_rate_and_says_so_until_there_is_enough(rows):
    model, rate = boosting().fit(rows), Rate().fit(rows)

    assert model.is_rate_
    assert np.array_equal(model.predict(rows), rate.predict(rows))
    assert np.allclose(model.draws(rows), rate.draws(rows))
    assert np.allclose(Blend().fit(rows).predict(rows), Regression().fit(rows).predict(rows), rtol=1e-6)


def test_more_data_make_boosting_surer():
    new, models = deployments(50, seed=3), [boosting().fit(deployments(count)) for count in (600, 6000)]
    few, many = (model.draws(new).std(axis=0).mean() for model in models)

    assert many < 0.7 * few


def test_the_rate_is_the_share_that_failed_drawn_a_little_to_what_is_assumed():
    rows = deployments(98).with_columns(is_failed=pl.col("deployment_id") < "d00007")

    assert Rate().fit(rows).predict(rows[:1])[0] == pytest.approx((7 + 0.5) / (98 + 0.5 / 0.06))
    assert Rate().fit(rows[:0]).predict(rows[:1])[0] == pytest.approx(0.06)


def test_rollbacks_have_a_rate_of_their_own(company):
    rows = company.with_columns(is_failed=pl.col("is_failed") & ~pl.col("is_rollback"))
    model, is_rollback = RollbacksApart(Regression()).fit(rows), rows["is_rollback"].to_numpy()
    usual = Rate().fit(rows.filter(~is_rollback)).chance_

    assert model.predict(rows)[is_rollback] == pytest.approx(5 * usual / (5 + is_rollback.sum()))
    assert np.allclose(model.predict(rows)[~is_rollback], model.candidate.predict(rows.filter(~is_rollback)))
    assert model.draws(rows).shape == (400, len(rows))


def test_an_estimator_of_ones_own_is_copied_and_seeded(company):
    mine = LogisticRegression(solver="saga", max_iter=300)
    name, make = maker(mine)
    first, second = (make().fit(company).predict(company) for _ in range(2))

    assert name == "LogisticRegression"
    assert not hasattr(mine, "coef_")
    assert np.array_equal(first, second)


def test_a_candidate_is_taken_as_it_is():
    features = chosen("lines")
    name, make = maker(Regression(features))

    assert (name, make().features, make() is make()) == ("regression", features, False)


@pytest.mark.parametrize("name", MAKERS)
def test_requests_are_as_likely_to_fail_as_what_shipped_though_no_warning_is_known_of_them(company, name):
    rng = np.random.default_rng(4)
    warned = rng.random(len(company)) < 0.15
    failed = rng.random(len(company)) < np.where(warned, 0.5, 0.03)
    rows = company.with_columns(test_same_version_failed=pl.Series(warned, dtype=pl.Float64), is_failed=failed)
    asked = rows.with_columns(test_same_version_failed=pl.lit(None, pl.Float64))
    chance = expit(MAKERS[name]().fit(rows).draws(asked, is_request=True)).mean(axis=0)

    assert chance.mean() == pytest.approx(failed.mean(), rel=0.1)


class Faulty(LogisticRegression):
    """An estimator that learns, and then gives whatever it was told to."""

    def __init__(self, gives="nan"):
        super().__init__()
        self.gives = gives

    def fit(self, design, failed):
        if self.gives == "nothing":
            raise RuntimeError("out of luck\nand more")
        super().fit(design, failed)

    def predict_proba(self, design):
        given = super().predict_proba(design)
        return {"nan": given * np.nan, "flat": given[:, 1], "short": given[1:]}[self.gives]


@pytest.mark.parametrize(
    ("gives", "words"),
    [
        ("nan", "chances that are no numbers"),
        ("flat", r"an array of \(\d+,\)"),
        ("short", "predict_proba gave an array of"),
        ("nothing", "RuntimeError out of luck."),
    ],
)
def test_an_estimator_that_does_not_work_is_named(company, gives, words):
    with pytest.raises(EstimatorFailed, match=words) as raised:
        own(Faulty(gives)).fit(company).predict(company)

    assert raised.value.exit_code == 2
    assert str(raised.value).startswith("Faulty fails")


@pytest.mark.parametrize("given", [42, None, LogisticRegression])
def test_what_is_no_estimator_is_refused(given):
    with pytest.raises(EstimatorFailed):
        maker(given)
