"""What is in force in a period, rule by rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from shipcast.scheduling.calendar.calendar import Calendar, as_datetime
from shipcast.scheduling.calendar.rules import BusinessHours, Cab, Freeze, Holidays, Reserve, TimedRule, Window
from shipcast.scheduling.calendar.scope import Scope, Subject, fits, is_about
from shipcast.scheduling.calendar.zones import clock

Kind = Literal["allow", "deny", "freeze", "holidays", "business_hours", "cab", "reserve", "booking"]


@dataclass(frozen=True)
class Occurrence:
    """A span in which a rule is in force (naive, UTC); of a meeting both ends are when it begins.

    Parameters
    ----------
    effect
        What a change in it needs, of an allow window what one outside of it needs; None: it refuses nothing by itself.
    tz
        The zone on whose clock the rule is written.
    note
        What else there is to say of it.
    title
        What a calendar program shows; None: the rule and its kind.
    """

    rule: str
    kind: Kind
    effect: str | None
    start: datetime
    end: datetime
    tz: str
    scope: Scope
    note: str
    title: str | None = None


def occurrences(
    calendar: Calendar, since: datetime, until: datetime, subject: Subject | None = None
) -> list[Occurrence]:
    """All that meet [since, until), in order of their starts; those about a subject, where one is given."""
    period = np.datetime64(since, "us"), np.datetime64(until, "us")
    found = [
        *(one for rule in calendar.named if rule and is_about(rule, subject) for one in of_rule(rule, *period)),
        *(one for cab in calendar.cabs if is_about(cab.scope, subject) for one in meetings(cab, *period)),
        *(one for reserve in calendar.reserves if holds(reserve, subject) for one in rooms(reserve, *period)),
    ]
    return sorted(found, key=lambda one: one.start)


def holds(reserve: Reserve, subject: Subject | None) -> bool:
    return subject is None or fits(reserve.environment, subject.environment)


def of_rule(rule: TimedRule, since: np.datetime64, until: np.datetime64) -> Iterator[Occurrence]:
    spans = rule.spans(since, until)
    kind, effect, scope = kind_of(rule), effect_of(rule), whole_scope(rule)
    for start, end in zip(spans.starts, spans.ends, strict=True):
        note = ", ".join(filter(None, (names_in(rule, start, end), rule.reason)))
        yield Occurrence(rule.id, kind, effect, as_datetime(start), as_datetime(end), rule.tz, scope, note)


def kind_of(rule: TimedRule) -> Kind:
    if isinstance(rule, Window):
        return rule.kind
    return "freeze" if isinstance(rule, Freeze) else "holidays" if isinstance(rule, Holidays) else "business_hours"


def effect_of(rule: TimedRule) -> str | None:
    return rule.outside if isinstance(rule, Window) and rule.kind == "allow" else rule.strength(None)


def whole_scope(rule: TimedRule) -> Scope:
    """The rule's scope, with the regions that it names beside."""
    regions = rule.region if isinstance(rule, Holidays | BusinessHours) else ()
    return rule.scope.model_copy(update={"region": (*regions, *rule.scope.region)})


def names_in(rule: TimedRule, start: np.datetime64, end: np.datetime64) -> str:
    """The names of the holidays in a span of theirs."""
    if not isinstance(rule, Holidays):
        return ""
    first, last = (as_datetime(one).date() for one in clock(rule.tz).local(np.array([start, end])))
    return ", ".join(dict.fromkeys(name for name in rule.days(first, last - timedelta(days=1)).values() if name))


def meetings(cab: Cab, since: np.datetime64, until: np.datetime64) -> Iterator[Occurrence]:
    found = cab.meetings(since, until)
    for meeting, deadline in zip(found, cab.deadlines(found), strict=True):
        note = ", ".join(filter(None, (f"deadline {as_datetime(deadline):%Y-%m-%dT%H:%MZ}", cab.reason)))
        yield Occurrence(cab.id, "cab", None, as_datetime(meeting), as_datetime(meeting), cab.tz, cab.scope, note)


def rooms(reserve: Reserve, since: np.datetime64, until: np.datetime64) -> Iterator[Occurrence]:
    found = reserve.room(since, until)
    scope = Scope(environment=reserve.environment)
    note = ", ".join(filter(None, (f"{reserve.per_day_minutes} minutes of it", reserve.reason)))
    for start, end in zip(found.starts, found.ends, strict=True):
        yield Occurrence(reserve.id, "reserve", None, as_datetime(start), as_datetime(end), reserve.tz, scope, note)
