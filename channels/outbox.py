"""The messages that are to go out, and those that went: kept so that none is lost and none is told twice.

`outbox.json` in the home, written whole: before a message is sent, and again when it was. A crash in between leaves it
waiting, so that it is sent again, with the same id.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from shipcast.channels.notice import Notice
from shipcast.settings.channels import Channel
from shipcast.settings.files import read_sealed, write_sealed

FILE = "outbox.json"
KEPT = timedelta(days=60)
LEAST = 1_000  # messages that are kept however old they are by a clock, which may have been wrong
GIVES_UP = timedelta(days=3)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
MOST_DOUBLINGS = 10

State = Literal["pending", "delivered", "gave_up"]


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Delivery(Record):
    """What became of one message on one channel.

    Parameters
    ----------
    next_at
        From when it is tried, or tried again; None: it is not any more.
    ended_at
        When it was delivered, or given up; None: neither.
    said
        Why the last attempt failed, or what there is to say though it did not; mostly empty.
    """

    channel: str
    queued_at: AwareDatetime
    state: State = "pending"
    attempts: int = 0
    next_at: AwareDatetime | None
    ended_at: AwareDatetime | None = None
    said: str = ""

    def delivered(self, now: datetime, said: str) -> Delivery:
        ended = {"state": "delivered", "next_at": None, "ended_at": now, "said": said}
        return self.model_copy(update={"attempts": self.attempts + 1, **ended})

    def failed(self, now: datetime, said: str, pause: float | None, late_from: datetime | None) -> Delivery:
        """After a failed attempt: tried again after a pause that doubles, or the longer one that the server asks for.

        It is given up three days after it was queued, or once it would come too late.
        """
        attempts = self.attempts + 1
        if now >= min(self.queued_at + GIVES_UP, late_from or now + GIVES_UP):
            return self.given_up(now, said).model_copy(update={"attempts": attempts})
        wait = min(FIRST_PAUSE * 2 ** min(attempts - 1, MOST_DOUBLINGS), LONGEST_PAUSE)
        asked = timedelta(seconds=min(pause or 0.0, LONGEST_PAUSE.total_seconds()))
        return self.model_copy(update={"attempts": attempts, "next_at": now + max(wait, asked), "said": said})

    def outlived(self, now: datetime, late_from: datetime | None) -> str | None:
        """Why it is not to be tried any more; None: it is."""
        if late_from is not None and now >= late_from:
            return "it would have come too late"
        return "it waited for over three days" if now - self.queued_at > GIVES_UP else None

    def given_up(self, now: datetime, said: str) -> Delivery:
        return self.model_copy(update={"state": "gave_up", "next_at": None, "ended_at": now, "said": said})


class Entry(Record):
    """A message, and what became of it on each channel that is told of it."""

    notice: Notice
    deliveries: tuple[Delivery, ...]


class Outbox(Record):
    """All messages of the last 60 days, and at least the last thousand, in the order in which they were found.

    Parameters
    ----------
    levels
        The level that coming bookings had when they were booked, by the hashes of their entries in the ledger, so that
        each is worked out but once.
    """

    entries: tuple[Entry, ...] = ()
    levels: dict[str, str] = {}

    def queued(self, notices: Iterable[Notice], channels: Sequence[Channel], now: datetime) -> Outbox:
        """With a delivery for each channel that is to be told of a notice and was not, nor is going to be."""
        entries = {entry.notice.id: entry for entry in self.entries}
        for notice in notices:
            entry = entries.get(notice.id) or Entry(notice=notice, deliveries=())
            known = {each.channel for each in entry.deliveries}
            fresh = [one.label for one in channels if wants(one, notice) and one.label not in known]
            added = tuple(Delivery(channel=label, queued_at=now, next_at=now) for label in fresh)
            if entry.deliveries or added:
                entries[notice.id] = entry.model_copy(update={"deliveries": (*entry.deliveries, *added)})
        return self.model_copy(update={"entries": tuple(entries.values())})

    def without_withdrawn(self, current: Collection[str], now: datetime) -> Outbox:
        """With what waits of a window that is not going to open any more given up, by the ids of what is the case."""
        outbox = self
        for notice, waiting in self.pending:
            if notice.kind == "window_opening" and notice.id not in current:
                why = waiting.outlived(now, notice.late_from) or "its booking was taken back"
                outbox = outbox.replaced(notice, waiting.given_up(now, why))
        return outbox

    def pruned(self, current: Collection[str], now: datetime) -> Outbox:
        """Without what is older than 60 days and is not the case any more, by the ids of what is.

        The last thousand stay whatever the clock says: one that was ahead for a while would else drop what is the case
        again once it is set right, and let it be told twice.
        """
        kept = tuple(
            entry
            for behind, entry in zip(range(len(self.entries), 0, -1), self.entries, strict=True)
            if behind <= LEAST or entry.notice.id in current or now - entry.notice.at <= KEPT
        )
        return self.model_copy(update={"entries": kept})

    def replaced(self, notice: Notice, delivery: Delivery) -> Outbox:
        """With this in the place of what was known of a message on a channel."""

        def changed(entry: Entry) -> Entry:
            others = (delivery if each.channel == delivery.channel else each for each in entry.deliveries)
            return entry.model_copy(update={"deliveries": tuple(others)})

        entries = tuple(changed(one) if one.notice.id == notice.id else one for one in self.entries)
        return self.model_copy(update={"entries": entries})

    @property
    def pending(self) -> list[tuple[Notice, Delivery]]:
        """What waits to be sent, in the order in which it is due."""
        found = [
            (entry.notice, each) for entry in self.entries for each in entry.deliveries if each.next_at is not None
        ]
        return sorted(found, key=lambda pair: pair[1].next_at or pair[1].queued_at)


def wants(channel: Channel, notice: Notice) -> bool:
    """Whether a channel is told of a notice; what is about no single service, all are that want its kind."""
    is_about = notice.service is None or not channel.services
    return notice.kind in channel.events and (
        is_about or any(fnmatchcase(notice.service or "", glob) for glob in channel.services)
    )


def read_outbox(home: Path) -> Outbox:
    """The outbox; an empty one where there is none yet.

    Raises
    ------
    ValueError
        It is not as it was written.
    """
    try:
        return Outbox.model_validate(read_sealed(home / FILE))
    except FileNotFoundError:
        return Outbox()
    except ValidationError as error:
        raise ValueError("it is none") from error


def write_outbox(home: Path, outbox: Outbox) -> None:
    write_sealed(home / FILE, outbox.model_dump(mode="json"))
