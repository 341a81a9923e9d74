"""Which meeting a normal change can still be decided by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from shipcast.scheduling.calendar.calendar import Calendar, as_datetime
from shipcast.scheduling.calendar.rules import Cab
from shipcast.scheduling.calendar.scope import Subject, is_about


@dataclass(frozen=True)
class Meeting:
    """A meeting and its deadline (naive, UTC); None: there is none that a change handed in now would be decided by."""

    cab: str
    meets_at: datetime | None
    deadline_at: datetime | None


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
    meetings = cab.meetings(asked, start + np.timedelta64(1, "us")) if start >= asked else np.array([])
    deadlines = cab.deadlines(meetings) if len(meetings) else meetings
    for meeting, deadline in zip(meetings, deadlines, strict=True):
        if deadline >= asked:
            return Meeting(cab.id, as_datetime(meeting), as_datetime(deadline))
    return Meeting(cab.id, None, None)
