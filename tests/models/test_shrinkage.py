"""The usual week: of hours beside each other and of like days, noise is taken and what is clear is kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipcast.models.shrinkage import evened, medians, shrunken_week

HOURS = np.arange(4 * 168) % 168
WAVE = 2 + np.sin(np.arange(168) / 24 * 2 * np.pi)


def week(shape, sigma, seed=1):
    noise = np.random.default_rng(seed).lognormal(0, sigma, len(HOURS))
    return shrunken_week(100 * shape[HOURS] * noise, HOURS)[0] / 100


def missed(found, shape):
    return np.mean(np.abs(found / shape - 1))


def test_four_noisy_weeks_say_more_of_an_hour_with_those_beside_it():
    noise = np.random.default_rng(1).lognormal(0, 0.5, len(HOURS))

    assert missed(week(WAVE, 0.5), WAVE) < 0.5 * missed(medians(WAVE[HOURS] * noise, HOURS, 168), WAVE)


@pytest.mark.parametrize("busy", [[3], [8, 9, 17, 18]])
def test_an_hour_that_is_clearly_busier_than_those_beside_it_stays(busy):
    shape = np.where(np.isin(np.arange(168) % 24, busy), 10.0, 1.0)

    assert missed(week(shape, 0.1), shape) < 0.05


def test_weekends_have_a_day_of_their_own():
    weekend = np.arange(168) >= 120
    shape = np.where(weekend, np.roll(WAVE, 8), WAVE)

    assert missed(week(shape, 0.5)[weekend], shape[weekend]) < 0.25
    assert missed(week(shape, 0.5)[weekend], WAVE[weekend]) > 0.5


def test_a_day_unlike_the_others_of_its_kind_is_told_from_them():
    shape = np.where(np.arange(168) // 24 == 2, 0.3, 1.0) * WAVE

    assert missed(week(shape, 0.1), shape) < 0.06


def test_a_weekend_that_lies_elsewhere_is_found_hour_by_hour():
    friday_and_saturday = np.isin(np.arange(168) // 24, [4, 5])
    shape = np.where(friday_and_saturday, 0.4, 1.0) * WAVE

    assert missed(week(shape, 0.1), shape) < 0.06


@given(st.lists(st.floats(-5, 5), min_size=168, max_size=168), st.floats(0, 10), st.integers(0, 167))
def test_evening_keeps_the_mean_adds_no_swing_and_knows_no_first_hour(values, variance, turn):
    values, noise = np.array(values), np.full(168, variance)
    found = evened(values, noise)

    assert found.mean() == pytest.approx(values.mean(), abs=1e-9)
    assert np.ptp(found) <= np.ptp(values) + 1e-9
    np.testing.assert_allclose(evened(np.roll(values, turn), noise), np.roll(found, turn), atol=1e-9)


def test_without_noise_nothing_is_evened():
    assert np.array_equal(evened(WAVE, np.zeros(168)), WAVE)
