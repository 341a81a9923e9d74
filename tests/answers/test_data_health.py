"""Where the data comes from, how new it is, what was refused, and what is looked at while a run is at work."""

from datetime import UTC, datetime

import pytest
from places import AS_OF, PLACES

from shipcast.answers.data_health import data_health, last_build, refused_rows
from shipcast.answers.doctor import doctor, findings_beside_runs
from shipcast.answers.reading import open_reader
from shipcast.settings.errors import Locked
from shipcast.warehouse.lock import run_lock
from shipcast.warehouse.transform import LOG

BROKEN = "finished_at_before_started_at"


@pytest.fixture(scope="module")
def home(built_once):
    return built_once("places", PLACES)


@pytest.fixture
def reader(home):
    with open_reader(home, AS_OF) as reader:
        yield reader


@pytest.fixture(scope="module")
def found(home):
    with open_reader(home, AS_OF) as reader:
        return data_health(reader)


def test_what_was_read_is_the_sum_of_what_became_of_it(found):
    assert {one.table: one.read for one in found.tables} == {name: len(rows) for name, rows in PLACES.items()}
    for one in (*found.tables, *found.files):
        assert one.read == one.inserted + one.updated + one.unchanged + one.merged + one.quarantined


def test_it_says_how_much_is_known_and_refused_and_how_old_the_newest_record_is(found):
    assert (
        found.sentence == "6 rows of 3 tables are known; 2 wait in quarantine, and the newest record is 12 hours old."
    )
    assert [(one.table, one.rule, one.rows) for one in found.refused] == [
        ("deployments", BROKEN, 1),
        ("deployments", "unknown_status", 1),
    ]


def test_the_newest_record_is_the_newest_that_was_known(home, found):
    newest = {one.table: one.at for one in found.newest}
    with open_reader(home, datetime(2025, 5, 5, 11, 30, tzinfo=UTC)) as reader:
        earlier = {one.table: one.at for one in data_health(reader).newest}

    assert newest["deployments"] == datetime(2025, 5, 9, 12, 30, tzinfo=UTC)
    assert earlier["deployments"] == datetime(2025, 5, 5, 10, 30, tzinfo=UTC)
    assert earlier["incidents"] == datetime(2025, 5, 5, 11, tzinfo=UTC)
    assert newest["load"] is None


def test_a_page_lacks_what_no_table_brings(found):
    lacking = {(one.page, one.remedy.split("`")[3]) for one in found.lacks if "ingest files" in one.remedy}

    assert ("Delivery", "changes.csv") in lacking
    assert ("Outlook, Plan", "load.csv") in lacking
    assert not {name for _, name in lacking} & {"incidents.csv", "environment_usage.csv", "environments.csv"}


def test_refused_rows_are_shown_as_they_stand_in_their_file(reader):
    rows = refused_rows(reader, None, None, limit=10)
    [row] = refused_rows(reader, "deployments", BROKEN, limit=10)

    assert [one.line for one in rows] == [4, 5]
    assert row.row == "=d3,2025-05-09T12:00Z,2025-05-08T12:00Z,<script>pay</script>,production,succeeded"
    assert refused_rows(reader, "incidents", None, limit=10) == ()
    assert len(refused_rows(reader, None, None, limit=1)) == 1


def test_refused_rows_are_not_read_while_a_command_writes(home, reader):
    with run_lock(home.home, "build"), pytest.raises(Locked, match="shipcast build"):
        refused_rows(reader, None, None, limit=10)


def test_what_can_be_looked_at_beside_a_run_is_what_the_doctor_says(home):
    with run_lock(home.home, "build"), open_reader(home, AS_OF) as reader:
        beside = findings_beside_runs(reader)
    told = doctor(home, AS_OF).items

    assert {one.subject for one in beside} >= {"settings", "snapshot", "freshness"}
    assert [one for one in beside if one.subject != "disk"] == [
        one for one in told if one.subject not in ("disk", "build", "quarantine")
    ]


LOGGED = """\
1 of 4 START test key_a ... [RUN]
1 of 4 PASS key_a ................. [PASS in 0.01s]
2 of 4 OK created sql table model a ... [OK in 0.02s]
3 of 4 {outcome}key_b ................. [{outcome}in 0.01s]
Done. PASS={passed} WARN=0 ERROR={failed} SKIP=0 NO-OP=0 TOTAL=4
"""


@pytest.mark.parametrize(
    ("outcome", "failed", "tests", "said"),
    [("PASS ", 0, 2, "All 2 tests held in the last build."), ("FAIL 7 ", 1, 1, "failed (key_b): this page shows")],
)
def test_the_record_of_the_last_build_says_which_tests_held(tmp_path, outcome, failed, tests, said):
    path = tmp_path / LOG
    path.parent.mkdir(parents=True)
    path.write_text(LOGGED.format(outcome=outcome, passed=4 - failed, failed=failed), encoding="utf-8")
    build = last_build(tmp_path)

    assert said in build.sentence
    assert build.tests == tests


def test_a_build_that_broke_off_or_was_never_made_has_no_record(tmp_path):
    assert last_build(tmp_path) is None
    (tmp_path / LOG).parent.mkdir(parents=True)
    (tmp_path / LOG).write_text("Running with dbt\n", encoding="utf-8")

    assert last_build(tmp_path) is None
