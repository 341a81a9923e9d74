"""`gate`: whether a change may ship, as a verdict for pipelines; what is not known is never taken for a go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Unpack, get_args

from pydantic import Field

from shipcast.answers.answer import Answer, Instant, Number, in_utc, naive, utc
from shipcast.answers.calendar import notes
from shipcast.answers.company import NOTHING_KNOWN, company_rules
from shipcast.answers.explain import check_ahead, period, quarter_of
from shipcast.answers.gate_checks import (
    Check,
    Deployment,
    Level,
    StartForecast,
    Verdict,
    approvals_check,
    calendar_check,
    holds_check,
    level_check,
    unread_checks,
)
from shipcast.answers.inquiry import Details, inquiry
from shipcast.answers.pricing import ASSUMED_DURATION, check_length
from shipcast.answers.reading import Reader, open_reader
from shipcast.answers.windows import Outlook, ground_warnings
from shipcast.scheduling.calendar.calendar import Calendar
from shipcast.scheduling.calendar.scope import ChangeType, Subject
from shipcast.scheduling.wanted import Constraints
from shipcast.settings import Settings
from shipcast.settings.errors import StorageError, UsageError

OnUnknown = Literal["hold", "go"]

EXIT_CODES: Mapping[Verdict, int] = {"go": 0, "hold": 10, "unknown": 11}


@dataclass(frozen=True)
class Terms:
    """When a change is to ship, and what the verdict on it goes by.

    Parameters
    ----------
    at
        When it starts (aware); null: at `as_of`.
    duration
        Null: the median of the service's past deployments.
    max_level
        The worst level that may ship.
    on_unknown
        What an unknown verdict is turned into; null: it stays unknown.
    """

    at: datetime | None = None
    duration: timedelta | None = None
    max_level: Level = "fair"
    on_unknown: OnUnknown | None = None


DEFAULTS = Terms()


class GateAnswer(Answer):
    """Whether a change may ship at a time, for a pipeline to act on.

    Parameters
    ----------
    verdict
        `hold`: a check says so. `unknown`: none does, but one cannot say. `go`: all say so.
    reasons
        Why it is so, in sentences: what the checks found that are against it, of a go what all of them found.
    found
        What the checks came to, before `on_unknown`.
    on_unknown
        What an unknown verdict was to be turned into; null: it stays unknown.
    start, end, duration_minutes
        The deployment, which the calendar is asked about to the second.
    change_type
        standard, normal or emergency; null: not said.
    outlook
        The forecast of the quarter hour in which the start lies; null: there is none.
    """

    schema_name: Literal["shipcast/gate/1"] = Field("shipcast/gate/1", alias="schema")
    verdict: Verdict
    reasons: tuple[str, ...]
    found: Verdict
    on_unknown: OnUnknown | None
    max_level: Level
    service: str
    environment: str
    change_type: str | None
    start: Instant
    end: Instant
    duration_minutes: Number
    outlook: StartForecast | None = None
    week: Outlook | None = Field(None, exclude=True)  # as `windows` gives it, to be kept with the verdict
    items: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """0 go, 10 hold, 11 unknown."""
        return EXIT_CODES[self.verdict]


def gate(
    settings: Settings,
    as_of: datetime,
    service: str,
    terms: Terms = DEFAULTS,
    **details: Unpack[Details],
) -> GateAnswer:
    """Whether a change of `service` may ship, as known at `as_of`.

    A home that cannot be read makes the verdict unknown; the calendar is kept even then, and may hold.

    Raises
    ------
    UsageError
        What is asked cannot be, or names a service or an environment that the data does not know.
    ConfigurationError
        The calendar, or a file of one's own features, cannot be used.
    """
    try:
        with open_reader(settings, as_of) as reader:
            return gate_in(reader, service, terms, **details)
    except StorageError as error:
        return unread(settings, as_of, service, error, terms, **details)


def gate_in(reader: Reader, service: str, terms: Terms = DEFAULTS, **details: Unpack[Details]) -> GateAnswer:
    """The same of a snapshot that is open; `StorageError` where it turns out not to be readable."""
    check_terms(terms, details.get("change_type"))
    start = reader.as_of if terms.at is None else in_utc(terms.at)
    quarter = quarter_of(reader, start)
    asked = inquiry(reader, service, terms.duration, lambda length: period(reader, quarter, length), **details)
    deployment = deployed(
        asked.constraints, asked.wanted.subject, start, asked.wanted.duration, asked.question.change.zone
    )
    level, foreseen = level_check(asked, terms.max_level)
    return judged(
        deployment,
        (calendar_check(deployment), approvals_check(deployment), level, holds_check(asked)),
        terms,
        **reader.envelope(),
        outlook=foreseen.start,
        week=foreseen.week,
        warnings=(
            *missing_calendar(asked.constraints.calendar, asked.files),
            *ground_warnings(asked),
            *foreseen.warnings,
        ),
    )


def unread(
    settings: Settings,
    as_of: datetime,
    service: str,
    error: StorageError,
    terms: Terms,
    *,
    environment: str = "production",
    change_type: str | None = None,
    calendar_file: Path | None = None,
    **sizes: object,
) -> GateAnswer:
    """What can be said where the home cannot be read: whether the calendar is against it."""
    check_terms(terms, change_type)
    start = as_of if terms.at is None else in_utc(terms.at)
    check_ahead(as_of, start)
    length, assumed = assumed_length(terms.duration)
    rules = company_rules(settings, as_of, NOTHING_KNOWN, calendar_file)
    constraints = Constraints(rules.calendar, naive(as_of), rules.state)
    deployment = deployed(
        constraints, NOTHING_KNOWN.subject(service, environment, change_type), start, length, settings.tz
    )
    return judged(
        deployment,
        (calendar_check(deployment), approvals_check(deployment), *unread_checks(error)),
        terms,
        generated_at=datetime.now(UTC),
        as_of=as_of,
        data_as_of=None,
        warnings=(*missing_calendar(rules.calendar, rules.files), *rules.calendar.notes, *assumed),
    )


def check_terms(terms: Terms, change_type: str | None) -> None:
    for name, value, known in (
        ("--max-level", terms.max_level, get_args(Level)),
        ("--on-unknown", terms.on_unknown, get_args(OnUnknown)),
        ("--type", change_type, get_args(ChangeType)),
    ):
        if value is not None and value not in known:
            raise UsageError(f"{name} must be {', '.join(known[:-1])} or {known[-1]}. Got {value!r} instead.")


def assumed_length(duration: timedelta | None) -> tuple[timedelta, list[str]]:
    """How long the deployment takes where nothing is known of its service, and a warning where it is not said."""
    if duration is None:
        return timedelta(minutes=ASSUMED_DURATION), [f"A duration of {ASSUMED_DURATION} minutes is assumed."]
    check_length(duration)
    return duration, []


def missing_calendar(calendar: Calendar, files: Sequence[Path]) -> tuple[str, ...]:
    """That there is no calendar at all, where there is none."""
    return () if files else notes(calendar, files)


def deployed(constraints: Constraints, subject: Subject, start: datetime, length: timedelta, zone: str) -> Deployment:
    begins = naive(start)
    return Deployment(constraints, subject, begins, begins + length, zone)


def judged(deployment: Deployment, checks: tuple[Check, ...], terms: Terms, **fields: Any) -> GateAnswer:
    """The answer that the checks add up to."""
    found, on_unknown = verdict_of(checks), terms.on_unknown
    answer = GateAnswer(
        verdict=on_unknown if on_unknown and found == "unknown" else found,
        found=found,
        on_unknown=on_unknown,
        max_level=terms.max_level,
        reasons=reasons(checks, found),
        service=deployment.subject.service,
        environment=deployment.subject.environment,
        change_type=deployment.subject.change_type,
        start=utc(deployment.start),
        end=utc(deployment.end),
        duration_minutes=deployment.length / timedelta(minutes=1),
        items=checks,
        **fields,
    )
    if answer.verdict != found:
        said = f"What is not known counts as {on_unknown} here (--on-unknown {on_unknown})."
        more = {"reasons": (*answer.reasons, said), "warnings": (*answer.warnings, said)}
        answer = answer.model_copy(update=more)
    return answer.model_copy(update={"sentence": sentence(answer, deployment)})


def verdict_of(checks: Sequence[Check]) -> Verdict:
    verdicts = {one.verdict for one in checks}
    return "hold" if "hold" in verdicts else "unknown" if "unknown" in verdicts else "go"


def reasons(checks: Sequence[Check], found: Verdict) -> tuple[str, ...]:
    """What the checks found: those that hold first, then those that cannot say; where all say go, all of them."""
    if found == "go":
        return tuple(one.detail for one in checks)
    return tuple(one.detail for verdict in ("hold", "unknown") for one in checks if one.verdict == verdict)


def sentence(answer: GateAnswer, deployment: Deployment) -> str:
    """The answer in one sentence, and the first reason.

    "Hold: pay may not ship to production at Tue 2 Jun 12:00 (Europe/London). Blocked by year-end until ..."
    """
    when = f"{answer.service} {{}} to {answer.environment} at {deployment.said(answer.start)}"
    if answer.verdict == "unknown":
        return f"Cannot say whether {when.format('may ship')}. {answer.reasons[0]}"
    if answer.verdict == "hold":
        return f"Hold: {when.format('may not ship')}. {answer.reasons[0]}"
    if answer.found == "unknown":
        return f"Go, though not all is known: {when.format('may ship')}. {answer.reasons[0]}"
    level = next(one.detail for one in answer.items if one.check == "level")
    return f"Go: {when.format('may ship')}. {level}"
