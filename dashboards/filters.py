"""What the page is filtered to; all of it lives in the address, so that a view can be passed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from shipcast.answers.choices import Choices
from shipcast.settings.errors import UsageError
from shipcast.settings.instants import parse_instant

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
    unknown_before
        That nothing is known of all of the period it would be compared with, in words; empty: it is, or none is asked.
    zone
        The reader's clock.
    left_out
        What the address names that there is not, in words; empty: nothing.
    """

    service: str | None
    team: str | None
    environment: str
    period_from: datetime | None
    period_to: datetime | None
    before: tuple[datetime, datetime] | None
    zone: str
    unknown_before: str = ""
    left_out: str = ""

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
        It is no time, or none that can be asked about.
    """
    given = row.text_input("As of", placeholder="now", key="as_of", bind="query-params", width=150)
    if not given or not given.strip():
        return None
    return parse_instant(given, "As of", zone)


def chosen(row: DeltaGenerator, choices: Choices, zone: str, as_of: datetime) -> Filters:
    """Draw the filters and say what they are set to.

    A period begins no earlier than the first day of which anything is known, and is compared with none that does.

    Raises
    ------
    UsageError
        Own dates do not follow each other.
    """
    environments = ["production", *(name for name in choices.environments if name != "production")]
    left_out = not_to_be_had({"service": choices.services, "team": choices.teams, "environment": environments})
    with row:
        service = named("Service", "service", choices.services)
        team = named("Team", "team", choices.teams)
        environment = select("Environment", "environment", environments)
        period = select("Period", "period", [*WEEKS, WHOLE, OWN], default="13 weeks")
        own = own_period(as_of, zone) if period == OWN else None
        compared = select("Compare with", "compare", [BEFORE, YEAR_BEFORE, NOTHING])
        zones = list(dict.fromkeys([zone, "UTC", *choices.zones, *all_zones()]))
        clock = select("Your clock", "zone", zones)
    since, until = own or span(period, as_of, clock)
    before = earlier(since, until or as_of, compared)
    first = None if choices.first is None else midnight(choices.first.astimezone(ZoneInfo(clock)).date(), clock)
    unknown = ""
    if first is not None and since is not None:
        if before is not None and before[0] < first:
            before = None
            unknown = f"Not compared with the time before: nothing is known from before {first:%-d %b %Y}."
        since = max(since, min(first, until or as_of))
    return Filters(service, team, environment, since, until, before, clock, unknown, left_out)


def not_to_be_had(options: Mapping[str, Sequence[str]]) -> str:
    """What the address names that there is not, in words; empty: nothing."""
    named = {key: st.query_params.get(key) for key in options}
    unknown = [f"{key} {name}" for key, name in named.items() if name and name not in (*options[key], ALL)]
    if not unknown:
        return ""
    return f"Nothing known here is called so, and the filter was left out: {', '.join(unknown)}."


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


def own_period(as_of: datetime, zone: str) -> tuple[datetime, datetime | None] | None:
    """From the first day to the last, which is in it; up to `as_of` where it is not over."""
    today = as_of.astimezone(ZoneInfo(zone)).date()
    since = st.date_input("From", today - timedelta(days=91), key="from", bind="query-params", width=140)
    until = st.date_input("To", today, key="to", bind="query-params", width=140)
    if not isinstance(since, date) or not isinstance(until, date):
        return None
    begins, ends = midnight(since, zone), midnight(until + timedelta(days=1), zone)
    if begins >= min(ends, as_of):
        raise UsageError(f"The period must begin before it ends. Got {since} to {until}, asked on {today}.")
    return begins, None if ends >= as_of else ends


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
