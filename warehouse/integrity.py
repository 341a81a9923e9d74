"""Whether every byte of a home's files can be read: what is damaged, by reading and changing nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb

from shipcast.settings.errors import StorageError
from shipcast.settings.files import UNFINISHED
from shipcast.warehouse.built import noted
from shipcast.warehouse.connection import LOG_FILE, MARTS_FILE, SPILL_FOLDER, WORK_FILE, log_problem, open_beside
from shipcast.warehouse.damage import RELOAD, is_fault_of_storage, storage_error
from shipcast.warehouse.errors import DamagedFile, NothingPublished
from shipcast.warehouse.migration import BUILT_SCHEMAS
from shipcast.warehouse.snapshot import FOLDER, current, snapshots

SCRATCH = "scratch.duckdb"  # in which a load keeps its rows until they are merged
MEND = "shipcast doctor --repair"
NAMED = 3

Kind = Literal["log", "database", "marts", "snapshot", "pointer", "leftovers"]


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a home's files, and the command that mends it."""

    kind: Kind
    finding: str
    remedy: str
    is_broken: bool = True


def faults(home: Path) -> Iterator[Fault]:
    """What is wrong with a home; hold `run_lock` around it, since a load under way looks like a leftover."""
    yield from work_faults(home)
    yield from snapshot_faults(home)
    found = leftovers(home)
    if found:
        names = ", ".join(path.name for path in found[:NAMED]) + (", ..." if len(found) > NAMED else "")
        yield Fault("leftovers", f"left by a command that did not end: {names}", MEND, is_broken=False)


def work_faults(home: Path) -> Iterator[Fault]:
    """What is wrong with the work database, table by table."""
    path = home / WORK_FILE
    if not path.exists():
        return
    try:
        if problem := log_problem(path):
            yield Fault("log", f"{LOG_FILE} cannot be read: {problem.reason}", MEND)
            return  # it hides the database; once it is set aside, that one can be looked at
        damaged = unreadable(path)
    except StorageError as error:
        yield Fault("database", error.detail, error.next_step)
        return
    except (duckdb.Error, OSError) as error:
        yield Fault("database", storage_error(path, error).detail, RELOAD)
        return
    raw = [name for name in damaged if name.split(".")[0] not in BUILT_SCHEMAS]
    if raw:
        yield Fault("database", f"damaged: {', '.join(raw[:NAMED])}", RELOAD)
    elif damaged:
        yield Fault("marts", f"damaged, and can be built again: {', '.join(damaged[:NAMED])}", MEND)
    elif is_built(path):
        yield from marts_faults(home / MARTS_FILE)


def marts_faults(marts: Path) -> Iterator[Fault]:
    """What is wrong with the marts of a home that says that they are whole."""
    if not marts.exists():
        yield Fault("marts", f"{MARTS_FILE} is not there; the next build makes it", "shipcast build", is_broken=False)
    elif not is_whole(marts):
        yield Fault("marts", f"{MARTS_FILE} is damaged, and can be built again", MEND)


def is_built(path: Path) -> bool:
    """Whether a sound work database says that its marts are whole; what a build left that did not end is no loss."""
    with open_beside(path) as connection:
        return noted(connection) is not None


def unreadable(path: Path) -> list[str]:
    """The tables of a database file of which some byte cannot be read, as `schema.table`.

    Raises
    ------
    duckdb.Error
        The file cannot be opened at all.
    """
    names, are_readable = looked_through(path)
    return [] if are_readable else [name for name in names if not is_readable(path, name)]


def looked_through(path: Path) -> tuple[list[str], bool]:
    """The tables of a database file, and whether every row of all of them can be read."""
    names: list[str] = []
    try:
        with open_beside(path) as connection:
            names += table_names(connection)
            read_through(connection, names)
    except duckdb.Error as error:
        if names and is_fault_of_storage(error):
            return names, False
        raise
    return names, True


def table_names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "select schema_name, table_name from duckdb_tables() where not internal order by all"
    ).fetchall()
    return [f"{schema}.{table}" for schema, table in rows]


def is_readable(path: Path, name: str) -> bool:
    """Whether every row of a table can be read, by a connection of its own, since damage ends a connection."""
    try:
        with open_beside(path) as connection:
            read_through(connection, [name])
    except duckdb.Error as error:
        if is_fault_of_storage(error):
            return False
        raise
    return True


def read_through(connection: duckdb.DuckDBPyConnection, names: list[str]) -> None:
    for schema, table in (name.split(".", 1) for name in names):
        connection.execute(f'select count(*), bit_xor(hash(t)) from "{schema}"."{table}" t').fetchall()


def snapshot_faults(home: Path) -> Iterator[Fault]:
    """What is wrong with the pointer, or with the snapshot it names."""
    try:
        named = home / FOLDER / current(home).file
    except NothingPublished:
        return
    except DamagedFile as error:
        yield Fault("pointer", error.detail, MEND)
        return
    except StorageError as error:
        yield Fault("snapshot", error.detail, error.next_step)
        return
    if not named.exists():
        yield Fault("snapshot", f"{named} is gone", MEND)
    elif not is_whole(named):
        yield Fault("snapshot", f"{named} is damaged", MEND)


def is_whole(path: Path) -> bool:
    """Whether the file is a database with tables, every one of which can be read."""
    try:
        names, are_readable = looked_through(path)
    except (duckdb.Error, OSError):
        return False
    return bool(names) and are_readable


def newest_whole(home: Path) -> Path | None:
    """The newest snapshot that can be read; None: there is none."""
    return next((path for path in reversed(snapshots(home)) if is_whole(path)), None)


def leftovers(home: Path) -> list[Path]:
    """What a command that did not end left behind, and nobody needs; not the holder's file of this very process."""
    return sorted(
        {
            *home.glob(f"{SCRATCH}*"),
            *home.glob(f".*{UNFINISHED}"),
            *(home / FOLDER).glob(f"*{UNFINISHED}*"),
            *(path for path in home.glob(f"{SPILL_FOLDER}/*") if path.is_dir()),
        }
    )
