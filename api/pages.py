"""Long lists a page at a time: where the next page begins is in a cursor that only its own question understands."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from shipcast.answers.answer import rfc3339
from shipcast.api.errors import CursorRefused
from shipcast.settings.instants import FIRST_YEAR, LAST_YEAR

MOST, DEFAULT = 500, 200
LONGEST = 400
FARTHEST = 10**9


@dataclass(frozen=True)
class Cursor:
    """Where a list goes on: in which snapshot (null: it rests on none), as of when, behind how many items."""

    snapshot_id: str | None
    as_of: datetime
    offset: int
    question: str

    def text(self) -> str:
        facts = {"s": self.snapshot_id, "a": rfc3339(self.as_of), "o": self.offset, "q": self.question}
        return base64.urlsafe_b64encode(json.dumps(facts, separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(text: str, question: str) -> Cursor:
    """The cursor that a request gives.

    Raises
    ------
    CursorRefused
        It is none, or one of another question.
    """
    try:
        facts = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
        cursor = Cursor(text_or_none(facts["s"]), datetime.fromisoformat(facts["a"]), offset(facts["o"]), facts["q"])
        if cursor.as_of.tzinfo is None or not FIRST_YEAR <= cursor.as_of.year <= LAST_YEAR:
            raise ValueError("no time that can be asked about")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CursorRefused("The cursor is none that was given here.", next_step=START) from error
    if cursor.question != question:
        raise CursorRefused("The cursor belongs to a question with other parameters.", next_step=START)
    return cursor


START = "Ask without it for the first page."


def text_or_none(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError("no text")


def offset(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < FARTHEST:
        return value
    raise ValueError("no place in a list")


def question_of(path: str, parameters: Iterable[tuple[str, str]]) -> str:
    """What tells one question from another, whatever page of its answer is asked for."""
    said = sorted((name, value) for name, value in parameters if name not in ("cursor", "limit"))
    return sha256(repr((path, said)).encode()).hexdigest()[:16]
