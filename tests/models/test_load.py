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
    load = LoadModel("UTC").fit(series(days, lambda local, _: np.zeros(len(local))))

    assert (load.is_known, load.is_zero) == (False, days > 0)


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


def ahead(hours):
    return np.datetime64("2025-12-01", "us") + np.arange(hours) * HOUR


def wave(local):
    return 1000 * (2 + np.sin(local / 24 * 2 * np.pi)) * np.where(local < 120, 1.0, 0.7)


def error(model, truth):
    """Mean absolute error of the week ahead, as a share of what was to be forecast."""
    return np.mean(np.abs(model.predict(ahead(168)) - truth)) / np.mean(truth)


def test_a_level_that_shifted_a_week_ago_is_followed():
    rng = np.random.default_rng(4)
    shifted = series(
        56, lambda local, place: wave(local) * np.where(place >= 49 * 24, 2.2, 1) * rng.lognormal(0, 0.05, len(local))
    )

    assert error(LoadModel("UTC").fit(shifted), 2.2 * wave(np.arange(168))) < 0.1


def test_a_series_that_doubles_every_ten_days_does_not_explode():
    growing = series(56, lambda local, place: wave(local) * 2 ** (place / 240))
    last = growing["requests"][-4 * 168 :].to_numpy()

    assert np.max(LoadModel("UTC").fit(growing).quantiles(ahead(168))[:, 2]) <= last.max() + np.ptp(last) / 2


def test_gaps_and_nights_of_zeros_leave_a_forecast_for_every_hour():
    load = series(56, lambda local, _: np.where(local % 24 < 6, 0.0, wave(local)))
    holed = load.filter(~pl.int_range(pl.len()).is_between(900, 1250))
    quantiles = LoadModel("UTC").fit(holed).quantiles(ahead(168))

    assert np.all(np.isfinite(quantiles))
    assert np.all(quantiles >= 0)
    assert np.all(quantiles[:6, 2] < 50)


def test_quantiles_hold_what_they_say_of_weeks_that_they_never_saw():
    rng = np.random.default_rng(5)
    inside = {50: [], 90: []}
    for _ in range(30):
        level = np.cumsum(rng.normal(0, 0.004, 63 * 24))
        truth = wave(np.arange(63 * 24) % 168) * np.exp(level + rng.normal(0, 0.1, 63 * 24))
        known, coming = truth[: 56 * 24], truth[56 * 24 :]
        low, lower, _, upper, high = (
            LoadModel("UTC").fit(series(56, lambda _, place, y=known: y[place])).quantiles(ahead(168)).T
        )
        inside[50].append(np.mean((coming >= lower) & (coming <= upper)))
        inside[90].append(np.mean((coming >= low) & (coming <= high)))

    assert 0.4 < np.mean(inside[50]) < 0.6
    assert 0.84 < np.mean(inside[90]) < 0.96


def test_each_plain_forecast_counts_by_its_errors():
    load = LoadModel("UTC").fit(series(56, lambda local, place: wave(local) * (1 + place / 1344)))

    assert sum(load.weights_.values()) == pytest.approx(1)
    followed = min(load.weights_["autoregression"], load.weights_["week corrected by weeks"])
    assert load.weights_["repeating week"] < followed


def test_where_the_week_repeats_with_bursts_it_is_told_better_than_by_its_medians():
    rng = np.random.default_rng(10)
    ratios = []
    for _ in range(10):
        bursts = np.where(rng.random(42 * 24) < 0.02, rng.uniform(5, 50, 42 * 24), 1.0)
        noise = rng.lognormal(0, 0.6, 42 * 24) * bursts
        bursty = series(42, lambda local, _, noise=noise: wave(local) * noise)
        medians = bursty.group_by("hour_of_week").agg(pl.median("requests")).sort("hour_of_week")["requests"].to_numpy()
        plain = np.mean(np.abs(medians - wave(np.arange(168)))) / np.mean(wave(np.arange(168)))
        ratios.append(error(LoadModel("UTC").fit(bursty), wave(np.arange(168))) / plain)

    assert np.mean(ratios) < 0.7


def test_a_week_that_drifts_is_followed():
    rng = np.random.default_rng(11)
    drift = 0.5 * np.sin(np.arange(70 * 24) / (21 * 24) * 2 * np.pi)
    truth = wave(np.arange(70 * 24) % 168) * np.exp(drift + rng.normal(0, 0.05, 70 * 24))
    known, coming = truth[:-168], truth[-168:]

    def plain(last):
        return np.median(known[-last * 168 :].reshape(last, 168), axis=0)

    load = LoadModel("UTC").fit(series(63, lambda _, place: known[place]))
    assert error(load, coming) < 0.7 * np.mean(np.abs(plain(8) - coming)) / np.mean(coming)


@pytest.mark.parametrize(("days", "is_weighted"), [(20, False), (21, True)])
def test_a_series_of_less_than_three_weeks_is_not_followed(days, is_weighted):
    load = LoadModel("UTC").fit(series(days, lambda local, _: wave(local)))

    assert bool(load.weights_) is is_weighted
    assert error(load, wave(np.arange(168))) < 0.05


def test_a_series_that_is_mostly_gaps_is_not_followed():
    sparse = series(112, lambda local, _: wave(local)).filter(pl.int_range(pl.len()) % 4 == 0)

    assert LoadModel("UTC").fit(sparse).weights_ == {}


def test_past_a_week_ahead_the_forecast_week_repeats():
    load = LoadModel("UTC").fit(series(56, lambda local, _: wave(local)))
    weeks = load.predict(ahead(3 * 168)).reshape(3, 168)

    assert np.array_equal(weeks[1], weeks[0])
    assert np.array_equal(weeks[2], weeks[0])


def test_the_order_of_the_rows_changes_nothing():
    rng = np.random.default_rng(6)
    load = series(56, lambda local, _: wave(local) * rng.lognormal(0, 0.2, len(local)))

    shuffled = load.sample(fraction=1, shuffle=True, seed=1)
    once, again = (LoadModel("UTC").fit(rows).quantiles(ahead(168)) for rows in (load, shuffled))

    assert np.array_equal(once, again)


@pytest.mark.parametrize("factor", [0.0, 0.1, 0.4, 5.0])
def test_two_days_apart_that_are_over_do_not_become_the_forecast(factor):
    rng = np.random.default_rng(7)
    holiday = series(
        56,
        lambda local, place: (
            wave(local)
            * np.where((place >= 53 * 24) & (place < 55 * 24), factor, 1)
            * rng.lognormal(0, 0.05, len(local))
        ),
    )

    assert error(LoadModel("UTC").fit(holiday), wave(np.arange(168))) < 0.15


@pytest.mark.parametrize("days", [9, 25])
def test_a_service_that_was_silent_before_has_a_forecast(days):
    silent = series(40, lambda local, place: np.where(place < (40 - days) * 24, 0.0, wave(local)))

    assert np.all(np.isfinite(LoadModel("UTC").fit(silent).quantiles(ahead(168))))


@pytest.mark.parametrize("until", ["2025-03-28", "2025-10-24"])
def test_no_hour_is_lost_where_the_clocks_change_in_the_week_ahead(until):
    load = LoadModel("Europe/London").fit(series(56, lambda local, _: wave(local), "Europe/London", until))
    coming = np.datetime64(until, "us") + np.arange(5 * 168) * HOUR

    assert load.predict(coming).min() > 0.8 * wave(np.arange(168)).min()


def test_the_busy_hour_of_a_batch_has_an_interval_of_its_own():
    rng = np.random.default_rng(9)
    batch = series(60, lambda local, _: np.where(local % 24 == 3, 1e6 * rng.lognormal(0, 0.1, len(local)), 0.0))
    low, lower, middle, upper, high = LoadModel("UTC").fit(batch).quantiles(ahead(24))[3]

    assert 0.7e6 < low < lower < middle < upper < high < 1.5e6


def test_a_bias_of_the_past_does_not_move_the_median():
    growing = LoadModel("UTC").fit(series(112, lambda local, place: wave(local) * 1.05 ** (place / 24)))
    quantiles = growing.quantiles(ahead(168))

    assert np.array_equal(quantiles[:, 2], growing.predict(ahead(168)))
    assert np.all(np.diff(quantiles, axis=1) >= 0)


def test_a_few_hours_after_a_long_hole_are_not_all_there_is():
    holed = series(112, lambda local, _: wave(local)).filter(~pl.int_range(pl.len()).is_between(2180, 2685))
    load = LoadModel("UTC").fit(holed)

    assert load.weights_ == {}
    assert error(load, wave(np.arange(168))) < 0.05


def test_little_is_said_with_little_certainty():
    one_day = LoadModel("UTC").fit(series(1, lambda local, _: wave(local))).quantiles(ahead(24))

    assert np.all(one_day[:, 4] - one_day[:, 0] > one_day[:, 2].mean())
