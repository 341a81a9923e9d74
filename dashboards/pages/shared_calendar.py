"""Calendar: who ships what when, what the calendar says of it, and what stands against it."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import streamlit as st

from shipcast.answers.calendar_export import export
from shipcast.answers.calendar_week import WEEK, CalendarWeek, calendar_week
from shipcast.answers.words import listing, local_time, plural
from shipcast.dashboards import cards
from shipcast.dashboards.charts import lanes as charts
from shipcast.dashboards.filters import select
from shipcast.dashboards.links import link
from shipcast.dashboards.view import View
from shipcast.scheduling.calendar.files import FILE_NAME
from shipcast.scheduling.calendar.scope import Subject
from shipcast.settings.errors import ShipcastError

TITLE, PATH = "Calendar", "calendar"
AT_HAND, ANY = "The week at hand", "The week of a day"
WEEKS = {"This week": 0, "Next week": 1, "Last week": -1}
SATURDAY, NOON = 5, 12
EXAMPLE = """[[freeze]]
id = "year-end"
start = 2026-12-18
end = 2027-01-03
tz = "Europe/Berlin"
reason = "the books are closed"
"""


def draw(view: View) -> None:
    top = st.container()
    week_of, day = chosen_day(view)
    filters = view.filters
    try:
        week = week_around(view, day)
        moved = moved_on(view) if week_of == AT_HAND else ""
    except ShipcastError as error:
        with top:
            cards.headline(f"The calendar of the week of {day:%a %-d %b %Y} cannot be read.")
            cards.refused(error)
        return
    with top:
        cards.headline(week.sentence)
        if moved:
            cards.note(moved)
    with cards.card(f"The week, lane by lane, on the clock of {filters.zone}"):
        lanes(view, week)
    with cards.card("Conflicts"):
        conflicts(week)
    with cards.card("Bookings"):
        bookings(view, week)
    with cards.card("In force"):
        in_force(view, week)
    cards.notes(week.warnings)


def chosen_day(view: View) -> tuple[str, date]:
    """Which week is asked for, in the words of the list, and a day of it, on the reader's clock."""
    now = local_now(view)
    today = now.date()
    with st.container(horizontal=True, vertical_alignment="bottom", key="week-asked"):
        week = select("Week", "week", [AT_HAND, *WEEKS, ANY])
        if week == AT_HAND:
            return week, today + WEEK * is_all_but_over(now)
        if week != ANY:
            return week, today + WEEK * WEEKS[week]
        found = st.date_input("Day", today, key="day", bind="query-params", width=160)
    return week, found if isinstance(found, date) else today


def local_now(view: View) -> datetime:
    """When the page is asked, on the reader's clock."""
    return view.as_of.astimezone(ZoneInfo(view.filters.zone))


def is_all_but_over(now: datetime) -> bool:
    """Whether the local time lies so late in its week that the next one is what is at hand: from Saturday noon.

    >>> is_all_but_over(datetime(2026, 1, 3, 11, 59)), is_all_but_over(datetime(2026, 1, 3, 12))
    (False, True)
    """
    return (now.weekday(), now.hour) >= (SATURDAY, NOON)


def week_around(view: View, day: date) -> CalendarWeek:
    """The week of a day, by the filters."""
    filters = view.filters
    return view.ask(
        calendar_week,
        day=day,
        zone=filters.zone,
        environment=filters.environment,
        service=filters.service,
        team=filters.team,
    )


def moved_on(view: View) -> str:
    """That the week at hand is the next one, and what is still to come in this one; empty: it is this one."""
    now = local_now(view)
    if not is_all_but_over(now):
        return ""
    left = sum(one.end > view.as_of for one in week_around(view, now.date()).booked)
    still = f", though {plural(left, 'booking')} of it {'is' if left == 1 else 'are'} still to come" if left else ""
    return f"The coming week is shown, since this week is all but over{still}; “This week” in the list shows that."


def lanes(view: View, week: CalendarWeek) -> None:
    """The bars, and the file for other calendars."""
    names = charts.lanes(week)
    if names:
        rows = charts.gantt_rows(week, view.filters.zone)
        kinds = dict.fromkeys(charts.KINDS[row["kind"]].word for row in rows)
        cards.chart(
            charts.gantt(rows, names, week, view.filters.zone),
            f"{plural(len(names), 'lane')}: rules in force above, services below. Shown are: {listing(list(kinds))}."
            if kinds
            else f"{plural(len(names), 'lane')}, and nothing in them.",
            ["lane", "kind", "what", "when"],
            [[row["lane"], row["word"], row["what"], row["when"]] for row in rows],
            "calendar",
        )
    if week.shut:
        cards.note("In the lane of a service, grey is when it may start nothing, pale grey only with an approval.")
    if week.unshown:
        cards.note(f"{plural(week.unshown, 'service')} more with bookings have no lane; the list below has them.")
    if not week.has_calendar:
        no_calendar(view)
    exported(view, week)


def no_calendar(view: View) -> None:
    """How to write one."""
    cards.empty(
        f"No calendar is kept, so that nothing is forbidden at any time. Write `{FILE_NAME}` into "
        f"`{view.settings.home}`, such as the lines below, or let a freeze hold with `shipcast freeze add`; "
        "docs/calendar.md says what else may stand there."
    )
    cards.code(EXAMPLE)


def exported(view: View, week: CalendarWeek) -> None:
    """The same file as of `shipcast calendar export`."""
    settings, as_of, filters = view.settings, view.as_of, view.filters
    subject = None if filters.service is None else Subject(filters.service, filters.environment)
    st.download_button(
        "iCalendar file of the week",
        lambda: (export(settings, as_of, *week.period, subject=subject).ics or "").encode("utf-8"),
        file_name=f"shipcast-{week.period.start.astimezone(ZoneInfo(filters.zone)):%G-W%V}.ics",
        mime="text/calendar",
        key="calendar-ics",
        on_click="ignore",
        help="As `shipcast calendar export` writes it: all that is in force, or what is about the service chosen.",
    )


def conflicts(week: CalendarWeek) -> None:
    """What stands against bookings, with all parties and the rule."""
    if not week.conflicts:
        cards.empty(f"Nothing stands against the {plural(len(week.booked), 'booking')} of this week.", "none")
        return
    cards.table(
        ["what stands against it", "rule", "kind"],
        [[one.says, one.rule or "none: another was there first", one.kind] for one in week.conflicts],
        f"{plural(len(week.conflicts), 'conflict')} that no entry of the ledger permits",
        download="conflicts",
    )


def bookings(view: View, week: CalendarWeek) -> None:
    filters = view.filters
    if not week.booked:
        if view.filters.is_narrowed:
            cards.filtered_away("No booking of this week is left by the filters.")
        else:
            cards.empty("0 deployments are booked for this week. Book one on the page “Plan a release”.", "none")
        link("plan", "Plan a release")
        return
    cards.table(
        ["number", "service", "environment", "from", "to", "who", "what for", "type", "against"],
        [
            [
                str(one.number),
                one.service,
                one.environment,
                local_time(one.start, filters.zone, view.as_of),
                local_time(one.end, filters.zone, view.as_of),
                one.who,
                one.purpose,
                one.change_type or "not said",
                listing(one.against) if one.against else "conflict, see above" if one.is_refused else "no rule",
            ]
            for one in week.booked
        ],
        f"{plural(len(week.booked), 'booking')}, on the clock of {filters.zone}",
        numbers=("number",),
        download="bookings",
    )
    link("plan", "Plan a release")
    cards.note("To take one back: `shipcast undo NUMBER`.")


def in_force(view: View, week: CalendarWeek) -> None:
    """The spans of rules, and the capacities, which hold at all times."""
    zone = view.filters.zone
    if not week.rules and not week.capacities:
        cards.empty("0 rules of a calendar are in force in this week.", "none" if week.has_calendar else "unknown")
    cards.table(
        ["rule", "kind", "from", "to", "effect", "about", "note"],
        [
            [
                one.rule,
                charts.KINDS[one.kind].word,
                local_time(one.start, zone, view.as_of),
                local_time(one.end, zone, view.as_of),
                one.effect or "none by itself",
                one.about or "all",
                one.note,
            ]
            for one in week.rules
        ],
        f"{plural(len(week.rules), 'span')} of rules, on the clock of {zone}"
        + (f"; {week.left_out:,} more are left out" if week.left_out else ""),
        download="in-force",
    )
    cards.table(
        ["capacity", "about", "may run at once", "booked at once, at most"],
        [[one.rule, one.about or "all", str(one.concurrent), str(one.most)] for one in week.capacities],
        "Capacities, which hold at all times",
        numbers=("may run at once", "booked at once, at most"),
    )
