"""What had happened before each of many instants: counts and spans that look strictly back.

Every event carries the instant from which it was known; a row at t sees those known before t, never at t.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import polars as pl

HOUR_MICROSECONDS = 3_600_000_000
DAY_HOURS = 24
HERE = "here"


@dataclass(frozen=True)
class Past:
    """The deployments of some services that had started by an instant, with what was known of them by then.

    Parameters
    ----------
    events
        One row per deployment: service, place (`here`: the environments asked about; `staging`; `test`: any
        other), started_at, failed_at (null: not known to have failed), version, is_rollback. Sorted by start.
    load
        One row per service and hour: service, hour_at, requests.
    """

    events: pl.DataFrame
    load: pl.DataFrame

    @cached_property
    def daily_load(self) -> pl.DataFrame:
        """The mean load of the day up to the end of each hour, as one row per service and hour like `load`."""
        rolled = self.load.sort("service", "hour_at").rolling("hour_at", period="1d", group_by="service")
        return rolled.agg(pl.mean("requests"))

    def deployments(self, place: str = HERE) -> pl.DataFrame:
        """Deployments there, each known from its start: service, at, version."""
        return self.at(place, "started_at").sort("at")

    def failures(self, place: str = HERE) -> pl.DataFrame:
        """Failures there, each known from `failed_at`: service, at, version."""
        return self.at(place, "failed_at").drop_nulls("at").sort("at")

    def rollbacks(self, place: str) -> pl.DataFrame:
        """Rollbacks there, each known from its start: service, at, version."""
        return self.at(place, "started_at", "is_rollback").sort("at")

    def at(self, place: str, instant: str, *conditions: str) -> pl.DataFrame:
        events = self.events.filter(pl.col("place") == place, *(pl.col(name) for name in conditions))
        return events.select("service", pl.col(instant).alias("at"), "version")


def hours_since(rows: pl.DataFrame, events: pl.DataFrame, *by: str) -> pl.Series:
    """Hours since the last event of the service (and of what else is named) before each row; null: none."""
    found = latest(rows, events.with_columns(seen_at="at"), "seen_at", *by)
    return (rows["started_at"] - found).dt.total_microseconds() / HOUR_MICROSECONDS


def latest(rows: pl.DataFrame, events: pl.DataFrame, column: str, *by: str, before: str = "0h") -> pl.Series:
    """A column of the service's last event before each row, and `before` so long ago; null: none."""
    keys = ["service", *by]
    asked = rows.select(*keys, at=pl.col("started_at").dt.offset_by(f"-{before}")).with_row_index("place_in_rows")
    known = events.select(*keys, "at", found=column).sort("at", maintain_order=True)
    joined = asked.sort("at").join_asof(known, on="at", by=keys, allow_exact_matches=False, check_sortedness=False)
    return joined.sort("place_in_rows")["found"]


def count_within(rows: pl.DataFrame, events: pl.DataFrame, hours: int) -> pl.Series:
    """How many events of the service lie in the last hours before each row, [t - hours, t)."""
    numbered = events.sort("at").with_columns(number=pl.int_range(1, pl.len() + 1).over("service"))
    upto, earlier = (latest(rows, numbered, "number", before=f"{span}h").fill_null(0) for span in (0, hours))
    return upto - earlier


NOTHING = Past(
    pl.DataFrame(
        schema={
            "service": pl.String,
            "place": pl.String,
            "started_at": pl.Datetime("us"),
            "failed_at": pl.Datetime("us"),
            "version": pl.UInt64,
            "is_rollback": pl.Boolean,
        }
    ),
    pl.DataFrame(schema={"service": pl.String, "hour_at": pl.Datetime("us"), "requests": pl.Float64}),
)
