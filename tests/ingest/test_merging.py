"""Rows of one key in one load become one; a later load replaces whole rows; a repeat changes nothing."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from shipcast.ingest.files import ingest_files
from shipcast.settings import Settings
from shipcast.warehouse.connection import open_work

HEADER = "deployment_id,service,environment,started_at,finished_at,status,version,commits\n"


def counts(item):
    return (item.inserted, item.updated, item.unchanged, item.merged, item.quarantined)


def test_a_deployments_rows_keep_earliest_start_latest_finish_worst_status_and_what_was_given_last(desk):
    report = desk.load(
        {
            "deployments.csv": HEADER + "d1,pay,prod,2024-05-01T10:05,2024-05-01T10:30,succeeded,v1,3\n"
            "d1,pay,prod,2024-05-01T10:00,2024-05-01T10:20,rolled_back,,4\n"
            "d1,pay,prod,2024-05-01T10:10,,running,v2,\n"
        }
    )
    assert counts(report.items[0]) == (1, 0, 0, 2, 0)
    assert desk.rows(
        "select started_at::varchar, finished_at::varchar, status, version, commits, _line from raw.deployments"
    ) == [("2024-05-01 10:00:00", "2024-05-01 10:30:00", "rolled_back", "v2", 4, 2)]


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [
        (["running", "succeeded"], "succeeded"), (["cancelled", "running"], "cancelled"),
        (["succeeded", "cancelled"], "succeeded"), (["rolled_back", "succeeded"], "rolled_back"),
        (["succeeded", "failed", "rolled_back"], "failed"),
    ],
)  # fmt: skip
def test_the_worst_status_wins_in_either_order(desk, statuses, worst):
    rows = [f"d1,pay,prod,2024-05-01T10:00,,{status},,\n" for status in statuses]
    backwards = [row.replace("d1", "d2") for row in reversed(rows)]
    desk.load({"deployments.csv": HEADER + "".join(rows + backwards)})

    assert desk.rows("select status from raw.deployments") == [(worst,), (worst,)]


@pytest.mark.parametrize(
    ("episodes", "start", "end"),
    [
        (["10:00,11:00", "12:00,13:00"], "10:00", "13:00"),
        (["12:00,13:00", "10:00,"], "10:00", "13:00"),
        (["10:00,11:00", "12:00,"], "10:00", None),
        (["12:00,", "10:00,11:00"], "10:00", None),
        (["10:00,", "10:00,11:00"], "10:00", "11:00"),
        (["10:00,11:00", "10:00,"], "10:00", "11:00"),
        (["10:00,15:00", "12:00,13:00"], "10:00", "15:00"),
    ],
)
def test_an_incidents_rows_are_episodes(desk, episodes, start, end):
    day = "2024-05-01T"
    rows = [
        f"i1,pay,{day}{begin},{day + finish if finish else ''}" for begin, finish in (e.split(",") for e in episodes)
    ]
    report = desk.load({"incidents.csv": "\n".join(["incident_id,service,started_at,resolved_at", *rows])})

    assert counts(report.items[0]) == (1, 0, 0, 1, 0)
    assert desk.rows("select strftime(started_at, '%H:%M'), strftime(resolved_at, '%H:%M') from raw.incidents") == [
        (start, end)
    ]


def test_a_change_keeps_all_its_links_and_an_empty_link_is_one_of_them(desk):
    header = "change_id,service,commit_sha,deployment_id,authored_at,author\n"
    row = "c1,pay,abc,{},2024-05-01,{}\n"
    links = [("d1", "ann"), ("d2", "ann"), ("", "ann"), ("", ""), ("d1", "bob")]
    report = desk.load({"changes.csv": header + "".join(row.format(*link) for link in links)})

    assert counts(report.items[0]) == (3, 0, 0, 2, 0)
    assert desk.rows("select deployment_id, author from raw.changes order by 1 nulls last") == [
        ("d1", "bob"), ("d2", "ann"), (None, None),
    ]  # fmt: skip
    assert desk.load({"changes.csv": header + row.format("", "cy")}).items[0].updated == 1


def test_of_other_tables_the_last_row_stays_whole(desk):
    desk.load({"services.csv": "service,team,tier\npay,blue,1\npay,,2\n"})

    assert desk.rows("select team, tier, _line from raw.services") == [(None, "2", 2)]


def test_the_same_file_twice_changes_nothing(desk):
    content = {"deployments.csv": HEADER + "d1,pay,prod,2024-05-01,,failed,,\nd1,pay,prod,2024-05-02,,failed,,\n"}
    desk.load(content)
    before = desk.rows("from raw.deployments")
    report = desk.load(content)

    assert counts(report.items[0]) == (0, 0, 1, 1, 0)
    assert desk.rows("from raw.deployments") == before


def test_a_later_load_replaces_the_whole_row(desk):
    desk.load({"services.csv": "service,team,tier\npay,blue,1\nbuy,red,2\n"})
    report = desk.load({"services.csv": "service,tier\nbuy,2\npay,1\nnew,3\n"})

    assert counts(report.items[0]) == (1, 2, 0, 0, 0)
    assert desk.rows("select service, team, tier, _line, _load_id from raw.services order by 1") == [
        ("buy", None, "2", 2, 2), ("new", None, "3", 4, 2), ("pay", None, "1", 3, 2),
    ]  # fmt: skip


def test_a_surviving_row_counts_for_the_file_it_first_occurs_in(desk):
    report = desk.load({"services/a.csv": "service\npay\n", "services/b.csv": "service\npay\nbuy\n"})

    assert [(item.file, *counts(item)) for item in report.items] == [
        ("services/a.csv", 1, 0, 0, 0, 0),
        ("services/b.csv", 1, 0, 0, 1, 0),
    ]


def test_two_folders_of_one_call_are_one_load(desk, tmp_path):
    for number in (1, 2):
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}" / "services.csv").write_text(f"service,team\npay,team-{number}\n")

    report = ingest_files(desk.settings, [tmp_path / "1", tmp_path / "2"])

    assert [counts(item) for item in report.items] == [(1, 0, 0, 0, 0), (0, 0, 0, 1, 0)]
    assert desk.rows("select team, _file from raw.services") == [("team-2", str(tmp_path / "1" / "services.csv"))]


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["d1", "d2", "d3", "d4", ""]),
        st.sampled_from(["2024-05-01T10:00", "2024-05-01T11:00", "never"]),
        st.sampled_from(["", "2024-05-01T10:30", "2024-05-01T12:00"]),
        st.sampled_from(["succeeded", "failed", "rolled_back", "Running", "unheard"]),
        st.sampled_from(["", "v1", '"v,2"']),
        st.sampled_from(["", "1", "-1"]),
    ),
    min_size=1,
    max_size=20,
)
CONTENT = "select * exclude (_file, _line, _load_id) from raw.deployments order by deployment_id"


def written(folder, rows, cuts):
    """The rows in as many parts as there are cuts, in order."""
    folder.mkdir()
    bounds = [0, *sorted(cut % (len(rows) + 1) for cut in cuts), len(rows)]
    for number, (first, last) in enumerate(itertools.pairwise(bounds)):
        lines = [f"{a},pay,prod,{b},{c},{d},{e},{f}\n" for a, b, c, d, e, f in rows[first:last]]
        (folder / f"{number:02}.csv").write_text(HEADER + "".join(lines))


def recounted(connection, load_id):
    """Every file's record in the database next to what the tables hold of it."""
    return connection.execute(
        "select l.read = l.inserted + l.updated + l.unchanged + l.merged + l.quarantined, l.inserted, "
        "(select count(*) from raw.deployments d where d._file = l.file and d._load_id = l.load_id), l.quarantined, "
        "(select count(*) from raw._quarantine q where q.file = l.file and q.load_id = l.load_id) "
        "from raw._loads l where load_id = ?",
        [load_id],
    ).fetchall()


@settings(max_examples=examples(4), deadline=None)
@given(rows=ROWS, cuts=st.lists(st.integers(0, 20), max_size=4))
def test_however_rows_are_split_into_parts_the_tables_are_the_same_and_the_counts_add_up(rows, cuts):
    contents = []
    with tempfile.TemporaryDirectory() as place:
        for name, some in (("whole", []), ("split", cuts)):
            folder = Path(place) / name
            folder.mkdir()
            home = Settings(home=folder / "home")
            home.home.mkdir()
            written(folder / "deployments", rows, some)
            first = ingest_files(home, [folder])
            again = ingest_files(home, [folder])
            assert sum(item.inserted + item.updated for item in again.items) == 0
            assert sum(item.read for item in first.items) == len(rows)
            with open_work(home.home) as connection:
                contents.append(connection.execute(CONTENT).fetchall())
                for adds_up, _, _, quarantined, held in recounted(connection, again.load_id):
                    assert adds_up
                    assert quarantined == held
        assert contents[0] == contents[1]


@settings(max_examples=examples(5), deadline=None)
@given(rows=ROWS)
def test_what_was_counted_as_inserted_is_there(rows):
    with tempfile.TemporaryDirectory() as place:
        home = Settings(home=Path(place) / "home")
        home.home.mkdir()
        written(Path(place) / "deployments", rows, [7])
        report = ingest_files(home, [Path(place) / "deployments"])
        with open_work(home.home) as connection:
            for adds_up, inserted, found, quarantined, held in recounted(connection, report.load_id):
                assert adds_up
                assert inserted == found
                assert quarantined == held
