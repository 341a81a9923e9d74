"""Booking from the page: once for each wish, as the command line records it, and taken back by whoever booked."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from shipcast.dashboards.desk import Desk, Wish, is_present
from shipcast.scheduling.ledger.ledger import state_at
from shipcast.settings import Settings
from shipcast.settings.errors import StorageError, UsageError

START = datetime(2027, 2, 1, 9, tzinfo=UTC)
WISH = Wish("pay", "production", START, START + timedelta(minutes=45), purpose="release 2.4")


@pytest.fixture
def home(tmp_path):
    return Settings(home=tmp_path, who="ana")


def booked(home):
    return [(one.number, one.who, one.body.purpose) for one in state_at(home.home).bookings]


def test_two_clicks_at_once_are_one_booking(home):
    desk = Desk()
    with ThreadPoolExecutor(2) as clicks:
        list(clicks.map(lambda _: desk.book(home, WISH), range(2)))

    assert booked(home) == [(1, "ana", "release 2.4")]
    assert desk.refused is None


def test_another_viewer_is_refused_and_told_who_was_there_and_when_it_is_free(home):
    Desk().book(home, WISH)
    other = Desk()
    other.book(home, WISH)

    assert other.made is None
    assert "booking 1 by ana: pay to production" in other.refused.facts["conflicts"][0]["says"]
    assert other.refused.facts["free"][0] == "2027-02-01T09:45:00Z"
    assert len(booked(home)) == 1


def test_what_was_booked_is_taken_back_once_and_can_be_booked_again(home):
    desk = Desk()
    desk.book(home, WISH)
    desk.undo(home)
    desk.undo(home)
    assert booked(home) == []

    desk.book(home, WISH)
    assert booked(home) == [(3, "ana", "release 2.4")]


def test_what_somebody_else_took_back_can_be_booked_again(home):
    desk, other = Desk(), Desk()
    desk.book(home, WISH)
    other.made = desk.made
    other.undo(home)

    desk.book(home, WISH)

    assert [number for number, *_ in booked(home)] == [3]


def test_what_cannot_be_written_is_said_and_nothing_is_booked(home):
    (home.home / "ledger.lock").mkdir()
    desk = Desk()
    desk.book(home, WISH)

    assert isinstance(desk.refused, StorageError)
    assert desk.made is None


def test_what_no_entry_can_hold_is_no_booking():
    long = Wish("x" * 201, "production", START, START + timedelta(minutes=45))

    with pytest.raises(UsageError, match="service must have 1 to 200 characters"):
        long.booking()


def test_only_what_is_asked_about_now_is_present():
    now = datetime.now(UTC)

    assert is_present(now - timedelta(minutes=15))
    assert not is_present(now - timedelta(days=1))
