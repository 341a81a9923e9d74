"""Events as they came, each once, on the disk before anybody is told that it was taken.

A file of SQLite in the home: servers write it and runs read it at the same time, and its keys see to it that an event
that is delivered again is not kept twice. Those who deliver at the same time share one write to the disk. An event is
kept for 60 days, since the row of a thing is made from all that was told of it, whatever the order.
"""

from __future__ import annotations

import json
import queue
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shipcast.ingest.errors import InboxUnusable

FILE = "inbox.sqlite"
KEPT = timedelta(days=60)
TOGETHER = 500  # events in one transaction
BUSY_SECONDS = 10
TABLE = """
create table if not exists events (
    number integer primary key autoincrement, source text not null, delivery text not null, kind text not null,
    subject text not null, happened_at text not null, received_at text not null, body text not null,
    unique (source, delivery))
"""
IDENTITY = "create table if not exists identity (value text not null)"
NAMED = "insert into identity select lower(hex(randomblob(16))) where not exists (select 1 from identity)"
INDEX = "create index if not exists by_subject on events (source, subject)"
ADD = """
insert into events (source, delivery, kind, subject, happened_at, received_at, body) values (?, ?, ?, ?, ?, ?, ?)
on conflict do nothing
"""
KEPT_BODY = "select body from events where source = ? and delivery = ?"
SINCE = """
select number, delivery, kind, subject, happened_at, body from events
where source = ?1 and number <= ?3
    and subject in (select subject from events where source = ?1 and number > ?2 and number <= ?3)
order by subject, happened_at, number
"""


@dataclass(frozen=True)
class Event:
    """Something that a source told.

    Parameters
    ----------
    source
        The label of the source that told it.
    delivery
        The id under which it was delivered: what comes again with the same is the same.
    kind, subject
        What happened, in the source's own words; and to what, such as `deployment/7`.
    happened_at
        When, as ISO 8601 in UTC, by the source's clock.
    body
        All that was told, as JSON text.
    warnings
        What whoever sent it should know; they are not kept.
    """

    source: str
    delivery: str
    kind: str
    subject: str
    happened_at: str
    body: str
    number: int = 0
    warnings: tuple[str, ...] = ()


class Inbox:
    """The events of a home.

    Raises
    ------
    InboxUnusable
        Its file cannot be read or written.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / FILE

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
                connection.execute("pragma journal_mode = wal")
                connection.execute("pragma synchronous = full")
                connection.execute(TABLE)
                connection.execute(INDEX)
                connection.execute(IDENTITY)
                connection.execute(NAMED)
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise InboxUnusable(
                f"{self.path}: events cannot be kept or read: {error}.",
                next_step="Free some space, or set the file aside if it is damaged; sources are polled all the same.",
            ) from error

    def add(self, events: Sequence[Event]) -> list[bool]:
        """Keep the events for good; those that are kept already change nothing.

        Whether each is kept as it is given; else another came before under its id, and that stays.
        """
        with self.opened() as connection:
            return put(connection, events)

    def newest(self, source: str) -> tuple[str, int]:
        """Which inbox this is, and the number of the source's newest event in it; 0: there is none.

        One that was lost and begun anew is another, and counts from 1 again.
        """
        if not self.path.exists():
            return "", 0
        with self.opened() as connection:
            identity = connection.execute("select value from identity").fetchone()[0]
            found = connection.execute("select max(number) from events where source = ?", [source]).fetchone()
        return str(identity), int(found[0] or 0)

    def told_of(self, source: str, since: int, until: int) -> list[Event]:
        """All events up to a number that tell of the things of which something was told after another."""
        with self.opened() as connection:
            rows = connection.execute(SINCE, [source, since, until]).fetchall()
        return [
            Event(source, delivery, kind, subject, happened_at, body, number)
            for number, delivery, kind, subject, happened_at, body in rows
        ]

    def prune(self, now: datetime) -> None:
        """Forget what came more than 60 days ago."""
        if self.path.exists():
            with self.opened() as connection:
                connection.execute("delete from events where received_at < ?", [(now - KEPT).isoformat()])


def put(connection: sqlite3.Connection, events: Sequence[Event]) -> list[bool]:
    now = datetime.now(UTC).isoformat()
    rows = [(each.source, each.delivery, each.kind, each.subject, each.happened_at, now, each.body) for each in events]
    connection.execute("begin immediate")
    try:
        kept = [bool(connection.execute(ADD, row).rowcount) or is_kept(connection, row) for row in rows]
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")
    return kept


def is_kept(connection: sqlite3.Connection, row: tuple[str, ...]) -> bool:
    """Whether what came before under the id of a row says the same."""
    source, delivery, *_, body = row
    before: str = connection.execute(KEPT_BODY, [source, delivery]).fetchone()[0]
    return before == body or json.loads(before) == json.loads(body)


class Letterbox:
    """Takes events from many at once, and writes those that wait together; each is told when its own is on the disk."""

    def __init__(self, home: Path) -> None:
        self.inbox = Inbox(home)
        self.waiting: queue.SimpleQueue[tuple[Event, Future[bool]] | None] = queue.SimpleQueue()
        self.thread: threading.Thread | None = None
        self.lock = threading.Lock()

    def take(self, event: Event) -> Future[bool]:
        """What is done when the event is kept for good, as `Inbox.add` says it, or raises InboxUnusable."""
        with self.lock:
            if self.thread is None:
                self.thread = threading.Thread(target=self.write, name="letterbox", daemon=True)
                self.thread.start()
        kept: Future[bool] = Future()
        self.waiting.put((event, kept))
        return kept

    def end(self) -> None:
        """Write what waits, and no more."""
        with self.lock:
            thread, self.thread = self.thread, None
        if thread is not None:
            self.waiting.put(None)
            thread.join()

    def write(self) -> None:
        while True:
            batch, is_last = self.batch()
            if batch:
                self.store(batch)
            if is_last:
                return

    def batch(self) -> tuple[list[tuple[Event, Future[bool]]], bool]:
        """What waits by now, at least one; and whether it was the last."""
        batch = [self.waiting.get()]
        while len(batch) < TOGETHER and batch[-1] is not None:
            try:
                batch.append(self.waiting.get_nowait())
            except queue.Empty:
                break
        return [each for each in batch if each is not None], batch[-1] is None

    def store(self, batch: Sequence[tuple[Event, Future[bool]]]) -> None:
        try:
            found = self.inbox.add([event for event, _ in batch])
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, InboxUnusable):  # one of them alone may be to blame
                for each in batch:
                    self.store([each])
                return
            for _, kept in batch:
                kept.set_exception(error)
        else:
            for (_, kept), is_as_given in zip(batch, found, strict=True):
                kept.set_result(is_as_given)
