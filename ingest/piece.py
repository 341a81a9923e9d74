"""What every reader hands on: a stretch of one file's rows, as text, under the contract's names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import duckdb
import polars as pl

BROKEN = {"_line": pl.Int64, "_origin": pl.String, "rule": pl.String, "detail": pl.String, "row": pl.String}
ORIGIN = "_origin"
BATCH_ROWS = 20_000

Row = tuple[int | str | None, ...]


@dataclass(frozen=True)
class Piece:
    """Rows that could be taken apart, and rows that could not.

    Parameters
    ----------
    frame
        `_line` (1-based), `_origin` (the quarantine id of a corrected row, else null) and the columns the file has,
        all of them text.
    broken
        Rows that could not be taken apart: line, origin, rule, detail, the row's text.
    verbatim
        The rows of the given lines, exactly as they stand in the file, in that order.
    held
        The bytes of memory that `verbatim` keeps in use.
    """

    frame: pl.DataFrame
    verbatim: Callable[[pl.Series], pl.Series]
    broken: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=BROKEN))
    held: int = 0

    @property
    def size(self) -> int:
        """The bytes of memory that the piece takes up."""
        return int(self.frame.estimated_size()) + self.held

    @property
    def rows(self) -> int:
        return self.frame.height + self.broken.height


def queried(connection: duckdb.DuckDBPyConnection, query: str) -> pl.DataFrame:
    """What the query answers."""
    return pl.DataFrame(pl.from_arrow(connection.sql(query).to_arrow_table()))


def pieces_of(rows: Iterable[Row], columns: Sequence[str]) -> Iterator[Piece]:
    """Rows that come from no file, in pieces; the first value of each is its place in the feed. At least one piece."""
    waiting = iter(rows)
    batch = list(islice(waiting, BATCH_ROWS))
    yield piece_of(batch, columns)
    while batch := list(islice(waiting, BATCH_ROWS)):
        yield piece_of(batch, columns)


def piece_of(rows: Sequence[Row], columns: Sequence[str]) -> Piece:
    """One piece of such rows; the quarantine keeps them as JSON objects."""
    schema = {"_line": pl.Int64, **dict.fromkeys(columns, pl.String)}
    frame = pl.DataFrame(rows, schema=schema, orient="row", strict=False)
    return Piece(frame.with_columns(pl.lit(None, pl.String).alias(ORIGIN)), as_objects(frame))


def as_objects(frame: pl.DataFrame) -> Callable[[pl.Series], pl.Series]:
    """What gives the rows of the lines that are wanted as JSON objects, in that order."""

    def verbatim(lines: pl.Series) -> pl.Series:
        wanted = frame.join(lines.to_frame("_line"), on="_line", how="semi")
        found = {row.pop("_line"): json.dumps(row, ensure_ascii=False) for row in wanted.iter_rows(named=True)}
        return pl.Series([found[line] for line in lines], dtype=pl.String)

    return verbatim
