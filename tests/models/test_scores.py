"""Scores: held to scikit-learn's and to sums by hand; perfect and useless forecasts score as they must."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from shipcast.models.scores import (
    auc,
    bands,
    bias,
    brier,
    calibration,
    concordance,
    coverage,
    gain,
    log_losses,
    mase,
    naive2,
    owa,
    reliability,
    top_tenth,
)


def forecasts(count=3000, slope=1.0, seed=1):
    """Chances, outcomes whose log odds are `slope` times the forecast's, and days of about eight deployments."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(-2.5, 1, count)
    failed = rng.random(count) < expit(slope * odds)
    return expit(odds), failed, np.datetime64("2025-01-01", "D") + np.arange(count) // 8


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.01, 0.2, 0.5, 0.9, 1.0]), st.booleans()), min_size=2, max_size=40))
@settings(deadline=None, max_examples=60)
def test_log_loss_brier_and_auc_are_those_of_scikit_learn(rows):
    chance, failed = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])

    assert log_losses(chance, failed).mean() == pytest.approx(log_loss(failed, chance, labels=[False, True]))
    assert brier(chance, failed) == pytest.approx(brier_score_loss(failed, chance, labels=[False, True]))
    if failed.any() and not failed.all():
        assert auc(chance, failed) == pytest.approx(roc_auc_score(failed, chance))


@pytest.mark.parametrize("slope", [0.5, 1.0, 1.6])
def test_the_calibration_is_that_of_a_logistic_regression(slope):
    chance, failed, days = forecasts(slope=slope)
    found = calibration(logit(chance), failed, days)
    other = LogisticRegression(C=np.inf, tol=1e-10).fit(logit(chance)[:, None], failed)

    assert found.slope == pytest.approx(other.coef_[0, 0], rel=1e-4)
    assert found.intercept == pytest.approx(other.intercept_[0], rel=1e-3, abs=1e-3)
    assert found.slope_low < slope < found.slope_high


def test_four_forecasts_by_hand():
    chance, failed = np.array([0.1, 0.4, 0.5, 0.8]), np.array([False, True, False, True])

    assert log_losses(chance, failed).mean() == pytest.approx(-np.log(0.9 * 0.4 * 0.5 * 0.8) / 4)
    assert brier(chance, failed) == pytest.approx((0.01 + 0.36 + 0.25 + 0.04) / 4)
    assert auc(chance, failed) == 3 / 4
    assert top_tenth(chance, failed) == pytest.approx(0.4 / 2)


def test_perfect_forecasts():
    failed = np.arange(100) < 10
    chance = np.where(failed, 1 - 1e-6, 1e-6)

    assert log_losses(chance, failed).mean() < 1e-5
    assert (auc(chance, failed), top_tenth(chance, failed)) == (1, 1)
    assert calibration(logit(chance), failed, np.zeros(100, "datetime64[D]")) is None


def test_useless_forecasts_of_one_chance():
    failed = np.arange(100) % 10 == 0
    chance, days = np.full(100, 0.1), np.datetime64("2025-01-01", "D") + np.arange(100)
    losses = log_losses(chance, failed)

    assert auc(chance, failed) == 0.5
    assert top_tenth(chance, failed) == pytest.approx(0.1)
    assert calibration(logit(chance), failed, days) is None
    assert (gain(losses, losses, days).skill, gain(losses, losses, days).high) == (0, 0)
    assert [(group.n, group.failures) for group in reliability(chance, failed)] == [(100, 10)]


@pytest.mark.parametrize("failed", [np.zeros(5, dtype=bool), np.ones(5, dtype=bool)])
def test_what_all_alike_cannot_tell_is_unknown(failed):
    chance = np.linspace(0.1, 0.5, 5)

    assert auc(chance, failed) is None
    assert calibration(logit(chance), failed, np.zeros(5, "datetime64[D]")) is None


def test_good_forecasts_win_and_noise_does_not():
    chance, failed, days = forecasts()
    base = log_losses(np.full(len(failed), failed.mean()), failed)
    noise = expit(logit(failed.mean()) + np.random.default_rng(2).normal(0, 0.05, len(failed)))

    assert gain(log_losses(chance, failed), base, days).skill_low > 0
    assert gain(log_losses(noise, failed), base, days).skill_low < 0


def test_failures_of_one_day_count_as_one():
    """Thirty failures foreseen on thirty days are sure to be skill; foreseen on one day, they may be luck."""
    failed, days = np.arange(3000) % 100 == 0, np.datetime64("2025-01-01", "D") + np.arange(3000) // 10
    mine, base = log_losses(np.where(failed, 0.2, 0.01), failed), log_losses(np.full(3000, 0.01), failed)
    apart, together = gain(mine, base, days), gain(mine, base, np.where(failed, days[0], days))

    assert apart.difference == together.difference
    assert together.high - together.low > 3 * (apart.high - apart.low)
    assert apart.high < 0 <= together.high


def test_the_groups_of_reliability_add_up():
    chance, failed, _ = forecasts(1003)
    groups = reliability(chance, failed)

    assert (len(groups), sum(group.n for group in groups)) == (10, 1003)
    assert sum(group.failures for group in groups) == failed.sum()
    assert all(first.high < second.low for first, second in pairwise(groups))


def test_equal_scores_come_from_equal_seeds():
    chance, failed, days = forecasts()
    base = np.full(len(failed), 0.3)

    assert gain(log_losses(chance, failed), base, days) == gain(log_losses(chance, failed), base, days)


def test_fixed_bounds_hold_what_was_said_from_them_on():
    chance, failed = np.array([0.0, 0.049, 0.05, 1.0]), np.array([False, True, True, True])
    found = bands(chance, failed, (0, 0.05, 0.1, 1))

    assert [(low, high, group.n, group.failures) for low, high, group in found] == [(0, 0.05, 2, 1), (0.05, 0.1, 1, 1),
                                                                                    (0.1, 1, 1, 1)]  # fmt: skip


def test_a_bias_is_surer_where_failures_are_apart():
    """Ten failures in 1,000 where 2 in 100 were said: on ten days that is too few, on one it may be luck."""
    chance, failed, apart = np.full(1000, 0.02), np.arange(1000) % 100 == 0, np.arange(1000) // 10
    days = np.datetime64("2025-01-01", "D") + apart
    together = bias(chance, failed, np.where(failed, days[0], days))

    assert bias(chance, failed, days)[0] == together[0] == pytest.approx(0.01)
    assert bias(chance, failed, days)[1] > 0 > together[1]


def test_an_interval_holds_its_ends():
    assert coverage(np.array([1.0, 3.0, 3.1, 0.9]), np.full(4, 1.0), np.full(4, 3.0)) == 0.5


def test_the_error_is_held_against_that_of_a_season_before():
    """Off by 1 and 3, where the value two before was off by 2, 6 and, with a gap between, nothing known."""
    past = np.array([10.0, 20.0, 12.0, 26.0, np.nan])

    assert mase(np.array([5.0, 5.0]), np.array([6.0, 2.0]), past, season=2) == 2 / 4
    assert mase(np.array([5.0]), np.array([6.0]), past[:2], season=2) is None
    assert mase(np.array([5.0]), np.array([6.0]), np.full(9, 7.0), season=2) is None


def test_pairs_count_where_it_is_known_which_lasted_longer():
    """Of 10, 20, 20+, 5+ minutes: 10 is shorter than 20 and 20+, 20 than 20+; nothing is known of 5+."""
    lasted, is_open = np.array([10.0, 20.0, 20.0, 5.0]), np.array([False, False, True, True])

    assert concordance(np.array([1.0, 2.0, 3.0, 0.0]), lasted, is_open).share == 1
    assert concordance(np.array([1.0, 2.0, 1.0, 9.0]), lasted, is_open).share == pytest.approx((1 + 0.5 + 0) / 3)
    assert concordance(np.array([1.0]), np.array([10.0]), np.array([False])) is None


def test_the_interval_of_the_concordance_holds_luck_where_it_was_luck():
    rng = np.random.default_rng(3)
    lasted, is_open = rng.lognormal(3, 1, 200), np.zeros(200, bool)
    luck, skill = (
        concordance(values, lasted, is_open) for values in (rng.random(200), lasted * rng.lognormal(0, 1, 200))
    )

    assert luck.low < 0.5 < luck.high
    assert 0.5 < skill.low < skill.share < skill.high < 1


def daily_curve(days=20, noise=0.05, seed=1):
    """Hours of a day's curve on a level that wanders."""
    rng = np.random.default_rng(seed)
    hours = np.arange(days * 24)
    level = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, len(hours))))
    return level * (2 + np.sin(hours / 24 * 2 * np.pi)) * rng.lognormal(0, noise, len(hours))


def test_the_plain_forecast_repeats_the_day_on_the_last_level():
    day = 100 * (2 + np.sin(np.arange(24) / 24 * 2 * np.pi))
    past = np.append(np.tile(day, 10), 3 * day[0])

    assert naive2(past, 24, 47) == pytest.approx(3 * np.tile(day, 3)[1:48], rel=0.02)


@pytest.mark.parametrize("past", [daily_curve()[:71], np.arange(1.0, 481.0), np.full(99, 7.0)])
def test_without_a_clear_season_it_is_the_last_value(past):
    assert naive2(past, 24, 3) == pytest.approx([past[-1]] * 3)


def test_hours_without_load_and_hours_that_are_not_known_do_no_harm():
    past = np.tile([0.0, 10.0, 20.0, 30.0], 12)
    gaps = past.copy()
    gaps[[0, 1, 46, 47]] = np.nan

    assert naive2(past[:-3], 4, 4) == pytest.approx([10, 20, 30, 0])
    assert np.array_equal(naive2(gaps, 4, 4), naive2(past, 4, 4))


def test_against_itself_a_forecast_has_one_and_half_the_error_is_half():
    past, actual = daily_curve(), daily_curve(7, seed=2)
    plain = naive2(past, 24, len(actual))
    factor = 8.0

    assert owa(actual, plain, plain) == pytest.approx(1)
    assert owa(actual, actual, plain) == 0
    assert owa(factor * actual, factor * past[:168], factor * plain) == pytest.approx(owa(actual, past[:168], plain))
    assert owa(actual, plain, actual) is None
