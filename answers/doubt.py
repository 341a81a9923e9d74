"""Rules of a calendar that may be about a subject of which regions or team are not known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from shipcast.scheduling.calendar.calendar import Calendar
from shipcast.scheduling.calendar.rules import TimedRule
from shipcast.scheduling.calendar.scope import Scope, Subject, is_about

KINDS = ("windows", "freezes", "holidays", "business_hours")


def rules_in_doubt(calendar: Calendar, subject: Subject, start: datetime, length: timedelta) -> list[str]:
    """The rules that would make another decision of a deployment (naive, UTC), if they were about the subject."""
    starts = np.array([start], dtype="datetime64[us]")
    decision = calendar.decisions(subject, starts, length).verdict(0)
    return [
        rule.id
        for rule, supposed in suppositions(calendar, subject)
        if supposed.decisions(subject, starts, length).verdict(0) != decision
    ]


def boards_in_doubt(calendar: Calendar, subject: Subject) -> list[str]:
    return [
        cab.id
        for cab in calendar.cabs
        if not is_about(cab.scope, subject) and is_about(widened(cab.scope, subject), subject)
    ]


def suppositions(calendar: Calendar, subject: Subject) -> Iterator[tuple[TimedRule, Calendar]]:
    """Each rule that what is not known keeps from being about the subject, and the calendar as if it were."""
    for kind in KINDS:
        rules: tuple[TimedRule, ...] = getattr(calendar, kind)
        for place, rule in enumerate(rules):
            wide = widened_rule(rule, subject)
            if is_about(wide, subject) and not is_about(rule, subject):
                changed: dict[str, Any] = {kind: (*rules[:place], wide, *rules[place + 1 :]), "cache": {}}
                yield rule, replace(calendar, **changed)


def widened_rule(rule: TimedRule, subject: Subject) -> TimedRule:
    regions = {} if subject.regions or "region" not in type(rule).model_fields else {"region": ()}
    return rule.model_copy(update={"scope": widened(rule.scope, subject), **regions})


def widened(scope: Scope, subject: Subject) -> Scope:
    """The scope without the keys of which nothing is known of the subject."""
    known = {"region": subject.regions, "team": subject.team}
    return scope.model_copy(update={key: () for key, value in known.items() if not value})
