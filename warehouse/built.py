"""How far the marts are built: up to which load, by which models, under which settings.

A note of it lies in `raw._facts`. It is taken away before a build begins and written when all of it has succeeded, so
that a build adds to the marts only where they are known to be whole; anything else is built in full.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from shipcast.warehouse.connection import MARTS_FILE
from shipcast.warehouse.migration import written_by

NOTE = "built"
BUILT_AT = "select built_at::varchar from marts.snapshot_facts"
SETTINGS = "select name, value from raw._settings where name <> 'built_load_id' order by all"

SettingRows = Sequence[tuple[str, str]]


def newest_load(connection: duckdb.DuckDBPyConnection) -> int:
    """The newest load there is; 0: nothing was loaded."""
    rows = connection.execute("select coalesce(max(load_id), 0) from raw._loads").fetchall()
    return int(rows[0][0])


def built_load(connection: duckdb.DuckDBPyConnection, project: Path, settings: SettingRows) -> int | None:
    """The load up to which the marts are built and may be added to; None: they must be built in full.

    Parameters
    ----------
    connection
        The work database, with the marts attached.
    settings
        The settings that models read, by name and value.
    """
    note = noted(connection)
    if note is None or note["project"] != project_digest(project) or stored_settings(connection) != sorted(settings):
        return None
    try:
        is_same = connection.execute(BUILT_AT).fetchall() == [(note["built_at"],)]
    except duckdb.Error:
        return None
    return int(note["load_id"]) if is_same and note["load_id"] <= newest_load(connection) else None


def noted(connection: duckdb.DuckDBPyConnection) -> dict[str, Any] | None:
    """What was noted of the last build; None: the marts are not known to be whole."""
    try:
        rows = connection.execute("select value from raw._facts where name = ?", [NOTE]).fetchall()
    except duckdb.CatalogException:
        return None  # nothing was ever loaded
    return json.loads(rows[0][0]) if rows else None


def stored_settings(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """The settings of the last build; none where nothing was built yet."""
    try:
        return connection.execute(SETTINGS).fetchall()
    except duckdb.CatalogException:
        return []


def note_built(connection: duckdb.DuckDBPyConnection, project: Path, load_id: int) -> None:
    """Note that every model is built and tested, up to a load."""
    built_at = connection.execute(BUILT_AT).fetchall()[0][0]
    note = {"load_id": load_id, "project": project_digest(project), "built_at": built_at}
    forget_built(connection)
    connection.execute("insert into raw._facts values (?, ?)", [NOTE, json.dumps(note)])


def forget_built(connection: duckdb.DuckDBPyConnection) -> None:
    """Let the next build be a full one, within the caller's transaction: rows are gone, or a build begins."""
    connection.execute("delete from raw._facts where name = ?", [NOTE])


def remove_marts(connection: duckdb.DuckDBPyConnection, home: Path) -> None:
    """Remove the marts, which are not attached; the next build makes them again."""
    forget_built(connection)
    for path in (home / MARTS_FILE, home / f"{MARTS_FILE}.wal"):
        path.unlink(missing_ok=True)


def project_digest(project: Path) -> str:
    """What tells one version of the models from another."""
    digest = hashlib.sha256(written_by().encode())
    for path in sorted(project.rglob("*")):
        if path.suffix in (".sql", ".yml", ".csv") and path.is_file():
            digest.update(f"{path.relative_to(project)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()
