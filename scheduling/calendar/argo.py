"""A calendar as the sync windows of an Argo CD project, and what of it such windows cannot say.

Argo CD lets an application sync while no deny window of its own is open and, where it has allow windows, one of these
is. It looks at one instant, and at what clocks show: a window lasts so long on the clock of its zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import yaml

from shipcast.scheduling.calendar.calendar import Calendar, as_datetime
from shipcast.scheduling.calendar.cron import parse_cron, plain, restriction, simulated
from shipcast.scheduling.calendar.occurrences import effect_of, whole_scope
from shipcast.scheduling.calendar.rules import BusinessHours, Freeze, TimedRule, Window
from shipcast.scheduling.calendar.scope import Subject, is_about

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
FOUR_YEARS = timedelta(days=4 * 366)  # a schedule that comes at all comes within them
LONGEST_DESCRIPTION = 255
COMMON = re.compile(r"(\*|\d+(-\d+)?)(/\d+)?")  # a term of cron that every reader understands
COMMON_WEEKDAY = re.compile(r"\*|[0-6](-[0-6])?")
NEVER = ("0 0 1 1 *", timedelta(), "UTC")

Opening = tuple[str, timedelta, str]  # cron, how long, and on the clock of which zone


@dataclass(frozen=True)
class Exported:
    """Sync windows as Argo CD's manifests write them, and what they do not say, in sentences."""

    windows: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]

    def manifest(self) -> str:
        """The part of a project's manifest that holds the windows, in YAML, below the notes."""
        whole = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "spec": {"syncWindows": [*self.windows]}}
        text = yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=1000)
        return "".join([*(comment(note) for note in self.notes), text])


def comment(text: str) -> str:
    """
    >>> comment("a\\nb: c\\0")
    '# a?b: c?\\n'
    """
    return f"# {''.join(letter if letter.isprintable() else '?' for letter in text)}\n"


@dataclass(frozen=True)
class Written:
    """A rule, and when it is in force: by one schedule, or by dates."""

    rule: TimedRule
    openings: tuple[Opening, ...]
    is_dated: bool


def sync_windows(calendar: Calendar, since: datetime, until: datetime, subject: Subject | None = None) -> Exported:
    """The calendar as sync windows: what recurs as it is, all else with the dates that it has in [since, until).

    Parameters
    ----------
    since, until
        Naive, UTC; a year at most, since a date in cron comes every year.
    subject
        Write what is about it alone, and of any region or team that it has; None: what is about any service.
    """
    rules = [rule for rule in calendar.named if rule is not None and is_about(rule, subject)]
    said = [written(rule, since, until) for rule in rules if subject is not None or not is_local(rule)]
    windows = tuple(window(one.rule, opening, subject) for one in said for opening in one.openings)
    left_out = [rule.id for rule in rules if subject is None and is_local(rule)]
    return Exported(
        windows,
        (
            *place_notes(calendar, subject, left_out),
            *rule_notes([one.rule for one in said]),
            *other_notes(calendar, subject),
            *clock_notes(said, until),
        ),
    )


def year_after(moment: datetime) -> datetime:
    """
    >>> year_after(datetime(2028, 2, 29)), year_after(datetime(2026, 12, 1))
    (datetime.datetime(2029, 3, 1, 0, 0), datetime.datetime(2027, 12, 1, 0, 0))
    """
    try:
        return moment.replace(year=moment.year + 1)
    except ValueError:
        return moment.replace(year=moment.year + 1, month=3, day=1)


def is_local(rule: TimedRule) -> bool:
    """Whether it is about some regions or teams only, of which Argo CD knows nothing."""
    scope = whole_scope(rule)
    return bool(scope.region or scope.team)


def window(rule: TimedRule, opening: Opening, subject: Subject | None) -> dict[str, Any]:
    schedule, length, zone = opening
    by_hand = {"manualSync": True} if effect_of(rule) == "approval" else {}
    return {
        "kind": "allow" if is_allow(rule) else "deny",
        "schedule": schedule,
        "duration": duration(length),
        "timeZone": zone,
        **selection(rule, subject),
        **by_hand,
        "description": ": ".join(filter(None, (rule.id, rule.reason)))[:LONGEST_DESCRIPTION],
    }


def is_allow(rule: TimedRule) -> bool:
    return isinstance(rule, Window) and rule.kind == "allow"


def selection(rule: TimedRule, subject: Subject | None) -> dict[str, Any]:
    """Which applications it is about: services are their names, environments their namespaces."""
    services = [glob_of(one) for one in rule.scope.service] if subject is None else [exactly(subject.service)]
    environments = [glob_of(one) for one in rule.scope.environment]
    if services and environments:
        return {"applications": services, "namespaces": environments, "andOperator": True}
    return {"namespaces": environments} if environments else {"applications": services or ["*"]}


def glob_of(glob: str) -> str:
    """A glob of ours in the writing of Argo CD, to which braces and backslashes mean something too.

    >>> glob_of("pay-*"), glob_of("{a}")
    ('pay-*', '\\\\{a\\\\}')
    """
    return re.sub(r"([\\{}])", r"\\\1", glob)


def exactly(name: str) -> str:
    return re.sub(r"([\\{}*?\[\]])", r"\\\1", name)


def duration(length: timedelta) -> str:
    """
    >>> duration(timedelta(minutes=90)), duration(timedelta(days=2)), duration(timedelta())
    ('1h30m', '48h', '0s')
    """
    hours, minutes = divmod(length // MINUTE, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "") or "0s"


def written(rule: TimedRule, since: datetime, until: datetime) -> Written:
    """When it is in force; an allow window that does not open in the period never does, and still shuts the rest."""
    recurring = recurrence(rule, since)
    if recurring is not None:
        return Written(rule, (recurring,), is_dated=False)
    found = tuple(dated(rule, since, until))
    return Written(rule, found or ((NEVER,) if is_allow(rule) else ()), is_dated=bool(found))


def recurrence(rule: TimedRule, since: datetime) -> Opening | None:
    """The rule as one schedule without dates; None: it is none, or never comes, which Argo CD would take for open."""
    if isinstance(rule, BusinessHours):
        return opening_hours(rule)
    if not isinstance(rule, Window) or rule.cron is None or rule.dates or rule.excepted:
        return None
    schedule = common_cron(rule.cron)
    comes = len(parse_cron(rule.cron).starts(since.date(), (since + FOUR_YEARS).date())) > 0
    return (schedule, timedelta(minutes=rule.minutes), rule.tz) if schedule and comes else None


def opening_hours(rule: BusinessHours) -> Opening | None:
    """
    >>> opening_hours(BusinessHours(id="office", tz="Europe/Berlin", days=[0, 1, 4]))
    ('0 9 * * 1-2,5', datetime.timedelta(seconds=28800), 'Europe/Berlin')
    """
    if rule.open >= DAY or rule.open % MINUTE or rule.close % MINUTE or not rule.days:
        return None
    length = (rule.close - rule.open) % DAY or DAY
    hour, minute = divmod(rule.open // MINUTE, 60)
    days = listed((day + 1) % 7 for day in rule.days)  # to cron Sunday is 0
    return f"{minute} {hour} * * {days}", length, rule.tz


def common_cron(expression: str) -> str | None:
    """The expression as every reader of cron understands it, as it is where it can be; None: not all would.

    Steps of days are written so that no reader takes their star for any day, and Sunday is 0.

    >>> common_cron("0 22 * 1-1/2 1-5"), common_cron("0 9 */2 JAN 7"), common_cron("0 9 * * 1#2")
    ('0 22 * 1 1-5', '0 9 1-31/2 1 0', None)
    """
    minute, hour, day, month, weekday = plain(expression).split()
    day, weekday = restriction(day, "1-31"), restriction(weekday, "0-6")
    read = simulated([minute, hour, day, month, weekday])
    if read is None:
        return None
    weekdays = [one % 7 if isinstance(one, int) else one for one in read.weekdays]
    fields = [
        as_common(minute, read.minutes),
        as_common(hour, read.hours),
        as_common(day, read.days),
        as_common(month, read.months),
        as_common(weekday, weekdays, COMMON_WEEKDAY),
    ]
    return None if None in fields else " ".join(filter(None, fields))


def as_common(field: str, values: Iterable[object], common: re.Pattern[str] = COMMON) -> str | None:
    """The field as it is if all understand it, else its values; None: they are no plain numbers."""
    if all(common.fullmatch(term) for term in field.split(",")):
        return field
    numbers = [number for number in values if isinstance(number, int) and number >= 0]
    return listed(numbers) if numbers and len(numbers) == len([*values]) else None


def listed(numbers: Iterable[int]) -> str:
    """Numbers in order, neighbours as a range.

    >>> listed([5, 1, 2, 3, 7])
    '1-3,5,7'
    """
    ordered = sorted(set(numbers))
    begins = [number for number in ordered if number - 1 not in ordered]
    ends = [number for number in ordered if number + 1 not in ordered]
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(begins, ends, strict=True))


def dated(rule: TimedRule, since: datetime, until: datetime) -> list[Opening]:
    """Its spans in [since, until), in UTC, which no change of clocks moves; those alike in a month as one opening."""
    days: dict[tuple[int, int, int, timedelta], list[int]] = {}
    for begin, end in whole_minutes(rule, since, until):
        days.setdefault((begin.minute, begin.hour, begin.month, end - begin), []).append(begin.day)
    return [
        (f"{minute} {hour} {listed(found)} {month} *", length, "UTC")
        for (minute, hour, month, length), found in days.items()
    ]


def whole_minutes(rule: TimedRule, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The parts of its spans in [since, until), to the minute and on the strict side."""
    spans = rule.spans(np.datetime64(since, "us"), np.datetime64(until, "us"))
    for first, last in zip(spans.starts, spans.ends, strict=True):
        begin, end = max(as_datetime(first), since), min(as_datetime(last), until)
        begin, end = (later(begin), earlier(end)) if is_allow(rule) else (earlier(begin), later(end))
        if begin < end:
            yield begin, end


def earlier(moment: datetime) -> datetime:
    """The minute that a moment lies in."""
    return moment.replace(second=0, microsecond=0)


def later(moment: datetime) -> datetime:
    """The first minute that begins at a moment or later."""
    return -((earlier(moment) - moment) // MINUTE) * MINUTE + earlier(moment)


def place_notes(calendar: Calendar, subject: Subject | None, left_out: Sequence[str]) -> Iterator[str]:
    if left_out:
        yield (
            f"Argo CD knows no regions and teams: {', '.join(left_out)} left out. With --service S all that is about "
            "that service is written."
        )
    if subject is not None and len(calendar.openings(subject)) > 1:
        yield f"Argo CD lets {subject.service} sync while one of its regions is open; the calendar wants all of them."


def rule_notes(rules: Sequence[TimedRule]) -> Iterator[str]:
    if soft := [rule.id for rule in rules if effect_of(rule) == "approval"]:
        yield f"Argo CD knows no approvals: what needs one ({', '.join(soft)}) can be synced by hand."
    if other := [rule.id for rule in rules if isinstance(rule, Freeze) and rule.emergency not in (None, rule.effect)]:
        yield f"Argo CD knows no emergencies: to them {', '.join(other)} is what it is to all changes."
    globs = [glob for rule in rules for glob in (*rule.scope.service, *rule.scope.environment)]
    if odd := sorted({glob for glob in globs if "[" in glob}):
        yield f"Argo CD may read {', '.join(odd)} otherwise: in brackets it knows one list of characters or one range."
    if any(not isinstance(rule, Window) or rule.fit == "whole" for rule in rules):
        yield "Argo CD looks at when a sync begins; whether a whole deployment fits is for the gate to see."


def other_notes(calendar: Calendar, subject: Subject | None) -> Iterator[str]:
    shared = [one.id for one in (*calendar.reserves, *calendar.capacities)]
    if unsaid := [*(cab.id for cab in calendar.cabs if is_about(cab.scope, subject)), *shared]:
        yield f"Sync windows cannot say {', '.join(unsaid)}: left out."


def clock_notes(said: Sequence[Written], until: datetime) -> Iterator[str]:
    if any(zone != "UTC" for one in said for _, _, zone in one.openings):
        yield "When clocks change, a window that is open then may begin or end up to an hour apart in Argo CD."
    if any(one.is_dated for one in said):
        yield f"Entries with a date come again each year: export anew before {until:%Y-%m-%d}."
