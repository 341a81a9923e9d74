"""One environment under two names: the only one of kind production, which questions call "production"."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel

from shipcast.scheduling.calendar.calendar import RULES, Calendar
from shipcast.scheduling.calendar.rules import Reserve, Rule
from shipcast.scheduling.calendar.scope import Names, fits
from shipcast.scheduling.ledger.entries import Approval, Entry
from shipcast.scheduling.ledger.state import State

PRODUCTION = "production"
Kind = TypeVar("Kind", bound=Rule)
RECORDED = ("bookings", "reservations", "approvals", "overrides", "marks", "given_back")


def state_named(state: State, name: str) -> State:
    """The state in which what was recorded of "production" is of the environment of that name."""
    if name == PRODUCTION:
        return state
    entries: dict[str, Any] = {kind: tuple(entry_named(one, name) for one in getattr(state, kind)) for kind in RECORDED}
    freezes = tuple(replace(one, body=rule_named(one.body, name)) for one in state.freezes)
    return replace(state, **entries, freezes=freezes)


def entry_named(entry: Entry[Any], name: str) -> Entry[Any]:
    return replace(entry, body=body_named(entry.body, name))


def body_named(body: BaseModel, name: str) -> BaseModel:
    if isinstance(body, Approval):
        return body if body.slot is None else body.model_copy(update={"slot": body_named(body.slot, name)})
    return body.model_copy(update={"environment": name}) if getattr(body, "environment", None) == PRODUCTION else body


def calendar_named(calendar: Calendar, name: str) -> Calendar:
    """The calendar whose rules about "production" are about the environment of that name too."""
    if name == PRODUCTION:
        return calendar
    rules = {kind: tuple(rule_named(one, name) for one in getattr(calendar, kind)) for kind in RULES}
    return replace(calendar, **rules, cache={})


def rule_named(rule: Kind, name: str) -> Kind:
    if isinstance(rule, Reserve):
        return rule.model_copy(update={"environment": globs_named(rule.environment, name)})
    scope: Any = getattr(rule, "scope", None)
    if scope is None:
        return rule
    named = scope.model_copy(update={"environment": globs_named(scope.environment, name)})
    return rule.model_copy(update={"scope": named})


def globs_named(globs: Sequence[str], name: str) -> Names:
    """The globs, with one for the name where they fit "production" and not it.

    >>> globs_named(["prod*"], "PROD"), globs_named(["staging"], "PROD"), globs_named([], "PROD")
    (('prod*', 'PROD'), ('staging',), ())
    """
    is_lacking = bool(globs) and fits(globs, PRODUCTION) and not fits(globs, name)
    return (*globs, glob.escape(name)) if is_lacking else tuple(globs)
