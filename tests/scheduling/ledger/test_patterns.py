"""Which times of the week marks share, worked out by hand, and laws that hold of any marks."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from made_entries import HOUR, MONDAY

from shipcast.scheduling.ledger.entries import Entry, Unusable
from shipcast.scheduling.ledger.patterns import is_of_a_day, patterns

WEEK = timedelta(days=7)


def mark(start, minutes, number=1, service="pay", environment="production"):
    end = start + timedelta(minutes=minutes)
    body = Unusable(service=service, environment=environment, start=start, end=end, reason="stock count")
    return Entry(number, MONDAY, "ana", "root", body, "")


def found(*marks, zone="UTC", least=3):
    numbered = [Entry(number, MONDAY, "ana", "root", one.body, "") for number, one in enumerate(marks, start=1)]
    return [
        (one.weekday, one.time_of_day, one.minutes, [each.number for each in one.marks], one.weeks)
        for one in patterns(numbered, lambda name: zone, least)
    ]


NINE = MONDAY + 9 * HOUR


def test_marks_of_three_weeks_that_overlap_are_a_time_of_the_week_that_holds_them_all():
    marks = [mark(NINE, 45), mark(NINE + WEEK + HOUR / 4, 45), mark(NINE + 2 * WEEK + HOUR / 2, 30)]

    assert found(*marks) == [(0, "09:00", 60, [1, 2, 3], 3)]
    assert found(*marks, least=4) == found(*marks[:2]) == []


def test_marks_of_one_week_count_once_and_those_of_another_day_place_or_service_not_at_all():
    twice = [mark(NINE, 45), mark(NINE + WEEK, 45)]

    for other in (
        mark(NINE + HOUR / 4, 45),
        mark(NINE + 2 * WEEK + timedelta(days=1), 45),
        mark(NINE + 2 * WEEK, 45, environment="staging"),
        mark(NINE + 2 * WEEK, 45, service="web"),
        mark(NINE + 2 * WEEK + 45 * HOUR / 60, 45),  # begins as the others end
    ):
        assert found(*twice, other) == []


def test_a_mark_that_touches_no_time_that_three_weeks_share_is_not_drawn_in():
    thrice = [mark(NINE + number * WEEK, 60) for number in range(3)]
    beside, behind = mark(NINE + 3 * WEEK + HOUR / 2, 60), mark(NINE + 4 * WEEK + HOUR, 60)

    assert found(*thrice, beside, behind) == [(0, "09:00", 90, [1, 2, 3, 4], 4)]


def test_a_time_of_the_week_is_one_of_the_clock_on_the_wall():
    winter, summer = datetime.fromisoformat("2026-03-16T14:00"), datetime.fromisoformat("2026-04-06T13:00")

    assert found(*(mark(start, 30) for start in (winter, winter + WEEK, summer)), zone="Europe/London") == [
        (0, "14:00", 30, [1, 2, 3], 3)
    ]
    late = [mark(MONDAY + number * WEEK - HOUR / 2, 60) for number in range(3)]
    assert found(*late, zone="Asia/Tokyo") == [(0, "08:30", 60, [1, 2, 3], 3)]
    assert found(*late) == [(6, "23:30", 60, [1, 2, 3], 3)]  # over midnight


def test_a_mark_that_begins_within_a_minute_is_covered_from_its_beginning():
    marks = [mark(NINE + number * WEEK + timedelta(seconds=59), 1) for number in range(3)]

    assert found(*marks) == [(0, "09:00", 2, [1, 2, 3], 3)]


def test_a_week_is_no_time_of_the_week():
    assert [is_of_a_day(mark(NINE, minutes)) for minutes in (24 * 60, 24 * 60 + 1)] == [True, False]


made = st.builds(
    lambda week, day, quarter, minutes: mark(MONDAY + week * WEEK + timedelta(days=day, minutes=15 * quarter), minutes),
    st.integers(0, 6), st.integers(0, 1), st.integers(0, 95), st.integers(1, 300),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(made, max_size=14), st.integers(1, 4))
def test_every_mark_of_a_pattern_lies_in_it_and_enough_weeks_share_a_minute_of_it(marks, least):
    numbered = [Entry(number, MONDAY, "ana", "root", one.body, "") for number, one in enumerate(marks, start=1)]
    taken = []
    for one in patterns(numbered, lambda name: "UTC", least):
        taken += [each.number for each in one.marks]
        shared = {minute: set() for minute in range(one.opens, one.opens + one.minutes)}
        for each in one.marks:
            midnight = datetime.combine(each.body.start.date(), datetime.min.time())
            opens, closes = ((edge - midnight) // timedelta(minutes=1) for edge in (each.body.start, each.body.end))
            assert one.opens <= opens < closes <= one.opens + one.minutes
            for minute in range(opens, closes):
                shared[minute].add(midnight - timedelta(days=midnight.weekday()))
        assert all(shared.values())  # no gap
        assert max(map(len, shared.values())) >= least
    assert len(taken) == len(set(taken))
    if least == 1:
        assert sorted(taken) == list(range(1, len(marks) + 1))
