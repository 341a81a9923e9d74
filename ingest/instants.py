"""Seconds since 1970, as git counts them, and the times that the rules allow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shipcast.ingest.rules import AHEAD, FIRST_INSTANT

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = int((datetime.fromisoformat(FIRST_INSTANT).replace(tzinfo=UTC) - EPOCH).total_seconds())


def latest(now: datetime) -> int:
    """The last second that the rules allow, by the wall clock."""
    return int((now + AHEAD - EPOCH).total_seconds())


def instant(seconds: int) -> str:
    """The time in ISO 8601; beyond the calendar the seconds as they are, which the rules refuse.

    >>> instant(86_400)
    '1970-01-02T00:00:00+00:00'
    """
    try:
        return (EPOCH + timedelta(seconds=seconds)).isoformat()
    except OverflowError:
        return str(seconds)
