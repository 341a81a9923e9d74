"""The clocks on the wall: which instant a local time names, also where clocks are changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from shipcast.features.clock import Instants

FIRST = datetime(1968, 1, 1, tzinfo=UTC)
NEAR, FAR = datetime(2060, 1, 1, tzinfo=UTC), datetime(2225, 1, 1, tzinfo=UTC)
STEP = timedelta(days=14)  # no zone has changed its offset and changed it back within so little since 1970
QUARTER = timedelta(minutes=15)
SECOND = timedelta(seconds=1)
MICROSECONDS = "datetime64[us]"
SURE = np.datetime64("2059-12-01", "us")
EVER = np.datetime64("0001-01-01", "us")


@dataclass(frozen=True, eq=False)
class Clock:
    """How far a zone's clock is ahead of UTC, and since when.

    Parameters
    ----------
    changes
        The instants at which the offset changes, from 1968 to `last`.
    offsets
        Before the first change, and from each one on.
    shown
        The latest time that the clock showed by the end of each stretch between changes, that end excluded.
    """

    zone: str
    last: datetime
    changes: Instants
    offsets: NDArray[np.timedelta64]
    shown: Instants

    def instants(self, local: Instants) -> Instants:
        """The first instant at which the clock shows each local time, or a later one.

        So a time that is skipped is the change itself, and of a time that comes twice it is the first.

        Examples
        --------
        >>> london = clock("Europe/London")
        >>> london.instants(np.array(["2025-03-30T01:30", "2025-10-26T01:30"], dtype="datetime64[us]"))
        array(['2025-03-30T01:00:00.000000', '2025-10-26T00:30:00.000000'],
              dtype='datetime64[us]')
        """
        if self.ends_before(local):
            return clock(self.zone, FAR).instants(local)
        stretch = np.searchsorted(self.shown, local, side="right")
        found = local - self.offsets[stretch]
        begins = np.concatenate([[EVER], self.changes])
        return np.asarray(np.maximum(begins[stretch], found))

    def local(self, instants: Instants) -> Instants:
        """What the clock shows at each instant."""
        if self.ends_before(instants):
            return clock(self.zone, FAR).local(instants)
        return np.asarray(instants + self.offsets[np.searchsorted(self.changes, instants, side="right")])

    def ends_before(self, times: Instants) -> bool:
        """Whether some of the times lie later than its changes are known."""
        return self.last < FAR and len(times) > 0 and bool(times.max() > SURE)

    def instant(self, local: datetime) -> np.datetime64:
        """The same of one naive local time."""
        found: np.datetime64 = self.instants(np.array([local], dtype=MICROSECONDS))[0]
        return found


@cache
def clock(zone: str, last: datetime = NEAR) -> Clock:
    """The clock of an IANA zone, which looks beyond `last` by itself where it is asked to."""
    changes, offsets = history(ZoneInfo(zone), last)
    edges = np.array(changes, dtype=MICROSECONDS)
    ahead = np.array(offsets, dtype="timedelta64[us]")
    shown = np.maximum.accumulate(edges + ahead[:-1]) if len(edges) else edges
    return Clock(zone, last, edges, ahead, shown)


def history(zone: ZoneInfo, last: datetime) -> tuple[list[datetime], list[timedelta]]:
    """The changes of a zone's offset (naive, UTC), to the second, and the offsets around them."""
    changes, moment, last = [], FIRST.replace(tzinfo=zone), last.replace(tzinfo=zone)
    offsets = [ahead(moment)]
    while moment < last:
        later = moment + STEP
        if ahead(later) != offsets[-1]:
            later = change(moment, later)
            changes.append(later.replace(tzinfo=None))
            offsets.append(ahead(later))
        moment = later
    return changes, offsets


def change(before: datetime, after: datetime) -> datetime:
    """The first second in (before, after] with another offset than `before` has."""
    was = ahead(before)
    before, after = narrowed(before, after, QUARTER, was)
    if ahead(after - SECOND) == was:  # nearly all clocks are changed at a quarter hour
        return after
    return narrowed(before, after, SECOND, was)[1]


def narrowed(before: datetime, after: datetime, step: timedelta, was: timedelta) -> tuple[datetime, datetime]:
    """The two neighbouring steps between which the offset changes."""
    while after - before > step:
        middle = before + (after - before) // 2 // step * step
        before, after = (middle, after) if ahead(middle) == was else (before, middle)
    return before, after


def ahead(moment: datetime) -> timedelta:
    """The offset at a moment that says the time in UTC and yet names the zone, as `fromutc` wants it.

    Times of one zone are subtracted as its clock shows them, so that nothing has to look up an offset once more.
    """
    assert moment.tzinfo is not None
    return moment.tzinfo.fromutc(moment) - moment


def microseconds(moments: Any) -> Instants:
    """Naive datetimes as an array."""
    return np.array(list(moments), dtype=MICROSECONDS)
