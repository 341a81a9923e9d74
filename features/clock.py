"""Local time: where on its zone's week an instant lies. People, batches and traffic keep to the wall clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from functools import cache, lru_cache, wraps
from importlib import resources
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shipcast.features.countries import codes, country_class

DAY_HOURS = 24
HOURS_OF_WEEK = 7 * DAY_HOURS
WEEKEND_DAY = 5  # Saturday, as weekday() counts

Instants = NDArray[np.datetime64]
OnClock = Callable[[Instants, str], NDArray[Any]]

LAST_ASKED = 64  # arrays of instants, of which the answers are kept


def hour_of_week(instant: pl.Expr, zone: str) -> pl.Expr:
    """Whole hours since Monday 00:00 on the zone's clock, 0 to 167, of naive UTC instants.

    In a week in which the clocks change an hour is skipped or comes twice, as on the wall.
    """
    local = instant.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    return (local.dt.weekday().cast(pl.Int64) - 1) * 24 + local.dt.hour().cast(pl.Int64)


def hour_of_week_in(instant: pl.Expr, zone: pl.Expr, zones: Iterable[str]) -> pl.Expr:
    """The same where every row has its own zone, one of `zones`."""
    local: list[pl.Expr] = [pl.when(zone == name).then(hour_of_week(instant, name)) for name in sorted(zones)]
    return pl.coalesce(*local, pl.lit(None, dtype=pl.Int64))


def kept_by_instants(function: OnClock) -> OnClock:
    """A function of instants and a zone that knows its last answers, which nobody can write to.

    A question asks of the same starts again and again; of the services of one zone all do.
    """

    @lru_cache(maxsize=LAST_ASKED)
    def found(instants: bytes, zone: str) -> NDArray[Any]:
        answer = function(np.frombuffer(instants, "datetime64[us]"), zone)
        answer.flags.writeable = False
        return answer

    @wraps(function)
    def of(instants: Instants, zone: str) -> NDArray[Any]:
        return found(instants.astype("datetime64[us]").tobytes(), zone)

    return of


@kept_by_instants
def hours_of_week(instants: Instants, zone: str) -> NDArray[np.int64]:
    """The same of an array of UTC instants.

    Examples
    --------
    >>> summer_begins = np.array(["2025-03-30T00:30", "2025-03-30T01:30"], dtype="datetime64[us]")
    >>> hours_of_week(summer_begins, "Europe/London") - 6 * 24
    array([0, 2])
    """
    frame = pl.DataFrame({"instant": instants})
    return frame.select(hour_of_week(pl.col("instant"), zone)).to_series().to_numpy(writable=True)


def is_zone(name: str) -> bool:
    """Whether that is an IANA time zone."""
    if not name:  # polars would take it for UTC
        return False
    try:
        pl.select(hour_of_week(pl.lit(0).cast(pl.Datetime("us")), name))
    except pl.exceptions.PolarsError:
        return False
    return True


def local_time(instants: pl.Series, zones: pl.Series) -> pl.Series:
    """What the clocks of each row's zone show at a naive UTC instant, as a naive time."""
    frame = pl.DataFrame({"instant": instants, "zone": zones})
    shown = [
        pl.when(pl.col("zone") == name).then(
            pl.col("instant").dt.replace_time_zone("UTC").dt.convert_time_zone(name).dt.replace_time_zone(None)
        )
        for name in sorted(zones.unique())
    ]
    return frame.with_columns(shown=pl.coalesce(*shown, pl.lit(None, dtype=pl.Datetime("us"))))["shown"]


@cache
def countries() -> dict[str, str]:
    """The country of each zone that lies in one, by the table that comes with the zones (two-letter codes)."""
    table = (resources.files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    return {zone: country for country, _, zone, *_ in rows}


@cache
def public_holidays(zone: str, year: int) -> frozenset[date]:
    """The public holidays of the zone's country in a year; none where the zone is no country's, or not known of."""
    country = countries().get(zone)
    return frozenset(country_class(country)(years=year)) if country in codes() else frozenset()


def day_off(zone: str, day: date) -> date:
    """The first Saturday, Sunday or public holiday from a day on.

    Examples
    --------
    >>> day_off("Europe/London", date(2025, 12, 24)), day_off("Europe/London", date(2025, 12, 27))
    (datetime.date(2025, 12, 25), datetime.date(2025, 12, 27))
    """
    while day.weekday() < WEEKEND_DAY and day not in public_holidays(zone, day.year):
        day += timedelta(days=1)
    return day
