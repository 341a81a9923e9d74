"""Public holidays by country, from the library `holidays`."""

from __future__ import annotations

import difflib
from datetime import date
from functools import cache


@cache
def countries() -> dict[str, list[str]]:
    """The subdivisions of each country that the library knows, by code."""
    import holidays  # half a second that most questions need not wait

    return holidays.list_supported_countries(include_aliases=True)


def check_country(country: str, subdivision: str | None) -> None:
    """
    Raises
    ------
    ValueError
        The library does not know the country, or no such subdivision of it.
    """
    known = countries()
    if country not in known:
        raise ValueError(f"country: {country!r} is no country code known of{near(country, list(known))}")
    if subdivision is not None and subdivision not in known[country]:
        known_parts = known[country]
        hint = near(subdivision, known_parts) or f"; known are {', '.join(known_parts) or 'none'}"
        raise ValueError(f"subdivision: {subdivision!r} is no part of {country} known of{hint}")


def near(name: str, known: list[str]) -> str:
    folded = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.lower(), folded, n=2, cutoff=0.6)
    if not matches and len(name) > 2:
        matches = difflib.get_close_matches(name[:2].lower(), folded, n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(folded[match] for match in matches)}?" if matches else ""


@cache
def public_holidays(country: str, subdivision: str | None, first: int, last: int) -> dict[date, str]:
    """The holidays of some years, both included, in order."""
    import holidays

    found = holidays.country_holidays(country, subdiv=subdivision, years=range(first, last + 1))
    return dict(sorted((day, name) for day, name in found.items() if first <= day.year <= last))
