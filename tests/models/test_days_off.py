"""Public holidays in the load: towards a Sunday as far as the own ones went, and no guide to other days."""

import numpy as np
import polars as pl
import pytest

from shipcast.features.clock import hours_of_week
from shipcast.models.days_off import UNSEEN, SundayShare, on_holidays, shared, sunday_share
from shipcast.models.load import LoadModel

HOUR = np.timedelta64(1, "h")
CHRISTMAS = np.datetime64("2025-12-25T00:00", "us") + np.arange(24) * HOUR  # a Thursday
LONDON = "Europe/London"


def load(until, share, zone=LONDON, days=370, noise=0.0, scatter=0.0, seed=1):
    """Weekdays of 1,000 requests an hour, weekends of 200; a holiday goes so far towards the weekend, give or take."""
    hours = np.datetime64(until, "us") - np.arange(days * 24, 0, -1) * HOUR
    weekend = hours_of_week(hours, zone) >= 5 * 24
    rng = np.random.default_rng(seed)
    shares = rng.normal(share, scatter, days + 1)[np.arange(len(hours)) // 24]
    value = np.where(weekend, 200.0, 1000.0) - 800 * shares * (on_holidays(hours, zone) & ~weekend)
    value = np.maximum(value, 0) * rng.lognormal(0, noise, len(hours))
    rows = pl.DataFrame({"hour_at": hours, "requests": value, "hour_of_week": hours_of_week(hours, zone)})
    return rows.tail(16 * 168), rows.head(len(rows) - 16 * 168)


@pytest.mark.parametrize("share", [-0.5, 0.0, 0.5, 1.0])
def test_the_share_is_that_of_past_holidays_drawn_to_nothing(share):
    found = sunday_share(pl.concat(load("2025-12-22", share)), LONDON).mean

    assert found == pytest.approx(share, abs=0.12)
    assert abs(found) <= abs(share)


@pytest.mark.parametrize(("share", "expected"), [(1.0, 200), (0.0, 1000)])
def test_christmas_is_as_quiet_as_the_holidays_before_it_were(share, expected):
    model = LoadModel(LONDON).fit(*load("2025-12-22", share))

    assert model.predict(CHRISTMAS) == pytest.approx(np.full(24, expected), abs=100)
    assert model.predict(CHRISTMAS - 24 * HOUR) == pytest.approx(np.full(24, 1000), rel=0.02)


def test_the_weeks_after_it_are_not_taken_for_quiet():
    model = LoadModel(LONDON).fit(*load("2026-01-02", 1.0))  # Christmas, Boxing Day and New Year's Day just passed

    assert model.predict(CHRISTMAS + 14 * 24 * HOUR) == pytest.approx(np.full(24, 1000), rel=0.05)


def test_without_a_year_before_nothing_is_known_of_holidays_that_have_not_come():
    recent, _ = load("2025-12-22", 1.0)  # since the first of September, in which London has no holiday

    assert LoadModel(LONDON).fit(recent).sunday_share_.mean == 0


def test_where_no_country_is_known_there_are_no_holidays():
    assert not on_holidays(CHRISTMAS, "UTC").any()
    assert on_holidays(CHRISTMAS, LONDON).all()
    assert LoadModel("UTC").fit(*load("2025-12-22", 1.0, "UTC")).sunday_share_.mean == 0


def test_a_holiday_on_a_sunday_is_a_sunday():
    assert not on_holidays(np.array(["2022-12-25T10:00"], dtype="datetime64[us]"), "America/New_York").any()


def test_a_week_without_requests_says_nothing():
    recent, earlier = load("2025-12-22", 1.0)
    nothing = pl.concat([earlier, recent]).with_columns(requests=pl.lit(0.0))

    assert sunday_share(nothing, LONDON) == sunday_share(nothing.head(0), LONDON) == SundayShare(0.0, UNSEEN)


def test_noise_is_not_taken_for_a_holiday():
    shares = [sunday_share(pl.concat(load("2025-12-22", 0.0, noise=noise)), LONDON).mean for noise in (0.2, 0.5)]

    assert np.abs(shares).max() < 0.15


def test_the_doubt_is_how_far_single_holidays_lay_from_their_mean():
    """Three holidays of two hours that went 0, 1 and 2 tenths of the way; the mean is 6 of 3.5 by 20, in tenths."""
    moved, days = np.full(6, -100.0), np.repeat([0, 24, 48], 2)
    found = shared(moved, moved * np.repeat([0.0, 0.1, 0.2], 2), days)
    mean = 6 * 1000 / (6 * 10_000 + 0.5 * 24 * 10_000)
    variance = (mean**2 + (0.1 - mean) ** 2 + (0.2 - mean) ** 2 + 0.5 * 0.5**2) / 3.5 * (1 + 1 / 3.5)

    assert (found.mean, found.doubt) == pytest.approx((mean, np.sqrt(variance)))


def test_intervals_are_wider_on_a_holiday_the_more_holidays_differ_and_on_no_other_day():
    models = [LoadModel(LONDON).fit(*load("2025-12-22", 0.5, noise=0.1, scatter=scatter)) for scatter in (0, 0.5)]
    widths = [np.diff(model.quantiles(CHRISTMAS)[:, [0, 4]]).mean() for model in models]
    model, others = models[1], CHRISTMAS - 24 * HOUR
    before = model.quantiles(others), model.draws(others)
    scatter = model.draws(CHRISTMAS).std()
    model.sunday_share_ = SundayShare(model.sunday_share_.mean, 0.0)

    assert widths[1] > 1.3 * widths[0] > 1.3 * np.diff(model.quantiles(CHRISTMAS)[:, [0, 4]]).mean()
    assert scatter > 1.5 * model.draws(CHRISTMAS).std()
    assert np.array_equal(model.quantiles(others), before[0])
    assert np.array_equal(model.draws(others), before[1])


def test_intervals_hold_more_of_what_holidays_of_many_kinds_bring():
    held = []
    for seed in range(8):
        coming, past = load("2025-12-28", 0.6, noise=0.1, scatter=0.5, seed=seed)
        known, actual = coming.filter(pl.col("hour_at") < CHRISTMAS[0]), coming["requests"].to_numpy()
        model = LoadModel(LONDON).fit(known, past)
        for days in (CHRISTMAS, CHRISTMAS + 24 * HOUR):
            came, share = actual[np.isin(coming["hour_at"].to_numpy(), days)], model.sunday_share_
            with_doubt = model.quantiles(days)
            model.sunday_share_ = SundayShare(share.mean, 0.0)
            quantiles = (with_doubt, model.quantiles(days))
            model.sunday_share_ = share
            held.append([((one[:, 0] <= came) & (came <= one[:, 4])).mean() for one in quantiles])
    with_doubt, without = np.mean(held, axis=0)

    assert without + 0.2 < with_doubt
    assert 0.6 < with_doubt < 0.98
