"""The only place that opens DuckDB: one process writes the work database, any number read published snapshots."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

import duckdb

from shipcast.settings import Settings
from shipcast.settings.files import fsync, put_in_place
from shipcast.warehouse.damage import REPAIR_OR_RELOAD, is_fault_of_storage, storage_error, told
from shipcast.warehouse.errors import DamagedFile
from shipcast.warehouse.instance import literal, opened
from shipcast.warehouse.migration import FORMAT, check_format, is_stamped, migrate, stamp
from shipcast.warehouse.tables import SQL_TYPES, TABLES

__all__ = ["MARTS_FILE", "WORK_FILE", "checkpoint", "open_beside", "open_built", "open_read_only", "open_work",
           "storage_error"]  # fmt: skip

WORK_FILE = "work.duckdb"
MARTS_FILE = "marts.duckdb"  # a file of their own, so that publishing them is copying it
LOG_FILE = f"{WORK_FILE}.wal"
SPILL_FOLDER = "spill"
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
# Refused rows whose correction came with an export: the source's own line says nothing new any more.
CORRECTED = """
create table if not exists raw._corrected (
    quarantine_id varchar, load_id bigint, table_name varchar, file varchar, row varchar)
"""
LOG_SIZE = "select wal_size from pragma_database_size() where database_name = current_database()"
FACTS = "create table if not exists raw._facts (name varchar, value varchar)"
# How far each source that grows was read: up to which commit, how many rows it gave, under which options.
CURSORS = """
create table if not exists raw._cursors (
    source varchar, options varchar, tip varchar, begins_at varchar, position bigint, moved_at timestamp)
"""
# What stands for people where their names are not kept, and is published nowhere.
SALT = "create table if not exists raw._salt (salt varchar)"


class StorageWarning(UserWarning):
    """Something about a home's files that its user should know; the command goes on."""


@dataclass(frozen=True)
class LogProblem:
    """Why the log of the work database cannot be replayed, in words."""

    path: Path
    reason: str


@contextmanager
def open_work(home: Path, settings: Settings | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """The work database, with every raw table in its present form; hold `run_lock` around it.

    A log that a crash left and that cannot be read is set aside, with a warning: what it held was never reported as
    loaded, and the next load brings it again.

    Parameters
    ----------
    settings
        Those that limit memory and threads; None: the database's own limits.

    Raises
    ------
    StorageError
        The file cannot be opened or read: no space, no permission, not a database, damaged, written by a newer version.
    """
    path = home / WORK_FILE
    clear_spilled(home)
    with told_of_work(path):
        if path.exists() and path.with_name(LOG_FILE).exists() and (problem := log_problem(path)):
            set_log_aside(problem)
        with opened(path, limits(home, settings)) as connection:
            prepare(connection, check_format(connection, path))
            yield connection


@contextmanager
def open_built(home: Path, settings: Settings | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """The work database with the marts attached as `marts`, which are made if nothing was built yet."""
    with open_work(home, settings) as connection:
        connection.execute(f"attach {literal(str(home / MARTS_FILE))} as marts")
        yield connection


def clear_spilled(home: Path) -> None:
    """Remove what processes that are gone had put on the disk for want of memory."""
    for folder in (home / SPILL_FOLDER).glob("[0-9]*"):
        try:
            os.kill(int(folder.name), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except PermissionError:
            continue


@contextmanager
def told_of_work(path: Path) -> Iterator[None]:
    """As `told`, with what to do about a work database: unlike a snapshot, nothing rebuilds its raw tables."""
    try:
        with told(path):
            yield
    except DamagedFile as error:
        error.next_step = REPAIR_OR_RELOAD
        raise


def limits(home: Path, settings: Settings | None) -> dict[str, Any]:
    """DuckDB's configuration: what it may use of the machine, and where it puts what does not fit into memory."""
    config: dict[str, Any] = {"temp_directory": str(home / SPILL_FOLDER / str(os.getpid()))}
    if settings is not None:
        config["memory_limit"] = settings.memory_limit
        if settings.threads:
            config["threads"] = settings.threads
    return config


def log_problem(path: Path) -> LogProblem | None:
    """What is wrong with the log beside a work database, by reading both without touching them.

    Opening for writing would replay the log, or drop without a word one whose beginning is damaged.

    Raises
    ------
    NewerHome
        A later version of Shipcast wrote the database.
    duckdb.Error
        The database itself cannot be read.
    """
    log = path.with_name(LOG_FILE)
    try:
        with open_beside(path) as connection:
            check_format(connection, path)
            if log.exists() and log.stat().st_size and not replayed(connection):
                return LogProblem(log, "nothing in it is whole, or it is in the database already")
    except duckdb.Error as error:
        if log.exists() and is_fault_of_storage(error) and "WAL" in str(error):
            return LogProblem(log, str(error).splitlines()[0])
        raise
    return None


def open_beside(path: Path) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    """A work database for looking at, as it is: nothing is migrated, replayed to disk or set aside."""
    return opened(path, read_only=True)


def replayed(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether opening the database replayed something of its log."""
    return connection.execute(LOG_SIZE).fetchall() != [("0 bytes",)]


def set_log_aside(problem: LogProblem) -> Path:
    """Rename a log that cannot be replayed, never delete it; its new name."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    aside = problem.path.with_name(f"{LOG_FILE}.{now}.unreadable")
    put_in_place(problem.path, aside)
    warnings.warn(
        f"{problem.path.name} was left by a command that did not end, and could not be read ({problem.reason}). It was "
        f"set aside as {aside.name}; load your sources again (shipcast run) for what it may have held.",
        StorageWarning,
        stacklevel=3,
    )
    return aside


def prepare(connection: duckdb.DuckDBPyConnection, found: int) -> None:
    """Every raw table in its present form: a home of an older format is migrated whole or not at all."""
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set preserve_insertion_order = true")
    if is_prepared(connection):
        return
    try:
        connection.execute("begin")
        migrate(connection, found)
        create_raw(connection)
        stamp(connection)
        connection.execute("commit")
        if found != FORMAT:
            connection.execute("checkpoint")
    except BaseException:
        with suppress(duckdb.Error):
            connection.execute("rollback")
        raise


def is_prepared(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether this version left every raw table; asking costs less than offering to create each."""
    names = (*(table.name for table in TABLES), "_loads", "_quarantine", "_corrected", "_facts", "_cursors", "_salt")
    try:
        connection.execute(" union all ".join(f"(select 1 from raw.{name} limit 0)" for name in names)).fetchall()
    except duckdb.CatalogException:
        return False
    return is_stamped(connection)


def create_raw(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create schema if not exists raw")
    for table in TABLES:
        columns = ", ".join(f'"{column.name}" {SQL_TYPES[column.kind]}' for column in table.columns)
        connection.execute(f"create table if not exists raw.{table.name} ({columns}, {ORIGIN})")
    for statement in (LOADS, QUARANTINE, CORRECTED, FACTS, CURSORS, SALT):
        connection.execute(statement)


def checkpoint(connection: duckdb.DuckDBPyConnection, home: Path) -> None:
    """Bring what was committed from the log into the database file, whose every block has a checksum.

    To be called before a load is reported: the log is then never the only place that holds one.
    """
    connection.execute("checkpoint")
    fsync(home)


def open_read_only(path: Path, home: Path, settings: Settings | None = None) -> duckdb.DuckDBPyConnection:
    """A database file for reading, hardened: nothing outside it can be reached and no setting changed.

    Parameters
    ----------
    home
        Where it puts what does not fit into memory.

    Raises
    ------
    StorageError
        The file is missing or not readable as a database.
    """
    try:
        connection = duckdb.connect(str(path), read_only=True, config=limits(home, settings))
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
            connection.execute("set global enable_external_access = false")
            connection.execute("set global lock_configuration = true")
