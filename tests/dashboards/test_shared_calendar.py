"""The calendar page: the week's answer, every conflict with its parties, and the three kinds of nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from company import CUT
from drawing import drawn, empties, headline, is_broken, words

from shipcast.answers.bookings import add_freeze, reserve
from shipcast.scheduling.calendar.rules import Freeze
from shipcast.scheduling.ledger.entries import Booking

START = datetime(2027, 2, 1, 9, tzinfo=UTC)
WEEK = {"week": "The week of a day", "day": "2027-02-03"}


def book(home, service, purpose=""):
    wanted = Booking(service=service, start=START, end=START + timedelta(hours=1), purpose=purpose)
    reserve(home, datetime.now(UTC), "ana", wanted)


def test_without_a_calendar_and_bookings_it_says_how_to_begin(page_home):
    page = drawn(page_home, "calendar", CUT)

    assert headline(page) == "0 bookings and 0 freezes lie in the week from Mon 2 Jun 2025; no calendar is kept."
    assert "unknown" in empties(page)
    assert "calendar.toml" in words(page)
    assert 'id = "year-end"' in words(page)


@pytest.mark.parametrize(
    ("as_of", "zone", "monday", "has_moved"),
    [
        ("2025-06-07T11:59Z", "UTC", "2 Jun", False),
        ("2025-06-07T12:00Z", "UTC", "9 Jun", True),
        ("2025-06-07T11:59Z", "Asia/Tokyo", "9 Jun", True),
        ("2025-06-08T23:00Z", "America/New_York", "9 Jun", True),
        ("2025-06-08T23:00Z", "Asia/Tokyo", "9 Jun", False),
    ],
)
def test_from_saturday_noon_of_the_zone_shown_it_opens_on_the_coming_week(page_home, as_of, zone, monday, has_moved):
    page = drawn(page_home, "calendar", as_of=as_of, zone=zone)

    assert f"the week from Mon {monday} 2025" in headline(page)
    assert ("this week is all but over" in words(page)) == has_moved


def test_on_a_sunday_the_list_has_the_week_that_ends_and_the_page_says_what_is_left_of_it(own_home):
    sunday = datetime(2040, 2, 5, 9, tzinfo=UTC)
    left = Booking(service="web", start=sunday + timedelta(hours=12), end=sunday + timedelta(hours=13))
    reserve(own_home, datetime.now(UTC), "ana", left)
    opened = drawn(own_home, "calendar", sunday)
    restored = drawn(own_home, "calendar", sunday, week="This week")

    assert "since this week is all but over, though 1 booking of it is still to come" in words(opened)
    assert headline(opened).startswith("0 bookings and 0 freezes lie in the week from Mon 6 Feb 2040")
    assert headline(restored).startswith("1 booking and 0 freezes lie in the week from Mon 30 Jan 2040")
    assert "all but over" not in words(restored)


def test_the_week_of_the_address_names_its_bookings_and_all_parties_of_a_conflict(own_home):
    book(own_home, "pay", "<script>x</script> *y*")
    wanted = Freeze(id="audit", start="2027-02-01", end="2027-02-02", tz="UTC", reason="the auditors")
    add_freeze(own_home, datetime.now(UTC), "cy", wanted)
    page = drawn(own_home, "calendar", **WEEK)

    assert not is_broken(page), words(page)
    assert headline(page) == "1 booking and 1 freeze lie in the week from Mon 1 Feb 2027; 1 conflict."
    said = (
        "booking 1 by ana: pay to production (<script>x</script> *y*), Mon 1 Feb 2027 09:00 to 10:00: audit blocks it"
    )
    assert said in words(page)
    assert "freeze 2 by cy: audit, all (the auditors)" in words(page)


def test_what_the_filters_leave_out_is_not_said_to_be_nothing(own_home):
    book(own_home, "pay")
    page = drawn(own_home, "calendar", service="web", **WEEK)

    assert "filtered" in empties(page)
    assert not is_broken(page)


def test_a_calendar_that_cannot_be_read_says_where_and_hides_no_more(own_home):
    (own_home.home / "calendar.toml").write_text("[[freeze]]\nid = 3\n")
    page = drawn(own_home, "calendar", **WEEK)

    assert not page.exception
    assert headline(page) == "The calendar of the week of Wed 3 Feb 2027 cannot be read."
    assert "calendar.toml" in words(page)
