"""What a server gives in the place of an item that can be read: it is set aside, and the others are read.

One rule for all connectors: an item is read if all can be made of it that is wanted of it, else it goes to the
quarantine, with what was kept of it. People are never kept, so that a misfit holds no name that a row would hide.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shipcast.ingest.headers import clipped
from shipcast.ingest.json_records import as_text, value_at

RULE = "not_as_described"
SHAPELESS = (KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError, RecursionError)
LONGEST = 500  # characters of an item that are kept
KINDS = {type(None): "null", str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list"}


@dataclass(frozen=True)
class Misfit:
    """An item that cannot be read.

    Parameters
    ----------
    table
        The one that it would have fed.
    row
        What is kept of it, as JSON.
    """

    table: str
    reason: str
    row: str


@dataclass
class Sieve:
    """What one connector sets aside, until it is stored."""

    waiting: list[Misfit] = field(default_factory=list)

    def readable(
        self, table: str, items: Iterable[Any], kept: Sequence[str], *made: Callable[[Any], object], **about: str
    ) -> list[Any]:
        """The items of which all of `made` can be made; the others are set aside.

        Parameters
        ----------
        kept
            The paths of what is kept of a misfit, none of which names people.
        about
            What else is to be kept, such as of what it is an item.
        """
        return [item for item in items if self.fits(table, item, kept, made, about)]

    def fits(
        self,
        table: str,
        item: Any,
        kept: Sequence[str],
        made: Iterable[Callable[[Any], object]],
        about: Mapping[str, Any],
    ) -> bool:
        try:
            for make in made:
                make(item)
        except SHAPELESS as error:
            self.put_aside(table, item, kept, error, about)
            return False
        return True

    def put_aside(
        self, table: str, item: Any, kept: Sequence[str], error: Exception, about: Mapping[str, Any] | None = None
    ) -> None:
        known = (
            {path: value_at(item, path) for path in kept} if isinstance(item, dict) else {"item": clipped_item(item)}
        )
        row = json.dumps({**(about or {}), **known}, ensure_ascii=False)[:LONGEST]
        self.waiting.append(Misfit(table, reason(item, error), as_text(row) or ""))

    def emptied(self) -> list[Misfit]:
        """What was set aside since the last time."""
        found, self.waiting = self.waiting, []
        return found


def clipped_item(item: Any) -> Any:
    """An item that is no object; of a text or a list, as much as is fit to be shown."""
    return item if item is None or isinstance(item, (bool, int, float)) else clipped(str(item), 80)


def reason(item: Any, error: Exception) -> str:
    """
    >>> reason(None, TypeError()), reason({}, KeyError("number"))
    ('the server gives null in the place of an item', 'the server gives an item without number')
    """
    if not isinstance(item, dict):
        return f"the server gives {KINDS.get(type(item), 'something else')} in the place of an item"
    if isinstance(error, KeyError) and isinstance(error.args[0], str):
        return f"the server gives an item without {clipped(error.args[0])}"
    return "the server gives an item that is not what its description promises"


def moment(text: Any) -> datetime:
    """An instant, in ISO 8601.

    Raises
    ------
    ValueError, TypeError
        It is none, or says no offset.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("it says no offset")
    return found
