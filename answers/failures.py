"""When, how large and of what type the deployments are that fail: each group with its rates, as they were known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import polars as pl

from shipcast.answers.answer import optional_utc, utc
from shipcast.answers.metric_queries import Scope, placed
from shipcast.answers.metrics import PRODUCTION, asked
from shipcast.answers.periods import Span, days_said
from shipcast.answers.reading import Reader
from shipcast.answers.standard_changes import MEDIUM_LINES, SIZES, SMALL_LINES
from shipcast.answers.statistics import wilson
from shipcast.answers.words import local_time, plural, share
from shipcast.features.clock import DAY_HOURS, HOURS_OF_WEEK

FEWEST = 10  # deployments in a group, from which its rate is shown
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
NOT_KNOWN = "not known"
COLUMNS = "deployment_id, service, status, change_type, lines_changed, started_at, rollback_of, failed_at"
ROWS = """
with {placed}
select deployment_id, service, change_type, lines_changed, started_at, is_failed, is_rolled_back, is_unsettled,
    if(is_failed, failed_at, null) as failed_at
from placed
where is_counted
order by deployment_id
"""
COUNTS = {
    "n": pl.len(),
    "failed": pl.col("is_failed").sum(),
    "rolled_back": pl.col("is_rolled_back").sum(),
    "unsettled": (pl.col("is_unsettled") & ~pl.col("is_failed")).sum(),
}


@dataclass(frozen=True)
class Rate:
    """A share with its Wilson 95 % interval; null: it is a share of nothing."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Group:
    """Counted deployments that have something in common, and how many of them had failed.

    Parameters
    ----------
    rolled_back
        Those of the failed ones that were rolled back.
    unsettled
        Those that had not failed, and still may.
    """

    name: str
    n: int
    failed: int
    rolled_back: int
    unsettled: int

    @property
    def failure_rate(self) -> Rate:
        return rate(self.failed, self.n)

    @property
    def rollback_rate(self) -> Rate:
        return rate(self.rolled_back, self.n)

    @property
    def is_enough(self) -> bool:
        """Whether its rates say anything."""
        return self.n >= FEWEST


@dataclass(frozen=True)
class Failures:
    """The failures of a period.

    Parameters
    ----------
    period
        Half-open; deployments are of the period in which they ended.
    hours, days
        By the hour of the week in which they started, on the clock of each one's service: 168, from Monday 0:00 on; and
        by the day.
    zones
        These clocks, in their order.
    sizes, types
        The groups that there are; those of which it is not known come last.
    last_at
        When the latest failure was known; null: none was.
    """

    period: Span
    whole: Group
    hours: tuple[Group, ...]
    days: tuple[Group, ...]
    zones: tuple[str, ...]
    sizes: tuple[Group, ...]
    types: tuple[Group, ...]
    last_at: datetime | None
    sentence: str
    warnings: tuple[str, ...]

    @property
    def sparse(self) -> int:
        """How many of the hours in which something started have too few deployments for a rate."""
        return sum(0 < hour.n < FEWEST for hour in self.hours)


def failures(
    reader: Reader,
    *,
    service: str | None = None,
    team: str | None = None,
    environment: str = PRODUCTION,
    period_from: date | None = None,
    period_to: date | None = None,
) -> Failures:
    """The failures among the deployments that `metrics` counts for the same question.

    Raises
    ------
    UsageError
        The period is empty.
    UnknownName
        No such service, team or environment; the nearest known ones are named.
    """
    scope = Scope(environment, service, team, None)
    question = asked(reader, scope, None, period_from, period_to)
    history = reader.history(environment)
    found = reader.frame(ROWS.format(placed=placed(scope, COLUMNS)), **question.parameters(reader))
    rows = history.on_local_clock(found)
    return Failures(
        period=question.period,
        whole=group("all", rows),
        hours=by_hour(rows),
        days=by_day(rows),
        zones=tuple(sorted(rows["zone"].unique())),
        sizes=by_size(rows),
        types=by_type(rows),
        last_at=optional_utc(last_failure(rows)),
        sentence=sentence(reader, scope, question.period, rows),
        warnings=tuple(reader.warnings()),
    )


def rate(events: int, n: int) -> Rate:
    low, high = wilson(events, n) or (None, None)
    return Rate(events / n if n else None, low, high)


def group(name: str, rows: pl.DataFrame) -> Group:
    return Group(name, *rows.select(**COUNTS).row(0))


def by_hour(rows: pl.DataFrame) -> tuple[Group, ...]:
    counted = rows.group_by("hour_of_week").agg(**COUNTS).rows_by_key("hour_of_week")
    return tuple(Group(hour_said(hour), *counted.get(hour, [(0, 0, 0, 0)])[0]) for hour in range(HOURS_OF_WEEK))


def by_day(rows: pl.DataFrame) -> tuple[Group, ...]:
    counted = rows.group_by(pl.col("hour_of_week") // DAY_HOURS).agg(**COUNTS).rows_by_key("hour_of_week")
    return tuple(Group(name, *counted[day][0]) for day, name in enumerate(DAYS) if day in counted)


def hour_said(hour: int) -> str:
    """
    >>> hour_said(0), hour_said(167)
    ('Mon 00:00', 'Sun 23:00')
    """
    return f"{DAYS[hour // DAY_HOURS]} {hour % DAY_HOURS:02}:00"


def by_size(rows: pl.DataFrame) -> tuple[Group, ...]:
    lines = pl.col("lines_changed")
    size = pl.when(lines <= SMALL_LINES).then(pl.lit("small")).when(lines <= MEDIUM_LINES).then(pl.lit("medium"))
    sized = rows.with_columns(size=size.when(lines.is_not_null()).then(pl.lit("large")))
    found = grouped(sized, "size")
    return tuple(Group(f"{name}: {SIZES[name]}", *found[name]) for name in SIZES if name in found) + unknown(found)


def by_type(rows: pl.DataFrame) -> tuple[Group, ...]:
    found = grouped(rows.with_columns(pl.col("change_type").str.to_lowercase()), "change_type")
    return tuple(Group(name, *counts) for name, counts in sorted(found.items()) if name) + unknown(found)


def grouped(rows: pl.DataFrame, column: str) -> dict[str, tuple[int, int, int, int]]:
    """The counts by a column; of rows in which it is null or empty by the empty word."""
    counted = rows.with_columns(pl.col(column).fill_null("")).group_by(column).agg(**COUNTS)
    return {name: (n, failed, back, unsettled) for name, n, failed, back, unsettled in counted.rows()}


def unknown(found: dict[str, tuple[int, int, int, int]]) -> tuple[Group, ...]:
    return (Group(NOT_KNOWN, *found[""]),) if "" in found else ()


def last_failure(rows: pl.DataFrame) -> datetime | None:
    found: datetime | None = rows.select(pl.max("failed_at")).item()
    return found


def sentence(reader: Reader, scope: Scope, period: Span, rows: pl.DataFrame) -> str:
    """How many failed, how sure that is, and when the last one did."""
    zone = reader.settings.tz
    whole, when = group("all", rows), days_said(period, ZoneInfo(zone))
    about = ", ".join(name for name in (scope.service, scope.team) if name)
    where = f"{scope.environment}{f' ({about})' if about else ''}"
    if not whole.n:
        return f"No deployment to {where} was completed {when}, so none can have failed."
    found = whole.failure_rate
    if not whole.failed:
        return f"None of {plural(whole.n, 'deployment')} to {where} failed {when}: at most {share(found.high)} do."
    last = local_time(utc(last_failure(rows) or reader.at), zone, reader.as_of)
    back = f"{whole.rolled_back:,} of them rolled back" if whole.rolled_back else "none of them rolled back"
    return (
        f"{whole.failed:,} of {plural(whole.n, 'deployment')} to {where} failed {when} ({share(found.value)}, "
        f"{share(found.low)} to {share(found.high)}), {back}; the last was known at {last} ({zone})."
    )
