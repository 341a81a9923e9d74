"""What a load did, file by file; it always adds up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shipcast.ingest.remote.sync_windows import SyncWindow


@dataclass
class FileLoad:
    """One file of one table: read = inserted + updated + unchanged + merged + quarantined.

    Parameters
    ----------
    table, file
        The table, and the file as messages name it: relative to the folder that was given.
    path
        Where the file lies, absolute; the name under which the database knows it (`_file`, `_loads`, `_quarantine`).
    merged
        Rows whose key an earlier row of the same load had; the surviving row counts for the first one's file.
    refused
        Why the whole file was refused; None: it was taken. All counts of a refused file are 0.
    mapped
        Headers that were taken as synonyms, and the column each stands for.
    unknown
        Headers that mean no column of the table; left out.
    near
        Those of them that read almost like a column that the file lacks, to that column.
    is_addition
        Whether only what is new was read, so that nothing new is no surprise.
    settled
        Bad rows that were corrected in an export since they were first refused; they count as unchanged.
    reason
        Why the first of its bad rows is one; None: none is.
    """

    table: str
    file: str
    path: str
    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    merged: int = 0
    quarantined: int = 0
    refused: str | None = None
    mapped: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    near: dict[str, str] = field(default_factory=dict)
    is_addition: bool = False
    settled: int = 0
    reason: str | None = None

    @property
    def is_all_quarantined(self) -> bool:
        return self.read > 0 and self.read == self.quarantined


@dataclass(frozen=True)
class Refusals:
    """Rows of a table that were refused for one reason.

    Parameters
    ----------
    column
        The column that breaks the rule; None: the row is one as a whole.
    first
        Why the first of them was, with its place.
    """

    table: str
    rule: str
    column: str | None
    rows: int
    first: str


@dataclass
class LoadReport:
    """One call's loads.

    Parameters
    ----------
    skipped
        Files in the given folders that are named after no table.
    dangling
        `table.column` to the number of stored rows whose reference leads to no known row; they are kept.
    samples, refusals
        The first rows of each table, and the refused rows by reason, the most first; only where somebody looks.
    sync_windows
        When the source lets deployments go; None: it was not asked, or could not tell.
    """

    items: list[FileLoad] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    dangling: dict[str, int] = field(default_factory=dict)
    load_id: int | None = None
    is_dry_run: bool = False
    sync_windows: Sequence[SyncWindow] | None = None
    samples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refusals: list[Refusals] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """4 if a file was refused or all of its rows were quarantined, else 0."""
        return 4 if any(item.refused or item.is_all_quarantined for item in self.items) else 0
