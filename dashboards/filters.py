"""What the page is filtered to; all of it lives in the address, so that a view can be passed on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import streamlit as st

from shipcast.answers.choices import Choices

ALL = "all"
PERIODS = {"4w": 28, "13w": 91, "26w": 182, "52w": 364}
PERIOD_NAMES = {
    "4w": "4 weeks",
    "13w": "13 weeks",
    "26w": "26 weeks",
    "52w": "52 weeks",
    "all": "All there is",
    "own": "From … to …",
}
COMPARED = {"before": "The period before", "year": "A year before", "nothing": "Nothing"}
YEAR = timedelta(days=364)  # whole weeks
KEYS = ("service", "team", "environment", "period", "from", "to", "compare", "zone")


@dataclass(frozen=True)
class Filters:
    """What is asked about; null: not restricted.

    Parameters
    ----------
    period_from, period_to
        Aware; null: from the first, and up to `as_of`.
    before
        The period that it is compared with; null: none.
    zone
        The reader's clock.
    """

    service: str | None
    team: str | None
    environment: str
    period_from: datetime | None
    period_to: datetime | None
    before: tuple[datetime, datetime] | None
    zone: str

    @property
    def scope(self) -> dict[str, Any]:
        """What `metrics` takes."""
        return {"service": self.service, "team": self.team, "environment": self.environment}

    @property
    def period(self) -> dict[str, Any]:
        return {"period_from": self.period_from, "period_to": self.period_to}

    @property
    def is_narrowed(self) -> bool:
        return self.service is not None or self.team is not None or self.environment != "production"


def chosen(choices: Choices, zone: str, as_of: datetime) -> Filters:
    """Draw the filter bar and say what it is set to."""
    with st.container(horizontal=True, key="filters", vertical_alignment="bottom"):
        service = named("Service", "service", choices.services)
        team = named("Team", "team", choices.teams)
        environments = ["production", *(name for name in choices.environments if name != "production")]
        environment = select("Environment", "environment", environments)
        period = select("Period", "period", list(PERIOD_NAMES), default="13w", names=PERIOD_NAMES)
        own = own_period(as_of, zone) if period == "own" else None
        compared = select("Compare with", "compare", list(COMPARED), names=COMPARED)
        zones = list(dict.fromkeys([zone, "UTC", *choices.zones, *sorted(available_timezones())]))
        clock = select("Your clock", "zone", zones)
    since, until = own or span(period, as_of, clock)
    return Filters(service, team, environment, since, until, earlier(since, until or as_of, compared), clock)


def select(
    label: str, key: str, options: list[str], default: str | None = None, names: dict[str, str] | None = None
) -> str:
    index = options.index(default) if default in options else 0
    found = st.selectbox(
        label,
        options,
        index=index,
        key=key,
        format_func=lambda option: (names or {}).get(option, option),
        bind="query-params",
        width=180,
        filter_mode="contains",
    )
    return found if found is not None else options[index]


def named(label: str, key: str, options: tuple[str, ...]) -> str | None:
    """One of the names; null: all of them. A name that is `all` itself is not to be had here."""
    found = select(label, key, [ALL, *(name for name in options if name != ALL)], names={ALL: "All"})
    return None if found == ALL else found


def own_period(as_of: datetime, zone: str) -> tuple[datetime, datetime] | None:
    today = as_of.astimezone(ZoneInfo(zone)).date()
    since = st.date_input("From", today - timedelta(days=91), key="from", bind="query-params", width=140)
    until = st.date_input("To", today, key="to", bind="query-params", width=140)
    if not isinstance(since, date) or not isinstance(until, date) or since >= until:
        return None
    return midnight(since, zone), midnight(until, zone)


def span(period: str, as_of: datetime, zone: str) -> tuple[datetime | None, datetime | None]:
    """So many days before today's midnight on the reader's clock, up to now; nothing set for all there is."""
    if period not in PERIODS:
        return None, None
    today = as_of.astimezone(ZoneInfo(zone)).date()
    return midnight(today - timedelta(days=PERIODS[period]), zone), None


def midnight(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))


def earlier(since: datetime | None, until: datetime, compared: str) -> tuple[datetime, datetime] | None:
    """The stretch of the same length before, or a year before, in whole weeks."""
    if since is None or compared == "nothing":
        return None
    back = YEAR if compared == "year" else timedelta(days=(until - since).days)
    return (since - back, until - back) if compared == "year" else (since - back, since)
