"""Requests as a file gives them: what is good is read whole, and the first fault is named with its request and key."""

import json
from datetime import UTC, datetime

import pytest

from shipcast.scheduling.requests import read_requests
from shipcast.settings.errors import InputRefused

GOOD = {"id": "a", "service": "pay", "duration_minutes": 20}


def read(*requests, zone="UTC", **more):
    return read_requests(json.dumps({"requests": requests, **more}), "r.json", zone)


def test_three_keys_are_enough():
    file = read(GOOD)

    [one] = file.requests
    assert (one.environment, one.lines, one.depends_on, one.cost, file.as_of) == ("production", None, None, None, None)


def test_times_without_an_offset_are_on_the_clock_of_the_zone():
    file = read(
        {**GOOD, "earliest": "2026-01-05T10:00", "latest": "2026-01-05T12:00Z"}, zone="Asia/Tokyo", as_of="2026-01-05"
    )

    assert file.requests[0].earliest == datetime(2026, 1, 5, 1, tzinfo=UTC)
    assert file.requests[0].latest == datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert file.as_of == datetime(2026, 1, 4, 15, tzinfo=UTC)


def test_numbers_may_be_names_and_unknown_keys_are_named_once():
    file = read({**GOOD, "id": 7, "colour": "red"}, {**GOOD, "id": "b", "depends_on": [7], "colour": "blue"}, note="x")

    assert [one.id for one in file.requests] == ["7", "b"]
    assert file.requests[1].depends_on == ("7",)
    assert file.unknown_keys == ("colour", "note")


FAULTS = {
    "no name": ({"id": ""}, "request number 1: id:"),
    "no service": ({"service": None}, "request a: service:"),
    "no time at all": ({"duration_minutes": 0}, "request a: duration_minutes:"),
    "hardly any time": ({"duration_minutes": 1e-9}, "request a: duration_minutes:"),
    "a price beyond all": ({"cost": [1e308]}, "request a: cost.0:"),
    "yes for a price": ({"cost": [True]}, "request a: cost.0:"),
    "too long": ({"duration_minutes": 31 * 24 * 60 + 1}, "request a: duration_minutes:"),
    "minutes as text": ({"duration_minutes": "soon"}, "request a: duration_minutes:"),
    "negative size": ({"lines_added": -1}, "request a: lines_added:"),
    "a part of a file": ({"files_changed": 1.5}, "request a: files_changed:"),
    "an unknown type": ({"change_type": "urgent"}, "request a: change_type:"),
    "no time": (
        {"earliest": "tomorrow"},
        "request a: earliest: must be a time such as 2026-01-05T10:00Z. Got 'tomorrow'",
    ),
    "a number for a time": ({"latest": 1767607200}, "request a: latest: must be a time"),
    "far away": ({"latest": "9999-01-01T00:00Z"}, "request a: latest: must lie between the years 2000 and 2200"),
    "turned around": ({"earliest": "2026-01-05T10:00Z", "latest": "2026-01-05T10:00Z"}, "does not come after earliest"),
    "no quarter hour": ({"pinned_start": "2026-01-05T10:05Z"}, "is no quarter hour"),
    "a negative price": ({"cost": [1, -1]}, "request a: cost.1:"),
    "no price at all": ({"cost": []}, "cost holds no start"),
    "a price without end": ({"deferral_cost": 1e999}, "request a: deferral_cost:"),
    "yes for true": ({"approval_needed": "yes"}, "request a: approval_needed:"),
    "waits for nobody": ({"depends_on": ["b"]}, "request a: depends_on: there is no request b"),
    "excludes itself": ({"excludes": ["a"]}, "request a: excludes: it names itself"),
    "null in a list": ({"excludes": [None]}, "request a: excludes.0: must be text. Got null instead"),
    "a word for a list": ({"resources": "db"}, "request a: resources: must be a list. Got 'db' instead"),
    "null for text": ({"environment": None}, "request a: environment: must be text. Got null instead"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_with_its_request_and_key(name):
    wrong, said = FAULTS[name]

    with pytest.raises(InputRefused) as refusal:
        read({**GOOD, **wrong})

    assert said in refusal.value.detail
    assert refusal.value.next_step == "Nothing was planned."


def test_all_faults_are_named_each_on_its_line_up_to_what_an_error_holds():
    wrong = [{**GOOD, "id": f"r{number}", "commits": -1, "files_changed": "x"} for number in range(5)]

    with pytest.raises(InputRefused) as refusal:
        read(*wrong)

    assert refusal.value.detail == "r.json: 10 faults."
    assert refusal.value.lines[0] == "- request r0: files_changed: must be a whole number. Got 'x' instead."
    assert (len(refusal.value.lines), refusal.value.lines[-1]) == (8, "- and 3 more")


def test_a_key_that_may_stand_for_one_that_is_missing_is_named():
    with pytest.raises(InputRefused, match="duration_minutes: is missing; the key 'duration', which no request has"):
        read({"id": "a", "service": "pay", "duration": "20m"})


def test_a_key_that_stands_twice_is_named_with_its_request():
    text = '{"requests": [{"id": "a", "service": "pay", "duration_minutes": 5, "service": "web"}]}'

    with pytest.raises(InputRefused, match="the key 'service' stands twice in the object whose id is 'a'"):
        read_requests(text, "r.json", "UTC")


def test_two_of_one_name_are_refused():
    with pytest.raises(InputRefused, match="two requests are called a"):
        read(GOOD, GOOD)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"requests": 1}', '{"requests": [1]}', "[" * 100_000, '{"requests": [], "as_of": "x"}']
)
def test_what_is_no_such_file_is_refused_in_words(text):
    with pytest.raises(InputRefused, match=r"^r\.json: "):
        read_requests(text, "r.json", "UTC")
