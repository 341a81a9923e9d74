"""The ledger of a home: read by anybody at any time, written to by one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

from shipcast.scheduling.ledger.chain import (
    LEDGER_FILE,
    Chain,
    Fault,
    Record,
    append,
    count_all,
    read_chain,
    record_after,
)
from shipcast.scheduling.ledger.entries import NAMES, Entry, as_text, understood
from shipcast.scheduling.ledger.errors import LedgerBroken
from shipcast.scheduling.ledger.state import State, state_of
from shipcast.settings.account import account
from shipcast.warehouse.lock import ledger_lock


@dataclass(frozen=True)
class Ledger:
    """What a home's ledger says.

    Parameters
    ----------
    entries
        All up to the first that is broken.
    fault
        What is wrong with that one; None: all are as they were written.
    """

    home: Path
    chain: Chain
    entries: tuple[Entry[BaseModel], ...]
    fault: Fault | None

    def state(self, as_of: datetime | None = None) -> State:
        """What holds, as known at an instant (naive, UTC), or with all that was recorded.

        Raises
        ------
        LedgerBroken
            An entry is not as it was written.
        """
        self.check()
        return state_of(self.entries, as_of)

    def check(self) -> None:
        if self.fault is not None:
            raise broken(self.home, self.fault)


def broken(home: Path, fault: Fault) -> LedgerBroken:
    path = home / LEDGER_FILE
    return LedgerBroken(
        f"{path}: {fault.says}. On a broken ledger nothing is booked, and no calendar is said to be in force.",
        next_step="`shipcast audit verify` checks it; docs/bookings.md says how to go on.",
        file=str(path),
        number=fault.number,
        kind=fault.what,
    )


def read_ledger(home: Path) -> Ledger:
    """The ledger as it is now; one that lacks is empty, and one that is broken says so.

    Raises
    ------
    StorageError
        It cannot be read at all.
    """
    chain = read_chain(home)
    entries: list[Entry[BaseModel]] = []
    for record in chain.records:
        try:
            entries.append(understood(record))
        except ValueError:
            return Ledger(home, chain, tuple(entries), unknown(record))
    return Ledger(home, chain, tuple(entries), chain.fault)


def unknown(record: Record) -> Fault:
    said = f"entry {record.number} says something that this version of Shipcast does not know"
    return Fault(record.number, "not known", said)


def state_at(home: Path, as_of: datetime | None = None) -> State:
    """What a home's ledger says to hold, as known at an instant (naive, UTC).

    Raises
    ------
    LedgerBroken
        An entry is not as it was written.
    """
    return read_ledger(home).state(as_of)


class Writer:
    """A ledger that nobody else writes to."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    @property
    def entries(self) -> tuple[Entry[BaseModel], ...]:
        return self.ledger.entries

    @property
    def state(self) -> State:
        """What holds, with all that was recorded, whatever a clock says."""
        return self.ledger.state()

    def append(self, body: BaseModel, who: str) -> Entry[BaseModel]:
        """Record something for good; a crash leaves it recorded as a whole or not at all."""
        home, chain = self.ledger.home, self.ledger.chain
        now = datetime.now(UTC).replace(microsecond=0, tzinfo=None)
        said = body.model_dump(mode="json")
        record = record_after(chain.head, as_text(now), who, account(), NAMES[type(body)], said)
        entry = understood(record)
        self.ledger = Ledger(home, append(home, chain, record), (*self.ledger.entries, entry), None)
        return entry


@contextmanager
def writing(home: Path) -> Iterator[Writer]:
    """The home's ledger, held until the block ends, so that what is read in it is what will be written behind.

    Raises
    ------
    LedgerBroken
        An entry is not as it was written.
    Locked
        Another command has held it for too long.
    StorageError
        The home cannot be written.
    """
    with ledger_lock(home):
        ledger = read_ledger(home)
        ledger.check()
        count_all(home, ledger.chain)
        yield Writer(ledger)
