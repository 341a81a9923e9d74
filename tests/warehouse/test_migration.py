"""An older home is taken to the present format, whole or not at all; a newer one is left as it is."""

import duckdb
import pytest

from shipcast.warehouse import migration
from shipcast.warehouse.connection import open_work
from shipcast.warehouse.errors import NewerHome
from shipcast.warehouse.migration import FORMAT

FIRST = """
create schema raw;
create table raw.holds (service varchar, environment varchar, "at" timestamp, active boolean, kind varchar,
    _file varchar, _line bigint, _load_id bigint);
create table raw.changes (change_id varchar, service varchar, commit_sha varchar, deployment_id varchar,
    authored_at timestamp, merged_at timestamp, author varchar, lines_added bigint, lines_deleted bigint,
    files_changed bigint, is_bot boolean, is_revert boolean, _file varchar, _line bigint, _load_id bigint);
insert into raw.changes (change_id, is_revert, _load_id) values ('c1', true, 7);
insert into raw.holds values ('pay', null, '2024-05-01 10:00:00', true, null, '/in/holds.csv', 2, 7);
create table raw._facts (name varchar, value varchar);
insert into raw._facts values ('is_simulated', 'true');
create schema marts;
create table marts.fct_holds as select 1 as old;
"""


@pytest.fixture
def first(tmp_path):
    """A home as the first version left it, with one hold loaded and a mart built."""
    with duckdb.connect(str(tmp_path / "work.duckdb")) as connection:
        connection.execute(FIRST)
    return tmp_path


def rows(home, query):
    with open_work(home) as connection:
        return connection.execute(query).fetchall()


def schema(home):
    return rows(home, "select table_name, column_name, data_type from duckdb_columns() where schema_name = 'raw'")


def test_a_new_home_has_the_present_format(tmp_path):
    assert rows(tmp_path, "select value from raw._facts where name = 'format'") == [(str(FORMAT),)]


def test_an_old_row_counts_as_changed_by_the_load_it_came_from(first):
    assert rows(first, "select service, _line, _load_id, _changed_id from raw.holds") == [("pay", 2, 7, 7)]
    assert rows(first, "select value from raw._facts where name = 'is_simulated'") == [("true",)]


def test_what_older_formats_did_not_ask_for_is_not_known_of_their_rows(first):
    assert rows(first, "select change_id, is_revert, position, reverts from raw.changes") == [("c1", True, None, None)]
    assert rows(first, "select count(*) from raw.releases") == [(0,)]


def test_what_an_old_home_had_built_is_dropped(first):
    assert rows(first, "select count(*) from duckdb_tables() where schema_name = 'marts'") == [(0,)]


def test_a_migrated_home_looks_like_a_new_one(first, tmp_path_factory):
    assert sorted(schema(first)) == sorted(schema(tmp_path_factory.mktemp("new")))


def test_a_migration_that_fails_leaves_the_old_home(first, monkeypatch):
    def half(connection):
        migration.add_changed_ids(connection)
        connection.execute("select * from nowhere")

    monkeypatch.setitem(migration.MIGRATIONS, 1, half)
    with pytest.raises(duckdb.CatalogException), open_work(first):
        pass

    with duckdb.connect(str(first / "work.duckdb"), read_only=True) as connection:
        assert connection.execute("select * from marts.fct_holds").fetchall() == [(1,)]
        assert len(connection.execute("describe raw.holds").fetchall()) == 8


def test_a_newer_home_is_named_and_not_touched(tmp_path):
    with open_work(tmp_path) as connection:
        connection.execute("update raw._facts set value = '99' where name = 'format'")
        connection.execute("update raw._facts set value = 'shipcast 9.9' where name = 'written_by'")
    before = (tmp_path / "work.duckdb").read_bytes()

    with pytest.raises(NewerHome, match=r"format 99, written by shipcast 9\.9") as caught, open_work(tmp_path):
        pass

    assert caught.value.exit_code == 7
    assert (tmp_path / "work.duckdb").read_bytes() == before


def test_a_table_that_a_home_of_this_version_lacks_is_made_when_it_is_opened(tmp_path):
    with open_work(tmp_path) as connection:
        connection.execute("drop table raw.holds")

    assert rows(tmp_path, "select count(*) from raw.holds") == [(0,)]
