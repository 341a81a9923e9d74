"""An hourly series is made fit to learn from: gaps, bursts and shifts of level are mended, and nothing else is."""

import numpy as np
import pytest

from shipcast.models.hours import cleaned, filled, medians, rebased, without_bursts

WEEKS = 8
HOURS = np.arange(WEEKS * 168) % 168
WEEK = 1000 * (2 + np.sin(HOURS / 24 * 2 * np.pi)) * np.where(HOURS < 120, 1.0, 0.7)


@pytest.fixture
def noisy():
    return WEEK * np.random.default_rng(1).lognormal(0, 0.05, len(WEEK))


def test_a_gap_takes_the_week_before_or_after():
    holed = WEEK.copy()
    holed[:3] = holed[500:530] = np.nan

    assert filled(holed, HOURS) == pytest.approx(WEEK)


def test_an_hour_of_the_week_that_was_never_measured_takes_its_hour_of_the_day():
    flat = np.where(HOURS % 24 == 5, 10.0, 50.0)
    flat[HOURS == 29] = np.nan

    assert filled(flat, HOURS)[HOURS == 29] == pytest.approx(10.0)


def test_a_burst_is_cut_and_an_ordinary_hour_is_not(noisy):
    burst = noisy.copy()
    burst[700:704] *= 30

    assert np.max(without_bursts(burst, HOURS)[700:704] / noisy[700:704]) < 2
    assert np.mean(without_bursts(noisy, HOURS) == noisy) > 0.97


@pytest.mark.parametrize("days", [3, 7, 20])
@pytest.mark.parametrize("factor", [0.3, 2.2])
def test_what_lies_before_a_shift_is_brought_to_the_level_after(noisy, days, factor):
    shifted = noisy.copy()
    shifted[-24 * days :] *= factor

    assert rebased(shifted).mean() == pytest.approx(factor * noisy.mean(), rel=0.05)
    assert np.array_equal(rebased(shifted)[-24 * days :], shifted[-24 * days :])


@pytest.mark.parametrize("series", ["steady", "a weekend", "a slow rise"])
def test_what_is_no_shift_is_left_alone(noisy, series):
    values = {
        "steady": noisy,
        "a weekend": noisy * np.where(HOURS < 120, 1.0, 0.2),
        "a slow rise": noisy * np.linspace(1, 1.5, len(noisy)),
    }[series]

    assert np.array_equal(rebased(values), values)


def test_nights_without_any_request_and_a_day_without_any_break_nothing(noisy):
    values = np.where(HOURS % 24 < 6, 0.0, noisy)
    values[240:264] = 0.0

    assert np.all(np.isfinite(cleaned(values, HOURS)))
    assert np.all(cleaned(values, HOURS)[HOURS % 24 < 6] == 0)


def test_medians_are_numpys():
    rng = np.random.default_rng(3)
    values, cells = rng.normal(size=200), rng.integers(0, 9, 200)
    values[rng.integers(0, 200, 20)] = np.nan

    expected = [np.nanmedian(values[cells == cell]) for cell in range(9)] + [np.nan]
    np.testing.assert_allclose(medians(values, cells, 10), expected)
