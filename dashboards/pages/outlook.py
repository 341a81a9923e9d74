"""Outlook: how is shipping going, and when is it safe this week?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from html import escape
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import streamlit as st

from shipcast.answers.comparison import Change, changes
from shipcast.answers.metrics import MetricItem, MetricsAnswer, metrics
from shipcast.answers.outlook import SHOWN, OutlookAnswer, ServiceWeek, outlook
from shipcast.answers.source import Source
from shipcast.answers.window_words import of_usual
from shipcast.answers.windows import WindowsAnswer, windows
from shipcast.answers.words import in_hundred, local_time, plural
from shipcast.dashboards import cards
from shipcast.dashboards.charts import metrics as metric_charts
from shipcast.dashboards.charts import week as week_charts
from shipcast.dashboards.links import go, link
from shipcast.dashboards.metric_words import change_said, interval_said, is_whole, rests_on, value_said
from shipcast.dashboards.view import View
from shipcast.settings.errors import ShipcastError

TITLE, PATH = "Outlook", "outlook"
TILES = ("deployment_frequency", "lead_time", "change_failure_rate", "failed_deployment_recovery")
WEEK = timedelta(days=7)


def draw(view: View) -> None:
    filters = view.filters
    delivery = view.ask(metrics, **filters.scope, **filters.period)
    try:
        week = coming_week(view.source, filters.scope, services_shown())
    except ShipcastError as error:  # a calendar, a ledger or a model that cannot be used: what was delivered is known
        cards.headline(delivery.sentence)
        how_it_went(view, delivery)
        with cards.card("The coming week, hour by hour"):
            cards.refused(error)
        cards.notes(delivery.warnings)
        return
    cards.headline(week.sentence)
    cards.text(delivery.sentence)
    how_it_went(view, delivery)
    with cards.card("The coming week, hour by hour"):
        hours_ahead(view, week)
    with cards.card("The best windows"):
        best_windows(view, week)
    with cards.card("What changed in the last week"):
        last_week(view, min(view.as_of, delivery.data_as_of or view.as_of))
    cards.notes((*week.warnings, *delivery.warnings))


def how_it_went(view: View, delivery: MetricsAnswer) -> None:
    tiles(view, {item.metric: item for item in delivery.items})
    if view.filters.unknown_before:
        cards.note(view.filters.unknown_before)


def ask_ahead(source: Source) -> None:
    """Ask what takes longest of what the page asks while nothing is filtered."""
    week = coming_week(source, {"service": None, "team": None, "environment": "production"}, SHOWN)
    if week.items:
        windows_of(source, week.items[0])


def coming_week(source: Source, scope: Mapping[str, Any], top: int | None) -> OutlookAnswer:
    return source.ask(outlook, top=top, **scope)


def windows_of(source: Source, week: ServiceWeek) -> WindowsAnswer:
    """The lowest-risk starts of a usual change."""
    duration = timedelta(minutes=week.duration_minutes)
    return source.ask(windows, service=week.service, duration=duration, environment=week.environment)


def services_shown() -> int | None:
    return None if st.session_state.get("every-service") else SHOWN


def tiles(view: View, items: dict[str, MetricItem]) -> None:
    """Four delivery metrics, each with its interval, what it rests on, how it changed, and its weeks."""
    filters = view.filters
    compared = {}
    if filters.before is not None:
        since, until = filters.before
        before = view.ask(metrics, **filters.scope, period_from=since, period_to=until)
        compared = changes(list(items.values()), before.items)
    weeks = view.ask(metrics, by="week", **filters.scope, **filters.period)
    for column, name in zip(st.columns(len(TILES)), TILES, strict=True):
        with column, st.container(border=True, height="stretch"), cards.guarded():
            tile(
                view.titles[name],
                items[name],
                compared.get(name),
                [week for week in weeks.items if week.metric == name and is_whole(week)],
            )
            link("delivery", "By week and service", metric=view.titles[name])


def tile(name: str, item: MetricItem, change: Change | None, weeks: list[MetricItem]) -> None:
    interval = interval_said(item)
    line = metric_charts.sparkline([one.value for one in weeks])
    over = f"{name} over {plural(len(weeks), 'week')}"
    st.html(
        f'<h2 class="sc-title">{escape(name)}</h2><p class="sc-value">{escape(value_said(item))}</p>'
        f'<p class="sc-note">{escape(interval or "no interval")} · {rests_on(item)}</p>'
        f'<p class="sc-note">{escape(change_said(change))}</p>'
        f'<img class="sc-line" alt="{escape(over)}" src="data:image/svg+xml,{quote(line)}">'
    )


def hours_ahead(view: View, week: OutlookAnswer) -> None:
    """A strip per service or, where there is one, its week as a grid; a cell leads to why."""
    if not week.items:
        if view.filters.is_narrowed:
            cards.filtered_away("No service that is left by the filters was deployed here.")
        else:
            cards.empty("No deployment is known. Load some with `shipcast ingest files DIR`.")
        return
    cards.legend()
    zone = ZoneInfo(view.filters.zone)
    hours = [hour.start.astimezone(zone) for hour in week.items[0].hours]
    rows = week_charts.heat_rows(week.items, hours)
    days = list(dict.fromkeys(f"{hour:%a %-d %b}" for hour in hours))
    services = [item.service for item in week.items]
    drawn = week_charts.heat_grid(rows, days) if len(services) == 1 else week_charts.heat_strips(rows, services)
    cards.chart(
        drawn,
        week.sentence,
        ["service", "hour", "level", "cost", "calendar", "booked"],
        [[row[name] for name in ("service", "when", "level", "against", "rule", "booking")] for row in rows],
        "outlook",
        on_select=why,
        selection_mode="cell",
    )
    cards.note(f"Hours on the clock of {view.filters.zone}. Choose a cell, or here, to see why an hour is what it is.")
    if week.services > SHOWN:
        st.toggle(f"Show all {week.services} services", key="every-service")


def why() -> None:
    """Go to the page that explains the hour that was chosen."""
    for cell in st.session_state["chart-outlook"].selection.get("cell", [])[:1]:
        go("why", service=cell["service"], at=cell["at"])


def best_windows(view: View, week: OutlookAnswer) -> None:
    """The lowest-risk starts of a usual change of one service: the one chosen, else the one deployed most."""
    if not week.items:
        cards.empty("There is no service to ship.")
        return
    first = week.items[0]
    answer = windows_of(view.source, first)
    is_chosen = view.filters.service is not None or week.services == 1
    most = f" {first.service} is the service deployed most lately; the filter chooses another."
    cards.text(f"{answer.sentence}{'' if is_chosen else most}")
    cards.table(
        ["start", f"start ({view.filters.zone})", "level", "chance of failure", "of the usual cost"],
        [window_row(view, answer, place) for place in range(len(answer.items))],
        f"{first.service}, a usual change of {first.duration_minutes:g} min",
    )
    link("plan", "Plan a release", service=first.service)


def window_row(view: View, answer: WindowsAnswer, place: int) -> list[object]:
    one = answer.items[place]
    chance = one.failure_probability
    return [
        f"{local_time(one.start, answer.business_zone, view.as_of)} ({answer.business_zone})",
        local_time(one.start, view.filters.zone, view.as_of),
        cards.Html(cards.level(one.level)),
        "not known" if chance is None else in_hundred(chance, one.failure_low, one.failure_high),
        of_usual(one) or "not known",
    ]


def last_week(view: View, now: datetime) -> None:
    """The last seven days of which anything is known against the seven before."""
    scope, first = view.filters.scope, view.choices.first
    if first is None or first > now - 2 * WEEK:
        cards.empty("Not enough data: two weeks of deployments must be known to compare one with the other.")
        return
    last = view.ask(metrics, **scope, period_from=now - WEEK, period_to=now)
    before = view.ask(metrics, **scope, period_from=now - 2 * WEEK, period_to=now - WEEK)
    found = changes(last.items, before.items)
    clear = [change for change in found.values() if change.verdict in ("better", "worse")]
    said = "; ".join(f"{view.titles[one.metric]} is {one.verdict}" for one in clear)
    ends = f"{local_time(now, view.filters.zone, view.as_of)} ({view.filters.zone})"
    cards.text(f"{said}." if said else f"Nothing changed clearly in the seven days to {ends}.")
    cards.table(
        ["metric", "last 7 days", "interval", "n", "7 days before", "n before", ""],
        [
            [
                view.titles[one.metric],
                value_said(one.now),
                interval_said(one.now),
                f"{one.now.n:,}",
                value_said(one.before),
                f"{one.before.n:,}",
                change_said(one).split(" (")[0],
            ]
            for one in found.values()
        ],
        f"The seven days to {ends} against the seven before; intervals hold 95 %",
        numbers=("last 7 days", "n", "7 days before", "n before"),
    )
    cards.note(f"{plural(len(found), 'metric')} are compared: by luck alone about one comparison in 20 looks clear.")
