"""What a chance of failure rests on: the settled deployments of the service, and of all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from shipcast.features.clock import DAY_HOURS, WEEKEND_DAY

NEAR_HOURS = 2
MOST_ALIKE = 5
OTHER_DAY, OTHER_KIND_OF_DAY, UNKNOWN_SIZE = 0.5, 2.0, 1.0
WEEKEND = WEEKEND_DAY * DAY_HOURS


@dataclass(frozen=True)
class Ground:
    """The settled deployments of one service, as `History.outcomes` gives them; of all, how many, and failures."""

    own: pl.DataFrame
    pooled: int
    pooled_failures: int

    @property
    def count(self) -> int:
        return len(self.own)

    @property
    def failures(self) -> int:
        return int(self.own["is_failed"].sum())

    @property
    def period(self) -> tuple[datetime | None, datetime | None]:
        """When the first and the last of its own started (naive, UTC); null: there is none."""
        return self.own.select(first=pl.min("started_at"), last=pl.max("started_at")).row(0)

    def near(self, hour: int) -> int:
        """Its own within two hours of that local time of day, on days of the same kind; `hour` is of the week."""
        hours = self.own["hour_of_week"].cast(pl.Int64)
        apart = (hours - hour).abs() % DAY_HOURS
        is_near = (apart <= NEAR_HOURS) | (apart >= DAY_HOURS - NEAR_HOURS)
        return int((is_near & ((hours >= WEEKEND) == (hour >= WEEKEND))).sum())

    def alike(self, hour: int, lines: float | None) -> pl.DataFrame:
        """Its own that were most like a change of so many lines in that hour of the week, the likest first.

        Apart by one for each two hours between the times of day, a half for another day, two for a day of the other
        kind, and one for each doubling of size or where a size is not known; of equals the newest. Null lines: of
        the service's median size.
        """
        return self.own.sort(
            apart_in_time(pl.col("hour_of_week").cast(pl.Int64), hour) + apart_in_size(self.usual_lines(lines)),
            pl.col("started_at"),
            pl.col("deployment_id"),
            descending=[False, True, False],
        ).head(MOST_ALIKE)

    def usual_lines(self, lines: float | None) -> float | None:
        """The lines said, else the median of its own; null: not known of any."""
        median = self.own.select(pl.median("lines").cast(pl.Float64)).item()
        return median if lines is None else lines


def apart_in_time(hours: pl.Expr, hour: int) -> pl.Expr:
    """How unlike two hours of the week are, in points."""
    apart = (hours - hour).abs() % DAY_HOURS
    clock = pl.min_horizontal(apart, DAY_HOURS - apart) / NEAR_HOURS
    is_other_kind = (hours >= WEEKEND) != (hour >= WEEKEND)
    is_other_day = hours // DAY_HOURS != hour // DAY_HOURS
    return clock + pl.when(is_other_kind).then(OTHER_KIND_OF_DAY).when(is_other_day).then(OTHER_DAY).otherwise(0.0)


def apart_in_size(lines: float | None) -> pl.Expr:
    """How many times one size must be doubled to give the other; empty changes count as of one line."""
    if lines is None:
        return pl.lit(0.0)
    sizes = pl.col("lines").cast(pl.Float64).clip(1)
    return (sizes / max(lines, 1)).log(2).abs().fill_null(UNKNOWN_SIZE)
