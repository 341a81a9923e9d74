"""One JSON object as a text, in which every key stands once."""

from __future__ import annotations

import json
from typing import Any


class NoObject(ValueError):
    """What is wrong with a text that is to be one object, as a clause without its end."""


class DoubleKey(NoObject):
    """A key stands twice in one object, so that nobody can say which of its values holds.

    Parameters
    ----------
    owner
        The object's own id; null: it has none.
    """

    def __init__(self, key: str, owner: object) -> None:
        of = "one object" if owner is None else f"the object whose id is {str(owner)[:60]!r}"
        super().__init__(f"the key {key[:60]!r} stands twice in {of}")
        self.key = key
        self.owner = owner


def read_object(text: str, such_as: str) -> dict[str, Any]:
    """The object that a text is.

    Parameters
    ----------
    such_as
        One that would do, for what is said of others.

    Raises
    ------
    NoObject
        It is none, or a key stands twice.
    """
    try:
        found = json.loads(text, object_pairs_hook=without_doubles)
    except DoubleKey:
        raise
    except (ValueError, RecursionError) as error:
        raise NoObject(f"it is no JSON: {str(error)[:100]}") from error
    if not isinstance(found, dict):
        raise NoObject(f"it must be one object such as {such_as}")
    return found


def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these keys and values; for `json.loads`.

    Raises
    ------
    DoubleKey
        A key stands twice.
    """
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            owner = next((one for name, one in pairs if name == "id" and isinstance(one, str | int)), None)
            raise DoubleKey(key, owner)
        found[key] = value
    return found
