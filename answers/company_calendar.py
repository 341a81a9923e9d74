"""The calendar in force: what the files say, and what was frozen and reserved in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from shipcast.answers.answer import naive
from shipcast.scheduling.calendar.calendar import OUTSIDE, Calendar
from shipcast.scheduling.calendar.reading import read_calendar
from shipcast.scheduling.ledger.ledger import state_at
from shipcast.scheduling.ledger.rules import ids, with_ledger
from shipcast.scheduling.ledger.state import State
from shipcast.settings import Settings


def ledger_state(settings: Settings, as_of: datetime) -> State:
    """What the home's ledger says to hold, as known at `as_of` (aware).

    Raises
    ------
    LedgerBroken
        An entry is not as it was written.
    """
    return state_at(settings.home, naive(as_of))


def combined(files: Sequence[Path], state: State) -> Calendar:
    """The rules of some files and of the ledger."""
    taken = {rule: f"entry {number} of the ledger" for rule, number in ids(state)}
    return with_ledger(read_calendar(*files, taken=taken), state)


def reason(calendar: Calendar, rule: str) -> str:
    """Why a rule is there, as the calendar says; empty where it does not."""
    return next((one.reason for one in calendar.named if one is not None and one.id == rule), "")


def rule_said(rule: str) -> str:
    """What a sentence says of a rule: its id, or in words what stands for a rule where none decides.

    >>> rule_said("night"), rule_said("no-allow-window")
    ('night', 'no allow window is open')
    """
    return "no allow window is open" if rule == OUTSIDE else rule


def by_rule(rule: str) -> str:
    """
    >>> by_rule("night"), by_rule("no-allow-window")
    ('by night', 'since no allow window is open')
    """
    return f"{'since' if rule == OUTSIDE else 'by'} {rule_said(rule)}"
