"""Every rule on every column it holds for, told from the tables' definitions."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from shipcast.ingest.files import ingest_files
from shipcast.ingest.quarantine import quarantined
from shipcast.ingest.rules import checks
from shipcast.warehouse.connection import open_work
from shipcast.warehouse.tables import BY_NAME, TABLES

SOUND = {"instant": "2024-05-01T10:00:00Z", "integer": "12", "number": "1.5", "boolean": "true", "list": "a;b"}
FIELDS = [(table.name, column.name) for table in TABLES for column in table.columns]


def sound_row(table):
    """A row with every column filled in."""
    return {
        column.name: column.choices[0] if column.choices else SOUND.get(column.kind, f"some {column.name}")
        for column in BY_NAME[table].columns
    }


def text(rows):
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def offences(table, name):
    """Values that break a rule of the column, with the rule."""
    column = BY_NAME[table].column(name)
    if column.required:
        yield "", "required_value_missing"
        yield " \t", "required_value_missing"
    if column.choices:
        yield "splendid", f"unknown_{name}"
    if column.kind == "instant":
        yield from [("yesterday", "not_a_time"), ("1999-12-31T23:59:59Z", "year_out_of_range")]
        yield (datetime.now(UTC) + timedelta(days=2)).isoformat(), "year_out_of_range"
    if column.kind == "integer":
        yield from [("1.5", "not_a_whole_number"), ("N/A", "not_a_whole_number"), ("1e3", "not_a_whole_number")]
        yield from [("12345678901234567890123456", "number_out_of_range"), ("NaN", "number_out_of_range")]
    if column.kind == "number":
        yield from [("N/A", "not_a_number"), ("1,5", "not_a_number"), ("1_000", "not_a_number")]
        yield from [(value, "number_out_of_range") for value in ("NaN", "-Infinity", "inf", "1e999")]
    if column.minimum is not None:
        yield "-1", "number_out_of_range"
    if column.kind == "boolean":
        yield "maybe", "not_true_or_false"


def test_a_row_of_sound_values_passes(desk):
    report = desk.load({f"{table.name}.csv": text([sound_row(table.name)]) for table in TABLES})

    assert report.exit_code == 0
    assert {item.table: item.inserted for item in report.items} == {table.name: 1 for table in TABLES}


@pytest.mark.parametrize("table", [table.name for table in TABLES])
def test_each_offence_names_its_rule_and_column_and_keeps_the_row(desk, table):
    cases = [(name, *offence) for of_table, name in FIELDS if of_table == table for offence in offences(table, name)]
    rows = [{**sound_row(table), name: value} for name, value, _ in cases]
    report = desk.load({f"{table}.csv": text(rows)})

    with open_work(desk.settings.home) as connection:
        found = quarantined(connection)
    assert [(row.line, row.column, row.rule) for row in found] == [
        (line, name, rule) for line, (name, _, rule) in enumerate(cases, start=2)
    ]
    assert [row.row for row in found] == text(rows).splitlines()[1:]
    assert report.items[0].read == report.items[0].quarantined == len(cases)


@pytest.mark.parametrize(
    ("table", "earlier", "later"), [(table.name, *order) for table in TABLES for order in table.order]
)
def test_an_end_before_its_start_is_quarantined_and_an_equal_one_is_not(desk, table, earlier, later):
    row = sound_row(table)
    before = {**row, earlier: "2024-05-01T12:00:00+02:00", later: "2024-05-01T09:59:59Z"}
    equal = {**row, earlier: "2024-05-01T12:00:00+02:00", later: "2024-05-01T10:00:00Z"}
    desk.load({f"{table}.csv": text([before, equal])})

    reason = f"{later} 2024-05-01T09:59:59Z is before {earlier} 2024-05-01T12:00:00+02:00"
    assert desk.rows("select line, rule, reason like '%" + reason + "' from raw._quarantine") == [
        (2, f"{later}_before_{earlier}", True)
    ]


def test_a_reason_says_where_which_and_what(desk):
    desk.load(
        {
            "incidents.csv": "incident_id,service,started_at,resolved_at\n"
            "INC-2417,pay,2024-03-02 11:45,2024-03-02 09:10\n"
        }
    )
    assert desk.rows("select reason from raw._quarantine") == [
        ("incidents.csv:2: INC-2417: resolved_at 2024-03-02 09:10 is before started_at 2024-03-02 11:45",)
    ]


def test_a_reason_names_every_rule_that_is_broken_in_printable_characters(desk):
    desk.load({"load.csv": "service,observed_at,value\npay,\x1b[31mnoon,-1\n"})

    assert desk.rows("select column_name, rule, reason from raw._quarantine") == [
        (
            "observed_at",
            "not_a_time",
            "load.csv:2: pay �[31mnoon: observed_at '�[31mnoon' is not an ISO 8601 time; value -1 is below 0",
        )
    ]


UTC_TIMES = {
    "2024-01-02T03:04:05Z": "2024-01-02 03:04:05",
    "2024-01-02t03:04:05z": "2024-01-02 03:04:05",
    "2024-01-02 03:04:05+01": "2024-01-02 02:04:05",
    "2024-01-02T03:04:05+0100": "2024-01-02 02:04:05",
    "2024-01-02T03:04:05+01:00": "2024-01-02 02:04:05",
    "2024-01-02 03:04:05 +01:00": "2024-01-02 02:04:05",
    "2024-01-02T03:04:05-05:30": "2024-01-02 08:34:05",
    "2024-01-02T03:04Z": "2024-01-02 03:04:00",
    "2024-01-02T03:04:05.25Z": "2024-01-02 03:04:05.25",
    "2024-01-02T03:04:05,25Z": "2024-01-02 03:04:05.25",
    "2024-01-02T03:04:05.123456789Z": "2024-01-02 03:04:05.123456",
    "2024-01-02T24:00:00Z": "2024-01-03 00:00:00",
    "20240102T030405Z": "2024-01-02 03:04:05",
    "20240102T0304+0100": "2024-01-02 02:04:00",
    "20240102t030405.5": "2024-01-02 01:04:05.5",
    "2024-01-02": "2024-01-01 22:00:00",
    "2024-01-02T03:04:05": "2024-01-02 01:04:05",
    "2024-01-02 03:04": "2024-01-02 01:04:00",
    "2024-07-02 03:04": "2024-07-02 00:04:00",
}


def test_iso_times_are_stored_in_utc_and_those_without_offset_are_the_sources(desk):
    rows = "".join(f's{place};"{given}";1\n' for place, given in enumerate(UTC_TIMES))
    folder = desk.write({"load.csv": f"service;observed_at;value\n{rows}"})
    settings = desk.settings.model_copy(update={"source_zone": "Europe/Helsinki"})

    ingest_files(settings, [folder])

    stored = dict(desk.rows("select service, observed_at::varchar from raw.load"))
    assert {given: stored.get(f"s{place}") for place, given in enumerate(UTC_TIMES)} == UTC_TIMES


NO_TIMES = [
    "infinity", "-infinity", "epoch", "now", "today", "2024-01-02 03:04:05 Europe/London",
    "2024-01-02T03:04:05+25:00", "2024-02-30", "2024-13-01", "2024-01-02T25:00:00Z",
    "2024-01-02T03:04:60Z", "02/01/2024", "1704164645",
    "2024-01-02T03:04:05 UTC", "2024-01-02 (BC)", "24-01-02", "2024-01", "2024-W01-1", "null",
    "2024-01-02T03:04:05+01:99",
]  # fmt: skip


def test_what_iso_8601_is_not_is_no_time(desk):
    desk.load({"load.csv": "service,observed_at,value\n" + "".join(f"pay,{given},1\n" for given in NO_TIMES)})

    refused = dict(desk.rows("select line, rule from raw._quarantine"))
    assert {given: refused.get(line) for line, given in enumerate(NO_TIMES, start=2)} == dict.fromkeys(
        NO_TIMES, "not_a_time"
    )


def stored_of(desk, table, column, written, given):
    """What each of the values is stored as in a column, loaded in one file, a row each as `written`."""
    header, row = written
    lines = [header, *(row.format(f"n{place}", value) for place, value in enumerate(given))]
    desk.load({f"{table}.csv": "\n".join(lines) + "\n"})
    key = header.partition(",")[0]
    stored = dict(desk.rows(f"select {key}, {column} from raw.{table}"))
    return {value: stored.get(f"n{place}") for place, value in enumerate(given)}


def test_whole_numbers(desk):
    numbers = {"12": 12, "12.0": 12, "+12.": 12, "012": 12, " 12 ": 12}

    assert stored_of(desk, "environments", "capacity", ("environment,capacity", "{},{}"), numbers) == numbers


def test_the_greatest_whole_number_is_kept_to_the_last_digit(desk):
    desk.load({"environments.csv": f"environment,capacity\na,{2**63 - 1}\nb,{2**63}\n"})

    assert desk.rows("select capacity from raw.environments") == [(2**63 - 1,)]


def test_numbers(desk):
    numbers = {"1.5": 1.5, ".5": 0.5, "1e3": 1000.0, "0.1": 0.1, "5.": 5.0}

    assert stored_of(desk, "environments", "cost_per_hour", ("environment,cost_per_hour", "{},{}"), numbers) == numbers


def test_booleans(desk):
    words = dict.fromkeys(("true", "T", "YES", "y", "1"), True) | dict.fromkeys(("False", "f", "no", "N", "0"), False)

    assert stored_of(desk, "holds", "active", ("service,at,active", "{},2024-05-01,{}"), words) == words


def test_a_status_is_compared_and_stored_in_lower_case_and_other_words_are_kept_as_given(desk):
    desk.load(
        {
            "deployments.csv": "deployment_id,service,environment,started_at,status,change_type,strategy\n"
            "d1, Pay ,prod,2024-05-01,Rolled_Back,URGENT,big bang\n"
        }
    )
    assert desk.rows("select service, status, change_type, strategy from raw.deployments") == [
        ("Pay", "rolled_back", "URGENT", "big bang")
    ]


def test_words_for_nothing_are_text_like_any_other(desk):
    words = ["null", "NULL", "NA", "None", "nan", "N/A"]
    desk.load({"services.csv": "service,team\n" + "".join(f"{word},{word}\n" for word in words)})

    assert sorted(desk.rows("select service, team from raw.services")) == sorted((word, word) for word in words)


def test_empty_and_white_space_mean_missing(desk):
    desk.load({"services.csv": 'service,team,tier\npay,"","  \u00a0"\n'})

    assert desk.rows("select team, tier from raw.services") == [(None, None)]


def test_json_values_are_read_like_text(desk):
    desk.load(
        {
            "environments.jsonl": '{"environment": "a", "capacity": 12, "cost_per_hour": 1.5, "region": null}\n'
            '{"environment": "b", "capacity": 1.5}\n'
            '{"environment": "c", "capacity": 1e400}\n'
            '{"environment": "d", "capacity": "12"}\n'
            "not json\n"
            '[1]\n{"environment": "e", "environment": "f"}\n'
            '{"environment": "g\\u0000h", "capacity": 12345678901234567890123456}\n'
        }
    )
    assert desk.rows("select environment, capacity, cost_per_hour, region from raw.environments order by 1") == [
        ("a", 12, 1.5, None),
        ("d", 12, None, None),
    ]
    assert desk.rows("select line, rule from raw._quarantine order by 1") == [
        (2, "not_a_whole_number"), (3, "not_a_whole_number"), (5, "not_an_object"), (6, "not_an_object"),
        (7, "not_an_object"), (8, "number_out_of_range"),
    ]  # fmt: skip


def test_every_kind_of_column_has_its_rules():
    kinds = {column.kind for table in TABLES for column in table.columns}
    told = {table.column(check.column).kind for table in TABLES for check in checks(table, datetime(2026, 1, 1))}  # noqa: DTZ001

    assert kinds == told


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_no_synonym_means_two_columns(table):
    synonyms = [synonym for column in table.columns for synonym in column.synonyms]

    assert len(synonyms) == len(set(synonyms))
    assert synonyms == [synonym.lower() for synonym in synonyms]
