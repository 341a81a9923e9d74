# ruff: noqa: E501 - a case is a line
"""What a calendar says of single times, each worked out by hand. All times are UTC; `=` stands for the start itself."""

import tomllib
from datetime import UTC, datetime

import pytest

from shipcast.scheduling.calendar.reading import read_calendar
from shipcast.scheduling.calendar.scope import Subject

# Clocks in 2025: London +1 from 30 March 01:00Z to 26 October 01:00Z; New York -5, -4 from 9 March 07:00Z to 2 November
# 06:00Z; Lord Howe +11, +10:30 from 5 April 15:00Z to 4 October 15:30Z; Cairo +2, +3 from 24 April 22:00Z (its midnight)
# to 30 October 21:00Z (when 24:00 becomes 23:00); Berlin one hour ahead of London.
NIGHT = 'kind = "allow"\ncron = "0 22 * * 1-5"\nminutes = 120\ntz = "Europe/Berlin"'
NOON = 'kind = "deny"\ncron = "0 12 * * *"\nminutes = 60\ntz = "Europe/London"'
GAP = 'kind = "deny"\ncron = "30 1 * * *"\nminutes = 60\ntz = "Europe/London"'
WORK = 'region = "eu"\ntz = "Europe/Berlin"\nopen = "09:00"\nclose = "17:00"\ndays = [0, 1, 2, 3, 4]'
YEAR_END = 'start = 2025-12-20\nend = 2026-01-02\ntz = "Europe/Berlin"'


def rule(section, text, name="r"):
    return f'[[{section}]]\nid = "{name}"\n{text}\n'


def window(text, name="r"):
    return rule("window", text, name)


def deny(when, minutes, zone="UTC", more=""):
    return window(f'kind = "deny"\n{when}\nminutes = {minutes}\ntz = "{zone}"\n{more}')


def allow(when, minutes, zone="UTC", more="", name="r"):
    return window(f'kind = "allow"\n{when}\nminutes = {minutes}\ntz = "{zone}"\n{more}', name)


CASES = {
    # name: calendar, question (service / regions / type), start, end, decision, rule, until, next allowed
    "no rule": ("", "pay", "2025-12-01T10:00", "2025-12-01T11:00", "allowed", "default", None, "="),
    "in an allow window": (window(NIGHT), "pay", "2025-12-01T21:00", "2025-12-01T22:00", "allowed", "r", "2025-12-01T23:00", "="),
    "it ends as the window does": (window(NIGHT), "pay", "2025-12-01T22:00", "2025-12-01T23:00", "allowed", "r", "2025-12-01T23:00", "="),
    "it ends a minute later": (window(NIGHT), "pay", "2025-12-01T22:01", "2025-12-01T23:01", "blocked", "no-allow-window", "2025-12-02T21:00", "2025-12-02T21:00"),
    "the last instant of a window": (window(NIGHT), "pay", "2025-12-01T23:00", "2025-12-01T23:00", "blocked", "no-allow-window", "2025-12-02T21:00", "2025-12-02T21:00"),
    "the first instant of a window": (window(NIGHT), "pay", "2025-12-01T21:00", "2025-12-01T21:00", "allowed", "r", "2025-12-01T23:00", "="),
    "it begins before the window": (window(NIGHT), "pay", "2025-12-01T20:59", "2025-12-01T21:59", "blocked", "no-allow-window", "2025-12-01T21:00", "2025-12-01T21:00"),
    "a weekend without windows": (window(NIGHT), "pay", "2025-12-05T23:30", "2025-12-06T00:00", "blocked", "no-allow-window", "2025-12-08T21:00", "2025-12-08T21:00"),
    "longer than any window": (window(NIGHT), "pay", "2025-12-01T21:00", "2025-12-01T23:30", "blocked", "no-allow-window", None, None),
    "only its start counts": (window(NIGHT + '\nfit = "start"'), "pay", "2025-12-01T22:59", "2025-12-02T04:00", "allowed", "r", "2025-12-01T23:00", "="),
    "its start is past such a window": (window(NIGHT + '\nfit = "start"'), "pay", "2025-12-01T23:00", "2025-12-01T23:30", "blocked", "no-allow-window", "2025-12-02T21:00", "2025-12-02T21:00"),
    "outside needs approval": (window(NIGHT + '\noutside = "approval"'), "pay", "2025-12-01T10:00", "2025-12-01T11:00", "needs-approval", "no-allow-window", "2025-12-01T21:00", "2025-12-01T21:00"),
    "two windows make one": (
        allow('cron = "0 20 * * *"', 60, name="a") + allow('cron = "0 21 * * *"', 60, name="b"),
        "pay", "2025-12-01T20:30", "2025-12-01T21:30", "allowed", "a", "2025-12-01T22:00", "=",
    ),
    "the strictest outside": (
        allow('cron = "0 20 * * *"', 60, more='outside = "approval"', name="a") + allow('cron = "0 21 * * *"', 60, name="b"),
        "pay", "2025-12-01T10:00", "2025-12-01T10:30", "blocked", "no-allow-window", "2025-12-01T20:00", "2025-12-01T20:00",
    ),
    "windows that have run out": (
        allow('rrule = "FREQ=DAILY;UNTIL=20250110T000000Z"\ndtstart = "2025-01-01T20:00"', 60),
        "pay", "2025-12-01T20:00", "2025-12-01T20:30", "blocked", "no-allow-window", None, None,
    ),
    "a window of another service": (window(NIGHT + '\nscope = { service = ["pay-*"] }'), "web", "2025-12-01T10:00", "2025-12-01T11:00", "allowed", "default", None, "="),
    "a glob": (window(NIGHT + '\nscope = { service = ["pay-*", "b?g"] }'), "bag", "2025-12-01T10:00", "2025-12-01T11:00", "blocked", "no-allow-window", "2025-12-01T21:00", "2025-12-01T21:00"),
    "globs heed case": (window(NIGHT + '\nscope = { service = ["Pay*"] }'), "pay", "2025-12-01T10:00", "2025-12-01T11:00", "allowed", "default", None, "="),
    "keys are ANDed": (window(NOON + '\nscope = { service = ["pay"], region = ["us"] }'), "pay/eu", "2025-12-01T12:00", "2025-12-01T12:30", "allowed", "default", None, "="),
    "an empty key holds for all": (window(NOON + '\nscope = { service = [], team = [] }'), "pay", "2025-12-01T12:00", "2025-12-01T12:30", "blocked", "r", "2025-12-01T13:00", "2025-12-01T13:00"),
    "a deny window": (window(NOON), "pay", "2025-12-01T11:30", "2025-12-01T12:01", "blocked", "r", "2025-12-01T13:00", "2025-12-01T13:00"),
    "up to a deny window": (window(NOON), "pay", "2025-12-01T11:30", "2025-12-01T12:00", "allowed", "default", "2025-12-01T12:00", "="),
    "from its end on": (window(NOON), "pay", "2025-12-01T13:00", "2025-12-01T13:30", "allowed", "default", "2025-12-02T12:00", "="),
    "deny looks at the start alone": (window(NOON + '\nfit = "start"'), "pay", "2025-12-01T11:59", "2025-12-01T12:30", "allowed", "default", "2025-12-01T12:00", "="),
    "deny asks for approval": (window(NOON + '\neffect = "approval"'), "pay", "2025-12-01T12:00", "2025-12-01T12:30", "needs-approval", "r", "2025-12-01T13:00", "2025-12-01T13:00"),
    "deny beats allow": (window(NIGHT, "a") + deny('cron = "0 21 * * *"', 30).replace('"r"', '"d"'), "pay", "2025-12-01T21:00", "2025-12-01T21:30", "blocked", "d", "2025-12-01T21:30", "2025-12-01T21:30"),
    "blocked beats approval": (
        window(NOON + '\neffect = "approval"', "w") + rule("freeze", 'start = 2025-12-01\nend = 2025-12-01\ntz = "UTC"', "f"),
        "pay", "2025-12-01T12:00", "2025-12-01T12:30", "blocked", "f", "2025-12-02T00:00", "2025-12-02T00:00",
    ),
    "the first of two in the file": (window(NOON, "a") + window(NOON, "b"), "pay", "2025-12-01T12:00", "2025-12-01T12:30", "blocked", "a", "2025-12-01T13:00", "2025-12-01T13:00"),
    "windows are named before freezes": (
        rule("freeze", 'start = 2025-12-01\nend = 2025-12-01\ntz = "UTC"', "f") + window(NOON, "w"),
        "pay", "2025-12-01T12:00", "2025-12-01T12:30", "blocked", "w", "2025-12-01T13:00", "2025-12-02T00:00",
    ),
    "freezes are named before holidays": (
        rule("holidays", 'dates = [2025-12-01]\ntz = "UTC"', "h") + rule("freeze", 'start = 2025-12-01\nend = 2025-12-01\ntz = "UTC"', "f"),
        "pay", "2025-12-01T12:00", "2025-12-01T12:30", "blocked", "f", "2025-12-02T00:00", "2025-12-02T00:00",
    ),
    "holidays are named before business hours": (
        rule("business_hours", WORK, "b") + rule("holidays", 'dates = [2025-12-01]\ntz = "Europe/Berlin"', "h"),
        "pay/eu", "2025-12-01T09:00", "2025-12-01T10:00", "blocked", "h", "2025-12-01T23:00", "2025-12-01T23:00",
    ),
    # windows over midnight, ends of months, 29 February
    "over midnight": (deny('cron = "0 23 * * *"', 180), "pay", "2025-12-02T01:59", "2025-12-02T02:30", "blocked", "r", "2025-12-02T02:00", "2025-12-02T02:00"),
    "over midnight into a day it does not open on": (deny('cron = "0 23 * * 5"', 180), "pay", "2025-12-06T00:30", "2025-12-06T01:00", "blocked", "r", "2025-12-06T02:00", "2025-12-06T02:00"),
    "the last Friday of a month": (
        deny('rrule = "FREQ=MONTHLY;BYDAY=-1FR"\ndtstart = "2026-01-30T18:00"', 60),
        "pay", "2026-02-27T18:30", "2026-02-27T18:30", "blocked", "r", "2026-02-27T19:00", "2026-02-27T19:00",
    ),
    "before its dtstart": (deny('rrule = "FREQ=MONTHLY;BYDAY=-1FR"\ndtstart = "2026-01-30T18:00"', 60), "pay", "2025-12-26T18:30", "2025-12-26T18:30", "allowed", "default", "2026-01-30T18:00", "="),
    "months without a 31st": (deny('cron = "0 10 31 * *"', 60), "pay", "2025-06-30T10:00", "2025-06-30T10:30", "allowed", "default", "2025-07-31T10:00", "="),
    "31 June never comes": (allow('cron = "0 10 31 6 *"', 60), "pay", "2025-07-01T10:00", "2025-07-01T10:30", "blocked", "no-allow-window", None, None),
    "the 31st by rrule": (deny('rrule = "FREQ=MONTHLY"\ndtstart = "2025-01-31T10:00"', 60), "pay", "2025-02-28T10:00", "2025-02-28T10:30", "allowed", "default", "2025-03-31T10:00", "="),
    "the last day of a month": (deny('rrule = "FREQ=MONTHLY;BYMONTHDAY=-1"\ndtstart = "2024-01-31T10:00"', 60), "pay", "2024-02-29T10:00", "2024-02-29T10:30", "blocked", "r", "2024-02-29T11:00", "2024-02-29T11:00"),
    "29 February by cron": (allow('cron = "0 0 29 2 *"', 1440), "pay", "2025-03-01T00:00", "2025-03-01T01:00", "blocked", "no-allow-window", "2028-02-29T00:00", "2028-02-29T00:00"),
    "29 February by rrule": (allow('rrule = "FREQ=YEARLY"\ndtstart = "2024-02-29T00:00"', 60), "pay", "2028-02-29T00:00", "2028-02-29T01:00", "allowed", "r", "2028-02-29T01:00", "="),
    "an UNTIL is its last opening": (deny('rrule = "FREQ=DAILY;UNTIL=20250110T200000Z"\ndtstart = "2025-01-01T21:00"', 60, "Europe/Berlin"), "pay", "2025-01-10T20:00", "2025-01-10T20:30", "blocked", "r", "2025-01-10T21:00", "2025-01-10T21:00"),
    "and none after it": (deny('rrule = "FREQ=DAILY;UNTIL=20250110T195959Z"\ndtstart = "2025-01-01T21:00"', 60, "Europe/Berlin"), "pay", "2025-01-10T20:00", "2025-01-10T20:30", "allowed", "default", None, "="),
    "every other week": (deny('rrule = "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU"\ndtstart = "2025-01-07T09:00"', 60), "pay", "2025-12-09T09:30", "2025-12-09T09:30", "blocked", "r", "2025-12-09T10:00", "2025-12-09T10:00"),
    "and not in the week between": (deny('rrule = "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU"\ndtstart = "2025-01-07T09:00"', 60), "pay", "2025-12-02T09:30", "2025-12-02T09:30", "allowed", "default", "2025-12-09T09:00", "="),
    # cron: day of month or day of week
    "Friday the 13th or any Friday": (deny('cron = "0 9 13 * 5"', 60), "pay", "2025-12-05T09:00", "2025-12-05T09:30", "blocked", "r", "2025-12-05T10:00", "2025-12-05T10:00"),
    "the 13th, no Friday": (deny('cron = "0 9 13 * 5"', 60), "pay", "2025-12-13T09:00", "2025-12-13T09:30", "blocked", "r", "2025-12-13T10:00", "2025-12-13T10:00"),
    "steps restrict": (deny('cron = "0 9 */10 * 1"', 60), "pay", "2025-12-11T09:00", "2025-12-11T09:30", "blocked", "r", "2025-12-11T10:00", "2025-12-11T10:00"),
    "7 is Sunday": (deny('cron = "0 9 * * 7"', 60), "pay", "2025-12-07T09:00", "2025-12-07T09:30", "blocked", "r", "2025-12-07T10:00", "2025-12-07T10:00"),
    # dates without a time of day
    "a day on which it does not open": (window(NOON + '\nexcept = [2025-12-02]'), "pay", "2025-12-02T12:00", "2025-12-02T12:30", "allowed", "default", "2025-12-03T12:00", "="),
    "in its zone": (deny('cron = "30 0 * * *"\nexcept = ["2025-12-02"]', 15, "Asia/Tokyo"), "pay", "2025-12-01T15:30", "2025-12-01T15:30", "allowed", "default", "2025-12-02T15:30", "="),
    "a day on which it opens as by its cron": (deny('cron = "0 9,22 * * 1-5"\ndates = [2025-12-06]', 60), "pay", "2025-12-06T22:30", "2025-12-06T22:30", "blocked", "r", "2025-12-06T23:00", "2025-12-06T23:00"),
    "and not at midnight": (deny('cron = "0 9,22 * * 1-5"\ndates = [2025-12-06]', 60), "pay", "2025-12-06T00:30", "2025-12-06T00:30", "allowed", "default", "2025-12-06T09:00", "="),
    "a day on which it opens as by its dtstart": (deny('rrule = "FREQ=WEEKLY"\ndtstart = "2025-01-07T09:00"\ndates = [2025-12-05]', 60), "pay", "2025-12-05T09:30", "2025-12-05T09:30", "blocked", "r", "2025-12-05T10:00", "2025-12-05T10:00"),
    "a day alone begins at midnight": (deny("dates = [2025-12-05]", 1440, "Europe/Berlin"), "pay", "2025-12-05T22:59", "2025-12-05T22:59", "blocked", "r", "2025-12-05T23:00", "2025-12-05T23:00"),
    # clocks that change
    "London's gap opens at the change": (window(GAP), "pay", "2025-03-30T01:00", "2025-03-30T01:00", "blocked", "r", "2025-03-30T02:00", "2025-03-30T02:00"),
    "and not before it": (window(GAP), "pay", "2025-03-30T00:30", "2025-03-30T01:00", "allowed", "default", "2025-03-30T01:00", "="),
    "London's hour that comes twice counts first": (window(GAP), "pay", "2025-10-26T00:30", "2025-10-26T00:30", "blocked", "r", "2025-10-26T01:30", "2025-10-26T01:30"),
    "and not a second time": (window(GAP), "pay", "2025-10-26T01:30", "2025-10-26T02:00", "allowed", "default", "2025-10-27T01:30", "="),
    "the first time after the overlap": (deny('cron = "0 2 * * *"', 60, "Europe/London"), "pay", "2025-10-26T01:30", "2025-10-26T02:00", "allowed", "default", "2025-10-26T02:00", "="),
    "Cairo's midnight after its overlap": (deny('cron = "0 0 * * *"', 30, "Africa/Cairo"), "pay", "2025-10-30T21:00", "2025-10-30T22:00", "allowed", "default", "2025-10-30T22:00", "="),
    "New York's gap": (deny('cron = "30 2 * * *"', 60, "America/New_York"), "pay", "2025-03-09T07:00", "2025-03-09T07:00", "blocked", "r", "2025-03-09T08:00", "2025-03-09T08:00"),
    "New York's overlap": (deny('cron = "30 1 * * *"', 60, "America/New_York"), "pay", "2025-11-02T06:30", "2025-11-02T06:45", "allowed", "default", "2025-11-03T06:30", "="),
    "New York in summer": (deny('cron = "0 9 * * *"', 60, "America/New_York"), "pay", "2025-07-01T13:00", "2025-07-01T13:00", "blocked", "r", "2025-07-01T14:00", "2025-07-01T14:00"),
    "Lord Howe's half-hour gap": (deny('cron = "15 2 * * *"', 30, "Australia/Lord_Howe"), "pay", "2025-10-04T15:30", "2025-10-04T15:30", "blocked", "r", "2025-10-04T16:00", "2025-10-04T16:00"),
    "Lord Howe's half-hour overlap": (deny('cron = "45 1 * * *"', 30, "Australia/Lord_Howe"), "pay", "2025-04-05T14:45", "2025-04-05T14:45", "blocked", "r", "2025-04-05T15:15", "2025-04-05T15:15"),
    "counts once": (deny('cron = "45 1 * * *"', 30, "Australia/Lord_Howe"), "pay", "2025-04-05T15:15", "2025-04-05T15:30", "allowed", "default", "2025-04-06T15:15", "="),
    "Cairo's midnight that is skipped": (deny('cron = "0 0 * * *"', 60, "Africa/Cairo"), "pay", "2025-04-24T22:00", "2025-04-24T22:00", "blocked", "r", "2025-04-24T23:00", "2025-04-24T23:00"),
    "a freeze up to Cairo's skipped midnight": (rule("freeze", 'start = 2025-04-23\nend = 2025-04-24\ntz = "Africa/Cairo"'), "pay", "2025-04-24T21:59", "2025-04-24T21:59", "blocked", "r", "2025-04-24T22:00", "2025-04-24T22:00"),
    "Cairo's hour before midnight that comes twice": (deny('cron = "30 23 * * *"', 30, "Africa/Cairo"), "pay", "2025-10-30T20:30", "2025-10-30T20:30", "blocked", "r", "2025-10-30T21:00", "2025-10-30T21:00"),
    "elapsed over a change": (deny('cron = "0 0 * * 0"', 240, "Europe/London"), "pay", "2025-03-30T03:59", "2025-03-30T03:59", "blocked", "r", "2025-03-30T04:00", "2025-03-30T04:00"),
    "a day of 25 hours": (rule("holidays", 'dates = [2025-10-26]\ntz = "Europe/London"'), "pay", "2025-10-26T23:59", "2025-10-26T23:59", "blocked", "r", "2025-10-27T00:00", "2025-10-27T00:00"),
    # freezes
    "a date-only end includes that day": (rule("freeze", YEAR_END), "pay", "2026-01-02T22:59", "2026-01-02T22:59", "blocked", "r", "2026-01-02T23:00", "2026-01-02T23:00"),
    "and ends with it": (rule("freeze", YEAR_END), "pay", "2026-01-02T23:00", "2026-01-03T00:00", "allowed", "default", None, "="),
    "it begins at its own midnight": (rule("freeze", YEAR_END), "pay", "2025-12-19T22:30", "2025-12-19T23:30", "blocked", "r", "2026-01-02T23:00", "2026-01-02T23:00"),
    "a date-time end is excluded": (rule("freeze", 'start = 2025-12-20T18:00:00\nend = "2025-12-24T18:00"\ntz = "Europe/Berlin"'), "pay", "2025-12-24T17:00", "2025-12-24T18:00", "allowed", "default", None, "="),
    "a time with an offset is that instant": (rule("freeze", 'start = 2025-12-20T18:00:00Z\nend = 2025-12-24T18:00:00+02:00'), "pay", "2025-12-24T15:59", "2025-12-24T15:59", "blocked", "r", "2025-12-24T16:00", "2025-12-24T16:00"),
    "an emergency is frozen too": (rule("freeze", YEAR_END), "pay//emergency", "2025-12-24T10:00", "2025-12-24T11:00", "blocked", "r", "2026-01-02T23:00", "2026-01-02T23:00"),
    "unless the freeze admits it": (rule("freeze", YEAR_END + '\nemergency = "allow"'), "pay//emergency", "2025-12-24T10:00", "2025-12-24T11:00", "allowed", "default", None, "="),
    "or wants an approval": (rule("freeze", YEAR_END + '\nemergency = "approval"'), "pay//emergency", "2025-12-24T10:00", "2025-12-24T11:00", "needs-approval", "r", "2026-01-02T23:00", "2026-01-02T23:00"),
    "others stay frozen": (rule("freeze", YEAR_END + '\nemergency = "allow"'), "pay//normal", "2025-12-24T10:00", "2025-12-24T11:00", "blocked", "r", "2026-01-02T23:00", "2026-01-02T23:00"),
    "a soft freeze": (rule("freeze", YEAR_END + '\neffect = "approval"'), "pay//emergency", "2025-12-24T10:00", "2025-12-24T11:00", "needs-approval", "r", "2026-01-02T23:00", "2026-01-02T23:00"),
    "an emergency keeps to windows": (window(NIGHT), "pay//emergency", "2025-12-01T10:00", "2025-12-01T11:00", "blocked", "no-allow-window", "2025-12-01T21:00", "2025-12-01T21:00"),
    # holidays, business hours, regions
    "a public holiday": (rule("holidays", 'country = "DE"\ntz = "Europe/Berlin"'), "pay", "2025-10-03T10:00", "2025-10-03T11:00", "blocked", "r", "2025-10-03T22:00", "2025-10-03T22:00"),
    "of another subdivision": (rule("holidays", 'country = "DE"\nsubdivision = "BE"\ntz = "Europe/Berlin"'), "pay", "2025-11-01T10:00", "2025-11-01T11:00", "allowed", "default", "2025-12-24T23:00", "="),
    "of this subdivision": (rule("holidays", 'country = "DE"\nsubdivision = "BY"\ntz = "Europe/Berlin"'), "pay", "2025-11-01T10:00", "2025-11-01T11:00", "blocked", "r", "2025-11-01T23:00", "2025-11-01T23:00"),
    "dates replace the library": (rule("holidays", 'country = "DE"\ndates = [2025-12-31]\ntz = "Europe/Berlin"'), "pay", "2025-12-25T10:00", "2025-12-25T11:00", "allowed", "default", "2025-12-30T23:00", "="),
    "in business hours": (rule("business_hours", WORK), "pay/eu", "2025-12-01T08:00", "2025-12-01T08:00", "blocked", "r", "2025-12-01T16:00", "2025-12-01T16:00"),
    "after them": (rule("business_hours", WORK), "pay/eu", "2025-12-01T16:00", "2025-12-01T17:00", "allowed", "default", "2025-12-02T08:00", "="),
    "it runs into them": (rule("business_hours", WORK), "pay/eu", "2025-12-01T07:30", "2025-12-01T08:01", "blocked", "r", "2025-12-01T16:00", "2025-12-01T16:00"),
    "on a Saturday": (rule("business_hours", WORK), "pay/eu", "2025-12-06T10:00", "2025-12-06T11:00", "allowed", "default", "2025-12-08T08:00", "="),
    "elsewhere": (rule("business_hours", WORK), "pay/us", "2025-12-01T10:00", "2025-12-01T11:00", "allowed", "default", None, "="),
    "every region has to be clear": (rule("business_hours", WORK), "pay/us,eu", "2025-12-01T10:00", "2025-12-01T11:00", "blocked", "r", "2025-12-01T16:00", "2025-12-01T16:00"),
    "a region that is not known": (rule("business_hours", WORK), "pay", "2025-12-01T10:00", "2025-12-01T11:00", "allowed", "default", None, "="),
    "work over midnight": (rule("business_hours", 'tz = "UTC"\nopen = "22:00"\nclose = "06:00"\ndays = [4]'), "pay", "2025-12-06T05:00", "2025-12-06T05:30", "blocked", "r", "2025-12-06T06:00", "2025-12-06T06:00"),
    "both regions' windows have to be open": (
        allow('cron = "0 20 * * *"', 120, more='scope = { region = ["eu"] }', name="eu") + allow('cron = "0 21 * * *"', 120, more='scope = { region = ["us"] }', name="us"),
        "pay/eu,us", "2025-12-01T20:00", "2025-12-01T20:30", "blocked", "no-allow-window", "2025-12-01T21:00", "2025-12-01T21:00",
    ),
    "both are open": (
        allow('cron = "0 20 * * *"', 120, more='scope = { region = ["eu"] }', name="eu") + allow('cron = "0 21 * * *"', 120, more='scope = { region = ["us"] }', name="us"),
        "pay/us,eu", "2025-12-01T21:00", "2025-12-01T22:00", "allowed", "eu", "2025-12-01T22:00", "=",
    ),
    "a window in one region only": (
        allow('cron = "0 20 * * *"', 120, more='scope = { region = ["eu"] }', name="eu"),
        "pay/us,eu", "2025-12-01T20:00", "2025-12-01T21:00", "allowed", "eu", "2025-12-01T22:00", "=",
    ),
    "no allow window is named before a freeze": (
        window(NIGHT) + rule("freeze", YEAR_END, "f"), "pay", "2025-12-24T10:00", "2025-12-24T11:00", "blocked", "no-allow-window", "2025-12-24T21:00", "2026-01-05T21:00",
    ),
    "a reserve does not stand in the way of one change": (
        rule("reserve", 'environment = "production"\nper_day_minutes = 60\nbetween = ["06:00", "22:00"]\ntz = "UTC"'),
        "pay//normal", "2025-12-01T10:00", "2025-12-01T11:00", "allowed", "default", None, "=",
    ),
    "nor do meetings and capacities": (
        rule("cab", 'cron = "0 10 * * 2"\ntz = "UTC"\ndeadline_hours = 24') + rule("capacity", "concurrent = 1", "c"),
        "pay//normal", "2025-12-01T10:00", "2025-12-01T11:00", "allowed", "default", None, "=",
    ),
}  # fmt: skip


def moment(text, start=None):
    return None if text is None else datetime.fromisoformat(start if text == "=" else text)


def subject(text):
    service, regions, change_type = (*text.split("/"), "", "")[:3]
    return Subject(service, "production", tuple(filter(None, regions.split(","))), None, change_type or None)


def calendar(folder, text):
    (folder / "calendar.toml").write_text(text)
    return read_calendar(folder / "calendar.toml")


@pytest.mark.parametrize("name", CASES)
def test_a_time_is_decided_as_worked_out_by_hand(name, tmp_path):
    text, asked, start, end, decision, named, until, following = CASES[name]
    found = calendar(tmp_path, text).decide(subject(asked), moment(start), moment(end))

    assert (found.decision, found.rule) == (decision, named)
    assert found.until == moment(until)
    assert found.next_allowed == moment(following, start)


def test_there_are_enough_cases():
    assert len(CASES) >= 60
    assert all(tomllib.loads(case[0]) or not case[0] for case in CASES.values())


def test_all_that_refuse_as_strongly_are_named(tmp_path):
    text = window(NIGHT) + rule("freeze", YEAR_END, "f") + rule("holidays", 'dates = [2025-12-24]\ntz = "UTC"', "h")
    start = datetime(2025, 12, 24, 10, tzinfo=UTC).replace(tzinfo=None)

    assert calendar(tmp_path, text).decide(subject("pay"), start, start).rules == ("no-allow-window", "f", "h")
