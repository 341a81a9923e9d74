"""`audit`: what was recorded in the ledger, and whether it is as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from shipcast.answers.answer import Answer, Count, Part, naive
from shipcast.answers.entries import EntryKind, Recorded, recorded, span_of
from shipcast.answers.findings import Finding
from shipcast.answers.operations import envelope
from shipcast.scheduling.calendar.rules import Freeze
from shipcast.scheduling.calendar.scope import fits
from shipcast.scheduling.ledger.chain import BEFORE_ALL, HEAD_FILE, LEDGER_FILE, What
from shipcast.scheduling.ledger.entries import Approval, Entry, Slot, Undo
from shipcast.scheduling.ledger.ledger import Ledger, broken, read_ledger
from shipcast.scheduling.ledger.state import state_of
from shipcast.settings import Settings
from shipcast.settings.errors import StorageError


class AuditListAnswer(Answer):
    """The entries of the ledger, in the order in which they were recorded."""

    schema_name: Literal["shipcast/audit-list/1"] = Field("shipcast/audit-list/1", alias="schema")
    items: tuple[Recorded, ...]


class BrokenEntry(Part):
    """The first entry that is not as it was written; `number` null: it is the head, or the one expected."""

    number: Count | None
    what: What | Literal["not expected"]
    says: str


class AuditVerifyAnswer(Answer):
    """Whether the ledger is as it was written.

    Parameters
    ----------
    items
        What is broken: one at most of the ledger itself, and the head that was expected.
    entries
        How many there are, up to the first that is broken.
    head
        The hash of the last of these: note it elsewhere, and a later `--expect` finds whatever was changed before.
    """

    schema_name: Literal["shipcast/audit-verify/1"] = Field("shipcast/audit-verify/1", alias="schema")
    items: tuple[BrokenEntry, ...]
    entries: Count
    head: str

    @property
    def exit_code(self) -> int:
        return StorageError.exit_code if self.items else 0


def audit_list(
    settings: Settings,
    as_of: datetime,
    *,
    kind: EntryKind | None = None,
    service: str | None = None,
    period: tuple[datetime | None, datetime | None] = (None, None),
    is_in_force: bool = False,
) -> AuditListAnswer:
    """The entries that were recorded by `as_of`; of a broken ledger those before the first that is broken.

    Parameters
    ----------
    period
        Only what holds at some time in [from, to), aware; None: without an end.
    is_in_force
        Only what holds still.
    """
    ledger = read_ledger(settings.home)
    at = naive(as_of)
    undone = state_of(ledger.entries, at).undone
    chosen = [
        one
        for one in ledger.entries
        if one.recorded_at <= at
        and kind in (None, one.kind)
        and (service is None or is_of(one, service))
        and (period == (None, None) or lies_in(one, *period))
        and not (is_in_force and (one.number in undone or isinstance(one.body, Undo)))
    ]
    return AuditListAnswer(
        **envelope(as_of),
        sentence=f"{counted(len(chosen))} of the ledger.",
        items=tuple(recorded(one, undone.get(one.number)) for one in chosen),
        warnings=() if ledger.fault is None else (str(broken(settings.home, ledger.fault)),),
    )


def is_of(entry: Entry[Any], service: str) -> bool:
    """Whether it is about the service; of a freeze, also if it is about all."""
    if isinstance(entry.body, Freeze):
        return fits(entry.body.scope.service, service)
    slot = entry.body.slot if isinstance(entry.body, Approval) else entry.body
    return isinstance(slot, Slot) and slot.service == service


def lies_in(entry: Entry[Any], since: datetime | None, until: datetime | None) -> bool:
    start, end = span_of(entry.body)
    if start is None or end is None:
        return False
    return (until is None or start < until) and (since is None or since < end)


def audit_verify(settings: Settings, as_of: datetime, expected: str | None = None) -> AuditVerifyAnswer:
    """Whether every entry is as it was written, and none is missing.

    Parameters
    ----------
    expected
        The hash of an earlier head, noted elsewhere: it has to be that of an entry still.
    """
    ledger = read_ledger(settings.home)
    items = tuple(found_broken(ledger, expected))
    head = ledger.chain.head
    return AuditVerifyAnswer(
        **envelope(as_of),
        sentence=verdict(ledger, items),
        items=items,
        entries=head.count,
        head=head.hash,
        warnings=unfinished(ledger),
    )


def unfinished(ledger: Ledger) -> tuple[str, ...]:
    left = ledger.chain.unfinished
    if not left or ledger.fault:
        return ()
    return (f"Behind the last entry lie {left:,} bytes of one that was not finished; the next takes their place.",)


def found_broken(ledger: Ledger, expected: str | None) -> Iterator[BrokenEntry]:
    if ledger.fault is not None:
        yield BrokenEntry(number=ledger.fault.number, what=ledger.fault.what, says=f"{ledger.fault.says}.")
    elif expected not in (None, BEFORE_ALL, *(one.hash for one in ledger.entries)):
        said = f"no entry has the hash {expected}: since it was noted the ledger was rewritten, cut off or replaced."
        yield BrokenEntry(number=None, what="not expected", says=said)


def verdict(ledger: Ledger, items: tuple[BrokenEntry, ...]) -> str:
    path = ledger.home / LEDGER_FILE
    if items:
        return f"{path} is broken: {items[0].says}"
    if not ledger.entries:
        return "Nothing was recorded yet."
    return f"{counted(len(ledger.entries))} of {path}, each as it was written and none missing."


def counted(number: int) -> str:
    """
    >>> counted(1), counted(1200)
    ('1 entry', '1,200 entries')
    """
    return "1 entry" if number == 1 else f"{number:,} entries"


def ledger_findings(settings: Settings) -> list[Finding]:
    """What the doctor says of the ledger; nothing where there is none."""
    if not any((settings.home / name).exists() for name in (LEDGER_FILE, HEAD_FILE)):
        return []
    try:
        ledger = read_ledger(settings.home)
    except StorageError as error:
        return [Finding(subject="ledger", state="broken", finding=error.detail, remedy=error.next_step)]
    if ledger.fault is None:
        finding = f"{counted(len(ledger.entries))}, each as it was written"
        return [Finding(subject="ledger", state="good", finding=finding, remedy=None)]
    finding = f"{ledger.fault.says}; nothing can be booked"
    return [Finding(subject="ledger", state="broken", finding=finding, remedy="shipcast audit verify")]
