"""Where a refused row came from, by the name that the database has of it, and so how it is mended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from shipcast.ingest.sources import split_name

EVENTS, EXPORT = "events", "export "
BY_HAND = "; or correct what `shipcast quarantine export DIR` writes, then: shipcast quarantine retry DIR"
IN_FILES = "Correct the rows in their files, then: shipcast quarantine retry"
IN_EXPORTS = "Correct the mapping (its columns, values, zone, time_format) or the export, and load it again"
BY_SENDER = "Let the sender send them again, corrected: the next `shipcast run` puts them in the place of these"
AT_SOURCE = (
    "Correct them at the source: what its next reading still comes upon takes the place of these; what lies behind "
    "comes again where its entry is changed (such as its since), by which all is read anew"
)


def is_file(name: str) -> bool:
    """Whether it is a file of a table, and no feed.

    >>> [is_file(name) for name in ("/in/incidents.csv", "/srv/shop@checkout#tags", "events ci: events")]
    [True, False, False]
    """
    path = Path(name)
    return path.is_absolute() and split_name(path.name)[1] is not None


def way_out(name: str) -> str:
    """What mends the refused rows of one origin."""
    if is_file(name):
        return f"{IN_FILES}."
    if name.startswith(EXPORT):
        return f"{IN_EXPORTS}{BY_HAND}."
    return f"{BY_SENDER if name.endswith(f': {EVENTS}') else AT_SOURCE}{BY_HAND}."


def ways_out(names: Iterable[str]) -> Iterator[str]:
    """What mends the refused rows, once for each kind of origin; where there are several, each with the first of it."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(way_out(name), name)
    for way, name in first.items():
        yield way if len(first) == 1 else f"{name}: {way}"
