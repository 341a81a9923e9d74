"""Recurrence rules: the same whether read from their start or from near the time asked about, and quick to refuse."""

from datetime import datetime, timedelta

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from shipcast.scheduling.calendar.cron import parse_cron
from shipcast.scheduling.calendar.recurrence import parse_rrule

BEGIN = datetime.fromisoformat("2019-03-05T09:30")
RULES = [
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=3",
    "FREQ=DAILY;BYHOUR=1,13;BYMINUTE=0,30",
    "FREQ=DAILY;INTERVAL=2;COUNT=900",
    "FREQ=DAILY;BYMONTH=2,6;BYDAY=MO",
    "FREQ=WEEKLY;BYDAY=MO,WE",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=MO",
    "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,FR;BYSETPOS=1",
    "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=2",
    "FREQ=MONTHLY;BYMONTHDAY=31",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=YEARLY;BYWEEKNO=1,53;BYDAY=MO",
    "FREQ=YEARLY;BYYEARDAY=-1",
    "FREQ=HOURLY;INTERVAL=5",
    "FREQ=HOURLY;BYHOUR=3,4;BYMINUTE=15",
    "FREQ=MINUTELY;INTERVAL=150",
    "FREQ=MINUTELY;BYHOUR=3;BYMINUTE=7",
]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(RULES), st.integers(-40, 1500), st.integers(0, 60))
def test_a_rule_comes_about_when_a_reading_from_its_start_says(text, days, length):
    first = BEGIN + timedelta(days=days, hours=days % 24)
    last = first + timedelta(days=length)
    whole = rrulestr(text, dtstart=BEGIN)
    found = parse_rrule(text, BEGIN).starts(first, last)

    assert found.astype(object).tolist() == [one for one in whole.between(first, last, inc=True) if one >= BEGIN]


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=6;BYMONTHDAY=31",
        "FREQ=WEEKLY;BYMONTHDAY=31;BYMONTH=4",
    ],
)
def test_a_rule_that_never_matches_is_a_window_that_never_opens(text):
    assert len(parse_rrule(text, BEGIN).starts(BEGIN, BEGIN + timedelta(days=4000))) == 0


@pytest.mark.parametrize(("times", "is_taken"), [(13, True), (14, False)])
def test_a_hundred_thousand_times_in_twenty_years_are_the_most(times, is_taken):
    text = f"FREQ=DAILY;BYHOUR={','.join(map(str, range(times)))}"

    if is_taken:
        parse_rrule(text, BEGIN)
    else:
        with pytest.raises(ValueError, match="more than 100,000 times"):
            parse_rrule(text, BEGIN)


def test_a_rule_by_the_second_is_not_walked_through():
    found = parse_rrule("FREQ=SECONDLY;BYHOUR=3;BYMINUTE=0;BYSECOND=0", BEGIN).starts(
        BEGIN, BEGIN + timedelta(days=7000)
    )

    assert len(found) == 7000
    assert set((found - found.astype("datetime64[D]")).astype("timedelta64[h]").astype(int)) == {3}


def test_a_dense_rule_that_ends_soon_is_taken():
    assert len(parse_rrule("FREQ=MINUTELY;UNTIL=20190306T000000", BEGIN).starts(BEGIN, BEGIN + timedelta(9))) == 871
    assert len(parse_rrule("FREQ=SECONDLY;COUNT=50", BEGIN).starts(BEGIN, BEGIN + timedelta(9))) == 50


@pytest.mark.parametrize(
    "junk", ["", "* * * * * *", "@daily", "a b c d e", "1/1/1/1/1 * * * *", "*" * 500, "0 0 L/2 * MON#2/2"]
)
def test_what_is_no_cron_is_refused(junk):
    with pytest.raises(ValueError, match="cron"):
        parse_cron(junk)
