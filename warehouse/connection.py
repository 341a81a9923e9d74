"""The only place that opens DuckDB: one process writes the work database, any number read published snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import duckdb

from shipcast.settings.errors import StorageError
from shipcast.warehouse.migration import FORMAT, check_format, migrate, stamp, stored_format
from shipcast.warehouse.tables import SQL_TYPES, TABLES

WORK_FILE = "work.duckdb"
HARDENING = Lock()

# Where a raw row came from: its file and line, the load in whose place it stands, and the load that last wrote it.
ORIGIN = "_file varchar, _line bigint, _load_id bigint, _changed_id bigint"
LOADS = """
create table if not exists raw._loads (
    load_id bigint, loaded_at timestamp, source varchar, file varchar, table_name varchar,
    read bigint, inserted bigint, updated bigint, unchanged bigint, merged bigint, quarantined bigint,
    refused varchar)
"""
QUARANTINE = """
create table if not exists raw._quarantine (
    quarantine_id varchar, load_id bigint, table_name varchar, file varchar, line bigint,
    column_name varchar, rule varchar, reason varchar, header varchar, row varchar, quarantined_at timestamp)
"""
FACTS = "create table if not exists raw._facts (name varchar, value varchar)"


@contextmanager
def open_work(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The work database, with every raw table in place; hold `run_lock` around it.

    Raises
    ------
    StorageError
        The file cannot be opened: no space, no permission, not a database, written by a newer DuckDB.
    """
    path = home / WORK_FILE
    try:
        probe(path)
        connection = duckdb.connect(str(path))
    except (duckdb.Error, OSError) as error:
        raise storage_error(path, error) from error
    try:
        prepare(connection, path)
        yield connection
    finally:
        connection.close()


def probe(path: Path) -> None:
    """Look at a work database without touching it, since opening it for writing may change it.

    Raises
    ------
    NewerHome
        A later version of Shipcast wrote it.
    """
    if path.exists():
        with duckdb.connect(str(path), read_only=True) as connection:
            check_format(connection, path)


def prepare(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Every raw table in its present form: an older home is migrated whole or not at all."""
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set preserve_insertion_order = true")
    is_older = stored_format(connection) not in (None, FORMAT)
    try:
        connection.execute("begin")
        migrate(connection)
        create_raw(connection)
        stamp(connection)
        connection.execute("commit")
        if is_older:
            connection.execute("checkpoint")
    except duckdb.Error as error:
        raise storage_error(path, error) from error


def create_raw(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create schema if not exists raw")
    for table in TABLES:
        columns = ", ".join(f'"{column.name}" {SQL_TYPES[column.kind]}' for column in table.columns)
        connection.execute(f"create table if not exists raw.{table.name} ({columns}, {ORIGIN})")
    for statement in (LOADS, QUARANTINE, FACTS):
        connection.execute(statement)


def open_read_only(path: Path) -> duckdb.DuckDBPyConnection:
    """A database file for reading, hardened: nothing outside it can be reached and no setting changed.

    Raises
    ------
    StorageError
        The file is missing or not readable as a database.
    """
    try:
        connection = duckdb.connect(str(path), read_only=True, config={"enable_external_access": False})
        harden(connection)
    except (duckdb.Error, OSError) as error:
        raise storage_error(path, error) from error
    return connection


def harden(connection: duckdb.DuckDBPyConnection) -> None:
    """Fix the configuration for good; all connections of a process to one file share it, so only the first one does."""
    with HARDENING:
        locked = connection.execute("select current_setting('lock_configuration')").fetchone()
        if locked != (True,):
            connection.execute("set global TimeZone = 'UTC'")
            connection.execute("set global lock_configuration = true")


def storage_error(path: Path, error: Exception) -> StorageError:
    first_line = str(error).strip().splitlines()[0]
    return StorageError(f"{path}: {first_line}", next_step="See `shipcast doctor`.", file=str(path))
