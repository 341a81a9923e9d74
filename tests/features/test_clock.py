"""Local hours of the week, through the weeks in which the clocks change."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipcast.features.clock import hour_of_week_in, hours_of_week, is_zone

HOUR = np.timedelta64(1, "h")


def day(text, hours=24):
    """The UTC hours from an instant on."""
    return np.datetime64(text, "us") + np.arange(hours) * HOUR


def test_monday_midnight_in_the_zone_is_hour_0():
    assert hours_of_week(day("2025-12-14T15:00", 1), "Asia/Tokyo").tolist() == [0]


def test_a_sunday_in_spring_has_no_second_hour():
    local = hours_of_week(day("2025-03-30T00:00", 23), "Europe/London") - 6 * 24

    assert local.tolist() == [0, *range(2, 24)]


def test_a_sunday_in_autumn_has_its_second_hour_twice():
    local = hours_of_week(day("2025-10-25T23:00", 25), "Europe/London") - 6 * 24

    assert local.tolist() == [0, 1, 1, *range(2, 24)]


def test_half_hour_zones_turn_their_hour_at_half_past():
    starts = np.array(["2025-06-02T18:15", "2025-06-02T18:30"], dtype="datetime64[us]")

    assert hours_of_week(starts, "Asia/Kolkata").tolist() == [23, 24]


@given(
    st.datetimes(min_value=datetime.fromisoformat("2000-01-01"), max_value=datetime.fromisoformat("2040-01-01")),
    st.sampled_from(["UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_the_hour_is_the_one_that_the_standard_library_reads(moment, zone):
    local = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))

    assert hours_of_week(np.array([np.datetime64(moment, "us")]), zone).tolist() == [local.weekday() * 24 + local.hour]


def test_every_row_is_read_on_its_own_clock():
    frame = pl.DataFrame({"zone": ["UTC", "Asia/Tokyo", "UTC"], "at": [datetime.fromisoformat("2025-12-15T09:00")] * 3})

    hours = frame.select(hour_of_week_in(pl.col("at"), pl.col("zone"), {"UTC", "Asia/Tokyo"})).to_series()

    assert hours.to_list() == [9, 18, 9]


@pytest.mark.parametrize(("name", "known"), [("Europe/London", True), ("Mars/Phobos", False), ("", False)])
def test_a_zone_is_known_or_not(name, known):
    assert is_zone(name) is known
