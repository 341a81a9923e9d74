"""Which commit of the main line brought which commit, from one pass over what git says of parents.

The main line is what one comes to from its newest commit by first parents; its first commit has position 1. A commit
of it brings itself and whatever it leads to that its first parent does not: nothing, or what its other parents (of an
octopus merge several) had gathered. A commit is brought once.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shipcast.ingest.repository import Repository

NONE = -1


@dataclass
class CommitGraph:
    """Commits by number, parents before children; arrays and one dictionary, since there may be a million.

    Attributes
    ----------
    numbers
        The number of each commit by its name, in bytes.
    first, others
        The first parent of each commit, and the other parents of merges.
    seconds
        When each was committed, since 1970 in UTC.
    positions
        The position of the main line's commit that brought each; 0: it is not on the branch.
    reach
        The newest position of the main line that each holds; 0: none.
    mainline
        The commits of the main line, oldest first.
    """

    numbers: dict[bytes, int] = field(default_factory=dict)
    first: array[int] = field(default_factory=lambda: array("i"))
    others: dict[int, tuple[int, ...]] = field(default_factory=dict)
    seconds: array[int] = field(default_factory=lambda: array("q"))
    positions: array[int] = field(default_factory=lambda: array("i"))
    reach: array[int] = field(default_factory=lambda: array("i"))
    mainline: array[int] = field(default_factory=lambda: array("i"))
    names: Sequence[bytes] = ()

    def add(self, seconds: int, name: str, parents: Sequence[str]) -> None:
        """Add a commit whose parents were added before."""
        number = self.numbers[bytes.fromhex(name)] = len(self.first)
        found = [self.numbers[bytes.fromhex(parent)] for parent in parents]
        self.first.append(found[0] if found else NONE)
        self.seconds.append(seconds)
        if len(found) > 1:
            self.others[number] = tuple(found[1:])

    def lay(self, tip: str) -> None:
        """Find the main line of the tip, what each of its commits brought, and what every commit holds of it."""
        self.names = list(self.numbers)
        number = self.numbers[bytes.fromhex(tip)]
        while number != NONE:
            self.mainline.append(number)
            number = self.first[number]
        self.mainline.reverse()
        self.positions = array("i", bytes(4 * len(self.names)))
        self.reach = array("i", bytes(4 * len(self.names)))
        for position, number in enumerate(self.mainline, start=1):
            self.reach[number] = position
            self.bring(number, position)
        for number, held in enumerate(self.reach):
            if not held:
                self.reach[number] = max((self.reach[parent] for parent in self.parents(number)), default=0)

    def bring(self, number: int, position: int) -> None:
        """Give the position to the commit and to what it leads to, except where an older one has brought it."""
        waiting = [number]
        while waiting:
            number = waiting.pop()
            if not self.positions[number]:
                self.positions[number] = position
                waiting += self.parents(number)

    def parents(self, number: int) -> tuple[int, ...]:
        first = self.first[number]
        return () if first == NONE else (first, *self.others.get(number, ()))

    def is_merge(self, number: int) -> bool:
        return number in self.others

    def sha(self, number: int) -> str:
        return self.names[number].hex()

    def number(self, sha: str) -> int | None:
        """The commit of that name, or the only one whose name begins so; None: there is none, or several."""
        if len(sha) == 2 * len(self.names[0]):
            return self.numbers.get(bytes.fromhex(sha))
        begin = bytes.fromhex(sha[: len(sha) // 2 * 2])
        found = [number for name, number in self.numbers.items() if name.startswith(begin)]
        exact = [number for number in found if self.sha(number).startswith(sha)]
        return exact[0] if len(exact) == 1 else None

    def brought_by(self, merge: int) -> list[int]:
        """What a merge, on the main line or beside it, leads to and its first parent does not; the merge left out.

        Children have higher numbers than their parents: when a commit is the highest one waiting, all ways to it were
        walked, and whether one of them came from the first parent is certain.
        """
        own = {parent: parent != self.first[merge] for parent in reversed(self.parents(merge))}
        waiting = [-parent for parent in own]
        heapq.heapify(waiting)
        found = []
        while any(own.values()):
            number = -heapq.heappop(waiting)
            is_own = own.pop(number)
            if is_own:
                found.append(number)
            for parent in self.parents(number):
                if parent not in own:
                    heapq.heappush(waiting, -parent)
                own[parent] = own.get(parent, True) and is_own
        return found


def commit_graph(repository: Repository, tip: str, others: Iterable[str] = ()) -> CommitGraph:
    """The graph of all commits that the tip of a branch and other commits lead to.

    Raises
    ------
    RepositoryDamaged
        One of the commits is missing.
    """
    graph = CommitGraph()
    arguments = ("rev-list", "--topo-order", "--reverse", "--parents", "--timestamp", "--stdin")
    for line in repository.tokens(*arguments, given=[tip, *others], end=b"\n"):
        seconds, name, *parents = line.decode("ascii").split(" ")
        graph.add(int(seconds), name, parents)
    graph.lay(tip)
    return graph
