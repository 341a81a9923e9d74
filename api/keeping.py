"""What the API keeps between requests, each thing made once, all of it bounded."""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

import duckdb
from pydantic import BaseModel

from shipcast.answers.shared import Cell, Shared
from shipcast.answers.source import Key
from shipcast.settings import Settings
from shipcast.warehouse.snapshot import Snapshot, open_snapshot

Value = TypeVar("Value")
KEPT_SNAPSHOTS, KEPT_INSTANTS = 3, 3
ORDINARY = 4096
KEPT_BYTES = 32 * 2**20  # of JSON, of all answers that are kept; in memory they are several times as large


class Latest(Generic[Value]):
    """What was asked for last, under its key; whoever asks first makes it, and the others who want it wait.

    Parameters
    ----------
    most
        How much is kept, as `weight` counts it.
    """

    def __init__(self, most: int, weight: Callable[[Value], int] = lambda value: 1) -> None:
        self.most, self.weight = most, weight
        self.lock = Lock()
        self.cells: OrderedDict[Hashable, Cell] = OrderedDict()
        self.weights: dict[Hashable, int] = {}
        self.hits = self.misses = 0

    def once(self, key: Hashable, make: Callable[[], Value]) -> Value:
        with self.lock:
            cell = self.cells.setdefault(key, Cell())
            self.cells.move_to_end(key)
        with cell.lock:
            if not cell.made:
                self.misses += 1
                try:
                    cell.made = (make(),)
                except BaseException:
                    self.drop(key, cell)
                    raise
                self.weigh(key, cell)
            else:
                self.hits += 1
            value: Value = cell.made[0]
            return value

    def clear(self) -> None:
        with self.lock:
            self.cells.clear()
            self.weights.clear()

    def drop(self, key: Hashable, cell: Cell) -> None:
        with self.lock:
            if self.cells.get(key) is cell:
                del self.cells[key]

    def weigh(self, key: Hashable, cell: Cell) -> None:
        """Count one that was made, and let go what was asked for longest ago."""
        with self.lock:
            if self.cells.get(key) is not cell:
                return
            self.weights[key] = self.weight(cell.made[0])
            total = sum(self.weights.values())
            for old in list(self.cells):
                if total <= self.most:
                    break
                if old != key and old in self.weights:
                    total -= self.weights.pop(old)
                    del self.cells[old]


def bytes_of(answer: Any) -> int:
    """How large an answer is, as JSON; of what is none, an ordinary size."""
    return len(answer.model_dump_json()) if isinstance(answer, BaseModel) else ORDINARY


class Kept:
    """Snapshots that are open, what is known of the instants asked about, and answers."""

    def __init__(self) -> None:
        self.connections: Latest[duckdb.DuckDBPyConnection] = Latest(KEPT_SNAPSHOTS)
        self.instants: Latest[Shared] = Latest(KEPT_INSTANTS)
        self.answers: Latest[Any] = Latest(KEPT_BYTES, bytes_of)

    def connection(self, home: Path, snapshot: Snapshot, settings: Settings) -> duckdb.DuckDBPyConnection:
        return self.connections.once((home, snapshot), lambda: open_snapshot(home, snapshot, settings))

    def shared(self, key: Key) -> Shared:
        return self.instants.once(key, Shared)

    def answer(self, key: Key, make: Callable[[], Any]) -> Any:
        return self.answers.once(key, make)

    def close(self) -> None:
        """Let all of it go, connections last, as the database wants it before its process ends."""
        for kept in (self.answers, self.instants, self.connections):
            kept.clear()
        gc.collect()
