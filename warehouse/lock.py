"""One process writes to a home at a time; the second one is told who is at work, and since when."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from shipcast.settings.errors import Locked, StorageError


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
    holder = home / "run.holder"
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(home / "run.lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise locked(holder) from error
    except OSError as error:
        raise StorageError(
            f"{home}: {error.strerror}.", next_step="Choose a folder you may write: --home DIR."
        ) from error
    try:
        since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        holder.write_text(json.dumps({"command": command, "pid": os.getpid(), "since": since}), encoding="utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def locked(holder: Path) -> Locked:
    try:
        facts = json.loads(holder.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        facts = {"command": "another command", "pid": "unknown", "since": "just now"}
    return Locked(
        f"`shipcast {facts['command']}` (process {facts['pid']}) holds {holder.parent} since {facts['since']}.",
        next_step="Wait for it to end, then ask again.",
        **facts,
    )
