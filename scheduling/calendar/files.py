"""Where a calendar lies."""

from __future__ import annotations

from pathlib import Path

FILE_NAME = "calendar.toml"
IMPORTED = "calendars"  # the folder of a home that holds what was imported


def calendar_files(home: Path, given: Path | None = None) -> tuple[Path, ...]:
    """The files that make up the calendar: the one given; else the home's or the current folder's, and the imports."""
    if given is not None:
        return (given,)
    own = next((path for path in (home / FILE_NAME, Path(FILE_NAME).absolute()) if path.is_file()), None)
    return (*([own] if own else []), *sorted((home / IMPORTED).glob("*.json")))
