"""What a failure of the database means for its user: a full disk, too little memory, a damaged file, or a bug.

DuckDB keeps a checksum with every block, header and log entry and compares it whenever it reads one, so a changed byte
shows as an error of the kinds below as soon as it could change an answer.
"""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from shipcast.settings.errors import ShipcastError, StorageError
from shipcast.warehouse.errors import DamagedFile, OutOfSpace, TooLittleMemory

FULL = re.compile(r"No space left|File too large|Disk quota exceeded|max_temp_directory_size", re.IGNORECASE)
FULL_NUMBERS = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
DAMAGED = re.compile(
    r"^(INTERNAL Error|FATAL Error|Serialization Error|TransactionContext Error)|corrupt|checksum|replaying WAL"
    r"|not a valid DuckDB|database has been invalidated|could not read enough bytes|Could not read from file"
    r"|Invalid bitpacking|Failed to deserialize",
    re.IGNORECASE,
)
NAMED_FILE = re.compile(r'file "([^"]+)"')
FROM_STORAGE = (duckdb.IOException, duckdb.InternalException, duckdb.FatalException, duckdb.SerializationException)

REPAIR = "`shipcast doctor` says what can be mended, `shipcast doctor --repair` mends it."
RELOAD = "Restore a backup with `shipcast restore`, or load your sources into a new home: --home DIR."
REPAIR_OR_RELOAD = f"If only what was built is damaged, `shipcast doctor --repair` mends it. {RELOAD}"


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Within the block, what the database or the disk did wrong with the file is raised in words.

    Raises
    ------
    StorageError
        No space, no memory, no permission, a damaged file. What is our own fault stays what it was.
    """
    try:
        yield
    except ShipcastError:
        raise
    except duckdb.Error as error:
        if is_fault_of_storage(error):
            raise storage_error(path, error) from error
        raise
    except OSError as error:
        raise storage_error(Path(error.filename or path), error) from error


def is_fault_of_storage(error: duckdb.Error) -> bool:
    """Whether the disk or the memory is to blame, not the query."""
    text = str(error)
    return isinstance(error, (*FROM_STORAGE, duckdb.OutOfMemoryException)) or bool(
        DAMAGED.search(text) or FULL.search(text)
    )


def storage_error(path: Path, error: Exception | str) -> StorageError:
    """The error in words: which file, what is the matter, what to do about it."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror
    if FULL.search(text) or (isinstance(error, OSError) and error.errno in FULL_NUMBERS):
        return out_of_space(named(text, path))
    if isinstance(error, duckdb.OutOfMemoryException):
        return TooLittleMemory(
            f"{path}: the memory allowed is not enough: {first_line(text)}",
            next_step="Raise memory_limit in shipcast.toml (or SHIPCAST_MEMORY_LIMIT), or free some space on the disk.",
            file=str(path),
        )
    if DAMAGED.search(text):
        return DamagedFile(f"{path} is damaged: {first_line(text)}", next_step=REPAIR, file=str(path))
    return StorageError(f"{path}: {first_line(text)}", next_step="See `shipcast doctor`.", file=str(path))


def out_of_space(path: Path) -> OutOfSpace:
    free = free_space(path)
    return OutOfSpace(
        f"{path}: no space left to write it ({free / 2**20:,.1f} MiB free there). "
        "What was stored and published before stays as it was.",
        next_step="Free some space, then run the same command again.",
        file=str(path),
        free_bytes=free,
    )


def free_space(path: Path) -> int:
    """Bytes free where the path lies, or would lie."""
    there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    return shutil.disk_usage(there).free


def named(text: str, path: Path) -> Path:
    """The file that the database's words name, else the path."""
    found = NAMED_FILE.search(text)
    return Path(found[1]) if found else path


def first_line(text: str) -> str:
    """The database's own words, without what it says to its developers.

    >>> first_line("INTERNAL Error: Invalid bitpacking mode\\n\\nStack Trace:\\n0x7f")
    'Invalid bitpacking mode.'
    """
    line = next((line for line in text.splitlines() if DAMAGED.search(line)), text.splitlines()[0]).strip()
    return re.sub(r"^(INTERNAL|FATAL|IO) Error: ", "", line).rstrip(".") + "."
