"""A calendar that cannot be meant is refused whole, with its line, its rule, its key, and what could be meant."""

import json

import pytest

from shipcast.__main__ import run
from shipcast.scheduling.calendar.errors import CalendarError
from shipcast.scheduling.calendar.reading import read_calendar

GOOD = {
    "window": 'id = "w"\nkind = "deny"\ncron = "0 22 * * 1-5"\nminutes = 120\ntz = "Europe/Berlin"\n',
    "rrule": 'id = "w"\nkind = "deny"\nrrule = "FREQ=DAILY"\ndtstart = "2026-01-30T18:00"\nminutes = 60\ntz = "UTC"\n',
    "freeze": 'id = "f"\nstart = 2025-12-20\nend = 2026-01-02\ntz = "UTC"\n',
    "holidays": 'id = "h"\ncountry = "DE"\nsubdivision = "BE"\ntz = "UTC"\n',
    "business_hours": 'id = "b"\nopen = "09:00"\nclose = "17:00"\ndays = [0, 1]\ntz = "UTC"\n',
    "cab": 'id = "c"\ncron = "0 10 * * 2"\ndeadline_hours = 24\ntz = "UTC"\n',
    "reserve": 'id = "r"\nper_day_minutes = 60\nbetween = ["06:00", "22:00"]\ntz = "UTC"\n',
    "capacity": 'id = "k"\nconcurrent = 2\nscope = { resource = ["db"] }\n',
}
BROKEN = [
    # a good rule, what of it is replaced by what, the line and key named, and a word of what is said
    ("window", "Europe/Berlin", "Europe/Berln", 6, "tz", "Did you mean Europe/Berlin"),
    ("window", "Europe/Berlin", "CEST", 6, "tz", "'CEST' is not a time zone"),
    ("window", "Europe/Berlin", "posixrules", 6, "tz", "'posixrules' is not a time zone"),
    ("window", "Europe/Berlin", "localtime", 6, "tz", "'localtime' is not a time zone"),
    ("window", "Europe/Berlin", "Factory", 6, "tz", "'Factory' is not a time zone"),
    ("window", '"deny"', '"deney"', 3, "kind", "'allow' or 'deny'"),
    ("window", "22 * * 1-5", "25 * * 1-5", 4, "cron", "'25' is no hour"),
    ("window", "0 22 * * 1-5", "60 22 * * 1-5", 4, "cron", "'60' is no minute"),
    ("window", "0 22 * * 1-5", "0 22 * * 1-8", 4, "cron", "'1-8' is no day of week"),
    ("window", "0 22 * * 1-5", "0 22 * *", 4, "cron", "five fields"),
    ("window", "0 22 * * 1-5", "0 0 22 * * 1-5", 4, "cron", "five fields"),
    ("window", "minutes = 120", "minutes = 0", 5, "minutes", "Got 0"),
    ("window", "minutes = 120", "minutes = -5", 5, "minutes", "Got -5"),
    ("window", "minutes = 120", 'minutes = "120"', 5, "minutes", "must be a whole number"),
    ("window", "minutes = 120", "minutes = 1000000", 5, "minutes", "527040"),
    ("window", "minutes = 120", "minuts = 120", 1, None, "lacks the key 'minutes'"),
    ("window", "minutes = 120", "minutes = 120\ntimezone = 'UTC'", 6, "timezone", "unknown key"),
    ("window", "minutes = 120", "minutes = 120\nscop = {}", 6, "scop", "Did you mean 'scope'"),
    ("window", "minutes = 120", "minutes = 120\nscope = { services = ['a'] }", 6, "scope", "Did you mean 'service'"),
    ("window", "minutes = 120", "minutes = 120\nscope = { service = [1] }", 6, "scope", "must be text"),
    ("window", "minutes = 120", "minutes = 120\nscope = 'pay'", 6, "scope", "must be a table"),
    ("window", "minutes = 120", "minutes = 120\nfit = 'half'", 6, "fit", "'whole' or 'start'"),
    ("window", "minutes = 120", "minutes = 120\neffect = 'blok'", 6, "effect", "'block' or 'approval'"),
    ("window", 'cron = "0 22 * * 1-5"\n', "", 2, "id", "says not when it opens"),
    ("window", "minutes = 120", "minutes = 120\nrrule = 'FREQ=DAILY'", 6, "rrule", "by cron or by rrule"),
    ("window", 'id = "w"', 'id = ""', 2, "id", "characters"),
    ("window", 'id = "w"', 'id = "default"', 2, "id", "choose another id"),
    ("window", 'id = "w"', "id = 7", 2, "id", "must be text"),
    ("window", 'id = "w"\n', "", 1, None, "lacks the key 'id'"),
    ("rrule", "FREQ=DAILY", "FREQ=DAYLY", 4, "rrule", "must have a FREQ"),
    ("rrule", "FREQ=DAILY", "FREQ=WEEKLY;BYDAY=XX", 4, "rrule", "BYDAY=XX"),
    ("rrule", "FREQ=DAILY", "FREQ=WEEKLY;BYDAY=-1FR", 4, "rrule", "only where FREQ is MONTHLY or YEARLY"),
    ("rrule", "FREQ=DAILY", "FREQ=MONTHLY;BYMONTHDAY=32", 4, "rrule", "-31 to 31"),
    ("rrule", "FREQ=DAILY", "FREQ=DAILY;COUNT=3;UNTIL=20260101", 4, "rrule", "both COUNT and UNTIL"),
    ("rrule", "FREQ=DAILY", "FREQ=DAILY;UNTIL=20261399", 4, "rrule", "is no time"),
    ("rrule", "FREQ=DAILY", "FREQ=DAILY;EVERY=3", 4, "rrule", "EVERY is no part"),
    ("rrule", "FREQ=DAILY", "every day", 4, "rrule", "no recurrence rule"),
    ("rrule", "FREQ=DAILY", "FREQ=SECONDLY", 4, "rrule", "more than 100,000 times"),
    ("rrule", "FREQ=DAILY", "FREQ=MINUTELY;INTERVAL=5", 4, "rrule", "more than 100,000 times"),
    ("rrule", "FREQ=DAILY", "FREQ=HOURLY", 4, "rrule", "more than 100,000 times"),
    ("rrule", "FREQ=DAILY", "FREQ=SECONDLY;BYHOUR=3", 4, "rrule", "more than 100,000 times"),
    ("rrule", 'dtstart = "2026-01-30T18:00"\n', "", 4, "rrule", "needs a dtstart"),
    ("rrule", "2026-01-30T18:00", "2026-13-30T18:00", 5, "dtstart", "must be a date"),
    ("freeze", "2026-01-02", "2025-12-19", 4, "end", "before or as it starts"),
    ("freeze", "2025-12-20", '"soon"', 3, "start", "must be a date"),
    ("freeze", "2025-12-20", "0001-12-20", 3, "start", "between the years"),
    ("freeze", 'tz = "UTC"', 'tz = "UTC"\nemergency = "yes"', 6, "emergency", "'block', 'approval' or 'allow'"),
    ("holidays", '"DE"', '"XDE"', 3, "country", "no country code known of"),
    ("holidays", '"BE"', '"BER"', 4, "subdivision", "Did you mean BE"),
    ("holidays", 'country = "DE"\nsubdivision = "BE"\n', "", 2, "id", "give them a country"),
    ("holidays", 'country = "DE"\nsubdivision = "BE"', "dates = ['x']", 3, "dates", "must be a date"),
    ("business_hours", '"17:00"', '"25:00"', 4, "close", "time of day"),
    ("business_hours", '"17:00"', '"09:00"', 4, "close", "the same as open"),
    ("business_hours", "[0, 1]", "[0, 7]", 5, "days", "6 or less"),
    ("cab", "deadline_hours = 24", "deadline_hours = -1", 4, "deadline_hours", "0 or more"),
    ("reserve", "per_day_minutes = 60", "per_day_minutes = 1000", 4, "between", "no room"),
    ("capacity", "concurrent = 2", "concurrent = 0", 3, "concurrent", "1 or more"),
]  # fmt: skip


def section(kind):
    return f"[[{'window' if kind == 'rrule' else kind}]]\n"


@pytest.mark.parametrize("kind", GOOD)
def test_the_good_ones_are_read(kind, tmp_path):
    (tmp_path / "calendar.toml").write_text(section(kind) + GOOD[kind])

    read_calendar(tmp_path / "calendar.toml")


@pytest.mark.parametrize(("kind", "part", "instead", "line", "key", "word"), BROKEN, ids=lambda value: str(value)[:40])
def test_a_fault_is_named_with_its_line_and_key(kind, part, instead, line, key, word, tmp_path):
    assert part in GOOD[kind]
    path = tmp_path / "calendar.toml"
    path.write_text(section(kind) + GOOD[kind].replace(part, instead, 1))

    with pytest.raises(CalendarError) as caught:
        read_calendar(path)

    assert f"{path}:{line}:" in str(caught.value)
    assert (caught.value.facts["line"], caught.value.facts["key"]) == (line, key)
    assert word in str(caught.value)


MISLEADING = """id = "{name}"
reason = {quote}
a '#' in a \"text\": tz = "UTC"
[[window]]
minutes = 5 {quote} # and {quote} here
kind = "deny"
cron = "0 22 * * *"
tz = "UTC"
minutes = {minutes}
"""


@pytest.mark.parametrize("quote", ['"""', "'''"])
def test_texts_over_several_lines_do_not_shift_the_lines(quote, tmp_path):
    path = tmp_path / "calendar.toml"
    rules = [MISLEADING.format(name=name, quote=quote, minutes=minutes) for name, minutes in (("a", 60), ("b", 0))]
    path.write_text("".join(section("window") + rule for rule in rules))

    with pytest.raises(CalendarError) as caught:
        read_calendar(path)

    assert caught.value.detail.startswith(f"{path}:20: window 'b', minutes: ")


FILES = {
    "no TOML": ("[[window]]\nid = \n", "calendar.toml:2"),
    "an unknown section": ("[[window]]\n" + GOOD["window"] + "[[windows]]\nid = 'x'\n", "Did you mean 'window'"),
    "a section that is no list": ("[window]\n" + GOOD["window"], "[[window]]"),
    "ids that are the same": (
        section("window") + GOOD["window"] + section("freeze") + GOOD["freeze"].replace('"f"', '"w"'),
        "calendar.toml:8: the id 'w' is taken by calendar.toml:2",
    ),
    "junk": ("\x00\x01junk" * 150_000, "it is no TOML"),
    "one long line": ("a" * 1_000_000, "it is no TOML"),
    "many brackets": ("a = " + "[" * 100_000, "calendar.toml"),
    "many dots": ("a" + ".a" * 50_000 + " = 1", "calendar.toml"),
    "no JSON": ('{"window": [}', "calendar.toml:1"),
    "a key twice": ('{"window": [{"id": "a", "id": "b"}]}', "stands twice"),
    "JSON that is nested deeply": ('{"a":' * 100_000, "calendar.toml"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_calendar_ends_with_3_in_words(name, tmp_path, capsys):
    text, word = FILES[name]
    (tmp_path / "calendar.toml").write_text(text)

    code = run(["--home", str(tmp_path), "calendar", "list"])
    said = capsys.readouterr()

    assert code == 3
    assert word in said.err
    assert said.out == ""
    assert len(said.err.splitlines()) <= 10


def test_json_names_the_line_too(tmp_path):
    path = tmp_path / "calendar.json"
    rule = {"id": "w", "kind": "deny", "cron": "0 22 * * *", "minutes": 0, "tz": "UTC", "scope": {"service": ["a,b:{"]}}
    path.write_text(json.dumps({"freeze": [], "window": [{**rule, "id": "v", "minutes": 5}, rule]}, indent=2))
    wanted = [number for number, line in enumerate(path.read_text().splitlines(), 1) if '"minutes": 0' in line]

    with pytest.raises(CalendarError) as caught:
        read_calendar(path)

    assert [caught.value.facts["line"]] == wanted


def test_all_that_is_wrong_is_named_each_on_its_line(tmp_path):
    path = tmp_path / "calendar.toml"
    freeze = GOOD["freeze"].replace("'UTC'", "'Berlin'").replace("start", "begin")
    path.write_text(section("freeze") + freeze + section("window") + GOOD["window"].replace("120", "0"))

    with pytest.raises(CalendarError) as caught:
        read_calendar(path)

    assert caught.value.detail == f"{path}: 3 faults."
    assert [line.partition(": ")[0] for line in caught.value.lines] == [f"- {path}:{line}" for line in (1, 3, 10)]


def test_a_null_where_a_list_is_wanted_is_said_in_words(tmp_path):
    path = tmp_path / "calendar.json"
    path.write_text(
        json.dumps({"freeze": [{"id": "f", "start": "2025-12-20", "end": "2026-01-02", "scope": {"team": None}}]})
    )

    with pytest.raises(CalendarError, match=r"freeze 'f', scope.team: must be a list. Got null instead"):
        read_calendar(path)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "calendar.toml").write_bytes(b"\xff\xfe\x00junk")

    with pytest.raises(CalendarError, match="no text in UTF-8"):
        read_calendar(tmp_path / "calendar.toml")


def test_json_and_toml_mean_the_same(tmp_path):
    (tmp_path / "a.toml").write_text(
        section("freeze") + GOOD["freeze"] + section("business_hours") + GOOD["business_hours"]
    )
    (tmp_path / "b.json").write_text(
        json.dumps(
            {
                "freeze": [{"id": "f", "start": "2025-12-20", "end": "2026-01-02", "tz": "UTC"}],
                "business_hours": [{"id": "b", "open": "09:00", "close": "17:00", "days": [0, 1], "tz": "UTC"}],
            }
        )
    )

    assert read_calendar(tmp_path / "a.toml").named == read_calendar(tmp_path / "b.json").named


def test_a_rule_that_names_no_zone_is_read_in_utc_and_that_is_said(tmp_path):
    (tmp_path / "calendar.toml").write_text(section("window") + GOOD["window"].replace('tz = "Europe/Berlin"\n', ""))

    assert read_calendar(tmp_path / "calendar.toml").notes == ("window 'w' names no tz: its times are read in UTC.",)


@pytest.mark.parametrize("depth", [100, 950, 5000])
def test_json_nested_deeply_is_refused_wherever_it_is_too_deep(depth, tmp_path):
    path = tmp_path / "calendar.json"
    path.write_text('{"window":[{"id":' + "[" * depth + "]" * depth + "}]}")

    with pytest.raises(CalendarError):
        read_calendar(path)
