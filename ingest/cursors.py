"""How far a repository was read, kept in the transaction that keeps what was read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from shipcast.ingest.repository import Repository


@dataclass(frozen=True)
class Cursor:
    """Where the reading of one source stands.

    Parameters
    ----------
    source
        The source's name, as in the `_file` of its rows.
    options
        Everything that decides which rows a history gives, as text: other options are another reading.
    tip
        The newest commit that was read.
    begins_at
        The commits at which a shallow history began, as text; empty: the whole history was there.
    position
        The number of rows that the history gave so far.
    """

    source: str
    options: str
    tip: str
    begins_at: str
    position: int


def cursor_of(connection: duckdb.DuckDBPyConnection, source: str) -> Cursor | None:
    """Where the source's reading stands; None: it was never read."""
    rows = connection.execute(
        "select source, options, tip, begins_at, position from raw._cursors where source = ?", [source]
    ).fetchall()
    return Cursor(*rows[0]) if rows else None


def keep(connection: duckdb.DuckDBPyConnection, cursor: Cursor) -> None:
    """Store where the reading stands, within the caller's transaction."""
    connection.execute("delete from raw._cursors where source = ?", [cursor.source])
    facts = [cursor.source, cursor.options, cursor.tip, cursor.begins_at, cursor.position]
    connection.execute(
        "insert into raw._cursors values (?, ?, ?, ?, ?, ?)", [*facts, datetime.now(UTC).replace(tzinfo=None)]
    )


def why_anew(cursor: Cursor, repository: Repository, options: str, tip: str) -> str | None:
    """Why the whole history must be read again, in words; None: reading on from the cursor gives the same."""
    if cursor.options != options:
        return "its options are others than the last time"
    if cursor.begins_at != begins_at(repository):
        return "the clone's history begins elsewhere than the last time"
    if not repository.is_on_mainline(cursor.tip, tip):
        return f"its history was rewritten: it no longer holds commit {cursor.tip[:12]}, up to which it was read"
    return None


def begins_at(repository: Repository) -> str:
    return " ".join(repository.boundary)
