"""Why this window: what a start costs against the usual, factor by factor, and what would make it calmer."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st

from shipcast.answers.company import approvals_said
from shipcast.answers.company_calendar import by_rule
from shipcast.answers.explain import ExplainAnswer, alike_said, calmer_said, explain
from shipcast.answers.failures import hour_said
from shipcast.answers.inquiry import Details
from shipcast.answers.usual import most_deployed
from shipcast.answers.why import offered, shipped
from shipcast.answers.words import amount, local_time, plural, times
from shipcast.dashboards import cards, links
from shipcast.dashboards.charts import why as charts
from shipcast.dashboards.view import View
from shipcast.settings.errors import ShipcastError, UsageError
from shipcast.settings.instants import parse_instant

TITLE, PATH = "Why this window", "why"
TYPICAL = "as usual"
TYPES = (TYPICAL, "standard", "normal", "emergency")
HOUR = timedelta(hours=1)
SIZES = ("duration", "lines", "files")


def draw(view: View) -> None:
    filters = view.filters
    service = filters.service or view.ask(most_deployed, team=filters.team, environment=filters.environment)
    if service is None:
        cards.headline("No service was deployed here yet, so there is no start to explain.")
        nothing_deployed(view)
        return
    try:
        change = change_asked(view)
        at, chosen = start_asked(view, service, change)
        answer = view.ask(explain, service=service, at=at, **change)
    except ShipcastError as error:
        cards.headline(f"That start of {service} cannot be explained.")
        form(view, view.as_of)
        cards.refused(error)
        return
    cards.headline(answer.sentence)
    cards.text(chosen)
    form(view, answer.items[0].start)
    with cards.card("From the usual cost to this start"):
        from_the_usual(view, answer)
    with cards.card("In words"):
        in_words(answer)
    with cards.card("What would make it calmer"):
        calmer(view, answer)
    with cards.card("The factors over the week, and when it was deployed"):
        over_the_week(view, answer)
    with cards.card("The past deployments most like this one"):
        alike(view, answer)
    cards.notes((rests_on(answer), *answer.warnings))


def nothing_deployed(view: View) -> None:
    if view.filters.is_narrowed:
        cards.filtered_away("No service that is left by the filters was deployed.")
    else:
        cards.empty("No deployment is known. Load some with `shipcast ingest files DIR`.")


def change_asked(view: View) -> dict[str, Any]:
    """What the address says of the change; of what it does not say, nothing.

    Raises
    ------
    UsageError
        A size or duration is no number.
    """
    sizes = {name: number_asked(name) for name in SIZES}
    minutes = sizes.pop("duration")
    kind = st.query_params.get("type", TYPICAL)
    details = Details(environment=view.filters.environment, **sizes)  # type: ignore[typeddict-item]
    details["change_type"] = None if kind == TYPICAL else kind
    return {"duration": None if minutes is None else timedelta(minutes=minutes), **details}


def number_asked(name: str) -> int | None:
    """A whole number in the address; null: none is there."""
    given = st.query_params.get(name, "").strip()
    if given and whole(given) is None:
        raise UsageError(f"{name} must be a whole number, of minutes where it is a duration. Got {given!r}.")
    return whole(given)


def whole(given: str) -> int | None:
    """The whole number that a text is; null: it is none, or has more than nine digits.

    >>> whole("45"), whole("-1"), whole("")
    (45, None, None)
    """
    return int(given) if given.isascii() and given.isdigit() and len(given) <= 9 else None


def start_asked(view: View, service: str, change: dict[str, Any]) -> tuple[datetime, str]:
    """The start to explain, and a sentence that says how it was chosen.

    Raises
    ------
    UsageError
        The address names no time.
    """
    whose = (
        "" if view.filters.service else f" {service} is the service deployed most lately; the filter chooses another."
    )
    given = st.query_params.get("at", "").strip()
    if given:
        at = time_asked(given, view.filters.zone)
        begun = at < view.as_of < at + HOUR
        return (
            (view.as_of, f"That hour has begun: this is its next start.{whose}")
            if begun
            else (at, clock(view, at, whose))
        )
    found = view.ask(offered, service=service, **change)
    if found.is_best:
        return found.start, f"Nothing was asked about, so this is the best start of the coming week.{whose}"
    return found.start, f"No start of the coming week is allowed, so this is about now.{whose}"


def clock(view: View, at: datetime, whose: str) -> str:
    zone = view.filters.zone
    return f"On your clock ({zone}) that is {local_time(at, zone, view.as_of)}.{whose}"


def time_asked(given: str, zone: str) -> datetime:
    return parse_instant(given.replace(" ", "+") if "T" in given else given, "at", zone)


def form(view: View, start: datetime) -> None:
    """The start and the change, as the address says them, to be changed by hand."""
    local = start.astimezone(ZoneInfo(view.filters.zone))
    state: dict[str, Any] = {"why-day": local.date(), "why-time": local.time().replace(second=0, microsecond=0)}
    for name in SIZES:
        state[f"why-{name}"] = whole(st.query_params.get(name, "").strip())
    kind = st.query_params.get("type", TYPICAL)
    state["why-type"] = kind if kind in TYPES else TYPICAL
    st.session_state.update(state)
    with st.container(horizontal=True, key="why-form", vertical_alignment="bottom"):
        st.date_input("Day", key="why-day", on_change=start_moved, args=(view.filters.zone,), width=150)
        st.time_input("Start (your clock)", key="why-time", on_change=start_moved, args=(view.filters.zone,), width=150)
        for name, label in (("duration", "Minutes"), ("lines", "Lines"), ("files", "Files")):
            st.number_input(
                label, 0, step=1, key=f"why-{name}", placeholder=TYPICAL, on_change=number_set, args=(name,), width=140
            )
        st.selectbox("Type", TYPES, key="why-type", on_change=type_set, width=150)
        st.button("Best start of the week", key="why-best", on_click=say, kwargs={"at": None})
        st.button("Now", key="why-now", on_click=say, kwargs={"at": view.as_of.isoformat()})


def start_moved(zone: str) -> None:
    """The day or the time was changed by hand: both go into the address."""
    day, clock_time = st.session_state["why-day"], st.session_state["why-time"]
    if isinstance(day, date) and isinstance(clock_time, time):
        say(at=datetime.combine(day, clock_time, ZoneInfo(zone)).isoformat())


def number_set(name: str) -> None:
    value = st.session_state[f"why-{name}"]
    say(**{name: None if value is None else str(value)})


def type_set() -> None:
    kind = st.session_state["why-type"]
    say(type=None if kind == TYPICAL else kind)


def say(**given: str | None) -> None:
    """Put into the address what is given, and take out of it what is null."""
    for name, value in given.items():
        if value is not None:
            st.query_params[name] = value
        elif name in st.query_params:
            del st.query_params[name]


def from_the_usual(view: View, answer: ExplainAnswer) -> None:
    """The steps from the usual cost to this one, and what the calendar says to it."""
    [item] = answer.items
    calendar_said(view, answer)
    if item.relative_cost is None or item.expected_cost is None:
        cards.empty("Nothing is known yet that could tell this time from any other: load deployments first.")
        return
    st.html(f'<p class="sc-text">Level: {cards.level(item.level)}</p>')
    cards.legend()
    usual = item.expected_cost / item.relative_cost
    unit = answer.unit.replace("_", " ").replace("disruption minutes", "minutes of disruption")
    said = (
        f"The usual start of the week is expected to cost {amount(usual)} {unit}, this one "
        f"{amount(item.expected_cost)} ({amount(item.cost_low or 0)} to {amount(item.cost_high or 0)}), "
        f"{item.relative_cost * 100:.0f} % of it."
    )
    rows = charts.steps(item)
    cards.chart(
        charts.waterfall(rows),
        said,
        ["step", "against the usual", f"in {unit}", "the factor, of its usual (95 %)"],
        [
            [row["step"], row["said"], in_unit((row["to"] - row["from"]) * usual), ratio_said(answer, row["step"])]
            for row in rows
        ],
        "from-the-usual",
        numbers=("against the usual", f"in {unit}"),
    )


def ratio_said(answer: ExplainAnswer, step: str) -> str:
    """How the factor of a step stands to its usual, with its interval; empty: the step is no factor."""
    for one in answer.factors:
        if one.factor == step:
            return f"{times(one.ratio)} times ({times(one.ratio_low)} to {times(one.ratio_high)}), {one.compared}"
    return ""


def in_unit(value: float) -> str:
    """
    >>> in_unit(-1234.5), in_unit(0.25)
    ('-1,234', '0.25')
    """
    return f"-{amount(-value)}" if value < 0 else amount(value)


def calendar_said(view: View, answer: ExplainAnswer) -> None:
    [item] = answer.items
    if answer.blocked:
        cards.text(f"Nothing may start then: it is blocked {by_rule(answer.blocked[0].rule)}.", "simulated")
    elif item.approvals:
        cards.text(approvals_said(item.approvals, view.filters.zone, view.as_of).strip(), "simulated")


def in_words(answer: ExplainAnswer) -> None:
    """What the figures say, and what they do not."""
    if not answer.explanation:
        cards.empty("Nothing is known yet of which anything could be said.")
        return
    elsewhere = {*alike_said(answer.alike), *calmer_said(answer)}
    *said, caution = answer.explanation
    for words in said:
        if words not in elsewhere:
            cards.text(words)
    cards.text(caution, "simulated")


def calmer(view: View, answer: ExplainAnswer) -> None:
    """The smallest change that reaches a calmer level, and a way to look at it."""
    said = calmer_said(answer) if answer.items[0].relative_cost is not None else ["Nothing is known yet."]
    cards.text(said[0] if said else "It is calm already: no other level costs less.")
    found = answer.to_be_calmer
    if found is None:
        return
    with st.container(horizontal=True):
        if found.start is not None:
            st.button(
                "Explain that start", key="why-calmer-start", on_click=say, kwargs={"at": found.start.isoformat()}
            )
        if found.lines is not None:
            st.button(
                "Explain it with fewer lines", key="why-calmer-lines", on_click=say, kwargs={"lines": str(found.lines)}
            )


def over_the_week(view: View, answer: ExplainAnswer) -> None:
    """The curves, with past deployments as a rug."""
    if not answer.curves:
        cards.empty("No deployment was known, so nothing can be said of the hours of a week.")
        return
    past = view.ask(shipped, service=answer.service, environment=answer.environment)
    local = answer.items[0].start.astimezone(ZoneInfo(answer.business_zone))
    hour = local.weekday() * 24 + local.hour
    cards.note(charts.effects_said(answer.curves, hour))
    cards.chart(
        charts.over_the_week(answer.curves, past, hour, answer.business_zone),
        charts.rug_said(past, hour),
        ["start", *(f"{curve.factor}, {curve.unit}" for curve in answer.curves), "deployed", "failed"],
        [
            [hour_said(one.hour), *(charts.range_said(curve, one.hour) for curve in answer.curves), one.n, one.failed]
            for one in past
        ],
        "factors-over-the-week",
        numbers=("deployed", "failed"),
        width="stretch",
    )


def alike(view: View, answer: ExplainAnswer) -> None:
    if not answer.alike:
        cards.empty(f"No deployment of {answer.service} has settled yet, so there is none to compare with.")
        return
    zone = answer.business_zone
    failed = sum(one.failed for one in answer.alike)
    cards.text(f"Of the {plural(len(answer.alike), 'deployment')} most alike {failed or 'none'} failed.")
    cards.table(
        ["deployment", f"started ({zone})", "lines", "ended"],
        [
            [
                links.cell("deployment", one.deployment_id, deployment=one.deployment_id),
                local_time(one.started_at, zone, view.as_of),
                "not known" if one.lines is None else f"{one.lines:,}",
                "✗ failed" if one.failed else "✓ did not fail",
            ]
            for one in answer.alike
        ],
        "Alike: near that time of day, on such a day, of such a size; the likest first",
        numbers=("lines",),
    )


def rests_on(answer: ExplainAnswer) -> str:
    """What the numbers rest on."""
    model = "fitted when asked" if answer.model is None else f"model {answer.model.version} ({answer.model.recipe})"
    since = "" if answer.period_start is None else f" from {answer.period_start:%-d %b %Y}"
    until = "" if answer.period_end is None else f" to {answer.period_end:%-d %b %Y}"
    return (
        f"Rests on {plural(answer.n, 'settled deployment')} of {answer.service}{since}{until}, {answer.failures:,} of "
        f"which failed, and {answer.n_pooled:,} of all services; {model}. A deployment of "
        f"{answer.duration_minutes:g} minutes; intervals hold 95 %."
    )
