"""Ruin and recreate: take a few related requests out of a plan, put each back where it is cheapest, keep what helps.

What makes the plan dearer is kept too, now and then, and ever more rarely as the temperature falls.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np

from shipcast.models.posterior import Floats
from shipcast.scheduling.planner.choices import Choices, slot_table
from shipcast.scheduling.planner.model import DEFERRED, Model
from shipcast.scheduling.planner.room import Room, between
from shipcast.scheduling.planner.selection import Selection, connected
from shipcast.scheduling.planner.tree import Tree

BLINK = 0.02  # starts passed over, so that the same few are not found again
MOST, LONG = 6, 30  # requests taken out in a move; in one along a chain
FIRST = 0.4  # moves in which the first taken out is the first put back
IDLE = 0.1  # moves that make way for a deferred request
GUIDED = 0.5  # starts picked by their prices with tolls


class Search:
    """A plan that is improved in place."""

    def __init__(self, model: Model, starts: Sequence[int], guide: Floats, seed: int) -> None:
        self.model = model
        self.rng = random.Random(seed)
        self.room = Room(model)
        self.room.load(list(starts))
        table = slot_table(model.slots)
        self.choices = [Choices(row, table) for row in model.prices]
        self.guided = [Choices(row, table) for row in guide]
        self.prices = [memoryview(row) for row in np.ascontiguousarray(model.prices)]
        self.favourites = [min(c.best, d) for c, d in zip(self.choices, model.deferrals, strict=True)]
        self.risks = [d - f for d, f in zip(model.deferrals, self.favourites, strict=True)]
        self.rows_of: list[list[int]] = [[] for _ in range(model.size)]
        for number, row in enumerate(model.rows):
            for at in row.members:
                self.rows_of[at].append(number)
        self.row_bits = [sum(1 << number for number in rows) for rows in self.rows_of]
        self.longest = max(model.durations, default=1)
        self.running: list[set[int]] = [set() for _ in range(model.slots)]
        for at, start in enumerate(starts):
            if start != DEFERRED:
                self.running[start].add(at)
        self.turn = {at: place for place, at in enumerate(model.order)}
        self.idle = {at for at, start in enumerate(starts) if start == DEFERRED and self.choices[at].order}
        self.cost = model.cost(starts)
        self.best_cost, self.best = self.cost, list(starts)

    def value(self, at: int) -> float:
        start = self.room.starts[at]
        return self.model.deferrals[at] if start == DEFERRED else self.prices[at][start]

    # -- moves

    def step(self, temperature: float) -> None:
        """One move: kept if it makes the plan cheaper, or not too much dearer."""
        removed = self.ruined()
        room, starts = self.room, self.room.starts
        old = [starts[at] for at in removed]
        before = 0.0
        for at in removed:
            before += self.value(at)
            if starts[at] != DEFERRED:
                room.remove(at)
        limit = before - temperature * math.log(1 - self.rng.random())
        if self.recreate(removed, limit):
            after = sum(map(self.value, removed))
            if after < limit:
                self.keep(removed, old, after - before)
                return
        for at in removed:
            if starts[at] != DEFERRED:
                room.remove(at)
        for at, start in zip(removed, old, strict=True):
            if start != DEFERRED:
                room.insert(at, start)

    def keep(self, removed: list[int], old: list[int], change: float) -> None:
        starts = self.room.starts
        for at, start in zip(removed, old, strict=True):
            if start != starts[at]:
                if start != DEFERRED:
                    self.running[start].discard(at)
                else:
                    self.idle.discard(at)
                if starts[at] != DEFERRED:
                    self.running[starts[at]].add(at)
                else:
                    self.idle.add(at)
        self.cost += change
        if self.cost < self.best_cost - 1e-9 * abs(self.best_cost):
            self.best_cost, self.best = self.cost, list(starts)

    # -- ruin

    def ruined(self) -> list[int]:
        """A few related requests, whose dependencies among themselves form no circle."""
        rng = self.rng
        chosen = Selection(self.model)
        if self.idle and rng.random() < IDLE:
            self.select(chosen, rng.choice(sorted(self.idle)))
            self.clear_way(chosen)
            return chosen.members
        seed = self.discontented()
        self.select(chosen, seed)
        target = self.wish(seed)
        if target is not None:
            self.evict(chosen, seed, target)
        if target is None or rng.random() < 0.5:
            place = target if target is not None else self.somewhere(seed)
            for other in self.around(seed, place, 1 + int(rng.random() * 5)):
                self.select(chosen, other)
        return chosen.members

    def clear_way(self, chosen: Selection) -> None:
        """Choose those who would have to go for the deferred ones among the chosen to start where they would like."""
        model, starts = self.model, self.room.starts
        begun: dict[int, int] = {}
        for at in sorted((at for at in chosen.members if starts[at] == DEFERRED), key=self.turn.__getitem__):
            ends = [begun.get(other, starts[other]) + model.lags[other] for other in model.before[at]]
            start = self.pick(at, between(self.room.allowed[at], max(ends, default=0), model.slots - 1))
            if start != DEFERRED:
                begun[at] = start
                self.evict(chosen, at, start, LONG)

    def discontented(self) -> int:
        """One that pays more than it would alone, probably."""
        size, rng = self.model.size, self.rng
        first, second = int(rng.random() * size), int(rng.random() * size)
        a = self.value(first) - self.favourites[first]
        b = self.value(second) - self.favourites[second]
        return first if a >= b else second

    def wish(self, at: int) -> int | None:
        """A start that it would pay less for; None where it has its favourite."""
        order = self.choices[at].order
        if not order:
            return None
        paid, prices = self.value(at), self.prices[at]
        start = order[min(int(self.rng.expovariate(0.15)), len(order) - 1)]
        if prices[start] >= paid:
            start = order[0]
        return start if prices[start] < paid else None

    def somewhere(self, at: int) -> int:
        start = self.room.starts[at]
        if start != DEFERRED and self.rng.random() < 0.7:
            return start
        order = self.choices[at].order
        return order[int(self.rng.random() * len(order))] if order else 0

    def overlapping(self, at: int, begin: int, end: int) -> list[int]:
        """Those that share a row with it and run in [begin, end)."""
        mine, lengths = self.row_bits[at], self.model.durations
        bits, starts = self.row_bits, self.room.starts
        found = []
        for start in range(max(begin - self.longest + 1, 0), min(end, self.model.slots)):
            for other in self.running[start]:
                if bits[other] & mine and other != at and starts[other] + lengths[other] > begin:
                    found.append(other)
        return found

    def evict(self, chosen: Selection, at: int, start: int, most: int = MOST) -> None:
        """Choose those who would have to go for it to start there."""
        room, model = self.room, self.model
        for other in model.before[at]:
            if room.starts[other] + model.lags[other] > start:
                self.select(chosen, other)
        for other in model.after[at]:
            if room.starts[other] != DEFERRED and room.starts[other] < start + model.lags[at]:
                self.select(chosen, other)
        blocked = room.runs[at] << start
        others = self.overlapping(at, start, start + model.durations[at])
        self.rng.shuffle(others)
        for number in self.rows_of[at]:
            full = room.rows[number].full & blocked
            for other in others:
                if not full or len(chosen.members) > most:
                    break
                taken = room.runs[other] << room.starts[other]
                if self.row_bits[other] >> number & 1 and taken & full:
                    self.select(chosen, other)
                    full &= ~taken

    def around(self, at: int, start: int, count: int) -> list[int]:
        """A few that share a row with it and run about then, or any."""
        margin = 2 + int(self.rng.random() * 8)
        near = self.overlapping(at, start - margin, start + self.model.durations[at] + margin)
        if len(near) < count:
            near += [int(self.rng.random() * self.model.size) for _ in range(count - len(near))]
        return self.rng.sample(near, count)

    def select(self, chosen: Selection, at: int) -> None:
        """Choose a request, with the deferred ones it waits for, and with its neighbours as often as not."""
        starts, model = self.room.starts, self.model
        chosen.add(at)
        if starts[at] == DEFERRED:
            waiting = [at]
            while waiting and len(chosen.members) < MOST:
                for other in model.before[waiting.pop()]:
                    if starts[other] == DEFERRED and chosen.add(other):
                        waiting.append(other)
            if self.rng.random() < 0.7:
                self.select_waiting(chosen, at)
        near = model.before[at] + model.after[at]
        if near and self.rng.random() < 0.6:
            waiting = [at]
            most = LONG if self.rng.random() < 0.1 else MOST
            while waiting and len(chosen.members) < most:
                last = waiting.pop()
                for other in model.before[last] + model.after[last]:
                    if self.rng.random() < 0.8 and chosen.add(other):
                        waiting.append(other)

    def select_waiting(self, chosen: Selection, at: int) -> None:
        """Choose the deferred ones that wait for it, too."""
        waiting = [at]
        while waiting and len(chosen.members) < LONG:
            for other in self.model.after[waiting.pop()]:
                if chosen.add(other):
                    waiting.append(other)

    # -- recreate

    def recreate(self, removed: list[int], limit: float) -> bool:
        """Put all back, one connected part after the other.

        False where one that must start cannot, or as soon as all would cost more than the limit even if the rest got
        their favourites.
        """
        parts = connected(self.model, removed)
        self.arrange(parts)
        least = sum(map(self.favourites.__getitem__, removed))
        for part in parts:
            if not (self.place(part[0]) if len(part) == 1 else Tree(self.room, part).place()):
                return False
            for at in part:
                least += self.value(at) - self.favourites[at]
            if least > limit:
                return False
        return True

    def arrange(self, parts: list[list[int]]) -> None:
        """The order in which the parts are put back: the first stays first, or all at random, or by what they risk."""
        rng = self.rng
        way = rng.random()
        if way < FIRST:
            first, *rest = parts
            rng.shuffle(rest)
            parts[:] = [first, *rest]
        elif way < FIRST + 0.15:
            rng.shuffle(parts)
        else:
            parts.sort(key=lambda part: -max(map(self.risks.__getitem__, part)) * (0.5 + rng.random()))

    def place(self, at: int) -> bool:
        """The cheapest start that is left for one, or none if that is cheaper."""
        model, starts, room = self.model, self.room.starts, self.room
        low, high, needed = 0, model.slots - 1, False
        for other in model.before[at]:
            start = starts[other]
            if start == DEFERRED:
                low = model.slots
            elif start + model.lags[other] > low:
                low = start + model.lags[other]
        for other in model.after[at]:
            start = starts[other]
            if start != DEFERRED:
                needed = True
                if start - model.lags[at] < high:
                    high = start - model.lags[at]
        if low <= high:
            bits = room.open(at)
            if low or high < model.slots - 1:
                bits = between(bits, low, high)
            start = self.pick(at, bits)
            if start != DEFERRED and (needed or self.prices[at][start] < model.deferrals[at]):
                room.insert(at, start)
                return True
        return not needed

    def pick(self, at: int, bits: int) -> int:
        """The cheapest start of those, by its price or with its tolls; now and then the next."""
        rng = self.rng
        last = DEFERRED
        choices = self.guided if rng.random() < GUIDED else self.choices
        for chunk, starts in choices[at].chunks:
            hits = chunk & bits
            if hits:
                for start in starts:
                    if hits >> start & 1:
                        if rng.random() > BLINK:
                            return start
                        last = start
        return last
