"""Where those who serve many people take answers from: one snapshot for each look, and what was answered is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

import duckdb

from shipcast.answers.reading import Reader
from shipcast.answers.shared import Shared
from shipcast.ingest.health import FILE as SOURCES_FILE
from shipcast.models.registry import POINTER as CHAMPIONS
from shipcast.scheduling.calendar.files import calendar_files
from shipcast.scheduling.ledger.chain import LEDGER_FILE
from shipcast.settings import Settings
from shipcast.warehouse.snapshot import Snapshot, opened, reading

Found = TypeVar("Found")
QUARTER = timedelta(minutes=15)
Stamp = tuple[tuple[str, int, int], ...]
Key = tuple[object, ...]


class Keeping(Protocol):
    """What is kept for all who look, in memory that has an end."""

    def connection(self, home: Path, snapshot: Snapshot, settings: Settings) -> duckdb.DuckDBPyConnection:
        """The one connection to a snapshot; questions take cursors of it, which hold it open when it is kept no more.

        Raises
        ------
        StorageError
            The snapshot cannot be opened.
        """

    def shared(self, key: Key) -> Shared:
        """What the questions about one snapshot and instant have in common."""

    def answer(self, key: Key, make: Callable[[], Any]) -> Any:
        """What was answered under that key, or else what `make` gives now."""


@dataclass(frozen=True)
class Source:
    """The snapshot that one look rests on, as known at an instant, and what else its answers depend on."""

    settings: Settings
    as_of: datetime
    snapshot: Snapshot
    connection: duckdb.DuckDBPyConnection
    stamp: Stamp
    keeping: Keeping

    @property
    def key(self) -> Key:
        """What all answers depend on."""
        return str(self.settings.home.absolute()), self.snapshot.snapshot_id, self.stamp, self.as_of

    def ask(self, question: Callable[..., Found], *, beside: Sequence[Path] = (), **given: Any) -> Found:
        """What a function of a reader answers; computed once for all who ask, while nothing it depends on changes.

        Parameters
        ----------
        beside
            Further files that the answer depends on.
        """
        name = f"{question.__module__}.{question.__qualname__}"
        key = (*self.key, stamp_of(beside), name, repr(sorted(given.items())))
        found: Found = self.keeping.answer(key, lambda: self.answer(question, given))
        return found

    def answer(self, question: Callable[..., Found], given: dict[str, Any]) -> Found:
        with reading(self.settings.home):
            return question(self.reader(), **given)

    def reader(self) -> Reader:
        return Reader(self.connection.cursor(), self.settings, self.as_of, self.keeping.shared(self.key))


def source(settings: Settings, as_of: datetime | None, keeping: Keeping, snapshot: Snapshot | None = None) -> Source:
    """The published snapshot; all that one look says is asked of it.

    Parameters
    ----------
    as_of
        Aware; null: the present, as `last_change` says.
    snapshot
        One that was published before, and is kept, in its place.

    Raises
    ------
    StorageError
        There is none, or it cannot be read.
    """
    stamp = home_stamp(settings)

    def opening(found: Snapshot) -> Source:
        connection = keeping.connection(settings.home.absolute(), found, settings)
        return Source(settings, as_of or last_change(stamp), found, connection, stamp, keeping)

    return opened(settings.home, opening) if snapshot is None else opening(snapshot)


def home_stamp(settings: Settings) -> Stamp:
    """The files beside the snapshot that answers depend on."""
    home = settings.home
    beside = (home / "models" / CHAMPIONS, home / LEDGER_FILE, home / SOURCES_FILE)
    return stamp_of((*beside, *calendar_files(settings), *settings.features))


def stamp_of(paths: Sequence[Path]) -> Stamp:
    """Of those that there are: name, time of the last change (ns), and size."""
    found = [(path, path.stat()) for path in paths if path.is_file()]
    return tuple((str(path), facts.st_mtime_ns, facts.st_size) for path, facts in found)


def last_change(stamp: Stamp) -> datetime:
    """The quarter of an hour that has begun or, if that is later, the last change of the home: what is booked shows."""
    now = datetime.now(UTC)
    seconds = max((-(-changed // 10**9) for _, changed, _ in stamp), default=0)
    return max(begun(now), min(datetime.fromtimestamp(seconds, UTC), now.replace(microsecond=0) + timedelta(seconds=1)))


def begun(now: datetime) -> datetime:
    """The quarter of an hour that an aware instant lies in, by its start."""
    return now - (now - datetime.min.replace(tzinfo=UTC)) % QUARTER
