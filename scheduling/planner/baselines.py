"""Plans that are made without looking ahead, to hold a plan against."""

from __future__ import annotations

from shipcast.scheduling.planner.choices import Choices, cheapest, slot_table
from shipcast.scheduling.planner.model import DEFERRED, Model
from shipcast.scheduling.planner.room import Room, between


def greedy(model: Model) -> list[int]:
    """Each in its turn at the cheapest start that is left; deferred if that costs less.

    The turn is the order given, behind what a request depends on.
    """
    room, table = Room(model), slot_table(model.slots)
    for at in model.order:
        start = cheapest(Choices(model.prices[at], table), between(room.open(at), *room.span(at)))
        if start != DEFERRED and model.prices[at, start] < model.deferrals[at]:
            room.insert(at, start)
    return room.starts


def first_free(model: Model) -> list[int]:
    """Each in its turn as soon as there is room, whatever it costs."""
    room = Room(model)
    for at in model.order:
        bits = between(room.open(at), *room.span(at))
        if bits:
            room.insert(at, (bits & -bits).bit_length() - 1)
    return room.starts
