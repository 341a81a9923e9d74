"""The calendar on the service's clock, past the hour of the week: public holidays, and how far the next day off is."""

from __future__ import annotations

import polars as pl

from shipcast.features.clock import day_off, local_time, public_holidays
from shipcast.features.feature import feature
from shipcast.features.past import DAY_HOURS, Past

ALWAYS = "always"


@feature("yes/no", ALWAYS, in_spells=True)
def on_a_holiday(rows: pl.DataFrame, past: Past) -> pl.Series:
    """Whether it is a public holiday where the service's clock runs."""
    days = local_days(rows)
    dates = days.select("zone", "day").unique()
    known = [day in public_holidays(zone, day.year) for zone, day in dates.iter_rows()]
    return on_their_days(days, dates.with_columns(value=pl.Series(known, dtype=pl.Boolean)))


@feature("hours", ALWAYS, in_spells=True)
def hours_to_a_day_off(rows: pl.DataFrame, past: Past) -> pl.Series:
    """Hours until the next weekend or public holiday begins; 0 on a day off."""
    days = local_days(rows)
    dates = days.select("zone", "day").unique()
    until = [(day_off(zone, day) - day).days for zone, day in dates.iter_rows()]
    coming = on_their_days(days, dates.with_columns(value=pl.Series(until, dtype=pl.Float64)))
    return (coming * DAY_HOURS - days["hour"]).clip(lower_bound=0)


def local_days(rows: pl.DataFrame) -> pl.DataFrame:
    """Of every row its zone, its day there, and the hours of that day that have passed."""
    here = local_time(rows["started_at"], rows["zone"])
    hour = here.dt.hour() + here.dt.minute() / 60
    return pl.DataFrame({"zone": rows["zone"], "day": here.dt.date(), "hour": hour})


def on_their_days(days: pl.DataFrame, dates: pl.DataFrame) -> pl.Series:
    return days.join(dates, on=["zone", "day"], how="left", maintain_order="left")["value"]
