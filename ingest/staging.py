"""Rows on their way in: read, checked and kept in a scratch database until the load is merged.

The scratch file lies beside the work database, so that a load of any size needs little memory and leaves the work
database alone until all files are read. It is removed at the end, or by the next load after a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa

from shipcast.ingest.columnar import read_parquet
from shipcast.ingest.delimited import read_delimited
from shipcast.ingest.errors import FileRefused
from shipcast.ingest.headers import Header
from shipcast.ingest.jsonl import read_jsonl
from shipcast.ingest.piece import ORIGIN, Piece
from shipcast.ingest.report import FileLoad
from shipcast.ingest.rules import broken_rules, is_bad, name_of_row, read_rows
from shipcast.ingest.sources import Part, check_regular
from shipcast.settings import Settings
from shipcast.settings.errors import ConfigurationError
from shipcast.warehouse.tables import SQL_TYPES, Table

SCRATCH_FILE = "scratch.duckdb"
BATCH_ROWS = 120_000
SCAN_ROWS = 20_480
BATCH_BYTES = 32 * 2**20
PARTS = """
create table scratch.parts (
    _part integer, table_name varchar, file varchar, label varchar, header varchar, stands_at bigint,
    refused varchar, is_addition boolean)
"""
RECORD = {
    "_part": pl.Int32,
    "table_name": pl.String,
    "file": pl.String,
    "label": pl.String,
    "header": pl.String,
    "stands_at": pl.Int64,
    "refused": pl.String,
    "is_addition": pl.Boolean,
}
BAD = """
create table scratch.bad (
    _part integer, _line bigint, _origin varchar, rule varchar, column_name varchar, reason varchar, row varchar)
"""
FIND_BAD = """
select _part, _line, _origin, rules[1].rule as rule, rules[1].column as column_name,
    label || ':' || _line || ': ' || row_name || array_to_string([x.reason for x in rules], '; ') as reason
from (select *, {rules} as rules, {name} as row_name from ({rows})) join scratch.parts using (_part)
"""
PROGRESS_ROWS = 1_000_000


@contextmanager
def scratch(connection: duckdb.DuckDBPyConnection, settings: Settings) -> Iterator[None]:
    """A fresh scratch database attached as `scratch`; within the block times without an offset are the source's."""
    path = settings.home / SCRATCH_FILE
    remove(path)
    connection.execute(f"attach '{str(path).replace(chr(39), chr(39) * 2)}' as scratch")
    try:
        connection.execute(PARTS)
        connection.execute(BAD)
        use_zone(connection, settings.source_zone)
        yield
    finally:
        # Whatever went wrong in the block is what matters; leftovers are removed by the next load.
        with suppress(duckdb.Error, OSError):
            connection.execute("set TimeZone = 'UTC'")
            connection.execute("detach scratch")
            remove(path)


def in_batches(rows: pl.DataFrame) -> pa.Table:
    """The rows in batches small enough for DuckDB to read them on several cores."""
    whole = rows.to_arrow(compat_level=pl.CompatLevel.newest())
    return pa.Table.from_batches(whole.to_batches(max_chunksize=SCAN_ROWS), schema=whole.schema)


def use_zone(connection: duckdb.DuckDBPyConnection, zone: str) -> None:
    try:
        connection.execute(f"set TimeZone = '{zone}'")
    except duckdb.Error as error:
        raise ConfigurationError(f"source_zone: {zone!r} is no zone that DuckDB knows.", key="source_zone") from error


def remove(path: Path) -> None:
    for leftover in (path, path.with_name(path.name + ".wal")):
        leftover.unlink(missing_ok=True)


@dataclass
class Staging:
    """One table's parts, read and checked into `scratch.<table>`.

    Parameters
    ----------
    now
        The wall clock, naive UTC.
    """

    connection: duckdb.DuckDBPyConnection
    table: Table
    now: datetime
    progress: Callable[[str], None]
    waiting: list[tuple[Part, Piece]] = field(default_factory=list)
    rows_waiting: int = 0
    bytes_waiting: int = 0
    recorded: list[tuple[int, str, str, str, str, int | None, str | None, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        columns = ", ".join(f'"{column.name}" {SQL_TYPES[column.kind]}' for column in self.table.columns)
        self.connection.execute(
            f"create table scratch.{self.table.name} "
            f"({columns}, _part integer, _line bigint, _origin varchar, _is_bad boolean)"
        )

    def read(self, part: Part) -> FileLoad:
        """Read one file; what it did so far is undone if it turns out to be refused."""
        item = FileLoad(self.table.name, part.label, part.file, is_addition=part.is_addition)
        told = 0
        try:
            stamp = None if part.feed else check_regular(part.path)
            header, pieces = self.opened(part)
            item.mapped, item.unknown, item.near = dict(header.mapped), list(header.unknown), dict(header.near)
            self.record(part, header.text, None)
            for piece in pieces:
                item.read += piece.rows
                self.take(part, piece)
                if item.read - told >= PROGRESS_ROWS:
                    told = item.read
                    self.progress(f"{part.label}: {item.read:,} rows read")
            if stamp and stamp != check_regular(part.path):
                raise FileRefused("was changed while it was read. Nothing was stored; load it when it is complete")
        except FileRefused as error:
            return self.refused(part, error.detail)
        except OSError as error:
            return self.refused(part, f"cannot be read to its end: {error.strerror}. Nothing was stored")
        return item

    def refused(self, part: Part, reason: str) -> FileLoad:
        self.forget(part)
        self.record(part, "", reason)
        return FileLoad(self.table.name, part.label, part.file, refused=reason)

    def opened(self, part: Part) -> tuple[Header, Iterator[Piece]]:
        if part.feed:
            return Header((), {}), part.feed.pieces()
        match part.format:
            case "delimited":
                return read_delimited(part)
            case "jsonl":
                return read_jsonl(part, self.connection)
            case _:
                return read_parquet(part, self.connection)

    def record(self, part: Part, header: str, refused: str | None) -> None:
        names = (part.number, self.table.name, part.file, part.label)
        self.recorded.append((*names, header, part.stands_at, refused, part.is_addition))

    def forget(self, part: Part) -> None:
        kept = [(other, piece) for other, piece in self.waiting if other.number != part.number]
        self.waiting, self.rows_waiting, self.bytes_waiting = [], 0, 0
        for other, piece in kept:
            self.wait(other, piece)
        self.flush_records()
        for table in (self.table.name, "bad", "parts"):
            self.connection.execute(f"delete from scratch.{table} where _part = ?", [part.number])

    def take(self, part: Part, piece: Piece) -> None:
        """Small pieces wait for others, so that a thousand small files cost no thousand checks."""
        self.wait(part, piece)
        if self.rows_waiting >= BATCH_ROWS or self.bytes_waiting >= BATCH_BYTES:
            self.flush()

    def wait(self, part: Part, piece: Piece) -> None:
        self.waiting.append((part, piece))
        self.rows_waiting += piece.rows
        self.bytes_waiting += piece.size

    def flush(self) -> None:
        """Check what waits and store it."""
        self.flush_records()
        pieces = self.waiting
        self.waiting, self.rows_waiting, self.bytes_waiting = [], 0, 0
        if not pieces:
            return
        self.store_broken(pieces)
        rows = pl.concat([self.rows(part, piece) for part, piece in pieces])
        self.connection.register("waiting_rows", in_batches(rows))
        columns = ", ".join(f'"{column.name}"' for column in self.table.columns)
        read = read_rows(self.table, "waiting_rows")
        before = self.count_bad()
        self.connection.execute(
            f"insert into scratch.{self.table.name} "
            f"select {columns}, _part, _line, _origin, {is_bad(self.table, self.now)} from ({read})"
        )
        if self.count_bad() > before:
            self.store_bad(pieces)
        self.connection.unregister("waiting_rows")

    def flush_records(self) -> None:
        records, self.recorded = self.recorded, []
        self.connection.register("part_records", pl.DataFrame(records, schema=RECORD, orient="row").to_arrow())
        self.connection.execute("insert into scratch.parts by name select * from part_records")
        self.connection.unregister("part_records")

    def rows(self, part: Part, piece: Piece) -> pl.DataFrame:
        """The piece's rows under every column of the table, trimmed, null where empty."""
        given = piece.frame.columns
        text = pl.String
        columns = [
            (pl.col(column.name).str.strip_chars() if column.name in given else pl.lit(None, text)).alias(
                f"{column.name}$"
            )
            for column in self.table.columns
        ]
        names = [f"{column.name}$" for column in self.table.columns]
        frame = piece.frame.select("_line", ORIGIN, *columns, pl.lit(part.number, pl.Int32).alias("_part"))
        return frame.with_columns(pl.when(pl.col(names) != "").then(pl.col(names)))

    def count_bad(self) -> int:
        counted = self.connection.execute(f"select count(*) from scratch.{self.table.name} where _is_bad").fetchall()
        return int(counted[0][0])

    def store_bad(self, pieces: list[tuple[Part, Piece]]) -> None:
        """Put the rows that break a rule into the bad ones, verbatim and with the reason."""
        of_interest = f"select * from ({read_rows(self.table, 'waiting_rows')}) where {is_bad(self.table, self.now)}"
        find = FIND_BAD.format(rules=broken_rules(self.table, self.now), name=name_of_row(self.table), rows=of_interest)
        self.connection.execute(f"create or replace temp table offenders as {find}")
        places = self.connection.execute("select _part, _line from offenders order by _part, _line").fetchall()
        found = pl.DataFrame(places, schema={"_part": pl.Int32, "_line": pl.Int64}, orient="row")
        of_part = {number: rows for (number,), rows in found.partition_by("_part", as_dict=True).items()}
        bad = []
        for part, piece in pieces:
            here = of_part.get(part.number, found.clear()).join(piece.frame, on="_line", how="semi")
            if here.height:
                bad.append(here.with_columns(piece.verbatim(here["_line"]).alias("row")))
        self.add_bad(pl.concat(bad), "select offenders.*, row from offenders join bad_rows using (_part, _line)")

    def store_broken(self, pieces: list[tuple[Part, Piece]]) -> None:
        for part, piece in pieces:
            if piece.broken.height:
                where = pl.format("{}:{}: {}", pl.lit(part.label), pl.col("_line"), pl.col("detail"))
                self.add_bad(
                    piece.broken.select(
                        pl.lit(part.number, pl.Int32).alias("_part"),
                        "_line",
                        ORIGIN,
                        "rule",
                        pl.lit(None, pl.String).alias("column_name"),
                        where.alias("reason"),
                        "row",
                    )
                )

    def add_bad(self, rows: pl.DataFrame, query: str = "select * from bad_rows") -> None:
        self.connection.register("bad_rows", rows.to_arrow())
        self.connection.execute(f"insert into scratch.bad by name {query}")
        self.connection.unregister("bad_rows")
