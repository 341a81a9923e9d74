"""What the page is filtered to; all of it lives in the address, so that a view can be passed on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from shipcast.answers.choices import Choices
from shipcast.settings.errors import UsageError

ALL = "All"
WEEKS = {"4 weeks": 4, "13 weeks": 13, "26 weeks": 26, "52 weeks": 52}
WHOLE, OWN = "All there is", "Own dates"
BEFORE, YEAR_BEFORE, NOTHING = "The period before", "A year before", "Nothing"
YEAR = timedelta(days=364)  # whole weeks
KEYS = ("as_of", "service", "team", "environment", "period", "from", "to", "compare", "zone")


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


def bar() -> DeltaGenerator:
    """The row that the filters stand in."""
    return st.container(horizontal=True, key="filters", vertical_alignment="bottom")


def asked_at(row: DeltaGenerator, zone: str) -> datetime | None:
    """When the page's questions are asked, as the address or the reader says; null: now.

    Raises
    ------
    UsageError
        It is no time.
    """
    given = row.text_input("As of", placeholder="now", key="as_of", bind="query-params", width=150)
    if not given or not given.strip():
        return None
    try:
        moment = datetime.fromisoformat(given.strip())
        return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
    except ValueError as error:
        raise UsageError(f"As of must be a time such as 2025-12-15T09:00Z or 2025-12-15. Got {given!r}.") from error


def chosen(row: DeltaGenerator, choices: Choices, zone: str, as_of: datetime) -> Filters:
    """Draw the filters and say what they are set to."""
    with row:
        service = named("Service", "service", choices.services)
        team = named("Team", "team", choices.teams)
        environments = ["production", *(name for name in choices.environments if name != "production")]
        environment = select("Environment", "environment", environments)
        period = select("Period", "period", [*WEEKS, WHOLE, OWN], default="13 weeks")
        own = own_period(as_of, zone) if period == OWN else None
        compared = select("Compare with", "compare", [BEFORE, YEAR_BEFORE, NOTHING])
        zones = list(dict.fromkeys([zone, "UTC", *choices.zones, *all_zones()]))
        clock = select("Your clock", "zone", zones)
    since, until = own or span(period, as_of, clock)
    return Filters(service, team, environment, since, until, earlier(since, until or as_of, compared), clock)


@cache
def all_zones() -> tuple[str, ...]:
    """Every IANA zone; read once, since their files are many and a page is drawn anew at every click."""
    return tuple(sorted(available_timezones()))


def select(label: str, key: str, options: list[str], default: str | None = None, width: int = 180) -> str:
    """One of several words, kept in the address; what the address says that is none of them is left out."""
    index = options.index(default) if default in options else 0
    found = st.selectbox(label, options, index=index, key=key, bind="query-params", width=width, filter_mode="contains")
    return found if found in options else options[index]


def named(label: str, key: str, options: tuple[str, ...]) -> str | None:
    """One of the names; null: all of them. One that is called `All` is not to be had here."""
    found = select(label, key, [ALL, *(name for name in options if name != ALL)])
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
    if period not in WEEKS:
        return None, None
    today = as_of.astimezone(ZoneInfo(zone)).date()
    return midnight(today - timedelta(weeks=WEEKS[period]), zone), None


def midnight(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))


def earlier(since: datetime | None, until: datetime, compared: str) -> tuple[datetime, datetime] | None:
    """The stretch of the same length before, or a year before, in whole weeks."""
    if since is None or compared == NOTHING:
        return None
    if compared == YEAR_BEFORE:
        return since - YEAR, until - YEAR
    return since - timedelta(days=(until - since).days), since
