"""What every reader hands on: a stretch of one file's rows, as text, under the contract's names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import duckdb
import polars as pl

BROKEN = {"_line": pl.Int64, "_origin": pl.String, "rule": pl.String, "detail": pl.String, "row": pl.String}
ORIGIN = "_origin"


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
