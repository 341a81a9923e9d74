"""Input that is worse than the contract's table: nothing crashes, and every number is recounted from the database.

Each test says what it wrote: how many rows lie in each file, how many survive, and which do not, word for word.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from replay import replay_build

from shipcast.__main__ import run
from shipcast.ingest.files import ingest_files
from shipcast.warehouse.snapshot import publish
from shipcast.warehouse.tables import TABLES

LEDGER = """
with newest as (select * from raw._loads where load_id = (select max(load_id) from raw._loads)),
stored as ({stored}),
held as (select table_name, file, count(*) as held from raw._quarantine group by all)
select file, read, inserted + updated + unchanged + merged + quarantined, inserted + updated, coalesce(stored, 0),
    quarantined, coalesce(held, 0), refused
from newest left join stored using (table_name, file) left join held using (table_name, file)
"""
STORED = """
select '{0}' as table_name, _file as file, count(*) as stored from raw.{0}
where _changed_id = (select max(load_id) from raw._loads) group by all
"""
HELD = "select file, line, column_name, rule, row from raw._quarantine order by table_name, file, line"


def recount(desk, read, rows, bad=(), refused=()):
    """Hold the last load against the raw tables and the quarantine, by SQL and not by what it reported.

    Parameters
    ----------
    read
        File to the number of rows that lie in it, refused files left out.
    rows
        Table to the number of rows it holds now; the others are empty.
    bad
        All of the quarantine: file, line, column, rule and the row's text, by file and line.
    refused
        File to words of the reason for which all of it was refused.
    """
    found, reasons = {}, {}
    stored = " union all ".join(STORED.format(table.name) for table in TABLES)
    for path, count, added_up, written, present, quarantined, held, reason in desk.rows(LEDGER.format(stored=stored)):
        name = path.removeprefix(f"{desk.files}/")
        assert (count, written, quarantined) == (added_up, present, held), name
        if reason is None:
            found[name] = count
        else:
            reasons[name] = reason
    assert found == read
    counts = " union all ".join(f"select '{table.name}', count(*) from raw.{table.name}" for table in TABLES)
    assert {name: count for name, count in desk.rows(counts) if count} == rows
    assert [(path.removeprefix(f"{desk.files}/"), *facts) for path, *facts in desk.rows(HELD)] == list(bad)
    assert reasons.keys() == dict(refused).keys()
    assert all(words in reasons[name] for name, words in dict(refused).items()), reasons


def csv_lines(rows):
    return [",".join(row.values()) for row in rows]


def json_lines(rows):
    return [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows]


def csv_file(rows):
    return "\n".join([",".join(rows[0]), *csv_lines(rows)]).encode() + b"\n"


def jsonl_file(rows):
    return "\n".join(json_lines(rows)).encode() + b"\n"


def parquet_file(rows):
    return written(pl.DataFrame(rows).to_arrow())


def written(table, **options):
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def of_one_value(value, rows):
    """A Parquet file of text that holds its one value once, and says so many times that it stands there."""
    column = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), [value])
    return written(pa.table({"service": column}), store_schema=False)


WRITE = {"csv": csv_file, "jsonl": jsonl_file, "parquet": parquet_file}
LINES = {"csv": csv_lines, "jsonl": json_lines, "parquet": json_lines}
in_every_format = pytest.mark.parametrize("form", WRITE)


def load(desk, form, table, rows, **settings):
    """Write the rows in a format and load them; the file's name."""
    name = f"{table}.{form}"
    ingest_files(desk.settings.model_copy(update=settings), [desk.write({name: WRITE[form](rows)})])
    return name


def refused_row(form, name, rows, place, column, rule):
    """What the quarantine should hold of the row at a place, from 0."""
    return (name, place + (2 if form == "csv" else 1), column, rule, LINES[form]([rows[place]])[0])


def services(count):
    return [{"service": f"s{number}", "team": "blue"} for number in range(count)]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_one_latin_1_byte_in_fifty_thousand_rows_costs_one_row(desk, form):
    rows = services(50_000)
    rows[31_415]["team"] = "cafe"
    name = f"services.{form}"
    desk.load({name: WRITE[form](rows).replace(b"cafe", b"caf\xe9")})

    file, line, _, _, text = refused_row(form, name, rows, 31_415, None, None)
    lost = (file, line, None, "bytes_do_not_decode", text.replace("cafe", r"caf\xe9"))
    recount(desk, {name: 50_000}, {"services": 49_999}, [lost])


def test_one_latin_1_byte_in_fifty_thousand_parquet_rows_costs_one_row(desk):
    teams = [b"blue"] * 50_000
    teams[31_415] = b"caf\xe9"
    desk.load({"services.parquet": written(pa.table({"service": [f"s{n}" for n in range(50_000)], "team": teams}))})

    lost = ("services.parquet", 31_416, None, "bytes_do_not_decode", r'{"service":"s31415","team":"caf\\xE9"}')
    recount(desk, {"services.parquet": 50_000}, {"services": 49_999}, [lost])


def test_an_unterminated_quote_in_row_three_of_fifty_thousand_costs_that_row(desk):
    lines = csv_lines(services(50_000))
    lines[2] = 's2,"blue'
    desk.load({"services.csv": "\n".join(["service,team", *lines])})

    lost = ("services.csv", 4, None, "unterminated_quote", 's2,"blue')
    recount(desk, {"services.csv": 50_000}, {"services": 49_999}, [lost])


def test_an_unterminated_string_in_line_three_of_fifty_thousand_json_lines_costs_that_line(desk):
    lines = json_lines(services(50_000))
    lines[2] = '{"service":"s2","team":"blue}'
    desk.load({"services.jsonl": "\n".join(lines)})

    lost = ("services.jsonl", 3, None, "not_an_object", lines[2])
    recount(desk, {"services.jsonl": 50_000}, {"services": 49_999}, [lost])


@in_every_format
def test_n_a_in_a_number_column_at_row_30_001_costs_that_row(desk, form):
    rows = [
        {"service": f"s{n}", "observed_at": "2024-05-01T10:00:00Z", "value": "N/A" if n == 30_000 else "1.5"}
        for n in range(50_000)
    ]
    name = load(desk, form, "load", rows)

    recount(
        desk,
        {name: 50_000},
        {"load": 49_999},
        [refused_row(form, name, rows, 30_000, "value", "not_a_number")],
    )


@in_every_format
def test_integers_of_26_digits_do_not_fit(desk, form):
    rows = [
        {"environment": "a", "capacity": "12345678901234567890123456"},
        {"environment": "b", "capacity": "-12345678901234567890123456"},
        {"environment": "c", "capacity": "9223372036854775807"},
    ]
    name = load(desk, form, "environments", rows)

    bad = [refused_row(form, name, rows, place, "capacity", "number_out_of_range") for place in (0, 1)]
    recount(desk, {name: 3}, {"environments": 1}, bad)
    assert desk.rows("select environment, capacity from raw.environments") == [("c", 2**63 - 1)]


@in_every_format
def test_the_year_9999_is_out_of_range(desk, form):
    rows = [
        {"service": "pay", "at": "9999-12-31T23:59:59Z", "active": "true"},
        {"service": "pay", "at": "2024-05-01T00:00:00Z", "active": "true"},
    ]
    name = load(desk, form, "holds", rows)

    recount(desk, {name: 2}, {"holds": 1}, [refused_row(form, name, rows, 0, "at", "year_out_of_range")])


NAMES = {
    "NUL": "pay\0roll",
    "right-to-left override": "\u202egnp.tnemyap",
    "10 kB": "x" * 10_000,
    "null": "null",
    "markup": "<script>alert(1)</script>",
    "formula": "=cmd|' /C calc'!A0",
    "escape": "\x1b[2J\x1b]0;owned\x07",
    "C1": "\x9b31mred",
}


@in_every_format
def test_nul_right_to_left_override_and_ten_kilobytes_stay_in_a_name_as_they_are(desk, form):
    rows = [{"service": name, "team": "blue"} for name in NAMES.values()]
    name = load(desk, form, "services", rows)

    recount(desk, {name: len(rows)}, {"services": len(rows)})
    assert {found for (found,) in desk.rows("select service from raw.services")} == set(NAMES.values())


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_single_line_of_ten_megabytes_is_a_row_or_kept_verbatim(desk, form):
    long = "x" * 10_000_000
    rows = [{"service": "a", "team": long}, {"service": "", "team": long}, {"service": "b", "team": "blue"}]
    name = load(desk, form, "services", rows)

    bad = [refused_row(form, name, rows, 1, "service", "required_value_missing")]
    recount(desk, {name: 3}, {"services": 2}, bad)
    assert desk.rows("select max(length(team)) from raw.services") == [(10_000_000,)]


@in_every_format
def test_of_200_columns_those_that_mean_something_are_read_and_the_others_named_once(desk, form):
    rows = [{**{f"c{n}": "" for n in range(198)}, "team": "blue", "service": name} for name in ("a", "", "b")]
    name = f"services.{form}"
    report = desk.load({name: WRITE[form](rows)})

    bad = [refused_row(form, name, rows, 1, "service", "required_value_missing")]
    recount(desk, {name: 3}, {"services": 2}, bad)
    assert [warning for warning in report.warnings if "unknown" in warning] == [
        "services: left out the unknown columns c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11 and 186 more."
    ]


@in_every_format
def test_a_service_called_null_is_a_service(desk, form):
    rows = [{"service": "null", "team": "NULL"}, {"service": "", "team": "none"}]
    name = load(desk, form, "services", rows)

    recount(desk, {name: 2}, {"services": 1}, [refused_row(form, name, rows, 1, "service", "required_value_missing")])
    assert desk.rows("select service, team from raw.services") == [("null", "NULL")]


def test_a_folder_of_two_hundred_parts_is_one_load(desk):
    parts = {f"services/{n:04}.csv": f"service,team\ns{n},blue\n,lost\n" for n in range(0, 200, 2)}
    parts |= {f"services/{n:04}.jsonl": f'{{"service":"s{n}"}}\n{{"team":"lost"}}\n' for n in range(1, 200, 2)}
    desk.load(parts)

    bad = [
        (name, 3, "service", "required_value_missing", ",lost")
        if name.endswith(".csv")
        else (name, 2, "service", "required_value_missing", '{"team":"lost"}')
        for name in sorted(parts)
    ]
    recount(desk, dict.fromkeys(parts, 2), {"services": 200}, bad)


def test_links_that_lead_in_a_circle_end_the_reading_of_themselves_alone(desk):
    folder = desk.write({"environments.csv": "environment\nprod\n"})
    (folder / "services.csv").symlink_to("services.csv")
    (folder / "holds.csv").symlink_to("loop")
    (folder / "loop").symlink_to("holds.csv")
    (folder / "changes").symlink_to(folder)
    report = ingest_files(desk.settings, [folder])

    circle = "is a link that leads back to itself"
    again = {"changes/environments.csv": "required columns are missing", "changes/holds.csv": circle}
    recount(
        desk,
        {"environments.csv": 1},
        {"environments": 1},
        refused={"services.csv": circle, "holds.csv": circle, "changes/services.csv": circle, **again},
    )
    assert report.skipped == ["changes/changes", "changes/loop", "loop"]


@pytest.mark.parametrize("table", ["services.csv", "services.jsonl", "services.parquet"])
def test_a_pipe_or_a_device_is_refused_and_not_waited_for(desk, table):
    folder = desk.write({"environments.csv": "environment\nprod\n"})
    os.mkfifo(folder / table)
    (folder / f"holds.{table.partition('.')[2]}").symlink_to("/dev/zero")
    ingest_files(desk.settings, [folder])

    refused = dict.fromkeys((table, f"holds.{table.partition('.')[2]}"), "not a regular file")
    recount(desk, {"environments.csv": 1}, {"environments": 1}, refused=refused)


def test_nested_columns_of_a_parquet_file_are_left_out_and_kept_with_a_refused_row(desk):
    table = pa.table(
        {
            "service": ["a", None],
            "deep": [{"x": [{"y": 1}]}, {"x": [{"y": 2}]}],
            "pairs": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
            "regions": [["eu", "us"], []],
        }
    )
    desk.load({"services.parquet": written(table)})

    row = '{"service":null,"deep":{"x":[{"y":2}]},"pairs":null,"regions":[]}'
    lost = ("services.parquet", 2, "service", "required_value_missing", row)
    recount(desk, {"services.parquet": 2}, {"services": 1}, [lost])
    assert desk.rows("select regions from raw.services") == [(["eu", "us"],)]


def test_nested_values_where_plain_ones_belong_refuse_the_parquet_file(desk):
    nested = pa.table({"service": [{"name": "a"}]})
    desk.load({"services.parquet": written(nested), "environments.csv": "environment\nprod\n"})

    recount(
        desk,
        {"environments.csv": 1},
        {"environments": 1},
        refused={"services.parquet": "its column service holds struct<name: string>"},
    )


INSTANTS = {
    "2024-05-01T10:00:00Z": "2024-05-01 10:00:00",
    "2024-05-01T10:00:00+14:00": "2024-04-30 20:00:00",
    "2024-05-01T10:00:00-12:59": "2024-05-01 22:59:00",
    "2024-05-01T10:00:00+0530": "2024-05-01 04:30:00",
    "2024-05-01T10:00:00-00:00": "2024-05-01 10:00:00",
    "2024-05-01T24:00:00Z": "2024-05-02 00:00:00",
    "2024-05-01T10:00:00": "2024-05-01 09:00:00",  # the source's zone
    "2024-03-31T01:30:00": "2024-03-31 01:30:00",  # the clock skips this hour: moved on by it
    "2024-10-27T01:30:00": "2024-10-27 01:30:00",  # it occurs twice: the later one
    "2024-02-29T23:59:59.999999Z": "2024-02-29 23:59:59.999999",
}
NO_INSTANTS = [
    "2024-02-30", "2023-02-29", "2024-05-01T24:00:01Z", "2016-12-31T23:59:60Z", "2024-05-01T10:00:00+25:00",
    "2024-05-01T10:00:00−01:00", "２０２４-05-01", "+2024-05-01", "10000-01-01", "2024-05-01T10:00:00Z[UTC]",
]  # fmt: skip


@in_every_format
def test_mixed_offsets_become_utc_and_what_is_no_time_is_refused(desk, form):
    given = [*INSTANTS, *NO_INSTANTS]
    rows = [{"service": f"s{n}", "observed_at": time, "value": "1"} for n, time in enumerate(given)]
    name = load(desk, form, "load", rows, source_zone="Europe/London")

    places = range(len(INSTANTS), len(given))
    bad = [refused_row(form, name, rows, place, "observed_at", "not_a_time") for place in places]
    recount(desk, {name: len(given)}, {"load": len(INSTANTS)}, bad)
    stored = dict(desk.rows("select service, observed_at::varchar from raw.load"))
    assert [stored[f"s{n}"] for n in range(len(INSTANTS))] == list(INSTANTS.values())


def test_names_that_would_rewrite_a_screen_are_built_answered_and_shown_harmlessly(desk, full_build, capsys):
    names = list(NAMES.values())
    rows = [
        {
            "deployment_id": f"d{n}", "service": name, "environment": "production", "status": "succeeded",
            "started_at": "2025-01-01T00:00:00Z",
        }
        for n, name in enumerate(names)
    ]  # fmt: skip
    load(desk, "jsonl", "deployments", rows)
    recount(desk, {"deployments.jsonl": len(names)}, {"deployments": len(names)})
    home, asked = ["--home", str(desk.settings.home)], ["--as-of", "2025-02-01"]
    replay_build(desk.settings, full_build)
    publish(desk.settings.home, keep=1)

    assert run([*home, "metrics", "--by", "service", "--json", *asked]) == 0
    answer = capsys.readouterr().out
    assert {item["service"] for item in json.loads(answer)["items"]} == set(names)
    assert all(letter.isprintable() for letter in answer.replace("\n", ""))

    shown = ""
    for name in names:
        # A NUL cannot be typed at a command line, but it can be asked for from Python.
        for verb in (["metrics", "--service"], ["windows", "--duration", "45m"], ["metrics", "--team"]):
            run([*home, *verb, name, *asked])
            said = capsys.readouterr()
            assert "this is a bug" not in said.err
            shown += said.out + said.err
    assert run([*home, "metrics", "--by", "service", *asked]) == 0
    shown += capsys.readouterr().out
    assert all(letter.isprintable() for letter in shown.replace("\n", ""))


def test_refused_rows_are_listed_without_touching_the_screen(desk, capsys):
    desk.load({"services\x1b[2J.csv": "x", "services.csv": "service,team\n\x1b[2J,\u202eteam,\x9b31m\n"})

    for flags in ([], ["-v"], ["--json"]):
        run(["--home", str(desk.settings.home), "quarantine", "list", *flags])
        assert all(letter.isprintable() for letter in capsys.readouterr().out.replace("\n", ""))
    run(["--home", str(desk.settings.home), "ingest", "files", str(desk.files)])
    said = capsys.readouterr()
    assert all(letter.isprintable() for letter in (said.out + said.err).replace("\n", ""))


def test_quoted_line_ends_and_quotes_survive_wherever_a_chunk_ends(desk):
    long = "x" * 200
    rows = [f's{n},"{long} ""{n}""\n,""\n"' for n in range(80_000)]  # 18 MB: more than one chunk
    rows[79_000] = 'open,"never closed'
    desk.load({"services.csv": "\n".join(["service,team", *rows])})

    line = 2 + 79_000 * 3
    lost = ("services.csv", line, None, "unterminated_quote", rows[79_000])
    recount(desk, {"services.csv": 80_000}, {"services": 79_999}, [lost])
    trimmed = f"'{long} \"' || service[2:] || E'\"\\n,\"'"
    assert desk.rows(f"select count(*) from raw.services where team = {trimmed}") == [(79_999,)]


def test_a_quote_left_open_before_megabytes_costs_its_own_row(desk):
    rows = [f"s{n},{'x' * 10_000}" for n in range(3000)]  # 30 MB that no record may span
    desk.load({"services.csv": "\n".join(["service,team", 'open,"', *rows, '"'])})

    bad = [
        ("services.csv", line, None, rule, row)
        for line, rule, row in [(2, "unterminated_quote", 'open,"'), (3003, "unterminated_quote", '"')]
    ]
    recount(desk, {"services.csv": 3002}, {"services": 3000}, bad)


def test_lines_that_end_in_a_carriage_return_alone_are_lines(desk):
    desk.load({"services.csv": b'service,team\rpay,"a\rb"\r"buy,x\rsell,c'})

    lost = ("services.csv", 4, None, "unterminated_quote", '"buy,x')
    recount(desk, {"services.csv": 3}, {"services": 2}, [lost])


def test_a_byte_order_mark_where_files_were_joined_is_no_part_of_a_name(desk):
    desk.load({"services.csv": "\ufeffservice,team\npay,blue\n\ufeffbuy,red\n"})

    recount(desk, {"services.csv": 2}, {"services": 2})
    assert desk.rows("select service from raw.services order by 1") == [("buy",), ("pay",)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"service,te\0am\npay,blue\n", "its first line holds NUL bytes"), (b"", "is a ZIP archive")],
)
def test_what_is_no_text_is_refused_whatever_its_name(desk, content, reason):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("services.csv", "service\npay\n")
    desk.load({"services.csv": content or archive.getvalue(), "environments.csv": "environment\nprod\n"})

    recount(desk, {"environments.csv": 1}, {"environments": 1}, refused={"services.csv": reason})


def test_a_separator_at_the_end_of_rows_alone_is_one_field_too_many(desk):
    desk.load({"services.csv": "service,team\npay,blue,\n", "environments.csv": "environment,region,\nprod,eu,\n"})

    lost = ("services.csv", 2, None, "wrong_number_of_fields", "pay,blue,")
    recount(desk, {"services.csv": 1, "environments.csv": 1}, {"environments": 1}, [lost])


def bomb(content, times):
    """Gzip that unpacks to the content so many times over."""
    return gzip.compress(content, 9, mtime=0) * times


MEASURED = """
import sys
from pathlib import Path
from shipcast.ingest.files import ingest_files
from shipcast.settings import Settings
ingest_files(Settings(home=Path(sys.argv[1])), [Path(sys.argv[2])])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to read the peak of memory from")
@pytest.mark.parametrize(
    ("name", "content", "read", "most"),
    [
        ("services.csv.gz", lambda: bomb(b"\0" * 100_000_000, 100), None, 1.0),  # 10 MB that would be 10 GB
        ("services.jsonl.gz", lambda: bomb(b"\0" * 100_000_000, 100), None, 1.0),
        ("services.csv.gz", lambda: bomb(b"service\n", 1) + bomb(b"\n" * 20_000_000, 1) + bomb(b"pay\n", 1), 1, 1.0),
        ("services.jsonl.gz", lambda: bomb(b"\n" * 20_000_000, 1) + bomb(b'{"service":"pay"}\n', 1), 1, 1.0),
        ("services.parquet", lambda: of_one_value("x" * 10_000, 50_000), 50_000, 1.5),
    ],
    ids=["zeros", "zeros as JSON", "line feeds", "line feeds as JSON", "one value for 500 MB"],
)
def test_a_file_that_unpacks_to_far_more_than_it_is_takes_bounded_memory(desk, name, content, read, most):
    desk.write({name: content()})
    done = subprocess.run(
        [sys.executable, "-P", "-c", MEASURED, str(desk.settings.home), str(desk.files)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert int(done.stdout) < most * 1_000_000  # kB, half a gigabyte of it the libraries themselves
    if read:
        recount(desk, {name: read}, {"services": 1})
    else:
        recount(desk, {}, {}, refused={name: ""})


ZONED = pa.timestamp("ns", "+05:30")
TYPES = {
    "large text": (pa.array(["2024-05-01T10:00:00Z"], pa.large_string()), "2024-05-01 10:00:00"),
    "text view": (pa.array(["2024-05-01"], pa.string_view()), "2024-04-30 23:00:00"),
    "dictionary": (pa.array(["2024-05-01T10:00:00Z"]).dictionary_encode(), "2024-05-01 10:00:00"),
    "date": (pa.array([datetime(2024, 5, 1).date()]), "2024-04-30 23:00:00"),  # noqa: DTZ001
    "seconds": (pa.array([1714557600], pa.timestamp("s")), "2024-05-01 09:00:00"),
    "nanoseconds": (pa.array([1714557600_123456789], pa.timestamp("ns")), "2024-05-01 09:00:00.123456"),
    "named zone": (pa.array([1714557600000], pa.timestamp("ms", "America/New_York")), "2024-05-01 10:00:00"),
    "offset": (pa.array([datetime(2024, 5, 1, 15, 30, tzinfo=timezone(timedelta(hours=5.5)))], ZONED),
               "2024-05-01 10:00:00"),
    "zone of nowhere": (pa.array([1714557600000], pa.timestamp("ms", "Mars/Olympus")), "2024-05-01 10:00:00"),
}  # fmt: skip


@pytest.mark.parametrize(("values", "stored"), TYPES.values(), ids=TYPES)
def test_a_parquet_time_of_any_type_is_the_instant_it_says(desk, values, stored):
    table = pa.table({"service": ["pay"], "observed_at": values, "value": [Decimal("1.50")]})
    ingest_files(
        desk.settings.model_copy(update={"source_zone": "Europe/London"}),
        [desk.write({"load.parquet": written(table)})],
    )

    recount(desk, {"load.parquet": 1}, {"load": 1})
    assert desk.rows("select observed_at::varchar, value from raw.load") == [(stored, 1.5)]


@pytest.mark.parametrize("values", [pa.array([2**62], pa.timestamp("us")), pa.array([-(2**62)], pa.timestamp("us"))])
def test_a_parquet_time_beyond_all_years_is_refused_as_a_row(desk, values):
    table = pa.table({"service": ["pay"], "observed_at": values, "value": [1]})
    desk.load({"load.parquet": written(table)})

    (found,) = desk.rows(HELD)
    recount(desk, {"load.parquet": 1}, {}, [("load.parquet", 1, "observed_at", "not_a_time", found[4])])


@pytest.mark.parametrize("names", [["service", "service"], ["service", "Service"], ["service", "note", "note"]])
def test_parquet_columns_that_are_alike_refuse_the_file(desk, names):
    table = pa.Table.from_arrays([pa.array(["a"]) for _ in names], names=names)
    desk.load({"services.parquet": written(table)})

    recount(desk, {}, {}, refused={"services.parquet": "2 columns are called"})


def test_json_names_that_differ_in_case_mean_one_column_and_no_row_may_hold_both(desk):
    lines = ['{"service":"a","Team":"x"}', '{"SERVICE":"b","team":"y"}', '{"service":"c","Service":"d"}']
    desk.load({"services.jsonl": "\n".join([*lines, '{"service":"e","service":"f"}'])})

    bad = [
        ("services.jsonl", 3, None, "not_an_object", lines[2]),
        ("services.jsonl", 4, None, "not_an_object", '{"service":"e","service":"f"}'),
    ]
    recount(desk, {"services.jsonl": 4}, {"services": 2}, bad)
    assert desk.rows("select service, team from raw.services order by 1") == [("a", "x"), ("b", "y")]


def test_json_nested_a_hundred_thousand_deep_is_a_value_like_any_other(desk):
    depth = 100_000
    lines = [
        f'{{"service":"a","x":{"[" * depth}{"]" * depth}}}',
        f"{'[' * depth}",
        f'{{"x":{"[" * depth}{"]" * depth}}}',
    ]
    desk.load({"services.jsonl": "\n".join(lines)})

    bad = [
        ("services.jsonl", 2, None, "not_an_object", lines[1]),
        ("services.jsonl", 3, "service", "required_value_missing", lines[2]),
    ]
    recount(desk, {"services.jsonl": 3}, {"services": 1}, bad)


def test_numbers_that_no_double_holds_are_refused_and_a_negative_zero_is_zero(desk):
    values = ["1e400", "-0", "-0.0", "1e3", "1e-400", "NaN", "-Infinity", "0x10", "01", "true", "9.3e18", '"1e400"']
    lines = [f'{{"environment":"e{n}","cost_per_hour":{value}}}' for n, value in enumerate(values)]
    desk.load({"environments.jsonl": "\n".join(lines)})

    out = {0: "number_out_of_range", 5: "number_out_of_range", 6: "number_out_of_range", 9: "not_a_number",
           10: "number_out_of_range", 11: "number_out_of_range"}  # fmt: skip
    bad = [
        ("environments.jsonl", n + 1, "cost_per_hour" if n in out else None, out.get(n, "not_an_object"), line)
        for n, line in enumerate(lines)
        if n not in (1, 2, 3, 4)
    ]
    recount(desk, {"environments.jsonl": 12}, {"environments": 4}, bad)
    assert desk.rows("select cost_per_hour from raw.environments order by environment") == [(0,), (0,), (1000,), (0,)]


@in_every_format
def test_exponents_and_foreign_digits_are_no_whole_numbers(desk, form):
    rows = [{"environment": f"e{n}", "capacity": value} for n, value in enumerate(["1e3", "٣", "1_0", "7.0", "-0"])]
    name = load(desk, form, "environments", rows)

    bad = [refused_row(form, name, rows, place, "capacity", "not_a_whole_number") for place in range(3)]
    recount(desk, {name: 5}, {"environments": 2}, bad)


def test_a_lone_surrogate_costs_its_row(desk):
    lines = ['{"service":"a\\ud800"}', '{"service":"b\\ud83d\\ude00"}', '{"servi\\u0063e":"c"}']
    text = "\ufeffenvironment\n".encode("utf-16-le") + b"\x00\xd8\x0a\x00" + "prod\n".encode("utf-16-le")
    desk.load({"services.jsonl": "\n".join(lines), "environments.csv": text})

    bad = [
        ("environments.csv", 2, None, "bytes_do_not_decode", r"\xed\xa0\x80"),
        ("services.jsonl", 1, None, "not_an_object", lines[0]),
    ]
    recount(desk, {"services.jsonl": 3, "environments.csv": 2}, {"services": 2, "environments": 1}, bad)
    assert desk.rows("select service from raw.services order by 1") == [("b😀",), ("c",)]


@pytest.mark.parametrize(
    ("form", "change"),
    [("csv", "truncated"), ("csv", "grown"), ("jsonl", "replaced"), ("parquet", "truncated"), ("parquet", "emptied")],
)
def test_a_file_that_changes_while_it_is_read_is_refused_whole(desk, monkeypatch, form, change):
    monkeypatch.setattr("shipcast.ingest.staging.PROGRESS_ROWS", 10_000)
    name = f"services.{form}"
    rows = [{"service": f"s{number}", "team": f"{number} {'x' * 400}"} for number in range(50_000)]  # over one chunk
    path = desk.write({name: WRITE[form](rows)}) / name

    def meddle(message):
        if "rows read" not in message:
            return
        if change == "replaced":
            (desk.files / "new").write_bytes(path.read_bytes())
            (desk.files / "new").replace(path)
        elif change == "grown":
            with path.open("ab") as file:
                file.write(b"more")
        else:
            os.truncate(path, 100 if change == "truncated" else 0)

    ingest_files(desk.settings, [desk.files], progress=meddle)

    recount(desk, {}, {}, refused={name: "is empty" if change == "emptied" else "was changed while it was read"})


def test_names_of_files_may_hold_anything(desk):
    names = ["a\nb.csv", 'it\'s "q" 100% %s {x}.csv', "\x1b[31m\u202e.csv", "no rows;--.csv"]
    parts = {f"services/{name}": f"service,team\ns{n},blue\n,lost\n" for n, name in enumerate(names)}
    folder = desk.write(parts)
    for n, raw in enumerate((b"\xff.csv", b"\xfe.csv")):
        Path(os.fsdecode(os.fsencode(folder) + b"/services/" + raw)).write_text(f"service,team\nt{n},blue\n,lost\n")
    ingest_files(desk.settings, [folder])

    files = sorted([*parts, r"services/\xff.csv", r"services/\xfe.csv"])
    bad = [(name, 3, "service", "required_value_missing", ",lost") for name in files]
    recount(desk, dict.fromkeys(files, 2), {"services": 6}, bad)


def test_names_that_differ_in_case_and_formats_of_one_table_are_all_read(desk):
    files = {
        "Services.csv": b"service\na\n", "services.csv": b"service\na\nb\n",
        "services.csv.gz": bomb(b"service\nc\n", 1),
        "services.jsonl": b'{"service":"c"}\n', "services.parquet": parquet_file([{"service": "d"}]),
        "SERVICES.TSV": b"service\nd\n",
    }  # fmt: skip
    (desk.files / "case").write_text("")
    if (desk.files / "CASE").exists():
        pytest.skip("this file system takes names of either case for one")
    (desk.files / "case").unlink()
    desk.load(files)

    read = {name: 2 if name == "services.csv" else 1 for name in files}
    recount(desk, read, {"services": 4})
    assert desk.rows("select sum(merged) from raw._loads") == [(3,)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused_and_named(desk):
    folder = desk.write({"services.csv": "service\npay\n", "environments.csv": "environment\nprod\n"})
    (folder / "services.csv").chmod(0)
    ingest_files(desk.settings, [folder])

    recount(desk, {"environments.csv": 1}, {"environments": 1}, refused={"services.csv": "cannot be read"})


def test_names_of_columns_may_hold_anything(desk):
    lines = ['{"service":"a","":"x","a/b~c":1,"_line":9,"it\'s \\"x\\"":2}', '{"te\\u0000am":"y"}']
    table = pa.table({"environment": ["a", None], 'it\'s "x"': ["1", "2"], "_origin": ["3", "4"]})
    desk.load({"services.jsonl": "\n".join(lines), "environments.parquet": written(table)})

    bad = [
        ("environments.parquet", 2, "environment", "required_value_missing",
         '{"environment":null,"it\'s \\"x\\"":"2","_origin":"4"}'),
        ("services.jsonl", 2, "service", "required_value_missing", lines[1]),
    ]  # fmt: skip
    recount(desk, {"services.jsonl": 2, "environments.parquet": 2}, {"services": 1, "environments": 1}, bad)


def test_a_day_from_now_is_the_last_that_is_taken(desk):
    now = datetime.now(UTC)
    rows = [f"pay,{(now + timedelta(hours=hours)).isoformat()},true" for hours in (23, 25)]
    desk.load({"holds.csv": "\n".join(["service,at,active", *rows])})

    lost = ("holds.csv", 3, "at", "year_out_of_range", rows[1])
    recount(desk, {"holds.csv": 2}, {"holds": 1}, [lost])
