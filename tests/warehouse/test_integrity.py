"""A changed byte is recognised or changes nothing; what can be mended is, and what cannot is named."""

import random
import shutil
import subprocess
import sys

import pytest

from shipcast.settings.errors import Locked, StorageError
from shipcast.settings.files import write_sealed
from shipcast.warehouse.connection import StorageWarning, checkpoint, open_built, open_work
from shipcast.warehouse.errors import DamagedFile
from shipcast.warehouse.integrity import faults
from shipcast.warehouse.lock import locked
from shipcast.warehouse.repair import repair
from shipcast.warehouse.snapshot import current, open_current, publish, reading

SEEDS = 40
LOG = "work.duckdb.wal"
COMMIT_AND_DIE = """
import os, sys
from pathlib import Path
from shipcast.warehouse.connection import open_work
with open_work(Path(sys.argv[1])) as connection:
    connection.execute("insert into raw.holds (service, _load_id) select 'late' || i, 2 from range(500) t(i)")
    os._exit(9)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home with raw rows, a mart and two snapshots of it."""
    home = tmp_path_factory.mktemp("made")
    with open_work(home) as connection:
        connection.execute(
            "insert into raw.holds (service, kind) select 'pay' || i % 97, 'k' || i from range(9000) t(i)"
        )
        connection.execute("insert into raw._loads (load_id, inserted) values (1, 9000)")
        checkpoint(connection, home)
    with open_built(home) as connection:
        connection.execute("create table marts.held as select service, kind from raw.holds")
        connection.execute("insert into raw._facts values ('built', '{}')")
    for _ in range(2):
        publish(home, keep=2)
    return home


@pytest.fixture(scope="module")
def sound(made):
    """What can be read of it: the snapshot's rows, and the raw ones."""
    return published(made), stored(made)


@pytest.fixture(scope="module")
def died(made, tmp_path_factory):
    """The same, after a process that died between its commit and its checkpoint: the log holds 500 rows."""
    home = tmp_path_factory.mktemp("died") / "home"
    shutil.copytree(made, home)
    subprocess.run([sys.executable, "-P", "-c", COMMIT_AND_DIE, str(home)], check=False)
    assert (home / LOG).stat().st_size > 0
    return home


@pytest.fixture
def copied(tmp_path):
    """A function that copies a home, to be damaged."""

    def copy(home):
        shutil.copytree(home, tmp_path / "home")
        return tmp_path / "home"

    return copy


def flip(path, seed, within=None):
    draw = random.Random(seed)
    size = path.stat().st_size
    with path.open("r+b") as file:
        place = draw.randrange(min(size, within or size))
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1 << draw.randrange(8)]))


def add_damaged(home, table):
    """A table of its own, and a changed byte in a block that holds its rows."""
    with open_work(home) as connection:
        connection.execute("create schema if not exists intermediate")
        connection.execute(f"create table {table} as select hash(i) as it from range(9000) t(i)")
        checkpoint(connection, home)
        block = f"select max(block_id) from pragma_storage_info('{table}') where persistent"
        [(number,)] = connection.execute(block).fetchall()
    with (home / "work.duckdb").open("r+b") as file:
        file.seek(3 * 4096 + number * 2**18 + 1000)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))


SUM = "select count(*), sum(hash(t)::hugeint) from {} t"


def published(home):
    with reading(home), open_current(home) as connection:
        return connection.execute(SUM.format("held")).fetchall()


def stored(home):
    with open_work(home) as connection:
        return connection.execute(SUM.format("raw.holds")).fetchall()


def rows_or_advice(read, home):
    """What was read, or what the error advises to do."""
    try:
        return read(home)
    except StorageError as error:
        return error.next_step


def kinds(home):
    return [fault.kind for fault in faults(home)]


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("within", [None, 3 * 4096])
def test_a_changed_byte_of_a_snapshot_is_recognised_or_changes_nothing(made, sound, copied, seed, within):
    home = copied(made)
    flip(home / "snapshots" / current(home).file, seed, within)

    said = rows_or_advice(published, home)

    assert said == sound[0] or "doctor --repair" in said


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_changed_byte_of_the_pointer_is_recognised(made, copied, seed):
    home = copied(made)
    flip(home / "current.json", seed)

    with pytest.raises(DamagedFile, match=r"current\.json"):
        published(home)


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("within", [None, 3 * 4096])
def test_a_changed_byte_of_the_work_database_is_recognised_or_changes_nothing(made, sound, copied, seed, within):
    home = copied(made)
    flip(home / "work.duckdb", seed, within)

    said = rows_or_advice(stored, home)

    assert said == sound[1] or "shipcast restore" in said


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("within", [None, 120])
@pytest.mark.filterwarnings("ignore::shipcast.warehouse.connection.StorageWarning")
def test_a_changed_byte_of_the_log_loses_the_whole_load_and_keeps_the_log_or_nothing(sound, died, copied, seed, within):
    home = copied(died)
    flip(home / LOG, seed, within)
    changed = (home / LOG).read_bytes()

    found = stored(home)

    if found == sound[1]:
        [aside] = home.glob(f"{LOG}.*.unreadable")
        assert aside.read_bytes() == changed
    else:
        assert found[0][0] == 9500


def test_a_log_that_is_whole_is_replayed(died, copied):
    home = copied(died)

    assert stored(home)[0][0] == 9500
    assert list(home.glob("*.unreadable")) == []


def test_a_log_that_is_set_aside_is_named_in_a_warning(died, copied):
    home = copied(died)
    flip(home / LOG, 0, 4)

    with pytest.warns(StorageWarning, match=r"work\.duckdb\.wal\.\d+.*unreadable.*shipcast run"):
        stored(home)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_changed_byte_of_the_holders_file_names_nobody(tmp_path, seed, monkeypatch):
    monkeypatch.setattr("shipcast.warehouse.lock.LOOKS", 1)
    holder = tmp_path / "run.holder"
    write_sealed(holder, {"command": "run", "pid": 4711, "since": "2024-05-01T10:00:00Z"})
    flip(holder, seed)
    error = locked(holder)

    assert isinstance(error, Locked)
    assert "4711" not in str(error)


def test_a_sound_home_has_no_faults(made):
    assert kinds(made) == []


def test_looking_for_faults_changes_nothing(died, copied):
    home = copied(died)
    flip(home / LOG, 0, 4)
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}

    assert kinds(home) == ["log"]
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


def test_a_damaged_raw_table_is_named_and_left_alone(made, copied):
    home = copied(made)
    add_damaged(home, "raw.unlike")
    repair(home)

    [fault] = [fault for fault in faults(home) if fault.kind == "database"]
    assert "raw.unlike" in fault.finding
    assert "shipcast restore" in fault.remedy


@pytest.mark.parametrize("damaged", ["intermediate.unlike", "marts.duckdb"])
def test_damaged_marts_are_dropped_and_the_raw_rows_stay(made, copied, damaged):
    home = copied(made)
    marts = home / "marts.duckdb"
    if damaged == marts.name:
        marts.write_bytes(marts.read_bytes()[:50_000])
    else:
        add_damaged(home, damaged)
    assert kinds(home) == ["marts"]

    assert repair(home).must_build
    assert kinds(home) == []
    assert stored(home) == stored(made)


def test_marts_that_are_not_there_as_after_a_restore_are_no_damage(made, copied):
    home = copied(made)
    (home / "marts.duckdb").unlink()

    assert [(fault.kind, fault.is_broken, fault.remedy) for fault in faults(home)] == [
        ("marts", False, "shipcast build")
    ]


@pytest.mark.parametrize("damaged", ["pointer", "snapshot", "gone"])
def test_the_newest_snapshot_that_can_be_read_is_published_again(made, copied, damaged):
    home = copied(made)
    older, newer = sorted((home / "snapshots").iterdir())
    if damaged == "pointer":
        (home / "current.json").write_text("{")
    elif damaged == "snapshot":
        newer.write_bytes(newer.read_bytes()[:50_000])
    else:
        newer.unlink()

    mended = repair(home)

    assert mended.must_build
    assert current(home).file == (newer.name if damaged == "pointer" else older.name)
    assert published(home) == published(made)


def test_without_a_snapshot_that_can_be_read_nothing_is_published(made, copied):
    home = copied(made)
    for path in (home / "snapshots").iterdir():
        path.write_bytes(b"gone")

    assert repair(home).must_build
    assert not (home / "current.json").exists()


def test_nothing_is_built_from_a_database_without_a_load(made, copied):
    home = copied(made)
    (home / "work.duckdb").unlink()
    (home / "current.json").write_text("{")

    assert not repair(home).must_build
    assert published(home) == published(made)


def test_what_a_crash_left_is_removed(made, copied):
    home = copied(made)
    for name in ("scratch.duckdb", "scratch.duckdb.wal", ".current.json.unfinished", "snapshots/x.duckdb.unfinished"):
        (home / name).write_text("left")
    (home / "spill" / "999999999").mkdir(parents=True)
    assert kinds(home) == ["leftovers"]

    assert len(repair(home).done) == 5
    assert kinds(home) == []


def test_a_snapshot_comes_after_all_others_though_the_clock_was_set_back(made, copied):
    home = copied(made)
    future = home / "snapshots" / "29990101T000000000000Z.duckdb"
    shutil.copy(home / "snapshots" / current(home).file, future)

    snapshot = publish(home, keep=1)

    assert snapshot.file > future.name
    assert [path.name for path in (home / "snapshots").iterdir()] == [snapshot.file]
    assert published(home) == published(made)
