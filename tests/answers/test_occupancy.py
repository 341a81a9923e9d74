"""How environments were used: what the page shows of it, and that it adds up to what `metrics` says."""

import shutil
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import AS_OF, PLACES, SINCE, UNUSED

from shipcast.answers.bookings import reserve_environment
from shipcast.answers.metrics import metrics
from shipcast.answers.occupancy import occupancy
from shipcast.answers.reading import open_reader
from shipcast.scheduling.ledger.entries import Reservation

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def home(built_once):
    return built_once("places", PLACES)


@pytest.fixture(scope="module")
def reader(home):
    with open_reader(home, AS_OF) as reader:
        yield reader


def spans(found, environment):
    return [(one.start - SINCE, one.end - SINCE) for one in found.uses if one.environment == environment]


def test_uses_that_overlap_are_one_and_the_last_goes_on_until_now(reader):
    found = occupancy(reader, None, SINCE, AS_OF)

    assert spans(found, "qa") == [(8 * HOUR, 80 * HOUR), (120 * HOUR, 216 * HOUR)]
    assert spans(found, "production") == [(106 * HOUR, 107.5 * HOUR), (204 * HOUR, 205.5 * HOUR)]
    assert spans(found, UNUSED) == []


def test_it_says_how_long_they_stood_idle_and_what_of_that_cost_is_known(reader):
    found = occupancy(reader, None, SINCE, AS_OF)

    assert found.sentence == (
        "2 environments beside production stood idle for 61 % of the time from 1 May 2025 to 9 May 2025, 264 hours "
        f"that cost 96 in the 1 whose cost is known; the longest spell was 9.0 days in {UNUSED}."
    )
    assert [(one.environment, one.idle_hours, one.cost) for one in found.environments] == [
        (UNUSED, 216, None),
        ("production", 213, 2130),
        ("qa", 48, 96),
    ]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 8 * 24), st.integers(1, 12 * 24), st.integers(0, 9 * 24))
def test_use_and_idle_time_make_up_the_period_and_are_what_metrics_says(home, first, length, asked):
    since, as_of = SINCE + first * HOUR, SINCE + (first + 1 + asked) * HOUR
    until = since + length * HOUR
    with open_reader(home, as_of) as reader:
        found = occupancy(reader, None, since, until)
        told = metrics(reader, metric="environment_idle_hours", by="environment", period_from=since, period_to=until)

    idle = {item.environment: item.value for item in told.items}
    for one in found.environments:
        used = sum(((use.end - use.start) / HOUR for use in found.uses if use.environment == one.environment), 0.0)
        assert used + one.idle_hours == pytest.approx((min(until, as_of) - since) / HOUR)
        assert one.idle_hours == idle[one.environment]


def test_what_is_later_than_the_question_is_not_in_it(home):
    with open_reader(home, SINCE + 10 * HOUR) as reader:
        found = occupancy(reader, "qa", SINCE, AS_OF)

    assert spans(found, "qa") == [(8 * HOUR, 10 * HOUR)]


def test_a_period_that_no_record_is_of_is_not_called_idle(home):
    with open_reader(home, AS_OF + timedelta(days=60)) as reader:
        found = occupancy(reader, None, AS_OF + timedelta(days=30), AS_OF + timedelta(days=60))

    assert not found.is_known
    assert found.sentence == "Nothing is known of environments since 9 Jun 2025; the newest record is 60 days old."


def test_a_reservation_that_holds_is_shown_with_whose_it_is(home, tmp_path):
    copy = home.model_copy(update={"home": tmp_path / "home"})
    shutil.copytree(home.home, copy.home)
    start = (AS_OF + timedelta(days=500)).replace(tzinfo=None)
    wanted = Reservation(environment="qa", start=start, end=start + HOUR, team="ops", purpose="an audit")
    made = reserve_environment(copy, AS_OF, "ana", wanted)
    with open_reader(copy, made.generated_at + HOUR) as reader:
        [found] = occupancy(reader).reserved

    assert (found.environment, found.team, found.purpose, found.who) == ("qa", "ops", "an audit", "ana")
