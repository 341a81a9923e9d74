"""Delivery: the metrics over weeks and by service, and how each number came about."""

from __future__ import annotations

from typing import Any

from shipcast.answers.comparison import changes
from shipcast.answers.deployment_list import BEHIND, deployment_list
from shipcast.answers.metrics import MetricItem, MetricsAnswer, metrics
from shipcast.answers.words import listing, plural
from shipcast.dashboards import cards, links
from shipcast.dashboards.charts.metrics import weekly
from shipcast.dashboards.deployment_rows import KINDS, deployment_table, no_deployment
from shipcast.dashboards.filters import select
from shipcast.dashboards.metric_words import change_said, interval_said, is_whole, rests_on, value_said
from shipcast.dashboards.view import View

TITLE, PATH = "Delivery", "delivery"
COUNTED = "What the number counts"


def draw(view: View) -> None:
    filters = view.filters
    answer = view.ask(metrics, **filters.scope, **filters.period)
    cards.headline(answer.sentence)
    named = {title: metric for metric, title in view.titles.items()}
    name = named[select("Metric", "metric", list(named), view.titles["change_failure_rate"], width=320)]
    with cards.card("All metrics of the period"):
        every_metric(view, answer)
    if not any(item.n for item in answer.items if item.metric == "deployments"):
        no_deployment(view, "completed")
        cards.notes(answer.warnings)
        return
    with cards.card(f"{view.titles[name]}, week by week"):
        week_by_week(view, name)
    with cards.card(f"{view.titles[name]} by service"):
        by_service(view, name)
    with cards.card("How was this computed?"):
        how(next(item for item in answer.items if item.metric == name))
    with cards.card("The deployments behind it"):
        behind(view, name)
    cards.notes(answer.warnings)


def every_metric(view: View, answer: MetricsAnswer) -> None:
    filters = view.filters
    compared = {}
    if filters.before is not None:
        since, until = filters.before
        compared = changes(answer.items, view.ask(metrics, **filters.scope, period_from=since, period_to=until).items)
    if filters.unknown_before:
        cards.note(filters.unknown_before)
    cards.table(
        ["metric", "value", "95 % interval", "n", "left out", "open", "against before"],
        [
            [
                view.titles[item.metric],
                value_said(item),
                interval_said(item),
                f"{item.n:,}",
                counted(item.excluded),
                counted(item.censored),
                change_said(compared.get(item.metric)),
            ]
            for item in answer.items
        ],
        "The delivery metrics",
        numbers=("value", "n", "left out", "open"),
        download="metrics",
    )


def counted(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def week_by_week(view: View, name: str) -> None:
    filters = view.filters
    items = view.ask(metrics, metric=name, by="week", **filters.scope, **filters.period).items
    known = [item for item in items if item.value is not None]
    if not known:
        nothing_in(view, name)
        return
    cut = [item.week for item in items if item.week and not is_whole(item)]
    weeks = f"{plural(len(items), 'ISO week')} ({view.settings.tz})"
    said = f"{view.titles[name]} in {weeks}, {len(known)} of them with a value."
    if cut:
        said += f" Not whole, and hollow: {listing(cut)}."
    rows = [week_row(item) for item in items]
    cards.chart(
        weekly(rows, known[0].unit, cut),
        said,
        ["week", "value", "95 % interval", "n"],
        [[row["week"], row["said"], row["interval"], row["n"]] for row in rows],
        f"{name}-by-week",
        numbers=("value", "n"),
    )


def week_row(item: MetricItem) -> dict[str, Any]:
    return {
        "week": item.week,
        "value": item.value,
        "low": item.low,
        "high": item.high,
        "said": value_said(item),
        "interval": interval_said(item),
        "n": item.n,
    }


def nothing_in(view: View, name: str) -> None:
    """Why a metric has no value: by the filters, or since nothing is known."""
    if view.filters.is_narrowed:
        cards.filtered_away(f"{view.titles[name]}: nothing is left by the filters.")
    else:
        cards.empty(f"{view.titles[name]}: not enough data in this period.", "none")


def by_service(view: View, name: str) -> None:
    filters = view.filters
    answer = view.ask(metrics, metric=name, by="service", **filters.scope, **filters.period)
    there = [item for item in answer.items if item.n or item.censored]
    without = len(answer.items) - len(there)
    cards.note("Services stand in the order of their names: what differs between them is what they do, not how well.")
    if without:
        cards.note(f"Not shown: {plural(without, 'service')} with nothing to count in this period.")
    cards.table(
        ["service", "value", "95 % interval", "n", "open"],
        [
            [
                service_cell(view, item, name),
                value_said(item),
                interval_said(item),
                f"{item.n:,}",
                counted(item.censored),
            ]
            for item in there
        ],
        f"{view.titles[name]} by service",
        numbers=("value", "n", "open"),
        download=f"{name}-by-service",
    )


def service_cell(view: View, item: MetricItem, name: str) -> object:
    """The service, as a way to the same page about it alone."""
    if item.service is None:
        return None
    return links.cell(PATH, item.service, service=item.service, metric=view.titles[name])


def behind(view: View, name: str) -> None:
    """The deployments that the number rests on, each a way to what became of it."""
    if name not in BEHIND:
        cards.note("This metric is not about deployments.")
        return
    shown = select("Show", "rows", [COUNTED, *KINDS], width=320)
    kind = BEHIND[name] if shown == COUNTED else KINDS[shown]
    if name == "lead_time":
        cards.note("Lead time is of changes: the page of each deployment names those that went live with it.")
    found = view.ask(deployment_list, kind=kind, **view.filters.scope, **view.filters.period)
    if not found.items:
        cards.empty(f"None of the deployments of this period is of that kind: {kind}.", "none")
        return
    deployment_table(view, found, "deployments-behind")


def how(item: MetricItem) -> None:
    """The definition, the rows in it, and those left out, with why."""
    cards.text(item.how.definition)
    cards.text(f"{plural(item.how.rows_in, 'row')} went in; {rests_on(item)}.")
    rows = [["left out", one.reason, f"{one.rows:,}"] for one in item.how.left_out if one.rows]
    rows += [["still open", one.reason, f"{one.rows:,}"] for one in item.how.still_open if one.rows]
    cards.table(["what", "why", "rows"], rows, "Rows that did not go in, or not for good", numbers=("rows",))
