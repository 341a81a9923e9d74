"""Files that appear whole or not at all, and small ones that say when they were damaged."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

UNFINISHED = ".unfinished"
SEAL = "seal"


def write_whole(path: Path, parts: Iterable[str], mode: int | None = None) -> None:
    """Write text so that a crash at any moment leaves the old file or the new one: beside, fsync, rename, fsync.

    Parameters
    ----------
    mode
        Who may read and write it, from its first byte on; None: as the system has it.
    """
    with prepared(path, parts, mode):
        pass


@contextmanager
def prepared(path: Path, parts: Iterable[str], mode: int | None = None) -> Iterator[None]:
    """Text that is on the disk beside while the block runs, takes its name if that ends well, and else goes."""
    beside = path.with_name(f".{path.name}{UNFINISHED}")
    try:
        if mode is not None:
            beside.unlink(missing_ok=True)
            os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        with beside.open("w", encoding="utf-8", newline="") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        yield
        put_in_place(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def put_in_place(beside: Path, path: Path) -> None:
    """Rename a finished file or folder to its name, for good: the folder that holds it is fsynced too."""
    beside.replace(path)
    fsync(path.parent)


def fsync(path: Path) -> None:
    """Wait until a file, or the names in a folder, have reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_sealed(path: Path, facts: Mapping[str, Any], mode: int | None = None) -> None:
    """Facts as one JSON object with a digest of them, written whole."""
    write_whole(path, [sealed(facts)], mode)


def sealed(facts: Mapping[str, Any]) -> str:
    """The text of a sealed file."""
    return json.dumps({**facts, SEAL: seal(facts)})


def read_sealed(path: Path) -> dict[str, Any]:
    """The facts of a sealed file, without the seal.

    Raises
    ------
    ValueError
        It is no such file, or a byte of it has changed.
    """
    facts = read_json(path)
    if not isinstance(facts, dict) or facts.pop(SEAL, None) != seal(facts):
        raise ValueError("its seal does not fit its content")
    return facts


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises
    ------
    ValueError
        It is none.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except ValueError as error:
        raise ValueError("it is no JSON") from error


def seal(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def digest(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
