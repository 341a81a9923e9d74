"""Plan a release: when a change should go, why then, and its booking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

import streamlit as st

from shipcast.answers.answer import rfc3339
from shipcast.answers.cab_summary import ChangeSaid, cab_summary
from shipcast.answers.calendar_week import Booked, bookings_between
from shipcast.answers.company import approvals_said
from shipcast.answers.forecast import FARTHEST_HOURS, forecast
from shipcast.answers.usual import most_deployed, usual_length
from shipcast.answers.window_file import window_ics
from shipcast.answers.window_words import (
    UNITS,
    approval_said,
    basis_said,
    chance_said,
    cost_said,
    of_usual,
    reasons_in_words,
)
from shipcast.answers.windows import Window, WindowsAnswer, windows
from shipcast.answers.words import in_hundred, listing, local_time, plural
from shipcast.dashboards import cards
from shipcast.dashboards.charts import plan as charts
from shipcast.dashboards.desk import Desk, Wish, is_present
from shipcast.dashboards.filters import select
from shipcast.dashboards.links import link
from shipcast.dashboards.served import served
from shipcast.dashboards.view import View
from shipcast.scheduling.calendar.scope import ChangeType
from shipcast.scheduling.ledger.errors import EntryRefused
from shipcast.settings import Settings
from shipcast.settings.account import acting
from shipcast.settings.errors import ShipcastError

TITLE, PATH = "Plan a release", "plan"
WEEK, HOUR = timedelta(days=7), timedelta(hours=1)
TOP = 5
UNSAID = "not said"
UNDOING = "It can be undone here until the page is loaded anew, and later by `shipcast undo NUMBER`."
FLAGS = {"--latest": "“End by”", "--earliest": "“Start from”", "--duration": "“Minutes”"}
INSTEAD = {
    "wait a day": "Wait a day",
    "half the size": "Ship half of it, and no more",
    "split in two": "Split it in two, and ship both",
}


@dataclass(frozen=True)
class Form:
    """What was asked; null: it was not said."""

    service: str
    minutes: int
    earliest: datetime | None
    latest: datetime | None
    change_type: str | None
    lines: int | None
    files: int | None

    @property
    def details(self) -> dict[str, Any]:
        """What `windows` takes of the change."""
        return {"lines": self.lines, "files": self.files, "change_type": self.change_type}

    @property
    def period(self) -> dict[str, Any]:
        return {"earliest": self.earliest, "latest": self.latest}


def draw(view: View) -> None:
    top = st.container()
    form = asked(view)
    if form is None:
        with top:
            cards.headline("0 services are known here yet, so that nothing can be planned.")
            cards.empty("No deployment is known. Load some with `shipcast ingest files DIR`, then `shipcast build`.")
        return
    try:
        answer = ask(view, form)
    except ShipcastError as error:
        with top:
            cards.headline(f"Windows for {form.service} cannot be looked for.")
            cards.empty(on_page(f"{error.detail} {' '.join(error.lines)} {error.next_step}"))
        return
    with top:
        cards.headline(answer.sentence)
        said(view)
    offered(view, form, answer)
    with cards.card("The hours around the windows"):
        around(view, form, answer)
    if answer.alternatives:
        with cards.card("What if"):
            what_if(answer)
    cards.notes(answer.warnings)


def asked(view: View) -> Form | None:
    """The form, all of which is kept in the address; null: there is nothing to ship."""
    filters = view.filters
    usual = filters.service or view.ask(most_deployed, environment=filters.environment, team=filters.team)
    if usual is None and not view.choices.services:
        return None
    with st.form("plan"):
        row = st.container(horizontal=True, vertical_alignment="bottom")
        with row:
            service = filters.service or select("Service to ship", "ship", list(view.choices.services), usual)
            length = view.ask(usual_length, service=service, environment=filters.environment)
            minutes = whole("Minutes", "minutes", f"{length.minutes} (usual)", 1, 44_640)
            earliest = moment("Start from", "earliest", filters.zone)
            latest = moment("End by", "latest", filters.zone)
            kind = select("Type", "change-type", [UNSAID, *get_args(ChangeType)], width=130)
            lines = whole("Lines changed", "lines", "typical", 0, 10_000_000)
            files = whole("Files changed", "files", "typical", 0, 1_000_000)
            st.form_submit_button("Find windows", type="primary", on_click=desk().forget)
    if filters.service:
        cards.note(f"The service is {service}, by the filter above; times are on the clock of {filters.zone}.")
    else:
        cards.note(f"Times are on the clock of {filters.zone}; empty: the 7 days from now.")
    change_type = None if kind == UNSAID else kind
    return Form(service, minutes or length.minutes, earliest, latest, change_type, lines, files)


def whole(label: str, key: str, placeholder: str, least: int, most: int) -> int | None:
    """A whole number; null: not said.

    It is asked for as one with digits behind the point: an endless one in the address would break a whole one.
    """
    found: float | None = st.number_input(
        label,
        min_value=float(least),
        max_value=float(most),
        value=None,
        step=1.0,
        format="%.0f",
        placeholder=placeholder,
        key=key,
        bind="query-params",
        width=150,
    )
    return None if found is None else round(found)


def moment(label: str, key: str, zone: str) -> datetime | None:
    """A time on the reader's clock; null: not said."""
    given = st.datetime_input(label, value=None, key=key, bind="query-params", width=225)
    return given.replace(tzinfo=ZoneInfo(zone)) if isinstance(given, datetime) else None


def ask(view: View, form: Form) -> WindowsAnswer:
    """The answer, as the command line gives it; its advice is kept once for each question that a viewer asks."""
    question = {
        "service": form.service,
        "duration": timedelta(minutes=form.minutes),
        "environment": view.filters.environment,
        "top": TOP,
        "what_if": True,
        **form.period,
        **form.details,
    }
    answer = view.ask(windows, **question)
    return desk().keep(view.settings, f"{view.source.snapshot.snapshot_id} {question}", answer)


def desk() -> Desk:
    found: Desk = st.session_state.setdefault("desk", Desk())
    return found


def on_page(words: str) -> str:
    """What an error says, with the fields of the form in place of the flags of the command line."""
    for flag, label in FLAGS.items():
        words = words.replace(flag, label)
    return words


def offered(view: View, form: Form, answer: WindowsAnswer) -> None:
    """The windows, the one that is chosen, and what can be done with it."""
    with cards.card("Windows, the cheapest first"):
        if not answer.items:
            nothing_fits(answer)
            return
        end = max(one.end for one in answer.items)
        booked = view.ask(bookings_between, since=answer.as_of, until=end, environment=answer.environment)
        if answer.verdict == "no_clear_difference":
            cards.text("Any time that is allowed is about as good: take one that suits the people who ship.")
        ranked(view, answer, booked)
        number = chosen(view, answer)
        window = answer.items[number - 1]
        book(view, form, answer, window)
        link("why", "Why this window", service=answer.service, at=rfc3339(window.start))
        downloads(view, form, answer, window, number, booked)


def nothing_fits(answer: WindowsAnswer) -> None:
    """The rules that block, and the nearest slot beyond."""
    cards.empty(answer.sentence, "none")
    cards.table(
        ["not allowed from", "until", "by"],
        [
            [
                *(f"{local_time(one, answer.business_zone, answer.as_of)}" for one in (span_.start, span_.end)),
                span_.rule,
            ]
            for span_ in answer.blocked
        ],
        f"Starts that are not allowed, on the clock of {answer.business_zone}",
    )


def ranked(view: View, answer: WindowsAnswer, booked: Sequence[Booked]) -> None:
    zones = list(dict.fromkeys([answer.business_zone, view.filters.zone]))
    cards.legend()
    cards.table(
        [
            "",
            *(f"start ({zone})" for zone in zones),
            "level",
            "of usual cost",
            "chance of failure",
            UNITS[answer.unit],
            "at the same time",
            "approvals",
            "why",
        ],
        [
            [
                str(number),
                *(local_time(one.start, zone, answer.as_of) for zone in zones),
                cards.Html(cards.level(one.level)),
                of_usual(one) or "not known",
                chance_said(one) or "not known",
                cost_said(one) or "not known",
                "; ".join((*one.conflicts, *beside(one, booked))) or "nothing booked",
                "; ".join(approval_said(each, answer.business_zone, answer.as_of) for each in one.approvals) or "none",
                reasons_in_words(one) if one.reasons else "nothing is known",
            ]
            for number, one in enumerate(answer.items, start=1)
        ],
        f"{plural(len(answer.items), 'window')} of {answer.duration_minutes:g} minutes for {answer.service}; "
        "intervals hold 95 %",
        download="windows",
    )
    cards.note(basis_said(answer))


def beside(window: Window, booked: Sequence[Booked]) -> list[str]:
    """What is booked at the time of a window."""
    return [one.title for one in booked if one.start < window.end and window.start < one.end]


def chosen(view: View, answer: WindowsAnswer) -> int:
    """The number of the window that the reader chose; the first, until they do."""
    zone = view.filters.zone
    named = {
        f"Window {number}: {local_time(one.start, zone, answer.as_of)} ({zone})": number
        for number, one in enumerate(answer.items, start=1)
    }
    return named[st.radio("Your window", list(named), key="window", horizontal=True)]


def book(view: View, form: Form, answer: WindowsAnswer, window: Window) -> None:
    """What it is for, and the button that books the window."""
    if not is_present(view.as_of):
        if served().as_of is None:
            cards.note("What is booked is booked now. Clear “As of” above to ask about the present and book a window.")
        else:
            cards.note("This page was started to be asked about another time than now, so nothing can be booked on it.")
        return
    if desk().has_booked(answer.service, answer.environment):  # a click too many must not take the next window
        cards.note(f"{answer.service} was just booked, see above.")
        st.button("Book another window", on_click=desk().book_another, key="another")
        return
    refused = desk().refused
    if refused is not None:
        cards.text(f"Nothing was booked just now: {refused.detail} Above it says more; this is another window.")
    needed = approvals_said(window.approvals, answer.business_zone, answer.as_of)
    if needed:
        cards.note(f"{needed.strip()} A rule that asks for an approval lets it be booked once somebody gave that.")
    wish = Wish(answer.service, answer.environment, window.start, window.end, form.change_type)
    with st.form("book", enter_to_submit=False, border=False):
        row = st.container(horizontal=True, vertical_alignment="bottom")
        with row:
            st.text_input(
                "What it is for", key="purpose", max_chars=1_000, placeholder="such as: release 2.4", width=320
            )
            st.form_submit_button(
                "Book this window", type="primary", on_click=booked, args=(desk(), view.settings, wish)
            )
    cards.note(f"It is booked by {acting(view.settings)}, as `shipcast reserve` does. {UNDOING}")


def booked(where: Desk, settings: Settings, wish: Wish) -> None:
    """From the button: book it for what was typed."""
    purpose = str(st.session_state.get("purpose") or "")
    where.book(settings, Wish(wish.service, wish.environment, wish.start, wish.end, wish.change_type, purpose.strip()))


def said(view: View) -> None:
    """What became of the last booking made here, and its undoing."""
    found = desk()
    if found.refused is not None:
        with cards.card("It was not done"):
            not_done(view, found.refused)
    if found.made is not None:
        with cards.card("Booked"):
            cards.text(found.made.sentence)
            cards.notes(found.made.warnings)
            st.button("Undo this booking", on_click=found.undo, args=(view.settings,), key="undo")
            start = found.made.items[0].start or view.as_of
            day = f"{start.astimezone(ZoneInfo(view.filters.zone)):%Y-%m-%d}"
            link("calendar", "See it in the calendar", week="The week of a day", day=day)
    elif found.undone is not None:
        with cards.card("Taken back"):
            cards.text(found.undone.sentence)
            cards.notes(found.undone.warnings)


def not_done(view: View, error: ShipcastError) -> None:
    """Why, with all parties, and when it could go."""
    if not isinstance(error, EntryRefused) or not error.facts.get("conflicts"):
        cards.refused(error)
        return
    cards.text(error.detail)
    cards.notes([one["says"] for one in error.facts["conflicts"]])
    if "free" in error.facts:
        zone, free = view.filters.zone, datetime.fromisoformat(error.facts["free"][0])
        cards.text(f"The next free time is {local_time(free, zone, view.as_of)} ({zone}).")
    cards.note(f"Or choose another window above. On the command line: {error.next_step}")


def downloads(
    view: View, form: Form, answer: WindowsAnswer, window: Window, number: int, booked: Sequence[Booked]
) -> None:
    """The window for a calendar, the answer for a program, and a page for a change board."""
    purpose = str(st.session_state.get("purpose") or "")
    change = ChangeSaid(form.change_type, form.lines, form.files, purpose)
    zone = view.filters.zone
    with st.container(horizontal=True):
        file("Window (.ics)", lambda: window_ics(answer, window), f"window-{number}.ics", "text/calendar")
        file("Answer (JSON)", answer.as_json, "windows.json", "application/json")
        file(
            "For the change board (Markdown)",
            lambda: cab_summary(answer, window, change, zone, beside(window, booked)),
            f"change-{number}.md",
            "text/markdown",
        )


def file(label: str, text: Any, name: str, mime: str) -> None:
    st.download_button(
        label,
        lambda: text().encode("utf-8"),
        file_name=name,
        mime=mime,
        key=f"file-{mime}",
        on_click="ignore",
    )


def what_if(answer: WindowsAnswer) -> None:
    zone = answer.business_zone
    cards.table(
        ["instead", f"start ({zone})", "lines of each", "chance of failure", "of the best window's cost", "so"],
        [
            [
                INSTEAD[one.what],
                listing([local_time(start, zone, answer.as_of) for start in one.starts]),
                None if one.lines is None else f"{one.lines:,}",
                in_hundred(one.failure_probability).removeprefix("about "),
                f"{one.relative_to_best:.2f} ({one.relative_low:.2f} to {one.relative_high:.2f})",
                verdict(one.relative_low, one.relative_high),
            ]
            for one in answer.alternatives
        ],
        "What else could be done with the change, against the best window as it is; intervals hold 95 %",
        numbers=("lines of each",),
    )


def verdict(low: float, high: float) -> str:
    """What the interval of a ratio says."""
    return "better" if high < 1 else "worse" if low > 1 else "no clear difference"


def around(view: View, form: Form, answer: WindowsAnswer) -> None:
    """Cost, load and bookings over the time that was asked about, on one axis."""
    start = max(form.earliest or answer.as_of, answer.as_of)
    axis = charts.Axis(start, max(form.latest or answer.as_of + WEEK, start + HOUR), view.filters.zone, answer.as_of)
    risk_ahead(answer, axis)
    with cards.guarded():
        load_ahead(view, answer, axis)
    with cards.guarded():
        booked = view.ask(bookings_between, since=axis.start, until=axis.end, environment=answer.environment)
        booked_ahead(answer, booked, axis)


def risk_ahead(answer: WindowsAnswer, axis: charts.Axis) -> None:
    rows = charts.risk_rows(answer, axis)
    if answer.outlook is None:
        cards.empty("What starts would cost was not looked at: none is open, or no deployment is known.")
        return
    if not rows:
        cards.empty("What starts would cost by the hour is looked at for the 7 days from now alone.")
        return
    low, high = min(rows, key=lambda row: row["relative"]), max(rows, key=lambda row: row["relative"])
    cut = f" Bars end at {charts.HIGHEST:.0%}." if high["relative"] > charts.HIGHEST else ""
    cards.chart(
        charts.risk(rows, charts.window_rows(answer, axis), axis),
        f"What starts would cost, the mean of each hour ({axis.zone}): least on {low['when']}, {low['said']}; most on "
        f"{high['when']}, {high['said']}. Diamonds are the windows, with intervals that hold 95 %.{cut}",
        ["hour", "level", "cost"],
        [[row["when"], row["level"], row["said"]] for row in rows],
        "plan-risk",
    )


def load_ahead(view: View, answer: WindowsAnswer, axis: charts.Axis) -> None:
    hours = min(-(-(axis.end - answer.as_of) // HOUR), FARTHEST_HOURS)
    found = view.ask(forecast, service=answer.service, hours=hours, environment=answer.environment)
    rows = charts.load_rows(found, axis)
    if not rows:
        cards.empty(
            f"No load of {answer.service} is known, so that none is forecast: load it as the table `load` with "
            "`shipcast ingest files DIR`."
        )
        return
    cards.chart(
        charts.load(rows, axis),
        f"The load forecast: {found.sentence} The bands hold 50 and 90 of 100 hours.",
        ["hour", "5 of 100 below", "half below", "95 of 100 below"],
        [[row["when"], *(f"{row[name]:,.0f}" for name in ("p05", "p50", "p95"))] for row in rows],
        "plan-load",
        numbers=("5 of 100 below", "half below", "95 of 100 below"),
    )


def booked_ahead(answer: WindowsAnswer, booked: Sequence[Booked], axis: charts.Axis) -> None:
    rows = charts.strip_rows(answer, booked, axis)
    rules = dict.fromkeys(one.rule for one in answer.blocked)
    does = "blocks" if len(rules) == 1 else "block"
    shut = f"{listing(list(rules))} {does} starts" if rules else "no rule blocks a start"
    cards.chart(
        charts.strips(rows, axis),
        f"{plural(len(booked), 'booking')} to {answer.environment} in this time, and {shut}.",
        ["what", "which", "when"],
        [[row["lane"], row["label"], row["when"]] for row in rows],
        "plan-booked",
    )
