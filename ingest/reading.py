"""One reading of a repository that grows: it begins where the last one ended, or anew, and removes what is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import duckdb
from pydantic import BaseModel

from shipcast.ingest.cursors import Cursor, begins_at, cursor_of, keep, why_anew
from shipcast.ingest.files import counted
from shipcast.ingest.instants import instant
from shipcast.ingest.merging import same
from shipcast.ingest.people import Pseudonyms, pseudonyms
from shipcast.ingest.repository import Repository
from shipcast.warehouse.built import forget_built
from shipcast.warehouse.tables import BY_NAME

VANISHED = """
delete from raw.{table} r where _file = ? and ({time} > make_timestamp(?::bigint * 1000000) or ? is null)
and not exists (from scratch.{table} s where {same}) returning 1
"""
RENUMBERED = """
update raw.{table} r set _line = s._line from scratch.{table} s join scratch.parts p using (_part)
where r._file = ? and p.file = r._file and r._line is distinct from s._line and {same}
"""


@dataclass
class Reading:
    """Where one reading of a repository begins, and what it leaves.

    Parameters
    ----------
    name
        The source's name: where its rows say that they came from.
    options
        All that decides which rows the history gives, as text.
    tip
        The newest commit that is read.
    cursor
        Where the last reading ended; None: there was none.
    why
        Why the history is read from its beginning again; None: it is not.
    people
        What stands for people; None: their names are kept.
    removed
        Rows that were removed, since the history no longer gives them.
    """

    repository: Repository
    name: str
    options: str
    tip: str
    cursor: Cursor | None
    why: str | None
    pseudonyms: Pseudonyms
    has_names: bool
    removed: int = field(default=0)

    @property
    def since(self) -> str | None:
        """The commit up to which the history was read before; None: it is read from its beginning."""
        return self.cursor.tip if self.cursor and not self.why else None

    @property
    def position(self) -> int:
        """How many rows the history gave before; what is read from the beginning of a whole history counts anew."""
        if self.cursor is None or (self.why and not self.repository.boundary):
            return 0
        # What lies before a shallow history stays, and what is read anew stands behind it.
        return self.cursor.position

    @property
    def begin(self) -> int | None:
        """When a shallow history begins, in seconds since 1970; None: it is whole."""
        return self.repository.oldest(self.tip).committed if self.repository.boundary else None

    def person(self, name: str, mail: str) -> str:
        """Somebody as they are to be stored: the name, or what stands for the address."""
        return name if self.has_names else self.pseudonyms.of(mail or name)

    def keep(self, connection: duckdb.DuckDBPyConnection, position: int) -> None:
        """Store where the reading stands, within the transaction of its rows."""
        if self.why or self.removed:
            forget_built(connection)
        keep(connection, Cursor(self.name, self.options, self.tip, begins_at(self.repository), position))
        self.pseudonyms.keep(connection)

    def remove_vanished(
        self, connection: duckdb.DuckDBPyConnection, table: str, time: str, name: str | None = None
    ) -> None:
        """Remove the rows that the source gave before and were not read just now.

        What lies before the beginning of a shallow history stays, since the history says nothing about it.

        Parameters
        ----------
        time
            The column, as SQL, that places a row in the history.
        name
            Where the rows say that they came from, if that is not the source's own name.
        """
        keys = same(BY_NAME[table].key, "r", "s")
        name = name or self.name
        # Rows that did not change were not written, but their places in the history may be others now.
        connection.execute(RENUMBERED.format(table=table, same=keys), [name])
        vanished = VANISHED.format(table=table, time=time, same=keys)
        self.removed += len(connection.execute(vanished, [name, self.begin, self.begin]).fetchall())

    def remove_all(self, connection: duckdb.DuckDBPyConnection, table: str, name: str | None = None) -> None:
        """Remove what the source gave to a table before, now that it gives it nothing."""
        gone = connection.execute(f"delete from raw.{table} where _file = ? returning 1", [name or self.name])
        self.removed += len(gone.fetchall())

    def warnings(self, unknown: str) -> Iterator[str]:
        """What a reader of the report should know about how the history was read.

        Parameters
        ----------
        unknown
            What is not known before the beginning of a shallow history.
        """
        label = self.repository.label
        gone = f"{counted(self.removed, 'row')} that it no longer gives removed"
        if self.why:
            yield f"{label}: read from the beginning, since {self.why}{f'; {gone}' if self.removed else ''}."
        elif self.removed:
            yield f"{label}: {gone}."
        if self.begin is not None:
            yield (
                f"{label} is a shallow clone: its history begins at {instant(self.begin)}, and {unknown} before is not "
                "known. Get the rest with: git fetch --unshallow"
            )


def begun(
    connection: duckdb.DuckDBPyConnection,
    repository: Repository,
    source: BaseModel,
    name: str,
    branch: str | None,
    *,
    has_names: bool,
) -> Reading:
    """A reading that is about to begin where the last one ended, if that gives the same rows."""
    tip, options = repository.tip(branch), options_of(source)
    cursor = cursor_of(connection, name)
    why = why_anew(cursor, repository, options, tip) if cursor else None
    return Reading(repository, name, options, tip, cursor, why, pseudonyms(connection), has_names)


def options_of(source: BaseModel) -> str:
    """All that decides which rows a history gives."""
    return json.dumps(source.model_dump(mode="json", exclude={"path"}), sort_keys=True)
