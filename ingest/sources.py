"""Which files a path stands for: one file per table and named after it, or a folder of parts."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from shipcast.ingest.errors import FileRefused, NothingToLoad
from shipcast.ingest.piece import Piece
from shipcast.warehouse.tables import BY_NAME, TABLES, Table

Format = Literal["delimited", "jsonl", "parquet", "feed"]
FORMATS: dict[str, Format] = {
    ".csv": "delimited",
    ".csv.gz": "delimited",
    ".tsv": "delimited",
    ".tsv.gz": "delimited",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson": "jsonl",
    ".ndjson.gz": "jsonl",
    ".parquet": "parquet",
}
SIMULATED = "simulated.json"
Stamp = tuple[int, int, int, int]


@dataclass(frozen=True)
class Feed:
    """Rows that come from no file of the contract, such as a repository's history.

    Parameters
    ----------
    name
        Under which the database knows where the rows came from.
    pieces
        Reads the rows; called once.
    is_addition
        Whether only what is new is read: what it leaves out is still there.
    """

    name: str
    pieces: Callable[[], Iterator[Piece]]
    is_addition: bool = False


@dataclass(frozen=True)
class Part:
    """One file that feeds one table, or one feed.

    Parameters
    ----------
    number
        Its place in the load: of two rows with one key the one of the lower number came first.
    label
        The name in messages, relative to the path that was given.
    given
        The path that was given.
    stands_at
        The load whose place in history the rows take; None: the newest. Only a retry looks back.
    feed
        What brings the rows; None: the file at the path.
    """

    table: Table
    path: Path
    label: str
    format: Format
    given: str
    number: int = 0
    stands_at: int | None = None
    feed: Feed | None = None

    @property
    def file(self) -> str:
        return self.feed.name if self.feed else shown(located(self.path))

    @property
    def is_addition(self) -> bool:
        return self.feed is not None and self.feed.is_addition


def shown(path: Path | str) -> str:
    """The path as text that can be stored and printed: a byte that is no UTF-8 is written as \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def located(path: Path) -> Path:
    """The path in its one spelling: absolute, without `..`.

    Links are kept, since one that is switched from export to export names one source.
    """
    whole = path.absolute()
    if ".." not in whole.parts:
        return whole
    last = max(place for place, name in enumerate(whole.parts) if name == "..") + 1
    return Path(os.path.realpath(Path(*whole.parts[:last])), *whole.parts[last:])


def split_name(name: str) -> tuple[str, Format | None]:
    """A file name's stem, in lower case, and the format its ending stands for.

    Examples
    --------
    >>> split_name("Deployments.CSV.gz")
    ('deployments', 'delimited')
    >>> split_name("notes.txt")
    ('notes.txt', None)
    """
    lowered = name.lower()
    for ending in sorted(FORMATS, key=len, reverse=True):
        if lowered.endswith(ending):
            return lowered.removesuffix(ending), FORMATS[ending]
    return lowered, None


def parts_of(paths: Sequence[Path]) -> tuple[list[Part], list[str]]:
    """The parts the paths stand for, in loading order, and the files that are named after no table.

    Parts are ordered by table, then by the order of the paths, then by name. Names beginning with a dot or an
    underscore (`.DS_Store`, `_SUCCESS`) are marks of other programs and passed over.

    Raises
    ------
    NothingToLoad
        A path is missing or cannot be read, or nothing in it is named after a table.
    """
    found: list[Part] = []
    skipped: list[str] = []
    for path in paths:
        parts, others = parts_below(path, prefix=f"{shown(path)}/" if len(paths) > 1 else "")
        found += parts
        skipped += others
    return numbered(found), skipped


def numbered(parts: Sequence[Part]) -> list[Part]:
    """The parts without repetitions, grouped by table, each with its place in the load."""
    order = {table.name: place for place, table in enumerate(TABLES)}
    once = {(part.table.name, located(part.path)): part for part in reversed(parts)}
    kept = [part for part in parts if once[part.table.name, located(part.path)] is part]
    kept.sort(key=lambda part: order[part.table.name])
    return [replace(part, number=number) for number, part in enumerate(kept)]


def parts_below(path: Path, prefix: str) -> tuple[list[Part], list[str]]:
    try:
        is_dir = path.is_dir()
        exists = is_dir or path.exists() or path.is_symlink()
    except (OSError, ValueError):
        is_dir = exists = False
    if not exists:
        raise NothingToLoad(
            f"{shown(path)}: there is no such file or folder.",
            next_step="Give a folder that holds files named after the tables, such as deployments.csv.",
        )
    return folder_parts(path, prefix) if is_dir else ([single_part(path)], [])


def single_part(path: Path) -> Part:
    stem, form = split_name(path.name)
    if form is None or stem not in BY_NAME:
        raise NothingToLoad(f"{shown(path)} is not named after a table.", next_step=looked_for())
    return Part(BY_NAME[stem], path, shown(path.name), form, shown(path))


def folder_parts(folder: Path, prefix: str) -> tuple[list[Part], list[str]]:
    parts: list[Part] = []
    skipped: list[str] = []
    for entry in listed(folder):
        stem, form = split_name(entry.name)
        table, label = BY_NAME.get(stem), f"{prefix}{shown(entry.name)}"
        if table is not None and entry.is_dir():
            found, others = table_folder(table, entry, label, folder)
            parts += found
            skipped += others or ([] if found else [f"{label}/"])
        elif table is not None and form is not None:
            parts.append(Part(table, entry, label, form, shown(folder)))
        elif entry.name.lower() != SIMULATED:
            skipped.append(label)
    if not parts and split_name(folder.name)[0] in BY_NAME:
        table = BY_NAME[split_name(folder.name)[0]]
        parts, skipped = table_folder(table, folder, prefix.rstrip("/") or shown(folder.name), folder)
    if not parts:
        raise NothingToLoad(f"{shown(folder)} holds no file named after a table.", next_step=looked_for())
    return parts, skipped


def table_folder(table: Table, folder: Path, label: str, given: Path) -> tuple[list[Part], list[str]]:
    """The parts of one table, and what else lies there; folders within are not entered, so no link back can loop."""
    parts: list[Part] = []
    skipped: list[str] = []
    for entry in listed(folder):
        form = split_name(entry.name)[1]
        name = f"{label}/{shown(entry.name)}"
        if form is not None and not entry.is_dir():
            parts.append(Part(table, entry, name, form, shown(given)))
        else:
            skipped.append(name)
    return parts, skipped


def listed(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise NothingToLoad(
            f"{shown(folder)} cannot be read: {error.strerror}.", next_step="Check its permissions."
        ) from error
    return [entry for entry in entries if not entry.name.startswith((".", "_"))]


def looked_for() -> str:
    names = ", ".join(table.name for table in TABLES)
    return (
        f"Looked for {names}, each as .csv, .csv.gz, .tsv, .parquet, .jsonl or .jsonl.gz, or as a folder of such parts."
    )


def check_regular(path: Path) -> Stamp:
    """What tells the file from a later state of itself, if the path is a regular file with something in it.

    Raises
    ------
    FileRefused
        It is gone, unreadable, empty, or a pipe or device that a load would wait for.
    """
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            path.open("rb").close()
    except OSError as error:
        reason = (
            "is a link that leads back to itself" if error.errno == errno.ELOOP else f"cannot be read: {error.strerror}"
        )
        raise FileRefused(f"{reason}. Nothing was stored") from error
    if not stat.S_ISREG(status.st_mode):
        raise FileRefused(
            "is a folder, a pipe or a device, not a regular file. Nothing was stored; give a regular file"
        )
    if status.st_size == 0:
        raise FileRefused("is empty: 0 bytes, not even a header. Nothing was stored; export it again")
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
