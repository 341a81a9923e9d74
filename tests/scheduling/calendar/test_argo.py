"""Sync windows of Argo CD, read back as Argo CD reads them, say what the calendar says."""

import json
import re
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache
from itertools import takewhile
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import yaml
from cronsim import CronSim
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shipcast.scheduling.calendar.argo import sync_windows, year_after
from shipcast.scheduling.calendar.calendar import Calendar
from shipcast.scheduling.calendar.reading import read_calendar
from shipcast.scheduling.calendar.rules import Window
from shipcast.scheduling.calendar.scope import Subject

instant = datetime.fromisoformat
SINCE, FORTNIGHT = instant("2026-06-01"), timedelta(days=14)
STEP, DAY = timedelta(minutes=37), timedelta(days=1)
OFF = timedelta(seconds=30)  # at the very instant at which a window opens Argo CD does not see it open yet
TERM = re.compile(r"(\*|\d+(-\d+)?)(/\d+)?")
RULES = {
    "window": [
        {"id": "night", "kind": "allow", "cron": "0 22 * * 1-5", "minutes": 240, "tz": "Europe/Berlin",
         "scope": {"service": ["pay-*"], "environment": ["prod*"]}},
        {"id": "sunday", "kind": "allow", "cron": "30 6 * * SUN", "minutes": 120, "tz": "America/New_York",
         "scope": {"service": ["pay-*"]}},
        {"id": "never", "kind": "allow", "cron": "0 0 31 6 *", "minutes": 60, "tz": "UTC",
         "scope": {"service": ["old"]}},
        {"id": "past", "kind": "allow", "dates": ["2025-06-03T10:00"], "minutes": 60, "tz": "UTC",
         "scope": {"service": ["older"]}, "outside": "approval"},
        {"id": "batch", "kind": "deny", "cron": "15,45 */6 */2 * 7", "minutes": 20, "tz": "Asia/Tokyo"},
        {"id": "soft", "kind": "deny", "cron": "0 12 * * *", "minutes": 90, "tz": "Asia/Kathmandu",
         "effect": "approval", "scope": {"service": ["web"], "environment": ["test", "staging"]}},
        {"id": "month", "kind": "deny", "rrule": "FREQ=DAILY;BYDAY=TU,TH", "dtstart": "2026-06-02T09:10",
         "except": ["2026-06-04T09:10"], "dates": ["2026-06-05T00:00"], "minutes": 100, "tz": "Europe/London"},
    ],
    "freeze": [{"id": "close", "start": "2026-06-09", "end": "2026-06-10", "tz": "Asia/Tokyo", "effect": "approval",
                "scope": {"environment": ["prod*"], "service": ["web"]}}],
    "holidays": [{"id": "days", "dates": ["2026-06-07", "2026-06-12"], "tz": "Europe/Berlin"}],
    "business_hours": [{"id": "desk", "open": "22:30", "close": "01:00", "days": [0, 2, 6], "tz": "America/New_York",
                        "scope": {"service": ["we?"]}}],
}  # fmt: skip


@pytest.fixture
def calendar(tmp_path):
    def read(rules):
        (tmp_path / "calendar.json").write_text(json.dumps(rules), encoding="utf-8")
        return read_calendar(tmp_path / "calendar.json")

    return read


def exported(calendar, since=SINCE, until=SINCE + FORTNIGHT, subject=None):
    """The sync windows of the manifest, and the notes."""
    found = sync_windows(calendar, since, until, subject)
    manifest = yaml.safe_load(found.manifest())
    assert (manifest["apiVersion"], manifest["kind"]) == ("argoproj.io/v1alpha1", "AppProject")
    return manifest["spec"]["syncWindows"], found.notes


def length(text):
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:0s)?", text)
    return timedelta(hours=int(found[1] or 0), minutes=int(found[2] or 0))


@cache
def ticks(schedule, begins, ends):
    """The times at which a schedule comes about, from one to another."""
    return list(takewhile(lambda tick: tick <= ends, CronSim(schedule, begins)))


def is_open(window, moment):
    """Whether a tick of its schedule lies less than its duration back, on the clock of its zone."""
    local = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(window["timeZone"])).replace(tzinfo=None)
    lasts = length(window["duration"])
    begins, ends = SINCE - lasts - DAY, SINCE + FORTNIGHT + DAY
    found = ticks(window["schedule"], begins, ends)
    following = bisect_right(found, local - lasts)
    return following < len(found) and found[following] < local


def is_about(window, subject):
    fitting = [
        any(fnmatchcase(name, glob) for glob in window[key])
        for key, name in (("applications", subject.service), ("namespaces", subject.environment))
        if key in window
    ]
    return all(fitting) if window.get("andOperator") else any(fitting)


def decision(windows, subject, moment):
    """What Argo CD does with a sync, by what it documents: by hand only counts as an approval."""
    about = [window for window in windows if is_about(window, subject)]
    now = [window for window in about if is_open(window, moment)]
    denies = [window for window in now if window["kind"] == "deny"]
    allows = [window for window in about if window["kind"] == "allow"]
    against = denies or ([] if any(window in now for window in allows) else allows)
    by_hand = all(window.get("manualSync") for window in against)
    return "allowed" if not against else "needs-approval" if by_hand else "blocked"


SUBJECTS = [
    Subject(service, environment)
    for service in ("pay-api", "web", "old", "older", "x")
    for environment in ("production", "test")
]


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda one: f"{one.service} to {one.environment}")
def test_over_two_weeks_argo_cd_does_what_the_calendar_says(calendar, subject):
    calendar = calendar(RULES)
    windows, _ = exported(calendar)
    moments = [SINCE + OFF + number * STEP for number in range(FORTNIGHT // STEP)]
    decisions = calendar.decisions(subject, np.array(moments, dtype="datetime64[us]"), timedelta())
    expected = [decisions.verdict(number) for number in range(len(moments))]

    assert [decision(windows, subject, moment) for moment in moments] == expected


def test_a_subject_of_its_own_has_what_regions_and_teams_ask_of_it(calendar):
    rules = {"business_hours": [{"id": "desk", "region": "eu", "tz": "UTC"}]}
    windows, notes = exported(calendar(rules))
    own, _ = exported(calendar(rules), subject=Subject("a{b}", "test", ("eu",)))

    assert windows == []
    assert notes[0].startswith("Argo CD knows no regions and teams: desk left out.")
    assert own == [
        {"kind": "deny", "schedule": "0 9 * * 1-5", "duration": "8h", "timeZone": "UTC",
         "applications": ["a\\{b\\}"], "description": "desk"}
    ]  # fmt: skip
    assert exported(calendar(rules), subject=Subject("pay", "test", ("us",)))[0] == []


def test_what_recurs_is_written_as_it_is_and_what_has_dates_in_utc(calendar):
    windows, notes = exported(calendar(RULES))
    by_rule = {window["description"]: window for window in windows}

    assert by_rule["night"] == {
        "kind": "allow", "schedule": "0 22 * * 1-5", "duration": "4h", "timeZone": "Europe/Berlin",
        "applications": ["pay-*"], "namespaces": ["prod*"], "andOperator": True, "description": "night"
    }  # fmt: skip
    assert by_rule["sunday"]["schedule"] == "30 6 * * 0"
    assert by_rule["never"]["duration"] == "0s"
    assert by_rule["batch"]["applications"] == ["*"]
    assert (by_rule["close"]["schedule"], by_rule["close"]["duration"]) == ("0 15 8 6 *", "48h")
    assert by_rule["soft"]["manualSync"] is True
    assert [note.split(":")[0] for note in notes] == [
        "Argo CD knows no approvals",
        "Argo CD looks at when a sync begins; whether a whole deployment fits is for the gate to see.",
        "When clocks change, a window that is open then may begin or end up to an hour apart in Argo CD.",
        "Entries with a date come again each year",
    ]


def test_what_sync_windows_cannot_say_is_noted(calendar):
    rules = {
        "window": [{"id": "eu", "kind": "allow", "cron": "0 1 * * *", "minutes": 60, "tz": "UTC", "fit": "start",
                    "scope": {"region": ["eu"]}},
                   {"id": "us", "kind": "allow", "cron": "0 9 * * *", "minutes": 60, "tz": "UTC", "fit": "start",
                    "scope": {"region": ["us"], "service": ["p[a-c0]y"]}}],
        "freeze": [{"id": "close", "start": "2026-06-09", "end": "2026-06-10", "tz": "UTC", "emergency": "allow"}],
        "cab": [{"id": "board", "cron": "0 10 * * 2"}],
        "reserve": [{"id": "spare", "per_day_minutes": 30}],
        "capacity": [{"id": "three", "concurrent": 3}],
    }  # fmt: skip
    _, notes = exported(calendar(rules), subject=Subject("pay", regions=("eu", "us")))
    said = " ".join(notes)

    assert "Argo CD lets pay sync while one of its regions is open; the calendar wants all of them." in said
    assert "Argo CD knows no emergencies: to them close is what it is to all changes." in said
    assert "Argo CD may read p[a-c0]y otherwise" in said
    assert "Sync windows cannot say board, spare, three: left out." in said


def test_dates_hold_over_a_change_of_clocks_and_are_cut_to_the_period(calendar):
    freeze = {"id": "close", "start": "2026-03-01", "end": "2026-03-29", "tz": "Europe/Berlin"}
    windows, _ = exported(calendar({"freeze": [freeze]}), instant("2026-03-28T01:00"), instant("2026-04-05"))

    assert [(window["schedule"], window["duration"]) for window in windows] == [("0 1 28 3 *", "45h")]


def test_seconds_are_rounded_to_the_strict_side(calendar):
    period = {"start": "2026-06-02T10:00:30", "end": "2026-06-02T11:00:30", "tz": "UTC"}
    window = {"id": "open", "kind": "allow", "dates": ["2026-06-02T10:00:30"], "minutes": 60, "tz": "UTC"}
    windows, _ = exported(calendar({"window": [window], "freeze": [{"id": "close", **period}]}))

    assert [(window["schedule"], window["duration"]) for window in windows] == [
        ("1 10 2 6 *", "59m"),
        ("0 10 2 6 *", "1h1m"),
    ]


def test_a_year_of_dates_is_no_date_twice():
    assert year_after(instant("2027-01-01")) == instant("2028-01-01")
    assert year_after(instant("2028-02-29T05:00")) == instant("2029-03-01T05:00")


def test_hostile_words_stay_words(calendar):
    hostile = "a: [b]\n- c #\u2028\x1b\0 {d} ' \" é"
    rules = {"freeze": [{"id": hostile, "start": "2026-06-09", "end": "2026-06-10", "tz": "UTC", "emergency": "allow",
                         "scope": {"service": [hostile]}, "reason": hostile * 20}]}  # fmt: skip
    [window], notes = exported(calendar(rules))

    assert window["description"].startswith(hostile)
    assert len(window["description"]) <= 255
    assert window["applications"] == [hostile.replace("{d}", "\\{d\\}")]
    assert any("Argo CD may read" in note for note in notes)


def fields(low, high):
    number = st.integers(low, high)
    span = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.integers(1, 9)
    term = number.map(str) | span | st.builds("{}/{}".format, st.just("*") | span | number.map(str), step)
    return st.just("*") | st.lists(term, min_size=1, max_size=2).map(",".join)


# Minutes are few, so that what comes about in two weeks is.
CRONS = st.tuples(
    st.integers(0, 59).map(str) | st.just("*/20"),
    fields(0, 23),
    fields(1, 31),
    fields(1, 12),
    fields(0, 7) | st.just("MON-FRI,SUN"),
)


@settings(max_examples=40, deadline=None)
@example(cron="*/20 * * 1-1/1 *", minutes=1, after=[0])
@given(cron=CRONS.map(" ".join), minutes=st.integers(1, 3000), after=st.lists(st.integers(0, 20_000), min_size=20))
def test_any_cron_is_written_so_that_every_reader_takes_it_alike(cron, minutes, after):
    calendar = Calendar(windows=(Window(id="w", kind="deny", cron=cron, minutes=minutes, tz="Asia/Tokyo"),))
    windows, _ = exported(calendar)

    for fields in (window["schedule"].split() for window in windows):
        assert all(TERM.fullmatch(term) for field in fields for term in field.split(","))
        assert "7" not in fields[4]
        assert not fields[2].startswith("*/")
    moments = [SINCE + OFF + timedelta(minutes=number) for number in after]
    decisions = calendar.decisions(Subject("pay"), np.array(moments, dtype="datetime64[us]"), timedelta())
    expected = [decisions.verdict(number) for number in range(len(moments))]

    assert [decision(windows, Subject("pay"), moment) for moment in moments] == expected
