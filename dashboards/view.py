"""What one drawing of the page asks, and from which snapshot: answers are kept, and shared by all viewers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import streamlit as st

from shipcast.answers.choices import Choices
from shipcast.answers.definitions import definitions
from shipcast.answers.reading import Reader
from shipcast.dashboards.filters import Filters
from shipcast.models.registry import POINTER as CHAMPIONS
from shipcast.scheduling.calendar.files import calendar_files
from shipcast.scheduling.ledger.chain import LEDGER_FILE
from shipcast.settings import Settings
from shipcast.warehouse.snapshot import Snapshot, open_snapshot, opened, reading

Found = TypeVar("Found")
KEPT_SNAPSHOTS, KEPT_ANSWERS = 2, 2_000
QUARTER = timedelta(minutes=15)
Stamp = tuple[tuple[str, int, int], ...]


@st.cache_resource(max_entries=KEPT_SNAPSHOTS, show_spinner=False)
def connection_to(home: Path, snapshot: Snapshot, _settings: Settings) -> duckdb.DuckDBPyConnection:
    """The one connection to a snapshot; viewers take cursors of it, which hold it open when it is kept no more."""
    return open_snapshot(home, snapshot, _settings)


@st.cache_resource(max_entries=KEPT_ANSWERS, show_spinner=False)
def kept(key: tuple[object, ...], _answer: Callable[[], Any]) -> Any:
    return _answer()


@dataclass(frozen=True)
class Source:
    """The snapshot that one drawing rests on, as known at an instant, and what else its answers depend on."""

    settings: Settings
    as_of: datetime
    snapshot: Snapshot
    connection: duckdb.DuckDBPyConnection
    stamp: Stamp

    def ask(self, question: Callable[..., Found], *, beside: Sequence[Path] = (), **given: Any) -> Found:
        """What a function of a reader answers; computed once for all viewers, while nothing it depends on changes.

        Parameters
        ----------
        beside
            Further files that the answer depends on.
        """
        name = f"{question.__module__}.{question.__qualname__}"
        stamp = (*self.stamp, *stamp_of(beside))
        key = (self.snapshot.snapshot_id, stamp, self.as_of, name, repr(sorted(given.items())))
        found: Found = kept(key, lambda: self.answer(question, given))
        return found

    def answer(self, question: Callable[..., Found], given: dict[str, Any]) -> Found:
        with reading(self.settings.home):
            return question(Reader(self.connection.cursor(), self.settings, self.as_of), **given)


def source(settings: Settings, as_of: datetime | None) -> Source:
    """The published snapshot; all that one drawing says is asked of it.

    Raises
    ------
    StorageError
        There is none, or it cannot be read.
    """
    stamp = home_stamp(settings)
    snapshot, connection = opened(
        settings.home, lambda found: (found, connection_to(settings.home.absolute(), found, settings))
    )
    return Source(settings, as_of or last_change(stamp), snapshot, connection, stamp)


def home_stamp(settings: Settings) -> Stamp:
    """The files beside the snapshot that answers depend on."""
    home = settings.home
    return stamp_of((home / "models" / CHAMPIONS, home / LEDGER_FILE, *calendar_files(home)))


def stamp_of(paths: Sequence[Path]) -> Stamp:
    """Of those that there are: name, time of the last change (ns), and size."""
    found = [(path, path.stat()) for path in paths if path.is_file()]
    return tuple((str(path), facts.st_mtime_ns, facts.st_size) for path, facts in found)


def last_change(stamp: Stamp) -> datetime:
    """The quarter of an hour that has begun or, if that is later, the last change of the home: what is booked shows."""
    now = datetime.now(UTC)
    begun = now - (now - datetime.min.replace(tzinfo=UTC)) % QUARTER
    seconds = max((-(-changed // 10**9) for _, changed, _ in stamp), default=0)
    return max(begun, min(datetime.fromtimestamp(seconds, UTC), now.replace(microsecond=0) + timedelta(seconds=1)))


@dataclass(frozen=True)
class View:
    """What a page is drawn from: the source of its answers, what it is filtered to, and what could be chosen."""

    source: Source
    filters: Filters
    choices: Choices

    @property
    def as_of(self) -> datetime:
        return self.source.as_of

    @property
    def settings(self) -> Settings:
        return self.source.settings

    @cached_property
    def titles(self) -> dict[str, str]:
        """What each metric is called."""
        return {one.metric: one.title for one in self.ask(definitions)}

    def ask(self, question: Callable[..., Found], *, beside: Sequence[Path] = (), **given: Any) -> Found:
        return self.source.ask(question, beside=beside, **given)
