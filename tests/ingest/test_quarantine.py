"""Refused rows are kept once and verbatim, exported, corrected and tried again."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from shipcast.ingest.files import ingest_files
from shipcast.ingest.quarantine import export, prune, quarantined, retry
from shipcast.ingest.refusals import waiting
from shipcast.warehouse.connection import open_work

HEADER = "service;regions;team;note\n"


def held(desk):
    with open_work(desk.settings.home) as connection:
        return [(row.line, row.row) for row in quarantined(connection)]


def adds_up(report):
    return all(
        item.read == item.inserted + item.updated + item.unchanged + item.merged + item.quarantined
        for item in report.items
    )


def test_a_bad_row_is_held_once_however_often_it_is_loaded(desk):
    content = {"services.csv": HEADER + ";eu;blue;x\npay;eu;blue;x\n"}
    desk.load(content)
    first = desk.rows("select quarantine_id, quarantined_at from raw._quarantine")
    report = desk.load(content)

    assert (report.items[0].unchanged, report.items[0].quarantined) == (1, 1)
    assert desk.rows("select quarantine_id, quarantined_at from raw._quarantine") == first


def test_the_rows_in_quarantine_are_counted_by_table_rule_and_column(desk):
    columns = "deployment_id,service,environment,started_at,status\n"
    rows = [f"d{number},pay,live,2025-01-0{number},{status}\n" for number, status in ((1, "ok"), (2, "well"))]
    more = ["d3,pay,live,noon,failed\n", "d4,pay,live\n"]
    desk.load({"deployments.csv": columns + "".join(rows + more), "services.csv": HEADER + ";eu;blue;x\n"})

    with open_work(desk.settings.home) as connection:
        found, of_services = waiting(connection), waiting(connection, "services")
    assert [(each.table, each.rule, each.column, each.rows) for each in found] == [
        ("deployments", "unknown_status", "status", 2),
        ("deployments", "not_a_time", "started_at", 1),
        ("deployments", "wrong_number_of_fields", None, 1),
        ("services", "required_value_missing", "service", 1),
    ]
    assert found[0].first.startswith("deployments.csv:2: d1: status 'ok' is none of")
    assert of_services == found[-1:]


def test_a_line_that_passes_when_loaded_again_leaves(desk):
    desk.load({"services.csv": HEADER + ";eu;blue;x\n;us;blue;x\npay;eu;blue;x\n"})
    report = desk.load({"services.csv": HEADER + "buy;eu;blue;x\n;us;blue;x\npay;eu;blue;x\n"})

    assert held(desk) == [(3, ";us;blue;x")]
    assert (report.items[0].inserted, report.items[0].unchanged, report.items[0].quarantined) == (1, 1, 1)


def test_the_same_name_in_another_folder_is_another_file(desk, tmp_path):
    for name in ("mon", "tue"):
        (tmp_path / name).mkdir()
    (tmp_path / "mon" / "services.csv").write_text(HEADER + ";eu;blue;x\n")
    (tmp_path / "tue" / "services.csv").write_text(HEADER + "pay;eu;blue;x\n")
    ingest_files(desk.settings, [tmp_path / "mon"])
    ingest_files(desk.settings, [tmp_path / "tue"])

    assert held(desk) == [(2, ";eu;blue;x")]


def test_a_refused_file_leaves_the_quarantine_as_it_was(desk):
    desk.load({"services.csv": HEADER + ";eu;blue;x\n"})
    desk.load({"services.csv": "<html>"})

    assert held(desk) == [(2, ";eu;blue;x")]


def test_what_a_shorter_file_no_longer_holds_stays_until_a_retry_looks(desk):
    desk.load({"services.csv": HEADER + "pay;eu;blue;x\n;us;blue;x\n"})
    desk.load({"services.csv": HEADER + "pay;eu;blue;x\n"})
    assert held(desk) == [(3, ";us;blue;x")]

    retry(desk.settings)
    assert held(desk) == []


def test_retry_reads_the_corrected_source_again(desk):
    desk.load({"services.csv": HEADER + ";eu;blue;x\n;us;blue;x\npay;eu;blue;x\n"})
    desk.write({"services.csv": HEADER + "buy;eu;blue;x\n;us;blue;x\npay;eu;blue;x\n"})
    report = retry(desk.settings)

    assert adds_up(report)
    assert (report.items[0].inserted, report.items[0].unchanged, report.items[0].quarantined) == (1, 1, 1)
    assert held(desk) == [(3, ";us;blue;x")]


def test_retry_overwrites_nothing_that_a_later_load_brought(desk, tmp_path):
    desk.load({"services.csv": "service,team\npay,old\n,lost\n"})
    (tmp_path / "services.csv").write_text("service,team\npay,new\n")
    ingest_files(desk.settings, [tmp_path / "services.csv"])
    desk.write({"services.csv": "service,team\npay,old\nbuy,found\n"})
    report = retry(desk.settings)

    assert adds_up(report)
    assert desk.rows("select service, team from raw.services order by 1") == [("buy", "found"), ("pay", "new")]


def test_retry_of_a_source_that_is_gone_says_so_and_keeps_the_rows(desk):
    desk.load({"services.csv": HEADER + ";eu;blue;x\n"})
    (desk.files / "services.csv").unlink()
    report = retry(desk.settings)

    assert report.exit_code == 4
    assert "No such file" in report.items[0].refused
    assert held(desk) == [(2, ";eu;blue;x")]


def test_retry_of_an_empty_quarantine_says_so(desk):
    report = retry(desk.settings)

    assert report.exit_code == 0
    assert report.warnings == ["The quarantine is empty; there is nothing to try again."]


def test_an_export_holds_the_rows_verbatim_with_where_and_why(desk, tmp_path):
    desk.load({"services.csv": HEADER + ' ;"e;u";blue;x\npay;eu\n'})
    (path,) = export(desk.settings, tmp_path / "out")

    assert path == tmp_path / "out" / "services" / "quarantine-1.csv"
    lines = path.read_text().splitlines()
    assert lines[0] == "quarantine_id;file;line;column;rule;reason;" + HEADER.strip()
    assert lines[1].endswith(';2;service;required_value_missing;services.csv:2: service is empty; ;"e;u";blue;x')
    assert lines[2].endswith(";3;;wrong_number_of_fields;services.csv:3: 2 fields where the header has 4;pay;eu")


def corrected(path, old, new):
    path.write_text(path.read_text().replace(old, new))


def test_corrected_rows_leave_and_the_others_stay_where_they_came_from(desk, tmp_path):
    desk.load({"services.csv": HEADER + ';"e;u";blue;x\npay;eu\n"buy;eu;blue;x\nsell;eu;blue;x;y\n'})
    (path,) = export(desk.settings, tmp_path / "out")
    corrected(path, ';;"e;u";blue', ';give;"e;u";blue')
    corrected(path, "pay;eu", "pay;eu;red")
    corrected(path, '"buy;eu', '"buy";eu')
    report = retry(desk.settings, tmp_path / "out")

    assert adds_up(report)
    assert (report.items[0].inserted, report.items[0].quarantined) == (2, 2)
    assert desk.rows("select service, regions from raw.services order by 1") == [("buy", ["eu"]), ("give", ["e", "u"])]
    assert held(desk) == [(3, "pay;eu;red"), (5, "sell;eu;blue;x;y")]
    assert desk.rows("select distinct file, header from raw._quarantine") == [
        (str(desk.files / "services.csv"), HEADER.strip())
    ]


def test_an_export_can_be_exported_again_and_corrected_in_the_end(desk, tmp_path):
    desk.load({"services.csv": HEADER + ";eu;blue;x\n"})
    export(desk.settings, tmp_path / "one")
    retry(desk.settings, tmp_path / "one")
    (path,) = export(desk.settings, tmp_path / "two")
    assert path.read_text().count("quarantine_id") == 1
    corrected(path, ";;eu", ";pay;eu")
    retry(desk.settings, tmp_path / "two")

    assert held(desk) == []
    assert retry(desk.settings, tmp_path / "two").items[0].unchanged == 1


def test_a_corrected_row_overwrites_nothing_that_a_later_load_brought(desk, tmp_path):
    desk.load({"environments.csv": "environment,capacity\nprod,-1\ntest,-1\n"})
    (path,) = export(desk.settings, tmp_path / "out")
    (desk.files / "environments.csv").unlink()
    desk.load({"environments.jsonl": '{"environment": "prod", "capacity": 7}\n'})
    corrected(path, ",-1", ",1")
    retry(desk.settings, tmp_path / "out")

    assert desk.rows("select environment, capacity from raw.environments order by 1") == [("prod", 7), ("test", 1)]


def test_a_corrected_row_is_merged_with_the_rows_of_its_own_load(desk, tmp_path):
    header = "deployment_id,service,environment,started_at,finished_at,status\n"
    desk.load(
        {
            "deployments.csv": header
            + "d1,pay,prod,2025-01-01T05:00Z,2025-01-01T06:00Z,failed\n"
            + "d1,pay,prod,2025-01-01T03:00Z,2025-01-01T04:00Z,succeded\n",
            "incidents.csv": "incident_id,service,started_at,resolved_at\n"
            + "i1,pay,2025-01-02T00:00Z,2025-01-03T00:00Z\ni1,pay,2025-01-05T00:00Z,2024-01-06T00:00Z\n",
        }
    )
    for path in export(desk.settings, tmp_path / "out"):
        corrected(path, ",succeded", ",succeeded")
        corrected(path, "05T00:00Z,2024", "05T00:00Z,2025")
    report = retry(desk.settings, tmp_path / "out")

    assert adds_up(report)
    assert held(desk) == []
    assert desk.rows("select status, strftime(started_at, '%H'), strftime(finished_at, '%H') from raw.deployments") == [
        ("failed", "03", "06")
    ]
    assert desk.rows("select day(started_at), day(resolved_at) from raw.incidents") == [(2, 6)]


def test_a_row_whose_bytes_do_not_decode_stays_until_they_were_replaced(desk, tmp_path):
    desk.load({"services.csv": b"service,team\ncaf\xe9,blue\n"})
    (path,) = export(desk.settings, tmp_path / "out")

    retry(desk.settings, tmp_path / "out")
    assert desk.rows("select rule, row from raw._quarantine") == [("bytes_do_not_decode", r"caf\xe9,blue")]

    corrected(path, r"\xe9", "é")
    retry(desk.settings, tmp_path / "out")
    assert desk.rows("select service from raw.services") == [("café",)]
    assert held(desk) == []


def test_a_spreadsheet_may_have_written_the_export_anew(desk, tmp_path):
    desk.load({"services.csv": HEADER + ";eu;blue;x\n"})
    (path,) = export(desk.settings, tmp_path / "out")
    with path.open(newline="") as file:
        header, row = csv.reader(file, delimiter=";")
    row[6] = "pay"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([header, row])
    retry(desk.settings, tmp_path / "out")

    assert held(desk) == []
    assert desk.rows("select service, regions, team from raw.services") == [("pay", ["eu"], "blue")]


def test_rows_of_json_and_parquet_files_are_exported_as_json(desk, tmp_path):
    pl.DataFrame({"service": [None, "pay"], "team": ["blue", "red"]}).write_parquet(desk.files / "services.parquet")
    desk.load({"environments.jsonl": '{"environment": "prod", "capacity": -1}\nnot json\n{"environment": "test"}\n'})
    environments, services = export(desk.settings, tmp_path / "out")
    corrected(services, '"service": null', '"service": "buy"')
    corrected(environments, '"capacity": -1', '"capacity": 1')
    report = retry(desk.settings, tmp_path / "out")

    assert adds_up(report)
    assert desk.rows("select service, team from raw.services order by 1") == [("buy", "blue"), ("pay", "red")]
    assert desk.rows("select environment, capacity from raw.environments order by 1") == [("prod", 1), ("test", None)]
    assert held(desk) == [(2, "not json")]


def test_a_corrected_row_is_not_refused_again_when_its_source_comes_again(desk, tmp_path):
    source = HEADER + "pay;eu;blue;x\n;us;blue;x\n"
    desk.load({"services.csv": source})
    (path,) = export(desk.settings, tmp_path / "out")
    corrected(path, ";;us", ";buy;us")
    retry(desk.settings, tmp_path / "out")
    report = desk.load({"services.csv": source.replace("pay;", "new;eu;red;y\npay;")})

    assert adds_up(report)
    assert (report.items[0].inserted, report.items[0].unchanged, report.items[0].quarantined) == (1, 2, 0)
    assert "services.csv: 1 row still as once refused; the correction you loaded stands." in report.warnings
    assert held(desk) == []
    assert desk.load({"services.csv": source}, strict=True).exit_code == 0


def test_of_lines_that_read_alike_as_many_are_settled_as_were_corrected(desk, tmp_path):
    source = HEADER + ";us;blue;x\n;us;blue;x\n"
    desk.load({"services.csv": source})
    (path,) = export(desk.settings, tmp_path / "out")
    text = path.read_text()
    path.write_text(text.replace(";;us", ";buy;us", 1))
    retry(desk.settings, tmp_path / "out")
    report = desk.load({"services.csv": source})

    assert (report.items[0].unchanged, report.items[0].quarantined) == (1, 1)
    assert len(held(desk)) == 1


def test_a_bad_row_of_another_text_is_refused_though_its_line_was_corrected_before(desk, tmp_path):
    desk.load({"services.csv": HEADER + ";us;blue;x\n"})
    (path,) = export(desk.settings, tmp_path / "out")
    corrected(path, ";;us", ";buy;us")
    retry(desk.settings, tmp_path / "out")
    desk.load({"services.csv": HEADER + ";us;red;x\n"})

    assert held(desk) == [(2, ";us;red;x")]


def test_a_correction_loaded_twice_overwrites_nothing_that_came_between(desk, tmp_path):
    desk.load({"environments.csv": "environment,capacity\nprod,-1\n"})
    (path,) = export(desk.settings, tmp_path / "out")
    corrected(path, ",-1", ",1")
    retry(desk.settings, tmp_path / "out")
    (desk.files / "environments.csv").unlink()
    desk.load({"environments.jsonl": '{"environment": "prod", "capacity": 7}\n'})
    retry(desk.settings, tmp_path / "out")

    assert desk.rows("select capacity from raw.environments") == [(7,)]


def test_a_file_is_one_file_however_its_path_is_spelt(desk):
    desk.write({"services.csv": HEADER + ";us;blue;x\n", "below/notes.txt": "x"})
    for path in (desk.files, desk.files / "below" / "..", desk.files / "." / "services.csv"):
        ingest_files(desk.settings, [path])

    assert held(desk) == [(2, ";us;blue;x")]
    both = ingest_files(desk.settings, [desk.files, desk.files / "below" / ".."])
    assert [item.read for item in both.items] == [1]


def test_a_link_that_is_switched_to_the_newest_export_names_one_file(desk):
    desk.write({"mon/services.csv": HEADER + ";us;blue;x\n", "tue/services.csv": HEADER + "pay;us;blue;x\n"})
    for day in ("mon", "tue"):
        (desk.files / "newest").unlink(missing_ok=True)
        (desk.files / "newest").symlink_to(day)
        ingest_files(desk.settings, [desk.files / "newest"])

    assert held(desk) == []


def test_what_lies_in_an_export_already_is_not_exported_again(desk, tmp_path):
    desk.load({"services.csv": HEADER + ";eu;blue;x\n", "environments.jsonl": '{"capacity": 1}\n{"environment": "a"}'})
    first = export(desk.settings, tmp_path / "out")
    corrected(first[1], ";;eu", ";pay;eu")
    assert export(desk.settings, tmp_path / "out") == []

    desk.load({"services.csv": HEADER + ";eu;blue;x\n;us;blue;x\n"})
    (second,) = export(desk.settings, tmp_path / "out")
    assert second.name == "quarantine-2.csv"
    assert second.read_text().count(";us;blue") == 1
    assert second.read_text().count(";eu;blue") == 0
    retry(desk.settings, tmp_path / "out")
    assert desk.rows("select service from raw.services") == [("pay",)]
    assert [row for _, row in held(desk)] == ['{"capacity": 1}', ";us;blue;x"]


@pytest.mark.parametrize("strict", [False, True])
def test_a_dry_run_of_a_retry_keeps_nothing(desk, strict):
    desk.load({"services.csv": HEADER + ";eu;blue;x\n"})
    desk.write({"services.csv": HEADER + "pay;eu;blue;x\n"})
    report = retry(desk.settings, dry_run=True, strict=strict)

    assert report.items[0].inserted == 1
    assert held(desk) == [(2, ";eu;blue;x")]


@pytest.mark.parametrize(
    ("second", "days", "dropped"),
    [
        ("pay;eu;blue;x\n", 366, 1),  # the file came again without the row, long ago
        ("pay;eu;blue;x\n", 364, 0),  # not long enough
        ("pay;eu;blue;x\n;us;blue;x\n", 366, 0),  # the row is still in its file
        (None, 366, 0),  # the file never came again
    ],
)
def test_a_refused_row_is_dropped_only_when_it_is_old_and_its_file_holds_it_no_more(desk, second, days, dropped):
    desk.load({"services.csv": HEADER + "pay;eu;blue;x\n;us;blue;x\n"})
    if second:
        desk.load({"services.csv": HEADER + second})
    later = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=days)

    assert prune(desk.settings, later) == dropped
    assert len(held(desk)) == 1 - dropped


def test_with_no_limit_in_days_nothing_is_dropped(desk):
    desk.load({"services.csv": HEADER + "pay;eu;blue;x\n;us;blue;x\n"})
    desk.load({"services.csv": HEADER + "pay;eu;blue;x\n"})

    assert prune(desk.settings.model_copy(update={"quarantine_days": 0}), datetime(2999, 1, 1)) == 0  # noqa: DTZ001
