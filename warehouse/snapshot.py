"""Published snapshots: read-only files of the marts, swapped in whole by one atomic rename of a pointer."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from shipcast.settings import Settings
from shipcast.settings.errors import StorageError
from shipcast.settings.files import UNFINISHED, fsync, put_in_place, read_json, read_sealed, write_sealed
from shipcast.warehouse.connection import MARTS_FILE, open_built, open_read_only
from shipcast.warehouse.damage import REPAIR, told
from shipcast.warehouse.errors import DamagedFile, NothingPublished
from shipcast.warehouse.migration import FIRST_FORMAT, FORMAT, newer, written_by

Opened = TypeVar("Opened")

POINTER = "current.json"
FOLDER = "snapshots"
DAMAGED = ".damaged"
STAMP = "%Y%m%dT%H%M%S%fZ"
OLDEST_READ = 3  # of older formats' marts columns are missing that answers read
FIRST_POINTER = {"snapshot_id", "file", "published_at"}


@dataclass(frozen=True)
class Snapshot:
    """What the pointer names: the file that readers open.

    Parameters
    ----------
    load_id
        The newest load that is in it; None: not known.
    format
        The format of the home that published it.
    """

    snapshot_id: str
    file: str
    published_at: str
    load_id: int | None = None
    format: int = FIRST_FORMAT
    written_by: str = ""


def current(home: Path) -> Snapshot:
    """The published snapshot.

    Raises
    ------
    NothingPublished
        Nothing was built in this home yet.
    NewerHome
        A later version of Shipcast published it.
    DamagedFile
        The pointer is damaged.
    """
    pointer = home / POINTER
    try:
        facts = pointer_facts(pointer)
        if facts.get("format", FORMAT) > FORMAT:
            raise newer(pointer, facts["format"], facts.get("written_by", "a later version"))
        return Snapshot(**facts)
    except FileNotFoundError as error:
        raise NothingPublished(
            f"{home} holds no published snapshot.",
            next_step="Load your data with `shipcast ingest files DIR`, then `shipcast build`; or see `shipcast demo`.",
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise DamagedFile(
            f"{pointer} is damaged or cannot be read: {error}.", next_step=REPAIR, file=str(pointer)
        ) from error


def pointer_facts(pointer: Path) -> dict[str, Any]:
    """What the pointer says; one of the first format carries no seal."""
    try:
        return read_sealed(pointer)
    except ValueError:
        facts = read_json(pointer)
        if isinstance(facts, dict) and set(facts) == FIRST_POINTER:
            return facts
        raise


def open_current(home: Path, settings: Settings | None = None) -> duckdb.DuckDBPyConnection:
    """A hardened, read-only connection to the published snapshot.

    Raises
    ------
    StorageError
        There is none, or it cannot be read.
    """
    return opened(home, lambda snapshot: open_snapshot(home, snapshot, settings))


def open_snapshot(home: Path, snapshot: Snapshot, settings: Settings | None = None) -> duckdb.DuckDBPyConnection:
    """The same to one that was published, while its file is there."""
    if snapshot.format < OLDEST_READ:
        raise NothingPublished(
            f"{home}: its snapshot was published by an earlier version, in a form that this one does not read.",
            next_step="Build it again: shipcast build",
        )
    return open_read_only(home / FOLDER / snapshot.file, home, settings)


def opened(home: Path, opening: Callable[[Snapshot], Opened]) -> Opened:
    """What `opening` makes of the published snapshot.

    Raises
    ------
    StorageError
        There is none, or it cannot be read.
    """
    snapshot = current(home)
    while True:
        try:
            return opening(snapshot)
        except NothingPublished:
            raise
        except StorageError as error:
            # Between the pointer and its file another publication may have come, and removed the file.
            before, snapshot = snapshot, current(home)
            if snapshot == before:
                error.next_step = REPAIR
                raise


@contextmanager
def reading(home: Path) -> Iterator[None]:
    """Within the block, what is wrong with the published snapshot is raised in words."""
    try:
        with told(home / FOLDER / current(home).file):
            yield
    except DamagedFile as error:
        error.next_step = REPAIR
        raise


def publish(home: Path, keep: int) -> Snapshot:
    """Copy the marts into a new snapshot and make it the current one; hold `run_lock` around it.

    Written beside, fsynced, then one rename of the pointer: a crash at any moment leaves the last one in force.

    Raises
    ------
    StorageError
        No space, no permission, a damaged work database; what was published before stays in force.
    """
    folder = home / FOLDER
    with told(folder):
        folder.mkdir(exist_ok=True)
        snapshot = next_snapshot(home, checkpoint_marts(home))
        unfinished = folder / f"{snapshot.file}{UNFINISHED}"
        try:
            shutil.copyfile(home / MARTS_FILE, unfinished)
            fsync(unfinished)
            put_in_place(unfinished, folder / snapshot.file)
            point_to(home, snapshot)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        prune(folder, keep, snapshot.file)
    return snapshot


def next_snapshot(home: Path, load_id: int | None) -> Snapshot:
    """A snapshot that comes after all there are, even where the clock was set back."""
    now = datetime.now(UTC)
    after = [stamp + timedelta(microseconds=1) for path in snapshots(home) if (stamp := stamped(path)) is not None]
    snapshot_id = max([now, *after]).strftime(STAMP)
    published_at = now.isoformat().replace("+00:00", "Z")
    return Snapshot(snapshot_id, f"{snapshot_id}.duckdb", published_at, load_id, FORMAT, written_by())


def snapshots(home: Path) -> list[Path]:
    """The published files, oldest first."""
    return sorted(path for path in (home / FOLDER).glob("*.duckdb") if stamped(path))


def kept_snapshot(home: Path, snapshot_id: str) -> Snapshot | None:
    """A snapshot that was published, of this version's format; None: it is kept no more, or there never was one."""
    published = current(home)
    if published.snapshot_id == snapshot_id:
        return published
    path = next((path for path in snapshots(home) if path.stem == snapshot_id), None)
    return None if path is None else Snapshot(snapshot_id, path.name, published_at="", format=FORMAT)


def stamped(path: Path) -> datetime | None:
    """The instant in a snapshot's name; None: it is no snapshot's."""
    try:
        return datetime.strptime(path.stem, STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def point_to(home: Path, snapshot: Snapshot) -> None:
    """Make a snapshot the one that readers open."""
    write_sealed(home / POINTER, asdict(snapshot))


def checkpoint_marts(home: Path) -> int | None:
    """Leave nothing of the marts in their log, so that their file can be copied; the newest load."""
    with open_built(home) as connection:
        connection.execute("checkpoint marts")
        newest: int | None = connection.execute("select max(load_id) from raw._loads").fetchall()[0][0]
    return newest


def prune(folder: Path, keep: int, named: str) -> None:
    """Remove what is unfinished or damaged, and all snapshots but the newest and the one that the pointer names."""
    for leftover in (*folder.glob(f"*{UNFINISHED}*"), *folder.glob(f"*{DAMAGED}")):
        leftover.unlink(missing_ok=True)
    for old in snapshots(folder.parent)[:-keep]:
        if old.name != named:
            old.unlink(missing_ok=True)
