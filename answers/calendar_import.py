"""`calendar import`: the calendars of others, as windows of the home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from shipcast.answers.answer import Answer, Part
from shipcast.answers.calendar import envelope
from shipcast.answers.company import Known
from shipcast.answers.company_calendar import combined
from shipcast.answers.words import plural
from shipcast.scheduling.calendar.errors import CalendarError
from shipcast.scheduling.calendar.files import IMPORTED, NAME, calendar_files, name_after, path_of
from shipcast.scheduling.calendar.rules import Effect
from shipcast.scheduling.ledger.ledger import state_at
from shipcast.settings import Settings
from shipcast.settings.errors import StorageError, UsageError
from shipcast.settings.sources import ArgocdSource
from shipcast.warehouse.damage import told

if TYPE_CHECKING:
    from shipcast.ingest.remote.sync_windows import SyncWindow
    from shipcast.scheduling.calendar.imported import Wanted


class ImportedWindow(Part):
    """A window that came of an imported calendar.

    Parameters
    ----------
    rrule, cron
        How it recurs, by one of these; null: not by it.
    openings
        When it opens besides, on the clock of `tz`.
    scope
        Globs by key; a key that is missing holds for all.
    """

    rule: str
    kind: Literal["allow", "deny"]
    effect: str
    tz: str
    minutes: int
    rrule: str | None
    cron: str | None
    openings: tuple[str, ...]
    scope: dict[str, tuple[str, ...]]


class CalendarImportAnswer(Answer):
    """The windows that another calendar came to, and the file of the home that holds them now."""

    schema_name: Literal["shipcast/calendar-import/1"] = Field("shipcast/calendar-import/1", alias="schema")
    items: tuple[ImportedWindow, ...]
    file: str


ImportFormat = Literal["ics", "argocd"]
MANIFESTS = (".yaml", ".yml")
STAY = "Those that were read last stay in force."


def import_calendar(
    settings: Settings,
    as_of: datetime,
    source: Path,
    *,
    name: str | None = None,
    effect: Effect | None = None,
    scope: Mapping[str, tuple[str, ...]] | None = None,
    form: ImportFormat | None = None,
) -> CalendarImportAnswer:
    """Take another calendar into the home: the busy events of an iCalendar file, or the sync windows of a manifest.

    Parameters
    ----------
    name
        What its rules are named after; an earlier import of that name is replaced. None: the file's.
    effect
        Of events; None: block. Sync windows say it themselves.
    scope
        Of events; of what a sync window leaves open.
    form
        None: a file named `.yaml` or `.yml` is a manifest of Argo CD, any other iCalendar.

    Raises
    ------
    UsageError
        The name cannot be one of a file, or an effect is given with a manifest.
    CalendarError
        An event or a window cannot be understood, or an id is taken; nothing was imported.
    """
    from shipcast.scheduling.calendar.imported import Wanted

    chosen = source.stem if name is None else name
    if not NAME.fullmatch(chosen):
        raise UsageError(f"{chosen!r} cannot name a calendar.", next_step="Give it one with --name, such as provider.")
    is_manifest = form == "argocd" or (form is None and source.suffix.lower() in MANIFESTS)
    if is_manifest and effect is not None:
        raise UsageError("Sync windows say themselves what they need (manualSync). Leave --effect out.")
    windows, said = read(source, Wanted(chosen, settings.tz, effect or "block", scope or {}), is_manifest=is_manifest)
    path = settings.home / IMPORTED / f"{chosen}.json"
    keep(settings, path, windows)
    return CalendarImportAnswer(
        **envelope(as_of, Known()),
        sentence=f"Imported {plural(len(windows), 'window')} from {source} into {path}.",
        items=tuple(imported_window(window) for window in windows),
        warnings=tuple(said),
        file=str(path),
    )


def read(source: Path, wanted: Wanted, *, is_manifest: bool) -> tuple[list[dict[str, Any]], list[str]]:
    """The windows of the file, as a calendar file has them, and what is to be said of it."""
    if is_manifest:
        from shipcast.scheduling.calendar.argo_manifest import imported_manifest

        return imported_manifest(source, wanted)
    from shipcast.scheduling.calendar.importing import imported

    return imported(source, wanted)


def keep(settings: Settings, path: Path, windows: list[dict[str, Any]]) -> None:
    """Let a file of the home hold the windows.

    Raises
    ------
    CalendarError
        An id is taken.
    """
    from shipcast.scheduling.calendar.imported import write_imported

    check_ids(settings, path, [window["id"] for window in windows])
    write_imported(path, windows)


def keep_sync_windows(settings: Settings, source: ArgocdSource, windows: Sequence[SyncWindow]) -> list[str]:
    """Let the sync windows of a source be windows of the calendar, in the place of its last ones; what is to be said.

    Raises
    ------
    CalendarError
        One cannot be understood, or an id is taken; the last ones stay in force.
    """
    from shipcast.scheduling.calendar.argo_reading import of_server, understood

    name = name_after(source.label)
    found = understood(source.label, ((one.project, one.number, one.given) for one in windows), STAY)
    made, said = of_server(name, found, windows, names_project=source.project is None)
    path = path_of(settings.home, source)
    try:
        with told(path):
            keep(settings, path, made)  # though there be none, so that it is known that they were read
    except (CalendarError, StorageError) as error:
        detail = f"{source.label}: its sync windows were not taken. {error.detail}"
        raise CalendarError(detail, next_step=STAY, lines=error.lines) from error
    return [f"{source.label}: {each}" for each in said]


def check_ids(settings: Settings, path: Path, ids: Sequence[str]) -> None:
    """Nothing, if neither another file of the calendar nor the ledger has one of the ids."""
    others = [other for other in calendar_files(settings) if other != path]
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
        cron=window.get("cron"),
        openings=tuple(window.get("dates", ())),
        scope={key: tuple(globs) for key, globs in window.get("scope", {}).items()},
    )
