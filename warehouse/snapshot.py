"""Published snapshots: read-only files of the marts, swapped in whole by one atomic rename of a pointer."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from shipcast.settings.errors import StorageError
from shipcast.warehouse.connection import open_read_only, open_work
from shipcast.warehouse.errors import NothingPublished

POINTER = "current.json"
FOLDER = "snapshots"


@dataclass(frozen=True)
class Snapshot:
    """What the pointer names: the file that readers open."""

    snapshot_id: str
    file: str
    published_at: str


def current(home: Path) -> Snapshot:
    """The published snapshot.

    Raises
    ------
    NothingPublished
        Nothing was built in this home yet.
    StorageError
        The pointer is damaged.
    """
    pointer = home / POINTER
    try:
        return Snapshot(**json.loads(pointer.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise NothingPublished(
            f"{home} holds no published snapshot.",
            next_step="Load your data with `shipcast ingest files DIR`, then `shipcast build`; or see `shipcast demo`.",
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise StorageError(
            f"{pointer}: not a snapshot pointer ({error}).", next_step="Run `shipcast build`."
        ) from error


def open_current(home: Path) -> duckdb.DuckDBPyConnection:
    """A hardened, read-only connection to the published snapshot."""
    return open_read_only(home / FOLDER / current(home).file)


def publish(home: Path, keep: int) -> Snapshot:
    """Copy the marts into a new snapshot and make it the current one; hold `run_lock` around it.

    Written beside, fsynced, then one rename of the pointer: a crash at any moment leaves the last one in force.
    """
    published_at = datetime.now(UTC)
    snapshot_id = published_at.strftime("%Y%m%dT%H%M%S%fZ")
    snapshot = Snapshot(snapshot_id, f"{snapshot_id}.duckdb", published_at.isoformat().replace("+00:00", "Z"))
    folder = home / FOLDER
    folder.mkdir(exist_ok=True)
    unfinished = folder / f"{snapshot.file}.unfinished"
    copy_marts(home, unfinished)
    fsync(unfinished)
    unfinished.rename(folder / snapshot.file)
    fsync(folder)
    pointer = home / f"{POINTER}.unfinished"
    pointer.write_text(json.dumps(asdict(snapshot)), encoding="utf-8")
    fsync(pointer)
    pointer.rename(home / POINTER)
    fsync(home)
    prune(folder, keep)
    return snapshot


def copy_marts(home: Path, target: Path) -> None:
    """Copy every table of the schema `marts` into a database file of its own."""
    with open_work(home) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "select table_name from information_schema.tables where table_schema = 'marts' order by 1"
            ).fetchall()
        ]
        connection.execute(f"attach '{str(target).replace(chr(39), chr(39) * 2)}' as snapshot")
        for name in names:
            connection.execute(f'create table snapshot."{name}" as from marts."{name}"')
        connection.execute("detach snapshot")


def prune(folder: Path, keep: int) -> None:
    """Remove what a crash left unfinished and all but the newest snapshots."""
    for leftover in folder.glob("*.unfinished*"):
        leftover.unlink(missing_ok=True)
    for old in sorted(folder.glob("*.duckdb"))[:-keep]:
        old.unlink(missing_ok=True)


def fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
