"""What questions about one snapshot and one instant have in common, made once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar, cast

Part = TypeVar("Part")


@dataclass
class Cell:
    """One part; empty: nobody has made it yet."""

    lock: Lock = field(default_factory=Lock)
    made: tuple[Any, ...] = ()


class Shared:
    """Parts by name, each made by whoever needs it first while the others who need it wait.

    One that could not be made is not kept, so that whoever needs it next tries again.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.cells: dict[Hashable, Cell] = {}

    def once(self, name: Hashable, make: Callable[[], Part]) -> Part:
        with self.lock:
            cell = self.cells.setdefault(name, Cell())
        with cell.lock:
            if not cell.made:
                cell.made = (make(),)
            return cast("Part", cell.made[0])
