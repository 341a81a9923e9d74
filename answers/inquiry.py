"""One change that is asked about, with all that an answer about it rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TypedDict, get_args

from shipcast.answers.admission import Admission, admission
from shipcast.answers.company import Known, company_constraints, company_rules, known_in
from shipcast.answers.errors import UnknownName
from shipcast.answers.pricing import Models, Question, asked, forecaster, known_change, known_duration
from shipcast.answers.reading import Reader
from shipcast.features.clock import Instants
from shipcast.features.history import History
from shipcast.scheduling.calendar.scope import ChangeType
from shipcast.scheduling.wanted import Constraints, Wanted

Period = Callable[[timedelta], tuple[datetime | None, datetime | None]]


class Details(TypedDict, total=False):
    """What may be said of a change; what is not is taken as typical of its service, and a warning says so.

    Attributes
    ----------
    environment
        Where to; default: production.
    lines, files
        How many it changes.
    change_type
        standard, normal or emergency.
    calendar_file
        The calendar to keep instead of the company's own.
    """

    environment: str
    lines: int | None
    files: int | None
    change_type: str | None
    calendar_file: Path | None


@dataclass(frozen=True)
class Inquiry:
    """The question with its defaults, the forecasts that price it, and what its starts have to keep.

    Attributes
    ----------
    known, files
        The company's services, and the files that its calendar was read from.
    assumed
        What was taken as typical since it was not said, in sentences.
    """

    reader: Reader
    history: History
    question: Question
    constraints: Constraints
    wanted: Wanted
    known: Known
    files: tuple[Path, ...]
    assumed: tuple[str, ...] = ()

    @cached_property
    def models(self) -> Models:
        """The forecasts, made when they are first looked at; a `ModelError` there leaves the rest as it is."""
        return forecaster(self.reader, self.history.environment).models(self.question.change)

    def admission(self, starts: Instants) -> Admission:
        return admission(self.constraints, self.wanted, starts)


def inquiry(
    reader: Reader,
    service: str,
    duration: timedelta | None,
    period: Period,
    top: int = 1,
    *,
    environment: str = "production",
    lines: int | None = None,
    files: int | None = None,
    change_type: str | None = None,
    calendar_file: Path | None = None,
) -> Inquiry:
    """What is asked about a change of `service`, as known at the reader's `as_of`.

    Parameters
    ----------
    duration
        Null: the median of the service's past deployments, and a warning says so.
    period
        Gives the first start and the last end (aware) for a length; null: the default.

    Raises
    ------
    UnknownName
        No service or environment of that name is known; the nearest are named.
    UsageError
        A duration or number of windows that is not positive, a negative size, an unknown type, or an end past 35 days.
    CalendarError
        The calendar cannot be used.
    """
    check_type(change_type)
    reader.check_environment(environment)
    history = reader.history(environment)
    change = known_change(history, service, lines, files, change_type)
    known = known_in(reader)
    rules = reader.once(
        ("rules", calendar_file), lambda: company_rules(reader.settings, reader.as_of, known, calendar_file)
    )
    length, assumed = known_duration(history, service, duration)
    question = asked(reader, change, environment, length, *period(length), top)
    subject = known.subject(service, environment, change_type)
    wanted = Wanted(service, subject, length, question.earliest, question.latest)
    return Inquiry(
        reader,
        history,
        question,
        company_constraints(reader, known, [history], [service], rules),
        wanted,
        known,
        rules.files,
        tuple(assumed),
    )


def check_type(change_type: str | None) -> None:
    known = get_args(ChangeType)
    if change_type is not None and change_type not in known:
        raise UnknownName("type of change", change_type, known)
