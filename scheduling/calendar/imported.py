"""Calendars of others in the home: how they are asked for, what their windows are called, and where these lie."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shipcast.scheduling.calendar.errors import CalendarError
from shipcast.scheduling.calendar.files import IMPORTED
from shipcast.scheduling.calendar.reading import LARGEST
from shipcast.scheduling.calendar.rules import Effect
from shipcast.settings.files import write_whole

LONGEST_ID = 80
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


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


def name_after(label: str) -> str:
    """The name of the import of a source, by what messages call that; no two sources share one.

    >>> name_after("argocd argocd.example.com shop"), name_after("argocd localhost:8080")
    ('argocd_argocd.example.com_shop', 'argocd_localhost_8080-28d26488')
    """
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", label)
    if plain == label.replace(" ", "_") and NAME.fullmatch(plain):
        return plain
    return f"{plain[:50]}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"


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


def write_imported(home: Path, name: str, windows: list[dict[str, Any]]) -> Path:
    """Write the windows as a calendar file of their own into the home, in the place of one of that name.

    A file that holds them already is left alone.
    """
    folder = home / IMPORTED
    path = folder / f"{name}.json"
    text = json.dumps({"window": windows}, indent=1, ensure_ascii=False) + "\n"
    content = text.encode("utf-8", "replace")  # half of a pair of surrogates is no letter
    if len(content) > LARGEST:
        raise CalendarError(
            f"What was read makes a calendar of more than {LARGEST // 2**20} MiB.", next_step="Nothing was imported."
        )
    if not (path.is_file() and path.read_bytes() == content):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, [content.decode()])
    return path
