"""What a server gives in the place of an item that can be read: it is set aside, and the others are read.

One rule for all connectors: an item is read if all can be made of it that is wanted of it, else it goes to the
quarantine, with the fields that its connector names. None of these is about people, whose names a row may hide.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import index
from typing import Any

from shipcast.ingest.headers import clipped
from shipcast.ingest.instants import EARLIEST, latest
from shipcast.ingest.json_records import as_text, value_at

RULE = "not_as_described"
SHAPELESS = (KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError, RecursionError)
NUMBERS = 2**31  # where counting ends
LONGEST = 80  # characters of a text that is kept
LONGEST_KEY = 300
GAP = (
    "a commit of the main line cannot be read, so that what lies behind it is not known; nothing of the line was read, "
    "which waits until it can."
)
WORDS = {
    type(None): "null",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


Made = Callable[[Any], object]


@dataclass(frozen=True)
class Kind:
    """What a server lists.

    Parameters
    ----------
    table
        The one that it feeds.
    kept
        The paths of what is kept of an item that cannot be read, none of which names people.
    """

    table: str
    kept: tuple[str, ...] = ()


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
    """What one connector sets aside, until it is stored.

    Parameters
    ----------
    cleaned
        Takes the token out of a text; before the text is cut or written as JSON, since a part of it would not be found.
    """

    waiting: list[Misfit] = field(default_factory=list)
    cleaned: Callable[[str], str] = str

    def readable(self, kind: Kind, items: Iterable[Any], *made: Made, **about: Any) -> list[Any]:
        """The items of which all of `made` can be made; the others are set aside.

        Parameters
        ----------
        about
            What else is to be kept of these, such as of what they are items. What is a function of an item is a column
            of its row's key, by which what the source tells of it later takes the place of what was refused; it is left
            out where it cannot be made.
        """
        return [item for item in items if self.fits(kind, item, made, about)]

    def fits(self, kind: Kind, item: Any, made: Iterable[Made], about: Mapping[str, Any]) -> bool:
        try:
            for make in made:
                make(item)
        except SHAPELESS as error:
            self.put_aside(kind, item, error, **about)
            return False
        return True

    def put_aside(self, kind: Kind, item: Any, error: Exception, **about: Any) -> None:
        known = {path: value_at(item, path) for path in kind.kept} if isinstance(item, dict) else {"item": word(item)}
        told = {name: value for name, value in about.items() if not callable(value)}
        row = {name: self.as_value(value) for name, value in {**told, **known}.items()}
        text = as_text(json.dumps({**row, **self.keys(item, about)}, ensure_ascii=False)) or ""
        self.waiting.append(Misfit(kind.table, self.cleaned(reason(item, error, row)), text))

    def keys(self, item: Any, about: Mapping[str, Any]) -> dict[str, str]:
        """The columns of its row's key that can be made."""
        found = dict[str, str]()
        for column, make in about.items():
            if callable(make):
                with suppress(*SHAPELESS):
                    found[column] = str(make(item))
        return {
            column: text for column, text in found.items() if len(text) <= LONGEST_KEY and self.cleaned(text) == text
        }

    def as_value(self, found: Any) -> Any:
        """What is kept: numbers and short texts; of all else what kind of thing it is, since it may hold names."""
        if found is None or isinstance(found, (bool, int, float)):
            return found
        text = self.cleaned(found) if isinstance(found, str) else word(found)
        return clipped(text, LONGEST) if len(text) <= LONGEST else "a long text"

    def emptied(self) -> list[Misfit]:
        """What was set aside since the last time."""
        found, self.waiting = self.waiting, []
        return found


def word(found: Any) -> str:
    """What kind of thing a value is."""
    return WORDS.get(type(found), "something else")


def reason(item: Any, error: Exception, row: Mapping[str, Any]) -> str:
    """Why an item cannot be read, which of them it is, and what is null in it.

    >>> reason(None, TypeError(), {}), reason({}, KeyError("at"), {"number": 7, "at": None})
    ('the server gives null in the place of an item', 'number 7: the server gives an item without at')
    >>> reason({}, TypeError(), {"number": 7, "at": None})
    'number 7: the server gives an item that is not what its description promises (null: at)'
    """
    if not isinstance(item, dict):
        return f"the server gives {word(item)} in the place of an item"
    which = next((f"{path} {clipped(str(value))}: " for path, value in row.items() if value is not None), "")
    if isinstance(error, KeyError) and str(error.args[0]).isidentifier():
        return f"{which}the server gives an item without {error.args[0]}"
    nulls = ", ".join(path for path, value in row.items() if value is None)
    told = f" (null: {nulls})" if nulls else ""
    return f"{which}the server gives an item that is not what its description promises{told}"


def moment(text: Any) -> datetime:
    """An instant, in ISO 8601.

    Raises
    ------
    ValueError, TypeError
        It is none, says no offset, or is one that no table takes, such as the year 1 that stands for none.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("it says no offset")
    if not EARLIEST <= found.timestamp() <= latest(datetime.now(UTC)):
        raise ValueError("no table takes it")
    return found


def named(value: Any) -> str:
    """What a server calls a thing: a text, or a whole number.

    Raises
    ------
    TypeError
        It is neither, or empty.
    """
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not str(value).strip():
        raise TypeError("it is no name of a thing")
    return str(value)


def released(service: str, field: str) -> dict[str, Made]:
    """The key of a release of a service that a field names, as `Sieve.readable` wants it."""
    return {"service": lambda _: service, "version": lambda each: named(each[field])}


def number_of(value: Any) -> int:
    """The number of a thing that a server counts.

    Raises
    ------
    TypeError, ValueError
        It is none, or beyond all that are counted.
    """
    if isinstance(value, bool) or not 0 <= index(value) < NUMBERS:
        raise ValueError("it is no number of a thing")
    return index(value)
