"""What is needed to explain a start to somebody who has not said which: the service, the best one, past starts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Unpack

import polars as pl

from shipcast.answers.inquiry import Details
from shipcast.answers.pricing import known_duration
from shipcast.answers.reading import Reader
from shipcast.answers.windows import windows
from shipcast.features.clock import HOURS_OF_WEEK

PRODUCTION = "production"


@dataclass(frozen=True)
class Offered:
    """The start to explain where none was asked about.

    `is_best`: it is the best of the coming 7 days; else none is allowed there, and it is the time of the question.
    """

    start: datetime
    is_best: bool


@dataclass(frozen=True)
class Shipped:
    """How often a service was deployed in one hour of its week, and how many of these failed; all of them settled."""

    hour: int
    n: int
    failed: int


def offered(reader: Reader, service: str, *, duration: timedelta | None = None, **details: Unpack[Details]) -> Offered:
    """The best start of a change in the coming week, as `windows` ranks them.

    Raises
    ------
    UnknownName, UsageError, CalendarError
        As of `windows`.
    """
    environment = details.get("environment", PRODUCTION)
    history = reader.history(environment)
    length, _ = known_duration(history, service, duration)
    answer = windows(reader, service, duration=length, top=1, **details)
    return Offered(answer.items[0].start, True) if answer.items else Offered(reader.as_of, False)


def shipped(reader: Reader, service: str, *, environment: str = PRODUCTION) -> tuple[Shipped, ...]:
    """The settled deployments of a service by the hour of its week, 168 from Monday 0:00 on; rollbacks left out."""
    history = reader.history(environment)
    counted = (
        history.outcomes(service, alone=True)
        .group_by("hour_of_week")
        .agg(n=pl.len(), failed=pl.col("is_failed").sum())
        .rows_by_key("hour_of_week")
    )
    return tuple(Shipped(hour, *counted.get(hour, [(0, 0)])[0]) for hour in range(HOURS_OF_WEEK))
