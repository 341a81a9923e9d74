"""What a request may say, as the document describes it; times and durations are read as on the command line."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Query, Request

from shipcast.api.asking import Call
from shipcast.api.pages import DEFAULT, LONGEST, MOST
from shipcast.scheduling.calendar.scope import ChangeType

LONGEST_NAME, LONGEST_TIME, LARGEST = 200, 60, 10**9

TIME = "ISO 8601; without an offset, or as a date alone, in the reporting zone."
AsOf = Annotated[
    str | None,
    Query(
        max_length=LONGEST_TIME,
        description=f"When the question is asked: nothing known later is used. {TIME} Default: the last quarter of an "
        "hour, or the last change of the home.",
        examples=["2025-12-01T09:00Z"],
    ),
]
Service = Annotated[str, Query(min_length=1, max_length=LONGEST_NAME, examples=["checkout"])]
OptionalService = Annotated[str | None, Query(max_length=LONGEST_NAME, description="One service; default: all.")]
Team = Annotated[str | None, Query(max_length=LONGEST_NAME, description="The services of one team.")]
Environment = Annotated[
    str,
    Query(min_length=1, max_length=LONGEST_NAME, description="Where to; production means all of that kind."),
]
Lines = Annotated[int | None, Query(ge=0, le=LARGEST, description="Lines changed; default: typical of the service.")]
Files = Annotated[int | None, Query(ge=0, le=LARGEST, description="Files changed; default: typical of the service.")]
Type = Annotated[ChangeType | None, Query(description="The type of the change.")]
Duration = Annotated[
    str,
    Query(max_length=LONGEST_TIME, description="How long the deployment takes: 45m, 1h30m.", examples=["45m"]),
]
OptionalDuration = Annotated[
    str | None,
    Query(
        max_length=LONGEST_TIME,
        description="How long the deployment takes: 45m, 1h30m. Default: as the service's usually take.",
        examples=["45m"],
    ),
]
Time = Annotated[str, Query(max_length=LONGEST_TIME, description=TIME, examples=["2025-12-02T15:00Z"])]
OptionalTime = Annotated[str | None, Query(max_length=LONGEST_TIME, description=TIME)]
From = Annotated[
    str | None, Query(alias="from", max_length=LONGEST_TIME, description=f"Start of the period, included. {TIME}")
]
To = Annotated[str | None, Query(alias="to", max_length=LONGEST_TIME, description=f"Its end, excluded. {TIME}")]
Limit = Annotated[int, Query(ge=1, le=MOST, description="How many items at most.")]
CursorText = Annotated[
    str | None,
    Query(
        max_length=LONGEST,
        description="Where to go on, from the header Link of the page before; all else of the question stays.",
    ),
]
Level = Literal["calm", "fair", "moderate", "rough", "storm"]


async def call(request: Request, as_of: AsOf = None) -> Call:
    """In the loop, since it takes no time: threads are for answers."""
    return Call(request, as_of)


async def page(request: Request, as_of: AsOf = None, limit: Limit = DEFAULT, cursor: CursorText = None) -> Call:
    return Call(request, as_of, limit, cursor or "")


Asked = Annotated[Call, Depends(call)]
AskedPage = Annotated[Call, Depends(page)]
