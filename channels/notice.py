"""What people are told: one event, in a sentence and a few facts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shipcast.settings.channels import Event

Kind = Event | Literal["test"]
TITLES: Mapping[Kind, str] = {
    "window_opening": "Window opening",
    "risk_rising": "Risk rising",
    "freeze_conflict": "Booking blocked",
    "source_stale": "Source",
    "weekly_digest": "Weekly digest",
    "test": "Test",
}
DIGITS = 4  # of a fact in words, behind the point
LONGEST = 2_000  # characters of a sentence, or of a fact


class Notice(BaseModel):
    """One event.

    Parameters
    ----------
    id
        The same whenever the same event is found, and with each attempt to tell of it.
    service
        What it is about; None: it is about no single one.
    at
        When it was found.
    sentence
        It in words: with a verb, a time and a number.
    facts
        What the sentence rests on, by name.
    late_from
        From when on it helps nobody any more; None: it always does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    id: str
    kind: Kind
    service: str | None
    at: AwareDatetime
    sentence: str
    facts: dict[str, str | int | float | None]
    late_from: AwareDatetime | None = None


def identity(kind: Kind, *about: object) -> str:
    """An id by what an event is, and what it is about.

    >>> identity("weekly_digest", "2026-W02")
    'msg_78afbd4d197b2fbc1854d3cd'
    """
    return f"msg_{hashlib.sha256(json.dumps([kind, *about]).encode()).hexdigest()[:24]}"


def subject(notice: Notice) -> str:
    """What it is, in a few words."""
    about = f": {plain(notice.service)}" if notice.service else ""
    return f"{TITLES[notice.kind]}{about}"


def text(notice: Notice) -> str:
    """The whole of it as plain text: the sentence, and a line for each fact that is known and no phrase of it."""
    told = {name: value for name, value in notice.facts.items() if value is not None}
    lines = [
        f"{name.replace('_', ' ')}: {plain(round(value, DIGITS) if isinstance(value, float) else value)}"
        for name, value in told.items()
        if not (isinstance(value, str) and " " in value and value in notice.sentence)
    ]
    return "\n".join([plain(notice.sentence), *([""] if lines else []), *lines])


def plain(value: object) -> str:
    """On one line, without a character that does something to whoever shows it.

    >>> plain("pay\\r\\nBcc: all@example.com\\u202e")
    'pay??Bcc: all@example.com?'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in str(value)[:LONGEST])
