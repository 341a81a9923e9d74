"""The format of a home: how its tables look, by number, and what takes an older one to the present.

The number lies in `raw._facts` beside the rows it is about, so that both change in one transaction and travel together
in a backup. A published snapshot is never migrated: the next build replaces it.

    1   as first released: no number; raw tables end in _file, _line, _load_id
    2   raw tables have _changed_id too, the load that last wrote the row
    3   there are releases; changes have a position and what they revert, deployments may be proxies
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path

import duckdb

from shipcast.warehouse.errors import NewerHome
from shipcast.warehouse.tables import TABLES

FORMAT = 3
FIRST_FORMAT = 1
BUILT_SCHEMAS = ("staging", "intermediate", "marts")
ADDED = (
    ("deployments", "is_proxy", "boolean"),
    ("changes", "position", "bigint"),
    ("changes", "reverts", "varchar[]"),
)  # with the third format

Migration = Callable[[duckdb.DuckDBPyConnection], None]


@cache
def written_by() -> str:
    """The program and version that writes, as stored beside the format."""
    return f"shipcast {version('shipcast')}"


def stored_format(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The format of an open work database; None where nothing is in it yet."""
    try:
        rows = connection.execute("select value from raw._facts where name = 'format'").fetchall()
    except duckdb.CatalogException:
        return FIRST_FORMAT if raw_tables(connection) else None
    return int(rows[0][0]) if rows else FIRST_FORMAT


def raw_tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    rows = connection.execute("select table_name from duckdb_tables() where schema_name = 'raw'").fetchall()
    return {name for (name,) in rows}


def check_format(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """The format of the work database at the path, which this version can read and write; of an empty one its own.

    Raises
    ------
    NewerHome
        A later version wrote it.
    """
    found = stored_format(connection) or FORMAT
    if found > FORMAT:
        rows = connection.execute("select value from raw._facts where name = 'written_by'").fetchall()
        raise newer(path, found, rows[0][0] if rows else "a later version of Shipcast")
    return found


def newer(path: Path, found: int, writer: str) -> NewerHome:
    return NewerHome(
        f"{path}: format {found}, written by {writer}; this is {written_by()}, which knows formats up to {FORMAT}. "
        "Nothing was touched.",
        next_step="Use that version or a later one, or another home: --home DIR.",
        file=str(path),
        format=found,
        written_by=writer,
    )


def migrate(connection: duckdb.DuckDBPyConnection, found: int) -> None:
    """Take a work database of an older format to the present one, step by step, within the caller's transaction."""
    for step in range(found, FORMAT):
        MIGRATIONS[step](connection)


def is_stamped(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether this very version stored its format; `raw._facts` exists."""
    rows = connection.execute("select name, value from raw._facts where name in ('format', 'written_by')").fetchall()
    return dict(rows) == {"format": str(FORMAT), "written_by": written_by()}


def stamp(connection: duckdb.DuckDBPyConnection) -> None:
    """Store the present format, and who wrote it, where another one stands; `raw._facts` exists."""
    if not is_stamped(connection):
        connection.execute("delete from raw._facts where name in ('format', 'written_by')")
        connection.execute("insert into raw._facts values ('format', ?), ('written_by', ?)", [FORMAT, written_by()])


def add_changed_ids(connection: duckdb.DuckDBPyConnection) -> None:
    """1 to 2: every raw row gets the load that last wrote it; what was built is dropped, to be built in full."""
    there = raw_tables(connection)
    for table in TABLES:
        if table.name in there:
            connection.execute(
                f"create or replace table raw.{table.name} as select *, _load_id as _changed_id from raw.{table.name}"
            )
    drop_built(connection)


def add_positions(connection: duckdb.DuckDBPyConnection) -> None:
    """2 to 3: what is not known of older rows is empty; what was built is dropped, to be built in full."""
    there = raw_tables(connection)
    for table, column, kind in ADDED:
        if table in there:
            connection.execute(f"alter table raw.{table} add column {column} {kind}")
    drop_built(connection)


def drop_built(connection: duckdb.DuckDBPyConnection) -> None:
    for schema in BUILT_SCHEMAS:
        connection.execute(f"drop schema if exists {schema} cascade")


MIGRATIONS: dict[int, Migration] = {1: add_changed_ids, 2: add_positions}
