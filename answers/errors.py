"""What can be wrong with a question.

UsageError
└── UnknownName     a metric, service, team or environment that the data does not hold
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from shipcast.settings.errors import UsageError

SHOWN = 5


class UnknownName(UsageError):
    """Nothing is known by that name; the nearest known ones are named.

    Parameters
    ----------
    kind
        What was asked for: "service", "team", "environment", "metric".
    name, known
        The name given, and every name that would have been understood.
    """

    title = "Nothing is known by that name"

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = nearest(name, names)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {listed(names)}."
        super().__init__(f"No {kind} is called {name!r}.", next_step=hint, kind=kind, name=name, nearest=near)


def nearest(name: str, known: list[str]) -> list[str]:
    """Up to three known names that read alike, the likeliest first; case does not matter."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    return [by_lower[match] for match in difflib.get_close_matches(name.lower(), by_lower, n=3)]


def listed(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (", ".join(names[:SHOWN]) + more) or "none"
