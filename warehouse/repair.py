"""Mending a home without inventing data: what can be read is kept, what can be made again is made again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from shipcast.settings.files import put_in_place
from shipcast.warehouse.built import remove_marts
from shipcast.warehouse.connection import WORK_FILE, log_problem, open_beside, open_work, set_log_aside
from shipcast.warehouse.damage import told
from shipcast.warehouse.integrity import faults, is_whole, leftovers, newest_whole, work_faults
from shipcast.warehouse.migration import BUILT_SCHEMAS, FORMAT, written_by
from shipcast.warehouse.snapshot import DAMAGED, POINTER, STAMP, Snapshot, point_to, snapshots, stamped


@dataclass(frozen=True)
class Repair:
    """What was done, in words, and whether the marts must be built again."""

    done: tuple[str, ...]
    must_build: bool


def repair(home: Path) -> Repair:
    """Mend what can be mended; hold `run_lock` and `ledger_lock` around it.

    Raises
    ------
    StorageError
        The disk is full, or the home cannot be written.
    """
    with told(home):
        logs, dropped, repointed = list(mended_log(home)), list(dropped_marts(home)), list(mended_pointer(home))
        done = (*logs, *dropped, *repointed, *removed_leftovers(home))
        return Repair(done, bool(dropped or repointed) and can_build(home))


def can_build(home: Path) -> bool:
    """Whether the work database is sound and holds a load, so that a build says no less than what is published."""
    path = home / WORK_FILE
    if not path.exists() or list(work_faults(home)):
        return False
    with open_beside(path) as connection:
        return connection.execute("select count(*) from raw._loads").fetchall() != [(0,)]


def mended_log(home: Path) -> Iterator[str]:
    """Set a log aside that cannot be read; what it held comes back from the sources."""
    path = home / WORK_FILE
    if not any(fault.kind == "log" for fault in work_faults(home)):
        return
    if problem := log_problem(path):
        aside = set_log_aside(problem)
        yield f"set the log aside as {aside.name}; `shipcast run` loads again what it may have held"


def dropped_marts(home: Path) -> Iterator[str]:
    """Drop what was built, if only that is damaged; a published copy that is damaged may have been so before."""
    kinds = {fault.kind for fault in faults(home) if fault.is_broken} - {"pointer"}
    if kinds and kinds <= {"marts", "snapshot"} and (home / WORK_FILE).exists():
        with open_work(home) as connection:
            for schema in BUILT_SCHEMAS:
                connection.execute(f"drop schema if exists {schema} cascade")
            connection.execute("checkpoint")
            remove_marts(connection, home)
        if "marts" in kinds:
            yield "dropped the damaged marts"


def mended_pointer(home: Path) -> Iterator[str]:
    """Let the pointer name the newest snapshot that can be read; without one, nothing is published."""
    if not any(fault.kind in ("pointer", "snapshot") for fault in faults(home)):
        return
    for path in snapshots(home):
        if not is_whole(path):
            put_in_place(path, path.with_name(path.name + DAMAGED))
            yield f"set {path.name} aside: it is damaged"
    whole = newest_whole(home)
    if whole is not None:
        point_to(home, described(whole))
        yield f"published {whole.name} again, the newest snapshot that can be read"
    else:
        aside = home / f"{POINTER}.{datetime.now(UTC).strftime(STAMP)}{DAMAGED}"
        put_in_place(home / POINTER, aside)
        yield f"set the pointer aside as {aside.name}: no snapshot can be read"


def described(path: Path) -> Snapshot:
    """A snapshot as its pointer would name it: its name says when it was published."""
    published = stamped(path)
    assert published is not None
    text = published.isoformat().replace("+00:00", "Z")
    return Snapshot(path.stem, path.name, text, None, FORMAT, written_by())


def removed_leftovers(home: Path) -> Iterator[str]:
    for path in leftovers(home):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        yield f"removed {path.name}"
