"""Which meeting a normal change can still be decided by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from shipcast.features.clock import Instants
from shipcast.scheduling.calendar.calendar import Calendar, as_datetime
from shipcast.scheduling.calendar.rules import Cab
from shipcast.scheduling.calendar.scope import Subject, is_about


@dataclass(frozen=True)
class Meeting:
    """A meeting and its deadline (naive, UTC); None: there is none that a change handed in now would be decided by."""

    cab: str
    meets_at: datetime | None
    deadline_at: datetime | None


@dataclass(frozen=True, eq=False)
class Agenda:
    """The meetings of a board in a stretch of time, in order, and until when a change must be with each (UTC)."""

    cab: str
    meetings: Instants
    deadlines: Instants

    def first(self, handed_in: np.datetime64, start: np.datetime64) -> Meeting:
        """The first of them by `start` whose deadline a change handed in then meets."""
        place = int(np.searchsorted(self.deadlines, handed_in))
        if place < len(self.meetings) and self.meetings[place] <= start:
            return Meeting(self.cab, as_datetime(self.meetings[place]), as_datetime(self.deadlines[place]))
        return Meeting(self.cab, None, None)


def meetings_before(
    calendar: Calendar, subject: Subject, asked: datetime, start: datetime, is_decided: bool = False
) -> list[Meeting]:
    """Of each board that decides on the subject, the first meeting whose deadline a change handed in at `asked` meets.

    It meets by `start`. Standard changes are approved beforehand and emergencies don't wait, so they need none; nor is
    one named where the type is not known. With `is_decided` all need one.
    """
    if subject.change_type != "normal" and not is_decided:
        return []
    about = [cab for cab in calendar.cabs if is_about(cab.scope, subject)]
    return [first_meeting(cab, np.datetime64(asked, "us"), np.datetime64(start, "us")) for cab in about]


def first_meeting(cab: Cab, asked: np.datetime64, start: np.datetime64) -> Meeting:
    return agenda(cab, asked, start).first(asked, start)


def agenda(cab: Cab, since: np.datetime64, until: np.datetime64) -> Agenda:
    """The board's meetings in [since, until]; none where that is no stretch of time."""
    end = max(until, since) + np.timedelta64(1, "us")
    meetings = cab.meetings(since, end)
    meetings = meetings[meetings <= until]
    return Agenda(cab.id, meetings, cab.deadlines(meetings))
