"""Public holidays by country, from the library `holidays`."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import date
from functools import cache

from shipcast.features.countries import codes, country_class


def check_country(country: str, subdivision: str | None) -> None:
    """
    Raises
    ------
    ValueError
        The library does not know the country, or no such subdivision of it.
    """
    if country not in codes():
        raise ValueError(f"country: {country!r} is no country code known of{near(country, codes())}")
    if subdivision is not None and subdivision not in (known_parts := country_class(country).subdivisions):
        hint = near(subdivision, known_parts) or f"; known are {', '.join(known_parts) or 'none'}"
        raise ValueError(f"subdivision: {subdivision!r} is no part of {country} known of{hint}")


def near(name: str, known: Sequence[str]) -> str:
    folded = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.lower(), folded, n=2, cutoff=0.6)
    if not matches and len(name) > 2:
        matches = difflib.get_close_matches(name[:2].lower(), folded, n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(folded[match] for match in matches)}?" if matches else ""


@cache
def public_holidays(country: str, subdivision: str | None, first: int, last: int) -> dict[date, str]:
    """The holidays of some years, both included, in order."""
    found = country_class(country)(subdiv=subdivision, years=range(first, last + 1))
    return dict(sorted((day, name) for day, name in found.items() if first <= day.year <= last))
