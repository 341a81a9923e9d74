"""The back-test: from cut-off to cut-off it learns from what was known, and from nothing later."""

from datetime import datetime, timedelta

import polars as pl
import pytest
from made_rows import deployments

from shipcast.models.backtest import backtest, settled
from shipcast.models.candidates import CANDIDATES, Rate, Regression

DAY = timedelta(days=1)
BEGINS, ENDS, AS_OF = (datetime.fromisoformat(day) for day in ("2025-03-01", "2025-05-20", "2025-06-01"))


def history(count=1200):
    """Deployments that settle 14 days after their start; failures are known an hour after it, some 20 days after."""
    is_late = pl.int_range(pl.len()) % 7 == 0
    known = pl.when(is_late).then(pl.col("started_at") + 20 * DAY).otherwise(pl.col("started_at") + timedelta(hours=1))
    rows = deployments(count).with_columns(
        settled_at=pl.col("started_at") + 14 * DAY, failed_at=pl.when("is_failed").then(known)
    )
    return rows.drop("is_failed")


def run(rows, make=Regression, begins=BEGINS, ends=ENDS, at=AS_OF):
    return backtest(rows, make, begins, ends, 28 * DAY, at)


@pytest.fixture(scope="module")
def rows():
    return history()


def test_every_deployment_of_the_period_is_forecast_from_the_cut_off_before_it(rows):
    found = run(rows)
    ahead = found.forecasts["started_at"] - found.forecasts["cut_off"]

    assert len(found.forecasts) == len(rows.filter(pl.col("started_at") >= BEGINS, pl.col("started_at") < ENDS))
    assert [cut_off.at for cut_off in found.cut_offs] == [BEGINS, BEGINS + 28 * DAY, BEGINS + 56 * DAY]
    assert ahead.is_between(timedelta(), 28 * DAY, closed="left").all()
    assert found.forecasts.filter(~pl.col("chance").is_between("low", "high")).is_empty()


def test_what_has_settled_by_a_cut_off_and_what_of_it_was_known_to_have_failed():
    rows = pl.DataFrame(
        {
            "deployment_id": ["fine", "failed", "late", "young"],
            "settled_at": [BEGINS, BEGINS - DAY, BEGINS - DAY, BEGINS + DAY],
            "failed_at": [None, BEGINS, BEGINS + DAY, BEGINS - DAY],
        }
    )
    known = settled(rows, BEGINS)

    assert known.select("deployment_id", "is_failed").rows() == [("fine", False), ("failed", True), ("late", False)]


def test_outcomes_are_unknown_until_they_settle_save_for_failures(rows):
    at = ENDS - 7 * DAY
    found = run(rows, Rate, at=at).forecasts
    young = found.filter(pl.col("started_at") > at - 14 * DAY)
    known = rows.filter(pl.col("failed_at") <= at)["deployment_id"].implode()

    assert not young["is_settled"].any()
    assert set(young["is_failed"]) == {True, None}
    assert young.filter("is_failed")["deployment_id"].is_in(known).all()
    assert found.filter(pl.col("is_settled") & pl.col("is_failed").is_null()).is_empty()


@pytest.mark.parametrize("name", CANDIDATES)
def test_rewriting_every_outcome_that_settled_later_moves_no_forecast(rows, name):
    cut_off = BEGINS + 28 * DAY
    is_later = (pl.col("settled_at") > cut_off) | (pl.col("failed_at") > cut_off).fill_null(False)
    turned = pl.when(pl.col("failed_at").is_null()).then(pl.col("started_at") + 30 * DAY)
    rewritten = rows.with_columns(failed_at=pl.when(is_later).then(turned).otherwise("failed_at"))
    before, after = (run(some, CANDIDATES[name], ends=cut_off + DAY).forecasts for some in (rows, rewritten))

    assert before.drop("is_failed").equals(after.drop("is_failed"))
    assert not before["is_failed"].equals(after["is_failed"])


def test_the_order_of_the_rows_does_not_matter(rows):
    shuffled = rows.sample(fraction=1, shuffle=True, seed=3)

    assert run(shuffled, ends=BEGINS + DAY).forecasts.equals(run(rows, ends=BEGINS + DAY).forecasts)


def test_the_first_cut_off_has_nothing_to_learn_from_and_assumes(rows):
    found = run(rows, begins=rows["started_at"].min(), ends=BEGINS)
    first = found.forecasts.filter(pl.col("cut_off") == found.cut_offs[0].at)

    assert (found.cut_offs[0].settled, found.cut_offs[0].failures) == (0, 0)
    assert first["base"].to_list() == pytest.approx([0.06] * len(first))
    assert first["chance"].is_between(0.001, 0.5).all()


@pytest.mark.parametrize("name", CANDIDATES)
@pytest.mark.parametrize("failed", [False, True])
def test_a_service_whose_deployments_all_went_alike_is_forecast(name, failed):
    known = pl.col("started_at") if failed else pl.lit(None, pl.Datetime("us"))
    rows = history(500).with_columns(failed_at=known, service=pl.lit("pay"))
    found = run(rows, CANDIDATES[name], ends=BEGINS + DAY)

    assert found.forecasts["chance"].is_between(0.85 if failed else 0, 1 if failed else 0.15).all()
    assert found.cut_offs[0].is_rate is (name in ("boosting", "rate"))


def test_nothing_is_forecast_of_an_empty_history(rows):
    found = run(rows.clear())

    assert (found.forecasts.height, found.cut_offs) == (0, ())
    assert found.forecasts.schema == run(rows, Rate).forecasts.schema
