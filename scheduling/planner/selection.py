"""Which requests leave a plan together, and which of them hang together."""

from __future__ import annotations

from collections.abc import Sequence

from shipcast.scheduling.planner.model import Model


def connected(model: Model, members: Sequence[int]) -> list[list[int]]:
    """The members in parts that hang together by dependencies among them, in the order of their first ones."""
    left, parts = set(members), []
    for first in members:
        if first in left:
            left.discard(first)
            part, queue = [first], [first]
            while queue:
                at = queue.pop()
                for other in model.before[at] + model.after[at]:
                    if other in left:
                        left.discard(other)
                        part.append(other)
                        queue.append(other)
            parts.append(part)
    return parts


class Selection:
    """Requests chosen for removal; what would close a circle of dependencies among them is left out."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.members: list[int] = []
        self.part: dict[int, int] = {}

    def add(self, at: int) -> bool:
        """Choose one; False if it was chosen already or would close a circle."""
        part = self.part
        if at in part:
            return False
        touched = [part[other] for other in self.model.before[at] + self.model.after[at] if other in part]
        if touched:
            if len(set(touched)) < len(touched):
                return False
            for other, name in part.items():
                if name in touched:
                    part[other] = at
        part[at] = at
        self.members.append(at)
        return True
