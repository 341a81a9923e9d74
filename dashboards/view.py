"""What one drawing of the page asks, and from which snapshot: answers are kept, and shared by all viewers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import streamlit as st

from shipcast.answers import source as sources
from shipcast.answers.choices import Choices
from shipcast.answers.definitions import definitions
from shipcast.answers.shared import Shared
from shipcast.answers.source import Key, Source
from shipcast.dashboards.filters import Filters
from shipcast.settings import Settings
from shipcast.warehouse.snapshot import Snapshot, open_snapshot

Found = TypeVar("Found")
KEPT_SNAPSHOTS, KEPT_INSTANTS, KEPT_ANSWERS = 2, 3, 2_000


@st.cache_resource(max_entries=KEPT_SNAPSHOTS, show_spinner=False)
def connection_to(home: Path, snapshot: Snapshot, _settings: Settings) -> duckdb.DuckDBPyConnection:
    return open_snapshot(home, snapshot, _settings)


@st.cache_resource(max_entries=KEPT_INSTANTS, show_spinner=False)
def shared(key: Key) -> Shared:
    return Shared()


@st.cache_resource(max_entries=KEPT_ANSWERS, show_spinner=False)
def kept(key: Key, _answer: Callable[[], Any]) -> Any:
    return _answer()


class Viewers:
    """What Streamlit keeps for all viewers."""

    def connection(self, home: Path, snapshot: Snapshot, settings: Settings) -> duckdb.DuckDBPyConnection:
        found: duckdb.DuckDBPyConnection = connection_to(home, snapshot, settings)
        return found

    def shared(self, key: Key) -> Shared:
        found: Shared = shared(key)
        return found

    def answer(self, key: Key, make: Callable[[], Any]) -> Any:
        return kept(key, make)


def source(settings: Settings, as_of: datetime | None) -> Source:
    """The published snapshot; all that one drawing says is asked of it.

    Raises
    ------
    StorageError
        There is none, or it cannot be read.
    """
    return sources.source(settings, as_of, Viewers())


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
