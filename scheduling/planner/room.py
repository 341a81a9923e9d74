"""Who runs when, and where there is room: sets of slots as the bits of whole numbers.

A row counts its running members in binary, one number a digit, so that adding a deployment takes a few operations on
whole numbers whatever its length. The counters begin at 2^digits - concurrent: their top digit is set where the row is
full.
"""

from __future__ import annotations

import numpy as np

from shipcast.scheduling.planner.model import DEFERRED, Block, Model, Row
from shipcast.scheduling.planner.problem import Bools


def smeared(bits: int, length: int) -> int:
    """The starts from which a run of `length` slots meets any of `bits`.

    Examples
    --------
    >>> bin(smeared(0b100000, 3))
    '0b111000'
    """
    done = 1
    while done < length:
        step = min(done, length - done)
        bits |= bits >> step
        done += step
    return bits


class Counter:
    """How often each slot is taken, against a limit."""

    def __init__(self, concurrent: int, spans: int) -> None:
        self.digits = max(concurrent - 1, 0).bit_length()
        everything = (1 << spans) - 1
        offset = (1 << self.digits) - concurrent
        self.planes = [everything if offset >> digit & 1 else 0 for digit in range(self.digits)]
        self.full = 0 if concurrent else everything

    def add(self, bits: int) -> None:
        planes = self.planes
        for digit in range(self.digits):
            plane = planes[digit]
            planes[digit] = plane ^ bits
            bits &= plane
            if not bits:
                return
        self.full |= bits

    def remove(self, bits: int) -> None:
        planes = self.planes
        for digit in range(self.digits):
            plane = planes[digit]
            planes[digit] = plane ^ bits
            bits &= ~plane
            if not bits:
                return
        self.full ^= bits


class Reserved:
    """One reserve: where its block may still lie.

    A request may run beside it if the block can lie before or behind; so the first and the last place of the block
    say all about it, and it need not be placed before the plan is done.
    """

    def __init__(self, block: Block) -> None:
        self.begin, self.end, self.length = block.begin, block.end, block.length
        self.window = (1 << block.end - block.begin) - 1
        self.first, self.last = block.begin, block.end - block.length

    def places(self, taken: int) -> int:
        """Where the block may begin, counted from the window's begin."""
        within = (taken >> self.begin if self.begin >= 0 else taken << -self.begin) & self.window
        free = smeared(within, self.length)
        return ~free & ((1 << self.end - self.begin - self.length + 1) - 1)

    def update(self, taken: int) -> bool:
        """Look where the block may lie beside what is taken; whether that has changed."""
        places = self.places(taken)
        before = self.first, self.last
        self.first = self.begin + (places & -places).bit_length() - 1
        self.last = self.begin + places.bit_length() - 1
        return before != (self.first, self.last)

    def closed(self, length: int) -> int:
        """The starts from which a run of `length` slots would leave the block no place."""
        low, high = max(self.last - length + 1, 0), self.first + self.length
        return ((1 << high) - (1 << low)) if high > low else 0


class Keep:
    """The reserves of one environment and what is taken by those who must keep off."""

    def __init__(self, blocks: list[Block], spans: int) -> None:
        self.reserves = [Reserved(block) for block in blocks]
        self.counter = Counter(1 << len(blocks[0].members).bit_length(), spans)
        self.cache: dict[int, int] = {}
        self.stale: set[Reserved] = set()

    def taken(self) -> int:
        bits = 0
        for plane in self.counter.planes:
            bits |= plane
        return bits

    def change(self, begin: int, end: int) -> None:
        """Remember that the reserves which lie about [begin, end) have to be looked at again."""
        for reserve in self.reserves:
            if reserve.begin < end and begin < reserve.end:
                self.stale.add(reserve)

    def closed(self, length: int) -> int:
        """The starts from which a run of `length` slots would leave a reserve no place."""
        if self.stale:
            taken = self.taken()
            for reserve in self.stale:
                if reserve.update(taken):
                    self.cache.clear()
            self.stale.clear()
        bits = self.cache.get(length)
        if bits is None:
            bits = 0
            for reserve in self.reserves:
                bits |= reserve.closed(length)
            self.cache[length] = bits
        return bits


class Room:
    """A plan under way: `starts` by position, DEFERRED where there is none."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.starts = [DEFERRED] * model.size
        self.lengths = model.durations
        self.rows = [Counter(row.concurrent, model.spans) for row in model.rows]
        self.counters = members_of(model.rows, self.rows, model.size)
        self.single = [[counter for counter in mine if not counter.digits] for mine in self.counters]
        self.multiple = [[counter for counter in mine if counter.digits] for mine in self.counters]
        groups = grouped(model.blocks)
        self.kept = [group[0] for group in groups]
        self.keeps = [Keep(group, model.spans) for group in groups]
        self.keep: list[Keep | None] = [None] * model.size
        for keep, block in zip(self.keeps, self.kept, strict=True):
            for at in block.members:
                self.keep[at] = keep
        self.runs = [(1 << length) - 1 for length in model.durations]
        self.allowed = [bits_of(row) for row in model.prices < float("inf")]

    def insert(self, at: int, start: int) -> None:
        bits = self.runs[at] << start
        for counter in self.single[at]:
            counter.full |= bits
        for counter in self.multiple[at]:
            counter.add(bits)
        self.starts[at] = start
        keep = self.keep[at]
        if keep is not None:
            keep.counter.add(bits)
            keep.change(start, start + self.lengths[at])

    def remove(self, at: int) -> None:
        start = self.starts[at]
        bits = self.runs[at] << start
        for counter in self.single[at]:
            counter.full ^= bits
        for counter in self.multiple[at]:
            counter.remove(bits)
        self.starts[at] = DEFERRED
        keep = self.keep[at]
        if keep is not None:
            keep.counter.remove(bits)
            keep.change(start, start + self.lengths[at])

    def open(self, at: int) -> int:
        """The allowed starts for which there is room, dependencies aside."""
        bits = 0
        for counter in self.counters[at]:
            bits |= counter.full
        length = self.lengths[at]
        closed = smeared(bits, length) if bits else 0
        keep = self.keep[at]
        if keep is not None:
            closed |= keep.closed(length)
        return self.allowed[at] & ~closed

    def span(self, at: int) -> tuple[int, int]:
        """The first and the last start that its scheduled neighbours leave; none where it waits for a deferred one."""
        model, starts = self.model, self.starts
        low, high = 0, model.slots - 1
        for other in model.before[at]:
            if starts[other] == DEFERRED:
                return 0, -1
            low = max(low, starts[other] + model.lags[other])
        for other in model.after[at]:
            if starts[other] != DEFERRED:
                high = min(high, starts[other] - model.lags[at])
        return low, high

    def reserve_begins(self) -> list[int]:
        """Where each reserve's block lies: of the places that the plan leaves, the first."""
        taken = {block.members: keep.taken() for keep, block in zip(self.keeps, self.kept, strict=True)}
        begins = []
        for block in self.model.blocks:
            places = Reserved(block).places(taken.get(block.members, 0))
            begins.append(block.begin + (places & -places).bit_length() - 1)
        return begins

    def load(self, starts: list[int]) -> None:
        """Take over a whole plan."""
        for at, (old, new) in enumerate(zip(self.starts, starts, strict=True)):
            if old != new and old != DEFERRED:
                self.remove(at)
        for at, (old, new) in enumerate(zip(self.starts, starts, strict=True)):
            if old != new and new != DEFERRED:
                self.insert(at, new)


def between(bits: int, low: int, high: int) -> int:
    """Those of `bits` in [low, high]."""
    if high < low:
        return 0
    return bits >> low << low & (1 << high + 1) - 1


def members_of(rows: tuple[Row, ...], counters: list[Counter], size: int) -> list[list[Counter]]:
    """The counters that each position takes part in."""
    found: list[list[Counter]] = [[] for _ in range(size)]
    for row, counter in zip(rows, counters, strict=True):
        for at in row.members:
            found[at].append(counter)
    return found


def grouped(blocks: tuple[Block, ...]) -> list[list[Block]]:
    """Blocks that concern the same requests, and concern any, together."""
    groups: dict[tuple[int, ...], list[Block]] = {}
    for block in blocks:
        if block.members:
            groups.setdefault(block.members, []).append(block)
    return list(groups.values())


def bits_of(flags: Bools) -> int:
    """The flags as bits, the first the lowest."""
    return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")
