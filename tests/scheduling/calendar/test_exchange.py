# ruff: noqa: E501 - a case is a line
"""Calendars leave and come back as .ics; what others send is understood or refused, and nothing in between."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar as ICalendar

from shipcast.scheduling.calendar.errors import CalendarError
from shipcast.scheduling.calendar.exporting import KIND, PRODUCT, SCOPE, deployment_ics, occurrences_ics
from shipcast.scheduling.calendar.imported import Wanted, write_imported
from shipcast.scheduling.calendar.importing import imported
from shipcast.scheduling.calendar.occurrences import occurrences
from shipcast.scheduling.calendar.reading import read_calendar

ZONES = ("Europe/London", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu", "UTC")
SINCE, UNTIL = datetime.fromisoformat("2025-03-01"), datetime.fromisoformat("2026-03-01")
STAMP = datetime(2025, 2, 1, tzinfo=UTC)


def company(folder):
    """Rules of every kind in zones whose clocks change, over a year."""
    windows = [
        {
            "id": f"w{n}",
            "kind": "deny",
            "cron": f"30 {n % 3 + 1} * * {n}",
            "minutes": 95,
            "tz": zone,
            "effect": "approval",
        }
        for n, zone in enumerate(ZONES)
    ]
    windows.append(
        {
            "id": "a",
            "kind": "allow",
            "cron": "45 23 * * *",
            "minutes": 60,
            "tz": "Africa/Cairo",
            "scope": {"region": ["eu"]},
        }
    )
    content = {
        "window": windows,
        "freeze": [{"id": "f", "start": "2025-10-20", "end": "2025-10-26", "tz": "Europe/London", "reason": "a, b; c"}],
        "holidays": [{"id": "h", "country": "GB", "region": "eu", "tz": "Europe/London"}],
        "business_hours": [{"id": "b", "region": ["us"], "tz": "America/New_York", "open": "00:30", "days": [6]}],
        "cab": [{"id": "c", "cron": "0 10 * * 2", "tz": "Europe/London", "deadline_hours": 24}],
        "reserve": [{"id": "r", "per_day_minutes": 30, "between": ["06:00", "22:00"], "tz": "UTC"}],
    }  # fmt: skip
    (folder / "calendar.json").write_text(json.dumps(content))
    return read_calendar(folder / "calendar.json")


def spans(calendar, kinds):
    found = occurrences(calendar, SINCE, UNTIL)
    return sorted(
        (one.start, one.end, one.effect, str(one.scope), one.kind == "allow") for one in found if one.kind in kinds
    )


def taken(folder, text, zone="Europe/Berlin", **more):
    """The calendar that an .ics file comes to, and what was said of it."""
    (folder / "other.ics").write_bytes(text if isinstance(text, bytes) else text.encode())
    windows, said = imported(folder / "other.ics", Wanted("other", zone, **more))
    return read_calendar(write_imported(folder / "other.json", windows)), said


def ics(*events, product="-//x//EN", zones=""):
    body = "\n".join(f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT" for event in events)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:{product}\n{zones}{body}\nEND:VCALENDAR\n"


def opened(calendar, since="2025-01-01", until="2026-01-01"):
    found = occurrences(calendar, datetime.fromisoformat(since), datetime.fromisoformat(until))
    return [(f"{one.start:%Y-%m-%dT%H:%M}", f"{one.end:%Y-%m-%dT%H:%M}") for one in found]


def test_what_was_exported_is_imported_as_the_same_spans(tmp_path):
    calendar = company(tmp_path)
    back, _ = taken(tmp_path, occurrences_ics(occurrences(calendar, SINCE, UNTIL), STAMP))

    wanted = spans(calendar, ("allow", "deny", "freeze", "holidays", "business_hours"))
    assert spans(back, ("allow", "deny")) == wanted
    assert len(wanted) > 600


def test_an_export_is_taken_by_a_strict_reader_and_is_the_same_each_time(tmp_path):
    found = occurrences(company(tmp_path), SINCE, UNTIL)
    text = occurrences_ics(found, STAMP)
    read = ICalendar.from_ical(text)
    events = read.walk("VEVENT")

    assert text == occurrences_ics(found, STAMP)
    assert len({event["UID"] for event in events}) == len(events) == len(found)
    assert not any(part.errors for part in read.walk())
    assert all({"UID", "DTSTAMP", "DTSTART", "SUMMARY", "CATEGORIES", "SEQUENCE"} <= event.keys() for event in events)
    assert read.get_missing_tzids() == set()
    assert all(len(line) <= 75 for line in text.split(b"\r\n"))


@pytest.mark.parametrize("zone", [zone for zone in ZONES if zone != "UTC"])
def test_the_zones_that_an_export_describes_are_those_that_the_world_keeps(zone):
    start = datetime.fromisoformat("2025-06-01")
    described = ICalendar.from_ical(
        deployment_ics("pay", "production", start, start + timedelta(hours=1), zone, STAMP).replace(
            zone.encode(), b"Own/Zone"
        )
    )
    [part] = described.timezones
    own = part.to_tz(lookup_tzid=False)
    wrong = [
        moment
        for moment in (datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(24 * 364))
        if moment.astimezone(own).utcoffset() != moment.astimezone(ZoneInfo(zone)).utcoffset()
    ]

    assert wrong == []


def test_no_control_character_of_a_text_makes_a_file_that_is_none():
    at = datetime.fromisoformat("2026-01-06T10:00")
    text = deployment_ics(
        "pay", "production", at, at + timedelta(hours=1), "UTC", STAMP, "a\x00b\x1b[2J\rc\td\r\ne\x7f"
    )

    [event] = ICalendar.from_ical(text).walk("VEVENT")
    assert str(event["DESCRIPTION"]) == "a?b?[2J\nc\td\ne?"
    assert not any(letter < 32 and letter not in b"\r\n\t" for letter in text)


def test_an_event_that_changed_is_numbered_higher_and_the_others_stay_as_they_were(tmp_path):
    freeze = '[[freeze]]\nid = "{id}"\nstart = 2025-12-20\nend = {end}\ntz = "UTC"\n'
    path = tmp_path / "calendar.toml"

    def exported(end, stamp, earlier=None):
        path.write_text(freeze.format(id="a", end=end) + freeze.format(id="b", end="2026-01-02"))
        text = occurrences_ics(occurrences(read_calendar(path), SINCE, UNTIL), stamp, earlier)
        return text, [(int(one["SEQUENCE"]), one["DTSTAMP"].dt) for one in ICalendar.from_ical(text).walk("VEVENT")]

    first, numbers = exported("2026-01-02", STAMP)
    later = STAMP + timedelta(days=1)

    assert numbers == [(0, STAMP), (0, STAMP)]
    assert exported("2026-01-05", later, first)[1] == [(1, later), (0, STAMP)]
    assert exported("2026-01-02", later, first)[0] == first
    assert exported("2026-01-02", STAMP, b"junk")[0] == first


def test_a_deployment_over_a_change_of_clocks_shows_right_in_both_zones():
    start = datetime.fromisoformat("2025-10-26T00:30")
    text = deployment_ics("pay", "production", start, start + timedelta(hours=1), "Europe/London", STAMP)
    [event] = ICalendar.from_ical(text).walk("VEVENT")

    assert event["DTSTART"].dt.astimezone(UTC) == start.replace(tzinfo=UTC)
    assert event["DTEND"].dt.astimezone(UTC) - event["DTSTART"].dt.astimezone(UTC) == timedelta(hours=1)
    assert b"TZID" not in text  # London's clock shows 01:30 for the second time then


UNDERSTOOD = {
    "a time in UTC": (["UID:1\nDTSTART:20250610T100000Z\nDTEND:20250610T113000Z"], [("2025-06-10T10:00", "2025-06-10T11:30")]),
    "a duration": (["UID:1\nDTSTART:20250610T100000Z\nDURATION:PT90M"], [("2025-06-10T10:00", "2025-06-10T11:30")]),
    "a zone": (["UID:1\nDTSTART;TZID=America/New_York:20250610T100000\nDURATION:PT1H"], [("2025-06-10T14:00", "2025-06-10T15:00")]),
    "a zone as Windows calls it": (["UID:1\nDTSTART;TZID=W. Europe Standard Time:20250610T100000\nDURATION:PT1H"], [("2025-06-10T08:00", "2025-06-10T09:00")]),
    "a time that floats": (["UID:1\nDTSTART:20250610T100000\nDURATION:PT1H"], [("2025-06-10T08:00", "2025-06-10T09:00")]),
    "whole days": (["UID:1\nDTSTART;VALUE=DATE:20250610\nDTEND;VALUE=DATE:20250612"], [("2025-06-09T22:00", "2025-06-11T22:00")]),
    "one whole day of 25 hours": (["UID:1\nDTSTART;VALUE=DATE:20251026"], [("2025-10-25T22:00", "2025-10-26T23:00")]),
    "a series with one left out": (
        ["UID:1\nDTSTART;TZID=Europe/Berlin:20250610T100000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE;TZID=Europe/Berlin:20250611T100000"],
        [("2025-06-10T08:00", "2025-06-10T09:00"), ("2025-06-12T08:00", "2025-06-12T09:00")],
    ),
    "a series with one moved": (
        [
            "UID:1\nDTSTART;TZID=Europe/Berlin:20250610T100000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=2",
            "UID:1\nRECURRENCE-ID;TZID=Europe/Berlin:20250611T100000\nDTSTART;TZID=Europe/Berlin:20250611T150000\nDURATION:PT2H",
        ],
        [("2025-06-10T08:00", "2025-06-10T09:00"), ("2025-06-11T13:00", "2025-06-11T15:00")],
    ),
    "a series with one cancelled": (
        [
            "UID:1\nDTSTART;TZID=Europe/Berlin:20250610T100000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=2",
            "UID:1\nRECURRENCE-ID;TZID=Europe/Berlin:20250611T100000\nDTSTART;TZID=Europe/Berlin:20250611T100000\nSTATUS:CANCELLED",
        ],
        [("2025-06-10T08:00", "2025-06-10T09:00")],
    ),
    "a series over a change of clocks": (
        ["UID:1\nDTSTART;TZID=Europe/London:20250329T100000\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=20250330T090000Z"],
        [("2025-03-29T10:00", "2025-03-29T11:00"), ("2025-03-30T09:00", "2025-03-30T10:00")],
    ),
    "a start that its rule does not name": (
        ["UID:1\nDTSTART:20250610T100000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;BYDAY=FR;UNTIL=20250615T000000Z"],
        [("2025-06-10T10:00", "2025-06-10T11:00"), ("2025-06-13T10:00", "2025-06-13T11:00")],
    ),
    "one more date": (["UID:1\nDTSTART:20250610T100000Z\nDURATION:PT1H\nRDATE:20250701T100000Z"], [("2025-06-10T10:00", "2025-06-10T11:00"), ("2025-07-01T10:00", "2025-07-01T11:00")]),
    "free time": (["UID:1\nDTSTART:20250610T100000Z\nDURATION:PT1H\nTRANSP:TRANSPARENT"], []),
    "a cancelled event": (["UID:1\nDTSTART:20250610T100000Z\nDURATION:PT1H\nSTATUS:CANCELLED"], []),
    "no time at all": (["UID:1\nDTSTART:20250610T100000Z"], []),
    "events without a UID": (["DTSTART:20250610T100000Z\nDURATION:PT1H", "DTSTART:20250611T100000Z\nDURATION:PT1H\nSUMMARY:x"], [("2025-06-10T10:00", "2025-06-10T11:00"), ("2025-06-11T10:00", "2025-06-11T11:00")]),
}  # fmt: skip


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_what_others_send_is_understood(name, tmp_path):
    events, wanted = UNDERSTOOD[name]

    assert opened(taken(tmp_path, ics(*events))[0]) == wanted


def zone(name, *parts, more=""):
    """A VTIMEZONE: of each part the kind, when it begins, the offsets before and after it, and how it recurs."""
    described = "".join(
        f"BEGIN:{kind}\nDTSTART:{begins}\nTZOFFSETFROM:{before}\nTZOFFSETTO:{after}\n{recurs}\nEND:{kind}\n"
        for kind, begins, before, after, recurs in parts
    )
    return f"BEGIN:VTIMEZONE\nTZID:{name}\n{more}{described}END:VTIMEZONE\n"


CUSTOM = "Customized Time Zone"
WEEKS = f"UID:1\nDTSTART;TZID={CUSTOM}:20250323T100000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=2"
YEARLY = "RRULE:FREQ=YEARLY;BYDAY={};BYMONTH={}"
BERLIN = (
    ("STANDARD", "16010101T030000", "+0200", "+0100", YEARLY.format("-1SU", 10)),
    ("DAYLIGHT", "16010101T020000", "+0100", "+0200", YEARLY.format("-1SU", 3)),
)
NEW_YORK = (
    ("STANDARD", "16010101T020000", "-0400", "-0500", YEARLY.format("1SU", 11)),
    ("DAYLIGHT", "16010101T020000", "-0500", "-0400", YEARLY.format("2SU", 3)),
)
LISTED = (
    ("STANDARD", "20241027T030000", "+0200", "+0100", "RDATE:20251026T030000"),
    ("DAYLIGHT", "20250330T020000", "+0100", "+0200", "TZNAME:x"),
)
FIXED = (("STANDARD", "16010101T000000", "+0530", "+0530", "TZNAME:x"),)
DESCRIBED = {
    "rules as in Berlin": (zone(CUSTOM, *BERLIN), ["09:00", "08:00"]),
    "rules as in New York": (zone(CUSTOM, *NEW_YORK), ["14:00", "14:00"]),
    "changes that are listed": (zone(CUSTOM, *LISTED), ["09:00", "08:00"]),
    "no change": (zone(CUSTOM, *FIXED), ["04:30", "04:30"]),
    "a zone that is named beside": (zone(CUSTOM, *BERLIN, more="X-LIC-LOCATION:Europe/Madrid\n"), ["09:00", "08:00"]),
}


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_zone_that_only_the_file_describes_is_that_whose_clock_changes_alike(name, tmp_path):
    described, wanted = DESCRIBED[name]
    calendar, said = taken(tmp_path, ics(WEEKS, zones=described))

    assert [start[-5:] for start, _ in opened(calendar)] == wanted
    assert calendar.windows[0].tz != "UTC"
    assert said == [f"{CUSTOM!r} is read as {calendar.windows[0].tz}, whose clock changes as the file says."]
    assert ("Madrid" in said[0]) == ("Madrid" in described)


@pytest.mark.parametrize(
    "described",
    [
        zone(CUSTOM, ("STANDARD", "16010101T000000", "+0100", "+0107", "TZNAME:x")),
        zone(CUSTOM, BERLIN[0], (*BERLIN[1][:4], YEARLY.format("2SU", 4))),
        zone(CUSTOM, (*BERLIN[0][:4], "RRULE:FREQ=MINUTELY")),
        zone(CUSTOM),
        "",
    ],
)
def test_a_zone_that_no_clock_fits_is_refused_by_its_name_and_never_utc(described, tmp_path):
    with pytest.raises(CalendarError, match=CUSTOM) as caught:
        taken(tmp_path, ics(WEEKS, zones=described))

    assert "other.ics:" in caught.value.detail


def test_two_files_may_mean_other_zones_by_the_same_name(tmp_path):
    both = [taken(tmp_path, ics(WEEKS, zones=zone(CUSTOM, *rules)))[0] for rules in (BERLIN, NEW_YORK)]

    assert [opened(calendar)[0][0][-5:] for calendar in both] == ["09:00", "14:00"]


def test_windows_name_for_a_zone_holds_though_the_file_describes_it(tmp_path):
    name = "W. Europe Standard Time"
    calendar, said = taken(tmp_path, ics(WEEKS.replace(CUSTOM, name), zones=zone(name, *BERLIN)))

    assert (calendar.windows[0].tz, said) == ("Europe/Berlin", [])


BERLIN_NIGHT = "UID:1\nDTSTART;TZID=Europe/Berlin:20250330T02{}00\n"
SKIPPED = {
    "and its end not": (BERLIN_NIGHT.format(30) + "DTEND;TZID=Europe/Berlin:20250330T033000", [("01:00", "01:30")]),
    "and its end too": (BERLIN_NIGHT.format(15) + "DTEND;TZID=Europe/Berlin:20250330T024500", [("01:00", "01:30")]),
    "with a duration": (BERLIN_NIGHT.format(30) + "DURATION:PT1H", [("01:00", "02:00")]),
    "in a series": (
        BERLIN_NIGHT.format(30) + "DTEND;TZID=Europe/Berlin:20250330T033000\nRRULE:FREQ=DAILY;COUNT=2",
        [("01:00", "02:00"), ("00:30", "01:30")],
    ),
}


@pytest.mark.parametrize("name", SKIPPED)
def test_an_event_whose_start_the_clock_skips_begins_as_clocks_are_changed(name, tmp_path):
    event, wanted = SKIPPED[name]

    assert [(start[-5:], end[-5:]) for start, end in opened(taken(tmp_path, ics(event))[0])] == wanted


def test_only_an_export_of_ours_brings_windows_in_which_changes_may_go(tmp_path):
    event = f"UID:1\nDTSTART:20250610T100000Z\nDURATION:PT1H\nSUMMARY:Upgrade\n{KIND}:allow\nX-SHIPCAST-RULE:night"
    theirs, _ = taken(tmp_path, ics(event))
    ours, said = taken(tmp_path, ics(event, product=PRODUCT))

    assert [(one.kind, one.id) for one in theirs.windows] == [("deny", "other/Upgrade")]
    assert [(one.kind, one.id) for one in ours.windows] == [("allow", "other/night")]
    assert said == ["Windows in which changes may go, since the file says that it is an export of Shipcast's: 1."]


REFUSED = {
    "a zone nobody knows": ("UID:1\nDTSTART;TZID=Mars/Olympus:20250610T100000\nDURATION:PT1H", "Mars/Olympus"),
    "a series of seconds": ("UID:1\nDTSTART:20250610T100000Z\nDURATION:PT1H\nRRULE:FREQ=SECONDLY", "100,000"),
    "a rule that is none": ("UID:1\nDTSTART:20250610T100000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;BYDAY=QQ", "RRULE"),
    "no start": ("UID:1\nSUMMARY:x", "no DTSTART"),
    "a start that is none": ("UID:1\nDTSTART:soon\nDURATION:PT1H", "DTSTART"),
    "an event of years": ("UID:1\nDTSTART:20250610T100000Z\nDTEND:20350610T100000Z", "366 days"),
    "all that follow": (
        "UID:1\nRECURRENCE-ID;RANGE=THISANDFUTURE:20250610T100000Z\nDTSTART:20250610T100000Z\nDURATION:PT1H",
        "RANGE",
    ),
    "two starts": ("UID:1\nDTSTART:20250610T100000Z\nDTSTART:20250611T100000Z\nDURATION:PT1H", "understood"),
    "before all time": ("UID:1\nDTSTART:00010101T000000\nDURATION:PT1H", "understood"),
    "past all time": ("UID:1\nDTSTART:20250610T100000Z\nDURATION:P999999999D", "understood"),
    "a rule without any part": ("UID:1\nDTSTART:20250610T100000Z\nDURATION:PT1H\nRRULE:", "RRULE"),
    "a rule of what is left out": (
        "UID:1\nDTSTART:20250610T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY\nEXRULE:FREQ=WEEKLY;BYDAY=MO",
        "EXRULE",
    ),
    "a scope that is none": (f"UID:1\nDTSTART:20250610T100000Z\nDURATION:PT1H\n{SCOPE}:junk", SCOPE, PRODUCT),
    "a scope too deep": (f"UID:1\nDTSTART:20250610T100000Z\nDURATION:PT1H\n{SCOPE}:{'[' * 2000}", SCOPE, PRODUCT),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_understood_is_refused_with_its_line(name, tmp_path):
    event, word, *product = REFUSED[name]
    good = "UID:0\nDTSTART:20250610T100000Z\nDURATION:PT1H"

    with pytest.raises(CalendarError) as caught:
        taken(tmp_path, ics(good, event, product=(*product, "-//x//EN")[0]))

    assert word in str(caught.value)
    assert f"{tmp_path / 'other.ics'}:9:" in caught.value.detail
    assert not (tmp_path / "calendars").exists()


@pytest.mark.parametrize(
    "text", [b"", b"junk" * 1000, b"\x00\xff", b"BEGIN:VEVENT\nEND:VEVENT\n", b"BEGIN:VCALENDAR\n"]
)
def test_what_is_no_calendar_is_refused(text, tmp_path):
    with pytest.raises(CalendarError, match="no iCalendar file") as caught:
        taken(tmp_path, text)

    assert caught.value.exit_code == 3


def test_a_rule_imported_is_named_after_its_file_and_event(tmp_path):
    event = "UID:{n}\nDTSTART:2025061{n}T100000Z\nDURATION:PT{n}H\nSUMMARY:Fiscal\\, close\x07"
    calendar, _ = taken(
        tmp_path, ics(event.format(n=1), event.format(n=2)), scope={"region": ("eu",)}, effect="approval"
    )

    assert [window.id for window in calendar.windows] == ["other/Fiscal, close", "other/Fiscal, close-2"]
    assert {(window.effect, window.scope.region) for window in calendar.windows} == {("approval", ("eu",))}
