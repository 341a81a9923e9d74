"""`calendar export`: what is in force, as a file for calendar programs or for Argo CD."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from shipcast.answers.answer import Answer, naive
from shipcast.answers.calendar import InForce, Listed, envelope, listed
from shipcast.answers.company import Known
from shipcast.scheduling.calendar.scope import Subject
from shipcast.settings import Settings
from shipcast.settings.errors import UsageError
from shipcast.settings.files import write_whole

ExportFormat = Literal["ics", "argocd"]


class CalendarExportAnswer(Answer):
    """What is in force in a period, as a file for other programs.

    Parameters
    ----------
    format
        `ics`: an iCalendar file. `argocd`: sync windows of an Argo CD project, in YAML.
    file
        Where it was written to; null: it stands in `ics`, or in `argocd`.
    """

    schema_name: Literal["shipcast/calendar-export/1"] = Field("shipcast/calendar-export/1", alias="schema")
    items: tuple[InForce, ...]
    files: tuple[str, ...]
    format: ExportFormat
    file: str | None
    ics: str | None
    argocd: str | None


def export(
    settings: Settings,
    as_of: datetime,
    since: datetime,
    until: datetime,
    *,
    calendar_file: Path | None = None,
    subject: Subject | None = None,
    target: Path | None = None,
    form: ExportFormat = "ics",
) -> CalendarExportAnswer:
    """What is in force in [since, until), aware, and what is booked, as a file for other programs.

    Parameters
    ----------
    target
        The file to write; of one of events that is there already those that did not change are kept as they are, those
        that did are numbered one higher, and bookings that were undone since are cancelled. None: the text is in the
        answer.

    Raises
    ------
    UsageError
        The period is empty or longer than 366 days; for Argo CD, longer than a year.
    CalendarError
        The calendar cannot be used.
    """
    whole = listed(settings, as_of, since, until, calendar_file, subject)
    found = whole.answer
    said: tuple[str, ...] = ()
    if form == "ics":
        text = events(whole, as_of, target)
    else:
        text, said = argo_windows(whole)
    if target is not None:
        write_whole(target, [text])
    where = "" if target is None else f" Wrote {target}."
    return CalendarExportAnswer(
        **envelope(as_of, Known(data_as_of=found.data_as_of)),
        sentence=f"{found.sentence}{where}",
        items=found.items,
        warnings=(*found.warnings, *said),
        files=found.files,
        format=form,
        file=None if target is None else str(target),
        ics=text if target is None and form == "ics" else None,
        argocd=text if target is None and form == "argocd" else None,
    )


def events(whole: Listed, as_of: datetime, target: Path | None) -> str:
    """As an iCalendar file, which goes on from the one at `target`."""
    from shipcast.scheduling.calendar.exporting import occurrences_ics

    earlier = target.read_bytes() if target is not None and target.exists() else None
    return occurrences_ics(whole.found, as_of, earlier, whole.given_back).decode("utf-8")


def argo_windows(whole: Listed) -> tuple[str, tuple[str, ...]]:
    """As a manifest of Argo CD's sync windows; and what these don't say."""
    from shipcast.scheduling.calendar.argo import sync_windows, year_after

    begins, ends = naive(whole.answer.period_start), naive(whole.answer.period_end)
    if ends > year_after(begins):
        raise UsageError("For Argo CD the period is a year at most: its cron names no year.")
    found = sync_windows(whole.calendar, begins, ends, whole.about)
    return found.manifest(), found.notes
