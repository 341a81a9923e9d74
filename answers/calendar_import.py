"""`calendar import`: the calendars of others, as windows of the home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from shipcast.answers.answer import Answer, Part
from shipcast.answers.calendar import envelope
from shipcast.answers.company import Known
from shipcast.answers.company_calendar import combined
from shipcast.answers.words import plural
from shipcast.scheduling.calendar.errors import CalendarError
from shipcast.scheduling.calendar.files import IMPORTED, calendar_files
from shipcast.scheduling.calendar.rules import Effect
from shipcast.scheduling.ledger.ledger import state_at
from shipcast.settings import Settings
from shipcast.settings.errors import UsageError


class ImportedWindow(Part):
    """A window that came of an imported calendar.

    Parameters
    ----------
    rrule
        How it recurs; null: it does not.
    openings
        When it opens besides, on the clock of `tz`.
    """

    rule: str
    kind: Literal["allow", "deny"]
    effect: str
    tz: str
    minutes: int
    rrule: str | None
    openings: tuple[str, ...]


class CalendarImportAnswer(Answer):
    """The windows that an iCalendar file came to, and the file of the home that holds them now."""

    schema_name: Literal["shipcast/calendar-import/1"] = Field("shipcast/calendar-import/1", alias="schema")
    items: tuple[ImportedWindow, ...]
    file: str


def import_ics(
    settings: Settings,
    as_of: datetime,
    source: Path,
    *,
    name: str | None = None,
    effect: Effect = "block",
    scope: Mapping[str, tuple[str, ...]] | None = None,
) -> CalendarImportAnswer:
    """Take the busy events of an iCalendar file into the home, as windows in which nothing goes.

    Parameters
    ----------
    name
        What its rules are named after; an earlier import of that name is replaced. None: the file's.

    Raises
    ------
    UsageError
        The name cannot be one of a file.
    CalendarError
        An event cannot be understood, or an id is taken; nothing was imported.
    """
    from shipcast.scheduling.calendar.imported import NAME, Wanted, write_imported
    from shipcast.scheduling.calendar.importing import imported

    chosen = source.stem if name is None else name
    if not NAME.fullmatch(chosen):
        raise UsageError(f"{chosen!r} cannot name a calendar.", next_step="Give it one with --name, such as provider.")
    windows, said = imported(source, Wanted(chosen, settings.tz, effect, scope or {}))
    check_ids(settings, chosen, [window["id"] for window in windows])
    path = write_imported(settings.home, chosen, windows)
    return CalendarImportAnswer(
        **envelope(as_of, Known()),
        sentence=f"Imported {plural(len(windows), 'window')} from {source} into {path}.",
        items=tuple(imported_window(window) for window in windows),
        warnings=tuple(said),
        file=str(path),
    )


def check_ids(settings: Settings, name: str, ids: Sequence[str]) -> None:
    """Nothing, if neither another file of the calendar nor the ledger has one of the ids."""
    others = [path for path in calendar_files(settings.home) if path != settings.home / IMPORTED / f"{name}.json"]
    taken = combined(others, state_at(settings.home)).ids
    clash = next((one for one in ids if one in taken), None)
    if clash is not None:
        raise CalendarError(f"The id {clash!r} is taken already.", next_step="Import it under another --name.")


def imported_window(window: Mapping[str, Any]) -> ImportedWindow:
    return ImportedWindow(
        rule=window["id"],
        kind=window["kind"],
        effect=window.get("effect") or window["outside"],
        tz=window["tz"],
        minutes=window["minutes"],
        rrule=window.get("rrule"),
        openings=tuple(window["dates"]),
    )
