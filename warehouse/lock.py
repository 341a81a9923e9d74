"""Who may write to a home: one run at a time, and beside it one booking."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import sleep
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from shipcast.settings.errors import Locked
from shipcast.settings.files import read_sealed, write_sealed
from shipcast.warehouse.damage import storage_error
from shipcast.warehouse.errors import OutOfSpace

LOCK_FILE = "run.lock"
HOLDER_FILE = "run.holder"
LEDGER_LOCK_FILE = "ledger.lock"
TOKENS_LOCK_FILE = "tokens.lock"
OUTBOX_LOCK_FILE = "outbox.lock"
LEDGER_SECONDS = 30  # to wait for one who writes to the ledger; a booking takes milliseconds
LOOKS, SECONDS_BETWEEN = 10, 0.05


@contextmanager
def run_lock(home: Path, command: str) -> Iterator[None]:
    """Hold the home for writing while the block runs.

    The lock is the operating system's, so it ends with the process that held it, however that ended; `run.holder`
    beside it only says who it is.

    Raises
    ------
    Locked
        Another process holds it: its command, process id and since when.
    StorageError
        The home cannot be written.
    """
    holder = home / HOLDER_FILE
    try:
        lock = acquired(home, LOCK_FILE, seconds=0)
    except Timeout as error:
        raise locked(holder) from error
    try:
        since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        try:
            write_sealed(holder, {"command": command, "pid": os.getpid(), "since": since})
        except OSError as error:
            raise unwritable(home, error) from error
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


@contextmanager
def ledger_lock(home: Path) -> Iterator[None]:
    """Hold the home's ledger while the block runs; a second one waits for it.

    It is apart from `run_lock`, so that a booking need not wait for a run.

    Raises
    ------
    Locked
        It has been held for too long.
    StorageError
        The home cannot be written.
    """
    with waited_for(home, LEDGER_LOCK_FILE):
        yield


@contextmanager
def tokens_lock(home: Path) -> Iterator[None]:
    """The same of the home's tokens."""
    with waited_for(home, TOKENS_LOCK_FILE):
        yield


@contextmanager
def waited_for(home: Path, name: str) -> Iterator[None]:
    try:
        lock = acquired(home, name, seconds=LEDGER_SECONDS)
    except Timeout as error:
        raise Locked(
            f"another command has held {home / name} for {LEDGER_SECONDS} s.",
            next_step="Wait for it to end (a backup, perhaps), then ask again.",
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def outbox_lock(home: Path) -> Iterator[None]:
    """Hold the home's outbox while the block runs, so that no message is sent by two at once.

    Raises
    ------
    Locked
        Another command is sending.
    StorageError
        The home cannot be written.
    """
    try:
        lock = acquired(home, OUTBOX_LOCK_FILE, seconds=0)
    except Timeout as error:
        raise Locked(
            f"another command is sending the messages of {home}.", next_step="Wait for it to end, then ask again."
        ) from error
    try:
        yield
    finally:
        lock.release()


def acquired(home: Path, name: str, seconds: float) -> BaseFileLock:
    """The lock of that name, held; a home that is not there is made.

    Raises
    ------
    Timeout
        Another process has held it for so long.
    StorageError
        The home cannot be written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(home / name, timeout=seconds)
        lock.acquire()
    except Timeout:
        raise
    except OSError as error:
        raise unwritable(home, error) from error
    return lock


def unwritable(home: Path, error: OSError) -> Exception:
    told = storage_error(home, error)
    if not isinstance(told, OutOfSpace):
        told.next_step = "Choose a folder you may write: --home DIR."
    return told


def locked(holder: Path) -> Locked:
    """The error that says who holds the home, as far as the file beside the lock can be believed."""
    facts = holder_facts(holder)
    who = f"another command holds {holder.parent}; since when is not known."
    if facts:
        who = f"`shipcast {facts['command']}` (process {facts['pid']}) holds {holder.parent} since {facts['since']}."
    return Locked(who, next_step="Wait for it to end, then ask again.", **facts)


def holder_facts(holder: Path) -> dict[str, Any]:
    """Who holds the lock; one who has only just taken it is given a moment to say so. Empty where nobody says."""
    facts: dict[str, Any] = {}
    for _ in range(LOOKS):
        try:
            facts = {name: read_sealed(holder)[name] for name in ("command", "pid", "since")}
        except (OSError, ValueError, KeyError):
            facts = {}
        if facts and is_running(facts["pid"]):
            break
        sleep(SECONDS_BETWEEN)
    return facts


def is_running(pid: int) -> bool:
    """Whether there is such a process; one that is gone left the file of an earlier run behind."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
