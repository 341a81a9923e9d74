"""Failures and rollbacks: at which hours, of which sizes and types, whether the hour is to blame, and the list."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from shipcast.answers.deployment_list import deployment_list
from shipcast.answers.drivers import Drivers, drivers
from shipcast.answers.failures import FEWEST, Failures, Group, failures
from shipcast.answers.hour_quality import HOW, risk_said
from shipcast.answers.words import listing, plural, share
from shipcast.dashboards import cards
from shipcast.dashboards.charts import failures as charts
from shipcast.dashboards.deployment_rows import deployment_table, no_deployment
from shipcast.dashboards.filters import select
from shipcast.dashboards.view import View

TITLE, PATH = "Failures and rollbacks", "failures"
MEASURES = {"Failed": "failed", "Rolled back": "rolled back"}
ASSOCIATION = (
    "All of this is association: what went with such hours in the past, as far as size, service, type and what else is "
    "known of a change account for the rest. It does not say that another hour alone would have changed an outcome."
)


def draw(view: View) -> None:
    found = view.ask(failures, **view.filters.scope, **view.filters.period)
    cards.headline(found.sentence)
    if not found.whole.n:
        no_deployment(view, "completed")
        return
    measure = MEASURES[select("Rate of", "measure", list(MEASURES))]
    if not charts.events_of(found.whole, measure):
        none_happened(found, measure)
    with cards.card("By hour and day"):
        by_hour(found, measure)
    with cards.card("By size, type and day"):
        groups(found, measure)
    with cards.card("Is it the hour, or what ships then?"):
        hour_or_mix(view)
    with cards.card("Which they were"):
        which(view, measure)
    cards.notes((unsettled_said(found), *found.warnings))


def none_happened(found: Failures, measure: str) -> None:
    high = charts.rate_of(found.whole, measure).high
    cards.empty(
        f"None of {plural(found.whole.n, 'deployment')} {'was ' if measure == 'rolled back' else ''}{measure}: "
        f"with so many, at most {share(high)} do.",
        "none",
    )


def unsettled_said(found: Failures) -> str:
    if not found.whole.unsettled:
        return "All of these deployments have settled."
    return (
        f"{found.whole.unsettled:,} of {plural(found.whole.n, 'deployment')} have not failed so far and still may: "
        "they count as not failed."
    )


def by_hour(found: Failures, measure: str) -> None:
    """The week as a grid; cells with too few deployments are grey."""
    rows = charts.cell_rows(found.hours, measure)
    with st.container(key="dense"):  # which a narrow screen scrolls
        cards.chart(
            charts.heat_map(rows, measure),
            hours_said(found, measure),
            ["hour", "rate", "95 % interval", measure, "n"],
            [[row["when"], row["said"], row["interval"], row["events"], row["n"]] for row in rows if row["n"]],
            f"{measure.replace(' ', '-')}-by-hour",
            numbers=("rate", measure, "n"),
        )


def hours_said(found: Failures, measure: str) -> str:
    """The hour with the highest rate of those with enough deployments, how many have too few, and whose hours."""
    enough = [hour for hour in found.hours if hour.is_enough]
    clocks = f"Hours are those of each service's own clock ({listing(found.zones)})."
    few = f"{found.sparse} of {found.sparse + len(enough)} hours in which anything started had fewer than {FEWEST}"
    if not enough:
        return f"No rate is shown: {few} deployments, and are grey with a dot. {clocks}"
    worst = max(enough, key=lambda hour: charts.rate_of(hour, measure).value or 0.0)
    rate = charts.rate_of(worst, measure)
    return (
        f"Per cent {measure}, by the hour of the start. Highest on {worst.name}: {charts.events_of(worst, measure)} of "
        f"{worst.n} ({share(rate.value)}, {charts.interval_said(rate)}); of so many hours one is high by luck alone. "
        f"{few} deployments: these are grey with a dot. {clocks}"
    )


def groups(found: Failures, measure: str) -> None:
    """Rates by size, by type and by day, each with its interval."""
    left, right = st.columns(2)
    with left:
        one_kind(found, measure, "size", found.sizes)
        one_kind(found, measure, "type", found.types)
    with right:
        one_kind(found, measure, "day of the week", found.days)


def one_kind(found: Failures, measure: str, name: str, members: Sequence[Group]) -> None:
    rows = charts.group_rows(members, measure)
    whole = charts.rate_of(found.whole, measure).value
    cards.chart(
        charts.rates(rows, measure, whole),
        f"By {name}, with Wilson 95 % intervals; the dotted line is all of them, {share(whole)}.",
        [name, "rate", "95 % interval", measure, "n"],
        [[row["group"], row["said"], row["interval"], row["events"], row["n"]] for row in rows],
        f"{measure.replace(' ', '-')}-by-{name.split()[0]}",
        numbers=("rate", measure, "n"),
    )


def hour_or_mix(view: View) -> None:
    """The raw rates of the parts of the week beside those that allow for what ships then."""
    found = view.ask(drivers)
    if isinstance(found, str):
        cards.empty(found)
        return
    cards.text(found.sentence)
    rows = charts.driver_rows(found.parts)
    cards.chart(
        charts.drivers(rows),
        drivers_said(found),
        ["part of the week", "raw, as shipped", "n", "adjusted, second estimate", "adjusted, model", "usual of these"],
        [
            [
                f"{one.estimate.part} ({one.estimate.hours})",
                risk_said(one.estimate.observed, one.estimate.observed_low, one.estimate.observed_high),
                f"{one.estimate.n:,}",
                risk_said(one.estimate.second, one.estimate.second_low, one.estimate.second_high),
                risk_said(one.estimate.model, one.estimate.model_low, one.estimate.model_high),
                "" if one.estimate.usual is None else share(one.estimate.usual),
            ]
            for one in found.parts
        ],
        "hour-raw-and-adjusted",
        numbers=("n",),
    )
    cards.folded("Raw beside adjusted, in words", "adjusted-in-words", partial(in_words, found))
    cards.note(HOW)
    cards.text(ASSOCIATION, "simulated")
    cards.notes(found.warnings)


def in_words(found: Drivers) -> None:
    for one in found.parts:
        cards.text(f"{one.estimate.part[0].upper()}{one.estimate.part[1:]}: {one.said}")


def drivers_said(found: Drivers) -> str:
    return (
        f"All services in production together, {plural(found.n, 'deployment')} known and settled at "
        f"{found.cut_off:%-d %b %Y %H:%M} (UTC), whatever the filters say; intervals hold 95 %. The dotted line is the "
        f"usual: for the raw rates that of all, {share(found.rate)}, for the adjusted ones that of the changes that "
        f"might well have shipped then. The axis ends at {charts.FARTHEST:g} times; the table has all."
    )


def which(view: View, measure: str) -> None:
    """The list, newest first, each a link to what became of it."""
    found = view.ask(deployment_list, kind=measure, **view.filters.scope, **view.filters.period)
    if not found.items:
        cards.empty(f"None of them {'was ' if measure == 'rolled back' else ''}{measure}.", "none")
        return
    deployment_table(view, found, f"{measure.replace(' ', '-')}-deployments")
