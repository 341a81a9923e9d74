"""Load by local hour of the week: what is there is kept, what is noise is not."""

import numpy as np
import polars as pl
import pytest

from shipcast.features.clock import hours_of_week
from shipcast.models.load import LoadModel

HOUR = np.timedelta64(1, "h")


def series(days, value, zone="UTC", until="2025-12-01"):
    """Hourly load of the days before; `value` gives it by local hour of the week and number of the hour."""
    hours = np.datetime64(until, "us") - np.arange(days * 24, 0, -1) * HOUR
    local = hours_of_week(hours, zone)
    return pl.DataFrame({"hour_at": hours, "requests": value(local, np.arange(len(hours))), "hour_of_week": local})


def week(model):
    return model.predict(np.datetime64("2025-12-01", "us") + np.arange(168) * HOUR)


def test_a_clean_week_comes_back():
    load = LoadModel("UTC").fit(series(56, lambda local, _: 100.0 + local))

    assert week(load) == pytest.approx(100.0 + np.arange(168), rel=0.02)


def test_noise_makes_no_quiet_hours():
    rng = np.random.default_rng(1)
    measured = series(56, lambda local, _: 100 * rng.lognormal(0, 0.3, len(local)))
    medians = measured.group_by("hour_of_week").agg(pl.median("requests"))["requests"]

    assert np.ptp(week(LoadModel("UTC").fit(measured))) < 0.25 * np.ptp(medians.to_numpy())


def test_a_burst_does_not_count_as_usual():
    calm, burst = (
        LoadModel("UTC").fit(series(56, lambda _, place, factor=factor: np.where(place == 700, factor, 1.0) * 100))
        for factor in (1, 50)
    )

    assert week(burst) == pytest.approx(week(calm), rel=0.05)


def test_nights_without_any_request_are_near_nothing():
    load = LoadModel("UTC").fit(series(56, lambda local, _: np.where(local % 24 < 6, 0.0, 1000.0)))

    assert np.all(week(load)[:5] < 10)
    assert np.all(week(load) >= 0)


def test_the_week_follows_the_zone_when_the_clocks_change():
    load = LoadModel("Europe/London").fit(
        series(56, lambda local, _: np.where(local % 24 == 9, 1000.0, 10.0), "Europe/London", "2025-03-24")
    )
    winter, summer = (np.array([f"2025-{day}"], dtype="datetime64[us]") for day in ("03-28T09:30", "03-31T08:30"))

    assert load.predict(winter) == pytest.approx(load.predict(summer))
    assert load.predict(winter)[0] > 500


def test_a_short_series_knows_the_hour_of_the_day_only():
    load = LoadModel("UTC").fit(series(10, lambda local, _: 100.0 + local % 24))

    assert load.is_short
    assert week(load)[:24] == pytest.approx(week(load)[5 * 24 : 6 * 24])


@pytest.mark.parametrize("days", [0, 1])
def test_none_or_nothing_but_zeros_is_not_known(days):
    assert LoadModel("UTC").fit(series(days, lambda local, _: np.zeros(len(local)))).is_known is False


def test_draws_lie_about_the_prediction_and_widen_with_noise():
    rng = np.random.default_rng(2)
    shape = 1 + np.sin(np.arange(168) / 168 * 2 * np.pi) ** 2
    starts = np.datetime64("2025-12-01", "us") + np.arange(168) * HOUR
    quiet, noisy = (
        LoadModel("UTC")
        .fit(series(56, lambda local, _, sigma=sigma: 100 * shape[local] * rng.lognormal(0, sigma, len(local))))
        .draws(starts)
        for sigma in (0.05, 0.5)
    )

    assert quiet.mean() == pytest.approx(1, abs=0.02)
    assert noisy.std() > 2 * quiet.std()


def test_twice_the_load_is_twice_the_prediction():
    once, twice = (LoadModel("UTC").fit(series(30, lambda local, _, k=k: k * (50.0 + local % 24))) for k in (1, 2))

    assert week(twice) == pytest.approx(2 * week(once))
