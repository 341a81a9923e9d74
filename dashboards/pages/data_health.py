"""Data health: what was loaded and refused, how new it is, and what the pages lack for want of data."""

from __future__ import annotations

from functools import partial
from html import escape

import streamlit as st

from shipcast.answers.data_health import DataHealth, Loaded, data_health, refused_rows
from shipcast.answers.doctor import findings_beside_runs, what_can_be_said
from shipcast.answers.doctor import sentence as findings_said
from shipcast.answers.operations import COUNTS
from shipcast.answers.sources import sources_answer
from shipcast.answers.words import age, local_time, plural
from shipcast.dashboards import cards
from shipcast.dashboards.filters import ALL, select
from shipcast.dashboards.view import View
from shipcast.warehouse.connection import LOG_FILE, WORK_FILE
from shipcast.warehouse.transform import LOG

TITLE, PATH = "Data health", "data"
ROWS = 100


def draw(view: View) -> None:
    found = view.ask(data_health, beside=(view.settings.home / LOG,))
    cards.headline(found.sentence)
    cards.text(view.ask(what_can_be_said))
    with cards.card("How new the data is"):
        how_new(view, found)
    with cards.card("Sources"):
        sources(view)
    with cards.card("What the pages lack"):
        lacking(found)
    with cards.card("What was loaded"):
        what_was_loaded(view, found)
    with cards.card("What was refused"):
        refused(view, found)
    with cards.card("Tests of the data"):
        tests(found)
    with cards.card("What the doctor finds"):
        findings(view)
    cards.notes(found.warnings)


def how_new(view: View, found: DataHealth) -> None:
    zone = view.filters.zone
    cards.table(
        ["table", "rows known", f"newest record ({zone})", "age", "state"],
        [
            [
                one.table,
                f"{one.rows:,}",
                "" if one.at is None else local_time(one.at, zone, view.as_of),
                "" if one.at is None else age(view.as_of - one.at),
                "none known" if one.at is None else "old" if one.is_stale else "new",
            ]
            for one in found.newest
        ],
        f"Known at the time of the question, load by the hour; old: more than {view.settings.stale_days:g} days",
        numbers=("rows known", "age"),
        download="newest-records",
    )


def sources(view: View) -> None:
    """The configured sources: when each was last read, and why the last reading failed where it did."""
    found, zone = sources_answer(view.settings, view.as_of), view.filters.zone
    if not found.items:
        cards.text(
            "No source is connected: what is here was loaded by hand. `shipcast connect github OWNER/NAME`, for "
            "example, lets `shipcast run` keep it fresh."
        )
        return
    cards.text(found.sentence)
    cards.table(
        ["source", "state", f"last read well ({zone})", "rows", "why it failed"],
        [
            [
                item.source,
                item.state,
                "" if item.good_at is None else local_time(item.good_at, zone, view.as_of),
                "" if item.rows is None else f"{item.rows:,}",
                item.failure or "",
            ]
            for item in found.items
        ],
        "As the last run up to the time of the question left them; stale: not read well for "
        f"{view.settings.stale_days:g} days",
        numbers=("rows",),
        download="sources",
    )


def lacking(found: DataHealth) -> None:
    if not found.lacks:
        cards.text("Nothing: every page has the data it is made for.")
        return
    cards.table(
        ["page", "what it lacks", "what brings it"],
        [[one.page, one.says, cards.Html(cards.marked(one.remedy))] for one in found.lacks],
        f"{plural(len(found.lacks), 'thing')} that cannot be said, and what would change that",
    )


def what_was_loaded(view: View, found: DataHealth) -> None:
    """Tables, then files; what was read is the sum of the five columns beside it."""
    if not found.tables:
        cards.empty("Nothing was loaded yet: `shipcast ingest files DIR`, then `shipcast build`.")
        return
    cards.note(
        "Read = inserted + updated + unchanged + merged + quarantined, over all loads up to the last build: a row "
        "counts each time that it was read."
    )
    loads(view, found.tables, "By table, over all loads", "loads-by-table", [])
    caption = "By file, over all loads, the last first"
    by_file = partial(loads, view, found.files, caption, "loads-by-file", ["file"])
    cards.folded("File by file", "loads-by-file", by_file)


def loads(view: View, rows: tuple[Loaded, ...], caption: str, name: str, with_file: list[str]) -> None:
    zone = view.filters.zone
    cards.table(
        ["table", *with_file, "loads", f"last ({zone})", *COUNTS, "files refused"],
        [
            [
                one.table,
                *([one.file] if with_file else []),
                f"{one.loads:,}",
                local_time(one.loaded_at, zone, view.as_of),
                *(f"{getattr(one, count):,}" for count in COUNTS),
                one.refused or (f"{one.refused_files:,}" if one.refused_files else ""),
            ]
            for one in rows
        ],
        caption,
        numbers=("loads", *COUNTS),
        download=name,
    )


def refused(view: View, found: DataHealth) -> None:
    """Refused rows by table and rule; the rows themselves when somebody asks for them."""
    if not found.refused:
        cards.empty("No row waits in quarantine.", "none")
        return
    cards.table(
        ["table", "rule", "files", "rows"],
        [[one.table, one.rule, f"{one.files:,}", f"{one.rows:,}"] for one in found.refused],
        "Rows that wait in quarantine, refused and not loaded since, as of the last build",
        numbers=("files", "rows"),
        download="refused",
    )
    cards.text("Correct them where they come from, then `shipcast quarantine retry`; or `shipcast quarantine export`.")
    table = select("Table", "refused_table", [ALL, *dict.fromkeys(one.table for one in found.refused)])
    rule = select("Rule", "refused_rule", [ALL, *dict.fromkeys(one.rule for one in found.refused)])
    if st.toggle("Show the rows", key="refused_rows", help="Reads the work database while no command writes to it."):
        rows_refused(view, None if table == ALL else table, None if rule == ALL else rule)


def rows_refused(view: View, table: str | None, rule: str | None) -> None:
    """As `quarantine list` shows them: verbatim."""
    home = view.settings.home
    files = (home / WORK_FILE, home / LOG_FILE)
    rows = view.ask(refused_rows, beside=files, table=table, rule=rule, limit=ROWS)
    if not rows:
        cards.empty("No such row is in quarantine any more.", "none")
        return
    cards.table(
        ["table", "file", "line", "column", "rule", "reason", "row"],
        [[one.table, one.file, one.line, one.column, one.rule, one.reason, one.row] for one in rows],
        f"Refused rows as they stand in their files, {len(rows)} of them; {ROWS} at most are shown",
        numbers=("line",),
        download="refused-rows",
    )


def tests(found: DataHealth) -> None:
    cards.text("Nothing is published unless every test of the build holds.")
    if found.build is None:
        cards.empty("Nothing is recorded of the last build here. `shipcast build` tests the data again.")
        return
    cards.text(found.build.sentence)
    cards.table(["failed"], [[name] for name in found.build.wrong], "Models and tests that failed")


def findings(view: View) -> None:
    """What can be looked at without standing in the way of a run, with the command that mends it."""
    found = view.ask(findings_beside_runs)
    cards.text(findings_said(found))
    cards.table(
        ["state", "what", "found", "what mends it"],
        [[one.state, one.subject, one.finding, code(one.remedy if one.state != "good" else None)] for one in found],
        "What was looked at",
        download="findings",
    )
    cards.note(
        "Whether the files of the home are whole, and whether loaded data waits for a build, is not looked at here, "
        "since a run would have to wait: `shipcast doctor` says."
    )


def code(command: str | None) -> cards.Html:
    return cards.Html("" if command is None else f"<code>{escape(command)}</code>")
