"""`forecast`: how many requests each service will see in the coming hours, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from pydantic import Field

from shipcast.answers.answer import Answer, Count, Instant, Number, Part, rfc3339, utc
from shipcast.answers.errors import UnknownName
from shipcast.answers.reading import Reader
from shipcast.answers.words import count, local_time, plural
from shipcast.features.clock import Instants
from shipcast.features.history import LOAD_WEEKS
from shipcast.models.load import LAST_DAYS, LoadModel
from shipcast.scheduling.calendar.calendar import as_datetime
from shipcast.settings.errors import UsageError

FARTHEST_HOURS = 35 * 24
HOUR = timedelta(hours=1)
STALE = timedelta(days=2)

Method = Literal["weighted forecasts", "repeating week", "repeating day"]
TOO_SHORT: dict[Method, str] = {
    "repeating week": "too short to be followed, so one week repeats",
    "repeating day": "too short to tell the days of the week apart, so one day repeats",
}


class HourForecast(Part):
    """Requests in the hour that begins at `starts_at`: 5, 25, 50, 75 and 95 of 100 such hours see at most so many."""

    service: str
    starts_at: Instant
    p05: Number
    p25: Number
    p50: Number
    p75: Number
    p95: Number


class Series(Part):
    """What the forecast of one service rests on.

    Parameters
    ----------
    business_zone
        The clock on which its days and weeks were read.
    n, period_start, period_end
        The measured hours that were learned from, and the span they lie in.
    method
        Series of less than three weeks have a week that repeats, of less than two a day.
    weights
        How much each plain forecast counts, by name; they sum to 1. Empty where there is but one.
    """

    service: str
    business_zone: str
    n: Count
    period_start: Instant
    period_end: Instant
    method: Method
    weights: dict[str, Number]


class ForecastAnswer(Answer):
    """The load ahead, one item per service and hour.

    Parameters
    ----------
    hours
        How many hours from `as_of` on, the first of which begins at or after it.
    series
        What each service's forecast rests on; services whose load is not known are left out.
    """

    schema_name: Literal["shipcast/forecast/1"] = Field("shipcast/forecast/1", alias="schema")
    environment: str
    unit: Literal["requests per hour"] = "requests per hour"
    hours: Count
    series: tuple[Series, ...]
    items: tuple[HourForecast, ...]


def forecast(
    reader: Reader, service: str | None = None, *, hours: int = 168, environment: str = "production"
) -> ForecastAnswer:
    """The load of one service or of all, for so many hours from the reader's `as_of` on.

    Raises
    ------
    UnknownName
        No service of that name is known; the nearest are named.
    UsageError
        Not between 1 hour and 35 days.
    """
    if not 1 <= hours <= FARTHEST_HOURS:
        raise UsageError(
            f"Forecasts reach 1 to {FARTHEST_HOURS} hours ahead; got {hours}.", next_step="Ask with --hours 168."
        )
    history = reader.history(environment)
    zones = dict(history.services().select("service", "zone").rows())
    if service is not None and zones and service not in zones:
        raise UnknownName("service", service, zones)
    reader.check_environment(environment)
    instants = coming_hours(reader.at, hours)
    series, items, warnings, zero = [], [], [*reader.warnings()], []
    for name in sorted(zones) if service is None else [service]:
        zone = zones.get(name, history.default_zone)
        model = LoadModel.of(history, name, zone)
        if model.is_known:
            series.append(basis(name, model))
            items += forecast_items(name, model, instants)
            warnings += series_warnings(reader, series[-1])
        elif model.is_zero:
            zero.append(name)
    told = {*zero, *(one.service for one in series)}
    unknown = [name for name in ([service] if service else zones) if name not in told]
    return ForecastAnswer(
        **reader.envelope(),
        sentence=sentence(series, items, hours, reader.as_of) if series else nothing_said(zero),
        environment=environment,
        hours=hours,
        series=tuple(series),
        items=tuple(items),
        warnings=(*warnings, *zero_warnings(zero), *unknown_warnings(unknown)),
    )


def coming_hours(at: datetime, hours: int) -> Instants:
    """The starts of the hours at or after an instant (naive, UTC)."""
    first = at.replace(minute=0, second=0, microsecond=0)
    first += HOUR if first < at else timedelta(0)
    return np.datetime64(first, "us") + np.arange(hours) * np.timedelta64(1, "h")


def forecast_items(name: str, model: LoadModel, instants: Instants) -> list[HourForecast]:
    starts = [utc(instant) for instant in instants.tolist()]
    return [
        HourForecast(service=name, starts_at=start, p05=p05, p25=p25, p50=p50, p75=p75, p95=p95)
        for start, (p05, p25, p50, p75, p95) in zip(starts, model.quantiles(instants).tolist(), strict=True)
    ]


def basis(name: str, model: LoadModel) -> Series:
    method: Method = "weighted forecasts"
    if not model.weights_:
        method = "repeating day" if model.is_short else "repeating week"
    return Series(
        service=name,
        business_zone=model.zone,
        n=model.hours_,
        period_start=utc(as_datetime(model.series_.begins_at)),
        period_end=utc(as_datetime(model.series_.ends_at)),
        method=method,
        weights=model.weights_,
    )


def series_warnings(reader: Reader, series: Series) -> list[str]:
    """What the reader should know of the ground that one forecast stands on."""
    load, said = f"The load of {series.service}", []
    if series.method in TOO_SHORT:
        rests = f"rests on {plural(series.n, 'hour')} of the last {LOAD_WEEKS} weeks"
        said.append(f"{load} {rests}: {TOO_SHORT[series.method]}.")
    age = reader.as_of - series.period_end
    if age > STALE:
        said.append(f"{load} was last measured {age.days} days before, until {rfc3339(series.period_end)}.")
    return said


def zero_warnings(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    return [f"The load measured of {listed(names)} is zero over the last {LAST_DAYS} days of it: none is forecast."]


def unknown_warnings(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    return [f"No load is known of {listed(names)} in the last {LOAD_WEEKS} weeks: load it as the table `load`."]


def listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def nothing_said(zero: Sequence[str]) -> str:
    """The answer where none is forecast."""
    if not zero:
        return "No load is known, so none can be forecast."
    return f"The load measured of {listed(zero)} is zero over the last {LAST_DAYS} days of it, so none is forecast."


def sentence(series: Sequence[Series], items: Sequence[HourForecast], hours: int, as_of: datetime) -> str:
    """The answer for one service, with its busiest hour; or how many were forecast."""
    if len(series) > 1:
        return f"The load of {plural(len(series), 'service')} is forecast for {plural(hours, 'hour')} ahead."
    busiest, quietest = max(items, key=lambda item: item.p50), min(items, key=lambda item: item.p50)
    zone = series[0].business_zone
    if len(items) == 1:
        start = local_time(items[0].starts_at, zone, as_of)
        return f"{series[0].service} sees {in_requests(items[0])} in the hour from {start} ({zone})."
    high, low = (local_time(item.starts_at, zone, as_of) for item in (busiest, quietest))
    return (
        f"{series[0].service} is busiest on {high} ({zone}), with {in_requests(busiest)} an hour, and quietest on "
        f"{low}, with {in_requests(quietest)}."
    )


def in_requests(item: HourForecast) -> str:
    """The median and the interval that holds 90 of 100 hours, in whole requests.

    Examples
    --------
    >>> noon = datetime.fromisoformat("2025-01-01T12:00Z")
    >>> in_requests(HourForecast(service="pay", starts_at=noon, p05=1, p25=2, p50=3, p75=4, p95=1205))
    '3 requests (1 to 1,205)'
    """
    values = (item.p05, item.p50, item.p95)
    low, middle, high = (count(round(value)) if value >= 10 else f"{value:.2g}" for value in values)
    return f"{middle} requests ({low} to {high})"
