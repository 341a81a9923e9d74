"""How a route gets its answer: from one snapshot, kept for whoever asks the same, whole or a page of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar

from fastapi import Request, Response
from starlette.datastructures import URL

from shipcast.answers.advice import keep
from shipcast.answers.answer import Answer
from shipcast.answers.reading import Reader
from shipcast.answers.source import Source, home_stamp, last_change, source
from shipcast.api.access import Caller, Door
from shipcast.api.errors import CursorGone
from shipcast.api.keeping import Kept
from shipcast.api.pages import START, Cursor, question_of, read_cursor
from shipcast.settings import Settings
from shipcast.settings.durations import parse_duration
from shipcast.settings.instants import parse_instant
from shipcast.warehouse.errors import NothingPublished
from shipcast.warehouse.snapshot import Snapshot, current, kept_snapshot

Found = TypeVar("Found", bound=Answer)
CACHED = "private, no-cache"


@dataclass(frozen=True)
class Api:
    """What a server was started for, and what it holds.

    Parameters
    ----------
    as_of
        Of questions that say none (aware); null: the present.
    """

    settings: Settings
    as_of: datetime | None
    door: Door
    kept: Kept = field(default_factory=Kept)

    def source(self, as_of: datetime | None, snapshot: Snapshot | None = None) -> Source:
        return source(self.settings, as_of or self.as_of, self.kept, snapshot)

    def present(self) -> datetime:
        return self.as_of or last_change(home_stamp(self.settings))


class Call:
    """One request: what it asks about, and the answers to it.

    Parameters
    ----------
    as_of
        As it was typed.
    limit, cursor
        How many items at most, and where to go on; `cursor` as it was given.
    """

    def __init__(self, request: Request, as_of: str | None = None, limit: int | None = None, cursor: str = "") -> None:
        self.request = request
        self.api: Api = request.app.state.api
        self.settings = self.api.settings
        self.question = question_of(request.url.path, request.query_params.multi_items())
        self.limit = limit
        self.cursor = read_cursor(cursor, self.question) if cursor else None
        self.as_of = self.cursor.as_of if self.cursor else self.instant(as_of, "as_of")

    @property
    def caller(self) -> Caller:
        who: Caller = self.request.state.caller
        return who

    def instant(self, text: str | None, name: str) -> datetime | None:
        """A time as typed; without an offset, or as a date alone, in the reporting zone."""
        return None if text is None else parse_instant(text, name, self.settings.tz)

    def duration(self, text: str | None) -> timedelta | None:
        return None if text is None else parse_duration(text, "duration")

    def source(self) -> Source:
        """The snapshot that is published, or the one in which the cursor goes on.

        Raises
        ------
        CursorGone
            That one is kept no more.
        """
        if self.cursor is None or self.cursor.snapshot_id is None:
            return self.api.source(self.as_of)
        snapshot = kept_snapshot(self.settings.home, self.cursor.snapshot_id)
        if snapshot is None:
            raise CursorGone("The data that this list goes on in is kept no more.", next_step=START)
        return self.api.source(self.as_of, snapshot)

    def ask(self, question: Callable[..., Found], *, is_advice: bool = False, **given: Any) -> Response:
        """What a function of a reader answers.

        Parameters
        ----------
        is_advice
            It is kept as advice, once for all who ask it.
        """
        found = self.source()
        answer = found.ask(advised(question) if is_advice else question, **given)
        return self.response(answer, found.key, found.snapshot.snapshot_id, found.as_of)

    def ask_page(self, question: Callable[..., Found], **given: Any) -> Response:
        """The same of a list that is too long to be held as a whole: the question itself takes the page."""
        assert self.limit is not None
        found = self.source()
        answer = found.ask(question, begin=self.begin, most=self.limit, **given)
        return self.response(answer, found.key, found.snapshot.snapshot_id, found.as_of)

    def told(self, question: Callable[..., Found], **given: Any) -> Response:
        """What a function of settings and an instant answers, which needs no snapshot."""
        as_of = self.as_of or self.api.present()
        key = (home_key(self.settings), as_of, question.__qualname__, repr(sorted(given.items())))
        answer = self.api.kept.answer(key, lambda: question(self.settings, as_of, **given))
        return self.response(answer, key, None, as_of)

    @property
    def begin(self) -> int:
        return self.cursor.offset if self.cursor else 0

    def response(self, answer: Answer, key: Sequence[object], snapshot_id: str | None, as_of: datetime) -> Response:
        """The answer as it goes out: a page of it, its tag and, where there is more, where that is."""
        tag = tag_of(key, self.question, self.limit, self.cursor, answer.generated_at)
        headers = {"etag": tag, "cache-control": CACHED}
        if tag in tags(self.request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
        if self.limit is not None:
            end = self.begin + self.limit
            total = getattr(answer, "total", None)
            if total is None:
                total, answer = len(answer.items), answer.model_copy(update={"items": answer.items[self.begin : end]})
            headers["items-total"] = str(total)
            if end < total:
                headers["link"] = next_link(
                    self.request.url, Cursor(snapshot_id, as_of, end, self.question), self.limit
                )
        return written(answer, headers)


def written(answer: Answer, headers: dict[str, str], status: int = 200) -> Response:
    return Response(answer.model_dump_json(by_alias=True), status, headers, "application/json")


def advised(question: Callable[..., Found]) -> Callable[..., Found]:
    """The same question, what it advises kept in the home."""

    def asked(reader: Reader, **given: Any) -> Found:
        return keep(reader.settings.home, question(reader, **given))

    asked.__module__, asked.__qualname__ = question.__module__, question.__qualname__
    return asked


def home_key(settings: Settings) -> tuple[object, ...]:
    """What answers depend on that rest on the home as it is."""
    try:
        snapshot_id = current(settings.home).snapshot_id
    except NothingPublished:
        snapshot_id = ""
    return str(settings.home), snapshot_id, home_stamp(settings)


def tag_of(*parts: object) -> str:
    """A strong tag: other parts have another."""
    return f'"{sha256(repr(parts).encode()).hexdigest()[:32]}"'


def tags(header: str) -> set[str]:
    return {part.strip().removeprefix("W/") for part in header.split(",")}


def next_link(url: URL, cursor: Cursor, limit: int) -> str:
    """Where the next page is, on the same server, whatever name it was asked by."""
    following = url.include_query_params(cursor=cursor.text(), limit=limit)
    return f'<{following.path}?{following.query}>; rel="next"'
