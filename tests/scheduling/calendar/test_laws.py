"""What holds of every calendar, and that it says what a slow reading minute by minute says."""

import json
from datetime import date, datetime, timedelta

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from shipcast.scheduling.calendar.reading import read_calendar
from shipcast.scheduling.calendar.scope import Subject

ZONES = ("Europe/London", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC", "Asia/Kathmandu")
CHANGES = [  # days around which a clock of these changes, and one around which none does
    "2025-03-29", "2025-10-25", "2025-03-08", "2025-11-01", "2025-04-05", "2025-10-04", "2025-04-24", "2025-10-30",
    "2025-07-10",
]  # fmt: skip
QUIET = datetime.fromisoformat("2025-06-02")
SLOTS = 4 * 18
MINUTE, WEEK = timedelta(minutes=1), timedelta(weeks=1)
CRONS = [
    "30 1 * * *", "0 0 * * *", "15 2 * * 0", "0 22 * * 1-5", "0 23 31 * *", "*/30 1-3 * * *", "0 1 13 * 5",
    "45 23 * * 4,6", "0 12 */2 * 1", "10 */6 * * *", "0 0 1,25 4,10 *",
]  # fmt: skip
EFFECTS = st.sampled_from(["block", "approval"])
SCOPES = st.sampled_from([{}, {"region": ["eu"]}, {"service": ["pay-*"]}, {"service": ["web"]}, {"region": ["u?"]}])


@st.composite
def windows(draw, kinds=("allow", "deny")):
    kind = draw(st.sampled_from(kinds))
    window = {
        "kind": kind,
        "cron": draw(st.sampled_from(CRONS)),
        "minutes": draw(st.sampled_from([15, 60, 95, 300])),
        "tz": draw(st.sampled_from(ZONES)),
        "scope": draw(SCOPES),
        "fit": draw(st.sampled_from(["whole", "whole", "start"])),
    }
    return {**window, ("effect" if kind == "deny" else "outside"): draw(EFFECTS)}


@st.composite
def others(draw, around):
    day = around.date() + timedelta(days=draw(st.integers(-1, 1)))
    kind = draw(st.sampled_from(["freeze", "holidays", "business_hours"]))
    rule = {"tz": draw(st.sampled_from(ZONES)), "scope": draw(SCOPES), "effect": draw(EFFECTS)}
    if kind == "freeze":
        emergency = draw(
            st.sampled_from([{}, {"emergency": "block"}, {"emergency": "approval"}, {"emergency": "allow"}])
        )
        return kind, {**rule, **emergency, "start": day, "end": day + timedelta(days=draw(st.integers(0, 1)))}
    if kind == "holidays":
        return kind, {**rule, "dates": [day]}
    return kind, {
        **rule,
        "open": "09:00",
        "close": "17:00",
        "days": sorted(draw(st.sets(st.integers(0, 6), min_size=1))),
    }


@st.composite
def cases(draw):
    """A calendar, a subject, and a period near a change of clocks."""
    around = datetime.fromisoformat(draw(st.sampled_from(CHANGES)))
    calendar = {"window": draw(st.lists(windows(), max_size=4)), "freeze": [], "holidays": [], "business_hours": []}
    for kind, rule in draw(st.lists(others(around), max_size=2)):
        calendar[kind].append(rule)
    for number, rule in enumerate(rule for rules in calendar.values() for rule in rules):
        rule["id"] = f"r{number}"
    subject = {
        "service": draw(st.sampled_from(["pay-api", "web"])),
        "regions": draw(st.sampled_from([[], ["eu"], ["us"], ["eu", "us"]])),
        "change_type": draw(st.sampled_from([None, "normal", "emergency"])),
    }
    start = around + timedelta(minutes=15 * draw(st.integers(0, 4 * 72)))
    return calendar, subject, start, timedelta(minutes=draw(st.sampled_from([0, 15, 45, 120])))


def read(folder, calendar):
    path = folder / "calendar.json"
    path.write_text(json.dumps(reference.as_file(calendar)))
    return read_calendar(path)


def as_subject(subject):
    return Subject(subject["service"], "production", tuple(subject["regions"]), None, subject.get("change_type"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("calendar")


@settings(max_examples=100, deadline=None)
@given(cases())
def test_what_is_decided_is_what_every_single_minute_says(folder, case):
    calendar, subject, start, length = case
    found = read(folder, calendar).decide(as_subject(subject), start, start + length)

    assert (found.decision, found.rule) == reference.decision(calendar, subject, start, start + length)


@settings(max_examples=15, deadline=None)
@given(cases())
def test_the_next_allowed_start_is_the_first_that_a_search_by_quarter_hours_finds(folder, case):
    calendar, subject, start, length = case
    found = read(folder, calendar).decide(as_subject(subject), start, start + length).next_allowed
    tried = (start + 15 * MINUTE * number for number in range(SLOTS))
    searched = next(
        (one for one in tried if reference.decision(calendar, subject, one, one + length)[0] == "allowed"), None
    )

    is_seen = found is not None and found < start + 15 * MINUTE * SLOTS
    assert searched == (found if is_seen else None) or (is_seen and found.minute % 15)


@settings(max_examples=25, deadline=None)
@given(cases())
def test_many_starts_at_once_are_decided_as_each_alone(folder, case):
    calendar, subject, start, length = case
    read_once, asked = read(folder, calendar), as_subject(subject)
    starts = np.datetime64(start, "us") + np.arange(96) * np.timedelta64(15, "m")
    found = read_once.decisions(asked, starts, length)
    alone = {
        number: read_once.decide(asked, one, one + length) for number, one in enumerate(starts.astype(object)[::8])
    }

    assert [(found.verdict(8 * number), found.rule(8 * number)) for number in alone] == [
        (one.decision, one.rule) for one in alone.values()
    ]


@settings(max_examples=100, deadline=None)
@given(cases(), st.data())
def test_within_an_allowed_deployment_every_shorter_one_is_allowed(folder, case, data):
    calendar, subject, start, length = case
    for window in calendar["window"]:
        window["fit"] = "whole"  # what looks at starts alone says nothing of other starts
    read_once, asked = read(folder, calendar), as_subject(subject)
    if length and read_once.decide(asked, start, start + length).decision == "allowed":
        first = data.draw(st.integers(0, length // MINUTE - 1))
        last = data.draw(st.integers(first, length // MINUTE))

        assert read_once.decide(asked, start + first * MINUTE, start + last * MINUTE).decision == "allowed" or (
            last == first == length // MINUTE
        )


@settings(max_examples=60, deadline=None)
@given(cases(), windows(kinds=("deny",)))
def test_one_more_deny_never_allows_more(folder, case, deny):
    calendar, subject, start, length = case
    starts = np.datetime64(start, "us") + np.arange(192) * np.timedelta64(15, "m")
    before = read(folder, calendar).decisions(as_subject(subject), starts, length)
    calendar["window"].append({**deny, "id": "more"})
    after = read(folder, calendar).decisions(as_subject(subject), starts, length)

    assert (after.codes <= before.codes).all()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(windows(), min_size=1, max_size=3), st.integers(1, 3), st.integers(0, 600), st.sampled_from([0, 45, 120])
)
def test_whole_weeks_later_the_same_is_said_where_no_clock_changes(folder, rules, weeks, slot, minutes):
    rules = [{**rule, "id": str(number), "cron": f"{number} 22 * * {number + 1}"} for number, rule in enumerate(rules)]
    freeze = {"id": "f", "tz": "Europe/London", "start": date(2025, 6, 4), "end": date(2025, 6, 5)}
    later = {**freeze, **{key: freeze[key] + weeks * WEEK for key in ("start", "end")}}
    start, length = QUIET + timedelta(minutes=15 * slot), timedelta(minutes=minutes)
    asked = Subject("pay-api", regions=("eu",))
    now = read(folder, {"window": rules, "freeze": [freeze]}).decide(asked, start, start + length)
    shifted = start + weeks * WEEK
    then = read(folder, {"window": rules, "freeze": [later]}).decide(asked, shifted, shifted + length)

    assert (now.decision, now.rule) == (then.decision, then.rule)
