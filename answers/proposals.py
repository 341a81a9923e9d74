"""`calendar propose`: windows for the calendar, from the times that people marked as unusable."""

from __future__ import annotations

import glob
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from shipcast.answers.answer import Answer, Count, Part, Share
from shipcast.answers.calendar import envelope, subject_warnings
from shipcast.answers.company import NOTHING_KNOWN, Known, company_rules, known_in
from shipcast.answers.failure_quality import interval_said
from shipcast.answers.metric_queries import IS_FAILED
from shipcast.answers.reading import Reader, open_reader
from shipcast.answers.statistics import wilson
from shipcast.answers.words import listing, plural, share
from shipcast.scheduling.calendar.calendar import Calendar
from shipcast.scheduling.calendar.imported import numbered
from shipcast.scheduling.calendar.policy import BLOCKED
from shipcast.scheduling.calendar.rules import Window
from shipcast.scheduling.calendar.zones import microseconds
from shipcast.scheduling.ledger.patterns import WEEKDAYS, Mark, Pattern, is_of_a_day, patterns
from shipcast.settings import Settings
from shipcast.warehouse.errors import NothingPublished

YEAR = timedelta(days=365)
REASONS, LONGEST_STEM = 3, 150
STARTED = f"""
select started_at, settled_at <= $as_of or {IS_FAILED} as is_settled, {IS_FAILED} as is_failed
from fct_deployments
where service = $service and (environment = $environment or ($environment = 'production' and is_production))
    and started_at <= $as_of and started_at >= $since and status <> 'cancelled' and rollback_of is null
"""


class ShippedThen(Part):
    """The deployments of a service that started at the times of a proposal all the same, in the last year.

    Parameters
    ----------
    settled, failures
        Of how many the outcome is known, and how many of these failed.
    rate, low, high
        The share that failed, with its Wilson 95 % interval. Null: no outcome is known.
    """

    started: Count
    settled: Count
    failures: Count
    rate: Share | None
    low: Share | None
    high: Share | None


class ProposedWindow(Part):
    """A deny window that marks speak for.

    Parameters
    ----------
    rule
        The id it would have.
    weekday, opens
        On the clock of `tz`.
    marks
        The numbers of their entries in the ledger.
    weeks
        How many different weeks they are of.
    reasons
        Theirs, the most frequent first.
    shipped
        Null: nothing is known of deployments.
    is_weak
        Whether as many deployments or more started at these times in the last year as there are weeks that were marked.
    toml
        What to put into a calendar file.
    """

    rule: str
    service: str
    environment: str
    weekday: str
    opens: str
    minutes: Count
    tz: str
    cron: str
    marks: tuple[Count, ...]
    weeks: Count
    reasons: tuple[str, ...]
    shipped: ShippedThen | None
    is_weak: bool
    says: str
    toml: str


class CalendarProposeAnswer(Answer):
    """The windows that marks speak for.

    Parameters
    ----------
    marks
        How many marks were looked at.
    toml
        All of them as a part of a calendar file, with the evidence as comments; empty where there are none.
    """

    schema_name: Literal["shipcast/calendar-propose/1"] = Field("shipcast/calendar-propose/1", alias="schema")
    items: tuple[ProposedWindow, ...]
    marks: Count
    toml: str


def propose(
    settings: Settings,
    as_of: datetime,
    *,
    service: str | None = None,
    environment: str | None = None,
    least: int = 3,
    calendar_file: Path | None = None,
) -> CalendarProposeAnswer:
    """The deny windows that marks of at least `least` weeks speak for, as known at `as_of`; nothing is written.

    Raises
    ------
    CalendarError
        The calendar cannot be used.
    LedgerBroken
        An entry of the ledger is not as it was written.
    """
    with ExitStack() as stack:
        reader = None
        with suppress(NothingPublished):
            reader = stack.enter_context(open_reader(settings, as_of))
        known = NOTHING_KNOWN if reader is None else known_in(reader)
        rules = company_rules(settings, as_of, known, calendar_file)
        place = None if environment is None else known.place(environment)
        marks = [
            one
            for one in rules.state.marks
            if service in (None, one.body.service) and place in (None, one.body.environment)
        ]
        return proposed(settings, as_of, marks, rules.calendar, least, service, known, reader)


def proposed(
    settings: Settings,
    as_of: datetime,
    marks: Sequence[Mark],
    calendar: Calendar,
    least: int,
    service: str | None,
    known: Known,
    reader: Reader | None,
) -> CalendarProposeAnswer:
    weekly = replace(calendar, freezes=(), holidays=(), cache={})
    open_marks = [one for one in marks if not is_blocked(one, weekly, known)]
    short = [one for one in open_marks if is_of_a_day(one)]
    found = patterns(short, lambda name: known.service(name).zone or settings.tz, least)
    items = tuple(item(one, rule, reader) for one, rule in zip(found, rule_ids(found, calendar), strict=True))
    asked = [] if service is None else [known.subject(service, "production", None)]
    return CalendarProposeAnswer(
        **envelope(as_of, known),
        sentence=sentence(len(marks), len(items), least, service),
        items=items,
        marks=len(marks),
        toml="\n".join(one.toml for one in items),
        warnings=(
            *left_out(
                len(marks) - len(open_marks), "at times that a window or business hours of the calendar block anyway"
            ),
            *left_out(len(open_marks) - len(short), "over more than a day, which is no time of the week"),
            *subject_warnings(Calendar(), asked, known),
            *(reader.warnings() if reader and items else ()),
        ),
    )


def left_out(number: int, why: str) -> list[str]:
    lies = "lies" if number == 1 else "lie"
    return [f"{plural(number, 'mark')} {lies} {why}: left out."] if number else []


def is_blocked(mark: Mark, calendar: Calendar, known: Known) -> bool:
    """Whether the calendar blocks some of it already, so that it says nothing new."""
    body = mark.body
    subject = known.subject(body.service, body.environment, None)
    return bool(calendar.refusing(subject, BLOCKED, np.datetime64(body.start, "us"), body.end - body.start))


def rule_ids(found: Sequence[Pattern], calendar: Calendar) -> Iterator[str]:
    """An id for each that no rule has."""
    taken = set(calendar.ids)
    for one in found:
        stem = f"unusable-{one.service}-{one.environment}"[:LONGEST_STEM]
        yield numbered(f"{stem}-{WEEKDAYS[one.weekday][:3].lower()}-{one.time_of_day.replace(':', '')}", taken)


def item(one: Pattern, rule: str, reader: Reader | None) -> ProposedWindow:
    reasons = tuple(reason for reason, _ in Counter(plain(mark.body.reason) for mark in one.marks).most_common())
    shipped = None if reader is None else shipped_then(one, reader)
    is_weak = shipped is not None and shipped.started >= one.weeks
    lines = [*evidence(one, reasons), *shipped_said(shipped, is_weak=is_weak)]
    return ProposedWindow(
        rule=rule,
        service=one.service,
        environment=one.environment,
        weekday=WEEKDAYS[one.weekday],
        opens=one.time_of_day,
        minutes=one.minutes,
        tz=one.tz,
        cron=one.cron,
        marks=tuple(mark.number for mark in one.marks),
        weeks=one.weeks,
        reasons=reasons,
        shipped=shipped,
        is_weak=is_weak,
        says=" ".join(lines),
        toml=toml(one, rule, reasons, lines),
    )


def plain(text: str) -> str:
    """The text on one line, of characters that can be seen."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def shipped_then(one: Pattern, reader: Reader) -> ShippedThen:
    since = reader.at - YEAR
    window = Window.model_validate(
        {"id": "proposed", "kind": "deny", "cron": one.cron, "minutes": one.minutes, "tz": one.tz}
    )
    spans = window.spans(np.datetime64(since, "us"), np.datetime64(reader.at, "us") + np.timedelta64(1, "us"))
    rows = reader.rows(STARTED, service=one.service, environment=one.environment, since=since)
    is_then = spans.contain(microseconds(started for started, *_ in rows))
    then = [row for row, lies in zip(rows, is_then.tolist(), strict=True) if lies]
    outcomes = [bool(is_failed) for _, is_settled, is_failed in then if is_settled]
    low, high = wilson(sum(outcomes), len(outcomes)) or (None, None)
    return ShippedThen(
        started=len(then),
        settled=len(outcomes),
        failures=sum(outcomes),
        rate=sum(outcomes) / len(outcomes) if outcomes else None,
        low=low,
        high=high,
    )


def evidence(one: Pattern, reasons: Sequence[str]) -> Iterator[str]:
    """Which time it is, and who speaks for it, in sentences."""
    name = plain(f"{one.service} to {one.environment}")
    yield f"{name}, {WEEKDAYS[one.weekday]} from {one.time_of_day} for {one.minutes} minutes ({one.tz})."
    numbers = listing([str(mark.number) for mark in one.marks])
    entries = "entry" if len(one.marks) == 1 else "entries"
    yield f"{plural(len(one.marks), 'mark')} of {plural(one.weeks, 'week')} ({entries} {numbers}): {why(reasons)}."


def why(reasons: Sequence[str]) -> str:
    """The reasons that were given most, and how many others.

    >>> why(["stock count", "batch", "audit", "fair", "strike"])
    'stock count; batch; audit; and 2 more'
    """
    more = [f"and {len(reasons) - REASONS} more"] if len(reasons) > REASONS else []
    return "; ".join([*reasons[:REASONS], *more])


def shipped_said(shipped: ShippedThen | None, *, is_weak: bool) -> Iterator[str]:
    """What was shipped at these times all the same, in sentences."""
    if shipped is None:
        yield "Nothing is known of deployments at these times."
        return
    if not shipped.started:
        yield "No deployment started at these times in the last year."
        return
    said = f"{plural(shipped.started, 'deployment')} started at these times in the last year all the same"
    if shipped.rate is None or shipped.low is None or shipped.high is None:
        yield f"{said}; how they ended is not known yet."
    else:
        between = f"{share(shipped.rate)}, {interval_said(shipped.low, shipped.high)}"
        yield f"{said}; of {shipped.settled:,} that have settled {shipped.failures:,} failed ({between})."
    if is_weak:
        yield "That is as often as it was marked, or more: marks that people ignore are weak evidence."


def toml(one: Pattern, rule: str, reasons: Sequence[str], lines: Sequence[str]) -> str:
    """The window as a calendar file has it, below what speaks for it as comments."""
    service, environment = (quoted(glob.escape(name)) for name in (one.service, one.environment))
    keys = {
        "id": quoted(rule),
        "kind": quoted("deny"),
        "cron": quoted(one.cron),
        "minutes": str(one.minutes),
        "tz": quoted(one.tz),
        "scope": f"{{ service = [{service}], environment = [{environment}] }}",
        "reason": quoted(f"marked as unusable: {why(reasons)}"),
    }
    comments = "".join(f"# {line}\n" for line in lines)
    return f"{comments}[[window]]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())


def quoted(text: str) -> str:
    """A string of TOML, with what cannot be seen as its code.

    >>> print(quoted('a "b" \\x7f'))
    "a \\"b\\" \\u007f"
    """
    return "".join(
        letter if letter.isprintable() else f"\\U{ord(letter):08x}" if ord(letter) > 0xFFFF else f"\\u{ord(letter):04x}"
        for letter in json.dumps(text, ensure_ascii=False)
    )


def sentence(marks: int, items: int, least: int, service: str | None) -> str:
    about = f" for {service}" if service else ""
    if not marks:
        return (
            f"No time is marked as unusable{about}. Who is advised a time that does not suit marks it with `shipcast "
            "unusable SERVICE --start T --duration 45m --reason TEXT`; what comes again in other weeks is proposed."
        )
    if not items:
        return f"{plural(marks, 'mark')}{about}, and no time of the week that marks of {plural(least, 'week')} share."
    are = "is" if items == 1 else "are"
    return (
        f"{plural(items, 'window')} {are} proposed{about} from {plural(marks, 'mark')}; "
        "nothing changes until you put it into the calendar."
    )
