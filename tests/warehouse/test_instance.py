"""Files that are opened one after the other in one instance of DuckDB."""

import os
import subprocess
import sys

import duckdb
import pytest

from shipcast.warehouse.instance import KEPT, OPTIONS, opened

COUNT = (
    "import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True).execute('select sum(i) from t').fetchone())"
)


def made(path, *numbers):
    with opened(path) as connection:
        connection.execute("create table t (i integer)")
        connection.executemany("insert into t values (?)", [[number] for number in numbers])
    return path


def numbers(path):
    with opened(path, read_only=True) as connection:
        return [number for (number,) in connection.execute("select i from t order by i").fetchall()]


def options(connection):
    return connection.execute(f"select {', '.join(f'current_setting({name!r})' for name in OPTIONS)}").fetchall()


def test_after_the_block_a_file_is_whole_and_another_process_can_open_it(tmp_path):
    path = made(tmp_path / "a.duckdb", 3, 4)
    done = subprocess.run([sys.executable, "-c", COUNT, str(path)], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "(7,)"
    assert [file.name for file in tmp_path.iterdir()] == ["a.duckdb"]


def test_within_the_block_no_other_process_can_write_to_it(tmp_path):
    path = made(tmp_path / "a.duckdb", 3)
    with opened(path):
        done = subprocess.run([sys.executable, "-c", COUNT, str(path)], capture_output=True, text=True, check=False)

    assert "Conflicting lock" in done.stderr


def test_files_are_opened_in_one_instance_and_nothing_of_one_is_left_for_the_next(tmp_path):
    path, other = made(tmp_path / "a.duckdb", 1), made(tmp_path / 'it\'s "b".x.duckdb', 2)
    before = KEPT[os.getpid()]
    with opened(tmp_path / "c.duckdb") as connection:
        usual = options(connection)
    with opened(path, {"threads": 1, "memory_limit": "100MB", "temp_directory": str(tmp_path / "spill")}) as connection:
        connection.execute("set preserve_insertion_order = false")
        connection.execute("set TimeZone = 'Asia/Tokyo'")
        connection.execute("create temp table noted as select 1")
        connection.execute(f"attach '{tmp_path}/beside.duckdb' as beside")
        assert options(connection) != usual
    with opened(tmp_path / "c.duckdb") as connection:
        known = connection.execute("select database_name from duckdb_databases() where not internal").fetchall()
        assert options(connection) == usual
        assert connection.execute("select current_setting('TimeZone')").fetchall() != [("Asia/Tokyo",)]
        with pytest.raises(duckdb.CatalogException):
            connection.execute("from noted")

    assert sorted(known) == [("c",), ("memory",)]
    assert KEPT[os.getpid()] is before
    assert (numbers(path), numbers(other)) == ([1], [2])


def test_one_that_is_opened_while_another_is_has_an_instance_of_its_own(tmp_path):
    path, other = made(tmp_path / "a.duckdb", 1), made(tmp_path / "b.duckdb", 2)
    with opened(path) as first, opened(other, {"threads": 1}) as second:
        second.execute("insert into t values (5)")
        first.execute("insert into t values (6)")
        assert options(first) != options(second)

    assert (numbers(path), numbers(other)) == ([1, 6], [2, 5])


def test_what_a_block_left_open_is_undone_and_what_failed_in_it_spoils_nothing(tmp_path):
    path = made(tmp_path / "a.duckdb", 1)
    with opened(path) as connection:
        connection.execute("begin")
        connection.execute("insert into t values (2)")
    with pytest.raises(duckdb.InvalidInputException), opened(path) as connection:
        connection.execute("begin; insert into t values (3); select error('no')")
    with pytest.raises(duckdb.IOException), opened(tmp_path / "none" / "a.duckdb"):
        pass

    assert numbers(path) == [1]


def test_after_rows_were_spilled_the_next_file_may_spill_elsewhere(tmp_path):
    for name in ("a", "b"):
        spill = tmp_path / name / "spill"
        config = {"threads": 1, "memory_limit": "60MB", "temp_directory": str(spill)}
        (tmp_path / name).mkdir()
        with opened(tmp_path / name / "x.duckdb", config) as connection:
            connection.execute(
                "create temp table wide as select range as i, repeat('x', 90) || range from range(900000)"
            )
            assert any(spill.iterdir())

    assert not any(file.stat().st_size for file in tmp_path.rglob("*tmp*") if file.is_file())
