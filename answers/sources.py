"""What `sources` says: which sources there are, when each was last read, and which of them fail or are stale."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from shipcast.answers.answer import Answer, Count, Instant, Number, Part
from shipcast.answers.operations import envelope
from shipcast.answers.words import age, listing, plural
from shipcast.ingest.health import Health, health
from shipcast.settings import Settings, Source
from shipcast.settings.sources import EventsSource, RemoteSource

State = Literal["good", "stale", "failing", "unread"]


class SourceItem(Part):
    """One source.

    Parameters
    ----------
    state
        good; stale: not read well for longer than `stale_days`; failing: the last reading failed; unread: no run has
        read it.
    read_at, good_at
        When a run last read it, and when last without a failure; null: never, or not by `as_of`.
    age_hours
        Since `good_at`; null: never.
    rows
        What that reading brought, known rows included; null: never.
    failure
        Why the last reading failed; null: it did not.
    asked
        Whether a run asks it, or reads it; false: webhooks alone tell of it.
    """

    source: str
    kind: str
    state: State
    read_at: Instant | None
    good_at: Instant | None
    age_hours: Number | None
    rows: Count | None
    failure: str | None
    asked: bool


class SourcesAnswer(Answer):
    schema_name: Literal["shipcast/sources/1"] = Field("shipcast/sources/1", alias="schema")
    items: tuple[SourceItem, ...]
    sentence: str


def sources_answer(settings: Settings, as_of: datetime) -> SourcesAnswer:
    """Every configured source, with how it fared in the last run up to `as_of`."""
    known = health(settings.home)
    items = tuple(source_item(source, known.get(source.label), settings, as_of) for source in settings.sources)
    return SourcesAnswer(**envelope(as_of), items=items, sentence=sentence(items))


def source_item(source: Source, found: Health | None, settings: Settings, as_of: datetime) -> SourceItem:
    if found is not None and found.read_at > as_of:
        found = None
    good_at = found.good_at if found else None
    return SourceItem(
        source=source.label,
        kind=source.kind,
        state=state_of(found, timedelta(days=settings.stale_days), as_of),
        read_at=found.read_at if found else None,
        good_at=good_at,
        age_hours=round((as_of - good_at).total_seconds() / 3600, 2) if good_at else None,
        rows=found.rows if found and good_at else None,
        failure=found.failure if found else None,
        asked=not (isinstance(source, EventsSource) or (isinstance(source, RemoteSource) and source.is_told_alone)),
    )


def state_of(found: Health | None, oldest: timedelta, as_of: datetime) -> State:
    if found is None:
        return "unread"
    if found.failure is not None:
        return "failing"
    return "good" if found.good_at and as_of - found.good_at <= oldest else "stale"


def sentence(items: Sequence[SourceItem]) -> str:
    """The answer in one sentence: how many there are, and which of them need somebody."""
    if not items:
        return "No source is connected."
    wrong = [f"{item.source} ({item.state}{aged(item)})" for item in items if item.state != "good"]
    if not wrong:
        oldest = max(items, key=lambda item: item.age_hours or 0)
        return f"{plural(len(items), 'source')} read well, the last {in_words(oldest)} ago at the longest."
    need = "needs" if len(wrong) == 1 else "need"
    return f"{len(wrong)} of {plural(len(items), 'source')} {need} attention: {listing(wrong)}."


def aged(item: SourceItem) -> str:
    return "" if item.good_at is None else f", read well {in_words(item)} ago"


def in_words(item: SourceItem) -> str:
    return age(timedelta(hours=item.age_hours or 0))
