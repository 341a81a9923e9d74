"""Exports of ServiceNow and Jira, through the mappings that the documentation ships, and what mappings refuse."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from shipcast.ingest.errors import MappingWrong, NothingToLoad
from shipcast.ingest.exports import ingest_export
from shipcast.ingest.files import ingest_files
from shipcast.ingest.quarantine import export, retry
from shipcast.ingest.report import LoadReport
from shipcast.settings import ExportSource, Settings
from shipcast.warehouse.connection import WORK_FILE, open_beside

CONNECT = Path(__file__).parents[2] / "docs" / "connect"
CHANGES = """\
"number","short_description","business_service","u_environment","work_start","work_end","close_code","type","requested_by","state"
"CHG1","Up, and down","Checkout","Prod","2025-07-04 10:00:00","2025-07-04 10:30:00","Successful","Normal","Ann Lee","Closed"
"CHG2","","Checkout","Prod","2025-01-04 10:00:00","2025-01-04 11:30:00","unsuccessful","Emergency","Bo","Closed"
"CHG3","","Checkout","Prod","2025-07-06 10:00:00","","","Normal","Ann Lee","Scheduled"
"CHG4","","Pay","Prod","2025-07-07 10:00:00","2025-07-07 10:30:00","Canceled","Normal","Ann Lee","Closed"
"CHG5","","Pay","DR","2025-07-08 10:00:00","2025-07-08 10:30:00","Half done","Normal","Ann Lee","Closed"
"CHG6","","Pay","DR","08.07.2025","","Successful","Standard","Ann Lee","Closed"
"""  # noqa: E501
ISSUES = {
    "total": 4,
    "issues": [
        {
            "key": "OPS-1",
            "fields": {
                "created": "2025-03-04T10:10:00.000+0100",
                "resolutiondate": "2025-03-04T12:00:00.000+0100",
                "priority": {"name": "High", "id": "2"},
                "components": [{"name": "checkout"}, {"name": "pay"}],
                "issuetype": {"name": "Incident"},
            },
        },
        {
            "key": "OPS-2",
            "fields": {
                "created": "2025-03-05T10:10:00.000+0000",
                "resolutiondate": None,
                "priority": None,
                "components": [{"name": "pay"}],
                "issuetype": {"name": "[System] Incident"},
            },
        },
        {"key": "OPS-3", "fields": {"components": [], "issuetype": {"name": "Incident"}, "created": "2025-03-05"}},
        {"key": "OPS-4", "fields": {"components": [], "issuetype": {"name": "Task"}}},
        "not an issue",
    ],
}


class Home:
    """A folder with a home, exports and mappings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(home=folder / "home")
        self.settings.home.mkdir()

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def read(self, path: Path, mapping: Path, **more: Any) -> LoadReport:
        return ingest_export(self.settings, ExportSource(path=path, mapping=mapping, **more))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with open_beside(self.settings.home / WORK_FILE) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture(scope="module")
def servicenow(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, LoadReport]:
    """A home that has read the changes twice, and the second report; for claims that change nothing."""
    home = Home(tmp_path_factory.mktemp("servicenow"))
    path = home.write("changes.csv", CHANGES)
    home.read(path, CONNECT / "servicenow.toml")
    return home, home.read(path, CONNECT / "servicenow.toml")


@pytest.fixture(scope="module")
def jira(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, LoadReport]:
    home = Home(tmp_path_factory.mktemp("jira"))
    path = home.write("issues.json", json.dumps(ISSUES).encode("utf-16"))
    return home, home.read(path, CONNECT / "jira.toml")


def test_change_requests_become_deployments_in_the_zone_of_the_export(servicenow: tuple[Home, LoadReport]):
    home, _ = servicenow
    found = home.rows(
        "select deployment_id, service, environment, status, change_type, strftime(started_at, '%m-%d %H:%M'), "
        "strftime(finished_at, '%H:%M') from raw.deployments order by 1"
    )
    assert found == [
        ("CHG1", "Checkout", "production", "succeeded", "normal", "07-04 09:00", "09:30"),
        ("CHG2", "Checkout", "production", "failed", "emergency", "01-04 10:00", "11:30"),
    ]


def test_what_the_mapping_does_not_know_is_quarantined_with_its_line(servicenow: tuple[Home, LoadReport]):
    home, _ = servicenow
    assert home.rows("select line, rule, reason from raw._quarantine order by line") == [
        (6, "unknown_value", "changes.csv:6: status 'Half done' is not named under [values.status] of the mapping"),
        (7, "not_a_time", "changes.csv:7: started_at '08.07.2025' does not fit time_format '%Y-%m-%d %H:%M:%S'"),
    ]


def test_an_export_that_is_read_again_changes_nothing(servicenow: tuple[Home, LoadReport]):
    _, report = servicenow
    [item] = report.items
    assert (item.read, item.unchanged, item.quarantined, item.inserted, item.updated) == (4, 2, 2, 0, 0)


def test_rows_that_are_left_out_are_counted(servicenow: tuple[Home, LoadReport]):
    _, report = servicenow
    assert report.warnings[2:] == [
        "changes.csv: left out 1 row by [only] 'state'.",
        "changes.csv: left out 1 row by [values.status].",
    ]


def test_people_are_told_apart_and_not_named(servicenow: tuple[Home, LoadReport]):
    home, _ = servicenow
    people = home.rows("select requested_by from raw.deployments union all select row from raw._quarantine")
    assert len(people) == 4
    assert not any("Ann" in person for (person,) in people)


def test_a_search_of_jira_becomes_incidents(jira: tuple[Home, LoadReport]):
    home, _ = jira
    found = home.rows(
        "select incident_id, service, environment, severity, strftime(started_at, '%H:%M'), "
        "strftime(resolved_at, '%H:%M') from raw.incidents order by 1"
    )
    assert found == [
        ("OPS-1", "checkout", "production", "High", "09:10", "11:00"),
        ("OPS-2", "pay", "production", None, "10:10", None),
    ]


def test_records_that_are_none_are_quarantined_by_their_number(jira: tuple[Home, LoadReport]):
    home, _ = jira
    found = home.rows("select line, rule from raw._quarantine order by line")
    assert found == [(3, "required_value_missing"), (5, "not_an_object")]


def test_the_mapping_on_the_page_reads_incidents(home: Home):
    blocks = re.findall(r"^```toml\n(.*?)^```", (CONNECT / "exports.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    mapping = home.write("mapping.toml", next(block for block in blocks if block.startswith("table")))
    home.write(
        "in/a.csv", "Number;Opened;Resolved;Business service;Priority\nINC1;04/07/2025 10:00;;pay;1 - Critical\n"
    )
    home.write("in/b.tsv", "Priority\tNumber\tResolved\tBusiness service\tOpened\n4 - Low\tINC2\t\tpay\t\n")
    home.write("in/notes.txt", "none of it")

    report = home.read(home.folder / "in", mapping)

    assert [(item.file, item.read) for item in report.items] == [("a.csv", 1), ("b.tsv", 0)]
    assert home.rows("select incident_id, severity, started_at::varchar from raw.incidents") == [
        ("INC1", "sev1", "2025-07-04 09:00:00")
    ]


def test_a_row_that_was_corrected_in_the_quarantine_is_loaded(home: Home):
    path = home.write("changes.csv", CHANGES.replace("Half done", ""))
    home.read(path, CONNECT / "servicenow.toml")
    [written] = export(home.settings, home.folder / "refused")
    written.write_text(written.read_text().replace("08.07.2025", "2025-07-08T09:00:00Z"))

    retry(home.settings, home.folder / "refused")
    [warning] = retry(home.settings).warnings

    assert home.rows("select started_at::varchar from raw.deployments where deployment_id = 'CHG6'") == [
        ("2025-07-08 09:00:00",)
    ]
    assert re.search(r"^export .*changes.csv: its rows come from no file of a table", warning)


def test_services_that_nothing_deploys_are_proposed(home: Home):
    deployed = "deployment_id,service,environment,started_at,status\nd1,checkout,production,2025-01-01,succeeded\n"
    ingest_files(home.settings, [home.write("deployments.csv", deployed)])

    report = home.read(home.write("issues.json", json.dumps(ISSUES)), CONNECT / "jira.toml")

    assert any('under [values.service]: "pay" = "..."' in warning for warning in report.warnings)


INCIDENTS = 'table = "incidents"\n[columns]\nincident_id = "Number"\nservice = "Service"\nstarted_at = "Opened"\n'
DEPLOYMENTS = (
    'table = "deployments"\n[columns]\ndeployment_id = "Number"\nservice = "Service"\nstatus = "Priority"\n'
    'environment = "Service"\nstarted_at = "Opened"\n'
)
ROW = "Number,Service,Opened,Priority\nI1,pay,2025-07-04,\n"


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        (INCIDENTS.replace('"Opened"', '"Opend"'), "in.csv has no 'Opend'. Meant is perhaps 'Opened'"),
        (INCIDENTS + 'resolved_at = "Resolved"\n', "has no 'Resolved'"),
        (
            INCIDENTS.replace('"Opened"', '"Opend"') + 'severity = "Mood"\n',
            r"in.csv has no 'Opend'. Meant is perhaps 'Opened'. It has no 'Mood'. There is Number, Service",
        ),
        ('encoding = "cp125"\n' + INCIDENTS, "encoding: 'cp125' is no encoding of text"),
        ('encoding = "hex"\n' + INCIDENTS, "encoding: 'hex' is no encoding of text"),
        (INCIDENTS.replace("incidents", "incident"), "no table 'incident'. Meant is perhaps 'incidents'"),
        (INCIDENTS + 'severty = "Priority"\n', "no column 'severty'. Meant is perhaps 'severity'"),
        (INCIDENTS.replace('started_at = "Opened"\n', ""), "incidents needs started_at"),
        (INCIDENTS + '[constant]\nenvironment = "live"\n', "Meant is perhaps 'constants'"),
        (INCIDENTS + '[constants]\nservice = "pay"\n', "service stands under"),
        (INCIDENTS + '[values.severity]\n"1" = "a"\n', r"\[values.severity\] has no column"),
        ('time_format = "dd/MM/yyyy"\n' + INCIDENTS, "reads no time"),
        ('zone = "Europe/Londn"\n' + INCIDENTS, "zone: 'Europe/Londn' is not a time zone"),
        ("table =", "mapping.toml: "),
        (INCIDENTS.replace("table =", "tabel ="), "unknown key 'tabel'. Meant is perhaps 'table'"),
        (INCIDENTS.replace('table = "incidents"\n', ""), "table is missing"),
        (
            DEPLOYMENTS + '[values.status]\n"Closed - OK" = "sucess"\n',
            r"mapping.toml: \[values.status\] \"Closed - OK\" = \"sucess\": status is one of .* perhaps 'succeeded'",
        ),
        (
            DEPLOYMENTS + '[constants]\nfiles_changed = "few"\n',
            r"\[constants\] files_changed = \"few\": .* a whole number",
        ),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused_with_the_nearest_name(home: Home, mapping: str, told: str):
    path, mapped = home.write("in.csv", ROW), home.write("mapping.toml", mapping)

    with pytest.raises(MappingWrong, match=told) as raised:
        home.read(path, mapped)
    assert raised.value.exit_code == 3


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"items": []}', "holds no list at 'issues'; it holds items"),
        ("{", "is no JSON that can be read"),
        ("[" * 200_000, "is no JSON that can be read"),
        ("", "is empty: 0 bytes"),
    ],
)
def test_a_file_that_is_no_list_of_records_is_refused(home: Home, content: str, told: str):
    report = home.read(home.write("in.json", content), CONNECT / "jira.toml")

    assert report.exit_code == 4
    assert told in (report.items[0].refused or "")


def test_a_path_that_no_record_has_is_refused_with_the_nearest(home: Home):
    path = home.write("issues.json", json.dumps(ISSUES))
    mapping = (CONNECT / "jira.toml").read_text().replace("fields.created", "fields.creatd")

    with pytest.raises(MappingWrong, match=r"no 'fields\.creatd'\. Meant is perhaps 'fields\.created'"):
        home.read(path, home.write("mapping.toml", mapping))


def test_an_object_is_no_value(home: Home):
    mapping = INCIDENTS.replace('"Service"', '"Service.owner"')
    record = {"Number": "I1", "Opened": "2025-07-04", "Service": {"owner": {"name": "pay", "id": 3}}}
    path = home.write("in.json", json.dumps([record]))

    with pytest.raises(MappingWrong, match=r"Name a part of it: Service\.owner\.name, Service\.owner\.id"):
        home.read(path, home.write("mapping.toml", mapping))
    home.write("mapping.toml", mapping.replace("owner", "owner.name"))
    home.read(path, home.folder / "mapping.toml")
    assert home.rows("select service from raw.incidents") == [("pay",)]


CP1252 = 'encoding = "cp1252"\n'
LETTERS = "Number,Service,Opened\nI1,Größe,2025-07-04\nI2,pay,2025-07-05\n"


def test_a_file_of_another_encoding_is_read_where_the_mapping_names_it(home: Home):
    record = '[{"Number": "I3", "Service": "Öl", "Opened": "2025-07-04"}]'
    files = [home.write("in.csv", LETTERS.encode("cp1252")), home.write("in.json", record.encode("cp1252"))]
    mapping = home.write("mapping.toml", f"{CP1252}{INCIDENTS}")
    for path in files:
        home.read(path, mapping)

    assert home.rows("select service from raw.incidents order by incident_id") == [("Größe",), ("pay",), ("Öl",)]


def test_bytes_of_another_encoding_are_quarantined_with_what_to_write(home: Home):
    letters = LETTERS.encode("cp1252")
    plain, named = (home.write(f"{name}.toml", f"{more}{INCIDENTS}") for name, more in (("a", ""), ("b", CP1252)))
    report = home.read(home.write("in.csv", letters), plain)
    bare = home.read(home.write("in.json", b'[{"a": "\xf6"}]'), plain)
    other = home.read(home.write("un.csv", letters.replace(b"\xf6", b"\x81")), named)

    assert report.items[0].reason == (
        "in.csv:2: its bytes are not UTF-8 (kept as \\xNN): name the encoding of the file in the mapping, such as "
        'encoding = "cp1252"'
    )
    assert (bare.items[0].refused or "").startswith("its bytes are not UTF-8: name the encoding of the file")
    assert other.items[0].reason == "un.csv:2: its bytes are not cp1252"


def test_a_header_of_another_encoding_is_said_to_be_one(home: Home):
    path = home.write("in.csv", LETTERS.replace("Service", "Geschäft").encode("cp1252"))

    with pytest.raises(MappingWrong, match="has no 'Geschäft'") as raised:
        home.read(path, home.write("mapping.toml", INCIDENTS.replace("Service", "Geschäft")))
    assert raised.value.next_step == 'Name the encoding of the file in the mapping, such as encoding = "cp1252".'


def test_of_columns_of_one_name_the_first_counts(home: Home):
    path = home.write("in.csv", "Number,Service,service,Opened\nI1,pay,mail,2025-07-04\n")

    home.read(path, home.write("mapping.toml", INCIDENTS))

    assert home.rows("select service from raw.incidents") == [("pay",)]


def test_hostile_text_stays_text(home: Home):
    name = "\x1b[31m'; drop table raw.incidents; --"
    path = home.write("in.json", json.dumps([{"Number": name, "Service": name, "Opened": "2025-07-04"}]))

    home.read(path, home.write("mapping.toml", INCIDENTS))

    assert home.rows("select incident_id, service from raw.incidents") == [(name, name)]


def test_what_is_not_there_or_no_export_is_said(home: Home):
    with pytest.raises(NothingToLoad, match="no such file"):
        home.read(home.folder / "in.csv", CONNECT / "jira.toml")
    with pytest.raises(NothingToLoad, match=r"Looked for files that end in \.csv"):
        home.read(home.write("in.xlsx", "PK"), CONNECT / "jira.toml")


def test_half_a_pair_of_surrogates_is_no_letter(home: Home):
    path = home.write("in.json", '[{"Number": "I\\ud83d", "Service": "pay", "Opened": "2025-07-04T10:00:00Z"}]')
    home.read(path, home.write("mapping.toml", INCIDENTS))

    assert home.rows("select incident_id from raw.incidents") == [("I?",)]


def test_a_place_that_cannot_be_looked_into_is_said_to_be_so(home: Home):
    with pytest.raises(NothingToLoad, match="cannot be read: File name too long"):
        home.read(home.folder / ("x" * 300), home.write("mapping.toml", INCIDENTS))


def test_what_a_mapping_gives_may_be_in_any_case_and_leave_rows_out(home: Home):
    mapping = DEPLOYMENTS + '[values.status]\nP1 = "Succeeded"\nP2 = ""\n[constants]\nlines_changed = 7\n'
    path = home.write("in.csv", "Number,Service,Opened,Priority\nD1,pay,2025-07-04,p1\nD2,pay,2025-07-04,P2\n")

    home.read(path, home.write("mapping.toml", mapping))

    assert home.rows("select status, lines_changed from raw.deployments") == [("succeeded", 7)]


def test_words_that_are_right_already_need_not_be_named(home: Home):
    mapping = (
        DEPLOYMENTS
        + 'change_type = "Kind"\nlines_changed = "Lines"\n[values.status]\nsuccess = "succeeded"\nfailed = ""\n'
        + '[values.change_type]\nhotfix = "emergency"\n[values.lines_changed]\nmany = "1000"\n'
    )
    rows = ["D1,pay,2025-07-04,success,hotfix,many", "D2,pay,2025-07-04,SUCCEEDED,Normal,7",
            "D3,pay,2025-07-04,failed,normal,7", "D4,pay,2025-07-04,done,normal,7"]  # fmt: skip
    path = home.write("in.csv", "\n".join(["Number,Service,Opened,Priority,Kind,Lines", *rows]))

    home.read(path, home.write("mapping.toml", mapping))

    assert home.rows("select deployment_id, status, change_type, lines_changed from raw.deployments order by 1") == [
        ("D1", "succeeded", "emergency", 1000),
        ("D2", "succeeded", "normal", 7),
    ]
    assert home.rows("select line, rule from raw._quarantine") == [(5, "unknown_value")]


def test_where_no_row_passes_the_mapping_is_blamed_first(home: Home):
    path = home.write("in.csv", ROW.replace("2025-07-04", "04/07/2025 10:00"))

    report = home.read(path, home.write("mapping.toml", INCIDENTS))

    assert report.exit_code == 4
    assert report.warnings[1].startswith("Correct the mapping (its columns, values, zone, time_format)")
    assert any("no row of in.csv passed, so look at the mapping first" in warning for warning in report.warnings)


def test_a_dry_run_shows_the_first_rows_and_the_others_by_reason(home: Home):
    more = "".join(CHANGES.splitlines(keepends=True)[-1].replace("CHG6", f"CHG{number}") for number in (7, 8))
    path = home.write("changes.csv", CHANGES + more)

    report = ingest_export(home.settings, ExportSource(path=path, mapping=CONNECT / "servicenow.toml"), dry_run=True)

    assert [row["deployment_id"] for row in report.samples["deployments"]] == ["CHG1", "CHG2"]
    assert [(each.rule, each.column, each.rows) for each in report.refusals] == [
        ("not_a_time", "started_at", 3),
        ("unknown_value", "status", 1),
    ]
    assert report.refusals[0].first.startswith("changes.csv:7: started_at '08.07.2025' does not fit")
    assert home.rows("select count(*) from raw.deployments") == [(0,)]
