"""The file of the ledger: one line an entry, each with the hash of the one before.

A line is a JSON object that ends with its `hash`: the SHA-256 of the line without it. `ledger.head.json` beside the
file says how many entries there are, and the hash of the last: so a tail that is cut off is noticed. What stands behind
the last entry that the head counts is an entry too if it is whole; a line that was not finished is none.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from shipcast.settings.files import prepared, read_sealed, sealed, write_sealed
from shipcast.warehouse.damage import told

LEDGER_FILE = "ledger.jsonl"
HEAD_FILE = "ledger.head.json"
BEFORE_ALL = "0" * 64  # the hash before the first entry
KEYS = {"number": int, "recorded_at": str, "who": str, "account": str, "kind": str, "body": dict, "previous": str}
HASHED = re.compile(rb'(.*),"hash":"([0-9a-f]{64})"}', flags=re.DOTALL)

What = Literal["changed", "missing", "out of order", "unreadable", "not following", "not known", "cut off", "head"]


@dataclass(frozen=True)
class Record:
    """An entry as it lies in the file.

    Parameters
    ----------
    number
        From 1 on, without gaps.
    recorded_at
        RFC 3339, UTC, whole seconds.
    who
        As they said.
    account
        The operating system's name of the user who ran the command.
    previous, hash
        The hash of the entry before, and its own.
    """

    number: int
    recorded_at: str
    who: str
    account: str
    kind: str
    body: dict[str, Any]
    previous: str
    hash: str

    @property
    def line(self) -> bytes:
        """The entry in the file, with its line feed."""
        content = {key: getattr(self, key) for key in KEYS}
        return text_of(content)[:-1] + f',"hash":"{self.hash}"}}\n'.encode()


@dataclass(frozen=True)
class Fault:
    """The first thing that is wrong with a chain.

    Parameters
    ----------
    number
        Of the entry; None: it is the head.
    says
        What is wrong, as a sentence without its end.
    """

    number: int | None
    what: What
    says: str


@dataclass(frozen=True)
class Head:
    """How many entries there are, and the hash of the last."""

    count: int = 0
    hash: str = BEFORE_ALL


@dataclass(frozen=True)
class Chain:
    """The entries up to the first that is broken.

    Parameters
    ----------
    length
        How many bytes they take; there the next one begins.
    unfinished
        How many bytes lie behind, of an entry that was not finished.
    counted
        How many entries the head counts: all, but after a crash.
    """

    records: tuple[Record, ...] = ()
    fault: Fault | None = None
    length: int = 0
    unfinished: int = 0
    counted: int = 0

    @property
    def head(self) -> Head:
        return Head(len(self.records), self.records[-1].hash) if self.records else Head()


def text_of(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode("ascii")


def record_after(head: Head, recorded_at: str, who: str, account: str, kind: str, body: dict[str, Any]) -> Record:
    """The next entry."""
    said = (head.count + 1, recorded_at, who, account, kind, body, head.hash)
    return Record(*said, hash=hashlib.sha256(text_of(dict(zip(KEYS, said, strict=True)))).hexdigest())


def read_chain(home: Path) -> Chain:
    """The chain of a home; needs no lock.

    Raises
    ------
    StorageError
        A file cannot be read.
    """
    with told(home / LEDGER_FILE):
        head = read_head(home / HEAD_FILE)  # first: the file behind it only grows
        try:
            content = (home / LEDGER_FILE).read_bytes()
        except FileNotFoundError:
            content = b""
    return verified(content, head)


def read_head(path: Path) -> Head | Fault | None:
    """What the head says, or what is wrong with it; None: there is none."""
    try:
        facts = read_sealed(path)
        return Head(int(facts["count"]), str(facts["hash"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return Fault(None, "head", f"{HEAD_FILE} is not what was written")


def verified(content: bytes, head: Head | Fault | None) -> Chain:
    """The chain that the bytes of the file make up, held against the head."""
    *lines, rest = content.split(b"\n")
    counted = head.count if isinstance(head, Head) else 0
    if len(lines) > counted and b"\0" in lines[-1]:  # as a power failure may leave a line, and nobody writes one
        rest = lines.pop() + b"\n" + rest
    records: list[Record] = []
    fault: Fault | None = None
    for line in lines:
        last = Head(len(records), records[-1].hash) if records else Head()
        found = record_of(line, last)
        if isinstance(found, Fault):
            fault = found
            break
        records.append(found)
    length = sum(len(line) + 1 for line in lines[: len(records)])
    return Chain(tuple(records), fault or unlike_head(records, head), length, len(rest), counted)


def record_of(line: bytes, last: Head) -> Record | Fault:
    """The entry in a line, or what is wrong with it, behind the last one."""
    number = last.count + 1
    match = HASHED.fullmatch(line)
    if match is None:
        return Fault(number, "unreadable", f"entry {number} cannot be read")
    if hashlib.sha256(match[1] + b"}").hexdigest().encode() != match[2]:
        return Fault(number, "changed", f"entry {number} was changed after it was written")
    record = record_from(match[1] + b"}", match[2].decode())
    if record is None:
        return Fault(number, "unreadable", f"entry {number} is no entry")
    if record.number > number:
        return Fault(number, "missing", f"entry {number} is missing: entry {record.number} stands in its place")
    if record.number < number:
        return Fault(number, "out of order", f"entry {record.number} stands where entry {number} should")
    if record.previous != last.hash:
        before = "the beginning" if last.count == 0 else f"entry {last.count} as that is now"
        return Fault(number, "not following", f"entry {number} does not follow on {before}: one of them was rewritten")
    return record


def record_from(text: bytes, own_hash: str) -> Record | None:
    """The entry that a text says; None: it is none, though its hash fits."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or content.keys() != KEYS.keys():
        return None
    if any(type(content[key]) is not kind for key, kind in KEYS.items()):
        return None
    return Record(**content, hash=own_hash)


def unlike_head(records: list[Record], head: Head | Fault | None) -> Fault | None:
    """Where the entries are not those that the head counts."""
    if isinstance(head, Fault):
        return head
    if head is None:
        return Fault(None, "head", f"{HEAD_FILE} is gone") if records else None
    if len(records) < head.count:
        lost = head.count - len(records)
        first = len(records) + 1
        return Fault(first, "cut off", f"the tail is cut off: {lost} of {head.count} entries lack, from {first} on")
    if head.count and records[head.count - 1].hash != head.hash:
        return Fault(
            head.count, "changed", f"entry {head.count} is not the one that {HEAD_FILE} names: the ledger was rewritten"
        )
    return None


def append(home: Path, chain: Chain, record: Record) -> Chain:
    """Write the next entry of a sound chain; hold `ledger_lock` around this and the reading of the chain.

    The head lies ready before the line is written, and is renamed after: a crash leaves the entry there as a whole or
    not at all, and whoever is told that it is there can rely on the head to miss it.

    Raises
    ------
    StorageError
        The disk is full or cannot be written; the ledger is as it was.
    """
    path, head = home / LEDGER_FILE, home / HEAD_FILE
    with told(path):
        if not chain.records and not head.exists():
            write_sealed(head, asdict(Head()))
        with prepared(head, [sealed({"count": record.number, "hash": record.hash})]):
            write_line(path, chain.length, record.line)
    return Chain((*chain.records, record), None, chain.length + len(record.line), 0, record.number)


def count_all(home: Path, chain: Chain) -> None:
    """Let the head of a sound chain count what a command wrote that then did not end; hold `ledger_lock` around it."""
    if chain.counted < len(chain.records):
        with told(home / HEAD_FILE):
            write_sealed(home / HEAD_FILE, asdict(chain.head))


def write_line(path: Path, place: int, line: bytes) -> None:
    """Let the file end with the line, which begins at a place; if that fails, it ends there."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0) as file:
        file.truncate(place)
        try:
            file.seek(place)
            while line:
                line = line[file.write(line) :]
            os.fsync(file.fileno())
        except BaseException:
            file.truncate(place)
            raise
