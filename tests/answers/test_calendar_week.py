"""A week of the calendar: what is booked and in force, what each service is shut by, and what stands against it."""

import shutil
from datetime import UTC, date, datetime, timedelta

import pytest
from company import COMPANY

from shipcast.answers.bookings import add_freeze, reserve, reserve_environment
from shipcast.answers.calendar_week import bookings_between, calendar_week, week_of
from shipcast.answers.reading import open_reader
from shipcast.scheduling.calendar.rules import Freeze
from shipcast.scheduling.ledger.entries import Booking, Reservation
from shipcast.settings import Settings

MONDAY = date(2027, 2, 1)
NINE = datetime(2027, 2, 1, 9, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
CALENDAR = """
[[window]]
id = "evenings"
kind = "allow"
cron = "0 18 * * *"
minutes = 120
tz = "UTC"
scope = { service = ["web"] }

[[window]]
id = "lunch"
kind = "deny"
cron = "0 12 * * *"
minutes = 60
tz = "UTC"
effect = "approval"

[[cab]]
id = "board"
cron = "0 10 * * 2"
tz = "UTC"

[[capacity]]
id = "two"
scope = { environment = ["production"] }
concurrent = 2
"""


@pytest.fixture
def home(built_once, tmp_path):
    copy = shutil.copytree(built_once("page_company", COMPANY).home, tmp_path / "home")
    (copy / "calendar.toml").write_text(CALENDAR)
    return Settings(home=copy)


def book(home, service, start, hours=1.0, environment="production", override=None):
    wanted = Booking(service=service, environment=environment, start=start, end=start + hours * HOUR)
    return reserve(home, datetime.now(UTC), "ana", wanted, override=override)


def week(home, day=MONDAY, zone="UTC", **asked):
    with open_reader(home, datetime.now(UTC) + timedelta(seconds=2)) as reader:
        return calendar_week(reader, day=day, zone=zone, **asked)


def test_a_week_counts_its_bookings_freezes_reservations_and_conflicts(home):
    book(home, "pay", NINE)
    book(home, "web", NINE + 9.5 * HOUR)
    book(home, "pay", NINE + 7 * DAY)
    wanted = Freeze(id="audit", start="2027-02-01T09:30", end="2027-02-02", tz="UTC", scope={"service": "pay"})
    add_freeze(home, datetime.now(UTC), "cy", wanted)
    kept = Reservation(environment="production", start=NINE + 3 * DAY, end=NINE + 4 * DAY, purpose="move", team="shop")
    reserve_environment(home, datetime.now(UTC), "ben", kept)

    found = week(home)

    assert found.sentence == ("2 bookings, 1 freeze and 1 reservation lie in the week from Mon 1 Feb 2027; 1 conflict.")
    assert [(one.service, one.number, one.is_refused) for one in found.booked] == [("pay", 1, True), ("web", 2, False)]
    [conflict] = found.conflicts
    assert conflict.rule == "audit"
    assert {party.number for party in conflict.parties} == {1, 4}
    assert {one.kind for one in found.rules} == {"allow", "deny", "freeze", "reservation", "cab"}


def test_a_service_is_shut_outside_of_its_windows_and_may_be_let_go_at_lunch(home):
    [before, evening, *_] = week(home, service="web").shut

    assert (before.rule, before.needs_approval) == ("no-allow-window", False)
    assert (before.start, before.end) == (NINE - 9 * HOUR, NINE + 9 * HOUR)
    assert evening.start == NINE + 11 * HOUR
    lunch = week(home, service="pay").shut
    assert [(one.start, one.end) for one in lunch] == [
        (NINE + 3 * HOUR + day * DAY, NINE + 4 * HOUR + day * DAY) for day in range(7)
    ]
    assert {(one.rule, one.needs_approval) for one in lunch} == {("lunch", True)}


def test_filters_leave_out_what_is_about_others_but_a_capacity_counts_them(home):
    book(home, "pay", NINE)
    book(home, "web", NINE + 0.5 * HOUR, override="an outage")

    found = week(home, service="pay")

    assert [one.service for one in found.booked] == ["pay"]
    assert "evenings" not in {one.rule for one in found.rules}
    assert [(one.rule, one.concurrent, one.most) for one in found.capacities] == [("two", 2, 2)]
    assert week(home, environment="staging").booked == ()


@pytest.mark.parametrize(("day", "hours"), [(date(2027, 3, 28), 167), (date(2027, 10, 31), 169)])
def test_a_week_in_which_clocks_change_is_an_hour_shorter_or_longer(day, hours):
    start, end = week_of(day, "Europe/London")

    assert end - start == hours * HOUR


def test_only_what_runs_in_the_time_and_place_is_booked_there(home):
    book(home, "pay", NINE)
    with open_reader(home, datetime.now(UTC) + timedelta(seconds=2)) as reader:
        meets = bookings_between(reader, NINE + 0.5 * HOUR, NINE + 2 * HOUR)
        after = bookings_between(reader, NINE + HOUR, NINE + 2 * HOUR)

    assert [one.title for one in meets] == ["booking 1 by ana: pay to production"]
    assert after == ()
