"""Public holidays in the load: towards a Sunday as far as the own ones went, and no guide to other days."""

import numpy as np
import polars as pl
import pytest

from shipcast.features.clock import hours_of_week
from shipcast.models.days_off import on_holidays, sunday_share
from shipcast.models.load import LoadModel

HOUR = np.timedelta64(1, "h")
CHRISTMAS = np.datetime64("2025-12-25T00:00", "us") + np.arange(24) * HOUR  # a Thursday
LONDON = "Europe/London"


def load(until, share, zone=LONDON, days=370, noise=0.0):
    """Weekdays of 1,000 requests an hour, weekends of 200; a holiday goes so far towards the weekend."""
    hours = np.datetime64(until, "us") - np.arange(days * 24, 0, -1) * HOUR
    weekend = hours_of_week(hours, zone) >= 5 * 24
    value = np.where(weekend, 200.0, 1000.0) - 800 * share * (on_holidays(hours, zone) & ~weekend)
    value *= np.random.default_rng(1).lognormal(0, noise, len(hours))
    rows = pl.DataFrame({"hour_at": hours, "requests": value, "hour_of_week": hours_of_week(hours, zone)})
    return rows.tail(16 * 168), rows.head(len(rows) - 16 * 168)


@pytest.mark.parametrize("share", [-0.5, 0.0, 0.5, 1.0])
def test_the_share_is_that_of_past_holidays_drawn_to_nothing(share):
    found = sunday_share(pl.concat(load("2025-12-22", share)), LONDON)

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

    assert LoadModel(LONDON).fit(recent).sunday_share_ == 0


def test_where_no_country_is_known_there_are_no_holidays():
    assert not on_holidays(CHRISTMAS, "UTC").any()
    assert on_holidays(CHRISTMAS, LONDON).all()
    assert LoadModel("UTC").fit(*load("2025-12-22", 1.0, "UTC")).sunday_share_ == 0


def test_a_holiday_on_a_sunday_is_a_sunday():
    assert not on_holidays(np.array(["2022-12-25T10:00"], dtype="datetime64[us]"), "America/New_York").any()


def test_a_week_without_requests_says_nothing():
    recent, earlier = load("2025-12-22", 1.0)
    nothing = pl.concat([earlier, recent]).with_columns(requests=pl.lit(0.0))

    assert sunday_share(nothing, LONDON) == 0
    assert sunday_share(nothing.head(0), LONDON) == 0


def test_noise_is_not_taken_for_a_holiday():
    shares = [sunday_share(pl.concat(load("2025-12-22", 0.0, noise=noise)), LONDON) for noise in (0.2, 0.5)]

    assert np.abs(shares).max() < 0.15
