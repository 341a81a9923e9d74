"""How long an interval of load is, where a series changes that: by what was known, and by nothing that came later."""

import random
from datetime import datetime, timedelta

import pytest
from replay import World, only

from shipcast.settings import Settings

START, END = datetime.fromisoformat("2024-05-01"), datetime.fromisoformat("2026-01-01")
HOUR, FIVE = 60, 5
CHANGES = [*[HOUR] * 30, *[FIVE] * 40, *[HOUR] * 12, *[24 * HOUR] * 5, *[HOUR] * 8]
HOURLY = "select * from marts.fct_load_hourly where known_at <= ? order by all"


def rows_of(minutes, value=None, start=START, service="pay"):
    """A series whose intervals are as long as given; a request a minute, or the same number in each."""
    starts = [start + timedelta(minutes=sum(minutes[:number])) for number in range(len(minutes))]
    return [
        {"service": service, "observed_at": at, "value": float(length if value is None else value)}
        for at, length in zip(starts, minutes, strict=True)
    ]


def drawn(seed):
    """A series that changes its intervals now and then, and lacks rows."""
    draw = random.Random(seed)
    minutes = [length for _ in range(4) for length in [draw.choice([1, 5, 17, 60, 180])] * draw.randrange(12)]
    rows = rows_of(minutes, service=f"s{seed}", start=START + timedelta(minutes=draw.randrange(90)))
    return [row for row in rows if draw.random() < 0.9]


def world_of(statements, rows):
    world = World(Settings())
    world.fill({"load": rows})
    world.build(statements)
    return world


def known(world, at=END):
    """The hours that are known at an instant."""
    return world.connection.execute(HOURLY, [at]).fetchall()


def requests(statements, rows):
    """(hour since START, requests, minutes covered) of each hour."""
    return [
        ((hour_at - START) / timedelta(hours=1), requests, covered)
        for _, _, _, hour_at, requests, _, covered, _ in known(world_of(statements, rows))
    ]


SERIES = [*rows_of(CHANGES), *(row for seed in range(60) for row in drawn(seed))]


@pytest.fixture(scope="module")
def hourly(full_build):
    """The statements that build the hours."""
    return only(full_build, "fct_load_hourly")


@pytest.fixture(scope="module")
def whole(full_build):
    """The world in which all is known."""
    return world_of(full_build, SERIES)


@pytest.mark.parametrize("hours", [1, 2, 5.5, 11, 30, 30.25, 31, 33.5, 36, 50, 175.25])
def test_what_was_known_of_load_by_an_instant_rests_on_no_later_row(whole, hourly, hours):
    at = START + timedelta(hours=hours)
    cut = world_of(hourly, [row for row in SERIES if row["observed_at"] < at])

    assert known(whole, at) == known(cut, at)


def test_hours_before_and_after_an_hourly_series_takes_to_five_minutes_are_right(hourly):
    found = requests(hourly, [*rows_of([HOUR] * 10, 120), *rows_of([FIVE] * 36, 20, START + timedelta(hours=10))])

    # 120 in each hour, then 12 times 20
    assert found == [(hour, 120, 60) for hour in range(10)] + [(hour, 240, 60) for hour in range(10, 13)]


def test_a_series_that_takes_from_five_minutes_to_hours_is_right_from_its_fourth_hour_on(hourly):
    found = requests(hourly, [*rows_of([FIVE] * 36, 20), *rows_of([HOUR] * 8, 120, START + timedelta(hours=3))])

    # until then nothing tells an hour's 120 from the 120 of five minutes whose eleven followers are missing
    assert found == [
        *((hour, 240, 60) for hour in range(3)),
        *((hour, 12 * 120, 5) for hour in range(3, 6)),
        *((hour, 120, 60) for hour in range(6, 11)),
    ]


def test_the_first_day_of_a_daily_series_is_a_day_and_known_with_the_second(hourly):
    days = world_of(hourly, rows_of([24 * HOUR] * 3, 240))

    assert {requests for _, _, _, _, requests, *_ in known(days)} == {10}
    assert [len(known(days, START + timedelta(hours=hours))) for hours in (47, 48, 72)] == [0, 48, 72]


@pytest.mark.parametrize(
    "minutes",
    [
        pytest.param([5, 5, 5, 10, 5, 15, 5, 5, 5, 10, 5, 5], id="missing_rows"),
        pytest.param([5, 5, 5, 5, 7 * 1440, 5, 5, 5, 5], id="a_week_without"),
        pytest.param([5, 5, 5, 5, 5, 0.05, 4.95, 5, 5, 5], id="a_stray_row"),
    ],
)
def test_what_is_missing_or_astray_changes_no_interval(hourly, minutes):
    rows = [{**row, "value": 10 * min(row["value"], 5)} for row in rows_of(minutes)]

    assert {requests for _, requests, _ in requests(hourly, rows)} == {600}
