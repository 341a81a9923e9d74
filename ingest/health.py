"""How the sources fared when they were last read, kept in a file that anybody may look at without a lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shipcast.settings.errors import ShipcastError
from shipcast.settings.files import read_sealed, write_sealed

FILE = "sources.json"


@dataclass(frozen=True)
class Health:
    """The last reading of a source.

    Parameters
    ----------
    source
        What messages call it.
    read_at, good_at
        When it was last read, and when last without a failure (None: never); aware, in UTC.
    rows
        The rows that the last reading without a failure brought, known ones included.
    failure
        Why the last reading failed; None: it did not.
    """

    source: str
    read_at: datetime
    good_at: datetime | None
    rows: int
    failure: str | None


def record(home: Path, outcomes: Sequence[tuple[str, int | ShipcastError]], at: datetime) -> None:
    """Keep how each of the sources fared just now: the rows it brought, or why it failed."""
    known = health(home)
    for source, outcome in outcomes:
        before = known.get(source)
        if isinstance(outcome, ShipcastError):
            good_at, rows = (before.good_at, before.rows) if before else (None, 0)
            known[source] = Health(source, at, good_at, rows, str(outcome))
        else:
            known[source] = Health(source, at, at, outcome, None)
    entries = [
        {**asdict(each), "read_at": each.read_at.isoformat(), "good_at": each.good_at and each.good_at.isoformat()}
        for each in known.values()
    ]
    write_sealed(home / FILE, {"sources": entries})


def health(home: Path) -> dict[str, Health]:
    """The last reading of each source that a run has read, by its name in messages; a damaged file tells of none."""
    try:
        entries: list[dict[str, Any]] = read_sealed(home / FILE)["sources"]
        return {entry["source"]: of_entry(entry) for entry in entries}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def of_entry(entry: dict[str, Any]) -> Health:
    good_at = entry["good_at"]
    return Health(
        **{**entry, "read_at": aware(entry["read_at"]), "good_at": aware(good_at) if good_at is not None else None}
    )


def aware(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
