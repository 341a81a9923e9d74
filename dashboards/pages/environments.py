"""Environments: when somebody was in them, how long they stood idle, and what that cost."""

from __future__ import annotations

from datetime import timedelta

from shipcast.answers.metrics import PRODUCTION
from shipcast.answers.occupancy import MOST_USES, Occupancy, Reserved, occupancy
from shipcast.answers.words import count, hours, local_time, plural, share
from shipcast.dashboards import cards
from shipcast.dashboards.charts.occupancy import KINDS, occupancy_chart, occupancy_rows
from shipcast.dashboards.links import link
from shipcast.dashboards.view import View

TITLE, PATH = "Environments", "environments"
SPELLS = 20
AHEAD = timedelta(days=7)


def draw(view: View) -> None:
    filters = view.filters
    one = None if filters.environment == PRODUCTION else filters.environment
    found = view.ask(occupancy, environment=one, **filters.period)
    cards.headline(found.sentence)
    cards.note(scope_said(view, one))
    with cards.card("When they were in use"):
        when_in_use(view, found)
    if found.is_known and found.environments:
        with cards.card("Idle time and its cost"):
            idle_time(found)
        with cards.card("The longest idle spells"):
            longest(view, found)
    with cards.card("Reservations"):
        reservations(view, found)
    cards.notes(found.warnings)


def scope_said(view: View, one: str | None) -> str:
    shared = " Environments are shared, so services and teams do not narrow this page."
    narrowed = view.filters.service is not None or view.filters.team is not None
    which = "All environments; choose one above to see it alone." if one is None else "The environment chosen above."
    return f"{which}{shared if narrowed else ''}"


def when_in_use(view: View, found: Occupancy) -> None:
    """A row an environment over the last weeks of the period; what is reserved for the coming week too."""
    if not found.environments:
        cards.empty(
            "No environment is known. They come with deployments: `shipcast ingest files DIR` with `deployments.csv`."
        )
        return
    if not found.is_known:
        cards.empty(
            "No record is of this period. Choose a longer one, or load newer exports: `shipcast ingest files DIR`, "
            "then `shipcast build`."
        )
        return
    if not found.uses:
        since = local_time(found.shown_from, view.filters.zone, view.as_of)
        cards.empty(f"Nobody was in any of {plural(len(found.environments), 'environment')} since {since}.", "none")
        return
    until = max([found.period_end, *(min(one.end, view.as_of + AHEAD) for one in found.reserved)])
    rows = occupancy_rows(found, view.filters.zone, until)
    cards.chart(
        occupancy_chart(rows, found.shown, view.filters.zone),
        in_use_said(view, found),
        ["environment", "what", "from", "to", "lasted", "note"],
        [[row[name] for name in ("environment", "kind", "from", "to", "lasted", "said")] for row in rows],
        "occupancy",
    )
    cards.note(f"Full bars: {KINDS[0]}. Dashed frames: {KINDS[1]}. Heavy frames: {KINDS[2]}. Blank: idle for less.")


def in_use_said(view: View, found: Occupancy) -> str:
    zone = view.filters.zone
    first, last = (local_time(moment, zone, view.as_of) for moment in (found.shown_from, found.period_end))
    whose = f"{plural(len(found.uses), 'spell')} of use of {plural(len(found.shown), 'environment')}"
    said = [f"{whose} from {first} to {last} ({zone})."]
    if len(found.shown) < len(found.environments):
        said.append(f"Of {len(found.environments)} these stood idle the longest.")
    if len(found.uses) == MOST_USES:
        said.append(f"No more than {MOST_USES} are drawn.")
    said.append("Uses that overlap, and deployments with the time they keep an environment in use, are one.")
    return " ".join(said)


def idle_time(found: Occupancy) -> None:
    """The metric by environment, in the order of their names."""
    columns = ["environment", "kind", "idle", "idle hours", "cost of an hour", "cost of idling", "n", "known from"]
    cards.table(
        columns,
        [
            [
                one.environment,
                one.kind or ("production" if one.is_production else ""),
                share(one.idle_share),
                count(None if one.idle_hours is None else round(one.idle_hours)),
                "not known" if one.cost_per_hour is None else count(one.cost_per_hour),
                "not known" if one.cost is None else count(round(one.cost)),
                f"{one.uses:,}",
                "sessions and deployments" if one.has_sessions else "deployments alone",
            ]
            for one in found.environments
        ],
        "Idle time by environment; n is the spells of use in the period",
        numbers=("idle", "idle hours", "cost of an hour", "cost of idling", "n"),
        download="idle-by-environment",
    )
    cards.note("The share is counted over the whole period, not drawn from a sample: it has no interval.")
    if any(one.is_production for one in found.environments):
        cards.note("Production serves its users while nobody ships: its idle time is that without a deployment.")
    if not any(one.has_sessions for one in found.environments):
        cards.empty(
            "No session of anybody is known, so idle time counts deployments alone, and says too much. "
            "Load `environment_usage.csv` with `shipcast ingest files DIR`, then `shipcast build`."
        )
    if all(one.cost_per_hour is None for one in found.environments):
        cards.empty("What an hour costs is not known. It is the column `cost_per_hour` of `environments.csv`.")
    link("glossary", "How idle time is counted")


def longest(view: View, found: Occupancy) -> None:
    """Spells of more than a day."""
    if not found.idle_spells:
        cards.empty("No environment stood idle for more than a day: 0 spells.", "none")
        return
    zone = view.filters.zone
    cards.table(
        ["environment", f"from ({zone})", f"to ({zone})", "lasted", "cost"],
        [
            [
                one.environment,
                local_time(one.start, zone, view.as_of),
                "still idle" if one.end >= found.period_end else local_time(one.end, zone, view.as_of),
                hours(one.hours),
                "not known" if one.cost is None else count(round(one.cost)),
            ]
            for one in found.idle_spells[:SPELLS]
        ],
        f"The {min(SPELLS, len(found.idle_spells))} longest of {plural(len(found.idle_spells), 'spell')} of over a day",
        numbers=("lasted", "cost"),
        download="idle-spells",
    )


def reservations(view: View, found: Occupancy) -> None:
    """Environments that somebody keeps for a team: now, to come, and over in the weeks shown."""
    if not found.reserved:
        cards.empty(
            "Nobody has reserved an environment: 0 reservations. "
            "`shipcast reserve --environment ENV --start T --end T --for WORDS` makes one.",
            "none",
        )
        return
    zone = view.filters.zone
    cards.table(
        ["state", "environment", f"from ({zone})", f"to ({zone})", "for", "purpose", "recorded by"],
        [
            [
                state_of(view, one),
                one.environment,
                local_time(one.start, zone, view.as_of),
                local_time(one.end, zone, view.as_of),
                one.team or "nobody deploys",
                one.purpose,
                f"{one.who} (entry {one.number})",
            ]
            for one in found.reserved
        ],
        "Reservations in the ledger",
        download="reservations",
    )
    link("calendar", "Calendar: who ships what when")


def state_of(view: View, one: Reserved) -> str:
    if one.end <= view.as_of:
        return "over"
    return "to come" if one.start > view.as_of else "now"
