"""Instants as people type them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from shipcast.settings.errors import UsageError

FIRST_YEAR, LAST_YEAR = 1970, 2200
SHOWN = 60  # letters of what was typed that an error repeats


def parse_instant(text: str, name: str, zone: str) -> datetime:
    """The instant in UTC that the text names: ISO 8601; without an offset, or as a date alone, on the zone's clock.

    Parameters
    ----------
    name
        What it is called where it was typed.

    Raises
    ------
    UsageError
        The text is not ISO 8601, or names no year that can be asked about.
    """
    got = f"Got {text[:SHOWN]!r} instead."
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(f"{name} must be a time such as 2025-12-15T09:00Z or 2025-12-15. {got}") from error
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise UsageError(f"{name} must lie between the years {FIRST_YEAR} and {LAST_YEAR}. {got}")
    local = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
    return local.astimezone(UTC)
