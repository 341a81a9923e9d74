"""Questions to a calendar, one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

from shipcast.scheduling.calendar.calendar import LONGEST
from shipcast.scheduling.calendar.scope import ChangeType, Subject
from shipcast.scheduling.json_objects import NoObject, read_object
from shipcast.settings.errors import InputRefused
from shipcast.settings.instants import FIRST_YEAR, LAST_YEAR

KEYS = ("service", "environment", "regions", "team", "change_type", "start", "end", "id")
EXAMPLE = '{"service": "pay", "start": "2026-01-05T10:00Z", ...}'


@dataclass(frozen=True)
class Question:
    """Whether a subject may ship in [start, end) (naive, UTC); where both are equal, at that instant.

    Parameters
    ----------
    id
        The asker's own name for it.
    are_regions_said, is_team_said
        Whether the asker said so, also that there is none.
    """

    subject: Subject
    start: datetime
    end: datetime
    id: str | None = None
    are_regions_said: bool = False
    is_team_said: bool = False

    def completed(self, regions: tuple[str, ...], team: str | None) -> Question:
        """The question with what is known of the service where the asker didn't say."""
        subject = replace(
            self.subject,
            regions=self.subject.regions if self.are_regions_said else regions,
            team=self.subject.team if self.is_team_said else team,
        )
        return replace(self, subject=subject)


class WrongQuestion(ValueError):
    """What is wrong with a question, as a sentence without its end."""


def read_questions(lines: Iterable[str], name: str, zone: str) -> tuple[list[Question], list[str]]:
    """The questions in their order, and the keys that none of them has a use for.

    Parameters
    ----------
    name
        Of the file, for what is said of it.
    zone
        That of times without an offset.

    Raises
    ------
    InputRefused
        A line is no question; it is named, and none is answered.
    """
    found, unknown = [], set()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            given = read_object(line, EXAMPLE)
            found.append(question(given, zone))
            unknown |= given.keys() - set(KEYS)
        except (NoObject, WrongQuestion) as error:
            raise InputRefused(
                f"{name}:{number}: {error}.", next_step="No question was answered.", file=name, line=number
            ) from error
    return found, sorted(unknown)


def question(given: Mapping[str, Any], zone: str) -> Question:
    """The question that an object asks.

    Raises
    ------
    WrongQuestion
        A key lacks, or its value cannot be.
    """
    service = text(given, "service")
    if not service:
        raise WrongQuestion("it lacks the service")
    regions, change_type = names(given, "regions"), text(given, "change_type")
    if change_type is not None and change_type not in get_args(ChangeType):
        raise WrongQuestion(f"change_type must be standard, normal or emergency. Got {change_type!r} instead")
    start, end = instant(given, "start", zone), instant(given, "end", zone)
    check_period(start, end)
    said = text(given, "id")
    environment = text(given, "environment") or "production"
    subject = Subject(service, environment, regions or (), text(given, "team"), change_type)
    return Question(subject, start, end, said, regions is not None, given.get("team") is not None)


def check_period(start: datetime, end: datetime) -> None:
    if end < start:
        raise WrongQuestion(f"end {end.isoformat()}Z lies before start {start.isoformat()}Z")
    if end - start > LONGEST:
        raise WrongQuestion(f"from start to end is more than {LONGEST // timedelta(days=1)} days")


def text(given: Mapping[str, Any], key: str) -> str | None:
    value = given.get(key)
    if key == "id" and isinstance(value, int):
        return str(value)
    if value is not None and not isinstance(value, str):
        raise WrongQuestion(f"{key} must be text. Got {str(value)[:60]!r} instead")
    return value


def names(given: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    """A list of names, or several in one text, apart by `;`; None: not said."""
    value = given.get(key)
    if isinstance(value, str):
        value = [part.strip() for part in value.split(";") if part.strip()]
    if value is not None and (not isinstance(value, list) or not all(isinstance(one, str) for one in value)):
        raise WrongQuestion(f"{key} must be a list of names. Got {str(value)[:60]!r} instead")
    return None if value is None else tuple(value)


def instant(given: Mapping[str, Any], key: str, zone: str) -> datetime:
    """A time as a naive one in UTC."""
    value = text(given, key)
    if value is None:
        raise WrongQuestion(f"it lacks the {key}")
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise WrongQuestion(f"{key} must be a time such as 2026-01-05T10:00Z. Got {value[:60]!r} instead") from error
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise WrongQuestion(
            f"{key} must lie between the years {FIRST_YEAR} and {LAST_YEAR}. Got {value[:60]!r} instead"
        )
    aware = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
    return aware.astimezone(UTC).replace(tzinfo=None)
