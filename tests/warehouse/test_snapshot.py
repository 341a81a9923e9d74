"""A snapshot is published whole, read hardened, and survives what happens to the next one."""

import duckdb
import pytest

from shipcast.settings.errors import StorageError
from shipcast.warehouse.connection import open_built
from shipcast.warehouse.errors import NothingPublished
from shipcast.warehouse.snapshot import current, open_current, publish


def with_mart(home, value):
    with open_built(home) as connection:
        connection.execute(f"create or replace table marts.answers as select {value} as answer")


@pytest.fixture
def home(tmp_path):
    with_mart(tmp_path, 42)
    publish(tmp_path, keep=2)
    return tmp_path


def answer(home):
    with open_current(home) as connection:
        return connection.execute("select answer from answers").fetchone()[0]


def test_readers_see_what_was_published_and_not_what_is_under_work(home):
    with_mart(home, 43)

    assert answer(home) == 42

    publish(home, keep=2)

    assert answer(home) == 43


def test_a_snapshot_of_an_older_format_is_to_be_built_again(home, monkeypatch):
    monkeypatch.setattr("shipcast.warehouse.snapshot.FORMAT", 2)
    publish(home, keep=2)
    monkeypatch.undo()

    with pytest.raises(NothingPublished, match="published by an earlier version") as caught:
        answer(home)
    assert "shipcast build" in caught.value.next_step


def test_several_readers_of_one_process_share_a_snapshot_and_its_hardening(home):
    with open_current(home) as first, open_current(home) as second:
        for reader in (first, second):
            assert reader.execute("select answer, current_setting('TimeZone') from answers").fetchone() == (42, "UTC")
            with pytest.raises(duckdb.Error, match="locked"):
                reader.execute("set TimeZone = 'Asia/Tokyo'")


def test_a_reader_keeps_its_snapshot_while_the_next_one_is_published(home):
    with open_current(home) as connection:
        with_mart(home, 43)
        publish(home, keep=2)

        assert connection.execute("select answer from answers").fetchone() == (42,)


def test_only_the_newest_snapshots_are_kept_and_no_leftover(home):
    (home / "snapshots" / "20200101T000000000000Z.duckdb.unfinished").write_text("left by a crash")

    for _ in range(3):
        publish(home, keep=2)

    assert len(list((home / "snapshots").iterdir())) == 2
    assert answer(home) == 42


@pytest.mark.parametrize(
    "statement",
    [
        "create table more (x int)",
        "copy answers to '{home}/stolen.csv'",
        "select * from read_csv('/etc/hostname')",
        "attach '{home}/other.duckdb'",
        "set enable_external_access = true",
        "set threads = 1",
    ],
)
def test_a_reader_can_neither_write_nor_reach_outside(home, statement):
    with open_current(home) as connection, pytest.raises(duckdb.Error):
        connection.execute(statement.format(home=home))

    assert not (home / "stolen.csv").exists()


def test_an_empty_home_says_what_to_do(tmp_path):
    with pytest.raises(NothingPublished, match="ingest") as caught:
        open_current(tmp_path)

    assert caught.value.exit_code == 7


@pytest.mark.parametrize("damage", ["{", "[]", '{"file": 3}', '{"snapshot_id": "x"}'])
def test_a_damaged_pointer_is_named(home, damage):
    (home / "current.json").write_text(damage)

    with pytest.raises(StorageError, match=r"current\.json"):
        current(home)


def test_a_snapshot_that_is_gone_or_no_database_is_named(home):
    path = home / "snapshots" / current(home).file
    path.write_bytes(b"not a database" * 1000)

    with pytest.raises(StorageError, match=path.name):
        open_current(home)

    path.unlink()

    with pytest.raises(StorageError, match=path.name):
        open_current(home)
