"""Calendars of others in the home: how they are asked for, what their windows are called, and where these lie."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shipcast.scheduling.calendar.errors import CalendarError
from shipcast.scheduling.calendar.reading import LARGEST
from shipcast.scheduling.calendar.rules import Effect
from shipcast.settings.files import write_whole

LONGEST_ID = 80


@dataclass(frozen=True)
class Wanted:
    """How an imported calendar is taken.

    Parameters
    ----------
    name
        What its rules are named after, and the file that holds them.
    zone
        That of times that float, and of whole days, where the file names none.
    effect, scope
        Of its windows.
    """

    name: str
    zone: str
    effect: Effect = "block"
    scope: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise CalendarError(f"{path}: a calendar has at most {LARGEST // 2**20} MiB.", file=str(path))
        return path.read_bytes()
    except OSError as error:
        raise CalendarError(f"{path}: {error.strerror or error}.", file=str(path)) from error


def unused(name: str, summary: str, taken: set[str]) -> str:
    """An id of its own, after the summary."""
    plain = "".join(letter if letter.isprintable() else " " for letter in summary)
    return numbered(f"{name}/{' '.join(plain.split())[:LONGEST_ID] or 'event'}", taken)


def numbered(stem: str, taken: set[str]) -> str:
    """The stem, with a number behind it where it is taken; it is taken from then on.

    >>> taken = {"a", "a-2"}
    >>> numbered("a", taken), numbered("b", taken), sorted(taken)
    ('a-3', 'b', ['a', 'a-2', 'a-3', 'b'])
    """
    found, number = stem, 1
    while found in taken:
        number += 1
        found = f"{stem}-{number}"
    taken.add(found)
    return found


def write_imported(path: Path, windows: list[dict[str, Any]]) -> Path:
    """Write the windows as a calendar file of their own, in the place of one of that path, which is given back.

    A file that holds them already is left alone.
    """
    text = json.dumps({"window": windows}, indent=1, ensure_ascii=False) + "\n"
    content = text.encode("utf-8", "replace")  # half of a pair of surrogates is no letter
    if len(content) > LARGEST:
        raise CalendarError(
            f"What was read makes a calendar of more than {LARGEST // 2**20} MiB.", next_step="Nothing was imported."
        )
    if not (path.is_file() and path.read_bytes() == content):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, [content.decode()])
    return path
