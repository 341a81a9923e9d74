"""The table of inputs in the contract, line by line."""

from __future__ import annotations

import gzip

import polars as pl
import pytest

from shipcast.ingest.errors import NothingToLoad
from shipcast.ingest.files import ingest_files

HEADER = "deployment_id,service,environment,started_at,status\n"
GOOD = "d1,pay,production,2024-05-01T10:00:00Z,succeeded\n"
BAD = "d2,pay,production,2024-05-01T10:00:00Z,splendid\n"
HEADER_OF_SERVICES = "service,team\n"


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def counts(item):
    return (item.read, item.inserted, item.updated, item.unchanged, item.merged, item.quarantined)


def test_some_rows_quarantined_and_the_rest_loads(desk):
    report = desk.load({"deployments.csv": HEADER + GOOD + BAD})

    assert report.exit_code == 0
    assert counts(report.items[0]) == (2, 1, 0, 0, 0, 1)
    assert desk.rows("select deployment_id from raw.deployments") == [("d1",)]
    assert any("deployments.csv:3: d2: status 'splendid' is none of" in warning for warning in report.warnings)


def test_strict_loads_nothing_and_quarantines_nothing(desk):
    report = desk.load({"deployments.csv": HEADER + GOOD + BAD, "services.csv": "service\npay\n"}, strict=True)

    assert report.exit_code == 4
    assert all(item.refused.startswith("strict: ") and counts(item) == (0,) * 6 for item in report.items)
    assert desk.rows("select count(*) from raw.deployments union all select count(*) from raw.services") == [(0,), (0,)]
    assert desk.rows("select count(*) from raw._quarantine") == [(0,)]
    assert any(warning.startswith("deployments.csv:3: d2: status") for warning in report.warnings)


def test_strict_loads_what_is_sound(desk):
    report = desk.load({"deployments.csv": HEADER + GOOD}, strict=True)

    assert (report.exit_code, report.items[0].inserted) == (0, 1)


def test_all_rows_quarantined_is_refused_but_kept(desk):
    report = desk.load({"deployments.csv": HEADER + BAD})

    assert report.exit_code == 4
    assert counts(report.items[0]) == (1, 0, 0, 0, 0, 1)
    assert desk.rows("select row, header from raw._quarantine") == [(BAD.strip(), HEADER.strip())]


def test_a_header_only_warns_and_leaves_earlier_data(desk):
    desk.load({"deployments.csv": HEADER + GOOD})
    report = desk.load({"deployments.csv": HEADER})

    assert report.exit_code == 0
    assert counts(report.items[0]) == (0,) * 6
    assert "deployments.csv: holds a header and no rows; nothing changed." in report.warnings
    assert desk.rows("select count(*) from raw.deployments") == [(1,)]


GZIP = packed((HEADER + GOOD * 5000).encode())


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("deployments.csv", b"", "is empty: 0 bytes"),
        ("deployments.csv", b"\n\n", "nothing but blank lines"),
        ("deployments.csv", b"<!doctype html><html><body>Sign in</body></html>", "is a web page"),
        ("deployments.csv", b"Internal server error\n", "required columns are missing: deployment_id, service"),
        ("deployments.csv", b"deployment_id,service,started_at,status\n", "missing: environment"),
        ("deployments.csv", (HEADER.strip() + ",Status\n").encode(), "2 columns are called 'status'"),
        ("deployments.csv", b"id,deploy_id,service,environment,started_at,status\n", "'deploy_id' both mean"),
        ("deployments.csv", (HEADER.strip() + ",startedAt\n").encode(), "'started_at' and 'startedAt' both mean"),
        ("deployments.csv", b"ID,Release ID,service,environment,started_at,status\n", "'Release ID' both mean"),
        ("deployments.csv", b"PK\x03\x04rest", "Excel workbook"),
        ("deployments.csv", HEADER.encode("utf-16-le"), "NUL bytes"),
        ("deployments.csv.gz", GZIP[:-20], "the gzip stream breaks off after"),
        ("deployments.csv.gz", GZIP[:50] + b"xxxx" + GZIP[54:], "the gzip stream is corrupt"),
        ("deployments.csv.gz", b"no gzip at all", "is not gzip"),
        ("deployments.parquet", b"PAR1 and no more", "the Parquet file is truncated or corrupt"),
        ("deployments.jsonl", b"[1, 2]\n", "is one JSON array"),
        ("deployments.jsonl", b'{"deployment_id": "d1"}\n', "required columns are missing: service"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_whole_and_the_others_load(desk, name, content, reason):
    report = desk.load({name: content, "services.csv": "service\npay\n"})
    by_table = {item.table: item for item in report.items}

    assert report.exit_code == 4
    assert reason in by_table["deployments"].refused
    assert counts(by_table["deployments"]) == (0,) * 6
    assert by_table["services"].inserted == 1
    assert desk.rows("select count(*) from raw.deployments") == [(0,)]
    assert desk.rows("select count(*) from raw._loads where refused is not null") == [(1,)]


def test_of_a_parquet_file_cut_short_nothing_is_stored(desk, tmp_path):
    frame = pl.DataFrame({"service": [f"s{number}" for number in range(10_000)]})
    frame.write_parquet(tmp_path / "whole.parquet", row_group_size=1000)
    whole = (tmp_path / "whole.parquet").read_bytes()
    broken = whole[:2000] + b"\xff" * 400 + whole[2400:]

    report = desk.load({"services.parquet": broken})

    assert "truncated or corrupt" in report.items[0].refused
    assert desk.rows("select count(*) from raw.services") == [(0,)]


@pytest.mark.parametrize(
    "content",
    [
        b"service,team\npay,blue\n",
        b"service,team\npay,blue",
        "\ufeffservice,team\npay,blue\n".encode(),
        "\ufeffservice,team\npay,blue\n".encode("utf-16-le"),
        "\ufeffservice,team\npay,blue\n".encode("utf-16-be"),
        b"service;team\npay;blue\n",
        b"service\tteam\npay\tblue\n",
        b"service,team\r\npay,blue\r\n",
        b"service,team\rpay,blue\r",
        b'"service","team"\r\n"pay","blue"\r\n',
        b"\n\nTEAM,Service\n\n  blue , pay \n\n",
        packed(b"service,team\npay,blue\n"),
    ],
)  # fmt: skip
def test_every_encoding_delimiter_and_line_end_loads_alike(one_service, desk, content):
    report = one_service(content)

    assert (report.exit_code, report.items[0].read) == (0, 1)
    assert desk.rows("select service, team from raw.services") == [("pay", "blue")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("services.csv.gz", packed(b"service,regions\npay,eu;us\n")),
        ("services.tsv", b"service\tregions\npay\teu; us ;\n"),
        ("Services.CSV", b"service,regions\npay,eu;us\n"),
        ("services.jsonl", b'{"service": "pay", "regions": ["eu", "us"]}\n'),
        ("services.jsonl", b'{"Service": "pay", "regions": "eu;us", "n": {"x": [1]}}\n\n'),
        ("services.jsonl.gz", packed(b'{"service": "pay", "regions": "eu;us"}')),
        ("services/part-1.csv", b"service,regions\npay,eu;us\n"),
        ("services.csv/part-00000.csv", b"service,regions\npay,eu;us\n"),
    ],
)
def test_every_format_loads_alike(desk, name, content):
    report = desk.load({name: content})

    assert report.exit_code == 0
    assert report.items[0].file == name
    assert desk.rows("select service, regions from raw.services") == [("pay", ["eu", "us"])]


def test_parquet_types_load_as_what_they_are(desk):
    pl.DataFrame(
        {
            "service": ["pay", "pay"],
            "observed_at": ["2024-05-01T10:00:00", "2024-05-01T11:00:00"],
            "value": [1.5, 0.1],
            "nested": [{"a": [1]}, {"a": [2]}],
        }
    ).with_columns(pl.col("observed_at").str.to_datetime(time_unit="ns")).write_parquet(desk.files / "load.parquet")

    settings = desk.settings.model_copy(update={"source_zone": "Europe/Berlin"})
    report = ingest_files(settings, [desk.files])

    assert report.items[0].unknown == ["nested"]
    assert desk.rows("select observed_at::varchar, value from raw.load order by 1") == [
        ("2024-05-01 08:00:00", 1.5),
        ("2024-05-01 09:00:00", 0.1),
    ]


def test_parquet_rows_are_quarantined_as_json_objects(desk):
    pl.DataFrame({"service": ["pay", None], "team": ["blue", "red"], "note": [1, 2]}).write_parquet(
        desk.files / "services.parquet"
    )
    report = ingest_files(desk.settings, [desk.files])

    assert (report.items[0].inserted, report.items[0].quarantined) == (1, 1)
    assert desk.rows("select line, row, header from raw._quarantine") == [
        (2, '{"service":null,"team":"red","note":2}', "")
    ]


@pytest.mark.parametrize(
    ("values", "stored", "rules"),
    [
        (pl.Series([1.5, float("nan"), float("inf")]), [1.5], ["number_out_of_range"] * 2),
        (pl.Series([3, -1, None]), [3.0], ["number_out_of_range", "required_value_missing"]),
        (pl.Series([True, False, True]), [], ["not_a_number"] * 3),
        (pl.Series(["1.5", "N/A", " 2 "]), [1.5, 2.0], ["not_a_number"]),
        (pl.Series(["1.50", "0.25", None]).cast(pl.Decimal(10, 2)), [0.25, 1.5], ["required_value_missing"]),
        (pl.Series([b"1", b"\xff", b"2"]), [1.0, 2.0], ["bytes_do_not_decode"]),
        (pl.Series(["1", "2", "2"]).cast(pl.Categorical), [1.0, 2.0, 2.0], []),
    ],
    ids=["float", "integer", "boolean", "text", "decimal", "binary", "categories"],
)
def test_parquet_values_meet_the_same_rules(desk, values, stored, rules):
    frame = pl.DataFrame({"service": ["a", "b", "c"], "observed_at": ["2024-05-01"] * 3, "value": values})
    frame.write_parquet(desk.files / "load.parquet")
    ingest_files(desk.settings, [desk.files])

    assert desk.rows("select value from raw.load order by 1") == [(value,) for value in stored]
    assert desk.rows("select rule from raw._quarantine order by line") == [(rule,) for rule in rules]
    assert desk.rows("select count(*) from raw._quarantine where not json_valid(row)") == [(0,)]


def test_a_missing_path_says_so(desk, tmp_path):
    with pytest.raises(NothingToLoad, match="no such file or folder") as refusal:
        ingest_files(desk.settings, [tmp_path / "nowhere"])
    assert refusal.value.exit_code == 4


@pytest.mark.parametrize("name", ["notes.txt", "orders.csv"])
def test_a_folder_without_a_known_table_says_what_was_looked_for(desk, name):
    with pytest.raises(NothingToLoad, match=r"Looked for services, environments, deployments, .* as .csv, .csv.gz"):
        desk.load({name: "a,b\n1,2\n"})


def test_a_single_file_may_be_given(desk):
    folder = desk.write({"services.csv": "service\npay\n", "holds.csv": "x\n"})

    report = ingest_files(desk.settings, [folder / "services.csv"])

    assert [(item.table, item.file, item.inserted) for item in report.items] == [("services", "services.csv", 1)]


def test_files_named_after_no_table_are_named_and_skipped(desk):
    report = desk.load({"services.csv": "service\npay\n", "notes.txt": "x", "orders.csv": "x", ".DS_Store": "x"})

    assert report.skipped == ["notes.txt", "orders.csv"]
    assert "Skipped, since they are named after no table: notes.txt, orders.csv." in report.warnings


def test_what_lies_beside_the_parts_of_a_table_is_named_too(desk):
    (desk.files / "holds").mkdir()
    report = desk.load(
        {"services/1.csv": "service\npay\n", "services/notes.txt": "x", "services/old/2.csv": "service\nx\n"}
    )

    assert report.skipped == ["holds/", "services/notes.txt", "services/old"]
    assert desk.rows("select service from raw.services") == [("pay",)]


def test_a_folder_named_after_a_table_may_be_given(desk):
    folder = desk.write({"services/1.csv": "service\npay\n"})
    report = ingest_files(desk.settings, [folder / "services", folder / "services"])

    assert [(item.table, item.inserted, item.merged) for item in report.items] == [("services", 1, 0)]


def test_synonyms_are_mapped_and_named_and_unknown_columns_left_out_once(desk):
    row = "d{},pay,prod,2024-05-01T10:00:00Z,failed,x\n"
    header = "ID,App,Env,created_at,state,mood\n"
    report = desk.load({"deployments/1.csv": header + row.format(1), "deployments/2.csv": header + row.format(2)})

    assert report.items[0].mapped == {
        "ID": "deployment_id", "App": "service", "Env": "environment", "created_at": "started_at", "state": "status",
    }  # fmt: skip
    assert report.items[0].unknown == ["mood"]
    assert [warning for warning in report.warnings if "mood" in warning] == [
        "deployments: left out the unknown column mood."
    ]
    assert [warning for warning in report.warnings if "ID as deployment_id" in warning]


@pytest.mark.parametrize(
    "header",
    ["Release ID,App,Stage,Start Time,End Time,Outcome", "deploymentId;serviceName;env;startedAt;finishedAt;Status",
     "Deployment-ID\tservice.name\tEnvironment Name\tStarted  At\tCompleted_At\tresult"],
)  # fmt: skip
def test_spaces_hyphens_dots_and_humps_in_a_header_are_underscores(desk, header):
    row = ["D1", "pay", "live", "2024-05-01T10:00Z", "2024-05-01T10:05Z", "failed"]
    mark = next(mark for mark in ",;\t" if mark in header)
    report = desk.load({"deployments.csv": f"{header}\n{mark.join(row)}\n"})

    assert report.items[0].mapped[header.split(mark)[0]] == "deployment_id"
    assert desk.rows("select deployment_id, finished_at::varchar, status from raw.deployments") == [
        ("D1", "2024-05-01 10:05:00", "failed")
    ]


def test_a_parquet_column_may_be_spelt_otherwise_too(desk):
    row = {"Pull Request": "1", "App": "pay", "Merge Commit SHA": "c1", "createdAt": "2024-05-01"}
    pl.DataFrame([row]).write_parquet(desk.files / "changes.parquet")
    ingest_files(desk.settings, [desk.files])

    assert desk.rows("select change_id, commit_sha from raw.changes") == [("1", "c1")]


def test_rows_of_json_may_spell_a_name_differently_but_not_twice(desk):
    rows = ['{"app": "a", "teamName": "blue"}', '{"App": "b", "team-name": "red", "n_1": 1, "n-1": 2}',
            '{"app": "c", "teamName": "x", "team_name": "y"}']  # fmt: skip
    report = desk.load({"services.jsonl": "\n".join(rows)})

    assert desk.rows("select service, team from raw.services order by 1") == [("a", "blue"), ("b", "red")]
    assert report.items[0].reason == "services.jsonl:3: it is not one JSON object whose names differ"


def test_what_names_no_column_may_differ_in_its_spelling_alone(desk):
    report = desk.load({"services.csv": "service,my mood,my_mood,myMood\npay,x,y,z\n"})

    assert (report.exit_code, report.items[0].unknown) == (0, ["my mood", "my_mood", "myMood"])


def test_the_contracts_name_wins_over_a_synonym(desk):
    report = desk.load({"services.csv": "id,service\n17,pay\n"})

    assert report.items[0].unknown == ["id"]
    assert desk.rows("select service from raw.services") == [("pay",)]


@pytest.mark.parametrize(
    ("header", "column"),
    [("deployment", "deployment_id"), ("Deployment Ref", "deployment_id"), ("resolved", "resolved_at"), ("sev", None),
     ("deployment_url", "deployment_id"), ("notes", None)],
)  # fmt: skip
def test_a_column_left_out_that_reads_like_one_that_is_lacking_is_asked_about(desk, header, column):
    report = desk.load({"incidents.csv": f"incident_id,service,started_at,{header}\ni1,pay,2024-05-01,x\n"})

    said = f"incidents: is {header} meant as {column}? Then rename it, and load the file again."
    assert (said in report.warnings) == (column is not None)
    assert any(f"unknown column {header}." in warning for warning in report.warnings)


def test_a_column_that_is_there_is_not_asked_about_again(desk):
    report = desk.load({"services.csv": "service,team,teams,services\npay,blue,x,y\n"})

    assert report.warnings == ["services: left out the unknown columns teams, services."]


def test_services_that_differ_only_in_case_spaces_or_dashes_are_named_and_kept_apart(desk):
    report = desk.load(
        {
            "services.csv": "service\ncheck-out\npay\n",
            "deployments.csv": HEADER + GOOD + GOOD.replace("d1,pay", "d2,Check Out"),
        }
    )

    assert report.warnings == [
        "Different services, or one? 'Check Out' (deployments), 'check-out' (services) differ only in case, spaces or "
        "dashes."
    ]


def test_simulated_data_says_so(desk):
    desk.load({"services.csv": "service\npay\n", "simulated.json": '{"simulated": true}'})

    assert desk.rows("select value from raw._facts where name = 'is_simulated'") == [("true",)]


def test_a_dry_run_reports_and_keeps_nothing(desk):
    report = desk.load({"deployments.csv": HEADER + GOOD + BAD}, dry_run=True)

    assert counts(report.items[0]) == (2, 1, 0, 0, 0, 1)
    assert desk.rows("select count(*) from raw.deployments union all select count(*) from raw._quarantine") == [
        (0,),
        (0,),
    ]
    assert desk.rows("select count(*) from raw._loads") == [(0,)]


def test_an_unknown_deployment_is_kept_and_counted_until_it_arrives(desk):
    incident = "incident_id,service,started_at,deployment_id\ni1,pay,2024-05-01T11:00:00Z,d1\n"
    report = desk.load({"incidents.csv": incident})
    assert report.dangling == {"incidents.deployment_id": 1}
    assert report.exit_code == 0

    report = desk.load({"deployments.csv": HEADER + GOOD})
    assert report.dangling == {}


@pytest.mark.parametrize(
    "content", ['[\n{"service": "a"},\n{"service": "b"}\n]\n', '[{"service": "a"},\n{"service": "b"}]']
)
def test_a_json_array_over_several_lines_is_refused_whole(desk, content):
    report = desk.load({"services.jsonl": content})

    assert "is one JSON array" in report.items[0].refused
    assert report.exit_code == 4
    assert desk.rows("select * from raw.services") == []


@pytest.mark.parametrize("value", ["1e308", "12345678901234567890123456", "-1e19", "nan"])
def test_a_load_beyond_64_bits_is_quarantined(desk, value):
    desk.load({"load.csv": f"service,observed_at,value\npay,2025-01-01T00:00Z,{value}\npay,2025-01-01T01:00Z,9e18\n"})

    assert desk.rows("select rule from raw._quarantine") == [("number_out_of_range",)]
    assert desk.rows("select value from raw.load") == [(9e18,)]
